// Turns instruction words into fields, and names the forms in which the interpreter runs an instruction (its own, a special
// case, or the head of a fused sequence). Knows neither memory nor what the instructions mean.
import { SLOT_BYTES } from "../layout.ts";
import { COMPRESSED_FORMS, expandCompressed } from "./compressed.ts";
import { FUSIONS } from "./fusions.ts";
import { findInstruction, INSTRUCTIONS, type InstructionRow } from "./table.ts";

/** Handlers that are not instructions. */
export const HANDLER_UNDECODED = 0;
export const HANDLER_PAGE_END = 1;
export const HANDLER_STRADDLE = 2;
export const HANDLER_ILLEGAL = 3;
/** The entry of a translated region; its record knows the handler that was there before. */
export const HANDLER_REGION = 4;
/** An instruction at which the hart is to stop (DecodePool.setStops); its fields are decoded. */
export const HANDLER_STOP = 5;
export const FIRST_FORM = 6;

/**
 * A form of an instruction. "near": a jump within its page, whose immediate is a distance in slot bytes. "discard": rd is
 * x0. "mv" and "li" are additions that only copy rs1 or the immediate; "nop" has no effect: a write to x0 of a pure result, a
 * fence. "c." before any of these: in 2 bytes. The length is part of the form so that the interpreter knows where the next
 * instruction is before it has read anything: reading the length, it would wait for memory between any two instructions.
 */
export interface Form {
  /** As FUSIONS names it, without "c.". */
  readonly name: string;
  readonly lengthBytes: 2 | 4;
  readonly row: InstructionRow;
  readonly near: boolean;
  readonly discard: boolean;
}

/** Whether nothing behind this instruction is reached but by a jump. */
export function endsLine({ row }: Form): boolean {
  return row.format === "J" || row.name === "jalr" || row.name === "ecall" || row.name === "ebreak";
}

const BRANCHES = ["beq", "bne", "blt", "bge", "bltu", "bgeu"];
const LOADS = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu"];
const rowOf = (name: string) => INSTRUCTIONS.find((row) => row.name === name)!;

function makeForms(): Form[] {
  const forms: Form[] = [];
  const add = (name: string, row: string, near = false, discard = false) => {
    forms.push({ name, lengthBytes: 4, row: rowOf(row), near, discard });
    if (COMPRESSED_FORMS.has(name)) forms.push({ name, lengthBytes: 2, row: rowOf(row), near, discard });
  };
  for (const row of INSTRUCTIONS) add(row.name, row.name);
  for (const name of BRANCHES) add(`${name}.near`, name, true);
  add("jal.near", "jal", true);
  add("j", "jal", false, true);
  add("j.near", "jal", true, true);
  add("jr", "jalr", false, true);
  for (const name of LOADS) add(`${name}.discard`, name, false, true);
  add("mv", "addi");
  add("li", "addi");
  add("nop", "addi");
  return forms;
}

/** Forms of single instructions; handler number = FIRST_FORM + index. The handlers of FUSIONS follow. */
export const FORMS: readonly Form[] = makeForms();
export const FIRST_FUSION = FIRST_FORM + FORMS.length;
export const HANDLER_COUNT = FIRST_FUSION + FUSIONS.length;

const handlerOf = new Map<string, number>();
/** By handler: that of the same form in 2 bytes. Handlers of no instruction have no length. */
const compressedOf = Uint16Array.from({ length: FIRST_FUSION }, (_, handler) => handler);
FORMS.forEach(({ name, lengthBytes }, i) => {
  const handler = FIRST_FORM + i;
  if (lengthBytes === 4) handlerOf.set(name, handler);
  else {
    handlerOf.set(`c.${name}`, handler);
    compressedOf[handler - 1] = handler;
  }
});

/** The handler that runs a single instruction in this form; "c." before its name: in 2 bytes. */
export function handlerOfForm(name: string): number {
  return handlerOf.get(name)!;
}
const HANDLER_NOP = handlerOfForm("nop");

/** Fields of one decoded instruction. Register numbers are plain; `imm` depends on the form. */
export interface Decoded {
  handler: number;
  lengthBytes: number;
  rd: number;
  rs1: number;
  rs2: number;
  rs3: number;
  rm: number;
  imm: number;
  row: InstructionRow | null;
}

export function newDecoded(): Decoded {
  return { handler: 0, lengthBytes: 0, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, imm: 0, row: null };
}

interface RowFacts {
  readonly handler: number;
  readonly near: number;
  readonly discard: number;
  readonly nearDiscard: number;
  readonly rmField: boolean;
}

const facts = new Map<InstructionRow, RowFacts>();
for (const row of INSTRUCTIONS) {
  const handler = handlerOfForm(row.name);
  const near = handlerOf.get(`${row.name}.near`) ?? 0;
  const opcode = row.match & 0x7f;
  const pure = [0x13, 0x33, 0x1b, 0x3b, 0x37, 0x17].includes(opcode);
  const jump: Record<string, string> = { jal: "j", jalr: "jr" };
  const discardKey = jump[row.name] ?? `${row.name}.discard`;
  const discard = pure ? HANDLER_NOP : (handlerOf.get(discardKey) ?? handler);
  const nearDiscard = row.name === "jal" ? handlerOfForm("j.near") : near;
  const rmField = row.format === "FR" || row.format === "F1" || row.format === "R4";
  facts.set(row, { handler, near, discard, nearDiscard, rmField });
}
const FENCE = rowOf("fence");
const FENCE_I = rowOf("fence.i");
const ADDI = rowOf("addi");
const ADD = rowOf("add");
const MV = handlerOfForm("mv");
const LI = handlerOfForm("li");

/** What halfwords expand to, as far as known (0: not yet): programs use few different ones again and again. */
const expansions = new Uint32Array(65536);

function expansionOf(half: number): number {
  const known = expansions[half];
  if (known !== 0) return known;
  const full = expandCompressed(half);
  expansions[half] = full;
  return full;
}

/**
 * Decodes `word` (its low halfword only, when compressed) found at byte `offset` of its page into `out`. A negative offset
 * asks for no near forms.
 */
export function decode(word: number, offset: number, out: Decoded): void {
  const compressed = (word & 3) !== 3;
  decodeFields(word, compressed, offset, out);
  if (compressed) out.handler = compressedOf[out.handler];
}

function decodeFields(word: number, compressed: boolean, offset: number, out: Decoded): void {
  const full = compressed ? expansionOf(word & 0xffff) : word >>> 0;
  const row = full === 0 ? null : findInstruction(full);
  out.row = row;
  out.lengthBytes = compressed ? 2 : 4;
  out.rd = (full >>> 7) & 31;
  out.rs1 = (full >>> 15) & 31;
  out.rs2 = (full >>> 20) & 31;
  out.rs3 = full >>> 27;
  out.rm = (full >>> 12) & 7;
  if (row === null) {
    out.handler = HANDLER_ILLEGAL;
    return;
  }
  out.imm = immediateOf(row, full);
  const fact = facts.get(row)!;
  out.handler = fact.handler;
  if (fact.rmField) {
    if (out.rm === 5 || out.rm === 6) out.handler = HANDLER_ILLEGAL;
    return;
  }
  if (row.format === "B" || row.format === "J") {
    const target = offset + out.imm;
    const near = offset >= 0 && target >= 0 && target < 4096;
    if (row.format === "J" && out.rd === 0) out.handler = near ? fact.nearDiscard : fact.discard;
    else if (near) out.handler = fact.near;
    if (near) out.imm = (out.imm >> 1) * SLOT_BYTES;
    return;
  }
  // Stores, fences and floating-point results have no integer rd; their "discard" is the row's own handler.
  if (row === FENCE || row === FENCE_I) out.handler = HANDLER_NOP;
  else if (out.rd === 0 && row.format !== "S") out.handler = fact.discard;
  else if (row === ADDI) simplify(out, out.rs1, out.imm);
  else if (row === ADD && (out.rs1 === 0 || out.rs2 === 0)) simplify(out, out.rs1 === 0 ? out.rs2 : out.rs1, 0);
}

/** rd = source + imm where one of both may be missing. */
function simplify(out: Decoded, source: number, imm: number): void {
  if (imm !== 0 && source !== 0) return;
  out.handler = source === 0 ? LI : MV;
  out.row = ADDI;
  out.rs1 = source;
  out.imm = imm;
}

function immediateOf(row: InstructionRow, word: number): number {
  switch (row.format) {
    case "I":
      return word >> 20;
    case "S":
      return ((word >> 25) << 5) | ((word >>> 7) & 31);
    case "B":
      return (
        ((word >> 31) << 12) | (((word >>> 7) & 1) << 11) | (((word >>> 25) & 63) << 5) | (((word >>> 8) & 15) << 1)
      );
    case "U":
      return word & ~0xfff;
    case "J":
      return ((word >> 31) << 20) | (word & 0xff000) | (((word >>> 20) & 1) << 11) | (((word >>> 21) & 0x3ff) << 1);
    case "SHIFT":
      return (word >>> 20) & 63;
    case "SHIFTW":
      return (word >>> 20) & 31;
    case "CSR":
    case "CSRI":
      return word >>> 20;
    default:
      return 0;
  }
}
