// One address space's Sv39 page table in physical frames: walk, build, change, free. The ONLY writer of PTE words; keeps what
// follows from a PTE (mapCount, the reverse map, the space's resident counters, the table's count of used entries) and tells the
// TLB. Not responsible for why a page is mapped, nor for the life of the frame that a PTE named.
//
//   VPN  25      18 17       9 8        0
//        +---------+----------+----------+
//        | level 2 | level 1  | level 0  |     rows of table frames: owner = space id, index = first VPN, mapCount = used entries,
//        +---------+----------+----------+     policyWord = level, rmapHead = further spaces that share it (shared-tables.ts)
import {
  holdsFrame,
  isSwapEntry,
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_PFN_SHIFT,
  PTE_R,
  PTE_SPECIAL,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pfnToPte,
  pteToPfn,
  pteToSlot,
  slotToPte,
  tableIndex,
} from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace } from "./address-space.ts";
import { FRAME_ANONYMOUS, FRAME_FILE, FRAME_PAGE_TABLE, type FrameTable } from "./frame-table.ts";
import { BLOCK_FRAMES } from "./free-frames.ts";
import type { MemoryManager } from "./memory-manager.ts";
import type { ReverseMap } from "./rmap.ts";

/** Bits of a leaf that are not the frame number. */
const LEAF_BITS = (1 << PTE_PFN_SHIFT) - 1;
const HOLDS_FRAME = PTE_V | PTE_G;

/** Leaf bits (without W, A, D) by VM_READ | VM_WRITE | VM_EXEC; write implies read, no access is the PROT_NONE form. */
const ACCESS_BITS = [
  PTE_G | PTE_U,
  PTE_V | PTE_U | PTE_R,
  PTE_V | PTE_U | PTE_R,
  PTE_V | PTE_U | PTE_R,
  PTE_V | PTE_U | PTE_X,
  PTE_V | PTE_U | PTE_R | PTE_X,
  PTE_V | PTE_U | PTE_R | PTE_X,
  PTE_V | PTE_U | PTE_R | PTE_X,
];

/** Bits of a leaf in an area with these flags, not (yet) writable. */
export function leafBits(areaFlags: number): number {
  return ACCESS_BITS[areaFlags & 7];
}

export class PageTable {
  private readonly mm: MemoryManager;
  private readonly space: AddressSpace;
  private readonly words: Uint32Array;
  private readonly frames: FrameTable;
  private readonly rmap: ReverseMap;
  readonly rootPfn: Pfn;
  /** Page-table frames of this space, the root included. */
  frameCount = 0;
  /** The leaf table used last: VPN >>> 9, and its physical address. */
  private leafKey = -1;
  private leafBase = 0;

  /** Takes one frame. Precondition: reserved. */
  constructor(mm: MemoryManager, space: AddressSpace) {
    this.mm = mm;
    this.space = space;
    this.words = mm.memory.words;
    this.frames = mm.frames;
    this.rmap = mm.rmap;
    this.rootPfn = this.newTable(2, 0);
  }

  // --- walking ---

  /** Physical address of the PTE of `vpn`, or 0 if there is no leaf table. */
  find(vpn: number): number {
    if (vpn >>> 9 === this.leafKey) return this.leafBase + ((vpn & 511) << 3);
    return this.findSlow(vpn);
  }

  private findSlow(vpn: number): number {
    const { words } = this;
    const upper = words[(this.rootPfn << 10) + (tableIndex(vpn, 2) << 1)];
    if (upper === 0) return 0;
    const middle = words[((upper >>> PTE_PFN_SHIFT) << 10) + (tableIndex(vpn, 1) << 1)];
    if (middle === 0) return 0;
    this.leafKey = vpn >>> 9;
    this.leafBase = (middle >>> PTE_PFN_SHIFT) * PAGE_SIZE;
    return this.leafBase + ((vpn & 511) << 3);
  }

  /** Physical address of the PTE of `vpn`; makes the tables on the way. Precondition: two frames reserved. */
  ensure(vpn: number): number {
    const at = this.find(vpn);
    if (at !== 0) return at;
    const middleTable = this.ensureEntry(this.rootPfn, tableIndex(vpn, 2), 1, vpn & ~0x3ffff);
    this.ensureEntry(middleTable, tableIndex(vpn, 1), 0, vpn & ~0x1ff);
    return this.findSlow(vpn);
  }

  private ensureEntry(table: number, index: number, level: number, firstVpn: number): number {
    const word = (table << 10) + (index << 1);
    const old = this.words[word];
    if (old !== 0) return pteToPfn(old);
    const pfn = this.newTable(level, firstVpn);
    this.words[word] = pfnToPte(pfn, PTE_V);
    this.frames.mapCount[table]++;
    return pfn;
  }

  private newTable(level: number, firstVpn: number): Pfn {
    const pfn = this.mm.allocator.allocate(FRAME_PAGE_TABLE);
    this.mm.memory.zero(pfn);
    this.frames.owner[pfn] = this.space.id;
    this.frames.index[pfn] = firstVpn;
    this.frames.policyWord[pfn] = level;
    this.frameCount++;
    return pfn;
  }

  /** The PTE word at a physical address; 0 for address 0. */
  read(at: number): number {
    return at === 0 ? 0 : this.words[at >>> 2];
  }

  /** The frame that lies to those of the pages around `vpn` as it does to them (it may be in use); 0: there are none. */
  frameBeside(vpn: number): number {
    const at = this.find(vpn);
    if (at === 0) return 0;
    const own = at >>> 2;
    const before = (vpn & 0x1ff) !== 0 ? this.words[own - 2] : 0;
    if ((before & (PTE_V | PTE_SPECIAL)) === PTE_V) return pteToPfn(before) + 1;
    const place = vpn & (BLOCK_FRAMES - 1);
    for (let i = BLOCK_FRAMES - 1; i >= 0; i--) {
      const word = this.words[own + 2 * (i - place)];
      if ((word & (PTE_V | PTE_SPECIAL)) === PTE_V) return pteToPfn(word) + place - i;
    }
    return 0;
  }

  /** The frame that `vpn` is mapped to, whatever is allowed there; 0: none. Marks nothing. */
  frameOf(vpn: number): number {
    const word = this.read(this.find(vpn));
    return (word & PTE_V) !== 0 ? pteToPfn(word) : 0;
  }

  /** The first VPN in [vpn, end) whose PTE is not none, or `end`. Skips absent tables. */
  nextPresent(vpn: number, end: number): number {
    const { words } = this;
    while (vpn < end) {
      if (vpn >>> 9 !== this.leafKey) {
        vpn = this.nextLeaf(vpn, end);
        if (vpn >= end) return end;
      }
      const stop = Math.min(end, (vpn | 0x1ff) + 1);
      for (let word = (this.leafBase >>> 2) + ((vpn & 511) << 1); vpn < stop; vpn++, word += 2) {
        if (words[word] !== 0) return vpn;
      }
    }
    return end;
  }

  /** The first VPN in [vpn, end) that has a leaf table, which is the one used last from now on; or at least `end`. */
  private nextLeaf(vpn: number, end: number): number {
    const { words } = this;
    while (vpn < end) {
      const upper = words[(this.rootPfn << 10) + (tableIndex(vpn, 2) << 1)];
      const base = vpn & ~0x3ffff;
      if (upper !== 0) {
        const middle = (upper >>> PTE_PFN_SHIFT) << 10;
        const first = tableIndex(vpn, 1);
        const stop = Math.min(512, ((end - base - 1) >>> 9) + 1);
        for (let index = first; index < stop; index++) {
          const entry = words[middle + (index << 1)];
          if (entry === 0) continue;
          if (index !== first) vpn = base | (index << 9);
          this.leafKey = vpn >>> 9;
          this.leafBase = (entry >>> PTE_PFN_SHIFT) * PAGE_SIZE;
          return vpn;
        }
      }
      vpn = base + 0x40000;
    }
    return vpn;
  }

  /**
   * The frame of `vpn` if a user access of this kind succeeds, with A (and D) set as the hart's walk sets them; else 0.
   * For copyIn/copyOut and load/store without a hart.
   */
  frameFor(vpn: number, write: boolean): number {
    const at = this.find(vpn);
    if (at === 0) return 0;
    const word = this.words[at >>> 2];
    const needed = write ? PTE_V | PTE_R | PTE_W : PTE_V | PTE_R;
    if ((word & needed) !== needed) return 0;
    const marks = write ? PTE_A | PTE_D : PTE_A;
    if ((word & marks) !== marks) this.words[at >>> 2] = word | marks;
    return word >>> PTE_PFN_SHIFT;
  }

  // --- changing one entry ---

  /**
   * Names frame `pfn` in a PTE that is none, a swap entry or the shared zero frame. The reference of a swap entry stays the
   * caller's to release.
   */
  map(at: number, vpn: number, pfn: number, bits: number): void {
    const word = at >>> 2;
    const old = this.words[word];
    if (old === 0) this.frames.mapCount[at >>> 12]++;
    else this.mapOver(old, vpn);
    this.words[word] = (pfn << PTE_PFN_SHIFT) | bits;
    this.link(at, pfn);
  }

  private mapOver(old: number, vpn: number): void {
    if (isSwapEntry(old)) this.space.counters.swapped--;
    else {
      assert((old & PTE_SPECIAL) !== 0, "a PTE that names a frame is unmapped first");
      this.mm.tlb.flushPage(this.space, vpn);
    }
  }

  private link(at: number, pfn: number): void {
    const { frames } = this;
    const { counters } = this.space;
    const kind = frames.kind[pfn];
    frames.mapCount[pfn]++;
    if (kind === FRAME_ANONYMOUS) {
      counters.anonymous++;
      this.rmap.add(pfn, at);
    } else if (kind === FRAME_FILE) counters.file++;
    else counters.shmem++;
  }

  private unlink(at: number, pfn: number): void {
    const { frames } = this;
    const { counters } = this.space;
    const kind = frames.kind[pfn];
    frames.mapCount[pfn]--;
    if (kind === FRAME_ANONYMOUS) {
      counters.anonymous--;
      this.rmap.remove(pfn, at);
    } else if (kind === FRAME_FILE) counters.file--;
    else counters.shmem--;
  }

  /** Maps the shared frame of zeros (not counted, not in the reverse map). Precondition: the PTE is none. */
  mapZero(at: number, bits: number): void {
    this.frames.mapCount[at >>> 12]++;
    this.words[at >>> 2] = (this.mm.zeroPfn << PTE_PFN_SHIFT) | bits | PTE_SPECIAL;
  }

  /** Puts a swap entry into a PTE that is none. */
  mapSwap(at: number, slot: number): void {
    this.frames.mapCount[at >>> 12]++;
    this.words[at >>> 2] = slotToPte(slot);
    this.space.counters.swapped++;
  }

  /**
   * PTE -> none, whatever it was, and flushes; in a shared table for all who share it. Returns the old word; frame, slot and D
   * bit are the caller's to look after.
   */
  unmap(at: number, vpn: number): number {
    const old = this.clear(at);
    if ((old & PTE_V) !== 0) this.mm.tlb.flushPage(this.space, vpn);
    if (this.frames.rmapHead[at >>> 12] !== 0) this.othersLost(at, vpn, 0);
    return old;
  }

  /** As unmap(), but the caller flushes the range afterwards, before anything else runs. Precondition: not none. */
  clear(at: number): number {
    const word = at >>> 2;
    const old = this.words[word];
    this.words[word] = 0;
    this.frames.mapCount[at >>> 12]--;
    if ((old & HOLDS_FRAME) === 0) this.space.counters.swapped--;
    else if ((old & PTE_SPECIAL) === 0) this.unlink(at, old >>> PTE_PFN_SHIFT);
    return old;
  }

  /** The others who share the table of this PTE lost the anonymous page too, to swap (1) or altogether (0). */
  private othersLost(at: number, vpn: number, toSwap: number): void {
    for (const space of this.mm.sharedTables.usersOf(at >>> 12)!) {
      if (space === this.space) continue;
      space.noteResidentPeak();
      space.counters.anonymous--;
      space.counters.swapped += toSwap;
      this.mm.tlb.flushPage(space, vpn);
    }
  }

  /** A resident page becomes a swap entry, in a shared table for all who share it. Returns the old word. */
  replaceBySwap(at: number, vpn: number, slot: number): number {
    const word = at >>> 2;
    const old = this.words[word];
    this.words[word] = slotToPte(slot);
    this.unlink(at, old >>> PTE_PFN_SHIFT);
    this.space.counters.swapped++;
    if ((old & PTE_V) !== 0) this.mm.tlb.flushPage(this.space, vpn);
    if (this.frames.rmapHead[at >>> 12] !== 0) this.othersLost(at, vpn, 1);
    return old;
  }

  /** Another frame takes the place of the one mapped (copy-on-write). Returns the old word. */
  replaceFrame(at: number, vpn: number, pfn: number, bits: number): number {
    const word = at >>> 2;
    const old = this.words[word];
    if ((old & PTE_SPECIAL) === 0) this.unlink(at, old >>> PTE_PFN_SHIFT);
    this.words[word] = (pfn << PTE_PFN_SHIFT) | bits;
    this.link(at, pfn);
    this.mm.tlb.flushPage(this.space, vpn);
    return old;
  }

  /** Clears bits of a leaf (A, D, W) and flushes. */
  clearBits(at: number, vpn: number, bits: number): void {
    this.clearBitsQuietly(at, bits);
    this.mm.tlb.flushPage(this.space, vpn);
    if (this.frames.rmapHead[at >>> 12] === 0) return;
    for (const space of this.mm.sharedTables.usersOf(at >>> 12)!) this.mm.tlb.flushPage(space, vpn);
  }

  /** As clearBits(), but the caller flushes before anything else runs. */
  clearBitsQuietly(at: number, bits: number): void {
    assert((bits & (HOLDS_FRAME | PTE_R)) === 0, "only permissions and marks");
    this.words[at >>> 2] &= ~bits;
  }

  /** Adds W, A or D to a present leaf. Nothing to flush: a TLB entry stands for the permission it was filled for. */
  setBits(at: number, bits: number): void {
    this.words[at >>> 2] |= bits;
  }

  /** Gives a leaf other permissions; frame, A, D and SPECIAL stay. The caller flushes. */
  setPermissions(at: number, bits: number): void {
    const word = at >>> 2;
    const kept = this.words[word] & (~LEAF_BITS | PTE_A | PTE_D | PTE_SPECIAL);
    this.words[word] = kept | bits;
  }

  /** Moves an entry of this table, whatever it is, to a PTE that is none (mremap). The caller flushes the source. */
  moveEntry(from: number, to: number): void {
    const old = this.words[from >>> 2];
    this.words[from >>> 2] = 0;
    this.words[to >>> 2] = old;
    this.frames.mapCount[from >>> 12]--;
    this.frames.mapCount[to >>> 12]++;
    if (!holdsFrame(old) || (old & PTE_SPECIAL) !== 0) return;
    const pfn = pteToPfn(old);
    if (this.frames.kind[pfn] === FRAME_ANONYMOUS) this.rmap.replace(pfn, from, to);
  }

  // --- sharing leaf tables (on-demand fork) ---

  /** The leaf table of `vpn` serves other spaces too: to change an entry for this one takes unshareLeaf() first. */
  isShared(vpn: number): boolean {
    const at = this.find(vpn);
    return at !== 0 && this.frames.rmapHead[at >>> 12] !== 0;
  }

  /**
   * The child uses this space's leaf table of `vpn`, too; nothing in it is writable from now on (the caller flushes). Returns its
   * entries. Preconditions: one frame reserved; the child has no such table; the table holds private anonymous pages only.
   */
  shareLeaf(vpn: number, child: PageTable): number {
    const { words } = this;
    const table = this.find(vpn) >>> 12;
    this.mm.sharedTables.add(table, this.space, child.space);
    const middle = child.ensureEntry(child.rootPfn, tableIndex(vpn, 2), 1, vpn & ~0x3ffff);
    words[(middle << 10) + (tableIndex(vpn, 1) << 1)] = pfnToPte(table, PTE_V);
    this.frames.mapCount[middle]++;
    child.frameCount++;
    child.countLeaf(table, 1);
    return this.frames.mapCount[table];
  }

  /**
   * Adds what a shared table holds to the resident counters, or takes it away; in the same walk its pages lose W, which only
   * those of a table that was not shared yet can have.
   */
  private countLeaf(table: number, sign: number): void {
    const { words } = this;
    let anonymous = 0;
    let swapped = 0;
    for (let word = table << 10, end = word + 1024; word < end; word += 2) {
      const entry = words[word];
      if (entry === 0) continue;
      if ((entry & HOLDS_FRAME) === 0) swapped++;
      else if ((entry & PTE_SPECIAL) === 0) {
        anonymous++;
        if ((entry & PTE_W) !== 0) words[word] = entry & ~PTE_W;
      }
    }
    this.space.counters.anonymous += sign * anonymous;
    this.space.counters.swapped += sign * swapped;
  }

  /**
   * This space gets a copy of the shared leaf table of `vpn` for itself: frames and slots gain an entry each. Translations stay, so
   * there is nothing to flush. Returns the address of the PTE of `vpn`. Precondition: one frame reserved.
   */
  unshareLeaf(vpn: number): number {
    const { words, frames, rmap } = this;
    const old = this.find(vpn) >>> 12;
    const table = this.mm.allocator.allocate(FRAME_PAGE_TABLE);
    this.mm.memory.copy(table, old);
    frames.owner[table] = this.space.id;
    frames.index[table] = vpn & ~511;
    frames.policyWord[table] = 0;
    frames.mapCount[table] = frames.mapCount[old];
    for (let word = table << 10, end = word + 1024; word < end; word += 2) {
      const entry = words[word];
      if (entry === 0) continue;
      if ((entry & HOLDS_FRAME) === 0) this.mm.swap.duplicate(pteToSlot(entry));
      else if ((entry & PTE_SPECIAL) === 0) {
        frames.mapCount[entry >>> PTE_PFN_SHIFT]++;
        rmap.add(entry >>> PTE_PFN_SHIFT, word * 4);
      }
    }
    words[this.pointerTo(vpn)] = pfnToPte(table, PTE_V);
    this.leafKey = -1;
    this.mm.sharedTables.remove(old, this.space);
    return this.find(vpn);
  }

  /** The shared leaf table of `vpn` is left to the others, with all that it holds. The caller flushes. */
  detachLeaf(vpn: number): void {
    const table = this.find(vpn) >>> 12;
    this.countLeaf(table, -1);
    const pointer = this.pointerTo(vpn);
    this.words[pointer] = 0;
    this.frames.mapCount[pointer >>> 10]--;
    this.frameCount--;
    this.leafKey = -1;
    this.mm.sharedTables.remove(table, this.space);
  }

  /** Every entry of the leaf table of `vpn` is for a page in [firstVpn, endVpn). */
  isLeafWithin(vpn: number, firstVpn: number, endVpn: number): boolean {
    const base = vpn & ~511;
    if (base < firstVpn && this.nextPresent(base, firstVpn) < firstVpn) return false;
    return endVpn >= base + 512 || this.nextPresent(endVpn, base + 512) === base + 512;
  }

  /** Word index of the level-1 entry that points to the leaf table of `vpn`. Precondition: there is one. */
  private pointerTo(vpn: number): number {
    const upper = this.words[(this.rootPfn << 10) + (tableIndex(vpn, 2) << 1)];
    return (pteToPfn(upper) << 10) + (tableIndex(vpn, 1) << 1);
  }

  // --- freeing tables ---

  /** Frees the table frames that serve a part of [firstVpn, endVpn) and hold nothing. */
  freeTables(firstVpn: number, endVpn: number): void {
    for (let upper = firstVpn >>> 18; upper <= (endVpn - 1) >>> 18; upper++) {
      const word = (this.rootPfn << 10) + (upper << 1);
      const entry = this.words[word];
      if (entry === 0) continue;
      const table = pteToPfn(entry);
      const from = Math.max(firstVpn, upper << 18);
      const last = Math.min(endVpn - 1, (upper << 18) | 0x3ffff);
      for (let index = tableIndex(from, 1); index <= tableIndex(last, 1); index++) {
        if (this.words[(table << 10) + (index << 1)] !== 0) {
          this.freeIfEmpty(table, index, (upper << 18) | (index << 9));
        }
      }
      if (this.frames.mapCount[table] === 0) this.freeIfEmpty(this.rootPfn, upper, upper << 18);
    }
  }

  private freeIfEmpty(table: number, index: number, vpn: number): void {
    const word = (table << 10) + (index << 1);
    const entry = this.words[word];
    if (entry === 0) return;
    const pfn = pteToPfn(entry) as Pfn;
    if (this.frames.mapCount[pfn] !== 0) return;
    if (this.frames.rmapHead[pfn] !== 0) {
      this.detachLeaf(vpn);
      return;
    }
    this.words[word] = 0;
    this.frames.mapCount[table]--;
    this.freeTable(pfn);
  }

  private freeTable(pfn: Pfn): void {
    if (this.leafBase === pfn * PAGE_SIZE) this.leafKey = -1;
    this.frames.mapCount[pfn] = 0;
    this.frameCount--;
    this.mm.allocator.free(pfn);
  }

  /** Frees every table frame. Precondition: all leaves are none; the TLB bank is released. The table is dead afterwards. */
  destroy(): void {
    this.freeTables(0, 1 << 26);
    assert(this.frames.mapCount[this.rootPfn] === 0, "an address space is emptied before it is destroyed");
    this.freeTable(this.rootPfn);
  }

  /** Visits every table frame of this space: frame, level and first VPN. */
  debugForEachTable(visit: (pfn: number, level: number, firstVpn: number) => void): void {
    const descend = (pfn: number, level: number, firstVpn: number): void => {
      visit(pfn, level, firstVpn);
      if (level === 0) return;
      for (let i = 0; i < 512; i++) {
        const entry = this.words[(pfn << 10) + (i << 1)];
        if (entry !== 0) descend(pteToPfn(entry), level - 1, firstVpn + (i << (9 * level)));
      }
    };
    descend(this.rootPfn, 2, 0);
  }
}
