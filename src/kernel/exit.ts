// The end of threads and processes: what is given back, who is told, who inherits children, and reaping (kernel/exit.c).
import { CLD_DUMPED, CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, SIG_IGN, SIGCHLD, SIGCONT, SIGHUP } from "../abi/signal.ts";
import { abandonFutexes } from "./futex-exit.ts";
import { cancelIntervalTimers } from "./interval-timers.ts";
import { exitSemaphores } from "./ipc/sysv-sem.ts";
import type { Kernel } from "./kernel.ts";
import { cancelPosixTimers } from "./posix-timers.ts";
import { type Process, threadUsage } from "./process.ts";
import { hangUpIfOrphaned, stopIfComplete, toTicks } from "./signals/job-control.ts";
import { queueSignal, retargetShared, sendToProcess } from "./signals/send.ts";
import { kernelSignal, makeSigInfo } from "./signals/siginfo.ts";
import { SigSet } from "./signals/sigset.ts";
import { traceEnd } from "./strace.ts";
import type { Task } from "./task.ts";
import { isHeldByTracer, leaveTracing, stopTracing, tellTracerOfEnd } from "./tracing.ts";

/** do_group_exit(): every thread of the task's process ends; `status` as wait4 reports it. */
export function exitGroup(k: Kernel, t: Task, status: number): void {
  killProcess(k, t.process, status);
}

/** Ends a process at once, wherever its threads are; they are plain objects, so nothing has to be unwound. */
export function killProcess(k: Kernel, process: Process, status: number): void {
  if (process.state !== "alive") return;
  if (!process.groupExiting) {
    process.groupExiting = true;
    process.exitStatus = status;
  }
  const { current } = k.scheduler;
  for (const thread of [...process.threads]) if (thread !== current) exitThread(k, thread);
  if (current !== null && current.process === process) exitThread(k, current);
}

/** exit(2) of one thread; the process ends with its last one, with that thread's status unless the whole group exits. */
export function exitTask(k: Kernel, t: Task, status: number): void {
  t.exitCode = status;
  if (!t.process.groupExiting && t.isLeader) t.process.exitStatus = status;
  exitThread(k, t);
}

/** do_exit() without the choice of status. */
export function exitThread(k: Kernel, t: Task): void {
  if (!t.isAlive) return;
  const { process } = t;
  if (t.state === "blocked") t.unpark();
  else if (t.state === "runnable") k.scheduler.remove(t);
  abandonFutexes(k, t);
  t.endSyscall();
  finishVfork(t);
  leaveTracing(k, t, process.groupExiting ? process.exitStatus : t.exitCode);
  process.ownUsage.add(threadUsage(t));
  t.state = "zombie";
  if (k.scheduler.current === t) k.scheduler.current = null;
  const last = ![...process.threads].some((thread) => thread.isAlive);
  if (!last) handOverChildren(k, t);
  k.beforeRelease?.(t);
  t.files.release();
  t.fs.release();
  t.space.release();
  if (!t.isLeader) {
    t.state = "dead";
    process.threads.delete(t);
    k.tasks.delete(t.tid);
  }
  if (last) exitProcess(k, process);
  else {
    retargetShared(t, ALL_SIGNALS);
    stopIfComplete(k, process);
  }
}

const ALL_SIGNALS = new SigSet(-1, -1);

/** mm_release(): vfork's parent goes on. */
export function finishVfork(t: Task): void {
  if (t.vforkParent === null) return;
  t.vforkParent = null;
  t.vforkDone.wake();
}

/** Children that this thread forked now belong to another thread of the process (find_alive_thread). */
function handOverChildren(k: Kernel, t: Task): void {
  const heir = t.process.liveThread;
  for (const child of t.process.children) {
    if (child.parentTask !== t) continue;
    child.parentTask = heir;
    sendDeathSignals(k, child);
  }
}

/** PR_SET_PDEATHSIG. */
function sendDeathSignals(k: Kernel, child: Process): void {
  for (const thread of child.threads) {
    if (thread.isAlive && thread.parentDeathSignal !== 0) {
      queueSignal(k, thread, kernelSignal(thread.parentDeathSignal), true);
    }
  }
}

/** exit_notify() and what do_exit() does when the group is dead. */
function exitProcess(k: Kernel, process: Process): void {
  cancelIntervalTimers(k, process);
  cancelPosixTimers(k, process);
  exitSemaphores(k, process);
  releaseExecutable(process);
  process.state = "zombie";
  process.leader.state = "zombie";
  disassociateTerminal(k, process);
  reparentChildren(k, process);
  hangUpIfOrphaned(k, process.group, process);
  process.exited.wake();
  if (k.config.strace) traceEnd(k, process);
  k.onExit?.(process);
  k.observer?.exited(process);
  notifyParent(k, process);
}

export function releaseExecutable(process: Process): void {
  const file = process.executable;
  if (file === null) return;
  process.executable = null;
  file.inode.writeCount++;
  file.release();
}

/**
 * disassociate_ctty(): the foreground group of a dying session leader hears SIGHUP, and the terminal is free; after a hang-up it
 * hears of that now.
 */
function disassociateTerminal(k: Kernel, process: Process): void {
  const { session } = process;
  if (session.leader !== process) return;
  session.leader = null;
  const { terminal } = session;
  if (terminal === null) {
    const { formerForeground } = session;
    session.formerForeground = null;
    if (formerForeground === null) return;
    k.sendSignalToGroup(formerForeground, kernelSignal(SIGHUP));
    k.sendSignalToGroup(formerForeground, kernelSignal(SIGCONT));
    return;
  }
  const { foreground } = terminal;
  if (foreground !== null) k.sendSignalToGroup(foreground, kernelSignal(SIGHUP));
  terminal.session = null;
  terminal.foreground = null;
  session.terminal = null;
}

/** forget_original_parent(): to the nearest living subreaper, or to init, which reaps at once. */
function reparentChildren(k: Kernel, process: Process): void {
  const reaper = findReaper(k, process);
  for (const child of [...process.children]) {
    process.children.delete(child);
    child.parent = reaper;
    child.parentTask = reaper.threads.size > 0 ? reaper.liveThread : null;
    reaper.children.add(child);
    sendDeathSignals(k, child);
    // A child in another group of the session may just have lost the one who could continue its group.
    if (child.group !== process.group && child.session === process.session) hangUpIfOrphaned(k, child.group, null);
    if (child.state === "zombie") notifyParent(k, child);
    else child.exitSignal = SIGCHLD;
  }
}

function findReaper(k: Kernel, process: Process): Process {
  for (let at = process.parent; at !== null; at = at.parent) {
    if (at === k.init) break;
    if (at.childSubreaper && at.state === "alive") return at;
  }
  return k.init;
}

/** do_notify_parent(): SIGCHLD and a wake-up, or nobody cares and the zombie goes at once. */
export function notifyParent(k: Kernel, process: Process): void {
  const { parent } = process;
  if (parent === null || parent === k.init) {
    reap(k, process);
    return;
  }
  if (isHeldByTracer(process)) {
    tellTracerOfEnd(k, process);
    return;
  }
  const { exitSignal } = process;
  const action = parent.signals.handlers.of(SIGCHLD);
  const unwanted = action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0;
  const autoReap = exitSignal === SIGCHLD && unwanted;
  if (exitSignal !== 0 && !(exitSignal === SIGCHLD && action.handler === SIG_IGN)) {
    sendToProcess(k, parent, exitInfo(process, exitSignal));
  }
  if (autoReap) reap(k, process);
  parent.childExit.wake();
}

function exitInfo(process: Process, signal: number) {
  const info = makeSigInfo(signal, CLD_EXITED);
  const killer = process.exitStatus & 0x7f;
  const usage = process.usage();
  if (killer !== 0) info.code = process.exitStatus & 0x80 ? CLD_DUMPED : CLD_KILLED;
  info.status = killer !== 0 ? killer : (process.exitStatus >> 8) & 0xff;
  info.pid = process.pid;
  info.uid = process.leader.credentials.uid;
  info.utime = toTicks(usage.userNs);
  info.stime = toTicks(usage.systemNs);
  return info;
}

/** release_task(): the last trace of a process goes; its usage was added to the parent's by the caller if it waited. */
export function reap(k: Kernel, process: Process): void {
  if (process.state === "reaped") return;
  process.state = "reaped";
  stopTracing(process.leader);
  process.leader.state = "dead";
  process.parent?.children.delete(process);
  process.threads.delete(process.leader);
  k.tasks.delete(process.pid);
  k.processes.delete(process.pid);
  leaveGroup(k, process);
}

/** Takes a process out of its group; empty groups and sessions disappear. */
export function leaveGroup(k: Kernel, process: Process): void {
  const { group } = process;
  group.members.delete(process);
  if (group.members.size > 0) return;
  group.session.groups.delete(group);
  k.groups.delete(group.id);
  if (group.session.groups.size === 0) {
    if (group.session.terminal !== null) group.session.terminal.session = null;
    k.sessions.delete(group.session.id);
  }
}
