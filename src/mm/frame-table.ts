// One row per physical frame, as parallel typed arrays (struct page without pointers). Holds facts; who may change which
// column is said at the column. Not responsible for finding or freeing frames.

/** What a frame is used for. */
export const FRAME_FREE = 0;
/** Frame 0 and frames kept from use. */
export const FRAME_RESERVED = 1;
export const FRAME_PAGE_TABLE = 2;
/** The one frame of zeros that read faults on anonymous memory share. */
export const FRAME_ZERO = 3;
export const FRAME_ANONYMOUS = 4;
/** In the page cache of a FileObject / a ShmemObject. */
export const FRAME_FILE = 5;
export const FRAME_SHMEM = 6;
export const FRAME_KINDS = 7;
export type FrameKind = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/**
 * Its bytes are newer than its file, or than its swap slot. (A shared file page that is writable through any PTE is always
 * DIRTY; anonymous and shmem pages may be dirty in a PTE's D bit only.)
 */
export const FRAME_DIRTY = 1 << 0;
/** Mapped by an area with VM_LOCKED: never a victim (I15). */
export const FRAME_MLOCKED = 1 << 1;
/** Anonymous, and swap slot `owner` holds or will hold the same page (I9). */
export const FRAME_SWAP_CACHE = 1 << 2;
/** MADV_FREE: may be dropped while no PTE has D. */
export const FRAME_LAZY_FREE = 1 << 3;
/** Known to the eviction policy. */
export const FRAME_EVICTABLE = 1 << 4;
/** Not known to the policy because it could not be evicted: no free swap slot, or its write failed. */
export const FRAME_PARKED = 1 << 5;
/** Nothing names it any more, but it is pinned: the last unpin() frees it. */
export const FRAME_ORPHAN = 1 << 6;
/** Bits 8 and up belong to views and policies. */
export const FRAME_REFERENCED = 1 << 8;
export const FRAME_ACTIVE = 1 << 9;

/** Seven columns of 4 bytes, one of 2, two of 1. */
const ROW_BYTES = 32;

export class FrameTable {
  readonly frameCount: number;
  readonly kind: Uint8Array;
  readonly flags: Uint16Array;
  /** Users that hold the bytes across a point where reclaim may run. */
  readonly pins: Uint8Array;
  /** PTEs that name the frame (I3); of a page-table frame: entries in use. */
  readonly mapCount: Int32Array;
  /** Anonymous frames: head of the PTE chain, owned by ReverseMap. Page table: further spaces that share it (SharedTables). */
  readonly rmapHead: Int32Array;
  /** Cache frame: object id. Anonymous in the swap cache: slot. Page table: space id (of one of those that share it). */
  readonly owner: Int32Array;
  /** Cache frame: page index in its object. Page table: first VPN it maps. Anonymous: VPN of its first mapping. */
  readonly index: Int32Array;
  /** Links of the eviction policy's lists (or of the parked list), and its own word. */
  readonly lruNext: Int32Array;
  readonly lruPrev: Int32Array;
  readonly policyWord: Int32Array;
  /** Set by the allocator. */
  freeOrphan: (pfn: number) => void = () => {};

  constructor(frameCount: number) {
    this.frameCount = frameCount;
    // One piece, so that the host has memory only for the rows that are used.
    const rows = new ArrayBuffer(frameCount * ROW_BYTES);
    const words = (column: number) => new Int32Array(rows, 4 * column * frameCount, frameCount);
    this.mapCount = words(0);
    this.rmapHead = words(1);
    this.owner = words(2);
    this.index = words(3);
    this.lruNext = words(4);
    this.lruPrev = words(5);
    this.policyWord = words(6);
    this.flags = new Uint16Array(rows, 28 * frameCount, frameCount);
    this.kind = new Uint8Array(rows, 30 * frameCount, frameCount);
    this.pins = new Uint8Array(rows, 31 * frameCount, frameCount);
  }

  /** Keeps the frame from eviction until unpin(); nests. */
  pin(pfn: number): void {
    this.pins[pfn]++;
  }

  unpin(pfn: number): void {
    if (--this.pins[pfn] === 0 && (this.flags[pfn] & FRAME_ORPHAN) !== 0) this.freeOrphan(pfn);
  }

  isCache(pfn: number): boolean {
    return this.kind[pfn] >= FRAME_FILE;
  }
}
