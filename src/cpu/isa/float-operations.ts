// The list of F and D computations on register values: names, operand kinds, and the exact meaning in terms of SoftFloat.
// Register values are raw 64-bit patterns: single-precision operands are NaN-unboxed here, results boxed. No wasm here.
import { DOUBLE, type FloatFormat, SINGLE, type SoftFloat } from "../softfloat.ts";

export interface FloatOperation {
  readonly name: string;
  /** Index in FLOAT_OPERATIONS: how wasm names the operation to JS. */
  readonly code: number;
  /** One letter an operand: f (floating-point register) or x (integer register). */
  readonly operands: "f" | "ff" | "fff" | "x";
  readonly result: "f" | "x";
  /** Whether the result depends on the rounding mode. */
  readonly rounds: boolean;
  /** Whether the encoding has an rm field (some conversions have one although they are always exact). */
  readonly rmField: boolean;
  /** Unsigned 64-bit register patterns in, unsigned 64-bit register pattern out; exceptions go to `soft.flags`. */
  readonly evaluate: (soft: SoftFloat, rm: number, a: bigint, b: bigint, c: bigint) => bigint;
}

const LOW_32 = 0xffff_ffffn;
const BOX = 0xffff_ffff_0000_0000n;

/** The value of a register read as single precision: anything not NaN-boxed is the canonical NaN. */
export function unbox(bits: bigint): bigint {
  return (bits & BOX) === BOX ? bits & LOW_32 : SINGLE.canonicalNan;
}

function read(f: FloatFormat, bits: bigint): bigint {
  return f === SINGLE ? unbox(bits) : bits;
}

function write(f: FloatFormat, bits: bigint): bigint {
  return f === SINGLE ? bits | BOX : bits;
}

const rows: FloatOperation[] = [];

function define(row: Omit<FloatOperation, "code" | "rmField"> & { rmField?: boolean }): void {
  rows.push({ rmField: row.rounds, ...row, code: rows.length });
}

function defineArithmetic(f: FloatFormat, s: string): void {
  const binary = (name: "add" | "sub" | "mul" | "div") =>
    define({
      name: `f${name}${s}`,
      operands: "ff",
      result: "f",
      rounds: true,
      evaluate: (soft, rm, a, b) => write(f, soft[name](f, rm, read(f, a), read(f, b))),
    });
  binary("add");
  binary("sub");
  binary("mul");
  binary("div");
  define({
    name: `fsqrt${s}`,
    operands: "f",
    result: "f",
    rounds: true,
    evaluate: (soft, rm, a) => write(f, soft.sqrt(f, rm, read(f, a))),
  });
  const fused = (name: string, negateProduct: boolean, negateAddend: boolean) =>
    define({
      name: name + s,
      operands: "fff",
      result: "f",
      rounds: true,
      evaluate: (soft, rm, a, b, c) =>
        write(f, soft.fma(f, rm, read(f, a), read(f, b), read(f, c), negateProduct, negateAddend)),
    });
  fused("fmadd", false, false);
  fused("fmsub", false, true);
  fused("fnmsub", true, false);
  fused("fnmadd", true, true);
}

function defineComparisons(f: FloatFormat, s: string): void {
  for (const name of ["min", "max"] as const) {
    define({
      name: `f${name}${s}`,
      operands: "ff",
      result: "f",
      rounds: false,
      evaluate: (soft, _rm, a, b) => write(f, soft[name](f, read(f, a), read(f, b))),
    });
  }
  for (const name of ["eq", "lt", "le"] as const) {
    define({
      name: `f${name}${s}`,
      operands: "ff",
      result: "x",
      rounds: false,
      evaluate: (soft, _rm, a, b) => (soft[name](f, read(f, a), read(f, b)) ? 1n : 0n),
    });
  }
  define({
    name: `fclass${s}`,
    operands: "f",
    result: "x",
    rounds: false,
    evaluate: (soft, _rm, a) => BigInt(soft.classify(f, read(f, a))),
  });
}

function defineMoves(f: FloatFormat, s: string): void {
  const magnitude = f.signBit - 1n;
  const sign = (name: string, pick: (a: bigint, b: bigint) => bigint) =>
    define({
      name: name + s,
      operands: "ff",
      result: "f",
      rounds: false,
      evaluate: (_soft, _rm, a, b) => {
        const x = read(f, a);
        return write(f, (x & magnitude) | (pick(x, read(f, b)) & f.signBit));
      },
    });
  sign("fsgnj", (_a, b) => b);
  sign("fsgnjn", (_a, b) => ~b);
  sign("fsgnjx", (a, b) => a ^ b);
  const width = f === SINGLE ? "w" : "d";
  define({
    name: `fmv.x.${width}`,
    operands: "f",
    result: "x",
    rounds: false,
    evaluate: (_soft, _rm, a) => (f === SINGLE ? BigInt.asUintN(64, BigInt.asIntN(32, a)) : a),
  });
  define({
    name: `fmv.${width}.x`,
    operands: "x",
    result: "f",
    rounds: false,
    evaluate: (_soft, _rm, a) => (f === SINGLE ? (a & LOW_32) | BOX : a),
  });
}

function defineConversions(f: FloatFormat, s: string): void {
  const kinds = [
    ["w", 32, true],
    ["wu", 32, false],
    ["l", 64, true],
    ["lu", 64, false],
  ] as const;
  for (const [kind, bits, signed] of kinds) {
    define({
      name: `fcvt.${kind}${s}`,
      operands: "f",
      result: "x",
      rounds: true,
      evaluate: (soft, rm, a) => {
        const value = soft.toInteger(f, rm, read(f, a), bits, signed);
        // 32-bit results, the unsigned ones too, are sign-extended.
        return BigInt.asUintN(64, bits === 32 ? BigInt.asIntN(32, value) : value);
      },
    });
    define({
      name: `fcvt${s}.${kind}`,
      operands: "x",
      result: "f",
      rounds: !(f === DOUBLE && bits === 32),
      rmField: true,
      evaluate: (soft, rm, a) =>
        write(f, soft.fromInteger(f, rm, signed ? BigInt.asIntN(bits, a) : BigInt.asUintN(bits, a))),
    });
  }
}

for (const [f, s] of [
  [SINGLE, ".s"],
  [DOUBLE, ".d"],
] as const) {
  defineArithmetic(f, s);
  defineComparisons(f, s);
  defineMoves(f, s);
  defineConversions(f, s);
}
define({
  name: "fcvt.s.d",
  operands: "f",
  result: "f",
  rounds: true,
  evaluate: (soft, rm, a) => write(SINGLE, soft.convert(DOUBLE, SINGLE, rm, a)),
});
define({
  name: "fcvt.d.s",
  operands: "f",
  result: "f",
  rounds: false,
  rmField: true,
  evaluate: (soft, rm, a) => soft.convert(SINGLE, DOUBLE, rm, unbox(a)),
});

export const FLOAT_OPERATIONS: readonly FloatOperation[] = rows;

const byName = new Map(rows.map((row) => [row.name, row]));

/** The row of an operation; throws for a name that is not in the list (a programmer's error). */
export function floatOperation(name: string): FloatOperation {
  const row = byName.get(name);
  if (!row) throw new Error(`no floating-point operation ${name}`);
  return row;
}
