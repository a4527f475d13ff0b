// Says in the kernel log when the swap device fails, once: a full disk would say so for every page. What follows from it is mm's business.
import { DeviceError, type SwapDevice } from "../mm/contracts.ts";

/** A device, with a line to `log` at its first failure (Linux: "Write-error on swap-device"). */
export class ReportingSwap implements SwapDevice {
  readonly slotCount: number;
  /** May be replaced by one with the same contents. */
  device: SwapDevice;
  private readonly log: (line: string) => void;
  private failing = false;

  constructor(device: SwapDevice, log: (line: string) => void) {
    this.device = device;
    this.slotCount = device.slotCount;
    this.log = log;
  }

  read(slot: number, into: Uint8Array): void {
    try {
      this.device.read(slot, into);
    } catch (error) {
      throw this.report(error, "Read", slot);
    }
  }

  write(slot: number, from: Uint8Array): void {
    try {
      this.device.write(slot, from);
    } catch (error) {
      throw this.report(error, "Write", slot);
    }
  }

  private report(error: unknown, what: string, slot: number): unknown {
    if (error instanceof DeviceError && !this.failing)
      this.log(`${what}-error on swap-device, page ${slot}: ${error.message}`);
    this.failing = true;
    return error;
  }
}
