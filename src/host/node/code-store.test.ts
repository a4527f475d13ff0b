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
  fileOf,
  type OptimisedProgram,
  readPages,
  readProgram,
  removeOldest,
  writePages,
  writeProgram,
} from "./code-store.ts";
import { compileOptimised, machineCodeOf } from "./v8-code.ts";

const top = mkdtempSync(join(tmpdir(), "faultline-store-"));
const folder = join(top, "0123456789abcdef-v20.20.2-x64-100");
const HASH = 0x1234;
const NAME = 0x77;
const file = fileOf(folder, NAME, "program");

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
});
afterAll(() => rmSync(top, { recursive: true }));

/** Two regions; the module's function answers `value`. */
function program(value: number): OptimisedProgram {
  const m = new ModuleBuilder();
  const f = m.function([], [I32]);
  f.i32(value);
  m.export("region0", f);
  const bytes = m.encode();
  const region = (offset: number, ...code: number[]) => ({
    rootOffset: offset,
    entryOffsets: [offset, 100],
    siteCount: 3,
    instructionCount: 2,
    pages: [{ page: 0, hash: HASH, spans: [offset, 2, 100, 3], bytes: new Uint8Array(code) }],
  });
  const code = new Uint8Array(machineCodeOf(compileOptimised(bytes))!);
  return { regions: [region(8, 1, 2, 3, 4, 5), region(16, 6, 7, 8, 9, 10)], bytes, code };
}

describe("the store of translations", () => {
  it("gives back what was written, with a module that runs", () => {
    const written = program(41);
    writeProgram(file, written);
    writePages(folder, { [NAME]: [HASH, HASH + 2], [NAME + 1]: [HASH + 2] });
    const store = new FolderCodeStore(folder, 100);
    expect([HASH, HASH + 1, HASH + 2].map((hash) => store.programsWith(hash))).toEqual([[NAME], [], [NAME, NAME + 1]]);
    const read = store.program(NAME)!;
    const plain = (regions: OptimisedProgram["regions"]) =>
      regions.map((region) => ({
        ...region,
        pages: region.pages.map((page) => ({ ...page, bytes: [...page.bytes] })),
      }));
    expect(plain(read.regions)).toEqual(plain(written.regions));
    const instance = new WebAssembly.Instance(read.module()!);
    expect((instance.exports.region0 as () => number)()).toBe(41);
    expect(store.program(NAME + 1)).toBeNull();
  });

  it("takes no part of a file that is cut off, empty, damaged or gone", () => {
    writeProgram(file, program(1));
    const whole = readFileSync(file);
    for (const length of [0, 3, 8, 100, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      expect(readProgram(file)).toBeNull();
    }
    rmSync(file);
    expect(readProgram(file)).toBeNull();
    writeFileSync(join(folder, "pages"), '{"119": [46');
    expect(readPages(folder)).toEqual({});
  });

  it("has no module when the machine code is another V8's", () => {
    const { code, ...rest } = program(1);
    writeProgram(file, { ...rest, code: code.map((byte, i) => (i < 16 ? byte ^ 0xff : byte)) });
    expect(readProgram(file)!.module()).toBeNull();
  });

  it("trusts no folder that others may write to", () => {
    writeProgram(file, program(1));
    writePages(folder, { [NAME]: [HASH] });
    chmodSync(folder, 0o777);
    const store = new FolderCodeStore(folder, 100);
    expect(store.programsWith(HASH)).toEqual([]);
    store.learn({ pages: [], layouts: [], scale: 1, imports: [] }, HASH);
    expect(existsSync(join(folder, "profile"))).toBe(false);
  });

  it("learns neither while another process does, nor where it cannot write", () => {
    const profile = { pages: [], layouts: [], scale: 1, imports: [] };
    writeFileSync(join(folder, "profile"), "another's");
    const store = new FolderCodeStore(folder, 100);
    expect(store.interestIn(HASH)).toBe("full");
    store.learn(profile, HASH);
    expect(readFileSync(join(folder, "profile"), "latin1")).toBe("another's");
    writeFileSync(join(folder, "plain"), "");
    expect(() => new FolderCodeStore(join(folder, "plain", "in it"), 100).learn(profile, HASH)).not.toThrow();
  });

  it("has enough of a program after six lessons", () => {
    writeFileSync(join(folder, "00001234.lessons"), ".....");
    expect(new FolderCodeStore(folder, 100).interestIn(HASH)).toBe("full");
    writeFileSync(join(folder, "00001234.lessons"), "......");
    expect(new FolderCodeStore(folder, 100).interestIn(HASH)).toBe("none");
  });

  it("expects little of a program that had nothing to teach twice, and notes no more of that", () => {
    const store = new FolderCodeStore(folder, 100);
    store.learnNothing(HASH);
    expect(store.interestIn(HASH)).toBe("full");
    store.learnNothing(HASH);
    expect(store.interestIn(HASH)).toBe("little");
    store.learnNothing(HASH);
    expect(readFileSync(join(folder, "00001234.idle"), "latin1")).toBe("..");
    writeFileSync(join(folder, "00001234.lessons"), "......");
    expect(store.interestIn(HASH)).toBe("none");
    expect(() => new FolderCodeStore(join(folder, "nothing here"), 100).learnNothing(HASH)).not.toThrow();
  });

  it("loses its oldest files first, and nothing that is not its own", () => {
    const names = ["a.program", "b.lessons", "c.seen", "notes"].map((name) => join(folder, name));
    const others = join(top, "letters");
    mkdirSync(others);
    names.push(join(others, "a.program"));
    for (const [i, name] of names.entries()) {
      writeFileSync(name, new Uint8Array(1000));
      utimesSync(name, i === 3 ? 1 : 1000 + i, i === 3 ? 1 : 1000 + i);
    }
    removeOldest(top, 2500);
    expect(names.map((name) => existsSync(name))).toEqual([false, true, true, true, true]);
  });
});
