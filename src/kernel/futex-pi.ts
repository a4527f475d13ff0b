// Priority-inheriting futexes as locks with an owner: the word holds the owner's tid, the kernel hands it over (kernel/futex/pi.c).
// Priorities themselves do not exist here, so inheritance is moot; the protocol and its errors are kept.
import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from "../abi/errno.ts";
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from "../abi/futex.ts";
import { type FutexKey, futexKey, readWord, type WaiterList } from "./futex.ts";
import type { Kernel } from "./kernel.ts";
import type { Task } from "./task.ts";

/** A PI lock somebody waits for. */
class PiLock {
  readonly list: WaiterList;
  owner: Task;
  readonly waiters: PiWaiter[] = [];

  constructor(list: WaiterList, owner: Task) {
    this.list = list;
    this.owner = owner;
  }
}

class PiWaiter {
  readonly task: Task;
  readonly lock: PiLock;
  readonly address: number;
  readonly deadline: number;
  granted = false;

  constructor(task: Task, lock: PiLock, address: number, deadline: number) {
    this.task = task;
    this.lock = lock;
    this.address = address;
    this.deadline = deadline;
  }
}

function lockOf(list: WaiterList | undefined): PiLock | null {
  return list !== undefined && list.pi instanceof PiLock ? list.pi : null;
}

/** FUTEX_LOCK_PI, LOCK_PI2 and TRYLOCK_PI. */
export function lockPi(
  k: Kernel,
  t: Task,
  address: number,
  isPrivate: boolean,
  deadline: () => number,
  tryOnly: boolean,
): number {
  const waiting = t.syscallState;
  if (waiting instanceof PiWaiter) return continueWaiting(k, t, waiting);
  const key = futexKey(t, address, isPrivate);
  const word = readWord(t, address);
  const ownerTid = word & FUTEX_TID_MASK;
  if (ownerTid === t.tid) return -EDEADLK;
  const existing = lockOf(k.futexes.find(key));
  if (existing !== null && existing.owner === t) return -EDEADLK;
  if (ownerTid === 0 && existing === null) {
    // Free, or its owner died: FUTEX_OWNER_DIED stays for the new owner to see.
    return t.space.writeU32(address, (t.tid | (word & FUTEX_OWNER_DIED)) >>> 0) ? 0 : -EFAULT;
  }
  if (tryOnly) return -EAGAIN;
  const owner = existing?.owner ?? k.tasks.get(ownerTid);
  if (owner === undefined || !owner.isAlive) return -ESRCH;
  if (!t.space.writeU32(address, (word | FUTEX_WAITERS) >>> 0)) return -EFAULT;
  const lock = existing ?? makeLock(k, key, owner);
  const waiter = new PiWaiter(t, lock, address, deadline());
  lock.waiters.push(waiter);
  t.syscallState = waiter;
  return t.block([], { deadline: waiter.deadline, interrupted: -ERESTARTNOINTR });
}

function makeLock(k: Kernel, key: FutexKey, owner: Task): PiLock {
  const list = k.futexes.ensure(key);
  const lock = new PiLock(list, owner);
  list.pi = lock;
  owner.piHeld ??= new Set();
  owner.piHeld.add(lock);
  return lock;
}

function continueWaiting(k: Kernel, t: Task, waiter: PiWaiter): number {
  if (waiter.granted) return 0;
  const { timedOut } = t;
  if (timedOut || t.signalPending) {
    leave(k, waiter);
    return timedOut ? -ETIMEDOUT : -ERESTARTNOINTR;
  }
  return t.block([], { deadline: waiter.deadline, interrupted: -ERESTARTNOINTR });
}

function leave(k: Kernel, waiter: PiWaiter): void {
  const { lock } = waiter;
  const at = lock.waiters.indexOf(waiter);
  if (at >= 0) lock.waiters.splice(at, 1);
  if (lock.waiters.length === 0) dissolve(k, lock);
}

function dissolve(k: Kernel, lock: PiLock): void {
  lock.owner.piHeld?.delete(lock);
  lock.list.pi = null;
  k.futexes.drop(lock.list);
}

/** Gives the lock to the longest waiter; `flags` go into the word. False when nobody waits. */
function handOver(k: Kernel, lock: PiLock, flags: number): boolean {
  lock.owner.piHeld?.delete(lock);
  for (;;) {
    const next = lock.waiters.shift();
    if (next === undefined) {
      lock.list.pi = null;
      k.futexes.drop(lock.list);
      return false;
    }
    if (!next.task.isAlive || next.task.syscallState !== next) continue;
    const waiters = lock.waiters.length > 0 ? FUTEX_WAITERS : 0;
    next.task.space.writeU32(next.address, (next.task.tid | waiters | flags) >>> 0);
    next.granted = true;
    lock.owner = next.task;
    if (waiters !== 0) {
      next.task.piHeld ??= new Set();
      next.task.piHeld.add(lock);
    } else {
      lock.list.pi = null;
      k.futexes.drop(lock.list);
    }
    next.task.wake();
    return true;
  }
}

/** FUTEX_UNLOCK_PI. */
export function unlockPi(k: Kernel, t: Task, address: number, isPrivate: boolean): number {
  const word = readWord(t, address);
  if ((word & FUTEX_TID_MASK) !== t.tid) return -EPERM;
  const lock = lockOf(k.futexes.find(futexKey(t, address, isPrivate)));
  if (lock !== null) {
    if (lock.owner !== t) return -EINVAL;
    if (handOver(k, lock, 0)) return 0;
  }
  return t.space.writeU32(address, 0) ? 0 : -EFAULT;
}

/** exit_pi_state_list(): locks of a dying task go to their waiters, marked FUTEX_OWNER_DIED. */
export function abandonPiLocks(k: Kernel, t: Task): void {
  const waiting = t.syscallState;
  if (waiting instanceof PiWaiter && !waiting.granted) leave(k, waiting);
  if (t.piHeld === null) return;
  for (const held of [...t.piHeld]) if (held instanceof PiLock) handOver(k, held, FUTEX_OWNER_DIED);
  t.piHeld = null;
}
