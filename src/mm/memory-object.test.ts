// Objects: read, write, truncation, holes and syncing, and that mappings always see the same bytes.
import { describe, expect, test } from "vitest";
import { EFAULT, ENOSPC, ENXIO } from "../abi/errno.ts";
import { MAP_PRIVATE, MAP_SHARED, MS_SYNC, PROT_READ } from "../abi/mman.ts";
import { FAULT_BUS_ADRERR, READ } from "./contracts.ts";
import { BytesCursor, UserCursor } from "./io-cursor.ts";
import type { MemoryObject } from "./memory-object.ts";
import { anon, fill, makeMm, makeSpace, map, P, RW, TestFile } from "./test-world.ts";

function read(object: MemoryObject, offset: number, length: number): number[] {
  const bytes = new Uint8Array(length);
  const got = object.read(new BytesCursor(bytes), offset);
  return [...bytes.subarray(0, Math.max(0, got))];
}

function write(object: MemoryObject, offset: number, ...bytes: number[]): number {
  return object.write(new BytesCursor(new Uint8Array(bytes)), offset);
}

describe("coherence", () => {
  test("mappings and read/write are the same bytes, both ways, without msync (mmdiff 004)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const at = map(space, 0, 2 * P, RW, MAP_SHARED, file);
    space.writeU8(at + 10, 1);
    expect(read(file.object, 10, 1)).toEqual([1]);
    expect(write(file.object, P + 3, 7)).toBe(1);
    expect(space.readU8(at + P + 3)).toBe(7);
    expect(file.bytes[10]).toBe(97);
  });

  test("a private page follows the file until its first store (mmdiff 003)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, P);
    const at = map(space, 0, P, RW, MAP_PRIVATE, file);
    expect(space.readU8(at)).toBe(97);
    write(file.object, 0, 81);
    expect(space.readU8(at)).toBe(81);
    space.writeU8(at + 1, 1);
    write(file.object, 0, 82);
    expect(space.readU8(at)).toBe(81);
    expect(read(file.object, 0, 2)).toEqual([82, 97]);
  });

  test("partial transfers stop where the caller's memory does (mmdiff 016)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 3 * P);
    const at = anon(space, 2 * P);
    space.munmap(at + P, P);
    expect(file.object.read(new UserCursor(space, [{ base: at, length: 2 * P }]), 0)).toBe(P);
    expect(file.object.read(new UserCursor(space, [{ base: at + P, length: 5 }]), 0)).toBe(-EFAULT);
    fill(space, at, P, 3);
    expect(file.object.write(new UserCursor(space, [{ base: at, length: 2 * P }]), 2 * P)).toBe(P);
    expect(file.object.sizeBytes).toBe(3 * P);
    expect(file.object.write(new UserCursor(space, [{ base: at + P, length: 5 }]), 9 * P)).toBe(-EFAULT);
    expect(file.object.sizeBytes).toBe(3 * P);
  });

  test("a whole-page write that breaks off keeps the rest of an uncached page", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, P);
    const at = anon(space, P);
    fill(space, at, P, 3);
    expect(file.object.write(new UserCursor(space, [{ base: at + P - 10, length: P }]), 0)).toBe(10);
    expect(read(file.object, 8, 4)).toEqual([3, 3, 97, 97]);
    mm.checkInvariants();
  });
});

describe("the tail past the end of a file", () => {
  test("is seen in the mapping, never in the file, and is 0 when the file grows (mmdiff 002)", () => {
    for (const grow of ["truncate", "write"] as const) {
      const mm = makeMm();
      const space = makeSpace(mm);
      const file = new TestFile(mm, 100);
      const at = map(space, 0, P, RW, MAP_SHARED, file);
      space.writeU8(at + 200, 90);
      expect([file.object.sizeBytes, space.readU8(at + 200)]).toEqual([100, 90]);
      expect(space.msync(at, P, MS_SYNC)).toBe(0);
      expect(file.bytes.length).toBe(100);
      if (grow === "truncate") file.object.truncate(300);
      else write(file.object, 299, 1);
      expect(read(file.object, 200, 1)).toEqual([0]);
      expect(space.readU8(at + 200)).toBe(0);
    }
  });

  test("a write that reaches the next page is not cut when reclaim strikes in the middle", () => {
    const mm = makeMm(32);
    const file = new TestFile(mm, 100);
    const bytes = new Uint8Array(60 * P).fill(5);
    expect(file.object.write(new BytesCursor(bytes), 50)).toBe(bytes.length);
    expect(file.object.sync(0, 100)).toBe(0);
    expect(file.bytes.length).toBe(50 + bytes.length);
    expect(file.bytes.subarray(50).every((byte) => byte === 5)).toBe(true);
  });
});

describe("truncate and punch", () => {
  test("pages past the end go, also private copies; growing again reads 0 (mmdiff 005, 006)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 3 * P);
    const shared = map(space, 0, 3 * P, RW, MAP_SHARED, file);
    const own = map(space, 0, 3 * P, RW, MAP_PRIVATE, file);
    for (let i = 0; i < 3; i++) {
      space.writeU8(shared + i * P, 1);
      space.writeU8(own + i * P, 2);
    }
    expect(file.object.truncate(P + 10)).toBe(0);
    expect(space.handleFault(shared + 2 * P, READ)).toBe(FAULT_BUS_ADRERR);
    expect(space.handleFault(own + 2 * P, READ)).toBe(FAULT_BUS_ADRERR);
    expect([space.readU8(shared + P), space.readU8(shared + P + 10), space.readU8(own + P)]).toEqual([1, 0, 2]);
    expect(file.object.truncate(3 * P)).toBe(0);
    expect([space.readU8(shared + 2 * P), space.readU8(own + 2 * P), space.readU8(shared + P + 20)]).toEqual([0, 0, 0]);
    mm.checkInvariants();
  });

  test("punching reads 0 at once, keeps private copies and the size (mmdiff 014)", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 4 * P);
    const at = map(space, 0, 4 * P, RW, MAP_SHARED, file);
    const own = map(space, 0, 4 * P, RW, MAP_PRIVATE, file);
    for (let i = 0; i < 4; i++) space.writeU8(at + i * P + 2000, 5);
    space.writeU8(own + P, 9);
    expect(file.object.punchHole(1000, 2 * P + 1500)).toBe(0);
    expect([0, 1, 2, 3].map((i) => space.readU8(at + i * P + 2000))).toEqual([0, 0, 0, 5]);
    expect([space.readU8(at + 999), space.readU8(at + 2 * P + 2499), space.readU8(at + 2 * P + 2500)]).toEqual([
      97, 0, 99,
    ]);
    expect([space.readU8(own + P), file.object.sizeBytes]).toEqual([9, 4 * P]);
    expect(file.object.sync(0, 4)).toBe(0);
    expect([file.bytes[2000], file.bytes[P + 7], file.bytes[3 * P + 2000]]).toEqual([0, 0, 5]);
    mm.checkInvariants();
  });
});

describe("shmem", () => {
  test("holes read as zeros without a frame; SEEK_DATA and SEEK_HOLE see what was written", () => {
    const mm = makeMm();
    const object = mm.createShmemObject(10 * P);
    expect(read(object, 5 * P, 3)).toEqual([0, 0, 0]);
    expect(object.pageCount).toBe(0);
    write(object, 3 * P + 5, 1);
    expect([object.nextData(0), object.nextHole(3 * P + 1), object.nextData(4 * P)]).toEqual([3 * P, 4 * P, -ENXIO]);
    expect(object.nextHole(10 * P)).toBe(-ENXIO);
    expect(object.preallocate(0, 2 * P)).toBe(0);
    expect([object.nextData(0), object.nextHole(0), object.allocatedPages]).toEqual([0, 2 * P, 3]);
    object.punchHole(0, P);
    expect(object.nextData(0)).toBe(P);
    object.release();
    expect(mm.freeFrames).toBe(mm.totalFrames - 2);
    expect(mm.committedPages).toBe(0);
  });

  test("a quota bounds its pages: ENOSPC for writers, SIGBUS for stores", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const object = mm.createShmemObject(4 * P);
    let left = 2;
    object.quota = {
      take: (pages) => {
        if (left < pages) return false;
        left -= pages;
        return true;
      },
      give: (pages) => {
        left += pages;
      },
    };
    expect(write(object, 0, 1)).toBe(1);
    expect(write(object, P, 1)).toBe(1);
    expect(write(object, 2 * P, 1)).toBe(-ENOSPC);
    const at = space.mmap({
      address: 0,
      length: 4 * P,
      prot: RW,
      flags: MAP_SHARED,
      object,
      file: null,
      offset: 0,
      maxProt: 7,
    });
    expect(space.handleFault(at + 3 * P, READ)).toBe(FAULT_BUS_ADRERR);
    object.truncate(P);
    expect(left).toBe(1);
    mm.checkInvariants();
  });

  test("a page cut in the middle while in swap comes back with its tail zeroed", () => {
    const mm = makeMm(64, 64);
    const object = mm.createShmemObject(0);
    write(object, 0, ...new Array(500).fill(7));
    mm.reclaimer.shrink(62);
    expect(object.swappedPages).toBe(1);
    expect(object.truncate(100)).toBe(0);
    object.truncate(500);
    expect(read(object, 98, 4)).toEqual([7, 7, 0, 0]);
    mm.checkInvariants();
  });
});

describe("the cache", () => {
  test("invalidate drops clean unmapped pages only; residentPages tells", () => {
    const mm = makeMm();
    const space = makeSpace(mm);
    const file = new TestFile(mm, 4 * P);
    const at = map(space, 0, P, PROT_READ, MAP_SHARED, file);
    space.readU8(at);
    read(file.object, 0, 3 * P);
    write(file.object, P, 1);
    file.object.invalidate();
    const resident = new Uint8Array(4);
    file.object.residentPages(0, 4, resident);
    expect([...resident]).toEqual([1, 1, 0, 0]);
    expect(mm.writebackAll()).toBe(0);
    mm.dropCaches();
    expect(file.object.pageCount).toBe(1);
  });

  test("huge sparse files cost what they hold", () => {
    const mm = makeMm();
    const object = mm.createShmemObject(0);
    const far = 2 ** 40 + 5;
    expect(write(object, far, 1, 2)).toBe(2);
    expect(object.sizeBytes).toBe(far + 2);
    expect(read(object, far, 9)).toEqual([1, 2]);
    expect(object.nextData(0)).toBe(2 ** 40);
    expect(object.truncate(0)).toBe(0);
    expect(object.pageCount).toBe(0);
  });
});
