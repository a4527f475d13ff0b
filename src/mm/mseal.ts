// mseal: areas that can no longer be unmapped, moved, protected otherwise or emptied (Linux mm/mseal.c of 6.12).
import { EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_WIPEONFORK,
} from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { modifyArea } from "./area-edit.ts";
import { pageAlign, rangeWraps } from "./munmap.ts";
import { VM_SEALED, VM_SHARED, VM_WRITE, Vma } from "./vma.ts";

/** 0, -EINVAL (flags, unaligned, wraps), -ENOMEM (a hole: nothing is sealed; too many areas). */
export function mseal(space: AddressSpace, address: number, length: number, flags: number): number {
  if (flags !== 0 || address % PAGE_SIZE !== 0 || rangeWraps(address, length)) return -EINVAL;
  const bytes = pageAlign(length);
  const end = address + bytes;
  if (bytes === 0) return 0;
  if (address < 0 || bytes < 0 || end > USER_END) return -ENOMEM;
  const endVpn = end / PAGE_SIZE;
  for (let at = address / PAGE_SIZE; at < endVpn; ) {
    const area = space.areas.findPage(at);
    if (area === null) return -ENOMEM;
    at = area.endVpn;
  }
  space.hasSealed = true;
  for (let at = address / PAGE_SIZE; at < endVpn; ) {
    const area = space.areas.findPage(at)!;
    const to = Math.min(area.endVpn, endVpn);
    const isSealed = (area.flags & VM_SEALED) !== 0;
    if (!isSealed && !(modifyArea(area, at, to, area.flags | VM_SEALED) instanceof Vma)) return -ENOMEM;
    at = to;
  }
  return 0;
}

/** can_modify_mm(), negated: something in the range is sealed. */
export function isSealed(space: AddressSpace, firstVpn: number, endVpn: number): boolean {
  if (!space.hasSealed) return false;
  for (
    let area = space.areas.findOverlap(firstVpn, endVpn);
    area !== null && area.startVpn < endVpn;
    area = area.next
  ) {
    if ((area.flags & VM_SEALED) !== 0) return true;
  }
  return false;
}

/** can_modify_vma_madv(), negated: the advice would destroy what nobody here may write. */
export function sealForbids(area: Vma, advice: number): boolean {
  if ((area.flags & VM_SEALED) === 0 || area.object !== null || area.file !== null) return false;
  if ((area.flags & (VM_SHARED | VM_WRITE)) !== 0) return false;
  switch (advice) {
    case MADV_FREE:
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_WIPEONFORK:
      return true;
    default:
      return false;
  }
}
