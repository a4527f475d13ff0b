// mincore (Linux mm/mincore.c): which pages could be had without I/O.
import { EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import { holdsFrame, isSwapEntry, PAGE_SIZE, pteToSlot, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { copyOut } from "./user-access.ts";
import type { Vma } from "./vma.ts";

/** Pages answered per copy to the guest. */
const CHUNK_PAGES = 4096;

/** 0, -EINVAL (unaligned), -ENOMEM (hole or outside user space), -EFAULT. `vector`: one byte a page, bit 0 = resident. */
export function mincore(space: AddressSpace, address: number, length: number, vector: number): number {
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  if (address < 0 || length < 0 || address + length > USER_END) return -ENOMEM;
  let pages = Math.ceil(length / PAGE_SIZE);
  if (vector < 0 || vector + pages > USER_END) return -EFAULT;
  let vpn = address / PAGE_SIZE;
  let to = vector;
  const bits = new Uint8Array(Math.min(pages, CHUNK_PAGES));
  while (pages > 0) {
    const area = space.areas.findPage(vpn);
    if (area === null) return -ENOMEM;
    const count = Math.min(pages, CHUNK_PAGES, area.endVpn - vpn);
    residencyOf(space, area, vpn, count, bits);
    if (copyOut(space, to, bits, 0, count) < count) return -EFAULT;
    vpn += count;
    to += count;
    pages -= count;
  }
  return 0;
}

/** mincore_pte_range() and, where no PTE is, the object's cache. */
function residencyOf(space: AddressSpace, area: Vma, vpn: number, count: number, into: Uint8Array): void {
  const { table, mm } = space;
  if (area.object !== null) area.object.residentPages(area.pageIndex(vpn), area.pageIndex(vpn + count), into);
  else into.fill(0, 0, count);
  const end = vpn + count;
  for (let at = table.nextPresent(vpn, end); at < end; at = table.nextPresent(at + 1, end)) {
    const pte = table.read(table.find(at));
    if (holdsFrame(pte)) into[at - vpn] = 1;
    else if (isSwapEntry(pte)) into[at - vpn] = mm.swap.frameOf(pteToSlot(pte)) !== 0 ? 1 : 0;
  }
}
