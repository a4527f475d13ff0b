// mremap and remap_file_pages. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { FAULT_BUS_ADRERR, FAULT_SEGV_MAPERR } from "./contracts.ts";
import { anon, anonShared, en, fill, makeMm, makeSpace, map, P, RW, TestFile, touch, vmas } from "./test-world.ts";

const MAY = M.MREMAP_MAYMOVE;

describe("mremap", () => {
  test("050 grow keeps data, the new part is zero, shrink unmaps", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    space.writeU32(p, 0x1234);
    const q = space.mremap(p, 2 * P, 10 * P, MAY, 0);
    expect(space.readU32(q)).toBe(0x1234);
    expect(space.readU8(q + 9 * P)).toBe(0);
    expect(space.mremap(q, 10 * P, P, 0, 0)).toBe(q);
    expect(touch(space, q + P, false)).toBe(FAULT_SEGV_MAPERR);
    expect(space.totalPages).toBe(1);
    expect(space.mm.commit.committedPages).toBe(1);
    space.mm.checkInvariants();
  });

  test("051 errors", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.munmap(p + P, P);
    const re = (at: number, old: number, now: number, flags: number, to = 0) =>
      en(space.mremap(at, old, now, flags, to));
    expect(re(p, P, 2 * P, 0)).toBe("OK");
    expect(vmas(space, p, 4 * P)).toBe("[+0*4:rw-p:0]");
    expect(re(p, 2 * P, 3 * P, 0)).toBe("ENOMEM");
    expect(re(p + 1, P, P, 0)).toBe("EINVAL");
    expect(re(p, P, 0, 0)).toBe("EINVAL");
    expect(re(p, 0, P, MAY)).toBe("EINVAL");
    const h = anon(space, 64 * P, 0);
    space.munmap(h + 16 * P, 32 * P);
    expect(re(h + 32 * P, P, 2 * P, MAY)).toBe("EFAULT");
    expect(re(p, P, P, 64)).toBe("EINVAL");
    expect(re(p, P, P, M.MREMAP_FIXED, h + 20 * P)).toBe("EINVAL");
    expect(re(p, 2 * P, 2 * P, MAY | M.MREMAP_FIXED, p + P)).toBe("EINVAL");
    expect(re(p + 2 * P, 3 * P, 4 * P, MAY)).toBe("EFAULT");
    expect(re(p, P, 2 * P, MAY | M.MREMAP_FIXED, h + 1)).toBe("EINVAL");
    expect(re(p, P, 2 * P, MAY | M.MREMAP_FIXED, -P)).toBe("EINVAL");
    expect(re(p, P, -P, MAY)).toBe("ENOMEM");
  });

  test("052 MREMAP_FIXED replaces its target", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    const d = anon(space, 4 * P);
    fill(space, p, 1, 109);
    fill(space, d, 4 * P, 8);
    expect(space.mremap(p, 2 * P, 2 * P, MAY | M.MREMAP_FIXED, d + P)).toBe(d + P);
    expect([0, 1, 2, 3].map((i) => space.readU8(d + i * P))).toEqual([8, 109, 0, 8]);
    expect(touch(space, p, false)).toBe(FAULT_SEGV_MAPERR);
    expect(vmas(space, d, 4 * P)).toBe("[+0*1:rw-p:0 +1*2:rw-p:0 +3*1:rw-p:0]");
    expect(space.totalPages).toBe(4);
    space.mm.checkInvariants();
  });

  test("053 MREMAP_DONTUNMAP leaves an empty area", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    fill(space, p, 1, 100);
    const q = space.mremap(p, 2 * P, 2 * P, MAY | M.MREMAP_DONTUNMAP, 0);
    expect(space.readU8(q)).toBe(100);
    expect(space.readU8(p)).toBe(0);
    expect(vmas(space, p, 2 * P)).toBe("[+0*2:rw-p:0]");
    expect(en(space.mremap(q, 2 * P, 4 * P, MAY | M.MREMAP_DONTUNMAP, 0))).toBe("EINVAL");
    expect(en(space.mremap(q, 2 * P, 2 * P, M.MREMAP_DONTUNMAP, 0))).toBe("EINVAL");
    expect(space.mm.commit.committedPages).toBe(4);
    expect(space.totalPages).toBe(4);
    space.mm.checkInvariants();
  });

  test("054 old length 0 duplicates a shared mapping", () => {
    const space = makeSpace();
    const p = anonShared(space, 2 * P);
    fill(space, p, 1, 100);
    const q = space.mremap(p, 0, 2 * P, MAY, 0);
    expect(space.readU8(q)).toBe(100);
    space.writeU8(q, 68);
    expect(space.readU8(p)).toBe(68);
  });

  test("055 a grown file mapping shows the next pages and SIGBUS past the end", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 4 * P);
    const p = map(space, 0, P, RW, M.MAP_SHARED, f, P);
    const q = space.mremap(p, P, 4 * P, MAY, 0);
    expect([0, 1, 2].map((i) => String.fromCharCode(space.readU8(q + i * P))).join("")).toBe("bcd");
    expect(touch(space, q + 3 * P, false)).toBe(FAULT_BUS_ADRERR);
    expect(vmas(space, q, 4 * P)).toBe("[+0*4:rw-s:1]");
    expect(f.references).toBe(1);
  });

  test("056 one area at a time", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.mprotect(p + P, P, M.PROT_READ);
    expect(en(space.mremap(p, 4 * P, 8 * P, MAY, 0))).toBe("EFAULT");
    const q = anon(space, 3 * P);
    space.mremap(q + P, P, P, MAY | M.MREMAP_FIXED, q + 5 * P);
    expect(vmas(space, q, 3 * P)).toBe("[+0*1:rw-p:0 +2*1:rw-p:0]");
    space.mm.checkInvariants();
  });

  test("moved pages survive swapping, and a full machine moves nothing", () => {
    const mm = makeMm(64, 256);
    const space = makeSpace(mm);
    const p = anon(space, 80 * P);
    for (let i = 0; i < 80; i++) space.writeU32(p + i * P, i + 1);
    const q = space.mremap(p, 80 * P, 81 * P, MAY | M.MREMAP_FIXED, 0x10_0000_0000);
    expect(q).toBe(0x10_0000_0000);
    for (let i = 0; i < 80; i++) expect(space.readU32(q + i * P)).toBe(i + 1);
    expect(space.readU32(q + 80 * P)).toBe(0);
    mm.checkInvariants();
    space.release();
    mm.checkInvariants();
    expect(mm.swap.usedCount).toBe(0);
  });

  test("locked memory moves locked", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    space.mlock(p, 2 * P);
    const q = space.mremap(p, 2 * P, 4 * P, MAY, 0);
    expect(space.lockedPages).toBe(4);
    expect(space.counters.anonymous).toBe(4);
    space.munmap(q, 4 * P);
    expect(space.lockedPages).toBe(0);
    space.mm.checkInvariants();
  });

  test("103 remap_file_pages", () => {
    const space = makeSpace();
    expect(en(space.remapFilePages(0, P, 0, 0, 0))).toBe("EINVAL");
    const f = new TestFile(space.mm, 4 * P);
    const p = map(space, 0, 4 * P, RW, M.MAP_SHARED, f);
    expect(en(space.remapFilePages(p, P, 0, 2, 0))).toBe("OK");
    expect(String.fromCharCode(space.readU8(p), space.readU8(p + P))).toBe("cb");
    expect(vmas(space, p, 4 * P)).toBe("[+0*1:rw-s:2 +1*3:rw-s:1]");
    expect(en(space.remapFilePages(p, P, 1, 2, 0))).toBe("EINVAL");
    expect(en(space.remapFilePages(anon(space, P), P, 0, 0, 0))).toBe("EINVAL");
  });
});
