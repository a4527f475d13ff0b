// Where tasks wait for something to happen (Linux wait_queue_head_t). A queue only makes tasks runnable; it runs nothing.
import type { Task } from "./task.ts";

export class WaitQueue {
  /** Tasks parked here, oldest first. A task may be parked on several queues at once (poll). */
  private readonly waiters = new Set<Task>();
  /** epoll instances and signalfd-like watchers that must hear of readiness changes without being tasks. */
  private readonly watchers = new Set<Watcher>();

  get length(): number {
    return this.waiters.size;
  }

  add(task: Task): void {
    this.waiters.add(task);
  }

  remove(task: Task): void {
    this.waiters.delete(task);
  }

  watch(watcher: Watcher): void {
    this.watchers.add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.watchers.delete(watcher);
  }

  /** Makes up to `count` waiting tasks runnable, in FIFO order, and tells every watcher. Returns how many tasks. */
  wake(count = Number.POSITIVE_INFINITY): number {
    let woken = 0;
    for (const task of this.waiters) {
      if (woken >= count) break;
      task.wake();
      woken++;
    }
    for (const watcher of this.watchers) watcher.notified(this);
    return woken;
  }
}

/** Something that reacts to readiness without being a task (an epoll instance marks its item as possibly ready). */
export interface Watcher {
  notified(queue: WaitQueue): void;
}
