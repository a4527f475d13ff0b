// The terminal and the pipes that lead out of the guest: what the machine connects to the host's stdin, stdout and stderr.
// Bytes go out at once; bytes come in when the machine feeds them, between two steps of the kernel.
import { EAGAIN, EBADF, EFAULT, EPIPE } from "../../abi/errno.ts";
import { O_RDONLY, O_WRONLY } from "../../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { SIGPIPE, SIGWINCH } from "../../abi/signal.ts";
import { makeDevice, S_IFIFO } from "../../abi/stat.ts";
import { FIONREAD } from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { KernelFile } from "../ipc/anonymous-file.ts";
import { blockTransfer, skipTaken, transferOf } from "../ipc/transfer.ts";
import { storeU32 } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { ByteFifo } from "./byte-fifo.ts";
import { hangUp } from "./job-control.ts";
import { Tty, type TtyOutput } from "./tty.ts";

/** The host side of a terminal or an output pipe. */
export interface ConsoleHost {
  /** Takes the bytes (a fresh array, the host's to keep). */
  write(bytes: Uint8Array): void;
  /** How many bytes it wants now; missing: any number. When it grows again, call roomGrew() of the file or terminal. */
  room?(): number;
  /** Of a terminal: a program reads the keyboard, or says how it wants to. Heard often. */
  inputWanted?(): void;
  /** The guest was brought back in time and went another way: only the first `count` bytes of what was written still hold. */
  rewound?(count: number): void;
}

/** The host side of an input pipe. */
export interface InputHost {
  /** Some of the bytes that were fed were read. */
  taken(): void;
}

export interface WindowSize {
  rows: number;
  columns: number;
}

/** The guest's console: a Tty whose screen and keyboard are the host's. */
export class ConsoleTty implements TtyOutput {
  readonly tty: Tty;
  private readonly host: ConsoleHost;

  constructor(k: Kernel, host: ConsoleHost, size: WindowSize) {
    this.host = host;
    this.tty = new Tty(k, "console", makeDevice(5, 1), this);
    this.tty.window[0] = size.rows;
    this.tty.window[1] = size.columns;
  }

  outputReady(): void {
    const { tty, host } = this;
    if (tty.stopped || tty.output.length === 0) return;
    const room = host.room?.() ?? Number.POSITIVE_INFINITY;
    if (room >= tty.output.length) {
      host.write(tty.output.takeAll());
    } else if (room > 0) {
      const bytes = new Uint8Array(room);
      tty.output.peek(bytes, room);
      tty.output.drop(room);
      host.write(bytes);
    }
    tty.outputTaken();
  }

  opened(): void {}

  lastClosed(): void {}

  inputWanted(): void {
    this.host.inputWanted?.();
  }

  /** Bytes from the keyboard. */
  input(bytes: Uint8Array): void {
    this.tty.input(bytes);
  }

  /** The host can take more output. */
  roomGrew(): void {
    this.outputReady();
  }

  resize(size: WindowSize): void {
    this.tty.resize(Uint16Array.of(size.rows, size.columns, 0, 0));
  }

  /** A signal to the programs in the foreground, as its key would send. */
  raise(signal: number): void {
    this.tty.raise(signal);
  }

  /** The host's screen lost what was on it: programs in the foreground draw again. */
  redraw(): void {
    this.tty.raise(SIGWINCH);
  }

  /** The host's terminal went away. */
  hangUp(): void {
    hangUp(this.tty);
  }
}

/** stdin when it is a pipe or a file on the host: reading waits until the machine feeds bytes or says that there are no more. */
export class HostInputFile extends KernelFile {
  private readonly waiting = new ByteFifo();
  private ended = false;
  private readonly queue = new WaitQueue();
  private readonly host: InputHost | null;

  constructor(k: Kernel, host: InputHost | null = null) {
    super(k, k.vfs.pipeFs.createInode(null, S_IFIFO | 0o600), null, O_RDONLY);
    this.host = host;
  }

  override pseudoName(): string {
    return `pipe:[${this.ino}]`;
  }

  /** Bytes fed and not read yet: the machine feeds more when this is small. */
  get bufferedBytes(): number {
    return this.waiting.length;
  }

  /** Some task waits for input right now. */
  get isWanted(): boolean {
    return this.queue.length > 0;
  }

  feed(bytes: Uint8Array): void {
    this.waiting.pushBytes(bytes);
    this.queue.wake();
  }

  end(): void {
    this.ended = true;
    this.queue.wake();
  }

  override read(t: Task, io: IoCursor): number {
    if (io.remaining === 0) return 0;
    if (this.waiting.length === 0) {
      if (this.ended) return 0;
      return this.nonBlocking ? -EAGAIN : t.block([this.queue]);
    }
    const bytes = new Uint8Array(Math.min(io.remaining, this.waiting.length));
    this.waiting.peek(bytes, bytes.length);
    const put = io.put(bytes, 0, bytes.length);
    this.waiting.drop(put);
    this.host?.taken();
    return put > 0 ? put : -EFAULT;
  }

  override write(): number {
    return -EBADF;
  }

  override poll(): number {
    let mask = this.waiting.length > 0 ? POLLIN | POLLRDNORM : 0;
    if (this.ended) mask |= POLLHUP;
    return mask;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (request !== FIONREAD) return super.ioctl(t, request, argument);
    storeU32(t, argument, this.waiting.length);
    return 0;
  }
}

/** stdout or stderr when it is a pipe or a file on the host. */
export class HostOutputFile extends KernelFile {
  private readonly host: ConsoleHost;
  private readonly queue = new WaitQueue();
  private readerLeft = false;

  constructor(k: Kernel, host: ConsoleHost) {
    super(k, k.vfs.pipeFs.createInode(null, S_IFIFO | 0o600), null, O_WRONLY);
    this.host = host;
  }

  override pseudoName(): string {
    return `pipe:[${this.ino}]`;
  }

  private get room(): number {
    return this.host.room?.() ?? Number.POSITIVE_INFINITY;
  }

  roomGrew(): void {
    this.queue.wake();
  }

  /** Nobody takes output any more: who writes gets SIGPIPE and EPIPE, as at a pipe without readers. */
  loseReader(): void {
    this.readerLeft = true;
    this.queue.wake();
  }

  override write(t: Task, io: IoCursor): number {
    let done = transferOf(t)?.done ?? 0;
    if (!skipTaken(io, done)) return done;
    if (this.readerLeft) return this.broken(t, done);
    const wanted = Math.min(io.remaining, this.room);
    if (wanted > 0) {
      const bytes = new Uint8Array(wanted);
      const got = io.take(bytes, 0, wanted);
      if (got === 0) return done > 0 ? done : -EFAULT;
      this.host.write(got < wanted ? bytes.slice(0, got) : bytes);
      done += got;
      if (got < wanted) return done;
    }
    if (io.remaining === 0) return done;
    if (this.nonBlocking) return done > 0 ? done : -EAGAIN;
    return blockTransfer(this.kernel, t, [this.queue], done);
  }

  private broken(t: Task, done: number): number {
    this.kernel.sendSignal(t, kernelSignal(SIGPIPE));
    return done > 0 ? done : -EPIPE;
  }

  override poll(): number {
    if (this.readerLeft) return POLLERR | POLLOUT | POLLWRNORM;
    return this.room > 0 ? POLLOUT | POLLWRNORM : 0;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue];
  }
}
