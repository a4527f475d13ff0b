// The page map of one memory object: page index -> what holds the page. Not responsible for what the entries mean to frames.
//
//   entry   0  absent        > 0  frame          < 0  swap slot, negated (shmem only)
//
// Indexes below DENSE_LIMIT lie in one array that doubles; those above in blocks found by a Map, so that a huge sparse file costs
// what it holds. Each block of 512 indexes counts its dirty pages, so that syncing one page of a large file is cheap.
const BLOCK_SHIFT = 9;
const BLOCK_PAGES = 1 << BLOCK_SHIFT;
const DENSE_LIMIT = 1 << 16;
const FIRST_DENSE = 8;

class Block {
  readonly entries = new Int32Array(BLOCK_PAGES);
  used = 0;
}

export class PageMap {
  private dense = new Int32Array(FIRST_DENSE);
  private readonly sparse = new Map<number, Block>();
  /** Block numbers of `sparse` in ascending order; rebuilt when a block came or went. */
  private sortedBlocks: number[] = [];
  private sortedStale = false;
  private readonly dirtyPerBlock = new Map<number, number>();
  /** Entries that are frames, and that are swap slots. */
  frameCount = 0;
  slotCount = 0;
  /** Frames that were reported dirty and not yet clean. */
  dirtyCount = 0;

  get(index: number): number {
    if (index < this.dense.length) return this.dense[index];
    if (index < DENSE_LIMIT) return 0;
    const block = this.sparse.get(index >>> BLOCK_SHIFT);
    return block === undefined ? 0 : block.entries[index & (BLOCK_PAGES - 1)];
  }

  /** Precondition: index is a non-negative int32. */
  set(index: number, entry: number): void {
    const old = index < DENSE_LIMIT ? this.setDense(index, entry) : this.setSparse(index, entry);
    if (old > 0) this.frameCount--;
    else if (old < 0) this.slotCount--;
    if (entry > 0) this.frameCount++;
    else if (entry < 0) this.slotCount++;
  }

  /** The first index in [from, end) with an entry, or `end`. */
  next(from: number, end: number): number {
    if (this.frameCount + this.slotCount === 0) return end;
    let index = from;
    const denseEnd = Math.min(end, this.dense.length);
    for (; index < denseEnd; index++) if (this.dense[index] !== 0) return index;
    if (this.sparse.size === 0 || end <= DENSE_LIMIT) return end;
    return this.nextSparse(Math.max(from, DENSE_LIMIT), end);
  }

  /** The first index in [from, end) without an entry, or `end`. */
  nextAbsent(from: number, end: number): number {
    let index = from;
    while (index < end && this.get(index) !== 0) index++;
    return index;
  }

  noteDirty(index: number): void {
    const block = index >>> BLOCK_SHIFT;
    this.dirtyCount++;
    this.dirtyPerBlock.set(block, (this.dirtyPerBlock.get(block) ?? 0) + 1);
  }

  noteClean(index: number): void {
    const block = index >>> BLOCK_SHIFT;
    this.dirtyCount--;
    const left = this.dirtyPerBlock.get(block)! - 1;
    if (left === 0) this.dirtyPerBlock.delete(block);
    else this.dirtyPerBlock.set(block, left);
  }

  /** Block numbers (512 pages each) with dirty pages that touch [first, end), ascending. */
  dirtyBlocks(first: number, end: number): number[] {
    const low = first >>> BLOCK_SHIFT;
    const high = (end - 1) / BLOCK_PAGES;
    const blocks: number[] = [];
    for (const block of this.dirtyPerBlock.keys()) if (block >= low && block <= high) blocks.push(block);
    return blocks.length > 1 ? blocks.sort((a, b) => a - b) : blocks;
  }

  debugDirtyInBlock(block: number): number {
    return this.dirtyPerBlock.get(block) ?? 0;
  }

  private setDense(index: number, entry: number): number {
    if (index >= this.dense.length) {
      if (entry === 0) return 0;
      let length = this.dense.length;
      while (length <= index) length *= 2;
      const larger = new Int32Array(length);
      larger.set(this.dense);
      this.dense = larger;
    }
    const old = this.dense[index];
    this.dense[index] = entry;
    return old;
  }

  private setSparse(index: number, entry: number): number {
    const number = index >>> BLOCK_SHIFT;
    let block = this.sparse.get(number);
    if (block === undefined) {
      if (entry === 0) return 0;
      block = new Block();
      this.sparse.set(number, block);
      this.sortedStale = true;
    }
    const at = index & (BLOCK_PAGES - 1);
    const old = block.entries[at];
    block.entries[at] = entry;
    block.used += (entry !== 0 ? 1 : 0) - (old !== 0 ? 1 : 0);
    if (block.used === 0) {
      this.sparse.delete(number);
      this.sortedStale = true;
    }
    return old;
  }

  private nextSparse(from: number, end: number): number {
    if (this.sortedStale) {
      this.sortedBlocks = [...this.sparse.keys()].sort((a, b) => a - b);
      this.sortedStale = false;
    }
    const first = from >>> BLOCK_SHIFT;
    let low = 0;
    let high = this.sortedBlocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sortedBlocks[middle] < first) low = middle + 1;
      else high = middle;
    }
    for (; low < this.sortedBlocks.length; low++) {
      const number = this.sortedBlocks[low];
      const { entries } = this.sparse.get(number)!;
      const start = number * BLOCK_PAGES;
      if (start >= end) break;
      const stop = Math.min(BLOCK_PAGES, end - start);
      for (let i = Math.max(0, from - start); i < stop; i++) if (entries[i] !== 0) return start + i;
    }
    return end;
  }
}
