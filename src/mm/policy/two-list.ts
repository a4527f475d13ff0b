// The default eviction policy: Linux's active and inactive lists (mm/vmscan.c shrink_active_list, folio_check_references,
// mm/swap.c folio_mark_accessed). Not responsible for unmapping or writing what it chooses.
//
//   new page -> [inactive head ... tail] -> victim
//                  | accessed (anonymous, or file page for the second time)       ^
//                  v                                                              |
//               [active head ... tail] -- when active outgrows inactive ----------+
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_ACTIVE, FRAME_FILE, FRAME_REFERENCED, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

export class TwoListPolicy implements ReclaimPolicy {
  readonly name = "two-list";
  private readonly frames: FrameTable;
  private readonly active: FrameList;
  private readonly inactive: FrameList;

  constructor(frames: FrameTable) {
    this.frames = frames;
    this.active = new FrameList(frames);
    this.inactive = new FrameList(frames);
  }

  inserted(pfn: Pfn): void {
    this.frames.flags[pfn] &= ~(FRAME_ACTIVE | FRAME_REFERENCED);
    this.inactive.pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    if (this.frames.flags[pfn] & FRAME_ACTIVE) this.active.remove(pfn);
    else this.inactive.remove(pfn);
  }

  activated(pfn: Pfn): void {
    const { flags } = this.frames;
    if ((flags[pfn] & FRAME_REFERENCED) === 0) flags[pfn] |= FRAME_REFERENCED;
    else if ((flags[pfn] & FRAME_ACTIVE) === 0) this.promote(pfn);
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { frames, inactive, active } = this;
    // Each frame is looked at no more than a few times: A bits and REFERENCED are used up on the way.
    for (let left = 4 * (active.length + inactive.length) + 1; left > 0; left--) {
      if (active.length > inactive.length) this.age(accessed);
      const pfn = inactive.tail as Pfn;
      if (pfn === 0) return 0;
      if (!accessed(pfn)) return pfn;
      const isFile = frames.kind[pfn] === FRAME_FILE;
      if (!isFile || (frames.flags[pfn] & FRAME_REFERENCED) !== 0) this.promote(pfn);
      else {
        frames.flags[pfn] |= FRAME_REFERENCED;
        inactive.rotate(pfn);
      }
    }
    return inactive.tail as Pfn;
  }

  /** Moves the oldest active frame to the inactive list; its A bits start afresh. */
  private age(accessed: (pfn: Pfn) => boolean): void {
    const pfn = this.active.tail as Pfn;
    accessed(pfn);
    this.active.remove(pfn);
    this.frames.flags[pfn] &= ~FRAME_ACTIVE;
    this.inactive.pushHead(pfn);
  }

  private promote(pfn: Pfn): void {
    this.inactive.remove(pfn);
    this.frames.flags[pfn] = (this.frames.flags[pfn] | FRAME_ACTIVE) & ~FRAME_REFERENCED;
    this.active.pushHead(pfn);
  }
}
