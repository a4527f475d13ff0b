// Waiting for children: which of them count, what they have to report, and how it is written down (kernel/exit.c do_wait).
import { ECHILD, EFAULT } from "../abi/errno.ts";
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from "../abi/sched.ts";
import { CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT } from "../abi/signal.ts";
import { reap } from "./exit.ts";
import { set64, storeBytes, storeU32, viewOf } from "./ipc/user-memory.ts";
import type { Kernel } from "./kernel.ts";
import type { Process, Usage } from "./process.ts";
import type { Task } from "./task.ts";

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
  for (const child of t.process.children) {
    if (!isEligible(t, child, request)) continue;
    eligible = true;
    const report = childReport(k, child, request.options);
    if (report !== null) return report;
  }
  if (!eligible) return -ECHILD;
  if ((request.options & WNOHANG) !== 0) return 0;
  return t.block([t.process.childExit]);
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
    return (options & WEXITED) !== 0 && child.leader.tracer === null ? zombieReport(k, child, options) : null;
  }
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

/** wait_task_zombie(). */
function zombieReport(k: Kernel, child: Process, options: number): WaitReport {
  const signal = child.exitStatus & 0x7f;
  const status = signal !== 0 ? signal : (child.exitStatus >> 8) & 0xff;
  const report = makeReport(child, signal !== 0 ? CLD_KILLED : CLD_EXITED, status, child.exitStatus);
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
