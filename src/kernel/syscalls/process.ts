// System calls about processes and threads: creating, executing, ending, waiting, identities of groups and sessions.
import { E2BIG, EACCES, EBADF, EINVAL, EPERM, ESRCH } from "../../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../abi/fcntl.ts";
import * as C from "../../abi/sched.ts";
import { NSIG } from "../../abi/signal.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { execute, fetchStrings } from "../exec.ts";
import { exitGroup, exitTask, leaveGroup } from "../exit.ts";
import { type CloneArguments, cloneTask } from "../fork.ts";
import { fetch64, fetchBytes, get64, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { openPidFd, pidFdOf } from "../pidfd.ts";
import { type Process, ProcessGroup, Session } from "../process.ts";
import { hangUpIfOrphaned } from "../signals/job-control.ts";
import { BLOCKED, NO_RESULT, type Task } from "../task.ts";
import { stopBeforeExit } from "../tracing.ts";
import { storeWait4, storeWaitId, type WaitReport, waitForChild } from "../wait.ts";
import { defineSyscalls } from "./registry.ts";

const CLONE_ARGS_SIZE_VER0 = 64;
const CLONE_ARGS_SIZE_VER2 = 88;

/** Runs the clone, and lets a vfork parent wait until the child has its own memory. */
function clone(k: Kernel, t: Task, args: () => CloneArguments): number {
  let child = t.syscallState as Task | undefined;
  if (child === undefined) {
    const wanted = args();
    child = cloneTask(k, t, wanted);
    if ((wanted.flags & C.CLONE_VFORK) === 0) return child.tid;
    t.syscallState = child;
  }
  return child.vforkParent === null ? child.tid : t.block([child.vforkDone], { killable: true });
}

/** struct clone_args of clone3. */
function fetchCloneArguments(t: Task, address: number, size: number): CloneArguments {
  if (size > PAGE_SIZE) throw errno(E2BIG);
  if (size < CLONE_ARGS_SIZE_VER0) throw errno(EINVAL);
  const bytes = fetchBytes(t, address, size);
  for (let i = CLONE_ARGS_SIZE_VER2; i < size; i++) if (bytes[i] !== 0) throw errno(E2BIG);
  const padded = new Uint8Array(CLONE_ARGS_SIZE_VER2);
  padded.set(bytes.subarray(0, CLONE_ARGS_SIZE_VER2));
  const view = viewOf(padded);
  const flagsLow = view.getUint32(0, true);
  const flagsHigh = view.getUint32(4, true);
  const stack = get64(view, 40);
  const stackSize = get64(view, 48);
  const setTid = get64(view, 64);
  const setTidSize = get64(view, 72);
  const exitSignal = get64(view, 32);
  if ((setTid === 0) !== (setTidSize === 0) || setTidSize > 1) throw errno(EINVAL);
  if (exitSignal < 0 || exitSignal > NSIG) throw errno(EINVAL);
  if ((flagsHigh & ~(C.CLONE_CLEAR_SIGHAND_HIGH | C.CLONE_INTO_CGROUP_HIGH)) !== 0) throw errno(EINVAL);
  if ((flagsHigh & C.CLONE_INTO_CGROUP_HIGH) !== 0) throw errno(EBADF);
  if ((flagsLow & (C.CLONE_DETACHED | (C.CSIGNAL & ~C.CLONE_NEWTIME))) !== 0) throw errno(EINVAL);
  if ((flagsLow & (C.CLONE_THREAD | C.CLONE_PARENT)) !== 0 && exitSignal !== 0) throw errno(EINVAL);
  if (stack === 0 ? stackSize > 0 : stackSize === 0) throw errno(EINVAL);
  return {
    flags: flagsLow,
    flagsHigh,
    exitSignal,
    stackPointer: stack === 0 ? 0 : stack + stackSize,
    tls: get64(view, 56),
    parentTid: get64(view, 24),
    childTid: get64(view, 16),
    pidFd: get64(view, 8),
    wantedTid: setTidSize === 0 ? 0 : (fetch64(t, setTid) % 2 ** 32) | 0,
  };
}

function fetchPath(t: Task, address: number): string {
  const bytes = t.space.readString(address, 4096);
  if (typeof bytes === "number") throw errno(-bytes);
  return decodeUtf8(bytes);
}

function exec(k: Kernel, t: Task, dirfd: number, path: number, argv: number, envp: number, flags: number): number {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  const text = fetchPath(t, path);
  execute(k, t, { dirfd, path: text, argv: fetchStrings(t, argv), envp: fetchStrings(t, envp), flags });
  return NO_RESULT;
}

/** find_process by pid for setpgid, getpgid, getsid: the calling one for 0. */
function processOf(k: Kernel, t: Task, pid: number): Process {
  if (pid === 0) return t.process;
  const process = k.tasks.get(pid)?.process;
  if (process === undefined) throw errno(ESRCH);
  return process;
}

/** setpgid(2). */
function setProcessGroup(k: Kernel, t: Task, pid: number, wanted: number): number {
  const id = wanted === 0 ? (pid === 0 ? t.process.pid : pid) : wanted;
  if (id < 0) return -EINVAL;
  const process = pid === 0 ? t.process : k.processes.get(pid);
  if (process === undefined) return k.tasks.has(pid) ? -EINVAL : -ESRCH;
  if (process.parent === t.process) {
    if (process.session !== t.process.session) return -EPERM;
    if (process.hasExecuted && process !== t.process) return -EACCES;
  } else if (process !== t.process) return -ESRCH;
  if (process.session.leader === process) return -EPERM;
  let group = k.groups.get(id);
  if (id !== process.pid && (group === undefined || group.session !== t.process.session)) return -EPERM;
  if (group === process.group) return 0;
  if (group === undefined) {
    group = new ProcessGroup(id, process.session);
    k.groups.set(id, group);
  }
  moveToGroup(k, process, group);
  return 0;
}

function moveToGroup(k: Kernel, process: Process, group: ProcessGroup): void {
  const old = process.group;
  leaveGroup(k, process);
  group.members.add(process);
  process.group = group;
  process.session = group.session;
  if (old.members.size > 0) hangUpIfOrphaned(k, old, null);
}

/** setsid(2): refused to group leaders and where a group of that name exists. */
function setSession(k: Kernel, t: Task): number {
  const { process } = t;
  if (process.session.leader === process || k.groups.has(process.pid)) return -EPERM;
  const session = new Session(process.pid);
  session.leader = process;
  const group = new ProcessGroup(process.pid, session);
  k.sessions.set(session.id, session);
  k.groups.set(group.id, group);
  moveToGroup(k, process, group);
  return session.id;
}

function wait4(k: Kernel, t: Task, pid: number, status: number, options: number, usage: number): number {
  const known = C.WNOHANG | C.WUNTRACED | C.WCONTINUED | C.__WNOTHREAD | C.__WCLONE | C.__WALL;
  if ((options & ~known) !== 0) return -EINVAL;
  if (pid === -(2 ** 31)) return -ESRCH;
  let type: number = C.P_PID;
  let id = pid;
  if (pid === -1) type = C.P_ALL;
  else if (pid <= 0) {
    type = C.P_PGID;
    id = pid === 0 ? t.process.group.id : -pid;
  }
  const report = waitForChild(k, t, { type, id, options: options | C.WEXITED });
  return typeof report === "number" ? report : storeWait4(t, report, status, usage);
}

function waitId(k: Kernel, t: Task, which: number, id: number, info: number, options: number, usage: number): number {
  const known = C.WNOHANG | C.WNOWAIT | C.WEXITED | C.WSTOPPED | C.WCONTINUED | C.__WNOTHREAD | C.__WCLONE | C.__WALL;
  if ((options & ~known) !== 0 || (options & (C.WEXITED | C.WSTOPPED | C.WCONTINUED)) === 0) return -EINVAL;
  let type = which;
  let target = id;
  switch (which) {
    case C.P_ALL:
      break;
    case C.P_PID:
      if (id <= 0) return -EINVAL;
      break;
    case C.P_PGID:
      if (id < 0) return -EINVAL;
      if (id === 0) target = t.process.group.id;
      break;
    case C.P_PIDFD:
      if (id < 0) return -EINVAL;
      type = C.P_PID;
      target = pidFdOf(t, id).task.process.pid;
      break;
    default:
      return -EINVAL;
  }
  const report: WaitReport | number = waitForChild(k, t, { type, id: target, options });
  if (typeof report !== "number") return storeWaitId(t, report, info, usage);
  return report === 0 ? storeWaitId(t, null, info, usage) : report;
}

/** pidfd_getfd(2). */
function pidfdGetFd(_k: Kernel, t: Task, pidfd: number, fd: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const { task } = pidFdOf(t, pidfd);
  if (!task.isAlive) return -ESRCH;
  const file = task.files.find(fd);
  if (file === undefined) return -EBADF;
  file.acquire();
  return t.files.install(file, { cloexec: true });
}

export const PROCESS_SYSCALLS = defineSyscalls({
  clone: {
    args: "flags stack:ptr parent_tid:ptr tls:ptr child_tid:ptr",
    run: (k, t, flags, stack, parentTid, tls, childTid) =>
      clone(k, t, () => {
        const bits = (flags & ~C.CSIGNAL) >>> 0;
        // CLONE_PIDFD stores the descriptor where CLONE_PARENT_SETTID would store the tid.
        if ((bits & C.CLONE_PIDFD) !== 0 && (bits & C.CLONE_PARENT_SETTID) !== 0) throw errno(EINVAL);
        return {
          flags: bits,
          flagsHigh: 0,
          exitSignal: (bits & C.CLONE_THREAD) !== 0 ? 0 : flags & C.CSIGNAL,
          stackPointer: stack,
          tls,
          parentTid,
          childTid,
          pidFd: parentTid,
          wantedTid: 0,
        };
      }),
  },
  clone3: {
    args: "args:ptr size",
    run: (k, t, address, size) => clone(k, t, () => fetchCloneArguments(t, address, size)),
  },
  execve: {
    args: "path:path argv:ptr envp:ptr",
    run: (k, t, path, argv, envp) => exec(k, t, AT_FDCWD, path, argv, envp, 0),
  },
  execveat: {
    args: "dirfd:fd path:path argv:ptr envp:ptr flags:flags",
    run: (k, t, dirfd, path, argv, envp, flags) => exec(k, t, dirfd | 0, path, argv, envp, flags | 0),
  },
  exit: {
    args: "status",
    run: (k, t, status) => {
      if (stopBeforeExit(k, t, (status & 0xff) << 8)) return BLOCKED;
      exitTask(k, t, (status & 0xff) << 8);
      return NO_RESULT;
    },
  },
  exit_group: {
    args: "status",
    run: (k, t, status) => {
      if (stopBeforeExit(k, t, (status & 0xff) << 8)) return BLOCKED;
      exitGroup(k, t, (status & 0xff) << 8);
      return NO_RESULT;
    },
  },
  wait4: {
    args: "pid status:ptr options:flags rusage:ptr",
    run: (k, t, pid, status, options, usage) => wait4(k, t, pid | 0, status, options | 0, usage),
  },
  waitid: {
    args: "which pid info:ptr options:flags rusage:ptr",
    run: (k, t, which, id, info, options, usage) => waitId(k, t, which | 0, id | 0, info, options | 0, usage),
  },
  getpid: { args: "", run: (_k, t) => t.process.pid },
  getppid: { args: "", run: (_k, t) => t.process.parent?.pid ?? 0 },
  gettid: { args: "", run: (_k, t) => t.tid },
  set_tid_address: {
    args: "tidptr:ptr",
    run: (_k, t, address) => {
      t.clearChildTid = address;
      return t.tid;
    },
  },
  setpgid: { args: "pid pgid", run: (k, t, pid, pgid) => setProcessGroup(k, t, pid | 0, pgid | 0) },
  getpgid: { args: "pid", run: (k, t, pid) => processOf(k, t, pid | 0).group.id },
  getsid: { args: "pid", run: (k, t, pid) => processOf(k, t, pid | 0).session.id },
  setsid: { args: "", run: (k, t) => setSession(k, t) },
  pidfd_open: { args: "pid flags:flags", run: (k, t, pid, flags) => openPidFd(k, t, pid | 0, flags >>> 0) },
  pidfd_getfd: {
    args: "pidfd:fd fd:fd flags:flags",
    run: (k, t, pidfd, fd, flags) => pidfdGetFd(k, t, pidfd | 0, fd | 0, flags >>> 0),
  },
  unshare: {
    args: "flags:flags",
    partly: "namespaces: EPERM",
    run: (k, t, flags) => unshare(k, t, flags >>> 0),
  },
  setns: {
    args: "fd:fd nstype:flags",
    partly: "there is one namespace of each kind: EINVAL",
    run: (_k, t, fd) => {
      t.files.get(fd | 0);
      return -EINVAL;
    },
  },
});

function unshare(_k: Kernel, t: Task, flags: number): number {
  const known =
    C.CLONE_THREAD |
    C.CLONE_FS |
    C.CLONE_NEWNS |
    C.CLONE_SIGHAND |
    C.CLONE_VM |
    C.CLONE_FILES |
    C.CLONE_SYSVSEM |
    C.CLONE_NEWUTS |
    C.CLONE_NEWIPC |
    C.CLONE_NEWNET |
    C.CLONE_NEWUSER |
    C.CLONE_NEWPID |
    C.CLONE_NEWCGROUP |
    C.CLONE_NEWTIME;
  if ((flags & ~known) !== 0) return -EINVAL;
  const alone = t.process.threads.size === 1;
  if ((flags & (C.CLONE_THREAD | C.CLONE_SIGHAND | C.CLONE_VM)) !== 0 && (!alone || t.space.users > 1)) return -EINVAL;
  const allowed = C.CLONE_THREAD | C.CLONE_SIGHAND | C.CLONE_VM | C.CLONE_FS | C.CLONE_FILES | C.CLONE_SYSVSEM;
  if ((flags & ~allowed) !== 0) return -EPERM;
  if ((flags & C.CLONE_FS) !== 0 && t.fs.shared) {
    const own = t.fs.clone();
    t.fs.release();
    t.fs = own;
  }
  if ((flags & C.CLONE_FILES) !== 0 && t.files.shared) {
    const own = t.files.clone();
    t.files.release();
    t.files = own;
  }
  return 0;
}
