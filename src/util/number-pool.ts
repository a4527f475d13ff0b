// Hands out numbers of a range and takes them back: the one given back last first, then those never handed out, in order.
// Numbers that are never handed out cost nothing.
import { assert } from "./assert.ts";

export class NumberPool {
  private readonly returned: Int32Array;
  private returnedCount = 0;
  private next: number;
  private readonly end: number;

  /** The numbers from `first` up to and without `end`. */
  constructor(first: number, end: number) {
    this.returned = new Int32Array(end - first);
    this.next = first;
    this.end = end;
  }

  get free(): number {
    return this.returnedCount + this.end - this.next;
  }

  /** Precondition: one is free. */
  take(): number {
    assert(this.free > 0, "a number is free");
    return this.returnedCount > 0 ? this.returned[--this.returnedCount] : this.next++;
  }

  giveBack(number: number): void {
    this.returned[this.returnedCount++] = number;
  }

  /** Numbers below this one have been handed out before, the others never. */
  get taken(): number {
    return this.next;
  }

  debugForEachFree(visit: (number: number) => void): void {
    for (let i = 0; i < this.returnedCount; i++) visit(this.returned[i]);
    for (let number = this.next; number < this.end; number++) visit(number);
  }
}
