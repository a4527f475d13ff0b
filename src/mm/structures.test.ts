// The small tables under the memory core: page map, swap slots, frame allocator, page table, reverse map, eviction policies.
import { describe, expect, test } from "vitest";
import { isSwapEntry, PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, pteToPfn } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import { Prng } from "../util/prng.ts";
import { newAnonymousFrame } from "./anonymous.ts";
import { FrameAllocator } from "./frame-allocator.ts";
import { FRAME_ANONYMOUS, FRAME_FILE, FRAME_FREE, FrameTable } from "./frame-table.ts";
import { PageMap } from "./page-cache.ts";
import { leafBits } from "./page-table.ts";
import { makePolicy } from "./policy/index.ts";
import { Swap } from "./swap.ts";
import { anon, MemorySwap, makeMm, makeSpace, P } from "./test-world.ts";
import { VmCounters } from "./vm-counters.ts";

const RW_BITS = PTE_V | PTE_U | PTE_R | PTE_W | PTE_A;

describe("PageMap", () => {
  test("agrees with a Map over dense and sparse indexes", () => {
    const map = new PageMap();
    const model = new Map<number, number>();
    const prng = new Prng(5);
    const spots = [0, 7, 100, 65535, 65536, 65536 + 511, 2 ** 20, 2 ** 31 - 600];
    for (let i = 0; i < 20000; i++) {
      const index = spots[prng.below(spots.length)] + prng.below(4);
      const entry = prng.below(3) === 0 ? 0 : prng.below(1000) - 500;
      map.set(index, entry);
      if (entry === 0) model.delete(index);
      else model.set(index, entry);
      if (i % 500 !== 0) continue;
      const found: number[] = [];
      for (let at = map.next(0, 2 ** 31); at < 2 ** 31; at = map.next(at + 1, 2 ** 31)) found.push(at);
      expect(found).toEqual([...model.keys()].sort((a, b) => a - b));
      for (const [at, want] of model) expect(map.get(at)).toBe(want);
      expect(map.frameCount).toBe([...model.values()].filter((value) => value > 0).length);
      expect(map.slotCount).toBe([...model.values()].filter((value) => value < 0).length);
    }
    expect([map.get(9999999), map.next(3, 3)]).toEqual([0, 3]);
  });

  test("finds the blocks with dirty pages", () => {
    const map = new PageMap();
    for (const index of [5, 6, 600, 70000]) map.noteDirty(index);
    expect(map.dirtyBlocks(0, Number.POSITIVE_INFINITY)).toEqual([0, 1, 136]);
    expect(map.dirtyBlocks(512, 1024)).toEqual([1]);
    map.noteClean(5);
    expect(map.dirtyBlocks(0, 512)).toEqual([0]);
    map.noteClean(6);
    expect([map.dirtyBlocks(0, 512), map.dirtyCount]).toEqual([[], 2]);
  });
});

describe("Swap", () => {
  test("hands out every slot once, and slot 0 never", () => {
    const swap = new Swap(new MemorySwap(5), makeMm().memory, new VmCounters());
    const slots = [1, 2, 3, 4, 5].map(() => swap.allocate());
    expect([...slots].sort()).toEqual([1, 2, 3, 4, 5]);
    expect(swap.allocate()).toBe(0);
    swap.duplicate(3);
    swap.duplicate(3);
    expect([swap.release(3), swap.release(3), swap.freeCount]).toEqual([1, 0, 1]);
    expect(swap.allocate()).toBe(3);
    swap.cache(3, 40);
    expect([swap.idleCount, swap.frameOf(3)]).toEqual([1, 40]);
    swap.duplicate(3);
    expect([swap.idleCount, swap.release(3), swap.idleCount, swap.freeCount]).toEqual([0, 0, 1, 0]);
    swap.uncache(3);
    expect([swap.freeCount, swap.idleCount]).toEqual([1, 0]);
  });

  test("moves pages through the device", () => {
    const mm = makeMm(64, 8);
    const slot = mm.swap.allocate();
    mm.memory.bytes.fill(7, 20 * P, 21 * P);
    expect(mm.swap.write(slot, 20)).toBe(0);
    mm.memory.zero(20);
    expect(mm.swap.read(slot, 21)).toBe(0);
    expect([mm.memory.bytes[21 * P + 9], mm.counters.pswpin, mm.counters.pswpout]).toEqual([7, 1, 1]);
  });
});

describe("FrameAllocator", () => {
  test("reserves up to the last frame, LIFO, and defers the free of a pinned one", () => {
    const frames = new FrameTable(16);
    const changed: number[] = [];
    const allocator = new FrameAllocator(frames, (pfn) => changed.push(pfn));
    expect([allocator.freeCount, allocator.reserve(11), allocator.reserve(16)]).toEqual([15, true, false]);
    const first = allocator.allocate(FRAME_ANONYMOUS);
    allocator.free(first);
    expect([allocator.allocate(FRAME_FILE), changed]).toEqual([first, [first, first]]);
    frames.pin(first);
    frames.pin(first);
    allocator.free(first);
    expect([allocator.freeCount, frames.kind[first]]).toEqual([14, FRAME_ANONYMOUS]);
    frames.unpin(first);
    expect(allocator.freeCount).toBe(14);
    frames.unpin(first);
    expect([allocator.freeCount, frames.kind[first], allocator.countOf(FRAME_FREE)]).toEqual([15, FRAME_FREE, 15]);
    expect(() => allocator.free(first)).toThrow();
  });

  test("refill is asked for the high watermark, and keeps two frames for swap-in", () => {
    const allocator = new FrameAllocator(new FrameTable(32), () => {});
    const asked: number[][] = [];
    allocator.refill = (needed, target) => {
      asked.push([needed, target]);
      return false;
    };
    allocator.reserve(30);
    allocator.reserve(30, true);
    expect(asked).toEqual([
      [32, 30 + allocator.highWatermark],
      [30, 30 + allocator.highWatermark],
    ]);
  });
});

describe("PageTable", () => {
  test("builds three levels, finds entries across table boundaries, frees what is empty", () => {
    const mm = makeMm();
    const { table, counters } = makeSpace(mm);
    const vpns = [0, 511, 512, (1 << 18) - 1, 1 << 18, (1 << 26) - 1];
    for (const vpn of vpns) {
      const pfn = newAnonymousFrame(mm, table, vpn);
      table.map(table.ensure(vpn), vpn, pfn, RW_BITS);
    }
    expect(counters.anonymous).toBe(6);
    // Root, three middle tables, five leaf tables.
    expect(table.frameCount).toBe(9);
    const seen: number[] = [];
    for (let vpn = table.nextPresent(0, 1 << 26); vpn < 1 << 26; vpn = table.nextPresent(vpn + 1, 1 << 26))
      seen.push(vpn);
    expect(seen).toEqual(vpns);
    expect(table.find(1 << 20)).toBe(0);
    table.unmap(table.find(512), 512);
    table.freeTables(0, 1 << 18);
    expect([table.find(512), table.frameCount, table.find(511) !== 0]).toEqual([0, 8, true]);
    for (const vpn of vpns) if (vpn !== 512) table.unmap(table.find(vpn), vpn);
    table.freeTables(0, 1 << 26);
    expect(table.frameCount).toBe(1);
  });

  test("frameFor sets A and D as the hart's walk, and only with permission", () => {
    const mm = makeMm();
    const { table } = makeSpace(mm);
    const pfn = newAnonymousFrame(mm, table, 5);
    const at = table.ensure(5);
    table.map(at, 5, pfn, leafBits(1));
    expect([table.frameFor(5, true), table.frameFor(5, false), table.read(at) & (PTE_A | PTE_D)]).toEqual([
      0,
      pfn,
      PTE_A,
    ]);
    table.setBits(at, PTE_W);
    expect([table.frameFor(5, true), table.read(at) & PTE_D]).toEqual([pfn, PTE_D]);
    table.setPermissions(at, leafBits(0));
    expect([table.frameFor(5, false), pteToPfn(table.read(at)), table.read(at) & PTE_D]).toEqual([0, pfn, PTE_D]);
    table.replaceBySwap(at, 5, 77);
    expect([isSwapEntry(table.read(at)), mm.frames.mapCount[pfn]]).toEqual([true, 0]);
  });
});

describe("ReverseMap", () => {
  test("chains grow, move and shrink back into the head", () => {
    const mm = makeMm();
    const pfn = newAnonymousFrame(mm, makeSpace(mm).table, 0);
    const prng = new Prng(3);
    const here: number[] = [];
    for (let i = 0; i < 3000; i++) {
      if (here.length < 2 || prng.below(2) === 0) {
        const at = 8 * (1000 + i);
        mm.rmap.add(pfn, at);
        here.push(at);
      } else if (prng.below(4) === 0) {
        const which = prng.below(here.length);
        mm.rmap.replace(pfn, here[which], 8 * (9000 + i));
        here[which] = 8 * (9000 + i);
      } else {
        const [at] = here.splice(prng.below(here.length), 1);
        mm.rmap.remove(pfn, at);
      }
      mm.frames.mapCount[pfn] = here.length;
      const count = mm.rmap.collect(pfn);
      if (i % 50 === 0) {
        const found = [...mm.rmap.found.subarray(0, count)].map((pte) => pte * 8);
        expect(found.sort((a, b) => a - b)).toEqual([...here].sort((a, b) => a - b));
      }
    }
    while (here.length > 0) mm.rmap.remove(pfn, here.pop()!);
    mm.frames.mapCount[pfn] = 0;
    expect([mm.rmap.cellCount, mm.frames.rmapHead[pfn], mm.rmap.collect(pfn)]).toEqual([0, 0, 0]);
  });
});

describe("eviction policies", () => {
  for (const name of ["two-list", "clock", "fifo", "random"]) {
    test(`${name}: gives every frame once, honours removal, ends with 0`, () => {
      const frames = new FrameTable(64);
      const policy = makePolicy(name, frames, 9);
      for (let pfn = 1; pfn < 40; pfn++) {
        frames.kind[pfn] = pfn % 2 === 0 ? FRAME_FILE : FRAME_ANONYMOUS;
        frames.owner[pfn] = pfn;
        policy.inserted(pfn as Pfn);
      }
      for (let pfn = 1; pfn < 40; pfn += 3) policy.removed(pfn as Pfn);
      const left = new Set<number>();
      // Every page was accessed, once: looking clears the A bit.
      const used = new Set(Array.from({ length: 40 }, (_, pfn) => pfn));
      const accessed = (pfn: Pfn) => used.delete(pfn);
      for (let pfn = policy.victim(accessed); pfn !== 0; pfn = policy.victim(accessed)) {
        expect(left.has(pfn)).toBe(false);
        left.add(pfn);
        policy.removed(pfn);
      }
      expect(left.size).toBe(26);
    });
  }

  test("two-list spares what is used again, clock gives a second chance, fifo does not", () => {
    const victims: Record<string, number> = {};
    for (const name of ["two-list", "clock", "fifo"]) {
      const frames = new FrameTable(64);
      const policy = makePolicy(name, frames, 1);
      for (let pfn = 1; pfn <= 8; pfn++) {
        frames.kind[pfn] = FRAME_ANONYMOUS;
        policy.inserted(pfn as Pfn);
      }
      const used = new Set([1, 2]);
      victims[name] = policy.victim((pfn) => used.delete(pfn));
    }
    expect(victims).toEqual({ "two-list": 3, clock: 3, fifo: 1 });
  });

  test("an unknown name is an error that lists the known ones", () => {
    expect(() => makePolicy("__proto__", new FrameTable(16), 1)).toThrow(/two-list/);
  });
});

describe("checkInvariants", () => {
  test("names the invariant that is broken", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const at = anon(space, P);
    space.writeU8(at, 1);
    mm.checkInvariants();
    space.counters.anonymous++;
    expect(() => mm.checkInvariants()).toThrow(/^I12:/);
    space.counters.anonymous--;
    const pfn = pteToPfn(space.table.read(space.table.find(at / P)));
    mm.frames.mapCount[pfn]++;
    expect(() => mm.checkInvariants()).toThrow(/^I3:/);
  });
});
