// Hands out numbers of a range and takes them back: the one given back last first, then those never handed out, in order.
// Numbers that are never handed out cost nothing.
import { assert } from "./assert.ts";

export class NumberPool {
  private readonly returned: number[] = [];
  private next: number;
  private readonly end: number;

  /** The numbers from `first` up to and without `end`. */
  constructor(first: number, end: number) {
    this.next = first;
    this.end = end;
  }

  get free(): number {
    return this.returned.length + this.end - this.next;
  }

  /** Precondition: one is free. */
  take(): number {
    assert(this.free > 0, "a number is free");
    return this.returned.pop() ?? this.next++;
  }

  giveBack(number: number): void {
    this.returned.push(number);
  }

  /** Numbers below this one have been handed out before, the others never. */
  get taken(): number {
    return this.next;
  }
}
