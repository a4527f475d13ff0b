// mprotect (Linux mm/mprotect.c): checks, area flags and accounting; the PTEs follow in protectRange().
import { EACCES, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import { PROT_GROWSDOWN, PROT_GROWSUP, PROT_SEM } from "../abi/mman.ts";
import { offsetInPage, PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { type AddressSpace, mayExpand } from "./address-space.ts";
import { modifyArea } from "./area-edit.ts";
import { pageAlign } from "./munmap.ts";
import { populatePages } from "./populate.ts";
import { protectRange, unshareRange } from "./range-operations.ts";
import { TRACE_PROTECT } from "./tracer.ts";
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_NORESERVE,
  VM_SEALED,
  VM_SHARED,
  VM_WRITE,
  Vma,
} from "./vma.ts";

/** 0, -EINVAL, -EACCES (the object forbids it), -ENOMEM (hole, limits). What lies before the failing page is changed. */
export function mprotect(space: AddressSpace, address: number, length: number, protection: number): number {
  const grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
  const prot = protection & ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if (offsetInPage(address) !== 0) return -EINVAL;
  if (length === 0) return 0;
  const bytes = pageAlign(length);
  const end = address + bytes;
  // In 64 bits `end <= start` also when the sum wraps; ends in the upper half are simply holes.
  if (bytes === 0 || (address < 0 && end >= 0)) return -ENOMEM;
  if (prot & ~(VM_ACCESS_FLAGS | PROT_SEM)) return -EINVAL;
  if (address < 0 || address >= USER_END) return -ENOMEM;
  const endVpn = bytes < 0 || end > USER_END ? USER_END / PAGE_SIZE + 1 : end / PAGE_SIZE;
  let at = address / PAGE_SIZE;
  let area = space.areas.findPageOrAbove(at);
  if (area === null) return -ENOMEM;
  if (grows & PROT_GROWSDOWN) {
    if (area.startVpn >= endVpn) return -ENOMEM;
    at = area.startVpn;
    if ((area.flags & VM_GROWSDOWN) === 0) return -EINVAL;
  } else {
    if (area.startVpn > at) return -ENOMEM;
    if (grows & PROT_GROWSUP) return -EINVAL;
  }
  while (area !== null && area.startVpn <= at) {
    const flags: number = (prot & VM_ACCESS_FLAGS) | (area.flags & ~VM_ACCESS_FLAGS);
    if (flags & ~(flags >> 4) & VM_ACCESS_FLAGS) return -EACCES;
    const to = Math.min(area.endVpn, endVpn);
    const failed = protectPages(space, area, at, to, flags);
    if (failed < 0) return failed;
    at = to;
    if (at >= endVpn) return 0;
    area = space.areas.findPage(at);
  }
  return -ENOMEM;
}

/** mprotect_fixup() for pages of one area. */
function protectPages(space: AddressSpace, area: Vma, firstVpn: number, endVpn: number, wanted: number): number {
  const old = area.flags;
  let flags = wanted;
  if (old & VM_SEALED) return -EPERM;
  if (flags === old) return 0;
  const pages = endVpn - firstVpn;
  const { commit } = space.mm;
  if (unshareRange(space.mm, space, firstVpn, endVpn) < 0) return -ENOMEM;
  let charged = 0;
  if (flags & VM_WRITE) {
    if (!mayExpand(space, flags, pages) && mayExpand(space, old, pages)) return -ENOMEM;
    if ((old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)) === 0) {
      if (commit.charge(pages) < 0) return -ENOMEM;
      charged = pages;
      flags |= VM_ACCOUNT;
    }
  } else if (old & VM_ACCOUNT && area.isAnonymous && area.anonVma === 0) {
    // Nothing was written yet, so nothing has to be kept: the promise can be given back.
    flags &= ~VM_ACCOUNT;
  }
  const changed = modifyArea(area, firstVpn, endVpn, flags);
  if (!(changed instanceof Vma)) {
    commit.uncharge(charged);
    return changed;
  }
  protectRange(space.mm, changed, firstVpn, endVpn);
  if (old & VM_ACCOUNT && (flags & VM_ACCOUNT) === 0) commit.uncharge(pages);
  space.accountPages(old, -pages);
  space.accountPages(flags, pages);
  space.mm.tracer?.event(TRACE_PROTECT, space.id, firstVpn, flags & VM_ACCESS_FLAGS, pages);
  // A locked private page that becomes writable is copied now, so that a store never waits.
  if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && flags & VM_WRITE) {
    populatePages(space, firstVpn, endVpn, true);
  }
  return 0;
}
