// Which frames the eviction policy knows: the one place that inserts and removes them, and the parking place for frames that could
// not be evicted, so that reclaim does not meet them again and again. Not responsible for evicting.
//
//   EVICTABLE  in the policy         PARKED  no free swap slot, or its write failed; waits for unpark()
//   neither    free, page table, locked (I15), or anonymous memory on a machine without swap
import type { Pfn } from "../util/brand.ts";
import type { FrameObserver, ReclaimPolicy } from "./contracts.ts";
import {
  FRAME_EVICTABLE,
  FRAME_FILE,
  FRAME_LAZY_FREE,
  FRAME_MLOCKED,
  FRAME_PARKED,
  type FrameTable,
} from "./frame-table.ts";
import { FrameList } from "./policy/frame-list.ts";

const OBJECT_PAGES = 2 ** 32;

/** Names the page in a frame beyond its stay in memory: object and index, or the swap slot (negative); 0: it has no name. */
export function pageKey(frames: FrameTable, pfn: number): number {
  if (frames.isCache(pfn)) return frames.owner[pfn] * OBJECT_PAGES + frames.index[pfn];
  return -frames.owner[pfn];
}

export class EvictableFrames {
  private readonly frames: FrameTable;
  private readonly hasSwap: boolean;
  private readonly parked: FrameList;
  readonly policy: ReclaimPolicy;
  count = 0;
  /** Frames inserted since the machine was made. */
  insertions = 0;
  /** Most frames that may be in the policy, or 0: as many as memory holds. Kept by MemoryManager.keepWithinLimit(). */
  limit = 0;
  /** The frame that is being evicted. */
  leaving = 0;
  /** A device refused a page, and none was taken since: what is parked stays parked but for a few that try it. */
  deviceFailing = false;
  observer: FrameObserver | null = null;

  constructor(frames: FrameTable, policy: ReclaimPolicy, hasSwap: boolean) {
    this.frames = frames;
    this.policy = policy;
    this.hasSwap = hasSwap;
    this.parked = new FrameList(frames);
  }

  get parkedCount(): number {
    return this.parked.length;
  }

  /** The frame may be evicted from now on, if its kind can be at all. Precondition: not inserted. */
  insert(pfn: number): void {
    const flags = this.frames.flags[pfn];
    if (!this.hasSwap && this.frames.kind[pfn] !== FRAME_FILE && (flags & FRAME_LAZY_FREE) === 0) return;
    if ((flags & FRAME_MLOCKED) !== 0) return;
    this.frames.flags[pfn] = flags | FRAME_EVICTABLE;
    this.count++;
    this.insertions++;
    const key = pageKey(this.frames, pfn);
    this.policy.inserted(pfn as Pfn, key);
    this.observer?.inserted(pfn, key);
  }

  /** Takes the frame out of the policy or the parking place, wherever it is. */
  remove(pfn: number): void {
    const flags = this.frames.flags[pfn];
    if ((flags & FRAME_EVICTABLE) !== 0) {
      const evicted = pfn === this.leaving;
      const key = pageKey(this.frames, pfn);
      this.policy.removed(pfn as Pfn, key, evicted);
      this.observer?.removed(pfn, key, evicted);
      this.count--;
      this.frames.flags[pfn] &= ~FRAME_EVICTABLE;
    } else if ((flags & FRAME_PARKED) !== 0) {
      this.parked.remove(pfn);
      this.frames.flags[pfn] &= ~FRAME_PARKED;
    }
  }

  /** The kernel used the frame on a task's behalf (read, write): folio_mark_accessed(). */
  touch(pfn: number): void {
    if ((this.frames.flags[pfn] & FRAME_EVICTABLE) !== 0) this.policy.activated(pfn as Pfn);
  }

  /** Back to where new frames enter, wherever it was. */
  reinsert(pfn: number): void {
    this.remove(pfn);
    this.insert(pfn);
  }

  park(pfn: number): void {
    this.leaving = 0;
    this.remove(pfn);
    this.frames.flags[pfn] |= FRAME_PARKED;
    this.parked.pushHead(pfn);
  }

  /** Parks a frame that its device would not take. */
  parkRefused(pfn: number): void {
    this.deviceFailing = true;
    this.park(pfn);
  }

  /** What the frame was parked for is over. */
  unparkFrame(pfn: number): void {
    if ((this.frames.flags[pfn] & FRAME_PARKED) !== 0) this.reinsert(pfn);
  }

  /** Gives up to `most` parked frames, the oldest first, back to the policy. */
  unpark(most: number): void {
    for (let left = Math.min(most, this.parked.length); left > 0; left--) this.reinsert(this.parked.tail);
  }
}
