// The course of a controlled run: what came from outside and when, and whole states of the machine at some moments. Knows how to
// be at an earlier moment again; does not run anything itself.
import type { Kernel } from "../../kernel/kernel.ts";
import { compareMoments, earlier, type Moment, NEVER } from "./moment.ts";
import { type Snapshot, type Snapshots, snapshotBytes } from "./snapshots.ts";

export interface TimelineOptions {
  /** Host memory that snapshots may take, in bytes. */
  memoryBytes: number;
  now: () => number;
}

interface Input {
  readonly moment: Moment;
  readonly apply: () => void;
  /** Called when it never happened after all. */
  readonly undone: () => void;
}

/** A snapshot is taken when the run since the last one took so long; and no more than this part of the time is spent on them. */
const SNAPSHOT_INTERVAL_MS = 120;
const MOST_OF_TIME = 0.05;
/** Sizes are counted anew after so many snapshots. */
const COUNT_EVERY = 16;

export class Timeline {
  private readonly kernel: Kernel;
  private readonly snapshots: Snapshots;
  private readonly options: TimelineOptions;
  private readonly inputs: Input[] = [];
  /** Inputs delivered at the present moment. */
  private delivered = 0;
  /** In the order of their moments; the first one is never given up. */
  private kept: Snapshot[] = [];
  /** The latest moment that was reached. */
  private frontier: Moment;
  private costMs = 20;
  private sinceMs: number;
  private untilCount = COUNT_EVERY;
  /** Bytes of the snapshots when they were last counted. */
  bytes = 0;

  constructor(kernel: Kernel, snapshots: Snapshots, options: TimelineOptions) {
    this.kernel = kernel;
    this.snapshots = snapshots;
    this.options = options;
    this.frontier = this.now;
    this.sinceMs = options.now();
    this.keep();
  }

  get now(): Moment {
    return { instructions: this.kernel.hart.instructions, turns: this.kernel.turns };
  }

  get first(): Moment {
    return this.kept[0].moment;
  }
  get latest(): Moment {
    return this.frontier;
  }
  get snapshotMoments(): Moment[] {
    return this.kept.map((snapshot) => snapshot.moment);
  }

  /** Whether what happens next has happened before. */
  get isRepeating(): boolean {
    return compareMoments(this.now, this.frontier) < 0;
  }

  /** Something from outside happens now. In the past, that ends the former future: answers true then. */
  record(apply: () => void, undone: () => void): boolean {
    const { now } = this;
    const changesCourse = this.isRepeating || this.delivered < this.inputs.length;
    if (changesCourse) {
      for (const input of this.inputs.splice(this.delivered)) input.undone();
      this.frontier = now;
      this.kept = this.kept.filter((s) => compareMoments(s.moment, now) < 0 || s === this.kept[0]);
    }
    this.inputs.push({ moment: now, apply, undone });
    this.delivered++;
    return changesCourse;
  }

  /** Delivers what came at this very moment when it was here before. */
  deliverRecorded(): void {
    while (this.delivered < this.inputs.length) {
      const input = this.inputs[this.delivered];
      const order = compareMoments(input.moment, this.now);
      if (order > 0) return;
      if (order < 0) throw new Error("replay went past the moment of an input");
      this.delivered++;
      input.apply();
    }
  }

  /** The next moment at which the run must be left: an input is due, or repetition ends. */
  get barrier(): Moment {
    const input = this.delivered < this.inputs.length ? this.inputs[this.delivered].moment : NEVER;
    return this.isRepeating ? earlier(input, this.frontier) : input;
  }

  /** The run has come further: notes how far, and takes a snapshot when it is time. */
  advanced(): void {
    if (!this.isRepeating) this.frontier = this.now;
    const elapsed = this.options.now() - this.sinceMs;
    if (elapsed >= Math.max(SNAPSHOT_INTERVAL_MS, this.costMs / MOST_OF_TIME)) this.keep();
  }

  /** The clock of snapshots starts now: the machine stood still. */
  resumed(): void {
    this.sinceMs = this.options.now();
  }

  /** Takes a snapshot of this moment, unless there is one. */
  keep(): void {
    const { now } = this;
    const start = this.options.now();
    const at = this.kept.findIndex((s) => compareMoments(s.moment, now) >= 0);
    if (at < 0 || compareMoments(this.kept[at].moment, now) !== 0) {
      const snapshot = this.snapshots.take(now, this.delivered);
      this.kept.splice(at < 0 ? this.kept.length : at, 0, snapshot);
      this.limitMemory();
    }
    this.sinceMs = this.options.now();
    // The least of late counts: one that a busy host held up says nothing of the next.
    this.costMs = Math.min(this.sinceMs - start, 1.3 * this.costMs + 2);
  }

  /** The last snapshot that is not later than `moment`. */
  snapshotBefore(moment: Moment): Moment {
    return this.latestUpTo(moment).moment;
  }

  /** Brings the machine to the last snapshot that is not later than `moment`. */
  restoreBefore(moment: Moment): void {
    const snapshot = this.latestUpTo(moment);
    this.snapshots.restore(snapshot);
    this.delivered = snapshot.inputs;
    this.sinceMs = this.options.now();
  }

  private latestUpTo(moment: Moment): Snapshot {
    let found = this.kept[0];
    for (const snapshot of this.kept) if (compareMoments(snapshot.moment, moment) <= 0) found = snapshot;
    return found;
  }

  /** Snapshots are thinned where they lie closest, measured by how long ago they are. */
  private limitMemory(): void {
    if (--this.untilCount > 0) return;
    this.untilCount = COUNT_EVERY;
    this.bytes = snapshotBytes(this.kept);
    while (this.bytes > this.options.memoryBytes && this.kept.length > 2) {
      for (let n = Math.ceil(this.kept.length / 4); n > 0 && this.kept.length > 2; n--)
        this.kept.splice(this.leastUseful(), 1);
      this.bytes = snapshotBytes(this.kept);
    }
  }

  private leastUseful(): number {
    const { kept } = this;
    const now = this.kernel.hart.instructions;
    let best = 1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 1; i < kept.length - 1; i++) {
      const gap = kept[i + 1].moment.instructions - kept[i - 1].moment.instructions;
      const use = gap / (Math.abs(now - kept[i].moment.instructions) + 1);
      if (use < least) {
        least = use;
        best = i;
      }
    }
    return best;
  }
}
