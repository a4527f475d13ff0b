// Free frames: each is handed out once, and pages that adjoin get frames that adjoin.
import { expect, it } from "vitest";
import { Prng } from "../util/prng.ts";
import { FreeFrames } from "./free-frames.ts";

it.each([16, 17, 40, 333, 1024])("hands out each of %i frames but frame 0 once, and again what came back", (count) => {
  const free = new FreeFrames(count);
  const prng = new Prng(count);
  const taken: number[] = [];
  const isTaken = new Uint8Array(count);
  for (let i = 0; i < 20 * count; i++) {
    // Full now and then, empty now and then.
    const takes = prng.below(10) < (Math.floor(i / (2 * count)) % 2 === 0 ? 8 : 2);
    if (takes && free.count > 0) {
      const pfn = prng.below(2) === 0 ? free.take() : free.takeForPage(prng.below(64), prng.below(count + 3) - 1);
      expect([pfn > 0 && pfn < count, isTaken[pfn]]).toEqual([true, 0]);
      isTaken[pfn] = 1;
      taken.push(pfn);
    } else if (taken.length > 0) {
      const [pfn] = taken.splice(prng.below(taken.length), 1);
      isTaken[pfn] = 0;
      free.giveBack(pfn);
    }
    expect(free.count).toBe(count - 1 - taken.length);
  }
  const seen = new Set<number>();
  free.debugForEach((pfn) => void seen.add(pfn));
  expect(seen.size).toBe(free.count);
  for (const pfn of taken) expect(seen.has(pfn)).toBe(false);
  while (free.count > 0) taken.push(free.take());
  expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: count - 1 }, (_, i) => i + 1));
});

it("pages touched in order get frames in order, whatever else takes frames between", () => {
  const free = new FreeFrames(4096);
  let last = free.takeForPage(1000, 0);
  for (let vpn = 1001; vpn < 1400; vpn++) {
    if (vpn % 3 === 0) free.take();
    const pfn = free.takeForPage(vpn, last + 1);
    expect(pfn).toBe(last + 1);
    last = pfn;
  }
});

it("the first page of a block leaves the places of the others free for them", () => {
  const free = new FreeFrames(4096);
  const first = free.takeForPage(0x1239, 0);
  expect(first % 16).toBe(9);
  for (let i = 0; i < 100; i++) free.take();
  free.takeForPage(0x5553, 0);
  for (const vpn of [0x1230, 0x123f, 0x1231, 0x1238])
    expect(free.takeForPage(vpn, first + vpn - 0x1239)).toBe(first + vpn - 0x1239);
});

it("pages get frames in order also from memory that others gave back", () => {
  const free = new FreeFrames(4096);
  let last = 0;
  const given = Array.from({ length: 64 }, (_, i) => (last = free.takeForPage(0x100 + i, last + 1)));
  for (const pfn of given) free.giveBack(pfn);
  const again: number[] = [];
  for (let vpn = 0x200; vpn < 0x240; vpn++) again.push(free.takeForPage(vpn, vpn % 16 === 0 ? 0 : again.at(-1)! + 1));
  expect(again.filter((pfn, i) => i > 0 && pfn !== again[i - 1] + 1)).toHaveLength(3);
  expect(new Set(again)).toEqual(new Set(given));
});

it("a frame that came back is taken before one that was never used", () => {
  const free = new FreeFrames(4096);
  const [a, b] = [free.take(), free.take()];
  free.giveBack(a);
  free.giveBack(b);
  expect([free.takeForPage(3, 0), free.take()]).toEqual([b, a]);
});
