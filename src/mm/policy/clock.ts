// Eviction policy CLOCK (second chance): frames in a circle; the hand passes over those accessed since it came by last.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_REFERENCED, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

/** The circle is a list whose tail is under the hand; a passed frame goes to the head. */
export class ClockPolicy implements ReclaimPolicy {
  readonly name = "clock";
  private readonly frames: FrameTable;
  private readonly circle: FrameList;

  constructor(frames: FrameTable) {
    this.frames = frames;
    this.circle = new FrameList(frames);
  }

  inserted(pfn: Pfn): void {
    this.frames.flags[pfn] &= ~FRAME_REFERENCED;
    this.circle.pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    this.circle.remove(pfn);
  }

  activated(pfn: Pfn): void {
    this.frames.flags[pfn] |= FRAME_REFERENCED;
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { circle } = this;
    const { flags } = this.frames;
    for (let left = 2 * circle.length; left > 0; left--) {
      const pfn = circle.tail as Pfn;
      const hardware = accessed(pfn);
      if (!hardware && (flags[pfn] & FRAME_REFERENCED) === 0) return pfn;
      flags[pfn] &= ~FRAME_REFERENCED;
      circle.rotate(pfn);
    }
    return circle.tail as Pfn;
  }
}
