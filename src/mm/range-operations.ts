// What area operations do to the pages of a range: take away, protect, move, age, lock, fault in. Not responsible for areas; the
// caller has changed them, or changes them before anything else runs.
//
// Only unshareRange(), moveRange() and populateRange() may reclaim; the others run to their end with the page tables to themselves. The
// TLB is flushed once per call, before any frame could be used again. Tables shared at fork: whoever changes entries calls
// unshareRange() before; zapRange() leaves a shared table to the others when it takes all of it.
import { EFAULT, ENOMEM } from "../abi/errno.ts";
import {
  holdsFrame,
  isSwapEntry,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_R,
  PTE_SPECIAL,
  PTE_V,
  PTE_W,
  PTE_X,
  pteToPfn,
  pteToSlot,
} from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace } from "./address-space.ts";
import { anonymousUnmapped, dropSwapCache, isSoleOwner, releaseSwapEntry } from "./anonymous.ts";
import { FAULT_MAJOR, FAULT_MINOR, FAULT_OUT_OF_MEMORY, type FaultResult, READ, WRITE } from "./contracts.ts";
import { forceFault } from "./fault.ts";
import {
  FRAME_ANONYMOUS,
  FRAME_DIRTY,
  FRAME_FILE,
  FRAME_LAZY_FREE,
  FRAME_MLOCKED,
  FRAME_SHMEM,
  FRAME_SWAP_CACHE,
} from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { lockFrame, unlockFrameIfUnused } from "./mlocked.ts";
import { leafBits, type PageTable } from "./page-table.ts";
import { VM_MAYSHARE, VM_WRITE, type Vma } from "./vma.ts";

/**
 * Gives the space leaf tables of its own wherever pages of the range lie in shared ones, so that their entries can be changed.
 * `dropping`: the range is about to be zapped, so a table of which nothing else is left may stay shared. 0 or -ENOMEM. May reclaim.
 */
export function unshareRange(
  mm: MemoryManager,
  space: AddressSpace,
  firstVpn: number,
  endVpn: number,
  dropping = false,
): number {
  if (mm.sharedTables.size === 0) return 0;
  const { table } = space;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent((vpn | 511) + 1, endVpn)) {
    if (!table.isShared(vpn) || (dropping && table.isLeafWithin(vpn, firstVpn, endVpn))) continue;
    if (mm.reserveFor(space, 1) !== 0) return -ENOMEM;
    if (table.isShared(vpn)) table.unshareLeaf(vpn);
  }
  return 0;
}

/** Takes every page of [firstVpn, endVpn) out of the page table: frames lose a user, swap entries their slot, D goes to the frame. */
export function zapRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  zap(mm, space, firstVpn, endVpn, false);
}

/** As zapRange(), but private copies and swapped pages stay (unmap_mapping_range without even_cows). */
export function zapCachePages(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  zap(mm, space, firstVpn, endVpn, true);
}

function zap(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number, cacheOnly: boolean): void {
  const { table } = space;
  const { words } = mm.memory;
  const { kind, rmapHead, mapCount } = mm.frames;
  space.noteResidentPeak();
  let flush = false;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; ) {
    // One leaf table after the other; entries of one table are neighbours in memory.
    const stop = Math.min(endVpn, (vpn | 511) + 1);
    let at = table.find(vpn);
    if (rmapHead[at >>> 12] !== 0) {
      if (!cacheOnly) {
        leaveTable(mm, space, vpn, firstVpn, endVpn);
        flush = true;
      }
      vpn = table.nextPresent(stop, endVpn);
      continue;
    }
    // Behind the last entry that the table counts there is nothing to look for.
    for (let left = mapCount[at >>> 12]; vpn < stop && left > 0; vpn++, at += 8) {
      const word = words[at >>> 2];
      if (word === 0) continue;
      left--;
      if (cacheOnly && ((word & PTE_SPECIAL) !== 0 || !holdsFrame(word) || kind[pteToPfn(word)] === FRAME_ANONYMOUS))
        continue;
      table.clear(at);
      if ((word & PTE_V) !== 0) flush = true;
      if (isSwapEntry(word)) releaseSwapEntry(mm, pteToSlot(word));
      else if ((word & PTE_SPECIAL) === 0) frameUnmapped(mm, word);
    }
    vpn = table.nextPresent(stop, endVpn);
  }
  if (flush) mm.tlb.flushRange(space, firstVpn, endVpn);
}

/** zap() of a shared table: the others keep it. Frames that only this space had locked are locked no more. */
function leaveTable(mm: MemoryManager, space: AddressSpace, vpn: number, firstVpn: number, endVpn: number): void {
  const { table } = space;
  assert(table.isLeafWithin(vpn, firstVpn, endVpn), "unshareRange() before a part of a shared table is zapped (I17)");
  const first = table.find(vpn & ~511) >>> 2;
  table.detachLeaf(vpn);
  if (space.lockedPages === 0) return;
  for (let word = first; word < first + 1024; word += 2) {
    const entry = mm.memory.words[word];
    if (!holdsFrame(entry) || (mm.frames.flags[pteToPfn(entry)] & FRAME_MLOCKED) === 0) continue;
    unlockFrameIfUnused(mm, pteToPfn(entry));
  }
}

/** A PTE with this word is gone. */
function frameUnmapped(mm: MemoryManager, word: number): void {
  const { frames } = mm;
  const pfn = pteToPfn(word);
  const dirty = (word & PTE_D) !== 0;
  const locked = (frames.flags[pfn] & FRAME_MLOCKED) !== 0;
  if (frames.kind[pfn] === FRAME_ANONYMOUS) anonymousUnmapped(mm, pfn, dirty);
  else if (dirty && frames.kind[pfn] === FRAME_SHMEM) frames.flags[pfn] |= FRAME_DIRTY;
  if (locked && (frames.flags[pfn] & FRAME_MLOCKED) !== 0) unlockFrameIfUnused(mm, pfn);
}

/** Frees page-table frames of the range that hold nothing any more. To be called after zapRange() when the areas go. */
export function freeTables(_mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  space.table.freeTables(firstVpn, endVpn);
}

/**
 * mprotect: resident pages get the permissions of area.flags, which are new already. W is given back where that needs no fault's
 * work (can_change_pte_writable): a private page solely owned here, a shared page that is dirty.
 */
export function protectRange(mm: MemoryManager, area: Vma, firstVpn: number, endVpn: number): void {
  const { table } = area.space;
  const { words } = mm.memory;
  const bits = leafBits(area.flags);
  const mayWrite = (area.flags & VM_WRITE) !== 0;
  let narrowed = false;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    const word = words[at >>> 2];
    if (!holdsFrame(word)) continue;
    const writable = mayWrite && (word & PTE_SPECIAL) === 0 && mayBecomeWritable(mm, area, word);
    const wanted = writable ? bits | PTE_W : bits;
    const had = word & (PTE_V | PTE_R | PTE_W | PTE_X);
    table.setPermissions(at, wanted);
    if ((had & ~wanted) !== 0) narrowed = true;
  }
  if (narrowed) mm.tlb.flushRange(area.space, firstVpn, endVpn);
}

function mayBecomeWritable(mm: MemoryManager, area: Vma, word: number): boolean {
  if ((word & PTE_W) !== 0) return true;
  const pfn = pteToPfn(word);
  const kind = mm.frames.kind[pfn];
  if ((area.flags & VM_MAYSHARE) !== 0) return kind !== FRAME_FILE || (word & PTE_D) !== 0;
  return kind === FRAME_ANONYMOUS && isSoleOwner(mm, pfn);
}

/**
 * mremap: `count` PTEs from `fromVpn` on move to `toVpn` on, whatever they hold. Returns how many were moved; fewer than `count`: no
 * frame for a page table. May reclaim. Preconditions: the ranges are disjoint, the target's PTEs are none, an area maps each.
 */
export function moveRange(
  mm: MemoryManager,
  space: AddressSpace,
  fromVpn: number,
  toVpn: number,
  count: number,
): number {
  const { table } = space;
  let done = count;
  for (let i = 0; i < count; i++) {
    const vpn = table.nextPresent(fromVpn + i, fromVpn + count);
    if (vpn === fromVpn + count) break;
    i = vpn - fromVpn;
    const needed = tablesFor(table, toVpn + i) + (table.isShared(vpn) ? 1 : 0);
    if (needed > 0) {
      if (mm.reserveFor(space, needed) !== 0) {
        done = i;
        break;
      }
      if (table.isShared(toVpn + i)) table.unshareLeaf(toVpn + i);
      if (table.isShared(vpn)) table.unshareLeaf(vpn);
      // Reclaim may have taken the page; the table that was there stays.
      if (table.read(table.find(vpn)) === 0) continue;
    }
    table.moveEntry(table.find(vpn), table.ensure(toVpn + i));
  }
  mm.tlb.flushRange(space, fromVpn, fromVpn + count);
  return done;
}

/** Frames that it takes at most to change the PTE of `vpn`. */
function tablesFor(table: PageTable, vpn: number): number {
  if (table.find(vpn) === 0) return 2;
  return table.isShared(vpn) ? 1 : 0;
}

/** MADV_FREE (madvise_free_pte_range): pages solely owned here may be dropped until they are written again; swapped ones are, now. */
export function lazyFreeRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  const { frames, lru, swap } = mm;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    const word = table.read(at);
    if (isSwapEntry(word)) {
      table.clear(at);
      releaseSwapEntry(mm, pteToSlot(word));
      continue;
    }
    const pfn = pteToPfn(word);
    if ((word & PTE_SPECIAL) !== 0 || frames.kind[pfn] !== FRAME_ANONYMOUS) continue;
    if (frames.mapCount[pfn] !== 1) {
      // Others share it: this space no longer minds what becomes of the page, but it stays an ordinary one.
      if ((frames.flags[pfn] & (FRAME_DIRTY | FRAME_SWAP_CACHE)) === 0) table.clearBitsQuietly(at, PTE_A | PTE_D);
      continue;
    }
    if ((frames.flags[pfn] & FRAME_SWAP_CACHE) !== 0) {
      if (swap.refsOf(frames.owner[pfn]) !== 0) continue;
      dropSwapCache(mm, pfn);
    }
    table.clearBitsQuietly(at, PTE_A | PTE_D);
    lru.remove(pfn);
    frames.flags[pfn] = (frames.flags[pfn] & ~FRAME_DIRTY) | FRAME_LAZY_FREE;
    lru.insert(pfn);
  }
  mm.tlb.flushRange(space, firstVpn, endVpn);
}

/** MADV_COLD: pages mapped only here count as not used lately, and are the next to be looked at as victims. */
export function ageRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  const { frames, lru } = mm;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    const word = table.read(at);
    if (!holdsFrame(word) || (word & PTE_SPECIAL) !== 0 || frames.mapCount[pteToPfn(word)] !== 1) continue;
    if (frames.rmapHead[at >>> 12] !== 0) continue;
    table.clearBitsQuietly(at, PTE_A);
    lru.reinsert(pteToPfn(word));
  }
  mm.tlb.flushRange(space, firstVpn, endVpn);
}

/** A bits of the range are cleared (clear_refs). */
export function clearAccessedRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    if (holdsFrame(table.read(at))) table.clearBitsQuietly(at, PTE_A);
  }
  mm.tlb.flushRange(space, firstVpn, endVpn);
}

/** MADV_PAGEOUT: pages mapped only here are evicted now, if they can be. */
export function pageOutRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  const { frames } = mm;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    const word = table.read(at);
    if (!holdsFrame(word) || (word & PTE_SPECIAL) !== 0 || frames.mapCount[pteToPfn(word)] !== 1) continue;
    if (frames.rmapHead[at >>> 12] !== 0) continue;
    mm.reclaimer.evictIfPossible(pteToPfn(word) as Pfn);
  }
}

/** The resident pages of the range are locked: an area over it has VM_LOCKED now. */
export function lockRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const word = table.read(table.find(vpn));
    if (holdsFrame(word) && (word & PTE_SPECIAL) === 0) lockFrame(mm, pteToPfn(word));
  }
}

/** The areas over the range have lost VM_LOCKED: pages that no other locked area maps may be evicted again. */
export function unlockRange(mm: MemoryManager, space: AddressSpace, firstVpn: number, endVpn: number): void {
  const { table } = space;
  const { flags } = mm.frames;
  for (let vpn = table.nextPresent(firstVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const word = table.read(table.find(vpn));
    if (!holdsFrame(word) || (word & PTE_SPECIAL) !== 0) continue;
    if ((flags[pteToPfn(word)] & FRAME_MLOCKED) !== 0) unlockFrameIfUnused(mm, pteToPfn(word));
  }
}

/**
 * Faults in each page of the range that is not there yet (populate_vma_page_range), without regard to the area's own
 * permissions. 0, -EFAULT (past the end of the object, I/O error) or -ENOMEM. May reclaim.
 */
export function populateRange(mm: MemoryManager, area: Vma, firstVpn: number, endVpn: number, write: boolean): number {
  const { space } = area;
  const { table } = space;
  const done = write ? PTE_W : PTE_V | PTE_G;
  for (let vpn = firstVpn; vpn < endVpn; vpn++) {
    const word = table.read(table.find(vpn));
    if (holdsFrame(word) && (word & done) !== 0) {
      // FOLL_TOUCH: who asks for writing makes the page dirty.
      if (write && (word & PTE_D) === 0) {
        table.setBits(table.find(vpn), PTE_D);
        markDirty(mm, pteToPfn(word));
      }
      continue;
    }
    const result = forceFault(mm, space, vpn * 4096, write ? WRITE : READ);
    if (result !== FAULT_MINOR && result !== FAULT_MAJOR) return populateError(result);
  }
  return 0;
}

/** set_page_dirty(). */
export function markDirty(mm: MemoryManager, pfn: number): void {
  const { frames, objects } = mm;
  if (frames.kind[pfn] === FRAME_ANONYMOUS) frames.flags[pfn] |= FRAME_DIRTY;
  else objects.get(frames.owner[pfn])!.setDirty(pfn);
}

function populateError(result: FaultResult): number {
  if (result === FAULT_OUT_OF_MEMORY) return -ENOMEM;
  return -EFAULT;
}
