// Run control of one machine: run, pause, step, run to a condition. One operation is under way at a time; each resolves with the
// event that ended it. How the kernel is made to stop is conductor.ts.
import type { CpuContext } from "../../cpu/cpu-context.ts";
import { requestedSyscall } from "../../kernel/dispatch.ts";
import type { Kernel, StepResult } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import { HostError } from "../host.ts";
import type { EventHub } from "../inspect/events.ts";
import type { Symbols } from "../inspect/symbols.ts";
import {
  type CheckedCondition,
  type Condition,
  checkCondition,
  type StopEvent,
  type StopReason,
} from "./conditions.ts";
import { Conductor, type Reached } from "./conductor.ts";
import type { FaultKind, FaultRecord } from "./fault-record.ts";

export type ControlState = "paused" | "running" | "finished";

/** What run control needs of the machine it belongs to. */
export interface Controllable {
  readonly kernel: Kernel;
  readonly events: EventHub;
  readonly symbols: Symbols;
  /** Makes sure that the machine's loop runs. */
  wake(): void;
}

/** What the loop of a machine is told: as Kernel.step(), or that there is nothing to do before the user says so. */
export type Advance = StepResult | { readonly kind: "paused" };
const PAUSED: Advance = { kind: "paused" };

/** Faults kept for lastFaults(). */
const MOST_FAULTS = 64;

interface Operation {
  /** A step: it ends also when nothing can run. */
  isStep: boolean;
  /** What reaching the instruction limit is called. */
  limitReason: StopReason;
  resolve: (event: StopEvent) => void;
}

export class RunControl {
  private readonly machine: Controllable;
  private readonly kernel: Kernel;
  private readonly conductor: Conductor;
  private operation: Operation | null = null;
  private readonly listeners = new Set<(event: StopEvent) => void>();
  private readonly faults: FaultRecord[] = [];
  private stopEvent: StopEvent;
  /** Inputs that arrived while the kernel was at work: delivered at its next turn. */
  private readonly waitingInputs: (() => void)[] = [];
  private isStepping = false;

  constructor(machine: Controllable) {
    this.machine = machine;
    this.kernel = machine.kernel;
    this.conductor = new Conductor(machine.kernel, machine.events, machine.symbols);
    this.kernel.hooks = this.conductor;
    this.conductor.onFault = (record) => {
      this.faults.push(record);
      if (this.faults.length > MOST_FAULTS) this.faults.shift();
    };
    this.stopEvent = this.describe({ reason: "start", task: null, fault: null });
  }

  get state(): ControlState {
    if (this.operation !== null) return "running";
    return this.stopEvent.reason === "finished" ? "finished" : "paused";
  }

  /** Where and why the machine stands still; while it runs, where it stood last. */
  get lastStop(): StopEvent {
    return this.stopEvent;
  }

  get instructions(): number {
    return this.kernel.hart.instructions;
  }

  /** Hears of every stop; returns the function that ends it. */
  onStop(listener: (event: StopEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Runs until pause() or the end of every process. */
  run(): Promise<StopEvent> {
    return this.begin(null, Number.POSITIVE_INFINITY, "instructions", false);
  }

  /** Stops the run at once; the operation under way resolves with the reason "pause". */
  pause(): void {
    if (this.operation === null) return;
    if (this.isStepping) this.conductor.stop("pause");
    else this.finish({ reason: "pause", task: this.kernel.scheduler.current, fault: null });
  }

  /** One instruction (or `count`), of whichever thread is on the hart; faults on the way are served. */
  stepInstruction(count = 1): Promise<StopEvent> {
    if (!(Number.isSafeInteger(count) && count > 0)) throw new HostError(`${count} is not a number of steps`);
    return this.begin(null, this.instructions + count, "instruction", true);
  }

  /** To the next fault (of one of these kinds): stops when it has been served and its instruction is about to run again. */
  stepFault(kind?: FaultKind | readonly FaultKind[]): Promise<StopEvent> {
    return this.begin(checkCondition({ fault: kind ?? true }), Number.POSITIVE_INFINITY, "instructions", true);
  }

  /** To the next system call (of one of these names): stops before the kernel serves it. */
  stepSyscall(name?: string | readonly string[]): Promise<StopEvent> {
    return this.begin(checkCondition({ syscall: name ?? true }), Number.POSITIVE_INFINITY, "instructions", true);
  }

  /** Until the condition holds. Resolves earlier with "pause", "finished"; a machine that waits for input goes on waiting. */
  runTo(condition: Condition): Promise<StopEvent> {
    const checked = checkCondition(condition);
    return this.begin(checked, checked.instructions, "instructions", false);
  }

  /** Whether every fault is explained (lastFaults), not only those that a run stops at. Costs time per fault. */
  set explainsFaults(value: boolean) {
    this.conductor.recordsAll = value;
  }

  /** The latest faults that were explained, oldest first. */
  lastFaults(): readonly FaultRecord[] {
    return this.faults;
  }

  private begin(
    condition: CheckedCondition | null,
    limit: number,
    limitReason: StopReason,
    isStep: boolean,
  ): Promise<StopEvent> {
    if (this.operation !== null) throw new HostError("the machine is running: pause() it first");
    return new Promise((resolve) => {
      this.operation = { isStep, limitReason, resolve };
      this.conductor.limit = limit;
      this.conductor.watch(condition);
      this.machine.wake();
    });
  }

  private finish(reached: Reached): void {
    const operation = this.operation as Operation;
    this.operation = null;
    this.conductor.watch(null);
    const reason = reached.reason === "instructions" ? operation.limitReason : reached.reason;
    this.stopEvent = this.describe({ ...reached, reason });
    operation.resolve(this.stopEvent);
    for (const listener of [...this.listeners]) listener(this.stopEvent);
  }

  // --- for the machine ---

  /** Something from outside: applied between two turns of the kernel. */
  deliver(input: () => void): void {
    if (this.isStepping) {
      this.waitingInputs.push(input);
      // Leave the step soon, so that what was delivered is not late.
      this.kernel.pausing = true;
    } else input();
  }

  /** One turn of the machine's loop. */
  advance(budget: number): Advance {
    if (this.operation === null) return PAUSED;
    this.isStepping = true;
    let result: StepResult;
    try {
      result = this.kernel.step(budget);
    } finally {
      this.isStepping = false;
    }
    for (const input of this.waitingInputs.splice(0)) input();
    const { reached } = this.conductor;
    if (reached !== null) {
      this.finish(reached);
      return PAUSED;
    }
    this.kernel.pausing = false;
    if (result.kind === "finished") this.finish({ reason: "finished", task: null, fault: null });
    else if (result.kind === "idle" && this.operation.isStep && result.untilNs === Number.POSITIVE_INFINITY) {
      this.finish({ reason: "idle", task: null, fault: null });
      return PAUSED;
    }
    return result;
  }

  private describe({ reason, task, fault }: Reached): StopEvent {
    const { kernel } = this;
    const here = task ?? kernel.scheduler.current;
    const alive = here?.isAlive ? here : null;
    const pc = alive?.registers.pc ?? 0;
    return {
      reason,
      instructions: kernel.hart.instructions,
      turns: kernel.turns,
      pid: here?.process.pid ?? 0,
      tid: here?.tid ?? 0,
      process: here?.name ?? "",
      pc,
      symbol: alive === null ? null : this.machine.symbols.at(alive.space, pc),
      fault,
      syscall: reason === "syscall" && alive !== null ? this.describeCall(alive) : null,
    };
  }

  private describeCall(t: Task): NonNullable<StopEvent["syscall"]> {
    const registers: CpuContext = t.registers;
    const number = requestedSyscall(t);
    const name = this.kernel.syscalls.names[number] ?? `${number}`;
    return { name, args: [0, 1, 2, 3, 4, 5].map((i) => registers.getX(10 + i)) };
  }
}
