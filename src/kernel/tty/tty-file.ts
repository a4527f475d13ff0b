// An open terminal: read with VMIN and VTIME, write, poll; hung up or not. Requests are in tty-ioctl.ts (n_tty_read, n_tty_write).
import { EAGAIN, EFAULT, EIO, ENOTTY, ERESTARTSYS } from "../../abi/errno.ts";
import { O_NOCTTY } from "../../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { SIGTTIN, SIGTTOU } from "../../abi/signal.ts";
import * as T from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { KernelFile } from "../ipc/anonymous-file.ts";
import { skipTaken, Transfer, transferOf } from "../ipc/transfer.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Path } from "../vfs/path.ts";
import type { WaitQueue } from "../wait-queue.ts";
import { adoptOnOpen, checkAccess } from "./job-control.ts";
import type { Tty } from "./tty.ts";
import { ttyIoctl } from "./tty-ioctl.ts";

/** VTIME counts tenths of a second. */
const TENTH_NS = 1e8;

/** A raw read that waits for more: how much there was, and when it stops waiting. */
class RawWait {
  seenBytes: number;
  deadlineNs: number;

  constructor(seenBytes: number, deadlineNs: number) {
    this.seenBytes = seenBytes;
    this.deadlineNs = deadlineNs;
  }
}

export class TtyFile extends KernelFile {
  readonly tty: Tty;
  private readonly hangupsAtOpen: number;

  constructor(k: Kernel, inode: Inode, path: Path | null, flags: number, tty: Tty) {
    super(k, inode, path, flags & ~O_NOCTTY);
    this.tty = tty;
    this.hangupsAtOpen = tty.hangups;
    tty.openCount++;
  }

  get hungUp(): boolean {
    return this.tty.hangups !== this.hangupsAtOpen;
  }

  override pseudoName(): string {
    return `/dev/${this.tty.name}`;
  }

  override read(t: Task, io: IoCursor): number {
    const { tty } = this;
    if (this.hungUp || io.remaining === 0) return 0;
    const access = checkAccess(t, tty, SIGTTIN);
    if (access < 0) return access;
    tty.inputWanted();
    const available = tty.discipline.readableBytes;
    if (tty.discipline.canonical) {
      if (available > 0) return this.takeInput(io);
      return this.nonBlocking ? -EAGAIN : t.block([tty.readQueue]);
    }
    return this.readRaw(t, io, available);
  }

  private takeInput(io: IoCursor): number {
    const count = this.tty.readInput(io);
    return count < 0 ? -EFAULT : count;
  }

  /**
   * VMIN and VTIME: 0/0 what is there; 0/T what comes within T; N/0 N bytes; N/T N bytes or what came when T passed since
   * the last byte. Bytes stay in the terminal until enough are there, so that a retry loses nothing.
   */
  private readRaw(t: Task, io: IoCursor, available: number): number {
    const { cc } = this.tty.termios;
    const minimum = cc[T.VMIN];
    const timeNs = cc[T.VTIME] * TENTH_NS;
    const wait = t.syscallState instanceof RawWait ? t.syscallState : null;
    const queues = [this.tty.readQueue];
    if (minimum === 0) {
      if (available > 0) return this.takeInput(io);
      if (timeNs === 0 || t.timedOut) return 0;
      if (this.nonBlocking) return -EAGAIN;
      const kept = wait ?? new RawWait(0, this.kernel.clock.monotonicNs() + timeNs);
      t.syscallState = kept;
      return t.block(queues, { deadline: kept.deadlineNs });
    }
    if (available >= Math.min(minimum, io.remaining)) return this.takeInput(io);
    if (this.nonBlocking) return available > 0 ? this.takeInput(io) : -EAGAIN;
    if (timeNs === 0 || available === 0) return t.block(queues);
    if (wait !== null && t.timedOut && wait.seenBytes === available) return this.takeInput(io);
    const fresh =
      wait !== null && wait.seenBytes === available
        ? wait
        : new RawWait(available, this.kernel.clock.monotonicNs() + timeNs);
    t.syscallState = fresh;
    return t.block(queues, { deadline: fresh.deadlineNs });
  }

  override write(t: Task, io: IoCursor): number {
    const { tty } = this;
    if (this.hungUp) return -EIO;
    if ((tty.termios.lflag & T.TOSTOP) !== 0) {
      const access = checkAccess(t, tty, SIGTTOU);
      if (access < 0) return access;
    }
    const transfer = transferOf(t);
    let done = transfer?.done ?? 0;
    if (!skipTaken(io, done)) return done;
    const moved = tty.writeOutput(io);
    if (moved < 0) return done > 0 ? done : -EFAULT;
    done += moved;
    if (io.remaining === 0) return done;
    if (this.nonBlocking) return done > 0 ? done : -EAGAIN;
    const state = transfer ?? new Transfer();
    state.done = done;
    t.syscallState = state;
    return t.block([tty.writeQueue], { interrupted: done > 0 ? done : -ERESTARTSYS });
  }

  /** n_tty_poll. */
  override poll(): number {
    if (this.hungUp) return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
    this.tty.inputWanted();
    let mask = 0;
    if (this.tty.discipline.pollReadable) mask |= POLLIN | POLLRDNORM;
    if (this.tty.outputRoom > 0) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.tty.readQueue, this.tty.writeQueue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (this.hungUp) return request === T.TIOCSPGRP ? -ENOTTY : -EIO;
    return ttyIoctl(t, this.tty, this, request, argument);
  }

  protected override closed(): void {
    super.closed();
    this.tty.openCount--;
    if (this.tty.openCount === 0) this.tty.lastClosed();
  }
}

/** tty_open() of a terminal that is there: the file, perhaps the session's new terminal. */
export function openTerminal(t: Task, inode: Inode, path: Path | null, flags: number, tty: Tty): TtyFile {
  const file = new TtyFile(t.kernel, inode, path, flags, tty);
  if ((flags & O_NOCTTY) === 0 && file.readable) adoptOnOpen(t, tty);
  tty.opened();
  return file;
}
