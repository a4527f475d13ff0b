// poll and select: asking many files at once, with a deadline and a temporary signal mask (fs/select.c).
import { EFAULT, EINVAL, ERESTARTNOHAND } from "../../abi/errno.ts";
import * as P from "../../abi/poll.ts";
import { RLIMIT_NOFILE } from "../../abi/resource.ts";
import { SIGSET_BYTES } from "../../abi/signal.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { setTemporaryMask } from "../signals/deliver.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { WaitQueue } from "../wait-queue.ts";
import { fetchBytes, fetchTimespecNs, setTimespec, storeBytes, viewOf } from "./user-memory.ts";

/** sizeof(struct pollfd). */
const POLLFD_BYTES = 8;
/** What select's three sets ask for (POLLIN_SET, POLLOUT_SET, POLLEX_SET). */
const READ_EVENTS = P.POLLRDNORM | P.POLLRDBAND | P.POLLIN | P.POLLHUP | P.POLLERR;
const WRITE_EVENTS = P.POLLWRBAND | P.POLLWRNORM | P.POLLOUT | P.POLLERR;
const EXCEPT_EVENTS = P.POLLPRI;

/** What a blocked poll keeps: when it gives up. */
export class PollWait {
  readonly deadlineNs: number;

  constructor(deadlineNs: number) {
    this.deadlineNs = deadlineNs;
  }
}

/** The deadline of this call: 0 = return at once, Infinity = none. Computed at the first try, for the caller's timespec changes. */
export function pollDeadline(k: Kernel, t: Task, timeoutNs: number): number {
  if (t.syscallState instanceof PollWait) return t.syscallState.deadlineNs;
  if (timeoutNs === 0 || timeoutNs === Number.POSITIVE_INFINITY) return timeoutNs;
  const wait = new PollWait(k.clock.monotonicNs() + timeoutNs);
  t.syscallState = wait;
  return wait.deadlineNs;
}

/** set_user_sigmask: `address` 0 leaves the mask alone. */
export function applySignalMask(t: Task, address: number, size: number): void {
  if (address === 0) return;
  if (size !== SIGSET_BYTES) throw errno(EINVAL);
  const view = viewOf(fetchBytes(t, address, SIGSET_BYTES));
  setTemporaryMask(t, new SigSet(view.getInt32(0, true), view.getInt32(4, true)));
}

/** The timespec at `address` in ns; Infinity for a null pointer. */
export function optionalTimeout(t: Task, address: number): number {
  return address === 0 ? Number.POSITIVE_INFINITY : fetchTimespecNs(t, address);
}

/** poll_select_finish: the caller's timespec gets the time that was left, as Linux does for ppoll and pselect6. */
export function storeRemaining(k: Kernel, t: Task, address: number, deadlineNs: number): void {
  if (address === 0) return;
  const left = deadlineNs === 0 ? 0 : Math.max(0, deadlineNs - k.clock.monotonicNs());
  const bytes = new Uint8Array(16);
  setTimespec(viewOf(bytes), 0, left);
  t.space.copyOut(address, bytes);
}

function addQueues(into: WaitQueue[], file: OpenFile, events: number): void {
  const byEvents = file as { pollQueues(events: number): readonly WaitQueue[] };
  for (const queue of byEvents.pollQueues(events)) into.push(queue);
}

/** do_sys_poll. */
export function pollFiles(k: Kernel, t: Task, address: number, count: number, deadlineNs: number): number {
  if (count > t.process.limits.soft[RLIMIT_NOFILE]) return -EINVAL;
  const bytes = fetchBytes(t, address, count * POLLFD_BYTES);
  const view = viewOf(bytes);
  const queues: WaitQueue[] = [];
  let ready = 0;
  for (let at = 0; at < bytes.length; at += POLLFD_BYTES) {
    const fd = view.getInt32(at, true);
    const events = view.getUint16(at + 4, true) | P.POLLERR | P.POLLHUP;
    let found = 0;
    if (fd >= 0) {
      const file = t.files.find(fd);
      if (file === undefined || file.isPathOnly) {
        found = P.POLLNVAL;
      } else {
        found = file.poll() & events;
        addQueues(queues, file, events);
      }
    }
    view.setUint16(at + 6, found, true);
    if (found !== 0) ready++;
  }
  if (ready === 0 && deadlineNs !== 0 && !t.timedOut && k.clock.monotonicNs() < deadlineNs) {
    return t.block(queues, { deadline: deadlineNs, interrupted: -ERESTARTNOHAND });
  }
  for (let at = 0; at < bytes.length; at += POLLFD_BYTES) {
    if (t.space.copyOut(address + at + 6, bytes, at + 6, at + 8) !== 2) return -EFAULT;
  }
  return ready;
}

/** core_sys_select: three sets of `count` bits at the given addresses (0: none). */
export function selectFiles(
  k: Kernel,
  t: Task,
  count: number,
  addresses: readonly [number, number, number],
  deadlineNs: number,
): number {
  if (count < 0) return -EINVAL;
  const limit = Math.min(count, Math.max(t.files.end, 64));
  const size = Math.ceil(limit / 64) * 8;
  const wanted = addresses.map((address) => (address === 0 ? null : fetchBytes(t, address, size)));
  const results = wanted.map((set) => (set === null ? null : new Uint8Array(size)));
  const queues: WaitQueue[] = [];
  let ready = 0;
  for (let fd = 0; fd < limit; fd++) {
    const bit = 1 << (fd & 7);
    const asks = wanted.map((set) => set !== null && (set[fd >> 3] & bit) !== 0);
    if (!asks[0] && !asks[1] && !asks[2]) continue;
    const file = t.files.get(fd);
    const mask = file.poll();
    addQueues(queues, file, -1);
    for (let i = 0; i < 3; i++) {
      if (asks[i] && (mask & EVENT_SETS[i]) !== 0) {
        (results[i] as Uint8Array)[fd >> 3] |= bit;
        ready++;
      }
    }
  }
  if (ready === 0 && deadlineNs !== 0 && !t.timedOut && k.clock.monotonicNs() < deadlineNs) {
    return t.block(queues, { deadline: deadlineNs, interrupted: -ERESTARTNOHAND });
  }
  for (let i = 0; i < 3; i++) {
    const result = results[i];
    if (result !== null) storeBytes(t, addresses[i], result);
  }
  return ready;
}

const EVENT_SETS = [READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS];
