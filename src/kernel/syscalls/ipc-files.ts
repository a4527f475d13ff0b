// System calls that make files of inter-process communication: pipes, eventfd, signalfd, timerfd, inotify, memfd; and vhangup.
import { EFAULT, EINVAL, ENOSYS, ENOTDIR, EPERM } from "../../abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDWR } from "../../abi/fcntl.ts";
import * as C from "../../abi/ipc.ts";
import { SIGSET_BYTES } from "../../abi/signal.ts";
import { UFFD_USER_MODE_ONLY } from "../../abi/userfaultfd.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { CAP_SYS_PTRACE, CAP_SYS_TTY_CONFIG, capable } from "../credentials.ts";
import { EventFile } from "../ipc/eventfd.ts";
import { InotifyFile } from "../ipc/inotify.ts";
import { MemfdFile, MemfdInode } from "../ipc/memfd.ts";
import { createPipe } from "../ipc/pipe.ts";
import { SignalFile } from "../ipc/signalfd.ts";
import * as TFD from "../ipc/timerfd.ts";
import { fetchBytes, fetchString, get64, setTimespec, storeBytes, timespecNs, viewOf } from "../ipc/user-memory.ts";
import { UserfaultFile } from "../ipc/userfaultfd.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Task } from "../task.ts";
import { hangUp } from "../tty/job-control.ts";
import { MAY_READ, requirePermission } from "../vfs/permissions.ts";
import { defineSyscalls } from "./registry.ts";

const PATH_MAX = 4096;
const ITIMERSPEC_BYTES = 32;
/** NAME_MAX less "memfd:". */
const MEMFD_NAME_MAX = 249;
const MEMFD_FLAGS = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING | C.MFD_NOEXEC_SEAL | C.MFD_EXEC;

function pipe2(k: Kernel, t: Task, address: number, flags: number): number {
  // O_NOTIFICATION_PIPE is O_EXCL, which this kernel was built without.
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  t.files.reserve(2);
  const [readEnd, writeEnd] = createPipe(k, flags);
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const bytes = new Uint8Array(8);
  const first = t.files.install(readEnd, { cloexec });
  const second = t.files.install(writeEnd, { cloexec });
  viewOf(bytes).setInt32(0, first, true);
  viewOf(bytes).setInt32(4, second, true);
  if (t.space.copyOut(address, bytes) === 8) return 0;
  t.files.close(first);
  t.files.close(second);
  return -EFAULT;
}

function signalfd(k: Kernel, t: Task, fd: number, address: number, size: number, flags: number): number {
  if (size !== SIGSET_BYTES || (flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const view = viewOf(fetchBytes(t, address, SIGSET_BYTES));
  const mask = new SigSet(view.getInt32(0, true), view.getInt32(4, true)).withoutUnblockable();
  if (fd === -1) return t.files.install(new SignalFile(k, mask, flags), { cloexec: (flags & O_CLOEXEC) !== 0 });
  const file = t.files.get(fd);
  if (!(file instanceof SignalFile)) return -EINVAL;
  file.setMask(mask);
  return fd;
}

const TIMER_CLOCKS = new Set<number>([
  TFD.CLOCK_REALTIME,
  TFD.CLOCK_MONOTONIC,
  TFD.CLOCK_BOOTTIME,
  TFD.CLOCK_REALTIME_ALARM,
  TFD.CLOCK_BOOTTIME_ALARM,
]);

function timerOf(t: Task, fd: number): TFD.TimerFile {
  const file = t.files.get(fd);
  if (!(file instanceof TFD.TimerFile)) throw errno(EINVAL);
  return file;
}

function storeTimer(t: Task, address: number, value: { leftNs: number; intervalNs: number }): void {
  const bytes = new Uint8Array(ITIMERSPEC_BYTES);
  setTimespec(viewOf(bytes), 0, value.intervalNs);
  setTimespec(viewOf(bytes), 16, value.leftNs);
  storeBytes(t, address, bytes);
}

function timerfdSettime(t: Task, fd: number, flags: number, address: number, oldAddress: number): number {
  const view = viewOf(fetchBytes(t, address, ITIMERSPEC_BYTES));
  if ((flags & ~(C.TFD_TIMER_ABSTIME | C.TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  const intervalNs = timespecNs(get64(view, 0), get64(view, 8));
  timespecNs(get64(view, 16), get64(view, 24));
  const timer = timerOf(t, fd);
  const old = timer.get();
  timer.set(flags, get64(view, 16), get64(view, 24), intervalNs);
  if (oldAddress !== 0) storeTimer(t, oldAddress, old);
  return 0;
}

function inotifyAddWatch(k: Kernel, t: Task, fd: number, pathAddress: number, mask: number): number {
  const known =
    C.IN_ALL_EVENTS |
    C.IN_UNMOUNT |
    C.IN_Q_OVERFLOW |
    C.IN_IGNORED |
    C.IN_ONLYDIR |
    C.IN_DONT_FOLLOW |
    C.IN_EXCL_UNLINK |
    C.IN_MASK_ADD |
    C.IN_MASK_CREATE |
    C.IN_ISDIR |
    C.IN_ONESHOT;
  if ((mask & known) === 0) return -EINVAL;
  const file = t.files.get(fd);
  if ((mask & C.IN_MASK_ADD) !== 0 && (mask & C.IN_MASK_CREATE) !== 0) return -EINVAL;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const path = decodeUtf8(fetchString(t, pathAddress, PATH_MAX));
  const inode = k.vfs.inodeAt(t, AT_FDCWD, path, {
    followLast: (mask & C.IN_DONT_FOLLOW) === 0,
  });
  if ((mask & C.IN_ONLYDIR) !== 0 && !inode.isDirectory) return -ENOTDIR;
  requirePermission(t, inode, MAY_READ);
  return file.addWatch(inode, mask);
}

function memfdCreate(k: Kernel, t: Task, nameAddress: number, flags: number): number {
  if ((flags & ~MEMFD_FLAGS) !== 0) return -EINVAL;
  if ((flags & C.MFD_EXEC) !== 0 && (flags & C.MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  const name = t.space.readString(nameAddress, MEMFD_NAME_MAX + 1);
  if (typeof name === "number") return name === -EFAULT ? -EFAULT : -EINVAL;
  t.files.reserve();
  const inode = new MemfdInode(k, t, decodeUtf8(name), flags);
  return t.files.install(new MemfdFile(inode, null, O_RDWR), { cloexec: (flags & C.MFD_CLOEXEC) !== 0 });
}

function vhangup(t: Task): number {
  if (!capable(t, CAP_SYS_TTY_CONFIG)) return -EPERM;
  const { terminal } = t.process.session;
  if (terminal !== null) hangUp(terminal);
  return 0;
}

export const ipcFileSyscalls = defineSyscalls({
  pipe2: { args: "pair:ptr flags:flags", run: (k, t, address, flags) => pipe2(k, t, address, flags | 0) },
  eventfd2: {
    args: "initial:int flags:flags",
    run: (k, t, initial, flags) => {
      if ((flags & ~(C.EFD_SEMAPHORE | C.EFD_CLOEXEC | C.EFD_NONBLOCK)) !== 0) return -EINVAL;
      return t.files.install(new EventFile(k, initial, flags), { cloexec: (flags & C.EFD_CLOEXEC) !== 0 });
    },
  },
  userfaultfd: {
    args: "flags:flags",
    partly: "no events, write protection, UFFDIO_MOVE, UFFDIO_POISON",
    run: (k, t, word) => {
      const flags = word | 0;
      if ((flags & UFFD_USER_MODE_ONLY) === 0 && !capable(t, CAP_SYS_PTRACE)) return -EPERM;
      if ((flags & ~(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
      return t.files.install(new UserfaultFile(k, t, flags), { cloexec: (flags & O_CLOEXEC) !== 0 });
    },
  },
  signalfd4: {
    args: "fd:int mask:ptr maskSize:int flags:flags",
    run: (k, t, fd, mask, size, flags) => signalfd(k, t, fd | 0, mask, size, flags | 0),
  },
  timerfd_create: {
    args: "clock:int flags:flags",
    run: (k, t, clock, flags) => {
      if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 || !TIMER_CLOCKS.has(clock | 0)) return -EINVAL;
      return t.files.install(new TFD.TimerFile(k, clock | 0, flags), { cloexec: (flags & O_CLOEXEC) !== 0 });
    },
  },
  timerfd_settime: {
    args: "fd:fd flags:flags value:ptr old:ptr",
    run: (_k, t, fd, flags, value, old) => timerfdSettime(t, fd | 0, flags | 0, value, old),
  },
  timerfd_gettime: {
    args: "fd:fd value:ptr",
    run: (_k, t, fd, value) => {
      storeTimer(t, value, timerOf(t, fd | 0).get());
      return 0;
    },
  },
  inotify_init1: {
    args: "flags:flags",
    run: (k, t, flags) => {
      if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
      return t.files.install(new InotifyFile(k, flags), { cloexec: (flags & O_CLOEXEC) !== 0 });
    },
  },
  inotify_add_watch: {
    args: "fd:fd path:path mask:flags",
    run: (k, t, fd, path, mask) => inotifyAddWatch(k, t, fd | 0, path, mask >>> 0),
  },
  inotify_rm_watch: {
    args: "fd:fd watch:int",
    run: (_k, t, fd, watch) => {
      const file = t.files.get(fd | 0);
      return file instanceof InotifyFile ? file.removeWatch(watch | 0) : -EINVAL;
    },
  },
  memfd_create: {
    args: "name:str flags:flags",
    partly: "MFD_HUGETLB: EINVAL",
    run: (k, t, name, flags) => memfdCreate(k, t, name, flags >>> 0),
  },
  memfd_secret: { args: "flags:flags", run: () => -ENOSYS },
  vhangup: { args: "", run: (_k, t) => vhangup(t) },
});
