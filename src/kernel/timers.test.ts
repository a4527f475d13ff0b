// The timer heap: order, ties, moving and removing, timers that add themselves again.
import { describe, expect, it } from "vitest";
import { Prng } from "../util/prng.ts";
import type { Kernel } from "./kernel.ts";
import { type Timer, Timers } from "./timers.ts";

const KERNEL = {} as Kernel;

class Probe implements Timer {
  readonly name: number;
  readonly fired: number[];

  constructor(name: number, fired: number[]) {
    this.name = name;
    this.fired = fired;
  }

  fire(): void {
    this.fired.push(this.name);
  }
}

describe("Timers", () => {
  it("fires what is due, by deadline, then by insertion", () => {
    const timers = new Timers();
    const fired: number[] = [];
    for (const [deadline, name] of [
      [5, 1],
      [3, 2],
      [5, 3],
      [9, 4],
      [3, 5],
    ])
      timers.add(deadline, new Probe(name, fired));
    expect(timers.nextNs).toBe(3);
    expect(timers.run(KERNEL, 2)).toBe(0);
    expect(timers.run(KERNEL, 5)).toBe(4);
    expect(fired).toEqual([2, 5, 1, 3]);
    expect(timers.nextNs).toBe(9);
    timers.run(KERNEL, 9);
    expect(timers.nextNs).toBe(Number.POSITIVE_INFINITY);
  });

  it("moves a timer that is added again, and removes", () => {
    const timers = new Timers();
    const fired: number[] = [];
    const a = new Probe(1, fired);
    const b = new Probe(2, fired);
    timers.add(10, a);
    timers.add(20, b);
    timers.add(30, a);
    expect(timers.deadlineOf(a)).toBe(30);
    expect(timers.remove(b)).toBe(true);
    expect(timers.remove(b)).toBe(false);
    timers.run(KERNEL, 100);
    expect(fired).toEqual([1]);
  });

  it("does not loop on a timer that re-adds itself in the past", () => {
    const timers = new Timers();
    let count = 0;
    const again: Timer = { fire: () => timers.add(0, again) };
    const counting: Timer = {
      fire: () => {
        count++;
        timers.add(0, counting);
      },
    };
    timers.add(0, again);
    timers.add(0, counting);
    expect(timers.run(KERNEL, 1)).toBe(2);
    expect(count).toBe(1);
    expect(timers.size).toBe(2);
  });

  it("agrees with a sorted list over random operations", () => {
    const random = new Prng(7);
    const timers = new Timers();
    const fired: number[] = [];
    const model = new Map<Probe, [number, number]>();
    const probes = Array.from({ length: 60 }, (_, i) => new Probe(i, fired));
    let order = 0;
    for (let step = 0, now = 0; step < 5000; step++) {
      const probe = probes[random.below(probes.length)];
      const choice = random.below(10);
      if (choice < 6) {
        const deadline = now + random.below(50);
        timers.add(deadline, probe);
        model.set(probe, [deadline, order++]);
      } else if (choice < 8) {
        expect(timers.remove(probe)).toBe(model.delete(probe));
      } else {
        now += random.below(20);
        fired.length = 0;
        const due = [...model].filter(([, [deadline]]) => deadline <= now);
        due.sort((a, b) => a[1][0] - b[1][0] || a[1][1] - b[1][1]);
        timers.run(KERNEL, now);
        expect(fired).toEqual(due.map(([p]) => p.name));
        for (const [p] of due) model.delete(p);
      }
      expect(timers.size).toBe(model.size);
    }
  });
});
