// Waiting for children: which of them count, what they have to report, and how it is written down (kernel/exit.c do_wait).
import { ECHILD, EFAULT } from "../abi/errno.ts";
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  P_PID,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from "../abi/sched.ts";
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  CLD_TRAPPED,
  SIGCHLD,
  SIGCONT,
} from "../abi/signal.ts";
import { reap } from "./exit.ts";
import { set64, storeBytes, storeU32, viewOf } from "./ipc/user-memory.ts";
import type { Kernel } from "./kernel.ts";
import type { Process, Usage } from "./process.ts";
import type { Task } from "./task.ts";
import { isHeldByTracer, stopTracing, type Tracing } from "./tracing.ts";

export interface WaitRequest {
  /** P_ALL, P_PID, P_PGID (P_PIDFD is resolved to P_PID by the caller). */
  type: number;
  id: number;
  options: number;
}

/** What one child reported. */
export interface WaitReport {
  process: Process;
  pid: number;
  uid: number;
  /** CLD_*. */
  code: number;
  /** Exit status or signal. */
  status: number;
  /** As wait4 encodes it. */
  waitStatus: number;
  usage: Usage;
}

/** A report, 0 (WNOHANG and nothing yet), -ECHILD, or what t.block() returned. */
export function waitForChild(k: Kernel, t: Task, request: WaitRequest): WaitReport | number {
  let eligible = false;
  const traced = traceeReport(k, t, request);
  if (traced === "none yet") eligible = true;
  else if (traced !== null) return traced;
  for (const child of candidates(k, t, request)) {
    if (!isEligible(t, child, request)) continue;
    eligible = true;
    const report = childReport(k, child, request.options);
    if (report !== null) return report;
  }
  if (!eligible) return -ECHILD;
  if ((request.options & WNOHANG) !== 0) return 0;
  return t.block([t.process.childExit]);
}

/** The children worth a look: who waits for one by number does not pay for the others. */
function candidates(k: Kernel, t: Task, request: WaitRequest): Iterable<Process> {
  if (request.type !== P_PID) return t.process.children;
  const child = k.processes.get(request.id);
  return child !== undefined && t.process.children.has(child) ? [child] : [];
}

/** eligible_child() with the rules for clone children and __WNOTHREAD. */
function isEligible(t: Task, child: Process, request: WaitRequest): boolean {
  const { type, id, options } = request;
  if (type === P_PGID) {
    if (child.group.id !== id) return false;
  } else if (type !== P_ALL && child.pid !== id) return false;
  if ((options & __WNOTHREAD) !== 0 && child.parentTask !== t) return false;
  if ((options & __WALL) !== 0) return true;
  return (child.exitSignal !== SIGCHLD) === ((options & __WCLONE) !== 0);
}

function childReport(k: Kernel, child: Process, options: number): WaitReport | null {
  if (child.state === "zombie") {
    // A tracer other than the parent sees the end first; the parent waits until it let go.
    return (options & WEXITED) !== 0 && !isHeldByTracer(child) ? zombieReport(k, child, options) : null;
  }
  // A tracing parent hears of stops as a tracer.
  if (child.leader.tracing?.tracer.process === child.parent) return null;
  if (child.stopReport === "stopped" && (options & WSTOPPED) !== 0) {
    if ((options & WNOWAIT) === 0) child.stopReport = "reported";
    return makeReport(child, CLD_STOPPED, child.stopSignal, (child.stopSignal << 8) | 0x7f);
  }
  if (child.stopReport === "continued" && (options & WCONTINUED) !== 0) {
    if ((options & WNOWAIT) === 0) child.stopReport = "none";
    return makeReport(child, CLD_CONTINUED, SIGCONT, 0xffff);
  }
  return null;
}

/** What a tracee has to report to the calling tracer: a stop, or its end; null: there is none that counts. */
function traceeReport(k: Kernel, t: Task, request: WaitRequest): WaitReport | "none yet" | null {
  let found: "none yet" | null = null;
  for (const thread of t.process.threads) {
    if ((request.options & __WNOTHREAD) !== 0 && thread !== t) continue;
    for (const tracee of thread.tracees) {
      const { type, id } = request;
      if (type === P_PGID ? tracee.process.group.id !== id : type !== P_ALL && tracee.tid !== id) continue;
      const report = traceeState(k, tracee, tracee.tracing as Tracing, request.options);
      if (report !== null) return report;
      found = "none yet";
    }
  }
  return found;
}

function traceeState(k: Kernel, tracee: Task, tracing: Tracing, options: number): WaitReport | null {
  const { process } = tracee;
  const keep = (options & WNOWAIT) !== 0;
  if (tracing.stopCode !== 0 && !tracing.stopReported && tracee.state === "stopped") {
    if (!keep) tracing.stopReported = true;
    const report = makeReport(process, CLD_TRAPPED, tracing.stopCode, (tracing.stopCode << 8) | 0x7f);
    return { ...report, pid: tracee.tid };
  }
  if ((options & WEXITED) === 0 || tracee.isAlive) return null;
  if (!tracee.isLeader) {
    const report = makeReport(process, CLD_EXITED, tracing.ended >> 8, tracing.ended);
    if (!keep) stopTracing(tracee);
    return { ...report, pid: tracee.tid };
  }
  if (process.state !== "zombie" || !isHeldByTracer(process)) return null;
  const signal = process.exitStatus & 0x7f;
  const status = signal !== 0 ? signal : (process.exitStatus >> 8) & 0xff;
  const report = makeReport(process, endCode(process.exitStatus), status, process.exitStatus);
  if (!keep) {
    stopTracing(tracee);
    k.tracerLetGo(process);
  }
  return report;
}

/** si_code for a status as wait4 reports it. */
function endCode(status: number): number {
  if ((status & 0x7f) === 0) return CLD_EXITED;
  return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

/** wait_task_zombie(). */
function zombieReport(k: Kernel, child: Process, options: number): WaitReport {
  const signal = child.exitStatus & 0x7f;
  const status = signal !== 0 ? signal : (child.exitStatus >> 8) & 0xff;
  const report = makeReport(child, endCode(child.exitStatus), status, child.exitStatus);
  report.usage.add(child.childUsage);
  if ((options & WNOWAIT) === 0) {
    const parent = child.parent as Process;
    parent.childUsage.add(report.usage);
    reap(k, child);
  }
  return report;
}

function makeReport(child: Process, code: number, status: number, waitStatus: number): WaitReport {
  const { uid } = child.leader.credentials;
  return { process: child, pid: child.pid, uid, code, status, waitStatus, usage: child.usage() };
}

/** struct rusage (144 bytes). */
export function encodeUsage(usage: Usage): Uint8Array {
  const bytes = new Uint8Array(144);
  const view = viewOf(bytes);
  setTimeval(view, 0, usage.userNs);
  setTimeval(view, 16, usage.systemNs);
  set64(view, 32, usage.maxResidentPages * 4);
  set64(view, 64, usage.minorFaults);
  set64(view, 72, usage.majorFaults);
  set64(view, 128, usage.voluntarySwitches);
  set64(view, 136, usage.involuntarySwitches);
  return bytes;
}

export function setTimeval(view: DataView, offset: number, ns: number): void {
  const seconds = Math.floor(ns / 1e9);
  set64(view, offset, seconds);
  set64(view, offset + 8, Math.floor((ns - seconds * 1e9) / 1000));
}

/** Results of wait4: status, usage, pid. */
export function storeWait4(t: Task, report: WaitReport, statusAddress: number, usageAddress: number): number {
  if (statusAddress !== 0) storeU32(t, statusAddress, report.waitStatus);
  if (usageAddress !== 0) storeBytes(t, usageAddress, encodeUsage(report.usage));
  return report.pid;
}

/** Results of waitid: a siginfo (all zeros without a report) and the usage. */
export function storeWaitId(t: Task, report: WaitReport | null, infoAddress: number, usageAddress: number): number {
  if (report !== null && usageAddress !== 0) storeBytes(t, usageAddress, encodeUsage(report.usage));
  if (infoAddress === 0) return 0;
  const bytes = new Uint8Array(28);
  const view = viewOf(bytes);
  if (report !== null) {
    view.setInt32(0, SIGCHLD, true);
    view.setInt32(8, report.code, true);
    view.setInt32(16, report.pid, true);
    view.setUint32(20, report.uid, true);
    view.setInt32(24, report.status, true);
  }
  return t.space.copyOut(infoAddress, bytes) === bytes.length ? 0 : -EFAULT;
}
