// The reverse map: from a frame to the PTEs that name it. Not responsible for changing them.
//
//   anonymous frame   a chain of PTEs, because copies of a page exist only in page tables:
//                     rmapHead = 0             no PTE
//                                pte << 1 | 1  one PTE, no chain cell is spent on it (the common case)
//                                cell << 1     cells[2 * cell] = pte, cells[2 * cell + 1] = next cell or 0
//   cache frame       no chain: its PTEs are where the areas of object.mappers map its index (Linux i_mmap). Mapping a library page
//                     into the thousandth process costs what the first one cost, and so does taking it away.
//
// A PTE is kept as its number (physical address / 8): it fits 29 bits. The row of its page-table frame knows space and VPN.
import { holdsFrame, PAGE_SHIFT, PTE_SPECIAL, pteToPfn } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import { FRAME_ANONYMOUS, type FrameTable } from "./frame-table.ts";
import type { MemoryObject } from "./memory-object.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

export class ReverseMap {
  private readonly frames: FrameTable;
  private readonly words: Uint32Array;
  private readonly objects: ReadonlyMap<number, MemoryObject>;
  private cells = new Int32Array(256);
  private cellsUsed = 1;
  private freeCell = 0;
  /** Result of collect(): PTE numbers (address / 8). Valid until the next collect(). */
  found = new Int32Array(64);

  constructor(frames: FrameTable, memory: PhysicalMemory, objects: ReadonlyMap<number, MemoryObject>) {
    this.frames = frames;
    this.words = memory.words;
    this.objects = objects;
  }

  /** Chain cells in use, for accounting. */
  get cellCount(): number {
    let free = 0;
    for (let cell = this.freeCell; cell !== 0; cell = this.cells[2 * cell + 1]) free++;
    return this.cellsUsed - 1 - free;
  }

  /** An anonymous frame got a PTE at `at`. */
  add(pfn: number, at: number): void {
    const head = this.frames.rmapHead;
    const old = head[pfn];
    const pte = at / 8;
    if (old === 0) {
      head[pfn] = (pte << 1) | 1;
      return;
    }
    // Both the PTE found in the head and the new one need cells; the new one comes first: the latest fork child exits first.
    let next = old >> 1;
    if ((old & 1) !== 0) next = this.takeCell(old >> 1, 0);
    head[pfn] = this.takeCell(pte, next) << 1;
  }

  remove(pfn: number, at: number): void {
    const head = this.frames.rmapHead;
    const old = head[pfn];
    if ((old & 1) !== 0) {
      head[pfn] = 0;
      return;
    }
    this.removeFromChain(pfn, at / 8, old >> 1);
  }

  /** The PTE of an anonymous frame moved (mremap). */
  replace(pfn: number, from: number, to: number): void {
    const head = this.frames.rmapHead;
    const old = head[pfn];
    if ((old & 1) !== 0) {
      head[pfn] = ((to / 8) << 1) | 1;
      return;
    }
    const { cells } = this;
    const pte = from / 8;
    let cell = old >> 1;
    while (cells[2 * cell] !== pte) cell = cells[2 * cell + 1];
    cells[2 * cell] = to / 8;
  }

  /** Puts the number of every PTE that names the frame into `found`; returns how many. */
  collect(pfn: number): number {
    const { frames } = this;
    const wanted = frames.mapCount[pfn];
    if (wanted === 0) return 0;
    if (this.found.length < wanted) this.found = new Int32Array(2 * wanted);
    return frames.kind[pfn] === FRAME_ANONYMOUS ? this.collectChain(pfn) : this.collectMappers(pfn, wanted);
  }

  private takeCell(pte: number, next: number): number {
    let cell = this.freeCell;
    if (cell !== 0) {
      this.freeCell = this.cells[2 * cell + 1];
    } else {
      cell = this.cellsUsed++;
      if (2 * cell >= this.cells.length) {
        const larger = new Int32Array(2 * this.cells.length);
        larger.set(this.cells);
        this.cells = larger;
      }
    }
    this.cells[2 * cell] = pte;
    this.cells[2 * cell + 1] = next;
    return cell;
  }

  private removeFromChain(pfn: number, pte: number, first: number): void {
    const { cells } = this;
    const head = this.frames.rmapHead;
    let previous = 0;
    let cell = first;
    while (cell !== 0 && cells[2 * cell] !== pte) {
      previous = cell;
      cell = cells[2 * cell + 1];
    }
    assert(cell !== 0, "the PTE is in its frame's chain (I3)");
    const next = cells[2 * cell + 1];
    if (previous === 0) head[pfn] = next << 1;
    else cells[2 * previous + 1] = next;
    cells[2 * cell + 1] = this.freeCell;
    this.freeCell = cell;
    // A chain of one goes back into the head.
    const rest = head[pfn] >> 1;
    if (rest !== 0 && cells[2 * rest + 1] === 0) {
      head[pfn] = (cells[2 * rest] << 1) | 1;
      cells[2 * rest + 1] = this.freeCell;
      this.freeCell = rest;
    }
  }

  private collectChain(pfn: number): number {
    const { cells, found } = this;
    const head = this.frames.rmapHead[pfn];
    if ((head & 1) !== 0) {
      found[0] = head >> 1;
      return 1;
    }
    let count = 0;
    for (let cell = head >> 1; cell !== 0; cell = cells[2 * cell + 1]) found[count++] = cells[2 * cell];
    return count;
  }

  private collectMappers(pfn: number, wanted: number): number {
    const object = this.objects.get(this.frames.owner[pfn]);
    assert(object !== undefined, "a cache frame's object lives (I5)");
    const index = this.frames.index[pfn];
    let count = 0;
    for (const area of object.mappers) {
      const vpn = area.startVpn + (index - area.pageOffset);
      if (vpn < area.startVpn || vpn >= area.endVpn) continue;
      const at = area.space.table.find(vpn);
      if (at === 0) continue;
      const word = this.words[at >>> 2];
      if (!holdsFrame(word) || pteToPfn(word) !== pfn || (word & PTE_SPECIAL) !== 0) continue;
      this.found[count++] = at / 8;
      if (count === wanted) break;
    }
    return count;
  }

  /** Page-table frame that holds PTE number `pte`. */
  tableOf(pte: number): number {
    return pte >>> (PAGE_SHIFT - 3);
  }

  /** VPN that PTE number `pte` translates. */
  vpnOf(pte: number): number {
    return this.frames.index[pte >>> (PAGE_SHIFT - 3)] + (pte & 511);
  }

  /** Id of the address space that PTE number `pte` belongs to; of one of them when they share the table. */
  spaceIdOf(pte: number): number {
    return this.frames.owner[pte >>> (PAGE_SHIFT - 3)];
  }
}
