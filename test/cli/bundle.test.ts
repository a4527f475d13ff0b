// The bundle of `faultline run`: it is used while it is newer than the modules, says what the modules say, and is left alone
// when they have changed.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, statSync, utimesSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluateBundle, loadBundle } from "../../dist/cli/bundle.js";

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
