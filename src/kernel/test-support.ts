// For tests: boots a kernel with an empty tree in memory, puts programs into it, runs them to their end, and collects what they wrote.
import { AT_FDCWD, O_CREAT, O_TRUNC, O_WRONLY } from "../abi/fcntl.ts";
import { Hart } from "../cpu/hart.ts";
import { BytesCursor } from "../mm/io-cursor.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { Kernel, type KernelConfig, type StepResult } from "./kernel.ts";
import type { Process } from "./process.ts";
import { HostInputFile, HostOutputFile } from "./tty/console.ts";
import { kernelTask, mountTree } from "./vfs/standard-mounts.ts";
import { makeDirectory } from "./vfs/vfs-change.ts";

const STEP_INSTRUCTIONS = 1_000_000;

export interface BootOptions extends Partial<Omit<KernelConfig, "hart" | "clock" | "entropy">> {
  /** Physical memory in bytes; default 64 MiB. */
  ramBytes?: number;
}

export interface TestRun {
  process: Process;
  /** As a shell counts it; -1 when the program did not end within its budget. */
  status: number;
  stdout: string;
  stderr: string;
  /** How the run ended: "finished", or "stuck" (idle for ever), or "budget". */
  ended: "finished" | "stuck" | "budget";
}

/** A machine in a box: seeded, so every run of a test is the same. */
export class TestKernel {
  readonly kernel: Kernel;
  readonly straceLines: string[] = [];
  readonly logLines: string[] = [];

  constructor(options: BootOptions = {}) {
    const ramBytes = options.ramBytes ?? 64 << 20;
    this.kernel = new Kernel({
      seed: 1,
      log: (line) => this.logLines.push(line),
      ...options,
      hart: Hart.create({ ramBytes }),
      ramBytes,
      clock: { monotonicNs: () => 0, realtime: () => ({ seconds: 0, nanoseconds: 0 }) },
      entropy: (bytes) => bytes.fill(7),
    });
    mountTree(this.kernel, { root: null, writable: true });
  }

  makeDirectory(path: string, mode = 0o755): void {
    makeDirectory(this.kernel.vfs, kernelTask(this.kernel), AT_FDCWD, path, mode);
  }

  /** Creates a file with these contents. */
  put(path: string, contents: Uint8Array | string, mode = 0o755): void {
    const t = kernelTask(this.kernel);
    const file = this.kernel.vfs.open(t, AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY, mode);
    const bytes = typeof contents === "string" ? encodeUtf8(contents) : contents;
    for (let at = 0; at < bytes.length; ) {
      const count = file.write(t, new BytesCursor(bytes, at, bytes.length), at);
      if (count <= 0) throw new Error(`cannot write ${path}: ${count}`);
      at += count;
    }
    file.release();
  }

  /** Starts a program; its output is collected by finish(). */
  spawn(path: string, argv: readonly string[] = [], env: readonly string[] = [], stdin = ""): RunningProgram {
    const out: Uint8Array[] = [];
    const errors: Uint8Array[] = [];
    const input = new HostInputFile(this.kernel);
    if (stdin !== "") input.feed(encodeUtf8(stdin));
    input.end();
    const files = [
      input,
      new HostOutputFile(this.kernel, { write: (bytes) => void out.push(bytes) }),
      new HostOutputFile(this.kernel, { write: (bytes) => void errors.push(bytes) }),
    ];
    const process = this.kernel.spawn({ path, argv: [path, ...argv], env, files });
    return { process, out, errors };
  }

  /** Runs everything until no process is left, nothing can run, or `budget` instructions are used. */
  finish(program: RunningProgram, budget = 2_000_000_000): TestRun {
    const end = this.kernel.hart.instructions + budget;
    let result: StepResult = { kind: "ran" };
    while (result.kind === "ran" && this.kernel.hart.instructions < end) result = this.kernel.step(STEP_INSTRUCTIONS);
    const { process } = program;
    return {
      process,
      status: process.state === "alive" ? -1 : process.shellStatus,
      stdout: program.out.map((bytes) => decodeUtf8(bytes)).join(""),
      stderr: program.errors.map((bytes) => decodeUtf8(bytes)).join(""),
      ended: result.kind === "finished" ? "finished" : result.kind === "idle" ? "stuck" : "budget",
    };
  }

  /** put, spawn and finish. */
  run(elf: Uint8Array, argv: readonly string[] = [], env: readonly string[] = []): TestRun {
    this.put("/tmp/program", elf);
    return this.finish(this.spawn("/tmp/program", argv, env));
  }
}

export interface RunningProgram {
  process: Process;
  out: Uint8Array[];
  errors: Uint8Array[];
}
