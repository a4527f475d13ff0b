// Sends signals: ignored or not, stop against continue, queueing and its limits, and whom to wake. Follows kernel/signal.c
// (prepare_signal, __send_signal_locked, complete_signal, force_sig_info_to_task).
import { EAGAIN, ESRCH } from "../../abi/errno.ts";
import { RLIMIT_SIGPENDING } from "../../abi/resource.ts";
import {
  CLD_CONTINUED,
  SIGBUS,
  SIGCONT,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGRTMIN,
  SIGSEGV,
  SIGSTOP,
  SIGSYS,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
} from "../../abi/signal.ts";
import type { Kernel } from "../kernel.ts";
import type { Process, ProcessGroup } from "../process.ts";
import type { Task } from "../task.ts";
import { notifyOfContinuation } from "../tracing.ts";
import { notifyParentOfStop } from "./job-control.ts";
import { faultSignal, makeSigInfo, SI_QUEUE, SI_USER, type SigInfo } from "./siginfo.ts";
import { SigSet } from "./sigset.ts";
import type { PendingSignals } from "./state.ts";

export const STOP_SIGNALS = SigSet.of(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
/** Delivered before all others: their siginfo belongs to the instruction that was just tried. */
export const SYNCHRONOUS_SIGNALS = SigSet.of(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);
const CONT_ONLY = SigSet.of(SIGCONT);

/** recalc_sigpending(): does the task have something to do before it runs user code? */
export function recalculatePending(t: Task): void {
  const { signals } = t;
  t.signalPending =
    t.stopPending ||
    signals.pending.set.lowestOutside(signals.blocked) !== 0 ||
    t.process.signals.pending.set.lowestOutside(signals.blocked) !== 0;
}

/** set_current_blocked(): a new mask; signals it newly blocks may move on to another thread. */
export function setBlocked(t: Task, mask: SigSet): void {
  const blocked = mask.withoutUnblockable();
  const shared = t.process.signals.pending.set;
  const newlyBlocked = blocked.clone();
  newlyBlocked.deleteAll(t.signals.blocked);
  t.signals.blocked.set(blocked);
  recalculatePending(t);
  if (t.process.threads.size > 1 && shared.intersects(newlyBlocked)) retargetShared(t, newlyBlocked);
}

/** retarget_shared_pending(): another thread that does not block a shared signal takes it over. */
export function retargetShared(t: Task, which: SigSet): void {
  const wanted = t.process.signals.pending.set.clone();
  for (const other of t.process.threads) {
    if (other === t || !other.isAlive) continue;
    const candidates = new SigSet(wanted.low & which.low, wanted.high & which.high);
    if (candidates.lowestOutside(other.signals.blocked) === 0) continue;
    wakeForSignal(other, false);
  }
}

export function sendToTask(k: Kernel, t: Task, info: SigInfo): number {
  if (!t.isAlive) return -ESRCH;
  return info.signal === 0 ? 0 : queueSignal(k, t, info, false);
}

export function sendToProcess(k: Kernel, process: Process, info: SigInfo): number {
  if (process.state === "reaped") return -ESRCH;
  const thread = process.liveThread;
  if (thread === null || info.signal === 0) return 0;
  return queueSignal(k, thread, info, true);
}

/** __kill_pgrp_info(): 0 when it reached at least one member. */
export function sendToGroup(k: Kernel, group: ProcessGroup, info: SigInfo): number {
  let result: number = -ESRCH;
  for (const process of [...group.members]) {
    const sent = sendToProcess(k, process, info);
    if (result !== 0) result = sent;
  }
  return result;
}

/** __send_signal_locked(). `shared`: for the whole process. */
export function queueSignal(k: Kernel, t: Task, info: SigInfo, shared: boolean): number {
  const { signal } = info;
  const { process } = t;
  if (!prepareSignal(k, t, signal)) return 0;
  const queue: PendingSignals = shared ? process.signals.pending : t.signals.pending;
  // Ordinary signals do not queue; a POSIX timer's record does, for it counts its own overruns (send_sigqueue).
  if (signal < SIGRTMIN && queue.set.has(signal) && info.source === null) return 0;
  const limit = process.limits.soft[RLIMIT_SIGPENDING];
  if (signal >= SIGRTMIN && queue.length >= limit && info.code !== SI_USER && info.code <= 0) {
    if (info.code === SI_QUEUE || info.code < 0) return -EAGAIN;
  }
  queue.add(info);
  process.signals.queue.wake();
  completeSignal(t, signal, shared);
  return 0;
}

/** prepare_signal(): stops cancel continuations and the other way round; false when nobody wants the signal. */
function prepareSignal(k: Kernel, t: Task, signal: number): boolean {
  const { process } = t;
  if (process.groupExiting) return signal === SIGKILL;
  if (STOP_SIGNALS.has(signal)) {
    process.signals.pending.remove(CONT_ONLY);
    for (const thread of process.threads) thread.signals.pending.remove(CONT_ONLY);
  } else if (signal === SIGCONT) {
    process.signals.pending.remove(STOP_SIGNALS);
    for (const thread of process.threads) thread.signals.pending.remove(STOP_SIGNALS);
    continueProcess(k, process);
  }
  return !isIgnored(t, signal);
}

/** sig_ignored(): a blocked signal is kept, for its disposition may change. */
function isIgnored(t: Task, signal: number): boolean {
  if (t.signals.blocked.has(signal) || t.tracing !== null) return false;
  return t.process.signals.handlers.ignores(signal);
}

/** SIGCONT reached the process: every stopped thread goes on, whatever the signal's disposition. */
export function continueProcess(k: Kernel, process: Process): void {
  const wasStopped = process.stopSignal !== 0;
  for (const thread of process.threads) {
    thread.stopPending = false;
    if (thread.state !== "stopped") continue;
    if (thread.tracing === null) resumeStopped(thread);
    else notifyOfContinuation(k, thread);
  }
  if (!wasStopped) return;
  process.stopSignal = 0;
  process.stopReport = "continued";
  notifyParentOfStop(k, process, CLD_CONTINUED, SIGCONT);
}

export function resumeStopped(t: Task): void {
  if (t.state !== "stopped") return;
  if (t.tracing !== null) t.tracing.stopCode = 0;
  t.state = "runnable";
  t.signalPending = true;
  t.kernel.scheduler.enqueue(t);
}

/** wants_signal(). */
function wantsSignal(t: Task, signal: number): boolean {
  if (!t.isAlive) return false;
  if (t.signals.blocked.has(signal)) return t.signals.waitingFor?.has(signal) ?? false;
  if (signal === SIGKILL) return true;
  if (t.state === "stopped") return false;
  return t.state === "running" || !t.signalPending;
}

/** complete_signal(): finds a thread that takes it and makes it look. */
function completeSignal(t: Task, signal: number, shared: boolean): void {
  let target: Task | null = null;
  if (wantsSignal(t, signal)) target = t;
  else if (shared) {
    for (const thread of t.process.threads) {
      if (wantsSignal(thread, signal)) {
        target = thread;
        break;
      }
    }
  }
  if (signal === SIGKILL) {
    for (const thread of t.process.threads) if (thread.isAlive) wakeForSignal(thread, true);
    return;
  }
  if (target === null) return;
  if (target.signals.waitingFor?.has(signal)) target.wake();
  if (!target.signals.blocked.has(signal)) wakeForSignal(target, false);
}

/** signal_wake_up(): the task leaves its wait (or its stop, for SIGKILL) to look at its signals. */
export function wakeForSignal(t: Task, fatal: boolean): void {
  t.signalPending = true;
  if (t.state === "blocked" && (fatal || !t.waitKillable)) t.wake();
  else if (fatal && t.state === "stopped") {
    t.stopPending = false;
    resumeStopped(t);
  }
}

/** force_sig_info_to_task(): a fault cannot be blocked or ignored; then its default action is taken. */
export function forceSignal(k: Kernel, t: Task, info: SigInfo, mustDie = false): void {
  const action = t.process.signals.handlers.of(info.signal);
  const blocked = t.signals.blocked.has(info.signal);
  if (blocked || action.handler === 1 || mustDie) {
    t.process.signals.handlers.setDefault(info.signal);
    if (blocked) {
      t.signals.blocked.delete(info.signal);
      recalculatePending(t);
    }
  }
  queueSignal(k, t, info, false);
  t.signalPending = true;
}

/** force_sig_fault(). */
export function forceFault(k: Kernel, t: Task, signal: number, code: number, low: number, high: number): void {
  forceSignal(k, t, faultSignal(signal, code, low, high));
}

/** force_sigsegv(): the frame of `signal` could not be built. A second failure, for SIGSEGV itself, kills. */
export function forceSegvAfter(k: Kernel, t: Task, signal: number): void {
  const info = makeSigInfo(SIGSEGV, 0x80);
  forceSignal(k, t, info, signal === SIGSEGV);
}

/** dequeue_signal(): the thread's own queue first, then the process's; synchronous faults before all. */
export function dequeueSignal(t: Task, mask: SigSet): SigInfo | null {
  return takeFrom(t.signals.pending, mask) ?? takeFrom(t.process.signals.pending, mask);
}

function takeFrom(queue: PendingSignals, mask: SigSet): SigInfo | null {
  const synchronous = new SigSet(
    queue.set.low & SYNCHRONOUS_SIGNALS.low,
    queue.set.high & SYNCHRONOUS_SIGNALS.high,
  ).lowestOutside(mask);
  const signal = synchronous !== 0 ? synchronous : queue.set.lowestOutside(mask);
  if (signal === 0) return null;
  const info = queue.take(signal);
  if (info === undefined) return makeSigInfo(signal, SI_USER);
  info.source?.signalDequeued(info);
  return info;
}
