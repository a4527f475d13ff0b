// Which task runs next: one queue, round robin, slices counted in instructions, so that a run is a function of its inputs.
import type { Task } from "./task.ts";

/** Instructions before another runnable task gets its turn, at nice 0. */
export const SLICE_INSTRUCTIONS = 100_000;

export class Scheduler {
  /** The task on the hart, also while the kernel works for it. */
  current: Task | null = null;
  /** sched_yield: the running task's slice ends now. */
  yielding = false;
  /** Another task than before was picked last. */
  switched = false;
  /** Context switches so far. */
  switches = 0;
  /** Runnable tasks in order; a ring over `queue`. */
  private queue: (Task | null)[] = new Array<Task | null>(64).fill(null);
  private head = 0;
  private count = 0;
  private lastRun: Task | null = null;

  /** Puts a runnable task at the end of the queue. */
  enqueue(task: Task): void {
    if (this.count === this.queue.length) this.grow();
    this.queue[(this.head + this.count++) % this.queue.length] = task;
  }

  /** The next runnable task, or null. Tasks that died or stopped since they were queued are skipped. */
  next(): Task | null {
    while (this.count > 0) {
      const task = this.queue[this.head] as Task;
      this.queue[this.head] = null;
      this.head = (this.head + 1) % this.queue.length;
      this.count--;
      if (task.state !== "runnable") continue;
      this.switched = task !== this.lastRun;
      if (this.switched) this.switches++;
      this.lastRun = task;
      return task;
    }
    return null;
  }

  /** Takes a task out of the queue (it stopped or died). */
  remove(task: Task): void {
    const kept: Task[] = [];
    for (let i = 0; i < this.count; i++) {
      const queued = this.queue[(this.head + i) % this.queue.length] as Task;
      if (queued !== task) kept.push(queued);
    }
    this.queue.fill(null);
    this.head = 0;
    this.count = kept.length;
    for (let i = 0; i < kept.length; i++) this.queue[i] = kept[i];
    if (this.lastRun === task) this.lastRun = null;
  }

  /** Runnable tasks including the running one. */
  runnableCount(): number {
    return this.count + (this.current !== null ? 1 : 0);
  }

  get hasRunnable(): boolean {
    return this.count > 0;
  }

  /** Slice of a task: a nicer task gets a shorter one, as CFS weights shares (1.25 a step). */
  sliceOf(task: Task): number {
    return task.nice === 0 ? SLICE_INSTRUCTIONS : Math.max(1000, Math.floor(SLICE_INSTRUCTIONS * 1.25 ** -task.nice));
  }

  private grow(): void {
    const bigger = new Array<Task | null>(this.queue.length * 2).fill(null);
    for (let i = 0; i < this.count; i++) bigger[i] = this.queue[(this.head + i) % this.queue.length];
    this.queue = bigger;
    this.head = 0;
  }
}
