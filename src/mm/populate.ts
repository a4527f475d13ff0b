// Faulting ranges in ahead of use (Linux mm_populate, faultin_page_range). One page at a time is fault.ts.
import { EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import type { AddressSpace } from "./address-space.ts";
import { populateRange } from "./range-operations.ts";
import { VM_ACCESS_FLAGS, VM_IO, VM_LOCKONFAULT, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from "./vma.ts";

/**
 * __mm_populate(): brings in every page of the areas in [firstVpn, endVpn), skipping holes. Private writable pages are
 * made writable at once. 0, -EFAULT (page cannot be had: no access, past the end of its file) or -ENOMEM.
 */
export function populatePages(space: AddressSpace, firstVpn: number, endVpn: number, ignoreErrors: boolean): number {
  let at = firstVpn;
  while (at < endVpn) {
    const area = space.areas.findOverlap(at, endVpn);
    if (area === null) break;
    const from = Math.max(at, area.startVpn);
    const to = Math.min(endVpn, area.endVpn);
    at = to;
    if (area.flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT)) continue;
    let result = -EFAULT;
    if (area.flags & VM_ACCESS_FLAGS) {
      result = populateRange(space.mm, area, from, to, (area.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE);
    }
    if (result < 0 && !ignoreErrors) return result;
  }
  return 0;
}

/** MADV_POPULATE_READ/WRITE: 0, -EINVAL (protection forbids it), -EFAULT (would be SIGBUS), -ENOMEM (hole or memory full). */
export function populateAdvised(space: AddressSpace, firstVpn: number, endVpn: number, write: boolean): number {
  let at = firstVpn;
  while (at < endVpn) {
    const area = space.areas.findPage(at);
    if (area === null) return -ENOMEM;
    if (area.flags & (VM_IO | VM_PFNMAP)) return -EINVAL;
    if (write ? (area.flags & VM_WRITE) === 0 : (area.flags & VM_READ) === 0) return -EINVAL;
    const to = Math.min(endVpn, area.endVpn);
    const result = populateRange(space.mm, area, at, to, write);
    if (result < 0) return result;
    at = to;
  }
  return 0;
}
