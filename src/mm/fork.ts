// fork: a second address space with the same areas, whose private pages are shared until one side writes (Linux dup_mmap,
// copy_page_range). Not responsible for tasks.
//
//   area                      what the child's page table gets
//   VM_DONTCOPY               no area          VM_WIPEONFORK  nothing: it reads zeros
//   shared                    nothing: pages come back by faults on the object
//   private, never written    nothing: likewise (no anonVma)
//   private, written          every entry: frames with W cleared on both sides, swap entries with one more reference
//
// On-demand fork: a leaf table that holds nothing but such pages, anonymous ones, is not copied but shared by parent and child until
// one of them changes an entry (shared-tables.ts). So the cost hardly grows with resident memory.
import { ENOMEM } from "../abi/errno.ts";
import {
  isSwapEntry,
  PTE_A,
  PTE_PFN_SHIFT,
  PTE_SPECIAL,
  PTE_V,
  PTE_W,
  PTES_PER_TABLE,
  pteToPfn,
  pteToSlot,
} from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { TRACE_FORK } from "./tracer.ts";
import { VM_ACCOUNT, VM_DONTCOPY, VM_MAYSHARE, VM_WIPEONFORK, type Vma } from "./vma.ts";

/** Entries from which on a leaf table is shared: copying fewer costs less than taking a table of one's own later. */
const SHARE_FROM = 64;
/** Areas looked at before a leaf table is given up as not worth sharing. */
const MOST_AREAS = 16;
const LEAF_BITS = (1 << PTE_PFN_SHIFT) - 1;

/** A copy of `parent`, or null: no frames or, under strict accounting, no commit left. The parent is then as it was. */
export function forkSpace(mm: MemoryManager, parent: AddressSpace): AddressSpace | null {
  const child = mm.createSpace(parent);
  if (child === null) return null;
  child.copySettingsFrom(parent);
  let shared = 0;
  for (let area = parent.areas.first; area !== null; area = area.next) {
    if ((area.flags & VM_DONTCOPY) !== 0) continue;
    const copied = forkArea(mm, parent, child, area);
    if (copied < 0) {
      mm.tlb.flushSpace(parent);
      child.release();
      return null;
    }
    shared += copied;
  }
  // Write permission was taken from the parent's pages.
  mm.tlb.flushSpace(parent);
  if (mm.tracer !== null) mm.tracer.event(TRACE_FORK, child.id, parent.id, 0, shared);
  return child;
}

/** Copies one area and its pages; returns pages now shared, or -ENOMEM. */
function forkArea(mm: MemoryManager, parent: AddressSpace, child: AddressSpace, area: Vma): number {
  const pages = area.pageCount;
  if ((area.flags & VM_ACCOUNT) !== 0 && mm.commit.charge(pages) !== 0) return -ENOMEM;
  const copy = area.copyFor(child);
  child.areas.append(copy);
  child.accountPages(copy.flags, pages);
  if ((area.flags & (VM_MAYSHARE | VM_WIPEONFORK)) !== 0 || area.anonVma === 0) return 0;
  return copyPages(mm, parent, child, area);
}

function copyPages(mm: MemoryManager, parent: AddressSpace, child: AddressSpace, area: Vma): number {
  const from = parent.table;
  let shared = 0;
  let vpn = from.nextPresent(area.startVpn, area.endVpn);
  while (vpn < area.endVpn) {
    // A leaf table at a time: frames for the child's tables are reserved first, then nothing can change under the loop.
    if (mm.reserveFor(parent, 2) !== 0) return -ENOMEM;
    const end = Math.min(area.endVpn, (vpn | (PTES_PER_TABLE - 1)) + 1);
    vpn = from.nextPresent(vpn, end);
    if (vpn < end && !came(parent, child, vpn)) {
      if (mayShareTable(mm, parent, child, area, vpn)) shared += from.shareLeaf(vpn, child.table);
      else shared += copyTable(mm, parent, child, vpn, end);
    }
    vpn = from.nextPresent(end, area.endVpn);
  }
  return shared;
}

/** The page came along with a lower area, in a shared table. */
function came(parent: AddressSpace, child: AddressSpace, vpn: number): boolean {
  return parent.table.isShared(vpn) && child.table.find(vpn) === parent.table.find(vpn);
}

/** Everything in the leaf table of `vpn` is to be the child's as it is. */
function mayShareTable(mm: MemoryManager, parent: AddressSpace, child: AddressSpace, area: Vma, vpn: number): boolean {
  const table = parent.table.find(vpn) >>> 12;
  if (child.table.find(vpn) !== 0) return false;
  if (mm.frames.mapCount[table] < (mm.config.shareTablesFrom ?? SHARE_FROM)) return false;
  const first = vpn & ~(PTES_PER_TABLE - 1);
  const end = first + PTES_PER_TABLE;
  let left = MOST_AREAS;
  for (let at: Vma | null = area; at !== null && at.endVpn > first; at = at.prev) {
    if (--left < 0 || !goesAlong(parent, at, first, end)) return false;
  }
  for (let at = area.next; at !== null && at.startVpn < end; at = at.next) {
    if (--left < 0 || !goesAlong(parent, at, first, end)) return false;
  }
  return true;
}

/** The child gets every page that the area has in [firstVpn, endVpn). */
function goesAlong(parent: AddressSpace, area: Vma, firstVpn: number, endVpn: number): boolean {
  const copied = (area.flags & (VM_MAYSHARE | VM_WIPEONFORK | VM_DONTCOPY)) === 0 && area.anonVma !== 0;
  if (copied && area.object === null) return true;
  const end = Math.min(area.endVpn, endVpn);
  return parent.table.nextPresent(Math.max(area.startVpn, firstVpn), end) === end;
}

/** Entries of [vpn, end), which lie in one leaf table. */
function copyTable(mm: MemoryManager, parent: AddressSpace, child: AddressSpace, vpn: number, end: number): number {
  const { words } = mm.memory;
  const { swap } = mm;
  const to = child.table;
  let source = parent.table.find(vpn);
  let target = to.ensure(vpn);
  let shared = 0;
  for (; vpn < end; vpn++, source += 8, target += 8) {
    const word = words[source >>> 2];
    if (word === 0) continue;
    if (isSwapEntry(word)) {
      swap.duplicate(pteToSlot(word));
      to.mapSwap(target, pteToSlot(word));
    } else if ((word & PTE_SPECIAL) !== 0) {
      to.mapZero(target, word & LEAF_BITS & ~(PTE_A | PTE_SPECIAL));
    } else {
      if ((word & (PTE_V | PTE_W)) === (PTE_V | PTE_W)) parent.table.clearBitsQuietly(source, PTE_W);
      to.map(target, vpn, pteToPfn(word), word & LEAF_BITS & ~(PTE_A | PTE_W));
    }
    shared++;
  }
  return shared;
}
