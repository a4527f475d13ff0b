// The signal state of a thread and of a process: masks, queues, dispositions, alternate stack. Rules are in send.ts and deliver.ts.
import {
  NSIG,
  SA_NODEFER,
  SIG_DFL,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGURG,
  SIGWINCH,
  SS_DISABLE,
} from "../../abi/signal.ts";
import { WaitQueue } from "../wait-queue.ts";
import type { SigInfo } from "./siginfo.ts";
import { SigSet } from "./sigset.ts";

/** Signals that wait for delivery (struct sigpending): a set for speed, the records in order of arrival. */
export class PendingSignals {
  readonly set = new SigSet();
  private queue: SigInfo[] = [];

  get length(): number {
    return this.queue.length;
  }

  add(info: SigInfo): void {
    this.queue.push(info);
    this.set.add(info.signal);
  }

  /** collect_signal(): the oldest record of `signal`. A set bit without record (dropped by a limit) gives undefined. */
  take(signal: number): SigInfo | undefined {
    const at = this.queue.findIndex((info) => info.signal === signal);
    const info = at < 0 ? undefined : this.queue.splice(at, 1)[0];
    if (!this.queue.some((other) => other.signal === signal)) this.set.delete(signal);
    return info;
  }

  peek(signal: number): SigInfo | undefined {
    return this.queue.find((info) => info.signal === signal);
  }

  /** flush_sigqueue_mask(): forgets every signal of `mask`. */
  remove(mask: SigSet): void {
    if (!this.set.intersects(mask)) return;
    this.set.deleteAll(mask);
    this.queue = this.queue.filter((info) => !mask.has(info.signal));
  }

  removeRecord(info: SigInfo): void {
    const at = this.queue.indexOf(info);
    if (at < 0) return;
    this.queue.splice(at, 1);
    if (!this.queue.some((other) => other.signal === info.signal)) this.set.delete(info.signal);
  }

  /** Records in order, for ptrace peeking and /proc. */
  records(): readonly SigInfo[] {
    return this.queue;
  }

  clear(): void {
    this.set.clear();
    this.queue = [];
  }
}

export interface AltStack {
  pointer: number;
  flags: number;
  size: number;
}

/** Signal state of one thread. */
export class TaskSignals {
  readonly blocked = new SigSet();
  readonly pending = new PendingSignals();
  /** The mask to come back to after sigsuspend, ppoll and friends (saved_sigmask); null when none is in force. */
  savedMask: SigSet | null = null;
  readonly altStack: AltStack = { pointer: 0, flags: SS_DISABLE, size: 0 };
  /** Signals that sigtimedwait waits for although they are blocked (real_blocked trick of Linux). */
  waitingFor: SigSet | null = null;

  get pendingSet(): SigSet {
    return this.pending.set;
  }
}

/** Never changed, only replaced: processes share them. */
export interface SignalAction {
  /** SIG_DFL, SIG_IGN or the address of the handler. */
  readonly handler: number;
  /** SA_* bits, unsigned. */
  readonly flags: number;
  readonly mask: Readonly<SigSet>;
}

const DEFAULT_ACTION: SignalAction = { handler: SIG_DFL, flags: 0, mask: new SigSet() };
const IGNORE_ACTION: SignalAction = { handler: SIG_IGN, flags: 0, mask: new SigSet() };

/** Dispositions; one table may be shared by several processes (CLONE_SIGHAND). */
export class SignalHandlers {
  readonly actions: SignalAction[];
  users = 1;

  constructor(from?: SignalHandlers) {
    this.actions = from?.actions.slice() ?? new Array<SignalAction>(NSIG + 1).fill(DEFAULT_ACTION);
  }

  of(signal: number): SignalAction {
    return this.actions[signal];
  }

  set(signal: number, action: SignalAction): void {
    this.actions[signal] = action;
  }

  /** The signal's default action is taken from now on; flags and mask stay. */
  setDefault(signal: number): void {
    this.actions[signal] = { ...this.actions[signal], handler: SIG_DFL };
  }

  /** sig_handler_ignored(): ignored explicitly or by default. */
  ignores(signal: number): boolean {
    const { handler } = this.actions[signal];
    return handler === SIG_IGN || (handler === SIG_DFL && isIgnoredByDefault(signal));
  }

  /** flush_signal_handlers(): exec, and fork with CLONE_CLEAR_SIGHAND, keep SIG_IGN only. */
  forgetHandlers(): void {
    const { actions } = this;
    for (let signal = 0; signal <= NSIG; signal++) {
      actions[signal] = actions[signal].handler === SIG_IGN ? IGNORE_ACTION : DEFAULT_ACTION;
    }
  }
}

export function isIgnoredByDefault(signal: number): boolean {
  return signal === SIGCONT || signal === SIGCHLD || signal === SIGWINCH || signal === SIGURG;
}

/** Signal state shared by the threads of a process (struct signal_struct and sighand_struct). */
export class ProcessSignals {
  readonly pending = new PendingSignals();
  handlers: SignalHandlers;
  /** Wakes signalfd readers and their pollers whenever a signal is queued to the process or one of its threads. */
  readonly queue = new WaitQueue();

  constructor(handlers: SignalHandlers) {
    this.handlers = handlers;
  }

  get pendingSet(): SigSet {
    return this.pending.set;
  }

  ignoredSet(): SigSet {
    return this.collect((handler) => handler === SIG_IGN);
  }

  caughtSet(): SigSet {
    return this.collect((handler) => handler !== SIG_IGN && handler !== SIG_DFL);
  }

  private collect(wanted: (handler: number) => boolean): SigSet {
    const set = new SigSet();
    for (let signal = 1; signal <= NSIG; signal++) if (wanted(this.handlers.actions[signal].handler)) set.add(signal);
    return set;
  }
}

/** The mask while a handler runs (signal_delivered). */
export function maskDuringHandler(blocked: SigSet, action: SignalAction, signal: number): SigSet {
  const mask = blocked.clone();
  mask.addAll(action.mask);
  if ((action.flags & SA_NODEFER) === 0) mask.add(signal);
  return mask.withoutUnblockable();
}
