// Does the fuzzer see? Each case plants one bug of the kind a memory manager really has, and the model must catch it within a bounded
// number of operations. Nothing here tests the core; it tests mm-model.ts and checkInvariants().
import { afterEach, describe, expect, test } from "vitest";
import { EvictableFrames } from "../../src/mm/evictable-frames.ts";
import { FileObject } from "../../src/mm/file-object.ts";
import { FrameAllocator } from "../../src/mm/frame-allocator.ts";
import { MemoryObject } from "../../src/mm/memory-object.ts";
import { PageMap } from "../../src/mm/page-cache.ts";
import { PageTable } from "../../src/mm/page-table.ts";
import { PhysicalMemory } from "../../src/mm/physical-memory.ts";
import { Reclaimer } from "../../src/mm/reclaim.ts";
import { ReverseMap } from "../../src/mm/rmap.ts";
import { SharedTables } from "../../src/mm/shared-tables.ts";
import { ShmemObject } from "../../src/mm/shmem-object.ts";
import { Swap } from "../../src/mm/swap.ts";
import { Vma } from "../../src/mm/vma.ts";
import { type ModelOptions, runModel } from "./mm-model.ts";
import { RememberingTlb } from "./mm-test-tlb.ts";

const OPERATIONS = 8000;
const SEEDS = 4;
const PTE_W = 4;
const PTE_D = 0x80;

// biome-ignore lint/suspicious/noExplicitAny: the planted bugs reach into private parts on purpose
type Loose = any;

const undo: (() => void)[] = [];

/** Replaces a method for the rest of the test; `make` gets the right one. */
function patch(owner: { prototype: object }, name: string, make: (original: Loose) => Loose): void {
  const prototype = owner.prototype as Loose;
  const original = prototype[name];
  if (typeof original !== "function") throw new Error(`${name} is not a method`);
  prototype[name] = make(original);
  undo.push(() => {
    prototype[name] = original;
  });
}

afterEach(() => {
  for (const restore of undo.splice(0)) restore();
});

const nothing = () => () => {};

/** Calls the method with another one of its helpers out of order. */
function without(owner: { prototype: object }, name: string, helper: (self: Loose) => Loose, helperName: string): void {
  patch(
    owner,
    name,
    (original) =>
      function (this: Loose, ...args: Loose[]) {
        const broken = helper(this);
        const right = broken[helperName];
        broken[helperName] = () => 0;
        try {
          return original.apply(this, args);
        } finally {
          broken[helperName] = right;
        }
      },
  );
}

/** Bugs of on-demand fork. */
const SHARING_BUGS: Record<string, () => void> = {
  "a shared page table is changed for one space": () => {
    patch(
      PageTable,
      "unshareLeaf",
      () =>
        function (this: Loose, vpn: number) {
          return this.find(vpn);
        },
    );
  },
  "pages of a shared table stay writable": () => {
    patch(
      PageTable,
      "shareLeaf",
      (original) =>
        function (this: Loose, vpn: number, child: Loose) {
          const at = this.find(vpn) >>> 2;
          const had = this.words[at];
          const shared = original.call(this, vpn, child);
          this.words[at] = had;
          return shared;
        },
    );
  },
  "a swap slot gains no reference from the copy of a table": () => {
    without(PageTable, "unshareLeaf", (table) => table.mm.swap, "duplicate");
  },
  "the reverse map does not hear of the copy of a table": () => {
    without(PageTable, "unshareLeaf", (table) => table.rmap, "add");
  },
  "swapping out is told to one of those who share a table": () => patch(PageTable, "othersLost", nothing),
  "swapping out flushes the TLB for one of those who share a table": () => {
    without(PageTable, "othersLost", (table) => table.mm.tlb, "flushPage");
  },
  "leaving a shared table leaves its pages in the counters": () => {
    patch(
      PageTable,
      "countLeaf",
      (original) =>
        function (this: Loose, table: number, sign: number) {
          if (sign > 0) original.call(this, table, sign);
        },
    );
  },
  "leaving a shared table empties it": () => {
    patch(
      PageTable,
      "detachLeaf",
      (original) =>
        function (this: Loose, vpn: number) {
          const table = this.find(vpn) >>> 12;
          original.call(this, vpn);
          this.mm.memory.zero(table);
        },
    );
  },
  "unmapping a part of a shared table drops all of it": () => patch(PageTable, "isLeafWithin", () => () => true),
  "the last user of a shared table does not know that it is alone": () => {
    patch(
      SharedTables,
      "remove",
      (original) =>
        function (this: Loose, table: number, space: Loose) {
          original.call(this, table, space);
          this.frames.rmapHead[table]++;
        },
    );
  },
  "a shared table belongs to a space that left it": () => {
    patch(
      SharedTables,
      "remove",
      (original) =>
        function (this: Loose, table: number, space: Loose) {
          original.call(this, table, space);
          this.frames.owner[table] = space.id;
        },
    );
  },
};

const BUGS: Record<string, () => void> = {
  ...SHARING_BUGS,
  "a new anonymous page is not zeroed": () => patch(PhysicalMemory, "zero", nothing),
  "copy-on-write does not copy": () => patch(PhysicalMemory, "copy", nothing),
  "a changed PTE leaves its TLB entry": () => patch(RememberingTlb, "flushPage", nothing),
  "munmap and mprotect leave TLB entries": () => patch(RememberingTlb, "flushRange", nothing),
  "fork leaves write permission in the parent's TLB": () => patch(RememberingTlb, "flushSpace", nothing),
  "fork does not write-protect the parent": () => {
    patch(
      PageTable,
      "clearBitsQuietly",
      (original) =>
        function (this: Loose, at: number, bits: number) {
          if (bits !== PTE_W) original.call(this, at, bits);
        },
    );
  },
  "a swap slot loses a reference at fork": () => patch(Swap, "duplicate", nothing),
  "a swap slot is never given back": () => patch(Swap, "release", () => () => 1),
  "the swap cache forgets to say a slot is cached": () => patch(Swap, "cache", nothing),
  "D is lost when a page is swapped out": () => {
    patch(
      PageTable,
      "replaceBySwap",
      (original) =>
        function (this: Loose, at: number, vpn: number, slot: number) {
          return original.call(this, at, vpn, slot) & ~PTE_D;
        },
    );
  },
  "D is lost when a shared page is unmapped by reclaim": () => {
    patch(
      PageTable,
      "unmap",
      (original) =>
        function (this: Loose, at: number, vpn: number) {
          return original.call(this, at, vpn) & ~PTE_D;
        },
    );
  },
  "a written page of a file is not marked dirty": () => patch(MemoryObject, "setDirty", nothing),
  "write-back leaves mappings writable": () => patch(FileObject, "protectMappings", nothing),
  "truncation leaves the tail of the last page": () => patch(MemoryObject, "zeroTail", nothing),
  "truncation leaves private copies mapped": () => {
    patch(
      MemoryObject,
      "unmapPages",
      (original) =>
        function (this: Loose, first: number, end: number) {
          original.call(this, first, end, false);
        },
    );
  },
  "the reverse map drops the second mapping": () => {
    patch(
      ReverseMap,
      "add",
      (original) =>
        function (this: Loose, pfn: number, at: number) {
          if (this.frames.rmapHead[pfn] === 0) original.call(this, pfn, at);
        },
    );
  },
  "mremap forgets the reverse map": () => patch(ReverseMap, "replace", nothing),
  "locked pages stay with the eviction policy": () => {
    patch(
      EvictableFrames,
      "remove",
      (original) =>
        function (this: Loose, pfn: number) {
          if (this.frames.mapCount[pfn] === 0) original.call(this, pfn);
        },
    );
  },
  "the allocator loses a frame now and then": () => {
    patch(
      FrameAllocator,
      "free",
      (original) =>
        function (this: Loose, pfn: number) {
          original.call(this, pfn);
          if (pfn === 40) this.freeCount--;
        },
    );
  },
  "a page-table frame is not freed with its space": () => patch(PageTable, "freeTables", nothing),
  "resident file pages are not counted": () => {
    patch(
      PageTable,
      "link",
      (original) =>
        function (this: Loose, at: number, pfn: number) {
          original.call(this, at, pfn);
          if (this.frames.kind[pfn] === 5) this.space.counters.file--;
        },
    );
  },
  "a dirty page is dropped without being written": () => patch(FileObject, "writeBack", () => () => 0),
  "shmem pages are dropped instead of swapped": () => {
    patch(
      ShmemObject,
      "evict",
      () =>
        function (this: Loose, pfn: number) {
          this.mm.reclaimer.unmapEverywhere(pfn);
          this.removePage(this.mm.frames.index[pfn], pfn);
          return true;
        },
    );
  },
  "a lazily freed page is dropped though written again": () => {
    patch(
      Reclaimer,
      "dropLazilyFreed",
      () =>
        function (this: Loose, pfn: number) {
          this.unmapEverywhere(pfn);
          this.mm.lru.remove(pfn);
          this.mm.allocator.free(pfn);
          return true;
        },
    );
  },
  "the dirty count of a page map drifts": () => {
    patch(
      PageMap,
      "noteClean",
      (original) =>
        function (this: Loose, index: number) {
          if (index % 7 !== 3) original.call(this, index);
        },
    );
  },
  "an area is not prepared for anonymous pages": () => patch(Vma, "prepareAnonVma", nothing),
};

/** Scarce swap, and plenty of it: then pages keep their slot after they came back; fifo evicts pages whatever their A bits say. */
const WORLDS: Partial<ModelOptions>[] = [
  { frames: 80, swapSlots: 128, checkEvery: 32 },
  { frames: 64, swapSlots: 1024, checkEvery: 32, policy: "fifo" },
];

describe("planted bugs are caught", () => {
  for (const [name, plant] of Object.entries(BUGS)) {
    test(name, () => {
      plant();
      let caught = 0;
      for (let seed = 1; seed <= SEEDS && caught === 0; seed++) {
        try {
          runModel({ ...WORLDS[seed % 2], seed, operations: OPERATIONS });
        } catch {
          caught = seed;
        }
      }
      expect(caught, "the bug was not noticed").toBeGreaterThan(0);
    });
  }

  test("and without one nothing is", () => {
    for (const world of WORLDS) runModel({ ...world, seed: 1, operations: OPERATIONS });
  });
});
