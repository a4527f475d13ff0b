// A regular file as a memory object: pages come from a FileBacking and go back to it. Not responsible for names, times or
// permissions.
import { PAGE_SIZE, PTE_D, PTE_W } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import { DeviceError, type FileBacking } from "./contracts.ts";
import { FRAME_DIRTY, FRAME_FILE } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { MemoryObject } from "./memory-object.ts";
import { TRACE_DROP_CLEAN, TRACE_PAGE_IN, TRACE_WRITE_BACK } from "./tracer.ts";

const BLOCK_PAGES = 512;
/** Bound of read-ahead: what the buffer below holds. */
const MOST_AHEAD = 32;
/** Where runs of pages are read to; holds nothing between two calls. */
const ahead = new Uint8Array(MOST_AHEAD * PAGE_SIZE);

export class FileObject extends MemoryObject {
  readonly kind = FRAME_FILE;
  readonly backing: FileBacking;

  /** `sizeBytes`: the file's size now. */
  constructor(mm: MemoryManager, backing: FileBacking, sizeBytes: number) {
    super(mm, sizeBytes);
    this.backing = backing;
  }

  override load(index: number): number {
    const { mm } = this;
    const pfn = this.newPage(index);
    this.loadWasIo = true;
    // Past the end there is nothing to read (a write that grows the file asks for such a page).
    if (index * PAGE_SIZE >= this.size) return pfn;
    const failed = attempt(() => this.backing.readPage(index, mm.memory.frame(pfn)));
    if (failed < 0) {
      this.removePage(index, pfn);
      return failed;
    }
    mm.counters.pgpgin++;
    if (mm.tracer !== null) mm.tracer.event(TRACE_PAGE_IN, 0, this.id, pfn, index);
    return pfn;
  }

  /** One read of the backing for a whole run of absent pages around `index`. */
  override loadAround(index: number, first: number, end: number): number {
    const { mm, backing } = this;
    const most = Math.min(mm.config.readAheadPages ?? 1, MOST_AHEAD);
    // Where eviction is studied, every page comes in when it is asked for.
    const studied = mm.lru.limit !== 0 || mm.lru.observer !== null;
    if (most <= 1 || studied || backing.readPages === undefined) return this.load(index);
    const stop = Math.min(end, Math.ceil(this.size / PAGE_SIZE), index + most);
    let to = index + 1;
    while (to < stop && this.pages.get(to) === 0) to++;
    let from = index;
    while (from > first && to - from < most && this.pages.get(from - 1) === 0) from--;
    const count = to - from;
    if (index >= to || count <= 1 || !mm.allocator.hasSpare(count)) return this.load(index);
    const bytes = ahead.subarray(0, count * PAGE_SIZE).fill(0);
    if (attempt(() => backing.readPages!(from, bytes)) < 0) return this.load(index);
    for (let page = from; page < to; page++) {
      const pfn = mm.allocator.allocate(FRAME_FILE);
      mm.memory.bytes.set(bytes.subarray((page - from) * PAGE_SIZE, (page - from + 1) * PAGE_SIZE), pfn * PAGE_SIZE);
      this.insertPage(page, pfn);
      mm.counters.pgpgin++;
      if (mm.tracer !== null) mm.tracer.event(TRACE_PAGE_IN, 0, this.id, pfn, page);
    }
    this.loadWasIo = true;
    return this.pages.get(index);
  }

  /** A zeroed frame in the cache. Precondition: reserved. */
  private newPage(index: number): Pfn {
    const pfn = this.mm.allocator.allocate(FRAME_FILE);
    this.mm.memory.zero(pfn);
    this.insertPage(index, pfn);
    return pfn;
  }

  protected override pageForReplacing(index: number): number {
    const failed = this.mm.reserveFor(null, 1);
    if (failed < 0) return failed;
    const now = this.pages.get(index);
    return now > 0 ? now : this.newPage(index);
  }

  protected override restorePage(index: number, pfn: number, kept: number): void {
    if (index * PAGE_SIZE >= this.size) return;
    const old = new Uint8Array(PAGE_SIZE);
    const failed = attempt(() => this.backing.readPage(index, old));
    if (failed < 0) this.error = -failed;
    this.mm.memory.bytes.set(old.subarray(kept), pfn * PAGE_SIZE + kept);
  }

  protected override resize(sizeBytes: number): number {
    const failed = attempt(() => this.backing.setSize(sizeBytes));
    if (failed === 0) this.size = sizeBytes;
    return failed;
  }

  protected override discard(first: number, end: number): number {
    const { backing } = this;
    if (backing.discard !== undefined) return attempt(() => backing.discard!(first, end));
    const zeros = new Uint8Array(PAGE_SIZE);
    for (let index = first; index < end; index++) {
      const failed = attempt(() => backing.writePage(index, zeros, this.lengthOf(index)));
      if (failed < 0) return failed;
    }
    return 0;
  }

  /** Bytes of page `index` that are in the file. */
  private lengthOf(index: number): number {
    return Math.min(PAGE_SIZE, this.size - index * PAGE_SIZE);
  }

  override sync(firstPage: number, endPage: number): number {
    let failed = 0;
    for (const block of this.pages.dirtyBlocks(firstPage, endPage)) {
      const end = Math.min(endPage, (block + 1) * BLOCK_PAGES);
      let index = Math.max(firstPage, block * BLOCK_PAGES);
      for (index = this.pages.next(index, end); index < end; index = this.pages.next(index + 1, end)) {
        const pfn = this.pages.get(index);
        if ((this.mm.frames.flags[pfn] & FRAME_DIRTY) === 0) continue;
        const result = this.writeBack(pfn, index);
        if (result < 0) failed = result;
      }
    }
    // Also when nothing was dirty: eviction may have written pages that are not durable yet.
    if (this.backing.flush !== undefined) {
      const result = attempt(() => this.backing.flush!());
      if (result < 0) failed = result;
    }
    if (failed === 0 && this.error !== 0) failed = -this.error;
    this.error = 0;
    return failed;
  }

  /** Writes one dirty page. On failure it is dirty again: nothing is lost. 0 or -errno. */
  private writeBack(pfn: number, index: number): number {
    const { mm } = this;
    this.protectMappings(pfn);
    this.setClean(pfn);
    const length = this.lengthOf(index);
    if (length <= 0) return 0;
    const failed = attempt(() => this.backing.writePage(index, mm.memory.frame(pfn), length));
    if (failed < 0) {
      this.setDirty(pfn);
      return failed;
    }
    mm.counters.pgpgout++;
    if (mm.tracer !== null) mm.tracer.event(TRACE_WRITE_BACK, 0, index, pfn, this.id);
    // It may have waited for this.
    mm.lru.unparkFrame(pfn);
    return 0;
  }

  /** page_mkclean(): the next store through any mapping faults (F9) and makes the page dirty again. */
  private protectMappings(pfn: number): void {
    const { rmap, spaces, memory } = this.mm;
    const count = rmap.collect(pfn);
    for (let i = 0; i < count; i++) {
      const pte = rmap.found[i];
      if ((memory.words[pte * 2] & (PTE_W | PTE_D)) === 0) continue;
      spaces.get(rmap.spaceIdOf(pte))!.table.clearBits(pte * 8, rmap.vpnOf(pte), PTE_W | PTE_D);
    }
  }

  override evict(pfn: Pfn): boolean {
    const { mm } = this;
    const index = mm.frames.index[pfn];
    mm.reclaimer.unmapEverywhere(pfn);
    if ((mm.frames.flags[pfn] & FRAME_DIRTY) !== 0) {
      const failed = this.writeBack(pfn, index);
      if (failed < 0) {
        this.error = -failed;
        mm.lru.parkRefused(pfn);
        return false;
      }
    }
    this.removePage(index, pfn);
    if (mm.tracer !== null) mm.tracer.event(TRACE_DROP_CLEAN, 0, index, pfn, this.id);
    return true;
  }

  protected override destroyPages(): void {
    this.sync(0, Number.POSITIVE_INFINITY);
    this.dropPages(0, Number.POSITIVE_INFINITY);
  }
}

/** Runs a device operation: 0, or -errno of the DeviceError it threw. */
function attempt(operation: () => void): number {
  try {
    operation();
    return 0;
  } catch (error) {
    if (error instanceof DeviceError) return -error.errno;
    throw error;
  }
}
