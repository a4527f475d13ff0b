// The run queue: round robin, skipping what cannot run, removal, growth.
import { describe, expect, it } from "vitest";
import { Scheduler, SLICE_INSTRUCTIONS } from "./scheduler.ts";
import type { Task } from "./task.ts";

function task(name: number, nice = 0): Task {
  return { tid: name, state: "runnable", nice } as unknown as Task;
}

describe("Scheduler", () => {
  it("takes tasks in turn", () => {
    const s = new Scheduler();
    const tasks = [1, 2, 3].map((n) => task(n));
    for (const t of tasks) s.enqueue(t);
    const seen: number[] = [];
    for (let i = 0; i < 7; i++) {
      const t = s.next() as Task;
      seen.push(t.tid);
      s.enqueue(t);
    }
    expect(seen).toEqual([1, 2, 3, 1, 2, 3, 1]);
    expect(s.switches).toBe(7);
  });

  it("does not count running on as a switch", () => {
    const s = new Scheduler();
    const t = task(1);
    for (let i = 0; i < 3; i++) {
      s.enqueue(t);
      s.next();
    }
    expect(s.switches).toBe(1);
  });

  it("skips tasks that stopped, and forgets removed ones", () => {
    const s = new Scheduler();
    const [a, b, c] = [1, 2, 3].map((n) => task(n));
    for (const t of [a, b, c]) s.enqueue(t);
    a.state = "stopped";
    s.remove(b);
    expect(s.runnableCount()).toBe(2);
    expect(s.next()).toBe(c);
    expect(s.next()).toBeNull();
  });

  it("grows over its first ring", () => {
    const s = new Scheduler();
    const tasks = Array.from({ length: 500 }, (_, i) => task(i));
    for (const t of tasks.slice(0, 40)) s.enqueue(t);
    for (let i = 0; i < 20; i++) s.enqueue(s.next() as Task);
    for (const t of tasks.slice(40)) s.enqueue(t);
    const order: number[] = [];
    for (let t = s.next(); t !== null; t = s.next()) order.push(t.tid);
    expect(order).toEqual(
      [...Array(20).keys()]
        .map((i) => i + 20)
        .concat(
          [...Array(20).keys()],
          [...Array(460).keys()].map((i) => i + 40),
        ),
    );
  });

  it("gives nicer tasks shorter slices", () => {
    const s = new Scheduler();
    expect(s.sliceOf(task(1))).toBe(SLICE_INSTRUCTIONS);
    expect(s.sliceOf(task(1, 19))).toBeLessThan(SLICE_INSTRUCTIONS / 10);
    expect(s.sliceOf(task(1, -10))).toBeGreaterThan(SLICE_INSTRUCTIONS * 5);
  });
});
