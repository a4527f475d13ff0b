// fork: what is shared, what is copied, what is counted; and that failing leaves the parent whole.
import { describe, expect, test } from "vitest";
import { MADV_DONTFORK, MADV_WIPEONFORK, MAP_PRIVATE, PROT_NONE, PROT_READ } from "../abi/mman.ts";
import { PTE_A, PTE_W, pteToPfn } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { anon, anonFixed, anonShared, fill, makeMm, makeSpace, map, P, RW, TestFile } from "./test-world.ts";

function pte(space: AddressSpace, address: number): number {
  return space.table.read(space.table.find(address / P));
}

describe("fork", () => {
  test("private pages are shared until written, by either side (mmdiff 060, 065)", () => {
    const mm = makeMm();
    const parent = makeSpace(mm);
    const at = anon(parent, 3 * P);
    fill(parent, at, 3 * P, 1);
    const child = mm.forkSpace(parent)!;
    const grandchild = mm.forkSpace(child)!;
    expect(mm.frames.mapCount[pteToPfn(pte(parent, at))]).toBe(3);
    expect(pte(parent, at) & PTE_W).toBe(0);
    expect(pte(child, at) & (PTE_W | PTE_A)).toBe(0);
    grandchild.writeU8(at, 3);
    parent.writeU8(at, 2);
    expect([parent.readU8(at), child.readU8(at), grandchild.readU8(at)]).toEqual([2, 1, 3]);
    mm.checkInvariants();
    child.release();
    grandchild.release();
    expect(parent.readU8(at + P)).toBe(1);
    mm.checkInvariants();
  });

  test("shared memory is not copied and comes back by faults (mmdiff 060)", () => {
    const mm = makeMm();
    const parent = makeSpace(mm);
    const at = anonShared(parent, 2 * P);
    parent.writeU8(at, 1);
    const child = mm.forkSpace(parent)!;
    expect(child.residentPages).toBe(0);
    child.writeU8(at, 9);
    expect(parent.readU8(at)).toBe(9);
    mm.checkInvariants();
  });

  test("a private file area that was never written is not copied; a written one is, with its file pages", () => {
    const mm = makeMm();
    const parent = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const text = map(parent, 0, 2 * P, PROT_READ, MAP_PRIVATE, file);
    const data = map(parent, 0, 2 * P, RW, MAP_PRIVATE, file);
    parent.readU8(text);
    parent.readU8(data + P);
    parent.writeU8(data, 1);
    const child = mm.forkSpace(parent)!;
    expect(pte(child, text)).toBe(0);
    expect(child.counters).toEqual({ anonymous: 1, file: 1, shmem: 0, swapped: 0 });
    expect(child.readU8(text)).toBe(97);
    mm.checkInvariants();
  });

  test("DONTFORK, WIPEONFORK, PROT_NONE residents and lock flags (mmdiff 046, 066)", () => {
    const mm = makeMm();
    const parent = makeSpace(mm);
    const gone = anon(parent, P);
    const wiped = anon(parent, P, RW);
    const hidden = anon(parent, P);
    const locked = anon(parent, P);
    for (const at of [gone, wiped, hidden, locked]) fill(parent, at, P, 5);
    parent.madvise(gone, P, MADV_DONTFORK);
    parent.madvise(wiped, P, MADV_WIPEONFORK);
    parent.mprotect(hidden, P, PROT_NONE);
    parent.mlock(locked, P);
    const child = mm.forkSpace(parent)!;
    expect(child.readU8(gone)).toBe(-1);
    expect(child.readU8(wiped)).toBe(0);
    expect(child.readU8(hidden)).toBe(-1);
    child.mprotect(hidden, P, RW);
    expect(child.readU8(hidden)).toBe(5);
    expect(child.lockedPages).toBe(0);
    mm.checkInvariants();
    parent.release();
    mm.checkInvariants();
    expect(child.readU8(locked)).toBe(5);
  });

  test("swapped pages are shared through their slots", () => {
    const mm = makeMm(64, 64);
    const parent = makeSpace(mm);
    const at = anon(parent, 4 * P);
    fill(parent, at, 4 * P, 8);
    mm.reclaimer.shrink(62);
    const child = mm.forkSpace(parent)!;
    expect(child.counters.swapped).toBe(4);
    mm.checkInvariants();
    child.writeU8(at, 1);
    parent.release();
    expect([child.readU8(at), child.readU8(at + P)]).toEqual([1, 8]);
    child.release();
    expect(mm.swap.usedCount).toBe(0);
    mm.checkInvariants();
  });

  test("without frames for its tables fork fails, and the parent can still write", () => {
    const mm = makeMm(32, 0, { overcommit: "always" });
    const parent = makeSpace(mm);
    // Two areas far apart: the child needs five table frames, more than the last fault leaves.
    const low = anonFixed(parent, 0x10000000, P);
    parent.writeU8(low, 1);
    const at = anon(parent, 40 * P);
    let pages = 0;
    while (parent.writeU8(at + pages * P, 7)) pages++;
    expect(mm.forkSpace(parent)).toBe(null);
    expect(mm.spaces.size).toBe(1);
    mm.checkInvariants();
    for (let i = 0; i < pages; i++) expect(parent.writeU8(at + i * P, 8)).toBe(true);
  });

  test("strict accounting refuses a fork that the commit limit does not hold", () => {
    const mm = makeMm(256, 0, { overcommit: "never" });
    const parent = makeSpace(mm);
    anon(parent, 100 * P);
    const before = mm.committedPages;
    expect(mm.forkSpace(parent)).toBe(null);
    expect(mm.committedPages).toBe(before);
    mm.checkInvariants();
  });
});
