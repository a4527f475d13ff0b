// Starts programs from outside the guest: init, and processes that machine/ asks for, each in its own session.
import { EAGAIN, ENOMEM } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/fcntl.ts";
import { RLIMIT_NOFILE } from "../abi/resource.ts";
import { SIGCHLD } from "../abi/signal.ts";
import { CpuContext } from "../cpu/cpu-context.ts";
import { encodeUtf8 } from "../util/utf8.ts";
import { type Credentials, ROOT_CREDENTIALS } from "./credentials.ts";
import { execute } from "./exec.ts";
import { leaveGroup } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import { Process, ProcessGroup, Session } from "./process.ts";
import { RLimits } from "./rlimits.ts";
import { SignalHandlers } from "./signals/state.ts";
import { Task } from "./task.ts";
import { FdTable } from "./vfs/fd-table.ts";
import { FsContext } from "./vfs/fs-context.ts";
import type { OpenFile } from "./vfs/open-file.ts";

export interface SpawnOptions {
  path: string;
  /** Including argv[0]. */
  argv: readonly string[];
  /** NAME=value. */
  env: readonly string[];
  cwd?: string;
  /** Descriptors 0, 1, 2, ...; a reference of each is taken over. */
  files?: readonly (OpenFile | null)[];
  credentials?: Credentials;
  umask?: number;
  /** Called with the new process before its first instruction: controlling terminal, limits. */
  prepare?: (process: Process) => void;
}

export function makeInit(k: Kernel): Process {
  const session = new Session(1);
  const init = new Process(k, 1, {
    parent: null,
    group: new ProcessGroup(1, session),
    limits: RLimits.initial(k.maxThreads),
    handlers: new SignalHandlers(),
    exitSignal: 0,
  });
  session.leader = init;
  k.groups.set(1, init.group);
  k.sessions.set(1, session);
  return init;
}

/** Throws LinuxError, and leaves nothing behind, when the program cannot be executed. */
export function spawnProcess(k: Kernel, options: SpawnOptions): Process {
  const pid = k.allocatePid();
  if (pid === 0) throw errno(EAGAIN);
  const space = k.mm.createSpace();
  if (space === null) throw errno(ENOMEM);
  const session = new Session(pid);
  const process = new Process(k, pid, {
    parent: k.init,
    group: new ProcessGroup(pid, session),
    limits: k.init.limits.clone(),
    handlers: new SignalHandlers(),
    exitSignal: SIGCHLD,
  });
  session.leader = process;
  const { root } = k.vfs;
  const task = new Task(k, pid, process, {
    space,
    registers: new CpuContext(),
    files: new FdTable(process.limits.soft[RLIMIT_NOFILE]),
    fs: new FsContext(root, root, options.umask ?? 0o022),
    credentials: options.credentials ?? ROOT_CREDENTIALS,
    name: "init",
  });
  process.leader = task;
  process.threads.add(task);
  try {
    if (options.cwd !== undefined) task.fs.cwd = k.vfs.resolveDirectory(task, AT_FDCWD, options.cwd);
    installFiles(task, options.files ?? []);
    register(k, process);
    execute(k, task, {
      dirfd: AT_FDCWD,
      path: options.path,
      argv: options.argv.map(encodeUtf8),
      envp: options.env.map(encodeUtf8),
      flags: 0,
    });
  } catch (error) {
    unregister(k, process);
    task.files.release();
    task.fs.release();
    task.space.release();
    throw error;
  }
  k.forkCount++;
  options.prepare?.(process);
  k.scheduler.enqueue(task);
  return process;
}

function installFiles(task: Task, files: readonly (OpenFile | null)[]): void {
  files.forEach((file, fd) => {
    if (file !== null) task.files.replace(fd, file, false);
  });
}

function register(k: Kernel, process: Process): void {
  k.init.children.add(process);
  k.processes.set(process.pid, process);
  k.tasks.set(process.pid, process.leader);
  k.groups.set(process.group.id, process.group);
  k.sessions.set(process.session.id, process.session);
}

function unregister(k: Kernel, process: Process): void {
  k.init.children.delete(process);
  k.processes.delete(process.pid);
  k.tasks.delete(process.pid);
  leaveGroup(k, process);
}
