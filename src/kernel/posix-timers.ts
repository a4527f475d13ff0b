// timer_create(2) timers and the clocks they and clock_gettime know (kernel/time/posix-timers.c).
import { EINVAL } from "../abi/errno.ts";
import { SI_TIMER, SIGEV_NONE } from "../abi/signal.ts";
import { addCpuTimer, type CpuTimer, removeCpuTimer } from "./cpu-timers.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import type { Process } from "./process.ts";
import { makeSigInfo, type SigInfo, type SignalSource } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";
import type { Timer } from "./timers.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_TAI = 11;

/** What a clockid stands for. */
export type ClockKind = "wall" | "monotonic" | "cpu";

export interface ClockSelection {
  kind: ClockKind;
  /** For "cpu": whose time; a thread or a whole process. */
  task: Task | null;
  process: Process | null;
}

const WALL: ClockSelection = { kind: "wall", task: null, process: null };
const MONOTONIC: ClockSelection = { kind: "monotonic", task: null, process: null };

/** clockid_to_kclock(), with the dynamic ids of clock_getcpuclockid(): EINVAL for unknown ones. */
export function selectClock(k: Kernel, t: Task, id: number): ClockSelection {
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return WALL;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return MONOTONIC;
    case CLOCK_PROCESS_CPUTIME_ID:
      return { kind: "cpu", task: null, process: t.process };
    case CLOCK_THREAD_CPUTIME_ID:
      return { kind: "cpu", task: t, process: null };
    default:
      return selectCpuClock(k, t, id);
  }
}

/** Negative ids: ~pid << 3, bit 2 for a thread, the low two bits the kind of CPU clock. */
function selectCpuClock(k: Kernel, t: Task, id: number): ClockSelection {
  if (id >= 0 || (id & 3) === 3) throw errno(EINVAL);
  const pid = ~(id >> 3);
  const perThread = (id & 4) !== 0;
  const task = pid === 0 ? t : k.tasks.get(pid);
  if (task === undefined) throw errno(EINVAL);
  if (perThread) {
    if (task.process !== t.process) throw errno(EINVAL);
    return { kind: "cpu", task, process: null };
  }
  if (!task.isLeader && pid !== 0) throw errno(EINVAL);
  return { kind: "cpu", task: null, process: task.process };
}

/** The CPU time of a selection, in ns. */
export function cpuNsOf(clock: ClockSelection): number {
  if (clock.task !== null) return clock.task.userNs + clock.task.systemNs;
  return clock.process?.cpuNs ?? 0;
}

export class PosixTimer implements Timer, CpuTimer, SignalSource {
  readonly kernel: Kernel;
  readonly id: number;
  readonly process: Process;
  readonly clock: ClockSelection;
  readonly notify: number;
  readonly signal: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  /** SIGEV_THREAD_ID. */
  readonly target: Task | null;
  intervalNs = 0;
  /** Next expiry on its clock's axis (monotonic or CPU ns); Infinity: disarmed. */
  deadlineNs = Number.POSITIVE_INFINITY;
  overrun = 0;
  private queued: SigInfo | null = null;

  constructor(k: Kernel, id: number, process: Process, clock: ClockSelection, event: TimerEvent) {
    this.kernel = k;
    this.id = id;
    this.process = process;
    this.clock = clock;
    this.notify = event.notify;
    this.signal = event.signal;
    this.valueLow = event.valueLow;
    this.valueHigh = event.valueHigh;
    this.target = event.target;
  }

  nowNs(): number {
    return this.clock.kind === "cpu" ? cpuNsOf(this.clock) : this.kernel.clock.monotonicNs();
  }

  /** timer_settime(): `deadlineNs` on the clock's axis, Infinity to disarm. */
  arm(deadlineNs: number, intervalNs: number): void {
    this.disarm();
    this.intervalNs = intervalNs;
    this.deadlineNs = deadlineNs;
    this.overrun = 0;
    this.queue();
  }

  private queue(): void {
    if (this.deadlineNs === Number.POSITIVE_INFINITY || this.notify === SIGEV_NONE) return;
    if (this.clock.kind === "cpu") addCpuTimer(this.process, this);
    else this.kernel.timers.add(this.deadlineNs, this);
  }

  /** Stops it, and takes back a signal that was not delivered yet. */
  disarm(): void {
    this.deadlineNs = Number.POSITIVE_INFINITY;
    this.kernel.timers.remove(this);
    removeCpuTimer(this.process, this);
    if (this.queued === null) return;
    const pending = this.target?.signals.pending ?? this.process.signals.pending;
    pending.removeRecord(this.queued);
    this.queued = null;
  }

  /** Time left and whether it is armed, with periodic expiries that nobody heard of stepped over. */
  remainingNs(): number {
    if (this.deadlineNs === Number.POSITIVE_INFINITY) return 0;
    const now = this.nowNs();
    if (this.deadlineNs > now) return this.deadlineNs - now;
    if (this.intervalNs === 0) return this.notify === SIGEV_NONE ? 0 : this.queued === null ? 1 : 0;
    const missed = Math.floor((now - this.deadlineNs) / this.intervalNs) + 1;
    return this.deadlineNs + missed * this.intervalNs - now;
  }

  fire(k: Kernel): void {
    const info = makeSigInfo(this.signal, SI_TIMER);
    info.timerId = this.id;
    info.valueLow = this.valueLow;
    info.valueHigh = this.valueHigh;
    info.source = this;
    const { target } = this;
    if (target !== null && !target.isAlive) return;
    k.sendSignal(target ?? this.process, info);
    const pending = target?.signals.pending ?? this.process.signals.pending;
    if (pending.records().includes(info)) this.queued = info;
    else this.advance();
  }

  /** The signal is being delivered: how many expiries it stands for, and on to the next. */
  signalDequeued(info: SigInfo): void {
    this.queued = null;
    info.overrun = this.advance();
    this.overrun = info.overrun;
  }

  /** To the next expiry in the future; how many were passed over. */
  private advance(): number {
    if (this.intervalNs === 0) {
      this.deadlineNs = Number.POSITIVE_INFINITY;
      return 0;
    }
    const missed = Math.max(0, Math.floor((this.nowNs() - this.deadlineNs) / this.intervalNs));
    this.deadlineNs += (missed + 1) * this.intervalNs;
    this.queue();
    return Math.min(missed, 0x7fffffff);
  }
}

/** struct sigevent, decoded. */
export interface TimerEvent {
  notify: number;
  signal: number;
  valueLow: number;
  valueHigh: number;
  target: Task | null;
}

/** exit and exec: every timer is deleted. */
export function cancelPosixTimers(_k: Kernel, process: Process): void {
  for (const timer of process.posixTimers.values()) timer.disarm();
  process.posixTimers.clear();
}
