// Eviction policy LRU: the frame not used for the longest time leaves. Exact where every reference is seen; by A bits it can only
// tell what was used since it looked last, and gives such frames another round.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

export class LruPolicy implements ReclaimPolicy {
  readonly name = "lru";
  /** Head: used last. */
  private readonly stack: FrameList;

  constructor(frames: FrameTable) {
    this.stack = new FrameList(frames);
  }

  inserted(pfn: Pfn): void {
    this.stack.pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    this.stack.remove(pfn);
  }

  activated(pfn: Pfn): void {
    this.referenced(pfn);
  }

  referenced(pfn: Pfn): void {
    if (this.stack.head !== pfn) this.stack.rotate(pfn);
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { stack } = this;
    for (let left = stack.length; left > 0; left--) {
      const pfn = stack.tail as Pfn;
      if (!accessed(pfn)) return pfn;
      stack.rotate(pfn);
    }
    return stack.tail as Pfn;
  }
}
