// munmap, and the removal of areas with their pages that mmap(MAP_FIXED), mremap, brk and exit share (Linux do_vmi_munmap).
import { EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import { offsetInPage, PAGE_SIZE, USER_END, USER_VPN_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { dropArea, splitArea } from "./area-edit.ts";
import { isSealed } from "./mseal.ts";
import { freeTables, unshareRange, zapRange } from "./range-operations.ts";
import { TRACE_UNMAP } from "./tracer.ts";
import { VM_ACCOUNT, VM_LOCKED, type Vma } from "./vma.ts";

/** Rounds a byte count up to whole pages. Exact for every count below 2^53; negative counts (2^63 and more) stay negative. */
export function pageAlign(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** The end of the range, in whole pages, is beyond 2^64. Address and length are 64-bit numbers read as signed. */
export function rangeWraps(address: number, length: number): boolean {
  const bytes = pageAlign(length);
  if (bytes === 0) return length !== 0;
  const end = address + bytes;
  return end >= 0 && (address < 0 || bytes < 0);
}

/** 0, -EINVAL (unaligned, empty or outside user space), -EPERM (sealed), -ENOMEM (would split an area or a shared table, and there are too many or no frame). */
export function munmap(space: AddressSpace, address: number, length: number): number {
  if (offsetInPage(address) !== 0 || address < 0 || address > USER_END) return -EINVAL;
  if (length <= 0 || length > USER_END - address) return -EINVAL;
  const firstVpn = address / PAGE_SIZE;
  return unmapPages(space, firstVpn, firstVpn + pageAlign(length) / PAGE_SIZE);
}

/** unmapPages() will not fail with -ENOMEM. */
export function maySplitFor(space: AddressSpace, firstVpn: number, endVpn: number): boolean {
  const area = space.areas.findOverlap(firstVpn, endVpn);
  if (area === null || area.startVpn >= firstVpn || area.endVpn <= endVpn) return true;
  return space.areas.length < space.maxMapCount;
}

/** Removes whatever is mapped in [firstVpn, endVpn). 0, -EPERM (sealed) or -ENOMEM; on failure nothing has changed. */
export function unmapPages(space: AddressSpace, firstVpn: number, endVpn: number): number {
  const { areas, mm } = space;
  let area = areas.findOverlap(firstVpn, endVpn);
  if (area === null) return 0;
  if (isSealed(space, firstVpn, endVpn)) return -EPERM;
  if (!maySplitFor(space, firstVpn, endVpn)) return -ENOMEM;
  if (unshareRange(mm, space, firstVpn, endVpn, true) < 0) return -ENOMEM;
  if (area.startVpn < firstVpn) area = splitArea(area, firstVpn);
  const first = area.startVpn;
  let last = area;
  while (last.next !== null && last.next.startVpn < endVpn) last = last.next;
  if (last.endVpn > endVpn) splitArea(last, endVpn);
  const end = last.endVpn;
  zapRange(mm, space, first, end);
  for (let at: Vma | null = area; at !== null && at.startVpn < end; ) {
    const next: Vma | null = at.next;
    forgetArea(at);
    at = next;
  }
  freeTables(mm, space, first, end);
  mm.tracer?.event(TRACE_UNMAP, space.id, first, 0, end - first);
  return 0;
}

/** Takes the area and what was accounted for it away. Precondition: no page of it is mapped. */
function forgetArea(area: Vma): void {
  const { space } = area;
  const pages = area.pageCount;
  space.accountPages(area.flags, -pages);
  if (area.flags & VM_ACCOUNT) space.mm.commit.uncharge(pages);
  if (area.flags & VM_LOCKED) space.lockedPages -= pages;
  dropArea(area);
}

/** exit_mmap(): every area and every page. */
export function unmapAll(space: AddressSpace): void {
  zapRange(space.mm, space, 0, USER_VPN_END);
  for (let area = space.areas.first; area !== null; area = space.areas.first) forgetArea(area);
}
