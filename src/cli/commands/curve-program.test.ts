// The curve against live runs of a bundled program: exact where it must be.
import { describe, expect, test } from "vitest";
import { BUNDLED_ROOT, Machine } from "../../host/node/index.ts";
import { ReferenceRecorder } from "../../trace/reference-recorder.ts";
import { simulate } from "../../trace/simulate.ts";
import { lruCurve, optCurve } from "../../trace/stack-distances.ts";
import { liveFaults } from "./curve-program.ts";
import { defaultRunOptions } from "./run-options.ts";

const options = { ...defaultRunOptions("/bin/sharer", []), seed: 1, swapBytes: 64 << 20, memoryBytes: 32 << 20 };

async function record() {
  const recorder = new ReferenceRecorder();
  const machine = await Machine.create({
    ...{ memory: options.memoryBytes, swap: options.swapBytes, policy: "fifo", seed: 1, root: BUNDLED_ROOT },
    onReference: recorder.onReference,
  });
  recorder.attach(machine.kernel.mm);
  const { code } = await machine.spawn("/bin/sharer", [], { stdin: null }).wait();
  await machine.stop();
  const insertions = machine.kernel.mm.lru.insertions;
  return { string: recorder.finish(), code, insertions, instructions: machine.kernel.hart.instructions };
}

describe("faultline curve", () => {
  test("a recorded run is the same run, and brings in each page once", async () => {
    const first = await record();
    expect(first.code).toBe(0);
    expect(first.insertions).toBe(first.string.pages);
    expect(await record()).toEqual(first);
    expect(await liveFaults(options, "clock", 2 * first.string.pages)).toBe(first.string.pages);
  });

  test("FIFO and LRU: live runs fault exactly as computed", async () => {
    const { string } = await record();
    const lru = lruCurve(string);
    const opt = optCurve(string);
    expect(string.pages).toBeGreaterThan(20);
    for (const size of [8, 10, 14, 20, string.pages]) {
      expect(await liveFaults(options, "fifo", size)).toBe(simulate(string, "fifo", size));
      expect(await liveFaults(options, "lru", size)).toBe(lru[size] ?? lru[string.pages]);
      expect(opt[size] ?? opt[string.pages]).toBeLessThanOrEqual(lru[size] ?? lru[string.pages]);
    }
  });
});
