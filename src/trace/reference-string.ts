// The page-reference string of a run: which page was used, in order, as numbers. Builds it compactly: repetitions that cannot change
// any miss count are left out while they arrive. Not responsible for where references come from.
//
// An entry is page * 8 + kind; pages are numbered from 1 in the order of their first appearance. A page is what a frame holds: a page of
// a file or of shared memory is one page whoever maps it; a private copy is another.
//
// What is left out. A loop refers to the same few pages in the same order again and again. Of a sequence that repeats with a period of
// at most MOST_PERIOD entries, the first KEPT_PERIODS periods and the last incomplete one are kept; of the whole periods between, only a
// KIND_REPEAT entry tells, whose page field is the index of a row of `repeats`.
//
//   ... c d1 c d2  c d1 c d2  [KIND_REPEAT: 4 entries, 510 times]  c d1  x ...
//
// For LRU and the optimum every entry left out is a hit in a memory of SMALLEST_MEMORY pages or more, and leaves the order of uses as it
// was: KIND_REPEAT can be ignored. A simulation runs the period again until that has no more effect (simulate.ts).

export const KIND_DATA = 0;
export const KIND_CODE = 1;
/** Second page of an instruction that lies in two. */
export const KIND_STRADDLE = 2;
/** By the kernel in user memory: leaves an A bit. */
export const KIND_KERNEL = 3;
/** By the kernel in the page cache: tells the policy (activated()), or, repeated, leaves nothing. */
export const KIND_FILE = 4;
export const KIND_SILENT = 5;
/** Not a use: the entries before it come again. */
export const KIND_REPEAT = 6;
/** Not a use: the page ceased to exist (unmapped, truncated, its process ended). */
export const KIND_GONE = 7;

export const KIND_BITS = 3;
const KIND_MASK = 7;

const MOST_PERIOD = 6;
const KEPT_PERIODS = 4;
/** Smallest memory, in pages, for which the string gives exact counts. */
export const SMALLEST_MEMORY = MOST_PERIOD;
const FIRST_CAPACITY = 1 << 16;
const HISTORY = 8;

export const pageOf = (entry: number): number => entry >>> KIND_BITS;
export const kindOf = (entry: number): number => entry & KIND_MASK;

/** A finished string. */
export interface ReferenceString {
  readonly entries: Uint32Array;
  /** Highest page number. */
  readonly pages: number;
  /** FRAME_* kind by page number. */
  readonly pageKinds: Uint8Array;
  /** Rows of two: entries of the period, and how many times it was left out. */
  readonly repeats: Int32Array;
  /** References left out in repetitions. */
  readonly dropped: number;
}

/** Whether an entry is a use of a page. */
export const isUse = (entry: number): boolean => (entry & KIND_MASK) < KIND_REPEAT;

export class ReferenceStringBuilder {
  private entries = new Uint32Array(FIRST_CAPACITY);
  private length = 0;
  private kinds = new Uint8Array(1024);
  private pages = 0;
  private dropped = 0;
  private readonly left: number[] = [];
  /** The last entries seen, dropped or not, at index modulo HISTORY. */
  private readonly history = new Uint32Array(HISTORY);
  private seen = 0;
  /** Entries in a row that equal the one p before. */
  private readonly repeats = new Int32Array(MOST_PERIOD + 1);
  /** The period being dropped, or 0, and how many entries of it were. */
  private period = 0;
  private held = 0;

  /** A page that was not there before; `kind` is its FRAME_* kind. Returns its number. */
  addPage(kind: number): number {
    const page = ++this.pages;
    if (page >= this.kinds.length) this.kinds = grown(this.kinds, new Uint8Array(this.kinds.length * 2));
    this.kinds[page] = kind;
    return page;
  }

  get references(): number {
    return this.length + this.dropped + this.held;
  }

  add(page: number, kind: number): void {
    const entry = ((page << KIND_BITS) | kind) >>> 0;
    const { history, seen, repeats } = this;
    // Only the page counts for an immediate repetition: the kinds of uses in between are the same page's.
    if (seen > 0 && history[(seen - 1) & (HISTORY - 1)] === entry && kind !== KIND_FILE) return;
    let repeating = 0;
    for (let p = 2; p <= MOST_PERIOD; p++) {
      if (seen >= p && history[(seen - p) & (HISTORY - 1)] === entry) {
        repeats[p]++;
        if (repeating === 0 && repeats[p] > KEPT_PERIODS * p) repeating = p;
      } else repeats[p] = 0;
    }
    if (this.period !== 0) {
      if (repeats[this.period] > 0) {
        this.held++;
        history[seen & (HISTORY - 1)] = entry;
        this.seen = seen + 1;
        return;
      }
      this.release();
    }
    history[seen & (HISTORY - 1)] = entry;
    this.seen = seen + 1;
    if (repeating !== 0) {
      this.period = repeating;
      this.held = 1;
    } else this.put(entry);
  }

  finish(): ReferenceString {
    this.release();
    return {
      entries: this.entries.slice(0, this.length),
      pages: this.pages,
      pageKinds: this.kinds.slice(0, this.pages + 1),
      repeats: Int32Array.from(this.left),
      dropped: this.dropped,
    };
  }

  /** The repetition is over: its whole periods are dropped, the rest is kept. */
  private release(): void {
    if (this.period === 0) return;
    const rest = this.held % this.period;
    const whole = this.held - rest;
    if (whole > 0) {
      this.put((((this.left.length / 2) << KIND_BITS) | KIND_REPEAT) >>> 0);
      this.left.push(this.period, whole / this.period);
      this.dropped += whole;
    }
    for (let back = rest; back >= 1; back--) this.put(this.history[(this.seen - back) & (HISTORY - 1)]);
    this.period = 0;
    this.held = 0;
  }

  private put(entry: number): void {
    if (this.length === this.entries.length) {
      this.entries = grown(this.entries, new Uint32Array(this.entries.length * 2));
    }
    this.entries[this.length++] = entry;
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

/** A string from page numbers (from 1), for tests and for traces made elsewhere. */
export function stringOfPages(numbers: readonly number[], kind: number): ReferenceString {
  const pages = numbers.reduce((most, page) => Math.max(most, page), 0);
  return {
    entries: Uint32Array.from(numbers, (page) => page << KIND_BITS),
    pages,
    pageKinds: new Uint8Array(pages + 1).fill(kind),
    repeats: new Int32Array(0),
    dropped: 0,
  };
}

/** libCacheSim's csv: time (position), object, size in bytes, kind of use. */
export function toCsv(string: ReferenceString, pageBytes: number): string {
  const names = ["data", "code", "code", "kernel", "file", "file"];
  const lines = ["time,obj_id,obj_size,op"];
  let time = 0;
  for (const entry of string.entries) {
    if (isUse(entry)) lines.push(`${time++},${pageOf(entry)},${pageBytes},${names[kindOf(entry)]}`);
  }
  return `${lines.join("\n")}\n`;
}
