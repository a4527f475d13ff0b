// The areas of one address space in address order: find, insert, remove, resize, and the search for free gaps, all fast at
// tens of thousands of areas. It decides nothing: splitting and merging is area-edit.ts.
//
//   chunks   [ c0 | c1 | c2 | ... ]      at most CHUNK_MAX areas each, never empty; with startVpn of each area and the gap in front
//   firsts   [  5 | 70 | 99 | ... ]      startVpn of the first area of that chunk: a search touches one chunk
//   gapBound [ 12 |  3 | 90 | ... ]      at least the largest gap (pages) in front of any area of that chunk
//
// A gap search skips every chunk whose bound is too small; scanning a chunk without success makes its bound exact, so the
// bound only has to be raised, never recomputed, when areas change. Neighbours are linked through Vma.next and Vma.prev.
import { PAGE_SIZE, USER_END, USER_VPN_END } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { Vma } from "./vma.ts";

const CHUNK_MAX = 256;
/** A chunk this small is joined to a neighbour when both fit comfortably. */
const CHUNK_LOW = 32;

/** Up to so many entries are moved one by one; splice() makes an array each time. */
const SHIFT_BY_HAND = 32;

class Chunk {
  readonly areas: Vma[] = [];
  // Small integers in plain arrays: a process has few areas, and typed arrays cost fork more than they save.
  /** startVpn of each area, so that searching touches no area. */
  readonly starts: number[] = [];
  /** Free pages in front of each area, less the guard gap of a growing one: may be negative. */
  readonly gaps: number[] = [];

  insert(at: number, area: Vma): void {
    const { areas, starts, gaps } = this;
    if (areas.length - at > SHIFT_BY_HAND) {
      areas.splice(at, 0, area);
      starts.splice(at, 0, area.startVpn);
      gaps.splice(at, 0, 0);
      return;
    }
    for (let i = areas.length; i > at; i--) {
      areas[i] = areas[i - 1];
      starts[i] = starts[i - 1];
      gaps[i] = gaps[i - 1];
    }
    starts[at] = area.startVpn;
    gaps[at] = 0;
    areas[at] = area;
  }

  remove(at: number): void {
    const { areas, starts, gaps } = this;
    if (areas.length - at > SHIFT_BY_HAND) {
      areas.splice(at, 1);
      starts.splice(at, 1);
      gaps.splice(at, 1);
      return;
    }
    for (let i = at + 1; i < areas.length; i++) {
      areas[i - 1] = areas[i];
      starts[i - 1] = starts[i];
      gaps[i - 1] = gaps[i];
    }
    areas.pop();
    starts.pop();
    gaps.pop();
  }

  /** Index of the last area that starts at or below vpn, or -1. */
  locate(vpn: number): number {
    const { starts } = this;
    let low = 0;
    let high = this.areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle] <= vpn) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

export class VmaList {
  private chunks: Chunk[] = [];
  private readonly firsts: number[] = [];
  private readonly gapBound: number[] = [];
  private count = 0;
  private head: Vma | null = null;
  private tail: Vma | null = null;
  /** The last area found: faults and copies come in runs. */
  private recent: Vma | null = null;
  /** Result of locate(). */
  private chunkIndex = 0;
  private areaIndex = 0;

  get length(): number {
    return this.count;
  }
  get first(): Vma | null {
    return this.head;
  }
  get last(): Vma | null {
    return this.tail;
  }

  /** Ascending; an area may be removed while it is the current one, its successor may not. */
  [Symbol.iterator](): Iterator<Vma> {
    let area = this.head;
    return {
      next(): IteratorResult<Vma> {
        if (area === null) return { done: true, value: undefined };
        const value = area;
        area = area.next;
        return { done: false, value };
      },
    };
  }

  /** The area that contains the byte address, or null (vma_lookup). */
  find(address: number): Vma | null {
    if (!(address >= 0 && address < USER_END)) return null;
    return this.findPage(Math.floor(address / PAGE_SIZE));
  }

  findPage(vpn: number): Vma | null {
    const { recent } = this;
    if (recent !== null && vpn >= recent.startVpn && vpn < recent.endVpn) return recent;
    const area = this.atOrBelow(vpn);
    if (area === null || vpn >= area.endVpn) return null;
    this.recent = area;
    return area;
  }

  /** The lowest area that ends above the byte address, or null (find_vma). A negative address is in the upper half. */
  findAtOrAbove(address: number): Vma | null {
    if (!(address >= 0 && address < USER_END)) return null;
    return this.findPageOrAbove(Math.floor(address / PAGE_SIZE));
  }

  findPageOrAbove(vpn: number): Vma | null {
    const { recent } = this;
    if (recent !== null && vpn >= recent.startVpn && vpn < recent.endVpn) return recent;
    const below = this.atOrBelow(vpn);
    if (below === null) return this.head;
    return vpn < below.endVpn ? below : below.next;
  }

  /** The lowest area that overlaps the pages [firstVpn, endVpn), or null (find_vma_intersection). */
  findOverlap(firstVpn: number, endVpn: number): Vma | null {
    const area = this.findPageOrAbove(firstVpn);
    return area !== null && area.startVpn < endVpn ? area : null;
  }

  /** The highest area that starts at or below vpn, or null. */
  atOrBelow(vpn: number): Vma | null {
    this.locate(vpn);
    return this.chunkIndex < 0 ? null : this.chunks[this.chunkIndex].areas[this.areaIndex];
  }

  /** Precondition: the area overlaps none in the list. */
  insert(area: Vma): void {
    assert(!area.attached && area.startVpn < area.endVpn, "a new, non-empty area");
    this.locate(area.startVpn);
    if (this.chunks.length === 0) {
      this.chunks.push(new Chunk());
      this.firsts[0] = area.startVpn;
      this.gapBound[0] = 0;
    }
    let ci = Math.max(this.chunkIndex, 0);
    let at = this.chunkIndex < 0 ? 0 : this.areaIndex + 1;
    if (this.chunks[ci].areas.length === CHUNK_MAX) {
      this.splitChunk(ci);
      const half = this.chunks[ci].areas.length;
      if (at > half) {
        at -= half;
        ci++;
      }
    }
    const chunk = this.chunks[ci];
    const before = at > 0 ? chunk.areas[at - 1] : ci > 0 ? this.lastOf(ci - 1) : null;
    const after = before !== null ? before.next : this.head;
    assert(before === null || before.endVpn <= area.startVpn, "areas are disjoint");
    assert(after === null || area.endVpn <= after.startVpn, "areas are disjoint");
    chunk.insert(at, area);
    if (at === 0) this.firsts[ci] = area.startVpn;
    area.prev = before;
    area.next = after;
    if (before !== null) before.next = area;
    else this.head = area;
    if (after !== null) after.prev = area;
    else this.tail = area;
    area.attached = true;
    this.recent = area;
    this.count++;
    this.noteGap(ci, at);
    this.noteGapAfter(ci, at);
  }

  /** insert() of an area above all others; for fork, which copies in order. */
  append(area: Vma): void {
    this.insert(area);
  }

  remove(area: Vma): void {
    this.locateArea(area);
    const ci = this.chunkIndex;
    const chunk = this.chunks[ci];
    chunk.remove(this.areaIndex);
    if (this.areaIndex === 0 && chunk.areas.length > 0) this.firsts[ci] = chunk.starts[0];
    const { prev, next } = area;
    if (prev !== null) prev.next = next;
    else this.head = next;
    if (next !== null) next.prev = prev;
    else this.tail = prev;
    area.attached = false;
    area.next = null;
    area.prev = null;
    this.count--;
    if (this.recent === area) this.recent = null;
    // What followed it now stands at its place, or first in the next chunk.
    this.noteGapAfter(ci, this.areaIndex - 1);
    if (chunk.areas.length < CHUNK_LOW) this.shrinkChunk(ci);
  }

  /** Moves the area's ends, staying between its neighbours. */
  setRange(area: Vma, startVpn: number, endVpn: number): void {
    assert(startVpn < endVpn, "an area is not empty");
    assert(area.prev === null || area.prev.endVpn <= startVpn, "areas are disjoint");
    assert(area.next === null || endVpn <= area.next.startVpn, "areas are disjoint");
    this.locateArea(area);
    const { chunkIndex, areaIndex } = this;
    area.endVpn = endVpn;
    if (startVpn !== area.startVpn) {
      this.chunks[chunkIndex].starts[areaIndex] = startVpn;
      if (areaIndex === 0) this.firsts[chunkIndex] = startVpn;
      area.startVpn = startVpn;
      this.noteGap(chunkIndex, areaIndex);
    }
    this.noteGapAfter(chunkIndex, areaIndex);
  }

  /** The highest first page of `pages` free pages in [lowVpn, highVpn), or -1 (unmapped_area_topdown). */
  gapTopDown(pages: number, lowVpn: number, highVpn: number): number {
    const top = Math.min(highVpn, USER_VPN_END);
    if (pages > top - lowVpn) return -1;
    const highest = this.atOrBelow(top - 1);
    const above = highest !== null ? highest.next : this.head;
    let gapEnd = above !== null ? Math.min(above.guardedStartVpn, top) : top;
    const gapStart = Math.max(highest !== null ? highest.endVpn : 0, lowVpn);
    if (gapEnd - gapStart >= pages) return gapEnd - pages;
    if (highest === null) return -1;
    let from = this.areaIndex;
    for (let ci = this.chunkIndex; ci >= 0; ci--) {
      // Most chunks are passed without a look at them.
      if (this.gapBound[ci] >= pages) {
        const { areas, gaps } = this.chunks[ci];
        for (let i = from >= 0 ? from : areas.length - 1; i >= 0; i--) {
          if (gaps[i] < pages) continue;
          gapEnd = Math.min(areas[i].guardedStartVpn, top);
          const floor = Math.max(gapEnd - gaps[i], lowVpn);
          if (gapEnd - floor >= pages) return gapEnd - pages;
        }
        this.tightenBound(ci);
      }
      from = -1;
    }
    return -1;
  }

  /** The lowest first page of `pages` free pages in [lowVpn, highVpn), or -1 (unmapped_area). */
  gapBottomUp(pages: number, lowVpn: number, highVpn: number): number {
    const top = Math.min(highVpn, USER_VPN_END);
    for (let ci = 0; ci < this.chunks.length; ci++) {
      if (this.gapBound[ci] < pages) continue;
      const { areas, gaps } = this.chunks[ci];
      for (let i = 0; i < areas.length; i++) {
        if (gaps[i] < pages) continue;
        const gapEnd = areas[i].guardedStartVpn;
        const gapStart = Math.max(gapEnd - gaps[i], lowVpn);
        if (gapStart + pages > top) return -1;
        if (gapEnd - gapStart >= pages) return gapStart;
      }
      this.tightenBound(ci);
    }
    const gapStart = Math.max(this.tail !== null ? this.tail.endVpn : 0, lowVpn);
    return gapStart + pages <= top ? gapStart : -1;
  }

  /** Throws when an internal rule is broken. */
  debugCheck(): void {
    let seen = 0;
    let prev: Vma | null = null;
    for (let ci = 0; ci < this.chunks.length; ci++) {
      const { areas, starts, gaps } = this.chunks[ci];
      assert(areas.length > 0 && areas.length <= CHUNK_MAX, "chunk sizes");
      assert(this.firsts[ci] === starts[0], "the first area of each chunk is known");
      for (let i = 0; i < areas.length; i++) {
        const area: Vma = areas[i];
        assert(starts[i] === area.startVpn && area.startVpn < area.endVpn, "(I1) starts agree, areas are not empty");
        assert(area.prev === prev && area.attached, "(I1) links agree");
        assert(prev === null || (prev.endVpn <= area.startVpn && prev.next === area), "(I1) sorted and disjoint");
        assert(gaps[i] === this.gapBefore(area) && this.gapBound[ci] >= gaps[i], "gaps and their bounds hold");
        prev = area;
        seen++;
      }
    }
    assert(seen === this.count && this.tail === prev && this.head === (this.chunks[0]?.areas[0] ?? null), "(I1) count");
    assert(this.recent === null || this.recent.attached, "the recent area is in the list");
  }

  /** Sets chunkIndex and areaIndex to the last area that starts at or below vpn; chunkIndex -1: none. */
  private locate(vpn: number): void {
    const { chunks, firsts } = this;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (firsts[middle] <= vpn) low = middle + 1;
      else high = middle;
    }
    this.chunkIndex = low - 1;
    this.areaIndex = low === 0 ? -1 : chunks[low - 1].locate(vpn);
  }

  private locateArea(area: Vma): void {
    this.locate(area.startVpn);
    assert(area.attached && this.chunks[this.chunkIndex].areas[this.areaIndex] === area, "the area is in this list");
  }

  private lastOf(ci: number): Vma {
    const { areas } = this.chunks[ci];
    return areas[areas.length - 1];
  }

  private gapBefore(area: Vma): number {
    return area.guardedStartVpn - (area.prev !== null ? area.prev.endVpn : 0);
  }

  /** Brings the gap in front of one area, and its chunk's bound, up to date. */
  private noteGap(ci: number, at: number): void {
    const chunk = this.chunks[ci];
    const gap = this.gapBefore(chunk.areas[at]);
    chunk.gaps[at] = gap;
    if (gap > this.gapBound[ci]) this.gapBound[ci] = gap;
  }

  /** noteGap() of the area that follows place `at`, which may be in the next chunk. */
  private noteGapAfter(ci: number, at: number): void {
    if (at + 1 < this.chunks[ci].areas.length) this.noteGap(ci, at + 1);
    else if (ci + 1 < this.chunks.length) this.noteGap(ci + 1, 0);
  }

  private tightenBound(ci: number): void {
    const { areas, gaps } = this.chunks[ci];
    let largest = 0;
    for (let i = 0; i < areas.length; i++) if (gaps[i] > largest) largest = gaps[i];
    this.gapBound[ci] = largest;
  }

  private splitChunk(ci: number): void {
    const { chunks } = this;
    const chunk = chunks[ci];
    const upper = new Chunk();
    // Growing at the end (fork, top-level appends) would leave half-full chunks behind; the split is uneven there.
    const keep = ci === chunks.length - 1 ? CHUNK_MAX - CHUNK_LOW : CHUNK_MAX >>> 1;
    upper.areas.push(...chunk.areas.splice(keep));
    upper.starts.push(...chunk.starts.splice(keep));
    upper.gaps.push(...chunk.gaps.splice(keep));
    chunks.splice(ci + 1, 0, upper);
    this.firsts.splice(ci + 1, 0, upper.starts[0]);
    this.gapBound.splice(ci + 1, 0, this.gapBound[ci]);
  }

  /** Drops an empty chunk, or joins a small one to its lower neighbour. */
  private shrinkChunk(ci: number): void {
    const { chunks, gapBound } = this;
    const chunk = chunks[ci];
    if (chunk.areas.length > 0) {
      if (ci === 0) return;
      const lower = chunks[ci - 1];
      if (lower.areas.length + chunk.areas.length > CHUNK_MAX / 2) return;
      lower.starts.push(...chunk.starts);
      lower.gaps.push(...chunk.gaps);
      lower.areas.push(...chunk.areas);
      gapBound[ci - 1] = Math.max(gapBound[ci - 1], gapBound[ci]);
    }
    gapBound.splice(ci, 1);
    this.firsts.splice(ci, 1);
    chunks.splice(ci, 1);
  }
}
