// May one task look into another (ptrace_may_access)? For /proc/PID, process_vm_readv, pidfd_getfd, prlimit.
import { CAP_SYS_PTRACE, capable } from "./credentials.ts";
import type { Task } from "./task.ts";

/** __ptrace_may_access() with real credentials: the same user throughout and dumpable, or CAP_SYS_PTRACE. */
export function mayAccess(t: Task, target: Task): boolean {
  if (t.process === target.process) return true;
  if (capable(t, CAP_SYS_PTRACE)) return true;
  const from = t.credentials;
  const to = target.credentials;
  const sameUser = from.uid === to.euid && from.uid === to.suid && from.uid === to.uid;
  const sameGroup = from.gid === to.egid && from.gid === to.sgid && from.gid === to.gid;
  return sameUser && sameGroup && target.process.dumpable === 1;
}
