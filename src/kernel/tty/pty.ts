// Pseudo-terminals: /dev/ptmx makes a pair; the master file is the far end of a Tty (drivers/tty/pty.c).
import * as E from "../../abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_NOCTTY } from "../../abi/fcntl.ts";
import { POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { makeDevice } from "../../abi/stat.ts";
import * as T from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { KernelFile } from "../ipc/anonymous-file.ts";
import { skipTaken, Transfer, transferOf } from "../ipc/transfer.ts";
import { fetchI32, storeU32 } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Path } from "../vfs/path.ts";
import { WaitQueue } from "../wait-queue.ts";
import { hangUp } from "./job-control.ts";
import { Tty, type TtyOutput } from "./tty.ts";
import { ttyIoctl } from "./tty-ioctl.ts";

/** Major of /dev/pts/N (UNIX98_PTY_SLAVE_MAJOR); the group that owns them (tty) and their mode, as Debian mounts devpts. */
export const PTS_MAJOR = 136;
const TTY_GROUP = 5;
const PTS_MODE = 0o620;
const MAX_PTYS = 4096;
const PIECE_BYTES = 4096;

/** One pair: the Tty is the slave side, the rest is what the master side knows. */
export class Pty implements TtyOutput {
  readonly index: number;
  readonly tty: Tty;
  readonly uid: number;
  readonly gid = TTY_GROUP;
  readonly mode = PTS_MODE;
  readonly createdSeconds: number;
  /** unlockpt() was not called yet: the slave cannot be opened. */
  locked = true;
  masterClosed = false;
  slaveWasOpened = false;
  /** Woken for the master: output to read, room to write, the slave's end. */
  readonly masterQueue = new WaitQueue();

  constructor(k: Kernel, index: number, uid: number) {
    this.index = index;
    this.uid = uid;
    this.createdSeconds = k.clock.realtime().seconds;
    this.tty = new Tty(k, `pts/${index}`, makeDevice(PTS_MAJOR, index), this);
    this.tty.termios.cflag &= ~T.HUPCL;
  }

  outputReady(): void {
    this.masterQueue.wake();
  }

  opened(): void {
    this.slaveWasOpened = true;
  }

  lastClosed(): void {
    this.masterQueue.wake();
  }

  inputWanted(): void {}

  /** Every slave file is closed (TTY_OTHER_CLOSED on the master). */
  get slaveClosed(): boolean {
    return this.slaveWasOpened && this.tty.openCount === 0;
  }
}

export class PtyMasterFile extends KernelFile {
  readonly pty: Pty;

  constructor(k: Kernel, inode: Inode, path: Path | null, flags: number, pty: Pty) {
    super(k, inode, path, flags & ~O_NOCTTY);
    this.pty = pty;
  }

  override read(t: Task, io: IoCursor): number {
    const { pty } = this;
    const { tty } = pty;
    if (io.remaining === 0) return 0;
    if (tty.packetMode && tty.packetStatus !== 0) {
      const status = Uint8Array.of(tty.packetStatus);
      tty.packetStatus = 0;
      return io.put(status, 0, 1) === 1 ? 1 : -E.EFAULT;
    }
    if (tty.output.length === 0 || tty.stopped) {
      if (pty.slaveClosed) return -E.EIO;
      return this.nonBlocking ? -E.EAGAIN : t.block([pty.masterQueue]);
    }
    let header = 0;
    if (tty.packetMode) {
      if (io.put(Uint8Array.of(0), 0, 1) < 1) return -E.EFAULT;
      header = 1;
    }
    const bytes = new Uint8Array(Math.min(io.remaining, tty.output.length, PIECE_BYTES));
    const count = tty.output.peek(bytes, bytes.length);
    const put = io.put(bytes, 0, count);
    tty.output.drop(put);
    tty.outputTaken();
    return put === 0 && count > 0 && header === 0 ? -E.EFAULT : put + header;
  }

  override write(t: Task, io: IoCursor): number {
    const { tty, masterQueue } = this.pty;
    const transfer = transferOf(t);
    let done = transfer?.done ?? 0;
    if (!skipTaken(io, done)) return done;
    while (io.remaining > 0) {
      const room = Math.min(tty.inputRoom, PIECE_BYTES);
      if (room <= 0) {
        if (this.nonBlocking) return done > 0 ? done : -E.EAGAIN;
        const state = transfer ?? new Transfer();
        state.done = done;
        t.syscallState = state;
        return t.block([masterQueue], { interrupted: done > 0 ? done : -E.ERESTARTSYS });
      }
      const wanted = Math.min(room, io.remaining);
      const bytes = new Uint8Array(wanted);
      const got = io.take(bytes, 0, wanted);
      tty.input(bytes, 0, got);
      done += got;
      if (got < wanted) return done > 0 ? done : -E.EFAULT;
    }
    return done;
  }

  override poll(): number {
    const { pty } = this;
    const { tty } = pty;
    let mask = 0;
    if (tty.output.length > 0 && !tty.stopped) mask |= POLLIN | POLLRDNORM;
    if (tty.packetMode && tty.packetStatus !== 0) mask |= POLLPRI | POLLIN | POLLRDNORM;
    if (pty.slaveClosed) mask |= POLLHUP;
    if (tty.inputRoom > 0) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.pty.masterQueue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    const { pty } = this;
    const { tty } = pty;
    switch (request >>> 0) {
      case T.TIOCGPTN:
        storeU32(t, argument, pty.index);
        return 0;
      case T.TIOCSPTLCK:
        pty.locked = fetchI32(t, argument) !== 0;
        return 0;
      case T.TIOCGPTLCK:
        storeU32(t, argument, pty.locked ? 1 : 0);
        return 0;
      case T.TIOCPKT:
        tty.packetMode = fetchI32(t, argument) !== 0;
        tty.packetStatus = 0;
        return 0;
      case T.TIOCGPKT:
        storeU32(t, argument, tty.packetMode ? 1 : 0);
        return 0;
      case T.TIOCGPTPEER:
        return this.openPeer(t, argument);
      case T.TIOCSIG:
        if (argument < 1 || argument > 64) return -E.EINVAL;
        if (tty.foreground !== null) this.kernel.sendSignalToGroup(tty.foreground, kernelSignal(argument));
        return 0;
      case T.FIONREAD:
        storeU32(t, argument, tty.output.length);
        return 0;
      case T.TIOCOUTQ:
        storeU32(t, argument, 0);
        return 0;
      case T.TCFLSH:
        // The master's input is the slave's output.
        if (argument !== T.TCOFLUSH) tty.flushOutput();
        if (argument !== T.TCIFLUSH) tty.flushInput();
        return 0;
      default:
        return ttyIoctl(t, tty, this, request, argument);
    }
  }

  /** TIOCGPTPEER: the slave, whatever /dev/pts looks like from here. */
  private openPeer(t: Task, flags: number): number {
    const file = this.kernel.vfs.open(t, AT_FDCWD, `/dev/pts/${this.pty.index}`, flags & ~O_CLOEXEC, 0);
    return t.files.install(file, { cloexec: (flags & O_CLOEXEC) !== 0 });
  }

  /** pty_close of the master: the slave is hung up, and its name is free. */
  protected override closed(): void {
    super.closed();
    const { pty } = this;
    pty.masterClosed = true;
    this.kernel.ipc.terminals.ptys.delete(pty.index);
    hangUp(pty.tty);
  }
}

/** ptmx_open(): the lowest free number. */
export function openMaster(t: Task, inode: Inode, path: Path | null, flags: number): PtyMasterFile {
  const { ptys } = t.kernel.ipc.terminals;
  let index = 0;
  while (ptys.has(index)) index++;
  if (index >= MAX_PTYS) throw errno(E.ENOSPC);
  const pty = new Pty(t.kernel, index, t.credentials.fsuid);
  ptys.set(index, pty);
  return new PtyMasterFile(t.kernel, inode, path, flags, pty);
}
