// Eviction policy random: any frame, by a seeded generator. The baseline that the others must beat.
import type { Pfn } from "../../util/brand.ts";
import { Prng } from "../../util/prng.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";

export class RandomPolicy implements ReclaimPolicy {
  readonly name = "random";
  /** Evictable frames in no order; policyWord is a frame's position. */
  private readonly members: Int32Array;
  private count = 0;
  private readonly position: Int32Array;
  private readonly prng: Prng;

  constructor(frames: FrameTable, seed: number) {
    this.members = new Int32Array(frames.frameCount);
    this.position = frames.policyWord;
    this.prng = new Prng(seed);
  }

  inserted(pfn: Pfn): void {
    this.position[pfn] = this.count;
    this.members[this.count++] = pfn;
  }

  removed(pfn: Pfn): void {
    const hole = this.position[pfn];
    const last = this.members[--this.count];
    this.members[hole] = last;
    this.position[last] = hole;
  }

  activated(): void {}

  victim(): Pfn | 0 {
    return this.count === 0 ? 0 : (this.members[this.prng.below(this.count)] as Pfn);
  }
}
