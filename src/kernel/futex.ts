// Futexes: who waits at which word, and waking, requeueing and bitsets (kernel/futex/). Priority inheritance is futex-pi.ts.
//
// A futex is known by a key: (memory object, offset) where several processes may share the word, (address space, address)
// where only one can. Each key has a list of waiters in order of arrival.
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ERESTART_RESTARTBLOCK, ERESTARTSYS, ETIMEDOUT } from "../abi/errno.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { VM_WRITE, type Vma } from "../mm/vma.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import type { Task } from "./task.ts";

/** One task waiting at one word; the call's state between retries. */
export class FutexWaiter {
  readonly task: Task;
  readonly bitset: number;
  list: WaiterList;
  woken = false;
  /** For futex_waitv: which of the words. */
  readonly index: number;
  /** What the task's syscallState is while it waits (itself, or the vector's state). */
  readonly owner: object;

  constructor(task: Task, list: WaiterList, bitset: number, owner: object | null = null, index = 0) {
    this.task = task;
    this.list = list;
    this.bitset = bitset;
    this.index = index;
    this.owner = owner ?? this;
  }

  /** False for what a killed task left behind. */
  get isWaiting(): boolean {
    return this.task.isAlive && this.task.syscallState === this.owner;
  }
}

/** The waiters of one key. */
export class WaiterList {
  readonly base: object;
  readonly offset: number;
  readonly waiters = new Set<FutexWaiter>();
  /** Set by futex-pi.ts while the word is a PI lock with waiters. */
  pi: object | null = null;

  constructor(base: object, offset: number) {
    this.base = base;
    this.offset = offset;
  }
}

export interface FutexKey {
  base: object;
  offset: number;
}

export class FutexTable {
  private readonly lists = new Map<object, Map<number, WaiterList>>();

  find(key: FutexKey): WaiterList | undefined {
    return this.lists.get(key.base)?.get(key.offset);
  }

  ensure(key: FutexKey): WaiterList {
    let ofBase = this.lists.get(key.base);
    if (ofBase === undefined) this.lists.set(key.base, (ofBase = new Map()));
    let list = ofBase.get(key.offset);
    if (list === undefined) ofBase.set(key.offset, (list = new WaiterList(key.base, key.offset)));
    return list;
  }

  remove(waiter: FutexWaiter): void {
    waiter.list.waiters.delete(waiter);
    this.drop(waiter.list);
  }

  /** Forgets a list nobody waits in. */
  drop(list: WaiterList): void {
    if (list.waiters.size > 0 || list.pi !== null) return;
    const ofBase = this.lists.get(list.base);
    if (ofBase?.get(list.offset) !== list) return;
    ofBase.delete(list.offset);
    if (ofBase.size === 0) this.lists.delete(list.base);
  }

  /** Words with waiters (tests). */
  get size(): number {
    let total = 0;
    for (const ofBase of this.lists.values()) total += ofBase.size;
    return total;
  }

  /** futex_wake(): up to `count` waiters whose bitset meets `bitset`. */
  wake(key: FutexKey, count: number, bitset: number): number {
    const list = this.find(key);
    if (list === undefined) return 0;
    let woken = 0;
    for (const waiter of list.waiters) {
      if (woken >= count) break;
      if (!waiter.isWaiting) {
        list.waiters.delete(waiter);
        continue;
      }
      if ((waiter.bitset & bitset) === 0) continue;
      list.waiters.delete(waiter);
      waiter.woken = true;
      waiter.task.wake();
      woken++;
    }
    this.drop(list);
    return woken;
  }
}

/** get_futex_key(): throws EINVAL when misaligned, EFAULT when the word is not there. */
export function futexKey(t: Task, address: number, isPrivate: boolean): FutexKey {
  if (address % 4 !== 0) throw errno(EINVAL);
  if (address < 0 || address >= USER_END) throw errno(EFAULT);
  if (isPrivate) return { base: t.space, offset: address };
  // The word must exist; this also brings its page in, as get_user_pages_fast() does.
  const word = t.space.readU32(address);
  if (word < 0) throw errno(EFAULT);
  const area = t.space.areas.find(address)!;
  if (!area.isShared) {
    // A private page gets its identity by a write. One that may not be written is its file's page, or nobody's.
    if ((area.flags & VM_WRITE) !== 0) t.space.compareExchangeU32(address, word, word);
    else return readOnlyKey(area, address);
  }
  const frame = t.space.frameKey(address);
  if ("object" in frame) return { base: frame.object, offset: frame.index * PAGE_SIZE + (address % PAGE_SIZE) };
  // FUT_OFF_MMSHARED: private memory under an operation for shared futexes is another key.
  return { base: t.space, offset: address + 2 };
}

function readOnlyKey(area: Vma, address: number): FutexKey {
  const vpn = Math.floor(address / PAGE_SIZE);
  if (area.object === null || area.space.isPrivatePage(vpn)) throw errno(EFAULT);
  return { base: area.object, offset: area.pageIndex(vpn) * PAGE_SIZE + (address % PAGE_SIZE) };
}

/** The word at `address`, or EFAULT. */
export function readWord(t: Task, address: number): number {
  const value = t.space.readU32(address);
  if (value < 0) throw errno(EFAULT);
  return value >>> 0;
}

export interface WaitOptions {
  isPrivate: boolean;
  value: number;
  bitset: number;
  /** Monotonic ns, or Infinity. Computed at the first try; kept in the waiter's place for retries. */
  deadline: number;
}

/** State of a wait across retries and restart_syscall. */
class WaitState {
  waiter: FutexWaiter | null = null;
  readonly deadline: number;

  constructor(deadline: number) {
    this.deadline = deadline;
  }
}

/** futex_wait(). `deadline` is asked only at the first try. */
export function futexWait(
  k: Kernel,
  t: Task,
  address: number,
  isPrivate: boolean,
  value: number,
  bitset: number,
  deadline: () => number,
): number {
  if (bitset === 0) return -EINVAL;
  const state = (t.syscallState as WaitState | undefined) ?? new WaitState(deadline());
  t.syscallState = state;
  const { waiter } = state;
  if (waiter !== null) {
    if (waiter.woken) return 0;
    const timedOut = t.timedOut;
    if (timedOut || t.signalPending) {
      k.futexes.remove(waiter);
      state.waiter = null;
      if (timedOut) return -ETIMEDOUT;
      if (state.deadline === Number.POSITIVE_INFINITY) return -ERESTARTSYS;
      t.restart = { number: t.syscallNumber, args: t.syscallArgs.slice(), state: new WaitState(state.deadline) };
      return -ERESTART_RESTARTBLOCK;
    }
  } else {
    const key = futexKey(t, address, isPrivate);
    if (readWord(t, address) !== value >>> 0) return -EAGAIN;
    const list = k.futexes.ensure(key);
    state.waiter = new FutexWaiter(t, list, bitset, state);
    list.waiters.add(state.waiter);
  }
  return t.block([], { deadline: state.deadline });
}

/** futex_requeue(): wakes `wake`, moves up to `move` others to `target`. `compare` < 0: no comparison. */
export function futexRequeue(
  k: Kernel,
  t: Task,
  from: number,
  to: number,
  isPrivate: boolean,
  counts: { wake: number; move: number },
  compare: number | null,
): number {
  if (counts.wake < 0 || counts.move < 0) return -EINVAL;
  const source = futexKey(t, from, isPrivate);
  const target = futexKey(t, to, isPrivate);
  if (compare !== null && readWord(t, from) !== compare >>> 0) return -EAGAIN;
  const woken = k.futexes.wake(source, counts.wake, -1);
  const list = k.futexes.find(source);
  if (list === undefined) return woken;
  const destination = k.futexes.ensure(target);
  let moved = 0;
  for (const waiter of [...list.waiters]) {
    if (moved >= counts.move) break;
    if (!waiter.isWaiting) {
      list.waiters.delete(waiter);
      continue;
    }
    list.waiters.delete(waiter);
    destination.waiters.add(waiter);
    waiter.list = destination;
    moved++;
  }
  k.futexes.drop(list);
  k.futexes.drop(destination);
  return compare === null ? woken : woken + moved;
}

/** futex_wake_op(): changes the second word atomically; its old value decides whether its waiters are woken too. */
export function futexWakeOp(
  k: Kernel,
  t: Task,
  first: number,
  second: number,
  isPrivate: boolean,
  counts: { first: number; second: number },
  encoded: number,
): number {
  const firstKey = futexKey(t, first, isPrivate);
  const secondKey = futexKey(t, second, isPrivate);
  const operation = (encoded >>> 28) & 7;
  const comparison = (encoded >>> 24) & 15;
  let argument = (encoded << 8) >> 20;
  const compareWith = (encoded << 20) >> 20;
  if ((encoded & 0x80000000) !== 0) argument = 1 << (argument & 31);
  const old = readWord(t, second) | 0;
  const updated = applyOperation(operation, old, argument);
  if (updated === null || comparison > 5) return -ENOSYS;
  if (!t.space.writeU32(second, updated >>> 0)) return -EFAULT;
  let woken = k.futexes.wake(firstKey, counts.first, -1);
  if (compareValues(comparison, old, compareWith)) woken += k.futexes.wake(secondKey, counts.second, -1);
  return woken;
}

function applyOperation(operation: number, old: number, argument: number): number | null {
  switch (operation) {
    case 0:
      return argument;
    case 1:
      return (old + argument) | 0;
    case 2:
      return old | argument;
    case 3:
      return old & ~argument;
    case 4:
      return old ^ argument;
    default:
      return null;
  }
}

function compareValues(comparison: number, a: number, b: number): boolean {
  switch (comparison) {
    case 0:
      return a === b;
    case 1:
      return a !== b;
    case 2:
      return a < b;
    case 3:
      return a <= b;
    case 4:
      return a > b;
    default:
      return a >= b;
  }
}

/** One word of futex_waitv. */
export interface VectorEntry {
  value: number;
  address: number;
  isPrivate: boolean;
}

class VectorState {
  readonly deadline: number;
  waiters: FutexWaiter[] = [];

  constructor(deadline: number) {
    this.deadline = deadline;
  }
}

/** futex_waitv(): the index of a word that was woken. */
export function futexWaitVector(k: Kernel, t: Task, fetch: () => VectorEntry[], deadline: () => number): number {
  let state = t.syscallState as VectorState | undefined;
  if (state === undefined) {
    state = new VectorState(deadline());
    const entries = fetch();
    t.syscallState = state;
    const keys = entries.map((entry) => futexKey(t, entry.address, entry.isPrivate));
    for (const entry of entries) if (readWord(t, entry.address) !== entry.value >>> 0) return -EAGAIN;
    state.waiters = keys.map((key, i) => {
      const list = k.futexes.ensure(key);
      const waiter = new FutexWaiter(t, list, -1, state as object, i);
      list.waiters.add(waiter);
      return waiter;
    });
  } else {
    const woken = state.waiters.find((waiter) => waiter.woken);
    if (woken !== undefined || t.timedOut || t.signalPending) {
      const { timedOut } = t;
      for (const waiter of state.waiters) k.futexes.remove(waiter);
      if (woken !== undefined) return woken.index;
      return timedOut ? -ETIMEDOUT : -ERESTARTSYS;
    }
  }
  return t.block([], { deadline: state.deadline });
}

/** Takes a dying task out of every list it waits in. */
export function leaveFutexes(k: Kernel, t: Task): void {
  const state = t.syscallState;
  if (state instanceof WaitState && state.waiter !== null) k.futexes.remove(state.waiter);
  if (state instanceof VectorState) for (const waiter of state.waiters) k.futexes.remove(waiter);
}
