// Eviction policy LIRS (Jiang and Zhang, SIGMETRICS 2002): pages are judged by the distance between their last two uses, not by the
// last use alone. Low-distance (LIR) pages own nearly all frames; the others pass through a short queue.
//
//   stack S   top: used last ... bottom: always a LIR page      LIR, resident HIR, and HIR pages that were evicted (ghosts)
//   queue Q   front: next victim                                resident HIR pages
//
// A HIR page used while still in S was used again sooner than the bottom LIR page: they change places.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";

/** Frames for HIR pages: a hundredth, at least one. */
const HIR_SHARE = 0.01;
/** Ghosts per frame; the paper has no bound. */
const GHOSTS_PER_FRAME = 3;

class Page {
  pfn: number;
  key: number;
  isLir = false;
  inStack = false;
  up: Page | null = null;
  down: Page | null = null;
  constructor(pfn: number, key: number) {
    this.pfn = pfn;
    this.key = key;
  }
}

export class LirsPolicy implements ReclaimPolicy {
  readonly name = "lirs";
  private readonly pages: (Page | undefined)[];
  private readonly lirTarget: number;
  private readonly mostGhosts: number;
  private readonly ghosts = new Map<number, Page>();
  /** Insertion order is queue order. */
  private readonly queue = new Set<Page>();
  private top: Page | null = null;
  private bottom: Page | null = null;
  private lirCount = 0;
  private accessed: (pfn: Pfn) => boolean = () => false;

  constructor(frames: FrameTable) {
    const capacity = frames.frameCount - 1;
    this.pages = new Array(frames.frameCount);
    this.lirTarget = Math.max(1, capacity - Math.max(1, Math.round(capacity * HIR_SHARE)));
    this.mostGhosts = capacity * GHOSTS_PER_FRAME;
  }

  inserted(pfn: Pfn, key = 0): void {
    const ghost = this.ghosts.get(key);
    const page = ghost ?? new Page(pfn, key);
    this.ghosts.delete(key);
    page.pfn = pfn;
    this.pages[pfn] = page;
    this.pushTop(page);
    if (ghost !== undefined || this.lirCount < this.lirTarget) this.promote(page);
    else this.queue.add(page);
  }

  removed(pfn: Pfn, key = 0, evicted = false): void {
    const page = this.pages[pfn]!;
    this.pages[pfn] = undefined;
    page.pfn = 0;
    this.queue.delete(page);
    if (evicted && key !== 0 && page.inStack && !page.isLir) {
      const stale = this.ghosts.get(key);
      if (stale !== undefined) this.unlink(stale);
      page.key = key;
      this.ghosts.set(key, page);
      for (const [oldest, ghost] of this.ghosts) {
        if (this.ghosts.size <= this.mostGhosts) break;
        this.ghosts.delete(oldest);
        this.unlink(ghost);
      }
      return;
    }
    if (page.isLir) this.lirCount--;
    page.isLir = false;
    this.unlink(page);
    this.prune();
  }

  activated(pfn: Pfn): void {
    this.referenced(pfn);
  }

  referenced(pfn: Pfn): void {
    const page = this.pages[pfn]!;
    const wasInStack = page.inStack;
    this.pushTop(page);
    if (page.isLir) {
      this.prune();
    } else if (wasInStack) {
      this.queue.delete(page);
      this.promote(page);
    } else {
      this.queue.delete(page);
      this.queue.add(page);
    }
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    this.accessed = accessed;
    for (let left = 2 * (this.lirCount + this.queue.size) + 1; left > 0; left--) {
      if (this.queue.size === 0 && !this.demoteBottom()) return 0;
      const [page] = this.queue;
      if (!accessed(page.pfn as Pfn)) return page.pfn as Pfn;
      this.referenced(page.pfn as Pfn);
    }
    const [page] = this.queue;
    return (page ?? this.bottom)!.pfn as Pfn;
  }

  /** A page at the top of the stack becomes LIR; the bottom one gives up its place when there are too many. */
  private promote(page: Page): void {
    page.isLir = true;
    this.lirCount++;
    if (this.lirCount > this.lirTarget) this.demoteBottom();
    this.prune();
  }

  /** The LIR page with the longest distance becomes HIR. By A bits it may turn out to have been used: then the next one. */
  private demoteBottom(): boolean {
    this.prune();
    for (let left = this.lirCount; left > 1 && this.accessed(this.bottom!.pfn as Pfn); left--) {
      this.pushTop(this.bottom!);
      this.prune();
    }
    const page = this.bottom;
    if (page === null) return false;
    page.isLir = false;
    this.lirCount--;
    this.unlink(page);
    this.queue.add(page);
    this.prune();
    return true;
  }

  /** Takes HIR pages off the bottom: no LIR page is older, so using them again proves nothing. */
  private prune(): void {
    while (this.bottom !== null && !this.bottom.isLir) {
      const page = this.bottom;
      this.unlink(page);
      if (page.pfn === 0) this.ghosts.delete(page.key);
    }
  }

  private pushTop(page: Page): void {
    this.unlink(page);
    page.inStack = true;
    page.down = this.top;
    if (this.top !== null) this.top.up = page;
    else this.bottom = page;
    this.top = page;
  }

  private unlink(page: Page): void {
    if (!page.inStack) return;
    page.inStack = false;
    if (page.up !== null) page.up.down = page.down;
    else this.top = page.down;
    if (page.down !== null) page.down.up = page.up;
    else this.bottom = page.up;
    page.up = null;
    page.down = null;
  }
}
