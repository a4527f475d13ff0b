// What areas map: a run of pages with a size and a page cache, and everything that reads, writes, cuts or cleans those pages. The
// cache is the only truth about them: mappings and read/write use the same frames. Where pages come from when they are not in
// the cache is the subclass's business (file-object.ts, shmem-object.ts).
//
//   byte  0                    4096                 8192      sizeBytes
//         |  page 0            |  page 1            |  page 2  |~~~tail~~~|      tail: seen by mappings, never by read(), and
//                                                                                zeroed when the object grows over it
import { EFAULT, ENXIO } from "../abi/errno.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import { USE_ACTIVATED, USE_UNMARKED } from "./contracts.ts";
import { FRAME_DIRTY, FRAME_FILE, FRAME_MLOCKED, FRAME_SHMEM } from "./frame-table.ts";
import type { IoCursor } from "./io-cursor.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { PageMap } from "./page-cache.ts";
import { zapCachePages, zapRange } from "./range-operations.ts";
import type { Vma } from "./vma.ts";

/** Pages read ahead of a reader that goes through a file in order. */
const AHEAD_PAGES = 16;
/** More than moving bytes into one page takes: the page, and the faults on two pages of the caller. */
const FRAMES_PER_WRITE = 16;

export abstract class MemoryObject {
  protected readonly mm: MemoryManager;
  readonly id: number;
  abstract readonly kind: typeof FRAME_FILE | typeof FRAME_SHMEM;
  /** For debugging and reports; "" when nobody gave one. */
  name = "";
  readonly pages = new PageMap();
  /** Areas that map a part of it: also the reverse map of its pages. Kept by linkArea() and unlinkArea(). */
  readonly mappers = new Set<Vma>();
  /** Areas that are shared and may become writable (i_mmap_writable): what sealing and exec ask. */
  writableMappings = 0;
  /** Positive errno of a write-back that failed and that no sync() has reported yet. */
  error = 0;
  /** After load(): whether it had to wait for a device. */
  loadWasIo = false;
  protected size: number;
  private references = 1;
  private lastTouched = -1;

  constructor(mm: MemoryManager, sizeBytes: number) {
    this.mm = mm;
    this.id = mm.nextObjectId++;
    this.size = sizeBytes;
    mm.objects.set(this.id, this);
  }

  get sizeBytes(): number {
    return this.size;
  }
  /** Pages in the cache. */
  get pageCount(): number {
    return this.pages.frameCount;
  }
  get dirtyPageCount(): number {
    return this.pages.dirtyCount;
  }

  acquire(): void {
    assert(this.references > 0, "a released object is gone");
    this.references++;
  }

  /** The last release writes back or frees its pages and forgets the object. */
  release(): void {
    assert(this.references > 0, "a released object is gone");
    if (--this.references > 0) return;
    assert(this.mappers.size === 0, "an area holds a reference");
    this.destroyPages();
    this.mm.objects.delete(this.id);
  }

  // --- pages ---

  /** Brings page `index` into the cache. Returns the frame or -errno. Preconditions: absent, one frame reserved. */
  abstract load(index: number): number;

  /**
   * As load(), and brings absent neighbours within pages [first, end) along if that costs no other page its frame (read-ahead).
   * Never fails because of a neighbour.
   */
  loadAround(index: number, _first: number, _end: number): number {
    return this.load(index);
  }

  /** Gives the frame up, writing it out first if needed; false: it could not be, and is parked. Called by reclaim only. */
  abstract evict(pfn: Pfn): boolean;

  /** The frame of page `index`, brought in if needed, or -errno. May reclaim. */
  ensurePage(index: number, wanted = 1): number {
    const cached = this.pages.get(index);
    if (cached > 0) return cached;
    const failed = this.mm.reserveFor(null, 1);
    if (failed !== 0) return failed;
    // The out-of-memory callback may have run anything.
    const now = this.pages.get(index);
    return now > 0 ? now : this.loadAround(index, index, index + wanted);
  }

  /** The bytes of the cache frame will differ from what backs it. */
  setDirty(pfn: number): void {
    const { flags, index } = this.mm.frames;
    if ((flags[pfn] & FRAME_DIRTY) !== 0) return;
    flags[pfn] |= FRAME_DIRTY;
    if (this.kind === FRAME_FILE) this.pages.noteDirty(index[pfn]);
  }

  protected setClean(pfn: number): void {
    const { flags, index } = this.mm.frames;
    if ((flags[pfn] & FRAME_DIRTY) === 0) return;
    flags[pfn] &= ~FRAME_DIRTY;
    if (this.kind === FRAME_FILE) this.pages.noteClean(index[pfn]);
  }

  /** A new frame enters the cache as page `index`. */
  protected insertPage(index: number, pfn: number): void {
    const { frames, lru } = this.mm;
    frames.owner[pfn] = this.id;
    frames.index[pfn] = index;
    this.pages.set(index, pfn);
    lru.insert(pfn);
  }

  /** The frame leaves the cache and is freed. Precondition: unmapped. */
  protected removePage(index: number, pfn: number): void {
    this.setClean(pfn);
    this.pages.set(index, 0);
    this.mm.lru.remove(pfn);
    this.mm.allocator.free(pfn as Pfn);
  }

  /** Drops what the map holds in [first, end). Precondition: no frame of it is mapped. */
  protected dropPages(first: number, end: number): void {
    const { pages } = this;
    for (let index = pages.next(first, end); index < end; index = pages.next(index + 1, end)) {
      const entry = pages.get(index);
      if (entry > 0) this.removePage(index, entry);
      else this.dropSlot(index, -entry);
    }
  }

  /** The object's page `index` in swap is not needed any more. */
  protected dropSlot(index: number, slot: number): void {
    this.pages.set(index, 0);
    this.mm.swap.release(slot);
  }

  /** Takes pages [first, end) out of all mappings; `copiesToo`: also private copies of them (unmap_mapping_range). */
  protected unmapPages(first: number, end: number, copiesToo: boolean): void {
    for (const area of this.mappers) {
      const from = Math.max(area.startVpn, area.startVpn + (first - area.pageOffset));
      const to = Math.min(area.endVpn, area.startVpn + (end - area.pageOffset));
      if (from >= to) continue;
      if (copiesToo) zapRange(this.mm, area.space, from, to);
      else zapCachePages(this.mm, area.space, from, to);
    }
  }

  protected abstract destroyPages(): void;

  // --- read and write ---

  /** Copies from byte `offset` to the cursor. Bytes moved (0 at the end of the object), or -EFAULT, -EIO, -ENOMEM. */
  read(io: IoCursor, offset: number): number {
    const { frames, memory, lru } = this.mm;
    let at = offset;
    while (io.remaining > 0 && at < this.size) {
      const index = Math.floor(at / PAGE_SIZE);
      const inPage = at - index * PAGE_SIZE;
      const want = Math.min(PAGE_SIZE - inPage, this.size - at, io.remaining);
      let pfn = this.pages.get(index);
      if (pfn <= 0) {
        const sequential = index === this.lastTouched + 1 || index === 0;
        pfn = this.pageForReading(index, Math.ceil(io.remaining / PAGE_SIZE) + (sequential ? AHEAD_PAGES : 0));
      }
      if (pfn < 0) return at > offset ? at - offset : pfn;
      frames.pin(pfn);
      if (index !== this.lastTouched) lru.touch(pfn);
      lru.observer?.used(pfn, index === this.lastTouched ? USE_UNMARKED : USE_ACTIVATED);
      this.lastTouched = index;
      const base = pfn * PAGE_SIZE + inPage;
      const moved = io.put(memory.bytes, base, base + want);
      frames.unpin(pfn);
      at += moved;
      if (moved < want) return at > offset ? at - offset : -EFAULT;
    }
    return at - offset;
  }

  /** A frame to copy page `index` from; need not enter the cache. `wanted`: pages that are likely to be read, from there on. */
  protected pageForReading(index: number, wanted: number): number {
    return this.ensurePage(index, wanted);
  }

  /**
   * Copies from the cursor to byte `offset` on, growing the object as needed. Bytes moved, or -EFAULT, -ENOMEM, -EIO, -ENOSPC
   * when none were.
   */
  write(io: IoCursor, offset: number): number {
    if (offset > this.size && io.remaining > 0 && this.kind === FRAME_FILE) {
      const failed = this.loadTail(this.size);
      if (failed < 0) return failed;
      this.zeroTail(this.size);
    }
    let at = offset;
    let failed = 0;
    while (io.remaining > 0 && failed === 0) {
      // A page that reclaim writes out is cut at the size: before any may be, the size must cover what was moved.
      if (at > offset && at > this.size && !this.mm.allocator.hasSpare(FRAMES_PER_WRITE)) failed = this.resize(at);
      let moved = failed === 0 ? this.writeInPage(io, at) : failed;
      if (moved === 0 && at > offset && at > this.size) {
        // The caller's buffer may lie in this very object, behind its old end.
        failed = this.resize(at);
        moved = failed === 0 ? this.writeInPage(io, at) : failed;
      }
      if (moved <= 0) failed = moved === 0 ? -EFAULT : moved;
      else at += moved;
    }
    if (at > offset && at > this.size) {
      const grown = this.resize(at);
      if (grown < 0) return grown;
    }
    return at > offset ? at - offset : failed;
  }

  /** Moves bytes into one page. Bytes moved, 0 when the cursor faulted at once, or -errno. */
  private writeInPage(io: IoCursor, at: number): number {
    const { frames, memory, lru, tlb } = this.mm;
    if (!io.mayTake()) return 0;
    const index = Math.floor(at / PAGE_SIZE);
    const inPage = at - index * PAGE_SIZE;
    const want = Math.min(PAGE_SIZE - inPage, io.remaining);
    let pfn = this.pages.get(index);
    const replaces = pfn <= 0 && inPage === 0 && (want === PAGE_SIZE || at + want >= this.size);
    if (pfn <= 0) pfn = replaces ? this.pageForReplacing(index) : this.ensurePage(index);
    if (pfn < 0) return pfn;
    const base = pfn * PAGE_SIZE + inPage;
    frames.pin(pfn);
    const moved = io.take(memory.bytes, base, base + want);
    // The caller's fault may have cost the object this page (its last reference is not ours): then the bytes are of no use.
    const stillOurs = this.pages.get(index) === pfn;
    if (stillOurs && replaces && moved < want) this.restorePage(index, pfn, moved);
    if (stillOurs && moved > 0) {
      this.setDirty(pfn);
      tlb.frameChanged(pfn as Pfn);
    }
    if (index !== this.lastTouched) lru.touch(pfn);
    lru.observer?.used(pfn, index === this.lastTouched ? USE_UNMARKED : USE_ACTIVATED);
    this.lastTouched = index;
    frames.unpin(pfn);
    return moved;
  }

  /** A cached frame for page `index` whose old bytes are about to be overwritten from the start, or -errno. */
  protected abstract pageForReplacing(index: number): number;

  /** Only `kept` bytes of a page from pageForReplacing() were overwritten: the rest gets its old contents. */
  protected abstract restorePage(index: number, pfn: number, kept: number): void;

  // --- size ---

  /** Tells what backs the object its new size and takes it over. 0 or -errno. */
  protected abstract resize(sizeBytes: number): number;

  /** Cuts or grows the object. Mapped pages past the end go, private copies of them too; new bytes are 0. 0 or -errno. */
  truncate(sizeBytes: number): number {
    const old = this.size;
    // To the same size: tmpfs still clears the tail.
    if (sizeBytes === old && this.kind === FRAME_FILE) return 0;
    const edge = Math.min(old, sizeBytes);
    const loaded = this.loadTail(edge);
    if (loaded < 0) return loaded;
    const failed = this.resize(sizeBytes);
    if (failed < 0) return failed;
    this.zeroTail(edge);
    if (sizeBytes >= old) return 0;
    const firstGone = Math.ceil(sizeBytes / PAGE_SIZE);
    this.unmapPages(firstGone, Number.POSITIVE_INFINITY, true);
    this.dropPages(firstGone, Number.POSITIVE_INFINITY);
    return 0;
  }

  /** Brings the page that holds byte `sizeBytes` back from swap, where it could not be zeroed. 0 or -errno. */
  private loadTail(sizeBytes: number): number {
    const index = Math.floor(sizeBytes / PAGE_SIZE);
    if (sizeBytes % PAGE_SIZE === 0 || this.pages.get(index) >= 0) return 0;
    return Math.min(this.ensurePage(index), 0);
  }

  /** Zeroes the rest of the page that holds byte `sizeBytes`, from there on, if it is cached: a backing forgets it itself. */
  private zeroTail(sizeBytes: number): void {
    const inPage = sizeBytes % PAGE_SIZE;
    // tmpfs clears the tail when it cuts, not when it grows: what a mapping left there becomes visible then.
    if (this.kind === FRAME_SHMEM && sizeBytes < this.size) return;
    const pfn = inPage === 0 ? 0 : this.pages.get((sizeBytes - inPage) / PAGE_SIZE);
    if (pfn <= 0) return;
    this.zeroBytes(pfn, inPage, PAGE_SIZE);
    if (this.kind === FRAME_SHMEM) this.setDirty(pfn);
  }

  private zeroBytes(pfn: number, from: number, to: number): void {
    this.mm.memory.bytes.fill(0, pfn * PAGE_SIZE + from, pfn * PAGE_SIZE + to);
    this.mm.tlb.frameChanged(pfn as Pfn);
  }

  /** Makes bytes [offset, offset + length) read as 0, within the size; whole pages are dropped. 0 or -errno. */
  punchHole(offset: number, length: number): number {
    const pageEnd = Math.ceil(this.size / PAGE_SIZE) * PAGE_SIZE;
    const end = offset + length >= this.size ? pageEnd : offset + length;
    if (offset >= end) return 0;
    const firstWhole = Math.ceil(offset / PAGE_SIZE);
    const endWhole = Math.floor(end / PAGE_SIZE);
    let failed = 0;
    if (firstWhole > endWhole) failed = this.zeroPart(endWhole, offset % PAGE_SIZE, end % PAGE_SIZE);
    else {
      if (offset % PAGE_SIZE !== 0) failed = this.zeroPart(firstWhole - 1, offset % PAGE_SIZE, PAGE_SIZE);
      if (failed === 0 && end % PAGE_SIZE !== 0) failed = this.zeroPart(endWhole, 0, end % PAGE_SIZE);
    }
    if (failed < 0 || firstWhole >= endWhole) return failed;
    this.unmapPages(firstWhole, endWhole, false);
    this.dropPages(firstWhole, endWhole);
    return this.discard(firstWhole, endWhole);
  }

  private zeroPart(index: number, from: number, to: number): number {
    if (this.isHole(index)) return 0;
    const pfn = this.ensurePage(index);
    if (pfn < 0) return pfn;
    this.zeroBytes(pfn, from, to);
    this.setDirty(pfn);
    return 0;
  }

  /** Known to be zeros without looking. */
  protected isHole(_index: number): boolean {
    return false;
  }

  /** Makes what backs whole pages [first, end) zeros. 0 or -errno. */
  protected abstract discard(first: number, end: number): number;

  // --- cleaning and asking ---

  /**
   * Writes the dirty pages of [firstPage, endPage), write-protecting their mappings so that later stores are noticed. -errno of a
   * failure now, or of an earlier write-back that nobody was told of; those pages stay dirty.
   */
  abstract sync(firstPage: number, endPage: number): number;

  /** Drops clean pages that nobody maps (POSIX_FADV_DONTNEED, drop_caches). */
  invalidate(firstPage = 0, endPage: number = Number.POSITIVE_INFINITY): void {
    if (this.kind !== FRAME_FILE) return;
    const { pages } = this;
    const { frames } = this.mm;
    for (let index = pages.next(firstPage, endPage); index < endPage; index = pages.next(index + 1, endPage)) {
      const pfn = pages.get(index);
      if (frames.mapCount[pfn] !== 0 || frames.pins[pfn] !== 0) continue;
      if ((frames.flags[pfn] & (FRAME_DIRTY | FRAME_MLOCKED)) === 0) this.removePage(index, pfn);
    }
  }

  /** Puts 1 (in the cache) or 0 for each page of [first, end) into `into`. */
  residentPages(first: number, end: number, into: Uint8Array): void {
    for (let index = first; index < end; index++) into[index - first] = this.pages.get(index) > 0 ? 1 : 0;
  }

  /** SEEK_DATA: the first offset at or after `offset` with data, or -ENXIO at or past the end. */
  nextData(offset: number): number {
    return offset < this.size ? offset : -ENXIO;
  }

  /** SEEK_HOLE: the first offset at or after `offset` in a hole (the end counts as one), or -ENXIO at or past the end. */
  nextHole(offset: number): number {
    return offset < this.size ? this.size : -ENXIO;
  }
}
