// Stands between the kernel and the hart while a run is controlled: never lets more instructions run than asked, watches stop
// addresses, faults and system calls, and says why the run was left. Knows nothing of checkpoints or of the outside world.
import { EXIT_LIMIT, EXIT_STOP, type ExitReason } from "../../cpu/exits.ts";
import { requestedSyscall } from "../../kernel/dispatch.ts";
import type { Kernel, RunHooks } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import type { EventHub } from "../inspect/events.ts";
import type { Symbols } from "../inspect/symbols.ts";
import type { CheckedCondition, StopReason } from "./conditions.ts";
import { type FaultRecord, FaultRecorder } from "./fault-record.ts";
import { type Moment, NEVER } from "./moment.ts";

/** A run is left by run() as far from its limit as straight-line code could reach; the rest is run exactly. */
const EXACT_RANGE = 20_000;

export interface Reached {
  reason: StopReason;
  task: Task | null;
  fault: FaultRecord | null;
}

export class Conductor implements RunHooks {
  private readonly kernel: Kernel;
  private readonly hub: EventHub;
  private readonly symbols: Symbols;
  private readonly recorder: FaultRecorder;
  private limit: Moment = NEVER;
  private exactRange = EXACT_RANGE;
  /** The run went past its limit in straight-line code longer than the exact range, which has been widened. */
  overshot = false;
  /** Set: what would stop the run is told instead, and the run goes on. */
  onMatch: ((reached: Reached, moment: Moment) => void) | null = null;
  private condition: CheckedCondition | null = null;
  /** Why the kernel was told to pause; null: it was not. */
  reached: Reached | null = null;
  /** Frames with stops in them, and the offsets. */
  private readonly stopsSet = new Map<number, ReadonlySet<number>>();
  /** Addresses of condition.symbol by space id, as of `symbolAreas` mapped areas. */
  private readonly resolved = new Map<number, { areas: number; addresses: number[] }>();
  /** A stop at this instruction count has been reported, or a run begins there: it is stepped over. */
  private passed = -1;
  /** Called with every fault, when faults are recorded. */
  onFault: ((record: FaultRecord) => void) | null = null;

  constructor(kernel: Kernel, hub: EventHub, symbols: Symbols) {
    this.kernel = kernel;
    this.hub = hub;
    this.symbols = symbols;
    this.recorder = new FaultRecorder(
      kernel,
      (space, address) => symbols.at(space, address),
      (record) => this.faulted(record),
    );
  }

  /** What the run is to stop at from now on; null: nothing. */
  watch(condition: CheckedCondition | null): void {
    this.condition = condition;
    this.reached = null;
    this.passed = this.onMatch === null ? this.kernel.hart.instructions : -1;
    this.kernel.pausing = false;
    this.resolved.clear();
    if (condition === null || (condition.address === null && condition.symbol === null)) this.clearStops();
    this.updateRecorder();
  }

  /** Whether faults are recorded also while none is waited for. */
  set recordsAll(value: boolean) {
    this.keepsRecords = value;
    this.updateRecorder();
  }
  private keepsRecords = false;

  private updateRecorder(): void {
    const { condition } = this;
    const wanted = this.keepsRecords || condition?.anyFault === true || (condition?.kinds ?? null) !== null;
    this.kernel.mm.faultWatcher = wanted ? this.recorder : null;
    this.hub.listenWithin(wanted ? this.recorder : null);
  }

  /** The run is left at this moment exactly. */
  setLimit(limit: Moment): void {
    const { kernel } = this;
    this.limit = limit;
    this.overshot = false;
    kernel.turnLimit = kernel.hart.instructions >= limit.instructions ? limit.turns : Number.POSITIVE_INFINITY;
  }

  /** Where the run is to be left does not matter any more. */
  clearLimit(): void {
    this.limit = NEVER;
    this.kernel.turnLimit = Number.POSITIVE_INFINITY;
  }

  /** Leaves the kernel's step at its next turn. */
  stop(reason: StopReason, task: Task | null = this.kernel.scheduler.current, fault: FaultRecord | null = null): void {
    if (this.onMatch !== null) {
      this.onMatch({ reason, task, fault }, { instructions: this.kernel.hart.instructions, turns: this.kernel.turns });
      return;
    }
    if (this.reached !== null) return;
    this.reached = { reason, task, fault };
    this.kernel.pausing = true;
  }

  // --- RunHooks ---

  run(t: Task, fuel: number): ExitReason {
    const { hart } = this.kernel;
    const room = this.limit.instructions - hart.instructions;
    if (room <= 0) return this.runAtLimit();
    const { condition } = this;
    if (condition !== null && (condition.address !== null || condition.symbol !== null)) {
      this.placeStops(t);
      if (this.isAtStop(t)) {
        if (this.passed !== hart.instructions) {
          this.passed = hart.instructions;
          this.stop("address", t);
          if (this.onMatch === null) return EXIT_LIMIT;
        }
        return this.ended(this.stepOver());
      }
    }
    const { exactRange } = this;
    const reason = room > exactRange ? hart.run(Math.min(fuel, room - exactRange)) : this.runExactly(fuel, room);
    if (reason !== EXIT_STOP) return this.ended(reason);
    // The frame may be mapped at another address, or by another process: not what was asked for.
    return this.isAtStop(t) ? EXIT_LIMIT : this.ended(this.stepOver());
  }

  /** Every instruction up to the limit has run; the turns that follow it before the limit retire none. */
  private runAtLimit(): ExitReason {
    const { kernel, limit } = this;
    const { hart } = kernel;
    kernel.turnLimit = limit.turns;
    if (kernel.turns >= limit.turns) return EXIT_LIMIT;
    const before = hart.instructions;
    const reason = hart.runExactly(1);
    if (hart.instructions !== before || reason === EXIT_STOP)
      throw new Error(`replay left its course after ${before} instructions`);
    return reason;
  }

  private ended(reason: ExitReason): ExitReason {
    const { kernel, limit } = this;
    const over = kernel.hart.instructions - limit.instructions;
    if (over >= 0) kernel.turnLimit = limit.turns;
    if (over > 0) {
      this.overshot = true;
      this.exactRange *= 64;
      kernel.pausing = true;
    }
    return reason;
  }

  /** At most `room` instructions, ending like hart.run(fuel) where that comes first. */
  private runExactly(fuel: number, room: number): ExitReason {
    const { hart } = this.kernel;
    const end = hart.instructions + room;
    if (fuel > 0) {
      const reason = hart.runExactly(Math.min(fuel, room));
      if (reason !== EXIT_LIMIT || room <= fuel) return reason;
    }
    // The slice is used up: it ends at the first jump that may end it.
    while (hart.instructions < end) {
      const reason = hart.runExactly(1);
      if (reason !== EXIT_LIMIT) return reason;
    }
    return EXIT_LIMIT;
  }

  syscallBegins(t: Task): void {
    const { condition } = this;
    if (condition === null || (condition.pid !== null && condition.pid !== t.process.pid)) return;
    if (condition.anySyscall || condition.syscalls?.has(requestedSyscall(t))) this.stop("syscall", t);
  }

  private faulted(record: FaultRecord): void {
    this.onFault?.(record);
    const { condition } = this;
    if (condition === null || (condition.pid !== null && condition.pid !== record.pid)) return;
    if (condition.anyFault || condition.kinds?.has(record.kind as never)) this.stop("fault", undefined, record);
  }

  // --- stop addresses ---

  private addressesFor(t: Task): readonly number[] {
    const { address, symbol, pid } = this.condition!;
    if (pid !== null && pid !== t.process.pid) return [];
    if (address !== null) return [address];
    const { areas } = t.space;
    let known = this.resolved.get(t.space.id);
    if (known === undefined || known.areas !== areas.length) {
      known = { areas: areas.length, addresses: this.symbols.find(t.space, symbol!) };
      this.resolved.set(t.space.id, known);
    }
    return known.addresses;
  }

  private isAtStop(t: Task): boolean {
    return this.addressesFor(t).includes(t.registers.pc);
  }

  /** Marks the instructions in the frames that hold them for this task now: mappings change only while the kernel runs. */
  private placeStops(t: Task): void {
    const wanted = new Map<number, Set<number>>();
    for (const address of this.addressesFor(t)) {
      const vpn = Math.floor(address / 4096);
      const pfn = t.space.table.frameOf(vpn);
      if (pfn === 0) continue;
      const offsets = wanted.get(pfn) ?? new Set();
      wanted.set(pfn, offsets.add(address - vpn * 4096));
    }
    for (const pfn of [...this.stopsSet.keys()]) if (!wanted.has(pfn)) this.setStops(pfn, null);
    for (const [pfn, offsets] of wanted) if (!sameSet(this.stopsSet.get(pfn), offsets)) this.setStops(pfn, offsets);
  }

  private setStops(pfn: number, offsets: ReadonlySet<number> | null): void {
    this.kernel.hart.setStops(pfn, offsets);
    if (offsets === null) this.stopsSet.delete(pfn);
    else this.stopsSet.set(pfn, offsets);
  }

  clearStops(): void {
    for (const pfn of [...this.stopsSet.keys()]) this.setStops(pfn, null);
  }

  /** Runs the instruction at a stop that has been reported. */
  private stepOver(): ExitReason {
    this.clearStops();
    return this.kernel.hart.runExactly(1);
  }
}

function sameSet(a: ReadonlySet<number> | undefined, b: ReadonlySet<number>): boolean {
  if (a === undefined || a.size !== b.size) return false;
  for (const value of b) if (!a.has(value)) return false;
  return true;
}
