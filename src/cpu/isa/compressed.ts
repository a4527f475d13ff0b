// The 16-bit instructions (C extension for RV64 with F and D), each with the 32-bit instruction it stands for
// (RISC-V Instruction Set Manual, volume I, chapter "C").
import { type BitMoves, bitMoves, moveBits, pictureMatch } from "./bit-pictures.ts";

/** The forms (forms.ts) that what this expands to can have. */
export const COMPRESSED_FORMS: ReadonlySet<string> = new Set(
  (
    "addi li mv nop add addiw lui slli srli srai andi sub xor or and subw addw lw ld fld sw sd fsd j j.near beq beq.near " +
    "bne bne.near jr jalr ebreak"
  ).split(" "),
);

/** Halfword and instruction, as pictures (bit-pictures.ts); the first row that fits holds. Without an instruction: reserved. */
const PICTURES: readonly (readonly [string, string?])[] = [
  ["000 00000000 ... 00"],
  ["000 aabbbbcd www 00", "00bbbbaadc00 00010 000 01www 0010011"], // c.addi4spn
  ["001 aaa rrr bb www 00", "0000bbaaa000 01rrr 011 01www 0000111"], // c.fld
  ["010 aaa rrr bc www 00", "00000caaab00 01rrr 010 01www 0000011"], // c.lw
  ["011 aaa rrr bb www 00", "0000bbaaa000 01rrr 011 01www 0000011"], // c.ld
  ["101 aaa rrr bb www 00", "0000bba 01www 01rrr 011 aa000 0100111"], // c.fsd
  ["110 aaa rrr bc www 00", "00000ca 01www 01rrr 010 aab00 0100011"], // c.sw
  ["111 aaa rrr bb www 00", "0000bba 01www 01rrr 011 aa000 0100011"], // c.sd
  ["000 s ddddd iiiii 01", "sssssssiiiii ddddd 000 ddddd 0010011"], // c.addi, c.nop
  ["001 . 00000 ..... 01"],
  ["001 s ddddd iiiii 01", "sssssssiiiii ddddd 000 ddddd 0011011"], // c.addiw
  ["010 s ddddd iiiii 01", "sssssssiiiii 00000 000 ddddd 0010011"], // c.li
  ["011 0 ..... 00000 01"],
  ["011 s 00010 abccd 01", "sssccbda0000 00010 000 00010 0010011"], // c.addi16sp
  ["011 s ddddd iiiii 01", "sssssssssssssssiiiii ddddd 0110111"], // c.lui
  ["100 s 00rrr iiiii 01", "000000siiiii 01rrr 101 01rrr 0010011"], // c.srli
  ["100 s 01rrr iiiii 01", "010000siiiii 01rrr 101 01rrr 0010011"], // c.srai
  ["100 s 10rrr iiiii 01", "sssssssiiiii 01rrr 111 01rrr 0010011"], // c.andi
  ["100 0 11rrr 00www 01", "0100000 01www 01rrr 000 01rrr 0110011"], // c.sub
  ["100 0 11rrr 01www 01", "0000000 01www 01rrr 100 01rrr 0110011"], // c.xor
  ["100 0 11rrr 10www 01", "0000000 01www 01rrr 110 01rrr 0110011"], // c.or
  ["100 0 11rrr 11www 01", "0000000 01www 01rrr 111 01rrr 0110011"], // c.and
  ["100 1 11rrr 00www 01", "0100000 01www 01rrr 000 01rrr 0111011"], // c.subw
  ["100 1 11rrr 01www 01", "0000000 01www 01rrr 000 01rrr 0111011"], // c.addw
  ["101 abccdefgggh 01", "a dccfehbggg a aaaaaaaa 00000 1101111"], // c.j
  ["110 abb rrr ccdde 01", "a aaacce 00000 01rrr 000 bbdd a 1100011"], // c.beqz
  ["111 abb rrr ccdde 01", "a aaacce 00000 01rrr 001 bbdd a 1100011"], // c.bnez
  ["000 s ddddd iiiii 10", "000000siiiii ddddd 001 ddddd 0010011"], // c.slli
  ["001 a ddddd bbccc 10", "000cccabb000 00010 011 ddddd 0000111"], // c.fldsp
  ["010 . 00000 ..... 10"],
  ["010 a ddddd bbbcc 10", "0000ccabbb00 00010 010 ddddd 0000011"], // c.lwsp
  ["011 . 00000 ..... 10"],
  ["011 a ddddd bbccc 10", "000cccabb000 00010 011 ddddd 0000011"], // c.ldsp
  ["100 0 00000 00000 10"],
  ["100 0 rrrrr 00000 10", "000000000000 rrrrr 000 00000 1100111"], // c.jr
  ["100 0 ddddd rrrrr 10", "0000000 rrrrr 00000 000 ddddd 0110011"], // c.mv
  ["100 1 00000 00000 10", "000000000001 00000 000 00000 1110011"], // c.ebreak
  ["100 1 rrrrr 00000 10", "000000000000 rrrrr 000 00001 1100111"], // c.jalr
  ["100 1 ddddd rrrrr 10", "0000000 rrrrr ddddd 000 ddddd 0110011"], // c.add
  ["101 aaabbb rrrrr 10", "000bbba rrrrr 00010 011 aa000 0100111"], // c.fsdsp
  ["110 aaaabb rrrrr 10", "0000bba rrrrr 00010 010 aaa00 0100011"], // c.swsp
  ["111 aaabbb rrrrr 10", "000bbba rrrrr 00010 011 aa000 0100011"], // c.sdsp
];

export interface CompressedRow {
  readonly mask: number;
  readonly match: number;
  /** null: illegal. */
  readonly expansion: BitMoves | null;
}

/** Where the rows of a halfword are: by its quadrant and funct3. */
export const compressedKey = (half: number) => ((half & 3) << 3) | (half >>> 13);

let rowsByKey: readonly (readonly CompressedRow[])[] | null = null;

/** The rows by compressedKey, in their order. Made when first asked for: runs that translate nothing need none. */
export function compressedRows(): readonly (readonly CompressedRow[])[] {
  if (rowsByKey !== null) return rowsByKey;
  const rows: CompressedRow[][] = Array.from({ length: 32 }, () => []);
  for (const [from, to] of PICTURES) {
    const { mask, match } = pictureMatch(from);
    rows[compressedKey(match)].push({ mask, match, expansion: to === undefined ? null : bitMoves(from, to) });
  }
  rowsByKey = rows;
  return rows;
}

/** Expands the halfword (its low two bits are not 3) to the instruction it stands for; 0: it is illegal or reserved. */
export function expandCompressed(half: number): number {
  for (const { mask, match, expansion } of compressedRows()[compressedKey(half)])
    if ((half & mask) === match) return expansion === null ? 0 : moveBits(half, expansion) >>> 0;
  return 0;
}
