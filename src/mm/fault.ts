// Page faults: decides which of the twelve cases an access is, and mends the page table for it (Linux mm/memory.c). Not responsible
// for finding victims (reclaim.ts) nor for signals: the caller turns the result into one.
//
//  #    PTE                area                     access               what happens                                      counts
//  F1   -                  none / above, growing    any                  SEGV MAPERR / the area grows, go on               -
//  F2   any                permission missing       any                  SEGV ACCERR                                       -
//  F3   none               private anonymous        read                 the shared zero frame, read-only                  minor
//  F4   none (or zero)     private anonymous        write                demand-zero: a new zeroed frame                   minor
//  F5   none               object, page cached      read, shared write   the cache frame; read: cached neighbours too      minor
//  F6   none               object, page absent      same                 page-in from file or swap, then F5                major
//  F7   none               private, object          write                page-in if needed, copy into a new frame          minor/major, copy
//  F8   present, W=0       private                  write                sole owner: W again; else copy-on-write           minor, (copy)
//  F9   present, W=0       shared                   write                W, and the page is dirty                          minor
//  F10  swapped            private                  any                  swap cache or swap-in; W if solely owned          minor/major
//  F11  none               object beyond its end    any                  BUS ADRERR                                        -
//  F12  present, enough    any                      any                  the TLB was stale: flush                          -
//
// F3, F4, F5, F8 and F10 in a leaf table that was shared at fork first take a copy of the table.
// Frames are reserved before anything is read; after a reserve that had to reclaim, everything is looked up afresh.

import { EIO } from "../abi/errno.ts";
import {
  holdsFrame,
  isSwapEntry,
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_SPECIAL,
  PTE_W,
  pteToPfn,
  pteToSlot,
  USER_END,
} from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { anonymousUnmapped, dropSwapCache, isSoleOwner, newAnonymousFrame } from "./anonymous.ts";
import {
  type Access,
  FAULT_BUS_ADRERR,
  FAULT_IO_ERROR,
  FAULT_MAJOR,
  FAULT_MINOR,
  FAULT_OUT_OF_MEMORY,
  FAULT_SEGV_ACCERR,
  FAULT_SEGV_MAPERR,
  FAULT_USERFAULT,
  type FaultResult,
  USE_UNMARKED,
  WRITE,
} from "./contracts.ts";
import { FRAME_ANONYMOUS, FRAME_FILE, FRAME_LAZY_FREE, FRAME_MLOCKED, FRAME_SWAP_CACHE } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import type { MemoryObject } from "./memory-object.ts";
import { lockFrame, unlockFrameIfUnused } from "./mlocked.ts";
import { leafBits } from "./page-table.ts";
import * as T from "./tracer.ts";
import { userfaultAt } from "./userfault.ts";
import {
  VM_DROPPABLE,
  VM_EXEC,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_RAND_READ,
  VM_READ,
  VM_UFFD,
  VM_UFFD_MINOR,
  VM_UFFD_MISSING,
  VM_WRITE,
  type Vma,
} from "./vma.ts";

/** Two tables (or one in place of a shared one), the object's page and a copy of it: more than any one fault takes. */
const FRAMES_PER_FAULT = 4;
/** Reserving can evict the very page that was to be mapped; more often than this it does not. */
const MOST_ROUNDS = 8;
/** Pages around a file read fault that are mapped along if they are cached (fault_around_bytes: 64 KiB). */
const AROUND_PAGES = 16;
/** Entries of one page table: a fault looks no further than its own. */
const TABLE_ENTRIES = 512;

/** VM_ flags of which one must be there, by access. Write implies read (riscv access_error()). */
const NEEDED = [VM_READ | VM_WRITE, VM_WRITE, VM_EXEC];

/**
 * Serves a fault at a byte address. FAULT_MINOR and FAULT_MAJOR: run the instruction again. Counts into space.faults and
 * mm.counters and traces. May reclaim and call the out-of-memory callback; never throws for a guest's doing.
 */
export function handleFault(mm: MemoryManager, space: AddressSpace, address: number, access: Access): FaultResult {
  if (mm.faultWatcher !== null) mm.faultWatcher.faultBegins(space, address, access);
  const result = serve(mm, space, address, access, false);
  mm.keepWithinLimit();
  if (mm.faultWatcher !== null) mm.faultWatcher.faultEnds(result);
  return result;
}

/**
 * FOLL_FORCE: as handleFault(), but permissions that the area lacks do not matter, except a write to a shared area without
 * VM_WRITE. After a write the page is private to this space and dirty, though its PTE may be without W.
 */
export function forceFault(mm: MemoryManager, space: AddressSpace, address: number, access: Access): FaultResult {
  return serve(mm, space, address, access, true);
}

function serve(mm: MemoryManager, space: AddressSpace, address: number, access: Access, forced: boolean): FaultResult {
  mm.counters.pgfault++;
  const vpn = Math.floor(address / PAGE_SIZE);
  const area = space.areas.findPage(vpn) ?? growStack(mm, space, address);
  if (area === null) {
    mm.tracer?.event(T.TRACE_SEGV_MAPERR, space.id, vpn, 0, access);
    return FAULT_SEGV_MAPERR;
  }
  if ((area.flags & NEEDED[access]) === 0 && !(forced && mayForce(area, access))) {
    mm.tracer?.event(T.TRACE_SEGV_ACCERR, space.id, vpn, 0, access);
    return FAULT_SEGV_ACCERR;
  }
  const { allocator } = mm;
  const at = space.table.find(vpn);
  const word = at === 0 ? 0 : mm.memory.words[at >>> 2];
  if (allocator.freeCount >= FRAMES_PER_FAULT + allocator.lowWatermark) {
    return dispatch(mm, space, area, vpn, at, word, access);
  }
  return serveShortOfFrames(mm, space, vpn, access);
}

/** F1: a stack (or other VM_GROWSDOWN area) above may reach down to the address. */
function growStack(mm: MemoryManager, space: AddressSpace, address: number): Vma | null {
  if (!(address >= 0 && address < USER_END)) return null;
  const area = space.expandDown(address);
  if (area !== null) mm.tracer?.event(T.TRACE_STACK_GROW, space.id, area.startVpn, 0, 0);
  return area;
}

function mayForce(area: Vma, access: Access): boolean {
  return access !== WRITE || (area.flags & (VM_MAYSHARE | VM_MAYWRITE)) === VM_MAYWRITE;
}

/** Frames that the case takes, exactly: only asked when there are few. */
function framesNeeded(mm: MemoryManager, area: Vma, vpn: number, at: number, word: number, access: Access): number {
  const own = at !== 0 && mm.frames.rmapHead[at >>> 12] !== 0 ? 1 : 0;
  if (word === 0) {
    const tables = at === 0 ? 2 : own;
    const { object } = area;
    if (object === null) return access === WRITE ? 1 + tables : tables;
    const page = object.pages.get(area.pageIndex(vpn)) > 0 ? 0 : 1;
    return access === WRITE && (area.flags & VM_MAYSHARE) === 0 ? 1 + page + tables : page + tables;
  }
  if (isSwapEntry(word)) {
    const slot = pteToSlot(word);
    const pfn = mm.swap.frameOf(slot);
    const shared = own !== 0 || mm.swap.refsOf(slot) > 1 || mm.frames.mapCount[pfn] > 0;
    return (pfn === 0 ? 1 : 0) + (access === WRITE && shared ? 1 : 0) + own;
  }
  if (access !== WRITE || (word & PTE_W) !== 0 || (area.flags & VM_MAYSHARE) !== 0) return 0;
  if ((word & PTE_SPECIAL) !== 0 || own !== 0) return 1 + own;
  return maySoleOwnerKeep(mm, pteToPfn(word)) ? 0 : 1;
}

/** A write to the frame needs no copy: it is anonymous (a page of a file's cache is never written privately) and ours alone. */
function maySoleOwnerKeep(mm: MemoryManager, pfn: number): boolean {
  return mm.frames.kind[pfn] === FRAME_ANONYMOUS && isSoleOwner(mm, pfn);
}

/** Reserves what the case needs, then looks everything up again: PTE, page cache and even the area may have changed. */
function serveShortOfFrames(mm: MemoryManager, space: AddressSpace, vpn: number, access: Access): FaultResult {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const area = space.areas.findPage(vpn);
    if (area === null) return FAULT_SEGV_MAPERR;
    const at = space.table.find(vpn);
    const word = space.table.read(at);
    const needed = framesNeeded(mm, area, vpn, at, word, access);
    // The first round reclaims down to the watermarks, as any request below them does; later rounds take what they got.
    const fromSwap = isSwapEntry(word);
    const kept = fromSwap ? 0 : mm.allocator.minWatermark;
    const enough = needed === 0 || (round > 0 && mm.allocator.freeCount >= needed + kept);
    if (enough) return dispatch(mm, space, area, vpn, at, word, access);
    if (mm.reserveFor(space, needed, fromSwap) !== 0) break;
  }
  mm.tracer?.event(T.TRACE_OUT_OF_MEMORY, space.id, vpn, 0, access);
  return FAULT_OUT_OF_MEMORY;
}

function dispatch(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  vpn: number,
  at: number,
  word: number,
  access: Access,
): FaultResult {
  const present = word !== 0 && !isSwapEntry(word);
  if (present && (access !== WRITE || (word & PTE_W) !== 0)) return staleTlb(mm, space, vpn, word);
  // The first change after a fork takes a page table of its own; the entries stay what they are.
  if (at !== 0 && mm.frames.rmapHead[at >>> 12] !== 0) at = space.table.unshareLeaf(vpn);
  if (word === 0) {
    const { object } = area;
    if (object !== null) return objectFault(mm, space, area, object, vpn, access);
    if ((area.flags & VM_UFFD_MISSING) !== 0) return userfault(mm, false);
    return access === WRITE ? demandZero(mm, space, area, vpn) : mapZeroPage(mm, space, area, vpn);
  }
  if (!present) return swapIn(mm, space, area, vpn, at, word, access);
  if ((area.flags & VM_MAYSHARE) !== 0) return sharedWrite(mm, space, area, vpn, at, word);
  if ((word & PTE_SPECIAL) !== 0) return demandZero(mm, space, area, vpn);
  return privateWrite(mm, space, area, vpn, at, word);
}

function minor(space: AddressSpace): FaultResult {
  space.faults.minor++;
  return FAULT_MINOR;
}

function minorOrMajor(mm: MemoryManager, space: AddressSpace, waited: boolean): FaultResult {
  if (!waited) return minor(space);
  space.faults.major++;
  mm.counters.pgmajfault++;
  return FAULT_MAJOR;
}

/** Bits of a page that the fault's own access writes to: W only where the area grants it (maybe_mkwrite). */
function writtenBits(area: Vma): number {
  const bits = leafBits(area.flags) | PTE_A | PTE_D;
  return (area.flags & VM_WRITE) !== 0 ? bits | PTE_W : bits;
}

/** F3, do_anonymous_page() for a read. */
function mapZeroPage(mm: MemoryManager, space: AddressSpace, area: Vma, vpn: number): FaultResult {
  space.table.mapZero(space.table.ensure(vpn), leafBits(area.flags) | PTE_A);
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_ZERO_PAGE, space.id, vpn, mm.zeroPfn, 0);
  return minor(space);
}

/** F4, do_anonymous_page() for a write; also the first write to a page that shows the zero frame. */
function demandZero(mm: MemoryManager, space: AddressSpace, area: Vma, vpn: number): FaultResult {
  const pfn = newAnonymousFrame(mm, space.table, vpn, 0, (area.flags & VM_DROPPABLE) !== 0);
  mm.memory.zero(pfn);
  if (area.anonVma === 0) area.prepareAnonVma();
  space.table.map(space.table.ensure(vpn), vpn, pfn, writtenBits(area));
  if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_DEMAND_ZERO, space.id, vpn, pfn, 0);
  return minor(space);
}

/** F5, F6, F7 and F11: nothing is mapped, the page comes from the area's object. */
function objectFault(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  object: MemoryObject,
  vpn: number,
  access: Access,
): FaultResult {
  const index = area.pageOffset + (vpn - area.startVpn);
  const copies = access === WRITE && (area.flags & VM_MAYSHARE) === 0;
  // Linux prepares for the copy before it knows whether there is a page.
  if (copies && area.anonVma === 0) area.prepareAnonVma();
  // As in Linux the neighbours come first: also a read that then fails, or waits for its own page, maps them.
  const showsAround = access !== WRITE && (area.flags & VM_UFFD_MINOR) === 0;
  const around = showsAround ? mapAround(mm, space, area, object, vpn, index) : 0;
  if (index * PAGE_SIZE >= object.sizeBytes) {
    if (mm.tracer !== null) mm.tracer.event(T.TRACE_BUS_ERROR, space.id, vpn, 0, access);
    return FAULT_BUS_ADRERR;
  }
  if ((area.flags & VM_UFFD) !== 0) {
    const kind = userfaultAt(area, vpn);
    if (kind !== null) return userfault(mm, kind === "minor");
  }
  let pfn = object.pages.get(index);
  let waited = false;
  const wasCached = pfn > 0;
  if (!wasCached) {
    pfn = pageIn(area, object, vpn, index);
    if (pfn < 0) return pfn === -EIO ? FAULT_IO_ERROR : FAULT_BUS_ADRERR;
    waited = object.loadWasIo;
  }
  if (copies) return copyFromObject(mm, space, area, vpn, pfn, waited);
  mapObjectPage(mm, space, area, object, vpn, pfn, access);
  if (mm.tracer !== null) {
    if (waited) mm.tracer.event(T.TRACE_PAGE_IN, space.id, vpn, pfn, index);
    else mm.tracer.event(T.TRACE_MAP_CACHED, space.id, vpn, pfn, around);
  }
  return minorOrMajor(mm, space, waited);
}

/** F6; do_sync_mmap_readahead(): the pages that the fault could map along come in with it, unless use is known to be random. */
function pageIn(area: Vma, object: MemoryObject, vpn: number, index: number): number {
  if ((area.flags & VM_RAND_READ) !== 0) return object.load(index);
  const first = Math.max(vpn & ~(AROUND_PAGES - 1), area.startVpn);
  const end = Math.min((vpn | (AROUND_PAGES - 1)) + 1, area.endVpn);
  return object.loadAround(index, index - (vpn - first), index + (end - vpn));
}

/** handle_userfault(): somebody else brings the page. */
function userfault(mm: MemoryManager, isMinor: boolean): FaultResult {
  mm.userfaultIsMinor = isMinor;
  return FAULT_USERFAULT;
}

/** F7, do_cow_fault(). */
function copyFromObject(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  vpn: number,
  source: number,
  waited: boolean,
): FaultResult {
  const pfn = newAnonymousFrame(mm, space.table, vpn);
  mm.lru.observer?.used(source, USE_UNMARKED);
  mm.memory.copy(pfn, source);
  space.table.map(space.table.ensure(vpn), vpn, pfn, writtenBits(area));
  if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
  space.faults.copies++;
  mm.counters.pgcopy++;
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_COPY_FROM_FILE, space.id, vpn, pfn, source);
  return minorOrMajor(mm, space, waited);
}

/** F5, do_read_fault() and do_shared_fault(): the cache frame itself. */
export function mapObjectPage(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  object: MemoryObject,
  vpn: number,
  pfn: number,
  access: Access,
): void {
  const isFile = object.kind === FRAME_FILE;
  let bits = leafBits(area.flags) | PTE_A;
  if ((area.flags & (VM_MAYSHARE | VM_WRITE)) === (VM_MAYSHARE | VM_WRITE)) {
    // A file wants to hear of the first store (F9); memory without a file does not, and is writable at once.
    if (access === WRITE) bits |= PTE_W | PTE_D;
    else if (!isFile) bits |= PTE_W;
    if (access === WRITE) {
      if (isFile) fileWritten(mm, area, object, pfn);
      else object.setDirty(pfn);
    }
  }
  space.table.map(space.table.ensure(vpn), vpn, pfn, bits);
  if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
}

/** page_mkwrite: a mapping is about to change a page of a file. */
function fileWritten(mm: MemoryManager, area: Vma, object: MemoryObject, pfn: number): void {
  object.setDirty(pfn);
  if (area.file !== null) mm.config.fileDirtied?.(area.file);
}

/**
 * do_fault_around(): up to 16 pages from the start of their 16-page window, or of the area, that are cached and not mapped are
 * mapped along, so that a program's text costs a fault per window. Their A stays clear (Linux on riscv sets it): reclaim
 * sees what was used. Returns how many.
 */
function mapAround(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  object: MemoryObject,
  vpn: number,
  index: number,
): number {
  const { table } = space;
  const { words } = mm.memory;
  const first = Math.max(vpn & ~(AROUND_PAGES - 1), area.startVpn);
  const toIndex = index - vpn;
  const endOfObject = Math.ceil(object.sizeBytes / PAGE_SIZE) - toIndex;
  const end = Math.min(first + AROUND_PAGES, (vpn | (TABLE_ENTRIES - 1)) + 1, area.endVpn, endOfObject);
  let bits = leafBits(area.flags);
  if (object.kind !== FRAME_FILE && (area.flags & (VM_MAYSHARE | VM_WRITE)) === (VM_MAYSHARE | VM_WRITE)) bits |= PTE_W;
  const { pages } = object;
  let base = table.find(first);
  let mapped = 0;
  for (let page = first; page < end; page++) {
    if (page === vpn || (base !== 0 && words[(base + (page - first) * 8) >>> 2] !== 0)) continue;
    const pfn = pages.get(page + toIndex);
    if (pfn <= 0) continue;
    if (base === 0) base = table.ensure(first);
    table.map(base + (page - first) * 8, page, pfn, bits);
    if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
    mapped++;
  }
  return mapped;
}

/** F8, do_wp_page() of a private area. */
function privateWrite(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  vpn: number,
  at: number,
  word: number,
): FaultResult {
  const pfn = pteToPfn(word);
  if (maySoleOwnerKeep(mm, pfn)) {
    reuse(mm, space, area, at, pfn);
    if (mm.tracer !== null) mm.tracer.event(T.TRACE_COPY_ON_WRITE, space.id, vpn, pfn, 0);
  } else {
    copyOnWrite(mm, space, area, vpn, at, pfn);
  }
  return minor(space);
}

/** wp_page_reuse(): nobody else can reach the page, so it is written where it is. Its slot would go stale: given back. */
function reuse(mm: MemoryManager, space: AddressSpace, area: Vma, at: number, pfn: number): void {
  const { flags } = mm.frames;
  if ((flags[pfn] & (FRAME_SWAP_CACHE | FRAME_LAZY_FREE)) !== 0) {
    if ((flags[pfn] & FRAME_SWAP_CACHE) !== 0) dropSwapCache(mm, pfn);
    if ((area.flags & VM_DROPPABLE) === 0) flags[pfn] &= ~FRAME_LAZY_FREE;
  }
  space.table.setBits(at, (area.flags & VM_WRITE) !== 0 ? PTE_A | PTE_D | PTE_W : PTE_A | PTE_D);
}

/** wp_page_copy(). */
function copyOnWrite(mm: MemoryManager, space: AddressSpace, area: Vma, vpn: number, at: number, old: number): void {
  const { frames } = mm;
  const pfn = newAnonymousFrame(mm, space.table, vpn);
  mm.lru.observer?.used(old, USE_UNMARKED);
  mm.memory.copy(pfn, old);
  if (area.anonVma === 0) area.prepareAnonVma();
  const oldWord = space.table.replaceFrame(at, vpn, pfn, writtenBits(area));
  const wasLocked = (frames.flags[old] & FRAME_MLOCKED) !== 0;
  if (frames.kind[old] === FRAME_ANONYMOUS) anonymousUnmapped(mm, old, (oldWord & PTE_D) !== 0);
  if (wasLocked && (frames.flags[old] & FRAME_MLOCKED) !== 0) unlockFrameIfUnused(mm, old);
  if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
  space.faults.copies++;
  mm.counters.pgcopy++;
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_COPY_ON_WRITE, space.id, vpn, pfn, old);
}

/** FAULT_FLAG_UNSHARE: a resident private page that others share is copied, clean and without W. No frame left: it stays shared. */
export function unsharePage(space: AddressSpace, vpn: number): void {
  const { mm } = space;
  const mustCopy = () => {
    const word = space.table.read(space.table.find(vpn));
    if (!holdsFrame(word) || (word & PTE_SPECIAL) !== 0) return false;
    if (mm.frames.kind[pteToPfn(word)] !== FRAME_ANONYMOUS) return false;
    return space.table.isShared(vpn) || !isSoleOwner(mm, pteToPfn(word));
  };
  if (!mustCopy() || mm.reserveFor(space, 2) !== 0 || !mustCopy()) return;
  if (space.table.isShared(vpn)) space.table.unshareLeaf(vpn);
  const area = space.areas.findPage(vpn)!;
  const at = space.table.find(vpn);
  copyOnWrite(mm, space, area, vpn, at, pteToPfn(space.table.read(at)));
  space.table.clearBitsQuietly(at, PTE_D | PTE_W);
  mm.tlb.flushPage(space, vpn);
}

/** F9, wp_page_shared(). */
function sharedWrite(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  vpn: number,
  at: number,
  word: number,
): FaultResult {
  const pfn = pteToPfn(word);
  const object = area.object!;
  if (object.kind === FRAME_FILE) fileWritten(mm, area, object, pfn);
  else object.setDirty(pfn);
  space.table.setBits(at, PTE_W | PTE_A | PTE_D);
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_SHARED_WRITE, space.id, vpn, pfn, 0);
  return minor(space);
}

/** F10, do_swap_page(). */
function swapIn(
  mm: MemoryManager,
  space: AddressSpace,
  area: Vma,
  vpn: number,
  at: number,
  word: number,
  access: Access,
): FaultResult {
  const { swap, frames } = mm;
  const slot = pteToSlot(word);
  let pfn = swap.frameOf(slot);
  const waited = pfn === 0;
  if (waited) {
    pfn = readFromSwap(mm, space, vpn, slot);
    if (pfn === 0) return FAULT_IO_ERROR;
  }
  space.table.map(at, vpn, pfn, leafBits(area.flags) | PTE_A);
  swap.release(slot);
  if ((area.flags & VM_LOCKED) !== 0) lockFrame(mm, pfn);
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_SWAP_IN, space.id, vpn, pfn, waited ? slot : -slot);
  if (isSoleOwner(mm, pfn)) {
    if (access === WRITE) reuse(mm, space, area, at, pfn);
    else if ((area.flags & VM_WRITE) !== 0) space.table.setBits(at, PTE_W);
    if (swap.isTight && (frames.flags[pfn] & FRAME_SWAP_CACHE) !== 0) dropSwapCache(mm, pfn);
  } else if (access === WRITE) {
    copyOnWrite(mm, space, area, vpn, at, pfn);
  }
  return minorOrMajor(mm, space, waited);
}

/** A frame in the swap cache with the slot's page, or 0 when the device failed. Precondition: reserved. */
function readFromSwap(mm: MemoryManager, space: AddressSpace, vpn: number, slot: number): number {
  const { swap, frames } = mm;
  const pfn = newAnonymousFrame(mm, space.table, vpn, slot);
  if (swap.read(slot, pfn) < 0) {
    mm.lru.remove(pfn);
    mm.allocator.free(pfn);
    return 0;
  }
  swap.cache(slot, pfn);
  frames.flags[pfn] |= FRAME_SWAP_CACHE;
  return pfn;
}

/** F12: the page table allows the access already. */
function staleTlb(mm: MemoryManager, space: AddressSpace, vpn: number, word: number): FaultResult {
  mm.tlb.flushPage(space, vpn);
  if (mm.tracer !== null) mm.tracer.event(T.TRACE_STALE_TLB, space.id, vpn, pteToPfn(word), 0);
  return FAULT_MINOR;
}
