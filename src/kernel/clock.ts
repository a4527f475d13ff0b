// Guest time: monotonic nanoseconds and the wall clock, from the host or, under a seed, from the instruction count alone.

export interface HostClock {
  /** Nanoseconds of a clock that never goes back. */
  monotonicNs(): number;
  /** The wall clock as seconds and nanoseconds since 1970. */
  realtime(): WallTime;
}

export interface WallTime {
  seconds: number;
  nanoseconds: number;
}

/** Where a seeded machine believes it was switched on: 2026-01-01T00:00:00Z. */
const SEEDED_BOOT_SECONDS = 1767225600;

export class Clock {
  /** null under a seed: then one instruction takes one nanosecond, and idle time is skipped. */
  private readonly host: HostClock | null;
  private readonly instructions: () => number;
  private readonly startNs: number;
  /** Wall time at monotonic 0; moved by clock_settime. */
  private bootSeconds: number;
  private bootNanoseconds: number;
  private skippedNs = 0;
  private busy = 0;
  private readonly startOfMachine: WallTime;

  /** `instructions`: retired by the hart so far. */
  constructor(host: HostClock | null, instructions: () => number) {
    this.host = host;
    this.instructions = instructions;
    this.startNs = host?.monotonicNs() ?? 0;
    const wall = host?.realtime() ?? { seconds: SEEDED_BOOT_SECONDS, nanoseconds: 0 };
    this.bootSeconds = wall.seconds;
    this.bootNanoseconds = wall.nanoseconds;
    this.startOfMachine = wall;
  }

  get isVirtual(): boolean {
    return this.host === null;
  }

  /** Nanoseconds since the machine was made. */
  monotonicNs(): number {
    if (this.host === null) return this.instructions() + this.skippedNs;
    return Math.max(0, Math.floor(this.host.monotonicNs() - this.startNs));
  }

  realtime(): WallTime {
    return this.wallAt(this.monotonicNs());
  }

  /** The wall time at a monotonic time. */
  wallAt(monotonicNs: number): WallTime {
    const seconds = Math.floor(monotonicNs / 1e9);
    let nanoseconds = this.bootNanoseconds + (monotonicNs - seconds * 1e9);
    let total = this.bootSeconds + seconds;
    if (nanoseconds >= 1e9) {
      nanoseconds -= 1e9;
      total++;
    }
    return { seconds: total, nanoseconds };
  }

  /** The monotonic time at which the wall clock shows `seconds` and `nanoseconds`. */
  monotonicAt(seconds: number, nanoseconds: number): number {
    return (seconds - this.bootSeconds) * 1e9 + (nanoseconds - this.bootNanoseconds);
  }

  /** clock_settime(CLOCK_REALTIME). */
  setRealtime(seconds: number, nanoseconds: number): void {
    const now = this.monotonicNs();
    const whole = Math.floor(now / 1e9);
    this.bootSeconds = seconds - whole;
    this.bootNanoseconds = nanoseconds - (now - whole * 1e9);
    if (this.bootNanoseconds < 0) {
      this.bootNanoseconds += 1e9;
      this.bootSeconds--;
    }
  }

  /** Wall time when the machine was made (btime of /proc/stat). */
  bootTime(): WallTime {
    return this.startOfMachine;
  }

  /** Time during which some task ran. */
  busyNs(): number {
    return this.busy;
  }

  addBusy(ns: number): void {
    this.busy += ns;
  }

  /** Under a seed nothing happens until `deadlineNs`: jump there. */
  skipTo(deadlineNs: number): void {
    if (this.host !== null) return;
    this.skippedNs += Math.max(0, deadlineNs - this.monotonicNs());
  }
}
