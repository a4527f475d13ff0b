// Bodies of the wasm functions for conversions, comparisons, minimum, maximum and classification. Arithmetic is elsewhere.
import { FLAG, ROUND } from "../softfloat.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { F32, F64, I32, I64, VOID } from "../wasm/opcodes.ts";
import {
  emitFloatOf,
  emitFromF32,
  emitOnlyNearest,
  emitRaise,
  emitRaiseInexact,
  emitRegisterOf,
  emitRequireNormal,
  emitToF32,
  emitUnbox,
  type FloatContext,
  WASM_SINGLE,
  type WasmFormat,
} from "./float-emit.ts";

export type IntegerKind = "w" | "wu" | "l" | "lu";

/** Inclusive lower bound, and upper bound with its comparison: what of the rounded f64 fits the integer type. */
const RANGES = {
  w: [-(2 ** 31), 2 ** 31],
  wu: [0, 2 ** 32],
  l: [-(2 ** 63), 2 ** 63],
  lu: [0, 2 ** 64],
} as const;

/** Pushes the register's value as f64 (exact for both formats; unboxes single precision). */
function emitWide(f: FunctionBuilder, w: WasmFormat, local: number): void {
  if (w === WASM_SINGLE) {
    emitUnbox(f, local);
    f.get(local);
    emitToF32(f);
    f.op("f64_promote_f32");
  } else {
    f.get(local).op("f64_reinterpret_i64");
  }
}

/** Pushes the f64 of local `x` rounded to an integer by the mode in local `rm`; RMM goes to `slow`. */
function emitRoundToIntegral(f: FunctionBuilder, x: number, rm: number, slow: Label): void {
  const is = (mode: number) => f.get(rm).i32(mode).op("i32_eq");
  is(ROUND.RTZ).if_(
    F64,
    () => f.get(x).op("f64_trunc"),
    () => {
      f.get(rm).op("i32_eqz");
      f.if_(
        F64,
        () => f.get(x).op("f64_nearest"),
        () => {
          is(ROUND.RMM).brIf(slow);
          f.get(x).op("f64_floor").get(x).op("f64_ceil");
          is(ROUND.RDN).op("select");
        },
      );
    },
  );
}

/** f64 on the stack, already integral and in range, -> i64 register value. */
export function emitIntegerOf(f: FunctionBuilder, kind: IntegerKind): void {
  f.sat(kind === "lu" ? "i64_trunc_sat_f64_u" : "i64_trunc_sat_f64_s");
  if (kind === "wu") f.op("i64_extend32_s");
}

/** fcvt.{w,wu,l,lu}.{s,d}. Locals: 0 a, 1 rm. */
export function emitToInteger(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  kind: IntegerKind,
  slow: Label,
): void {
  const x = f.local(F64);
  const rounded = f.local(F64);
  const inexact = f.local(I32);
  emitWide(f, w, 0);
  f.set(x);
  emitRoundToIntegral(f, x, 1, slow);
  f.tee(rounded).f64(RANGES[kind][0]).op("f64_ge").get(rounded).f64(RANGES[kind][1]).op("f64_lt", "i32_and", "i32_eqz");
  f.brIf(slow, false);
  f.get(rounded).get(x).op("f64_ne").set(inexact);
  emitRaiseInexact(f, context, inexact);
  f.get(rounded);
  emitIntegerOf(f, kind);
  f.op("return");
}

/** fcvt.{s,d}.{w,wu,l,lu} where the result may be inexact. Locals: 0 x, 1 rm. */
export function emitFromInteger(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  kind: IntegerKind,
  slow: Label,
): void {
  const magnitude = f.local(I64);
  const unsigned = kind === "wu" || kind === "lu";
  if (kind === "w") f.get(0).op("i64_extend32_s").set(0);
  if (kind === "wu") f.get(0).op("i32_wrap_i64", "i64_extend_i32_u").set(0);
  if (unsigned) f.get(0).set(magnitude);
  else f.get(0).get(0).i64(63).op("i64_shr_s").tee(magnitude).op("i64_xor").get(magnitude).op("i64_sub").set(magnitude);
  // Exact if the bits from the first to the last 1 fit the significand (0 gives 64 - 64 - 64).
  f.i64(64).get(magnitude).op("i64_clz", "i64_sub").get(magnitude).op("i64_ctz", "i64_sub");
  f.i64(w === WASM_SINGLE ? 24 : 53)
    .op("i64_gt_s")
    .if_(VOID, () => {
      emitOnlyNearest(f, 1, slow);
      emitRaise(f, context, FLAG.NX);
    });
  f.get(0).op(`${w.prefix}_convert_i64_${unsigned ? "u" : "s"}`);
  emitRegisterOf(f, w);
  f.op("return");
}

/** fcvt.s.d. Locals: 0 a, 1 rm. */
export function emitNarrow(f: FunctionBuilder, context: FloatContext, slow: Label): void {
  const x = f.local(F64);
  const r = f.local(F32);
  const bits = f.local(I64);
  const inexact = f.local(I32);
  emitOnlyNearest(f, 1, slow);
  f.get(0).op("f64_reinterpret_i64").tee(x).op("f32_demote_f64").set(r);
  emitRequireNormal(f, WASM_SINGLE, r, bits, slow, () => f.get(x).f64(0).op("f64_eq"));
  f.get(r).op("f64_promote_f32").get(x).op("f64_ne").set(inexact);
  emitRaiseInexact(f, context, inexact);
  f.get(r);
  emitFromF32(f);
  f.op("return");
}

/** fcvt.d.s. Locals: 0 a. */
export function emitWiden(f: FunctionBuilder, slow: Label): void {
  const r = f.local(F64);
  emitWide(f, WASM_SINGLE, 0);
  f.tee(r).get(r).op("f64_ne").brIf(slow, false);
  f.get(r).op("i64_reinterpret_f64", "return");
}

/** fmin, fmax: WebAssembly's min and max order zeros as RISC-V does; NaNs are rare. Locals: 0 a, 1 b. */
export function emitMinMax(f: FunctionBuilder, w: WasmFormat, name: "min" | "max", slow: Label): void {
  const r = f.local(w.type);
  if (w === WASM_SINGLE) {
    emitUnbox(f, 0);
    emitUnbox(f, 1);
  }
  emitFloatOf(f, w, 0);
  emitFloatOf(f, w, 1);
  f.op(`${w.prefix}_${name}`).tee(r).get(r).op(`${w.prefix}_ne`).brIf(slow, false);
  f.get(r);
  emitRegisterOf(f, w);
  f.op("return");
}

/** feq, flt, fle of two floats of the format in locals; pushes an i64. Locals 0 and 1 hold the register bits. */
export function emitCompare(
  f: FunctionBuilder,
  context: FloatContext,
  w: WasmFormat,
  name: "eq" | "lt" | "le",
  slow: Label,
): void {
  const p = w.prefix;
  const a = f.local(w.type);
  const b = f.local(w.type);
  if (w === WASM_SINGLE) {
    emitUnbox(f, 0);
    emitUnbox(f, 1);
  }
  emitFloatOf(f, w, 0);
  f.set(a);
  emitFloatOf(f, w, 1);
  f.set(b);
  f.get(a).get(a).op(`${p}_ne`).get(b).get(b).op(`${p}_ne`, "i32_or");
  if (name === "eq") {
    f.brIf(slow, false); // quiet: invalid only for signaling NaNs
  } else {
    f.if_(
      VOID,
      () => {
        emitRaise(f, context, FLAG.NV);
        f.i64(0).op("return");
      },
      undefined,
      false,
    );
  }
  f.get(a).get(b).op(`${p}_${name}`, "i64_extend_i32_u", "return");
}

/** fclass: never slow. Locals: 0 a. */
export function emitClassify(f: FunctionBuilder, w: WasmFormat): void {
  const single = w === WASM_SINGLE;
  const magnitude = f.local(I64);
  const sign = f.local(I32);
  if (single) {
    emitUnbox(f, 0);
    f.get(0).i64(32).op("i64_shl").set(0); // the sign on top, the low half zero: same order as binary64
  }
  const fractionBits = single ? 23 + 32 : 52;
  const infinity = (single ? 0xff : 0x7ff) * 2 ** fractionBits;
  f.get(0).i64(0).op("i64_lt_s").set(sign);
  f.get(0).i64Halves(-1, 0x7fff_ffff).op("i64_and").set(magnitude);
  const answer = (negative: number, positive: number) => f.i64(negative).i64(positive).get(sign).op("select", "return");
  const below = (bound: number, then: () => void) => f.get(magnitude).i64(bound).op("i64_lt_u").if_(VOID, then);
  f.get(magnitude)
    .op("i64_eqz")
    .if_(VOID, () => answer(1 << 3, 1 << 4));
  below(2 ** fractionBits, () => answer(1 << 2, 1 << 5));
  below(infinity, () => answer(1 << 1, 1 << 6));
  f.get(magnitude)
    .i64(infinity)
    .op("i64_eq")
    .if_(VOID, () => answer(1 << 0, 1 << 7));
  f.i64(1 << 8)
    .i64(1 << 9)
    .get(magnitude)
    .i64(infinity + 2 ** (fractionBits - 1))
    .op("i64_lt_u", "select", "return");
}
