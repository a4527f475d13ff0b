// Says to V8 which of its compilers generated code deserves: by flags, which are as before when a module is compiled.
import type { CodeKind, CompileModule } from "../../cpu/compile-module.ts";
import { compileAtOnce } from "./v8-code.ts";

/** V8's default for --wasm-tiering-budget. */
const DEFAULT_BUDGET = 1_800_000;
/** No function has this index: none counts how much it runs, none is optimised. */
const NO_FUNCTION = 1_000_000_000;

/**
 * V8 gives modules of equal bytes the same code. The optimised form of a region is often equal to the baseline one, whose code
 * is never optimised: this custom section (no content) makes the two differ.
 */
const MARK = [0, 10, 9, ...new TextEncoder().encode("optimised")];

/** Bytes executed until a function is optimised, or never. A budget of 1 would never be noticed as used up. */
const budgetOf: Record<CodeKind, number | null> = { interpreter: 10_000, baseline: null, optimised: 1000 };

/**
 * V8 optimises a function when it has executed so many "bytes", of which one call of a large function costs as much as a
 * long run of a small loop: regions would all be optimised after twenty calls, at a price that few of them earn.
 */
export const compileForV8: CompileModule = (bytes, kind) => {
  const budget = budgetOf[kind];
  return compileAtOnce(
    kind === "optimised" ? marked(bytes) : bytes,
    kind,
    [
      `--wasm-tier-up-filter=${budget === null ? NO_FUNCTION : -1}`,
      `--wasm-tiering-budget=${budget ?? DEFAULT_BUDGET}`,
    ],
    [`--wasm-tiering-budget=${DEFAULT_BUDGET}`, "--wasm-tier-up-filter=-1"],
  );
};

function marked(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes.length + MARK.length);
  all.set(bytes);
  all.set(MARK, bytes.length);
  return all;
}
