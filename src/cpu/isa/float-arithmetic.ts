// Bodies of the wasm functions for add, subtract, multiply, divide and square root: a native fast path that proves which
// flags arise, and the rare path through softfloat. Fused multiply-add is in float-fused.ts, the rest in float-helpers.ts.
//
// The fast path runs under round-to-nearest-even only. A finite, clearly normal native result is the right one, so only
// NX can be raised; if NX is already set there is nothing left to find out, else exactness is decided:
//
//   operation   binary64                                             binary32 (in binary64, where products are exact)
//   a + b       error-free sum has no error                          the same in binary32
//   a * b       trailing zeros of the 106-bit product suffice        demoting the exact product changes nothing
//   a / b = r   r * b is exact and equals a                          r * b, exact in binary64, equals a
//   sqrt a = r  r * r is exact and equals a                          r * r, exact in binary64, equals a
//
// Trailing zeros: significands have 53 bits, so their product has 105 or 106; it fits 53 bits if and only if it ends in 52
// or 53 zeros, and the zeros of a product are the sum of the zeros of its factors. 105 bits show in the exponent.
// Dividing or rooting in binary64 and then demoting rounds twice but harmlessly, as 53 >= 2 * 24 + 2.

import { FLAG } from "../softfloat.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { F64, I32, I64, VOID } from "../wasm/opcodes.ts";
import {
  emitConstant,
  emitExponent,
  emitFloatOf,
  emitFromF32,
  emitInexactIsSet,
  emitOnlyNearest,
  emitRaise,
  emitRaiseInexact,
  emitRegisterOf,
  emitRequireNormal,
  emitSumError,
  emitToF32,
  emitTrailingZeros,
  emitUnbox,
  type FloatContext,
  WASM_SINGLE,
  type WasmFormat,
} from "./float-emit.ts";

/** Runs `fast` in a block whose label means "not provable here"; `slow` follows it. `fast` returns from the function. */
export function emitFastSlow(f: FunctionBuilder, fast: (slow: Label) => void, slow: () => void): void {
  f.block(VOID, (label) => {
    fast(label);
    f.op("unreachable");
  });
  slow();
}

/** Returns the float in `r` from the function if NX is already set. */
function emitReturnIfInexact(f: FunctionBuilder, context: FloatContext, w: WasmFormat, r: number): void {
  emitInexactIsSet(f, context);
  f.if_(
    VOID,
    () => {
      f.get(r);
      emitRegisterOf(f, w);
      f.op("return");
    },
    undefined,
    true,
  );
}

/** a + b or a - b in either format. Locals: 0 a, 1 b, 2 rm. */
export function emitSum(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  subtract: boolean,
  slow: Label,
): void {
  const p = w.prefix;
  const a = f.local(w.type);
  const b = f.local(w.type);
  const r = f.local(w.type);
  const t = f.local(w.type);
  if (w === WASM_SINGLE) {
    emitUnbox(f, 0);
    emitUnbox(f, 1);
  }
  emitOnlyNearest(f, 2, slow);
  emitFloatOf(f, w, 0);
  f.tee(a);
  emitFloatOf(f, w, 1);
  if (subtract) f.op(`${p}_neg`);
  f.tee(b).op(`${p}_add`).tee(r).op(`${p}_abs`);
  emitConstant(f, w, Number.POSITIVE_INFINITY);
  f.op(`${p}_lt`, "i32_eqz").brIf(slow, false);
  emitReturnIfInexact(f, context, w, r);
  // Near the largest numbers the error-free sum might overflow on the way.
  f.get(r).op(`${p}_abs`);
  emitConstant(f, w, w.safeSum);
  f.op(`${p}_lt`).get(a).op(`${p}_abs`);
  emitConstant(f, w, w.safeOperand);
  f.op(`${p}_lt`, "i32_and", "i32_eqz").brIf(slow, false);
  emitSumError(f, w, r, a, b, t);
  emitConstant(f, w, 0);
  f.op(`${p}_ne`).if_(VOID, () => emitRaise(f, context, FLAG.NX));
  f.get(r);
  emitRegisterOf(f, w);
  f.op("return");
}

/**
 * Pushes whether x * y (normal binary64 bits in i64 locals) is exact, given the bits of the rounded product in `product`.
 * Precondition: all three normal.
 */
function emitProductIsExact(f: FunctionBuilder, x: number, y: number, product: number): void {
  emitTrailingZeros(f, x);
  emitTrailingZeros(f, y);
  f.op("i64_add");
  emitExponent(f, x);
  emitExponent(f, y);
  f.op("i32_add").i32(1023).op("i32_sub");
  emitExponent(f, product);
  f.op("i32_eq", "i64_extend_i32_u", "i64_add").i64(53).op("i64_ge_u");
}

/** Leaves to `slow` if the binary64 bits in the local are subnormal (or zero). */
function emitRequireNotSubnormal(f: FunctionBuilder, local: number, slow: Label): void {
  emitExponent(f, local);
  f.op("i32_eqz").brIf(slow, false);
}

/** Pushes whether the f64 in the local is zero. */
function emitIsZero(f: FunctionBuilder, local: number): void {
  f.get(local).f64(0).op("f64_eq");
}

/** a * b or a / b in binary64. Locals: 0 a, 1 b, 2 rm. */
export function emitProductDouble(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  divide: boolean,
  slow: Label,
): void {
  const a = f.local(F64);
  const b = f.local(F64);
  const r = f.local(F64);
  const bits = f.local(I64);
  emitOnlyNearest(f, 2, slow);
  f.get(0).op("f64_reinterpret_i64").tee(a);
  f.get(1).op("f64_reinterpret_i64").tee(b);
  f.op(divide ? "f64_div" : "f64_mul").set(r);
  emitRequireNormal(f, w, r, bits, slow, () => {
    emitIsZero(f, a);
    if (divide) return;
    emitIsZero(f, b);
    f.op("i32_or");
  });
  emitReturnIfInexact(f, context, w, r);
  emitRequireNotSubnormal(f, 0, slow);
  emitRequireNotSubnormal(f, 1, slow);
  if (divide) {
    emitProductIsExact(f, bits, 1, 0);
    f.get(r).get(b).op("f64_mul").get(a).op("f64_eq", "i32_and");
  } else {
    emitProductIsExact(f, 0, 1, bits);
  }
  f.op("i32_eqz").if_(VOID, () => emitRaise(f, context, FLAG.NX));
  f.get(bits).op("return");
}

/** sqrt(a) in binary64. Locals: 0 a, 1 rm. */
export function emitRootDouble(f: FunctionBuilder, context: FloatContext, w: WasmFormat, slow: Label): void {
  const a = f.local(F64);
  const r = f.local(F64);
  const bits = f.local(I64);
  emitOnlyNearest(f, 1, slow);
  f.get(0).op("f64_reinterpret_i64").tee(a).op("f64_sqrt").set(r);
  emitRequireNormal(f, w, r, bits, slow, () => f.i32(1));
  emitReturnIfInexact(f, context, w, r);
  emitRequireNotSubnormal(f, 0, slow);
  emitProductIsExact(f, bits, bits, 0);
  f.get(r)
    .get(r)
    .op("f64_mul")
    .get(a)
    .op("f64_eq", "i32_and", "i32_eqz")
    .if_(VOID, () => emitRaise(f, context, FLAG.NX));
  f.get(bits).op("return");
}

/** a * b, a / b or (with one operand) sqrt(a) in binary32, computed in binary64. Locals: the operands, then rm. */
export function emitProductSingle(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  operation: "mul" | "div" | "sqrt",
  slow: Label,
): void {
  const unary = operation === "sqrt";
  const a = f.local(F64);
  const b = f.local(F64);
  const wide = f.local(F64);
  const r = f.local(w.type);
  const bits = f.local(I64);
  const inexact = f.local(I32);
  emitUnbox(f, 0);
  if (!unary) emitUnbox(f, 1);
  emitOnlyNearest(f, unary ? 1 : 2, slow);
  f.get(0);
  emitToF32(f);
  f.op("f64_promote_f32").tee(a);
  if (!unary) {
    f.get(1);
    emitToF32(f);
    f.op("f64_promote_f32").tee(b);
  }
  f.op(`f64_${operation}`).tee(wide).op("f32_demote_f64").set(r);
  emitRequireNormal(f, w, r, bits, slow, () => {
    if (operation === "sqrt") f.i32(1);
    else emitIsZero(f, a);
    if (operation !== "mul") return;
    emitIsZero(f, b);
    f.op("i32_or");
  });
  f.get(r).op("f64_promote_f32");
  if (operation === "mul") f.get(wide);
  else if (operation === "div") f.get(b).op("f64_mul").get(a);
  else f.get(r).op("f64_promote_f32", "f64_mul").get(a);
  f.op("f64_ne").set(inexact);
  emitRaiseInexact(f, context, inexact);
  f.get(r);
  emitFromF32(f);
  f.op("return");
}
