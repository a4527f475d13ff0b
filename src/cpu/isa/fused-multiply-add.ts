// The processor's fused multiply-add. WebAssembly has none that it vouches for: relaxed_madd of its relaxed vector instructions
// rounds once or twice, as the engine finds cheaper, but always alike. What an engine does is found out by trying it.
import type { CompileModule } from "../compile-module.ts";
import { type FunctionBuilder, ModuleBuilder } from "../wasm/builder.ts";
import { WASM_DOUBLE, WASM_SINGLE, type WasmFormat } from "./float-emit.ts";

export interface FusedSigns {
  readonly negateProduct: boolean;
  readonly negateAddend: boolean;
}

/** Whether it is one of the four fused multiply-adds of either format. */
export function isFused(name: string): boolean {
  return /^fn?m(add|sub)\.[sd]$/.test(name);
}

/** What the operation computes: fnmsub is -(a * b) + c, fnmadd is -(a * b) - c. */
export function fusedSigns(name: string): FusedSigns {
  return { negateProduct: name.startsWith("fn"), negateAddend: name.startsWith("fmsub") || name.startsWith("fnmadd") };
}

const known = new WeakMap<CompileModule, boolean>();

/** Pushes a * b + c, rounded once; each of the three emits its operand, a float of the format. */
export function emitFusedMultiplyAdd(f: FunctionBuilder, w: WasmFormat, operands: readonly (() => void)[]): void {
  const shape = w.prefix === "f32" ? "f32x4" : "f64x2";
  for (const emit of operands) {
    emit();
    f.simd(`${shape}_splat`);
  }
  f.simd(`${shape}_relaxed_madd`).simd(`${shape}_extract_lane`, 0);
}

/** Whether modules compiled like this may have what emitFusedMultiplyAdd() emits, and it rounds once. */
export function hasFusedMultiplyAdd(compile: CompileModule): boolean {
  let has = known.get(compile);
  if (has === undefined) {
    has = tryIt(compile);
    known.set(compile, has);
  }
  return has;
}

function tryIt(compile: CompileModule): boolean {
  const m = new ModuleBuilder();
  for (const w of [WASM_SINGLE, WASM_DOUBLE]) {
    const f = m.function([w.type, w.type, w.type], [w.type]);
    m.export(w.prefix, f);
    const operands = [0, 1, 2].map((local) => () => void f.get(local));
    emitFusedMultiplyAdd(f, w, operands);
  }
  try {
    const { exports } = new WebAssembly.Instance(compile(m.encode(), "baseline"));
    const { f32, f64 } = exports as Record<string, (a: number, b: number, c: number) => number>;
    // (1 + e)^2 - (1 + 2e): rounded before the addition, e^2 is lost.
    const single = f32(1 + 2 ** -12, 1 + 2 ** -12, -1 - 2 ** -11);
    const double = f64(1 + 2 ** -30, 1 + 2 ** -30, -1 - 2 ** -29);
    return single === 2 ** -24 && double === 2 ** -60;
  } catch (error) {
    // The class is not among the types that all our surroundings declare.
    if ((error as Error).name === "CompileError") return false;
    throw error;
  }
}
