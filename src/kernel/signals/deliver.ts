// Before user code runs again: takes pending signals, performs default actions, enters handlers, restarts or ends interrupted
// system calls (get_signal and arch_do_signal_or_restart of Linux).
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from "../../abi/errno.ts";
import { SA_RESETHAND, SA_RESTART, SIG_DFL, SIG_IGN, SIGCONT, SIGKILL, SIGSTOP } from "../../abi/signal.ts";
import { SYSCALL_NUMBERS } from "../../abi/syscall-numbers.ts";
import { statusWithCore } from "../core-dump.ts";
import { exitGroup } from "../exit.ts";
import type { Kernel } from "../kernel.ts";
import { fixupRseq } from "../rseq.ts";
import { traceSignal } from "../strace.ts";
import type { Task } from "../task.ts";
import { stopForTracer, takeInterrupt, takeResumedSignal } from "../tracing.ts";
import { SIGRETURN_OFFSET } from "../vdso.ts";
import { enterHandler } from "./frame.ts";
import { isOrphanedGroup, stopProcess, stopThread } from "./job-control.ts";
import { dequeueSignal, forceSegvAfter, queueSignal, recalculatePending, STOP_SIGNALS, setBlocked } from "./send.ts";
import type { SigInfo } from "./siginfo.ts";
import { isIgnoredByDefault, maskDuringHandler, type SignalAction } from "./state.ts";

const INSTRUCTION_BYTES = 4;

interface CaughtSignal {
  info: SigInfo;
  /** As it was before SA_RESETHAND. */
  action: SignalAction;
}

/** Does everything that is due. Afterwards the task is ready for user code, stopped, or dead: look at its state. */
export function deliverSignals(k: Kernel, t: Task): void {
  for (let rounds = 0; t.signalPending && rounds < 1000; rounds++) {
    const caught = takeSignal(k, t);
    if (t.state !== "running") return;
    if (caught !== null) handleSignal(k, t, caught);
    else finishWithoutHandler(t);
    recalculatePending(t);
  }
}

/** get_signal(): the next signal with a handler; default actions are performed on the way. */
function takeSignal(k: Kernel, t: Task): CaughtSignal | null {
  const { process } = t;
  for (;;) {
    if (t.signals.pending.set.has(SIGKILL) || process.signals.pending.set.has(SIGKILL)) {
      exitGroup(k, t, SIGKILL);
      return null;
    }
    if (t.stopPending) {
      stopThread(k, t);
      return null;
    }
    const info = nextSignal(k, t);
    if (info === null || t.state !== "running") return null;
    const { signal } = info;
    if (k.config.strace) traceSignal(k, t, info);
    const action = process.signals.handlers.of(signal);
    if (action.handler === SIG_IGN) continue;
    if (action.handler !== SIG_DFL) {
      if ((action.flags & SA_RESETHAND) !== 0) process.signals.handlers.setDefault(signal);
      return { info, action };
    }
    if (isIgnoredByDefault(signal) || signal === SIGCONT) continue;
    if (STOP_SIGNALS.has(signal)) {
      if (signal !== SIGSTOP && isOrphanedGroup(k, process.group)) continue;
      stopProcess(k, t, signal);
      return null;
    }
    exitGroup(k, t, statusWithCore(k, t, info));
    return null;
  }
}

/** The next signal to act on. A traced thread stops with each first; its tracer says what becomes of it. */
function nextSignal(k: Kernel, t: Task): SigInfo | null {
  if (t.tracing === null) return dequeueSignal(t, t.signals.blocked);
  for (;;) {
    if (takeInterrupt(k, t)) return null;
    const resumed = takeResumedSignal(t);
    if (resumed === undefined) {
      const info = dequeueSignal(t, t.signals.blocked);
      if (info === null || info.signal === SIGKILL || t.tracing === null) return info;
      stopForTracer(k, t, info.signal, info);
      return null;
    }
    if (resumed === null) continue;
    if (!t.signals.blocked.has(resumed.signal)) return resumed;
    queueSignal(k, t, resumed, false);
  }
}

function isRestartCode(result: number): boolean {
  return (
    result === -ERESTARTSYS ||
    result === -ERESTARTNOINTR ||
    result === -ERESTARTNOHAND ||
    result === -ERESTART_RESTARTBLOCK
  );
}

/** handle_signal(): settles the interrupted call first, then builds the frame. */
function handleSignal(k: Kernel, t: Task, caught: CaughtSignal): void {
  const { info, action } = caught;
  const context = t.registers;
  if (t.inSyscall) {
    const result = context.getX(10);
    if (isRestartCode(result)) {
      const restarts = result === -ERESTARTNOINTR || (result === -ERESTARTSYS && (action.flags & SA_RESTART) !== 0);
      if (restarts) rewind(t);
      else context.setX(10, -EINTR);
    }
    t.inSyscall = false;
  }
  if (t.rseqAddress !== 0) fixupRseq(k, t);
  const { signals } = t;
  const oldMask = signals.savedMask ?? signals.blocked;
  const returnAddress = t.vdsoBase + SIGRETURN_OFFSET;
  if (!enterHandler(t, info, action, action.handler, oldMask.clone(), returnAddress)) {
    forceSegvAfter(k, t, info.signal);
    return;
  }
  signals.savedMask = null;
  setBlocked(t, maskDuringHandler(signals.blocked, action, info.signal));
}

/** No handler ran: an interrupted call starts again, and a temporary mask ends. */
function finishWithoutHandler(t: Task): void {
  if (t.inSyscall) {
    const result = t.registers.getX(10);
    if (isRestartCode(result)) {
      rewind(t);
      if (result === -ERESTART_RESTARTBLOCK) t.registers.setX(17, SYSCALL_NUMBERS.restart_syscall);
    }
    t.inSyscall = false;
  }
  const { savedMask } = t.signals;
  if (savedMask !== null) {
    t.signals.savedMask = null;
    setBlocked(t, savedMask);
  }
}

/** Back to the ecall, with a0 as it was. */
function rewind(t: Task): void {
  t.registers.setX64(10, t.syscallA0Low, t.syscallA0High);
  t.registers.pc -= INSTRUCTION_BYTES;
}

/** A call ended with a restart code although no signal is left to handle: the same without a handler. */
export function restartWithoutSignal(t: Task): void {
  finishWithoutHandler(t);
}

/** set_user_sigmask(): a mask in force for one call. Safe to call again at a retry. */
export function setTemporaryMask(t: Task, mask: SignalAction["mask"]): void {
  if (t.signals.savedMask !== null) return;
  t.signals.savedMask = t.signals.blocked.clone();
  setBlocked(t, mask);
}

/** restore_saved_sigmask_unless(): at the end of a call, except when a signal is to be handled under the temporary mask. */
export function restoreMaskAfter(t: Task, result: number): void {
  const { savedMask } = t.signals;
  if (savedMask === null) return;
  if (t.signalPending && (isRestartCode(result) || result === -EINTR)) return;
  t.signals.savedMask = null;
  setBlocked(t, savedMask);
}
