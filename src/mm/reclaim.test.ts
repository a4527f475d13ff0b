// Reclaim: what leaves memory and how it comes back, what must stay, and what happens when devices fail or swap is full.
import { describe, expect, test } from "vitest";
import { MADV_FREE, MADV_PAGEOUT, MAP_PRIVATE, MAP_SHARED, PROT_READ } from "../abi/mman.ts";
import { DeviceError } from "./contracts.ts";
import { anon, anonShared, fill, MemorySwap, makeMm, makeSpace, map, P, RW, TestFile, touch } from "./test-world.ts";

const EIO = 5;

describe("reclaim", () => {
  for (const policy of ["two-list", "clock", "fifo", "random"]) {
    test(`${policy}: four times the memory is filled and read back through swap`, () => {
      const mm = makeMm(64, 512, { policy });
      const space = makeSpace(mm);
      const pages = 256;
      const at = anon(space, pages * P);
      for (let i = 0; i < pages; i++) space.writeU32(at + i * P, i * 77);
      for (let i = 0; i < pages; i++) expect(space.readU32(at + i * P)).toBe(i * 77);
      expect(mm.counters.pswpout).toBeGreaterThan(150);
      expect(space.faults.major).toBeGreaterThan(150);
      mm.checkInvariants();
      space.release();
      expect([mm.swap.usedCount, mm.freeFrames]).toEqual([0, 62]);
    });
  }

  test("shared anonymous memory swaps through its object", () => {
    const mm = makeMm(64, 256);
    const space = makeSpace(mm);
    const at = anonShared(space, 128 * P);
    for (let i = 0; i < 128; i++) space.writeU32(at + i * P, i + 1);
    const child = mm.forkSpace(space)!;
    for (let i = 0; i < 128; i++) expect(child.readU32(at + i * P)).toBe(i + 1);
    expect(space.counters.swapped).toBe(0);
    mm.checkInvariants();
  });

  test("clean file pages are dropped without I/O, dirty ones written first", () => {
    const mm = makeMm(64);
    const space = makeSpace(mm);
    const file = new TestFile(mm, 100 * P);
    let writes = 0;
    const write = file.writePage.bind(file);
    file.writePage = (index, from, length) => {
      writes++;
      write(index, from, length);
    };
    const text = map(space, 0, 100 * P, PROT_READ, MAP_PRIVATE, file);
    for (let i = 0; i < 100; i++) expect(space.readU8(text + i * P)).toBe(97 + (i % 26));
    expect(writes).toBe(0);
    const shared = map(space, 0, 100 * P, RW, MAP_SHARED, file);
    for (let i = 0; i < 100; i++) space.writeU8(shared + i * P, i);
    expect(writes).toBeGreaterThan(40);
    for (let i = 0; i < 100; i++) expect(space.readU8(text + i * P)).toBe(i);
    mm.checkInvariants();
  });

  test("locked pages are never victims (I15)", () => {
    const mm = makeMm(64, 256);
    const space = makeSpace(mm);
    const locked = anon(space, 8 * P);
    expect(space.mlock(locked, 8 * P)).toBe(0);
    const at = anon(space, 200 * P);
    fill(space, at, 200 * P, 1);
    for (let i = 0; i < 8; i++) expect(touch(space, locked + i * P, true)).toBe(0);
    expect(space.faults.major).toBe(0);
    space.munlock(locked, 8 * P);
    fill(space, at, 200 * P, 2);
    mm.checkInvariants();
    expect(space.counters.swapped).toBeGreaterThan(140);
  });

  test("a page swapped in and not written goes out again without I/O", () => {
    const mm = makeMm(64, 256);
    const space = makeSpace(mm);
    const at = anon(space, 4 * P);
    fill(space, at, 4 * P, 3);
    expect(space.madvise(at, 4 * P, MADV_PAGEOUT)).toBe(0);
    expect([space.counters.swapped, mm.counters.pswpout]).toEqual([4, 4]);
    expect(space.readU8(at)).toBe(3);
    space.madvise(at, 4 * P, MADV_PAGEOUT);
    expect([space.counters.swapped, mm.counters.pswpout]).toEqual([4, 4]);
    space.readU8(at + P);
    space.writeU8(at + P, 4);
    space.madvise(at, 4 * P, MADV_PAGEOUT);
    expect([space.counters.swapped, mm.counters.pswpout]).toEqual([4, 5]);
    expect(space.readU8(at + P)).toBe(4);
  });

  test("MADV_FREE: dropped when unused, kept when written again; works without swap", () => {
    const mm = makeMm(64);
    const space = makeSpace(mm);
    const at = anon(space, 4 * P);
    fill(space, at, 4 * P, 6);
    expect(space.madvise(at, 4 * P, MADV_FREE)).toBe(0);
    expect(touch(space, at + P, true)).toBe(0);
    mm.reclaimer.shrink(64);
    expect([space.readU8(at), space.readU8(at + P)]).toEqual([0, 6]);
    mm.checkInvariants();
  });
});

describe("full swap and failing devices", () => {
  test("swap full: the machine goes on with what fits, and uses slots as they come free", () => {
    const mm = makeMm(64, 16, { overcommit: "always" });
    const space = makeSpace(mm);
    const at = anon(space, 128 * P);
    let pages = 0;
    while (pages < 128 && space.writeU32(at + pages * P, pages)) pages++;
    expect(pages).toBeGreaterThan(64);
    expect(pages).toBeLessThan(80);
    mm.checkInvariants();
    for (let i = 0; i < pages - 4; i++) expect(space.readU32(at + i * P)).toBe(i);
    space.munmap(at, 20 * P);
    for (let i = 0; i < 16; i++) expect(space.writeU32(at + (100 + i) * P, i)).toBe(true);
    mm.checkInvariants();
  });

  test("a swap device that fails loses nothing", () => {
    const swap = new MemorySwap(64);
    let failing = true;
    const write = swap.write.bind(swap);
    swap.write = (slot, from) => {
      if (failing) throw new DeviceError(EIO, "planned");
      write(slot, from);
    };
    const mm = makeMm(64, 0, { swapDevice: swap });
    const space = makeSpace(mm);
    const at = anon(space, 100 * P);
    let pages = 0;
    while (pages < 100 && space.writeU32(at + pages * P, pages + 1)) pages++;
    expect(pages).toBeGreaterThan(40);
    mm.checkInvariants();
    for (let i = 0; i < pages; i++) expect(space.readU32(at + i * P)).toBe(i + 1);
    failing = false;
    for (let i = pages; i < 100; i++) expect(space.writeU32(at + i * P, i + 1)).toBe(true);
    for (let i = 0; i < 100; i++) expect(space.readU32(at + i * P)).toBe(i + 1);
    mm.checkInvariants();
  });

  test("write-back that fails is told once, and the page stays dirty until it could be written", () => {
    const mm = makeMm(64);
    const space = makeSpace(mm);
    const file = new TestFile(mm, 80 * P);
    const write = file.writePage.bind(file);
    let failing = true;
    file.writePage = (index, from, length) => {
      if (failing) throw new DeviceError(28, "planned: disk full");
      write(index, from, length);
    };
    const at = map(space, 0, 80 * P, RW, MAP_SHARED, file);
    space.writeU8(at, 1);
    space.writeU8(at + P, 2);
    for (let i = 2; i < 80; i++) space.readU8(at + i * P);
    expect(file.object.error).toBe(28);
    expect(file.object.dirtyPageCount).toBe(2);
    expect(file.object.sync(0, 80)).toBe(-28);
    expect(file.object.dirtyPageCount).toBe(2);
    failing = false;
    expect(file.object.sync(0, 80)).toBe(0);
    expect([file.bytes[0], file.bytes[P], file.object.dirtyPageCount]).toEqual([1, 2, 0]);
    mm.checkInvariants();
  });

  test("an error met by reclaim is reported by the next sync even if that one succeeds", () => {
    const mm = makeMm(64);
    const space = makeSpace(mm);
    const file = new TestFile(mm, 2 * P);
    const write = file.writePage.bind(file);
    file.writePage = () => {
      throw new DeviceError(EIO, "planned");
    };
    const at = map(space, 0, P, RW, MAP_SHARED, file);
    space.writeU8(at, 1);
    mm.reclaimer.shrink(64);
    expect(file.object.pageCount).toBe(1);
    file.writePage = write;
    expect(file.object.sync(0, 2)).toBe(-EIO);
    expect(file.object.sync(0, 2)).toBe(0);
    expect(file.bytes[0]).toBe(1);
  });
});
