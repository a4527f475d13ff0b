// Stopping a whole process, telling its parent, and orphaned process groups (do_signal_stop, do_notify_parent_cldstop).
import { CLD_STOPPED, SA_NOCLDSTOP, SIG_IGN, SIGCHLD, SIGCONT, SIGHUP } from "../../abi/signal.ts";
import type { Kernel } from "../kernel.ts";
import type { Process, ProcessGroup } from "../process.ts";
import type { Task } from "../task.ts";
import { stopGroupForTracer } from "../tracing.ts";
import { sendToGroup, sendToProcess, wakeForSignal } from "./send.ts";
import { kernelSignal, makeSigInfo } from "./siginfo.ts";

/** Clock ticks are 1/100 s. */
export function toTicks(ns: number): number {
  return Math.floor(ns / 1e7);
}

/** do_notify_parent_cldstop(): SIGCHLD about a stop or a continuation, and a wake-up for waitpid. */
export function notifyParentOfStop(k: Kernel, process: Process, code: number, status: number): void {
  const { parent } = process;
  if (parent === null || parent === k.init) return;
  const info = makeSigInfo(SIGCHLD, code);
  const usage = process.usage();
  info.pid = process.pid;
  info.uid = process.leader.credentials.uid;
  info.status = status;
  info.utime = toTicks(usage.userNs);
  info.stime = toTicks(usage.systemNs);
  const action = parent.signals.handlers.of(SIGCHLD);
  if (action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) sendToProcess(k, parent, info);
  parent.childExit.wake();
}

/** do_signal_stop(): the running thread stops now, the others as soon as they look at their signals. */
export function stopProcess(k: Kernel, t: Task, signal: number): void {
  const { process } = t;
  if (process.stopSignal === 0) {
    process.stopSignal = signal;
    process.stopReport = "none";
  }
  for (const thread of process.threads) {
    if (thread === t || !thread.isAlive || thread.state === "stopped") continue;
    thread.stopPending = true;
    wakeForSignal(thread, false);
  }
  stopThread(k, t);
}

/** One thread arrives at the stop; the last one reports to the parent. */
export function stopThread(k: Kernel, t: Task): void {
  t.stopPending = false;
  t.state = "stopped";
  if (t.tracing !== null) stopGroupForTracer(k, t, t.process.stopSignal);
  stopIfComplete(k, t.process);
}

/** A thread stopped or went away: is the whole process stopped now? */
export function stopIfComplete(k: Kernel, process: Process): void {
  if (process.stopSignal === 0 || process.stopReport === "stopped" || process.stopReport === "reported") return;
  let stopped = 0;
  for (const thread of process.threads) {
    if (!thread.isAlive) continue;
    if (thread.state !== "stopped") return;
    stopped++;
  }
  if (stopped === 0) return;
  process.stopReport = "stopped";
  notifyParentOfStop(k, process, CLD_STOPPED, process.stopSignal);
}

/** will_become_orphaned_pgrp(): no member but `ignored` has a parent in another group of the same session. */
export function isOrphanedGroup(k: Kernel, group: ProcessGroup, ignored: Process | null = null): boolean {
  for (const member of group.members) {
    if (member === ignored || member.state !== "alive") continue;
    const { parent } = member;
    if (parent === null || parent === k.init) continue;
    if (parent.group !== group && parent.session === group.session) return false;
  }
  return true;
}

function hasStoppedMember(group: ProcessGroup): boolean {
  for (const member of group.members) if (member.stopSignal !== 0) return true;
  return false;
}

/** kill_orphaned_pgrp(): a stopped group that nobody can continue any more gets SIGHUP and SIGCONT. */
export function hangUpIfOrphaned(k: Kernel, group: ProcessGroup, leaving: Process | null): void {
  if (!isOrphanedGroup(k, group, leaving) || !hasStoppedMember(group)) return;
  sendToGroup(k, group, kernelSignal(SIGHUP));
  sendToGroup(k, group, kernelSignal(SIGCONT));
}
