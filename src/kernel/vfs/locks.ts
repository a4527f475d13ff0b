// Advisory locks: flock and POSIX record locks with their open-file-description variant (fs/locks.c). Grants, splits, merges,
// releases and finds deadlocks; waiting itself is the system call's business.
import { type F_RDLCK, F_UNLCK, F_WRLCK } from "../../abi/fcntl.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import type { Inode } from "./inode.ts";
import type { OpenFile } from "./open-file.ts";

/** One record lock: bytes [start, end] of the file; end Infinity means to the end, however far it grows. */
export interface RecordLock {
  /** The descriptor table (POSIX) or the open file (OFD) that holds it. */
  owner: object;
  /** What F_GETLK reports: a pid, or -1 for an OFD lock. */
  pid: number;
  type: typeof F_RDLCK | typeof F_WRLCK | typeof F_UNLCK;
  start: number;
  end: number;
}

export interface FlockLock {
  file: OpenFile;
  exclusive: boolean;
  /** For /proc/locks. */
  pid: number;
}

/** The locks of one inode (struct file_lock_context). */
export class InodeLocks {
  flocks: FlockLock[] = [];
  /** Sorted by start within an owner; ranges of one owner never overlap. */
  records: RecordLock[] = [];
  /** Woken whenever a lock goes or weakens. */
  readonly queue = new WaitQueue();
}

export function ensureLocks(inode: Inode): InodeLocks {
  return (inode.locks ??= new InodeLocks());
}

// flock

/** flock_lock_inode(): true when granted. A conversion drops the old lock first, as Linux does, even if it then fails. */
export function tryFlock(inode: Inode, file: OpenFile, exclusive: boolean, pid: number): boolean {
  const locks = ensureLocks(inode);
  const held = locks.flocks.find((lock) => lock.file === file);
  if (held !== undefined) {
    if (held.exclusive === exclusive) return true;
    removeFlock(locks, file);
  }
  for (const other of locks.flocks) if (exclusive || other.exclusive) return false;
  locks.flocks.push({ file, exclusive, pid });
  return true;
}

export function unlockFlock(inode: Inode, file: OpenFile): void {
  if (inode.locks !== null) removeFlock(inode.locks, file);
}

function removeFlock(locks: InodeLocks, file: OpenFile): void {
  const kept = locks.flocks.filter((lock) => lock.file !== file);
  if (kept.length === locks.flocks.length) return;
  locks.flocks = kept;
  locks.queue.wake();
}

// Record locks

function overlaps(a: RecordLock, b: RecordLock): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** The first lock of somebody else that `request` cannot coexist with (posix_test_lock), or null. */
export function findConflict(inode: Inode, request: RecordLock): RecordLock | null {
  if (inode.locks === null) return null;
  for (const lock of inode.locks.records) {
    if (lock.owner === request.owner || !overlaps(lock, request)) continue;
    if (lock.type === F_WRLCK || request.type === F_WRLCK) return lock;
  }
  return null;
}

/** posix_lock_inode() after the check for conflicts: sets or removes the range, splitting and merging the owner's locks. */
export function applyRecordLock(inode: Inode, request: RecordLock): void {
  if (request.type === F_UNLCK && inode.locks === null) return;
  const locks = ensureLocks(inode);
  const others: RecordLock[] = [];
  const own: RecordLock[] = [];
  let merged: RecordLock | null = request.type === F_UNLCK ? null : { ...request };
  let weakened = false;
  for (const lock of locks.records) {
    if (lock.owner !== request.owner) {
      others.push(lock);
    } else if (
      merged !== null &&
      lock.type === merged.type &&
      lock.start <= merged.end + 1 &&
      merged.start <= lock.end + 1
    ) {
      merged = { ...merged, start: Math.min(lock.start, merged.start), end: Math.max(lock.end, merged.end) };
    } else if (!overlaps(lock, request)) {
      own.push(lock);
    } else {
      weakened = true;
      if (lock.start < request.start) own.push({ ...lock, end: request.start - 1 });
      if (lock.end > request.end) own.push({ ...lock, start: request.end + 1 });
    }
  }
  if (merged !== null) own.push(merged);
  own.sort((a, b) => a.start - b.start);
  locks.records = others.concat(own);
  if (weakened) locks.queue.wake();
}

/** close() by a process: every record lock of `owner` on the file goes (locks_remove_posix). */
export function releaseOwnerLocks(inode: Inode, owner: object): void {
  const { locks } = inode;
  if (locks === null || locks.records.length === 0) return;
  const kept = locks.records.filter((lock) => lock.owner !== owner);
  if (kept.length === locks.records.length) return;
  locks.records = kept;
  locks.queue.wake();
}

/** The last reference of an open file is gone: its flock and OFD locks go (locks_remove_file). */
export function releaseFileLocks(inode: Inode, file: OpenFile): void {
  if (inode.locks === null) return;
  removeFlock(inode.locks, file);
  releaseOwnerLocks(inode, file);
}

// Deadlocks

interface Waiter {
  task: Task;
  inode: Inode;
  request: RecordLock;
}

/** Who waits for which record lock, to answer EDEADLK (posix_locks_deadlock). One per Vfs. */
export class LockWaiters {
  private readonly waiters = new Map<object, Waiter>();

  /** True when waiting for `conflict` would close a circle of waiting owners. */
  wouldDeadlock(request: RecordLock, conflict: RecordLock): boolean {
    let blocker: RecordLock | null = conflict;
    // Linux gives up after MAX_DEADLK_ITERATIONS (10) too.
    for (let i = 0; i < 10 && blocker !== null; i++) {
      if (blocker.owner === request.owner) return true;
      const waiter = this.waiters.get(blocker.owner);
      if (waiter === undefined || waiter.task.state !== "blocked") return false;
      blocker = findConflict(waiter.inode, waiter.request);
    }
    return blocker !== null && blocker.owner === request.owner;
  }

  waits(task: Task, inode: Inode, request: RecordLock): void {
    this.waiters.set(request.owner, { task, inode, request });
  }

  done(owner: object): void {
    this.waiters.delete(owner);
  }
}
