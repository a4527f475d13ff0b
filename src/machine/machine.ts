// The composition root: hart, memory manager, kernel and file systems of one machine, and the loop that turns its crank.
// What the host gives comes through MachineHost; the command line and the browser are above.
import { AT_FDCWD } from "../abi/fcntl.ts";
import { Hart } from "../cpu/hart.ts";
import { Kernel, type StepResult } from "../kernel/kernel.ts";
import { LinuxError } from "../kernel/linux-error.ts";
import type { Process } from "../kernel/process.ts";
import { kernelSignal } from "../kernel/signals/siginfo.ts";
import type { Task } from "../kernel/task.ts";
import {
  type ConsoleHost,
  type ConsoleTty,
  HostInputFile,
  HostOutputFile,
  type InputHost,
  type WindowSize,
} from "../kernel/tty/console.ts";
import { adoptConsole, connectConsole } from "../kernel/tty/terminal-state.ts";
import type { HostFiles } from "../kernel/vfs/host-files.ts";
import type { OpenFile } from "../kernel/vfs/open-file.ts";
import type { Path } from "../kernel/vfs/path.ts";
import { kernelTask } from "../kernel/vfs/standard-mounts.ts";
import type { OvercommitMode } from "../mm/contracts.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { HOST_FIELDS } from "./control/guest-state.ts";
import { OutputTap } from "./control/output-tap.ts";
import { type Advance, type Controllable, type ControlOptions, RunControl } from "./control/run-control.ts";
import {
  consoleFile,
  type MountRequest,
  missingFileBytes,
  mountFileSystems,
  namedInterpreter,
} from "./file-systems.ts";
import { HostError, type HostSwap, type MachineHost } from "./host.ts";
import type { AreaInfo } from "./inspect/areas.ts";
import { EventHub, type MachineEvents, type MachineEventType } from "./inspect/events.ts";
import type { FrameView } from "./inspect/frames.ts";
import { Inspector } from "./inspect/inspector.ts";
import { Symbols } from "./inspect/symbols.ts";
import { type MachineReport, type ProcessReport, reportMachine, reportProcess } from "./report.ts";
import { parseSize } from "./sizes.ts";
import { ReportingSwap } from "./swap-log.ts";

export interface MachineOptions {
  /** Physical memory: "256M" (default) or bytes. */
  memory?: string | number;
  /** Swap file size; default 0: none. */
  swap?: string | number;
  swapFile?: string | null;
  policy?: string;
  overcommit?: OvercommitMode;
  overcommitRatio?: number;
  /** Reproducible run: clock, scheduling and random numbers follow from it. */
  seed?: number | null;
  /** Host folder with the guest's root. */
  root: string;
  /** Writes go to the root folder itself; default: to memory. */
  writable?: boolean;
  mounts?: readonly MountRequest[];
  strace?: ((line: string) => void) | null;
  /** Kernel messages, a line each (the out-of-memory killer speaks here). */
  log?: (line: string) => void;
  hostname?: string;
  /** Whether hot code is translated (HartOptions.translate); changes speed, never results. */
  translate?: boolean | "always";
  /** Hears of every page that an instruction touches (HartOptions.onReference); several times slower. */
  onReference?: (pfn: number, kind: number) => void;
}

export interface SpawnRequest {
  /** Added to the default environment. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Text or bytes for standard input; null: end of file at once; undefined: given later by MachineProcess.write(). */
  stdin?: string | Uint8Array | null;
  /** Hears that what write() fed was read. */
  stdinHost?: InputHost;
  /** Takes output as it comes; default: collected for wait(). */
  stdout?: ConsoleHost;
  stderr?: ConsoleHost;
  /** A terminal instead of those of the three pipes that are not asked for by `stdin` or `stdinHost`, `stdout`, `stderr`. */
  terminal?: { host: ConsoleHost; size: WindowSize };
}

/** PATH and friends as a login on Debian gives them. */
const DEFAULT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

/** Instructions per step: a few milliseconds, so that input and timers of the host are served. */
const STEP_INSTRUCTIONS = 4_000_000;
const STEPS_PER_BREATH_MS = 12;
const MIN_MEMORY = 1 << 20;
/** Longest uninterrupted sleep: a host timer has 31 bits of milliseconds. */
const MAX_SLEEP_MS = 60_000;

export class Machine implements Controllable {
  readonly host: MachineHost;
  readonly kernel: Kernel;
  private readonly swap: HostSwap | null;
  readonly swapDevice: ReportingSwap | null;
  private looping: Promise<void> | null = null;
  /** Running programs that the machine's user started, by pid, and all that were started. */
  readonly guestLinks = { processes: new Map<number, MachineProcess>(), handles: [] as MachineProcess[] };
  readonly folders: HostFiles[] = [];
  private readonly options: MachineOptions;
  private readonly finalReports: ProcessReport[] = [];
  /** Keep a report of every process as it ends (Machine.report()). */
  keepReports = false;
  private stopped = false;
  /** Ask it for anything there is to see. */
  readonly inspect: Inspector;
  /** Use on(). */
  readonly events: EventHub;
  readonly symbols: Symbols;
  private runControl: RunControl | null = null;

  constructor(options: MachineOptions, host: MachineHost) {
    this.host = host;
    this.options = options;
    const ramBytes = sizeOption(options.memory ?? "256M", "memory");
    if (ramBytes < MIN_MEMORY) throw new HostError(`memory of ${ramBytes} bytes: at least 1M is needed`);
    const swapBytes = sizeOption(options.swap ?? 0, "swap");
    const swapDevice = swapBytes > 0 ? host.openSwap(swapBytes, options.swapFile ?? null) : null;
    this.swap = swapDevice;
    const swapLog = (line: string) => this.kernel.log(line);
    this.swapDevice = swapDevice && new ReportingSwap(swapDevice, swapLog);
    // What is said again when a run is repeated was said already.
    const { strace, log } = options;
    const once = (say: (line: string) => void) => (line: string) => {
      if (!this.isRepeating) say(line);
    };
    this.kernel = new Kernel({
      hart: Hart.create({
        ramBytes: ramBytes - (ramBytes % 4096),
        translate: options.translate,
        onReference: options.onReference,
        compileModule: host.compileModule,
        keptInterpreter: host.keptInterpreter,
        codeStore: host.codeStore,
      }),
      ramBytes: ramBytes - (ramBytes % 4096),
      swapDevice: this.swapDevice,
      policy: options.policy,
      overcommit: options.overcommit,
      overcommitRatio: options.overcommitRatio,
      seed: options.seed ?? null,
      clock: host.clock,
      entropy: (bytes) => host.entropy(bytes),
      strace: strace ? once(strace) : null,
      log: log && once(log),
      hostname: options.hostname,
    });
    this.kernel.beforeRelease = (task) => this.lastLook(task);
    this.kernel.onExit = (process) => this.ended(process);
    this.symbols = new Symbols(this.kernel.mm);
    this.inspect = new Inspector(this.kernel, this.symbols);
    this.events = new EventHub(this.kernel);
    const open = (path: string) => this.openFolder(path);
    mountFileSystems(this.kernel, open, options);
  }

  private openFolder(path: string): HostFiles {
    const files = this.host.openFolder(path);
    this.folders.push(files);
    return files;
  }

  /**
   * Run control. From the first call on the machine stands still until it is told to run; see docs/design/run-control.md.
   */
  control(options: ControlOptions = {}): RunControl {
    if (this.runControl === null) {
      if (this.rewindRefusal === null)
        for (const handle of this.guestLinks.handles) for (const tap of handle.taps) tap.keep();
      this.runControl = new RunControl(this, options);
    }
    return this.runControl;
  }

  /** Run control is there, and can go back. */
  get canRewind(): boolean {
    return this.runControl !== null && this.rewindRefusal === null;
  }

  /** Why there is no way back to an earlier moment, in one line; null: there is one, by way of control(). */
  get rewindRefusal(): string | null {
    const { options } = this;
    if (options.seed === undefined || options.seed === null)
      return "without a seed time comes from the host; give the machine one";
    if (options.writable) return "what is written to the root folder itself cannot be taken back";
    const mount = options.mounts?.find((request) => !request.readOnly);
    if (mount) return `what is written to the mounted folder ${mount.host} cannot be taken back; mount it read-only`;
    if (this.swap?.rewindRefusal !== undefined) return this.swap.rewindRefusal;
    if (options.onReference) return "page references are being recorded";
    return null;
  }

  /** What happens in the guest happened before. */
  private get isRepeating(): boolean {
    return this.runControl?.isRepeating ?? false;
  }

  courseChanged(): void {
    for (const handle of this.guestLinks.handles) handle.forgetFuture();
  }

  /** Every physical frame, as typed arrays; inspect.frame(pfn) says who maps one. */
  frames(): FrameView {
    return this.inspect.frames();
  }

  /** Calls `listener` for every event of the type; the function returned ends that. Costs nothing while nobody listens. */
  on<K extends MachineEventType>(type: K, listener: (event: MachineEvents[K]) => void): () => void {
    return this.events.on(type, listener);
  }

  /**
   * Starts a program; `args` are without argv[0]. A name without "/" is looked up in PATH. Throws LinuxError (ENOENT, EACCES,
   * ENOEXEC, ...) when it cannot be executed.
   */
  spawn(path: string, args: readonly string[] = [], request: SpawnRequest = {}): MachineProcess {
    if (this.runControl?.isAtWork)
      throw new HostError("under run control a program is started while the machine is between two steps");
    const handle = new MachineProcess(this, request);
    let failure: unknown = null;
    const start = () => {
      try {
        this.start(handle, path, args, request);
      } catch (error) {
        if (!(error instanceof LinuxError)) throw error;
        failure = error;
      }
    };
    this.deliver(start, () => handle.fail(new HostError("the run took another course before this program started")));
    if (failure !== null) throw failure;
    return handle;
  }

  private start(handle: MachineProcess, path: string, args: readonly string[], request: SpawnRequest): void {
    const environment = { ...DEFAULT_ENVIRONMENT, ...request.env };
    const { console, files } = handle.connect(this.kernel);
    const process = this.kernel.spawn({
      path,
      argv: [path, ...args],
      env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      cwd: request.cwd,
      files,
      prepare: (made) => {
        if (console !== null) adoptConsole(this.kernel, made.leader);
      },
    });
    handle.process = process;
    this.guestLinks.processes.set(process.pid, handle);
    this.guestLinks.handles.push(handle);
  }

  /** Makes sure that the loop runs, and that it looks at the world at once. */
  wake(): void {
    this.host.wakeUp();
    if (this.looping === null && !this.stopped) this.looping = this.loop();
  }

  /** Ends every process (SIGKILL) and the loop. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.runControl?.pause();
    this.host.wakeUp();
    await this.looping;
  }

  /** Writes dirty pages of writable folders back; closes folders and swap file. Nothing runs afterwards. Returns 0 or -errno. */
  close(): number {
    this.stopped = true;
    const result = this.kernel.vfs.sync();
    this.swap?.close?.();
    for (const folder of this.folders) folder.close?.();
    return result;
  }

  /** After the last program: lets the host translate for later runs what this one interpreted, if it keeps translations. */
  learn(): void {
    this.kernel.hart.finish();
  }

  /** The memory report: living processes as they are, ended ones as they were before their memory was given back. */
  report(): MachineReport {
    const living = [...this.kernel.processes.values()]
      .filter((p) => p.state === "alive")
      .map((p) => reportProcess(p.liveThread!));
    return reportMachine(this.kernel, [...this.finalReports, ...living]);
  }

  /** Whether the guest has something at this absolute path (links followed). */
  exists(path: string): boolean {
    return this.lookUp(path) !== null;
  }

  /** What the program at this path names as its interpreter: PT_INTERP or the #! line; null when it names none. */
  interpreterOf(path: string): string | null {
    const place = this.lookUp(path);
    if (place === null) return null;
    try {
      return namedInterpreter(place);
    } catch (error) {
      if (error instanceof LinuxError) return null;
      throw error;
    }
  }

  /** Bytes that the segments of this program want beyond the end of its file: not 0 when the file was cut off. */
  missingBytes(path: string): number {
    const place = this.lookUp(path);
    return place === null ? 0 : missingFileBytes(place);
  }

  private lookUp(path: string): Path | null {
    try {
      return this.kernel.vfs.resolve(kernelTask(this.kernel), AT_FDCWD, path);
    } catch (error) {
      if (error instanceof LinuxError) return null;
      throw error;
    }
  }

  private lastLook(task: Task): void {
    if (this.keepReports && !this.isRepeating && task.space.users === 1) this.finalReports.push(reportProcess(task));
  }

  private ended(process: Process): void {
    const { processes } = this.guestLinks;
    if (!this.isRepeating) processes.get(process.pid)?.finished(process);
    processes.delete(process.pid);
  }

  private async loop(): Promise<void> {
    // The caller of spawn() goes on first: it may start more programs that are to run beside this one.
    await this.host.breathe();
    try {
      let lastBreath = this.host.clock.monotonicNs();
      while (!this.stopped) {
        const result = this.crank();
        if (result.kind === "finished" || result.kind === "paused") return;
        if (await this.rest(result, lastBreath)) lastBreath = this.host.clock.monotonicNs();
      }
    } catch (error) {
      // A programmer's error inside the machine: nothing can go on, and whoever waits for a program must hear of it.
      this.stopped = true;
      this.runControl?.fail(error);
      for (const handle of this.guestLinks.processes.values()) handle.fail(error);
      this.guestLinks.processes.clear();
    } finally {
      // In this very turn, not in a promise's callback: who learns that a program ended may start the next one before that runs.
      this.looping = null;
    }
  }

  private crank(): Advance {
    return this.runControl === null ? this.kernel.step(STEP_INSTRUCTIONS) : this.runControl.advance(STEP_INSTRUCTIONS);
  }

  /** Something from outside the guest happens to it: now, or between two turns of a controlled run. */
  deliver(input: () => void, undone?: () => void): void {
    if (this.runControl === null) input();
    else this.runControl.deliver(input, undone);
    this.wake();
  }

  /** Lets the host's events in when it is time; whether it did. */
  private async rest(result: StepResult, lastBreath: number): Promise<boolean> {
    const { kernel, host } = this;
    if (result.kind === "idle") {
      const wait = (result.untilNs - kernel.clock.monotonicNs()) / 1e6;
      if (wait > 0) await host.sleep(Math.min(wait, MAX_SLEEP_MS));
      else await host.breathe();
      return true;
    }
    if ((host.clock.monotonicNs() - lastBreath) / 1e6 <= STEPS_PER_BREATH_MS) return false;
    await host.breathe();
    return true;
  }
}

function sizeOption(value: string | number, name: string): number {
  const bytes = parseSize(value);
  if (bytes === null) throw new HostError(`${name} "${value}" is not a size such as 64M`);
  return bytes;
}

export interface Completion {
  /** As a shell counts: the exit status, or 128 + the signal that killed it. */
  code: number;
  /** null unless a signal ended it. */
  signal: number | null;
  stdout: string;
  stderr: string;
}

const PROCESS_HOST_FIELDS: ReadonlySet<string> = new Set([
  "machine",
  "request",
  "taps",
  "output",
  "errors",
  "completion",
  "failure",
  "waiters",
]);

/** A program that the machine's user started. */
export class MachineProcess implements InputHost {
  /** All but the guest's side of it stays as it is when the guest is brought back in time. */
  readonly [HOST_FIELDS] = PROCESS_HOST_FIELDS;
  process!: Process;
  private readonly machine: Machine;
  private readonly request: SpawnRequest;
  private input: HostInputFile | null = null;
  private console: ConsoleTty | null = null;
  /** Standard output and error, where they are not the terminal. */
  private outputs: (HostOutputFile | null)[] = [];
  /** Standard output (or the terminal), standard error, and the terminal when standard output is not it. */
  readonly taps: OutputTap[] = [];
  private readonly output: Uint8Array[] = [];
  private readonly errors: Uint8Array[] = [];
  private completion: Completion | null = null;
  private failure: unknown = null;
  private waiters: { resolve: (completion: Completion) => void; reject: (error: unknown) => void }[] = [];

  constructor(machine: Machine, request: SpawnRequest) {
    this.machine = machine;
    this.request = request;
  }

  /** Makes the standard descriptors. */
  connect(kernel: Kernel): { console: ConsoleTty | null; files: OpenFile[] } {
    const { terminal, stdin, stdinHost, stdout, stderr } = this.request;
    // Behind the pipes that there are; in the place of standard output where that is the terminal.
    const at = stdout ? (stderr ? 2 : 1) : 0;
    if (terminal) this.console = connectConsole(kernel, this.tap(at, terminal.host), terminal.size);
    if (!terminal || stdin !== undefined || stdinHost) {
      this.input = new HostInputFile(kernel, this);
      if (stdin) this.input.feed(typeof stdin === "string" ? encodeUtf8(stdin) : stdin);
      if (stdin !== undefined) this.input.end();
    }
    const pipe = (index: 0 | 1, host: ConsoleHost | undefined, collected: Uint8Array[]) =>
      terminal && !host ? null : new HostOutputFile(kernel, this.tap(index, host ?? collector(collected)));
    this.outputs = [pipe(0, stdout, this.output), pipe(1, stderr, this.errors)];
    return { console: this.console, files: [this.input, ...this.outputs].map((file) => file ?? consoleFile(kernel)) };
  }

  /** The tap of one output; the same one when the program is started again in a repeated run. */
  private tap(index: number, host: ConsoleHost): OutputTap {
    this.taps[index] ??= new OutputTap(host);
    if (this.machine.canRewind) this.taps[index].keep();
    this.taps[index].produced = 0;
    return this.taps[index];
  }

  /** All that it wrote up to the present moment: to the terminal or standard output (0), to standard error (1). */
  transcript(output: 0 | 1 = 0): Uint8Array {
    return this.taps[output]?.transcript() ?? new Uint8Array(0);
  }

  forgetFuture(): void {
    for (const tap of this.taps) tap.forgetFuture();
  }

  /** The areas of its address space as in /proc/PID/maps, each with its resident, shared, private and swapped pages. */
  maps(): AreaInfo[] {
    return this.machine.inspect.maps(this.process.pid);
  }

  /** Standard input: keys of the terminal, or bytes of the pipe. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encodeUtf8(data) : data.slice();
    this.machine.deliver(() => {
      if (this.input) this.input.feed(bytes);
      else this.console?.input(bytes);
    });
  }

  /** Keys of the terminal, also when standard input is a pipe. */
  type(keys: Uint8Array): void {
    const bytes = keys.slice();
    this.machine.deliver(() => this.console?.input(bytes));
  }

  /** No more standard input. */
  end(): void {
    this.machine.deliver(() => this.input?.end());
  }

  /** Bytes written and not read yet. */
  get bufferedInput(): number {
    return this.input?.bufferedBytes ?? 0;
  }

  resize(size: WindowSize): void {
    this.machine.deliver(() => this.console?.resize(size));
  }

  /** The takers of output (ConsoleHost.room) can take more. */
  roomGrew(): void {
    this.machine.deliver(() => {
      this.console?.roomGrew();
      for (const file of this.outputs) file?.roomGrew();
    });
  }

  /** Nobody takes standard output (0) or standard error (1) any more. */
  loseReader(output: 0 | 1): void {
    this.machine.deliver(() => this.outputs[output]?.loseReader());
  }

  /** Some of the bytes that were fed were read. */
  taken(): void {
    this.request.stdinHost?.taken();
  }

  /** Sends a signal, as kill(2) from outside would. */
  kill(signal: number): void {
    this.machine.deliver(() => {
      if (this.process.state === "alive") this.process.send(kernelSignal(signal));
    });
  }

  /** Sends a signal as the keys of a terminal do: to the programs in its foreground, or without one to the program's group. */
  interrupt(signal: number): void {
    this.machine.deliver(() => {
      if (this.console) this.console.raise(signal);
      else if (this.process.state === "alive")
        this.machine.kernel.sendSignalToGroup(this.process.group, kernelSignal(signal));
    });
  }

  /** The terminal's screen lost what was on it. */
  redraw(): void {
    this.machine.deliver(() => this.console?.redraw());
  }

  hangUp(): void {
    this.machine.deliver(() => this.console?.hangUp());
  }

  /** Output collected so far (when no stdout taker was given). */
  get collectedOutput(): string {
    return decode(this.output);
  }

  get isRunning(): boolean {
    return this.completion === null;
  }

  /** Resolves when the program has ended; rejects only when the machine itself broke down. */
  wait(): Promise<Completion> {
    if (this.completion) return Promise.resolve(this.completion);
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  finished(process: Process): void {
    const signal = process.exitStatus & 0x7f;
    this.completion = {
      code: process.shellStatus,
      signal: signal === 0 ? null : signal,
      stdout: decode(this.output),
      stderr: decode(this.errors),
    };
    for (const { resolve } of this.waiters) resolve(this.completion);
    this.waiters = [];
  }

  /** The machine broke down. */
  fail(error: unknown): void {
    this.failure = error;
    for (const { reject } of this.waiters) reject(error);
    this.waiters = [];
  }
}

function collector(chunks: Uint8Array[]): ConsoleHost {
  return {
    write: (bytes) => void chunks.push(bytes),
    rewound: (count) => {
      let left = count;
      const kept = chunks.splice(0).map((chunk) => {
        const part = chunk.subarray(0, left);
        left -= part.length;
        return part;
      });
      chunks.push(...kept.filter((part) => part.length > 0));
    },
  };
}

function decode(chunks: readonly Uint8Array[]): string {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return decodeUtf8(whole);
}
