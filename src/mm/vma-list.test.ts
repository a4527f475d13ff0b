// Tests of the area list alone: order, links, gap search against a naive list. Nothing is mapped.
import { describe, expect, test } from "vitest";
import { PAGE_SIZE, USER_END, USER_VPN_END } from "../arch/sv39.ts";
import { Prng } from "../util/prng.ts";
import type { AddressSpace } from "./address-space.ts";
import { STACK_GUARD_GAP_PAGES, VM_GROWSDOWN, Vma } from "./vma.ts";
import { VmaList } from "./vma-list.ts";

const space = {} as AddressSpace;

function area(startVpn: number, endVpn: number, flags = 0): Vma {
  return new Vma(space, startVpn, endVpn, flags, null, null, startVpn, null);
}

/** The naive answer of gapTopDown(). */
function naiveTopDown(areas: Vma[], pages: number, low: number, high: number): number {
  const sorted = [...areas].sort((a, b) => b.startVpn - a.startVpn);
  let gapEnd = high;
  for (const a of sorted) {
    const from = Math.max(a.endVpn, low);
    if (gapEnd - from >= pages) return gapEnd - pages;
    gapEnd = Math.min(high, a.guardedStartVpn);
  }
  return gapEnd - low >= pages ? gapEnd - pages : -1;
}

function naiveBottomUp(areas: Vma[], pages: number, low: number, high: number): number {
  const sorted = [...areas].sort((a, b) => a.startVpn - b.startVpn);
  let from = low;
  for (const a of sorted) {
    if (a.guardedStartVpn - from >= pages) return from + pages <= high ? from : -1;
    from = Math.max(from, a.endVpn);
  }
  return from + pages <= high ? from : -1;
}

describe("VmaList", () => {
  test("finds by byte address; the upper half and the end of user space hold nothing", () => {
    const list = new VmaList();
    const a = area(10, 12);
    const b = area(12, 13);
    list.insert(b);
    list.insert(a);
    expect(list.find(10 * PAGE_SIZE - 1)).toBe(null);
    expect(list.find(10 * PAGE_SIZE)).toBe(a);
    expect(list.find(12 * PAGE_SIZE - 1)).toBe(a);
    expect(list.find(12 * PAGE_SIZE)).toBe(b);
    expect(list.find(13 * PAGE_SIZE)).toBe(null);
    expect(list.findAtOrAbove(0)).toBe(a);
    expect(list.findAtOrAbove(13 * PAGE_SIZE)).toBe(null);
    expect(list.findAtOrAbove(-PAGE_SIZE)).toBe(null);
    expect(list.find(USER_END)).toBe(null);
    expect([...list]).toEqual([a, b]);
    list.debugCheck();
  });

  test("overlapping areas are a programmer's error", () => {
    const list = new VmaList();
    list.insert(area(10, 12));
    expect(() => list.insert(area(11, 13))).toThrow();
    expect(() => list.insert(area(9, 11))).toThrow();
  });

  test("a gap of exactly the size is found, one page more is not", () => {
    const list = new VmaList();
    list.insert(area(100, 200));
    list.insert(area(205, USER_VPN_END));
    expect(list.gapTopDown(5, 100, USER_VPN_END)).toBe(200);
    expect(list.gapTopDown(6, 100, USER_VPN_END)).toBe(-1);
    expect(list.gapTopDown(6, 94, USER_VPN_END)).toBe(94);
    expect(list.gapBottomUp(5, 100, USER_VPN_END)).toBe(200);
    expect(list.gapBottomUp(6, 100, USER_VPN_END)).toBe(-1);
  });

  test("256 pages below a growing area stay free", () => {
    const list = new VmaList();
    list.insert(area(10_000, 10_010, VM_GROWSDOWN));
    expect(list.gapTopDown(1, 16, 10_000)).toBe(10_000 - STACK_GUARD_GAP_PAGES - 1);
    expect(list.gapTopDown(1, 10_000 - STACK_GUARD_GAP_PAGES, 10_000)).toBe(-1);
  });

  test("random inserts, removals, resizes and searches agree with a naive list", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const prng = new Prng(seed);
      const list = new VmaList();
      const model: Vma[] = [];
      for (let step = 0; step < 6000; step++) {
        const choice = prng.below(10);
        if (choice < 5) {
          const start = 16 + prng.below(20_000);
          const end = start + 1 + prng.below(6);
          if (list.findOverlap(start, end) === null) {
            const a = area(start, end, prng.below(50) === 0 ? VM_GROWSDOWN : 0);
            list.insert(a);
            model.push(a);
          }
        } else if (choice < 7 && model.length > 0) {
          const i = prng.below(model.length);
          list.remove(model[i]);
          model[i] = model[model.length - 1];
          model.pop();
        } else if (choice < 8 && model.length > 0) {
          const a = model[prng.below(model.length)];
          const start = Math.max(a.prev?.endVpn ?? 0, a.startVpn - 2 + prng.below(4));
          const end = Math.min(a.next?.startVpn ?? USER_VPN_END, a.endVpn - 2 + prng.below(5));
          if (start < end) list.setRange(a, start, end);
        } else {
          const pages = 1 + prng.below(step % 500 === 0 ? 2000 : 24);
          const low = 16 + prng.below(100);
          const high = 10_000 + prng.below(12_000);
          expect(list.gapTopDown(pages, low, high)).toBe(naiveTopDown(model, pages, low, high));
          expect(list.gapBottomUp(pages, low, high)).toBe(naiveBottomUp(model, pages, low, high));
          const vpn = prng.below(22_000);
          expect(list.findPage(vpn)).toBe(model.find((a) => a.startVpn <= vpn && vpn < a.endVpn) ?? null);
        }
        if (step % 500 === 0) list.debugCheck();
      }
      expect(list.length).toBe(model.length);
      for (const a of [...list]) list.remove(a);
      expect(list.length).toBe(0);
      list.debugCheck();
    }
  });
});
