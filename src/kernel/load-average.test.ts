// The load average against the kernel's own formula, and how it passes over idle time.
import { expect, test } from "vitest";
import { LoadAverage } from "./load-average.ts";

/** calc_load() with the kernel's fixed-point constants. */
function kernelLoad(samples: readonly number[]): number[] {
  return [1884, 2014, 2037].map((exponent) => {
    let load = 0;
    for (const active of samples) {
      const scaled = active * 2048;
      load = Math.floor((load * exponent + scaled * (2048 - exponent) + (scaled >= load ? 2047 : 0)) / 2048);
    }
    return load / 2048;
  });
}

test("a busy minute, then an idle one: what Linux computes", () => {
  const load = new LoadAverage();
  const samples: number[] = [];
  for (let second = 1; second <= 60; second++) {
    load.pass(second * 1e9, 2);
    if (second % 5 === 0) samples.push(2);
  }
  kernelLoad(samples).forEach((value, i) => {
    expect(load.values[i]).toBeCloseTo(value, 1);
  });
  expect(load.values[0]).toBeCloseTo(2 * (1 - Math.exp(-1)), 6);
  load.pass(120e9, 0);
  for (let i = 0; i < 12; i++) samples.push(0);
  kernelLoad(samples).forEach((value, i) => {
    expect(load.values[i]).toBeCloseTo(value, 1);
  });
});

test("nothing changes between two samples", () => {
  const load = new LoadAverage();
  load.pass(4.9e9, 100);
  expect(load.values).toEqual([0, 0, 0]);
  load.pass(5e9, 1);
  load.pass(9.9e9, 100);
  expect(load.values[0]).toBeCloseTo(1 - Math.exp(-1 / 12), 6);
});
