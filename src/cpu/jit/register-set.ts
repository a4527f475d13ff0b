// Sets of guest registers.

/** One bit per integer and per floating-point register. */
export interface RegisterSet {
  x: number;
  f: number;
}

/** Calls `visit` with the number of each register in one half of a set. */
export function forEachRegister(bits: number, visit: (register: number) => void): void {
  for (let left = bits; left !== 0; left &= left - 1) visit(31 - Math.clz32(left & -left));
}
