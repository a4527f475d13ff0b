// pidfd: an open file that stands for a process or thread, readable once it has ended (kernel/pid.c, fs/pidfs.c).
import { EBADF, EINVAL, ESRCH } from "../abi/errno.ts";
import { O_NONBLOCK, O_RDWR } from "../abi/fcntl.ts";
import { POLLHUP, POLLIN, POLLRDNORM } from "../abi/poll.ts";
import { PIDFD_NONBLOCK, PIDFD_THREAD } from "../abi/sched.ts";
import { AnonymousFile } from "./ipc/anonymous-file.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import type { Task } from "./task.ts";
import type { WaitQueue } from "./wait-queue.ts";

export class PidFd extends AnonymousFile {
  readonly task: Task;
  /** Made with PIDFD_THREAD: signals go to the thread. */
  readonly isThread: boolean;

  constructor(k: Kernel, task: Task, flags: number) {
    super(k, "[pidfd]", O_RDWR | (flags & PIDFD_NONBLOCK ? O_NONBLOCK : 0));
    this.task = task;
    this.isThread = (flags & PIDFD_THREAD) !== 0;
  }

  override poll(): number {
    const { process } = this.task;
    if (process.state === "reaped") return POLLIN | POLLRDNORM | POLLHUP;
    const ended = this.isThread ? !this.task.isAlive : process.state !== "alive";
    return ended ? POLLIN | POLLRDNORM : 0;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.task.process.exited];
  }
}

/** A new descriptor, close-on-exec, for `task`. */
export function installPidFd(k: Kernel, t: Task, task: Task, flags: number): number {
  return t.files.install(new PidFd(k, task, flags), { cloexec: true });
}

/** pidfd_open(): only of a process (its leader), unless PIDFD_THREAD. */
export function openPidFd(k: Kernel, t: Task, pid: number, flags: number): number {
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const task = k.tasks.get(pid);
  if (task === undefined) return -ESRCH;
  if ((flags & PIDFD_THREAD) === 0 && !task.isLeader) return -EINVAL;
  return installPidFd(k, t, task, flags);
}

export function pidFdOf(t: Task, fd: number): PidFd {
  const file = t.files.get(fd);
  if (!(file instanceof PidFd)) throw errno(EBADF);
  return file;
}
