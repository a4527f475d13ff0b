// mremap: shrink, grow in place, move, duplicate (Linux mm/mremap.c of 6.12: one area at a time).
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { type AddressSpace, mayExpand } from "./address-space.ts";
import { addArea, mergeNewRange } from "./area-edit.ts";
import { mayLockMore } from "./mlock.ts";
import { findUnmapped } from "./mmap.ts";
import { munmap, pageAlign, unmapPages } from "./munmap.ts";
import { populatePages } from "./populate.ts";
import { freeTables, moveRange, zapRange } from "./range-operations.ts";
import { TRACE_MOVE } from "./tracer.ts";
import {
  type AreaShape,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_LOCKED_MASK,
  VM_MAYSHARE,
  VM_PFNMAP,
  VM_SEALED,
  VM_SHARED,
  VM_SPECIAL,
  VM_UFFD,
  type Vma,
} from "./vma.ts";

/** The new address or -errno. */
export function mremap(
  space: AddressSpace,
  address: number,
  oldBytes: number,
  newBytes: number,
  flags: number,
  newAddress: number,
): number {
  if (flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP)) return -EINVAL;
  if (flags & MREMAP_FIXED && (flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && ((flags & MREMAP_MAYMOVE) === 0 || oldBytes !== newBytes)) return -EINVAL;
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  // Lengths of 2^63 and more arrive negative; they are only ever "too much".
  const oldLength = oldBytes < 0 ? Number.POSITIVE_INFINITY : pageAlign(oldBytes);
  const newLength = newBytes < 0 ? Number.POSITIVE_INFINITY : pageAlign(newBytes);
  if (newLength === 0 || (newBytes < 0 && newBytes > -PAGE_SIZE)) return -EINVAL;
  const area = space.areas.find(address);
  if (area === null) return -EFAULT;
  if (area.flags & VM_SEALED) return -EPERM;
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
    return moveTo(space, address, oldLength, newLength, flags, newAddress);
  }
  if (oldLength >= newLength) {
    if (oldLength === newLength) return address;
    const failed = munmap(space, address + newLength, oldLength - newLength);
    return failed < 0 ? failed : address;
  }
  const refused = checkResize(space, area, address, oldLength, newLength, flags);
  if (refused < 0) return refused;
  if (oldLength === area.end - address && isExpandable(space, area, newLength - oldLength)) {
    return growInPlace(space, area, address, oldLength, newLength);
  }
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  const target = findUnmapped(space, 0, newLength, false);
  return target < 0 ? target : moveArea(space, area, address, oldLength, newLength, target, flags);
}

/** vma_to_resize(): 0 or -errno. */
function checkResize(
  space: AddressSpace,
  area: Vma,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
): number {
  const isPrivate = (area.flags & (VM_SHARED | VM_MAYSHARE)) === 0;
  if (oldLength === 0 && isPrivate) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && area.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EINVAL;
  if (oldLength > area.end - address) return -EFAULT;
  if (newLength === oldLength) return 0;
  if (area.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EFAULT;
  if (!mayLockMore(space, area.flags, newLength - oldLength)) return -EAGAIN;
  return mayExpand(space, area.flags, (newLength - oldLength) / PAGE_SIZE) ? 0 : -ENOMEM;
}

/** vma_expandable(). */
function isExpandable(space: AddressSpace, area: Vma, bytes: number): boolean {
  const end = area.end + bytes;
  if (end > USER_END || space.areas.findOverlap(area.endVpn, end / PAGE_SIZE) !== null) return false;
  return findUnmapped(space, area.start, end - area.start, true) >= 0;
}

function growInPlace(space: AddressSpace, area: Vma, address: number, oldLength: number, newLength: number): number {
  const pages = (newLength - oldLength) / PAGE_SIZE;
  const { commit } = space.mm;
  if (area.flags & VM_SPECIAL) return -ENOMEM;
  if (area.flags & VM_ACCOUNT && commit.charge(pages) < 0) return -ENOMEM;
  const firstVpn = area.endVpn;
  const grown = mergeNewRange(space, firstVpn, firstVpn + pages, area.pageIndex(firstVpn), shapeOf(area));
  if (grown === null) {
    if (area.flags & VM_ACCOUNT) commit.uncharge(pages);
    return -ENOMEM;
  }
  space.accountPages(grown.flags, pages);
  if (grown.flags & VM_LOCKED) {
    space.lockedPages += pages;
    populatePages(space, firstVpn, firstVpn + pages, true);
  }
  return address;
}

function shapeOf(area: Vma): AreaShape {
  const { flags, object, file, label, anonName, anonVma, userfault } = area;
  return { flags, object, file, label, anonName, anonVma, userfault };
}

/** mremap_to(): MREMAP_FIXED and MREMAP_DONTUNMAP. */
function moveTo(
  space: AddressSpace,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress: number,
): number {
  if (newAddress % PAGE_SIZE !== 0) return -EINVAL;
  if (newLength > USER_END || newAddress < 0 || newAddress > USER_END - newLength) return -EINVAL;
  if (address + oldLength > newAddress && newAddress + newLength > address) return -EINVAL;
  if (space.areas.length + 2 >= space.maxMapCount - 3) return -ENOMEM;
  if (flags & MREMAP_FIXED) {
    // As in Linux the target is gone even when what follows fails.
    const failed = munmap(space, newAddress, newLength);
    if (failed < 0) return failed;
  }
  let length = oldLength;
  if (oldLength > newLength) {
    const failed = munmap(space, address + newLength, oldLength - newLength);
    if (failed < 0) return failed;
    length = newLength;
  }
  const area = space.areas.find(address);
  if (area === null) return -EFAULT;
  const refused = checkResize(space, area, address, length, newLength, flags);
  if (refused < 0) return refused;
  if (flags & MREMAP_DONTUNMAP && !mayExpand(space, area.flags, length / PAGE_SIZE)) return -ENOMEM;
  const target = findUnmapped(space, newAddress, newLength, (flags & MREMAP_FIXED) !== 0);
  return target < 0 ? target : moveArea(space, area, address, length, newLength, target, flags);
}

/** move_vma(): the new address or -ENOMEM; on failure the old mapping is as it was. */
function moveArea(
  space: AddressSpace,
  area: Vma,
  address: number,
  oldLength: number,
  newLength: number,
  target: number,
  flags: number,
): number {
  if (space.areas.length >= space.maxMapCount - 3) return -ENOMEM;
  const { mm } = space;
  const keepsOld = (flags & MREMAP_DONTUNMAP) !== 0;
  const fromVpn = address / PAGE_SIZE;
  const toVpn = target / PAGE_SIZE;
  const oldPages = oldLength / PAGE_SIZE;
  const newPages = newLength / PAGE_SIZE;
  const vmFlags = area.flags;
  const charged = vmFlags & VM_ACCOUNT ? (keepsOld ? newPages : newPages - oldPages) : 0;
  if (charged > 0 && mm.commit.charge(charged) < 0) return -ENOMEM;
  // A private area without pages takes its merge position from its new place (copy_vma).
  const placeless = area.object === null && area.file === null && area.anonVma === 0;
  const pageOffset = placeless ? toVpn : area.pageIndex(fromVpn);
  const sole = area.anonVmaSole;
  // Who is told of missing pages is not told of moves: the moved area is none of its business.
  const shape = { ...shapeOf(area), flags: vmFlags & ~VM_UFFD, userfault: null };
  const moved = addArea(space, toVpn, toVpn + newPages, pageOffset, shape);
  if (moved.startVpn === toVpn && moved.endVpn === toVpn + newPages) moved.anonVmaSole = sole;
  const count = moveRange(mm, space, fromVpn, toVpn, oldPages);
  if (count < oldPages) {
    // No frame for a page table: what was moved goes back, where its tables still stand.
    moveRange(mm, space, toVpn, fromVpn, count);
    space.accountPages(vmFlags, newPages);
    if (vmFlags & VM_LOCKED) space.lockedPages += newPages;
    if (vmFlags & VM_ACCOUNT) mm.commit.add(newPages - charged);
    unmapPages(space, toVpn, toVpn + newPages);
    return -ENOMEM;
  }
  if (oldPages > 0) freeTables(mm, space, fromVpn, fromVpn + oldPages);
  mm.tracer?.event(TRACE_MOVE, space.id, fromVpn, toVpn, oldPages);
  space.accountPages(vmFlags, newPages);
  if (vmFlags & VM_LOCKED && !keepsOld) space.lockedPages += newPages;
  if (keepsOld) {
    forgetMovedPages(space, fromVpn, oldPages);
  } else if (oldPages > 0) {
    // The promise moved along with the pages: unmapping must not give it back.
    if (vmFlags & VM_ACCOUNT) mm.commit.add(oldPages);
    unmapPages(space, fromVpn, fromVpn + oldPages);
  }
  if (vmFlags & VM_LOCKED && newPages > oldPages) populatePages(space, toVpn + oldPages, toVpn + newPages, true);
  return target;
}

/** MREMAP_DONTUNMAP: the old area stays, empty, unlocked and, if it moved as a whole, without private pages. */
function forgetMovedPages(space: AddressSpace, fromVpn: number, pages: number): void {
  const old = space.areas.findPage(fromVpn)!;
  zapRange(space.mm, space, fromVpn, fromVpn + pages);
  if (old.flags & VM_LOCKED) {
    // Linux 6.12 unlocks the whole old area, also what lies beside the moved part, and goes on counting that (VmLck).
    space.miscountedLockedPages += old.pageCount - pages;
    old.flags &= ~VM_LOCKED_MASK;
  }
  if (old.startVpn === fromVpn && old.pageCount === pages && old.object === null) {
    old.anonVma = 0;
    old.anonVmaSole = true;
  }
}
