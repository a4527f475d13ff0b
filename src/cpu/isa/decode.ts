// Turns instruction words into fields. Knows neither memory nor what the instructions mean.
import { type BitMoves, bitMoves, moveBits } from "./bit-pictures.ts";
import { expandCompressed } from "./compressed.ts";
import { type Format, findInstruction, type InstructionRow } from "./table.ts";

/** Fields of one decoded instruction. Register numbers are plain. */
export interface Decoded {
  lengthBytes: number;
  rd: number;
  rs1: number;
  rs2: number;
  rs3: number;
  rm: number;
  imm: number;
  /** null: illegal. */
  row: InstructionRow | null;
}

export function newDecoded(): Decoded {
  return { lengthBytes: 0, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, imm: 0, row: null };
}

const CSR = [`iiiiiiiiiiii${".".repeat(20)}`, `${"0".repeat(20)}iiiiiiiiiiii`] as const;

/** Instruction and immediate, as pictures (bit-pictures.ts). */
const PICTURES: Partial<Record<Format, readonly [string, string]>> = {
  I: [`siiiiiiiiiii${".".repeat(20)}`, `${"s".repeat(21)}iiiiiiiiiii`],
  S: ["saaaaaa ..... ..... ... bbbbb .......", `${"s".repeat(21)}aaaaaabbbbb`],
  B: ["saaaaaa ..... ..... ... bbbbc .......", `${"s".repeat(20)}caaaaaabbbb0`],
  U: [`${"i".repeat(20)}${".".repeat(12)}`, `${"i".repeat(20)}${"0".repeat(12)}`],
  J: ["s aaaaaaaaaa b cccccccc ..... .......", "ssssssssssss ccccccccb aaaaaaaaaa0"],
  SHIFT: [`......iiiiii${".".repeat(20)}`, `${"0".repeat(26)}iiiiii`],
  SHIFTW: [`.......iiiii${".".repeat(20)}`, `${"0".repeat(27)}iiiii`],
  CSR,
  CSRI: CSR,
};

const immediates = new Map<Format, BitMoves | null>();

/** How the immediate of this format comes out of the instruction; null: it has none. */
export function immediateMoves(format: Format): BitMoves | null {
  let known = immediates.get(format);
  if (known === undefined) {
    const pictures = PICTURES[format];
    known = pictures === undefined ? null : bitMoves(...pictures);
    immediates.set(format, known);
  }
  return known;
}

/** Whether rm is a rounding mode, of which 5 and 6 are reserved. */
function hasRoundingMode({ format }: InstructionRow): boolean {
  return format === "FR" || format === "F1" || format === "R4";
}

/** Decodes `word` (its low halfword only, when compressed) into `out`. */
export function decode(word: number, out: Decoded): void {
  const compressed = (word & 3) !== 3;
  const full = compressed ? expandCompressed(word & 0xffff) : word >>> 0;
  const row = full === 0 ? null : findInstruction(full);
  out.lengthBytes = compressed ? 2 : 4;
  out.rd = (full >>> 7) & 31;
  out.rs1 = (full >>> 15) & 31;
  out.rs2 = (full >>> 20) & 31;
  out.rs3 = full >>> 27;
  out.rm = (full >>> 12) & 7;
  out.row = row !== null && hasRoundingMode(row) && (out.rm === 5 || out.rm === 6) ? null : row;
  const moves = row && immediateMoves(row.format);
  out.imm = moves === null ? 0 : moveBits(full, moves);
}
