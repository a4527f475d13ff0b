// The guest program of the guide does here what it does on a riscv64 Linux 6.12: pages.expected.txt holds steps and what Linux printed.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runPages } from "../../src/cli/commands/quiz-run.ts";

const cases = readFileSync("test/guest/pages.expected.txt", "utf8")
  .split(/^# /m)
  .slice(1)
  .map((text) => {
    const [steps, ...output] = text.trimEnd().split("\n");
    return { steps, output };
  });

test.each(cases)("pages $steps", async ({ steps, output }) => {
  expect(await runPages(steps.split(" "), {})).toEqual(output);
});
