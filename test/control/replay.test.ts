// A run that is stopped, taken back and repeated at random is the run that was never stopped: same output, same trace byte for
// byte, and at every moment that is visited again the same memory, registers and tables.
//
// Strategy: a reference run without run control gives output and trace. A controlled run of the same program gets the same input at
// the same moments, visits random moments, goes back to random earlier ones (some of them in straight-line code, some between two
// turns of the kernel), and runs on from there. Every moment visited has one fingerprint.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Machine, type MachineOptions, type MachineProcess, type StopEvent } from "../../src/host/node/index.ts";
import { MachineTraceSource } from "../../src/machine/index.ts";
import { eventBlock } from "../../src/trace/binary-trace.ts";
import { TraceRecorder } from "../../src/trace/recorder.ts";
import { Prng } from "../../src/util/prng.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";
import { graphHash, stateHash } from "./state-hash.ts";

const skip = announceSkip(!hasCompiler, "replay of a mixed workload: riscv64-linux-gnu-gcc is not installed");
const scratch = new Scratch();
afterAll(() => scratch.remove());

function record(machine: Machine): () => Buffer {
  const chunks: Uint8Array[] = [];
  const source = new MachineTraceSource(machine);
  const recorder = new TraceRecorder(source, (chunk) => void chunks.push(eventBlock(chunk)));
  machine.kernel.mm.tracer = recorder;
  return () => {
    recorder.finish();
    return Buffer.concat(chunks);
  };
}

/** When the second line of input arrives. */
const SECOND_INPUT = 9_000_001;

interface Course {
  machine: Machine;
  program: MachineProcess;
  trace: () => Buffer;
}

async function start(root: string, options: Partial<MachineOptions>, controlled: boolean): Promise<Course> {
  const machine = await Machine.create({ memory: "5M", swap: "32M", seed: 7, root, ...options });
  const trace = record(machine);
  if (controlled) machine.control({ verifies: true });
  return { machine, program: machine.spawn("/prog", []), trace };
}

async function finish({ machine }: Course): Promise<void> {
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
}

/** The run as it is without rewinding: input arrives at two moments, then ends. */
async function reference(root: string, options: Partial<MachineOptions>) {
  const course = await start(root, options, true);
  const control = course.machine.control();
  await control.runTo({ instructions: 3_000_000 });
  course.program.write("first\n");
  const middle = await control.runTo({ instructions: SECOND_INPUT });
  expect(middle.reason).toBe("instructions");
  course.program.write("second\n");
  course.program.end();
  const end = await control.run();
  expect(end.reason).toBe("finished");
  const { code, stdout } = await course.program.wait();
  const trace = course.trace();
  await finish(course);
  return { code, stdout, trace, instructions: end.instructions };
}

async function wander(root: string, options: Partial<MachineOptions>, seed: number, visits: number) {
  const prng = new Prng(seed);
  const course = await start(root, options, true);
  const { machine, program } = course;
  const control = machine.control();
  const hashes = new Map<string, string>();
  const check = (event: StopEvent): void => {
    const moment = `${event.instructions}/${event.turns}`;
    machine.kernel.mm.checkInvariants();
    // There the input is about to come, or has just come.
    if (event.instructions === SECOND_INPUT) return;
    const hash = `${stateHash(machine)} ${graphHash(machine)}`;
    expect(hashes.get(moment) ?? hash, `moment ${moment}, seed ${seed}`).toBe(hash);
    hashes.set(moment, hash);
  };
  await control.runTo({ instructions: 3_000_000 });
  program.write("first\n");
  check(await control.runTo({ instructions: SECOND_INPUT }));
  program.write("second\n");
  program.end();
  let atEnd = false;
  const wandering = async (): Promise<void> => {
    const { latest } = control.history;
    switch (prng.below(6)) {
      case 0:
        check(await control.stepBack(prng.below(2) === 0 ? "fault" : "syscall"));
        return;
      case 1:
        for (let i = 0; i < 3; i++) check(await control.stepBack());
        for (let i = 0; i < 3; i++) check(await control.stepInstruction());
        return;
      case 2:
        check(await control.runTo({ instructions: control.instructions + prng.below(2_000_000) }));
        return;
      case 3:
        check(await control.stepFault());
        return;
      default:
        check(await control.seek(prng.below(latest)));
    }
  };
  for (let i = 0; i < visits; i++) await wandering();
  while (!atEnd) {
    const event = await control.runTo({ instructions: control.instructions + 1_500_000 + prng.below(1_500_000) });
    atEnd = event.reason === "finished";
    check(event);
    if (!atEnd) await wandering();
    if (!atEnd && control.instructions < control.history.latest) check(await control.seek(control.history.latest));
  }
  for (let i = 0; i < visits; i++) await wandering();
  expect((await control.run()).reason).toBe("finished");
  const { code, stdout } = await program.wait();
  const trace = course.trace();
  expect(new TextDecoder().decode(program.transcript())).toBe(stdout);
  const repeated = hashes.size;
  await finish(course);
  return { code, stdout, trace, repeated };
}

describe.skipIf(skip)("replay", () => {
  const root = skip ? "" : mkdtempSync(join(scratch.path, "root-"));
  if (!skip) {
    mkdirSync(join(root, "tmp"), { mode: 0o1777 });
    copyFileSync(scratch.compile("prog", ["test/control/replay-mix.c"]), join(root, "prog"));
  }

  test.each([
    ["translated", { translate: true } as const],
    ["interpreted", { translate: false } as const],
    ["another policy", { policy: "random", memory: "4M" } as const],
  ])("a wandering run is the straight run, %s", async (_name, options) => {
    const expected = await reference(root, options);
    expect(expected.code).toBe(7);
    expect(expected.stdout).toContain("input second\n");
    for (const seed of [1, 2]) {
      const run = await wander(root, options, seed, 12);
      expect(run.stdout).toBe(expected.stdout);
      expect(run.code).toBe(expected.code);
      expect(run.trace.equals(expected.trace), `trace of seed ${seed}`).toBe(true);
      expect(run.repeated).toBeGreaterThan(20);
    }
  });

  test("run control changes nothing: an uncontrolled run has the same trace", async () => {
    const traces: Buffer[] = [];
    for (const controlled of [false, true]) {
      const course = await start(root, {}, controlled);
      course.program.end();
      if (controlled) await course.machine.control().run();
      const { code } = await course.program.wait();
      expect(code).toBe(7);
      traces.push(course.trace());
      await finish(course);
    }
    expect(traces[0].length).toBeGreaterThan(100_000);
    expect(traces[0].equals(traces[1])).toBe(true);
  });
});

afterAll(() => rmSync(scratch.path, { recursive: true, force: true }));
