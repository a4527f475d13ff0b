// mlock, mlock2, munlock, mlockall, munlockall and RLIMIT_MEMLOCK (Linux mm/mlock.c).
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT } from "../abi/mman.ts";
import { PAGE_SIZE, USER_END, USER_VPN_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { modifyArea } from "./area-edit.ts";
import { pageAlign } from "./munmap.ts";
import { populatePages } from "./populate.ts";
import { lockRange, unlockRange } from "./range-operations.ts";
import { VM_DROPPABLE, VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT, VM_SPECIAL, Vma } from "./vma.ts";

/** can_do_mlock(). */
export function mayLockSome(space: AddressSpace): boolean {
  return space.limits.memlock !== 0 || space.limits.mayLock;
}

/** mlock_future_ok(): room for `bytes` more in an area with these flags. */
export function mayLockMore(space: AddressSpace, flags: number, bytes: number): boolean {
  if ((flags & VM_LOCKED) === 0 || space.limits.mayLock) return true;
  return space.lockedPages + bytes / PAGE_SIZE <= Math.floor(space.limits.memlock / PAGE_SIZE);
}

/** -EPERM, -ENOMEM (hole, limit, inaccessible pages), -EINVAL (wraps), -EAGAIN (no frames); the pages are resident on 0. */
export function mlock(space: AddressSpace, address: number, length: number, onFault: boolean): number {
  const { limits } = space;
  if (!mayLockSome(space)) return -EPERM;
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  const bytes = pageAlign(length + (address - start));
  const firstVpn = start / PAGE_SIZE;
  let locked = (bytes < 0 ? Number.POSITIVE_INFINITY : bytes / PAGE_SIZE) + space.lockedPages;
  const limit = Math.floor(limits.memlock / PAGE_SIZE);
  if (locked > limit && !limits.mayLock && bytes >= 0 && start >= 0) {
    locked -= lockedPagesIn(space, firstVpn, firstVpn + bytes / PAGE_SIZE);
  }
  if (locked > limit && !limits.mayLock) return -ENOMEM;
  const failed = applyLockFlags(space, start, bytes, onFault ? VM_LOCKED_MASK : VM_LOCKED);
  if (failed < 0 || bytes === 0) return failed;
  const populated = populatePages(space, firstVpn, firstVpn + bytes / PAGE_SIZE, false);
  // __mlock_posix_error_return()
  return populated === -EFAULT ? -ENOMEM : populated === -ENOMEM ? -EAGAIN : populated;
}

export function munlock(space: AddressSpace, address: number, length: number): number {
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  return applyLockFlags(space, start, pageAlign(length + (address - start)), 0);
}

function lockedPagesIn(space: AddressSpace, firstVpn: number, endVpn: number): number {
  let count = 0;
  for (
    let area = space.areas.findOverlap(firstVpn, endVpn);
    area !== null && area.startVpn < endVpn;
    area = area.next
  ) {
    if (area.flags & VM_LOCKED) count += Math.min(area.endVpn, endVpn) - Math.max(area.startVpn, firstVpn);
  }
  return count;
}

/** apply_vma_lock_flags(): what lies before a hole is changed even when -ENOMEM is the answer. */
function applyLockFlags(space: AddressSpace, start: number, bytes: number, flags: number): number {
  const end = start + bytes;
  // Both are 64-bit numbers read as signed: the sum wraps when it leaves the upper half, or never reached it.
  if (start < 0 ? end >= 0 : bytes < 0 && end >= 0) return -EINVAL;
  if (bytes === 0) return 0;
  if (start < 0 || start >= USER_END) return -ENOMEM;
  const endVpn = bytes < 0 || end > USER_END ? USER_VPN_END + 1 : end / PAGE_SIZE;
  let at = start / PAGE_SIZE;
  let area = space.areas.findPage(at);
  while (area !== null && area.startVpn <= at) {
    const to = Math.min(area.endVpn, endVpn);
    const result = setLockFlags(space, area, at, to, (area.flags & ~VM_LOCKED_MASK) | flags);
    if (typeof result === "number") return result;
    at = to;
    if (at >= endVpn) return 0;
    area = space.areas.findPage(at);
  }
  return -ENOMEM;
}

/** mlock_fixup(): the area that holds the pages afterwards, or -ENOMEM (too many areas). */
function setLockFlags(space: AddressSpace, area: Vma, firstVpn: number, endVpn: number, flags: number): Vma | number {
  const old = area.flags;
  if (flags === old || old & (VM_SPECIAL | VM_DROPPABLE)) return area;
  const changed = modifyArea(area, firstVpn, endVpn, flags);
  if (!(changed instanceof Vma)) return changed;
  const pages = endVpn - firstVpn;
  if ((flags & VM_LOCKED) === 0) {
    space.lockedPages -= pages;
    unlockRange(space.mm, space, firstVpn, endVpn);
  } else if ((old & VM_LOCKED) === 0) {
    space.lockedPages += pages;
    lockRange(space.mm, space, firstVpn, endVpn);
  }
  return changed;
}

export function mlockall(space: AddressSpace, flags: number): number {
  if (flags === 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags === MCL_ONFAULT) return -EINVAL;
  if (!mayLockSome(space)) return -EPERM;
  const { limits } = space;
  const fits = space.totalPages <= Math.floor(limits.memlock / PAGE_SIZE);
  if (flags & MCL_CURRENT && !fits && !limits.mayLock) return -ENOMEM;
  applyLockFlagsToAll(space, flags);
  if (flags & MCL_CURRENT) populatePages(space, 0, USER_VPN_END, true);
  return 0;
}

export function munlockall(space: AddressSpace): number {
  applyLockFlagsToAll(space, 0);
  return 0;
}

/** apply_mlockall_flags(). */
function applyLockFlagsToAll(space: AddressSpace, flags: number): void {
  const lock = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);
  space.defaultFlags &= ~VM_LOCKED_MASK;
  if (flags & MCL_FUTURE) {
    space.defaultFlags |= lock;
    if ((flags & MCL_CURRENT) === 0) return;
  }
  const wanted = flags & MCL_CURRENT ? lock : 0;
  let area = space.areas.first;
  while (area !== null) {
    const end = area.endVpn;
    setLockFlags(space, area, area.startVpn, end, (area.flags & ~VM_LOCKED_MASK) | wanted);
    area = space.areas.findPageOrAbove(end);
  }
}
