// For tests of ipc/ and tty/: a kernel without hart, memory core and file tree, real tasks on it, and the dispatcher's rule
// that a blocked handler is run again. Not part of the product.
import { ROOT_CREDENTIALS } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { LinuxError } from "../linux-error.ts";
import { Process, ProcessGroup, Session } from "../process.ts";
import { RLimits } from "../rlimits.ts";
import type { SigInfo } from "../signals/siginfo.ts";
import { SignalHandlers } from "../signals/state.ts";
import { BLOCKED, Task } from "../task.ts";
import { Timers } from "../timers.ts";
import { FdTable } from "../vfs/fd-table.ts";
import { type FsServices, PseudoFileSystem } from "../vfs/inode.ts";
import { IpcState } from "./ipc-state.ts";

/** 64 KiB of user memory at address 0x1000. */
export class FakeSpace {
  readonly bytes = new Uint8Array(65536);
  readonly peakResidentPages = 0;

  private at(address: number): number {
    return address - 0x1000;
  }

  copyIn(address: number, into: Uint8Array, from = 0, to = into.length): number {
    const at = this.at(address);
    if (at < 0 || at + to - from > this.bytes.length) return 0;
    into.set(this.bytes.subarray(at, at + to - from), from);
    return to - from;
  }

  copyOut(address: number, source: Uint8Array, from = 0, to = source.length): number {
    const at = this.at(address);
    if (at < 0 || at + to - from > this.bytes.length) return 0;
    this.bytes.set(source.subarray(from, to), at);
    return to - from;
  }
}

/** Signals sent, in order: the target's pid and the number. */
export interface SentSignal {
  readonly to: number;
  readonly signal: number;
}

export class FakeWorld {
  readonly kernel: Kernel;
  readonly sent: SentSignal[] = [];
  nowNs = 1e9;
  private readonly runnable: Task[] = [];
  private readonly calls = new Map<Task, Call>();
  private nextPid = 100;

  constructor() {
    const clock = {
      monotonicNs: () => this.nowNs,
      realtime: () => ({ seconds: Math.floor(this.nowNs / 1e9), nanoseconds: 0 }),
      wallAt: (ns: number) => ({ seconds: Math.floor(ns / 1e9), nanoseconds: ns % 1e9 }),
      monotonicAt: (seconds: number, nanoseconds: number) => seconds * 1e9 + nanoseconds,
    };
    let device = 0;
    const services = { clock, allocateDevice: () => ++device } as unknown as FsServices;
    const kernel = {
      clock,
      timers: new Timers(),
      scheduler: { current: null, enqueue: (t: Task) => this.runnable.push(t) },
      processes: new Map(),
      groups: new Map(),
      init: null,
      ipc: new IpcState(),
      vfs: {
        ...services,
        pipeFs: new PseudoFileSystem(services, "pipefs", 1),
        sockFs: new PseudoFileSystem(services, "sockfs", 2),
        anonFs: new PseudoFileSystem(services, "anon_inodefs", 3),
        devices: new Map(),
        deviceMajors: new Map(),
      },
      sendSignal: (target: Process | Task, info: SigInfo) => {
        this.sent.push({ to: target instanceof Task ? target.process.pid : target.pid, signal: info.signal });
        return 0;
      },
      sendSignalToGroup: (group: ProcessGroup, info: SigInfo) => {
        for (const member of group.members) this.sent.push({ to: member.pid, signal: info.signal });
        return 0;
      },
    };
    this.kernel = kernel as unknown as Kernel;
    this.kernel.ipc.attach(this.kernel);
  }

  /** A process of one thread, in its own session unless `like` gives another. */
  spawn(like?: Task): Task {
    const pid = this.nextPid++;
    const group = like?.process.group ?? new ProcessGroup(pid, new Session(pid));
    const process = new Process(this.kernel, pid, {
      parent: null,
      group,
      limits: RLimits.initial(1000),
      handlers: new SignalHandlers(),
      exitSignal: 0,
    });
    if (like === undefined) group.session.leader = process;
    const task = new Task(this.kernel, pid, process, {
      space: new FakeSpace() as unknown as Task["space"],
      registers: {} as unknown as Task["registers"],
      files: new FdTable(),
      fs: { umask: 0o022 } as unknown as Task["fs"],
      credentials: ROOT_CREDENTIALS,
      name: "test",
    });
    process.leader = task;
    process.threads.add(task);
    this.kernel.processes.set(pid, process);
    this.kernel.groups.set(group.id, group);
    return task;
  }

  /** Starts a call; `result` is undefined while it blocks. */
  call(t: Task, handler: () => number): Call {
    const call = new Call(t, handler);
    this.calls.set(t, call);
    this.step(call);
    this.settle();
    return call;
  }

  /** A call that must not block. */
  now(t: Task, handler: () => number): number {
    const { result } = this.call(t, handler);
    if (result === undefined) throw new Error("the call blocked");
    return result;
  }

  /** Lets time pass. */
  advance(ns: number): void {
    this.nowNs += ns;
    this.kernel.timers.run(this.kernel, this.nowNs);
    this.settle();
  }

  /** Runs woken tasks until none is left. */
  settle(): void {
    for (let t = this.runnable.shift(); t !== undefined; t = this.runnable.shift()) {
      const call = this.calls.get(t);
      if (call !== undefined && t.state === "runnable") this.step(call);
    }
  }

  private step(call: Call): void {
    const { task } = call;
    this.kernel.scheduler.current = task;
    task.state = "running";
    let result: number;
    try {
      result = call.handler();
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      result = -error.errno;
    }
    if (result === BLOCKED) {
      task.retrying = true;
      task.park();
      return;
    }
    task.endSyscall();
    call.result = result;
  }
}

export class Call {
  readonly task: Task;
  readonly handler: () => number;
  result: number | undefined = undefined;

  constructor(task: Task, handler: () => number) {
    this.task = task;
    this.handler = handler;
  }
}
