// timerfd(2): expirations of a clock as something to read (fs/timerfd.c).
import { EAGAIN, ECANCELED, EFAULT, EINVAL } from "../../abi/errno.ts";
import { O_NONBLOCK, O_RDWR } from "../../abi/fcntl.ts";
import { TFD_IOC_SET_TICKS, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } from "../../abi/ipc.ts";
import { POLLIN, POLLRDNORM } from "../../abi/poll.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { Timer } from "../timers.ts";
import { WaitQueue } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { fetch64, set64, viewOf } from "./user-memory.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;

export class TimerFile extends AnonymousFile implements Timer {
  private readonly clockId: number;
  /** Monotonic ns of the next expiration; Infinity: disarmed. */
  private deadlineNs = Number.POSITIVE_INFINITY;
  private intervalNs = 0;
  /** Expirations not read yet. */
  private ticks = 0;
  /** The wall clock's offset at the last look, for TFD_TIMER_CANCEL_ON_SET. */
  private cancelOnSet = false;
  private wallOffsetNs = 0;
  private readonly queue = new WaitQueue();

  constructor(k: Kernel, clockId: number, flags: number) {
    super(k, "[timerfd]", O_RDWR | (flags & O_NONBLOCK));
    this.clockId = clockId;
  }

  private get wallClock(): boolean {
    return this.clockId === CLOCK_REALTIME || this.clockId === CLOCK_REALTIME_ALARM;
  }

  private currentWallOffset(): number {
    const wall = this.kernel.clock.wallAt(0);
    return wall.seconds * 1e9 + wall.nanoseconds;
  }

  /** timerfd_settime: seconds and nanoseconds are normalised; a zero value disarms. */
  set(flags: number, seconds: number, nanoseconds: number, intervalNs: number): void {
    const k = this.kernel;
    const armed = seconds !== 0 || nanoseconds !== 0;
    const absolute = (flags & TFD_TIMER_ABSTIME) !== 0;
    this.ticks = 0;
    this.intervalNs = intervalNs;
    if (!armed) this.deadlineNs = Number.POSITIVE_INFINITY;
    else if (!absolute) this.deadlineNs = k.clock.monotonicNs() + seconds * 1e9 + nanoseconds;
    else if (this.wallClock) this.deadlineNs = k.clock.monotonicAt(seconds, nanoseconds);
    else this.deadlineNs = seconds * 1e9 + nanoseconds;
    this.cancelOnSet = this.wallClock && absolute && (flags & TFD_TIMER_CANCEL_ON_SET) !== 0;
    this.wallOffsetNs = this.currentWallOffset();
    if (armed) k.timers.add(this.deadlineNs, this);
    else k.timers.remove(this);
  }

  /** Time left and interval, in ns; 0 left means disarmed. */
  get(): { leftNs: number; intervalNs: number } {
    this.catchUp();
    if (this.deadlineNs === Number.POSITIVE_INFINITY) return { leftNs: 0, intervalNs: this.intervalNs };
    return { leftNs: Math.max(1, this.deadlineNs - this.kernel.clock.monotonicNs()), intervalNs: this.intervalNs };
  }

  /** Counts the expirations that are due, also those the timer heap has not told of yet. */
  private catchUp(): void {
    const late = this.kernel.clock.monotonicNs() - this.deadlineNs;
    if (!(late >= 0)) return;
    if (this.intervalNs > 0) {
      const passed = Math.floor(late / this.intervalNs) + 1;
      this.ticks += passed;
      this.deadlineNs += passed * this.intervalNs;
      this.kernel.timers.add(this.deadlineNs, this);
    } else {
      this.ticks++;
      this.deadlineNs = Number.POSITIVE_INFINITY;
      this.kernel.timers.remove(this);
    }
  }

  fire(): void {
    this.catchUp();
    this.queue.wake();
  }

  override read(t: Task, io: IoCursor): number {
    if (io.remaining < 8) return -EINVAL;
    this.catchUp();
    if (this.cancelOnSet && this.currentWallOffset() !== this.wallOffsetNs) {
      this.wallOffsetNs = this.currentWallOffset();
      this.ticks = 0;
      return -ECANCELED;
    }
    if (this.ticks === 0) return this.nonBlocking ? -EAGAIN : t.block([this.queue]);
    const bytes = new Uint8Array(8);
    set64(viewOf(bytes), 0, this.ticks);
    this.ticks = 0;
    return io.put(bytes, 0, 8) === 8 ? 8 : -EFAULT;
  }

  override poll(): number {
    this.catchUp();
    return this.ticks > 0 ? POLLIN | POLLRDNORM : 0;
  }

  override fdInfo(): string {
    const { leftNs, intervalNs } = this.get();
    const pair = (ns: number) => `(${Math.floor(ns / 1e9)}, ${ns % 1e9})`;
    return `clockid: ${this.clockId}\nticks: ${this.ticks}\nsettime flags: 00\nit_value: ${pair(leftNs)}\nit_interval: ${pair(intervalNs)}\n`;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (request !== TFD_IOC_SET_TICKS) return super.ioctl(t, request, argument);
    const ticks = fetch64(t, argument);
    if (ticks === 0) return -EINVAL;
    this.ticks = ticks;
    this.queue.wake();
    return 0;
  }

  protected override closed(): void {
    super.closed();
    this.kernel.timers.remove(this);
  }
}
