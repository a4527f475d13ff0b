// Eviction policy SIEVE (Zhang et al., NSDI 2024): a queue that is never reordered, and a hand that sieves unvisited frames out of
// it, from the oldest to the newest and round again. New frames that nobody visits leave at the hand's next pass.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_REFERENCED, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

export class SievePolicy implements ReclaimPolicy {
  readonly name = "sieve";
  private readonly flags: Uint16Array;
  private readonly queue: FrameList;
  /** Where the search goes on; 0: at the tail. */
  private hand = 0;

  constructor(frames: FrameTable) {
    this.flags = frames.flags;
    this.queue = new FrameList(frames);
  }

  inserted(pfn: Pfn): void {
    this.flags[pfn] &= ~FRAME_REFERENCED;
    this.queue.pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    if (this.hand === pfn) this.hand = this.queue.before(pfn);
    this.queue.remove(pfn);
  }

  activated(pfn: Pfn): void {
    this.flags[pfn] |= FRAME_REFERENCED;
  }

  referenced(pfn: Pfn): void {
    this.flags[pfn] |= FRAME_REFERENCED;
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { queue, flags } = this;
    let pfn = this.hand || queue.tail;
    for (let left = 2 * queue.length; left > 0; left--) {
      const used = accessed(pfn as Pfn);
      if (!used && (flags[pfn] & FRAME_REFERENCED) === 0) break;
      flags[pfn] &= ~FRAME_REFERENCED;
      pfn = queue.before(pfn) || queue.tail;
    }
    this.hand = pfn;
    return pfn as Pfn;
  }
}
