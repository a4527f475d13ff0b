// Connects a guest program to this process: stdin, stdout and stderr as a terminal in raw mode or as three pipes, and the signals
// sent to this process. In every case the terminal is given back as it was.
import { spawnSync } from "node:child_process";
import type { MachineProcess, SpawnRequest } from "../../host/node/index.ts";

/** Bytes that may wait for a slow reader before the guest's writers block. */
const OUTPUT_LIMIT = 1 << 20;
/** Bytes fed to the guest and not read by it before we stop reading ours. */
const INPUT_LIMIT = 1 << 20;
/** Time for a program to end after its terminal went away, before it is killed. */
const GRACE_MS = 2000;
/** Time for a reader to take the last output of a program that was ended from outside. */
const LAST_OUTPUT_MS = 500;
const SIGKILL = 9;

type SignalName = "SIGHUP" | "SIGINT" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2" | "SIGTERM" | "SIGTSTP" | "SIGCONT";
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGTERM: 15 } as const;

export interface Connection {
  readonly request: SpawnRequest;
  attach(program: MachineProcess): void;
  /** Why output could not be written, and the program was ended for it; or null. */
  readonly failure: string | null;
  /** The signal for which the program was ended with its terminal; or null. */
  readonly endedBy: number | null;
  /** Gives input, terminal and signals back. */
  detach(): void;
  /** Resolves with true when all output is out; with false when nobody takes the rest of a program ended from outside. */
  flush(timedOut: boolean): Promise<boolean>;
}

/** One of our output streams as the guest's. */
class Output {
  private readonly stream: NodeJS.WriteStream;
  isBroken = false;

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
  }

  write(bytes: Uint8Array): void {
    if (!this.isBroken) this.stream.write(bytes);
  }

  room(): number {
    return this.isBroken ? Number.POSITIVE_INFINITY : Math.max(0, OUTPUT_LIMIT - this.stream.writableLength);
  }

  flushed(): Promise<void> {
    if (this.isBroken) return Promise.resolve();
    return new Promise((resolve) => this.stream.write("", () => resolve()));
  }
}

/** All output is out (true), or in case of `hurry` it took too long (false). */
async function flushAll(outputs: readonly Output[], hurry: boolean): Promise<boolean> {
  const all = Promise.all(outputs.map((output) => output.flushed())).then(() => true);
  if (!hurry) return all;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), LAST_OUTPUT_MS);
  });
  const flushed = await Promise.race([all, late]);
  clearTimeout(timer);
  return flushed;
}

/** Handlers of signals to this process, while the guest runs. */
class SignalHandlers {
  private readonly handlers: [SignalName, () => void][] = [];

  on(name: SignalName, handler: () => void): void {
    this.handlers.push([name, handler]);
    process.on(name, handler);
  }

  remove(): void {
    for (const [name, handler] of this.handlers.splice(0)) process.off(name, handler);
  }
}

/**
 * Our terminal passes bytes on as they are. Node's raw mode leaves ONLCR on: a line feed by which a full-screen program moves
 * straight down would come out as a new line. Leaving raw mode restores all settings.
 */
function makeRaw(): void {
  process.stdin.setRawMode(true);
  spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
}

function leaveInput(): void {
  process.stdin.pause();
  (process.stdin as unknown as { unref?: () => void }).unref?.();
}

/** Signals that end or inform one process go to the program; those a terminal's keys send go to its process group. */
function forwardSignals(signals: SignalHandlers, program: MachineProcess, noted: (signal: number) => void): void {
  for (const name of ["SIGTERM", "SIGUSR1", "SIGUSR2"] as const)
    signals.on(name, () => {
      noted(NUMBERS[name]);
      program.kill(NUMBERS[name]);
    });
  for (const name of ["SIGHUP", "SIGINT", "SIGQUIT"] as const)
    signals.on(name, () => {
      noted(NUMBERS[name]);
      program.interrupt(NUMBERS[name]);
    });
}

export function connectPipes(): Connection {
  let program: MachineProcess | null = null;
  let failure: string | null = null;
  let signalled = false;
  const signals = new SignalHandlers();
  const output = new Output(process.stdout);
  const errors = new Output(process.stderr);
  /** Nobody reads any more: who writes gets SIGPIPE. No room: the program ends, and the machine in good order. */
  const onBroken = (which: Output, number: 0 | 1) => (error: NodeJS.ErrnoException) => {
    which.isBroken = true;
    if (error.code !== "EPIPE") {
      failure ??= `cannot write the program's output: ${error.message}`;
      program!.kill(SIGKILL);
    }
    program!.loseReader(number);
  };
  const onData = (bytes: Buffer) => {
    program!.write(bytes);
    if (program!.bufferedInput > INPUT_LIMIT) process.stdin.pause();
  };
  const onEnd = () => program!.end();
  const onDrain = () => program!.roomGrew();
  const stdinHost = {
    taken() {
      if (process.stdin.isPaused() && program!.bufferedInput <= INPUT_LIMIT / 2) process.stdin.resume();
    },
  };
  return {
    request: { stdinHost, stdout: output, stderr: errors },
    endedBy: null,
    get failure() {
      return failure;
    },
    attach(started) {
      program = started;
      process.stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
      process.stdout.on("drain", onDrain).on("error", onBroken(output, 0));
      process.stderr.on("drain", onDrain).on("error", onBroken(errors, 1));
      forwardSignals(signals, started, () => {
        signalled = true;
      });
    },
    detach() {
      process.stdin.off("data", onData).off("end", onEnd);
      leaveInput();
      signals.remove();
      process.stdout.off("drain", onDrain);
      process.stderr.off("drain", onDrain);
    },
    flush: (timedOut) => flushAll([output, errors], timedOut || signalled),
  };
}

/** `ownErrors`: standard error leads elsewhere than to the terminal. */
export function connectTerminal(ownErrors: boolean): Connection {
  const terminal = new Terminal(ownErrors);
  const { screen, errors, size } = terminal;
  return {
    request: {
      terminal: { host: screen, size: size() },
      ...(errors && { stderr: errors }),
      env: { TERM: process.env.TERM ?? "xterm" },
    },
    failure: null,
    get endedBy() {
      return terminal.endedBy;
    },
    attach: (program) => terminal.attach(program),
    detach: () => terminal.detach(),
    flush: (timedOut) => flushAll(errors ? [screen, errors] : [screen], timedOut || terminal.endedBy !== null),
  };
}

/** Our terminal as the guest's console. */
class Terminal {
  readonly screen = new Output(process.stdout);
  readonly errors: Output | null;
  endedBy: number | null = null;
  private program!: MachineProcess;
  private readonly signals = new SignalHandlers();
  private lastResort: NodeJS.Timeout | undefined;
  private detached = false;

  constructor(ownErrors: boolean) {
    this.errors = ownErrors ? new Output(process.stderr) : null;
  }

  readonly size = () => ({ rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 });
  private readonly onData = (bytes: Buffer) => this.program.write(bytes);
  private readonly onResize = () => this.program.resize(this.size());
  private readonly onDrain = () => this.program.roomGrew();
  private readonly onGone = () => {
    this.screen.isBroken = true;
    this.hangUp(NUMBERS.SIGHUP);
  };
  private readonly onErrorsGone = () => {
    if (this.errors === null) return;
    this.errors.isBroken = true;
    this.program.loseReader(1);
  };

  attach(program: MachineProcess): void {
    const { signals } = this;
    this.program = program;
    makeRaw();
    process.stdin.on("data", this.onData).on("end", this.onGone).on("error", this.onGone);
    process.stdout.on("resize", this.onResize).on("drain", this.onDrain).on("error", this.onGone);
    process.stderr.on("drain", this.onDrain).on("error", this.onErrorsGone);
    for (const name of ["SIGUSR1", "SIGUSR2"] as const) signals.on(name, () => program.kill(NUMBERS[name]));
    for (const name of ["SIGINT", "SIGQUIT"] as const) signals.on(name, () => program.interrupt(NUMBERS[name]));
    // A terminal window that is closed or told to end does the same to what runs in it: it hangs up.
    for (const name of ["SIGHUP", "SIGTERM"] as const) signals.on(name, () => this.hangUp(NUMBERS[name]));
    signals.on("SIGTSTP", () => this.suspend());
    signals.on("SIGCONT", () => this.resume());
  }

  /** Shells and editors end when their terminal hangs up, and save what they have; who does not is killed. */
  private hangUp(signal: number): void {
    if (this.endedBy !== null || this.detached) return;
    this.endedBy = signal;
    this.program.hangUp();
    this.lastResort = setTimeout(() => this.program.kill(SIGKILL), GRACE_MS);
  }

  private suspend(): void {
    process.stdin.setRawMode(false);
    process.kill(process.pid, "SIGSTOP");
  }

  private resume(): void {
    // Off and on: whoever had the terminal meanwhile may have changed it.
    process.stdin.setRawMode(false);
    makeRaw();
    this.program.resize(this.size());
    this.program.redraw();
  }

  detach(): void {
    this.detached = true;
    clearTimeout(this.lastResort);
    this.signals.remove();
    process.stdin.off("data", this.onData).off("end", this.onGone);
    if (process.stdin.isRaw) process.stdin.setRawMode(false);
    leaveInput();
    process.stdout.off("resize", this.onResize).off("drain", this.onDrain);
    process.stderr.off("drain", this.onDrain);
  }
}
