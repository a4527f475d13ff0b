// Connects a guest program to this process's stdin, stdout and stderr: as a terminal in raw mode, or as three pipes.
import type { MachineProcess, SpawnRequest } from "../../host/node/index.ts";

/** Bytes that may wait for a slow reader before the guest's writers block. */
const OUTPUT_LIMIT = 1 << 20;
/** Bytes fed to the guest and not read by it before we stop reading ours. */
const INPUT_LIMIT = 1 << 20;
const STATUS_BROKEN_PIPE = 141;

export interface Connection {
  readonly request: SpawnRequest;
  attach(program: MachineProcess): void;
  /** Gives the streams back; resolves when all output is out. */
  detach(): Promise<void>;
}

function outputTo(stream: NodeJS.WriteStream) {
  return {
    write: (bytes: Uint8Array) => void stream.write(bytes),
    room: () => Math.max(0, OUTPUT_LIMIT - stream.writableLength),
  };
}

/** Nobody reads any more: end as a shell would report it. */
function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(STATUS_BROKEN_PIPE);
  throw error;
}

const flushed = (stream: NodeJS.WriteStream) => new Promise<void>((resolve) => stream.write("", () => resolve()));

export function connectPipes(): Connection {
  let program: MachineProcess | null = null;
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
    request: { stdout: outputTo(process.stdout), stderr: outputTo(process.stderr) },
    attach(started) {
      program = started;
      process.stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
      process.stdout.on("drain", onDrain).on("error", onBrokenPipe);
      process.stderr.on("drain", onDrain).on("error", onBrokenPipe);
      for (const [name, handler] of handlers) process.on(name, handler);
    },
    async detach() {
      process.stdin.off("data", onData).off("end", onEnd);
      process.stdin.pause();
      (process.stdin as unknown as { unref?: () => void }).unref?.();
      for (const [name, handler] of handlers) process.off(name, handler);
      await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
      process.stdout.off("drain", onDrain);
      process.stderr.off("drain", onDrain);
    },
  };
}

export function connectTerminal(): Connection {
  let program: MachineProcess | null = null;
  const size = () => ({ rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 });
  const onData = (bytes: Buffer) => program!.write(bytes);
  const onResize = () => program!.resize(size());
  const onDrain = () => program!.roomGrew();
  const onHangUp = () => program!.hangUp();
  return {
    request: { terminal: { host: outputTo(process.stdout), size: size() }, env: { TERM: process.env.TERM ?? "xterm" } },
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
      await flushed(process.stdout);
    },
  };
}
