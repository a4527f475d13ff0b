// The interpreters of machines as they are usually laid out, generated and optimised when the package is built (tools/bundle.mjs):
// a run need neither generate nor compile one. Without them everything works, slower.
//
//   u32 length of the module, the module, V8's machine code of it
import { join } from "node:path";
import type { CompiledModule } from "../../cpu/compile-module.ts";
import { generateInterpreter, type InterpreterKind } from "../../cpu/interpreter.ts";
import { makeLayout } from "../../cpu/layout.ts";
import { compileOptimised, machineCodeOf, moduleOf } from "./v8-code.ts";
import { readIfThere, writeAtOnce } from "./whole-file.ts";

const HEAD_BYTES = 4;

/** What a run needs: the exact one serves run control. */
const KEPT_KINDS: readonly InterpreterKind[] = ["plain", "records"];

/** Sizes of RAM whose interpreters are kept: each serves all machines that are larger than half of it. */
const KEPT_RAM_BYTES = [2 ** 26, 2 ** 27, 2 ** 28, 2 ** 29, 2 ** 30, 2 ** 31];

let folder: string | null = null;

/** Where they are, or null for nowhere; they must be from the same build as this code. */
export function useKeptInterpreters(path: string | null): void {
  folder = path;
}

/** The kept interpreter of this kind for a memory of so many pages, or null when there is none or V8 does not take it. */
export function keptInterpreter(kind: InterpreterKind, memoryPages: number): CompiledModule | null {
  if (folder === null) return null;
  const file = readIfThere(fileFor(folder, kind, memoryPages));
  if (file === null) return null;
  const codeAt = HEAD_BYTES + file.readUInt32LE(0);
  const code = file.buffer.slice(file.byteOffset + codeAt, file.byteOffset + file.length) as ArrayBuffer;
  return moduleOf(code, new Uint8Array(file.subarray(HEAD_BYTES, codeAt)));
}

/** Writes them into the folder, if V8 has what that needs. */
export function keepInterpreters(path: string): void {
  for (const ramBytes of KEPT_RAM_BYTES) {
    const { ramOffset, memoryPages } = makeLayout(ramBytes);
    for (const kind of KEPT_KINDS) {
      const bytes = generateInterpreter({ ramOffset, memoryPages, kind });
      const code = machineCodeOf(compileOptimised(bytes));
      if (code === null) return;
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32LE(bytes.length);
      writeAtOnce(fileFor(path, kind, memoryPages), [head, bytes, new Uint8Array(code)]);
    }
  }
}

function fileFor(path: string, kind: InterpreterKind, memoryPages: number): string {
  return join(path, `interpreter-${kind}-${memoryPages}.code`);
}
