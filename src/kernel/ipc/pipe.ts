// Pipes and named pipes: their two ends as open files, blocking rules of open, read and write, sizes and readiness
// (fs/pipe.c). How bytes lie inside is pipe-buffer.ts; moving them without a user buffer is splice.ts.
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENXIO, EPERM, EPIPE, ERESTARTSYS } from "../../abi/errno.ts";
import {
  F_GETPIPE_SZ,
  F_SETPIPE_SZ,
  O_ACCMODE,
  O_DIRECT,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { SIGPIPE } from "../../abi/signal.ts";
import { S_IFIFO } from "../../abi/stat.ts";
import { FIONREAD } from "../../abi/termios.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../arch/sv39.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { CAP_SYS_RESOURCE, capable } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import { WOULD_BLOCK } from "../vfs/vfs.ts";
import { WaitQueue } from "../wait-queue.ts";
import { KernelFile } from "./anonymous-file.ts";
import { PIPE_MAX_BYTES, PipeBuffer } from "./pipe-buffer.ts";
import { skipTaken, Transfer, transferOf } from "./transfer.ts";
import { storeU32 } from "./user-memory.ts";

/** One end of a FIFO that waits in open() for the other: it counts as open already (fifo_open). */
class FifoOpening {
  readonly task: Task;
  /** The other side's count of opens when this one began to wait. */
  readonly otherOpens: number;

  constructor(task: Task, otherOpens: number) {
    this.task = task;
    this.otherOpens = otherOpens;
  }

  /** The opener still waits: it was not killed and its call was not interrupted. */
  get stillWaits(): boolean {
    return this.task.isAlive && this.task.syscallState === this;
  }
}

/** struct pipe_inode_info. */
export class Pipe {
  readonly buffer = new PipeBuffer();
  openReaders = 0;
  openWriters = 0;
  /** How often each side was opened (r_counter, w_counter). */
  readerOpens = 0;
  writerOpens = 0;
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  readonly openQueue = new WaitQueue();
  readonly readersInOpen = new Set<FifoOpening>();
  readonly writersInOpen = new Set<FifoOpening>();

  get hasReaders(): boolean {
    return this.openReaders > 0 || anyWaits(this.readersInOpen);
  }

  get hasWriters(): boolean {
    return this.openWriters > 0 || anyWaits(this.writersInOpen);
  }

  wakeAll(): void {
    this.readQueue.wake();
    this.writeQueue.wake();
    this.openQueue.wake();
  }
}

function anyWaits(openings: Set<FifoOpening>): boolean {
  for (const opening of openings) {
    if (opening.stillWaits) return true;
    openings.delete(opening);
  }
  return false;
}

export class PipeFile extends KernelFile {
  readonly pipe: Pipe;
  /** A FIFO opened for reading without waiting: no hang-up before the first writer came (f_version). */
  private readonly quietUntilWriterOpens: number;

  constructor(k: Kernel, inode: Inode, path: Path | null, flags: number, pipe: Pipe, quiet = false) {
    super(k, inode, path, flags);
    this.pipe = pipe;
    this.quietUntilWriterOpens = quiet ? pipe.writerOpens : -1;
    if (this.readable) pipe.openReaders++;
    if (this.writable) pipe.openWriters++;
  }

  override pseudoName(): string {
    return `pipe:[${this.ino}]`;
  }

  protected override closed(): void {
    super.closed();
    const { pipe } = this;
    if (this.readable) pipe.openReaders--;
    if (this.writable) pipe.openWriters--;
    if (!pipe.hasReaders && !pipe.hasWriters) {
      pipe.buffer.clear();
      if (this.inode.attachment === pipe) this.inode.attachment = null;
    } else if (!pipe.hasReaders || !pipe.hasWriters) {
      pipe.wakeAll();
    }
  }

  /** pipe_read. */
  override read(t: Task, io: IoCursor): number {
    const { buffer } = this.pipe;
    if (io.remaining === 0) return 0;
    if (!buffer.empty) {
      const moved = buffer.drain(io);
      if (moved < 0) return -EFAULT;
      this.pipe.writeQueue.wake();
      this.inode.touchAccessed();
      return moved;
    }
    if (!this.pipe.hasWriters) return 0;
    if (this.nonBlocking) return -EAGAIN;
    return t.block([this.pipe.readQueue]);
  }

  /** pipe_write. */
  override write(t: Task, io: IoCursor): number {
    const { pipe } = this;
    if (io.remaining === 0) return 0;
    const transfer = transferOf(t);
    let done = transfer?.done ?? 0;
    if (!skipTaken(io, done)) return done;
    if (!pipe.hasReaders) return this.broken(t, done);
    const moved = pipe.buffer.fill(io, (this.flags & O_DIRECT) !== 0, done === 0);
    if (moved < 0) return done > 0 ? done : -EFAULT;
    if (moved > 0) {
      pipe.readQueue.wake();
      this.inode.touchModified();
      done += moved;
    }
    if (io.remaining === 0) return done;
    if (this.nonBlocking) return done > 0 ? done : -EAGAIN;
    const state = transfer ?? new Transfer();
    state.done = done;
    t.syscallState = state;
    return t.block([pipe.writeQueue], { interrupted: done > 0 ? done : -ERESTARTSYS });
  }

  private broken(t: Task, done: number): number {
    this.kernel.sendSignal(t, kernelSignal(SIGPIPE));
    return done > 0 ? done : -EPIPE;
  }

  /** pipe_poll. */
  override poll(): number {
    const { pipe } = this;
    let mask = 0;
    if (this.readable) {
      if (!pipe.buffer.empty) mask |= POLLIN | POLLRDNORM;
      if (!pipe.hasWriters && this.quietUntilWriterOpens !== pipe.writerOpens) mask |= POLLHUP;
    }
    if (this.writable) {
      if (!pipe.buffer.full) mask |= POLLOUT | POLLWRNORM;
      if (!pipe.hasReaders) mask |= POLLERR;
    }
    return mask;
  }

  override pollQueues(): readonly WaitQueue[] {
    if (!this.writable) return [this.pipe.readQueue];
    return this.readable ? [this.pipe.readQueue, this.pipe.writeQueue] : [this.pipe.writeQueue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (request !== FIONREAD) return super.ioctl(t, request, argument);
    storeU32(t, argument, this.pipe.buffer.byteCount);
    return 0;
  }

  override control(t: Task, command: number, argument: number): number {
    const { buffer } = this.pipe;
    if (command === F_GETPIPE_SZ) return buffer.maxSlots * PAGE_SIZE;
    if (command !== F_SETPIPE_SZ) return -EINVAL;
    const asked = argument >>> 0;
    if (asked > 2 ** 31) return -EINVAL;
    let bytes = PAGE_SIZE;
    while (bytes < asked) bytes *= 2;
    const slots = bytes / PAGE_SIZE;
    if (slots > buffer.maxSlots && bytes > PIPE_MAX_BYTES && !capable(t, CAP_SYS_RESOURCE)) return -EPERM;
    if (!buffer.resize(slots)) return -EBUSY;
    this.pipe.writeQueue.wake();
    return slots << PAGE_SHIFT;
  }
}

/** The pipe behind an open file, or null when it is something else. */
export function pipeOf(file: OpenFile): Pipe | null {
  return file instanceof PipeFile ? file.pipe : null;
}

/** pipe2(): read end and write end. `flags`: O_NONBLOCK and O_DIRECT. */
export function createPipe(k: Kernel, flags: number): [PipeFile, PipeFile] {
  const inode = k.vfs.pipeFs.createInode(k.scheduler.current, S_IFIFO | 0o600);
  const pipe = new Pipe();
  inode.attachment = pipe;
  pipe.readerOpens = pipe.writerOpens = 1;
  const read = new PipeFile(k, inode, null, O_RDONLY | (flags & O_NONBLOCK), pipe);
  return [read, new PipeFile(k, inode, null, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), pipe)];
}

/**
 * fifo_open(): opening waits for the other side unless O_NONBLOCK or O_RDWR says otherwise, or the pipe has no name (it
 * is opened again through /proc/PID/fd): then the other side may be gone for good.
 */
export function openFifo(t: Task, inode: Inode, path: Path | null, flags: number): PipeFile {
  const k = t.kernel;
  const mode = flags & O_ACCMODE;
  const kept = flags & (O_ACCMODE | O_NONBLOCK | O_DIRECT);
  const opening = t.syscallState instanceof FifoOpening ? t.syscallState : null;
  const pipe = inode.attachment instanceof Pipe ? inode.attachment : new Pipe();
  inode.attachment = pipe;
  const isNamed = inode.fs !== k.vfs.pipeFs;
  let quiet = false;
  switch (isNamed ? mode : O_RDWR) {
    case O_RDONLY:
      if (pipe.hasWriters || opening?.otherOpens !== (opening === null ? undefined : pipe.writerOpens)) break;
      if ((flags & O_NONBLOCK) !== 0) quiet = true;
      else waitForOther(t, pipe, pipe.readersInOpen, opening, pipe.writerOpens);
      break;
    case O_WRONLY:
      if (pipe.hasReaders || opening?.otherOpens !== (opening === null ? undefined : pipe.readerOpens)) break;
      if ((flags & O_NONBLOCK) !== 0) {
        if (!pipe.hasWriters) inode.attachment = null;
        throw errno(ENXIO);
      }
      waitForOther(t, pipe, pipe.writersInOpen, opening, pipe.readerOpens);
      break;
    case O_RDWR:
      break;
    default:
      throw errno(EINVAL);
  }
  if (opening !== null) {
    pipe.readersInOpen.delete(opening);
    pipe.writersInOpen.delete(opening);
    t.syscallState = undefined;
  }
  const file = new PipeFile(k, inode, path, kept, pipe, quiet);
  if (file.readable) pipe.readerOpens++;
  if (file.writable) pipe.writerOpens++;
  pipe.openQueue.wake();
  return file;
}

function waitForOther(
  t: Task,
  pipe: Pipe,
  openers: Set<FifoOpening>,
  opening: FifoOpening | null,
  otherOpens: number,
): void {
  if (opening === null) {
    const fresh = new FifoOpening(t, otherOpens);
    t.syscallState = fresh;
    openers.add(fresh);
    // The other side's openers see this one now.
    pipe.openQueue.wake();
  }
  t.block([pipe.openQueue]);
  throw WOULD_BLOCK;
}
