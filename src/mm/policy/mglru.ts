// Eviction policy of generations, after Linux's multi-generational LRU (mm/vmscan.c try_to_inc_max_seq, evict_folios). Pages belong to
// one of up to four generations; ageing gives those used meanwhile to a new youngest one, eviction takes from the oldest. Linux's
// tiers (uses through file descriptors) and its controller between file and anonymous pages are left out.
//
//   oldest [seq 5] [seq 6] [seq 7] [seq 8] youngest
//      |                              ^
//      v unused: victim               | used: found by ageing, or at the last moment
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import { FRAME_FILE, FRAME_REFERENCED, type FrameTable } from "../frame-table.ts";
import { FrameList } from "./frame-list.ts";

const MOST_GENERATIONS = 4;
/** With fewer, there is nothing to tell old from young: ageing comes first (MIN_NR_GENS). */
const FEWEST_GENERATIONS = 2;

export class MglruPolicy implements ReclaimPolicy {
  readonly name = "mglru";
  private readonly frames: FrameTable;
  /** Generation `seq` is in generations[seq % 4]; policyWord is a frame's seq. */
  private readonly generations: FrameList[];
  private oldest = 0;
  private youngest = FEWEST_GENERATIONS - 1;

  constructor(frames: FrameTable) {
    this.frames = frames;
    this.generations = Array.from({ length: MOST_GENERATIONS }, () => new FrameList(frames));
  }

  inserted(pfn: Pfn): void {
    this.frames.flags[pfn] &= ~FRAME_REFERENCED;
    // lru_gen_add_folio(): a page of a file is not trusted before it is used again.
    const seq = this.frames.kind[pfn] === FRAME_FILE ? this.oldest : this.youngest;
    this.frames.policyWord[pfn] = seq;
    this.listOf(seq).pushHead(pfn);
  }

  removed(pfn: Pfn): void {
    this.listOf(this.frames.policyWord[pfn]).remove(pfn);
  }

  activated(pfn: Pfn): void {
    this.frames.flags[pfn] |= FRAME_REFERENCED;
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const total = this.generations.reduce((sum, list) => sum + list.length, 0);
    if (total === 0) return 0;
    for (let left = 2 * total + MOST_GENERATIONS; left > 0; left--) {
      while (this.listOf(this.oldest).length === 0 && this.oldest < this.youngest) this.oldest++;
      if (this.youngest - this.oldest + 1 < FEWEST_GENERATIONS) this.age(accessed);
      const pfn = this.listOf(this.oldest).tail as Pfn;
      if (pfn === 0) continue;
      if (!this.wasUsed(pfn, accessed)) return pfn;
      this.moveTo(pfn, this.youngest);
    }
    return this.generations.find((list) => list.length > 0)!.tail as Pfn;
  }

  /** inc_max_seq() after a walk of all page tables: what was used is the new youngest generation. */
  private age(accessed: (pfn: Pfn) => boolean): void {
    const next = this.youngest + 1;
    for (let seq = this.oldest; seq <= this.youngest; seq++) {
      const list = this.listOf(seq);
      for (let pfn = list.tail, before = 0; pfn !== 0; pfn = before) {
        before = list.before(pfn);
        if (this.wasUsed(pfn as Pfn, accessed)) this.moveTo(pfn, next);
      }
    }
    this.youngest = next;
  }

  private wasUsed(pfn: Pfn, accessed: (pfn: Pfn) => boolean): boolean {
    const { flags } = this.frames;
    const used = accessed(pfn) || (flags[pfn] & FRAME_REFERENCED) !== 0;
    flags[pfn] &= ~FRAME_REFERENCED;
    return used;
  }

  private moveTo(pfn: number, seq: number): void {
    this.listOf(this.frames.policyWord[pfn]).remove(pfn);
    this.frames.policyWord[pfn] = seq;
    this.listOf(seq).pushHead(pfn);
  }

  private listOf(seq: number): FrameList {
    return this.generations[seq % MOST_GENERATIONS];
  }
}
