// One machine's memory: owns every table and wires them together; the public face of mm/ (docs/design/mm-api.md). Decides nothing.
import { ENOMEM } from "../abi/errno.ts";
import type { Pfn } from "../util/brand.ts";
import { CommitAccount } from "./accounting.ts";
import { AddressSpace, MAX_MAP_COUNT } from "./address-space.ts";
import type { FaultWatcher, FileBacking, MmConfig, MmTracer, OvercommitMode, TlbFlusher } from "./contracts.ts";
import { EvictableFrames } from "./evictable-frames.ts";
import { FileObject } from "./file-object.ts";
import { forkSpace } from "./fork.ts";
import { FrameAllocator } from "./frame-allocator.ts";
import {
  FRAME_ANONYMOUS,
  FRAME_FILE,
  FRAME_FREE,
  FRAME_PAGE_TABLE,
  FRAME_RESERVED,
  FRAME_SHMEM,
  FRAME_ZERO,
  FrameTable,
} from "./frame-table.ts";
import { checkInvariants } from "./invariants.ts";
import type { MemoryObject } from "./memory-object.ts";
import { PhysicalMemory } from "./physical-memory.ts";
import { makePolicy } from "./policy/index.ts";
import { Reclaimer } from "./reclaim.ts";
import { ReverseMap } from "./rmap.ts";
import { SharedTables } from "./shared-tables.ts";
import { ShmemObject } from "./shmem-object.ts";
import { Swap } from "./swap.ts";
import { TRACE_EXIT } from "./tracer.ts";
import { VmCounters } from "./vm-counters.ts";

export interface FrameCounts {
  free: number;
  pageTable: number;
  anonymous: number;
  file: number;
  shmem: number;
  zero: number;
  reserved: number;
}

export class MemoryManager {
  readonly config: MmConfig;
  readonly memory: PhysicalMemory;
  readonly frames: FrameTable;
  readonly allocator: FrameAllocator;
  readonly rmap: ReverseMap;
  readonly sharedTables: SharedTables;
  readonly swap: Swap;
  readonly lru: EvictableFrames;
  readonly reclaimer: Reclaimer;
  readonly commit: CommitAccount;
  readonly counters = new VmCounters();
  readonly tlb: TlbFlusher;
  /** Every living space and object by id. */
  readonly spaces = new Map<number, AddressSpace>();
  /** vm.max_map_count of new spaces, and of all after setMaxMapCount(). */
  maxMapCount = MAX_MAP_COUNT;
  /** Of the last FAULT_USERFAULT: the object has the page, it is only not mapped. */
  userfaultIsMinor = false;
  /** A system call is running, which may be run again once a userfaultfd has brought a page. */
  mayWaitForUserfault = false;
  readonly objects = new Map<number, MemoryObject>();
  /** Hears of every fault, copy, eviction and move; null costs a test per event. */
  tracer: MmTracer | null = null;
  /** Sees every fault as a whole; null costs a test per fault. */
  faultWatcher: FaultWatcher | null = null;
  /** The frame of zeros that every read of untouched anonymous memory shares. */
  readonly zeroPfn: Pfn;
  nextObjectId = 1;
  private nextSpaceId = 1;

  /** Throws RangeError for an unknown policy name. */
  constructor(config: MmConfig) {
    this.config = config;
    this.tlb = config.tlb;
    this.memory = new PhysicalMemory(config.buffer, config.byteOffset, config.sizeBytes);
    this.frames = new FrameTable(this.memory.frameCount);
    const { tlb } = config;
    this.allocator = new FrameAllocator(this.frames, (pfn) => tlb.frameChanged(pfn));
    this.rmap = new ReverseMap(this.frames, this.memory, this.objects);
    this.sharedTables = new SharedTables(this.frames);
    this.swap = new Swap(config.swapDevice, this.memory, this.counters);
    const policy = makePolicy(config.policy ?? "two-list", this.frames, config.seed ?? 1);
    this.lru = new EvictableFrames(this.frames, policy, this.swap.slotCount > 0);
    this.reclaimer = new Reclaimer(this);
    this.allocator.refill = (needed, target) => this.reclaimer.refill(needed, target);
    this.commit = new CommitAccount(this);
    this.zeroPfn = this.allocator.allocate(FRAME_ZERO);
    this.memory.zero(this.zeroPfn);
  }

  get totalFrames(): number {
    return this.memory.frameCount;
  }
  get freeFrames(): number {
    return this.allocator.freeCount;
  }
  get committedPages(): number {
    return this.commit.committedPages;
  }
  get commitLimitPages(): number {
    return this.commit.limitPages;
  }
  get overcommit(): OvercommitMode {
    return this.commit.mode;
  }
  set overcommit(mode: OvercommitMode) {
    this.commit.mode = mode;
  }

  countByKind(): FrameCounts {
    const { allocator } = this;
    return {
      free: allocator.countOf(FRAME_FREE),
      pageTable: allocator.countOf(FRAME_PAGE_TABLE),
      anonymous: allocator.countOf(FRAME_ANONYMOUS),
      file: allocator.countOf(FRAME_FILE),
      shmem: allocator.countOf(FRAME_SHMEM),
      zero: allocator.countOf(FRAME_ZERO),
      reserved: allocator.countOf(FRAME_RESERVED),
    };
  }

  /**
   * Makes sure that `n` frames can be allocated, reclaiming and killing if it must. 0 or -ENOMEM. PTEs, page maps and areas
   * that were read before this call are to be read again (hazard 1). `last`: also the frames kept for swap-in.
   */
  reserveFor(asking: AddressSpace | null, n: number, last = false): number {
    const { allocator, reclaimer } = this;
    this.keepWithinLimit();
    if (allocator.freeCount >= n + allocator.lowWatermark) return 0;
    const outer = reclaimer.asking;
    reclaimer.asking = asking;
    const got = allocator.reserve(n, last);
    reclaimer.asking = outer;
    return got ? 0 : -ENOMEM;
  }

  /** Evicts what is above lru.limit. A point like reserveFor(): nothing read before holds afterwards. */
  keepWithinLimit(): void {
    const { lru } = this;
    if (lru.limit !== 0 && lru.count > lru.limit) this.reclaimer.shrinkTo(lru.limit);
  }

  /** An empty space with one user, or null: out of memory. `asking`: for whom (fork). */
  createSpace(asking: AddressSpace | null = null): AddressSpace | null {
    if (this.reserveFor(asking, 1) !== 0) return null;
    const space = new AddressSpace(this, this.nextSpaceId++);
    this.spaces.set(space.id, space);
    return space;
  }

  /** A copy of the space (fork), or null: out of memory or commit. */
  forkSpace(parent: AddressSpace): AddressSpace | null {
    return forkSpace(this, parent);
  }

  /** Called by AddressSpace.release() when the areas are gone. */
  teardownSpace(space: AddressSpace): void {
    this.tlb.releaseSpace(space);
    space.table.destroy();
    this.spaces.delete(space.id);
    if (this.tracer !== null) this.tracer.event(TRACE_EXIT, space.id, 0, 0, 0);
  }

  /** A regular file of `sizeBytes` bytes behind `backing`; one reference, the caller's. */
  createFileObject(backing: FileBacking, sizeBytes: number): FileObject {
    return new FileObject(this, backing, sizeBytes);
  }

  /**
   * Swappable memory (tmpfs, memfd, shared anonymous, SysV); one reference, the caller's. `prepaidPages` are charged to the commit
   * account now and until the object is gone; with 0 each page is charged when it appears.
   */
  setMaxMapCount(count: number): void {
    this.maxMapCount = count;
    for (const space of this.spaces.values()) space.maxMapCount = count;
  }

  createShmemObject(sizeBytes: number, prepaidPages = 0): ShmemObject {
    return new ShmemObject(this, sizeBytes, prepaidPages);
  }

  /** Drops every clean, unmapped page of files (/proc/sys/vm/drop_caches). */
  dropCaches(): void {
    for (const object of this.objects.values()) object.invalidate();
  }

  /** Writes every dirty page of every file (sync). 0 or the -errno of the first failure. */
  writebackAll(): number {
    let failed = 0;
    for (const object of this.objects.values()) {
      const result = object.sync(0, Number.POSITIVE_INFINITY);
      if (failed === 0) failed = result;
    }
    return failed;
  }

  /** Throws with the invariant's number when something is wrong. Walks everything: for tests. */
  checkInvariants(): void {
    checkInvariants(this);
  }
}
