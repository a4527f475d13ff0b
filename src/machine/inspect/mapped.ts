// The reverse questions: which frames a process uses, and which pages of whom lie in a swap slot. Walks page tables; changes nothing.
import { holdsFrame, isSwapEntry, PAGE_SIZE, pteToPfn, pteToSlot } from "../../arch/sv39.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import { FRAME_PAGE_TABLE } from "../../mm/frame-table.ts";
import type { Vma } from "../../mm/vma.ts";
import { pidsBySpace } from "./processes.ts";

/** Pages that a leaf table maps. */
const LEAF_PAGES = 512;

/** Sets a 1 for every frame that the space maps or has its page tables in. Returns `into`, a byte a frame. */
export function framesOfSpace(space: AddressSpace, into: Uint8Array): Uint8Array {
  into.fill(0);
  const { table, mm } = space;
  for (let area = space.areas.findPageOrAbove(0); area !== null; area = area.next) {
    for (let vpn = area.startVpn; vpn < area.endVpn; vpn++) {
      const at = table.find(vpn);
      if (at === 0) {
        vpn |= LEAF_PAGES - 1;
        continue;
      }
      const word = table.read(at);
      if (holdsFrame(word)) into[pteToPfn(word)] = 1;
    }
  }
  const { kind, owner } = mm.frames;
  for (let pfn = 0; pfn < mm.totalFrames; pfn++) {
    if (kind[pfn] !== FRAME_PAGE_TABLE || into[pfn] !== 0) continue;
    if (owner[pfn] === space.id || mm.sharedTables.usersOf(pfn)?.includes(space)) into[pfn] = 1;
  }
  return into;
}

export interface SlotPage {
  spaceId: number;
  /** A process that uses the space; 0: none lives any more. */
  pid: number;
  address: number;
}

/** Every page of an area whose contents are in this slot: by its page-table entry, or by the object that it shows. */
export function pagesInSlot(k: Kernel, slot: number): SlotPage[] {
  const pids = pidsBySpace(k);
  const pages: SlotPage[] = [];
  if (slot < 1) return pages;
  for (const space of k.mm.spaces.values()) {
    for (let area = space.areas.findPageOrAbove(0); area !== null; area = area.next)
      collect(space, area, slot, (vpn) =>
        pages.push({ spaceId: space.id, pid: pids.get(space.id) ?? 0, address: vpn * PAGE_SIZE }),
      );
  }
  return pages;
}

function collect(space: AddressSpace, area: Vma, slot: number, found: (vpn: number) => void): void {
  const { table } = space;
  for (let vpn = area.startVpn; vpn < area.endVpn; vpn++) {
    const at = table.find(vpn);
    const word = table.read(at);
    if (word !== 0) {
      if (isSwapEntry(word) && pteToSlot(word) === slot) found(vpn);
    } else if (area.object !== null) {
      if (area.object.pages.get(area.pageIndex(vpn)) === -slot) found(vpn);
    } else if (at === 0) vpn |= LEAF_PAGES - 1;
  }
}
