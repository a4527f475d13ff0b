// Numbers from a pool: each is given to one holder at a time, those given back are preferred, and the range is a bound.
import { expect, it } from "vitest";
import { NumberPool } from "./number-pool.ts";

it("hands out a range in order, prefers what was given back last, and ends", () => {
  const pool = new NumberPool(3, 6);
  expect([pool.free, pool.taken]).toEqual([3, 3]);
  expect([pool.take(), pool.take()]).toEqual([3, 4]);
  pool.giveBack(3);
  pool.giveBack(4);
  expect([pool.free, pool.taken]).toEqual([3, 5]);
  expect([pool.take(), pool.take(), pool.take()]).toEqual([4, 3, 5]);
  expect(pool.free).toBe(0);
  expect(() => pool.take()).toThrow();
});
