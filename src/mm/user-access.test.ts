// The kernel's access to user memory: copies that stop at the faulting byte, words across pages, strings, forced access.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import { USER_END } from "../arch/sv39.ts";
import { BytesCursor, UserCursor } from "./io-cursor.ts";
import { anon, anonShared, fill, makeMm, makeSpace, map, P, pm, TestFile, vmas } from "./test-world.ts";

const EFAULT = -14;
const ENAMETOOLONG = -36;
const text = (s: string): Uint8Array => Uint8Array.from(s, (c) => c.charCodeAt(0));

describe("user access", () => {
  test("copies stop exactly at the byte that faults", () => {
    const space = makeSpace();
    const p = anon(space, 3 * P);
    space.munmap(p + P, P);
    const bytes = new Uint8Array(2 * P).fill(5);
    expect(space.copyOut(p, bytes)).toBe(P);
    expect(space.copyOut(p + P, bytes)).toBe(0);
    expect(space.copyOut(p + 10, bytes, 3, 10)).toBe(7);
    expect(space.copyIn(p + P - 10, bytes, 0, 20)).toBe(10);
    expect(space.copyIn(-8, bytes)).toBe(0);
    expect(space.copyIn(USER_END - 4, bytes)).toBe(0);
    expect(space.clear(p + P - 3, 10)).toBe(3);
    expect(space.readU8(p + P - 1)).toBe(0);
    space.mprotect(p, P, M.PROT_READ);
    expect(space.copyOut(p, bytes)).toBe(0);
    space.mprotect(p, P, 0);
    expect(space.copyIn(p, bytes)).toBe(0);
  });

  test("words of every size, aligned or across pages", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    for (const at of [p, p + 1, p + P - 1, p + P - 2, p + P - 3, p + P - 7]) {
      expect(space.writeU64(at, 0x1234_5678_9abc)).toBe(true);
      expect(space.readU64(at)).toBe(0x1234_5678_9abc);
      expect(space.writeU32(at, 0xfedcba98)).toBe(true);
      expect(space.readU32(at)).toBe(0xfedcba98);
      expect(space.writeU16(at, 0xbeef)).toBe(true);
      expect(space.readU16(at)).toBe(0xbeef);
    }
    space.writeU64(p, -2);
    expect([space.readU32(p), space.readU32(p + 4)]).toEqual([0xfffffffe, 0xffffffff]);
    const end = p + 2 * P;
    expect(space.readU64(end - 4)).toBeNaN();
    expect(space.readU32(end - 2)).toBe(-1);
    expect(space.readU8(end)).toBe(-1);
    expect(space.writeU32(end - 2, 1)).toBe(false);
    expect(space.writeU8(p - P, 1)).toBe(false);
  });

  test("strings", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    space.copyOut(p + P - 3, text("abcdef\0"));
    expect(space.readString(p + P - 3, 100)).toEqual(text("abcdef"));
    expect(space.readString(p + P - 3, 7)).toEqual(text("abcdef"));
    expect(space.readString(p + P - 3, 6)).toBe(ENAMETOOLONG);
    expect(space.readString(p, 1)).toEqual(text(""));
    fill(space, p + 2 * P - 4, 4, 97);
    expect(space.readString(p + 2 * P - 4, 100)).toBe(EFAULT);
    expect(space.readString(p + 2 * P - 4, 4)).toBe(ENAMETOOLONG);
    const s = space.readString(p + P - 3, 100) as Uint8Array;
    space.writeU8(p + P - 3, 1);
    expect(s[0]).toBe(97);
  });

  test("cursors over several buffers, the last of which faults", () => {
    const space = makeSpace();
    const p = anon(space, 2 * P);
    const io = new UserCursor(space, [
      { base: p, length: 3 },
      { base: p + 50, length: 0 },
      { base: p + 100, length: 2 },
      { base: p - 8 * P, length: 4 },
    ]);
    expect(io.remaining).toBe(9);
    expect(io.put(text("0123456789"), 1, 9)).toBe(5);
    expect(io.remaining).toBe(4);
    expect([p, p + 1, p + 2, p + 100, p + 101].map((a) => space.readU8(a) - 48)).toEqual([1, 2, 3, 4, 5]);
    const kernel = new BytesCursor(new Uint8Array(4), 1, 3);
    expect(kernel.put(text("abcd"), 0, 4)).toBe(2);
    expect(kernel.remaining).toBe(0);
    expect(new BytesCursor(text("abcd"), 1).take(new Uint8Array(8), 2, 8)).toBe(3);
  });

  test("018 a file's read and write see user memory that must be faulted in", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 3 * P);
    const p = anon(space, P);
    expect(f.object.read(new UserCursor(space, [{ base: p, length: 2 * P }]), 0)).toBe(P);
    expect(space.readU8(p)).toBe(97);
    expect(f.object.write(new UserCursor(space, [{ base: p, length: 2 * P }]), P)).toBe(P);
    const m = map(space, 0, 3 * P, M.PROT_READ, M.MAP_SHARED, f);
    expect(space.readU8(m + P)).toBe(97);
    expect(space.readU8(m + 2 * P)).toBe(99);
  });

  test("compare and exchange", () => {
    const space = makeSpace();
    const p = anon(space, P);
    expect(space.compareExchangeU32(p, 0, 0xffffffff)).toBe(0);
    expect(space.compareExchangeU32(p, -1, 5)).toBe(0xffffffff);
    expect(space.compareExchangeU32(p, 4, 6)).toBe(5);
    expect(space.readU32(p)).toBe(5);
    expect(space.compareExchangeU32(p + P, 0, 1)).toBe(-1);
  });

  test("097 forced writes copy read-only private pages; shared and absent ones refuse", () => {
    const space = makeSpace();
    const ro = anon(space, P, M.PROT_READ);
    space.readU8(ro);
    expect(space.accessRemote(ro, text("W"), true)).toBe(1);
    expect(space.readU8(ro)).toBe(87);
    expect(space.writeU8(ro, 1)).toBe(false);
    expect(space.accessRemote(ro, text("W"), true, false)).toBe(0);
    const none = anon(space, P, 0);
    const one = new Uint8Array(1);
    expect(space.accessRemote(none, one, false)).toBe(1);
    expect(space.accessRemote(none, text("N"), true)).toBe(1);
    expect(space.accessRemote(none, one, false)).toBe(1);
    expect(one[0]).toBe(78);
    expect(space.readU8(none)).toBe(-1);
    const f = new TestFile(space.mm, P);
    const s = map(space, 0, P, M.PROT_READ, M.MAP_SHARED, f);
    expect(space.accessRemote(s, text("W"), true)).toBe(0);
    const text1 = map(space, 0, P, M.PROT_READ, M.MAP_PRIVATE, f);
    expect(space.accessRemote(text1, text("B"), true)).toBe(1);
    expect(space.readU8(text1)).toBe(66);
    expect(space.readU8(s)).toBe(97);
    expect(pm(space, text1)).toBe("P--X");
    expect(space.accessRemote(64, one, false)).toBe(0);
    expect(space.accessRemote(ro + P - 1, new Uint8Array(2), false)).toBeGreaterThanOrEqual(1);
    expect(vmas(space, ro, P)).toBe("[+0*1:r--p:0]");
    space.mm.checkInvariants();
  });

  test("frame keys match across spaces only for shared memory", () => {
    const space = makeSpace();
    const s = anonShared(space, 2 * P);
    const a = anon(space, P);
    const child = space.mm.forkSpace(space)!;
    const key = space.frameKey(s + P + 4);
    expect(key).toEqual(child.frameKey(s + P + 4));
    expect("object" in key && key.index).toBe(1);
    expect(space.frameKey(a)).toEqual({ space, vpn: a / P });
    expect(child.frameKey(a)).toEqual({ space: child, vpn: a / P });
  });

  test("copies far larger than memory go through swap and back", () => {
    const mm = makeMm(64, 600);
    const space = makeSpace(mm);
    const p = anon(space, 300 * P);
    const source = new Uint8Array(300 * P);
    for (let i = 0; i < source.length; i += 97) source[i] = i * 31;
    expect(space.copyOut(p, source)).toBe(source.length);
    const back = new Uint8Array(source.length);
    expect(space.copyIn(p, back)).toBe(back.length);
    expect(back.every((byte, i) => byte === source[i])).toBe(true);
    mm.checkInvariants();
  });
});
