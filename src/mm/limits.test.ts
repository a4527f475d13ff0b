// brk, stacks that grow, RLIMIT_AS and RLIMIT_DATA. Expected lines are mmdiff's, from riscv64 Linux 6.12.
import { describe, expect, test } from "vitest";
import * as M from "../abi/mman.ts";
import type { AddressSpace } from "./address-space.ts";
import { FAULT_SEGV_MAPERR } from "./contracts.ts";
import { anon, anonFixed, en, fill, makeSpace, map, P, RW, touch, vmas } from "./test-world.ts";
import { vmFlagNames } from "./vma.ts";

const ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const HEAP = 0x1000_0000;

function withHeap(): AddressSpace {
  const space = makeSpace();
  space.layout.brkStart = HEAP;
  space.layout.brk = HEAP;
  return space;
}

/** A growing area of `pages` pages at the top of a free stretch of 1000 pages; returns its start. */
function stack(space: AddressSpace, pages: number): number {
  const p = anon(space, 1000 * P, 0);
  space.munmap(p, 1000 * P);
  return map(space, p + (1000 - pages) * P, pages * P, RW, ANON | M.MAP_GROWSDOWN | M.MAP_FIXED);
}

describe("brk", () => {
  test("083 any alignment, shrink, regrow, bad values, collision", () => {
    const space = withHeap();
    expect(space.brk(0)).toBe(HEAP);
    expect(space.brk(HEAP + 100)).toBe(HEAP + 100);
    expect(space.brk(HEAP + 4 * P)).toBe(HEAP + 4 * P);
    fill(space, HEAP + 3 * P, 1, 7);
    expect(space.brk(HEAP + P)).toBe(HEAP + P);
    expect(touch(space, HEAP + 3 * P, false)).toBe(FAULT_SEGV_MAPERR);
    expect(space.brk(HEAP + 4 * P)).toBe(HEAP + 4 * P);
    expect(space.readU8(HEAP + 3 * P)).toBe(0);
    expect(space.brk(1)).toBe(HEAP + 4 * P);
    expect(space.brk(-P)).toBe(HEAP + 4 * P);
    expect(space.areas.length).toBe(1);
    anonFixed(space, HEAP + 8 * P, P);
    expect(space.brk(HEAP + 20 * P)).toBe(HEAP + 4 * P);
    // One page stays free below the next area.
    expect(space.brk(HEAP + 8 * P)).toBe(HEAP + 4 * P);
    expect(space.brk(HEAP + 7 * P)).toBe(HEAP + 7 * P);
    expect(space.brk(HEAP)).toBe(HEAP);
    expect(space.totalPages).toBe(1);
    expect(space.mm.commit.committedPages).toBe(1);
    space.mm.checkInvariants();
  });
});

describe("growing areas", () => {
  test("082 a touch below grows it, however far", () => {
    const space = makeSpace();
    const g = stack(space, 4);
    expect(touch(space, g - 1, true)).toBe(0);
    expect(touch(space, g - 20 * P, true)).toBe(0);
    expect(vmas(space, g - 36 * P, 40 * P)).toBe("[+16*24:rw-p:0]");
    expect(vmFlagNames(space.areas.find(g)!.flags).join(" ")).toBe("rd wr mr mw me gd ac");
    expect(space.stackPages).toBe(24);
    expect(space.dataPages).toBe(0);
    space.mm.checkInvariants();
  });

  test("081 RLIMIT_STACK, to the page", () => {
    const space = makeSpace();
    space.limits.stack = 16 * P;
    const g = stack(space, 4);
    expect(touch(space, g - 12 * P - 1, true)).toBe(FAULT_SEGV_MAPERR);
    expect(touch(space, g - 12 * P, true)).toBe(0);
    expect(touch(space, g - 12 * P - 1, true)).toBe(FAULT_SEGV_MAPERR);
  });

  test("256 pages to an accessible neighbour below, none to PROT_NONE", () => {
    const space = makeSpace();
    const g = stack(space, 4);
    anonFixed(space, g - 300 * P, P);
    expect(touch(space, g - 44 * P, true)).toBe(FAULT_SEGV_MAPERR);
    expect(touch(space, g - 43 * P, true)).toBe(0);
    space.mprotect(g - 300 * P, P, 0);
    expect(touch(space, g - 299 * P, true)).toBe(0);
    expect(touch(space, g - 300 * P, true)).not.toBe(0);
  });

  test("other limits stop growth too", () => {
    const space = makeSpace();
    const g = stack(space, 4);
    space.limits.addressSpace = (space.totalPages + 2) * P;
    expect(touch(space, g - 2 * P - 1, true)).toBe(FAULT_SEGV_MAPERR);
    expect(touch(space, g - 2 * P, true)).toBe(0);
  });
});

describe("limits", () => {
  test("084 RLIMIT_AS", () => {
    const space = withHeap();
    anon(space, 10 * P);
    space.limits.addressSpace = 26 * P;
    expect(en(map(space, 0, 17 * P, RW, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, 64 * P, 0, ANON))).toBe("ENOMEM");
    const p = anon(space, 4 * P);
    expect(en(space.mremap(p, 4 * P, 64 * P, M.MREMAP_MAYMOVE, 0))).toBe("ENOMEM");
    expect(space.brk(HEAP + 64 * P)).toBe(HEAP);
    expect(en(anonFixed(space, p, 4 * P))).toBe("OK");
    expect(en(map(space, 0, 13 * P, RW, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, 12 * P, RW, ANON))).toBe("OK");
    expect(en(anonFixed(space, p, 4 * P))).toBe("OK");
  });

  test("085 RLIMIT_DATA counts private writable memory and brk", () => {
    const space = withHeap();
    anon(space, 10 * P);
    space.limits.data = 18 * P;
    expect(en(map(space, 0, 64 * P, RW, ANON))).toBe("ENOMEM");
    expect(en(map(space, 0, 64 * P, M.PROT_READ, ANON))).toBe("OK");
    expect(en(map(space, 0, 64 * P, RW, M.MAP_SHARED | M.MAP_ANONYMOUS))).toBe("OK");
    expect(space.brk(HEAP + 64 * P)).toBe(HEAP);
    const p = anon(space, 64 * P, M.PROT_READ);
    expect(en(space.mprotect(p, 64 * P, RW))).toBe("ENOMEM");
    expect(en(space.mprotect(p, 9 * P, RW))).toBe("ENOMEM");
    expect(en(space.mprotect(p, 8 * P, RW))).toBe("OK");
    expect(space.dataPages).toBe(18);
    expect(space.mm.commit.committedPages).toBe(18 + 64);
  });
});
