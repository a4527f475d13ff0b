// Sets of guest registers.

/** One bit per integer and per floating-point register. */
export interface RegisterSet {
  x: number;
  f: number;
}

/** The numbers of the registers in one half of a set. */
export function* members(bits: number): Generator<number> {
  for (let left = bits; left !== 0; left &= left - 1) yield 31 - Math.clz32(left & -left);
}
