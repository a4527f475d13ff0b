// Eviction policy FIFO: the frame that came in first leaves first, used or not.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

export class FifoPolicy implements ReclaimPolicy {
  readonly name = "fifo";
  private readonly queue: FrameList;

  constructor(frames: FrameTable) {
    this.queue = new FrameList(frames);
  }

  inserted(pfn: Pfn): void {
    this.queue.pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    this.queue.remove(pfn);
  }

  activated(): void {}

  victim(): Pfn | 0 {
    return this.queue.tail as Pfn;
  }
}
