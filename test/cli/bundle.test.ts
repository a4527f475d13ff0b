// The bundle of `faultline run`: it is used while it is newer than the modules, says what the modules say, and is left alone
// when they have changed. What runs with it leave for later runs (host/node/code-store.ts).
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluateBundle, loadBundle } from "../../dist/cli/bundle.js";
import { readProgram } from "../../dist/host/node/code-store.js";

const CACHE = "dist/bundle/run.cache";

test("the bundle is loaded while it is fresh, and runs programs as the modules do", { timeout: 60_000 }, () => {
  execFileSync(process.execPath, ["tools/bundle.mjs"], { stdio: ["ignore", "ignore", "inherit"] });
  expect(loadBundle()).not.toBeNull();
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/cli/main.js", "run", ...args], {
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  const commands = [["--", "/bin/hello"], ["/bin/nothing-here"], ["--memory", "rubbish", "/bin/hello"], ["--help"]];
  const bundled = commands.map((args) => run(...args));
  const { atime, mtime } = statSync(CACHE);
  utimesSync(CACHE, atime, new Date(0));
  expect(loadBundle()).toBeNull();
  const modules = commands.map((args) => run(...args));
  utimesSync(CACHE, atime, mtime);
  expect(bundled).toEqual(modules);
  expect(bundled.map(({ status }) => status)).toEqual([0, 127, 2, 0]);
});

test("a compiled form that V8 cannot use is ignored", () => {
  const source = readFileSync("dist/bundle/run.cjs", "latin1");
  const damaged = Buffer.from(readFileSync(CACHE));
  damaged.fill(0x55, 0, 64);
  const { script, exports } = evaluateBundle(source, damaged);
  expect(script.cachedDataRejected).toBe(true);
  expect(typeof exports.runProgram).toBe("function");
});

test("a run leaves translations for later runs, which print the same; damaged ones are done without", {
  timeout: 120_000,
}, async () => {
  execFileSync(process.execPath, ["tools/bundle.mjs"], { stdio: ["ignore", "ignore", "inherit"] });
  const cache = mkdtempSync(join(tmpdir(), "faultline-code-"));
  const run = () => {
    const args = [
      "dist/cli/main.js",
      "run",
      "--mount",
      "src/cpu/test-support/programs/prebuilt:/k:ro",
      "/k/kernel6.elf",
    ];
    const env = { ...process.env, FAULTLINE_CODE_CACHE: cache };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
    return { status, stdout, stderr };
  };
  const files = (end: string) =>
    readdirSync(cache).flatMap((shape) =>
      readdirSync(join(cache, shape))
        .filter((name) => name.endsWith(end))
        .map((name) => join(cache, shape, name)),
    );
  const printed = { status: 0, stdout: "76699a170fd776af\n", stderr: "" };
  try {
    expect(run()).toEqual(printed);
    // The process that translates is not waited for.
    await expect.poll(() => [files(".program").length, files("profile").length], { timeout: 60_000 }).toEqual([1, 0]);
    const [file] = files(".program");
    const { regions, code } = readProgram(file)!;
    expect(regions[0].entryOffsets).toContain(regions[0].rootOffset);
    expect(code.length).toBeGreaterThan(1000);
    const whole = readFileSync(file);
    expect(run()).toEqual(printed);
    expect(files(".lessons").map((name) => readFileSync(name, "latin1"))).toEqual(["."]);
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    expect(run()).toEqual(printed);
  } finally {
    await expect.poll(() => files("profile").length, { timeout: 60_000 }).toBe(0);
    rmSync(cache, { recursive: true });
  }
});
