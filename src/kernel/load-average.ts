// The load average: how many tasks run or wait to run, damped over 1, 5 and 15 minutes (kernel/sched/loadavg.c).

const SAMPLE_NS = 5e9;
const SAMPLE_SECONDS = 5;
const DECAYS = [60, 300, 900].map((seconds) => Math.exp(-SAMPLE_SECONDS / seconds));

export class LoadAverage {
  /** Over 1, 5 and 15 minutes. */
  readonly values: number[] = [0, 0, 0];
  private nextNs = SAMPLE_NS;

  /** The time up to `nowNs` passed, and this many tasks ran or could: a sample is taken every five seconds. */
  pass(nowNs: number, active: number): void {
    if (nowNs < this.nextNs) return;
    const samples = Math.floor((nowNs - this.nextNs) / SAMPLE_NS) + 1;
    for (let i = 0; i < this.values.length; i++) {
      const kept = DECAYS[i] ** samples;
      this.values[i] = this.values[i] * kept + active * (1 - kept);
    }
    this.nextNs += samples * SAMPLE_NS;
  }
}
