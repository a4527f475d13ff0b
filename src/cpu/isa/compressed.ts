// Expands 16-bit instructions (C extension for RV64 with F and D) to the 32-bit instruction they stand for
// (RISC-V Instruction Set Manual, volume I, chapter "C"). Pure; 0 stands for an illegal or reserved encoding.

const field = (word: number, high: number, low: number) => (word >>> low) & ((1 << (high - low + 1)) - 1);
const bit = (word: number, at: number) => (word >>> at) & 1;

const rType = (op: number, funct3: number, funct7: number, rd: number, rs1: number, rs2: number) =>
  ((funct7 << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | op) >>> 0;
const iType = (op: number, funct3: number, rd: number, rs1: number, imm: number) =>
  (((imm & 0xfff) << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | op) >>> 0;
const sType = (op: number, funct3: number, rs1: number, rs2: number, imm: number) =>
  ((((imm >> 5) & 0x7f) << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | ((imm & 31) << 7) | op) >>> 0;
const bType = (funct3: number, rs1: number, imm: number) =>
  ((bit(imm, 12) << 31) |
    (((imm >> 5) & 0x3f) << 25) |
    (rs1 << 15) |
    (funct3 << 12) |
    (((imm >> 1) & 15) << 8) |
    (bit(imm, 11) << 7) |
    0x63) >>>
  0;
const jType = (rd: number, imm: number) =>
  ((bit(imm, 20) << 31) |
    (((imm >> 1) & 0x3ff) << 21) |
    (bit(imm, 11) << 20) |
    (((imm >> 12) & 0xff) << 12) |
    (rd << 7) |
    0x6f) >>>
  0;

const signed = (value: number, bits: number) => (value << (32 - bits)) >> (32 - bits);

/** The forms (decode.ts) that what this expands to can have. */
export const COMPRESSED_FORMS: ReadonlySet<string> = new Set(
  (
    "addi li mv nop add addiw lui slli srli srai andi sub xor or and subw addw lw ld fld sw sd fsd j j.near beq beq.near " +
    "bne bne.near jr jalr ebreak"
  ).split(" "),
);

/** Expands the halfword; 0 if it is illegal. Its low two bits are not 3. */
export function expandCompressed(half: number): number {
  switch (((half & 3) << 3) | (half >>> 13)) {
    case 0:
      return addi4spn(half);
    case 1:
      return iType(0x07, 3, creg(half, 2), creg(half, 7), offsetD(half)); // c.fld
    case 2:
      return iType(0x03, 2, creg(half, 2), creg(half, 7), offsetW(half)); // c.lw
    case 3:
      return iType(0x03, 3, creg(half, 2), creg(half, 7), offsetD(half)); // c.ld
    case 5:
      return sType(0x27, 3, creg(half, 7), creg(half, 2), offsetD(half)); // c.fsd
    case 6:
      return sType(0x23, 2, creg(half, 7), creg(half, 2), offsetW(half)); // c.sw
    case 7:
      return sType(0x23, 3, creg(half, 7), creg(half, 2), offsetD(half)); // c.sd
    case 8:
      return iType(0x13, 0, rd(half), rd(half), imm6(half)); // c.addi, c.nop
    case 9:
      return rd(half) === 0 ? 0 : iType(0x1b, 0, rd(half), rd(half), imm6(half)); // c.addiw
    case 10:
      return iType(0x13, 0, rd(half), 0, imm6(half)); // c.li
    case 11:
      return luiOrAddi16sp(half);
    case 12:
      return arithmetic(half);
    case 13:
      return jType(0, offsetJ(half)); // c.j
    case 14:
      return bType(0, creg(half, 7), offsetB(half)); // c.beqz
    case 15:
      return bType(1, creg(half, 7), offsetB(half)); // c.bnez
    case 16:
      return iType(0x13, 1, rd(half), rd(half), (bit(half, 12) << 5) | field(half, 6, 2)); // c.slli
    case 17:
      return iType(0x07, 3, rd(half), 2, offsetDsp(half)); // c.fldsp
    case 18:
      return rd(half) === 0
        ? 0
        : iType(0x03, 2, rd(half), 2, (field(half, 3, 2) << 6) | (bit(half, 12) << 5) | (field(half, 6, 4) << 2)); // c.lwsp
    case 19:
      return rd(half) === 0 ? 0 : iType(0x03, 3, rd(half), 2, offsetDsp(half)); // c.ldsp
    case 20:
      return jumpOrMove(half);
    case 21:
      return sType(0x27, 3, 2, field(half, 6, 2), (field(half, 9, 7) << 6) | (field(half, 12, 10) << 3)); // c.fsdsp
    case 22:
      return sType(0x23, 2, 2, field(half, 6, 2), (field(half, 8, 7) << 6) | (field(half, 12, 9) << 2)); // c.swsp
    case 23:
      return sType(0x23, 3, 2, field(half, 6, 2), (field(half, 9, 7) << 6) | (field(half, 12, 10) << 3)); // c.sdsp
    default:
      return 0;
  }
}

const rd = (half: number) => field(half, 11, 7);
const creg = (half: number, low: number) => 8 + field(half, low + 2, low);
const imm6 = (half: number) => signed((bit(half, 12) << 5) | field(half, 6, 2), 6);
const offsetW = (half: number) => (bit(half, 5) << 6) | (field(half, 12, 10) << 3) | (bit(half, 6) << 2);
const offsetD = (half: number) => (field(half, 6, 5) << 6) | (field(half, 12, 10) << 3);
const offsetDsp = (half: number) => (field(half, 4, 2) << 6) | (bit(half, 12) << 5) | (field(half, 6, 5) << 3);

function offsetJ(half: number): number {
  return signed(
    (bit(half, 12) << 11) |
      (bit(half, 8) << 10) |
      (field(half, 10, 9) << 8) |
      (bit(half, 6) << 7) |
      (bit(half, 7) << 6) |
      (bit(half, 2) << 5) |
      (bit(half, 11) << 4) |
      (field(half, 5, 3) << 1),
    12,
  );
}

function offsetB(half: number): number {
  return signed(
    (bit(half, 12) << 8) |
      (field(half, 6, 5) << 6) |
      (bit(half, 2) << 5) |
      (field(half, 11, 10) << 3) |
      (field(half, 4, 3) << 1),
    9,
  );
}

function addi4spn(half: number): number {
  const imm = (field(half, 10, 7) << 6) | (field(half, 12, 11) << 4) | (bit(half, 5) << 3) | (bit(half, 6) << 2);
  return imm === 0 ? 0 : iType(0x13, 0, creg(half, 2), 2, imm);
}

function luiOrAddi16sp(half: number): number {
  if (rd(half) === 2) {
    const imm = signed(
      (bit(half, 12) << 9) | (field(half, 4, 3) << 7) | (bit(half, 5) << 6) | (bit(half, 2) << 5) | (bit(half, 6) << 4),
      10,
    );
    return imm === 0 ? 0 : iType(0x13, 0, 2, 2, imm);
  }
  const imm = imm6(half);
  return imm === 0 ? 0 : ((imm << 12) | (rd(half) << 7) | 0x37) >>> 0;
}

function arithmetic(half: number): number {
  const r = creg(half, 7);
  const shift = (bit(half, 12) << 5) | field(half, 6, 2);
  switch (field(half, 11, 10)) {
    case 0:
      return iType(0x13, 5, r, r, shift);
    case 1:
      return iType(0x13, 5, r, r, shift | 0x400);
    case 2:
      return iType(0x13, 7, r, r, imm6(half));
  }
  const r2 = creg(half, 2);
  switch ((bit(half, 12) << 2) | field(half, 6, 5)) {
    case 0:
      return rType(0x33, 0, 0x20, r, r, r2); // c.sub
    case 1:
      return rType(0x33, 4, 0, r, r, r2); // c.xor
    case 2:
      return rType(0x33, 6, 0, r, r, r2); // c.or
    case 3:
      return rType(0x33, 7, 0, r, r, r2); // c.and
    case 4:
      return rType(0x3b, 0, 0x20, r, r, r2); // c.subw
    case 5:
      return rType(0x3b, 0, 0, r, r, r2); // c.addw
    default:
      return 0;
  }
}

function jumpOrMove(half: number): number {
  const r = rd(half);
  const r2 = field(half, 6, 2);
  if (bit(half, 12) === 0) {
    if (r2 !== 0) return rType(0x33, 0, 0, r, 0, r2); // c.mv
    return r === 0 ? 0 : iType(0x67, 0, 0, r, 0); // c.jr
  }
  if (r2 !== 0) return rType(0x33, 0, 0, r, r, r2); // c.add
  return r === 0 ? 0x00100073 : iType(0x67, 0, 1, r, 0); // c.ebreak, c.jalr
}
