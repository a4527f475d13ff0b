// The policy modules one by one, driven by hand through the interface a live machine uses: A bits, ghosts by key, pages that go away.
import { describe, expect, test } from "vitest";
import type { Pfn } from "../../util/brand.ts";
import { Prng } from "../../util/prng.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_ANONYMOUS, FRAME_FILE, FrameTable } from "../frame-table.ts";
import { makePolicy, POLICY_NAMES } from "./index.ts";

/** A memory of a few frames around a policy. Pages are their keys. */
class Memory {
  readonly frames: FrameTable;
  readonly policy: ReclaimPolicy;
  readonly bits = new Set<number>();
  private readonly frameOf = new Map<number, number>();
  private readonly pageIn = new Map<number, number>();
  private readonly free: number[] = [];
  readonly accessed = (pfn: Pfn): boolean => this.bits.delete(pfn);

  constructor(name: string, size: number) {
    this.frames = new FrameTable(size + 1);
    this.policy = makePolicy(name, this.frames, 1);
    for (let pfn = size; pfn >= 1; pfn--) this.free.push(pfn);
  }

  get pages(): number[] {
    return [...this.frameOf.keys()].sort((a, b) => a - b);
  }

  insert(page: number, kind = FRAME_ANONYMOUS): number | null {
    let gone: number | null = null;
    if (this.free.length === 0) gone = this.evict();
    const pfn = this.free.pop()!;
    this.frames.kind[pfn] = kind;
    this.frameOf.set(page, pfn);
    this.pageIn.set(pfn, page);
    this.policy.inserted(pfn as Pfn, page);
    return gone;
  }

  evict(): number {
    const pfn = this.policy.victim(this.accessed);
    const page = this.pageIn.get(pfn);
    if (page === undefined) throw new Error(`victim ${pfn} is not in memory`);
    this.release(page, true);
    return page;
  }

  release(page: number, evicted = false): void {
    const pfn = this.frameOf.get(page)!;
    this.policy.removed(pfn as Pfn, page, evicted);
    this.frameOf.delete(page);
    this.pageIn.delete(pfn);
    this.frames.flags[pfn] = 0;
    this.bits.delete(pfn);
    this.free.push(pfn);
  }

  /** As the hardware shows it. */
  touch(page: number): void {
    this.bits.add(this.frameOf.get(page)!);
  }

  /** As a recorder tells it. */
  use(page: number): void {
    this.policy.referenced!(this.frameOf.get(page)! as Pfn);
  }

  has(page: number): boolean {
    return this.frameOf.has(page);
  }
}

function filled(name: string, size: number): Memory {
  const memory = new Memory(name, size);
  for (let page = 1; page <= size; page++) memory.insert(page);
  return memory;
}

describe("by A bits", () => {
  test.each(POLICY_NAMES.filter((name) => !["fifo", "random"].includes(name)))("%s keeps what was used", (name) => {
    const memory = filled(name, 40);
    // Twice round: policies that want to see a page used again have.
    for (let round = 0; round < 12; round++) {
      for (let page = 1; page <= 5; page++) memory.touch(page);
      memory.insert(1000 + round);
    }
    expect([1, 2, 3, 4, 5].filter((page) => memory.has(page)).length).toBeGreaterThanOrEqual(4);
  });

  test.each(POLICY_NAMES)("%s finds a victim when every page was just used, and none in an empty memory", (name) => {
    const memory = filled(name, 9);
    for (let page = 1; page <= 9; page++) memory.touch(page);
    const gone = new Set<number>();
    for (let i = 0; i < 9; i++) gone.add(memory.evict());
    expect(gone.size).toBe(9);
    expect(memory.policy.victim(memory.accessed)).toBe(0);
  });

  test.each(POLICY_NAMES)("%s: pages that are freed, parked and put back (random walk)", (name) => {
    const prng = new Prng(5);
    const memory = new Memory(name, 24);
    for (let i = 0; i < 6000; i++) {
      const { pages } = memory;
      const roll = prng.below(100);
      const page = pages[prng.below(Math.max(1, pages.length))];
      if (roll < 50 || pages.length === 0) {
        const coming = 1 + prng.below(60);
        if (!memory.has(coming)) memory.insert(coming, prng.below(2) === 0 ? FRAME_FILE : FRAME_ANONYMOUS);
      } else if (roll < 80) memory.touch(page);
      else if (roll < 90) memory.release(page);
      else if (roll < 95) memory.evict();
      else memory.policy.activated(memory.policy.victim(memory.accessed) as Pfn);
    }
    while (memory.pages.length > 0) memory.evict();
  });
});

describe("ghosts", () => {
  test("s3-fifo: a page that comes back soon goes to the main queue and outlives newcomers", () => {
    const memory = filled("s3-fifo", 10);
    expect(memory.insert(11)).toBe(1);
    memory.insert(1);
    for (let page = 20; page < 29; page++) memory.insert(page);
    expect(memory.has(1)).toBe(true);
  });

  test("arc: a hit among the ghosts of pages used once makes room for them", () => {
    const memory = filled("arc", 4);
    for (const page of [1, 2]) memory.use(page);
    expect(memory.insert(5)).toBe(3);
    expect(memory.insert(6)).toBe(4);
    memory.insert(3);
    expect(memory.pages).toEqual([1, 2, 3, 6]);
  });

  test("lirs: a loop one page larger than memory keeps hitting", () => {
    const memory = new Memory("lirs", 10);
    let misses = 0;
    for (let i = 0; i < 220; i++) {
      const page = 1 + (i % 11);
      if (memory.has(page)) {
        memory.use(page);
      } else {
        misses++;
        memory.insert(page);
      }
    }
    // LRU would miss 220 times; nine LIR pages hit in every round.
    expect(misses).toBeLessThan(60);
  });

  test("mglru: pages of files start old", () => {
    const memory = new Memory("mglru", 4);
    memory.insert(1, FRAME_ANONYMOUS);
    memory.insert(2, FRAME_FILE);
    memory.insert(3, FRAME_ANONYMOUS);
    memory.insert(4, FRAME_FILE);
    expect([memory.insert(5), memory.insert(6)]).toEqual([2, 4]);
  });
});
