// System-call entry and exit: finds the handler, runs and re-runs it, parks the task while it blocks, and puts results into a0.
import { EINTR, ENOSYS } from "../abi/errno.ts";
import { SIGKILL } from "../abi/signal.ts";
import { SYSCALL_NUMBERS, type SyscallName } from "../abi/syscall-numbers.ts";
import { UserfaultPending } from "../mm/userfault.ts";
import type { UserfaultFile } from "./ipc/userfaultfd.ts";
import type { Kernel } from "./kernel.ts";
import { LinuxError } from "./linux-error.ts";
import { restartWithoutSignal, restoreMaskAfter } from "./signals/deliver.ts";
import { traceEntry, traceExit } from "./strace.ts";
import { allSyscalls } from "./syscalls/index.ts";
import type { SyscallHandler, SyscallRow } from "./syscalls/registry.ts";
import { BLOCKED, NO_RESULT, type Task } from "./task.ts";
import { reportPendingEvent, stopAtSyscall, type Tracing } from "./tracing.ts";

const INSTRUCTION_BYTES = 4;
/** The largest number asm-generic/unistd.h could have in the near future; anything above is ENOSYS without a look. */
const TABLE_SIZE = 512;
/** Results at or below this are the kernel's own restart codes. */
const FIRST_RESTART_CODE = -512;

export interface DispatchTable {
  readonly handlers: (SyscallHandler | undefined)[];
  readonly rows: (SyscallRow | undefined)[];
  readonly names: (string | undefined)[];
}

/** From the declared tables to arrays indexed by number. */
export function buildDispatchTable(): DispatchTable {
  const declared = allSyscalls();
  const table: DispatchTable = {
    handlers: new Array<SyscallHandler | undefined>(TABLE_SIZE).fill(undefined),
    rows: new Array<SyscallRow | undefined>(TABLE_SIZE).fill(undefined),
    names: new Array<string | undefined>(TABLE_SIZE).fill(undefined),
  };
  for (const [name, number] of Object.entries(SYSCALL_NUMBERS)) {
    const row = declared[name as SyscallName];
    table.names[number] = name;
    table.rows[number] = row;
    table.handlers[number] = row?.run;
  }
  return table;
}

/** Number of the system call that the task asks for, or -1. */
export function requestedSyscall(t: Task): number {
  return t.registers.getXHigh(17) === 0 ? t.registers.getXLow(17) : -1;
}

/** An ecall: the task asks for something. Afterwards it is running with a result, parked, or gone. */
export function serveSyscall(k: Kernel, t: Task): void {
  const { registers, syscallArgs } = t;
  t.syscallNumber = requestedSyscall(t);
  t.syscallA0Low = registers.getXLow(10);
  t.syscallA0High = registers.getXHigh(10);
  registers.getArguments(syscallArgs);
  registers.pc += INSTRUCTION_BYTES;
  t.inSyscall = true;
  t.syscallCount++;
  if (k.config.strace) traceEntry(k, t);
  if (t.tracing !== null && stopAtSyscall(k, t, "entry")) {
    t.retrying = true;
    return;
  }
  runHandler(k, t);
}

/** A parked task was woken: its handler looks again. */
export function retrySyscall(k: Kernel, t: Task): void {
  if (t.tracing?.phase === "entry") reloadSyscall(t);
  runHandler(k, t);
}

/** After a stop at the entry: the tracer may have changed the call. */
function reloadSyscall(t: Task): void {
  const { registers, syscallArgs } = t;
  (t.tracing as Tracing).phase = "none";
  t.syscallNumber = requestedSyscall(t);
  registers.getArguments(syscallArgs);
}

function runHandler(k: Kernel, t: Task): void {
  const handler = k.syscalls.handlers[t.syscallNumber];
  if (handler === undefined) {
    reportMissing(k, t.syscallNumber);
    finish(k, t, -ENOSYS);
    return;
  }
  const args = t.syscallArgs;
  let result: number;
  // Faults on the way (copies to and from the caller's buffers, populate) are the task's too, as in mm_account_fault().
  const { faults } = t.space;
  const { minor, major } = faults;
  k.mm.mayWaitForUserfault = t.space.hasUserfault;
  try {
    result = handler(k, t, args[0], args[1], args[2], args[3], args[4], args[5]);
  } catch (error) {
    if (error instanceof UserfaultPending) {
      result = (error.context as UserfaultFile).await(t, error.address, error.access, error.isMinor);
    } else if (error instanceof LinuxError) result = -error.errno;
    else throw error;
  }
  k.mm.mayWaitForUserfault = false;
  t.minorFaults += faults.minor - minor;
  t.majorFaults += faults.major - major;
  if (result !== BLOCKED) finish(k, t, result);
  else if (t.state === "stopped") t.retrying = true;
  else if (isInterrupted(t)) finish(k, t, t.waitInterrupted);
  else {
    t.retrying = true;
    t.park();
  }
}

/** Does a pending signal end the wait? */
function isInterrupted(t: Task): boolean {
  if (!t.signalPending) return false;
  if (!t.waitKillable) return true;
  return t.signals.pending.set.has(SIGKILL) || t.process.signals.pending.set.has(SIGKILL);
}

function finish(k: Kernel, t: Task, result: number): void {
  if (k.config.strace) traceExit(k, t, result);
  t.endSyscall();
  if (!t.isAlive) return;
  if (result !== NO_RESULT) t.registers.setX(10, result);
  if (t.signals.savedMask !== null) restoreMaskAfter(t, result);
  if (t.tracing !== null) {
    reportPendingEvent(k, t);
    stopAtSyscall(k, t, "exit");
  }
  // A wake-up that was meant as an interruption, but the signal is gone (another thread took it): start again.
  if (result <= FIRST_RESTART_CODE && result > NO_RESULT && !t.signalPending) restartWithoutSignal(t);
}

function reportMissing(k: Kernel, number: number): void {
  if (k.reportedMissing.has(number)) return;
  k.reportedMissing.add(number);
  const name = k.syscalls.names[number] ?? "unknown";
  k.config.strace?.(`faultline: system call ${name} (number ${number}) is not implemented: ENOSYS`);
}

/** restart_syscall: goes on with what a signal without handler interrupted. */
export function restartInterrupted(k: Kernel, t: Task): number {
  const block = t.restart;
  if (block === null) return -EINTR;
  if (t.syscallState === undefined) {
    t.syscallState = block.state;
    t.syscallNumber = block.number;
    t.syscallArgs.set(block.args);
    t.restart = null;
  }
  const handler = k.syscalls.handlers[t.syscallNumber];
  if (handler === undefined) return -EINTR;
  const args = t.syscallArgs;
  return handler(k, t, args[0], args[1], args[2], args[3], args[4], args[5]);
}
