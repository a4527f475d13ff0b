// The walk of an address through its Sv39 page table, level by level, with every bit decoded. Reads, changes nothing.
import {
  holdsFrame,
  isSwapEntry,
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_R,
  PTE_SPECIAL,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteToPfn,
  pteToSlot,
  tableIndex,
} from "../../arch/sv39.ts";
import type { AddressSpace } from "../../mm/address-space.ts";

export interface PteBits {
  valid: boolean;
  read: boolean;
  write: boolean;
  execute: boolean;
  user: boolean;
  global: boolean;
  accessed: boolean;
  dirty: boolean;
  /** RSW0: the shared frame of zeros. */
  special: boolean;
}

export type PteKind = "none" | "table" | "page" | "zero-page" | "no-access" | "swap";

export interface DecodedPte {
  value: number;
  kind: PteKind;
  bits: PteBits;
  /** Frame it names (tables, pages, no-access), else 0. */
  pfn: number;
  /** Swap slot, else 0. */
  slot: number;
}

export interface WalkLevel extends DecodedPte {
  /** 2 (root), 1, 0. */
  level: number;
  /** Frame of the table, index of the entry in it, and physical address of the entry. */
  tableFrame: number;
  index: number;
  pteAddress: number;
}

export interface PageWalk {
  address: number;
  vpn: number;
  offset: number;
  levels: WalkLevel[];
  /** Physical address of the byte, or null where the walk ends without a page. */
  physicalAddress: number | null;
}

export function decodePte(value: number): DecodedPte {
  const bits: PteBits = {
    valid: (value & PTE_V) !== 0,
    read: (value & PTE_R) !== 0,
    write: (value & PTE_W) !== 0,
    execute: (value & PTE_X) !== 0,
    user: (value & PTE_U) !== 0,
    global: (value & PTE_G) !== 0,
    accessed: (value & PTE_A) !== 0,
    dirty: (value & PTE_D) !== 0,
    special: (value & PTE_SPECIAL) !== 0,
  };
  const kind = kindOf(value);
  return {
    value: value >>> 0,
    kind,
    bits,
    pfn: kind === "none" || kind === "swap" ? 0 : pteToPfn(value),
    slot: kind === "swap" ? pteToSlot(value) : 0,
  };
}

function kindOf(value: number): PteKind {
  if (value === 0) return "none";
  if (isSwapEntry(value)) return "swap";
  if ((value & PTE_V) === 0) return holdsFrame(value) ? "no-access" : "none";
  if ((value & (PTE_R | PTE_W | PTE_X)) === 0) return "table";
  return (value & PTE_SPECIAL) !== 0 ? "zero-page" : "page";
}

/** Ends at the first level whose entry leads no further. */
export function walkPageTable(space: AddressSpace, address: number): PageWalk {
  const { words } = space.mm.memory;
  const vpn = Math.floor(address / PAGE_SIZE);
  const offset = address - vpn * PAGE_SIZE;
  const levels: WalkLevel[] = [];
  let tableFrame: number = space.rootPfn;
  let physicalAddress: number | null = null;
  for (let level = 2; level >= 0; level--) {
    const index = tableIndex(vpn, level);
    const pteAddress = tableFrame * PAGE_SIZE + index * 8;
    const pte = decodePte(words[pteAddress >>> 2]);
    levels.push({ level, tableFrame, index, pteAddress, ...pte });
    if (pte.kind === "page" || pte.kind === "zero-page") physicalAddress = pte.pfn * PAGE_SIZE + offset;
    if (pte.kind !== "table") break;
    tableFrame = pte.pfn;
  }
  return { address, vpn, offset, levels, physicalAddress };
}
