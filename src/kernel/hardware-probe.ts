// What riscv_hwprobe() says of the hart, to the system call and to the vDSO's copy of it.
import { USER_END } from "../arch/sv39.ts";

/** By RISCV_HWPROBE_KEY_*. */
export const HARDWARE_VALUES: readonly number[] = [
  0, // vendor
  0, // architecture
  0, // implementation
  1, // base behaviour: IMA
  3, // extensions: F and D, C
  3, // misaligned accesses are fast
  0, // block size of Zicboz
  USER_END - 1, // highest address of user space
  10_000_000, // frequency of the time counter
  3, // misaligned scalar accesses are fast
];
