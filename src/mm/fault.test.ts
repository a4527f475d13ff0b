// Every row of the fault table in fault.ts, with exact counts.
import { describe, expect, test } from "vitest";
import {
  MAP_ANONYMOUS,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
} from "../abi/mman.ts";
import { PTE_A, PTE_D, PTE_SPECIAL, PTE_W, pteToPfn } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import {
  DeviceError,
  EXECUTE,
  FAULT_BUS_ADRERR,
  FAULT_IO_ERROR,
  FAULT_MAJOR,
  FAULT_MINOR,
  FAULT_OUT_OF_MEMORY,
  FAULT_SEGV_ACCERR,
  FAULT_SEGV_MAPERR,
  READ,
  WRITE,
} from "./contracts.ts";
import { forceFault } from "./fault.ts";
import { FRAME_ANONYMOUS, FRAME_DIRTY, FRAME_RESERVED } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { anon, anonShared, fill, makeMm, makeSpace, map, P, RW, TestFile, touch } from "./test-world.ts";
import * as T from "./tracer.ts";

/** Minor, major and copy counts as one string, since the last call. */
function counter(space: AddressSpace): () => string {
  let last = { ...space.faults };
  return () => {
    const now = { ...space.faults };
    const text = `${now.minor - last.minor} ${now.major - last.major} ${now.copies - last.copies}`;
    last = now;
    return text;
  };
}

function pte(space: AddressSpace, address: number): number {
  return space.table.read(space.table.find(address / P));
}

function trace(mm: MemoryManager): string[] {
  const names: string[] = [];
  mm.tracer = { event: (code) => names.push(T.TRACE_NAMES[code]) };
  return names;
}

describe("the fault table", () => {
  test("F1: no area is MAPERR; a growing area above grows", () => {
    const space = makeSpace();
    expect(space.handleFault(0x10000, READ)).toBe(FAULT_SEGV_MAPERR);
    expect(space.handleFault(-8, READ)).toBe(FAULT_SEGV_MAPERR);
    expect(space.handleFault(2 ** 38, READ)).toBe(FAULT_SEGV_MAPERR);
    expect(space.handleFault(Number.NaN, READ)).toBe(FAULT_SEGV_MAPERR);
    expect(space.handleFault(2 ** 63, WRITE)).toBe(FAULT_SEGV_MAPERR);
    const stack = map(space, 0x40000000, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN);
    expect(touch(space, stack - 3 * P, true)).toBe(FAULT_MINOR);
    expect(space.areas.first!.start).toBe(stack - 3 * P);
    expect(space.faults.minor).toBe(1);
  });

  test("F2: missing permission is ACCERR and is not counted", () => {
    const space = makeSpace();
    const none = anon(space, P, PROT_NONE);
    const readOnly = anon(space, P, PROT_READ);
    const text = anon(space, P, PROT_EXEC);
    expect(space.handleFault(none, READ)).toBe(FAULT_SEGV_ACCERR);
    expect(space.handleFault(readOnly, WRITE)).toBe(FAULT_SEGV_ACCERR);
    expect(space.handleFault(readOnly, EXECUTE)).toBe(FAULT_SEGV_ACCERR);
    expect(space.handleFault(text, READ)).toBe(FAULT_SEGV_ACCERR);
    expect(space.handleFault(text, EXECUTE)).toBe(FAULT_MINOR);
    expect(space.faults).toEqual({ minor: 1, major: 0, copies: 0 });
  });

  test("F3 then F4: the zero page for reads, a frame of its own at the first write (mmdiff 040)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const at = anon(space, 8 * P);
    const count = counter(space);
    const free = mm.freeFrames;
    for (let i = 0; i < 8; i++) touch(space, at + i * P, false);
    expect(count()).toBe("8 0 0");
    expect(pte(space, at) & PTE_SPECIAL).not.toBe(0);
    expect(pteToPfn(pte(space, at + P))).toBe(mm.zeroPfn);
    expect(free - mm.freeFrames).toBe(2);
    expect(space.residentPages).toBe(0);
    for (let i = 0; i < 8; i++) touch(space, at + i * P, true);
    expect(count()).toBe("8 0 0");
    for (let i = 0; i < 8; i++) touch(space, at + i * P, true);
    expect(count()).toBe("0 0 0");
    expect(space.counters.anonymous).toBe(8);
    mm.checkInvariants();
  });

  test("F5 and F6: page-in is major, a cached page is minor and brings its neighbours", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 40 * P);
    const at = map(space, 0, 40 * P, PROT_READ, MAP_SHARED, file);
    const count = counter(space);
    touch(space, at, false);
    expect(count()).toBe("0 1 0");
    expect(space.readU8(at)).toBe(97);
    for (let i = 1; i < 40; i++) touch(space, at + i * P, false);
    expect(count()).toBe("0 39 0");
    const other = makeSpace(mm);
    const again = map(other, 0x10000000, 40 * P, PROT_READ, MAP_PRIVATE, file);
    for (let i = 0; i < 40; i++) touch(other, again + i * P, false);
    // 0x10000000 is aligned: windows of 16, 16 and 8 pages.
    expect(other.faults).toEqual({ minor: 3, major: 0, copies: 0 });
    expect(other.counters.file).toBe(40);
    expect(pte(other, again) & PTE_A).not.toBe(0);
    mm.checkInvariants();
  });

  test("F7: a private write to a file page copies it at once", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const at = map(space, 0, 2 * P, RW, MAP_PRIVATE, file);
    const count = counter(space);
    space.writeU8(at + 1, 5);
    expect(count()).toBe("0 1 1");
    space.readU8(at + P);
    expect(count()).toBe("0 1 0");
    space.writeU8(at + P, 6);
    expect(count()).toBe("1 0 1");
    expect([space.readU8(at), space.readU8(at + 1)]).toEqual([97, 5]);
    expect(file.object.dirtyPageCount).toBe(0);
    expect(space.counters).toEqual({ anonymous: 2, file: 0, shmem: 0, swapped: 0 });
    mm.checkInvariants();
  });

  test("F8: the sole owner gets its page back without a copy (mmdiff 061), sharers copy", () => {
    const mm = makeMm();
    const parent = makeSpace(mm);
    const at = anon(parent, 4 * P);
    fill(parent, at, 4 * P, 1);
    const child = mm.forkSpace(parent)!;
    const inChild = counter(child);
    child.writeU8(at, 2);
    child.writeU8(at + P, 2);
    expect(inChild()).toBe("2 0 2");
    child.release();
    const inParent = counter(parent);
    parent.writeU8(at + 2 * P, 3);
    expect(inParent()).toBe("1 0 0");
    expect([parent.readU8(at), parent.readU8(at + 2 * P)]).toEqual([1, 3]);
    mm.checkInvariants();
  });

  test("F8: a file's page mapped once is copied all the same, and its frame reclaimed for when none is free", () => {
    const mm = makeMm(64);
    const space = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const at = map(space, 0, 2 * P, RW, MAP_PRIVATE, file);
    space.readU8(at);
    while (mm.allocator.freeCount > 0) mm.allocator.allocate(FRAME_RESERVED);
    expect([FAULT_MINOR, FAULT_OUT_OF_MEMORY]).toContain(space.handleFault(at, WRITE));
  });

  test("F9: the first store to a shared file page makes it dirty; after a sync the next one is seen again (mmdiff 018)", () => {
    const dirtied: string[] = [];
    const mm = makeMm(1024, 0, { fileDirtied: (file) => dirtied.push(file.name()) });
    const space = makeSpace(mm);
    const file = new TestFile(mm, P);
    const at = map(space, 0, P, RW, MAP_SHARED, file);
    space.readU8(at);
    const count = counter(space);
    expect(file.object.dirtyPageCount).toBe(0);
    space.writeU8(at, 1);
    space.writeU8(at + 1, 2);
    expect(count()).toBe("1 0 0");
    expect(file.object.dirtyPageCount).toBe(1);
    expect(space.msync(at, P, MS_SYNC)).toBe(0);
    expect([file.bytes[0], file.bytes[1], file.object.dirtyPageCount]).toEqual([1, 2, 0]);
    space.writeU8(at, 7);
    expect(count()).toBe("1 0 0");
    expect(dirtied.length).toBe(2);
    expect(file.object.sync(0, 1)).toBe(0);
    expect(file.bytes[0]).toBe(7);
  });

  test("shared memory without a file is writable from the first read on: one fault", () => {
    const space = makeSpace();
    const at = anonShared(space, 2 * P);
    const count = counter(space);
    touch(space, at, false);
    touch(space, at, true);
    expect(count()).toBe("1 0 0");
    expect(pte(space, at) & (PTE_W | PTE_D)).toBe(PTE_W | PTE_D);
  });

  test("F10: swap-in is major, a page still in the swap cache is minor", () => {
    const mm = makeMm(64, 64);
    const parent = makeSpace(mm);
    const at = anon(parent, 2 * P);
    fill(parent, at, 2 * P, 9);
    const child = mm.forkSpace(parent)!;
    mm.reclaimer.shrink(62);
    expect(parent.counters).toEqual({ anonymous: 0, file: 0, shmem: 0, swapped: 2 });
    expect(child.counters.swapped).toBe(2);
    const inParent = counter(parent);
    const inChild = counter(child);
    expect(parent.readU8(at)).toBe(9);
    expect(inParent()).toBe("0 1 0");
    // The child's entry still names the slot: read-only, and found in the swap cache.
    expect(pte(parent, at) & PTE_W).toBe(0);
    expect(child.readU8(at)).toBe(9);
    expect(inChild()).toBe("1 0 0");
    child.writeU8(at + P, 4);
    expect(inChild()).toBe("0 1 1");
    expect(parent.readU8(at + P)).toBe(9);
    // Sole owner of its copy in the swap cache.
    parent.writeU8(at + P, 5);
    expect([parent.readU8(at + P), child.readU8(at + P)]).toEqual([5, 4]);
    mm.checkInvariants();
  });

  test("F11: beyond the object's last page is SIGBUS, also for a private write", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, P + 100);
    const at = map(space, 0, 3 * P, RW, MAP_PRIVATE, file);
    expect(space.handleFault(at + 2 * P + 5, READ)).toBe(FAULT_BUS_ADRERR);
    expect(space.handleFault(at + 2 * P + 5, WRITE)).toBe(FAULT_BUS_ADRERR);
    expect(space.handleFault(at + P + 200, READ)).toBe(FAULT_MAJOR);
    expect(space.readU8(at + P + 100)).toBe(0);
  });

  test("F12: a page that is there only costs a flush", () => {
    let flushed = 0;
    const mm = makeMm(64, 0);
    mm.tlb.flushPage = () => void flushed++;
    const space = makeSpace(mm);
    const at = anon(space, P);
    touch(space, at, true);
    const count = counter(space);
    flushed = 0;
    expect(space.handleFault(at, WRITE)).toBe(FAULT_MINOR);
    expect([flushed, count()]).toEqual([1, "0 0 0"]);
  });

  test("each case has its trace code", () => {
    const mm = makeMm(64, 32);
    const names = trace(mm);
    const space = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const at = anon(space, P);
    space.readU8(at);
    space.writeU8(at, 1);
    const shared = map(space, 0, 3 * P, RW, MAP_SHARED, file);
    space.readU8(shared);
    space.writeU8(shared, 1);
    const copy = map(space, 0, P, RW, MAP_PRIVATE, file);
    space.readU8(copy);
    space.writeU8(copy, 1);
    space.handleFault(shared + 2 * P, READ);
    space.handleFault(8, READ);
    const faults = new Set(["map", "unmap", "protect"]);
    expect(names.filter((name) => !faults.has(name))).toEqual([
      "zero-page",
      "demand-zero",
      "page-in",
      "page-in",
      "shared-write",
      "map-cached",
      "copy-on-write",
      "bus-error",
      "segv-maperr",
    ]);
  });
});

describe("what goes wrong", () => {
  test("a page that cannot be read is an I/O error and leaves nothing behind", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, P);
    file.readPage = () => {
      throw new DeviceError(5, "planned");
    };
    const at = map(space, 0, P, PROT_READ, MAP_SHARED, file);
    expect(space.handleFault(at, READ)).toBe(FAULT_IO_ERROR);
    expect(file.object.pageCount).toBe(0);
    mm.checkInvariants();
  });

  test("without a victim the callback kills; when it cannot, the fault says so and the machine lives", () => {
    const asked: (AddressSpace | null)[] = [];
    const mm = makeMm(32, 0, {
      overcommit: "always",
      outOfMemory: (asking) => {
        asked.push(asking);
        return false;
      },
    });
    const space = makeSpace(mm);
    const at = anon(space, 64 * P);
    let result: number = FAULT_MINOR;
    let pages = 0;
    for (; pages < 64 && result === FAULT_MINOR; pages++) result = touch(space, at + pages * P, true);
    expect(result).toBe(FAULT_OUT_OF_MEMORY);
    expect(asked).toEqual([space]);
    expect(pages).toBeGreaterThan(20);
    // What is there still works, and room made is used.
    expect(space.readU8(at)).toBe(0);
    space.munmap(at, 8 * P);
    expect(touch(space, at + 20 * P, true)).toBe(0);
    mm.checkInvariants();
  });

  test("killing another space makes the fault succeed", () => {
    let victim: AddressSpace | null = null;
    const mm = makeMm(40, 0, {
      outOfMemory: () => {
        if (victim === null) return false;
        victim.release();
        victim = null;
        return true;
      },
    });
    const fat = makeSpace(mm);
    fill(fat, anon(fat, 20 * P), 20 * P, 1);
    const space = makeSpace(mm);
    victim = fat;
    const at = anon(space, 16 * P);
    fill(space, at, 16 * P, 2);
    expect(victim).toBe(null);
    mm.checkInvariants();
  });

  test("a forced write breaks sharing but grants no permission (ptrace)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, P);
    const at = map(space, 0, P, PROT_READ, MAP_PRIVATE, file);
    expect(forceFault(mm, space, at, WRITE)).toBe(FAULT_MAJOR);
    const word = pte(space, at);
    expect(word & (PTE_W | PTE_D)).toBe(PTE_D);
    expect(mm.frames.kind[pteToPfn(word)]).toBe(FRAME_ANONYMOUS);
    const shared = map(space, 0, P, PROT_READ, MAP_SHARED, file);
    expect(forceFault(mm, space, shared, WRITE)).toBe(FAULT_SEGV_ACCERR);
    expect(mm.frames.flags[file.object.pages.get(0)] & FRAME_DIRTY).toBe(0);
    mm.checkInvariants();
  });
});
