// Runs one task for a slice: the loop between the hart and the kernel. What an exit of the hart means is decided here; the answers
// are in dispatch.ts, page-fault.ts and signals/.
//
// A slice can be left between any two turns of the loop and gone on with later (run control, the end of a step): what it needs is
// in plain fields, and leaving it does not change where it ends.
import { BUS_ADRALN, ILL_ILLOPC, SIGBUS, SIGILL, SIGTRAP, TRAP_BRKPT } from "../abi/signal.ts";
import {
  EXIT_BREAKPOINT,
  EXIT_ECALL,
  EXIT_FUEL,
  EXIT_ILLEGAL,
  EXIT_LIMIT,
  EXIT_MISALIGNED_ATOMIC,
  EXIT_PAGE_FAULT,
} from "../cpu/exits.ts";
import { checkCpuTimers } from "./cpu-timers.ts";
import { retrySyscall, serveSyscall } from "./dispatch.ts";
import type { Kernel } from "./kernel.ts";
import { handlePageFault } from "./page-fault.ts";
import { fixupRseq } from "./rseq.ts";
import { deliverSignals } from "./signals/deliver.ts";
import { forceFault } from "./signals/send.ts";
import type { Task } from "./task.ts";
import { finishEvent } from "./tracing.ts";

/** What entering the kernel costs of a slice, in instructions: keeps rounds fair among tasks that only make system calls. */
const KERNEL_ENTRY_COST = 100;

/** The turn of one task on the hart. */
export class Slice {
  /** null: no slice has begun. */
  task: Task | null = null;
  granted = 0;
  /** Below 0, the slice ends at the next place where one can. */
  left = 0;
  entries = 0;
  startNs = 0;
  /** The hart was stopped in straight-line code (EXIT_LIMIT): no slice ends here. */
  isMidRun = false;
  /** The hart stands at an ecall that has not been served. */
  isAtCall = false;
}

/** The task gets the hart. */
export function beginSlice(k: Kernel, t: Task): void {
  const { scheduler, slice } = k;
  k.turns++;
  slice.startNs = k.sliceStartNs = k.clock.monotonicNs();
  k.load.pass(slice.startNs, 0);
  slice.task = t;
  slice.granted = slice.left = scheduler.sliceOf(t);
  slice.entries = 0;
  slice.isMidRun = slice.isAtCall = false;
  scheduler.current = t;
  t.state = "running";
  if (t.tracing !== null) finishEvent(k, t);
  if (t.rseqAddress !== 0 && scheduler.switched) fixupRseq(k, t);
  if (t.retrying) {
    retrySyscall(k, t);
    slice.left -= KERNEL_ENTRY_COST;
    slice.entries++;
  }
}

/** What comes after a turn of the loop. */
const GO_ON = 0;
const PAUSE = 1;
const END = 2;

/**
 * Goes on with the slice until it is over, about `budget` of it is used up, or k.pausing is set. Returns what was used. A slice
 * that is not over has its task in slice.task.
 */
export function runSlice(k: Kernel, budget: number): number {
  const { slice } = k;
  const t = slice.task as Task;
  const atStart = slice.left;
  const floor = atStart - budget;
  let next = GO_ON;
  while (next === GO_ON) next = takeTurn(k, t, floor);
  if (next === PAUSE) return atStart - slice.left;
  k.scheduler.yielding = false;
  finishSlice(k, t);
  return Math.max(1, atStart - slice.left);
}

/**
 * One turn of the loop: something for the kernel to do, or the hart up to its next exit. A function of its own, so that the engine
 * does not throw away the optimised loop when a slice first ends.
 */
function takeTurn(k: Kernel, t: Task, floor: number): number {
  const { hart, scheduler, slice } = k;
  if (t.state !== "running") return END;
  if (k.pausing || k.turns >= k.turnLimit) return PAUSE;
  if (slice.isAtCall) {
    slice.isAtCall = false;
    k.turns++;
    serveSyscall(k, t);
    return GO_ON;
  }
  if (t.signalPending) {
    k.turns++;
    deliverSignals(k, t);
    return GO_ON;
  }
  if ((slice.left <= 0 && !slice.isMidRun) || scheduler.yielding) return END;
  if (slice.left <= floor) return PAUSE;
  hart.setSpace(t.space);
  hart.switchTo(t.registers);
  t.inSyscall = false;
  const before = hart.instructions;
  const fuel = Math.min(slice.left, slice.left - floor);
  const reason = k.hooks === null ? hart.run(fuel) : k.hooks.run(t, fuel);
  const used = hart.instructions - before;
  slice.left -= used;
  if (reason === EXIT_LIMIT) {
    if (used > 0) slice.isMidRun = true;
    return GO_ON;
  }
  slice.isMidRun = false;
  if (reason === EXIT_FUEL) return GO_ON;
  k.turns++;
  slice.left -= KERNEL_ENTRY_COST;
  slice.entries++;
  if (reason === EXIT_ECALL) {
    slice.isAtCall = true;
    if (k.hooks !== null) k.hooks.syscallBegins(t);
  } else handleTrap(k, t, reason);
  return GO_ON;
}

/** do_trap_*: faults and exceptions that are not system calls. */
function handleTrap(k: Kernel, t: Task, reason: number): void {
  const { hart } = k;
  const { pcLow, pcHigh } = t.registers;
  switch (reason) {
    case EXIT_PAGE_FAULT:
      handlePageFault(k, t, hart.faultAddressLow, hart.faultAddressHigh, hart.faultAccess);
      return;
    case EXIT_ILLEGAL:
      forceFault(k, t, SIGILL, ILL_ILLOPC, pcLow, pcHigh);
      return;
    case EXIT_BREAKPOINT:
      forceFault(k, t, SIGTRAP, TRAP_BRKPT, pcLow, pcHigh);
      return;
    case EXIT_MISALIGNED_ATOMIC:
      forceFault(k, t, SIGBUS, BUS_ADRALN, pcLow, pcHigh);
      return;
    default:
      throw new Error(`the hart stopped for an unknown reason: ${reason}`);
  }
}

/**
 * Accounts the time, fires CPU timers, and puts a task that can go on at the end of the queue. Which part of the slice was
 * system time is estimated from the number of kernel entries: reading a clock at each would cost more than the entry.
 */
function finishSlice(k: Kernel, t: Task): void {
  const { slice } = k;
  const used = k.clock.monotonicNs() - slice.startNs;
  const cost = Math.max(1, slice.granted - slice.left);
  const systemNs = Math.floor(used * ((slice.entries * KERNEL_ENTRY_COST) / cost));
  k.turns++;
  slice.task = null;
  k.clock.addBusy(used);
  k.load.pass(slice.startNs + used, k.scheduler.runnableCount());
  const account = t.isAlive ? t : t.process.ownUsage;
  account.systemNs += systemNs;
  account.userNs += used - systemNs;
  if (t.isAlive) checkCpuTimers(k, t);
  if (t.state === "running") {
    t.state = "runnable";
    t.involuntarySwitches++;
    k.scheduler.enqueue(t);
  }
  k.scheduler.current = null;
}
