// V8's machine code of a WebAssembly module as bytes, so that another process need not make it anew. V8 has this for those
// who embed it; programs reach it by the functions V8 has for its own tests, which a flag lets the parser accept.
import { setFlagsFromString } from "node:v8";
import { type CodeKind, type CompiledModule, plainCompile } from "../../cpu/compile-module.ts";

/** Runs `work` while flags of V8 are set; they are then as before, as V8 takes code only if they are as when it was made. */
function withFlags<T>(set: readonly string[], reset: readonly string[], work: () => T): T {
  // At once: V8 takes its time over each call.
  setFlagsFromString(set.join(" "));
  try {
    return work();
  } finally {
    setFlagsFromString(reset.join(" "));
  }
}

/** A function of V8's tests, or null where this V8 has none of this name, or makes no functions from text. */
function internal<F>(parameters: string, call: string): F | null {
  return withFlags(["--allow-natives-syntax"], ["--no-allow-natives-syntax"], () => {
    try {
      return new Function(parameters, `return %${call}`) as F;
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof EvalError) return null;
      throw error;
    }
  });
}

/**
 * Parts of WebAssembly that generated code has, and that V8 has for those who ask. From 11.4 on nobody has to ask for relaxed vector
 * instructions, nor can: V8 ignores all flags behind one that it does not know.
 */
const EXTENSIONS =
  Number.parseFloat(process.versions.v8) < 11.4 ? ["branch-hinting", "relaxed-simd"] : ["branch-hinting"];

/** Compiles all of a module at once, with its branch hints, under further flags of V8. */
export function compileAtOnce(
  bytes: Uint8Array<ArrayBuffer>,
  kind: CodeKind,
  set: readonly string[],
  reset: readonly string[],
): CompiledModule {
  return withFlags(
    ["--no-wasm-lazy-compilation", ...EXTENSIONS.map((name) => `--experimental-wasm-${name}`), ...set],
    [...reset, ...EXTENSIONS.map((name) => `--no-experimental-wasm-${name}`), "--wasm-lazy-compilation"],
    () => plainCompile(bytes, kind),
  );
}

/** Compiled by the optimising compiler before it returns, all of it: 50 to 100 µs an instruction of the guest. */
export function compileOptimised(bytes: Uint8Array<ArrayBuffer>): CompiledModule {
  // Without its baseline compiler V8 switches changing over to optimised code off, too.
  return compileAtOnce(bytes, "optimised", ["--no-liftoff"], ["--liftoff", "--wasm-dynamic-tiering"]);
}

type Serialize = (module: CompiledModule) => ArrayBuffer;
type Deserialize = (code: ArrayBuffer, bytes: Uint8Array) => CompiledModule | undefined;
/** Made when first needed. */
let serialize: Serialize | null | undefined;
let deserialize: Deserialize | null | undefined;

/** The machine code of a module that compileOptimised() made (V8 aborts the process over any other), or null. */
export function machineCodeOf(module: CompiledModule): ArrayBuffer | null {
  if (serialize === undefined) serialize = internal<Serialize>("module", "SerializeWasmModule(module)");
  return serialize?.(module) ?? null;
}

/** The module of these bytes with its machine code; null if that was made by another V8, with other flags, or for another processor. */
export function moduleOf(code: ArrayBuffer, bytes: Uint8Array<ArrayBuffer>): CompiledModule | null {
  if (deserialize === undefined) {
    deserialize = internal<Deserialize>("code, bytes", "DeserializeWasmModule(code, bytes)");
  }
  return deserialize?.(code, bytes) ?? null;
}
