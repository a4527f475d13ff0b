// A thread's registers as ptrace's regsets and core dumps lay them out (struct user_regs_struct, struct __riscv_d_ext_state).
import type { CpuContext } from "../cpu/cpu-context.ts";

/** pc, x1..x31. */
export const REGISTER_BYTES = 256;
/** f0..f31, fcsr, padding. */
export const FLOAT_BYTES = 264;

export function generalRegisters(context: CpuContext): Uint8Array {
  const bytes = new Uint8Array(REGISTER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, context.pcLow, true);
  view.setInt32(4, context.pcHigh, true);
  for (let i = 1; i < 32; i++) {
    view.setInt32(8 * i, context.getXLow(i), true);
    view.setInt32(8 * i + 4, context.getXHigh(i), true);
  }
  return bytes;
}

export function floatRegisters(context: CpuContext): Uint8Array {
  const bytes = new Uint8Array(FLOAT_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 64; i++) view.setUint32(4 * i, context.f[i], true);
  view.setUint32(256, context.fcsr, true);
  return bytes;
}
