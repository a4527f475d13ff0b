// What smaps, pagemap, mincore, status and clear_refs say. Expected values are mmdiff's, from riscv64 Linux 6.12 (there in kB).
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { anon, anonShared, en, fill, inc, makeMm, makeSpace, map, P, pm, RW, TestFile } from "./test-world.ts";

describe("accounting", () => {
  test("041 the zero page counts for nothing, but is present", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.readU8(p);
    space.writeU8(p + P, 1);
    const s = space.statistics(space.areas.find(p)!);
    expect([s.rss, s.anonymous]).toEqual([1, 1]);
    expect([0, 1, 2].map((i) => pm(space, p + i * P))).toEqual(["P---", "P--X", "----"]);
    expect(inc(space, p, 4)).toBe("1100");
  });

  test("061 shares after fork and copy-on-write", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    fill(space, p, 4 * P, 1);
    const child = space.mm.forkSpace(space)!;
    const of = () => child.statistics(child.areas.find(p)!);
    expect([of().rss, of().sharedDirty, of().privateDirty, of().pss]).toEqual([4, 4, 0, 2]);
    const { minor } = child.faults;
    child.writeU8(p, 2);
    child.writeU8(p + P, 2);
    expect(child.faults.minor - minor).toBe(2);
    expect([of().sharedDirty, of().privateDirty, of().pss]).toEqual([2, 2, 3]);
    child.release();
    const before = space.faults.minor;
    space.writeU8(p + 2 * P, 3);
    expect(space.faults.minor - before).toBe(1);
    expect([space.readU8(p), space.readU8(p + 2 * P)]).toEqual([1, 3]);
    space.mm.checkInvariants();
  });

  test("070 mincore: errors and file pages", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 4 * P);
    const p = map(space, 0, 4 * P, M.PROT_READ, M.MAP_SHARED, f);
    const vector = anon(space, P);
    expect(inc(space, p, 4)).toBe("0000");
    for (let i = 0; i < 4; i++) f.object.ensurePage(i);
    expect(inc(space, p, 4)).toBe("1111");
    expect(en(space.mincore(p + 1, P, vector))).toBe("EINVAL");
    space.munmap(p + P, P);
    expect(en(space.mincore(p, 4 * P, vector))).toBe("ENOMEM");
    expect(en(space.mincore(p, 0, vector))).toBe("OK");
    expect(en(space.mincore(p, P, 8))).toBe("EFAULT");
    expect(en(space.mincore(p, 2 ** 62, vector))).toBe("ENOMEM");
    expect(en(space.mincore(p, P, -1))).toBe("EFAULT");
  });

  test("071 mincore: anonymous and PROT_NONE pages", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.writeU8(p + P, 1);
    expect(inc(space, p, 4)).toBe("0100");
    space.mprotect(p, 4 * P, 0);
    expect(inc(space, p, 4)).toBe("0100");
    const s = anonShared(space, 2 * P);
    space.writeU8(s + P, 1);
    expect(inc(space, s, 2)).toBe("01");
  });

  test("072 smaps of written anonymous memory", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    space.writeU8(p, 1);
    expect(space.statistics(space.areas.find(p)!)).toEqual({
      rss: 1,
      pss: 1,
      pssDirty: 1,
      pssAnon: 1,
      pssFile: 0,
      pssShmem: 0,
      sharedClean: 0,
      sharedDirty: 0,
      privateClean: 0,
      privateDirty: 1,
      referenced: 1,
      anonymous: 1,
      lazyFree: 0,
      swap: 0,
      swapPss: 0,
      locked: 0,
    });
  });

  test("073 smaps and pagemap of file pages", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 3 * P);
    const p = map(space, 0, 3 * P, RW, M.MAP_SHARED, f);
    space.readU8(p);
    space.writeU8(p + P, 1);
    const s = space.statistics(space.areas.find(p)!);
    expect(s.anonymous).toBe(0);
    expect(s.privateDirty).toBeGreaterThanOrEqual(1);
    expect(pm(space, p + P)).toBe("P-FX");
    const q = map(space, 0, P, RW, M.MAP_PRIVATE, f);
    space.readU8(q);
    expect(pm(space, q)).toBe("P-F-");
    space.writeU8(q, 1);
    expect(pm(space, q)).toBe("P--X");
    expect(space.statistics(space.areas.find(q)!).anonymous).toBe(1);
  });

  test("101 clear_refs", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    fill(space, p, 4 * P, 1);
    expect(en(space.clearReferences(1))).toBe("OK");
    expect(space.statistics(space.areas.find(p)!).referenced).toBe(0);
    space.writeU8(p, 2);
    expect(space.statistics(space.areas.find(p)!).referenced).toBe(1);
    expect(en(space.clearReferences(0))).toBe("EINVAL");
    expect(en(space.clearReferences(6))).toBe("EINVAL");
    expect(en(space.clearReferences(9))).toBe("EINVAL");
    expect(en(space.clearReferences(3))).toBe("OK");
    expect(space.statistics(space.areas.find(p)!).referenced).toBe(1);
    space.munmap(p, 4 * P);
    expect(space.peakResidentPages).toBe(4);
    space.clearReferences(5);
    expect(space.peakResidentPages).toBe(0);
  });

  test("swapped pages: pagemap, smaps, status and mincore agree", () => {
    const mm = makeMm(64, 512);
    const space = makeSpace(mm);
    const p = anon(space, 200 * P);
    fill(space, p, 200 * P, 6);
    const s = space.statistics(space.areas.find(p)!);
    expect(s.rss + s.swap).toBe(200);
    expect(s.rss).toBe(space.counters.anonymous);
    expect(s.swap).toBe(space.counters.swapped);
    expect(s.swapPss).toBeCloseTo(s.swap);
    let present = 0;
    let swapped = 0;
    for (let i = 0; i < 200; i++) {
      const bits = pm(space, p + i * P);
      if (bits === "P--X") present++;
      if (bits === "-S--") swapped++;
    }
    expect([present, swapped]).toEqual([s.rss, s.swap]);
    const child = mm.forkSpace(space)!;
    const shared = child.statistics(child.areas.find(p)!);
    expect(shared.pss).toBeCloseTo(shared.rss / 2);
    expect(shared.swapPss).toBeCloseTo(shared.swap / 2);
    mm.checkInvariants();
  });

  test("swapped shared memory is in the area's Swap, not in the space's VmSwap", () => {
    const mm = makeMm(64, 512);
    const space = makeSpace(mm);
    const p = anonShared(space, 100 * P);
    fill(space, p, 100 * P, 6);
    const s = space.statistics(space.areas.find(p)!);
    expect(s.swap).toBeGreaterThan(0);
    expect(s.rss + s.swap).toBe(100);
    expect(space.counters.swapped).toBe(0);
    expect(space.counters.shmem).toBe(s.rss);
  });

  test("100 totals by kind", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 4 * P);
    map(space, 0, 4 * P, M.PROT_READ | M.PROT_EXEC, M.MAP_PRIVATE, f);
    map(space, 0, 3 * P, M.PROT_READ, M.MAP_PRIVATE, f);
    const d = map(space, 0, 2 * P, RW, M.MAP_PRIVATE, f);
    anonShared(space, P);
    expect([space.totalPages, space.execPages, space.dataPages, space.stackPages]).toEqual([10, 4, 2, 0]);
    fill(space, d, 2 * P, 1);
    space.munmap(d, 2 * P);
    expect([space.totalPages, space.peakTotalPages, space.peakResidentPages]).toEqual([8, 10, 2]);
    expect(space.residentPages).toBe(0);
    const child = space.mm.forkSpace(space)!;
    expect(child.totalPages).toBe(8);
  });
});
