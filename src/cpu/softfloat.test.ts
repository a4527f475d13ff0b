// The software floating point against the engine's own arithmetic, and where that says nothing: rounding modes, exceptions, special values.
import { describe, expect, it } from "vitest";
import { Prng } from "../util/prng.ts";
import { floatOperation, unbox } from "./isa/float-operations.ts";
import { DOUBLE, FLAG, ROUND, SINGLE, SoftFloat } from "./softfloat.ts";

const { NX, UF, OF, DZ, NV } = FLAG;
const { RNE, RTZ, RDN, RUP, RMM } = ROUND;
const view = new DataView(new ArrayBuffer(8));

function double(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function single(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

/** Result and flags of one call. */
function flagged(run: (soft: SoftFloat) => bigint | boolean | number): [bigint | boolean | number, number] {
  const soft = new SoftFloat();
  const result = run(soft);
  return [result, soft.flags];
}

const QUIET = DOUBLE.canonicalNan;
const PAYLOAD = 0x7ff8_dead_beef_0000n;
const SIGNALING = 0x7ff0_0000_0000_0001n;
const INFINITY = DOUBLE.infinity;
const MINUS = DOUBLE.signBit;
const MAX = INFINITY - 1n;
const TINY = 1n; // the smallest subnormal
const SMALLEST_NORMAL = DOUBLE.hiddenBit;

describe("against the engine's own arithmetic, rounding to nearest", () => {
  const random = new Prng(7);
  const draw = () => (BigInt(random.next()) << 32n) | BigInt(random.next());
  const near = () => (draw() & 0x800f_ffff_ffff_ffffn) | (BigInt(1000 + random.below(60)) << 52n);
  const toNumber = (bits: bigint) => {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  };
  const toSingle = (bits: bigint) => {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  };
  const canonical = (bits: bigint, nan: bigint, value: number) => (Number.isNaN(value) ? nan : bits);

  it("computes doubles", () => {
    const soft = new SoftFloat();
    for (let i = 0; i < 6000; i++) {
      const [a, b] = i % 2 === 0 ? [draw(), draw()] : [near(), near()];
      const [x, y] = [toNumber(a), toNumber(b)];
      const check = (bits: bigint, value: number) => expect(bits).toBe(canonical(double(value), QUIET, value));
      check(soft.add(DOUBLE, RNE, a, b), x + y);
      check(soft.sub(DOUBLE, RNE, a, b), x - y);
      check(soft.mul(DOUBLE, RNE, a, b), x * y);
      check(soft.div(DOUBLE, RNE, a, b), x / y);
      check(soft.sqrt(DOUBLE, RNE, a), Math.sqrt(x));
      expect(soft.lt(DOUBLE, a, b)).toBe(x < y);
      expect(soft.le(DOUBLE, a, b)).toBe(x <= y);
      expect(soft.eq(DOUBLE, a, b)).toBe(x === y);
      expect(soft.convert(DOUBLE, SINGLE, RNE, a)).toBe(canonical(single(x), SINGLE.canonicalNan, x));
    }
  });

  it("computes singles", () => {
    const soft = new SoftFloat();
    for (let i = 0; i < 6000; i++) {
      const [a, b] = [BigInt(random.next()), BigInt(random.next())];
      const [x, y] = [toSingle(a), toSingle(b)];
      const check = (bits: bigint, value: number) =>
        expect(bits).toBe(canonical(single(value), SINGLE.canonicalNan, value));
      check(soft.add(SINGLE, RNE, a, b), x + y);
      check(soft.mul(SINGLE, RNE, a, b), x * y);
      check(soft.div(SINGLE, RNE, a, b), x / y);
      check(soft.sqrt(SINGLE, RNE, a), Math.sqrt(x));
    }
  });
});

describe("exceptions and special values", () => {
  it("produces only the canonical NaN, invalid for signaling operands", () => {
    expect(flagged((s) => s.add(DOUBLE, RNE, PAYLOAD, double(1)))).toEqual([QUIET, 0]);
    expect(flagged((s) => s.add(DOUBLE, RNE, SIGNALING, double(1)))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.sub(DOUBLE, RNE, INFINITY, INFINITY))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.mul(DOUBLE, RNE, INFINITY, 0n))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.div(DOUBLE, RNE, 0n, 0n))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.sqrt(DOUBLE, RNE, double(-1)))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.sqrt(DOUBLE, RNE, MINUS))).toEqual([MINUS, 0]);
  });

  it("calls infinity times zero invalid even when a quiet NaN is added", () => {
    expect(flagged((s) => s.fma(DOUBLE, RNE, INFINITY, 0n, PAYLOAD, false, false))).toEqual([QUIET, NV]);
    expect(flagged((s) => s.fma(DOUBLE, RNE, double(1), 0n, PAYLOAD, false, false))).toEqual([QUIET, 0]);
  });

  it("divides by zero", () => {
    expect(flagged((s) => s.div(DOUBLE, RNE, double(-1), 0n))).toEqual([MINUS | INFINITY, DZ]);
    expect(flagged((s) => s.div(DOUBLE, RNE, INFINITY, 0n))).toEqual([INFINITY, 0]);
  });

  it("overflows to infinity or to the largest number by mode and sign", () => {
    const twice = (rm: number, sign: bigint) => flagged((s) => s.add(DOUBLE, rm, sign | MAX, sign | MAX));
    for (const rm of [RNE, RMM]) expect(twice(rm, 0n)).toEqual([INFINITY, OF | NX]);
    expect(twice(RTZ, 0n)).toEqual([MAX, OF | NX]);
    expect(twice(RDN, 0n)).toEqual([MAX, OF | NX]);
    expect(twice(RUP, 0n)).toEqual([INFINITY, OF | NX]);
    expect(twice(RDN, MINUS)).toEqual([MINUS | INFINITY, OF | NX]);
    expect(twice(RUP, MINUS)).toEqual([MINUS | MAX, OF | NX]);
  });

  it("detects tininess after rounding", () => {
    // (1 - 2^-53) * smallest normal lies half-way below it: tiny with 53 bits, although the result is the normal number.
    const justBelowOne = double(1 - 2 ** -53);
    expect(flagged((s) => s.mul(DOUBLE, RNE, justBelowOne, SMALLEST_NORMAL))).toEqual([SMALLEST_NORMAL, UF | NX]);
    // Rounded to 53 bits this one is the smallest normal already: not tiny.
    const product = flagged((s) => s.mul(DOUBLE, RUP, double(1 - 2 ** -53), SMALLEST_NORMAL + 1n));
    expect(product).toEqual([SMALLEST_NORMAL + 1n, NX]);
    expect(flagged((s) => s.mul(DOUBLE, RNE, TINY, double(0.5)))).toEqual([0n, UF | NX]);
    expect(flagged((s) => s.mul(DOUBLE, RUP, TINY, double(0.5)))).toEqual([TINY, UF | NX]);
    expect(flagged((s) => s.mul(DOUBLE, RNE, TINY, double(2)))).toEqual([2n, 0]); // exact subnormals raise nothing
  });

  it("gives exact differences the sign of the mode", () => {
    expect(flagged((s) => s.sub(DOUBLE, RNE, double(3), double(3)))).toEqual([0n, 0]);
    expect(flagged((s) => s.sub(DOUBLE, RDN, double(3), double(3)))).toEqual([MINUS, 0]);
    expect(flagged((s) => s.add(DOUBLE, RNE, MINUS, MINUS))).toEqual([MINUS, 0]);
  });

  it("rounds half-way cases by mode", () => {
    const half = (rm: number, sign: number) =>
      flagged((s) => s.add(DOUBLE, rm, double(sign), double(sign * 2 ** -53)))[0];
    expect(half(RNE, 1)).toBe(double(1));
    expect(half(RMM, 1)).toBe(double(1) + 1n);
    expect(half(RTZ, -1)).toBe(double(-1));
    expect(half(RDN, -1)).toBe(double(-1) + 1n);
    expect(half(RUP, -1)).toBe(double(-1));
  });

  it("fuses: one rounding only", () => {
    const x = double(1 + 2 ** -30);
    const expected = flagged((s) => s.fma(DOUBLE, RNE, x, x, double(-(1 + 2 ** -29)), false, false));
    expect(expected).toEqual([double(2 ** -60), 0]);
  });
});

describe("minimum, maximum, comparison, class", () => {
  it("lets NaNs lose and orders zeros", () => {
    expect(flagged((s) => s.min(DOUBLE, 0n, MINUS))).toEqual([MINUS, 0]);
    expect(flagged((s) => s.max(DOUBLE, MINUS, 0n))).toEqual([0n, 0]);
    expect(flagged((s) => s.min(DOUBLE, PAYLOAD, double(1)))).toEqual([double(1), 0]);
    expect(flagged((s) => s.max(DOUBLE, double(1), SIGNALING))).toEqual([double(1), NV]);
    expect(flagged((s) => s.max(DOUBLE, PAYLOAD, PAYLOAD))).toEqual([QUIET, 0]);
  });

  it("compares quietly for equality only", () => {
    expect(flagged((s) => s.eq(DOUBLE, PAYLOAD, double(1)))).toEqual([false, 0]);
    expect(flagged((s) => s.eq(DOUBLE, SIGNALING, double(1)))).toEqual([false, NV]);
    expect(flagged((s) => s.lt(DOUBLE, PAYLOAD, double(1)))).toEqual([false, NV]);
    expect(flagged((s) => s.le(DOUBLE, MINUS, 0n))).toEqual([true, 0]);
    expect(flagged((s) => s.lt(DOUBLE, MINUS, 0n))).toEqual([false, 0]);
  });

  it("classifies all ten kinds", () => {
    const kinds = [MINUS | INFINITY, double(-1), MINUS | 1n, MINUS, 0n, 1n, double(1), INFINITY, SIGNALING, QUIET];
    const soft = new SoftFloat();
    for (const [i, bits] of kinds.entries()) expect(soft.classify(DOUBLE, bits)).toBe(1 << i);
  });
});

describe("conversions", () => {
  const toInt = (rm: number, value: number, bits: number, signed: boolean) =>
    flagged((s) => s.toInteger(DOUBLE, rm, double(value), bits, signed));

  it("saturate as invalid, without inexact", () => {
    expect(toInt(RNE, 2 ** 31 - 1, 32, true)).toEqual([2n ** 31n - 1n, 0]);
    expect(toInt(RNE, 2 ** 31 - 0.5, 32, true)).toEqual([2n ** 31n - 1n, NV]);
    expect(toInt(RTZ, 2 ** 31 - 0.5, 32, true)).toEqual([2n ** 31n - 1n, NX]);
    expect(toInt(RTZ, -(2 ** 31) - 0.5, 32, true)).toEqual([-(2n ** 31n), NX]);
    expect(toInt(RDN, -(2 ** 31) - 0.5, 32, true)).toEqual([-(2n ** 31n), NV]);
    expect(toInt(RTZ, -0.9, 32, false)).toEqual([0n, NX]);
    expect(toInt(RDN, -0.9, 32, false)).toEqual([0n, NV]);
    expect(toInt(RNE, 2 ** 63, 64, true)).toEqual([2n ** 63n - 1n, NV]);
    expect(toInt(RNE, 2 ** 63, 64, false)).toEqual([2n ** 63n, 0]);
    expect(toInt(RNE, Number.NaN, 64, true)).toEqual([2n ** 63n - 1n, NV]);
    expect(toInt(RNE, Number.NEGATIVE_INFINITY, 64, false)).toEqual([0n, NV]);
  });

  it("round to integers by mode", () => {
    const halves = (rm: number) => [-2.5, -1.5, 1.5, 2.5].map((x) => Number(toInt(rm, x, 64, true)[0]));
    expect(halves(RNE)).toEqual([-2, -2, 2, 2]);
    expect(halves(RTZ)).toEqual([-2, -1, 1, 2]);
    expect(halves(RDN)).toEqual([-3, -2, 1, 2]);
    expect(halves(RUP)).toEqual([-2, -1, 2, 3]);
    expect(halves(RMM)).toEqual([-3, -2, 2, 3]);
  });

  it("from integers round once", () => {
    expect(flagged((s) => s.fromInteger(DOUBLE, RNE, 2n ** 53n + 1n))).toEqual([double(2 ** 53), NX]);
    expect(flagged((s) => s.fromInteger(DOUBLE, RUP, 2n ** 53n + 1n))).toEqual([double(2 ** 53 + 2), NX]);
    expect(flagged((s) => s.fromInteger(SINGLE, RNE, -(2n ** 63n)))).toEqual([single(-(2 ** 63)), 0]);
  });
});

describe("register values", () => {
  it("are NaN-boxed: anything else reads as the canonical NaN", () => {
    expect(unbox(0xffff_ffff_3f80_0000n)).toBe(single(1));
    expect(unbox(0xffff_fffe_3f80_0000n)).toBe(SINGLE.canonicalNan);
    const soft = new SoftFloat();
    const one = 0xffff_ffff_3f80_0000n;
    expect(floatOperation("fadd.s").evaluate(soft, RNE, one, one, 0n)).toBe(0xffff_ffff_4000_0000n);
    expect(floatOperation("fadd.s").evaluate(soft, RNE, one, 0n, 0n)).toBe(0xffff_ffff_7fc0_0000n);
    expect(floatOperation("fmv.x.w").evaluate(soft, RNE, 0x8000_0000n, 0n, 0n)).toBe(0xffff_ffff_8000_0000n);
    expect(floatOperation("fcvt.wu.d").evaluate(soft, RNE, double(2 ** 31), 0n, 0n)).toBe(0xffff_ffff_8000_0000n);
  });
});
