// Tracer and tracee: when a traced thread stops, who hears of it, and how it goes on (kernel/ptrace.c, ptrace_stop of signal.c).
// What a tracer may ask of a stopped tracee is syscalls/ptrace.ts.
import * as P from "../abi/ptrace.ts";
import {
  CLD_EXITED,
  CLD_KILLED,
  CLD_TRAPPED,
  SA_NOCLDSTOP,
  SI_USER,
  SIG_IGN,
  SIGCHLD,
  SIGKILL,
  SIGSTOP,
  SIGTRAP,
} from "../abi/signal.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { queueSignal, recalculatePending, sendToProcess, wakeForSignal } from "./signals/send.ts";
import { kernelSignal, makeSigInfo, type SigInfo, userSignal } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";

/** The tracee's side of a tracing relation. */
export class Tracing {
  readonly tracer: Task;
  /** PTRACE_SEIZE: PTRACE_EVENT_STOP instead of SIGSTOP, PTRACE_INTERRUPT allowed. */
  readonly seized: boolean;
  options = 0;
  /** What wait reports (signal | event << 8) while the tracee stands still; 0: it runs. */
  stopCode = 0;
  stopReported = false;
  /** The signal being delivered at a signal-delivery stop; the tracer may change or drop it. */
  info: SigInfo | null = null;
  /** The tracer let it go on: with which signal (0: none). -1: not at a signal-delivery stop. */
  resumeSignal = -1;
  /** PTRACE_SYSCALL: stop at the next entry or exit of a system call. */
  syscalls = false;
  phase: "none" | "entry" | "exit" = "none";
  /** PTRACE_INTERRUPT, or the first stop of a seized child. */
  interruptPending = false;
  eventMessage = 0;
  /** PTRACE_LISTEN: it stays in its group stop, but the end of that stop is reported. */
  listening = false;
  /** An event to report when the running call ends. */
  pendingEvent = 0;
  /** An event was reported where the call ends: the stop of its exit is still to come. */
  exitStopDue = false;
  /** The stop before the end (PTRACE_O_TRACEEXIT) is over. */
  exitReported = false;
  /** Exit status of a thread that ended and was not waited for. */
  ended = -1;

  constructor(tracer: Task, seized: boolean) {
    this.tracer = tracer;
    this.seized = seized;
  }
}

export function startTracing(tracer: Task, t: Task, seized: boolean, options: number): void {
  t.tracing = new Tracing(tracer, seized);
  t.tracing.options = options;
  tracer.tracees.add(t);
}

export function stopTracing(t: Task): void {
  t.tracing?.tracer.tracees.delete(t);
  t.tracing = null;
}

/** ptrace_stop(): the thread stands still and its tracer hears of it. */
export function stopForTracer(k: Kernel, t: Task, code: number, info: SigInfo | null): void {
  const tracing = t.tracing as Tracing;
  tracing.stopCode = code;
  tracing.stopReported = false;
  tracing.listening = false;
  tracing.info = info;
  t.state = "stopped";
  notifyTracer(k, t, CLD_TRAPPED, code & 0x7f);
}

function notifyTracer(k: Kernel, t: Task, code: number, status: number): void {
  const { process } = (t.tracing as Tracing).tracer;
  const info = makeSigInfo(SIGCHLD, code);
  info.pid = t.tid;
  info.uid = t.credentials.uid;
  info.status = status;
  const action = process.signals.handlers.of(SIGCHLD);
  if (action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) sendToProcess(k, process, info);
  process.childExit.wake();
}

/** The tracer lets the tracee go on; `signal` takes the place of the one it was stopped for. */
export function resumeTracee(k: Kernel, t: Task, signal: number, syscalls: boolean): void {
  const tracing = t.tracing as Tracing;
  tracing.syscalls = syscalls;
  if (tracing.info !== null) tracing.resumeSignal = signal;
  else if (signal !== 0)
    queueSignal(k, t, userSignal(signal, tracing.tracer.process.pid, tracing.tracer.credentials.uid), false);
  tracing.stopCode = 0;
  if (t.state !== "stopped") return;
  t.state = "runnable";
  // Only what is really there may interrupt the call that the thread is about to make.
  recalculatePending(t);
  if (tracing.info !== null || tracing.interruptPending) t.signalPending = true;
  k.scheduler.enqueue(t);
}

/** What the tracer made of the signal that the thread was stopped for: a record, null (dropped), or undefined (no such stop). */
export function takeResumedSignal(t: Task): SigInfo | null | undefined {
  const { tracing } = t;
  if (tracing === null || tracing.resumeSignal < 0 || tracing.info === null) return undefined;
  const { info, resumeSignal } = tracing;
  tracing.info = null;
  tracing.resumeSignal = -1;
  if (resumeSignal === 0) return null;
  if (resumeSignal === info.signal) return info;
  return userSignal(resumeSignal, tracing.tracer.process.pid, tracing.tracer.credentials.uid, SI_USER);
}

/** PTRACE_INTERRUPT and the first stop of a child that was seized with its parent. */
export function takeInterrupt(k: Kernel, t: Task): boolean {
  const { tracing } = t;
  if (tracing === null || !tracing.interruptPending) return false;
  tracing.interruptPending = false;
  stopForTracer(k, t, SIGTRAP | (P.PTRACE_EVENT_STOP << 8), null);
  return true;
}

/** A stop signal took effect on a traced thread: its tracer is told, and lets it go on. */
export function stopGroupForTracer(k: Kernel, t: Task, signal: number): void {
  const tracing = t.tracing as Tracing;
  const event = tracing.seized ? P.PTRACE_EVENT_STOP << 8 : 0;
  if (tracing.seized) tracing.interruptPending = false;
  stopForTracer(k, t, signal | event, null);
}

/** SIGCONT ended the group stop of a seized thread (ptrace_trap_notify): its tracer hears of it when it listens or lets it go on. */
export function notifyOfContinuation(k: Kernel, t: Task): void {
  const { tracing } = t;
  if (tracing === null || !tracing.seized) return;
  tracing.interruptPending = true;
  if (tracing.listening) takeInterrupt(k, t);
}

/** PTRACE_LISTEN: stays stopped, unless there is already something to hear. */
export function listen(k: Kernel, t: Task): boolean {
  const { tracing } = t;
  if (tracing === null || !tracing.seized || tracing.stopCode >> 8 !== P.PTRACE_EVENT_STOP) return false;
  tracing.listening = true;
  takeInterrupt(k, t);
  return true;
}

/** System-call stops. True: the thread stopped. */
export function stopAtSyscall(k: Kernel, t: Task, phase: "entry" | "exit"): boolean {
  const { tracing } = t;
  if (tracing === null || !tracing.syscalls || t.state !== "running") return false;
  tracing.phase = phase;
  const good = (tracing.options & P.PTRACE_O_TRACESYSGOOD) !== 0 ? 0x80 : 0;
  stopForTracer(k, t, SIGTRAP | good, null);
  return true;
}

/** The thread runs again after an event: now its call ends for the tracer. */
export function finishEvent(k: Kernel, t: Task): void {
  const { tracing } = t;
  if (tracing === null || !tracing.exitStopDue) return;
  tracing.exitStopDue = false;
  stopAtSyscall(k, t, "exit");
}

/** ptrace_event(): noted during a call, reported when it ends. */
export function noteEvent(t: Task, event: number, message: number): void {
  const { tracing } = t;
  if (tracing === null) return;
  tracing.pendingEvent = event;
  tracing.eventMessage = message;
}

export function reportPendingEvent(k: Kernel, t: Task): void {
  const { tracing } = t;
  if (tracing === null || tracing.pendingEvent === 0 || t.state !== "running") return;
  const event = tracing.pendingEvent;
  tracing.pendingEvent = 0;
  tracing.exitStopDue = true;
  stopForTracer(k, t, SIGTRAP | (event << 8), null);
}

/** PTRACE_O_TRACEEXIT: the thread stops before exit(2) takes effect. True: it stopped, the call is to be made again. */
export function stopBeforeExit(k: Kernel, t: Task, status: number): boolean {
  const { tracing } = t;
  if (tracing === null || (tracing.options & P.PTRACE_O_TRACEEXIT) === 0 || tracing.exitReported) return false;
  if (t.signals.pending.set.has(SIGKILL) || t.process.signals.pending.set.has(SIGKILL)) return false;
  tracing.exitReported = true;
  tracing.phase = "none";
  tracing.eventMessage = status;
  stopForTracer(k, t, SIGTRAP | (P.PTRACE_EVENT_EXIT << 8), null);
  return true;
}

/** A traced task made `child`: it is traced too where the options say so. */
export function traceClone(k: Kernel, t: Task, child: Task, kind: "fork" | "vfork" | "clone"): void {
  const { tracing } = t;
  if (tracing === null) return;
  const [option, event] = {
    fork: [P.PTRACE_O_TRACEFORK, P.PTRACE_EVENT_FORK],
    vfork: [P.PTRACE_O_TRACEVFORK, P.PTRACE_EVENT_VFORK],
    clone: [P.PTRACE_O_TRACECLONE, P.PTRACE_EVENT_CLONE],
  }[kind];
  if ((tracing.options & option) === 0) return;
  startTracing(tracing.tracer, child, tracing.seized, tracing.options);
  if (tracing.seized) (child.tracing as Tracing).interruptPending = true;
  else queueSignal(k, child, kernelSignal(SIGSTOP), false);
  child.signalPending = true;
  noteEvent(t, event, child.tid);
}

/** exec of a traced task: an event, or the plain SIGTRAP of old. */
export function traceExec(k: Kernel, t: Task, formerTid: number): void {
  const { tracing } = t;
  if (tracing === null) return;
  if ((tracing.options & P.PTRACE_O_TRACEEXEC) !== 0) noteEvent(t, P.PTRACE_EVENT_EXEC, formerTid);
  else if (!tracing.seized) queueSignal(k, t, userSignal(SIGTRAP, t.process.pid, t.credentials.uid), false);
}

/** exit_ptrace() and the tracee's side of release: called for every thread that ends. */
export function leaveTracing(k: Kernel, t: Task, status: number): void {
  for (const tracee of [...t.tracees]) {
    const kill = ((tracee.tracing as Tracing).options & P.PTRACE_O_EXITKILL) !== 0;
    detach(k, tracee, 0);
    if (kill) k.sendSignal(tracee, kernelSignal(SIGKILL));
  }
  const { tracing } = t;
  if (tracing === null) return;
  tracing.stopCode = 0;
  tracing.ended = status;
  if (!t.isLeader) notifyTracer(k, t, status & 0x7f ? CLD_KILLED : CLD_EXITED, status & 0x7f || status >> 8);
}

/** PTRACE_DETACH, or the tracer died: on with `signal`, or into the group stop that is in force. */
export function detach(k: Kernel, t: Task, signal: number): void {
  const tracing = t.tracing as Tracing;
  const wasStopped = tracing.stopCode !== 0;
  const { info } = tracing;
  stopTracing(t);
  if (!t.isAlive) {
    if (t.isLeader && t.process.state === "zombie") k.tracerLetGo(t.process);
    return;
  }
  if (info !== null && signal === info.signal) queueSignal(k, t, info, false);
  else if (signal !== 0) queueSignal(k, t, kernelSignal(signal), false);
  if (wasStopped && t.state === "stopped" && t.process.stopSignal === 0) {
    t.state = "runnable";
    t.signalPending = true;
    k.scheduler.enqueue(t);
  }
}

/** Is the end of `process` a tracer's business before it is its parent's? */
export function isHeldByTracer(process: Process): boolean {
  const tracer = process.leader.tracing?.tracer;
  return tracer !== undefined && tracer.process !== process.parent;
}

export function tellTracerOfEnd(k: Kernel, process: Process): void {
  const status = process.exitStatus;
  notifyTracer(k, process.leader, status & 0x7f ? CLD_KILLED : CLD_EXITED, status & 0x7f || (status >> 8) & 0xff);
}

/** Makes a seized tracee stop as soon as it can. */
export function interrupt(t: Task): void {
  (t.tracing as Tracing).interruptPending = true;
  wakeForSignal(t, false);
}
