// Adding up what runs of a program were seen to execute: same pages are found again at other addresses, and keep their neighbours.
import { expect, it } from "vitest";
import { addProfile } from "./profiles.ts";
import type { CodeProfile, ProfiledPage } from "./survey.ts";

/** A page filled with `fill`, whose first instruction was seen `visits` times and whose jump at 8 went `distance` far as often. */
function page(fill: number, visits: number, distance = 16): ProfiledPage {
  const counts = new Uint32Array(2048);
  counts[0] = visits;
  return {
    bytes: new Uint8Array(4096).fill(fill),
    visits: counts,
    jumps: new Map([[8, new Map([[distance, visits]])]]),
  };
}

const profile = (pages: ProfiledPage[], layout: [number, number][], scale = 10): CodeProfile => ({
  pages,
  layouts: [new Map(layout)],
  scale,
  imports: [],
});

it("counts the same pages together, and puts new ones beside their neighbours", () => {
  const first = profile(
    [page(1, 5), page(2, 7)],
    [
      [0x10, 0],
      [0x12, 1],
    ],
  );
  // The same mapping elsewhere, with a page that the first run did not see; and another mapping.
  const second = profile(
    [page(3, 1), page(2, 2, 32), page(9, 4)],
    [
      [0x5011, 0],
      [0x5012, 1],
      [0x90000, 2],
    ],
  );
  const { pages, layouts, scale } = addProfile(first, second);
  expect(pages.map(({ bytes, visits }) => [bytes[0], visits[0]])).toEqual([
    [1, 5],
    [2, 9],
    [3, 1],
    [9, 4],
  ]);
  expect([...pages[1].jumps.get(8)!]).toEqual([
    [16, 7],
    [32, 2],
  ]);
  expect(layouts.map((layout) => [...layout])).toEqual([
    [
      [0x10, 0],
      [0x12, 1],
      [0x11, 2],
      [0x90000, 3],
    ],
  ]);
  expect(scale).toBe(5);
});

it("changes neither of the two, and takes no page for another of the same place", () => {
  const first = profile([page(1, 5)], [[0x10, 0]]);
  const second = profile([page(4, 6)], [[0x10, 0]]);
  const { pages, layouts } = addProfile(first, second);
  expect(pages).toHaveLength(2);
  expect(layouts.map((layout) => [...layout])).toEqual([[[0x10, 0]], [[0x10, 1]]]);
  expect(first.pages).toHaveLength(1);
  expect([...first.layouts[0]]).toEqual([[0x10, 0]]);
});
