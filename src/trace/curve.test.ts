// The curves and simulations against each other, against naive models, and on strings computed by hand.
import { describe, expect, test } from "vitest";
import { FRAME_ANONYMOUS } from "../mm/frame-table.ts";
import { POLICY_NAMES } from "../mm/policy/index.ts";
import { Prng } from "../util/prng.ts";
import {
  isUse,
  KIND_DATA,
  KIND_GONE,
  pageOf,
  type ReferenceString,
  ReferenceStringBuilder,
  SMALLEST_MEMORY,
  stringOfPages,
} from "./reference-string.ts";
import { simulate } from "./simulate.ts";
import { lruCurve, optCurve } from "./stack-distances.ts";

const of = (...pages: number[]) => stringOfPages(pages, FRAME_ANONYMOUS);
/** The string of every textbook (Silberschatz): 7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1, pages counted from 1 here. */
const TEXTBOOK = of(8, 1, 2, 3, 1, 4, 1, 5, 3, 4, 1, 4, 3, 2, 3, 1, 2, 8, 1, 2);
/** Belady's anomaly: 1 2 3 4 1 2 5 1 2 3 4 5. */
const BELADY = of(1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);

/** Faults by always looking everything up. `choose` gets the pages in memory, the last used last. */
function naive(pages: readonly number[], size: number, choose: (inMemory: number[], now: number) => number): number {
  const inMemory: number[] = [];
  let faults = 0;
  pages.forEach((page, now) => {
    const at = inMemory.indexOf(page);
    if (at >= 0) inMemory.splice(at, 1);
    else {
      faults++;
      if (inMemory.length === size) inMemory.splice(inMemory.indexOf(choose(inMemory, now)), 1);
    }
    inMemory.push(page);
  });
  return faults;
}

function randomPages(seed: number, length: number, count: number): number[] {
  const prng = new Prng(seed);
  const pages: number[] = [];
  while (pages.length < length) {
    const base = prng.below(count);
    // Loops, runs and jumps: uniform noise alone makes all policies equal.
    const run = 1 + prng.below(12);
    for (let i = 0; i < run; i++) pages.push(1 + ((base + (i % 5)) % count));
  }
  return pages.slice(0, length);
}

describe("textbook strings", () => {
  test("Silberschatz, three frames: FIFO 15, LRU 12, OPT 9", () => {
    expect(simulate(TEXTBOOK, "fifo", 3)).toBe(15);
    expect(lruCurve(TEXTBOOK)[3]).toBe(12);
    expect(optCurve(TEXTBOOK)[3]).toBe(9);
  });

  test("Belady's anomaly: FIFO has 9 faults with three frames and 10 with four; a stack algorithm never", () => {
    expect([3, 4].map((size) => simulate(BELADY, "fifo", size))).toEqual([9, 10]);
    expect([...lruCurve(BELADY)]).toEqual([12, 12, 12, 10, 8, 5].slice(0, 6));
    expect([3, 4].map((size) => optCurve(BELADY)[size])).toEqual([7, 6]);
  });

  test("CLOCK by hand: the page that was used meanwhile gets a second chance", () => {
    // 1 2 3 fill three frames (bits set); 4: all bits cleared, 1 goes; 2 used; 5: 2 passed over, 3 goes; 2 is still there.
    expect(simulate(of(1, 2, 3, 4, 2, 5, 2), "clock", 3)).toBe(5);
    expect(simulate(of(1, 2, 3, 4, 2, 5, 3), "clock", 3)).toBe(6);
  });

  test("SIEVE by hand: unvisited newcomers leave first", () => {
    // 1 visited; 4: the hand passes 1 and takes 2; 5: it goes on and takes 3; 1 is still there.
    expect(simulate(of(1, 2, 3, 1, 4, 5, 1), "sieve", 3)).toBe(5);
    expect(simulate(of(1, 2, 3, 1, 4, 5, 1), "fifo", 3)).toBe(6);
  });
});

describe("against naive models", () => {
  const pages = randomPages(7, 3000, 60);
  const string = stringOfPages(pages, FRAME_ANONYMOUS);

  test("LRU by stack distances, by the policy module, and naively", () => {
    const curve = lruCurve(string);
    for (const size of [1, 2, 3, 7, 20, 59, 60]) {
      const expected = naive(pages, size, (inMemory) => inMemory[0]);
      expect(curve[size]).toBe(expected);
      expect(simulate(string, "lru", size)).toBe(expected);
    }
  });

  test("OPT by the stack, and by looking ahead", () => {
    const curve = optCurve(string);
    const nextUse = (page: number, now: number) => {
      const at = pages.indexOf(page, now + 1);
      return at < 0 ? Number.POSITIVE_INFINITY : at;
    };
    for (const size of [1, 2, 5, 13, 40, 60]) {
      const farthest = (inMemory: number[], now: number) =>
        inMemory.reduce((best, page) => (nextUse(page, now) > nextUse(best, now) ? page : best));
      expect(curve[size]).toBe(naive(pages, size, farthest));
    }
  });

  test.each(POLICY_NAMES)("%s: never below OPT, cold misses only when all fits", (policy) => {
    const opt = optCurve(string);
    for (const size of [1, 2, 3, 10, 30, 59]) expect(simulate(string, policy, size)).toBeGreaterThanOrEqual(opt[size]);
    expect(simulate(string, policy, 60)).toBe(60);
  });

  test.each(["arc", "lirs", "clock-pro", "s3-fifo", "sieve"])("%s withstands a scan that ruins LRU", (policy) => {
    const prng = new Prng(3);
    const mixed: number[] = [];
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 200; i++) mixed.push(1 + prng.below(30));
      for (let i = 0; i < 60; i++) mixed.push(100 + round * 60 + i);
    }
    const scan = stringOfPages(mixed, FRAME_ANONYMOUS);
    expect(simulate(scan, policy, 40)).toBeLessThan(0.95 * lruCurve(scan)[40]);
  });
});

describe("pages that cease to exist", () => {
  test("LRU: their frame is free again, in the curve as in the policy", () => {
    const prng = new Prng(11);
    const entries: number[] = [];
    const alive = new Set<number>();
    let next = 1;
    for (let i = 0; i < 4000; i++) {
      const list = [...alive];
      const roll = prng.below(100);
      if (roll < 8 || list.length === 0) {
        alive.add(next);
        entries.push(next++ << 3);
      } else if (roll < 14) {
        const page = list[prng.below(list.length)];
        alive.delete(page);
        entries.push((page << 3) | KIND_GONE);
      } else entries.push(list[prng.below(list.length)] << 3);
    }
    const string: ReferenceString = {
      entries: Uint32Array.from(entries),
      pages: next,
      pageKinds: new Uint8Array(next + 1).fill(FRAME_ANONYMOUS),
      repeats: new Int32Array(0),
      dropped: 0,
    };
    const curve = lruCurve(string);
    for (let size = 1; size < 60; size++) expect(simulate(string, "lru", size)).toBe(curve[size]);
    for (const policy of POLICY_NAMES) {
      for (const size of [2, 9, 25])
        expect(simulate(string, policy, size)).toBeGreaterThanOrEqual(optCurve(string)[size]);
    }
  });
});

describe("dropping repetitions", () => {
  const loops = (seed: number) => {
    const prng = new Prng(seed);
    const pages: number[] = [];
    for (let i = 0; i < 150; i++) {
      const period = 1 + prng.below(6);
      const body = Array.from({ length: period }, () => 1 + prng.below(30));
      const rounds = 1 + prng.below(60);
      for (let k = 0; k < rounds * period + prng.below(period); k++) pages.push(body[k % period]);
    }
    return pages;
  };

  test.each([1, 2, 3, 4])("no fault count changes from SMALLEST_MEMORY pages on (seed %i)", (seed) => {
    const pages = loops(seed).filter((page, i, all) => page !== all[i - 1]);
    const builder = new ReferenceStringBuilder();
    for (let i = 1; i <= 30; i++) builder.addPage(FRAME_ANONYMOUS);
    for (const page of pages) builder.add(page, KIND_DATA);
    const short = builder.finish();
    const full = stringOfPages(pages, FRAME_ANONYMOUS);
    expect(short.entries.length).toBeLessThan(full.entries.length);
    expect(short.entries.filter(isUse).length + short.dropped).toBe(full.entries.length);
    expect(new Set([...short.entries].filter(isUse).map(pageOf)).size).toBe(new Set(pages).size);
    expect(lruCurve(short).slice(SMALLEST_MEMORY)).toEqual(lruCurve(full).slice(SMALLEST_MEMORY));
    expect(optCurve(short).slice(SMALLEST_MEMORY)).toEqual(optCurve(full).slice(SMALLEST_MEMORY));
    const differing: string[] = [];
    for (const policy of POLICY_NAMES) {
      if (policy === "random") continue;
      for (let size = SMALLEST_MEMORY; size <= 30; size++) {
        if (simulate(short, policy, size) !== simulate(full, policy, size)) differing.push(`${policy} ${size}`);
      }
    }
    expect(differing).toEqual([]);
  });
});
