// Things to do at a monotonic time: a binary heap ordered by deadline, then by insertion. Timers are objects, never closures.
import type { Kernel } from "./kernel.ts";

export interface Timer {
  /** Called once when the deadline has passed; the timer is no longer queued then and may add itself again. */
  fire(kernel: Kernel): void;
}

interface Entry {
  deadlineNs: number;
  order: number;
  slot: number;
  timer: Timer;
}

export class Timers {
  private readonly heap: Entry[] = [];
  private readonly entries = new Map<Timer, Entry>();
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** The earliest deadline, or Infinity. */
  get nextNs(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0].deadlineNs;
  }

  /** Queues `timer` for `deadlineNs`; a queued timer moves. */
  add(deadlineNs: number, timer: Timer): void {
    this.remove(timer);
    const entry = { deadlineNs, order: this.order++, slot: this.heap.length, timer };
    this.entries.set(timer, entry);
    this.heap.push(entry);
    this.rise(entry);
  }

  /** True if it was queued. */
  remove(timer: Timer): boolean {
    const entry = this.entries.get(timer);
    if (entry === undefined) return false;
    this.entries.delete(timer);
    const last = this.heap.pop() as Entry;
    if (last !== entry) {
      last.slot = entry.slot;
      this.heap[last.slot] = last;
      this.rise(last);
      this.sink(last);
    }
    return true;
  }

  /** When `timer` is due, or Infinity when it is not queued. */
  deadlineOf(timer: Timer): number {
    return this.entries.get(timer)?.deadlineNs ?? Number.POSITIVE_INFINITY;
  }

  /** Fires everything due at `nowNs`, in order. A timer that re-adds itself in the past is fired again at the next call. */
  run(kernel: Kernel, nowNs: number): number {
    let fired = 0;
    const barrier = this.order;
    while (this.heap.length > 0 && this.heap[0].deadlineNs <= nowNs && this.heap[0].order < barrier) {
      const { timer } = this.heap[0];
      this.remove(timer);
      timer.fire(kernel);
      fired++;
    }
    return fired;
  }

  private before(a: Entry, b: Entry): boolean {
    return a.deadlineNs < b.deadlineNs || (a.deadlineNs === b.deadlineNs && a.order < b.order);
  }

  private rise(entry: Entry): void {
    const { heap } = this;
    while (entry.slot > 0) {
      const parent = heap[(entry.slot - 1) >> 1];
      if (this.before(parent, entry)) return;
      this.swap(parent, entry);
    }
  }

  private sink(entry: Entry): void {
    const { heap } = this;
    for (;;) {
      const left = 2 * entry.slot + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && this.before(heap[right], heap[left]) ? heap[right] : heap[left];
      if (this.before(entry, child)) return;
      this.swap(entry, child);
    }
  }

  private swap(a: Entry, b: Entry): void {
    const { slot } = a;
    a.slot = b.slot;
    b.slot = slot;
    this.heap[a.slot] = a;
    this.heap[b.slot] = b;
  }
}
