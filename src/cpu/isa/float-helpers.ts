// Emits every floating-point computation of F and D into a wasm module: as calls of functions defined here once per module
// (or imported from a module that has them), or as inline code where that is cheaper. Operands are raw register bits.
//
// Contract of emit(): the operands lie on the wasm stack as i64 (rs1, rs2, rs3; integer operands too), then, for an
// operation that rounds, the resolved rounding mode (0..4) as i32; the i64 register result replaces them. Flags are ORed
// into the fcsr word in memory. What the fast paths do not prove goes to the imported softfloat.
import { FLAG, ROUND, SoftFloat } from "../softfloat.ts";
import type { FunctionBuilder, Label, ModuleBuilder } from "../wasm/builder.ts";
import { F64, I32, I64, type ValueType, VOID } from "../wasm/opcodes.ts";
import { emitFastSlow, emitProductDouble, emitProductSingle, emitRootDouble, emitSum } from "./float-arithmetic.ts";
import {
  emitClassify,
  emitCompare,
  emitFromInteger,
  emitIntegerOf,
  emitMinMax,
  emitNarrow,
  emitToInteger,
  emitWiden,
  type IntegerKind,
} from "./float-conversions.ts";
import {
  emitBox,
  emitFloatOf,
  emitFrm,
  emitRaise,
  emitRaiseInexact,
  emitRegisterOf,
  emitUnbox,
  type FloatContext,
  WASM_DOUBLE,
  WASM_SINGLE,
  type WasmFormat,
} from "./float-emit.ts";
import { emitFusedDouble, emitFusedSingle } from "./float-fused.ts";
import { FLOAT_OPERATIONS, type FloatOperation, floatOperation } from "./float-operations.ts";
import { emitFusedMultiplyAdd, fusedSigns, isFused } from "./fused-multiply-add.ts";

export { type FloatContext, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "./float-emit.ts";

/** The JS side of the slow import: computes exactly and ORs the flags into the fcsr word (an index into `words`). */
export function createSlowFloat(
  words: Int32Array,
  fcsrByteAddress: number,
): (code: number, rm: number, a: bigint, b: bigint, c: bigint) => bigint {
  const soft = new SoftFloat();
  const index = fcsrByteAddress >> 2;
  return (code, rm, a, b, c) => {
    soft.flags = 0;
    const [x, y, z] = [BigInt.asUintN(64, a), BigInt.asUintN(64, b), BigInt.asUintN(64, c)];
    const result = FLOAT_OPERATIONS[code].evaluate(soft, rm, x, y, z);
    words[index] |= soft.flags;
    return BigInt.asIntN(64, result);
  };
}

/** Scratch locals of one function, reused by every inline emission in it. */
interface Scratch {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly x: number;
  readonly y: number;
  readonly t: number;
}

/** Operations that emit() inlines; the others are called. */
const INLINE = new Set(
  ["fsgnj", "fsgnjn", "fsgnjx"]
    .flatMap((name) => [`${name}.s`, `${name}.d`])
    .concat(["fmv.x.w", "fmv.w.x", "fmv.x.d", "fmv.d.x", "fcvt.d.w", "fcvt.d.wu", "feq.d", "flt.d", "fle.d"]),
);

export class FloatHelpers {
  private readonly module: ModuleBuilder;
  private readonly context: FloatContext;
  private readonly indices = new Map<string, number>();
  private readonly scratch = new WeakMap<FunctionBuilder, Scratch>();

  constructor(module: ModuleBuilder, context: FloatContext) {
    this.module = module;
    this.context = context;
  }

  /** Exports every called operation as `float:NAME`, for modules that import them. */
  exportAll(): void {
    for (const operation of FLOAT_OPERATIONS) {
      if (!INLINE.has(operation.name)) this.functionIndex(operation.name, true);
    }
  }

  /** Imports the functions that `names` need from a module that ran exportAll(). Before the module's first function. */
  importFrom(importModule: string, names: Iterable<string>): void {
    const needed = new Set(names);
    for (const operation of FLOAT_OPERATIONS) {
      const { name } = operation;
      if (!needed.has(name) || this.indices.has(name)) continue;
      const index = this.module.importFunction(importModule, `float:${name}`, parameters(operation), [I64]);
      this.indices.set(name, index);
    }
  }

  /** Emits one operation; see the contract at the head of this file. */
  emit(f: FunctionBuilder, name: string): void {
    if (INLINE.has(name)) this.emitInline(f, name);
    else f.call(this.functionIndex(name));
  }

  /** NaN-boxes the i64 on the stack (a single-precision load). */
  emitBox(f: FunctionBuilder): void {
    emitBox(f);
  }

  /** Pushes the rounding mode for a static rm field; 7 reads frm and runs `illegal` if that is reserved. */
  emitRounding(f: FunctionBuilder, rmField: number, illegal: () => void): void {
    if (rmField !== ROUND.DYNAMIC) {
      f.i32(rmField);
      return;
    }
    const { t } = this.scratchOf(f);
    emitFrm(f, this.context);
    f.tee(t).i32(ROUND.RMM).op("i32_gt_u").if_(VOID, illegal, undefined, false);
    f.get(t);
  }

  /** Whether emitArithmeticInline() has more for the operation than emit(). */
  isArithmeticInline(name: string): boolean {
    return /^f(add|sub|mul|div)\.[sd]$/.test(name) || (this.context.hasFusedMultiplyAdd && isFused(name));
  }

  /**
   * Like emit() for f{add,sub,mul,div,madd…}, but with the common case inline: nearest rounding, NX already set, a
   * finite clearly normal result. The stack holds the operands only; `rmField` is the static field and `illegal` as above.
   * Operations that gain nothing fall back to emit().
   */
  emitArithmeticInline(f: FunctionBuilder, name: string, rmField: number, illegal: () => void): void {
    if (!this.isArithmeticInline(name) || (rmField !== ROUND.RNE && rmField !== ROUND.DYNAMIC)) {
      this.emitRounding(f, rmField, illegal);
      this.emit(f, name);
      return;
    }
    const w = name.endsWith(".s") ? WASM_SINGLE : WASM_DOUBLE;
    const { a, b, c, x } = this.scratchOf(f);
    const r = w === WASM_SINGLE ? this.singleScratch(f) : x;
    const operands = isFused(name) ? [a, b, c] : [a, b];
    for (const operand of [...operands].reverse()) f.set(operand);
    if (w === WASM_SINGLE) for (const operand of operands) emitUnbox(f, operand);
    if (isFused(name)) {
      const { negateProduct, negateAddend } = fusedSigns(name);
      const signed = (operand: number, isNegated: boolean) => () => {
        emitFloatOf(f, w, operand);
        if (isNegated) f.op(`${w.prefix}_neg`);
      };
      emitFusedMultiplyAdd(f, w, [signed(a, negateProduct), signed(b, false), signed(c, negateAddend)]);
    } else {
      emitFloatOf(f, w, a);
      emitFloatOf(f, w, b);
      f.op(`${w.prefix}_${name.slice(1, 4) as "add" | "sub" | "mul" | "div"}`);
    }
    f.set(r);
    this.emitNormalAndInexact(f, w, r, rmField);
    f.if_(
      I64,
      () => {
        f.get(r);
        emitRegisterOf(f, w);
      },
      () => {
        for (const operand of operands) f.get(operand);
        this.emitRounding(f, rmField, illegal);
        this.emit(f, name);
      },
      true,
    );
  }

  /** Pushes: r is clearly normal, NX is set and the rounding mode is to nearest. */
  private emitNormalAndInexact(f: FunctionBuilder, w: WasmFormat, r: number, rmField: number): void {
    f.get(r);
    if (w === WASM_SINGLE) f.op("i32_reinterpret_f32").i32(23).op("i32_shr_u").i32(0xff);
    else f.op("i64_reinterpret_f64").i64(52).op("i64_shr_u", "i32_wrap_i64").i32(0x7ff);
    f.op("i32_and")
      .i32(2)
      .op("i32_sub")
      .i32(w === WASM_SINGLE ? 253 : 2045)
      .op("i32_lt_u");
    f.i32(0)
      .mem("i32_load", this.context.fcsr)
      .i32(rmField === ROUND.DYNAMIC ? 0xe1 : 1)
      .op("i32_and");
    f.i32(FLAG.NX).op("i32_eq", "i32_and");
  }

  /**
   * fcvt.{w,wu,l,lu}.d towards zero (a C cast) inline: the stack holds the operand only. In-range values are converted in
   * place, others by the function.
   */
  emitTruncateInline(f: FunctionBuilder, name: string): void {
    const match = /^fcvt\.(w|wu|l|lu)\.d$/.exec(name);
    if (match === null) {
      f.i32(ROUND.RTZ);
      this.emit(f, name);
      return;
    }
    const kind = match[1] as IntegerKind;
    const { a, x, y, t } = this.scratchOf(f);
    const low = { w: -(2 ** 31), wu: 0, l: -(2 ** 63), lu: 0 }[kind];
    const high = { w: 2 ** 31, wu: 2 ** 32, l: 2 ** 63, lu: 2 ** 64 }[kind];
    f.tee(a).op("f64_reinterpret_i64").tee(x).op("f64_trunc").tee(y).f64(low).op("f64_ge");
    f.get(y).f64(high).op("f64_lt", "i32_and");
    f.if_(
      I64,
      () => {
        f.get(y).get(x).op("f64_ne").set(t);
        emitRaiseInexact(f, this.context, t);
        f.get(y);
        emitIntegerOf(f, kind);
      },
      () => {
        f.get(a).i32(ROUND.RTZ);
        this.emit(f, name);
      },
      true,
    );
  }

  private emitInline(f: FunctionBuilder, name: string): void {
    const { a, b, x, y, t } = this.scratchOf(f);
    switch (name) {
      case "fmv.x.d":
      case "fmv.d.x":
        return;
      case "fmv.x.w":
        f.op("i64_extend32_s");
        return;
      case "fmv.w.x":
        emitBox(f);
        return;
      case "fcvt.d.w":
        f.op("i32_wrap_i64", "f64_convert_i32_s", "i64_reinterpret_f64");
        return;
      case "fcvt.d.wu":
        f.op("i32_wrap_i64", "f64_convert_i32_u", "i64_reinterpret_f64");
        return;
      case "feq.d":
      case "flt.d":
      case "fle.d": {
        const compare = `f64_${name.slice(1, 3) as "eq" | "lt" | "le"}` as const;
        f.set(b).tee(a).op("f64_reinterpret_i64").tee(x).get(b).op("f64_reinterpret_i64").tee(y).op(compare).tee(t);
        // Only a false answer can hide a NaN.
        f.op("i32_eqz").if_(VOID, () => this.emitUnordered(f, name, a, b, x, y));
        f.get(t).op("i64_extend_i32_u");
        return;
      }
      default:
        this.emitSignInjection(f, name, a, b);
    }
  }

  /** Raises what a comparison that came out false raises if an operand (x, y) is a NaN. */
  private emitUnordered(f: FunctionBuilder, name: string, a: number, b: number, x: number, y: number): void {
    f.get(x)
      .get(x)
      .op("f64_ne")
      .get(y)
      .get(y)
      .op("f64_ne", "i32_or")
      .if_(
        VOID,
        () => {
          if (name === "feq.d") this.emitSlowCall(f, floatOperation(name), [a, b], null).op("drop");
          else emitRaise(f, this.context, FLAG.NV);
        },
        undefined,
        false,
      );
  }

  private emitSignInjection(f: FunctionBuilder, name: string, a: number, b: number): void {
    f.set(b).set(a);
    const single = name.endsWith(".s");
    if (single) {
      emitUnbox(f, a);
      emitUnbox(f, b);
    }
    const sign = () => (single ? f.i64(0x8000_0000) : f.i64Halves(0, 0x8000_0000 | 0));
    const rest = () => (single ? f.i64Halves(0x7fff_ffff, -1) : f.i64Halves(-1, 0x7fff_ffff));
    f.get(a);
    if (name.startsWith("fsgnjx")) {
      f.get(b);
      sign().op("i64_and", "i64_xor");
      return;
    }
    rest().op("i64_and").get(b);
    if (name.startsWith("fsgnjn")) f.i64(-1).op("i64_xor");
    sign().op("i64_and", "i64_or");
  }

  private scratchOf(f: FunctionBuilder): Scratch {
    let scratch = this.scratch.get(f);
    if (!scratch) {
      scratch = {
        a: f.local(I64),
        b: f.local(I64),
        c: f.local(I64),
        x: f.local(F64),
        y: f.local(F64),
        t: f.local(I32),
      };
      this.scratch.set(f, scratch);
    }
    return scratch;
  }

  private readonly singles = new WeakMap<FunctionBuilder, number>();

  private singleScratch(f: FunctionBuilder): number {
    let local = this.singles.get(f);
    if (local === undefined) {
      local = f.local(WASM_SINGLE.type);
      this.singles.set(f, local);
    }
    return local;
  }

  /** Pushes the result of the imported softfloat for operands in i64 locals. */
  private emitSlowCall(
    f: FunctionBuilder,
    operation: FloatOperation,
    operands: readonly number[],
    rm: number | null,
  ): FunctionBuilder {
    f.i32(operation.code);
    if (rm === null) f.i32(0);
    else f.get(rm);
    for (let i = 0; i < 3; i++) {
      if (i < operands.length) f.get(operands[i]);
      else f.i64(0);
    }
    return f.call(this.context.slow);
  }

  /** The function of an operation, defined on first use. */
  private functionIndex(name: string, exported = false): number {
    const known = this.indices.get(name);
    if (known !== undefined) return known;
    const operation = floatOperation(name);
    // A fused multiply-add by zero addend calls the multiplication, which must exist first.
    const product = isFused(name) && name.endsWith(".d") ? this.functionIndex("fmul.d", exported) : 0;
    const f = this.module.function(parameters(operation), [I64]);
    this.indices.set(name, f.index);
    if (exported) this.module.export(`float:${name}`, f);
    this.emitBody(f, operation, product);
    return f.index;
  }

  private emitBody(f: FunctionBuilder, operation: FloatOperation, product: number): void {
    const { name } = operation;
    if (name.startsWith("fclass")) {
      emitClassify(f, name.endsWith(".s") ? WASM_SINGLE : WASM_DOUBLE);
      f.op("unreachable");
      return;
    }
    const operands = [0, 1, 2].slice(0, operation.operands.length);
    // The bodies of fused operations flip signs in place.
    const slowOperation = isFused(name) ? floatOperation(`fmadd${name.slice(-2)}`) : operation;
    emitFastSlow(
      f,
      (slow) => this.emitFast(f, name, product, slow),
      () => this.emitSlowCall(f, slowOperation, operands, operation.rounds ? operands.length : null),
    );
  }

  private emitFast(f: FunctionBuilder, name: string, product: number, slow: Label): void {
    const { context } = this;
    const w = name.endsWith(".s") ? WASM_SINGLE : WASM_DOUBLE;
    if (name === "fcvt.s.d") {
      emitNarrow(f, context, slow);
      return;
    }
    if (name === "fcvt.d.s") {
      emitWiden(f, slow);
      return;
    }
    const [mnemonic, second, third] = name.split(".");
    if (mnemonic === "fcvt") {
      if (third === "s" || third === "d") {
        emitToInteger(f, context, w, second as IntegerKind, slow);
        return;
      }
      emitFromInteger(f, context, second === "s" ? WASM_SINGLE : WASM_DOUBLE, third as IntegerKind, slow);
      return;
    }
    const operation = mnemonic.slice(1);
    switch (operation) {
      case "add":
      case "sub":
        emitSum(f, context, w, operation === "sub", slow);
        return;
      case "mul":
      case "div":
        if (w === WASM_SINGLE) {
          emitProductSingle(f, context, w, operation, slow);
          return;
        }
        emitProductDouble(f, context, w, operation === "div", slow);
        return;
      case "sqrt":
        if (w === WASM_SINGLE) {
          emitProductSingle(f, context, w, operation, slow);
          return;
        }
        emitRootDouble(f, context, w, slow);
        return;
      case "min":
      case "max":
        emitMinMax(f, w, operation, slow);
        return;
      case "eq":
      case "lt":
      case "le":
        emitCompare(f, context, w, operation, slow);
        return;
      default:
        if (w === WASM_SINGLE) emitFusedSingle(f, context, fusedSigns(name), slow);
        else emitFusedDouble(f, context, fusedSigns(name), product, slow);
    }
  }
}

function parameters(operation: FloatOperation): ValueType[] {
  const operands: ValueType[] = Array.from(operation.operands, () => I64);
  return operation.rounds ? [...operands, I32] : operands;
}
