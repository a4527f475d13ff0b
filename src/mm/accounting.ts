// Who is charged for what: the commit account of the machine (vm.overcommit_memory), and, counted on demand from page tables, what
// /proc/PID/smaps, pagemap and clear_refs say about areas. Changes nothing but A bits (clear_refs).
import { EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  holdsFrame,
  isSwapEntry,
  PTE_A,
  PTE_D,
  PTE_SPECIAL,
  PTE_V,
  pteToPfn,
  pteToSlot,
  USER_VPN_END,
} from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { AddressSpace } from "./address-space.ts";
import type { OvercommitMode } from "./contracts.ts";
import {
  FRAME_ANONYMOUS,
  FRAME_DIRTY,
  FRAME_FILE,
  FRAME_LAZY_FREE,
  FRAME_REFERENCED,
  FRAME_SHMEM,
} from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { VM_LOCKED, VM_MAYSHARE, VM_WRITE, type Vma } from "./vma.ts";

/**
 * Pages promised: private writable memory, and objects that were paid for in advance (Linux __vm_enough_memory).
 *
 *   heuristic   one request may not exceed RAM and swap together; otherwise everything is promised
 *   always      everything is promised
 *   never       the sum of all promises may not exceed  swap + RAM * ratio / 100
 *
 * Where Linux keeps reserves for root and for the largest process (admin_reserve, user_reserve), this keeps none.
 */
export class CommitAccount {
  private readonly mm: MemoryManager;
  committedPages = 0;
  mode: OvercommitMode;
  /** Percent of RAM that counts under "never" (vm.overcommit_ratio). */
  ratio: number;

  constructor(mm: MemoryManager) {
    this.mm = mm;
    this.mode = mm.config.overcommit ?? "heuristic";
    this.ratio = mm.config.overcommitRatio ?? 50;
  }

  /** vm_commit_limit(), in pages. Enforced only under "never". */
  get limitPages(): number {
    return this.mm.swap.slotCount + Math.floor((this.mm.memory.frameCount * this.ratio) / 100);
  }

  /** Whether charge(pages) would succeed. */
  allows(pages: number): boolean {
    if (this.mode === "always") return true;
    if (this.mode === "heuristic") return pages <= this.mm.memory.frameCount + this.mm.swap.slotCount;
    return this.committedPages + pages <= this.limitPages;
  }

  /** 0 or -ENOMEM. */
  charge(pages: number): number {
    if (!this.allows(pages)) return -ENOMEM;
    this.committedPages += pages;
    return 0;
  }

  /** charge() that was checked before, or that moves a promise and must not fail. */
  add(pages: number): void {
    this.committedPages += pages;
  }

  uncharge(pages: number): void {
    assert(pages <= this.committedPages, "no more is given back than was promised");
    this.committedPages -= pages;
  }
}

/** The fields of one smaps entry, all in pages; pss* and swapPss may be fractions. */
export interface AreaStatistics {
  rss: number;
  pss: number;
  pssDirty: number;
  pssAnon: number;
  pssFile: number;
  pssShmem: number;
  sharedClean: number;
  sharedDirty: number;
  privateClean: number;
  privateDirty: number;
  referenced: number;
  anonymous: number;
  lazyFree: number;
  swap: number;
  swapPss: number;
  locked: number;
}

/** A page's share for one of `users`, cut to Linux's fixed point (PAGE_SIZE << PSS_SHIFT). */
function shareOf(users: number): number {
  return Math.floor(0x1000000 / users) / 0x1000000;
}

/** smap_gather_stats(): walks the area's page table. */
export function areaStatistics(space: AddressSpace, area: Vma): AreaStatistics {
  const s: AreaStatistics = {
    rss: 0,
    pss: 0,
    pssDirty: 0,
    pssAnon: 0,
    pssFile: 0,
    pssShmem: 0,
    sharedClean: 0,
    sharedDirty: 0,
    privateClean: 0,
    privateDirty: 0,
    referenced: 0,
    anonymous: 0,
    lazyFree: 0,
    swap: 0,
    swapPss: 0,
    locked: 0,
  };
  const { table, mm } = space;
  const { startVpn, endVpn } = area;
  let furtherUsers: Map<number, number> | null = null;
  for (let vpn = table.nextPresent(startVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const pte = table.read(table.find(vpn));
    if (holdsFrame(pte)) {
      if ((pte & PTE_SPECIAL) === 0) addResident(mm, pte, s);
    } else if (isSwapEntry(pte)) {
      s.swap++;
      furtherUsers ??= sharersOfSlots(mm);
      const slot = pteToSlot(pte);
      s.swapPss += shareOf(Math.max(1, mm.swap.refsOf(slot) + (furtherUsers.get(slot) ?? 0)));
    }
  }
  if (area.flags & VM_LOCKED) s.locked = s.pss;
  s.swap += swappedObjectPages(space, area);
  return s;
}

/** Spaces that map a frame: its entries, and once more for every further space that shares the table of one. */
function mappersOf(mm: MemoryManager, pfn: number): number {
  const { frames, rmap, sharedTables } = mm;
  let mappers = frames.mapCount[pfn];
  if (sharedTables.size === 0 || frames.kind[pfn] !== FRAME_ANONYMOUS) return mappers;
  const entries = rmap.collect(pfn);
  for (let i = 0; i < entries; i++) mappers += frames.rmapHead[rmap.tableOf(rmap.found[i])];
  return mappers;
}

/** By slot: the spaces that mean it beyond its references, because they share a table that names it. */
function sharersOfSlots(mm: MemoryManager): Map<number, number> {
  const further = new Map<number, number>();
  for (const [table, users] of mm.sharedTables) {
    for (let word = table << 10, end = word + 1024; word < end; word += 2) {
      const pte = mm.memory.words[word];
      if (!isSwapEntry(pte)) continue;
      const slot = pteToSlot(pte);
      further.set(slot, (further.get(slot) ?? 0) + users.length - 1);
    }
  }
  return further;
}

/** smaps_account(). */
function addResident(mm: MemoryManager, pte: number, s: AreaStatistics): void {
  const { frames } = mm;
  const pfn = pteToPfn(pte);
  const flags = frames.flags[pfn];
  const mapCount = mappersOf(mm, pfn);
  const dirty = (pte & PTE_D) !== 0 || (flags & FRAME_DIRTY) !== 0;
  const share = shareOf(mapCount);
  s.rss++;
  s.pss += share;
  if (dirty) s.pssDirty += share;
  if ((pte & PTE_A) !== 0 || (flags & FRAME_REFERENCED) !== 0) s.referenced++;
  if (mapCount > 1) {
    if (dirty) s.sharedDirty++;
    else s.sharedClean++;
  } else if (dirty) s.privateDirty++;
  else s.privateClean++;
  const kind = frames.kind[pfn];
  if (kind === FRAME_ANONYMOUS) {
    s.anonymous++;
    s.pssAnon += share;
    if ((flags & FRAME_LAZY_FREE) !== 0 && !dirty) s.lazyFree++;
  } else if (kind === FRAME_FILE) s.pssFile += share;
  else s.pssShmem += share;
}

/** shmem_swap_usage(): pages of the area's object that lie in swap and are not replaced by a private copy. */
function swappedObjectPages(space: AddressSpace, area: Vma): number {
  const { object } = area;
  if (object === null || object.kind !== FRAME_SHMEM || space.mm.swap.usedCount === 0) return 0;
  const ownPages = (area.flags & VM_MAYSHARE) === 0 && (area.flags & VM_WRITE) !== 0;
  const end = area.pageIndex(area.endVpn);
  let count = 0;
  for (let i = object.pages.next(area.pageOffset, end); i < end; i = object.pages.next(i + 1, end)) {
    if (object.pages.get(i) >= 0) continue;
    const vpn = area.startVpn + (i - area.pageOffset);
    if (!ownPages || space.table.read(space.table.find(vpn)) === 0) count++;
  }
  return count;
}

const PAGEMAP_PRESENT = 1 << 31;
const PAGEMAP_SWAP = 1 << 30;
const PAGEMAP_FILE = 1 << 29;
const PAGEMAP_EXCLUSIVE = 1 << 24;
/** Bits of a swap entry's "type" in pagemap. */
const SWAP_TYPE_BITS = 5;

/**
 * pte_to_pagemap_entry(): out[0] = frame number, or slot << 5 of a swapped page; out[1] = flags (bit 31 present, 30 swapped,
 * 29 file or shared anonymous, 24 mapped exactly once).
 */
export function pagemapEntry(space: AddressSpace, vpn: number, out: Uint32Array): void {
  out[0] = 0;
  out[1] = 0;
  if (vpn < 0 || vpn >= USER_VPN_END) return;
  const pte = space.table.read(space.table.find(vpn));
  if (holdsFrame(pte)) {
    const { frames } = space.mm;
    const pfn = pteToPfn(pte);
    out[0] = pfn;
    out[1] = PAGEMAP_PRESENT;
    if ((pte & PTE_SPECIAL) !== 0) return;
    if (frames.isCache(pfn)) out[1] |= PAGEMAP_FILE;
    if (mappersOf(space.mm, pfn) === 1) out[1] |= PAGEMAP_EXCLUSIVE;
  } else if (isSwapEntry(pte)) {
    out[0] = pteToSlot(pte) << SWAP_TYPE_BITS;
    out[1] = PAGEMAP_SWAP;
  }
}

/** /proc/PID/clear_refs: 1 all, 2 anonymous, 3 file areas: forget references; 4 soft-dirty (none kept); 5 reset VmHWM. 0 or -EINVAL. */
export function clearReferences(space: AddressSpace, kind: number): number {
  if (!(kind >= 1 && kind <= 5)) return -EINVAL;
  if (kind === 5) space.resetResidentPeak();
  if (kind > 3) return 0;
  for (let area = space.areas.first; area !== null; area = area.next) {
    if (kind === 1 || (kind === 2) === (area.file === null)) clearAreaReferences(space, area);
  }
  return 0;
}

function clearAreaReferences(space: AddressSpace, area: Vma): void {
  const { table, mm } = space;
  const { startVpn, endVpn } = area;
  for (let vpn = table.nextPresent(startVpn, endVpn); vpn < endVpn; vpn = table.nextPresent(vpn + 1, endVpn)) {
    const at = table.find(vpn);
    const pte = table.read(at);
    if (!holdsFrame(pte) || (pte & PTE_SPECIAL) !== 0) continue;
    mm.frames.flags[pteToPfn(pte)] &= ~FRAME_REFERENCED;
    if ((pte & PTE_A) !== 0 && (pte & PTE_V) !== 0) table.clearBitsQuietly(at, PTE_A);
  }
  mm.tlb.flushRange(space, startVpn, endVpn);
}
