// The kernel of one machine: owns the tables of tasks, the clock, the file systems, and turns the crank (step). What each system
// call does is in syscalls/; how the hart's exits are answered is in run-task.ts.
import { ENOMEM } from "../abi/errno.ts";
import type { ExitReason } from "../cpu/exits.ts";
import type { Hart } from "../cpu/hart.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import type { MmConfig, OvercommitMode, SwapDevice } from "../mm/contracts.ts";
import { BytesCursor } from "../mm/io-cursor.ts";
import { MemoryManager } from "../mm/memory-manager.ts";
import type { MemoryObject } from "../mm/memory-object.ts";
import { Prng } from "../util/prng.ts";
import { Clock, type HostClock } from "./clock.ts";
import { buildDispatchTable, type DispatchTable } from "./dispatch.ts";
import { notifyParent } from "./exit.ts";
import { FutexTable } from "./futex.ts";
import { IpcState } from "./ipc/ipc-state.ts";
import { errno } from "./linux-error.ts";
import { LoadAverage } from "./load-average.ts";
import { chooseAndKill } from "./oom.ts";
import type { Process, ProcessGroup, Session } from "./process.ts";
import { beginSlice, runSlice, Slice } from "./run-task.ts";
import { Scheduler } from "./scheduler.ts";
import { sendToGroup, sendToProcess, sendToTask } from "./signals/send.ts";
import type { SigInfo } from "./signals/siginfo.ts";
import { makeInit, type SpawnOptions, spawnProcess } from "./spawn.ts";
import type { StraceSink } from "./strace.ts";
import { Task } from "./task.ts";
import { Timers } from "./timers.ts";
import { buildVdso, VDSO_BYTES } from "./vdso.ts";
import { Vfs } from "./vfs/vfs.ts";

export interface KernelConfig {
  hart: Hart;
  /** Bytes of physical memory behind `hart.ramOffset`. */
  ramBytes: number;
  swapDevice?: SwapDevice | null;
  /** Which page to evict (mm/policy). */
  policy?: string;
  overcommit?: OvercommitMode;
  overcommitRatio?: number;
  /** Given: time, randomness and eviction are functions of it and of the instructions executed. */
  seed?: number | null;
  clock: HostClock;
  /** Entropy when there is no seed. */
  entropy: (bytes: Uint8Array) => void;
  /** System calls as they happen; null: not traced. */
  strace?: StraceSink | null;
  /** Kernel messages (dmesg): one line, no newline. */
  log?: (line: string) => void;
  hostname?: string;
  /** CONFIG_ANON_VMA_NAME: prctl(PR_SET_VMA) names anonymous areas. Default: no, as in Debian's kernel. */
  anonVmaNames?: boolean;
}

/** What step() came to. */
export type StepResult =
  /** The budget is used up; there is more to do. */
  | { readonly kind: "ran" }
  /** Nothing to run before `untilNs` (monotonic; Infinity: until the outside world does something). */
  | { readonly kind: "idle"; readonly untilNs: number }
  /** Every process is gone. */
  | { readonly kind: "finished" };

/** Hears of the life of processes; for views. */
export interface KernelObserver {
  forked(parent: Task, child: Task): void;
  executed(task: Task): void;
  exited(process: Process): void;
}

/** Run control: stands between the kernel and the hart, and is told where it may want to stop (by setting k.pausing). */
export interface RunHooks {
  /** In the place of hart.run(). */
  run(t: Task, fuel: number): ExitReason;
  /** `t` stands at an ecall that has not been served yet. */
  syscallBegins(t: Task): void;
}

/** 64 KiB: a window of fault-around. */
const READ_AHEAD_PAGES = 16;

const RAN: StepResult = { kind: "ran" };
const FINISHED: StepResult = { kind: "finished" };
/** PID_MAX_DEFAULT and RESERVED_PIDS. */
const PID_MAX = 32768;
const RESERVED_PIDS = 300;
/** Lines of kernel log kept for syslog(2). */
const LOG_LINES = 1000;

export class Kernel {
  readonly config: KernelConfig;
  readonly hart: Hart;
  readonly mm: MemoryManager;
  readonly clock: Clock;
  readonly timers = new Timers();
  readonly scheduler = new Scheduler();
  readonly load = new LoadAverage();
  readonly futexes = new FutexTable();
  readonly tasks = new Map<number, Task>();
  readonly processes = new Map<number, Process>();
  readonly groups = new Map<number, ProcessGroup>();
  readonly sessions = new Map<number, Session>();
  readonly vfs: Vfs;
  readonly ipc: IpcState;
  /** Process 1: has no threads, adopts orphans and reaps them. Not in `processes`. */
  readonly init: Process;
  /** Threads at most (kernel.threads-max). */
  readonly maxThreads: number;
  /** kernel.randomize_va_space: 0 or 2. */
  randomizeLayout = true;
  hostname: string;
  domainName = "(none)";
  /** The slice in progress; it may be left and gone on with at any turn of its loop. */
  readonly slice = new Slice();
  /**
   * Counts what happens between instructions: exits served, signals delivered, slices begun and ended, idle time skipped. Together
   * with the instruction count it names a moment of a run.
   */
  turns = 0;
  /** No further turn from this count on: replay stops at an exact moment. */
  turnLimit = Number.POSITIVE_INFINITY;
  /** Set to leave step() at the next turn. */
  pausing = false;
  hooks: RunHooks | null = null;
  observer: KernelObserver | null = null;
  /** When the running task's slice began (monotonic ns). */
  sliceStartNs = 0;
  /** Processes and threads made since the start. */
  forkCount = 0;
  lastPid = 1;
  readonly logLines: string[] = [];
  /** System calls that answered ENOSYS and were reported. */
  readonly reportedMissing = new Set<number>();
  /** Called before a thread that ends gives up its address space: the last look at it. */
  beforeRelease: ((task: Task) => void) | null = null;
  /** Called when a process ended (before its parent collects it). */
  onExit: ((process: Process) => void) | null = null;
  readonly syscalls: DispatchTable;
  private readonly prng: Prng | null;
  /** kernel.core_pattern and kernel.core_uses_pid. */
  corePattern = "core";
  coreUsesPid = false;
  private vdso: MemoryObject | null = null;

  constructor(config: KernelConfig) {
    this.config = config;
    this.hart = config.hart;
    const seeded = config.seed !== undefined && config.seed !== null;
    this.prng = seeded ? new Prng(config.seed as number) : null;
    this.clock = new Clock(seeded ? null : config.clock, () => config.hart.instructions);
    this.mm = new MemoryManager(this.memoryConfig());
    this.hostname = config.hostname ?? "faultline";
    this.ipc = new IpcState();
    this.vfs = new Vfs(this);
    this.ipc.attach(this);
    // fork_init(): an eighth of memory for 16 KiB thread stacks.
    this.maxThreads = Math.max(64, Math.min(PID_MAX - RESERVED_PIDS, Math.floor(config.ramBytes / (8 * 16384))));
    this.init = makeInit(this);
    this.syscalls = buildDispatchTable();
  }

  /** The page of code every program gets, made when the first one is loaded. */
  vdsoObject(): MemoryObject {
    if (this.vdso === null) {
      const object = this.mm.createShmemObject(VDSO_BYTES);
      if (object === null) throw errno(ENOMEM);
      object.write(new BytesCursor(buildVdso()), 0);
      this.vdso = object;
    }
    return this.vdso;
  }

  private memoryConfig(): MmConfig {
    const { config } = this;
    return {
      buffer: config.hart.buffer,
      byteOffset: config.hart.ramOffset,
      sizeBytes: config.ramBytes,
      swapDevice: config.swapDevice ?? null,
      policy: config.policy,
      seed: config.seed ?? undefined,
      overcommit: config.overcommit,
      overcommitRatio: config.overcommitRatio,
      tlb: config.hart.tlb,
      readAheadPages: READ_AHEAD_PAGES,
      outOfMemory: (asking: AddressSpace | null) => chooseAndKill(this, asking),
      fileDirtied: (file) => this.vfs.fileDirtied(file),
    };
  }

  /** Starts a program in a new session. Throws LinuxError when it cannot be executed. */
  spawn(options: SpawnOptions): Process {
    return spawnProcess(this, options);
  }

  /**
   * Runs tasks for about `budget` instructions, or until nothing can run. Synchronous; the caller brings in the outside world
   * (terminal input, host time passing) between calls.
   */
  step(budget: number): StepResult {
    let left = budget;
    while (left > 0 && !this.pausing && this.turns < this.turnLimit) {
      if (this.slice.task === null) {
        this.timers.run(this, this.clock.monotonicNs());
        const task = this.scheduler.next();
        if (task === null) {
          if (this.processes.size === 0) return FINISHED;
          const untilNs = this.timers.nextNs;
          if (untilNs === Number.POSITIVE_INFINITY || !this.clock.isVirtual) return { kind: "idle", untilNs };
          this.turns++;
          this.clock.skipTo(untilNs);
          continue;
        }
        beginSlice(this, task);
      }
      left -= runSlice(this, left);
    }
    return RAN;
  }

  /** Fills `bytes` with random numbers: the guest's getrandom, AT_RANDOM, layout randomisation. */
  random(bytes: Uint8Array): void {
    if (this.prng !== null) this.prng.fill(bytes);
    else this.config.entropy(bytes);
  }

  /** A random integer in [0, bound). */
  randomBelow(bound: number): number {
    const bytes = new Uint8Array(6);
    this.random(bytes);
    let value = 0;
    for (const byte of bytes) value = value * 256 + byte;
    return value % bound;
  }

  /** send_sig_info() / do_send_sig_info(): queues a signal; 0 or -errno. Permission is the caller's business. */
  sendSignal(target: Process | Task, info: SigInfo): number {
    return target instanceof Task ? sendToTask(this, target, info) : sendToProcess(this, target, info);
  }

  /** kill_pgrp_info(): every member gets it. */
  sendSignalToGroup(group: ProcessGroup, info: SigInfo): number {
    return sendToGroup(this, group, info);
  }

  /** The tracer of a dead process let go of it: now its parent hears of the end. */
  tracerLetGo(process: Process): void {
    notifyParent(this, process);
  }

  /** printk: the host's log and syslog(2). */
  log(line: string): void {
    this.logLines.push(`[${(this.clock.monotonicNs() / 1e9).toFixed(6).padStart(12)}] ${line}`);
    if (this.logLines.length > LOG_LINES) this.logLines.shift();
    this.config.log?.(line);
  }

  /** alloc_pid(): cyclic; 0 when every number is taken. A pid stays taken while a group or session has its name. */
  allocatePid(): number {
    for (let tries = 0; tries < PID_MAX; tries++) {
      this.lastPid = this.lastPid + 1 >= PID_MAX ? RESERVED_PIDS : this.lastPid + 1;
      const pid = this.lastPid;
      if (!this.tasks.has(pid) && !this.processes.has(pid) && !this.groups.has(pid) && !this.sessions.has(pid))
        return pid;
    }
    return 0;
  }
}
