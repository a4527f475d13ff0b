// mprotect: errors, splits, merges, accounting. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_READ as R,
} from "../abi/mman.ts";
import { FAULT_SEGV_ACCERR } from "./contracts.ts";
import { anon, anonShared, en, fill, makeSpace, map, P, RW, TestFile, touch, vmas } from "./test-world.ts";
import { vmFlagNames } from "./vma.ts";

const flagsAt = (space: ReturnType<typeof makeSpace>, at: number): string =>
  vmFlagNames(space.areas.find(at)!.flags).join(" ");

describe("mprotect", () => {
  test("020 the middle splits off and merges back", () => {
    const space = makeSpace();
    const p = anon(space, 5 * P);
    expect(vmas(space, p, 5 * P)).toBe("[+0*5:rw-p:0]");
    space.mprotect(p + 2 * P, P, R);
    expect(vmas(space, p, 5 * P)).toBe("[+0*2:rw-p:0 +2*1:r--p:0 +3*2:rw-p:0]");
    space.mprotect(p + 2 * P, P, RW);
    expect(vmas(space, p, 5 * P)).toBe("[+0*5:rw-p:0]");
    expect(space.mm.commit.committedPages).toBe(5);
  });

  test("021 carving a reservation: private pages keep areas apart", () => {
    const space = makeSpace();
    const p = anon(space, 6 * P, 0);
    const before = space.areas.length;
    space.mprotect(p + P, P, RW);
    space.mprotect(p + 3 * P, P, RW);
    expect(space.areas.length - before).toBe(4);
    space.mprotect(p + 2 * P, P, RW);
    expect(space.areas.length - before).toBe(2);
    expect(vmas(space, p, 6 * P)).toBe("[+0*1:---p:0 +1*3:rw-p:0 +4*2:---p:0]");
    fill(space, p + P, 3 * P, 1);
    space.mprotect(p, 6 * P, 0);
    expect(vmas(space, p, 6 * P)).toBe("[+0*1:---p:0 +1*3:---p:0 +4*2:---p:0]");
    expect(space.mm.commit.committedPages).toBe(3);
    space.mm.checkInvariants();
  });

  test("026 a hole: what lies before it is changed", () => {
    const space = makeSpace();
    const p = anon(space, 4 * P);
    space.munmap(p + 2 * P, P);
    fill(space, p, P, 3);
    expect(en(space.mprotect(p, 4 * P, R))).toBe("ENOMEM");
    expect(vmas(space, p, 4 * P)).toBe("[+0*2:r--p:0 +3*1:rw-p:0]");
    expect(en(space.mprotect(p + 1, P, RW))).toBe("EINVAL");
    expect(en(space.mprotect(p, 0, RW))).toBe("OK");
    expect(en(space.mprotect(p, P, 0x80))).toBe("EINVAL");
    expect(en(space.mprotect(p, P, RW | PROT_GROWSDOWN))).toBe("EINVAL");
    expect(en(space.mprotect(p, P, RW | PROT_GROWSUP))).toBe("EINVAL");
    expect(en(space.mprotect(p, P, RW | PROT_GROWSUP | PROT_GROWSDOWN))).toBe("EINVAL");
    expect(en(space.mprotect(p + 2 * P, P, RW))).toBe("ENOMEM");
    expect(en(space.mprotect(-P, P, RW))).toBe("ENOMEM");
    expect(en(space.mprotect(p, -P, RW))).toBe("ENOMEM");
  });

  test("102 a copied private file page keeps its area apart", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, 2 * P);
    const p = map(space, 0, 2 * P, R, MAP_PRIVATE, f);
    space.mprotect(p, P, RW);
    fill(space, p, 1, 110);
    expect(vmas(space, p, 2 * P)).toBe("[+0*1:rw-p:0 +1*1:r--p:1]");
    space.mprotect(p, P, R);
    expect(vmas(space, p, 2 * P)).toBe("[+0*1:r--p:0 +1*1:r--p:1]");
    expect(space.readU8(p)).toBe(110);
    expect(f.references).toBe(2);
    space.mm.checkInvariants();
  });

  test("105 a dirty page that is writable again takes no fault", () => {
    const space = makeSpace();
    const s = anonShared(space, 2 * P);
    space.mprotect(s, 2 * P, R);
    expect(touch(space, s, true)).toBe(FAULT_SEGV_ACCERR);
    space.mprotect(s, 2 * P, RW);
    expect(space.writeU8(s, 1)).toBe(true);
    const d = anon(space, P);
    space.writeU8(d, 1);
    space.mprotect(d, P, R);
    expect(space.writeU8(d, 2)).toBe(false);
    space.mprotect(d, P, RW);
    const { minor } = space.faults;
    expect(space.writeU8(d, 3)).toBe(true);
    expect(space.faults.minor).toBe(minor);
  });

  test("the promise of memory follows write permission, until a page was written", () => {
    const space = makeSpace();
    const { commit } = space.mm;
    const p = anon(space, 2 * P, R);
    expect(commit.committedPages).toBe(0);
    space.mprotect(p, 2 * P, RW);
    expect(commit.committedPages).toBe(2);
    expect(flagsAt(space, p)).toBe("rd wr mr mw me ac");
    space.mprotect(p, 2 * P, R);
    expect(commit.committedPages).toBe(0);
    space.mprotect(p, 2 * P, RW);
    space.writeU8(p, 1);
    space.mprotect(p, 2 * P, 0);
    expect(commit.committedPages).toBe(2);
    space.munmap(p, 2 * P);
    expect(commit.committedPages).toBe(0);
  });

  test("PROT_GROWSDOWN starts at the area's beginning", () => {
    const space = makeSpace();
    const p = anon(space, 64 * P, 0);
    space.munmap(p, 64 * P);
    const g = map(space, p + 60 * P, 4 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | 0x100);
    expect(en(space.mprotect(g + 2 * P, P, R | PROT_GROWSDOWN))).toBe("OK");
    expect(vmas(space, p, 64 * P)).toBe("[+60*3:r--p:0 +63*1:rw-p:0]");
  });

  test("shared areas and files: flags of smaps", () => {
    const space = makeSpace();
    const f = new TestFile(space.mm, P);
    expect(flagsAt(space, map(space, 0, P, RW, MAP_SHARED, f))).toBe("rd wr sh mr mw me ms");
    expect(flagsAt(space, map(space, 0, P, R, MAP_SHARED, f, 0, R))).toBe("rd mr ms");
    expect(flagsAt(space, map(space, 0, P, RW, MAP_PRIVATE, f))).toBe("rd wr mr mw me ac");
  });
});
