// The seams of the memory-mapping core: what the machine gives it (RAM, swap device, TLB, out-of-memory callback), what
// backs a file object, and who observes it. Types and codes only; nothing here holds state.
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace } from "./address-space.ts";

/** Access kinds of a fault or a user access. */
export const READ = 0;
export const WRITE = 1;
export const EXECUTE = 2;
export type Access = typeof READ | typeof WRITE | typeof EXECUTE;

/** Answers of handleFault(). MINOR and MAJOR mean: run the instruction again. */
export const FAULT_MINOR = 0;
export const FAULT_MAJOR = 1;
export const FAULT_SEGV_MAPERR = 2;
export const FAULT_SEGV_ACCERR = 3;
export const FAULT_BUS_ADRERR = 4;
/** Nothing reclaimable and nothing (more) to kill for this request; the caller's task must die. */
export const FAULT_OUT_OF_MEMORY = 5;
/** The object's readPage failed (I/O error): SIGBUS BUS_ADRERR, as Linux VM_FAULT_SIGBUS. */
export const FAULT_IO_ERROR = 6;
/** A page that a userfaultfd is to provide: nothing was done (mm.userfaultIsMinor tells which kind). */
export const FAULT_USERFAULT = 7;
export type FaultResult = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** mm -> cpu. Calls must be cheap when the hart holds nothing of that space or frame. */
export interface TlbFlusher {
  /** Forget the translation of one page of `space` (all access kinds). */
  flushPage(space: AddressSpace, vpn: number): void;
  flushRange(space: AddressSpace, firstVpn: number, endVpn: number): void;
  flushSpace(space: AddressSpace): void;
  /** The space is gone: its TLB bank may be reused. */
  releaseSpace(space: AddressSpace): void;
  /** The bytes of a frame changed behind the hart's back (kernel write, recycle): drop code decoded or translated from it. */
  frameChanged(pfn: Pfn): void;
  /** For checkInvariants (I13): calls visit for every valid entry of `space`. */
  debugForEach(space: AddressSpace, visit: (vpn: number, pfn: number, access: Access) => void): void;
}

/** Where swapped pages live. Synchronous. read/write move exactly one page; write throws a DeviceError when it cannot. */
export interface SwapDevice {
  readonly slotCount: number;
  read(slot: number, into: Uint8Array): void;
  write(slot: number, from: Uint8Array): void;
}

/** Contents of a regular file, page-wise and synchronous. Throws DeviceError on I/O errors. */
export interface FileBacking {
  /** Fills `into` (PAGE_SIZE bytes, already zeroed) with file bytes [index * PAGE_SIZE, ...) that exist. */
  readPage(index: number, into: Uint8Array): void;
  /** Fills `into`, already zeroed, with the file's bytes of the pages from `first` on: `into.length / PAGE_SIZE` of them, at once. */
  readPages?(first: number, into: Uint8Array): void;
  /** Stores the first `length` bytes of the page at index; length < PAGE_SIZE only on the last page. */
  writePage(index: number, from: Uint8Array, length: number): void;
  /** The file's size changed (truncate or extending write). */
  setSize(sizeBytes: number): void;
  /** Deallocate whole pages [first, end) if the backing can (hole punching). */
  discard?(first: number, end: number): void;
  /** Push to stable storage what writePage and setSize changed, if anything; called at every sync. */
  flush?(): void;
}

/** An I/O failure of a device or backing; `errno` is the positive Linux number (EIO, ENOSPC, ...). */
export class DeviceError extends Error {
  readonly errno: number;
  constructor(errno: number, message: string) {
    super(message);
    this.errno = errno;
  }
}

/**
 * What an area knows of the open file behind it (struct file): kept alive by one reference per area.
 * acquire/release run at map, split, fork / unmap, merge, exit; SysV shm counts its attachments with them.
 */
export interface AreaFile {
  /** Path for /proc/PID/maps, with " (deleted)" when it is. */
  name(): string;
  readonly dev: number;
  readonly ino: number;
  /** True: areas of this file are never merged away, because their number is visible (SysV shm attachments). */
  readonly countsAreas?: boolean;
  acquire(): void;
  release(): void;
}

export type OvercommitMode = "heuristic" | "always" | "never";

/** What is told about the frames that can be evicted; docs/policies.md says how to write one. */
export interface ReclaimPolicy {
  readonly name: string;
  /**
   * A frame became evictable (entered the LRU). `key` names its page for as long as the page can come back after an eviction (a
   * page of a file, a swap slot); 0: a page that was never in memory before.
   */
  inserted(pfn: Pfn, key?: number): void;
  /** The frame left. `evicted`: as a victim, and `key` names its page should it come back; otherwise the page is gone. */
  removed(pfn: Pfn, key?: number, evicted?: boolean): void;
  /** The kernel used the frame on a task's behalf (read and write paths). */
  activated(pfn: Pfn): void;
  /**
   * An instruction or the kernel used the page just now. Called only where every reference is seen (the curve, and runs that
   * record references): `accessed` then answers false. A live machine shows A bits only, so a policy must work without.
   */
  referenced?(pfn: Pfn): void;
  /**
   * The next frame to evict, or 0. `accessed` tests and clears the A bits of every mapping of a frame. `coming`: key of the page
   * that room is made for, 0 when that is not known (as always on a live machine).
   */
  victim(accessed: (pfn: Pfn) => boolean, coming?: number): Pfn | 0;
}

/** What a use by the kernel leaves behind: nothing, an A bit in a page table, or an activated() call. */
export const USE_UNMARKED = 0;
export const USE_ACCESSED = 1;
export const USE_ACTIVATED = 2;
export type UseMark = 0 | 1 | 2;

/** Sees what the policy sees, and references by the kernel; for recorders. */
export interface FrameObserver {
  inserted(pfn: number, key: number): void;
  removed(pfn: number, key: number, evicted: boolean): void;
  /** The kernel used the frame (user copies, file reads and writes, copies of pages), repetitions included. */
  used(pfn: number, mark: UseMark): void;
}

export interface MmTracer {
  /** Numbers only, no allocation: code is one of TRACE_*; space is the space id (0: none). */
  event(code: number, spaceId: number, vpn: number, pfn: number, detail: number): void;
}

/** Sees a fault as a whole, before anything was looked up and after it was served; for explanations. */
export interface FaultWatcher {
  faultBegins(space: AddressSpace, address: number, access: Access): void;
  faultEnds(result: FaultResult): void;
}

export interface MmConfig {
  /** RAM: `sizeBytes` bytes at `byteOffset` of `buffer`; never grows, so views never detach. */
  buffer: ArrayBufferLike;
  byteOffset: number;
  sizeBytes: number;
  swapDevice: SwapDevice | null;
  /** two-list (default), clock, fifo, random, ... */
  policy?: string;
  seed?: number;
  overcommit?: OvercommitMode;
  /** Percent of RAM that counts under "never" (vm.overcommit_ratio, default 50). */
  overcommitRatio?: number;
  tlb: TlbFlusher;
  /** Most pages that one wait for a file brings in, neighbours included, while frames are spare (read-ahead; default 1: none). */
  readAheadPages?: number;
  /** Fork shares a leaf page table with at least so many entries instead of copying it (default 64). */
  shareTablesFrom?: number;
  /**
   * Out of memory inside a fault or a copy: kill something. Returns true when the request should be tried again (frames
   * came free), false when the asking space itself was chosen or nothing can be killed.
   */
  outOfMemory: (asking: AddressSpace | null) => boolean;
  /** Realtime seconds for mtime updates is the kernel's business: called when a mapping first dirties a shared file page. */
  fileDirtied?: (file: AreaFile) => void;
}
