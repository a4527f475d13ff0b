// Runs the memory model (mm-model.ts) over fixed seeds: every policy, RAM and swap sizes from roomy to hopeless, failing devices.
import { describe, expect, test } from "vitest";
import { type ModelOptions, runModel } from "./mm-model.ts";

const OPERATIONS = Number(process.env.MM_FUZZ_OPERATIONS ?? 6000);
const FIRST_SEED = Number(process.env.MM_FUZZ_SEED ?? 1);
const SEEDS = Number(process.env.MM_FUZZ_SEEDS ?? 3);

const WORLDS: Record<string, Omit<ModelOptions, "seed" | "operations">> = {
  "two-list, 96 frames, 128 slots": {},
  "two-list, 64 frames, 256 slots": { frames: 64, swapSlots: 256 },
  "clock, 80 frames, 96 slots": { policy: "clock", frames: 80, swapSlots: 96 },
  "fifo, 72 frames, 160 slots": { policy: "fifo", frames: 72, swapSlots: 160 },
  "random, 128 frames, 64 slots": { policy: "random", frames: 128, swapSlots: 64 },
  "no swap, 128 frames": { frames: 128, swapSlots: 0 },
  "swap full soon, 96 frames": { swapSlots: 24 },
  "failing devices, 80 frames": { frames: 80, failingWrites: 15 },
  "small page tables copied at fork, no read-ahead, 96 frames": { shareTablesFrom: 12, readAheadPages: 1 },
};

describe("the memory core agrees with the oracle", () => {
  for (const [name, world] of Object.entries(WORLDS)) {
    test(name, () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        const result = runModel({ ...world, seed, operations: OPERATIONS });
        expect(result.copies).toBeGreaterThan(0);
        expect(result.sharedTables).toBeGreaterThan(0);
        if (world.swapSlots !== 0) expect(result.swapOuts).toBeGreaterThan(0);
      }
    });
  }
});
