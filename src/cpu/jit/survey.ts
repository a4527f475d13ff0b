// What a run executes, as far as recordings show it: pages of code with how often each instruction was seen and where jumps
// went, and which page lay beside which. Enough to translate it afterwards, without the run (ahead.ts).

import { pageHash } from "./page-hash.ts";

const HALFWORDS = 2048;
/** Beyond that a run is surveyed in part. */
const MOST_PAGES = 2048;
const MOST_LAYOUTS = 32;
/** Pages farther away from each other are other mappings, which the next run can have elsewhere. */
export const MOST_DISTANCE_PAGES = 4096;

export interface ProfiledPage {
  /** Its 4096 bytes. */
  readonly bytes: Uint8Array;
  /** Times each halfword was seen to begin an instruction that ran. */
  readonly visits: Uint32Array;
  /** By byte offset of a jump that was taken: distance -> times. */
  readonly jumps: Map<number, Map<number, number>>;
}

export interface CodeProfile {
  readonly pages: readonly ProfiledPage[];
  /** Page number in an address space -> index in `pages`; several, as spaces differ. */
  readonly layouts: readonly ReadonlyMap<number, number>[];
  /** Instructions that were run for each one that was seen. */
  readonly scale: number;
  /** Functions that regions may import from the interpreter. */
  readonly imports: readonly string[];
}

export class Survey {
  readonly pages: ProfiledPage[] = [];
  readonly layouts: Map<number, number>[] = [];
  /** Instructions in all recordings. */
  instructions = 0;
  /** Frame -> index of its page. */
  private readonly indexOf = new Map<number, number>();
  private layout = new Map<number, number>();

  /** The page of this frame, which is mapped at this page number; null when there are too many. `copy`: its bytes. */
  pageAt(vpn: number, pfn: number, copy: (pfn: number) => Uint8Array): ProfiledPage | null {
    let index = this.indexOf.get(pfn);
    if (index === undefined) {
      if (this.pages.length >= MOST_PAGES) return null;
      index = this.pages.push({ bytes: copy(pfn), visits: new Uint32Array(HALFWORDS), jumps: new Map() }) - 1;
      this.indexOf.set(pfn, index);
    }
    if (this.layout.get(vpn) !== index) this.placePage(vpn, index);
    return this.pages[index];
  }

  /** Notes it in a layout that does not say otherwise. */
  private placePage(vpn: number, index: number): void {
    const agrees = (layout: Map<number, number>) => (layout.get(vpn) ?? index) === index;
    if (!this.layouts.includes(this.layout) || !agrees(this.layout)) {
      let layout = this.layouts.find((other) => other.get(vpn) === index) ?? this.layouts.find(agrees);
      if (layout === undefined) {
        layout = new Map();
        if (this.layouts.length < MOST_LAYOUTS) this.layouts.push(layout);
      }
      this.layout = layout;
    }
    this.layout.set(vpn, index);
  }

  /**
   * What later runs know the program by: the name of the one in whose pages most of this was seen, or else pageHash() of the page
   * that was seen most; null when nothing was seen.
   * @param programsWith names of the programs that have code in a page of this hash
   */
  program(programsWith: (hash: number) => readonly number[]): number | null {
    let hottest: number | null = null;
    let most = 0;
    let all = 0;
    const visitsOf = new Map<number, number>();
    for (const page of this.pages) {
      let visits = 0;
      for (const count of page.visits) visits += count;
      if (visits === 0) continue;
      all += visits;
      const hash = hashOf(page);
      for (const name of programsWith(hash)) visitsOf.set(name, (visitsOf.get(name) ?? 0) + visits);
      if (visits <= most) continue;
      most = visits;
      hottest = hash;
    }
    const [known] = [...visitsOf].sort((a, b) => b[1] - a[1]);
    return known !== undefined && known[1] > all / 2 ? known[0] : hottest;
  }

  /** The frame holds something else now; what was seen of it stays. */
  forget(pfn: number): void {
    this.indexOf.delete(pfn);
  }
}

export function hashOf({ bytes }: ProfiledPage): number {
  return pageHash(new Int32Array(bytes.slice().buffer), 0);
}

/** A jump at this offset of the page went that far, so many times. */
export function noteJump({ jumps }: ProfiledPage, offset: number, distance: number, times = 1): void {
  let distances = jumps.get(offset);
  if (distances === undefined) {
    distances = new Map();
    jumps.set(offset, distances);
  }
  distances.set(distance, (distances.get(distance) ?? 0) + times);
}
