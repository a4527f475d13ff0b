// The same seed and arguments give the same run, byte for byte: output, report, and trace in both of its forms.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { faultline } from "../support/built-cli.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

let counter = 0;

/** One run; every file it wrote, whole. */
function run(options: readonly string[], program: readonly string[], format: "json" | "bin") {
  const trace = join(scratch.path, `trace-${counter++}.${format}`);
  const report = join(scratch.path, `report-${counter++}.json`);
  const { status, stdout, stderr } = faultline([
    "run",
    ...options,
    "--trace",
    trace,
    `--report=${report}`,
    "--strace",
    "--",
    ...program,
  ]);
  const result = { status, stdout, stderr, trace: readFileSync(trace), report: readFileSync(report, "utf8") };
  rmSync(trace);
  rmSync(report);
  return result;
}

function expectSame(options: readonly string[], program: readonly string[]): ReturnType<typeof run> {
  let last: ReturnType<typeof run> | null = null;
  for (const format of ["json", "bin"] as const) {
    const [first, second] = [run(options, program, format), run(options, program, format)];
    expect(first.status, first.stderr.slice(-500)).toBe(0);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toBe(first.stderr);
    expect(second.report).toBe(first.report);
    // Not toEqual: it would print megabytes.
    expect(second.trace.equals(first.trace), `${format} traces`).toBe(true);
    expect(first.trace.length).toBeGreaterThan(500);
    if (format === "json") JSON.parse(first.trace.toString());
    last = first;
  }
  return last!;
}

test("swap pressure, on the bundled program", () => {
  for (const policy of ["two-list", "random"]) {
    const { stdout } = expectSame(
      ["--seed", "42", "--memory", "4M", "--swap", "32M", "--policy", policy],
      ["/bin/truths", "fill", "8"],
    );
    expect(stdout).toContain("8 MiB filled and checked");
  }
});

test("fork and signals, on the bundled program", () => {
  expectSame(["--seed", "42", "--memory", "8M"], ["/bin/truths", "private"]);
});

const noCompiler = announceSkip(!hasCompiler, "runs with threads and timers need riscv64-linux-gnu-gcc");

test.skipIf(noCompiler)("forks, threads, timers, random numbers and swap pressure together", () => {
  const root = join(scratch.path, "root");
  mkdirSync(join(root, "tmp"), { recursive: true });
  writeFileSync(join(root, "input"), "x".repeat(100_000));
  copyFileSync(scratch.compile("busy", ["test/guest/behaviours/busy.c"]), join(root, "busy"));
  const program = ["/busy", "3", "4"];
  const options = ["--root", root, "--memory", "4M", "--swap", "32M"];
  const seven = expectSame([...options, "--seed", "7"], program);
  expect(seven.stdout).toMatch(/^done/m);
  expect(JSON.parse(seven.report).counters.pswpout).toBeGreaterThan(100);
  // The seed matters: another one draws other random numbers and lays memory out differently.
  const eight = run([...options, "--seed", "8"], program, "bin");
  expect(eight.status).toBe(0);
  expect(eight.stdout).not.toBe(seven.stdout);
  expect(eight.trace.equals(seven.trace)).toBe(false);
});
