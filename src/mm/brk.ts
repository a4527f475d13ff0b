// brk (Linux SYSCALL_DEFINE1(brk), do_brk_flags): moves the end of the heap.
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { type AddressSpace, mayExpand } from "./address-space.ts";
import { addArea } from "./area-edit.ts";
import { mayLockMore } from "./mlock.ts";
import { pageAlign, unmapPages } from "./munmap.ts";
import { populatePages } from "./populate.ts";
import * as V from "./vma.ts";

/** VM_DATA_DEFAULT_FLAGS of riscv: the heap may become executable but is not. */
const HEAP_FLAGS = V.VM_READ | V.VM_WRITE | V.VM_MAYREAD | V.VM_MAYWRITE | V.VM_MAYEXEC | V.VM_ACCOUNT;

/** The new break, or the old one when `address` cannot be had. */
export function brk(space: AddressSpace, address: number): number {
  const { layout, limits, areas } = space;
  const { brkStart } = layout;
  if (address < brkStart) return layout.brk;
  if (address - brkStart + (layout.dataEnd - layout.dataStart) > limits.data) return layout.brk;
  const newEnd = pageAlign(address);
  const oldEnd = pageAlign(layout.brk);
  const newVpn = newEnd / PAGE_SIZE;
  const oldVpn = oldEnd / PAGE_SIZE;
  if (newEnd === oldEnd) {
    layout.brk = address;
    return address;
  }
  if (address <= layout.brk) {
    const area = areas.findPageOrAbove(newVpn);
    if (area === null || area.startVpn >= oldVpn) return layout.brk;
    if (unmapPages(space, newVpn, oldVpn) < 0) return layout.brk;
    layout.brk = address;
    return address;
  }
  if (newEnd > USER_END || !mayLockMore(space, space.defaultFlags, newEnd - oldEnd)) return layout.brk;
  // One page stays free between the heap and what follows it.
  const next = areas.findPageOrAbove(oldVpn);
  if (next !== null && newVpn + 1 > next.guardedStartVpn) return layout.brk;
  if (!growHeap(space, oldVpn, newVpn)) return layout.brk;
  layout.brk = address;
  if (space.defaultFlags & V.VM_LOCKED) populatePages(space, oldVpn, newVpn, true);
  return address;
}

function growHeap(space: AddressSpace, firstVpn: number, endVpn: number): boolean {
  const flags = HEAP_FLAGS | space.defaultFlags;
  const pages = endVpn - firstVpn;
  if (!mayExpand(space, flags, pages)) return false;
  if (space.areas.length > space.maxMapCount) return false;
  if (space.mm.commit.charge(pages) < 0) return false;
  addArea(space, firstVpn, endVpn, firstVpn, {
    flags,
    object: null,
    file: null,
    label: null,
    anonName: null,
    anonVma: 0,
  });
  space.accountPages(flags, pages);
  if (flags & V.VM_LOCKED) space.lockedPages += pages;
  return true;
}
