// What regions remember of pages by base register goes with whatever it could contradict.
import { expect, it } from "vitest";
import { BASE_RUNS, BASE_RUNS_BYTES, BASE_RUNS_USED, makeLayout, RUN_BYTES, RUN_LENGTH } from "./layout.ts";
import { HartTlb } from "./tlb.ts";

const SPACE = { id: 1 };

/** A TLB with a space selected and a run of pages remembered for every base register. */
function remembering(): { tlb: HartTlb; words: Int32Array; remembered: () => boolean } {
  const layout = makeLayout(1 << 20, 2);
  const words = new Int32Array(layout.ramOffset / 4);
  const tlb = new HartTlb(
    words,
    () => false,
    () => {},
  );
  tlb.trackWrites(layout.frameCount);
  tlb.select(2);
  tlb.select(SPACE.id);
  words.fill(7, BASE_RUNS / 4, (BASE_RUNS + BASE_RUNS_BYTES) / 4);
  words[BASE_RUNS_USED / 4] = 1;
  const remembered = () => {
    const lengths = Array.from({ length: 62 }, (_, i) => words[(BASE_RUNS + RUN_BYTES * (i + 2) + RUN_LENGTH) / 4]);
    expect(new Set(lengths).size).toBe(1);
    return lengths[0] !== 0;
  };
  return { tlb, words, remembered };
}

it.each<[string, (tlb: HartTlb) => void]>([
  ["another space that has a bank", (tlb) => tlb.select(2)],
  ["a page", (tlb) => tlb.flushPage(SPACE, 77)],
  ["a few pages", (tlb) => tlb.flushRange(SPACE, 77, 79)],
  ["many pages", (tlb) => tlb.flushRange(SPACE, 0, 1 << 20)],
  ["a whole space", (tlb) => tlb.flushSpace(SPACE)],
  ["the end of a space", (tlb) => tlb.releaseSpace(SPACE)],
  ["a frame that gets code", (tlb) => tlb.forgetFrame(5, "write")],
  ["watching writes anew", (tlb) => tlb.forgetWritten()],
  ["another state of the machine", (tlb) => tlb.reset()],
])("forgets pages for %s", (_name, change) => {
  const { tlb, remembered } = remembering();
  expect(remembered()).toBe(true);
  change(tlb);
  expect(remembered()).toBe(false);
});

it("knows none at the beginning, and tells what it knows to those who check", () => {
  const { tlb, words } = remembering();
  tlb.reset();
  tlb.select(SPACE.id);
  const seen: unknown[] = [];
  const look = () => tlb.debugForEach(SPACE, (vpn, pfn, access) => void seen.push([vpn, pfn, access]));
  look();
  expect(seen).toEqual([]);
  words.set([0x5000, 1, 2 * 4096 - 7, 0, 0, 9], (BASE_RUNS + RUN_BYTES * (10 * 2 + 1)) / 4);
  words[BASE_RUNS_USED / 4] = 1;
  look();
  expect(seen).toEqual([
    [0x100005, 9, 1],
    [0x100006, 10, 1],
  ]);
});
