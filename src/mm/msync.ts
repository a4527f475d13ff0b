// msync (Linux mm/msync.c): writes the dirty pages of shared file areas back.
import { EBUSY, EINVAL, ENOMEM } from "../abi/errno.ts";
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { pageAlign } from "./munmap.ts";
import { VM_LOCKED, VM_SHARED } from "./vma.ts";

/** 0, -EINVAL, -ENOMEM (hole; the rest is done), -EBUSY (MS_INVALIDATE of locked pages), or the error of a write (-EIO, -ENOSPC). */
export function msync(space: AddressSpace, address: number, length: number, flags: number): number {
  if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) return -EINVAL;
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  if (flags & MS_ASYNC && flags & MS_SYNC) return -EINVAL;
  const bytes = pageAlign(length);
  const end = address + bytes;
  if (address < 0 ? end >= 0 && bytes !== 0 : bytes < 0 && end >= 0) return -ENOMEM;
  if (bytes === 0) return 0;
  if (address < 0) return -ENOMEM;
  const endVpn = bytes < 0 || end > USER_END ? USER_END / PAGE_SIZE + 1 : end / PAGE_SIZE;
  let at = address / PAGE_SIZE;
  let unmapped = 0;
  for (;;) {
    const area = space.areas.findPageOrAbove(at);
    if (area === null) return -ENOMEM;
    if (at < area.startVpn) {
      if (flags === MS_ASYNC) return -ENOMEM;
      at = area.startVpn;
      if (at >= endVpn) return -ENOMEM;
      unmapped = -ENOMEM;
    }
    if (flags & MS_INVALIDATE && area.flags & VM_LOCKED) return -EBUSY;
    const to = Math.min(endVpn, area.endVpn);
    if (flags & MS_SYNC && area.object !== null && area.flags & VM_SHARED) {
      const failed = area.object.sync(area.pageIndex(at), area.pageIndex(to));
      if (failed < 0) return failed;
    }
    at = area.endVpn;
    if (at >= endVpn) return unmapped;
  }
}
