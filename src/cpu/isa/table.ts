// Every 32-bit instruction of RV64IMAFD + Zicsr + Zifencei as one row: name, operand format, and the bits that identify it
// (RISC-V Instruction Set Manual, volume I, chapter "RV32/64G Instruction Set Listings"). No meaning here: see semantics-*.ts.

export type Format =
  | "R" // rd rs1 rs2
  | "I" // rd rs1 imm12
  | "S" // rs1 rs2 imm12
  | "B" // rs1 rs2 imm13
  | "U" // rd imm32
  | "J" // rd imm21
  | "SHIFT" // rd rs1 shamt6
  | "SHIFTW" // rd rs1 shamt5
  | "AMO" // rd rs1 rs2 (aq rl ignored: one hart, sequentially consistent)
  | "FR" // rd rs1 rs2 rm
  | "F1" // rd rs1 rm (rs2 is part of the opcode)
  | "R1" // rd rs1
  | "R4" // rd rs1 rs2 rs3 rm
  | "CSR" // rd rs1 csr
  | "CSRI" // rd zimm csr
  | "NONE";

export interface InstructionRow {
  readonly name: string;
  readonly format: Format;
  readonly match: number;
  readonly mask: number;
}

const rows: InstructionRow[] = [];

function add(name: string, format: Format, match: number, mask: number): void {
  rows.push({ name, format, match: match >>> 0, mask: mask >>> 0 });
}

/** One row a name; an empty name is a gap in the numbering. */
function family(names: string[], row: (name: string, i: number) => void): void {
  for (let i = 0; i < names.length; i++) if (names[i] !== "") row(names[i], i);
}

const opcode = 0x7f;
const f3 = (value: number) => value << 12;
const f7 = (value: number) => value << 25;
const OP_F3 = opcode | f3(7);
const OP_F3_F7 = OP_F3 | f7(0x7f);

add("lui", "U", 0x37, opcode);
add("auipc", "U", 0x17, opcode);
add("jal", "J", 0x6f, opcode);
add("jalr", "I", 0x67, OP_F3);
family(["beq", "bne", "", "", "blt", "bge", "bltu", "bgeu"], (name, i) => add(name, "B", 0x63 | f3(i), OP_F3));
family(["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu"], (name, i) => add(name, "I", 0x03 | f3(i), OP_F3));
family(["sb", "sh", "sw", "sd"], (name, i) => add(name, "S", 0x23 | f3(i), OP_F3));
family(["addi", "", "slti", "sltiu", "xori", "", "ori", "andi"], (name, i) => add(name, "I", 0x13 | f3(i), OP_F3));
add("slli", "SHIFT", 0x13 | f3(1), OP_F3 | f7(0x7e));
add("srli", "SHIFT", 0x13 | f3(5), OP_F3 | f7(0x7e));
add("srai", "SHIFT", 0x13 | f3(5) | f7(0x20), OP_F3 | f7(0x7e));
family(["add", "sll", "slt", "sltu", "xor", "srl", "or", "and"], (name, i) => add(name, "R", 0x33 | f3(i), OP_F3_F7));
add("sub", "R", 0x33 | f7(0x20), OP_F3_F7);
add("sra", "R", 0x33 | f3(5) | f7(0x20), OP_F3_F7);
add("addiw", "I", 0x1b, OP_F3);
add("slliw", "SHIFTW", 0x1b | f3(1), OP_F3_F7);
add("srliw", "SHIFTW", 0x1b | f3(5), OP_F3_F7);
add("sraiw", "SHIFTW", 0x1b | f3(5) | f7(0x20), OP_F3_F7);
add("addw", "R", 0x3b, OP_F3_F7);
add("subw", "R", 0x3b | f7(0x20), OP_F3_F7);
add("sllw", "R", 0x3b | f3(1), OP_F3_F7);
add("srlw", "R", 0x3b | f3(5), OP_F3_F7);
add("sraw", "R", 0x3b | f3(5) | f7(0x20), OP_F3_F7);
add("fence", "NONE", 0x0f, OP_F3);
add("fence.i", "NONE", 0x0f | f3(1), OP_F3);
add("ecall", "NONE", 0x73, 0xffffffff);
add("ebreak", "NONE", 0x100073, 0xffffffff);
family(["csrrw", "csrrs", "csrrc"], (name, i) => add(name, "CSR", 0x73 | f3(i + 1), OP_F3));
family(["csrrwi", "csrrsi", "csrrci"], (name, i) => add(name, "CSRI", 0x73 | f3(i + 5), OP_F3));

family(["mul", "mulh", "mulhsu", "mulhu", "div", "divu", "rem", "remu"], (name, i) =>
  add(name, "R", 0x33 | f3(i) | f7(1), OP_F3_F7),
);
family(["mulw", "", "", "", "divw", "divuw", "remw", "remuw"], (name, i) =>
  add(name, "R", 0x3b | f3(i) | f7(1), OP_F3_F7),
);

for (const [suffix, width] of [
  ["w", 2],
  ["d", 3],
] as const) {
  const base = 0x2f | f3(width);
  const mask = OP_F3 | (0x1f << 27);
  add(`lr.${suffix}`, "R1", base | (2 << 27), mask | (0x1f << 20));
  add(`sc.${suffix}`, "AMO", base | (3 << 27), mask);
  const kinds = { add: 0, swap: 1, xor: 4, or: 8, and: 12, min: 16, max: 20, minu: 24, maxu: 28 };
  for (const [kind, code] of Object.entries(kinds)) add(`amo${kind}.${suffix}`, "AMO", base | (code << 27), mask);
}

for (const [suffix, fmt, width] of [
  ["s", 0, 2],
  ["d", 1, 3],
] as const) {
  add(width === 2 ? "flw" : "fld", "I", 0x07 | f3(width), OP_F3);
  add(width === 2 ? "fsw" : "fsd", "S", 0x27 | f3(width), OP_F3);
  const fused = opcode | (3 << 25);
  add(`fmadd.${suffix}`, "R4", 0x43 | (fmt << 25), fused);
  add(`fmsub.${suffix}`, "R4", 0x47 | (fmt << 25), fused);
  add(`fnmsub.${suffix}`, "R4", 0x4b | (fmt << 25), fused);
  add(`fnmadd.${suffix}`, "R4", 0x4f | (fmt << 25), fused);
  const op = (code: number) => 0x53 | f7((code << 2) | fmt);
  const withF7 = opcode | f7(0x7f);
  const withF7F3 = OP_F3_F7;
  const rs2 = (value: number) => value << 20;
  const withF7Rs2 = withF7 | rs2(31);
  family(["fadd", "fsub", "fmul", "fdiv"], (name, i) => add(`${name}.${suffix}`, "FR", op(i), withF7));
  add(`fsqrt.${suffix}`, "F1", op(0x0b), withF7Rs2);
  family(["fsgnj", "fsgnjn", "fsgnjx"], (name, i) => add(`${name}.${suffix}`, "R", op(4) | f3(i), withF7F3));
  family(["fmin", "fmax"], (name, i) => add(`${name}.${suffix}`, "R", op(5) | f3(i), withF7F3));
  family(["fle", "flt", "feq"], (name, i) => add(`${name}.${suffix}`, "R", op(0x14) | f3(i), withF7F3));
  ["w", "wu", "l", "lu"].forEach((integer, i) => {
    add(`fcvt.${integer}.${suffix}`, "F1", op(0x18) | rs2(i), withF7Rs2);
    add(`fcvt.${suffix}.${integer}`, "F1", op(0x1a) | rs2(i), withF7Rs2);
  });
  const moved = suffix === "s" ? "w" : "d";
  add(`fmv.x.${moved}`, "R1", op(0x1c), withF7F3 | rs2(31));
  add(`fclass.${suffix}`, "R1", op(0x1c) | f3(1), withF7F3 | rs2(31));
  add(`fmv.${moved}.x`, "R1", op(0x1e), withF7F3 | rs2(31));
  const other = suffix === "s" ? "d" : "s";
  add(`fcvt.${suffix}.${other}`, "F1", op(8) | rs2(1 - fmt), withF7Rs2);
}

/** All rows; the order is the numbering of decoded instructions. */
export const INSTRUCTIONS: readonly InstructionRow[] = rows;

/** Rows by major opcode and funct3; a row that does not look at funct3 is in all eight lists of its opcode. */
const byOpcode: InstructionRow[][] = Array.from({ length: 128 * 8 }, () => []);
for (const row of rows) {
  for (let funct3 = 0; funct3 < 8; funct3++) {
    if ((f3(funct3) & row.mask) === (row.match & row.mask & f3(7)))
      byOpcode[((row.match & opcode) << 3) | funct3].push(row);
  }
}

/** Whether the instruction does nothing but write rd. */
export function isPure({ match }: InstructionRow): boolean {
  return [0x13, 0x33, 0x1b, 0x3b, 0x37, 0x17].includes(match & opcode);
}

/** The rows that a word with this opcode (7 bits) and funct3 can have, in their order. */
export function instructionsWith(opcode: number, funct3: number): readonly InstructionRow[] {
  return byOpcode[(opcode << 3) | funct3];
}

/** The row of a 32-bit instruction word, or null when it is none of ours. */
export function findInstruction(word: number): InstructionRow | null {
  for (const row of instructionsWith(word & opcode, (word >>> 12) & 7))
    if ((word & row.mask) >>> 0 === row.match) return row;
  return null;
}
