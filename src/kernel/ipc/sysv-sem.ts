// System V semaphore sets: atomic groups of operations, undo at exit, and every semctl command (ipc/sem.c).
import { E2BIG, EACCES, EAGAIN, EFBIG, EIDRM, EINTR, EINVAL, ENOSPC, ERANGE } from "../../abi/errno.ts";
import * as C from "../../abi/ipc.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Process } from "../process.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { IpcPermissions, IpcTable, realtimeSeconds } from "./sysv-common.ts";
import { fetchBytes, fetchTimespecNs, set64, storeBytes, viewOf } from "./user-memory.ts";

/** sizeof(struct semid64_ds) and sizeof(struct sembuf). */
const SEMID_DS_BYTES = 88;
const SEMBUF_BYTES = 6;
const SEMINFO_INTS = 10;
const WRITE_BITS = 0o222;
const READ_BITS = 0o444;

export class SemaphoreSet extends IpcPermissions {
  readonly values: Int32Array;
  /** Who changed each semaphore last (GETPID). */
  readonly pids: Int32Array;
  operationTime = 0;
  changeTime = 0;
  readonly queue = new WaitQueue();
  /** Sleeping semop calls, for GETNCNT and GETZCNT. */
  readonly sleepers = new Set<Sleeper>();

  constructor(t: Task, key: number, mode: number, count: number) {
    super(t, key, mode);
    this.values = new Int32Array(count);
    this.pids = new Int32Array(count);
  }
}

/** What a blocked semop keeps between its tries. */
class Sleeper {
  readonly task: Task;
  readonly set: SemaphoreSet;
  readonly deadline: number;
  semaphore = 0;
  forZero = false;

  constructor(task: Task, set: SemaphoreSet, deadline: number) {
    this.task = task;
    this.set = set;
    this.deadline = deadline;
  }
}

/** All semaphore state of one kernel. */
export class SemaphoreSystem {
  readonly table = new IpcTable<SemaphoreSet>(C.SEMMNI);
  /** Adjustments to apply when a process exits (SEM_UNDO). */
  readonly undo = new Map<Process, Map<SemaphoreSet, Int32Array>>();
  total = 0;
}

export function semget(k: Kernel, t: Task, key: number, count: number, flags: number): number {
  const { sem } = k.ipc;
  if (count < 0 || count > C.SEMMSL) return -EINVAL;
  return sem.table.obtain(
    t,
    key,
    flags,
    () => {
      if (count === 0) throw errno(EINVAL);
      if (sem.total + count > C.SEMMNS) throw errno(ENOSPC);
      sem.total += count;
      const set = new SemaphoreSet(t, key, flags, count);
      set.changeTime = realtimeSeconds(k);
      return set;
    },
    (set) => {
      if (count > set.values.length) throw errno(EINVAL);
    },
  );
}

/** do_semtimedop. `timeoutAddress` 0: no limit. */
export function semop(k: Kernel, t: Task, id: number, address: number, count: number, timeoutAddress: number): number {
  let sleeper = t.syscallState as Sleeper | undefined;
  if (count < 1 || id < 0) return -EINVAL;
  if (count > C.SEMOPM) return -E2BIG;
  const operations = viewOf(fetchBytes(t, address, count * SEMBUF_BYTES));
  if (sleeper !== undefined) {
    sleeper.set.sleepers.delete(sleeper);
    if (sleeper.set.removed) return -EIDRM;
  }
  const set = sleeper?.set ?? k.ipc.sem.table.get(id);
  let alters = false;
  for (let i = 0; i < count; i++) {
    if (operations.getUint16(i * SEMBUF_BYTES, true) >= set.values.length) return -EFBIG;
    if (operations.getInt16(i * SEMBUF_BYTES + 2, true) !== 0) alters = true;
  }
  if (!set.allows(t, alters ? WRITE_BITS : READ_BITS)) return -EACCES;
  const stuck = tryOperations(k, t, set, operations, count);
  if (stuck < 0) {
    if (alters) set.queue.wake();
    return 0;
  }
  if (stuck >= count) return -ERANGE;
  if ((operations.getInt16(stuck * SEMBUF_BYTES + 4, true) & C.IPC_NOWAIT) !== 0) return -EAGAIN;
  if (sleeper === undefined) {
    const limit = timeoutAddress === 0 ? Number.POSITIVE_INFINITY : fetchTimespecNs(t, timeoutAddress);
    sleeper = new Sleeper(t, set, k.clock.monotonicNs() + limit);
    t.syscallState = sleeper;
  } else if (t.timedOut) {
    return -EAGAIN;
  }
  sleeper.semaphore = operations.getUint16(stuck * SEMBUF_BYTES, true);
  sleeper.forZero = operations.getInt16(stuck * SEMBUF_BYTES + 2, true) === 0;
  set.sleepers.add(sleeper);
  const deadline = Number.isFinite(sleeper.deadline) ? sleeper.deadline : undefined;
  return t.block([set.queue], { deadline, interrupted: -EINTR });
}

/**
 * perform_atomic_semop: all operations or none. Returns -1 when done, the index of the operation that would block, or
 * `count` when a value or an adjustment would leave its range.
 */
function tryOperations(k: Kernel, t: Task, set: SemaphoreSet, operations: DataView, count: number): number {
  const values = set.values.slice();
  const undo = existingUndo(k, t, set);
  const adjust = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const number = operations.getUint16(i * SEMBUF_BYTES, true);
    const change = operations.getInt16(i * SEMBUF_BYTES + 2, true);
    const flags = operations.getInt16(i * SEMBUF_BYTES + 4, true);
    if (change === 0 && values[number] !== 0) return i;
    const result = values[number] + change;
    if (result < 0) return i;
    if (result > C.SEMVMX) return count;
    if ((flags & C.SEM_UNDO) !== 0) {
      const value = (adjust.get(number) ?? undo?.[number] ?? 0) - change;
      if (value < -C.SEMAEM - 1 || value > C.SEMAEM) return count;
      adjust.set(number, value);
    }
    values[number] = result;
  }
  set.values.set(values);
  for (let i = 0; i < count; i++) set.pids[operations.getUint16(i * SEMBUF_BYTES, true)] = t.process.pid;
  set.operationTime = realtimeSeconds(k);
  if (adjust.size > 0) {
    const adjustments = ensureUndo(k, t, set);
    for (const [number, value] of adjust) adjustments[number] = value;
  }
  return -1;
}

function existingUndo(k: Kernel, t: Task, set: SemaphoreSet): Int32Array | undefined {
  return k.ipc.sem.undo.get(t.process)?.get(set);
}

function ensureUndo(k: Kernel, t: Task, set: SemaphoreSet): Int32Array {
  const { undo } = k.ipc.sem;
  let sets = undo.get(t.process);
  if (sets === undefined) undo.set(t.process, (sets = new Map()));
  let adjustments = sets.get(set);
  if (adjustments === undefined) sets.set(set, (adjustments = new Int32Array(set.values.length)));
  return adjustments;
}

/** exit_sem: what a process did under SEM_UNDO is taken back when its last thread ends. */
export function exitSemaphores(k: Kernel, process: Process): void {
  const sets = k.ipc.sem.undo.get(process);
  if (sets === undefined) return;
  k.ipc.sem.undo.delete(process);
  for (const [set, adjustments] of sets) {
    if (set.removed) continue;
    for (let i = 0; i < adjustments.length; i++) {
      if (adjustments[i] === 0) continue;
      set.values[i] = Math.max(0, Math.min(C.SEMVMX, set.values[i] + adjustments[i]));
      set.pids[i] = process.pid;
    }
    set.operationTime = realtimeSeconds(k);
    set.queue.wake();
  }
}

export function semctl(k: Kernel, t: Task, id: number, semaphore: number, command: number, argument: number): number {
  const { sem } = k.ipc;
  if (id < 0) return -EINVAL;
  switch (command) {
    case C.IPC_INFO:
    case C.SEM_INFO:
      return storeInfo(k, t, command, argument);
    case C.IPC_STAT:
    case C.SEM_STAT:
    case C.SEM_STAT_ANY: {
      const set = command === C.IPC_STAT ? sem.table.get(id) : sem.table.getByIndex(id);
      if (command !== C.SEM_STAT_ANY) set.check(t, READ_BITS);
      storeBytes(t, argument, encodeSet(set));
      return command === C.IPC_STAT ? 0 : set.id;
    }
    case C.IPC_SET: {
      const update = viewOf(fetchBytes(t, argument, SEMID_DS_BYTES));
      const set = sem.table.get(id);
      set.checkOwner(t);
      set.update(update);
      set.changeTime = realtimeSeconds(k);
      return 0;
    }
    case C.IPC_RMID:
      return removeSet(k, t, sem.table.get(id));
    case C.GETALL:
    case C.SETALL:
      return transferAll(k, t, sem.table.get(id), command, argument);
    case C.SETVAL:
      return setValue(k, t, sem.table.get(id), semaphore, argument | 0);
    case C.GETVAL:
    case C.GETPID:
    case C.GETNCNT:
    case C.GETZCNT: {
      const set = sem.table.get(id);
      set.check(t, READ_BITS);
      if (semaphore < 0 || semaphore >= set.values.length) return -EINVAL;
      if (command === C.GETVAL) return set.values[semaphore];
      if (command === C.GETPID) return set.pids[semaphore];
      return countSleepers(set, semaphore, command === C.GETZCNT);
    }
    default:
      return -EINVAL;
  }
}

function countSleepers(set: SemaphoreSet, semaphore: number, forZero: boolean): number {
  let count = 0;
  for (const sleeper of set.sleepers) {
    // A sleeper whose call ended by a signal left no trace but its changed syscallState.
    if (sleeper.task.syscallState !== sleeper) set.sleepers.delete(sleeper);
    else if (sleeper.semaphore === semaphore && sleeper.forZero === forZero) count++;
  }
  return count;
}

function removeSet(k: Kernel, t: Task, set: SemaphoreSet): number {
  set.checkOwner(t);
  k.ipc.sem.table.remove(set);
  k.ipc.sem.total -= set.values.length;
  for (const sets of k.ipc.sem.undo.values()) sets.delete(set);
  set.queue.wake();
  return 0;
}

function transferAll(k: Kernel, t: Task, set: SemaphoreSet, command: number, address: number): number {
  const count = set.values.length;
  set.check(t, command === C.GETALL ? READ_BITS : WRITE_BITS);
  if (command === C.GETALL) {
    const bytes = new Uint8Array(count * 2);
    const view = viewOf(bytes);
    for (let i = 0; i < count; i++) view.setUint16(i * 2, set.values[i], true);
    storeBytes(t, address, bytes);
    return 0;
  }
  const view = viewOf(fetchBytes(t, address, count * 2));
  for (let i = 0; i < count; i++) if (view.getUint16(i * 2, true) > C.SEMVMX) return -ERANGE;
  for (let i = 0; i < count; i++) {
    set.values[i] = view.getUint16(i * 2, true);
    set.pids[i] = t.process.pid;
  }
  for (const sets of k.ipc.sem.undo.values()) sets.get(set)?.fill(0);
  set.changeTime = realtimeSeconds(k);
  set.queue.wake();
  return 0;
}

function setValue(k: Kernel, t: Task, set: SemaphoreSet, semaphore: number, value: number): number {
  if (value < 0 || value > C.SEMVMX) return -ERANGE;
  if (semaphore < 0 || semaphore >= set.values.length) return -EINVAL;
  set.check(t, WRITE_BITS);
  for (const sets of k.ipc.sem.undo.values()) {
    const adjustments = sets.get(set);
    if (adjustments !== undefined) adjustments[semaphore] = 0;
  }
  set.values[semaphore] = value;
  set.pids[semaphore] = t.process.pid;
  set.changeTime = realtimeSeconds(k);
  set.queue.wake();
  return 0;
}

function encodeSet(set: SemaphoreSet): Uint8Array {
  const bytes = new Uint8Array(SEMID_DS_BYTES);
  const view = viewOf(bytes);
  set.encode(view);
  set64(view, 48, set.operationTime);
  set64(view, 56, set.changeTime);
  set64(view, 64, set.values.length);
  return bytes;
}

/** struct seminfo: semmap semmni semmns semmnu semmsl semopm semume semusz semvmx semaem. */
function storeInfo(k: Kernel, t: Task, command: number, address: number): number {
  const { sem } = k.ipc;
  const live = command === C.SEM_INFO;
  const bytes = new Uint8Array(SEMINFO_INTS * 4);
  const view = viewOf(bytes);
  const fields = [
    C.SEMMNS,
    C.SEMMNI,
    C.SEMMNS,
    C.SEMMNS,
    C.SEMMSL,
    C.SEMOPM,
    C.SEMOPM,
    live ? sem.table.size : 20,
    C.SEMVMX,
    live ? sem.total : C.SEMAEM,
  ];
  for (let i = 0; i < fields.length; i++) view.setInt32(i * 4, fields[i], true);
  storeBytes(t, address, bytes);
  return sem.table.highestIndex;
}

/** /proc/sysvipc/sem. */
export function formatSemaphores(k: Kernel): string {
  let text = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
  for (const set of k.ipc.sem.table.entries.values()) {
    const row = [
      [set.key, 10],
      [set.id, 10],
      [set.mode.toString(8), 5],
      [set.values.length, 10],
      [set.uid, 5],
      [set.gid, 5],
      [set.creatorUid, 5],
      [set.creatorGid, 5],
      [set.operationTime, 10],
      [set.changeTime, 10],
    ] as const;
    text += `${row.map(([value, width]) => String(value).padStart(width)).join(" ")}\n`;
  }
  return text;
}
