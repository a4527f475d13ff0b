// Encodes RV64GC instructions for the instruction fuzzer: 32-bit ones from the hart's own table, compressed ones from
// a table of their own (RISC-V manual, volume I, "C" chapter). Not an assembler of text.
import { findInstruction, INSTRUCTIONS } from "../../src/cpu/isa/table.js";
export const rowsByName = new Map(INSTRUCTIONS.map((row) => [row.name, row]));
function bits(value, high, low) {
  return (value >> low) & ((1 << (high - low + 1)) - 1);
}
function branchImmediate(imm) {
  return (bits(imm, 12, 12) << 31) | (bits(imm, 10, 5) << 25) | (bits(imm, 4, 1) << 8) | (bits(imm, 11, 11) << 7);
}
function jumpImmediate(imm) {
  return (bits(imm, 20, 20) << 31) | (bits(imm, 10, 1) << 21) | (bits(imm, 11, 11) << 20) | (bits(imm, 19, 12) << 12);
}
/** The 32-bit encoding of an instruction of the hart's table. */
export function encode(name, fields) {
  const row = rowsByName.get(name);
  if (!row) throw new Error(`no instruction ${name}`);
  const { rd = 0, rs1 = 0, rs2 = 0, rs3 = 0, imm = 0, rm = 0, csr = 0 } = fields;
  const d = rd << 7;
  const a = rs1 << 15;
  const b = rs2 << 20;
  const variable = {
    R: d | a | b,
    I: d | a | (imm << 20),
    S: a | b | (bits(imm, 11, 5) << 25) | (bits(imm, 4, 0) << 7),
    B: a | b | branchImmediate(imm),
    U: d | (imm << 12),
    J: d | jumpImmediate(imm),
    SHIFT: d | a | (imm << 20),
    SHIFTW: d | a | (imm << 20),
    AMO: d | a | b | (imm << 25), // imm: aq and rl
    FR: d | a | b | (rm << 12),
    F1: d | a | (rm << 12),
    R1: d | a | (name.startsWith("lr") ? imm << 25 : 0),
    R4: d | a | b | (rs3 << 27) | (rm << 12),
    CSR: d | a | (csr << 20),
    CSRI: d | a | (csr << 20),
    NONE: 0,
  };
  const word = (row.match | variable[row.format]) >>> 0;
  if (findInstruction(word)?.name !== name) throw new Error(`${name} does not decode to itself`);
  return word;
}
/** 3-bit register field. */
function short(register) {
  return register - 8;
}
function cl(match, word) {
  // CL and CS: rd' or rs2' in bits 2-4, rs1' in 7-9, offset 5:3 in 10-12 and 7:6 (or 2, 6) in 5-6.
  return ({ rd, rs1 = 8, rs2, imm = 0 }) => {
    const low = word ? (bits(imm, 2, 2) << 6) | (bits(imm, 6, 6) << 5) : bits(imm, 7, 6) << 5;
    return match | (bits(imm, 5, 3) << 10) | low | (short(rs1) << 7) | (short(rd ?? rs2 ?? 8) << 2);
  };
}
function ci(match) {
  return ({ rd = 0, imm = 0 }) => match | (bits(imm, 5, 5) << 12) | (rd << 7) | (bits(imm, 4, 0) << 2);
}
function loadSp(match, word) {
  return ({ rd = 0, imm = 0 }) => {
    const low = word
      ? (bits(imm, 4, 2) << 4) | (bits(imm, 7, 6) << 2)
      : (bits(imm, 4, 3) << 5) | (bits(imm, 8, 6) << 2);
    return match | (bits(imm, 5, 5) << 12) | (rd << 7) | low;
  };
}
function storeSp(match, word) {
  return ({ rs2 = 0, imm = 0 }) => {
    const offset = word
      ? (bits(imm, 5, 2) << 9) | (bits(imm, 7, 6) << 7)
      : (bits(imm, 5, 3) << 10) | (bits(imm, 8, 6) << 7);
    return match | offset | (rs2 << 2);
  };
}
function shortImmediate(match) {
  return ({ rd = 8, imm = 0 }) => match | (bits(imm, 5, 5) << 12) | (short(rd) << 7) | (bits(imm, 4, 0) << 2);
}
function shortPair(match) {
  return ({ rd = 8, rs2 = 8 }) => match | (short(rd) << 7) | (short(rs2) << 2);
}
function pair(match) {
  return ({ rd = 0, rs1 = 0, rs2 = 0 }) => match | ((rd || rs1) << 7) | (rs2 << 2);
}
function branchZero(match) {
  return ({ rs1 = 8, imm = 0 }) =>
    match |
    (bits(imm, 8, 8) << 12) |
    (bits(imm, 4, 3) << 10) |
    (short(rs1) << 7) |
    (bits(imm, 7, 6) << 5) |
    (bits(imm, 2, 1) << 3) |
    (bits(imm, 5, 5) << 2);
}
function jump({ imm = 0 }) {
  return (
    0xa001 |
    (bits(imm, 11, 11) << 12) |
    (bits(imm, 4, 4) << 11) |
    (bits(imm, 9, 8) << 9) |
    (bits(imm, 10, 10) << 8) |
    (bits(imm, 6, 6) << 7) |
    (bits(imm, 7, 7) << 6) |
    (bits(imm, 3, 1) << 3) |
    (bits(imm, 5, 5) << 2)
  );
}
/** Every compressed instruction of RV64GC. */
export const COMPRESSED = {
  "c.addi4spn": ({ rd = 8, imm = 0 }) =>
    (bits(imm, 5, 4) << 11) |
    (bits(imm, 9, 6) << 7) |
    (bits(imm, 2, 2) << 6) |
    (bits(imm, 3, 3) << 5) |
    (short(rd) << 2),
  "c.fld": cl(0x2000, false),
  "c.lw": cl(0x4000, true),
  "c.ld": cl(0x6000, false),
  "c.fsd": cl(0xa000, false),
  "c.sw": cl(0xc000, true),
  "c.sd": cl(0xe000, false),
  "c.nop": () => 0x0001,
  "c.addi": ci(0x0001),
  "c.addiw": ci(0x2001),
  "c.li": ci(0x4001),
  "c.addi16sp": ({ imm = 0 }) =>
    0x6101 |
    (bits(imm, 9, 9) << 12) |
    (bits(imm, 4, 4) << 6) |
    (bits(imm, 6, 6) << 5) |
    (bits(imm, 8, 7) << 3) |
    (bits(imm, 5, 5) << 2),
  "c.lui": ci(0x6001),
  "c.srli": shortImmediate(0x8001),
  "c.srai": shortImmediate(0x8401),
  "c.andi": shortImmediate(0x8801),
  "c.sub": shortPair(0x8c01),
  "c.xor": shortPair(0x8c21),
  "c.or": shortPair(0x8c41),
  "c.and": shortPair(0x8c61),
  "c.subw": shortPair(0x9c01),
  "c.addw": shortPair(0x9c21),
  "c.j": jump,
  "c.beqz": branchZero(0xc001),
  "c.bnez": branchZero(0xe001),
  "c.slli": ci(0x0002),
  "c.fldsp": loadSp(0x2002, false),
  "c.lwsp": loadSp(0x4002, true),
  "c.ldsp": loadSp(0x6002, false),
  "c.jr": pair(0x8002),
  "c.mv": pair(0x8002),
  "c.ebreak": () => 0x9002,
  "c.jalr": pair(0x9002),
  "c.add": pair(0x9002),
  "c.fsdsp": storeSp(0xa002, false),
  "c.swsp": storeSp(0xc002, true),
  "c.sdsp": storeSp(0xe002, false),
};
//# sourceMappingURL=riscv-assembler.js.map
