// The eviction policies by name: what --policy and MmConfig.policy accept.
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";
import { ClockPolicy } from "./clock.ts";
import { FifoPolicy } from "./fifo.ts";
import { RandomPolicy } from "./random.ts";
import { TwoListPolicy } from "./two-list.ts";

type MakePolicy = (frames: FrameTable, seed: number) => ReclaimPolicy;

const POLICIES: Readonly<Record<string, MakePolicy>> = {
  "two-list": (frames) => new TwoListPolicy(frames),
  clock: (frames) => new ClockPolicy(frames),
  fifo: (frames) => new FifoPolicy(frames),
  random: (frames, seed) => new RandomPolicy(frames, seed),
};

export const POLICY_NAMES: readonly string[] = Object.keys(POLICIES);

/** Throws RangeError for a name that is not in POLICY_NAMES. */
export function makePolicy(name: string, frames: FrameTable, seed: number): ReclaimPolicy {
  if (!Object.hasOwn(POLICIES, name)) {
    throw new RangeError(`unknown eviction policy "${name}"; known: ${POLICY_NAMES.join(", ")}`);
  }
  return POLICIES[name](frames, seed);
}
