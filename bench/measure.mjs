// What every section of the benchmark stands on: timing whole processes, taking turns, medians, ratios, rows.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { probe } from "./processor.mjs";

export const row = (...cells) =>
  console.log(cells.map((c, i) => (i === 0 ? String(c).padEnd(24) : String(c).padStart(12))).join(""));

/** Waits until nothing is being translated for later runs (src/host/node/code-store.ts): it would take a core from what is measured. */
function settle() {
  const cache = process.env.FAULTLINE_CODE_CACHE;
  const isBusy = () => readdirSync(cache).some((shape) => existsSync(join(cache, shape, "profile")));
  while (existsSync(cache) && isBusy()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
}

/** Milliseconds of a whole process, and what it printed; throws when it fails. */
export function time(command, args, environment = {}) {
  settle();
  probe();
  const start = performance.now();
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const ms = performance.now() - start;
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${command} ${args.join(" ")}: status ${status ?? signal}: ${(stderr + stdout).slice(-300)}`);
  return { ms, stdout, stderr };
}

/** Runs the contenders in turn, so that drift of the machine's speed hits all alike. */
export function interleave(contenders, runs) {
  const samples = contenders.map(() => []);
  for (let run = 0; run < runs; run++) for (const [i, contend] of contenders.entries()) samples[i].push(contend());
  return samples;
}

/** Whether a program can be run at all. */
export const isInstalled = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).error === undefined;

/** "name value" lines to a list of [name, value], in order, repetitions included. */
export const lines = (text) =>
  text
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([name, value]) => [name, Number(value)]);

const cli = new URL("../dist/cli/main.js", import.meta.url).pathname;

/** Command and arguments of a run of Faultline. */
export const faultline = (folder, ...args) => [process.execPath, [cli, "run", "--root", folder, ...args]];
