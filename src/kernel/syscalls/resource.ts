// System calls about limits, usage and scheduling parameters (kernel/sys.c, kernel/sched/syscalls.c).
import { E2BIG, EACCES, EFAULT, EINVAL, EPERM, ESRCH } from "../../abi/errno.ts";
import * as R from "../../abi/resource.ts";
import { mayAccess } from "../access.ts";
import { CAP_SYS_NICE, CAP_SYS_RESOURCE, capable } from "../credentials.ts";
import { fetchBytes, getUnsigned64, set64, setTimespec, storeBytes, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { applyMemoryLimits } from "../memory-limits.ts";
import { type Process, threadUsage } from "../process.ts";
import { SLICE_INSTRUCTIONS } from "../scheduler.ts";
import type { Task } from "../task.ts";
import { encodeUsage } from "../wait.ts";
import { defineSyscalls } from "./registry.ts";

/** RLIM_INFINITY is all ones; as a double it rounds to 2^64. */
const INFINITE = 2 ** 64 - 2048;
const CPU_MASK_BYTES = 8;
const SCHED_ATTR_BYTES = 56;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_WHO_PGRP = 2;
const IOPRIO_WHO_USER = 3;
const IOPRIO_CLASS_BEST_EFFORT = 2;

function decodeLimit(view: DataView, offset: number): number {
  const value = getUnsigned64(view, offset);
  return value >= INFINITE ? Number.POSITIVE_INFINITY : value;
}

function encodeLimit(view: DataView, offset: number, value: number): void {
  if (value === Number.POSITIVE_INFINITY) {
    view.setInt32(offset, -1, true);
    view.setInt32(offset + 4, -1, true);
  } else set64(view, offset, value);
}

function readLimit(process: Process, resource: number): Uint8Array {
  const bytes = new Uint8Array(16);
  encodeLimit(viewOf(bytes), 0, process.limits.soft[resource]);
  encodeLimit(viewOf(bytes), 8, process.limits.hard[resource]);
  return bytes;
}

/** do_prlimit(). */
function changeLimit(t: Task, process: Process, resource: number, bytes: Uint8Array): number {
  const view = viewOf(bytes);
  let soft = decodeLimit(view, 0);
  const hard = decodeLimit(view, 8);
  if (soft > hard) return -EINVAL;
  if (resource === R.RLIMIT_NOFILE && hard > R.NR_OPEN) return -EPERM;
  if (hard > process.limits.hard[resource] && !capable(t, CAP_SYS_RESOURCE)) return -EPERM;
  // A CPU limit of 0 would never be noticed: the next second is meant.
  if (resource === R.RLIMIT_CPU && soft === 0) soft = 1;
  process.limits.put(resource, soft, hard);
  for (const thread of process.threads) {
    if (!thread.isAlive) continue;
    if (resource === R.RLIMIT_NOFILE) thread.files.limit = soft;
    applyMemoryLimits(process, thread.credentials, thread.space);
  }
  return 0;
}

function limitIndex(resource: number): number {
  if (resource < 0 || resource >= R.RLIM_NLIMITS) throw errno(EINVAL);
  return resource;
}

function prlimit(k: Kernel, t: Task, pid: number, resource: number, next: number, old: number): number {
  limitIndex(resource);
  const target = pid === 0 ? t : k.tasks.get(pid);
  const bytes = next === 0 ? null : fetchBytes(t, next, 16);
  if (target === undefined || !target.isAlive) return -ESRCH;
  if (target.process !== t.process && !capable(t, CAP_SYS_RESOURCE) && !mayAccess(t, target)) return -EPERM;
  const before = readLimit(target.process, resource);
  if (bytes !== null) {
    const result = changeLimit(t, target.process, resource, bytes);
    if (result < 0) return result;
  }
  if (old !== 0) storeBytes(t, old, before);
  return 0;
}

function getrusage(t: Task, who: number, address: number): number {
  const { process } = t;
  if (who === R.RUSAGE_CHILDREN) storeBytes(t, address, encodeUsage(process.childUsage));
  else if (who === R.RUSAGE_THREAD) storeBytes(t, address, encodeUsage(threadUsage(t)));
  else if (who === R.RUSAGE_SELF) storeBytes(t, address, encodeUsage(process.usage()));
  else return -EINVAL;
  return 0;
}

/** The tasks that (which, who) of getpriority, setpriority and ioprio_* name. */
function selectTasks(k: Kernel, t: Task, kind: "process" | "group" | "user", who: number): Task[] {
  if (kind === "process") {
    const task = who === 0 ? t : k.tasks.get(who);
    return task === undefined ? [] : [task];
  }
  if (kind === "group") {
    const group = who === 0 ? t.process.group : k.groups.get(who);
    return [...(group?.members ?? [])].flatMap((process) => [...process.threads]);
  }
  const uid = who === 0 ? t.credentials.uid : who;
  return [...k.tasks.values()].filter((task) => task.credentials.uid === uid);
}

const PRIORITY_KINDS = ["process", "group", "user"] as const;

function setPriority(k: Kernel, t: Task, which: number, who: number, value: number): number {
  if (which < 0 || which > 2) return -EINVAL;
  const nice = Math.max(-20, Math.min(19, value));
  let result: number = -ESRCH;
  for (const task of selectTasks(k, t, PRIORITY_KINDS[which], who)) {
    const mine = t.credentials.euid === task.credentials.euid || t.credentials.euid === task.credentials.uid;
    if (!mine && !capable(t, CAP_SYS_NICE)) result = -EPERM;
    else if (nice < task.nice && !capable(t, CAP_SYS_NICE) && 20 - nice > task.process.limits.soft[R.RLIMIT_NICE])
      result = -EACCES;
    else {
      if (result === -ESRCH) result = 0;
      task.nice = nice;
    }
  }
  return result;
}

/** getpriority answers 20 - nice, so that errors stay apart. */
function getPriority(k: Kernel, t: Task, which: number, who: number): number {
  if (which < 0 || which > 2) return -EINVAL;
  const tasks = selectTasks(k, t, PRIORITY_KINDS[which], who);
  return tasks.length === 0 ? -ESRCH : Math.max(...tasks.map((task) => 20 - task.nice));
}

function ioTasks(k: Kernel, t: Task, which: number, who: number): Task[] {
  const kind =
    which === IOPRIO_WHO_PROCESS
      ? "process"
      : which === IOPRIO_WHO_PGRP
        ? "group"
        : which === IOPRIO_WHO_USER
          ? "user"
          : null;
  if (kind === null) throw errno(EINVAL);
  const tasks = selectTasks(k, t, kind, who);
  if (tasks.length === 0) throw errno(ESRCH);
  return tasks;
}

function taskOf(k: Kernel, t: Task, pid: number): Task {
  if (pid < 0) throw errno(EINVAL);
  const task = pid === 0 ? t : k.tasks.get(pid);
  if (task === undefined) throw errno(ESRCH);
  return task;
}

function isRealtime(policy: number): boolean {
  return policy === R.SCHED_FIFO || policy === R.SCHED_RR;
}

/** __sched_setscheduler(); policies are remembered, all tasks run round robin. */
function setScheduler(k: Kernel, t: Task, pid: number, requested: number, priority: number): number {
  const task = taskOf(k, t, pid);
  const policy = requested & ~R.SCHED_RESET_ON_FORK;
  if (![R.SCHED_OTHER, R.SCHED_FIFO, R.SCHED_RR, R.SCHED_BATCH, R.SCHED_IDLE].includes(policy as 0)) return -EINVAL;
  if (isRealtime(policy) ? priority < 1 || priority > 99 : priority !== 0) return -EINVAL;
  if (isRealtime(policy) && !capable(t, CAP_SYS_NICE) && priority > task.process.limits.soft[R.RLIMIT_RTPRIO])
    return -EPERM;
  task.schedulingPolicy = requested;
  task.realtimePriority = priority;
  return 0;
}

function setAttributes(k: Kernel, t: Task, pid: number, address: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const size = viewOf(fetchBytes(t, address, 4)).getUint32(0, true) || 48;
  if (size < 48 || size > 4096) return -E2BIG;
  const view = viewOf(fetchBytes(t, address, size));
  const policy = view.getUint32(4, true);
  if (policy === R.SCHED_DEADLINE) return -EPERM;
  const result = setScheduler(k, t, pid, policy, view.getUint32(20, true));
  if (result === 0 && !isRealtime(policy))
    taskOf(k, t, pid).nice = Math.max(-20, Math.min(19, view.getInt32(16, true)));
  return result;
}

function getAttributes(k: Kernel, t: Task, pid: number, address: number, size: number, flags: number): number {
  const task = taskOf(k, t, pid);
  if (flags !== 0 || size < 48 || size > 4096) return -EINVAL;
  const bytes = new Uint8Array(Math.min(size, SCHED_ATTR_BYTES));
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, task.schedulingPolicy & ~R.SCHED_RESET_ON_FORK, true);
  if ((task.schedulingPolicy & R.SCHED_RESET_ON_FORK) !== 0) view.setUint32(8, 1, true);
  view.setInt32(16, task.nice, true);
  view.setUint32(20, task.realtimePriority, true);
  storeBytes(t, address, bytes);
  return 0;
}

function setAffinity(k: Kernel, t: Task, pid: number, length: number, address: number): number {
  const bytes = fetchBytes(t, address, Math.min(length, CPU_MASK_BYTES));
  if (pid < 0) return -ESRCH;
  taskOf(k, t, pid);
  return bytes.length > 0 && (bytes[0] & 1) !== 0 ? 0 : -EINVAL;
}

function getAffinity(k: Kernel, t: Task, pid: number, length: number, address: number): number {
  if (length < 1 || length % 8 !== 0) return -EINVAL;
  if (pid < 0) return -ESRCH;
  taskOf(k, t, pid);
  const bytes = new Uint8Array(CPU_MASK_BYTES);
  bytes[0] = 1;
  storeBytes(t, address, bytes);
  return CPU_MASK_BYTES;
}

export const RESOURCE_SYSCALLS = defineSyscalls({
  getrlimit: {
    args: "resource limit:ptr",
    run: (_k, t, resource, address) => {
      storeBytes(t, address, readLimit(t.process, limitIndex(resource | 0)));
      return 0;
    },
  },
  setrlimit: {
    args: "resource limit:ptr",
    run: (_k, t, resource, address) => {
      const bytes = fetchBytes(t, address, 16);
      return changeLimit(t, t.process, limitIndex(resource | 0), bytes);
    },
  },
  prlimit64: {
    args: "pid resource new:ptr old:ptr",
    run: (k, t, pid, resource, next, old) => prlimit(k, t, pid | 0, resource | 0, next, old),
  },
  getrusage: { args: "who usage:ptr", run: (_k, t, who, address) => getrusage(t, who | 0, address) },
  setpriority: {
    args: "which who prio",
    run: (k, t, which, who, value) => setPriority(k, t, which | 0, who | 0, value | 0),
  },
  getpriority: { args: "which who", run: (k, t, which, who) => getPriority(k, t, which | 0, who | 0) },
  ioprio_set: {
    args: "which who ioprio",
    partly: "remembered; I/O is done in order",
    run: (k, t, which, who, value) => {
      if ((value | 0) >> 13 > 3 || value < 0) return -EINVAL;
      for (const task of ioTasks(k, t, which | 0, who | 0)) task.ioPriority = value | 0;
      return 0;
    },
  },
  ioprio_get: {
    args: "which who",
    run: (k, t, which, who) => {
      const values = ioTasks(k, t, which | 0, who | 0).map((task) => task.ioPriority);
      const set = values.filter((value) => value !== 0);
      return set.length === 0 ? (IOPRIO_CLASS_BEST_EFFORT << 13) | 4 : Math.min(...set);
    },
  },
  sched_yield: {
    args: "",
    run: (k) => {
      k.scheduler.yielding = true;
      return 0;
    },
  },
  sched_setscheduler: {
    args: "pid policy param:ptr",
    partly: "policies are remembered; every task runs round robin",
    run: (k, t, pid, policy, param) =>
      (policy | 0) < 0
        ? -EINVAL
        : setScheduler(k, t, pid | 0, policy | 0, viewOf(fetchBytes(t, param, 4)).getInt32(0, true)),
  },
  sched_getscheduler: { args: "pid", run: (k, t, pid) => taskOf(k, t, pid | 0).schedulingPolicy },
  sched_setparam: {
    args: "pid param:ptr",
    partly: "priorities are remembered; every task runs round robin",
    run: (k, t, pid, param) => {
      const task = taskOf(k, t, pid | 0);
      return setScheduler(k, t, pid | 0, task.schedulingPolicy, viewOf(fetchBytes(t, param, 4)).getInt32(0, true));
    },
  },
  sched_getparam: {
    args: "pid param:ptr",
    run: (k, t, pid, param) => (t.space.writeU32(param, taskOf(k, t, pid | 0).realtimePriority) ? 0 : -EFAULT),
  },
  sched_setattr: {
    args: "pid attr:ptr flags:flags",
    partly: "SCHED_DEADLINE: EPERM; every task runs round robin",
    run: (k, t, pid, attr, flags) => setAttributes(k, t, pid | 0, attr, flags >>> 0),
  },
  sched_getattr: {
    args: "pid attr:ptr size flags:flags",
    run: (k, t, pid, attr, size, flags) => getAttributes(k, t, pid | 0, attr, size >>> 0, flags >>> 0),
  },
  sched_setaffinity: {
    args: "pid len mask:ptr",
    run: (k, t, pid, length, mask) => setAffinity(k, t, pid | 0, length >>> 0, mask),
  },
  sched_getaffinity: {
    args: "pid len mask:ptr",
    run: (k, t, pid, length, mask) => getAffinity(k, t, pid | 0, length >>> 0, mask),
  },
  sched_get_priority_max: { args: "policy", run: (_k, _t, policy) => priorityBound(policy | 0, 99) },
  sched_get_priority_min: { args: "policy", run: (_k, _t, policy) => priorityBound(policy | 0, 1) },
  sched_rr_get_interval: {
    args: "pid interval:ptr",
    run: (k, t, pid, address) => {
      taskOf(k, t, pid | 0);
      const bytes = new Uint8Array(16);
      setTimespec(viewOf(bytes), 0, SLICE_INSTRUCTIONS);
      storeBytes(t, address, bytes);
      return 0;
    },
  },
});

function priorityBound(policy: number, realtime: number): number {
  if (isRealtime(policy)) return realtime;
  return [R.SCHED_OTHER, R.SCHED_BATCH, R.SCHED_IDLE, R.SCHED_DEADLINE, R.SCHED_EXT].includes(policy as 0)
    ? 0
    : -EINVAL;
}
