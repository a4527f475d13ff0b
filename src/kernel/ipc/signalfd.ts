// signalfd(2): pending signals of the reading task as something to read (fs/signalfd.c).
import { EAGAIN, EFAULT, EINVAL } from "../../abi/errno.ts";
import { O_NONBLOCK, O_RDWR } from "../../abi/fcntl.ts";
import { POLLIN } from "../../abi/poll.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import { recalculatePending } from "../signals/send.ts";
import { makeSigInfo, type SigInfo, siginfoLayout } from "../signals/siginfo.ts";
import { SigSet } from "../signals/sigset.ts";
import type { PendingSignals } from "../signals/state.ts";
import type { Task } from "../task.ts";
import type { WaitQueue } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { set64, viewOf } from "./user-memory.ts";

/** sizeof(struct signalfd_siginfo). */
const RECORD_BYTES = 128;
const NO_QUEUES: readonly WaitQueue[] = [];

export class SignalFile extends AnonymousFile {
  /** The signals that are NOT wanted: what lowestOutside() takes. */
  private unwanted: SigSet;

  constructor(k: Kernel, mask: SigSet, flags: number) {
    super(k, "[signalfd]", O_RDWR | (flags & O_NONBLOCK));
    this.unwanted = complement(mask);
  }

  setMask(mask: SigSet): void {
    this.unwanted = complement(mask);
    this.kernel.scheduler.current?.process.signals.queue.wake();
  }

  private pendingSignal(t: Task): number {
    return (
      t.signals.pending.set.lowestOutside(this.unwanted) || t.process.signals.pending.set.lowestOutside(this.unwanted)
    );
  }

  /** dequeue_signal: the thread's own first. */
  private take(t: Task): SigInfo | null {
    return takeFrom(t.signals.pending, this.unwanted) ?? takeFrom(t.process.signals.pending, this.unwanted);
  }

  override read(t: Task, io: IoCursor): number {
    const limit = Math.floor(io.remaining / RECORD_BYTES);
    if (limit === 0) return -EINVAL;
    let moved = 0;
    for (let i = 0; i < limit; i++) {
      const info = this.take(t);
      if (info === null) break;
      if (io.put(encodeRecord(info), 0, RECORD_BYTES) < RECORD_BYTES) return moved > 0 ? moved : -EFAULT;
      moved += RECORD_BYTES;
    }
    if (moved > 0) {
      recalculatePending(t);
      return moved;
    }
    return this.nonBlocking ? -EAGAIN : t.block([t.process.signals.queue]);
  }

  /** Readiness is the asking task's: whoever polls sees its own signals. */
  override poll(): number {
    const t = this.kernel.scheduler.current;
    return t !== null && this.pendingSignal(t) !== 0 ? POLLIN : 0;
  }

  override pollQueues(): readonly WaitQueue[] {
    const t = this.kernel.scheduler.current;
    return t === null ? NO_QUEUES : [t.process.signals.queue];
  }

  override fdInfo(): string {
    const { low, high } = complement(this.unwanted);
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
    return `sigmask:\t${hex(high)}${hex(low)}\n`;
  }
}

function complement(set: SigSet): SigSet {
  return new SigSet(~set.low, ~set.high);
}

function takeFrom(pending: PendingSignals, unwanted: SigSet): SigInfo | null {
  const signal = pending.set.lowestOutside(unwanted);
  if (signal === 0) return null;
  return pending.take(signal) ?? makeSigInfo(signal, 0);
}

/** signalfd_copyinfo. */
function encodeRecord(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, info.signal, true);
  view.setInt32(4, info.errno, true);
  view.setInt32(8, info.code, true);
  switch (siginfoLayout(info.signal, info.code)) {
    case "kill":
      view.setUint32(12, info.pid, true);
      view.setUint32(16, info.uid, true);
      break;
    case "poll":
      view.setUint32(28, info.band, true);
      view.setInt32(20, info.fd, true);
      break;
    case "fault":
      view.setInt32(72, info.addressLow, true);
      view.setInt32(76, info.addressHigh, true);
      break;
    case "child":
      view.setUint32(12, info.pid, true);
      view.setUint32(16, info.uid, true);
      view.setInt32(40, info.status, true);
      set64(view, 56, info.utime);
      set64(view, 64, info.stime);
      break;
    case "rt":
      view.setUint32(12, info.pid, true);
      view.setUint32(16, info.uid, true);
      putValue(view, info);
      break;
    case "timer":
      view.setUint32(24, info.timerId, true);
      view.setUint32(32, info.overrun, true);
      putValue(view, info);
      break;
  }
  return bytes;
}

function putValue(view: DataView, info: SigInfo): void {
  view.setInt32(44, info.valueLow, true);
  view.setInt32(48, info.valueLow, true);
  view.setInt32(52, info.valueHigh, true);
}
