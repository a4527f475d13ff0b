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

const PROGRAMS = ["areas", "pages", "faults", "objects", "core", "uffd", "proc", "elf", "races"];
/** "heuristic" overcommit refuses what little memory cannot hold. */
const NEEDS_MEMORY: readonly string[] = ["overcommit"];

describe.skipIf(skip)("checks beyond mmdiff", () => {
  for (const name of PROGRAMS) {
    const expected = readFileSync(`test/guest/mmmore/${name}.expected.txt`, "utf8").split("\n");
    const compile = () => scratch.compile(name, [`test/guest/mmmore/${name}.c`]);
    test(`${name}: as on Linux`, async () => {
      const { stdout, machine } = await runElf(compile(), [], { memory: "1G" });
      machine.kernel.mm.checkInvariants();
      expect(stdout.split("\n")).toEqual(expected);
    });
    test(`${name}: the same with 3 MiB of memory and swap`, async () => {
      const { stdout, machine } = await runElf(compile(), [], { memory: "3M", swap: "256M" });
      machine.kernel.mm.checkInvariants();
      const told = (lines: string[]) => lines.filter((line) => !NEEDS_MEMORY.includes(line.split(":")[0]));
      expect(told(stdout.split("\n"))).toEqual(told(expected));
    });
  }
});
