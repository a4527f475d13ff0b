// Run control of one machine: run, pause, step, run to a condition, go back. One operation is under way at a time; each resolves
// with the event that ended it. How the kernel is made to stop is conductor.ts; how it gets back in time is time-travel.ts.
import { requestedSyscall } from "../../kernel/dispatch.ts";
import type { Kernel, StepResult } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import type { HostFiles } from "../../kernel/vfs/host-files.ts";
import { HostError, type MachineHost } from "../host.ts";
import type { EventHub } from "../inspect/events.ts";
import type { Symbols } from "../inspect/symbols.ts";
import type { ReportingSwap } from "../swap-log.ts";
import {
  type CheckedCondition,
  type Condition,
  checkCondition,
  natural,
  type StepUnit,
  type StopEvent,
  type StopReason,
} from "./conditions.ts";
import { Conductor, type Reached } from "./conductor.ts";
import type { FaultKind, FaultRecord } from "./fault-record.ts";
import { compareMoments, earlier, type Moment, NEVER } from "./moment.ts";
import { TimeTravel } from "./time-travel.ts";
import type { Timeline } from "./timeline.ts";

export type ControlState = "paused" | "running" | "seeking" | "finished";

/** What run control needs of the machine it belongs to. */
export interface Controllable {
  readonly kernel: Kernel;
  readonly host: MachineHost;
  readonly events: EventHub;
  readonly symbols: Symbols;
  /** Folders of the host that the guest sees. */
  readonly folders: readonly HostFiles[];
  readonly swapDevice: ReportingSwap | null;
  /** Objects that go back and forth with the guest, beside the kernel. */
  readonly guestLinks: object;
  /** Why the machine cannot be brought back to an earlier moment; null: it can. */
  readonly rewindRefusal: string | null;
  /** Makes sure that the machine's loop runs. */
  wake(): void;
  /** In the past something new happened: what the guest said later never was. */
  courseChanged(): void;
}

export interface ControlOptions {
  /** Host memory for going back, in bytes (default 768 MiB): the less, the longer steps into the far past take. */
  historyBytes?: number;
  /** For tests: check at every kept state that no write to memory went unnoticed. */
  verifies?: boolean;
}

/** What the loop of a machine is told: as Kernel.step(), or that there is nothing to do before the user says so. */
export type Advance = StepResult | { readonly kind: "paused" };
const PAUSED: Advance = { kind: "paused" };
const RAN: Advance = { kind: "ran" };

/** Faults kept for lastFaults(). */
const MOST_FAULTS = 64;
const HISTORY_BYTES = 768 << 20;

interface Operation {
  /** A step: it ends also when nothing can run. */
  isStep: boolean;
  isTravel: boolean;
  limit: Moment;
  /** What reaching the limit is called. */
  limitReason: StopReason;
  resolve: (event: StopEvent) => void;
  reject: (error: unknown) => void;
}

export class RunControl {
  private readonly machine: Controllable;
  private readonly kernel: Kernel;
  private readonly conductor: Conductor;
  /** null: this machine cannot be brought back. */
  private readonly travel: TimeTravel | null;
  private operation: Operation | null = null;
  private readonly listeners = new Set<(event: StopEvent) => void>();
  private readonly faults: FaultRecord[] = [];
  private stopEvent: StopEvent;
  /** Inputs that arrived while they could not be delivered. */
  private readonly waitingInputs: (() => void)[] = [];
  private isStepping = false;

  constructor(machine: Controllable, options: ControlOptions = {}) {
    this.machine = machine;
    this.kernel = machine.kernel;
    this.conductor = new Conductor(machine.kernel, machine.events, machine.symbols);
    this.kernel.hooks = this.conductor;
    this.conductor.onFault = (record) => this.keepFault(record);
    this.travel =
      machine.rewindRefusal === null
        ? new TimeTravel(machine, this.conductor, options.historyBytes ?? HISTORY_BYTES, options.verifies ?? false)
        : null;
    this.stopEvent = this.describe({ reason: "start", task: null, fault: null });
  }

  get state(): ControlState {
    if (this.operation !== null) return this.operation.isTravel ? "seeking" : "running";
    return this.stopEvent.reason === "finished" ? "finished" : "paused";
  }

  /** Where and why the machine stands still; while it runs, where it stood last. */
  get lastStop(): StopEvent {
    return this.stopEvent;
  }

  get instructions(): number {
    return this.kernel.hart.instructions;
  }

  /** Why there is no way back, in one line; null: stepBack() and seek() work. */
  get rewindRefusal(): string | null {
    return this.machine.rewindRefusal;
  }

  /** The stretch of the run that can be sought: first and latest instruction count, and where whole states are kept. */
  get history(): { first: number; latest: number; snapshots: number[]; bytes: number } {
    const timeline = this.timeline;
    if (timeline === null) return { first: this.instructions, latest: this.instructions, snapshots: [], bytes: 0 };
    return {
      first: timeline.first.instructions,
      latest: Math.max(timeline.latest.instructions, this.instructions),
      snapshots: timeline.snapshotMoments.map((moment) => moment.instructions),
      bytes: timeline.bytes,
    };
  }

  /** Hears of every stop; returns the function that ends it. */
  onStop(listener: (event: StopEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Runs until pause() or the end of every process. */
  run(): Promise<StopEvent> {
    return this.begin(null, NEVER, "instructions", false);
  }

  /** Stops the run at once; the operation under way resolves with the reason "pause". */
  pause(): void {
    if (this.operation === null) return;
    if (this.operation.isTravel) this.travel?.abandon();
    else if (this.isStepping) this.conductor.stop("pause");
    else this.finish({ reason: "pause", task: this.kernel.scheduler.current, fault: null });
  }

  /** One instruction (or `count`), of whichever thread is on the hart; faults on the way are served. */
  stepInstruction(count = 1): Promise<StopEvent> {
    if (!(Number.isSafeInteger(count) && count > 0)) throw new HostError(`${count} is not a number of steps`);
    return this.begin(null, { instructions: this.instructions + count, turns: 0 }, "instruction", true);
  }

  /** To the next fault (of one of these kinds): stops when it has been served and its instruction is about to run again. */
  stepFault(kind?: FaultKind | readonly FaultKind[]): Promise<StopEvent> {
    return this.begin(checkCondition({ fault: kind ?? true }), NEVER, "instructions", true);
  }

  /** To the next system call (of one of these names): stops before the kernel serves it. */
  stepSyscall(name?: string | readonly string[]): Promise<StopEvent> {
    return this.begin(checkCondition({ syscall: name ?? true }), NEVER, "instructions", true);
  }

  /** Until the condition holds. Resolves earlier with "pause", "finished"; a machine that waits for input goes on waiting. */
  runTo(condition: Condition): Promise<StopEvent> {
    const checked = checkCondition(condition);
    return this.begin(checked, { instructions: checked.instructions, turns: 0 }, "instructions", false);
  }

  /** To the latest moment before this one at which a step of the unit would have stopped. */
  stepBack(unit: StepUnit = "instruction"): Promise<StopEvent> {
    if (unit === "fault") return this.runBackTo({ fault: true });
    if (unit === "syscall") return this.runBackTo({ syscall: true });
    if (unit !== "instruction") throw new HostError(`"${unit}" is not instruction, fault or syscall`);
    const travel = this.requireTravel();
    return this.travelling((operation) => this.goTo(travel, operation, this.instructions - 1));
  }

  /** To the latest moment before this one at which the condition held; reason "beginning" (and at the first moment) if never. */
  runBackTo(condition: Condition): Promise<StopEvent> {
    const checked = checkCondition(condition);
    const travel = this.requireTravel();
    return this.travelling(async (operation) => {
      if (checked.instructions !== Number.POSITIVE_INFINITY) {
        if (checked.instructions < this.instructions) await this.goTo(travel, operation, checked.instructions);
        else await this.goTo(travel, operation, -1);
        return;
      }
      const found = await travel.searchBack(checked);
      this.finish(found ?? { reason: "beginning", task: null, fault: null });
    });
  }

  /**
   * To the first moment at which so many instructions have been retired: back, or on beyond what has been run so far. With the count
   * of the latest moment (history.latest): to that very moment.
   */
  seek(instructions: number): Promise<StopEvent> {
    natural(instructions, "a count of instructions");
    const travel = this.requireTravel();
    return this.travelling((operation) => this.goTo(travel, operation, instructions));
  }

  /** Whether every fault is explained (lastFaults), not only those that a run stops at. Costs time per fault. */
  set explainsFaults(value: boolean) {
    this.conductor.recordsAll = value;
  }

  /** The latest faults that were explained, oldest first. */
  lastFaults(): readonly FaultRecord[] {
    return this.faults;
  }

  private keepFault(record: FaultRecord): void {
    this.faults.push(record);
    if (this.faults.length > MOST_FAULTS) this.faults.shift();
  }

  private begin(
    condition: CheckedCondition | null,
    limit: Moment,
    limitReason: StopReason,
    isStep: boolean,
  ): Promise<StopEvent> {
    if (this.operation !== null) throw new HostError("the machine is running: pause() it first");
    return new Promise((resolve, reject) => {
      this.operation = { isStep, isTravel: false, limit, limitReason, resolve, reject };
      this.conductor.watch(condition);
      this.timeline?.resumed();
      this.machine.wake();
    });
  }

  private finish(reached: Reached): void {
    const operation = this.operation as Operation;
    this.operation = null;
    this.conductor.watch(null);
    this.conductor.clearLimit();
    // What came at the latest moment, when the machine was there before, is there again.
    if (this.timeline?.isRepeating === false) this.timeline.deliverRecorded();
    const reason = reached.reason === "instructions" ? operation.limitReason : reached.reason;
    this.stopEvent = this.describe({ ...reached, reason });
    for (const input of this.waitingInputs.splice(0)) input();
    operation.resolve(this.stopEvent);
    for (const listener of [...this.listeners]) listener(this.stopEvent);
  }

  // --- back in time ---

  private get timeline(): Timeline | null {
    return this.travel?.timeline ?? null;
  }

  private requireTravel(): TimeTravel {
    if (this.travel === null) throw new HostError(`cannot go back: ${this.machine.rewindRefusal}`);
    if (this.operation !== null) throw new HostError("the machine is running: pause() it first");
    return this.travel;
  }

  private travelling(journey: (operation: Operation) => Promise<void>): Promise<StopEvent> {
    return new Promise((resolve, reject) => {
      this.operation = { isStep: false, isTravel: true, limit: NEVER, limitReason: "seek", resolve, reject };
      this.conductor.watch(null);
      journey(this.operation).catch((error) => this.fail(error));
    });
  }

  private async goTo(travel: TimeTravel, operation: Operation, instructions: number): Promise<void> {
    const { first, latest } = travel.timeline;
    // With the latest count, the latest moment is meant: all that happened there included.
    const target = instructions === latest.instructions ? latest : { instructions, turns: 0 };
    const isBefore = instructions < first.instructions;
    if (!(await travel.goTo(isBefore ? first : earlier(target, latest)))) {
      this.finish({ reason: "pause", task: null, fault: null });
    } else if (compareMoments(travel.timeline.now, target) >= 0) {
      this.finish({ reason: isBefore ? "beginning" : "seek", task: null, fault: null });
    } else {
      // Not been there yet: an ordinary run from here on.
      operation.isTravel = false;
      operation.limit = target;
      travel.timeline.resumed();
      this.machine.wake();
    }
  }

  // --- for the machine ---

  /** What the kernel says and does now was said and done before. */
  get isRepeating(): boolean {
    return this.machine.events.repeating;
  }

  /** The kernel is at work: an input can only be queued. */
  get isAtWork(): boolean {
    return this.isStepping || this.operation?.isTravel === true;
  }

  /** The machine broke down: whoever waits for a stop hears of it. */
  fail(error: unknown): void {
    const { operation } = this;
    this.operation = null;
    operation?.reject(error);
  }

  /** Something from outside: applied between two turns of the kernel. `undone`: called when it never happened after all. */
  deliver(input: () => void, undone: () => void = () => {}): void {
    if (this.isAtWork) {
      this.waitingInputs.push(() => this.deliver(input, undone));
      // Leave the step soon, so that what was delivered is not late.
      if (this.isStepping) this.kernel.pausing = true;
      return;
    }
    if (this.timeline?.record(input, undone)) this.machine.courseChanged();
    input();
  }

  /** One turn of the machine's loop. */
  advance(budget: number): Advance {
    const { operation, timeline } = this;
    if (operation === null || operation.isTravel) return PAUSED;
    timeline?.deliverRecorded();
    this.conductor.setLimit(timeline === null ? operation.limit : earlier(operation.limit, timeline.barrier));
    this.machine.events.repeating = timeline?.isRepeating ?? false;
    const result = this.step(budget);
    timeline?.advanced();
    this.machine.events.repeating = false;
    const { reached } = this.conductor;
    if (reached === null) this.kernel.pausing = false;
    // Not been left yet, but an input waits: it is delivered here and now.
    if (reached === null) for (const input of this.waitingInputs.splice(0)) input();
    if (reached !== null) this.finish(reached);
    else if (compareMoments(this.now, operation.limit) >= 0)
      this.finish({ reason: "instructions", task: this.kernel.scheduler.current, fault: null });
    else return this.rest(operation, result);
    return PAUSED;
  }

  private step(budget: number): StepResult {
    this.isStepping = true;
    try {
      return this.kernel.step(budget);
    } finally {
      this.isStepping = false;
    }
  }

  private rest(operation: Operation, result: StepResult): Advance {
    if (result.kind === "ran") return result;
    // An input that came here the first time is about to be delivered again.
    const due = this.timeline?.barrier;
    if (due !== undefined && compareMoments(due, this.now) === 0) return RAN;
    if (result.kind === "finished") {
      this.finish({ reason: "finished", task: null, fault: null });
      return PAUSED;
    }
    if (operation.isStep && result.untilNs === Number.POSITIVE_INFINITY) {
      this.finish({ reason: "idle", task: null, fault: null });
      return PAUSED;
    }
    return result;
  }

  private get now(): Moment {
    return { instructions: this.kernel.hart.instructions, turns: this.kernel.turns };
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
    const number = requestedSyscall(t);
    const name = this.kernel.syscalls.names[number] ?? `${number}`;
    return { name, args: [0, 1, 2, 3, 4, 5].map((i) => t.registers.getX(10 + i)) };
  }
}
