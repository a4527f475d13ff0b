// By what name a run is learned from: that of the program whose pages it runs, or a new one.
import { expect, it } from "vitest";
import { hashOf, Survey } from "./survey.ts";

/** A survey that saw this many instructions in pages whose bytes are all `fill`. */
function surveyed(visits: Record<number, number>): { survey: Survey; hash: (fill: number) => number } {
  const survey = new Survey();
  const hashes = new Map<number, number>();
  for (const [fill, count] of Object.entries(visits)) {
    const page = survey.pageAt(Number(fill), Number(fill), (pfn) => new Uint8Array(4096).fill(pfn))!;
    page.visits[7] = count;
    hashes.set(Number(fill), hashOf(page));
  }
  return { survey, hash: (fill) => hashes.get(fill)! };
}

it("is new when nothing of it is known: by the page that was seen most", () => {
  const { survey, hash } = surveyed({ 1: 10, 2: 30, 3: 20, 4: 0 });
  expect(survey.program(() => [])).toBe(hash(2));
  expect(new Survey().program(() => [])).toBe(null);
});

it("is the one that has most of what was seen, wherever this run spends most of its time", () => {
  const { survey, hash } = surveyed({ 1: 40, 2: 30, 3: 20, 4: 10 });
  const python = 1234;
  const other = 99;
  const programsWith = (at: number) => [...(at === hash(1) ? [] : [python]), ...(at === hash(2) ? [other] : [])];
  expect(survey.program(programsWith)).toBe(python);
});

it("is new when it shares a library with others, but no more", () => {
  const { survey, hash } = surveyed({ 1: 40, 2: 35, 3: 25 });
  expect(survey.program((at) => (at === hash(2) ? [1, 2] : []))).toBe(hash(1));
});
