// Makes room: asks the policy for victims, takes them out of every page table, and lets clean pages go, writes dirty ones to their
// file and anonymous ones to swap. Runs only inside FrameAllocator.reserve(). Not responsible for choosing victims.
//
//   victim     first                                    then
//   anonymous  every PTE becomes a swap entry           written to its slot if newer than it, freed   (MADV_FREE, clean: just freed)
//   file       every PTE becomes none                   written back if dirty, dropped from the cache
//   shmem      every PTE becomes none                   written to a slot that the page map remembers (never written: dropped)
//
// A page whose device fails stays in memory with its contents: an anonymous one as a dirty page of the swap cache, the others in
// the page cache. Such frames, and those for which no slot is free, are parked.
import { PTE_A, PTE_D } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace } from "./address-space.ts";
import { dropSwapCache } from "./anonymous.ts";
import {
  FRAME_ANONYMOUS,
  FRAME_DIRTY,
  FRAME_EVICTABLE,
  FRAME_FILE,
  FRAME_LAZY_FREE,
  FRAME_MLOCKED,
  FRAME_PARKED,
  FRAME_SWAP_CACHE,
} from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { TRACE_DROP_LAZY, TRACE_SWAP_OUT } from "./tracer.ts";
import { VM_DROPPABLE } from "./vma.ts";

/** Kills that brought no frame before a request is given up. */
const FRUITLESS_KILLS = 16;
/** Parked frames offered to a device that failed, to see whether it works again. */
const PROBES = 16;

export class Reclaimer {
  private readonly mm: MemoryManager;
  /** Frames that were pinned when their turn came; back to the policy at the end of the run. */
  private readonly passedOver: number[] = [];
  /** For policies: tests and clears the A bits of every PTE of a frame. */
  accessed: (pfn: Pfn) => boolean;
  /** For whom frames are sought; the out-of-memory callback is told. */
  asking: AddressSpace | null = null;

  constructor(mm: MemoryManager) {
    this.mm = mm;
    this.accessed = (pfn) => this.testAndClearAccessed(pfn);
  }

  /** Frees frames until `target` are free; when not even `needed` can be had, asks for kills. True: `needed` are free. */
  refill(needed: number, target: number): boolean {
    const { allocator, config, counters } = this.mm;
    counters.allocstall++;
    for (let fruitless = 0; fruitless < FRUITLESS_KILLS; ) {
      this.unparkWhatMayGo();
      this.shrink(target);
      if (allocator.freeCount >= needed) return true;
      this.retryParked(needed);
      if (allocator.freeCount >= needed) return true;
      const before = allocator.freeCount;
      if (!config.outOfMemory(this.asking)) return allocator.freeCount >= needed;
      fruitless = allocator.freeCount > before ? 0 : fruitless + 1;
    }
    return allocator.freeCount >= needed;
  }

  /** Slots came free. While a device fails that means nothing: trying every page again would unmap them all for nothing. */
  private unparkWhatMayGo(): void {
    const { lru, swap } = this.mm;
    if (lru.parkedCount > 0 && !lru.deviceFailing) lru.unpark(swap.freeCount + swap.idleCount);
  }

  /** Devices that failed may have recovered: one more try, for a few pages, and for everything parked if one of them goes. */
  private retryParked(needed: number): void {
    const { lru } = this.mm;
    if (lru.deviceFailing) {
      lru.unpark(PROBES);
      if (this.shrink(needed) === 0) return;
      lru.deviceFailing = false;
    }
    lru.unpark(lru.parkedCount);
    this.shrink(needed);
  }

  /** Evicts until `target` frames are free or the policy has no victim left. Returns the frames freed. */
  shrink(target: number): number {
    const { allocator, counters, lru, frames } = this.mm;
    let freed = 0;
    while (allocator.freeCount < target) {
      const pfn = lru.policy.victim(this.accessed);
      if (pfn === 0) break;
      counters.pgscan++;
      if (frames.pins[pfn] !== 0) {
        lru.remove(pfn);
        this.passedOver.push(pfn);
      } else if (this.evict(pfn)) {
        counters.pgsteal++;
        freed++;
      }
    }
    while (this.passedOver.length > 0) lru.insert(this.passedOver.pop()!);
    return freed;
  }

  /** Evicts until the policy has no more than `most` frames, if it can. */
  shrinkTo(most: number): void {
    const { lru, counters, frames } = this.mm;
    while (lru.count > most) {
      const pfn = lru.policy.victim(this.accessed);
      if (pfn === 0) break;
      counters.pgscan++;
      if (frames.pins[pfn] !== 0) {
        lru.remove(pfn);
        this.passedOver.push(pfn);
      } else if (this.evict(pfn)) counters.pgsteal++;
    }
    while (this.passedOver.length > 0) lru.insert(this.passedOver.pop()!);
  }

  /** Gives one frame up. False: it could not be, and is no longer offered by the policy (parked, or not evictable at all). */
  evict(pfn: Pfn): boolean {
    const { frames, objects, lru } = this.mm;
    lru.leaving = pfn;
    const gone =
      frames.kind[pfn] === FRAME_ANONYMOUS ? this.evictAnonymous(pfn) : objects.get(frames.owner[pfn])!.evict(pfn);
    lru.leaving = 0;
    return gone;
  }

  /** For MADV_PAGEOUT: evicts the frame if nothing forbids it. */
  evictIfPossible(pfn: Pfn): boolean {
    const { frames } = this.mm;
    const flags = frames.flags[pfn];
    if (frames.pins[pfn] !== 0 || (flags & FRAME_MLOCKED) !== 0) return false;
    return (flags & (FRAME_EVICTABLE | FRAME_PARKED)) !== 0 && this.evict(pfn);
  }

  private evictAnonymous(pfn: Pfn): boolean {
    const { frames, lru, swap, tracer } = this.mm;
    if ((frames.flags[pfn] & FRAME_LAZY_FREE) !== 0) {
      if (this.dropLazilyFreed(pfn)) return true;
      if ((frames.flags[pfn] & FRAME_EVICTABLE) === 0) return false;
    }
    let slot = frames.owner[pfn];
    if ((frames.flags[pfn] & FRAME_SWAP_CACHE) === 0) {
      slot = this.allocateSlot();
      if (slot === 0) {
        lru.park(pfn);
        return false;
      }
      swap.cache(slot, pfn);
      frames.owner[pfn] = slot;
      frames.flags[pfn] |= FRAME_SWAP_CACHE | FRAME_DIRTY;
    }
    this.swapEverywhere(pfn, slot);
    if ((frames.flags[pfn] & FRAME_DIRTY) !== 0) {
      if (swap.write(slot, pfn) < 0) {
        lru.parkRefused(pfn);
        return false;
      }
      frames.flags[pfn] &= ~FRAME_DIRTY;
    }
    const vpn = frames.index[pfn];
    frames.flags[pfn] &= ~FRAME_SWAP_CACHE;
    swap.uncache(slot);
    lru.remove(pfn);
    this.mm.allocator.free(pfn);
    if (tracer !== null) tracer.event(TRACE_SWAP_OUT, 0, vpn, pfn, slot);
    return true;
  }

  /** MADV_FREE: an untouched frame is dropped without a trace. False: it was written again, and is an ordinary page now. */
  private dropLazilyFreed(pfn: Pfn): boolean {
    const { frames, rmap, memory, lru, tracer, spaces } = this.mm;
    const count = rmap.collect(pfn);
    let written = (frames.flags[pfn] & (FRAME_DIRTY | FRAME_SWAP_CACHE)) !== 0;
    const first = count > 0 ? rmap.found[0] : 0;
    const area = count > 0 ? spaces.get(rmap.spaceIdOf(first))!.areas.findPage(rmap.vpnOf(first)) : null;
    const isDroppable = area !== null && (area.flags & VM_DROPPABLE) !== 0;
    for (let i = 0; i < count && !isDroppable; i++) if ((memory.words[rmap.found[i] * 2] & PTE_D) !== 0) written = true;
    if (written) {
      frames.flags[pfn] &= ~FRAME_LAZY_FREE;
      // Without swap it is not evictable any more.
      lru.reinsert(pfn);
      return false;
    }
    const vpn = frames.index[pfn];
    this.unmapEverywhere(pfn);
    lru.remove(pfn);
    this.mm.allocator.free(pfn);
    if (tracer !== null) tracer.event(TRACE_DROP_LAZY, 0, vpn, pfn, 0);
    return true;
  }

  /** A free slot, taken back from the swap cache if need be, or 0. The caller uses it at once. */
  allocateSlot(): number {
    const { swap, frames } = this.mm;
    const slot = swap.allocate();
    if (slot !== 0 || swap.idleCount === 0) return slot;
    for (let s = swap.highestSlot; s > 0; s--) {
      const pfn = swap.frameOf(s);
      if (pfn === 0 || swap.refsOf(s) !== 0 || frames.mapCount[pfn] === 0) continue;
      dropSwapCache(this.mm, pfn);
    }
    return swap.allocate();
  }

  /** Every PTE of an anonymous frame becomes an entry of `slot`; D goes to the frame. */
  private swapEverywhere(pfn: Pfn, slot: number): void {
    const { rmap, spaces, swap, frames } = this.mm;
    const count = rmap.collect(pfn);
    for (let i = 0; i < count; i++) {
      const pte = rmap.found[i];
      const space = spaces.get(rmap.spaceIdOf(pte))!;
      space.noteResidentPeak();
      const old = space.table.replaceBySwap(pte * 8, rmap.vpnOf(pte), slot);
      if ((old & PTE_D) !== 0) frames.flags[pfn] |= FRAME_DIRTY;
      swap.duplicate(slot);
    }
  }

  /** Every PTE of a frame becomes none; D goes to the frame. */
  unmapEverywhere(pfn: Pfn): void {
    const { rmap, spaces, frames } = this.mm;
    const count = rmap.collect(pfn);
    for (let i = 0; i < count; i++) {
      const pte = rmap.found[i];
      const space = spaces.get(rmap.spaceIdOf(pte))!;
      space.noteResidentPeak();
      const old = space.table.unmap(pte * 8, rmap.vpnOf(pte));
      // A file page that may be written is DIRTY already (see frame-table.ts).
      if ((old & PTE_D) !== 0 && frames.kind[pfn] !== FRAME_FILE) frames.flags[pfn] |= FRAME_DIRTY;
    }
  }

  private testAndClearAccessed(pfn: Pfn): boolean {
    const { rmap, spaces, memory } = this.mm;
    const count = rmap.collect(pfn);
    let accessed = false;
    for (let i = 0; i < count; i++) {
      const pte = rmap.found[i];
      if ((memory.words[pte * 2] & PTE_A) === 0) continue;
      accessed = true;
      spaces.get(rmap.spaceIdOf(pte))!.table.clearBits(pte * 8, rmap.vpnOf(pte), PTE_A);
    }
    return accessed;
  }
}
