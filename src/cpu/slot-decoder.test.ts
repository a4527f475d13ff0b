// The generated decoder against decode(), which the translator uses: whatever a word is, both find the same fields.
import { expect, it } from "vitest";
import { Prng } from "../util/prng.ts";
import type { DecodePool } from "./decode-pool.ts";
import { Hart } from "./hart.ts";
import { COMPRESSED_FORMS } from "./isa/compressed.ts";
import { type Decoded, decode, newDecoded } from "./isa/decode.ts";
import { FIRST_FORM, FIRST_FUSION, FORMS, type Form, HANDLER_ILLEGAL } from "./isa/forms.ts";
import { FUSIONS } from "./isa/fusions.ts";
import { INSTRUCTIONS } from "./isa/table.ts";
import { SLOT_BYTES } from "./layout.ts";

const PFN = 5;
const NEAR = 2048;

class Decoder {
  private readonly hart = Hart.create({ ramBytes: 1 << 20, translate: false });
  private readonly pool = (this.hart as unknown as { pool: DecodePool }).pool;
  private readonly view = new DataView(this.hart.buffer);

  /** Decodes the instructions found in a row from `offset` of a page on, and returns the slots of the offsets. */
  slots(
    words: readonly number[],
    offset: number,
  ): { handler: number; rd: number; rs1: number; high: number; at: number }[] {
    this.pool.drop(PFN);
    let at = offset;
    const offsets = words.map((word) => {
      const here = at;
      const isLong = (word & 3) === 3;
      this.view.setUint16(this.hart.ramOffset + PFN * 4096 + here, word, true);
      if (isLong) this.view.setUint16(this.hart.ramOffset + PFN * 4096 + here + 2, word >>> 16, true);
      at += isLong ? 4 : 2;
      return here;
    });
    const page = this.pool.create(PFN, () => {});
    return offsets.map((here) => {
      const slot = page + (here / 2) * SLOT_BYTES;
      if (this.pool.handlerAt(slot) === 0) this.pool.decodeAt(slot);
      const field = (i: number) => this.view.getUint8(slot + i) / 8;
      const handler = this.pool.handlerAt(slot);
      return { handler, rd: field(2), rs1: field(3), high: this.view.getInt32(slot + 4, true), at: here };
    });
  }
}

const decoder = new Decoder();

/** What the second half of a slot holds for these fields. */
function expectedHigh(d: Decoded, form: Form, at: number): number {
  if (form.name === "mv") return 0;
  const { format } = d.row!;
  const imm = form.near ? (d.imm >> 1) * SLOT_BYTES : d.imm;
  expect(form.near, `${form.name} at ${at}`).toBe(["B", "J"].includes(format) && at + d.imm >= 0 && at + d.imm < 4096);
  if (format === "S" || format === "B") return (d.rs2 * 8) | (imm << 16);
  if (["R", "AMO", "R1", "FR", "F1", "R4"].includes(format)) return (d.rs2 * 8) | (d.rs3 << 11) | (d.rm << 16);
  return imm;
}

/** The form and fields that the slot of `word` must have. */
function check(word: number, slot: ReturnType<Decoder["slots"]>[number]): Form | null {
  const d = newDecoded();
  decode(word >>> 0, d);
  const name = (word >>> 0).toString(16);
  if (d.row === null) {
    expect(slot.handler, name).toBe(HANDLER_ILLEGAL);
    return null;
  }
  const form = FORMS[slot.handler - FIRST_FORM];
  expect(form.lengthBytes, name).toBe(d.lengthBytes);
  if (form.name === "nop") {
    expect(d.rd === 0 || d.row.name.startsWith("fence"), name).toBe(true);
    return form;
  }
  const isCopy = form.name === "mv" || form.name === "li";
  if (d.row.name === "add" && isCopy) {
    expect([slot.rd, slot.rs1, slot.high], name).toEqual([d.rd, d.rs1 | d.rs2, 0]);
    return form;
  }
  expect(form.row, name).toBe(d.row);
  if (form.discard || isCopy) expect(form.name === "li" ? d.rs1 : form.name === "mv" ? d.imm : d.rd, name).toBe(0);
  expect([slot.rd, slot.rs1, slot.high], name).toEqual([d.rd, d.rs1, expectedHigh(d, form, slot.at)]);
  return form;
}

/** Ends each run, so that nothing is fused. */
const EBREAK = 0x00100073;

it("every halfword, in the middle of its page and at its end; every form of 2 bytes has one", () => {
  const seen = new Set<string>();
  for (let half = 0; half < 65536; half++) {
    if ((half & 3) === 3) continue;
    for (const offset of [NEAR, 4092]) {
      const form = check(half, decoder.slots([half, 0], offset)[0]);
      if (form !== null) seen.add(form.name);
    }
  }
  expect([...seen].sort()).toEqual([...COMPRESSED_FORMS].sort());
});

it("words near every instruction, with registers, immediates and rounding modes of all kinds", () => {
  const random = new Prng(1);
  const seen = new Set<string>();
  for (const row of INSTRUCTIONS) {
    for (let i = 0; i < 200; i++) {
      let word = row.match | (random.next() & ~row.mask);
      if (i % 4 === 1) word &= ~0xf80 | row.mask;
      if (i % 4 === 2) word &= ~0xf8000 | row.mask;
      if (i % 8 === 3) word &= ~0xfff00000 | row.mask;
      if (i % 8 === 7) word ^= 4 << random.below(30);
      if (row.format === "J" && i % 2 === 0) word &= ~0x800ff000;
      const form = check(word, decoder.slots([word, EBREAK], NEAR)[0]);
      if (form !== null) seen.add(form.name);
    }
  }
  const missing = FORMS.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
  // Both are decoded as having no effect.
  expect(missing).toEqual(["fence", "fence.i"]);
});

it("finds the longest sequence, and none that reaches beyond what is decoded", () => {
  const [ld, mv, jr] = [0x6582, 0x85aa, 0x8082]; // c.ld a1,0(sp); c.mv a1,a0; ret
  const fused = (names: string) => FIRST_FUSION + FUSIONS.findIndex((row) => row.join(" ") === names);
  const handlers = (words: number[], offset: number) => decoder.slots(words, offset).map(({ handler }) => handler);
  expect(handlers([ld, ld, ld, ld, mv, jr], NEAR).slice(0, 4)).toEqual(
    ["c.ld c.ld c.ld c.ld", "c.ld c.ld c.ld", "c.ld c.ld", "c.ld c.mv"].map(fused),
  );
  // The last two halfwords of the page.
  expect(handlers([ld, ld], 4092)[0]).toBe(fused("c.ld c.ld"));
  expect(handlers([mv], 4094)[0]).toBeLessThan(FIRST_FUSION);
});
