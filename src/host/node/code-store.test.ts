// The folder with translations of earlier runs: what is written is read back with its machine code; what is not whole, or may have
// been written by others, is left alone; the oldest files go. That runs use it is tested by test/cli/bundle.test.ts.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../cpu/wasm/builder.ts";
import { I32 } from "../../cpu/wasm/opcodes.ts";
import {
  FolderCodeStore,
  fileName,
  type OptimisedRegion,
  readRegions,
  removeOldest,
  writeRegions,
} from "./code-store.ts";
import { compileOptimised, machineCodeOf } from "./v8-code.ts";

const top = mkdtempSync(join(tmpdir(), "faultline-store-"));
const folder = join(top, "0123456789abcdef-v20.20.2-x64-100");
const HASH = 0x1234;
const file = join(folder, fileName(HASH));

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
});
afterAll(() => rmSync(top, { recursive: true }));

/** Its function answers `value`. */
function region(value: number): OptimisedRegion {
  const m = new ModuleBuilder();
  const f = m.function([], [I32]);
  f.i32(value);
  m.export("region", f);
  const bytes = m.encode();
  const pages = [{ page: 0, hash: HASH, spans: [8, 2, 100, 3], bytes: new Uint8Array([1, 2, 3, 4, value]) }];
  const code = new Uint8Array(machineCodeOf(compileOptimised(bytes))!);
  return { rootOffset: 8, entryOffsets: [8, 100], instructionCount: 2, pages, bytes, code };
}

describe("the store of translations", () => {
  it("gives back what was written, with modules that run", () => {
    writeRegions(file, [region(41), region(42)]);
    const store = new FolderCodeStore(folder, 100);
    expect([store.has(HASH), store.has(HASH + 1)]).toEqual([true, false]);
    const read = store.regionsIn(HASH);
    expect(read.map(({ pages }) => [...pages[0].bytes])).toEqual([
      [1, 2, 3, 4, 41],
      [1, 2, 3, 4, 42],
    ]);
    const { rootOffset, entryOffsets, instructionCount, pages } = read[1];
    expect({ rootOffset, entryOffsets, instructionCount }).toEqual({
      rootOffset: 8,
      entryOffsets: [8, 100],
      instructionCount: 2,
    });
    expect(pages[0]).toMatchObject({ page: 0, hash: HASH, spans: [8, 2, 100, 3] });
    const answers = read.map((kept) => {
      const instance = new WebAssembly.Instance(kept.module()!);
      return (instance.exports.region as () => number)();
    });
    expect(answers).toEqual([41, 42]);
  });

  it("takes no part of a file that is cut off, empty or gone", () => {
    writeRegions(file, [region(1)]);
    const whole = readFileSync(file);
    for (const length of [0, 3, 8, 100, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      expect(readRegions(file)).toEqual([]);
    }
    rmSync(file);
    expect(readRegions(file)).toEqual([]);
  });

  it("has no module when the machine code is another V8's", () => {
    const { code, ...rest } = region(1);
    writeRegions(file, [{ ...rest, code: code.map((byte, i) => (i < 16 ? byte ^ 0xff : byte)) }]);
    expect(readRegions(file)[0].module()).toBeNull();
  });

  it("trusts no folder that others may write to", () => {
    writeRegions(file, [region(1)]);
    chmodSync(folder, 0o777);
    const store = new FolderCodeStore(folder, 100);
    expect(store.has(HASH)).toBe(false);
    store.learn({ pages: [], layouts: [], scale: 1, imports: [] }, HASH);
    expect(existsSync(join(folder, "profile"))).toBe(false);
  });

  it("learns neither while another process does, nor where it cannot write", () => {
    const profile = { pages: [], layouts: [], scale: 1, imports: [] };
    writeFileSync(join(folder, "profile"), "another's");
    const store = new FolderCodeStore(folder, 100);
    expect(store.isLearning(HASH)).toBe(true);
    store.learn(profile, HASH);
    expect(readFileSync(join(folder, "profile"), "latin1")).toBe("another's");
    writeFileSync(join(folder, "plain"), "");
    expect(() => new FolderCodeStore(join(folder, "plain", "in it"), 100).learn(profile, HASH)).not.toThrow();
  });

  it("has enough of a program after six lessons", () => {
    writeFileSync(join(folder, "00001234.lessons"), ".....");
    expect(new FolderCodeStore(folder, 100).isLearning(HASH)).toBe(true);
    writeFileSync(join(folder, "00001234.lessons"), "......");
    expect(new FolderCodeStore(folder, 100).isLearning(HASH)).toBe(false);
  });

  it("loses its oldest files first, and nothing that is not its own", () => {
    const names = ["a.code", "b.lessons", "c.code", "notes"].map((name) => join(folder, name));
    const others = join(top, "letters");
    mkdirSync(others);
    names.push(join(others, "a.code"));
    for (const [i, name] of names.entries()) {
      writeFileSync(name, new Uint8Array(1000));
      utimesSync(name, i === 3 ? 1 : 1000 + i, i === 3 ? 1 : 1000 + i);
    }
    removeOldest(top, 2500);
    expect(names.map((name) => existsSync(name))).toEqual([false, true, true, true, true]);
  });
});
