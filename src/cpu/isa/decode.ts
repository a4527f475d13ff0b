// Turns instruction words into pre-decoded slots (layout.ts) for the interpreter. The handler numbering is fixed here.
import { SLOT_BYTES, X_SINK } from "../layout.ts";
import { expandCompressed } from "./compressed.ts";
import { findInstruction, INSTRUCTIONS, type InstructionRow } from "./table.ts";

/** Handlers that are not instructions. */
export const HANDLER_UNDECODED = 0;
export const HANDLER_PAGE_END = 1;
export const HANDLER_STRADDLE = 2;
export const HANDLER_ILLEGAL = 3;
const FIRST_INSTRUCTION = 4;

/** A second handler of branches and jal whose target lies in the same page: imm is then the distance in slot bytes. */
const NEAR_NAMES = ["beq", "bne", "blt", "bge", "bltu", "bgeu", "jal"];

export interface Handler {
  readonly name: string;
  readonly near: boolean;
}

/** Handlers from FIRST_INSTRUCTION on, by number - FIRST_INSTRUCTION. */
export const HANDLERS: readonly Handler[] = [
  ...INSTRUCTIONS.map((row) => ({ name: row.name, near: false })),
  ...NEAR_NAMES.map((name) => ({ name, near: true })),
];
export const HANDLER_COUNT = FIRST_INSTRUCTION + HANDLERS.length;

const numberOf = new Map(INSTRUCTIONS.map((row, i) => [row, FIRST_INSTRUCTION + i]));
const nearNumberOf = new Map(NEAR_NAMES.map((name, i) => [name, FIRST_INSTRUCTION + INSTRUCTIONS.length + i]));

/** Fields of one decoded instruction, as the slot stores them. */
export interface Decoded {
  handler: number;
  lengthBytes: 2 | 4;
  rd: number;
  rs1: number;
  rs2: number;
  imm: number;
}

const RESERVED_RM = (rm: number) => rm === 5 || rm === 6;

/** Decodes `word` (its low halfword only, when compressed) found at byte `offset` of its page; -1: no near forms. */
export function decode(word: number, offset: number): Decoded {
  const compressed = (word & 3) !== 3;
  const full = compressed ? expandCompressed(word & 0xffff) : word >>> 0;
  const row = full === 0 ? null : findInstruction(full);
  const out: Decoded = { handler: HANDLER_ILLEGAL, lengthBytes: compressed ? 2 : 4, rd: 0, rs1: 0, rs2: 0, imm: 0 };
  if (row === null) return out;
  out.handler = numberOf.get(row)!;
  out.rd = (full >>> 7) & 31;
  out.rs1 = (full >>> 15) & 31;
  out.rs2 = (full >>> 20) & 31;
  out.imm = immediateOf(row, full);
  if (writesFloat(row.name)) {
    if ((row.format === "FR" || row.format === "F1" || row.format === "R4") && RESERVED_RM((full >>> 12) & 7)) out.handler = HANDLER_ILLEGAL;
  } else {
    if (row.format === "F1" && RESERVED_RM((full >>> 12) & 7)) out.handler = HANDLER_ILLEGAL;
    if (out.rd === 0) out.rd = X_SINK;
  }
  if (row.format === "B" || row.format === "J") useNearForm(row, out, offset);
  return out;
}

function useNearForm(row: InstructionRow, out: Decoded, offset: number): void {
  const target = offset + out.imm;
  if (offset < 0 || target < 0 || target >= 4096) return;
  out.handler = nearNumberOf.get(row.name)!;
  out.imm = (out.imm / 2) * SLOT_BYTES;
}

/** Whether rd names a floating-point register. */
export function writesFloat(name: string): boolean {
  if (name[0] !== "f" || name.startsWith("fence")) return false;
  if (/^(fsw|fsd|feq|flt|fle|fclass|fmv\.x)/.test(name)) return false;
  return !/^fcvt\.(w|wu|l|lu)\./.test(name);
}

function immediateOf(row: InstructionRow, word: number): number {
  switch (row.format) {
    case "I":
      return word >> 20;
    case "S":
      return ((word >> 25) << 5) | ((word >>> 7) & 31);
    case "B":
      return ((word >> 31) << 12) | (((word >>> 7) & 1) << 11) | (((word >>> 25) & 63) << 5) | (((word >>> 8) & 15) << 1);
    case "U":
      return word >> 12;
    case "J":
      return ((word >> 31) << 20) | (word & 0xff000) | (((word >>> 20) & 1) << 11) | (((word >>> 21) & 0x3ff) << 1);
    case "SHIFT":
      return (word >>> 20) & 63;
    case "SHIFTW":
      return (word >>> 20) & 31;
    case "CSR":
    case "CSRI":
      return word >>> 20;
    case "FR":
    case "F1":
      return (word >>> 12) & 7;
    case "R4":
      return ((word >>> 12) & 7) | ((word >>> 27) << 3);
    default:
      return 0;
  }
}
