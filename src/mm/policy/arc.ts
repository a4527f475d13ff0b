// Eviction policy ARC (Megiddo and Modha, FAST 2003): pages used once and pages used again in two LRU lists, and the ghosts of both,
// whose hits move the target size of the first list.
//
//   ghosts B1 <- [once: T1] [again: T2] -> ghosts B2      |T1| is steered towards p: a hit in B1 raises p, one in B2 lowers it
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_ACTIVE, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";
import { GhostList } from "./ghost-list.ts";

export class ArcPolicy implements ReclaimPolicy {
  readonly name = "arc";
  private readonly flags: Uint16Array;
  private readonly once: FrameList;
  private readonly again: FrameList;
  private readonly onceGhosts = new GhostList();
  private readonly againGhosts = new GhostList();
  /** The size that `once` should have (p). */
  private target = 0;
  /** Frames there were when a victim was last asked for (c). */
  private capacity = 0;
  /** The page that `target` was adapted for already. */
  private adaptedFor = 0;
  /** The victim leaves no ghost: nothing but pages used once is in memory (case IV, |T1| = c). */
  private forgetVictim = false;

  constructor(frames: FrameTable) {
    this.flags = frames.flags;
    this.once = new FrameList(frames);
    this.again = new FrameList(frames);
  }

  inserted(pfn: Pfn, key = 0): void {
    this.adapt(key);
    this.adaptedFor = 0;
    if (this.onceGhosts.delete(key) || this.againGhosts.delete(key)) {
      this.flags[pfn] |= FRAME_ACTIVE;
      this.again.pushHead(pfn);
    } else {
      this.flags[pfn] &= ~FRAME_ACTIVE;
      this.once.pushHead(pfn);
    }
  }

  removed(pfn: Pfn, key = 0, evicted = false): void {
    const used = (this.flags[pfn] & FRAME_ACTIVE) !== 0;
    (used ? this.again : this.once).remove(pfn);
    if (evicted && used) this.againGhosts.add(key);
    else if (evicted && !this.forgetVictim) this.onceGhosts.add(key);
    this.forgetVictim = false;
  }

  activated(pfn: Pfn): void {
    this.referenced(pfn);
  }

  referenced(pfn: Pfn): void {
    if ((this.flags[pfn] & FRAME_ACTIVE) !== 0) {
      if (this.again.head !== pfn) this.again.rotate(pfn);
      return;
    }
    this.once.remove(pfn);
    this.flags[pfn] |= FRAME_ACTIVE;
    this.again.pushHead(pfn);
  }

  victim(accessed: (pfn: Pfn) => boolean, coming = 0): Pfn | 0 {
    const { once, again, onceGhosts, againGhosts } = this;
    this.capacity = once.length + again.length;
    this.adapt(coming);
    this.forgetVictim = false;
    const known = onceGhosts.has(coming) || againGhosts.has(coming);
    if (!known) {
      this.forgetVictim = again.length === 0 && onceGhosts.length === 0;
      // Room for the ghost to come: at most c pages in T1 and B1, and 2c in all.
      onceGhosts.trim(Math.max(0, this.capacity - once.length - 1 + (this.takesOnce(coming) ? 0 : 1)));
      againGhosts.trim(Math.max(0, this.capacity - onceGhosts.length - 1));
    }
    for (let left = 2 * this.capacity; left > 0; left--) {
      const fromOnce = (this.forgetVictim && once.length > 0) || this.takesOnce(coming);
      const list = fromOnce ? once : again;
      const pfn = list.tail as Pfn;
      if (pfn === 0 || !accessed(pfn)) return pfn;
      this.referenced(pfn);
    }
    return (again.tail || once.tail) as Pfn;
  }

  /** REPLACE of the paper: whether a page used once goes. */
  private takesOnce(coming: number): boolean {
    const { once, again, target } = this;
    if (once.length === 0) return false;
    if (again.length === 0) return true;
    return once.length > target || (once.length === target && this.againGhosts.has(coming));
  }

  /** Cases II and III: a ghost hit moves the target. */
  private adapt(key: number): void {
    if (key === 0 || key === this.adaptedFor) return;
    const { onceGhosts, againGhosts } = this;
    if (onceGhosts.has(key)) {
      this.target = Math.min(this.capacity, this.target + Math.max(1, againGhosts.length / onceGhosts.length));
    } else if (againGhosts.has(key)) {
      this.target = Math.max(0, this.target - Math.max(1, onceGhosts.length / againGhosts.length));
    }
    this.adaptedFor = key;
  }
}
