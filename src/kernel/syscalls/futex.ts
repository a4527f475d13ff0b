// futex(2), the futex2 calls and robust lists: decoding of operations and timeouts; the work is in ../futex.ts and ../futex-pi.ts.
import { EINVAL, ENOSYS, EPERM, ESRCH } from "../../abi/errno.ts";
import * as F from "../../abi/futex.ts";
import { mayAccess } from "../access.ts";
import { futexKey, futexRequeue, futexWait, futexWaitVector, futexWakeOp, type VectorEntry } from "../futex.ts";
import { lockPi, unlockPi } from "../futex-pi.ts";
import { fetchBytes, get64, storeU64, timespecNs, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from "../posix-timers.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

/** A timespec as a monotonic deadline. `kind`: relative to now, or absolute on a clock. */
function deadlineOf(k: Kernel, t: Task, address: number, kind: "relative" | "monotonic" | "wall"): number {
  if (address === 0) return Number.POSITIVE_INFINITY;
  const view = viewOf(fetchBytes(t, address, 16));
  const seconds = get64(view, 0);
  const nanoseconds = get64(view, 8);
  const ns = timespecNs(seconds, nanoseconds);
  if (kind === "relative") return k.clock.monotonicNs() + ns;
  return kind === "wall" ? k.clock.monotonicAt(seconds, nanoseconds) : ns;
}

function futex(
  k: Kernel,
  t: Task,
  address: number,
  op: number,
  value: number,
  timeout: number,
  second: number,
  third: number,
): number {
  const command = op & F.FUTEX_CMD_MASK;
  const isPrivate = (op & F.FUTEX_PRIVATE_FLAG) !== 0;
  const wall = (op & F.FUTEX_CLOCK_REALTIME) !== 0;
  const clock = wall ? "wall" : "monotonic";
  const second32 = timeout | 0;
  if (wall && ![F.FUTEX_WAIT, F.FUTEX_WAIT_BITSET, F.FUTEX_WAIT_REQUEUE_PI, F.FUTEX_LOCK_PI2].includes(command as 0))
    return -ENOSYS;
  switch (command) {
    case F.FUTEX_WAIT:
      return futexWait(k, t, address, isPrivate, value, -1, () => deadlineOf(k, t, timeout, "relative"));
    case F.FUTEX_WAIT_BITSET:
      return futexWait(k, t, address, isPrivate, value, third | 0, () => deadlineOf(k, t, timeout, clock));
    case F.FUTEX_WAKE:
      return k.futexes.wake(futexKey(t, address, isPrivate), wakeCount(value), -1);
    case F.FUTEX_WAKE_BITSET:
      if ((third | 0) === 0) return -EINVAL;
      return k.futexes.wake(futexKey(t, address, isPrivate), wakeCount(value), third | 0);
    case F.FUTEX_REQUEUE:
      return futexRequeue(k, t, address, second, isPrivate, { wake: value | 0, move: second32 }, null);
    case F.FUTEX_CMP_REQUEUE:
      return futexRequeue(k, t, address, second, isPrivate, { wake: value | 0, move: second32 }, third | 0);
    case F.FUTEX_WAKE_OP:
      return futexWakeOp(
        k,
        t,
        address,
        second,
        isPrivate,
        { first: wakeCount(value), second: wakeCount(second32) },
        third | 0,
      );
    case F.FUTEX_LOCK_PI:
      return lockPi(k, t, address, isPrivate, () => deadlineOf(k, t, timeout, "wall"), false);
    case F.FUTEX_LOCK_PI2:
      return lockPi(k, t, address, isPrivate, () => deadlineOf(k, t, timeout, clock), false);
    case F.FUTEX_TRYLOCK_PI:
      return lockPi(k, t, address, isPrivate, () => Number.POSITIVE_INFINITY, true);
    case F.FUTEX_UNLOCK_PI:
      return unlockPi(k, t, address, isPrivate);
    default:
      return -ENOSYS;
  }
}

/** futex_wake() wakes at least one: its loop counts after waking. */
function wakeCount(value: number): number {
  return Math.max(1, value | 0);
}

/** struct futex_waitv: u64 value, u64 address, u32 flags, u32 reserved. */
function fetchVector(t: Task, address: number, count: number): VectorEntry[] {
  const view = viewOf(fetchBytes(t, address, count * 24));
  const entries: VectorEntry[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * 24;
    const flags = view.getUint32(at + 16, true);
    if ((flags & ~(F.FUTEX2_SIZE_MASK | F.FUTEX2_PRIVATE)) !== 0 || view.getUint32(at + 20, true) !== 0)
      throw errno(EINVAL);
    if ((flags & F.FUTEX2_SIZE_MASK) !== F.FUTEX2_SIZE_U32) throw errno(EINVAL);
    entries.push({
      value: view.getUint32(at, true),
      address: get64(view, at + 8),
      isPrivate: (flags & F.FUTEX2_PRIVATE) !== 0,
    });
  }
  return entries;
}

function waitVector(
  k: Kernel,
  t: Task,
  waiters: number,
  count: number,
  flags: number,
  timeout: number,
  clock: number,
): number {
  if (flags !== 0 || count === 0 || count > F.FUTEX_WAITV_MAX || waiters === 0) return -EINVAL;
  if (timeout !== 0 && clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
  const kind = clock === CLOCK_REALTIME ? "wall" : "monotonic";
  return futexWaitVector(
    k,
    t,
    () => fetchVector(t, waiters, count),
    () => deadlineOf(k, t, timeout, kind),
  );
}

/** Flags of futex_wake and futex_wait: 32-bit words only. */
function isPrivateFlag(flags: number): boolean {
  if ((flags & ~(F.FUTEX2_SIZE_MASK | F.FUTEX2_PRIVATE)) !== 0) throw errno(EINVAL);
  if ((flags & F.FUTEX2_SIZE_MASK) !== F.FUTEX2_SIZE_U32) throw errno(EINVAL);
  return (flags & F.FUTEX2_PRIVATE) !== 0;
}

/** futex_requeue (futex2): two futex_waitv entries, source and target. */
function requeue2(k: Kernel, t: Task, waiters: number, flags: number, wake: number, move: number): number {
  if (flags !== 0 || waiters === 0) return -EINVAL;
  const [from, to] = fetchVector(t, waiters, 2);
  return futexRequeue(k, t, from.address, to.address, from.isPrivate, { wake, move }, from.value | 0);
}

export const FUTEX_SYSCALLS = defineSyscalls({
  futex: {
    args: "uaddr:ptr op val timeout:ptr uaddr2:ptr val3:hex",
    partly: "FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI answer ENOSYS",
    run: (k, t, address, op, value, timeout, second, third) =>
      futex(k, t, address, op | 0, value | 0, timeout, second, third),
  },
  futex_waitv: {
    args: "waiters:ptr nr flags:flags timeout:ptr clockid",
    run: (k, t, waiters, count, flags, timeout, clock) =>
      waitVector(k, t, waiters, count >>> 0, flags >>> 0, timeout, clock | 0),
  },
  futex_wake: {
    args: "uaddr:ptr mask:hex nr flags:flags",
    run: (k, t, address, mask, count, flags) => {
      const isPrivate = isPrivateFlag(flags >>> 0);
      if ((mask | 0) === 0) return -EINVAL;
      return k.futexes.wake(futexKey(t, address, isPrivate), count | 0, mask | 0);
    },
  },
  futex_wait: {
    args: "uaddr:ptr val mask:hex flags:flags timeout:ptr clockid",
    run: (k, t, address, value, mask, flags, timeout, clock) => {
      const isPrivate = isPrivateFlag(flags >>> 0);
      const kind = (clock | 0) === CLOCK_REALTIME ? "wall" : "monotonic";
      return futexWait(k, t, address, isPrivate, value | 0, mask | 0, () => deadlineOf(k, t, timeout, kind));
    },
  },
  futex_requeue: {
    args: "waiters:ptr flags:flags nr_wake nr_requeue",
    run: (k, t, waiters, flags, wake, move) => requeue2(k, t, waiters, flags >>> 0, wake | 0, move | 0),
  },
  set_robust_list: {
    args: "head:ptr len",
    run: (_k, t, head, length) => {
      if (length !== F.ROBUST_LIST_HEAD_BYTES) return -EINVAL;
      t.robustList = head;
      t.robustListBytes = length;
      return 0;
    },
  },
  get_robust_list: {
    args: "pid head:ptr len:ptr",
    run: (k, t, pid, head, length) => {
      const target = (pid | 0) === 0 ? t : k.tasks.get(pid | 0);
      if (target === undefined) return -ESRCH;
      if (!mayAccess(t, target)) return -EPERM;
      storeU64(t, length, F.ROBUST_LIST_HEAD_BYTES);
      storeU64(t, head, target.robustList);
      return 0;
    },
  },
});
