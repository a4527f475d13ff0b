// What generated code is for, so that a host which can choose between its compilers (V8's Liftoff and TurboFan) chooses well.

/**
 * "interpreter": runs from the first moment and most of the time. "baseline": runs too little to be optimised; compiling it
 * must be cheap. "optimised": runs so much that optimising pays at once.
 */
export type CodeKind = "interpreter" | "baseline" | "optimised";

/** For those who only pass it on. */
export type CompiledModule = WebAssembly.Module;

export type CompileModule = (bytes: Uint8Array<ArrayBuffer>, kind: CodeKind) => CompiledModule;

/** Leaves the choice to the engine. */
export const plainCompile: CompileModule = (bytes) => new WebAssembly.Module(bytes);
