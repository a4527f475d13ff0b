// Pre-decoded code: one decode page per physical frame that was executed, in a bounded pool recycled by a clock. Knows
// frames and slots, not virtual addresses.
import { NumberPool } from "../util/number-pool.ts";
import { HANDLER_PAGE_END } from "./isa/forms.ts";
import {
  CODE_MAP,
  DECODE_PAGE_BYTES,
  DECODE_POOL,
  type Layout,
  PAGE_FRAME,
  PAGE_HAS_STOPS,
  PAGE_USED,
  SLOT_BYTES,
  SLOTS_PER_PAGE,
  STRADDLE_SLOT,
  WRITE_CACHED,
} from "./layout.ts";

export class DecodePool {
  private readonly bytes: Uint8Array;
  private readonly halfwords: Uint16Array;
  private readonly words: Int32Array;
  private readonly layout: Layout;
  /** PFN of each pool page, -1 when free. */
  private readonly frameOf: Int32Array;
  private readonly pages: NumberPool;
  private hand = 0;
  /** Byte offsets of instructions at which the hart stops, by frame. */
  private readonly stops = new Map<number, ReadonlySet<number>>();
  /** Told before a frame loses its decode page, and after slots of a frame were decoded. */
  onDrop: (pfn: number) => void = () => {};
  onDecode: (pfn: number) => void = () => {};
  /** Decodes the slot at this linear address and the run of instructions that follows it in its page (slot-decoder.ts). */
  decodeAt: (slot: number) => void = () => {};

  constructor(bytes: Uint8Array, words: Int32Array, layout: Layout) {
    this.bytes = bytes;
    this.halfwords = new Uint16Array(bytes.buffer);
    this.words = words;
    this.layout = layout;
    this.frameOf = new Int32Array(layout.decodePages).fill(-1);
    this.pages = new NumberPool(0, layout.decodePages);
  }

  /** Instructions of the frame at which the hart stops; null: none. The caller drops the frame's code before. */
  setStops(pfn: number, offsets: ReadonlySet<number> | null): void {
    if (offsets === null) this.stops.delete(pfn);
    else this.stops.set(pfn, offsets);
  }

  isStop(pfn: number, offset: number): boolean {
    return this.stops.get(pfn)?.has(offset) ?? false;
  }

  hasStops(pfn: number): boolean {
    return this.stops.has(pfn);
  }

  /** Linear address of the frame's decode page, or 0. */
  findPage(pfn: number): number {
    return this.words[CODE_MAP / 4 + pfn] & ~WRITE_CACHED;
  }

  hasCode(pfn: number): boolean {
    return this.words[CODE_MAP / 4 + pfn] > WRITE_CACHED;
  }

  /** Whether a write table may have an entry of the frame. */
  mayBeWritten(pfn: number): boolean {
    return (this.words[CODE_MAP / 4 + pfn] & WRITE_CACHED) !== 0;
  }

  /**
   * Gives the frame an empty decode page and returns its linear address. The caller has removed the frame from the write
   * tables. `forget` removes a frame from the fetch tables.
   */
  create(pfn: number, forget: (pfn: number) => void): number {
    if (this.pages.free === 0) this.evict(forget);
    const { taken } = this.pages;
    const index = this.pages.take();
    const address = DECODE_POOL + index * DECODE_PAGE_BYTES;
    // A page that was never given away is zeros, and the host has no memory for it yet.
    if (index < taken) this.bytes.fill(0, address, address + DECODE_PAGE_BYTES);
    this.setHandler(address + SLOTS_PER_PAGE * SLOT_BYTES, HANDLER_PAGE_END);
    this.setHandler(address + (SLOTS_PER_PAGE + 1) * SLOT_BYTES, HANDLER_PAGE_END);
    this.setHandler(address + STRADDLE_SLOT + 2 * SLOT_BYTES, HANDLER_PAGE_END);
    this.words[(address + PAGE_FRAME) >> 2] = this.layout.ramOffset + pfn * 4096;
    this.words[(address + PAGE_HAS_STOPS) >> 2] = this.stops.has(pfn) ? 1 : 0;
    this.frameOf[index] = pfn;
    this.words[CODE_MAP / 4 + pfn] = address;
    return address;
  }

  /** Second chance: a page that was looked up since the hand passed stays, but must be looked up again. */
  private evict(forget: (pfn: number) => void): void {
    for (;;) {
      const index = this.hand;
      this.hand = (this.hand + 1) % this.frameOf.length;
      const pfn = this.frameOf[index];
      if (pfn < 0) continue;
      forget(pfn);
      const used = (DECODE_POOL + index * DECODE_PAGE_BYTES + PAGE_USED) >> 2;
      if (this.words[used] === 0) {
        this.drop(pfn);
        return;
      }
      this.words[used] = 0;
    }
  }

  /** Frees the frame's decode page. Its slots stay readable until the page is given away again. */
  drop(pfn: number): void {
    const address = this.words[CODE_MAP / 4 + pfn] & ~WRITE_CACHED;
    if (address === 0) return;
    this.onDrop(pfn);
    const index = (address - DECODE_POOL) / DECODE_PAGE_BYTES;
    this.words[CODE_MAP / 4 + pfn] = 0;
    this.frameOf[index] = -1;
    this.pages.giveBack(index);
  }

  /** The handler of the slot at this linear address. */
  handlerAt(slot: number): number {
    return this.halfwords[slot >> 1];
  }
  setHandler(slot: number, handler: number): void {
    this.halfwords[slot >> 1] = handler;
  }
}
