// Pre-decoded code: one decode page per physical frame that was executed, in a bounded pool recycled by a clock. Knows
// frames and slots, not virtual addresses.
import { NumberPool } from "../util/number-pool.ts";
import {
  type Decoded,
  decode,
  endsLine,
  FIRST_FORM,
  FIRST_FUSION,
  FORMS,
  HANDLER_ILLEGAL,
  HANDLER_PAGE_END,
  HANDLER_STOP,
  HANDLER_STRADDLE,
  HANDLER_UNDECODED,
  handlerOfForm,
  newDecoded,
} from "./isa/decode.ts";
import { FUSIONS } from "./isa/fusions.ts";
import {
  CODE_MAP,
  DECODE_PAGE_BYTES,
  type Layout,
  PAGE_USED,
  SLOT_BYTES,
  SLOTS_PER_PAGE,
  STRADDLE_HALFWORD,
  STRADDLE_SLOT,
  WRITE_CACHED,
} from "./layout.ts";

/** How many instructions one visit decodes; the next visit continues where this one ended. */
const DECODE_AHEAD = 48;
/** Instructions that a fused handler can span. */
const LONGEST_FUSION = Math.max(...FUSIONS.map((row) => row.length));

/** Handlers after which the next slot is reached by a jump at most. */
const endsRun = new Uint8Array(FIRST_FUSION);
FORMS.forEach((form, i) => {
  if (endsLine(form)) endsRun[FIRST_FORM + i] = 1;
});
endsRun[HANDLER_ILLEGAL] = 1;
endsRun[HANDLER_STRADDLE] = 1;

/** Fusions by the pair of handlers they begin with: handler << 16 | handler -> rows, longest first. */
const fusionsOf = new Map<number, { handler: number; parts: number[] }[]>();
FUSIONS.forEach((row, i) => {
  const parts = row.map(handlerOfForm);
  const key = (parts[0] << 16) | parts[1];
  const known = fusionsOf.get(key) ?? [];
  known.push({ handler: FIRST_FUSION + i, parts });
  known.sort((a, b) => b.parts.length - a.parts.length);
  fusionsOf.set(key, known);
});

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
  private readonly decoded: Decoded = newDecoded();
  /** Single handlers and slot addresses of the run being decoded. */
  private readonly runHandlers = new Uint16Array(DECODE_AHEAD + LONGEST_FUSION);
  private readonly runSlots = new Int32Array(DECODE_AHEAD + LONGEST_FUSION);

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
    const address = this.layout.decodePool + index * DECODE_PAGE_BYTES;
    // A page that was never given away is zeros, and the host has no memory for it yet.
    if (index < taken) this.bytes.fill(0, address, address + DECODE_PAGE_BYTES);
    this.setHandler(address + SLOTS_PER_PAGE * SLOT_BYTES, HANDLER_PAGE_END);
    this.setHandler(address + (SLOTS_PER_PAGE + 1) * SLOT_BYTES, HANDLER_PAGE_END);
    this.setHandler(address + STRADDLE_SLOT + 2 * SLOT_BYTES, HANDLER_PAGE_END);
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
      const used = (this.layout.decodePool + index * DECODE_PAGE_BYTES + PAGE_USED) >> 2;
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
    const index = (address - this.layout.decodePool) / DECODE_PAGE_BYTES;
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

  /** Decodes the slot at this linear address and the run of instructions that follows it in its page. */
  decodeAt(slot: number): void {
    const index = Math.floor((slot - this.layout.decodePool) / DECODE_PAGE_BYTES);
    const page = this.layout.decodePool + index * DECODE_PAGE_BYTES;
    const frame = this.layout.ramOffset + this.frameOf[index] * 4096;
    const { bytes, decoded, runHandlers, runSlots } = this;
    let offset = ((slot - page) / SLOT_BYTES) * 2;
    const stops = this.stops.get(this.frameOf[index]);
    let count = 0;
    let fresh = 0;
    // Beyond the fresh part, instructions are looked at only because a fusion may reach them.
    while (count < fresh + LONGEST_FUSION && offset < 4096) {
      const at = page + offset * (SLOT_BYTES / 2);
      const low = bytes[frame + offset] | (bytes[frame + offset + 1] << 8);
      const isFresh = count === fresh && count < DECODE_AHEAD && this.handlerAt(at) === HANDLER_UNDECODED;
      if ((low & 3) === 3 && offset === 4094) {
        if (isFresh) this.setHandler(at, stops?.has(offset) ? HANDLER_STOP : HANDLER_STRADDLE);
        break;
      }
      const high = (low & 3) === 3 ? bytes[frame + offset + 2] | (bytes[frame + offset + 3] << 8) : 0;
      decode((low | (high << 16)) >>> 0, offset, decoded);
      if (stops?.has(offset)) decoded.handler = HANDLER_STOP;
      if (isFresh) {
        this.write(at, decoded);
        fresh++;
      }
      runHandlers[count] = decoded.handler;
      runSlots[count++] = at;
      if (endsRun[decoded.handler] !== 0) break;
      offset += decoded.lengthBytes;
    }
    for (let i = 0; i < fresh; i++) this.fuse(i, count);
    this.onDecode(this.frameOf[index]);
  }

  private fuse(first: number, count: number): void {
    if (first + 1 >= count) return;
    const handlers = this.runHandlers;
    const rows = fusionsOf.get((handlers[first] << 16) | handlers[first + 1]);
    if (rows === undefined) return;
    for (const { handler, parts } of rows) {
      if (first + parts.length > count) continue;
      let matches = true;
      for (let i = 2; i < parts.length; i++) if (handlers[first + i] !== parts[i]) matches = false;
      if (!matches) continue;
      // The later parts read their fields from their own slots, which must be filled.
      for (let i = 1; i < parts.length; i++) if (this.handlerAt(this.runSlots[first + i]) === HANDLER_UNDECODED) return;
      this.setHandler(this.runSlots[first], handler);
      return;
    }
  }

  /** Decodes the instruction that begins with the page's last halfword (slot `slot`) and ends with `high`. */
  decodeStraddle(slot: number, high: number): void {
    const index = Math.floor((slot - this.layout.decodePool) / DECODE_PAGE_BYTES);
    const page = this.layout.decodePool + index * DECODE_PAGE_BYTES;
    const low = this.layout.ramOffset + this.frameOf[index] * 4096 + 4094;
    decode((this.bytes[low] | (this.bytes[low + 1] << 8) | (high << 16)) >>> 0, -1, this.decoded);
    this.write(page + STRADDLE_SLOT, this.decoded);
    this.words[(page + STRADDLE_HALFWORD) >> 2] = high | 0x10000;
  }

  private write(at: number, d: Decoded): void {
    const { bytes } = this;
    this.setHandler(at, d.handler);
    bytes[at + 2] = d.rd * 8;
    bytes[at + 3] = d.rs1 * 8;
    if (d.row === null) return;
    switch (d.row.format) {
      case "S":
      case "B":
        bytes[at + 4] = d.rs2 * 8;
        bytes[at + 6] = d.imm;
        bytes[at + 7] = d.imm >> 8;
        return;
      case "R":
      case "AMO":
      case "FR":
      case "F1":
      case "R1":
      case "R4":
        bytes[at + 4] = d.rs2 * 8;
        bytes[at + 5] = d.rs3 * 8;
        bytes[at + 6] = d.rm;
        return;
      default:
        this.words[(at + 4) >> 2] = d.imm;
    }
  }
}
