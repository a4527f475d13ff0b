// Our own checks of memory and process behaviour beyond mmdiff: C programs and a random walk that print what they print on real
// riscv64 Linux 6.12 (recorded there), with ample memory and, where the facts do not speak of residency, with very little.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const skip = announceSkip(!hasCompiler, "mmmore needs riscv64-linux-gnu-gcc");
const scratch = new Scratch();
afterAll(() => scratch.remove());

/** "seed hash" lines. */
function recorded(mode: string): string[] {
  return readFileSync(`test/guest/mmmore/mmfuzz.${mode}.txt`, "utf8").trim().split("\n");
}

async function walk(mode: string, options: { memory: string; swap?: string }): Promise<void> {
  const elf = scratch.compile("mmfuzz", ["test/guest/mmmore/mmfuzz.c"]);
  const expected = recorded(mode);
  const seeds = expected.map((line) => line.split(" ")[0]);
  const { stdout, machine } = await runElf(elf, [mode, "60", ...seeds], options);
  machine.kernel.mm.checkInvariants();
  expect(stdout.trim().split("\n")).toEqual(expected);
}

describe.skipIf(skip)("a random walk over memory", () => {
  test("shows every area, page and answer as Linux does", () => walk("f", { memory: "1G" }));
  test("answers alike when memory is too small for it", () => walk("p", { memory: "2M", swap: "64M" }));
});

const PROGRAMS = ["areas", "pages", "faults", "objects", "core", "uffd"];

describe.skipIf(skip)("checks beyond mmdiff", () => {
  for (const name of PROGRAMS) {
    const expected = readFileSync(`test/guest/mmmore/${name}.expected.txt`, "utf8");
    test(`${name}: as on Linux`, async () => {
      const elf = scratch.compile(name, [`test/guest/mmmore/${name}.c`]);
      const { stdout, machine } = await runElf(elf, [], { memory: "1G" });
      machine.kernel.mm.checkInvariants();
      expect(stdout.split("\n")).toEqual(expected.split("\n"));
    });
  }
});
