// Free frames, and which one to take: pages that adjoin get frames that adjoin where that costs nothing, because generated code then
// finds many pages by one comparison (BASE_RUNS).
//
//   1 ...................... low ................. high ............ all
//   | blocks for pages of    | never handed out    | blocks for      |
//   | anonymous memory       |                     | everything else |
//
// Frames that came back go to the head of a list and are taken first: the host has memory for them, and it is in its caches. What
// is left over of a block that was begun waits at the list's end for its page's neighbours.
import { assert } from "../util/assert.ts";

/** Frames of a block, a power of two; also the pages among which neighbours are looked for. */
export const BLOCK_FRAMES = 16;

const FRESH = 0;
/** In the list: had been handed out before, or not. */
const WARM = 1;
const COLD = 2;
const TAKEN = 3;

export class FreeFrames {
  private readonly state: Uint8Array;
  /** Links of the list. Frame 0 is never free: it stands for both ends. */
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private warm = 0;
  private listed = 0;
  private low: number;
  private high: number;
  /** The block that frames for everything else are taken from: the next one, and its end. */
  private other = 1;
  private otherEnd: number;

  /** All frames but frame 0 are free. */
  constructor(frameCount: number) {
    this.state = new Uint8Array(frameCount);
    this.state[0] = TAKEN;
    this.next = new Int32Array(frameCount);
    this.previous = new Int32Array(frameCount);
    this.low = Math.min(BLOCK_FRAMES, frameCount);
    this.otherEnd = this.low;
    this.high = frameCount;
  }

  get count(): number {
    return this.listed + this.otherEnd - this.other + this.high - this.low;
  }

  /** Precondition: one is free. */
  take(): number {
    assert(this.count > 0, "a frame is free");
    if (this.warm > 0) return this.unlink(this.next[0]);
    if (this.other === this.otherEnd && this.low < this.high) {
      this.otherEnd = this.high;
      this.high = Math.max(this.low, this.high - BLOCK_FRAMES);
      this.other = this.high;
    }
    if (this.other === this.otherEnd) return this.unlink(this.next[0]);
    this.state[this.other] = TAKEN;
    return this.other++;
  }

  /** For page `vpn` of anonymous memory: `wanted` (0: nothing) if it is free. Precondition: one is free. */
  takeForPage(vpn: number, wanted: number): number {
    const state = wanted > 0 && wanted < this.state.length ? this.state[wanted] : TAKEN;
    if (state === WARM || state === COLD) return this.unlink(wanted);
    const continues = state === FRESH && wanted >= this.low && wanted < this.low + BLOCK_FRAMES;
    const place = vpn & (BLOCK_FRAMES - 1);
    if (this.warm > 0 && !continues) {
      // Memory that was freed in order would come back in the reverse order.
      const last = this.next[0];
      const atPlace = (last & -BLOCK_FRAMES) + place;
      return this.unlink(this.state[atPlace] === WARM ? atPlace : last);
    }
    if (this.low + BLOCK_FRAMES > this.high) return this.take();
    const first = this.low;
    this.low += BLOCK_FRAMES;
    for (let pfn = first; pfn < this.low; pfn++) this.linkBefore(0, pfn, COLD);
    return this.unlink(continues ? wanted : first + place);
  }

  giveBack(pfn: number): void {
    this.linkBefore(this.next[0], pfn, WARM);
    this.warm++;
  }

  private linkBefore(after: number, pfn: number, state: number): void {
    const before = this.previous[after];
    this.next[before] = pfn;
    this.previous[pfn] = before;
    this.next[pfn] = after;
    this.previous[after] = pfn;
    this.state[pfn] = state;
    this.listed++;
  }

  private unlink(pfn: number): number {
    const [before, after] = [this.previous[pfn], this.next[pfn]];
    this.next[before] = after;
    this.previous[after] = before;
    if (this.state[pfn] === WARM) this.warm--;
    this.state[pfn] = TAKEN;
    this.listed--;
    return pfn;
  }

  debugForEach(visit: (pfn: number) => void): void {
    for (let pfn = this.next[0]; pfn !== 0; pfn = this.next[pfn]) visit(pfn);
    for (let pfn = this.other; pfn < this.otherEnd; pfn++) visit(pfn);
    for (let pfn = this.low; pfn < this.high; pfn++) visit(pfn);
  }
}
