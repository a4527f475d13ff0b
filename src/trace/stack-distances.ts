// Faults for every memory size at once: LRU by stack distances in O(n log n), and Belady's optimum by his stack (Mattson, Gecsei,
// Slutz and Traiger, "Evaluation techniques for storage hierarchies", 1970). Not responsible for policies that are no stack algorithms.
import { isUse, KIND_GONE, KIND_REPEAT, kindOf, pageOf, type ReferenceString } from "./reference-string.ts";

/** curve[s]: faults with memory for s pages, s from 0 to the number of pages; every first use is a fault. */
export type FaultCurve = Uint32Array;

/** Faults by size from the number of hits by distance. */
function fromDistances(references: number, hitsAt: Uint32Array): FaultCurve {
  const curve = new Uint32Array(hitsAt.length);
  let faults = references;
  for (let size = 0; size < hitsAt.length; size++) {
    faults -= hitsAt[size];
    curve[size] = faults;
  }
  return curve;
}

/** Sums over positions, each 0 or 1 (Fenwick). */
class Positions {
  private readonly sums: Int32Array;
  total = 0;
  constructor(count: number) {
    this.sums = new Int32Array(count + 1);
  }
  change(position: number, by: number): void {
    this.total += by;
    for (let i = position + 1; i < this.sums.length; i += i & -i) this.sums[i] += by;
  }
  /** Ones at positions below. */
  before(position: number): number {
    let sum = 0;
    for (let i = position; i > 0; i -= i & -i) sum += this.sums[i];
    return sum;
  }
}

/** Takes the largest number out first. */
class Heap {
  private readonly items: number[] = [];
  get largest(): number {
    return this.items.length === 0 ? -1 : this.items[0];
  }
  push(item: number): void {
    const { items } = this;
    let at = items.length;
    for (; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (items[parent] >= item) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }
  pop(): void {
    const { items } = this;
    const last = items.pop()!;
    if (items.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1] > items[child]) child++;
      if (items[child] <= last) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
  }
}

/**
 * LRU. The stack is the set of times of last uses, the latest on top; a page's distance is how many are not earlier than its own. A page
 * that ceased to exist leaves a hole, a free frame in every memory that reached so deep: the next page that moves to the top from below
 * it, or from nowhere, takes it up.
 */
export function lruCurve(string: ReferenceString): FaultCurve {
  const { entries, pages } = string;
  const last = new Int32Array(pages + 1).fill(-1);
  const hitsAt = new Uint32Array(pages + 1);
  const stack = new Positions(entries.length);
  const holes = new Heap();
  let references = 0;
  for (let time = 0; time < entries.length; time++) {
    if (kindOf(entries[time]) === KIND_REPEAT) continue;
    const page = pageOf(entries[time]);
    const then = last[page];
    if (kindOf(entries[time]) === KIND_GONE) {
      if (then >= 0) holes.push(then);
      last[page] = -1;
      continue;
    }
    references++;
    const hole = holes.largest;
    if (then >= 0) hitsAt[stack.total - stack.before(then)]++;
    if (hole > then) {
      stack.change(hole, -1);
      holes.pop();
      if (then >= 0) holes.push(then);
    } else if (then >= 0) stack.change(then, -1);
    stack.change(time, 1);
    last[page] = time;
  }
  return fromDistances(references, hitsAt);
}

const NEVER = 0x7fffffff;

/**
 * Belady's optimum: the page whose next use is farthest leaves. No policy has fewer faults at any size. A page that ceases to exist is
 * never used again, which is all the optimum needs to know.
 */
export function optCurve(string: ReferenceString): FaultCurve {
  const { entries, pages } = string;
  const nextUse = nextUses(string);
  /** Next use by page. */
  const priority = new Int32Array(pages + 1).fill(NEVER);
  const stack = new Int32Array(pages + 1);
  let depth = 0;
  const hitsAt = new Uint32Array(pages + 1);
  let references = 0;
  for (let time = 0; time < entries.length; time++) {
    if (!isUse(entries[time])) continue;
    const page = pageOf(entries[time]);
    references++;
    priority[page] = nextUse[time];
    let carried = page;
    let at = 0;
    for (; at < depth; at++) {
      const here = stack[at];
      if (here === page) break;
      // The page just used comes to the top; below, of two the one needed sooner stays.
      if (at === 0 || priority[carried] < priority[here]) {
        stack[at] = carried;
        carried = here;
      }
    }
    stack[at] = carried;
    if (at < depth) hitsAt[at + 1]++;
    else depth++;
  }
  return fromDistances(references, hitsAt);
}

function nextUses({ entries, pages }: ReferenceString): Int32Array {
  const next = new Int32Array(entries.length);
  const coming = new Int32Array(pages + 1).fill(NEVER);
  for (let time = entries.length - 1; time >= 0; time--) {
    if (!isUse(entries[time])) continue;
    const page = pageOf(entries[time]);
    next[time] = coming[page];
    coming[page] = time;
  }
  return next;
}
