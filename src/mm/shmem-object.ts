// Memory with a name but no file behind it (tmpfs, memfd, shared anonymous, SysV): pages are made of zeros and travel to swap.
// Not responsible for seals, names or quotas of file systems beyond asking its PageQuota.
import { EIO, ENOSPC, ENXIO } from "../abi/errno.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import { FRAME_DIRTY, FRAME_SHMEM } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { MemoryObject } from "./memory-object.ts";
import { TRACE_SWAP_OUT } from "./tracer.ts";

/** Who bounds the pages of a file system (tmpfs size=). */
export interface PageQuota {
  /** False: none left. */
  take(pages: number): boolean;
  give(pages: number): void;
}

export class ShmemObject extends MemoryObject {
  readonly kind = FRAME_SHMEM;
  quota: PageQuota | null = null;
  /** Pages charged to the commit account for the object's whole life; 0: each page is charged as it appears. */
  private readonly prepaidPages: number;

  constructor(mm: MemoryManager, sizeBytes: number, prepaidPages: number) {
    super(mm, sizeBytes);
    this.prepaidPages = prepaidPages;
    if (prepaidPages > 0) mm.commit.add(prepaidPages);
  }

  /** Pages it holds, in memory or in swap (st_blocks). */
  get allocatedPages(): number {
    return this.pages.frameCount + this.pages.slotCount;
  }
  get swappedPages(): number {
    return this.pages.slotCount;
  }

  override load(index: number): number {
    const slot = -this.pages.get(index);
    if (slot > 0) return this.swapIn(index, slot);
    this.loadWasIo = false;
    const failed = this.charge();
    if (failed < 0) return failed;
    const pfn = this.mm.allocator.allocate(FRAME_SHMEM);
    this.mm.memory.zero(pfn);
    this.insertPage(index, pfn);
    return pfn;
  }

  private swapIn(index: number, slot: number): number {
    const { mm } = this;
    const pfn = mm.allocator.allocate(FRAME_SHMEM);
    this.loadWasIo = true;
    if (mm.swap.read(slot, pfn) < 0) {
      mm.allocator.free(pfn);
      return -EIO;
    }
    this.insertPage(index, pfn);
    // The slot is given back, so the frame holds the only copy.
    mm.frames.flags[pfn] |= FRAME_DIRTY;
    mm.swap.release(slot);
    return pfn;
  }

  private charge(): number {
    if (this.quota !== null && !this.quota.take(1)) return -ENOSPC;
    if (this.prepaidPages > 0 || this.mm.commit.charge(1) === 0) return 0;
    this.quota?.give(1);
    return -ENOSPC;
  }

  private uncharge(): void {
    this.quota?.give(1);
    if (this.prepaidPages === 0) this.mm.commit.uncharge(1);
  }

  protected override removePage(index: number, pfn: number): void {
    super.removePage(index, pfn);
    this.uncharge();
  }

  protected override dropSlot(index: number, slot: number): void {
    super.dropSlot(index, slot);
    this.uncharge();
  }

  protected override pageForReading(index: number): number {
    return this.isHole(index) ? this.mm.zeroPfn : this.ensurePage(index);
  }

  protected override pageForReplacing(index: number): number {
    return this.ensurePage(index);
  }

  protected override restorePage(): void {
    // pageForReplacing() never threw the old bytes away.
  }

  protected override isHole(index: number): boolean {
    return this.pages.get(index) === 0;
  }

  protected override resize(sizeBytes: number): number {
    this.size = sizeBytes;
    return 0;
  }

  protected override discard(): number {
    return 0;
  }

  /** Makes pages for bytes [offset, offset + length) (fallocate). 0, -ENOSPC or -ENOMEM; what was made stays. */
  preallocate(offset: number, length: number): number {
    const end = Math.ceil((offset + length) / PAGE_SIZE);
    for (let index = Math.floor(offset / PAGE_SIZE); index < end; index++) {
      if (this.pages.get(index) !== 0) continue;
      const pfn = this.ensurePage(index);
      if (pfn < 0) return pfn;
      this.setDirty(pfn);
    }
    return 0;
  }

  override sync(): number {
    return 0;
  }

  override nextData(offset: number): number {
    if (offset >= this.size) return -ENXIO;
    const end = Math.ceil(this.size / PAGE_SIZE);
    const index = this.pages.next(Math.floor(offset / PAGE_SIZE), end);
    return index === end ? -ENXIO : Math.max(offset, index * PAGE_SIZE);
  }

  override nextHole(offset: number): number {
    if (offset >= this.size) return -ENXIO;
    const end = Math.ceil(this.size / PAGE_SIZE);
    const index = this.pages.nextAbsent(Math.floor(offset / PAGE_SIZE), end);
    return Math.min(this.size, Math.max(offset, index * PAGE_SIZE));
  }

  override evict(pfn: Pfn): boolean {
    const { mm } = this;
    const index = mm.frames.index[pfn];
    mm.reclaimer.unmapEverywhere(pfn);
    if ((mm.frames.flags[pfn] & FRAME_DIRTY) === 0) {
      // Never written since it was made of zeros: a hole holds the same.
      this.removePage(index, pfn);
      return true;
    }
    const slot = mm.reclaimer.allocateSlot();
    if (slot === 0) {
      mm.lru.park(pfn);
      return false;
    }
    mm.swap.duplicate(slot);
    if (mm.swap.write(slot, pfn) < 0) {
      mm.swap.release(slot);
      mm.lru.parkRefused(pfn);
      return false;
    }
    this.pages.set(index, -slot);
    mm.lru.remove(pfn);
    mm.allocator.free(pfn);
    if (mm.tracer !== null) mm.tracer.event(TRACE_SWAP_OUT, 0, index, pfn, slot);
    return true;
  }

  protected override destroyPages(): void {
    this.dropPages(0, Number.POSITIVE_INFINITY);
    if (this.prepaidPages > 0) this.mm.commit.uncharge(this.prepaidPages);
  }
}
