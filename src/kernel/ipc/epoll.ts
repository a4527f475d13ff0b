// epoll(7): which of many files are ready, level- or edge-triggered, without asking all of them (fs/eventpoll.c).
//
// An item watches its file's queues; a wake-up puts it on the ready list; epoll_wait asks the files on that list, drops those
// that are not ready after all, and keeps level-triggered ones on it. Items of files whose last reference is gone are dropped
// when they are met, as if eventpoll_release had run at once.
import { EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM } from "../../abi/errno.ts";
import { O_RDWR } from "../../abi/fcntl.ts";
import * as P from "../../abi/poll.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { WaitQueue, type Watcher } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { viewOf } from "./user-memory.ts";

/** sizeof(struct epoll_event) on riscv64: events, padding, data. */
export const EPOLL_EVENT_BYTES = 16;
/** EP_MAX_NESTS: epoll files may watch each other this deep. */
const MAX_NESTING = 4;
const PRIVATE_BITS = P.EPOLLWAKEUP | P.EPOLLONESHOT | P.EPOLLET | P.EPOLLEXCLUSIVE;
const ALWAYS_REPORTED = P.POLLERR | P.POLLHUP;
const EXCLUSIVE_OK_BITS = P.POLLIN | P.POLLOUT | P.POLLERR | P.POLLHUP | P.EPOLLWAKEUP | P.EPOLLET | P.EPOLLEXCLUSIVE;

/** Files may narrow their queues to those that can announce `events`. */
interface PollsByEvent {
  pollQueues(events: number): readonly WaitQueue[];
}

class EpollItem implements Watcher {
  readonly epoll: EpollFile;
  readonly file: OpenFile;
  readonly fd: number;
  events = 0;
  dataLow = 0;
  dataHigh = 0;
  private queues: readonly WaitQueue[] = [];

  constructor(epoll: EpollFile, file: OpenFile, fd: number) {
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
  }

  /** EPOLLONESHOT fired: nothing is reported before the next EPOLL_CTL_MOD. */
  get disabled(): boolean {
    return (this.events & ~PRIVATE_BITS) === 0;
  }

  get fileIsGone(): boolean {
    return this.file.referenceCount <= 0;
  }

  watch(): void {
    this.unwatch();
    const wanted = (this.events & ~PRIVATE_BITS) | ALWAYS_REPORTED;
    this.queues = (this.file as PollsByEvent).pollQueues(wanted);
    for (const queue of this.queues) queue.watch(this);
  }

  unwatch(): void {
    for (const queue of this.queues) queue.unwatch(this);
    this.queues = [];
  }

  /** ep_poll_callback. */
  notified(_queue: WaitQueue): void {
    if (!this.disabled) this.epoll.becameReady(this);
  }

  readyEvents(): number {
    return this.file.poll() & ((this.events & ~PRIVATE_BITS) | ALWAYS_REPORTED);
  }
}

export class EpollFile extends AnonymousFile {
  private readonly items = new Map<OpenFile, Map<number, EpollItem>>();
  /** Items that may be ready, in the order they became so. */
  private readonly ready = new Set<EpollItem>();
  private readonly queue = new WaitQueue();

  constructor(k: Kernel) {
    super(k, "[eventpoll]", O_RDWR);
  }

  becameReady(item: EpollItem): void {
    if (this.ready.has(item)) {
      // Still to be looked at; whoever waits was woken already, except nested watchers that came since.
      this.queue.wake();
      return;
    }
    this.ready.add(item);
    this.queue.wake();
  }

  /** epoll_ctl. `event`: the 16 bytes of struct epoll_event, or null for EPOLL_CTL_DEL. */
  change(file: OpenFile, fd: number, operation: number, event: Uint8Array | null): number {
    if (!file.pollable) return -EPERM;
    if (file === this) return -EINVAL;
    let events = 0;
    if (event !== null) {
      events = viewOf(event).getInt32(0, true);
      if ((events & P.EPOLLEXCLUSIVE) !== 0) {
        if (operation === P.EPOLL_CTL_MOD) return -EINVAL;
        if (operation === P.EPOLL_CTL_ADD && (file instanceof EpollFile || (events & ~EXCLUSIVE_OK_BITS) !== 0)) {
          return -EINVAL;
        }
      }
    }
    const item = this.items.get(file)?.get(fd);
    switch (operation) {
      case P.EPOLL_CTL_ADD:
        if (file instanceof EpollFile && !mayNest(this, file)) return -ELOOP;
        if (item !== undefined) return -EEXIST;
        this.insert(file, fd, events, event as Uint8Array);
        return 0;
      case P.EPOLL_CTL_DEL:
        if (item === undefined) return -ENOENT;
        this.remove(item);
        return 0;
      case P.EPOLL_CTL_MOD:
        if (item === undefined) return -ENOENT;
        if ((item.events & P.EPOLLEXCLUSIVE) !== 0) return -EINVAL;
        this.modify(item, events, event as Uint8Array);
        return 0;
      default:
        return -EINVAL;
    }
  }

  private insert(file: OpenFile, fd: number, events: number, event: Uint8Array): void {
    let byFd = this.items.get(file);
    if (byFd === undefined) this.items.set(file, (byFd = new Map()));
    const item = new EpollItem(this, file, fd);
    byFd.set(fd, item);
    if (file instanceof EpollFile) file.watchedBy.add(this);
    this.modify(item, events, event);
  }

  private modify(item: EpollItem, events: number, event: Uint8Array): void {
    item.events = events;
    item.dataLow = viewOf(event).getInt32(8, true);
    item.dataHigh = viewOf(event).getInt32(12, true);
    item.watch();
    if (item.readyEvents() !== 0 && !item.disabled) this.becameReady(item);
  }

  private remove(item: EpollItem): void {
    item.unwatch();
    this.ready.delete(item);
    const byFd = this.items.get(item.file);
    byFd?.delete(item.fd);
    if (byFd?.size === 0) {
      this.items.delete(item.file);
      if (item.file instanceof EpollFile) item.file.watchedBy.delete(this);
    }
  }

  /** Epoll files that watch this one. */
  private readonly watchedBy = new Set<EpollFile>();

  /** How many levels of epoll files lie above and below, this one included. */
  heightAbove(): number {
    let height = 0;
    for (const epoll of this.watchedBy) height = Math.max(height, epoll.heightAbove());
    return height + 1;
  }

  depthBelow(): number {
    let depth = 0;
    for (const file of this.items.keys()) {
      if (file instanceof EpollFile && file.referenceCount > 0) depth = Math.max(depth, file.depthBelow());
    }
    return depth + 1;
  }

  reaches(target: EpollFile): boolean {
    if (this === target) return true;
    for (const file of this.items.keys()) if (file instanceof EpollFile && file.reaches(target)) return true;
    return false;
  }

  /** ep_send_events: at most `limit` events as struct epoll_event, or null when nothing is ready. */
  private collect(limit: number): { bytes: Uint8Array; count: number; again: EpollItem[] } | null {
    const bytes = new Uint8Array(Math.min(limit, this.ready.size) * EPOLL_EVENT_BYTES);
    const view = viewOf(bytes);
    const again: EpollItem[] = [];
    let count = 0;
    for (const item of this.ready) {
      if (count >= limit) break;
      this.ready.delete(item);
      if (item.fileIsGone) {
        this.remove(item);
        continue;
      }
      const events = item.disabled ? 0 : item.readyEvents();
      if (events === 0) continue;
      view.setInt32(count * EPOLL_EVENT_BYTES, events, true);
      view.setInt32(count * EPOLL_EVENT_BYTES + 8, item.dataLow, true);
      view.setInt32(count * EPOLL_EVENT_BYTES + 12, item.dataHigh, true);
      count++;
      again.push(item);
    }
    return count === 0 ? null : { bytes, count, again };
  }

  /** epoll_wait. `deadlineNs`: 0 = do not wait, Infinity = without limit. */
  wait(t: Task, address: number, limit: number, deadlineNs: number): number {
    const found = this.collect(limit);
    if (found === null) {
      if (deadlineNs === 0 || t.timedOut) return 0;
      return t.block([this.queue], { deadline: deadlineNs, interrupted: -EINTR });
    }
    const { bytes, count, again } = found;
    const length = count * EPOLL_EVENT_BYTES;
    const stored = t.space.copyOut(address, bytes, 0, length) === length;
    for (const item of again) {
      if (!stored) this.ready.add(item);
      else if ((item.events & P.EPOLLONESHOT) !== 0) item.events &= PRIVATE_BITS;
      else if ((item.events & P.EPOLLET) === 0) this.ready.add(item);
    }
    return stored ? count : -EFAULT;
  }

  override poll(): number {
    for (const item of this.ready) {
      if (item.fileIsGone) this.remove(item);
      else if (!item.disabled && item.readyEvents() !== 0) return P.POLLIN | P.POLLRDNORM;
      else this.ready.delete(item);
    }
    return 0;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue];
  }

  protected override closed(): void {
    super.closed();
    for (const byFd of [...this.items.values()]) for (const item of [...byFd.values()]) this.remove(item);
  }

  /** /proc/PID/fdinfo: one line per watched descriptor. */
  override fdInfo(): string {
    let text = "";
    for (const byFd of this.items.values()) {
      for (const item of byFd.values()) {
        if (item.fileIsGone) continue;
        const data = (BigInt(item.dataHigh >>> 0) << 32n) | BigInt(item.dataLow >>> 0);
        const { ino, dev } = item.file;
        text += `tfd: ${String(item.fd).padStart(8)} events: ${(item.events >>> 0).toString(16).padStart(8)} data: ${data.toString(16).padStart(16)}  pos:${item.file.position} ino:${ino.toString(16)} sdev:${dev.toString(16)}\n`;
      }
    }
    return text;
  }
}

/** ep_loop_check and reverse_path_check: no cycle, and no chain longer than the limit. */
function mayNest(outer: EpollFile, inner: EpollFile): boolean {
  if (inner.reaches(outer)) return false;
  return outer.heightAbove() + inner.depthBelow() <= MAX_NESTING + 1;
}

/** The epoll file of a descriptor; EINVAL for any other kind. */
export function epollOf(t: Task, fd: number): EpollFile {
  const file = t.files.get(fd);
  if (!(file instanceof EpollFile)) throw errno(EINVAL);
  return file;
}
