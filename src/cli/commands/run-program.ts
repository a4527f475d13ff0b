// What `faultline run` does: makes the machine, connects the terminal or the pipes, runs the program, writes report and trace.
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { EACCES, EISDIR, ELIBBAD, ENOENT, ENOEXEC, ENOMEM, ENOTDIR } from "../../abi/errno.ts";
import {
  BUNDLED_ROOT,
  formatReport,
  HostError,
  Machine,
  type MachineOptions,
  type MachineProcess,
  type MachineReport,
  type SpawnRequest,
} from "../../host/node/index.ts";
import { TraceFile } from "../../host/node/trace-file.ts";
import { LinuxError } from "../../kernel/linux-error.ts";
import { CliError } from "../cli-error.ts";
import type { RunOptions } from "./run-options.ts";
import { connectStreams } from "./standard-streams.ts";

const STATUS_TIMEOUT = 124;
const STATUS_CANNOT_RUN = 126;
const STATUS_NOT_FOUND = 127;
const SIGHUP = 1;
const SIGKILL = 9;
/** Killed by SIGILL, SIGBUS or SIGSEGV. */
const FAULT_STATUSES = [128 + 4, 128 + 7, 128 + 11];
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Resolves with the exit status of the command. */
export async function runProgram(options: RunOptions): Promise<number> {
  const machine = await makeMachine(options);
  machine.keepReports = options.report !== null;
  const trace = options.trace === null ? null : openTrace(machine, options.trace);
  const reportFile = options.report === null || options.report === "stderr" ? null : openReport(options.report);
  const connection = connectStreams();
  let timedOut = false;
  let code: number;
  let missing = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    const program = start(machine, options, connection.request);
    connection.attach(program);
    timer = setTimer(options.timeoutSeconds, () => {
      timedOut = true;
      program.kill(SIGKILL);
    });
    ({ code } = await program.wait());
    if (FAULT_STATUSES.includes(code)) missing = machine.missingBytes(pathOf(machine, options));
  } finally {
    clearTimeout(timer);
    connection.detach();
  }
  const report = options.report === null ? null : machine.report();
  await machine.stop();
  const written = machine.close();
  const isOut = await connection.flush(timedOut);
  machine.learn();
  if (missing > 0)
    process.stderr.write(
      `faultline: ${options.program} is cut off: ${missing} bytes that its headers promise are missing\n`,
    );
  if (timedOut) process.stderr.write(`faultline: killed after ${options.timeoutSeconds} s (--timeout)\n`);
  if (report !== null) writeReport(report, reportFile);
  const cutOff = trace?.finish() ?? null;
  if (cutOff !== null) throw new CliError(`the trace ${options.trace!.path} is cut off: ${cutOff.message}`, 1);
  if (written < 0) throw new CliError(`not everything could be written back to the host (error ${-written})`, 1);
  if (connection.failure !== null) throw new CliError(connection.failure, 1);
  // Node's own end would check its terminal and break down if that is gone.
  if (connection.endedBy === SIGHUP) process.kill(process.pid, "SIGHUP");
  const status = timedOut ? STATUS_TIMEOUT : connection.endedBy !== null ? 128 + connection.endedBy : code;
  // Output that nobody takes would keep this process waiting.
  if (!isOut) process.exit(status);
  return status;
}

function setTimer(seconds: number | null, fire: () => void): NodeJS.Timeout | undefined {
  return seconds === null ? undefined : setTimeout(fire, seconds * 1000);
}

/** The machine that the options ask for. Throws CliError. */
export async function makeMachine(options: RunOptions, more: Partial<MachineOptions> = {}): Promise<Machine> {
  try {
    return await Machine.create({
      memory: options.memoryBytes,
      swap: options.swapBytes,
      swapFile: options.swapFile,
      policy: options.policy,
      overcommit: options.overcommit,
      overcommitRatio: options.overcommitRatio,
      seed: options.seed,
      root: options.root ?? BUNDLED_ROOT,
      writable: options.writable,
      mounts: options.mounts.map(({ host, guest, readOnly }) => ({ host, guest, readOnly })),
      strace: options.strace ? (line) => void writeSync(2, `${line}\n`) : null,
      log: (line) => process.stderr.write(`faultline: ${line}\n`),
      ...more,
    });
  } catch (error) {
    if (error instanceof HostError) throw new CliError(error.message);
    throw error;
  }
}

function openTrace(machine: Machine, target: { path: string; json: boolean }): TraceFile {
  try {
    return new TraceFile(machine, openSync(target.path, "w"), target.json);
  } catch (error) {
    throw new CliError(`cannot write the trace ${target.path}: ${(error as Error).message}`);
  }
}

interface ReportFile {
  path: string;
  json: boolean;
  fd: number;
}

/** Before the run: a report that cannot be written shall not cost a long run. */
function openReport(target: { path: string; json: boolean }): ReportFile {
  try {
    return { ...target, fd: openSync(target.path, "w") };
  } catch (error) {
    throw new CliError(`cannot write the report ${target.path}: ${(error as Error).message}`);
  }
}

function writeReport(report: MachineReport, file: ReportFile | null): void {
  if (file === null) {
    process.stderr.write(formatReport(report));
    return;
  }
  try {
    writeFileSync(file.fd, file.json ? `${JSON.stringify(report, null, 1)}\n` : formatReport(report));
    closeSync(file.fd);
  } catch (error) {
    throw new CliError(`cannot write the report ${file.path}: ${(error as Error).message}`, 1);
  }
}

/** Finds the program as a shell would and starts it; says in one line why not. */
export function start(machine: Machine, options: RunOptions, streams: SpawnRequest): MachineProcess {
  const env = Object.fromEntries(options.env.map(({ name, value }) => [name, value]));
  const request: SpawnRequest = { ...streams, env: { ...streams.env, ...env }, cwd: options.cwd ?? undefined };
  const path = pathOf(machine, options);
  try {
    return machine.spawn(path, options.args, request);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw explain(machine, options, path, error.errno);
  }
}

function pathOf(machine: Machine, options: RunOptions): string {
  const given = options.env.findLast(({ name }) => name === "PATH");
  return locate(machine, options.program, given?.value ?? DEFAULT_PATH);
}

const exists = (machine: Machine, path: string): boolean => machine.exists(path);

function locate(machine: Machine, program: string, path: string): string {
  if (program.includes("/")) return program;
  for (const folder of path.split(":")) if (exists(machine, `${folder}/${program}`)) return `${folder}/${program}`;
  return program;
}

function explain(machine: Machine, options: RunOptions, path: string, errno: number): CliError {
  const root = options.root ?? "the bundled root";
  if (options.cwd !== null && !exists(machine, options.cwd))
    return new CliError(`--cwd ${options.cwd}: no such folder in ${root}`);
  if (errno === ENOENT && exists(machine, path)) {
    const interpreter = machine.interpreterOf(path);
    return new CliError(
      `${path} needs the interpreter ${interpreter ?? "that it names"}, which is not in ${root}: install the package that has it (libc6 for ld-linux)`,
      STATUS_NOT_FOUND,
    );
  }
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return new CliError(`${options.program}: no such program in ${root}`, STATUS_NOT_FOUND);
    case ENOEXEC:
    case ELIBBAD:
      return new CliError(
        `${path}: not a riscv64 Linux program (ELF for RISC-V, 64 bit) that can be run`,
        STATUS_CANNOT_RUN,
      );
    case EACCES:
    case EISDIR:
      return new CliError(`${path}: permission denied: it is a folder or not executable`, STATUS_CANNOT_RUN);
    case ENOMEM:
      return new CliError(`${path}: not enough memory to start it: give more with --memory`, STATUS_CANNOT_RUN);
    default:
      return new CliError(`${path}: cannot be run (error ${errno})`, STATUS_CANNOT_RUN);
  }
}
