// Pre-decoded code: one decode page per physical frame that was executed, in a bounded pool; the oldest page is recycled.
// Knows frames and slots, not virtual addresses.
import { decode, HANDLER_PAGE_END, HANDLER_STRADDLE } from "./isa/decode.ts";
import type { Decoded } from "./isa/decode.ts";
import { INSTRUCTIONS } from "./isa/table.ts";
import { CODE_MAP, DECODE_PAGE_BYTES, type Layout, SLOT_BYTES, SLOTS_PER_PAGE, STRADDLE_SLOT } from "./layout.ts";

/** How many instructions one visit decodes ahead; the next visit continues where this one ended. */
const DECODE_AHEAD = 24;

const FIRST = 4;
const endsBlock = new Set<number>();
INSTRUCTIONS.forEach((row, i) => {
  if (row.format === "J" || row.name === "jalr" || row.name === "ecall" || row.name === "ebreak") endsBlock.add(FIRST + i);
});

export class DecodePool {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly layout: Layout;
  /** PFN of each pool page, -1 when free. */
  private readonly frameOf: Int32Array;
  private readonly free: number[] = [];
  private hand = 0;

  constructor(bytes: Uint8Array, words: Int32Array, layout: Layout) {
    this.bytes = bytes;
    this.words = words;
    this.layout = layout;
    this.frameOf = new Int32Array(layout.decodePages).fill(-1);
    for (let i = layout.decodePages - 1; i >= 0; i--) this.free.push(i);
    this.pageEnd(STRADDLE_SLOT + SLOT_BYTES);
    this.pageEnd(STRADDLE_SLOT + 2 * SLOT_BYTES);
  }

  hasCode(pfn: number): boolean {
    return this.words[CODE_MAP / 4 + pfn] !== 0;
  }

  /** Gives the frame an empty decode page and returns its linear address; `recycle` is told of a frame that lost its own. */
  create(pfn: number, recycle: (pfn: number) => void): number {
    if (this.free.length === 0) {
      const victim = this.frameOf[this.hand];
      this.hand = (this.hand + 1) % this.frameOf.length;
      recycle(victim);
    }
    const index = this.free.pop()!;
    const address = this.layout.decodePool + index * DECODE_PAGE_BYTES;
    this.bytes.fill(0, address, address + DECODE_PAGE_BYTES);
    this.pageEnd(address + SLOTS_PER_PAGE * SLOT_BYTES);
    this.pageEnd(address + (SLOTS_PER_PAGE + 1) * SLOT_BYTES);
    this.frameOf[index] = pfn;
    this.words[CODE_MAP / 4 + pfn] = address;
    return address;
  }

  drop(pfn: number): void {
    const address = this.words[CODE_MAP / 4 + pfn];
    if (address === 0) return;
    const index = (address - this.layout.decodePool) / DECODE_PAGE_BYTES;
    this.words[CODE_MAP / 4 + pfn] = 0;
    this.frameOf[index] = -1;
    this.free.push(index);
  }

  /** Decodes the slot at this linear address and some that follow. */
  decodeAt(slot: number): void {
    const index = Math.floor((slot - this.layout.decodePool) / DECODE_PAGE_BYTES);
    const page = this.layout.decodePool + index * DECODE_PAGE_BYTES;
    const frame = this.layout.ramOffset + this.frameOf[index] * 4096;
    let offset = ((slot - page) / SLOT_BYTES) * 2;
    for (let n = 0; n < DECODE_AHEAD && offset < 4096; n++) {
      const at = page + (offset / 2) * SLOT_BYTES;
      if (this.bytes[at] !== 0) return;
      const low = this.bytes[frame + offset] | (this.bytes[frame + offset + 1] << 8);
      if ((low & 3) === 3 && offset === 4094) {
        this.bytes[at] = HANDLER_STRADDLE;
        return;
      }
      const high = (low & 3) === 3 ? this.bytes[frame + offset + 2] | (this.bytes[frame + offset + 3] << 8) : 0;
      const decoded = decode((low | (high << 16)) >>> 0, offset);
      this.write(at, decoded);
      if (endsBlock.has(decoded.handler)) return;
      offset += decoded.lengthBytes;
    }
  }

  /** Decodes the instruction whose halfwords lie at these linear addresses into the scratch slot. */
  decodeStraddle(low: number, high: number): void {
    const word = this.bytes[low] | (this.bytes[low + 1] << 8) | (this.bytes[high] << 16) | (this.bytes[high + 1] << 24);
    this.write(STRADDLE_SLOT, decode(word >>> 0, -1));
  }

  private write(at: number, d: Decoded): void {
    this.bytes[at] = d.handler;
    this.bytes[at + 1] = (d.lengthBytes / 2) * SLOT_BYTES;
    this.bytes[at + 2] = d.rd;
    this.bytes[at + 3] = d.rs1;
    this.words[(at + 4) >> 2] = (d.imm << 8) | d.rs2;
  }

  private pageEnd(at: number): void {
    this.bytes[at] = HANDLER_PAGE_END;
  }
}
