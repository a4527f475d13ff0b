// What `faultline curve` does: runs the program with a recorder, computes the curve, prints and writes it, and with --check runs the
// program again at each size.
import { writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { Machine } from "../../host/node/index.ts";
import { type CurveResult, chooseSizes, computeCurve, DEFAULT_POLICIES, formatCurve } from "../../trace/curve.ts";
import { curveRaster, curveSvg, curveText } from "../../trace/plot.ts";
import { encodePng } from "../../trace/raster.ts";
import { ReferenceRecorder } from "../../trace/reference-recorder.ts";
import { type ReferenceString, toCsv } from "../../trace/reference-string.ts";
import { CliError } from "../cli-error.ts";
import type { CurveOptions } from "./curve.ts";
import type { RunOptions } from "./run-options.ts";
import { makeMachine, start } from "./run-program.ts";
import { connectPipes } from "./standard-streams.ts";

/** Pages that cannot be swapped out are in no memory size's budget, so there is always swap. */
const SWAP_BYTES = 1 << 30;

/** Resolves with the program's exit status. */
export async function curveProgram(options: RunOptions, curve: CurveOptions): Promise<number> {
  // Checks repeat the run: only a seeded one is the same again.
  const settled = { ...options, seed: options.seed ?? 1, swapBytes: options.swapBytes || SWAP_BYTES };
  const { string, code } = await record(settled);
  if (string.pages === 0) throw new CliError("the program used no page that could be evicted: nothing to draw", 1);
  const sizes = curve.sizes ?? chooseSizes(string.pages, curve.check ? 6 : undefined);
  const result = computeCurve(string, curve.policies ?? DEFAULT_POLICIES, sizes);
  process.stdout.write(`${formatCurve(result, PAGE_SIZE)}\n`);
  if (result.sizes.length > 1) process.stdout.write(curveText(result));
  write(curve, result, string, [options.program, ...options.args].join(" "));
  if (curve.check) await check(settled, result);
  return code;
}

function write(files: CurveOptions, result: CurveResult, string: ReferenceString, title: string): void {
  if (files.json !== null) writeFileSync(files.json, `${JSON.stringify(result)}\n`);
  if (files.svg !== null) writeFileSync(files.svg, curveSvg(result, title));
  if (files.png !== null) writeFileSync(files.png, encodePng(curveRaster(result, title), deflateSync));
  if (files.csv !== null) writeFileSync(files.csv, toCsv(string, PAGE_SIZE));
}

async function record(options: RunOptions): Promise<{ string: ReferenceString; code: number }> {
  const recorder = new ReferenceRecorder();
  // FIFO hears of no reference: the machine is as it would be without a recorder.
  const machine = await makeMachine({ ...options, policy: "fifo" }, { onReference: recorder.onReference });
  recorder.attach(machine.kernel.mm);
  const code = await runToEnd(machine, options, false);
  return { string: recorder.finish(), code };
}

/** Runs the program; its output goes to stderr, or nowhere. */
async function runToEnd(machine: Machine, options: RunOptions, silent: boolean): Promise<number> {
  const connection = silent ? null : connectPipes();
  const nowhere = { write: () => {} };
  const request = connection === null ? { stdin: null, stdout: nowhere, stderr: nowhere } : connection.request;
  try {
    const program = start(machine, options, connection === null ? request : { ...request, stdout: request.stderr });
    connection?.attach(program);
    const timer =
      options.timeoutSeconds === null ? undefined : setTimeout(() => program.kill(9), options.timeoutSeconds * 1000);
    const { code } = await program.wait();
    clearTimeout(timer);
    return code;
  } finally {
    connection?.detach();
    await machine.stop();
    machine.close();
    await connection?.flush(false);
  }
}

/** Live runs with room for `size` pages. Standard input is empty in these. */
async function check(options: RunOptions, result: CurveResult): Promise<void> {
  process.stdout.write("\nchecked by running the program at each size: pages brought in\n\n");
  process.stdout.write("   pages     policy      curve       live\n");
  for (const policy of Object.keys(result.faults)) {
    if (policy === "opt") continue;
    for (const [i, size] of result.sizes.entries()) {
      const live = await liveFaults(options, policy, size);
      const columns = [String(size).padStart(8), policy.padStart(11), String(result.faults[policy][i]).padStart(11)];
      process.stdout.write(`${columns.join("")}${String(live).padStart(11)}\n`);
    }
  }
}

/** Pages that a live run brings into a memory of `size` pages. */
export async function liveFaults(options: RunOptions, policy: string, size: number): Promise<number> {
  // LRU by A bits is another policy than LRU: it gets to see every reference.
  const recorder = policy === "lru" ? new ReferenceRecorder() : null;
  const machine = await makeMachine({ ...options, policy }, { onReference: recorder?.onReference });
  recorder?.attach(machine.kernel.mm);
  machine.kernel.mm.lru.limit = size;
  await runToEnd(machine, options, true);
  return machine.kernel.mm.lru.insertions;
}
