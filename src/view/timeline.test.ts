// Rates from counters: per second, never negative, anew after the way back, bounded in length.
import { describe, expect, test } from "vitest";
import { Timeline, type Totals, totalsOf } from "./timeline.ts";

const totals = (minor: number, copies = 0): Totals => ({
  minor,
  major: 0,
  copies,
  evicted: 0,
  swapIn: 0,
  swapOut: 0,
});

describe("timeline", () => {
  test("rates are differences per second", () => {
    const line = new Timeline();
    line.add(1000, 0, totals(10), 50);
    expect(line.samples).toEqual([]);
    line.add(1500, 900, totals(60, 4), 40);
    expect(line.samples).toEqual([{ ms: 1500, instructions: 900, freeFrames: 40, rates: { ...totals(100, 8) } }]);
    expect(line.peak).toBe(100);
  });

  test("after the way back counting begins anew: no negative rate, no peak out of nowhere", () => {
    const line = new Timeline();
    line.add(0, 0, totals(0), 9);
    line.add(1000, 1000, totals(50), 9);
    line.add(2000, 100, totals(5), 9);
    expect(line.samples.length).toBe(1);
    line.add(3000, 200, totals(7), 9);
    expect(line.samples.at(-1)!.rates.minor).toBe(2);
  });

  test("two looks in the same millisecond give no infinite rate", () => {
    const line = new Timeline();
    line.add(5, 0, totals(0), 9);
    line.add(5, 10, totals(8), 9);
    line.add(1005, 20, totals(10), 9);
    expect(line.samples.map(({ rates }) => rates.minor)).toEqual([2]);
  });

  test("old samples are forgotten, and all of them when another program starts", () => {
    const line = new Timeline();
    for (let i = 0; i <= 2000; i++) line.add(i * 100, i, totals(i === 1 ? 1e6 : 1e6 + i), 9);
    expect(line.samples.length).toBe(600);
    expect(line.samples[0].ms).toBe(140_100);
    expect(line.peak).toBe(10);
    line.clear();
    expect(line.samples).toEqual([]);
    expect(line.peak).toBe(1);
    line.add(0, 0, totals(5), 9);
    expect(line.samples).toEqual([]);
  });

  test("vmstat counts major faults among the faults: the timeline keeps them apart", () => {
    const counters = { pgfault: 100, pgmajfault: 7, pswpin: 1, pswpout: 2, pgsteal: 3, pgcopy: 4 };
    expect(totalsOf(counters)).toEqual({ minor: 93, major: 7, copies: 4, evicted: 3, swapIn: 1, swapOut: 2 });
    expect(totalsOf({})).toEqual(totals(0));
  });
});
