// Hands out and takes back frames: watermarks, and reserve(), the one point where
// reclaim may run. Not responsible for choosing victims.
//
//   free frames:  0 ... min ........ low ........ high ........ all
//                 |      |reserve() reclaims when |
//                 |      |below low, up to high   |
//                 |kept for swap-in: what was swapped out can always come back, one page for another, however full RAM and swap are
//
// RULE (hazard 1 of the design): allocate() never reclaims. Code that will allocate calls reserve(n) first and reads page-table
// entries, areas and cache entries only after it, because reclaim, and the out-of-memory callback, may change all of them.
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import {
  FRAME_ANONYMOUS,
  FRAME_FREE,
  FRAME_KINDS,
  FRAME_ORPHAN,
  FRAME_RESERVED,
  type FrameKind,
  type FrameTable,
} from "./frame-table.ts";
import { FreeFrames } from "./free-frames.ts";

/** Frees frames until `target` are free if it can; reports whether at least `needed` are. */
export type Refill = (needed: number, target: number) => boolean;

export class FrameAllocator {
  private readonly frames: FrameTable;
  private readonly pool: FreeFrames;
  private readonly frameChanged: (pfn: Pfn) => void;
  private readonly counts = new Int32Array(FRAME_KINDS);
  /** Set by the memory manager: reclaim, then the out-of-memory callback. */
  refill: Refill = () => false;
  readonly minWatermark = 2;
  readonly lowWatermark: number;
  readonly highWatermark: number;

  /** All frames but frame 0 become free; `frameChanged` hears of every frame that starts a new life. */
  constructor(frames: FrameTable, frameChanged: (pfn: Pfn) => void) {
    const count = frames.frameCount;
    assert(count >= 16, "at least 16 frames of RAM");
    this.frames = frames;
    this.frameChanged = frameChanged;
    this.pool = new FreeFrames(count);
    frames.kind[0] = FRAME_RESERVED;
    this.counts[FRAME_RESERVED] = 1;
    this.counts[FRAME_FREE] = this.pool.count;
    frames.freeOrphan = (pfn) => this.free(pfn as Pfn);
    this.lowWatermark = Math.max(4, Math.min(1024, count >> 7));
    this.highWatermark = this.lowWatermark + Math.max(4, Math.min(1024, count >> 8));
  }

  get freeCount(): number {
    return this.counts[FRAME_FREE];
  }

  /** Frames of one kind. */
  countOf(kind: FrameKind): number {
    return this.counts[kind];
  }

  /**
   * True when `n` allocate() calls will succeed. May run reclaim and the out-of-memory callback. `last`: the frames kept below
   * minWatermark may be used (swap-in).
   */
  reserve(n: number, last = false): boolean {
    if (this.freeCount >= n + this.lowWatermark) return true;
    return this.refill(last ? n : n + this.minWatermark, n + this.highWatermark);
  }

  /** True when n frames can be taken without touching the reserve of others: for what is only nice to have. */
  hasSpare(n: number): boolean {
    return this.freeCount >= n + this.highWatermark;
  }

  /** A frame of unspecified contents, flags 0, unmapped. Precondition: reserved. */
  allocate(kind: FrameKind): Pfn {
    assert(this.freeCount > 0, "allocate() without reserve()");
    return this.begin(this.pool.take() as Pfn, kind);
  }

  /** An anonymous frame for page `vpn`: `wanted`, if it is free. Precondition: reserved. */
  allocateForPage(vpn: number, wanted: number): Pfn {
    assert(this.freeCount > 0, "allocateForPage() without reserve()");
    return this.begin(this.pool.takeForPage(vpn, wanted) as Pfn, FRAME_ANONYMOUS);
  }

  private begin(pfn: Pfn, kind: FrameKind): Pfn {
    this.frames.kind[pfn] = kind;
    this.counts[FRAME_FREE]--;
    this.counts[kind]++;
    this.frameChanged(pfn);
    return pfn;
  }

  /** Precondition: nothing refers to the frame any more, except pins: then it waits for the last unpin(). */
  free(pfn: Pfn): void {
    const { frames } = this;
    const kind = frames.kind[pfn];
    assert(kind !== FRAME_FREE && frames.mapCount[pfn] === 0, "only unused frames are freed");
    this.counts[kind]--;
    frames.owner[pfn] = 0;
    frames.index[pfn] = 0;
    if (frames.pins[pfn] !== 0) {
      frames.kind[pfn] = FRAME_ANONYMOUS;
      frames.flags[pfn] = FRAME_ORPHAN;
      this.counts[FRAME_ANONYMOUS]++;
      return;
    }
    this.counts[FRAME_FREE]++;
    frames.kind[pfn] = FRAME_FREE;
    frames.flags[pfn] = 0;
    this.pool.giveBack(pfn);
  }

  debugForEachFree(visit: (pfn: number) => void): void {
    this.pool.debugForEach(visit);
  }
}
