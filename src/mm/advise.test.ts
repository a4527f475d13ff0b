// madvise: what each advice does and refuses. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { FAULT_SEGV_MAPERR } from "./contracts.ts";
import { anon, anonShared, en, fill, makeMm, makeSpace, map, P, RW, TestFile, touch, vmas } from "./test-world.ts";
import { vmFlagNames } from "./vma.ts";

describe("madvise", () => {
  test("042 MADV_DONTNEED", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    fill(space, p, 4 * P, 9);
    space.madvise(p, 2 * P, M.MADV_DONTNEED);
    expect([0, 1, 2, 3].map((i) => space.readU8(p + i * P))).toEqual([0, 0, 9, 9]);
    const f = new TestFile(space.mm, P);
    const q = map(space, 0, P, RW, M.MAP_PRIVATE, f);
    space.writeU8(q, 33);
    space.madvise(q, P, M.MADV_DONTNEED);
    expect(space.readU8(q)).toBe(97);
    const s = map(space, 0, P, RW, M.MAP_SHARED, f);
    space.writeU8(s, 83);
    space.madvise(s, P, M.MADV_DONTNEED);
    expect(space.readU8(s)).toBe(83);
    const t = anonShared(space, P);
    space.writeU8(t, 84);
    space.madvise(t, P, M.MADV_DONTNEED);
    expect(space.readU8(t)).toBe(84);
    space.mm.checkInvariants();
  });

  test("043 MADV_FREE", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    fill(space, p, 2 * P, 9);
    expect(en(space.madvise(p, 2 * P, M.MADV_FREE))).toBe("OK");
    expect([0, 9]).toContain(space.readU8(p));
    space.writeU8(p, 4);
    expect(space.readU8(p)).toBe(4);
    const f = new TestFile(space.mm, P);
    expect(en(space.madvise(map(space, 0, P, RW, M.MAP_PRIVATE, f), P, M.MADV_FREE))).toBe("EINVAL");
    expect(en(space.madvise(anonShared(space, P), P, M.MADV_FREE))).toBe("EINVAL");
  });

  test("044 errors", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.munmap(p + P, P);
    space.writeU8(p + 2 * P, 1);
    expect(en(space.madvise(p, 4 * P, M.MADV_DONTNEED))).toBe("ENOMEM");
    expect(space.readU8(p + 2 * P)).toBe(0);
    expect(en(space.madvise(p, P, 999))).toBe("EINVAL");
    expect(en(space.madvise(p + 1, P, M.MADV_NORMAL))).toBe("EINVAL");
    expect(en(space.madvise(p, 0, M.MADV_DONTNEED))).toBe("OK");
    expect(en(space.madvise(p, -1, M.MADV_DONTNEED))).toBe("EINVAL");
    expect(en(space.madvise(p, -P, M.MADV_DONTNEED))).toBe("EINVAL");
    space.mlock(p, P);
    expect(en(space.madvise(p, P, M.MADV_DONTNEED))).toBe("EINVAL");
    expect(en(space.madvise(p, P, M.MADV_COLD))).toBe("EINVAL");
    expect(en(space.madvise(p, P, M.MADV_PAGEOUT))).toBe("EINVAL");
    expect(en(space.madvise(p, P, M.MADV_DONTNEED_LOCKED))).toBe("OK");
    expect(en(space.madvise(p + 2 * P, P, M.MADV_REMOVE))).toBe("EINVAL");
    expect(en(space.madvise(p + 3 * P, 0, M.MADV_WILLNEED))).toBe("OK");
    expect(en(space.madvise(p + 2 * P, P, M.MADV_COLD))).toBe("OK");
    expect(en(space.madvise(p + 2 * P, P, M.MADV_PAGEOUT))).toBe("OK");
    expect(en(space.madvise(p, P, M.MADV_HWPOISON))).toBe("EINVAL");
    space.mm.checkInvariants();
  });

  test("045 MADV_REMOVE punches a hole", () => {
    const space = makeSpace();
    const p = anonShared(space, 3 * P);
    fill(space, p, 3 * P, 5);
    expect(en(space.madvise(p + P, P, M.MADV_REMOVE))).toBe("OK");
    expect([0, 1, 2].map((i) => space.readU8(p + i * P))).toEqual([5, 0, 5]);
    const f = new TestFile(space.mm, P);
    expect(en(space.madvise(map(space, 0, P, RW, M.MAP_PRIVATE, f), P, M.MADV_REMOVE))).toBe("EACCES");
    space.mm.checkInvariants();
  });

  test("046 MADV_WIPEONFORK and MADV_DONTFORK", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    fill(space, p, 3 * P, 5);
    expect(en(space.madvise(p, P, M.MADV_WIPEONFORK))).toBe("OK");
    expect(en(space.madvise(p + P, P, M.MADV_DONTFORK))).toBe("OK");
    expect(vmas(space, p, 3 * P)).toBe("[+0*1:rw-p:0 +1*1:rw-p:0 +2*1:rw-p:0]");
    const child = space.mm.forkSpace(space)!;
    expect(child.readU8(p)).toBe(0);
    expect(touch(child, p + P, false)).toBe(FAULT_SEGV_MAPERR);
    expect(child.readU8(p + 2 * P)).toBe(5);
    expect(vmas(child, p, 3 * P)).toBe("[+0*1:rw-p:0 +2*1:rw-p:0]");
    expect(child.totalPages).toBe(2);
    space.mm.checkInvariants();
    child.release();
    expect(space.readU8(p) + space.readU8(p + P)).toBe(10);
    space.madvise(p + P, P, M.MADV_DOFORK);
    space.madvise(p, P, M.MADV_KEEPONFORK);
    expect(vmas(space, p, 3 * P)).toBe("[+0*3:rw-p:0]");
    expect(en(space.madvise(anonShared(space, P), P, M.MADV_WIPEONFORK))).toBe("EINVAL");
  });

  test("047 populate", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    let { minor } = space.faults;
    expect(en(space.madvise(p, 4 * P, M.MADV_POPULATE_WRITE))).toBe("OK");
    expect(space.faults.minor - minor).toBe(4);
    minor = space.faults.minor;
    fill(space, p, 4 * P, 1);
    expect(space.faults.minor - minor).toBe(0);
    expect(en(space.madvise(anon(space, P, 0), P, M.MADV_POPULATE_READ))).toBe("EINVAL");
    expect(en(space.madvise(anon(space, P, M.PROT_READ), P, M.MADV_POPULATE_WRITE))).toBe("EINVAL");
    const f = new TestFile(space.mm, P);
    const e = map(space, 0, 2 * P, M.PROT_READ, M.MAP_SHARED, f);
    expect(en(space.madvise(e, 2 * P, M.MADV_POPULATE_READ))).toBe("EFAULT");
    space.munmap(p + P, P);
    expect(en(space.madvise(p, 4 * P, M.MADV_POPULATE_READ))).toBe("ENOMEM");
  });

  test("048 advice that changes nothing visible is accepted", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    for (const advice of [3, 1, 2, 0, 16, 17, 12, 13, 14, 15, 10, 11, 18, 19, 20, 21]) {
      expect(`${advice} ${en(space.madvise(p, P, advice))}`).toBe(`${advice} OK`);
    }
    expect(en(space.madvise(p, P, M.MADV_COLLAPSE))).toBe("EINVAL");
    const huge = anon(space, 2048 * P, M.PROT_READ);
    expect(en(space.madvise(huge, 2048 * P, M.MADV_COLLAPSE))).toBe("ENOMEM");
  });

  test("049 advice splits areas and shows in their flags", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    const flags = (at: number): string => vmFlagNames(space.areas.find(at)!.flags).join(" ");
    space.madvise(p + P, P, M.MADV_RANDOM);
    expect(vmas(space, p, 3 * P)).toBe("[+0*1:rw-p:0 +1*1:rw-p:0 +2*1:rw-p:0]");
    expect(flags(p)).toBe("rd wr mr mw me ac");
    expect(flags(p + P)).toBe("rd wr mr mw me rr ac");
    space.madvise(p + P, P, M.MADV_DONTDUMP);
    expect(flags(p + P)).toBe("rd wr mr mw me rr ac dd");
    space.madvise(p + P, P, M.MADV_DODUMP);
    space.madvise(p + P, P, M.MADV_NORMAL);
    expect(vmas(space, p, 3 * P)).toBe("[+0*3:rw-p:0]");
  });

  test("MADV_MERGEABLE is bit 31 and still merges", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    for (let i = 0; i < 3; i++) space.madvise(p + i * P, P, M.MADV_MERGEABLE);
    expect(vmas(space, p, 3 * P)).toBe("[+0*3:rw-p:0]");
    expect(vmFlagNames(space.areas.find(p)!.flags)).toContain("mg");
  });

  test("splitting past vm.max_map_count is EAGAIN", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    space.maxMapCount = space.areas.length + 1;
    expect(en(space.madvise(p, P, M.MADV_RANDOM))).toBe("OK");
    expect(en(space.madvise(p + P, P, M.MADV_SEQUENTIAL))).toBe("EAGAIN");
  });

  test("MADV_WILLNEED reads a file ahead, MADV_PAGEOUT swaps out", () => {
    const mm = makeMm(256, 64);
    const space = makeSpace(mm);
    const f = new TestFile(mm, 8 * P);
    const p = map(space, 0, 8 * P, M.PROT_READ, M.MAP_SHARED, f);
    space.madvise(p, 4 * P, M.MADV_WILLNEED);
    expect(f.object.pageCount).toBe(4);
    const q = anon(space, 4 * P);
    fill(space, q, 4 * P, 3);
    space.madvise(q, 4 * P, M.MADV_PAGEOUT);
    expect(space.counters.swapped).toBe(4);
    expect(space.readU8(q + 3 * P)).toBe(3);
    mm.checkInvariants();
  });

  test("098 names of areas", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    expect(en(space.setAreaName(p + P, P, "heap of mine"))).toBe("OK");
    expect(space.areas.find(p + P)!.anonName).toBe("heap of mine");
    expect(vmas(space, p, 3 * P)).toBe("[+0*1:rw-p:0 +1*1:rw-p:0 +2*1:rw-p:0]");
    expect(en(space.setAreaName(p + P, P, null))).toBe("OK");
    expect(vmas(space, p, 3 * P)).toBe("[+0*3:rw-p:0]");
    expect(en(space.setAreaName(p, P, "a[b"))).toBe("EINVAL");
    expect(en(space.setAreaName(p, P, "x".repeat(79)))).toBe("OK");
    expect(en(space.setAreaName(p, P, "x".repeat(80)))).toBe("EINVAL");
    const f = new TestFile(space.mm, P);
    expect(en(space.setAreaName(map(space, 0, P, RW, M.MAP_SHARED, f), P, "n"))).toBe("EBADF");
    expect(en(space.setAreaName(anonShared(space, P), P, "n"))).toBe("OK");
  });
});
