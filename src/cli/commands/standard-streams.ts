// Connects a guest program to this process: stdin, stdout and stderr, each as our terminal or as a pipe, and the signals sent to this
// process. In every case the terminal is given back as it was.
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { ReadStream } from "node:tty";
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
  readonly stream: NodeJS.WriteStream;
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
function makeRaw(keyboard: ReadStream): void {
  keyboard.setRawMode(true);
  spawnSync("stty", ["-opost"], { stdio: [(keyboard as unknown as { fd: number }).fd, "ignore", "ignore"] });
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

/** Our standard input as a pipe of the guest's. */
class PipedInput {
  private program!: MachineProcess;

  private readonly onData = (bytes: Buffer) => {
    this.program.write(bytes);
    if (this.program.bufferedInput > INPUT_LIMIT) process.stdin.pause();
  };
  private readonly onEnd = () => this.program.end();

  taken(): void {
    if (process.stdin.isPaused() && this.program.bufferedInput <= INPUT_LIMIT / 2) process.stdin.resume();
  }

  attach(program: MachineProcess): void {
    this.program = program;
    process.stdin.on("data", this.onData).on("end", this.onEnd).on("error", this.onEnd);
  }

  detach(): void {
    process.stdin.off("data", this.onData).off("end", this.onEnd);
    leaveInput();
  }
}

/** Our standard output (0) or error (1) as a pipe of the guest's. */
class PipedOutput extends Output {
  failure: string | null = null;
  private readonly number: 0 | 1;
  private program!: MachineProcess;

  constructor(number: 0 | 1) {
    super(number === 0 ? process.stdout : process.stderr);
    this.number = number;
  }

  private readonly onDrain = () => this.program.roomGrew();
  /** Nobody reads any more: who writes gets SIGPIPE. No room: the program ends, and the machine in good order. */
  private readonly onBroken = (error: NodeJS.ErrnoException) => {
    this.isBroken = true;
    if (error.code !== "EPIPE") {
      this.failure ??= `cannot write the program's output: ${error.message}`;
      this.program.kill(SIGKILL);
    }
    this.program.loseReader(this.number);
  };

  attach(program: MachineProcess): void {
    this.program = program;
    this.stream.on("drain", this.onDrain).on("error", this.onBroken);
  }

  detach(): void {
    this.stream.off("drain", this.onDrain);
  }
}

/** Three pipes, whatever ours are. */
export function connectPipes(): Connection {
  return new Streams(null, new PipedInput(), [new PipedOutput(0), new PipedOutput(1)]);
}

/** What is our terminal is the guest's, the others are pipes; the terminal is there as /dev/tty when only a part of it is left. */
export function connectStreams(): Connection {
  const { stdin, stdout, stderr } = process;
  const keyboard = stdout.isTTY || stderr.isTTY ? (stdin.isTTY ? stdin : openKeyboard()) : null;
  if (keyboard === null) return connectPipes();
  const whole = stdin.isTTY && stdout.isTTY;
  const outputs = [];
  if (!stdout.isTTY) outputs.push(new PipedOutput(0));
  if (!stderr.isTTY) outputs.push(new PipedOutput(1));
  const screen = stdout.isTTY ? stdout : stderr;
  return new Streams(new Terminal(keyboard, screen, !whole), stdin.isTTY ? null : new PipedInput(), outputs);
}

/** Null when we have no controlling terminal. */
function openKeyboard(): ReadStream | null {
  try {
    return new ReadStream(openSync("/dev/tty", "r"));
  } catch {
    return null;
  }
}

class Streams implements Connection {
  readonly request: SpawnRequest;
  private readonly terminal: Terminal | null;
  private readonly input: PipedInput | null;
  private readonly outputs: readonly PipedOutput[];
  private readonly signals = new SignalHandlers();
  private signalled = false;

  constructor(terminal: Terminal | null, input: PipedInput | null, outputs: readonly PipedOutput[]) {
    this.terminal = terminal;
    this.input = input;
    this.outputs = outputs;
    this.request = {
      ...(terminal && {
        terminal: { host: terminal, size: terminal.size() },
        env: { TERM: process.env.TERM ?? "xterm" },
      }),
      ...(input && { stdinHost: input }),
      stdout: outputs.find((output) => output.stream === process.stdout),
      stderr: outputs.find((output) => output.stream === process.stderr),
    };
  }

  get failure(): string | null {
    return this.outputs.find((output) => output.failure !== null)?.failure ?? null;
  }

  get endedBy(): number | null {
    return this.terminal?.endedBy ?? null;
  }

  attach(program: MachineProcess): void {
    this.input?.attach(program);
    for (const output of this.outputs) output.attach(program);
    if (this.terminal) this.terminal.attach(program);
    else
      forwardSignals(this.signals, program, () => {
        this.signalled = true;
      });
  }

  detach(): void {
    this.terminal?.detach();
    this.signals.remove();
    this.input?.detach();
    for (const output of this.outputs) output.detach();
  }

  flush(timedOut: boolean): Promise<boolean> {
    const all = this.terminal ? [this.terminal, ...this.outputs] : this.outputs;
    return flushAll(all, timedOut || this.signalled || this.endedBy !== null);
  }
}

/** Our terminal as the guest's console. */
class Terminal extends Output {
  endedBy: number | null = null;
  private readonly keyboard: ReadStream;
  /**
   * Others in a pipeline may want the keyboard: it is left alone, and in its own mode, until a program in the guest asks for it.
   */
  private readonly isShared: boolean;
  private hasKeyboard = false;
  private program!: MachineProcess;
  private readonly signals = new SignalHandlers();
  private lastResort: NodeJS.Timeout | undefined;
  private detached = false;

  constructor(keyboard: ReadStream, screen: NodeJS.WriteStream, isShared: boolean) {
    super(screen);
    this.keyboard = keyboard;
    this.isShared = isShared;
  }

  readonly size = () => ({ rows: this.stream.rows ?? 24, columns: this.stream.columns ?? 80 });
  private readonly onData = (bytes: Buffer) => this.program.type(bytes);
  private readonly onResize = () => this.program.resize(this.size());
  private readonly onDrain = () => this.program.roomGrew();
  private readonly onGone = () => {
    this.isBroken = true;
    this.hangUp(NUMBERS.SIGHUP);
  };

  attach(program: MachineProcess): void {
    const { signals } = this;
    this.program = program;
    if (!this.isShared) this.inputWanted();
    this.stream.on("resize", this.onResize).on("drain", this.onDrain).on("error", this.onGone);
    for (const name of ["SIGUSR1", "SIGUSR2"] as const) signals.on(name, () => program.kill(NUMBERS[name]));
    for (const name of ["SIGINT", "SIGQUIT"] as const) signals.on(name, () => program.interrupt(NUMBERS[name]));
    // A terminal window that is closed or told to end does the same to what runs in it: it hangs up.
    for (const name of ["SIGHUP", "SIGTERM"] as const) signals.on(name, () => this.hangUp(NUMBERS[name]));
    signals.on("SIGTSTP", () => this.suspend());
    signals.on("SIGCONT", () => this.resume());
  }

  inputWanted(): void {
    if (this.hasKeyboard || this.detached) return;
    this.hasKeyboard = true;
    makeRaw(this.keyboard);
    this.keyboard.on("data", this.onData).on("end", this.onGone).on("error", this.onGone);
  }

  /** Shells and editors end when their terminal hangs up, and save what they have; who does not is killed. */
  private hangUp(signal: number): void {
    if (this.endedBy !== null || this.detached) return;
    this.endedBy = signal;
    this.program.hangUp();
    this.lastResort = setTimeout(() => this.program.kill(SIGKILL), GRACE_MS);
  }

  private suspend(): void {
    if (this.hasKeyboard) this.keyboard.setRawMode(false);
    process.kill(process.pid, "SIGSTOP");
  }

  private resume(): void {
    if (this.hasKeyboard) {
      // Off and on: whoever had the terminal meanwhile may have changed it.
      this.keyboard.setRawMode(false);
      makeRaw(this.keyboard);
    }
    this.program.resize(this.size());
    this.program.redraw();
  }

  detach(): void {
    this.detached = true;
    clearTimeout(this.lastResort);
    this.signals.remove();
    const { keyboard } = this;
    keyboard.off("data", this.onData).off("end", this.onGone);
    if (keyboard.isRaw) keyboard.setRawMode(false);
    if (keyboard === process.stdin) leaveInput();
    else keyboard.destroy();
    this.stream.off("resize", this.onResize).off("drain", this.onDrain);
  }
}
