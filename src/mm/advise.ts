// madvise: every advice that Linux 6.12 takes without special configuration, with its checks (Linux mm/madvise.c). What advice
// does to pages is range-operations.ts.
import { EACCES, EAGAIN, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import * as M from "../abi/mman.ts";
import { offsetInPage, PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { modifyArea } from "./area-edit.ts";
import { FRAME_FILE } from "./frame-table.ts";
import { sealForbids } from "./mseal.ts";
import { pageAlign, rangeWraps } from "./munmap.ts";
import { populateAdvised } from "./populate.ts";
import { ageRange, lazyFreeRange, pageOutRange, unshareRange, zapRange } from "./range-operations.ts";
import * as V from "./vma.ts";

/** One area's share of the advice: 0 or -errno. */
type Visit = (space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number, advice: number) => number;

/** Pages of a transparent huge page; none are ever made here. */
const HUGE_PAGES = 512;

/** Advice that only changes flags: the new flags, or null for -EINVAL. */
type NewFlags = (area: V.Vma) => number | null;

const VISITS: Readonly<Record<number, Visit>> = {
  [M.MADV_DONTNEED]: (space, area, first, end) => dropPages(space, area, first, end, V.VM_LOCKED | V.VM_PFNMAP),
  [M.MADV_DONTNEED_LOCKED]: (space, area, first, end) => dropPages(space, area, first, end, V.VM_PFNMAP),
  [M.MADV_FREE]: freeLazily,
  [M.MADV_REMOVE]: removeFromObject,
  [M.MADV_WILLNEED]: readAhead,
  [M.MADV_COLD]: (space, area, first, end) => {
    if (area.flags & (V.VM_LOCKED | V.VM_PFNMAP)) return -EINVAL;
    ageRange(space.mm, space, first, end);
    return 0;
  },
  [M.MADV_PAGEOUT]: (space, area, first, end) => {
    if (area.flags & (V.VM_LOCKED | V.VM_PFNMAP)) return -EINVAL;
    pageOutRange(space.mm, space, first, end);
    return 0;
  },
  [M.MADV_COLLAPSE]: (_space, _area, first, end) => {
    const hugeStart = Math.ceil(first / HUGE_PAGES);
    // Huge pages are not available: as if none could be allocated; a range that cannot hold one is an error anyway.
    return Math.floor(end / HUGE_PAGES) > hugeStart ? -ENOMEM : -EINVAL;
  },
};

const FLAG_CHANGES: Readonly<Record<number, NewFlags>> = {
  [M.MADV_NORMAL]: (area) => area.flags & ~(V.VM_RAND_READ | V.VM_SEQ_READ),
  [M.MADV_SEQUENTIAL]: (area) => (area.flags & ~V.VM_RAND_READ) | V.VM_SEQ_READ,
  [M.MADV_RANDOM]: (area) => (area.flags & ~V.VM_SEQ_READ) | V.VM_RAND_READ,
  [M.MADV_DONTFORK]: (area) => area.flags | V.VM_DONTCOPY,
  [M.MADV_DOFORK]: (area) => (area.flags & V.VM_IO ? null : area.flags & ~V.VM_DONTCOPY),
  [M.MADV_WIPEONFORK]: (area) => (area.file !== null || area.flags & V.VM_SHARED ? null : area.flags | V.VM_WIPEONFORK),
  [M.MADV_KEEPONFORK]: (area) => (area.flags & V.VM_DROPPABLE ? null : area.flags & ~V.VM_WIPEONFORK),
  [M.MADV_DONTDUMP]: (area) => area.flags | V.VM_DONTDUMP,
  [M.MADV_DODUMP]: (area) => (area.flags & (V.VM_SPECIAL | V.VM_DROPPABLE) ? null : area.flags & ~V.VM_DONTDUMP),
  // Nothing merges pages here (no KSM daemon); the flag is kept for smaps, where Linux would allow it.
  [M.MADV_MERGEABLE]: (area) =>
    area.flags & (V.VM_SHARED | V.VM_MAYSHARE | V.VM_SPECIAL) ? area.flags : area.flags | V.VM_MERGEABLE,
  [M.MADV_UNMERGEABLE]: (area) => area.flags & ~V.VM_MERGEABLE,
  [M.MADV_HUGEPAGE]: (area) => (area.flags & ~V.VM_NOHUGEPAGE) | V.VM_HUGEPAGE,
  [M.MADV_NOHUGEPAGE]: (area) => (area.flags & ~V.VM_HUGEPAGE) | V.VM_NOHUGEPAGE,
};

/**
 * 0 or -errno: -EINVAL (advice unknown or not for such an area, unaligned), -ENOMEM (a hole; what lies beyond it is done),
 * -EAGAIN (too many areas, or no frame for a page table), -EACCES (MADV_REMOVE of an area that may not write its object), -EFAULT (POPULATE past the end).
 */
export function madvise(space: AddressSpace, address: number, length: number, advice: number): number {
  const isPopulate = advice === M.MADV_POPULATE_READ || advice === M.MADV_POPULATE_WRITE;
  const visit: Visit | undefined = VISITS[advice] ?? (FLAG_CHANGES[advice] && changeFlags);
  if (visit === undefined && !isPopulate) return -EINVAL;
  if (offsetInPage(address) !== 0 || rangeWraps(address, length)) return -EINVAL;
  const bytes = pageAlign(length);
  const end = address + bytes;
  if (bytes === 0) return 0;
  if (address < 0) return -ENOMEM;
  const firstVpn = address / PAGE_SIZE;
  const endVpn = bytes < 0 || end > USER_END ? USER_END / PAGE_SIZE + 1 : end / PAGE_SIZE;
  if (isPopulate) return populateAdvised(space, firstVpn, endVpn, advice === M.MADV_POPULATE_WRITE);
  return walkAreas(space, firstVpn, endVpn, advice, visit!);
}

/** madvise_walk_vmas(). */
function walkAreas(space: AddressSpace, firstVpn: number, endVpn: number, advice: number, visit: Visit): number {
  let at = firstVpn;
  let result = 0;
  while (at < endVpn) {
    const area = space.areas.findPageOrAbove(at);
    if (area === null) return -ENOMEM;
    if (at < area.startVpn) {
      result = -ENOMEM;
      at = area.startVpn;
      if (at >= endVpn) break;
    }
    const to = Math.min(area.endVpn, endVpn);
    if (sealForbids(area, advice)) return -EPERM;
    const failed = visit(space, area, at, to, advice);
    if (failed < 0) return failed;
    at = to;
  }
  return result;
}

function changeFlags(_space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number, advice: number): number {
  const flags = FLAG_CHANGES[advice](area);
  if (flags === null) return -EINVAL;
  if (flags === area.flags) return 0;
  const changed = modifyArea(area, firstVpn, endVpn, flags);
  return changed instanceof V.Vma ? 0 : changed === -ENOMEM ? -EAGAIN : changed;
}

function dropPages(space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number, forbidden: number): number {
  if (area.flags & forbidden) return -EINVAL;
  if (unshareRange(space.mm, space, firstVpn, endVpn, true) < 0) return -EAGAIN;
  zapRange(space.mm, space, firstVpn, endVpn);
  return 0;
}

function freeLazily(space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number): number {
  if (area.flags & (V.VM_LOCKED | V.VM_PFNMAP) || !area.isAnonymous) return -EINVAL;
  if (unshareRange(space.mm, space, firstVpn, endVpn) < 0) return -EAGAIN;
  lazyFreeRange(space.mm, space, firstVpn, endVpn);
  return 0;
}

/** madvise_willneed(): the object's pages come into its cache while frames are to spare. Private memory has nothing to read. */
function readAhead(space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number): number {
  const { object } = area;
  if (object === null || object.kind !== FRAME_FILE) return 0;
  const end = Math.min(area.pageIndex(endVpn), Math.ceil(object.sizeBytes / PAGE_SIZE));
  for (let index = area.pageIndex(firstVpn); index < end && space.mm.allocator.hasSpare(1); index++) {
    if (object.pages.get(index) <= 0 && object.ensurePage(index) < 0) break;
  }
  return 0;
}

/** madvise_remove(): punches a hole into the object. */
function removeFromObject(_space: AddressSpace, area: V.Vma, firstVpn: number, endVpn: number): number {
  if (area.flags & V.VM_LOCKED || area.object === null || area.file === null) return -EINVAL;
  if ((area.flags & (V.VM_SHARED | V.VM_MAYWRITE)) !== (V.VM_SHARED | V.VM_MAYWRITE)) return -EACCES;
  return area.object.punchHole(area.pageIndex(firstVpn) * PAGE_SIZE, (endVpn - firstVpn) * PAGE_SIZE);
}
