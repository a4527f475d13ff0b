// Placement, errors, splitting and merging of mmap and munmap. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { USER_END } from "../arch/sv39.ts";
import { MAX_MAP_COUNT } from "./address-space.ts";
import { anon, anonFixed, anonShared, en, fill, makeMm, makeSpace, map, P, RW, TestFile, vmas } from "./test-world.ts";

const ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const R = M.PROT_READ;

describe("mmap", () => {
  test("009 errors", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 4 * P);
    expect(en(map(space, 0, P, R, M.MAP_PRIVATE, f, 1))).toBe("EINVAL");
    expect(en(map(space, 0, 0, R, M.MAP_PRIVATE, f))).toBe("EINVAL");
    expect(en(map(space, 0, P, R, 0, f))).toBe("EINVAL");
    expect(en(map(space, 0, -(2 ** 63), R, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, -P, R, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, -1, R, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0x100001, P, R, ANON | M.MAP_FIXED))).toBe("EINVAL");
    expect(en(map(space, 0, 2 * P, R, M.MAP_PRIVATE, f, 0x7ffffffffffff000))).toBe("EOVERFLOW");
    expect(en(map(space, 0, P, R, M.MAP_PRIVATE | M.MAP_SHARED, f))).toBe("OK");
    expect(en(map(space, 0, P, R, M.MAP_SHARED_VALIDATE | 0x800000, f))).toBe("EOPNOTSUPP");
    expect(en(map(space, 0, P, RW, ANON, null, 8 * P))).toBe("OK");
    expect(en(map(space, -2 * P, P, RW, ANON | M.MAP_FIXED))).toBe("ENOMEM");
    expect(en(map(space, 0, P, RW, M.MAP_SHARED_VALIDATE | M.MAP_ANONYMOUS))).toBe("EINVAL");
    expect(en(map(space, 0, P, RW, M.MAP_SHARED | M.MAP_ANONYMOUS | M.MAP_GROWSDOWN))).toBe("EINVAL");
    expect(en(map(space, 0, P, RW, M.MAP_PRIVATE | M.MAP_GROWSDOWN, f))).toBe("EINVAL");
    space.mm.checkInvariants();
  });

  test("008 what the open file permits", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, P);
    expect(en(map(space, 0, P, RW, M.MAP_SHARED, f, 0, R))).toBe("EACCES");
    expect(en(map(space, 0, P, RW, M.MAP_PRIVATE, f, 0, R))).toBe("OK");
    expect(en(map(space, 0, P, R, M.MAP_PRIVATE, f, 0, M.PROT_WRITE))).toBe("EACCES");
    expect(en(map(space, 0, P, R | M.PROT_EXEC, M.MAP_PRIVATE, f, 0, R))).toBe("EPERM");
    const s = map(space, 0, P, R, M.MAP_SHARED, f, 0, R | M.PROT_EXEC);
    expect(en(space.mprotect(s, P, RW))).toBe("EACCES");
    expect(en(space.mprotect(s, P, R | M.PROT_EXEC))).toBe("OK");
    expect(vmas(space, s, P)).toBe("[+0*1:r-xs:0]");
    expect(f.object.writableMappings).toBe(0);
    const w = map(space, 0, P, R, M.MAP_SHARED, f);
    expect(f.object.writableMappings).toBe(1);
    space.munmap(w, P);
    expect(f.object.writableMappings).toBe(0);
    expect(f.references).toBe(2);
    space.release();
    expect(f.references).toBe(0);
    expect(f.object.mappers.size).toBe(0);
  });

  test("010 file offset and head unmap", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 8 * P);
    const p = map(space, 0, 2 * P, R, M.MAP_PRIVATE, f, 3 * P);
    expect(space.readU8(p)).toBe("d".charCodeAt(0));
    expect(space.readU8(p + P)).toBe("e".charCodeAt(0));
    expect(vmas(space, p, 2 * P)).toBe("[+0*2:r--p:3]");
    space.munmap(p, P);
    expect(vmas(space, p, 2 * P)).toBe("[+1*1:r--p:4]");
    space.mm.checkInvariants();
  });

  test("011 /dev/zero: a file name over anonymous memory", () => {
    const space = makeSpace();
    const zero = new TestFile(space.mm, 0);
    const request = { address: 0, length: P, prot: RW, object: null, file: zero, offset: 0, maxProt: 7 };
    const p = space.mmap({ ...request, flags: M.MAP_PRIVATE });
    const s = space.mmap({ ...request, flags: M.MAP_SHARED });
    expect(space.areas.find(p)!.file).toBe(zero);
    expect(space.areas.find(s)!.file!.name()).toBe("/dev/zero (deleted)");
    expect(space.writeU8(p, 5) && space.writeU8(s, 5)).toBe(true);
    expect(space.areas.find(s)!.object!.pageCount).toBe(1);
  });

  test("022 fixed neighbours merge, also after the first was written", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P, 0);
    space.munmap(p, 4 * P);
    anonFixed(space, p, P);
    anonFixed(space, p + P, P);
    expect(vmas(space, p, 4 * P)).toBe("[+0*2:rw-p:0]");
    fill(space, p, 1, 1);
    anonFixed(space, p + 2 * P, P);
    expect(vmas(space, p, 4 * P)).toBe("[+0*3:rw-p:0]");
  });

  test("023 a fixed mapping over the middle drops pages and merges", () => {
    const space = makeSpace();
    const p = anon(space, 5 * P);
    fill(space, p, 5 * P, 7);
    anonFixed(space, p + P, 3 * P);
    expect([0, 1, 2, 3, 4].map((i) => space.readU8(p + i * P))).toEqual([7, 0, 0, 0, 7]);
    expect(vmas(space, p, 5 * P)).toBe("[+0*5:rw-p:0]");
    space.mm.checkInvariants();
  });

  test("024 MAP_FIXED_NOREPLACE", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.munmap(p + P, P);
    const fixed = (at: number, length: number) => map(space, at, length, RW, ANON | M.MAP_FIXED_NOREPLACE);
    expect(en(fixed(p, P))).toBe("EEXIST");
    expect(en(fixed(p, 2 * P))).toBe("EEXIST");
    expect(fixed(p + P, P)).toBe(p + P);
  });

  test("025 munmap: holes, errors, rounding", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.munmap(p + P, P);
    expect(en(space.munmap(p, 4 * P))).toBe("OK");
    expect(en(space.munmap(p + 1, P))).toBe("EINVAL");
    expect(en(space.munmap(p, 0))).toBe("EINVAL");
    expect(en(space.munmap(p, 4 * P))).toBe("OK");
    const q = anon(space, 2 * P);
    expect(en(space.munmap(q, 1))).toBe("OK");
    expect(vmas(space, q, 2 * P)).toBe("[+1*1:rw-p:0]");
    expect(en(space.munmap(-P, P))).toBe("EINVAL");
    expect(en(space.munmap(USER_END - P, P))).toBe("OK");
    expect(en(space.munmap(USER_END - P, P + 1))).toBe("EINVAL");
  });

  test("029 placement: top-down, holes, hints", () => {
    const space = makeSpace();
    const a = anon(space, P);
    const b = anon(space, P);
    expect(a - b).toBe(P);
    space.munmap(a, P);
    expect(anon(space, P)).toBe(a);
    const r = anon(space, 256 * P, 0);
    space.munmap(r, 256 * P);
    expect(map(space, r + 64 * P, P, RW, ANON)).toBe(r + 64 * P);
    expect(map(space, r + 64 * P, P, RW, ANON)).not.toBe(r + 64 * P);
    expect(map(space, r + 100 * P + 5, P, RW, ANON)).toBe(r + 100 * P);
  });

  test("029 a space without room above falls back to the bottom", () => {
    const space = makeSpace();
    space.layout.mmapBase = 64 * P;
    const low = anon(space, 32 * P);
    expect(low).toBe(32 * P);
    expect(anon(space, 32 * P)).toBe(Math.ceil(USER_END / 3 / P) * P);
  });

  test("030 mmap_min_addr", () => {
    const space = makeSpace();
    expect(en(anonFixed(space, 0, P))).toBe("OK");
    expect(space.areas.find(0)).not.toBe(null);
    space.limits.mayMapLow = false;
    expect(en(anonFixed(space, 0, P))).toBe("EPERM");
    expect(en(anonFixed(space, 4096 - P, P))).toBe("EPERM");
    expect(en(anonFixed(space, 4096, P))).toBe("OK");
    expect(map(space, 1, P, RW, ANON)).toBeGreaterThan(4096);
    expect(map(space, 2 * P, P, RW, ANON)).toBeGreaterThanOrEqual(4096);
  });

  test("031 shared anonymous memory splits and merges with its offsets", () => {
    const space = makeSpace();
    const p = anonShared(space, 4 * P);
    expect(vmas(space, p, 4 * P)).toBe("[+0*4:rw-s:0]");
    space.mprotect(p + P, P, R);
    expect(vmas(space, p, 4 * P)).toBe("[+0*1:rw-s:0 +1*1:r--s:1 +2*2:rw-s:2]");
    space.mprotect(p + P, P, RW);
    expect(vmas(space, p, 4 * P)).toBe("[+0*4:rw-s:0]");
    const { object } = space.areas.find(p)!;
    expect(object!.mappers.size).toBe(1);
    space.munmap(p, 4 * P);
    expect(space.mm.objects.size).toBe(0);
  });

  test("032 a large reservation costs nothing", () => {
    const space = makeSpace();
    const r = map(space, 0, 2 ** 36, 0, ANON | M.MAP_NORESERVE);
    expect(r).toBeGreaterThan(0);
    const { totalPages, dataPages } = space;
    space.mprotect(r + 2 ** 35, 1 << 20, RW);
    fill(space, r + 2 ** 35, 1, 1);
    expect(space.totalPages - totalPages).toBe(0);
    expect(space.dataPages - dataPages).toBe(256);
    expect(space.statistics(space.areas.find(r + 2 ** 35)!).rss).toBe(1);
    expect(space.mm.commit.committedPages).toBe(0);
    space.mm.checkInvariants();
  });

  test("033 vm.max_map_count", () => {
    const space = makeSpace();
    space.maxMapCount = 200;
    const base = anon(space, 2000 * P, 0);
    let n = 0;
    while (space.mprotect(base + n * P, P, R) === 0) n += 2;
    expect(en(space.mprotect(base + n * P, P, R))).toBe("ENOMEM");
    expect(space.areas.length).toBe(200);
    expect(en(space.munmap(base + 1000 * P, P))).toBe("ENOMEM");
    expect(en(anonFixed(space, base + 1000 * P, P))).toBe("ENOMEM");
    expect(space.areas.length).toBe(200);
    // A new area may still be made (do_mmap asks for > max), then no more.
    expect(en(anonFixed(space, base - 10 * P, P))).toBe("OK");
    expect(en(anonFixed(space, base - 20 * P, P))).toBe("ENOMEM");
    expect(en(space.munmap(base, 3 * P))).toBe("OK");
    expect(MAX_MAP_COUNT).toBe(65530);
  });

  test("104 the highest hole is filled first", () => {
    const space = makeSpace();
    const p = anon(space, 8 * P);
    fill(space, p, 8 * P, 1);
    for (let i = 0; i < 8; i += 2) space.munmap(p + i * P, P);
    expect(vmas(space, p, 8 * P)).toBe("[+1*1:rw-p:0 +3*1:rw-p:0 +5*1:rw-p:0 +7*1:rw-p:0]");
    expect(anon(space, P)).toBe(p + 6 * P);
    space.mm.checkInvariants();
  });

  test("109 file areas merge when file, offset and protection continue", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 4 * P);
    const p = anon(space, 4 * P, 0);
    const at = (page: number, offset: number) =>
      map(space, p + page * P, P, R, M.MAP_SHARED | M.MAP_FIXED, f, offset * P);
    at(0, 0);
    at(1, 1);
    at(2, 2);
    expect(vmas(space, p, 4 * P)).toBe("[+0*3:r--s:0 +3*1:---p:0]");
    at(1, 3);
    expect(vmas(space, p, 4 * P)).toBe("[+0*1:r--s:0 +1*1:r--s:3 +2*1:r--s:2 +3*1:---p:0]");
    expect(f.references).toBe(3);
    expect(f.object.mappers.size).toBe(3);
    space.mm.checkInvariants();
  });

  test("a file that counts its areas keeps them apart", () => {
    const space = makeSpace();
    const f = new (class extends TestFile {
      readonly countsAreas = true;
    })(space.mm, 3 * P);
    const p = map(space, 0, 3 * P, RW, M.MAP_SHARED, f);
    space.mprotect(p + P, P, R);
    space.mprotect(p + P, P, RW);
    expect(f.references).toBe(3);
  });

  test("MAP_POPULATE and MAP_LOCKED bring pages in", () => {
    const space = makeSpace();
    const p = map(space, 0, 4 * P, RW, ANON | M.MAP_POPULATE);
    expect(space.counters.anonymous).toBe(4);
    const { minor } = space.faults;
    fill(space, p, 4 * P, 1);
    expect(space.faults.minor).toBe(minor);
    map(space, 0, 2 * P, RW, ANON | M.MAP_LOCKED);
    expect(space.lockedPages).toBe(2);
    expect(space.counters.anonymous).toBe(6);
  });

  test("087 heuristic overcommit refuses only what could never fit", () => {
    const mm = makeMm(256, 100);
    const space = makeSpace(mm);
    expect(en(map(space, 0, 2 ** 46, RW, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, 2 ** 37, RW, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, 2 ** 37, RW, ANON | M.MAP_NORESERVE))).toBe("OK");
    expect(en(map(space, 0, 357 * P, RW, ANON))).toBe("ENOMEM");
    const p = map(space, 0, 356 * P, RW, ANON);
    expect(en(p)).toBe("OK");
    expect(mm.commit.committedPages).toBe(356);
    expect(en(map(space, 0, 356 * P, RW, ANON))).toBe("OK");
    space.munmap(p, 356 * P);
    expect(mm.commit.committedPages).toBe(356);
  });

  test("strict overcommit: swap and a share of RAM bound what is promised, to the page", () => {
    const mm = makeMm(256, 100, { overcommit: "never", overcommitRatio: 50 });
    const space = makeSpace(mm);
    expect(mm.commit.limitPages).toBe(228);
    expect(en(map(space, 0, 229 * P, RW, ANON))).toBe("ENOMEM");
    const p = map(space, 0, 200 * P, RW, ANON | M.MAP_NORESERVE);
    expect(mm.commit.committedPages).toBe(200);
    expect(en(anonShared(space, 29 * P))).toBe("ENOMEM");
    const s = anonShared(space, 28 * P);
    expect(en(s)).toBe("OK");
    expect(en(map(space, 0, P, R, ANON))).toBe("OK");
    expect(en(map(space, 0, P, RW, ANON))).toBe("ENOMEM");
    // Replacing accounted memory needs only the difference.
    expect(en(anonFixed(space, p, 200 * P))).toBe("OK");
    expect(mm.commit.committedPages).toBe(228);
    space.munmap(s, 28 * P);
    expect(en(space.mremap(p, 200 * P, 229 * P, M.MREMAP_MAYMOVE, 0))).toBe("ENOMEM");
    expect(en(space.mremap(p, 200 * P, 228 * P, M.MREMAP_MAYMOVE, 0))).toBe("OK");
    const child = mm.forkSpace(space);
    expect(child).toBe(null);
    expect(mm.commit.committedPages).toBe(228);
    space.release();
    expect(mm.commit.committedPages).toBe(0);
  });
});
