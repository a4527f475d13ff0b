// What programs read from their files: each page once, in runs, and nothing when it is executed again.
import { afterAll, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const skipped = announceSkip(!hasCompiler, "page-in of programs: riscv64-linux-gnu-gcc is not installed");

test.skipIf(skipped)("executing a program whose pages are cached reads nothing; page-ins come in runs", async () => {
  const elf = scratch.compile("page-in", ["test/guest/page-in.c"]);
  const { code, stdout, machine } = await runElf(elf, [], { memory: "64M" });
  expect(code).toBe(0);
  const [first, second, third] = stdout.trim().split("\n").map(Number);
  // The ballast of 256 pages, but for what read-ahead brought in with the program itself before.
  expect(first).toBeGreaterThan(200);
  expect([second, third]).toEqual([0, 0]);
  const { counters } = machine.kernel.mm;
  expect(counters.pgmajfault).toBeLessThan(counters.pgpgin / 8);
  machine.kernel.mm.checkInvariants();
});

test.skipIf(skipped)("with next to no memory to spare nothing is read ahead, and the program still runs", async () => {
  const elf = scratch.compile("page-in-small", ["test/guest/page-in.c"]);
  const { code, stdout } = await runElf(elf, [], { memory: "2M" });
  expect(code).toBe(0);
  expect(Number(stdout.split("\n")[0])).toBeGreaterThan(0);
});
