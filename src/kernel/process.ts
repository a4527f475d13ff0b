// Processes (thread groups), process groups and sessions: who belongs to whom. Life and death are in fork.ts and exit.ts.

import { AioContexts } from "./aio.ts";
import type { CpuTimer } from "./cpu-timers.ts";
import type { IntervalTimer } from "./interval-timers.ts";
import type { Kernel } from "./kernel.ts";
import type { PosixTimer } from "./posix-timers.ts";
import type { RLimits } from "./rlimits.ts";
import type { SigInfo } from "./signals/siginfo.ts";
import { ProcessSignals, type SignalHandlers } from "./signals/state.ts";
import type { Task } from "./task.ts";
import type { Tty } from "./tty/tty.ts";
import type { OpenFile } from "./vfs/open-file.ts";
import { WaitQueue } from "./wait-queue.ts";

/** CPU time and fault counts, of a process or of its waited-for children. */
export class Usage {
  userNs = 0;
  systemNs = 0;
  minorFaults = 0;
  majorFaults = 0;
  maxResidentPages = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;

  add(other: Usage): void {
    this.userNs += other.userNs;
    this.systemNs += other.systemNs;
    this.minorFaults += other.minorFaults;
    this.majorFaults += other.majorFaults;
    this.maxResidentPages = Math.max(this.maxResidentPages, other.maxResidentPages);
    this.voluntarySwitches += other.voluntarySwitches;
    this.involuntarySwitches += other.involuntarySwitches;
  }
}

export class Process {
  readonly kernel: Kernel;
  readonly pid: number;
  /** null only for init, and for what init adopted never: orphans get init as parent. */
  parent: Process | null;
  /** The thread that forked it (for PR_SET_PDEATHSIG and __WNOTHREAD). */
  parentTask: Task | null = null;
  readonly children = new Set<Process>();
  readonly threads = new Set<Task>();
  /** The thread whose tid is the pid; stays (as a zombie) until the process is reaped. */
  leader!: Task;
  group: ProcessGroup;
  session: Session;
  limits: RLimits;
  readonly signals: ProcessSignals;
  /** SIGCHLD of fork; what the parent gets when the process ends (0: nothing). */
  exitSignal: number;
  state: "alive" | "zombie" | "reaped" = "alive";
  /** As wait4 reports it: exit status << 8, or the signal that killed (| 0x80: core). */
  exitStatus = 0;
  /** Set when the whole process is on its way out (SIGNAL_GROUP_EXIT). */
  groupExiting = false;
  executable: OpenFile | null = null;
  readonly aio = new AioContexts();
  /** Parents wait here for state changes of their children. */
  readonly childExit = new WaitQueue();
  /** pidfd pollers and anybody else who waits for this very process to end. */
  readonly exited = new WaitQueue();
  readonly startTimeNs: number;
  /** Usage of threads that are gone, and of children that were waited for. */
  readonly ownUsage = new Usage();
  readonly childUsage = new Usage();
  personality = 0;
  dumpable = 1;
  childSubreaper = false;
  hugePagesDisabled = false;
  oomScoreAdjust = 0;
  /** /proc/PID/coredump_filter: anonymous private and shared memory, ELF headers, huge private pages. */
  coreFilter = 0x33;
  /** True once exec ran: setpgid by the parent is refused. */
  hasExecuted = false;

  // Job control.
  /** Signal that stopped all threads; 0 while running. */
  stopSignal = 0;
  /** A stop or continuation the parent has not waited for yet. */
  stopReport: "none" | "stopped" | "reported" | "continued" = "none";

  // Timers.
  readonly intervalTimers: (IntervalTimer | null)[] = [null, null, null];
  readonly posixTimers = new Map<number, PosixTimer>();
  nextPosixTimerId = 0;
  /** Armed timers on CPU time (cpu-timers.ts). */
  readonly cpuTimers = new Set<CpuTimer>();
  /** Value of membarrier registration bits. */
  membarrierReady = 0;
  /** RLIMIT_CPU: the next second at which SIGXCPU is due. */
  nextCpuSignalSeconds = 0;

  constructor(kernel: Kernel, pid: number, parts: ProcessParts) {
    this.kernel = kernel;
    this.pid = pid;
    this.parent = parts.parent;
    this.group = parts.group;
    this.session = parts.group.session;
    this.limits = parts.limits;
    this.signals = new ProcessSignals(parts.handlers);
    this.exitSignal = parts.exitSignal;
    this.startTimeNs = kernel.clock.monotonicNs();
    parts.group.members.add(this);
  }

  /** Any living thread, the leader first. */
  get liveThread(): Task | null {
    if (this.leader?.isAlive) return this.leader;
    for (const thread of this.threads) if (thread.isAlive) return thread;
    return null;
  }

  /** Exit status of a shell: 0..255, or 128 + signal. */
  get shellStatus(): number {
    const signal = this.exitStatus & 0x7f;
    return signal !== 0 ? 128 + signal : (this.exitStatus >> 8) & 0xff;
  }

  /** getrusage(RUSAGE_SELF): all threads, also those that ended. */
  usage(): Usage {
    const total = new Usage();
    total.add(this.ownUsage);
    for (const thread of this.threads) if (thread.isAlive) total.add(threadUsage(thread));
    return total;
  }

  get cpuNs(): number {
    let total = this.ownUsage.userNs + this.ownUsage.systemNs;
    for (const thread of this.threads) if (thread.isAlive) total += thread.userNs + thread.systemNs;
    return total;
  }

  /** For /proc/PID/stat. */
  get times(): { userNs: number; systemNs: number; childUserNs: number; childSystemNs: number } {
    const own = this.usage();
    const { userNs, systemNs } = own;
    return { userNs, systemNs, childUserNs: this.childUsage.userNs, childSystemNs: this.childUsage.systemNs };
  }

  get childFaults(): { minor: number; major: number } {
    return { minor: this.childUsage.minorFaults, major: this.childUsage.majorFaults };
  }

  send(info: SigInfo): number {
    return this.kernel.sendSignal(this, info);
  }
}

export interface ProcessParts {
  parent: Process | null;
  group: ProcessGroup;
  limits: RLimits;
  handlers: SignalHandlers;
  exitSignal: number;
}

export function threadUsage(task: Task): Usage {
  const usage = new Usage();
  usage.userNs = task.userNs;
  usage.systemNs = task.systemNs;
  usage.minorFaults = task.minorFaults;
  usage.majorFaults = task.majorFaults;
  usage.maxResidentPages = Math.max(task.space.peakResidentPages, task.space.residentPages);
  usage.voluntarySwitches = task.voluntarySwitches;
  usage.involuntarySwitches = task.involuntarySwitches;
  return usage;
}

export class ProcessGroup {
  readonly id: number;
  readonly session: Session;
  readonly members = new Set<Process>();

  constructor(id: number, session: Session) {
    this.id = id;
    this.session = session;
    session.groups.add(this);
  }
}

export class Session {
  readonly id: number;
  /** null once the leader is gone. */
  leader: Process | null = null;
  readonly groups = new Set<ProcessGroup>();
  /** The controlling terminal (tty/ sets and clears it). */
  terminal: Tty | null = null;
  /** Whose the terminal was when it was hung up (tty_old_pgrp of the leader). */
  formerForeground: ProcessGroup | null = null;

  constructor(id: number) {
    this.id = id;
  }
}
