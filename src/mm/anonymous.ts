// The life of anonymous frames: made, solely owned or shared, remembered by a swap slot, dropped with the last PTE. Not responsible
// for page tables nor for choosing what to swap out.
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import { FRAME_DIRTY, FRAME_LAZY_FREE, FRAME_SWAP_CACHE } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import type { PageTable } from "./page-table.ts";

/**
 * An anonymous frame of unspecified contents for page `vpn` of this table, known to the policy. `slot`: where the page comes from, or 0;
 * `droppable`: it need never be kept (MAP_DROPPABLE).
 * Precondition: reserved.
 */
export function newAnonymousFrame(mm: MemoryManager, table: PageTable, vpn: number, slot = 0, droppable = false): Pfn {
  const pfn = mm.allocator.allocateForPage(vpn, table.frameBeside(vpn));
  if (droppable) mm.frames.flags[pfn] |= FRAME_LAZY_FREE;
  mm.frames.index[pfn] = vpn;
  mm.frames.owner[pfn] = slot;
  mm.lru.insert(pfn);
  return pfn;
}

/** The one PTE that names the frame is all that can ever reach its page (wp_can_reuse_anon_folio): it may be writable (I4). */
export function isSoleOwner(mm: MemoryManager, pfn: number): boolean {
  const { frames } = mm;
  if (frames.mapCount[pfn] !== 1) return false;
  return (frames.flags[pfn] & FRAME_SWAP_CACHE) === 0 || mm.swap.refsOf(frames.owner[pfn]) === 0;
}

/** The frame's swap slot is given back. Precondition: in the swap cache, and no entry names the slot. */
export function dropSwapCache(mm: MemoryManager, pfn: number): void {
  const { frames } = mm;
  const slot = frames.owner[pfn];
  assert(mm.swap.refsOf(slot) === 0, "a slot that entries name stays");
  frames.flags[pfn] &= ~FRAME_SWAP_CACHE;
  frames.owner[pfn] = 0;
  mm.swap.uncache(slot);
}

/** A PTE of the frame is gone; `dirty`: it had D, which matters only against a copy in swap (zap_present_folio_ptes). Frees the frame, unless swap entries still mean it. */
export function anonymousUnmapped(mm: MemoryManager, pfn: number, dirty: boolean): void {
  const { frames } = mm;
  if (dirty && (frames.flags[pfn] & FRAME_SWAP_CACHE) !== 0) frames.flags[pfn] |= FRAME_DIRTY;
  if (frames.mapCount[pfn] !== 0) return;
  if ((frames.flags[pfn] & FRAME_SWAP_CACHE) !== 0) {
    if (mm.swap.refsOf(frames.owner[pfn]) !== 0) return;
    dropSwapCache(mm, pfn);
  }
  mm.lru.remove(pfn);
  mm.allocator.free(pfn as Pfn);
}

/** A swap entry is gone. Frees slot and cached frame when it was the last that meant them. */
export function releaseSwapEntry(mm: MemoryManager, slot: number): void {
  const pfn = mm.swap.frameOf(slot);
  if (mm.swap.release(slot) !== 0 || pfn === 0 || mm.frames.mapCount[pfn] !== 0) return;
  dropSwapCache(mm, pfn);
  mm.lru.remove(pfn);
  mm.allocator.free(pfn as Pfn);
}
