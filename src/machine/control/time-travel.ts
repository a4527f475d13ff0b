// Brings a machine to a moment it has been at: from the last snapshot before it, the run is repeated in silence, with the same inputs
// at the same moments. Searches the past the same way.
import type { Kernel } from "../../kernel/kernel.ts";
import type { CheckedCondition } from "./conditions.ts";
import type { Conductor, Reached } from "./conductor.ts";
import { GuestState, listWhole, swapToMemory } from "./guest-state.ts";
import { BEFORE_ALL, compareMoments, earlier, type Moment } from "./moment.ts";
import type { Controllable } from "./run-control.ts";
import { Snapshots } from "./snapshots.ts";
import { Timeline } from "./timeline.ts";

/** Instructions between two looks at the clock. */
const STEP = 4_000_000;
const BREATH_MS = 40;
/** A snapshot is kept so far before where one goes back to: the next step back begins there. */
const NEAR = 150_000;

export class TimeTravel {
  readonly timeline: Timeline;
  private readonly machine: Controllable;
  private readonly kernel: Kernel;
  private readonly conductor: Conductor;
  private abandoned = false;

  constructor(machine: Controllable, conductor: Conductor, historyBytes: number, verifies: boolean) {
    this.machine = machine;
    this.kernel = machine.kernel;
    this.conductor = conductor;
    machine.events.guardRecorder();
    for (const folder of machine.folders) listWhole(folder);
    const swap = machine.swapDevice === null ? null : swapToMemory(machine.kernel, machine.swapDevice);
    const scope = new GuestState(machine.kernel, machine.folders);
    const snapshots = new Snapshots(machine.kernel, [machine.kernel, machine.guestLinks], scope, swap, verifies);
    const now = () => machine.host.clock.monotonicNs() / 1e6;
    this.timeline = new Timeline(machine.kernel, snapshots, { memoryBytes: historyBytes, now });
  }

  /** Ends the journey under way where it is. */
  abandon(): void {
    this.abandoned = true;
  }

  /** To a moment between the first and the latest. False: abandoned on the way. */
  async goTo(target: Moment): Promise<boolean> {
    this.abandoned = false;
    return this.inSilence(() => this.travel(target, true));
  }

  /** Goes to the last moment before this one at which the condition held, and says what was there; null: never, and at the beginning. */
  async searchBack(condition: CheckedCondition): Promise<Reached | null> {
    this.abandoned = false;
    const { timeline } = this;
    const here = timeline.now;
    const paused: Reached = { reason: "pause", task: null, fault: null };
    for (let end = here; ; ) {
      const start = timeline.snapshotBefore({ instructions: end.instructions, turns: end.turns - 1 });
      if (compareMoments(start, end) >= 0) break;
      const found = await this.inSilence(() => this.lastMatch(start, end, here, condition));
      if (this.abandoned) return paused;
      if (found !== null) {
        if (!(await this.goTo(found.moment))) return paused;
        return { ...found.reached, task: this.kernel.scheduler.current ?? found.reached.task };
      }
      end = start;
    }
    return (await this.goTo(timeline.first)) ? null : paused;
  }

  private async lastMatch(
    start: Moment,
    end: Moment,
    before: Moment,
    condition: CheckedCondition,
  ): Promise<{ reached: Reached; moment: Moment } | null> {
    let last: { reached: Reached; moment: Moment } | null = null;
    const { conductor } = this;
    this.timeline.restoreBefore(start);
    conductor.onMatch = (reached, moment) => {
      if (compareMoments(moment, before) < 0) last = { reached, moment };
    };
    try {
      conductor.watch(condition);
      await this.travel(end, false);
    } finally {
      conductor.onMatch = null;
      conductor.watch(null);
    }
    return last;
  }

  private async inSilence<T>(journey: () => Promise<T>): Promise<T> {
    const { events } = this.machine;
    events.silent = events.repeating = true;
    try {
      return await journey();
    } finally {
      events.silent = events.repeating = false;
      this.conductor.clearLimit();
      this.kernel.pausing = false;
    }
  }

  /** `jump`: the last snapshot before the target is used, also where that is behind the present moment. */
  private async travel(target: Moment, jump: boolean): Promise<boolean> {
    const { timeline } = this;
    const isPast = compareMoments(timeline.now, target) > 0;
    if (isPast || (jump && compareMoments(timeline.snapshotBefore(target), timeline.now) > 0))
      timeline.restoreBefore(target);
    const near = jump ? { instructions: target.instructions - NEAR, turns: 0 } : BEFORE_ALL;
    let breath = this.clockMs;
    while (compareMoments(timeline.now, target) < 0) {
      if (this.abandoned) return false;
      this.repeat(target, near);
      if (this.clockMs - breath < BREATH_MS) continue;
      await this.machine.host.breathe();
      breath = this.clockMs;
    }
    return true;
  }

  /** Repeats a part of the run, at most up to `target`. */
  private repeat(target: Moment, near: Moment): void {
    const { timeline, conductor, kernel } = this;
    timeline.deliverRecorded();
    const before = timeline.now;
    const isFar = compareMoments(before, near) < 0;
    const limit = earlier(isFar ? near : target, timeline.barrier);
    conductor.setLimit(limit);
    kernel.step(STEP);
    kernel.pausing = false;
    if (conductor.overshot) {
      // The range that is run exactly is wider now.
      timeline.restoreBefore(target);
      return;
    }
    const { now } = timeline;
    if (isFar && compareMoments(now, near) >= 0) timeline.keep();
    if (compareMoments(now, before) === 0 && compareMoments(timeline.barrier, now) !== 0)
      throw new Error(`replay stands still after ${now.instructions} instructions`);
  }

  private get clockMs(): number {
    return this.machine.host.clock.monotonicNs() / 1e6;
  }
}
