// Lines of a recording, counted as if each were looked at for itself.
import { expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { MOST_RECORDED, RECORDED, RECORDING } from "../layout.ts";
import { forEachLine } from "./recording.ts";

const START = 0x3f_8000_1230;

/** The words of memory after these jumps, more of which were counted than there is room for. */
function recorded(jumps: readonly (readonly [number, number])[], count = jumps.length): Int32Array {
  const words = new Int32Array(RECORDING / 4 + MOST_RECORDED * 4);
  words[RECORDED / 4] = count;
  jumps.forEach((addresses, i) => {
    addresses.forEach((address, k) => {
      words[RECORDING / 4 + 4 * i + 2 * k] = address | 0;
      words[RECORDING / 4 + 4 * i + 2 * k + 1] = Math.floor(address / 2 ** 32);
    });
  });
  return words;
}

function linesOf(words: Int32Array): [string, number][] {
  const lines: [string, number][] = [];
  forEachLine(words, START, (from, jump, to, times) => lines.push([`${from} ${jump} ${to}`, times]));
  return lines;
}

it("are each seen once, in the order in which they first ran, with the times they did", () => {
  const random = new Prng(11);
  // Addresses that differ in their high halves only, too.
  const address = () => random.below(3) * 2 ** 32 + 0x1_0000 * random.below(2) + 4 * random.below(8);
  for (const count of [1, 2, 100, MOST_RECORDED]) {
    const jumps = Array.from({ length: count }, () => [address(), address()] as const);
    const expected = new Map<string, number>();
    const begin = [START, ...jumps.map(([, to]) => to)];
    // The first has a line of its own, whatever is like it.
    jumps.slice(1).forEach(([jump, to], i) => {
      const line = `${begin[i + 1]} ${jump} ${to}`;
      expected.set(line, (expected.get(line) ?? 0) + 1);
    });
    expect(linesOf(recorded(jumps))).toEqual([[`${START} ${jumps[0][0]} ${jumps[0][1]}`, 1], ...expected]);
  }
});

it("are none when nothing was recorded, and no more than there was room for", () => {
  expect(linesOf(recorded([]))).toEqual([]);
  const full = Array.from({ length: MOST_RECORDED }, () => [START, START] as const);
  expect(linesOf(recorded(full, MOST_RECORDED + 1000))).toEqual([
    [`${START} ${START} ${START}`, 1],
    [`${START} ${START} ${START}`, MOST_RECORDED - 1],
  ]);
});
