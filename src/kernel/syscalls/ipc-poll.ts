// System calls that wait for readiness: poll, select, epoll and their signal-mask variants. The work is in ipc/poll.ts and epoll.ts.
import { EFAULT, EINVAL } from "../../abi/errno.ts";
import { EPOLL_CLOEXEC, EPOLL_CTL_DEL } from "../../abi/poll.ts";
import { EPOLL_EVENT_BYTES, EpollFile, epollOf } from "../ipc/epoll.ts";
import { applySignalMask, optionalTimeout, pollDeadline, pollFiles, selectFiles, storeRemaining } from "../ipc/poll.ts";
import { fetchBytes, getUnsigned64, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const MAX_EVENTS = Math.floor(0x7fffffff / EPOLL_EVENT_BYTES);

function ppoll(
  k: Kernel,
  t: Task,
  files: number,
  count: number,
  timeout: number,
  mask: number,
  maskSize: number,
): number {
  const deadline = pollDeadline(k, t, t.isRetry ? Number.POSITIVE_INFINITY : optionalTimeout(t, timeout));
  applySignalMask(t, mask, maskSize);
  const result = pollFiles(k, t, files, count, deadline);
  storeRemaining(k, t, timeout, deadline);
  return result;
}

/** The sixth argument of pselect6 points to { mask, size }. */
function pselect(
  k: Kernel,
  t: Task,
  count: number,
  sets: readonly [number, number, number],
  timeout: number,
  maskPair: number,
): number {
  const deadline = pollDeadline(k, t, t.isRetry ? Number.POSITIVE_INFINITY : optionalTimeout(t, timeout));
  if (maskPair !== 0) {
    const pair = viewOf(fetchBytes(t, maskPair, 16));
    applySignalMask(t, getUnsigned64(pair, 0), getUnsigned64(pair, 8));
  }
  const result = selectFiles(k, t, count, sets, deadline);
  storeRemaining(k, t, timeout, deadline);
  return result;
}

function epollWait(
  k: Kernel,
  t: Task,
  fd: number,
  address: number,
  limit: number,
  timeoutNs: number,
  mask: number,
  maskSize: number,
): number {
  applySignalMask(t, mask, maskSize);
  if (limit <= 0 || limit > MAX_EVENTS) return -EINVAL;
  if (!(address >= 0 && address < 2 ** 38)) return -EFAULT;
  return epollOf(t, fd).wait(t, address, limit, pollDeadline(k, t, timeoutNs));
}

export const pollSyscalls = defineSyscalls({
  ppoll: {
    args: "files:ptr count:int timeout:ptr mask:ptr maskSize:int",
    run: (k, t, files, count, timeout, mask, size) => ppoll(k, t, files, count >>> 0, timeout, mask, size),
  },
  pselect6: {
    args: "count:int readable:ptr writable:ptr exceptional:ptr timeout:ptr mask:ptr",
    run: (k, t, count, read, write, except, timeout, mask) =>
      pselect(k, t, count | 0, [read, write, except], timeout, mask),
  },
  epoll_create1: {
    args: "flags:flags",
    run: (k, t, flags) => {
      if ((flags & ~EPOLL_CLOEXEC) !== 0) return -EINVAL;
      return t.files.install(new EpollFile(k), { cloexec: (flags & EPOLL_CLOEXEC) !== 0 });
    },
  },
  epoll_ctl: {
    args: "epfd:fd operation:int fd:fd event:ptr",
    run: (_k, t, epfd, operation, fd, event) => {
      const change = (operation | 0) === EPOLL_CTL_DEL ? null : fetchBytes(t, event, EPOLL_EVENT_BYTES);
      // EBADF for either descriptor comes before EINVAL for the first not being an epoll file.
      t.files.get(epfd | 0);
      const file = t.files.get(fd | 0);
      return epollOf(t, epfd | 0).change(file, fd | 0, operation | 0, change);
    },
  },
  epoll_pwait: {
    args: "epfd:fd events:ptr limit:int timeout:int mask:ptr maskSize:int",
    run: (k, t, epfd, events, limit, timeout, mask, size) => {
      const ms = timeout | 0;
      const timeoutNs = ms < 0 ? Number.POSITIVE_INFINITY : ms * 1e6;
      return epollWait(k, t, epfd | 0, events, limit | 0, timeoutNs, mask, size);
    },
  },
  epoll_pwait2: {
    args: "epfd:fd events:ptr limit:int timeout:ptr mask:ptr maskSize:int",
    run: (k, t, epfd, events, limit, timeout, mask, size) =>
      epollWait(k, t, epfd | 0, events, limit | 0, optionalTimeout(t, timeout), mask, size),
  },
});
