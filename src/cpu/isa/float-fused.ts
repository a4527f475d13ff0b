// Bodies of the wasm functions for fused multiply-add, which WebAssembly lacks: exact products and sums with the rounding
// of the tail to odd (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding
// to odd", 2008).
//
//   binary64   a * b = uh + ul            TwoProduct (Dekker), factors split into 26 + 26 bits
//              c + ul = th + tl           TwoSum
//              uh + th = vh + vl          TwoSum
//              z = tl + vl, to odd        so that the last addition rounds as if it saw all bits
//              result = vh + z
//   binary32   a * b is exact in binary64; c + a * b there, to odd, then demoted
//
// Rounding to odd differs from ordinary rounding only when the ordinary result would be a tie of the next rounding, which
// shows in its low bits; so the exact tail is computed only then, or when NX must be decided.

import { FLAG } from "../softfloat.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { F32, F64, I32, I64, VOID } from "../wasm/opcodes.ts";
import {
  emitExponent,
  emitFromF32,
  emitInexactIsSet,
  emitOnlyNearest,
  emitRaise,
  emitRaiseInexact,
  emitRequireNormal,
  emitSumError,
  emitToF32,
  emitUnbox,
  type FloatContext,
  WASM_DOUBLE,
  WASM_SINGLE,
} from "./float-emit.ts";
import type { FusedSigns } from "./fused-multiply-add.ts";

// Biased exponents: of a product a * b (sum of both) and of c, such that no step of the algorithm overflows or loses bits.
const LEAST_PRODUCT = 2 * 1023 - 800;
const PRODUCT_SPAN = 1800;
const LEAST_ADDEND = 1023 - 800;
const ADDEND_SPAN = 1800;

/** Flips the sign of the i64 local. */
function emitNegate(f: FunctionBuilder, local: number, signLow: number, signHigh: number): void {
  f.get(local).i64Halves(signLow, signHigh).op("i64_xor").set(local);
}

/** Pushes whether the i64 bits in the local are +0 or -0. */
function emitBitsAreZero(f: FunctionBuilder, local: number): void {
  f.get(local).i64(1).op("i64_shl", "i64_eqz");
}

/**
 * Operands the algorithm does not cover: zeros are answered here (and the function returns), the rest goes to `slow`.
 * Locals: 0 a, 1 b, 2 c, 3 rm; `product` is the index of the wasm function for fmul.d.
 */
function emitZeroOperands(f: FunctionBuilder, product: number, slow: Label): void {
  const r = f.local(F64);
  emitBitsAreZero(f, 0);
  emitBitsAreZero(f, 1);
  f.op("i32_or").if_(
    VOID,
    () => {
      // Exact unless something is infinite or a NaN, and then the result is a NaN or exact as well.
      f.get(0).op("f64_reinterpret_i64").get(1).op("f64_reinterpret_i64", "f64_mul");
      f.get(2).op("f64_reinterpret_i64", "f64_add").tee(r).get(r).op("f64_ne").brIf(slow);
      f.get(r).op("i64_reinterpret_f64", "return");
    },
    () => {
      // A non-zero product plus zero is the rounded product.
      emitBitsAreZero(f, 2);
      f.op("i32_eqz").brIf(slow).get(0).get(1).get(3).call(product).op("return");
    },
  );
}

/** Pushes the high part (26 bits, rounded) of the f64 whose bits are in `local`. */
function emitHighPart(f: FunctionBuilder, local: number): void {
  f.get(local)
    .i64(2 ** 26)
    .op("i64_add")
    .i64(-(2 ** 27))
    .op("i64_and", "f64_reinterpret_i64");
}

/** uh + ul = a * b, exactly; a and b are given as bits in locals 0 and 1. */
function emitTwoProduct(f: FunctionBuilder, uh: number, ul: number): void {
  const [ah, al, bh, bl] = [f.local(F64), f.local(F64), f.local(F64), f.local(F64)];
  f.get(0).op("f64_reinterpret_i64").get(1).op("f64_reinterpret_i64", "f64_mul").set(uh);
  emitHighPart(f, 0);
  f.set(ah);
  f.get(0).op("f64_reinterpret_i64").get(ah).op("f64_sub").set(al);
  emitHighPart(f, 1);
  f.set(bh);
  f.get(1).op("f64_reinterpret_i64").get(bh).op("f64_sub").set(bl);
  f.get(ah).get(bh).op("f64_mul").get(uh).op("f64_sub");
  f.get(ah).get(bl).op("f64_mul", "f64_add").get(al).get(bh).op("f64_mul", "f64_add");
  f.get(al).get(bl).op("f64_mul", "f64_add").set(ul);
}

/**
 * Makes the f64 in `z` odd if its last bit is 0: towards `error`, the exact rest of which only the sign matters.
 * Precondition: neither is zero. `bits` is an i64 scratch.
 */
function emitMakeOdd(f: FunctionBuilder, z: number, error: number, bits: number): void {
  f.get(z)
    .op("i64_reinterpret_f64")
    .tee(bits)
    .i64(1)
    .op("i64_and", "i64_eqz")
    .if_(VOID, () => {
      f.get(bits).i64(1).i64(-1);
      f.get(bits).get(error).op("i64_reinterpret_f64", "i64_xor").i64(0).op("i64_ge_s", "select", "i64_add");
      f.op("f64_reinterpret_i64").set(z);
    });
}

/** Locals: 0 a, 1 b, 2 c, 3 rm. Negations are applied to a and c in place, so the slow path is always fmadd.d. */
export function emitFusedDouble(
  f: FunctionBuilder,
  context: FloatContext,
  signs: FusedSigns,
  product: number,
  slow: Label,
): void {
  const [c, uh, ul, th, tl] = [f.local(F64), f.local(F64), f.local(F64), f.local(F64), f.local(F64)];
  const [vh, vl, z, zl, r, t] = [f.local(F64), f.local(F64), f.local(F64), f.local(F64), f.local(F64), f.local(F64)];
  const bits = f.local(I64);
  const [ea, eb, exact] = [f.local(I32), f.local(I32), f.local(I32)];
  if (signs.negateProduct) emitNegate(f, 0, 0, 0x8000_0000 | 0);
  if (signs.negateAddend) emitNegate(f, 2, 0, 0x8000_0000 | 0);
  emitOnlyNearest(f, 3, slow);
  emitExponent(f, 0);
  f.tee(ea).i32(1).op("i32_sub").i32(2045).op("i32_ge_u");
  emitExponent(f, 1);
  f.tee(eb).i32(1).op("i32_sub").i32(2045).op("i32_ge_u", "i32_or");
  f.get(ea).get(eb).op("i32_add").i32(LEAST_PRODUCT).op("i32_sub").i32(PRODUCT_SPAN).op("i32_ge_u", "i32_or");
  emitExponent(f, 2);
  f.i32(LEAST_ADDEND).op("i32_sub").i32(ADDEND_SPAN).op("i32_ge_u", "i32_or");
  f.if_(
    VOID,
    () => {
      emitZeroOperands(f, product, slow);
      f.op("unreachable");
    },
    undefined,
    false,
  );
  f.get(2).op("f64_reinterpret_i64").set(c);
  emitTwoProduct(f, uh, ul);
  f.get(c).get(ul).op("f64_add").set(th);
  emitSumError(f, WASM_DOUBLE, th, c, ul, t);
  f.set(tl);
  f.get(uh).get(th).op("f64_add").set(vh);
  emitSumError(f, WASM_DOUBLE, vh, uh, th, t);
  f.set(vl);
  f.get(tl).get(vl).op("f64_add").set(z);
  emitInexactIsSet(f, context);
  f.tee(exact).op("i32_eqz");
  f.get(z)
    .op("i64_reinterpret_f64")
    .i64(2 ** 50 - 1)
    .op("i64_and", "i64_eqz", "i32_or");
  f.if_(
    VOID,
    () => {
      emitSumError(f, WASM_DOUBLE, z, tl, vl, t);
      f.tee(zl)
        .f64(0)
        .op("f64_ne")
        .if_(VOID, () => {
          emitMakeOdd(f, z, zl, bits);
          emitRaise(f, context, FLAG.NX);
        });
      f.get(vh).get(z).op("f64_add").set(r);
      emitSumError(f, WASM_DOUBLE, r, vh, z, t);
      f.f64(0)
        .op("f64_ne")
        .if_(VOID, () => emitRaise(f, context, FLAG.NX));
      f.get(r).op("i64_reinterpret_f64", "return");
    },
    undefined,
    false,
  );
  f.get(vh).get(z).op("f64_add", "i64_reinterpret_f64", "return");
}

/** Locals: 0 a, 1 b, 2 c, 3 rm. Negations are applied to a and c in place, so the slow path is always fmadd.s. */
export function emitFusedSingle(f: FunctionBuilder, context: FloatContext, signs: FusedSigns, slow: Label): void {
  const [p, c, s, error, t] = [f.local(F64), f.local(F64), f.local(F64), f.local(F64), f.local(F64)];
  const r = f.local(F32);
  const bits = f.local(I64);
  const inexact = f.local(I32);
  for (const operand of [0, 1, 2]) emitUnbox(f, operand);
  if (signs.negateProduct) emitNegate(f, 0, 0x8000_0000 | 0, 0);
  if (signs.negateAddend) emitNegate(f, 2, 0x8000_0000 | 0, 0);
  emitOnlyNearest(f, 3, slow);
  f.get(0);
  emitToF32(f);
  f.op("f64_promote_f32").get(1);
  emitToF32(f);
  f.op("f64_promote_f32", "f64_mul").tee(p).get(2);
  emitToF32(f);
  f.op("f64_promote_f32").tee(c).op("f64_add").set(s);
  emitSumError(f, WASM_DOUBLE, s, p, c, t);
  f.set(error);
  // A tie of the demotion that is no tie of the exact value.
  f.get(s).op("i64_reinterpret_f64").i64(0x1fff_ffff).op("i64_and").i64(0x1000_0000).op("i64_eq");
  f.get(error)
    .f64(0)
    .op("f64_ne", "i32_and")
    .if_(VOID, () => emitMakeOdd(f, s, error, bits), undefined, false);
  f.get(s).op("f32_demote_f64").set(r);
  emitRequireNormal(f, WASM_SINGLE, r, bits, slow, () => f.get(s).f64(0).op("f64_eq"));
  f.get(error).f64(0).op("f64_ne").get(r).op("f64_promote_f32").get(s).op("f64_ne", "i32_or").set(inexact);
  emitRaiseInexact(f, context, inexact);
  f.get(r);
  emitFromF32(f);
  f.op("return");
}
