// One thread (struct task_struct): its registers, what it shares with others, and how it waits. Which task runs is the scheduler's.
import { ERESTARTSYS } from "../abi/errno.ts";
import type { CpuContext } from "../cpu/cpu-context.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import type { Credentials } from "./credentials.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { TaskSignals } from "./signals/state.ts";
import type { Tracing } from "./tracing.ts";
import type { FdTable } from "./vfs/fd-table.ts";
import type { FsContext } from "./vfs/fs-context.ts";
import { WaitQueue } from "./wait-queue.ts";

/** A handler's answer that means: not yet; run me again when one of the queues wakes me. Never a result or an errno. */
export const BLOCKED = -0x7fff0000;
/** A handler's answer that means: the registers are as they must be (sigreturn, exec), or the task is gone (exit). */
export const NO_RESULT = -0x7fff0001;

export type TaskState = "runnable" | "running" | "blocked" | "stopped" | "zombie" | "dead";

export interface BlockOptions {
  /** Monotonic ns; at the retry after it `timedOut` is true. undefined or Infinity: none. */
  deadline?: number;
  /** The result if a signal arrives and the retry still blocks (default -ERESTARTSYS). */
  interrupted?: number;
  /** Only a fatal signal interrupts (TASK_KILLABLE): vfork's parent. */
  killable?: boolean;
}

export class Task {
  readonly kernel: Kernel;
  /** Changes only when a thread that is not the leader executes a program and becomes it. */
  tid: number;
  process: Process;
  state: TaskState = "runnable";
  space: AddressSpace;
  readonly registers: CpuContext;
  files: FdTable;
  fs: FsContext;
  credentials: Credentials;
  readonly signals = new TaskSignals();
  /** Where [vdso] is mapped in its space; 0: nowhere. */
  vdsoBase = 0;
  /** comm: at most 15 bytes, as a lossless string. */
  name: string;
  clearChildTid = 0;
  robustList = 0;
  robustListBytes = 0;
  /** set_tid_address / rseq registration. */
  rseqAddress = 0;
  rseqBytes = 0;
  rseqSignature = 0;
  /** Signal for the children of the thread that made this one (prctl PR_SET_PDEATHSIG). */
  parentDeathSignal = 0;
  noNewPrivileges = false;
  /** PR_SET_KEEPCAPS is a secure bit; PR_SET_TIMERSLACK in ns. */
  timerSlackNs = 50000;
  nice = 0;
  schedulingPolicy = 0;
  realtimePriority = 0;
  ioPriority = 0;
  /** MPOL_* mode of set_mempolicy. */
  memoryPolicy = 0;
  exitCode = 0;
  /** Who waits in vfork() until this task execs or exits. */
  vforkParent: Task | null = null;
  readonly vforkDone = new WaitQueue();
  /** PI futexes held (futex-pi.ts owns the meaning). */
  piHeld: Set<unknown> | null = null;
  /** Set while another thread traces this one. */
  tracing: Tracing | null = null;
  /** Threads this one traces. */
  readonly tracees = new Set<Task>();

  // System call in progress.
  syscallNumber = -1;
  readonly syscallArgs = new Float64Array(6);
  /** a0 at entry, exact: restarted calls get it back. */
  syscallA0Low = 0;
  syscallA0High = 0;
  /** True from ecall to the return to user mode; false after sigreturn and exec (nothing to restart). */
  inSyscall = false;
  /** Free for the handler: survives retries, cleared when the call returns. */
  syscallState: unknown = undefined;
  timedOut = false;
  /** The call as strace shows it, put down at entry. */
  straceText: (string | null)[] | null = null;
  /** How restart_syscall goes on (restart_block): absolute deadline and the call it stands for. */
  restart: RestartBlock | null = null;

  // Waiting.
  /** The fault that a userfaultfd is to serve (ipc/userfaultfd.ts owns the meaning); null once the task goes on. */
  userfault: unknown = null;
  private waitQueues: readonly WaitQueue[] = NO_QUEUES;
  private waitDeadline = Number.POSITIVE_INFINITY;
  waitInterrupted = -ERESTARTSYS;
  waitKillable = false;

  /** TIF_SIGPENDING: something is to be done before user code runs again. Kept by signals/. */
  signalPending = false;
  /** JOBCTL_STOP_PENDING: the process is stopping and this thread has not yet. */
  stopPending = false;

  // Accounting.
  userNs = 0;
  systemNs = 0;
  startTimeNs: number;
  minorFaults = 0;
  majorFaults = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  syscallCount = 0;

  constructor(kernel: Kernel, tid: number, process: Process, parts: TaskParts) {
    this.kernel = kernel;
    this.tid = tid;
    this.process = process;
    this.space = parts.space;
    this.registers = parts.registers;
    this.files = parts.files;
    this.fs = parts.fs;
    this.credentials = parts.credentials;
    this.name = parts.name;
    this.startTimeNs = kernel.clock.monotonicNs();
  }

  get isAlive(): boolean {
    return this.state !== "zombie" && this.state !== "dead";
  }

  get isLeader(): boolean {
    return this.tid === this.process.pid;
  }

  /** Notes what the running handler waits for; the dispatcher parks the task when the handler returns this value. */
  block(queues: readonly WaitQueue[], options?: BlockOptions): typeof BLOCKED {
    this.waitQueues = queues;
    this.waitDeadline = options?.deadline ?? Number.POSITIVE_INFINITY;
    this.waitInterrupted = options?.interrupted ?? -ERESTARTSYS;
    this.waitKillable = options?.killable ?? false;
    this.timedOut = false;
    return BLOCKED;
  }

  /** Takes the task off the processor until a queue, the deadline or a signal wakes it. Dispatcher only. */
  park(): void {
    this.state = "blocked";
    for (const queue of this.waitQueues) queue.add(this);
    if (this.waitDeadline !== Number.POSITIVE_INFINITY) this.kernel.timers.add(this.waitDeadline, this);
    this.voluntarySwitches++;
  }

  /** Makes a blocked task runnable; nothing otherwise. */
  wake(): void {
    if (this.state !== "blocked") return;
    this.unpark();
    this.state = "runnable";
    this.kernel.scheduler.enqueue(this);
  }

  /** Leaves every queue and the timer heap. */
  unpark(): void {
    for (const queue of this.waitQueues) queue.remove(this);
    this.waitQueues = NO_QUEUES;
    this.userfault = null;
    if (this.waitDeadline !== Number.POSITIVE_INFINITY) this.kernel.timers.remove(this);
    this.waitDeadline = Number.POSITIVE_INFINITY;
  }

  /** The deadline of the wait passed (the task is its own timer). */
  fire(): void {
    this.timedOut = true;
    this.wake();
  }

  /** True when the handler is being run again after it blocked. */
  get isRetry(): boolean {
    return this.retrying;
  }
  retrying = false;

  /** The call is over: nothing of it survives. */
  endSyscall(): void {
    this.syscallState = undefined;
    this.timedOut = false;
    this.retrying = false;
  }
}

const NO_QUEUES: readonly WaitQueue[] = [];

export interface TaskParts {
  space: AddressSpace;
  registers: CpuContext;
  files: FdTable;
  fs: FsContext;
  credentials: Credentials;
  name: string;
}

/** What restart_syscall() repeats: the same handler with the same arguments, but with the deadline kept in `state`. */
export interface RestartBlock {
  number: number;
  args: Float64Array;
  state: unknown;
}
