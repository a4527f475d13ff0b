// Small pieces of wasm shared by the floating-point emitters: boxing, flags, exponents, error-free sums. No operation of
// the instruction set is defined here.
import { FLAG } from "../softfloat.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { F32, F64, I32, I64, VOID } from "../wasm/opcodes.ts";

/** What the emitters need to know about the module they emit into. */
export interface FloatContext {
  /** Byte address of the int32 that holds fcsr (frm << 5 | fflags). */
  readonly fcsr: number;
  /** Index of the imported function of type SLOW_FLOAT_PARAMS -> SLOW_FLOAT_RESULTS. */
  readonly slow: number;
  /** Whether emitFusedMultiplyAdd() may be used. */
  readonly hasFusedMultiplyAdd: boolean;
}

export const SLOW_FLOAT_PARAMS = [I32, I32, I64, I64, I64] as const;
export const SLOW_FLOAT_RESULTS = [I64] as const;

/** Static facts of a format, as wasm needs them. */
export interface WasmFormat {
  readonly prefix: "f32" | "f64";
  readonly suffix: ".s" | ".d";
  readonly type: typeof F32 | typeof F64;
  /** Beyond these magnitudes an error-free sum could overflow on the way: result, operand. */
  readonly safeSum: number;
  readonly safeOperand: number;
}

export const WASM_SINGLE: WasmFormat = {
  prefix: "f32",
  suffix: ".s",
  type: F32,
  safeSum: 2 ** 125,
  safeOperand: 2 ** 126,
};
export const WASM_DOUBLE: WasmFormat = {
  prefix: "f64",
  suffix: ".d",
  type: F64,
  safeSum: 2 ** 1021,
  safeOperand: 2 ** 1022,
};

/** i64 (low half a float) -> NaN-boxed i64. */
export function emitBox(f: FunctionBuilder): void {
  f.i64Halves(0, -1).op("i64_or");
}

/** Replaces the i64 in `local` by the canonical NaN unless it is NaN-boxed. */
export function emitUnbox(f: FunctionBuilder, local: number): void {
  f.get(local).i64Halves(0x7fc0_0000, -1).get(local).i64Halves(0, -1).op("i64_ge_u", "select").set(local);
}

/** i64 on the stack -> f32 made of its low half. */
export function emitToF32(f: FunctionBuilder): void {
  f.op("i32_wrap_i64", "f32_reinterpret_i32");
}

/** f32 on the stack -> NaN-boxed i64. */
export function emitFromF32(f: FunctionBuilder): void {
  f.op("i32_reinterpret_f32", "i64_extend_i32_u");
  emitBox(f);
}

/** i64 in `local` (already unboxed if single) -> float of the format on the stack. */
export function emitFloatOf(f: FunctionBuilder, w: WasmFormat, local: number): void {
  f.get(local);
  if (w.prefix === "f32") emitToF32(f);
  else f.op("f64_reinterpret_i64");
}

/** Float of the format on the stack -> register bits. */
export function emitRegisterOf(f: FunctionBuilder, w: WasmFormat): void {
  if (w.prefix === "f32") emitFromF32(f);
  else f.op("i64_reinterpret_f64");
}

export function emitConstant(f: FunctionBuilder, w: WasmFormat, value: number): void {
  if (w.prefix === "f32") f.f32(value);
  else f.f64(value);
}

/** ORs a constant into fcsr. */
export function emitRaise(f: FunctionBuilder, context: FloatContext, flag: number): void {
  f.i32(0).i32(0).mem("i32_load", context.fcsr).i32(flag).op("i32_or").mem("i32_store", context.fcsr);
}

/** ORs the i32 (0 or 1) in `local` into the NX bit; without a store, on which later loads would wait, if it is set. */
export function emitRaiseInexact(f: FunctionBuilder, context: FloatContext, local: number): void {
  f.get(local).i32(0).mem("i32_load", context.fcsr).i32(-1).op("i32_xor", "i32_and");
  f.if_(VOID, () => emitRaise(f, context, FLAG.NX), undefined, false);
}

/** Pushes whether NX is already set (non-zero). */
export function emitInexactIsSet(f: FunctionBuilder, context: FloatContext): void {
  f.i32(0).mem("i32_load", context.fcsr).i32(FLAG.NX).op("i32_and");
}

/** Pushes the rounding mode held in fcsr. */
export function emitFrm(f: FunctionBuilder, context: FloatContext): void {
  f.i32(0).mem("i32_load", context.fcsr).i32(5).op("i32_shr_u").i32(7).op("i32_and");
}

/** Pushes the biased exponent (i32) of the binary64 bits in the i64 `local`. */
export function emitExponent(f: FunctionBuilder, local: number): void {
  f.get(local).i64(52).op("i64_shr_u", "i32_wrap_i64").i32(0x7ff).op("i32_and");
}

/** Pushes the number of trailing zeros (i64) of the 53-bit significand of the normal binary64 bits in `local`. */
export function emitTrailingZeros(f: FunctionBuilder, local: number): void {
  f.get(local)
    .i64(2 ** 52)
    .op("i64_or", "i64_ctz");
}

/**
 * Pushes the exact error of s = a + b (Knuth's TwoSum): all three are locals of the format; `t` is scratch. Exact as long
 * as nothing overflows.
 */
export function emitSumError(f: FunctionBuilder, w: WasmFormat, s: number, a: number, b: number, t: number): void {
  const p = w.prefix;
  f.get(s).get(a).op(`${p}_sub`).set(t);
  f.get(a).get(s).get(t).op(`${p}_sub`, `${p}_sub`);
  f.get(b).get(t).op(`${p}_sub`, `${p}_add`);
}

/** Leaves to `slow` unless the rounding mode in `rm` is round-to-nearest-even. */
export function emitOnlyNearest(f: FunctionBuilder, rm: number, slow: Label): void {
  f.get(rm).brIf(slow, false);
}

/**
 * Leaves to `slow` unless the float of the format in `r` is finite and clearly normal (no overflow, and too large for a
 * rounding from below the smallest normal number), or `exactZero` (which pushes an i32) says that its zero is exact;
 * in that case the function returns r at once. `bits` is an i64 scratch that afterwards holds r's bits.
 */
export function emitRequireNormal(
  f: FunctionBuilder,
  w: WasmFormat,
  r: number,
  bits: number,
  slow: Label,
  exactZero: () => void,
): void {
  if (w.prefix === "f64") {
    f.get(r).op("i64_reinterpret_f64").set(bits);
    emitExponent(f, bits);
    f.i32(2).op("i32_sub").i32(2045).op("i32_ge_u");
  } else {
    f.get(r).op("i32_reinterpret_f32").i32(23).op("i32_shr_u").i32(0xff).op("i32_and");
    f.i32(2).op("i32_sub").i32(253).op("i32_ge_u");
  }
  f.if_(
    VOID,
    () => {
      f.get(r);
      emitConstant(f, w, 0);
      f.op(`${w.prefix}_ne`).brIf(slow);
      exactZero();
      f.op("i32_eqz").brIf(slow);
      f.get(r);
      emitRegisterOf(f, w);
      f.op("return");
    },
    undefined,
    false,
  );
}
