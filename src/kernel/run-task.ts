// Runs one task for a slice: the loop between the hart and the kernel. What an exit of the hart means is decided here; the answers
// are in dispatch.ts, page-fault.ts and signals/.
import { BUS_ADRALN, ILL_ILLOPC, SIGBUS, SIGILL, SIGTRAP, TRAP_BRKPT } from "../abi/signal.ts";
import {
  EXIT_BREAKPOINT,
  EXIT_ECALL,
  EXIT_FUEL,
  EXIT_ILLEGAL,
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

/** Runs `t` until its slice or `budget` is used up, or it stops being runnable. Returns what was used. */
export function runTask(k: Kernel, t: Task, budget: number): number {
  const { hart, scheduler } = k;
  const startNs = k.clock.monotonicNs();
  k.sliceStartNs = startNs;
  const slice = Math.min(scheduler.sliceOf(t), budget);
  let left = slice;
  let entries = 0;
  scheduler.current = t;
  t.state = "running";
  if (t.tracing !== null) finishEvent(k, t);
  if (t.rseqAddress !== 0 && scheduler.switched) fixupRseq(k, t);
  if (t.retrying) {
    retrySyscall(k, t);
    left -= KERNEL_ENTRY_COST;
    entries++;
  }
  while (t.state === "running") {
    if (t.signalPending) {
      deliverSignals(k, t);
      continue;
    }
    if (left <= 0 || scheduler.yielding) break;
    hart.setSpace(t.space);
    hart.switchTo(t.registers);
    t.inSyscall = false;
    const before = hart.instructions;
    const reason = hart.run(left);
    left -= hart.instructions - before;
    if (reason === EXIT_FUEL) continue;
    left -= KERNEL_ENTRY_COST;
    entries++;
    if (reason === EXIT_ECALL) serveSyscall(k, t);
    else handleTrap(k, t, reason);
  }
  scheduler.yielding = false;
  const cost = Math.max(1, slice - left);
  finishSlice(k, t, startNs, (entries * KERNEL_ENTRY_COST) / cost);
  return cost;
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
function finishSlice(k: Kernel, t: Task, startNs: number, kernelShare: number): void {
  const used = k.clock.monotonicNs() - startNs;
  const systemNs = Math.floor(used * kernelShare);
  k.clock.addBusy(used);
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
