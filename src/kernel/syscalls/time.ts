// System calls about time: clocks, sleeping, interval timers and POSIX timers.
import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from "../../abi/errno.ts";
import { NSIG, SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID } from "../../abi/signal.ts";
import { CAP_SYS_TIME, capable } from "../credentials.ts";
import { IntervalTimer } from "../interval-timers.ts";
import {
  fetchBytes,
  fetchTimespecNs,
  get64,
  set64,
  setTimespec,
  storeBytes,
  storeU32,
  timespecNs,
  viewOf,
} from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import {
  CLOCK_MONOTONIC_COARSE,
  CLOCK_REALTIME,
  CLOCK_REALTIME_COARSE,
  CLOCK_THREAD_CPUTIME_ID,
  type ClockSelection,
  cpuNsOf,
  PosixTimer,
  selectClock,
  type TimerEvent,
} from "../posix-timers.ts";
import { toTicks } from "../signals/job-control.ts";
import type { Task } from "../task.ts";
import { setTimeval } from "../wait.ts";
import { defineSyscalls } from "./registry.ts";

const TIMER_ABSTIME = 1;
/** Coarse clocks move with the 250 Hz tick of Debian kernels. */
const TICK_NS = 4_000_000;
const SIGEVENT_BYTES = 64;
const TIMEX_BYTES = 208;
const TIME_ERROR = 5;
const STA_UNSYNC = 0x40;

function storeTimespec(t: Task, address: number, seconds: number, nanoseconds: number): number {
  const bytes = new Uint8Array(16);
  const view = viewOf(bytes);
  set64(view, 0, seconds);
  set64(view, 8, nanoseconds);
  return t.space.copyOut(address, bytes) === 16 ? 0 : -EFAULT;
}

function storeNs(t: Task, address: number, ns: number): number {
  const seconds = Math.floor(ns / 1e9);
  return storeTimespec(t, address, seconds, Math.floor(ns - seconds * 1e9));
}

function clockGetTime(k: Kernel, t: Task, id: number, address: number): number {
  const clock = selectClock(k, t, id);
  if (clock.kind === "cpu") return storeNs(t, address, runningCpuNs(k, t, clock));
  let now = k.clock.monotonicNs();
  if (id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE) now -= now % TICK_NS;
  if (clock.kind === "monotonic") return storeNs(t, address, now);
  const wall = k.clock.wallAt(now);
  return storeTimespec(t, address, wall.seconds, wall.nanoseconds);
}

/** CPU time is accounted at the end of a slice; what the running task used since is added here. */
function runningCpuNs(k: Kernel, t: Task, clock: ClockSelection): number {
  const own = clock.task === t || clock.process === t.process;
  return cpuNsOf(clock) + (own ? k.clock.monotonicNs() - k.sliceStartNs : 0);
}

function clockSetTime(k: Kernel, t: Task, id: number, address: number): number {
  if (id !== CLOCK_REALTIME) {
    selectClock(k, t, id);
    return id < 0 || id === 2 || id === CLOCK_THREAD_CPUTIME_ID ? -EPERM : -EINVAL;
  }
  const view = viewOf(fetchBytes(t, address, 16));
  const seconds = get64(view, 0);
  const nanoseconds = get64(view, 8);
  timespecNs(seconds, nanoseconds);
  return setWall(k, t, seconds, nanoseconds);
}

function setWall(k: Kernel, t: Task, seconds: number, nanoseconds: number): number {
  if (!capable(t, CAP_SYS_TIME)) return -EPERM;
  k.clock.setRealtime(seconds, nanoseconds);
  return 0;
}

interface SleepState {
  deadline: number;
}

/** nanosleep and relative clock_nanosleep share it: `rem` gets what is left, restart_syscall goes on with the deadline. */
function sleep(k: Kernel, t: Task, deadline: () => number, remaining: number, absolute: boolean): number {
  let state = t.syscallState as SleepState | undefined;
  if (state === undefined) {
    state = { deadline: deadline() };
    t.syscallState = state;
  }
  const now = k.clock.monotonicNs();
  if (t.timedOut || now >= state.deadline) return 0;
  if (t.signalPending) {
    if (absolute) return -ERESTARTNOHAND;
    if (remaining !== 0 && storeNs(t, remaining, state.deadline - now) < 0) return -EFAULT;
    t.restart = { number: t.syscallNumber, args: t.syscallArgs.slice(), state };
    return -ERESTART_RESTARTBLOCK;
  }
  return t.block([], { deadline: state.deadline });
}

function clockNanosleep(k: Kernel, t: Task, id: number, flags: number, request: number, remaining: number): number {
  const clock = selectClock(k, t, id);
  if (id === CLOCK_THREAD_CPUTIME_ID) return -EINVAL;
  if (id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE || id === 4) return -EOPNOTSUPP;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const deadline = () => {
    const view = viewOf(fetchBytes(t, request, 16));
    const seconds = get64(view, 0);
    const nanoseconds = get64(view, 8);
    const ns = timespecNs(seconds, nanoseconds);
    // CPU clocks advance at most as fast as time does: sleep that long, which is right for a single busy thread.
    if (clock.kind === "cpu") return k.clock.monotonicNs() + (absolute ? Math.max(0, ns - cpuNsOf(clock)) : ns);
    if (!absolute) return k.clock.monotonicNs() + ns;
    return clock.kind === "wall" ? k.clock.monotonicAt(seconds, nanoseconds) : ns;
  };
  return sleep(k, t, deadline, remaining, absolute);
}

function timevalNs(view: DataView, offset: number): number {
  const seconds = get64(view, offset);
  const microseconds = get64(view, offset + 8);
  if (seconds < 0 || microseconds < 0 || microseconds >= 1e6) throw errno(EINVAL);
  return seconds * 1e9 + microseconds * 1000;
}

function intervalTimer(t: Task, which: number): IntervalTimer {
  if (which < 0 || which > 2) throw errno(EINVAL);
  const { intervalTimers } = t.process;
  return (intervalTimers[which] ??= new IntervalTimer(t.process, which));
}

function storeInterval(t: Task, address: number, timer: { remainingNs: number; intervalNs: number }): void {
  const bytes = new Uint8Array(32);
  const view = viewOf(bytes);
  setTimeval(view, 0, timer.intervalNs);
  setTimeval(view, 16, timer.remainingNs);
  storeBytes(t, address, bytes);
}

function setitimer(t: Task, which: number, next: number, old: number): number {
  const timer = intervalTimer(t, which);
  const before = { remainingNs: timer.remainingNs, intervalNs: timer.intervalNs };
  if (next === 0) timer.set(0, 0);
  else {
    const view = viewOf(fetchBytes(t, next, 32));
    const interval = timevalNs(view, 0);
    timer.set(timevalNs(view, 16), interval);
  }
  if (old !== 0) storeInterval(t, old, before);
  return 0;
}

/** struct sigevent: value, signo, notify, thread id. */
function fetchEvent(k: Kernel, t: Task, address: number, id: number): TimerEvent {
  if (address === 0) return { notify: SIGEV_SIGNAL, signal: SIGALRM, valueLow: id, valueHigh: 0, target: null };
  const view = viewOf(fetchBytes(t, address, SIGEVENT_BYTES));
  const notify = view.getInt32(12, true);
  const signal = view.getInt32(8, true);
  let target: Task | null = null;
  if (notify === (SIGEV_SIGNAL | SIGEV_THREAD_ID)) {
    const task = k.tasks.get(view.getInt32(16, true));
    if (task === undefined || task.process !== t.process) throw errno(EINVAL);
    target = task;
  } else if (notify !== SIGEV_SIGNAL && notify !== SIGEV_NONE && notify !== 2) throw errno(EINVAL);
  if (notify !== SIGEV_NONE && (signal <= 0 || signal > NSIG)) throw errno(EINVAL);
  return { notify, signal, valueLow: view.getInt32(0, true), valueHigh: view.getInt32(4, true), target };
}

function timerCreate(k: Kernel, t: Task, clockId: number, event: number, idAddress: number): number {
  const clock = selectClock(k, t, clockId);
  if (clockId === CLOCK_REALTIME_COARSE || clockId === CLOCK_MONOTONIC_COARSE || clockId === 4) return -EOPNOTSUPP;
  const { process } = t;
  while (process.posixTimers.has(process.nextPosixTimerId))
    process.nextPosixTimerId = (process.nextPosixTimerId + 1) & 0x7fffffff;
  if (process.posixTimers.size >= 65536) return -EAGAIN;
  const id = process.nextPosixTimerId++;
  const timer = new PosixTimer(k, id, process, clock, fetchEvent(k, t, event, id));
  storeU32(t, idAddress, id);
  process.posixTimers.set(id, timer);
  return 0;
}

function timerOf(t: Task, id: number): PosixTimer {
  const timer = t.process.posixTimers.get(id);
  if (timer === undefined) throw errno(EINVAL);
  return timer;
}

function storeTimerSetting(t: Task, address: number, intervalNs: number, remainingNs: number): void {
  const bytes = new Uint8Array(32);
  const view = viewOf(bytes);
  setTimespec(view, 0, intervalNs);
  setTimespec(view, 16, remainingNs);
  storeBytes(t, address, bytes);
}

function timerSetTime(k: Kernel, t: Task, id: number, flags: number, next: number, old: number): number {
  if (next === 0) return -EINVAL;
  const view = viewOf(fetchBytes(t, next, 32));
  const interval = timespecNs(get64(view, 0), get64(view, 8));
  const seconds = get64(view, 16);
  const nanoseconds = get64(view, 24);
  const value = timespecNs(seconds, nanoseconds);
  const timer = timerOf(t, id);
  const before = { interval: timer.intervalNs, remaining: timer.remainingNs() };
  let deadline = Number.POSITIVE_INFINITY;
  if (value > 0) {
    if ((flags & TIMER_ABSTIME) === 0) deadline = timer.nowNs() + value;
    else deadline = timer.clock.kind === "wall" ? k.clock.monotonicAt(seconds, nanoseconds) : value;
  }
  timer.arm(deadline, interval);
  if (old !== 0) storeTimerSetting(t, old, before.interval, before.remaining);
  return 0;
}

function times(k: Kernel, t: Task, address: number): number {
  const { userNs, systemNs, childUserNs, childSystemNs } = t.process.times;
  if (address !== 0) {
    const bytes = new Uint8Array(32);
    const view = viewOf(bytes);
    for (const [i, ns] of [userNs, systemNs, childUserNs, childSystemNs].entries()) set64(view, i * 8, toTicks(ns));
    storeBytes(t, address, bytes);
  }
  return toTicks(k.clock.monotonicNs());
}

function getTimeOfDay(k: Kernel, t: Task, address: number, zone: number): number {
  if (address !== 0) {
    const { seconds, nanoseconds } = k.clock.realtime();
    if (storeTimespec(t, address, seconds, Math.floor(nanoseconds / 1000)) < 0) return -EFAULT;
  }
  return zone !== 0 && !t.space.writeU64(zone, 0) ? -EFAULT : 0;
}

function setTimeOfDay(k: Kernel, t: Task, address: number): number {
  if (address === 0) return capable(t, CAP_SYS_TIME) ? 0 : -EPERM;
  const view = viewOf(fetchBytes(t, address, 16));
  const microseconds = get64(view, 8);
  if (microseconds < 0 || microseconds >= 1e6 || get64(view, 0) < 0) return -EINVAL;
  return setWall(k, t, get64(view, 0), microseconds * 1000);
}

/** adjtimex with modes 0: an undisciplined clock. */
function adjustTime(k: Kernel, t: Task, address: number): number {
  const view = viewOf(fetchBytes(t, address, TIMEX_BYTES));
  if (view.getUint32(0, true) !== 0) return capable(t, CAP_SYS_TIME) ? TIME_ERROR : -EPERM;
  const bytes = new Uint8Array(TIMEX_BYTES);
  const out = viewOf(bytes);
  set64(out, 24, 16_000_000);
  set64(out, 32, 16_000_000);
  out.setInt32(40, STA_UNSYNC, true);
  set64(out, 48, 2);
  set64(out, 56, 1);
  set64(out, 64, 32768000);
  const { seconds, nanoseconds } = k.clock.realtime();
  set64(out, 72, seconds);
  set64(out, 80, Math.floor(nanoseconds / 1000));
  set64(out, 88, 10000);
  storeBytes(t, address, bytes);
  return TIME_ERROR;
}

export const TIME_SYSCALLS = defineSyscalls({
  clock_gettime: { args: "clockid tp:ptr", run: (k, t, id, address) => clockGetTime(k, t, id | 0, address) },
  clock_settime: { args: "clockid tp:ptr", run: (k, t, id, address) => clockSetTime(k, t, id | 0, address) },
  clock_getres: {
    args: "clockid res:ptr",
    run: (k, t, id, address) => {
      selectClock(k, t, id | 0);
      const coarse = (id | 0) === CLOCK_REALTIME_COARSE || (id | 0) === CLOCK_MONOTONIC_COARSE;
      return address === 0 ? 0 : storeNs(t, address, coarse ? TICK_NS : 1);
    },
  },
  clock_nanosleep: {
    args: "clockid flags:flags request:ptr remain:ptr",
    run: (k, t, id, flags, request, remaining) => clockNanosleep(k, t, id | 0, flags | 0, request, remaining),
  },
  nanosleep: {
    args: "request:ptr remain:ptr",
    run: (k, t, request, remaining) =>
      sleep(k, t, () => k.clock.monotonicNs() + fetchTimespecNs(t, request), remaining, false),
  },
  clock_adjtime: {
    args: "clockid timex:ptr",
    partly: "reads an undisciplined clock; adjustments are accepted and change nothing",
    run: (k, t, id, address) => ((id | 0) === CLOCK_REALTIME ? adjustTime(k, t, address) : -EOPNOTSUPP),
  },
  adjtimex: {
    args: "timex:ptr",
    partly: "reads an undisciplined clock; adjustments are accepted and change nothing",
    run: (k, t, address) => adjustTime(k, t, address),
  },
  gettimeofday: { args: "tv:ptr tz:ptr", run: (k, t, address, zone) => getTimeOfDay(k, t, address, zone) },
  settimeofday: { args: "tv:ptr tz:ptr", run: (k, t, address) => setTimeOfDay(k, t, address) },
  times: { args: "buf:ptr", run: (k, t, address) => times(k, t, address) },
  getitimer: {
    args: "which value:ptr",
    run: (_k, t, which, address) => {
      const timer = intervalTimer(t, which | 0);
      storeInterval(t, address, timer);
      return 0;
    },
  },
  setitimer: { args: "which new:ptr old:ptr", run: (_k, t, which, next, old) => setitimer(t, which | 0, next, old) },
  timer_create: {
    args: "clockid event:ptr timerid:ptr",
    run: (k, t, id, event, out) => timerCreate(k, t, id | 0, event, out),
  },
  timer_settime: {
    args: "timerid flags:flags new:ptr old:ptr",
    run: (k, t, id, flags, next, old) => timerSetTime(k, t, id | 0, flags | 0, next, old),
  },
  timer_gettime: {
    args: "timerid value:ptr",
    run: (_k, t, id, address) => {
      const timer = timerOf(t, id | 0);
      storeTimerSetting(t, address, timer.intervalNs, timer.remainingNs());
      return 0;
    },
  },
  timer_getoverrun: { args: "timerid", run: (_k, t, id) => timerOf(t, id | 0).overrun },
  timer_delete: {
    args: "timerid",
    run: (_k, t, id) => {
      timerOf(t, id | 0).disarm();
      t.process.posixTimers.delete(id | 0);
      return 0;
    },
  },
});
