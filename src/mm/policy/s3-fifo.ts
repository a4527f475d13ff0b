// Eviction policy S3-FIFO (Yang et al., SOSP 2023): three queues. A small one filters what is used once, the main one keeps what was
// used more, and the ghosts of the small one let a page that comes back go to the main one at once.
//
//   new page -> [small, a tenth] -- used more than once --> [main] -> victim, unless used: another round
//                    | not                                   ^
//                    v                                       |
//                  victim, its key among the ghosts -- comes back
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_ACTIVE, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";
import { GhostList } from "./ghost-list.ts";

const MOST_USES = 3;
const SMALL_SHARE = 0.1;

export class S3FifoPolicy implements ReclaimPolicy {
  readonly name = "s3-fifo";
  private readonly flags: Uint16Array;
  /** Uses of a frame since it entered its queue, at most MOST_USES. */
  private readonly uses: Int32Array;
  private readonly small: FrameList;
  private readonly main: FrameList;
  private readonly ghosts = new GhostList();

  constructor(frames: FrameTable) {
    this.flags = frames.flags;
    this.uses = frames.policyWord;
    this.small = new FrameList(frames);
    this.main = new FrameList(frames);
  }

  inserted(pfn: Pfn, key = 0): void {
    this.uses[pfn] = 0;
    if (this.ghosts.delete(key)) {
      this.flags[pfn] |= FRAME_ACTIVE;
      this.main.pushHead(pfn);
    } else {
      this.flags[pfn] &= ~FRAME_ACTIVE;
      this.small.pushHead(pfn);
    }
  }

  removed(pfn: Pfn, key = 0, evicted = false): void {
    if ((this.flags[pfn] & FRAME_ACTIVE) !== 0) {
      this.main.remove(pfn);
      return;
    }
    this.small.remove(pfn);
    if (!evicted) return;
    this.ghosts.add(key);
    this.ghosts.trim(Math.max(1, Math.round((this.small.length + this.main.length) * (1 - SMALL_SHARE))));
  }

  activated(pfn: Pfn): void {
    this.referenced(pfn);
  }

  referenced(pfn: Pfn): void {
    if (this.uses[pfn] < MOST_USES) this.uses[pfn]++;
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { small, main } = this;
    const target = Math.max(1, Math.floor((small.length + main.length) * SMALL_SHARE));
    if (small.length >= target || main.length === 0) {
      const pfn = this.fromSmall(accessed);
      if (pfn !== 0) return pfn;
    }
    return this.fromMain(accessed);
  }

  /** The oldest small frame that was not used more than once; those before it move to the main queue. */
  private fromSmall(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { small, main, uses } = this;
    while (small.length > 0) {
      const pfn = small.tail as Pfn;
      // An A bit does not count: one that is set stands for many uses.
      if (!accessed(pfn) && uses[pfn] <= 1) return pfn;
      small.remove(pfn);
      uses[pfn] = 0;
      this.flags[pfn] |= FRAME_ACTIVE;
      main.pushHead(pfn);
    }
    return 0;
  }

  private fromMain(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const { main, uses } = this;
    for (let left = (MOST_USES + 1) * main.length; left > 0; left--) {
      const pfn = main.tail as Pfn;
      if (accessed(pfn)) this.referenced(pfn);
      if (uses[pfn] === 0) return pfn;
      uses[pfn]--;
      main.rotate(pfn);
    }
    return main.tail as Pfn;
  }
}
