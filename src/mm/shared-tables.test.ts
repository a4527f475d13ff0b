// On-demand fork: when page tables are shared, what ends it, and that every count stays as if they had been copied.
import { describe, expect, test } from "vitest";
import {
  MADV_DONTFORK,
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
} from "../abi/mman.ts";
import { PTE_W } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { anonFixed, fill, makeMm, makeSpace, map, P, pm, RW, TestFile } from "./test-world.ts";
import { continueWithPage, provideMissingPage } from "./userfault.ts";

/** A place on a leaf-table boundary: 512 pages, one table. */
const AT = 0x1000_0000;
const TABLE = 512 * P;

function tableOf(space: AddressSpace, address: number): number {
  return space.table.find(address / P) >>> 12;
}

function forked(mm: MemoryManager, pages: number): { parent: AddressSpace; child: AddressSpace } {
  const parent = makeSpace(mm);
  anonFixed(parent, AT, pages * P);
  for (let page = 0; page < pages; page++) parent.writeU32(AT + page * P, page + 1);
  return { parent, child: mm.forkSpace(parent)! };
}

function pss(space: AddressSpace): number {
  return space.statistics(space.areas.find(AT)!).pss;
}

describe("sharing leaf tables at fork", () => {
  test("a table of private anonymous pages is shared; the first write copies the table and one page", () => {
    const mm = makeMm(4096);
    const { parent, child } = forked(mm, 1024);
    expect(tableOf(child, AT)).toBe(tableOf(parent, AT));
    expect(mm.sharedTables.size).toBe(2);
    expect(child.counters).toEqual(parent.counters);
    const free = mm.freeFrames;
    child.writeU32(AT, 99);
    expect(free - mm.freeFrames).toBe(2);
    expect([parent.readU32(AT), child.readU32(AT), child.readU32(AT + P)]).toEqual([1, 99, 2]);
    expect(mm.sharedTables.size).toBe(1);
    expect(child.faults).toMatchObject({ minor: 1, copies: 1 });
    mm.checkInvariants();
    child.release();
    expect(mm.sharedTables.size).toBe(0);
    // The parent is alone again: its pages become writable where they are.
    const copies = mm.counters.pgcopy;
    for (let page = 0; page < 1024; page++) parent.writeU32(AT + page * P, 7);
    expect(mm.counters.pgcopy).toBe(copies);
    mm.checkInvariants();
  });

  test("fork of 64 MiB takes frames for tables above the leaves only, and an exit gives them back", () => {
    const mm = makeMm(20000);
    const { child } = forked(mm, 16384);
    const free = mm.freeFrames;
    const grandchild = mm.forkSpace(child)!;
    expect(free - mm.freeFrames).toBe(2);
    expect(grandchild.residentPages).toBe(16384);
    grandchild.release();
    expect(mm.freeFrames).toBe(free);
    mm.checkInvariants();
  });

  test("resident and proportional sizes and pagemap are those of copied tables", () => {
    const mm = makeMm(4096);
    const { parent, child } = forked(mm, 512);
    const third = mm.forkSpace(child)!;
    expect([parent.residentPages, child.residentPages, third.residentPages]).toEqual([512, 512, 512]);
    expect(pss(parent)).toBeCloseTo(512 / 3);
    expect(pss(third)).toBeCloseTo(512 / 3);
    expect(pm(child, AT)).toBe("P---");
    third.writeU32(AT, 0);
    expect(pss(third)).toBeCloseTo(511 / 3 + 1);
    expect(pss(child)).toBeCloseTo(511 / 3 + 1 / 2);
    child.release();
    third.release();
    expect(pss(parent)).toBe(512);
    expect(pm(parent, AT)).toBe("P--X");
  });

  test("few pages, files, shared memory and areas that fork leaves out are copied as before", () => {
    const mm = makeMm(8192);
    const parent = makeSpace(mm);
    const file = new TestFile(mm, 100 * P);
    anonFixed(parent, AT, 63 * P);
    fill(parent, AT, 63 * P, 1);
    const mapped = map(parent, AT + TABLE, 100 * P, RW, 0x12, file);
    fill(parent, mapped, 100 * P, 2);
    anonFixed(parent, AT + 2 * TABLE, 100 * P);
    anonFixed(parent, AT + 2 * TABLE + 100 * P, P);
    fill(parent, AT + 2 * TABLE, 101 * P, 3);
    parent.madvise(AT + 2 * TABLE + 100 * P, P, MADV_DONTFORK);
    const child = mm.forkSpace(parent)!;
    expect(mm.sharedTables.size).toBe(0);
    expect(child.readU8(AT + 2 * TABLE + 100 * P)).toBe(-1);
    expect([child.readU8(AT), child.readU8(mapped), child.readU8(AT + 2 * TABLE)]).toEqual([1, 2, 3]);
    mm.checkInvariants();
  });

  test("munmap, mprotect, mremap, MADV_DONTNEED and a page of a hole change it for one side only", () => {
    const mm = makeMm(8192);
    const changes: ((space: AddressSpace) => void)[] = [
      (space) => expect(space.munmap(AT + P, P)).toBe(0),
      (space) => expect(space.munmap(AT, 400 * P)).toBe(0),
      (space) => expect(space.mprotect(AT + P, 3 * P, PROT_READ)).toBe(0),
      (space) => expect(space.mremap(AT + P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 4 * TABLE)).toBe(AT + 4 * TABLE),
      (space) => expect(space.madvise(AT, 8 * P, MADV_DONTNEED)).toBe(0),
      (space) => {
        anonFixed(space, AT + 400 * P, P);
        expect(space.writeU8(AT + 400 * P, 1)).toBe(true);
      },
      (space) => {
        // A page moves into the hole of a shared table.
        const from = anonFixed(space, AT + 4 * TABLE, P);
        space.writeU8(from, 1);
        expect(space.mremap(from, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 450 * P)).toBe(AT + 450 * P);
      },
    ];
    for (const change of changes) {
      for (const which of ["parent", "child"] as const) {
        const both = forked(mm, 400);
        const other = which === "parent" ? both.child : both.parent;
        expect(mm.sharedTables.size).toBe(1);
        change(both[which]);
        expect(mm.sharedTables.size).toBe(0);
        mm.checkInvariants();
        for (let page = 0; page < 400; page++) expect(other.readU32(AT + page * P)).toBe(page + 1);
        expect(other.areas.findPage(AT / P + 400)).toBe(null);
        both.parent.release();
        both.child.release();
        mm.checkInvariants();
      }
    }
  });

  test("locking and unlocking look at every space that shares the table", () => {
    const mm = makeMm(4096, 64);
    const { parent, child } = forked(mm, 100);
    child.mprotect(AT, 100 * P, PROT_READ);
    const grandchild = mm.forkSpace(child)!;
    expect(tableOf(grandchild, AT)).toBe(tableOf(child, AT));
    grandchild.mlock(AT, 100 * P);
    child.mlock(AT, 100 * P);
    mm.checkInvariants();
    grandchild.release();
    mm.checkInvariants();
    child.munlock(AT, 100 * P);
    mm.checkInvariants();
    parent.release();
    mm.checkInvariants();
  });

  test("reclaim swaps a page out for all who share its table; each brings it back for itself", () => {
    const mm = makeMm(1024, 1024);
    const { parent, child } = forked(mm, 300);
    mm.reclaimer.shrink(1000);
    expect(mm.sharedTables.size).toBe(1);
    expect(parent.counters.swapped).toBeGreaterThan(200);
    expect(child.counters).toEqual(parent.counters);
    mm.checkInvariants();
    const slots = mm.swap.usedCount;
    const { swap, swapPss } = parent.statistics(parent.areas.find(AT)!);
    expect(swapPss).toBeCloseTo(swap / 2);
    for (let page = 0; page < 300; page++) expect(child.readU32(AT + page * P)).toBe(page + 1);
    expect(mm.swap.usedCount).toBeLessThanOrEqual(slots);
    for (let page = 0; page < 300; page++) expect(parent.readU32(AT + page * P)).toBe(page + 1);
    mm.checkInvariants();
    child.release();
    parent.release();
    expect(mm.swap.usedCount).toBe(0);
    mm.checkInvariants();
  });

  test("without a frame for a table of its own munmap of a part and mprotect fail, and nothing has changed", () => {
    const mm = makeMm(256, 0, { overcommit: "always" });
    const { parent, child } = forked(mm, 200);
    const full = anonFixed(parent, AT + 8 * TABLE, 256 * P);
    for (let page = 0; parent.writeU8(full + page * P, 1); page++);
    expect(child.munmap(AT + P, P)).toBe(-12);
    expect(child.mprotect(AT + P, P, PROT_READ)).toBe(-12);
    expect(child.madvise(AT + P, P, MADV_DONTNEED)).toBe(-11);
    expect(child.areas.length).toBe(1);
    mm.checkInvariants();
    // All of it is left to the others without a frame.
    expect(child.munmap(AT, 200 * P)).toBe(0);
    expect(parent.readU32(AT + P)).toBe(2);
    mm.checkInvariants();
  });

  test.each(["continued", "missing"])(
    "a %s page of shared memory goes into the own table of the space that it was provided for",
    (how) => {
      const mm = makeMm(4096);
      const { parent, child } = forked(mm, 256);
      const object = mm.createShmemObject(P);
      const at = AT + 300 * P;
      const request = {
        address: at,
        length: P,
        prot: RW,
        flags: MAP_SHARED | MAP_FIXED,
        object,
        file: null,
        offset: 0,
      };
      expect(parent.mmap({ ...request, maxProt: RW })).toBe(at);
      const area = parent.areas.find(at)!;
      if (how === "continued") {
        object.load(0);
        expect(continueWithPage(area, at / P)).toBe(0);
      } else expect(provideMissingPage(area, at / P, new Uint8Array(P).fill(7))).toBe(0);
      expect([pm(parent, at)[0], child.table.read(child.table.find(at / P))]).toEqual(["P", 0]);
      mm.checkInvariants();
    },
  );

  test("what was writable in the parent is not, right after the fork", () => {
    const mm = makeMm(4096);
    const { parent } = forked(mm, 512);
    for (let page = 0; page < 512; page++) expect(parent.table.read(parent.table.find(AT / P + page)) & PTE_W).toBe(0);
  });
});
