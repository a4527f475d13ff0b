// The 93 checks of mapping behaviour against what a riscv64 Linux 6.12 answered (mmdiff/mmdiff.expected.txt).
import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Lines that differ from Linux, each with its reason in docs/differences-from-linux.md. */
const EXPLAINED: readonly string[] = [];

test.skipIf(announceSkip(!hasCompiler, "mmdiff needs riscv64-linux-gnu-gcc"))(
  "mmdiff answers as Linux does",
  async () => {
    const elf = scratch.compile("mmdiff", ["test/guest/mmdiff/mmdiff.c"]);
    const { stdout } = await runElf(elf, [], { memory: "1G" }, { env: { TMPDIR: "/tmp" } });
    const byNumber = (text: string) =>
      new Map(
        text
          .split("\n")
          .filter((l) => /^\d{3} /.test(l))
          .map((l) => [l.slice(0, 3), l]),
      );
    const expected = byNumber(readFileSync("test/guest/mmdiff/mmdiff.expected.txt", "utf8"));
    const actual = byNumber(stdout);
    const different = [...expected].filter(([n, line]) => actual.get(n) !== line).map(([n]) => n);
    for (const n of different) console.log(`expected ${expected.get(n)}\n     got ${actual.get(n) ?? "nothing"}`);
    console.log(`mmdiff: ${expected.size - different.length} of ${expected.size} lines as on Linux`);
    expect(different.filter((n) => !EXPLAINED.includes(n))).toEqual([]);
  },
);
