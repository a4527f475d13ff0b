// eventfd(2): a 64-bit counter that readers take and writers add to (fs/eventfd.c). The counter is two unsigned halves.
import { EAGAIN, EFAULT, EINVAL } from "../../abi/errno.ts";
import { O_NONBLOCK, O_RDWR } from "../../abi/fcntl.ts";
import { EFD_SEMAPHORE } from "../../abi/ipc.ts";
import { POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { viewOf } from "./user-memory.ts";

const TWO_32 = 2 ** 32;
const ALL_ONES = 0xffffffff;

export class EventFile extends AnonymousFile {
  private low: number;
  private high = 0;
  private readonly semaphore: boolean;
  private readonly readQueue = new WaitQueue();
  private readonly writeQueue = new WaitQueue();

  /** `flags`: EFD_SEMAPHORE and O_NONBLOCK. */
  constructor(k: Kernel, initial: number, flags: number) {
    super(k, "[eventfd]", O_RDWR | (flags & O_NONBLOCK));
    this.low = initial >>> 0;
    this.semaphore = (flags & EFD_SEMAPHORE) !== 0;
  }

  override read(t: Task, io: IoCursor): number {
    if (io.remaining < 8) return -EINVAL;
    if (this.low === 0 && this.high === 0) return this.nonBlocking ? -EAGAIN : t.block([this.readQueue]);
    const bytes = new Uint8Array(8);
    const view = viewOf(bytes);
    view.setUint32(0, this.semaphore ? 1 : this.low, true);
    view.setUint32(4, this.semaphore ? 0 : this.high, true);
    if (this.semaphore) this.subtractOne();
    else this.low = this.high = 0;
    this.writeQueue.wake();
    return io.put(bytes, 0, 8) === 8 ? 8 : -EFAULT;
  }

  private subtractOne(): void {
    if (this.low === 0) this.high--;
    this.low = (this.low - 1) >>> 0;
  }

  override write(t: Task, io: IoCursor): number {
    if (io.remaining < 8) return -EINVAL;
    const bytes = new Uint8Array(8);
    if (io.take(bytes, 0, 8) < 8) return -EFAULT;
    const addLow = viewOf(bytes).getUint32(0, true);
    const addHigh = viewOf(bytes).getUint32(4, true);
    if (addLow === ALL_ONES && addHigh === ALL_ONES) return -EINVAL;
    const low = this.low + addLow;
    const high = this.high + addHigh + (low >= TWO_32 ? 1 : 0);
    // The largest value the counter may hold is 2^64 - 2.
    if (high >= TWO_32 || (high === ALL_ONES && low % TWO_32 === ALL_ONES)) {
      return this.nonBlocking ? -EAGAIN : t.block([this.writeQueue]);
    }
    this.low = low % TWO_32;
    this.high = high;
    this.readQueue.wake();
    return 8;
  }

  /** eventfd_signal: from inside the kernel. */
  increment(): void {
    if (this.high === ALL_ONES && this.low === ALL_ONES - 1) return;
    if (this.low === ALL_ONES) this.high++;
    this.low = (this.low + 1) >>> 0;
    this.readQueue.wake();
  }

  override poll(): number {
    let mask = 0;
    if (this.low !== 0 || this.high !== 0) mask |= POLLIN | POLLRDNORM;
    if (this.high === ALL_ONES && this.low === ALL_ONES) mask |= POLLERR;
    if (this.high !== ALL_ONES || this.low < ALL_ONES - 1) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }

  override fdInfo(): string {
    const count = (this.high * TWO_32 + this.low).toString(16).padStart(16);
    return `eventfd-count: ${count}\neventfd-semaphore: ${this.semaphore ? 1 : 0}\n`;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.readQueue, this.writeQueue];
  }
}
