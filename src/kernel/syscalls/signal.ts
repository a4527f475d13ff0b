// System calls about signals: sending, handlers, masks, waiting, the alternate stack, returning from a handler.
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, ESRCH } from "../../abi/errno.ts";
import {
  MINSIGSTKSZ,
  NSIG,
  SA_EXPOSE_TAGBITS,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_SIGINFO,
  SI_TKILL,
  SI_USER,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIGCONT,
  SIGINFO_BYTES,
  SIGKILL,
  SIGSEGV,
  SIGSET_BYTES,
  SIGSTOP,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
} from "../../abi/signal.ts";
import { CAP_KILL, capable } from "../credentials.ts";
import { restartInterrupted } from "../dispatch.ts";
import { fetchBytes, fetchTimespecNs, get64, set64, storeBytes, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { pidFdOf } from "../pidfd.ts";
import type { Process } from "../process.ts";
import { setTemporaryMask } from "../signals/deliver.ts";
import { altStackFlags, isOnAltStack, leaveHandler } from "../signals/frame.ts";
import { dequeueSignal, forceSignal, recalculatePending, setBlocked } from "../signals/send.ts";
import {
  decodeSigInfo,
  encodeSigInfo,
  isValidSignal,
  makeSigInfo,
  type SigInfo,
  userSignal,
} from "../signals/siginfo.ts";
import { SigSet } from "../signals/sigset.ts";
import { NO_RESULT, type Task } from "../task.ts";
import { ProcessDirectory } from "../vfs/procfs/process-directory.ts";
import { defineSyscalls } from "./registry.ts";

/** Flags that survive in sa_flags (UAPI_SA_FLAGS); the others read back as 0. */
const KNOWN_FLAGS =
  (SA_NOCLDSTOP |
    SA_NOCLDWAIT |
    SA_SIGINFO |
    SA_ONSTACK |
    SA_RESTART |
    SA_NODEFER |
    SA_RESETHAND |
    SA_EXPOSE_TAGBITS |
    0x04000000) >>>
  0;
const STACK_BYTES = 24;

/** sigset_t of the caller; EINVAL for a wrong size. */
export function fetchSigSet(t: Task, address: number, size: number): SigSet {
  if (size !== SIGSET_BYTES) throw errno(EINVAL);
  const view = viewOf(fetchBytes(t, address, SIGSET_BYTES));
  return new SigSet(view.getInt32(0, true), view.getInt32(4, true));
}

export function storeSigSet(t: Task, address: number, set: SigSet): void {
  const bytes = new Uint8Array(SIGSET_BYTES);
  const view = viewOf(bytes);
  view.setInt32(0, set.low, true);
  view.setInt32(4, set.high, true);
  storeBytes(t, address, bytes);
}

/** check_kill_permission(). */
function mayKill(t: Task, target: Task, signal: number): boolean {
  const from = t.credentials;
  const to = target.credentials;
  if (target.process === t.process || capable(t, CAP_KILL)) return true;
  if (from.euid === to.suid || from.euid === to.uid || from.uid === to.suid || from.uid === to.uid) return true;
  return signal === SIGCONT && target.process.session === t.process.session;
}

function sendTo(k: Kernel, t: Task, process: Process, info: SigInfo): number {
  if (!mayKill(t, process.leader, info.signal)) return -EPERM;
  return k.sendSignal(process, info);
}

/** kill_something_info(). */
function kill(k: Kernel, t: Task, pid: number, signal: number): number {
  if (!isValidSignal(signal)) return -EINVAL;
  const info = () => userSignal(signal, t.process.pid, t.credentials.uid, SI_USER);
  if (pid > 0) {
    if (pid === k.init.pid) return 0;
    const process = k.tasks.get(pid)?.process;
    return process === undefined ? -ESRCH : sendTo(k, t, process, info());
  }
  if (pid === -(2 ** 31)) return -ESRCH;
  const targets =
    pid === -1
      ? [...k.processes.values()].filter((process) => process !== t.process)
      : [...((pid === 0 ? t.process.group : k.groups.get(-pid))?.members ?? [])];
  let result: number = -ESRCH;
  for (const process of targets) {
    const sent = sendTo(k, t, process, info());
    if (sent === 0) result = 0;
    else if (result !== 0 && sent !== -ESRCH) result = sent;
  }
  return result;
}

/** do_tkill(); tgid 0: any process. */
function tkill(k: Kernel, t: Task, tgid: number, tid: number, info: SigInfo): number {
  if (!isValidSignal(info.signal)) return -EINVAL;
  const target = k.tasks.get(tid);
  if (target === undefined || (tgid > 0 && target.process.pid !== tgid)) return -ESRCH;
  if (!mayKill(t, target, info.signal)) return -EPERM;
  if (!target.isAlive) return target.process.state === "reaped" ? -ESRCH : 0;
  return k.sendSignal(target, info);
}

/** A siginfo from the caller: kernel codes may be used only towards itself. */
function fetchInfo(t: Task, address: number, signal: number, pid: number): SigInfo {
  const info = decodeSigInfo(fetchBytes(t, address, SIGINFO_BYTES), signal);
  if ((info.code >= 0 || info.code === SI_TKILL) && pid !== t.process.pid) throw errno(EPERM);
  return info;
}

function queueInfo(k: Kernel, t: Task, pid: number, signal: number, address: number): number {
  const info = fetchInfo(t, address, signal, pid);
  if (!isValidSignal(signal)) return -EINVAL;
  const process = k.tasks.get(pid)?.process;
  return process === undefined ? -ESRCH : sendTo(k, t, process, info);
}

/** do_sigaction(). */
function sigaction(k: Kernel, t: Task, signal: number, act: number, oldAct: number, size: number): number {
  if (size !== SIGSET_BYTES) return -EINVAL;
  if (signal < 1 || signal > NSIG || (act !== 0 && (signal === SIGKILL || signal === SIGSTOP))) return -EINVAL;
  const bytes = act === 0 ? null : fetchBytes(t, act, 24);
  const action = t.process.signals.handlers.of(signal);
  const old = new Uint8Array(24);
  const oldView = viewOf(old);
  set64(oldView, 0, action.handler);
  set64(oldView, 8, action.flags);
  oldView.setInt32(16, action.mask.low, true);
  oldView.setInt32(20, action.mask.high, true);
  if (bytes !== null) {
    const view = viewOf(bytes);
    t.process.signals.handlers.set(signal, {
      handler: get64(view, 0),
      flags: (view.getUint32(8, true) & KNOWN_FLAGS) >>> 0,
      mask: new SigSet(view.getInt32(16, true), view.getInt32(20, true)).withoutUnblockable(),
    });
    if (t.process.signals.handlers.ignores(signal)) forget(k, t, signal);
  }
  if (oldAct !== 0 && t.space.copyOut(oldAct, old) !== old.length) return -EFAULT;
  return 0;
}

/** A signal that is ignored from now on is no longer pending. */
function forget(_k: Kernel, t: Task, signal: number): void {
  const only = SigSet.of(signal);
  t.process.signals.pending.remove(only);
  for (const thread of t.process.threads) {
    thread.signals.pending.remove(only);
    recalculatePending(thread);
  }
}

function sigprocmask(t: Task, how: number, set: number, oldSet: number, size: number): number {
  if (size !== SIGSET_BYTES) return -EINVAL;
  const old = t.signals.blocked.clone();
  if (set !== 0) {
    const change = fetchSigSet(t, set, size).withoutUnblockable();
    const mask = old.clone();
    if (how === SIG_BLOCK) mask.addAll(change);
    else if (how === SIG_UNBLOCK) mask.deleteAll(change);
    else if (how === SIG_SETMASK) mask.set(change);
    else return -EINVAL;
    setBlocked(t, mask);
  }
  if (oldSet !== 0) storeSigSet(t, oldSet, old);
  return 0;
}

/** do_sigtimedwait(). */
function sigtimedwait(k: Kernel, t: Task, set: number, info: number, timeout: number, size: number): number {
  const wanted = fetchSigSet(t, set, size).withoutUnblockable();
  const state = t.syscallState as { deadline: number } | undefined;
  t.signals.waitingFor = null;
  const mask = new SigSet(~wanted.low, ~wanted.high);
  const found = dequeueSignal(t, mask);
  if (found !== null) {
    recalculatePending(t);
    if (info !== 0) storeBytes(t, info, encodeSigInfo(found));
    return found.signal;
  }
  if (state === undefined) {
    const limit = timeout === 0 ? Number.POSITIVE_INFINITY : fetchTimespecNs(t, timeout);
    if (limit === 0) return -EAGAIN;
    t.syscallState = { deadline: k.clock.monotonicNs() + limit };
  } else {
    if (t.timedOut) return -EAGAIN;
    if (t.signalPending) return -EINTR;
  }
  if (t.signalPending) return -EINTR;
  t.signals.waitingFor = wanted;
  return t.block([], { deadline: (t.syscallState as { deadline: number }).deadline, interrupted: -EINTR });
}

/** do_sigaltstack(); `onStackAt` is the stack pointer that decides whether it is in use. */
function setAltStack(
  t: Task,
  next: { pointer: number; flags: number; size: number },
  sp: number,
  minimum: number,
): number {
  if (isOnAltStack(t, sp)) return -EPERM;
  const mode = next.flags & ~SS_AUTODISARM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  const { altStack } = t.signals;
  if (mode === SS_DISABLE) {
    altStack.pointer = 0;
    altStack.size = 0;
  } else {
    if (next.size < minimum) return -ENOMEM;
    altStack.pointer = next.pointer;
    altStack.size = next.size;
  }
  altStack.flags = next.flags;
  return 0;
}

function sigaltstack(t: Task, next: number, old: number): number {
  const sp = t.registers.getX(2);
  const { altStack } = t.signals;
  const oldBytes = new Uint8Array(STACK_BYTES);
  const oldView = viewOf(oldBytes);
  set64(oldView, 0, altStack.pointer);
  oldView.setInt32(8, altStackFlags(t, sp) | (altStack.flags & SS_AUTODISARM), true);
  set64(oldView, 16, altStack.size);
  if (next !== 0) {
    const view = viewOf(fetchBytes(t, next, STACK_BYTES));
    const wanted = { pointer: get64(view, 0), flags: view.getInt32(8, true), size: get64(view, 16) };
    const result = setAltStack(t, wanted, sp, MINSIGSTKSZ);
    if (result < 0) return result;
  }
  if (old !== 0) storeBytes(t, old, oldBytes);
  return 0;
}

/** rt_sigreturn: the frame at sp becomes the state of the thread; a bad one is SIGSEGV. */
function sigreturn(k: Kernel, t: Task): number {
  const restored = leaveHandler(t);
  t.restart = null;
  t.inSyscall = false;
  if (restored === null) {
    forceSignal(k, t, makeSigInfo(SIGSEGV, 0x80));
    return NO_RESULT;
  }
  setBlocked(t, restored.mask.withoutUnblockable());
  setAltStack(t, restored.stack, t.registers.getX(2), 0);
  return NO_RESULT;
}

function sigsuspend(t: Task, set: number, size: number): number {
  if (t.syscallState === undefined) {
    setTemporaryMask(t, fetchSigSet(t, set, size).withoutUnblockable());
    t.syscallState = true;
  }
  return t.block([], { interrupted: -ERESTARTNOHAND });
}

function pendingSet(t: Task): SigSet {
  const set = t.signals.pending.set.clone();
  set.addAll(t.process.signals.pending.set);
  return new SigSet(set.low & t.signals.blocked.low, set.high & t.signals.blocked.high);
}

/** A pidfd, or the directory /proc/PID (tgid_pidfd_to_pid). */
function signalTarget(t: Task, fd: number): { task: Task; isThread: boolean } {
  const { inode } = t.files.get(fd);
  if (inode instanceof ProcessDirectory && inode.whole) return { task: inode.task, isThread: false };
  return pidFdOf(t, fd);
}

function pidfdSend(k: Kernel, t: Task, fd: number, signal: number, infoAddress: number, flags: number): number {
  // PIDFD_SIGNAL_THREAD, _THREAD_GROUP, _PROCESS_GROUP: at most one.
  if ((flags & ~7) !== 0 || (flags & (flags - 1)) !== 0) return -EINVAL;
  const { task, isThread } = signalTarget(t, fd);
  const { process } = task;
  if (!isValidSignal(signal)) return -EINVAL;
  if (process.state === "reaped") return -ESRCH;
  let info = userSignal(signal, t.process.pid, t.credentials.uid, SI_USER);
  if (infoAddress !== 0) {
    info = fetchInfo(t, infoAddress, signal, process.pid);
    if (viewOf(info.raw as Uint8Array).getInt32(0, true) !== signal) return -EINVAL;
  }
  if (flags === 4) return k.sendSignalToGroup(process.group, info);
  const toThread = flags === 1 || (flags === 0 && isThread);
  return toThread ? tkill(k, t, 0, task.tid, info) : sendTo(k, t, process, info);
}

export const SIGNAL_SYSCALLS = defineSyscalls({
  kill: { args: "pid sig", run: (k, t, pid, signal) => kill(k, t, pid | 0, signal | 0) },
  tkill: {
    args: "tid sig",
    run: (k, t, tid, signal) =>
      (tid | 0) <= 0
        ? -EINVAL
        : tkill(k, t, 0, tid | 0, userSignal(signal | 0, t.process.pid, t.credentials.uid, SI_TKILL)),
  },
  tgkill: {
    args: "tgid tid sig",
    run: (k, t, tgid, tid, signal) =>
      (tgid | 0) <= 0 || (tid | 0) <= 0
        ? -EINVAL
        : tkill(k, t, tgid | 0, tid | 0, userSignal(signal | 0, t.process.pid, t.credentials.uid, SI_TKILL)),
  },
  rt_sigqueueinfo: {
    args: "pid sig info:ptr",
    run: (k, t, pid, signal, info) => queueInfo(k, t, pid | 0, signal | 0, info),
  },
  rt_tgsigqueueinfo: {
    args: "tgid tid sig info:ptr",
    run: (k, t, tgid, tid, signal, info) => {
      if ((tgid | 0) <= 0 || (tid | 0) <= 0) return -EINVAL;
      return tkill(k, t, tgid | 0, tid | 0, fetchInfo(t, info, signal | 0, tgid | 0));
    },
  },
  pidfd_send_signal: {
    args: "pidfd:fd sig info:ptr flags:flags",
    run: (k, t, fd, signal, info, flags) => pidfdSend(k, t, fd | 0, signal | 0, info, flags >>> 0),
  },
  rt_sigaction: {
    args: "sig act:ptr oldact:ptr size",
    run: (k, t, signal, act, oldAct, size) => sigaction(k, t, signal | 0, act, oldAct, size),
  },
  rt_sigprocmask: {
    args: "how set:ptr oldset:ptr size",
    run: (_k, t, how, set, oldSet, size) => sigprocmask(t, how | 0, set, oldSet, size),
  },
  rt_sigpending: {
    args: "set:ptr size",
    run: (_k, t, set, size) => {
      if (size > SIGSET_BYTES) return -EINVAL;
      const bytes = new Uint8Array(SIGSET_BYTES);
      const pending = pendingSet(t);
      viewOf(bytes).setInt32(0, pending.low, true);
      viewOf(bytes).setInt32(4, pending.high, true);
      storeBytes(t, set, bytes.subarray(0, size));
      return 0;
    },
  },
  rt_sigtimedwait: {
    args: "set:ptr info:ptr timeout:ptr size",
    run: (k, t, set, info, timeout, size) => sigtimedwait(k, t, set, info, timeout, size),
  },
  rt_sigsuspend: { args: "set:ptr size", run: (_k, t, set, size) => sigsuspend(t, set, size) },
  rt_sigreturn: { args: "", run: (k, t) => sigreturn(k, t) },
  sigaltstack: { args: "ss:ptr old_ss:ptr", run: (_k, t, next, old) => sigaltstack(t, next, old) },
  restart_syscall: { args: "", run: (k, t) => restartInterrupted(k, t) },
});
