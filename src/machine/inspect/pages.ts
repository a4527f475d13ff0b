// The state of every page of an address range, a byte a page: what an address-space view paints. Reads, changes nothing.
//
//   bits 0-2  one of PAGE_*             8  DIRTY      16  SHARED: mapped more than once     32  LOCKED
//                                      64  ACCESSED  128  WRITABLE: the PTE lets stores through
import { holdsFrame, isSwapEntry, PTE_A, PTE_D, PTE_SPECIAL, PTE_W, pteToPfn } from "../../arch/sv39.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import { FRAME_DIRTY } from "../../mm/frame-table.ts";
import { VM_LOCKED, VM_MAYSHARE, VM_WRITE, type Vma } from "../../mm/vma.ts";

/** No area. */
export const PAGE_NONE = 0;
/** In an area, never touched by this process, and not in memory. */
export const PAGE_UNTOUCHED = 1;
/** Not mapped (yet), but the object's page is in the page cache: its fault will be a minor one. */
export const PAGE_CACHED = 2;
/** The shared frame of zeros. */
export const PAGE_ZERO = 3;
export const PAGE_RESIDENT = 4;
/** Resident in a private writable area, and the next write copies it (or takes it over from nobody). */
export const PAGE_COPY_ON_WRITE = 5;
export const PAGE_SWAPPED = 6;
export const PAGE_STATE_MASK = 7;
export const PAGE_DIRTY = 8;
export const PAGE_SHARED = 16;
export const PAGE_LOCKED = 32;
export const PAGE_ACCESSED = 64;
export const PAGE_WRITABLE = 128;

/** Fills `into` with the states of pages firstVpn, firstVpn + 1, ... Returns it. */
export function pageStates(space: AddressSpace, firstVpn: number, into: Uint8Array): Uint8Array {
  const endVpn = firstVpn + into.length;
  into.fill(PAGE_NONE);
  for (let area = space.areas.findPageOrAbove(firstVpn); area !== null && area.startVpn < endVpn; area = area.next) {
    const from = Math.max(firstVpn, area.startVpn);
    fillArea(space, area, from, Math.min(endVpn, area.endVpn), into, firstVpn);
  }
  return into;
}

function fillArea(space: AddressSpace, area: Vma, from: number, to: number, into: Uint8Array, firstVpn: number): void {
  const { table } = space;
  const absent = area.object === null ? PAGE_UNTOUCHED : -1;
  for (let vpn = from; vpn < to; vpn++) {
    const at = table.find(vpn);
    const word = table.read(at);
    if (word === 0) {
      into[vpn - firstVpn] = absent >= 0 ? absent : absentObjectPage(area, vpn);
      if (at === 0 && absent >= 0) {
        // No leaf table: nothing is there up to its end.
        const stop = Math.min(to, (vpn | 511) + 1);
        into.fill(absent, vpn - firstVpn, stop - firstVpn);
        vpn = stop - 1;
      }
    } else into[vpn - firstVpn] = statePresent(space, area, at, word);
  }
}

function absentObjectPage(area: Vma, vpn: number): number {
  const entry = area.object!.pages.get(area.pageIndex(vpn));
  return entry > 0 ? PAGE_CACHED : entry < 0 ? PAGE_SWAPPED : PAGE_UNTOUCHED;
}

function statePresent(space: AddressSpace, area: Vma, at: number, word: number): number {
  if (isSwapEntry(word)) return PAGE_SWAPPED;
  if (!holdsFrame(word)) return PAGE_UNTOUCHED;
  const accessed = (word & PTE_A) !== 0 ? PAGE_ACCESSED : 0;
  if ((word & PTE_SPECIAL) !== 0) return PAGE_ZERO | accessed;
  const { flags, mapCount, rmapHead } = space.mm.frames;
  const pfn = pteToPfn(word);
  const copies = (area.flags & (VM_MAYSHARE | VM_WRITE)) === VM_WRITE && (word & PTE_W) === 0;
  let state = (copies ? PAGE_COPY_ON_WRITE : PAGE_RESIDENT) | accessed;
  if ((word & PTE_D) !== 0 || (flags[pfn] & FRAME_DIRTY) !== 0) state |= PAGE_DIRTY;
  // A page table that was shared at fork maps its pages in several spaces with one entry.
  if (mapCount[pfn] > 1 || rmapHead[at >>> 12] !== 0) state |= PAGE_SHARED;
  if ((area.flags & VM_LOCKED) !== 0) state |= PAGE_LOCKED;
  if ((word & PTE_W) !== 0) state |= PAGE_WRITABLE;
  return state;
}
