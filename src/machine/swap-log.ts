// Says in the kernel log when the swap device fails, once: a full disk would say so for every page. What follows from it is mm's business.
import { DeviceError, type SwapDevice } from "../mm/contracts.ts";

/** `device`, with a line to `log` at its first failure (Linux: "Write-error on swap-device"). */
export function reportingSwap(device: SwapDevice, log: (line: string) => void): SwapDevice {
  let failing = false;
  const attempt = (transfer: () => void, what: string, slot: number) => {
    try {
      transfer();
    } catch (error) {
      if (error instanceof DeviceError && !failing) log(`${what}-error on swap-device, page ${slot}: ${error.message}`);
      failing = true;
      throw error;
    }
  };
  return {
    slotCount: device.slotCount,
    read(slot, into) {
      attempt(() => device.read(slot, into), "Read", slot);
    },
    write(slot, from) {
      attempt(() => device.write(slot, from), "Write", slot);
    },
  };
}
