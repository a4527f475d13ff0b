// Rates over time from counters that only grow: what the timeline draws. Keeps the last samples in a ring.

export const SERIES = [
  { name: "minor", label: "minor faults" },
  { name: "major", label: "major faults" },
  { name: "copies", label: "copies" },
  { name: "evicted", label: "evictions" },
  { name: "swapIn", label: "swap in" },
  { name: "swapOut", label: "swap out" },
] as const;
export type SeriesName = (typeof SERIES)[number]["name"];
export type Totals = Record<SeriesName, number>;

export interface Sample {
  /** Milliseconds of the page's clock. */
  ms: number;
  instructions: number;
  /** Events per second since the sample before. */
  rates: Totals;
  freeFrames: number;
}

const KEPT = 600;

export class Timeline {
  readonly samples: Sample[] = [];
  private last: { ms: number; totals: Totals; instructions: number } | null = null;

  /** Counters went back (another program, or an earlier moment): they are taken anew. */
  add(ms: number, instructions: number, totals: Totals, freeFrames: number): void {
    const { last } = this;
    this.last = { ms, totals: { ...totals }, instructions };
    if (last === null || ms <= last.ms || instructions < last.instructions) return;
    const seconds = (ms - last.ms) / 1000;
    const rates = Object.fromEntries(
      SERIES.map(({ name }) => [name, Math.max(0, totals[name] - last.totals[name]) / seconds]),
    ) as Totals;
    this.samples.push({ ms, instructions, rates, freeFrames });
    if (this.samples.length > KEPT) this.samples.shift();
  }

  clear(): void {
    this.samples.length = 0;
    this.last = null;
  }

  /** The highest rate of the samples shown, at least 1. */
  get peak(): number {
    return this.samples.reduce((most, { rates }) => Math.max(most, ...SERIES.map(({ name }) => rates[name])), 1);
  }
}

/** Totals from the counters of /proc/vmstat. */
export function totalsOf(counters: Readonly<Record<string, number>>): Totals {
  const { pgfault = 0, pgmajfault = 0, pswpin = 0, pswpout = 0, pgsteal = 0, pgcopy = 0 } = counters;
  return {
    minor: pgfault - pgmajfault,
    major: pgmajfault,
    copies: pgcopy,
    evicted: pgsteal,
    swapIn: pswpin,
    swapOut: pswpout,
  };
}
