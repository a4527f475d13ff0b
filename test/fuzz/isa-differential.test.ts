// Strategy: random RV64GC programs (isa-program.ts) run under qemu-riscv64 and on our hart; after every block both write all
// registers, fcsr and the scratch memory, and the program ends by exit, breakpoint or an illegal instruction.
// Invariants: the same bytes, the same ending; every instruction was executed at least once.
// Without qemu-riscv64 the hart's output is compared with hashes that were recorded from qemu (golden/isa-differential.json;
// FUZZ_RECORD=1 records them anew). FUZZ_SECONDS lengthens the run, FUZZ_SEED starts it elsewhere.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { EXIT_BREAKPOINT, EXIT_ECALL, EXIT_FUEL, EXIT_ILLEGAL } from "../../src/cpu/exits.ts";
import { BareMachine } from "../../src/cpu/test-support/bare-machine.ts";
import { hasQemu } from "../support/guest.ts";
import { DUMP_BYTES, type Ending, generateProgram, type Program } from "./isa-program.ts";
import { COMPRESSED, rowsByName } from "./riscv-assembler.ts";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 15);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const GOLDEN = new URL("./golden/isa-differential.json", import.meta.url).pathname;
const GOLDEN_PROGRAMS = 40;
const LEAST_PROGRAMS = 12;
const SYS_WRITE = 64;
/** Slices in which the hart runs, one after the other from program to program. */
const FUELS = [10_000_000, 1, 7, 1000];

interface Outcome {
  readonly output: Uint8Array;
  /** "exit N", "SIGTRAP" or "SIGILL". */
  readonly end: string;
}

const folder = mkdtempSync(join(tmpdir(), "isa-differential-"));
afterAll(() => rmSync(folder, { recursive: true }));

function runQemu(program: Program): Outcome {
  const path = join(folder, "program");
  writeFileSync(path, program.elf);
  chmodSync(path, 0o755);
  const result = spawnSync("qemu-riscv64", [path], { maxBuffer: 1 << 26 });
  return { output: result.stdout, end: result.signal ?? `exit ${result.status}` };
}

function describeEnd(machine: BareMachine, reason: number): string {
  if (reason === EXIT_BREAKPOINT) return "SIGTRAP";
  if (reason === EXIT_ILLEGAL) return "SIGILL";
  return `stop ${reason} at ${machine.context.pc.toString(16)}, address ${(machine.hart.faultAddressLow >>> 0).toString(16)}`;
}

/** Every other program is interpreted, or translated as far as that goes. */
const MODES = [false, "always"] as const;
let runs = 0;

/** Runs in slices of `fuel` instructions: exits at any instruction must not show. */
function runHart(program: Program, fuel: number): Outcome {
  const machine = new BareMachine(8 << 20, { translate: MODES[runs++ % MODES.length] });
  const { hart, context } = machine;
  machine.load(program.elf);
  const parts: Uint8Array[] = [];
  let end = "";
  while (end === "") {
    const reason = hart.run(fuel);
    if (reason === EXIT_FUEL) {
      if (hart.instructions > 50_000_000) end = "endless";
    } else if (reason !== EXIT_ECALL) {
      end = describeEnd(machine, reason);
    } else if (context.getX(17) === SYS_WRITE) {
      parts.push(machine.read(context.getX(11), context.getX(12)));
      context.setX(10, context.getX(12));
      context.pc += 4;
    } else {
      end = `exit ${context.getX(10)}`;
    }
  }
  instructions += hart.instructions;
  translated += hart.codeCache?.translatedInstructions ?? 0;
  return { output: Buffer.concat(parts), end };
}

let instructions = 0;
let translated = 0;

function word(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 8))
    .reverse()
    .toString("hex");
}

/** Where a byte of a block's dump comes from. */
function place(offset: number): string {
  if (offset < 2048) return `scratch ${offset - 1024}`;
  if (offset < 2304) return `x${(offset - 2048) >> 3}`;
  if (offset < 2560) return `f${(offset - 2304) >> 3}`;
  return "fcsr";
}

function describeDifference(seed: number, program: Program, want: Outcome, got: Outcome): string {
  const [expected, actual] = [want.output, got.output];
  for (let i = 0; i < program.blocks.length; i++) {
    const from = i * DUMP_BYTES;
    const different: string[] = [];
    for (let at = 0; at < DUMP_BYTES; at += 8) {
      const [right, ours] = [word(expected, from + at), word(actual, from + at)];
      if (right !== ours) different.push(`${place(at)}: hart ${ours}, qemu ${right}`);
    }
    const stopped = from + DUMP_BYTES > actual.length ? `hart ended early: ${got.end}` : "";
    if (different.length > 0) {
      const block = program.blocks[i];
      return `seed ${seed} block ${i} base x${block.base}\n${stopped || different.join("\n")}\n${block.listing.join("\n")}`;
    }
  }
  return `seed ${seed}: lengths ${expected.length} and ${actual.length}`;
}

function hash(outcome: Outcome): string {
  return createHash("sha256").update(outcome.output).update(outcome.end).digest("hex").slice(0, 32);
}

/** What each ending looks like from outside. */
function expectedEnd(ending: Ending): string {
  return ending === "exit" ? "exit 7" : ending.endsWith("ebreak") ? "SIGTRAP" : "SIGILL";
}

function missing(executed: Map<string, number>): string[] {
  return [...rowsByName.keys(), ...Object.keys(COMPRESSED)].filter(
    (name) => !executed.has(name) && name !== "ebreak" && name !== "c.ebreak", // these are endings
  );
}

describe("hart against qemu", () => {
  const executed = new Map<string, number>();
  const endings = new Set<string>();
  const note = (program: Program) => {
    for (const [name, count] of program.executed) executed.set(name, (executed.get(name) ?? 0) + count);
    endings.add(program.ending);
  };

  it("reproduces the results recorded from qemu", () => {
    if (process.env.FUZZ_RECORD === "1") {
      if (!hasQemu) throw new Error("recording needs qemu-riscv64");
      const rows = Array.from({ length: GOLDEN_PROGRAMS }, (_, i) => [
        1000 + i,
        hash(runQemu(generateProgram(1000 + i, 20))),
      ]);
      writeFileSync(GOLDEN, `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`);
    }
    if (!existsSync(GOLDEN)) throw new Error("no recorded results");
    const golden: Record<string, string> = JSON.parse(readFileSync(GOLDEN, "utf8"));
    for (const [seed, expected] of Object.entries(golden)) {
      const program = generateProgram(Number(seed), 20);
      note(program);
      expect(`seed ${seed}: ${hash(runHart(program, FUELS[0]))}`).toBe(`seed ${seed}: ${expected}`);
    }
    expect(missing(executed)).toEqual([]);
  });

  it.skipIf(!hasQemu)("agrees with qemu-riscv64 block by block", { timeout: (SECONDS + 60) * 1000 }, () => {
    const end = performance.now() + SECONDS * 1000;
    let programs = 0;
    let blocks = 0;
    instructions = 0;
    for (let seed = FIRST_SEED; performance.now() < end || programs < LEAST_PROGRAMS; seed++) {
      const program = generateProgram(seed);
      note(program);
      const expected = runQemu(program);
      const actual = runHart(program, FUELS[programs % FUELS.length]);
      if (Buffer.compare(expected.output, actual.output) !== 0) {
        expect.fail(describeDifference(seed, program, expected, actual));
      }
      expect(`seed ${seed} ${program.ending}: ${actual.end}`).toBe(`seed ${seed} ${program.ending}: ${expected.end}`);
      expect(expected.end).toBe(expectedEnd(program.ending));
      programs++;
      blocks += program.blocks.length;
    }
    const least = [...executed].sort((a, b) => a[1] - b[1])[0];
    console.log(
      `isa differential: ${programs} programs, ${blocks} blocks, ${instructions} instructions (${translated} translated), ${executed.size} kinds ` +
        `(least often: ${least[0]} ${least[1]}x), endings ${[...endings].join(" ")}`,
    );
    expect(missing(executed)).toEqual([]);
  });

  if (!hasQemu)
    console.warn("SKIPPED: qemu-riscv64 is not installed; the hart was compared with recorded results only");
});
