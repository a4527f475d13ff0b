// A persistent vector of pages: a changed copy shares all blocks that did not change, so that a hundred states of one memory cost
// little more than what differs between them. Pages are never written once they are in a vector.

const BLOCK_SHIFT = 8;
const BLOCK = 1 << BLOCK_SHIFT;

export type Page = Int32Array;
type Block = readonly (Page | null)[];
const EMPTY: Block = new Array<Page | null>(BLOCK).fill(null);

export class PageVector {
  private readonly blocks: readonly Block[];

  private constructor(blocks: readonly Block[]) {
    this.blocks = blocks;
  }

  /** All pages absent. */
  static empty(length: number): PageVector {
    return new PageVector(new Array<Block>(Math.ceil(length / BLOCK)).fill(EMPTY));
  }

  get(index: number): Page | null {
    return this.blocks[index >>> BLOCK_SHIFT][index & (BLOCK - 1)];
  }

  with(index: number, page: Page | null): PageVector {
    const editor = new PageVectorEditor(this);
    editor.set(index, page);
    return editor.finish();
  }

  /** Visits the indexes at which two vectors of one length hold different pages. */
  differences(other: PageVector, visit: (index: number) => void): void {
    for (let b = 0; b < this.blocks.length; b++) {
      const [mine, theirs] = [this.blocks[b], other.blocks[b]];
      if (mine === theirs) continue;
      for (let i = 0; i < BLOCK; i++) if (mine[i] !== theirs[i]) visit(b * BLOCK + i);
    }
  }

  /** Adds every page to `into`: what a set of vectors holds together. */
  collect(into: Set<Page>, seen: Set<object>): void {
    for (const block of this.blocks) {
      if (block === EMPTY || seen.has(block)) continue;
      seen.add(block);
      for (const page of block) if (page !== null) into.add(page);
    }
  }

  /** For PageVectorEditor. */
  get shared(): readonly Block[] {
    return this.blocks;
  }
  static from(blocks: readonly Block[]): PageVector {
    return new PageVector(blocks);
  }
}

/** Makes a vector that differs from another in many places. */
export class PageVectorEditor {
  private readonly base: PageVector;
  private blocks: (readonly (Page | null)[])[] | null = null;
  private readonly own = new Set<number>();

  constructor(base: PageVector) {
    this.base = base;
  }

  get(index: number): Page | null {
    return (this.blocks ?? this.base.shared)[index >>> BLOCK_SHIFT][index & (BLOCK - 1)];
  }

  set(index: number, page: Page | null): void {
    this.blocks ??= [...this.base.shared];
    const number = index >>> BLOCK_SHIFT;
    if (!this.own.has(number)) {
      this.own.add(number);
      this.blocks[number] = [...this.blocks[number]];
    }
    (this.blocks[number] as (Page | null)[])[index & (BLOCK - 1)] = page;
  }

  finish(): PageVector {
    return this.blocks === null ? this.base : PageVector.from(this.blocks);
  }
}
