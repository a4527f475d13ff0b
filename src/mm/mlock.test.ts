// mlock and its limits. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { anon, en, fill, makeMm, makeSpace, map, P, RW, TestFile, vmas } from "./test-world.ts";
import { vmFlagNames } from "./vma.ts";

const ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;

describe("mlock", () => {
  test("074 rounds, splits, populates; munlock keeps the written page's area apart", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    expect(en(space.mlock(p + 5, 10))).toBe("OK");
    const s = space.statistics(space.areas.find(p)!);
    expect([s.locked, s.rss]).toEqual([1, 1]);
    expect(vmas(space, p, 2 * P)).toBe("[+0*1:rw-p:0 +1*1:rw-p:0]");
    expect(vmFlagNames(space.areas.find(p)!.flags).join(" ")).toBe("rd wr mr mw me lo ac");
    space.munlock(p, P);
    expect(space.statistics(space.areas.find(p)!).locked).toBe(0);
    expect(vmas(space, p, 2 * P)).toBe("[+0*1:rw-p:0 +1*1:rw-p:0]");
    space.munmap(p + P, P);
    expect(en(space.mlock(p, 2 * P))).toBe("ENOMEM");
    expect(en(space.mlock(-P, 2 * P))).toBe("EINVAL");
    expect(en(space.mlock(anon(space, P, 0), P))).toBe("ENOMEM");
    const h = anon(space, 64 * P, 0);
    space.munmap(h + 16 * P, 32 * P);
    expect(en(space.munlock(h + 32 * P, P))).toBe("ENOMEM");
    expect(en(space.mlock(p, 0))).toBe("OK");
    expect(en(space.mlock(-P, P))).toBe("EINVAL");
    expect(en(space.mlock(-2 * P, P))).toBe("ENOMEM");
    space.mm.checkInvariants();
  });

  test("075 RLIMIT_MEMLOCK, to the page", () => {
    const space = makeSpace();
    space.limits.mayLock = false;
    space.limits.memlock = P;
    const p = anon(space, 4 * P);
    expect(en(space.mlock(p, P))).toBe("OK");
    expect(en(space.mlock(p, P))).toBe("OK");
    expect(en(space.mlock(p + P, P))).toBe("ENOMEM");
    expect(en(map(space, 0, 2 * P, RW, ANON | M.MAP_LOCKED))).toBe("EAGAIN");
    expect(en(space.mlockall(M.MCL_CURRENT))).toBe("ENOMEM");
    space.limits.memlock = 2 * P + 4095;
    expect(en(space.mlock(p, 2 * P))).toBe("OK");
    expect(en(space.mlock(p, 3 * P))).toBe("ENOMEM");
    space.limits.memlock = 0;
    space.munlock(p, 4 * P);
    expect(en(space.mlock(p, P))).toBe("EPERM");
    expect(en(space.mlockall(M.MCL_CURRENT))).toBe("EPERM");
    expect(en(map(space, 0, P, RW, ANON | M.MAP_LOCKED))).toBe("EPERM");
    space.limits.mayLock = true;
    expect(en(space.mlock(p, 4 * P))).toBe("OK");
    expect(space.lockedPages).toBe(4);
  });

  test("076 mlockall and MLOCK_ONFAULT", () => {
    const space = makeSpace();
    expect(en(space.mlockall(0))).toBe("EINVAL");
    expect(en(space.mlockall(M.MCL_ONFAULT))).toBe("EINVAL");
    expect(en(space.mlockall(8))).toBe("EINVAL");
    space.mlockall(M.MCL_FUTURE);
    const p = anon(space, 2 * P);
    let s = space.statistics(space.areas.find(p)!);
    expect([s.rss, s.locked]).toEqual([2, 2]);
    space.munlockall();
    expect(space.statistics(space.areas.find(p)!).locked).toBe(0);
    const q = anon(space, 2 * P);
    expect(en(space.mlock(q, 2 * P, true))).toBe("OK");
    s = space.statistics(space.areas.find(q)!);
    expect([s.rss, s.locked]).toEqual([0, 0]);
    expect(vmFlagNames(space.areas.find(q)!.flags).join(" ")).toBe("rd wr mr mw me lo lf ac");
    space.writeU8(q, 1);
    expect(space.statistics(space.areas.find(q)!).locked).toBe(1);
    expect(en(space.mlockall(M.MCL_CURRENT))).toBe("OK");
    expect(space.lockedPages).toBe(4);
    expect(space.counters.anonymous).toBe(4);
    space.mm.checkInvariants();
  });

  test("066 locks are not inherited", () => {
    const space = makeSpace();
    const p = anon(space, P);
    space.mlock(p, P);
    space.mlockall(M.MCL_FUTURE);
    const child = space.mm.forkSpace(space)!;
    expect([space.lockedPages, child.lockedPages, child.defaultFlags]).toEqual([1, 0, 0]);
    expect(vmFlagNames(child.areas.find(p)!.flags)).not.toContain("lo");
    space.mm.checkInvariants();
  });

  test("locked pages stay while everything else is swapped out; unlocked they go", () => {
    const mm = makeMm(64, 512);
    const space = makeSpace(mm);
    const p = anon(space, 8 * P);
    fill(space, p, 8 * P, 7);
    space.mlock(p, 8 * P);
    const q = anon(space, 100 * P);
    fill(space, q, 100 * P, 8);
    expect(space.statistics(space.areas.find(p)!).rss).toBe(8);
    mm.checkInvariants();
    space.munlock(p, 8 * P);
    fill(space, q, 100 * P, 9);
    expect(space.statistics(space.areas.find(p)!).rss).toBeLessThan(8);
    expect(space.readU8(p + 7 * P)).toBe(7);
    mm.checkInvariants();
  });

  test("013 msync", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 2 * P);
    const p = map(space, 0, 2 * P, RW, M.MAP_SHARED, f);
    const ms = (at: number, length: number, flags: number) => en(space.msync(at, length, flags));
    expect(ms(p + 1, P, M.MS_SYNC)).toBe("EINVAL");
    expect(ms(p, P, M.MS_SYNC | M.MS_ASYNC)).toBe("EINVAL");
    expect(ms(p, P, 0)).toBe("OK");
    expect(ms(p, P, M.MS_INVALIDATE)).toBe("OK");
    expect(ms(p, P, 64)).toBe("EINVAL");
    expect(ms(p, 0, M.MS_SYNC)).toBe("OK");
    space.writeU8(p + 5, 120);
    expect(f.bytes[5]).toBe(97);
    expect(ms(p, P, M.MS_SYNC)).toBe("OK");
    expect(f.bytes[5]).toBe(120);
    space.munmap(p + P, P);
    space.writeU8(p + 6, 121);
    expect(ms(p, 2 * P, M.MS_SYNC)).toBe("ENOMEM");
    expect(f.bytes[6]).toBe(121);
    expect(ms(anon(space, P), P, M.MS_SYNC)).toBe("OK");
    const l = map(space, 0, P, RW, M.MAP_SHARED, f);
    space.mlock(l, P);
    expect(ms(l, P, M.MS_INVALIDATE)).toBe("EBUSY");
    expect(ms(-P, P, 0)).toBe("ENOMEM");
  });
});
