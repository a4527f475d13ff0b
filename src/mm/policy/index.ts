// The eviction policies by name: what --policy and MmConfig.policy accept.
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";
import { ArcPolicy } from "./arc.ts";
import { ClockPolicy } from "./clock.ts";
import { ClockProPolicy } from "./clock-pro.ts";
import { FifoPolicy } from "./fifo.ts";
import { LirsPolicy } from "./lirs.ts";
import { LruPolicy } from "./lru.ts";
import { MglruPolicy } from "./mglru.ts";
import { RandomPolicy } from "./random.ts";
import { S3FifoPolicy } from "./s3-fifo.ts";
import { SievePolicy } from "./sieve.ts";
import { TwoListPolicy } from "./two-list.ts";

type MakePolicy = (frames: FrameTable, seed: number) => ReclaimPolicy;

const POLICIES: Readonly<Record<string, MakePolicy>> = {
  "two-list": (frames) => new TwoListPolicy(frames),
  clock: (frames) => new ClockPolicy(frames),
  fifo: (frames) => new FifoPolicy(frames),
  lru: (frames) => new LruPolicy(frames),
  sieve: (frames) => new SievePolicy(frames),
  "s3-fifo": (frames) => new S3FifoPolicy(frames),
  arc: (frames) => new ArcPolicy(frames),
  lirs: (frames) => new LirsPolicy(frames),
  "clock-pro": (frames) => new ClockProPolicy(frames),
  mglru: (frames) => new MglruPolicy(frames),
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
