// The swap file as data: which slots are used, by how many entries, and whether a frame holds the same page. Reads, changes nothing.
import type { MemoryManager } from "../../mm/memory-manager.ts";

export const SLOT_FREE = 0;
/** The page is only in swap. */
export const SLOT_USED = 1;
/** The page is in swap and in a frame (swap cache). */
export const SLOT_CACHED = 2;

export interface SwapInfo {
  slots: number;
  used: number;
  /** Highest slot that was ever used: above it everything is free. Slot numbers begin with 1. */
  highest: number;
  /** Pages that went in and out since the start. */
  pagesIn: number;
  pagesOut: number;
}

export function describeSwap(mm: MemoryManager): SwapInfo {
  const { swap, counters } = mm;
  return {
    slots: swap.slotCount,
    used: swap.usedCount,
    highest: swap.highestSlot,
    pagesIn: counters.pswpin,
    pagesOut: counters.pswpout,
  };
}

/** SLOT_* of slots firstSlot, firstSlot + 1, ... */
export function slotStates(mm: MemoryManager, firstSlot: number, into: Uint8Array): Uint8Array {
  const { swap } = mm;
  for (let i = 0; i < into.length; i++) {
    const slot = firstSlot + i;
    const exists = slot >= 1 && slot <= swap.highestSlot;
    if (exists && swap.frameOf(slot) !== 0) into[i] = SLOT_CACHED;
    else into[i] = exists && swap.refsOf(slot) > 0 ? SLOT_USED : SLOT_FREE;
  }
  return into;
}

/** References to a slot (page-table entries and shmem pages) and the frame that holds its page too, or 0. */
export function describeSlot(mm: MemoryManager, slot: number): { slot: number; references: number; pfn: number } {
  const exists = slot >= 1 && slot <= mm.swap.highestSlot;
  return { slot, references: exists ? mm.swap.refsOf(slot) : 0, pfn: exists ? mm.swap.frameOf(slot) : 0 };
}
