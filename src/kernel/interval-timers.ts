// setitimer(2): the three classic timers of a process (kernel/time/itimer.c).
import { SIGALRM, SIGPROF, SIGVTALRM } from "../abi/signal.ts";
import { addCpuTimer, type CpuTimer, removeCpuTimer } from "./cpu-timers.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { kernelSignal } from "./signals/siginfo.ts";
import type { Timer } from "./timers.ts";

export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;
const SIGNALS = [SIGALRM, SIGVTALRM, SIGPROF];

export class IntervalTimer implements Timer, CpuTimer {
  readonly process: Process;
  readonly which: number;
  deadlineNs = Number.POSITIVE_INFINITY;
  intervalNs = 0;

  constructor(process: Process, which: number) {
    this.process = process;
    this.which = which;
  }

  nowNs(): number {
    if (this.which === ITIMER_REAL) return this.process.kernel.clock.monotonicNs();
    return this.which === ITIMER_VIRTUAL ? this.process.usage().userNs : this.process.cpuNs;
  }

  /** `valueNs` 0 disarms. */
  set(valueNs: number, intervalNs: number): void {
    this.cancel();
    this.intervalNs = intervalNs;
    if (valueNs > 0) this.arm(this.nowNs() + valueNs);
  }

  private arm(deadlineNs: number): void {
    this.deadlineNs = deadlineNs;
    if (this.which === ITIMER_REAL) this.process.kernel.timers.add(deadlineNs, this);
    else addCpuTimer(this.process, this);
  }

  cancel(): void {
    this.deadlineNs = Number.POSITIVE_INFINITY;
    this.process.kernel.timers.remove(this);
    removeCpuTimer(this.process, this);
  }

  get remainingNs(): number {
    return this.deadlineNs === Number.POSITIVE_INFINITY ? 0 : Math.max(1000, this.deadlineNs - this.nowNs());
  }

  fire(k: Kernel): void {
    const due = this.deadlineNs;
    this.deadlineNs = Number.POSITIVE_INFINITY;
    k.sendSignal(this.process, kernelSignal(SIGNALS[this.which]));
    if (this.intervalNs === 0) return;
    const missed = Math.max(0, Math.floor((this.nowNs() - due) / this.intervalNs));
    this.arm(due + (missed + 1) * this.intervalNs);
  }
}

export function cancelIntervalTimers(_k: Kernel, process: Process): void {
  for (const timer of process.intervalTimers) timer?.cancel();
}
