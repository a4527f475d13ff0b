// The interpreter kept in a file: another process takes it and computes the same with it; one that V8 does not take, or that
// is not there, is done without.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hart } from "../../cpu/index.ts";
import { makeLayout } from "../../cpu/layout.ts";
import { keepInterpreters, keptInterpreter, useKeptInterpreters } from "./kept-interpreter.ts";

const folder = mkdtempSync(join(tmpdir(), "faultline-kept-"));
const RAM = 100 << 20;
const { memoryPages } = makeLayout(RAM);
const file = join(folder, `interpreter-plain-${memoryPages}.code`);

beforeAll(() => keepInterpreters(folder));
afterAll(() => {
  useKeptInterpreters(null);
  rmSync(folder, { recursive: true });
});

describe("the kept interpreter", () => {
  it("is taken, and has all that a hart needs", () => {
    useKeptInterpreters(folder);
    const module = keptInterpreter("plain", memoryPages);
    expect(module).toBeInstanceOf(WebAssembly.Module);
    const asked: unknown[] = [];
    const hart = Hart.create({
      ramBytes: RAM,
      keptInterpreter: (kind, pages) => {
        asked.push([kind, pages]);
        return module;
      },
    });
    expect(asked).toEqual([["plain", memoryPages]]);
    // Nothing is mapped: the first fetch faults.
    hart.setSpace({ id: 1, rootPfn: 1 });
    expect(hart.run(1000)).toBe(hart.run(1000));
    expect(hart.faultAccess).toBe(2);
  });

  it("is not asked for by harts that are laid out otherwise", () => {
    const refuse = () => {
      throw new Error("asked for");
    };
    Hart.create({ ramBytes: 1 << 20, decodePages: 8, keptInterpreter: refuse });
    Hart.create({ ramBytes: 1 << 20, onReference: () => {}, keptInterpreter: refuse });
  });

  it("is none where V8's mark of version, flags or processor is another", () => {
    const bytes = readFileSync(file);
    const codeAt = 4 + bytes.readUInt32LE(0);
    for (const word of [1, 2, 3]) {
      const other = Buffer.from(bytes);
      other[codeAt + 4 * word] ^= 1;
      writeFileSync(join(folder, "interpreter-plain-1.code"), other);
      useKeptInterpreters(folder);
      expect(keptInterpreter("plain", 1)).toBeNull();
    }
  });

  it("is small enough for V8 to allocate its registers well", () => {
    // V8 says which phases of its compiler it ran; those of the allocator for large functions have names of their own. The
    // interpreter that records is larger, but runs for moments.
    const script = `
      import { generateInterpreter } from "./dist/cpu/interpreter.js";
      import { makeLayout } from "./dist/cpu/layout.js";
      import { compileOptimised } from "./dist/host/node/v8-code.js";
      compileOptimised(generateInterpreter({ ...makeLayout(${RAM}), kind: "plain" }));`;
    const stats = execFileSync(process.execPath, [
      "--turbo-stats-wasm",
      "--input-type=module",
      "-e",
      script,
    ]).toString();
    expect(stats).toContain("V8.TFAllocateGeneralRegisters");
    expect(stats).not.toContain("MidTier");
  });

  it("is none where there is no file", () => {
    useKeptInterpreters(folder);
    expect(keptInterpreter("plain", 2)).toBeNull();
  });
});
