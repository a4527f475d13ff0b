// Records the page-reference string of a running machine: instructions report through the hart, the kernel and the life of pages
// through the memory core's observer. Not responsible for switching the reports on.
import { type FrameObserver, USE_ACCESSED, USE_ACTIVATED, type UseMark } from "../mm/contracts.ts";
import type { EvictableFrames } from "../mm/evictable-frames.ts";
import type { FrameTable } from "../mm/frame-table.ts";
import type { Pfn } from "../util/brand.ts";
import {
  KIND_FILE,
  KIND_GONE,
  KIND_KERNEL,
  KIND_SILENT,
  type ReferenceString,
  ReferenceStringBuilder,
} from "./reference-string.ts";

/** The part of a memory manager that is watched. */
interface Watched {
  readonly frames: FrameTable;
  readonly lru: EvictableFrames;
  readonly reclaimer: { accessed: (pfn: Pfn) => boolean };
}

/**
 * Made before the machine, whose hart calls onReference, and attached to its memory manager before a program starts. Pages that cannot be
 * evicted (locked, the zero page, page tables) are not part of the string.
 */
export class ReferenceRecorder implements FrameObserver {
  private readonly builder = new ReferenceStringBuilder();
  private frames!: FrameTable;
  private lru!: EvictableFrames;
  /** Page in each frame; 0: none that can be evicted. */
  private pageIn = new Int32Array(0);
  /** Pages that were evicted, by key. */
  private readonly evicted = new Map<number, number>();
  /** Frames whose policy has not heard of the use that brought their page in. */
  private fresh = new Uint8Array(0);
  private feedsPolicy = false;
  /** For HartOptions.onReference; kinds are the hart's REFERENCE_*, which are the first KIND_*. */
  readonly onReference = (pfn: number, kind: number): void => this.referenced(pfn, kind);

  attach(mm: Watched): void {
    this.frames = mm.frames;
    this.lru = mm.lru;
    this.pageIn = new Int32Array(mm.frames.frameCount);
    this.fresh = new Uint8Array(mm.frames.frameCount);
    // A policy that wants to hear of every use does, and is not shown A bits: exactly as in a simulation.
    this.feedsPolicy = mm.lru.policy.referenced !== undefined;
    if (this.feedsPolicy) mm.reclaimer.accessed = () => false;
    mm.lru.observer = this;
  }

  /** References so far, immediate repetitions left out. */
  get references(): number {
    return this.builder.references;
  }

  finish(): ReferenceString {
    return this.builder.finish();
  }

  inserted(pfn: number, key: number): void {
    const known = key === 0 ? undefined : this.evicted.get(key);
    if (known !== undefined) this.evicted.delete(key);
    this.pageIn[pfn] = known ?? this.builder.addPage(this.frames.kind[pfn]);
    this.fresh[pfn] = 1;
  }

  removed(pfn: number, key: number, evicted: boolean): void {
    const page = this.pageIn[pfn];
    this.pageIn[pfn] = 0;
    if (evicted && key !== 0) this.evicted.set(key, page);
    else this.builder.add(page, KIND_GONE);
  }

  used(pfn: number, mark: UseMark): void {
    this.referenced(pfn, mark === USE_ACCESSED ? KIND_KERNEL : mark === USE_ACTIVATED ? KIND_FILE : KIND_SILENT);
  }

  private referenced(pfn: number, kind: number): void {
    const page = this.pageIn[pfn];
    if (page === 0) return;
    this.builder.add(page, kind);
    if (!this.feedsPolicy) return;
    if (this.fresh[pfn] === 0) this.lru.policy.referenced!(pfn as Pfn);
    this.fresh[pfn] = 0;
  }
}
