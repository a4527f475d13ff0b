// New threads and processes (kernel/fork.c copy_process): checks flags, copies or shares each part, then makes the child runnable.
import { EAGAIN, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import { RLIMIT_NPROC } from "../abi/resource.ts";
import * as C from "../abi/sched.ts";
import { SIGCHLD, SS_DISABLE } from "../abi/signal.ts";
import { CpuContext } from "../cpu/cpu-context.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import { storeU32 } from "./ipc/user-memory.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import { installPidFd } from "./pidfd.ts";
import { Process } from "./process.ts";
import { SignalHandlers } from "./signals/state.ts";
import { Task } from "./task.ts";
import { traceClone } from "./tracing.ts";

export interface CloneArguments {
  /** CLONE_* without the signal byte; `flagsHigh` are bits 32.. of clone3. */
  flags: number;
  flagsHigh: number;
  exitSignal: number;
  /** New stack pointer; 0: the parent's. */
  stackPointer: number;
  tls: number;
  parentTid: number;
  childTid: number;
  pidFd: number;
  /** clone3 set_tid: the pid wanted, or 0. */
  wantedTid: number;
}

const NAMESPACES =
  C.CLONE_NEWNS |
  C.CLONE_NEWCGROUP |
  C.CLONE_NEWUTS |
  C.CLONE_NEWIPC |
  C.CLONE_NEWUSER |
  C.CLONE_NEWPID |
  C.CLONE_NEWNET;

/** The flag rules of copy_process(): 0 or -errno. */
function checkFlags(args: CloneArguments): number {
  const { flags } = args;
  const both = (mask: number) => (flags & mask) === mask;
  if (both(C.CLONE_NEWNS | C.CLONE_FS) || both(C.CLONE_NEWUSER | C.CLONE_FS)) return -EINVAL;
  if ((flags & C.CLONE_THREAD) !== 0 && (flags & C.CLONE_SIGHAND) === 0) return -EINVAL;
  if ((flags & C.CLONE_SIGHAND) !== 0 && (flags & C.CLONE_VM) === 0) return -EINVAL;
  if ((flags & C.CLONE_THREAD) !== 0 && (flags & (C.CLONE_NEWUSER | C.CLONE_NEWPID)) !== 0) return -EINVAL;
  if ((flags & C.CLONE_PIDFD) !== 0 && (flags & C.CLONE_DETACHED) !== 0) return -EINVAL;
  if ((args.flagsHigh & C.CLONE_CLEAR_SIGHAND_HIGH) !== 0 && (flags & C.CLONE_SIGHAND) !== 0) return -EINVAL;
  return (flags & NAMESPACES) !== 0 ? -EPERM : 0;
}

/** copy_mm(): the parent's space itself, or a copy with every private page shared until written. */
function copySpace(k: Kernel, parent: Task, flags: number): AddressSpace {
  if ((flags & C.CLONE_VM) !== 0) {
    parent.space.acquire();
    return parent.space;
  }
  const space = k.mm.forkSpace(parent.space);
  if (space === null) throw errno(ENOMEM);
  return space;
}

function copyHandlers(parent: Process, args: CloneArguments): SignalHandlers {
  const { handlers } = parent.signals;
  if ((args.flags & C.CLONE_SIGHAND) !== 0) {
    handlers.users++;
    return handlers;
  }
  const copy = new SignalHandlers(handlers);
  if ((args.flagsHigh & C.CLONE_CLEAR_SIGHAND_HIGH) !== 0) copy.forgetHandlers();
  return copy;
}

/** copy_signal(), copy_process() for a new thread group. */
function makeProcess(k: Kernel, t: Task, pid: number, args: CloneArguments): Process {
  const parent = t.process;
  const sibling = (args.flags & C.CLONE_PARENT) !== 0;
  const process = new Process(k, pid, {
    parent: sibling ? parent.parent : parent,
    group: parent.group,
    limits: parent.limits.clone(),
    handlers: copyHandlers(parent, args),
    exitSignal: sibling ? parent.exitSignal : args.exitSignal,
  });
  process.parentTask = sibling ? parent.parentTask : t;
  process.parent?.children.add(process);
  process.personality = parent.personality;
  process.dumpable = parent.dumpable;
  process.oomScoreAdjust = parent.oomScoreAdjust;
  process.coreFilter = parent.coreFilter;
  if (parent.executable !== null) {
    process.executable = parent.executable;
    process.executable.acquire();
    process.executable.inode.writeCount--;
  }
  k.processes.set(pid, process);
  return process;
}

/** dup_task_struct(): what a thread inherits beyond the shared parts. */
function inherit(from: Task, to: Task, args: CloneArguments): void {
  to.registers.copyFrom(from.registers);
  to.registers.setX(10, 0);
  if (args.stackPointer !== 0) to.registers.setX(2, args.stackPointer);
  if ((args.flags & C.CLONE_SETTLS) !== 0) to.registers.setX(4, args.tls);
  to.signals.blocked.set(from.signals.blocked);
  to.vdsoBase = from.vdsoBase;
  to.noNewPrivileges = from.noNewPrivileges;
  to.timerSlackNs = from.timerSlackNs;
  to.nice = from.nice;
  to.schedulingPolicy = from.schedulingPolicy;
  to.realtimePriority = from.realtimePriority;
  to.ioPriority = from.ioPriority;
  to.memoryPolicy = from.memoryPolicy;
  // sigaltstack: kept by fork and vfork, dropped for a thread that shares memory (copy_thread / dup rules).
  const keepsStack = (args.flags & C.CLONE_VM) === 0 || (args.flags & C.CLONE_VFORK) !== 0;
  Object.assign(to.signals.altStack, keepsStack ? from.signals.altStack : { pointer: 0, flags: SS_DISABLE, size: 0 });
  // rseq: a copy of the memory keeps its registration, a thread registers its own.
  if ((args.flags & C.CLONE_VM) === 0) {
    to.rseqAddress = from.rseqAddress;
    to.rseqBytes = from.rseqBytes;
    to.rseqSignature = from.rseqSignature;
  }
  if ((args.flags & C.CLONE_CHILD_CLEARTID) !== 0) to.clearChildTid = args.childTid;
}

function pickPid(k: Kernel, wanted: number): number {
  if (wanted === 0) return k.allocatePid();
  return k.tasks.has(wanted) || k.processes.has(wanted) ? 0 : wanted;
}

/** Makes the child of a clone-like call; throws LinuxError and changes nothing when it cannot. */
export function cloneTask(k: Kernel, t: Task, args: CloneArguments): Task {
  const refused = checkFlags(args);
  if (refused < 0) throw errno(-refused);
  const asThread = (args.flags & C.CLONE_THREAD) !== 0;
  if (k.tasks.size >= k.maxThreads || exceedsProcessLimit(k, t)) throw errno(EAGAIN);
  if ((args.flags & C.CLONE_PIDFD) !== 0) t.files.reserve();
  const space = copySpace(k, t, args.flags);
  const pid = pickPid(k, args.wantedTid);
  if (pid === 0) {
    space.release();
    throw errno(EAGAIN);
  }
  const process = asThread ? t.process : makeProcess(k, t, pid, args);
  const child = new Task(k, pid, process, {
    space,
    registers: new CpuContext(),
    files: (args.flags & C.CLONE_FILES) !== 0 ? t.files.acquire() : t.files.clone(),
    fs: (args.flags & C.CLONE_FS) !== 0 ? t.fs.acquire() : t.fs.clone(),
    credentials: t.credentials,
    name: t.name,
  });
  inherit(t, child, args);
  process.threads.add(child);
  if (!asThread) process.leader = child;
  k.tasks.set(pid, child);
  k.forkCount++;
  finishClone(k, t, child, args);
  k.observer?.forked(t, child);
  return child;
}

/** Memory writes and the start of the child. */
function finishClone(k: Kernel, t: Task, child: Task, args: CloneArguments): void {
  if ((args.flags & C.CLONE_PIDFD) !== 0) storeU32(t, args.pidFd, installPidFd(k, t, child, 0));
  if ((args.flags & C.CLONE_PARENT_SETTID) !== 0) t.space.writeU32(args.parentTid, child.tid);
  if ((args.flags & C.CLONE_CHILD_SETTID) !== 0) child.space.writeU32(args.childTid, child.tid);
  if ((args.flags & C.CLONE_VFORK) !== 0) child.vforkParent = t;
  if (t.tracing !== null && (args.flags & C.CLONE_UNTRACED) === 0) {
    const kind = (args.flags & C.CLONE_VFORK) !== 0 ? "vfork" : args.exitSignal === SIGCHLD ? "fork" : "clone";
    traceClone(k, t, child, kind);
  }
  if (t.process.signals.pending.set.has(9)) child.signalPending = true;
  k.scheduler.enqueue(child);
}

/** RLIMIT_NPROC binds everyone but root. */
function exceedsProcessLimit(k: Kernel, t: Task): boolean {
  const limit = t.process.limits.soft[RLIMIT_NPROC];
  const { uid } = t.credentials;
  if (uid === 0 || k.tasks.size < limit) return false;
  let count = 0;
  for (const task of k.tasks.values()) if (task.credentials.uid === uid) count++;
  return count >= limit;
}
