// Connects a guest program to this process's stdin, stdout and stderr: as a terminal in raw mode, or as three pipes.
import type { MachineProcess, SpawnRequest } from "../../host/node/index.ts";

/** Bytes that may wait for a slow reader before the guest's writers block. */
const OUTPUT_LIMIT = 1 << 20;
/** Bytes fed to the guest and not read by it before we stop reading ours. */
const INPUT_LIMIT = 1 << 20;
const SIGKILL = 9;
const SIGPIPE = 13;

export interface Connection {
  readonly request: SpawnRequest;
  attach(program: MachineProcess): void;
  /** Why output could not be written, and the program was ended for it; or null. */
  readonly failure: string | null;
  /** Gives the streams back; resolves when all output is out. */
  detach(): Promise<void>;
}

/** One of our output streams as the guest's. Once it is broken the rest is thrown away: the program is being ended. */
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

export function connectPipes(): Connection {
  let program: MachineProcess | null = null;
  let failure: string | null = null;
  const output = new Output(process.stdout);
  const errors = new Output(process.stderr);
  /** Nobody reads any more, or there is no room: the program ends, and the machine in good order (what it wrote is kept). */
  const onBroken = (which: Output) => (error: NodeJS.ErrnoException) => {
    which.isBroken = true;
    if (error.code !== "EPIPE") failure ??= `cannot write the program's output: ${error.message}`;
    program!.kill(error.code === "EPIPE" ? SIGPIPE : SIGKILL);
    program!.roomGrew();
  };
  const onData = (bytes: Buffer) => {
    program!.write(bytes);
    if (program!.bufferedInput > INPUT_LIMIT) {
      process.stdin.pause();
      resumeWhenRead();
    }
  };
  const resumeWhenRead = () => {
    if (program!.bufferedInput > INPUT_LIMIT / 2) setTimeout(resumeWhenRead, 5);
    else process.stdin.resume();
  };
  const onEnd = () => program!.end();
  const onDrain = () => program!.roomGrew();
  const forward = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
  const handlers = Object.entries(forward).map(([name, number]) => [name, () => program!.kill(number)] as const);
  return {
    request: { stdout: output, stderr: errors },
    get failure() {
      return failure;
    },
    attach(started) {
      program = started;
      process.stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
      process.stdout.on("drain", onDrain).on("error", onBroken(output));
      process.stderr.on("drain", onDrain).on("error", onBroken(errors));
      for (const [name, handler] of handlers) process.on(name, handler);
    },
    async detach() {
      process.stdin.off("data", onData).off("end", onEnd);
      process.stdin.pause();
      (process.stdin as unknown as { unref?: () => void }).unref?.();
      for (const [name, handler] of handlers) process.off(name, handler);
      await Promise.all([output.flushed(), errors.flushed()]);
      process.stdout.off("drain", onDrain);
      process.stderr.off("drain", onDrain);
    },
  };
}

export function connectTerminal(): Connection {
  let program: MachineProcess | null = null;
  const screen = new Output(process.stdout);
  const size = () => ({ rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 });
  const onData = (bytes: Buffer) => program!.write(bytes);
  const onResize = () => program!.resize(size());
  const onDrain = () => program!.roomGrew();
  const onHangUp = () => program!.hangUp();
  return {
    request: { terminal: { host: screen, size: size() }, env: { TERM: process.env.TERM ?? "xterm" } },
    failure: null,
    attach(started) {
      program = started;
      process.stdin.setRawMode(true);
      process.stdin.on("data", onData);
      process.stdout.on("resize", onResize).on("drain", onDrain);
      process.on("SIGHUP", onHangUp);
    },
    async detach() {
      process.stdin.off("data", onData);
      process.stdin.setRawMode(false);
      process.stdin.pause();
      process.stdin.unref();
      process.stdout.off("resize", onResize).off("drain", onDrain);
      process.off("SIGHUP", onHangUp);
      await screen.flushed();
    },
  };
}
