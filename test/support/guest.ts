// Runs riscv64 programs on a machine for tests: from C source (cross compiler), from an ELF file, or from an installed Debian root.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Completion, Machine, type MachineOptions, type SpawnRequest } from "../../src/host/node/index.ts";

const COMPILER = "riscv64-linux-gnu-gcc";

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, [...args], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export const hasCompiler = works(COMPILER, ["--version"]);
export const hasQemu = works("qemu-riscv64", ["--version"]);

/** Says loudly, once per file, what is not tested here and why. */
export function announceSkip(condition: boolean, what: string): boolean {
  if (condition) console.warn(`SKIPPED: ${what}`);
  return condition;
}

/** A folder that is removed at the end of the test run of this file. */
export class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), "faultline-test-"));

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Compiles C files to a static riscv64 program and returns its path. */
  compile(
    name: string,
    sources: readonly string[],
    flags: readonly string[] = ["-O2", "-static", "-pthread", "-w"],
  ): string {
    const out = join(this.path, name);
    execFileSync(COMPILER, [...flags, "-o", out, ...sources]);
    return out;
  }
}

export interface GuestResult extends Completion {
  machine: Machine;
}

/** Runs /prog, a copy of the ELF file, in an otherwise empty root. The machine is stopped and closed, but can be asked. */
export async function runElf(
  elf: string,
  args: readonly string[] = [],
  options: Partial<MachineOptions> = {},
  request: SpawnRequest = {},
): Promise<GuestResult> {
  const root = mkdtempSync(join(tmpdir(), "faultline-root-"));
  try {
    // Programs that give up their privileges must still find /proc.
    chmodSync(root, 0o755);
    mkdirSync(join(root, "tmp"), { mode: 0o1777 });
    copyFileSync(elf, join(root, "prog"));
    return await runIn(root, "/prog", args, options, request);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export async function runIn(
  root: string,
  program: string,
  args: readonly string[] = [],
  options: Partial<MachineOptions> = {},
  request: SpawnRequest = {},
): Promise<GuestResult> {
  const machine = await Machine.create({ seed: 1, ...options, root });
  try {
    const handle = machine.spawn(program, args, { stdin: null, ...request });
    const completion = await handle.wait();
    return { ...completion, machine };
  } finally {
    await machine.stop();
    machine.close();
  }
}
