// A set of signals 1..64 as two int32 halves (sigset_t of the kernel). Values only; who blocks or waits is elsewhere.
import { SIGKILL, SIGSTOP } from "../../abi/signal.ts";

export class SigSet {
  /** Signals 1..32: bit n-1. */
  low: number;
  /** Signals 33..64: bit n-33. */
  high: number;

  constructor(low = 0, high = 0) {
    this.low = low | 0;
    this.high = high | 0;
  }

  static of(...signals: readonly number[]): SigSet {
    const set = new SigSet();
    for (const signal of signals) set.add(signal);
    return set;
  }

  has(signal: number): boolean {
    return (signal <= 32 ? (this.low >>> (signal - 1)) & 1 : (this.high >>> (signal - 33)) & 1) !== 0;
  }

  add(signal: number): void {
    if (signal <= 32) this.low |= 1 << (signal - 1);
    else this.high |= 1 << (signal - 33);
  }

  delete(signal: number): void {
    if (signal <= 32) this.low &= ~(1 << (signal - 1));
    else this.high &= ~(1 << (signal - 33));
  }

  get isEmpty(): boolean {
    return (this.low | this.high) === 0;
  }

  set(other: SigSet): void {
    this.low = other.low;
    this.high = other.high;
  }

  clone(): SigSet {
    return new SigSet(this.low, this.high);
  }

  clear(): void {
    this.low = 0;
    this.high = 0;
  }

  /** Adds every signal of `other`. */
  addAll(other: SigSet): void {
    this.low |= other.low;
    this.high |= other.high;
  }

  deleteAll(other: SigSet): void {
    this.low &= ~other.low;
    this.high &= ~other.high;
  }

  intersects(other: SigSet): boolean {
    return ((this.low & other.low) | (this.high & other.high)) !== 0;
  }

  /** A mask as user space may set it: SIGKILL and SIGSTOP cannot be blocked. */
  withoutUnblockable(): SigSet {
    const set = this.clone();
    set.delete(SIGKILL);
    set.delete(SIGSTOP);
    return set;
  }

  /** The lowest signal of `this` that is not in `mask`, or 0. */
  lowestOutside(mask: SigSet): number {
    const low = this.low & ~mask.low;
    if (low !== 0) return 32 - Math.clz32(low & -low);
    const high = this.high & ~mask.high;
    return high === 0 ? 0 : 64 - Math.clz32(high & -high);
  }
}
