// Swap slots: which are free, how many page-table and shmem entries name each, and which frame still holds the same page (the
// swap cache). Not responsible for when pages move; it does the move itself, one page at a time, and counts it.
//
//   slot state          refs   cached
//   free                0      0
//   page only in swap   >0     0
//   page in both        >=0    frame     (refs 0: the slot lives on behalf of the frame alone and can be taken back)
//
// Slot s is page s - 1 of the device: 0 is no slot, so that a page-table entry can tell. Reading ahead of a fault does not pay: the
// device answers a page at a time without seek or latency to hide, so a page read early costs what it costs later, if it is used at all.
import { PTE_SLOT_SHIFT } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import { DeviceError, type SwapDevice } from "./contracts.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import type { VmCounters } from "./vm-counters.ts";

const MOST_SLOTS = 2 ** (32 - PTE_SLOT_SHIFT) - 1;

export class Swap {
  private readonly device: SwapDevice | null;
  private readonly memory: PhysicalMemory;
  /** Free slots, the next one on top; made at the first use, so that a large unused swap file costs nothing. */
  private free = new Int32Array(0);
  private refs = new Uint32Array(0);
  private cached = new Int32Array(0);
  /** Slots above this one were never used. */
  private frontier = 0;
  private freeListLength = 0;
  readonly slotCount: number;
  usedCount = 0;
  /** Slots whose only purpose is a frame in the swap cache (refs 0): free space in disguise. */
  idleCount = 0;
  private readonly counters: VmCounters;

  constructor(device: SwapDevice | null, memory: PhysicalMemory, counters: VmCounters) {
    this.device = device;
    this.memory = memory;
    this.counters = counters;
    this.slotCount = device === null ? 0 : Math.min(device.slotCount, MOST_SLOTS);
  }

  get freeCount(): number {
    return this.slotCount - this.usedCount;
  }

  /** More than half used: pages swapped in give their slot back at once (vm_swap_full). */
  get isTight(): boolean {
    return this.usedCount * 2 > this.slotCount;
  }

  /** A slot with refs 0 and no frame, or 0. The caller makes it refer or cached at once. */
  allocate(): number {
    if (this.usedCount === this.slotCount) return 0;
    this.usedCount++;
    if (this.freeListLength > 0) return this.free[--this.freeListLength];
    const slot = ++this.frontier;
    if (slot >= this.refs.length) this.grow(slot);
    return slot;
  }

  refsOf(slot: number): number {
    return this.refs[slot];
  }

  /** One more entry names the slot. */
  duplicate(slot: number): void {
    assert(slot > 0 && slot <= this.frontier, "a used slot");
    if (this.refs[slot]++ === 0 && this.cached[slot] !== 0) this.idleCount--;
  }

  /** One entry less names the slot. Returns the references left; with none left and no frame cached the slot is free. */
  release(slot: number): number {
    assert(this.refs[slot] > 0, "a slot is released as often as it was named (I8)");
    const left = --this.refs[slot];
    if (left === 0) {
      if (this.cached[slot] === 0) this.freeSlot(slot);
      else this.idleCount++;
    }
    return left;
  }

  /** The frame that holds the slot's page, or 0. */
  frameOf(slot: number): number {
    return this.cached[slot];
  }

  cache(slot: number, pfn: number): void {
    assert(this.cached[slot] === 0, "one frame per slot (I9)");
    this.cached[slot] = pfn;
    if (this.refs[slot] === 0) this.idleCount++;
  }

  uncache(slot: number): void {
    this.cached[slot] = 0;
    if (this.refs[slot] !== 0) return;
    this.idleCount--;
    this.freeSlot(slot);
  }

  /** Device -> frame. 0 or -errno. */
  read(slot: number, pfn: number): number {
    try {
      this.device!.read(slot - 1, this.memory.frame(pfn));
    } catch (error) {
      if (error instanceof DeviceError) return -error.errno;
      throw error;
    }
    this.counters.pswpin++;
    return 0;
  }

  /** Frame -> device. 0 or -errno: then the slot's contents are undefined and the frame holds the only copy. */
  write(slot: number, pfn: number): number {
    try {
      this.device!.write(slot - 1, this.memory.frame(pfn));
    } catch (error) {
      if (error instanceof DeviceError) return -error.errno;
      throw error;
    }
    this.counters.pswpout++;
    return 0;
  }

  /** Highest slot ever used; for sweeps over slots. */
  get highestSlot(): number {
    return this.frontier;
  }

  debugForEachFree(visit: (slot: number) => void): void {
    for (let i = 0; i < this.freeListLength; i++) visit(this.free[i]);
  }

  private freeSlot(slot: number): void {
    this.usedCount--;
    this.free[this.freeListLength++] = slot;
  }

  private grow(slot: number): void {
    const length = Math.min(this.slotCount + 1, Math.max(64, 2 * slot));
    const refs = new Uint32Array(length);
    const cached = new Int32Array(length);
    const free = new Int32Array(length);
    refs.set(this.refs);
    cached.set(this.cached);
    free.set(this.free);
    this.refs = refs;
    this.cached = cached;
    this.free = free;
  }
}
