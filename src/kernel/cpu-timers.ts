// Timers on CPU time: ITIMER_VIRTUAL, ITIMER_PROF, POSIX timers on CPU clocks, and RLIMIT_CPU. Looked at after every slice.
import { RLIMIT_CPU } from "../abi/resource.ts";
import { SIGKILL, SIGXCPU } from "../abi/signal.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { kernelSignal } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";

export interface CpuTimer {
  /** On the timer's own axis. */
  readonly deadlineNs: number;
  nowNs(): number;
  fire(k: Kernel): void;
}

export function addCpuTimer(process: Process, timer: CpuTimer): void {
  process.cpuTimers.add(timer);
}

export function removeCpuTimer(process: Process, timer: CpuTimer): void {
  process.cpuTimers.delete(timer);
}

/** run_posix_cpu_timers() for the task that just ran. */
export function checkCpuTimers(k: Kernel, t: Task): void {
  const { process } = t;
  for (const timer of process.cpuTimers) {
    if (timer.nowNs() < timer.deadlineNs) continue;
    process.cpuTimers.delete(timer);
    timer.fire(k);
  }
  const soft = process.limits.soft[RLIMIT_CPU];
  if (soft === Number.POSITIVE_INFINITY) return;
  const seconds = process.cpuNs / 1e9;
  if (seconds >= process.limits.hard[RLIMIT_CPU]) k.sendSignal(process, kernelSignal(SIGKILL));
  else if (seconds >= Math.max(soft, process.nextCpuSignalSeconds)) {
    process.nextCpuSignalSeconds = Math.floor(seconds) + 1;
    k.sendSignal(process, kernelSignal(SIGXCPU));
  }
}
