// What a program without a CPU needs to use the memory core by itself: a TLB that caches nothing, devices in plain bytes, and loads
// and stores that take page faults as a processor would. No Node, no DOM.
//
//   const mm = createMemory({ ramBytes: 64 * 4096, swapDevice: new BytesSwapDevice(256) });
//   const space = mm.createSpace()!;
//   const address = space.mmap({ address: 0, length: 8192, prot: 3, flags: 0x22, object: null, file: null, offset: 0 });
//   store(space, address, new Uint8Array([1, 2, 3]));
import { EIO, ENOSPC } from "../abi/errno.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import {
  type Access,
  DeviceError,
  FAULT_MAJOR,
  FAULT_MINOR,
  FAULT_OUT_OF_MEMORY,
  type FaultResult,
  type FileBacking,
  type MmConfig,
  READ,
  type SwapDevice,
  type TlbFlusher,
  WRITE,
} from "./contracts.ts";
import { handleFault } from "./fault.ts";
import { MemoryManager } from "./memory-manager.ts";

/** Holds no translation, so there is nothing to flush. */
export const NULL_TLB: TlbFlusher = {
  flushPage() {},
  flushRange() {},
  flushSpace() {},
  releaseSpace() {},
  frameChanged() {},
  debugForEach() {},
};

export interface CreateMemoryOptions
  extends Partial<
    Pick<
      MmConfig,
      | "swapDevice"
      | "policy"
      | "seed"
      | "overcommit"
      | "overcommitRatio"
      | "outOfMemory"
      | "tlb"
      | "shareTablesFrom"
      | "readAheadPages"
    >
  > {
  /** A multiple of PAGE_SIZE, at least 16 pages. */
  ramBytes: number;
}

/** A machine's memory of its own. Defaults: no swap, two-list eviction, heuristic overcommit; out of memory fails the request. */
export function createMemory(options: CreateMemoryOptions): MemoryManager {
  return new MemoryManager({
    buffer: new ArrayBuffer(options.ramBytes),
    byteOffset: 0,
    sizeBytes: options.ramBytes,
    swapDevice: options.swapDevice ?? null,
    policy: options.policy,
    seed: options.seed,
    overcommit: options.overcommit,
    overcommitRatio: options.overcommitRatio,
    tlb: options.tlb ?? NULL_TLB,
    shareTablesFrom: options.shareTablesFrom,
    readAheadPages: options.readAheadPages,
    outOfMemory: options.outOfMemory ?? (() => false),
  });
}

/** Swap in an array of bytes that grows with use. */
export class BytesSwapDevice implements SwapDevice {
  readonly slotCount: number;
  private bytes = new Uint8Array(0);

  constructor(slotCount: number) {
    this.slotCount = slotCount;
  }

  read(slot: number, into: Uint8Array): void {
    const at = slot * PAGE_SIZE;
    if (at + PAGE_SIZE > this.bytes.length) throw new DeviceError(EIO, `swap slot ${slot} was never written`);
    into.set(this.bytes.subarray(at, at + PAGE_SIZE));
  }

  write(slot: number, from: Uint8Array): void {
    if (slot >= this.slotCount) throw new DeviceError(ENOSPC, `swap has ${this.slotCount} slots`);
    const end = (slot + 1) * PAGE_SIZE;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.min(this.slotCount * PAGE_SIZE, Math.max(end, 2 * this.bytes.length)));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(from, slot * PAGE_SIZE);
  }
}

/** A file in an array of bytes. `bytes` is what is stored now: it trails the page cache until a sync. */
export class BytesBacking implements FileBacking {
  private store: Uint8Array;
  private length: number;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.store = bytes;
    this.length = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.store.subarray(0, this.length);
  }

  readPage(index: number, into: Uint8Array): void {
    const from = index * PAGE_SIZE;
    if (from < this.length) into.set(this.store.subarray(from, Math.min(this.length, from + PAGE_SIZE)));
  }

  readPages(first: number, into: Uint8Array): void {
    const from = first * PAGE_SIZE;
    if (from < this.length) into.set(this.store.subarray(from, Math.min(this.length, from + into.length)));
  }

  writePage(index: number, from: Uint8Array, length: number): void {
    const at = index * PAGE_SIZE;
    if (at + length > this.length) this.setSize(at + length);
    this.store.set(from.subarray(0, length), at);
  }

  setSize(sizeBytes: number): void {
    if (sizeBytes > this.store.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, 2 * this.store.length));
      larger.set(this.store.subarray(0, this.length));
      this.store = larger;
    } else if (sizeBytes > this.length) {
      this.store.fill(0, this.length, sizeBytes);
    }
    this.length = sizeBytes;
  }

  discard(first: number, end: number): void {
    this.store.fill(0, first * PAGE_SIZE, Math.min(this.length, end * PAGE_SIZE));
  }
}

/**
 * Loads `into.length` bytes at an address, taking the faults a processor would. FAULT_MINOR: done; another FAULT_* value: the access
 * ended as this fault (bytes before the faulting page were loaded).
 */
export function load(space: AddressSpace, address: number, into: Uint8Array): FaultResult {
  return access(space, address, into, READ);
}

/** Stores the bytes at an address; results as load(). Nothing of a page that faults is stored. */
export function store(space: AddressSpace, address: number, from: Uint8Array): FaultResult {
  return access(space, address, from, WRITE);
}

function access(space: AddressSpace, address: number, buffer: Uint8Array, kind: Access): FaultResult {
  const { mm } = space;
  const ram = mm.memory.bytes;
  for (let done = 0; done < buffer.length; ) {
    const at = address + done;
    const vpn = Math.floor(at / PAGE_SIZE);
    const inPage = at - vpn * PAGE_SIZE;
    const count = Math.min(buffer.length - done, PAGE_SIZE - inPage);
    const pfn = translate(space, at, vpn, kind);
    if (pfn < 0) return -pfn as FaultResult;
    const from = pfn * PAGE_SIZE + inPage;
    if (kind === WRITE) ram.set(buffer.subarray(done, done + count), from);
    else buffer.set(ram.subarray(from, from + count), done);
    done += count;
  }
  return FAULT_MINOR;
}

/** A mended translation must hold soon: more rounds than this mean that faults undo one another. */
const MOST_FAULTS = 8;

/** The frame for an access, or a negated FAULT_* value. */
function translate(space: AddressSpace, address: number, vpn: number, kind: Access): number {
  for (let faults = 0; faults < MOST_FAULTS; faults++) {
    const pfn = space.table.frameFor(vpn, kind === WRITE);
    if (pfn !== 0) return pfn;
    const result = handleFault(space.mm, space, address, kind);
    if (result !== FAULT_MINOR && result !== FAULT_MAJOR) return -result;
  }
  return -FAULT_OUT_OF_MEMORY;
}
