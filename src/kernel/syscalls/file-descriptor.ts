// System calls on descriptors as such: closing, duplicating, flags, owners, locks, ioctl, directory listings, fstat.
import {
  EAGAIN,
  EBADF,
  EDEADLK,
  EFAULT,
  EINVAL,
  EISDIR,
  ENOTDIR,
  ENOTTY,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ESRCH,
} from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { S_IFREG } from "../../abi/stat.ts";
import { FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD } from "../../abi/termios.ts";
import { encodeUtf8 } from "../../util/utf8.ts";
import { fetchBytes, fetchI32, get64, set64, storeBytes, storeU32, storeU64, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { applyRecordLock, ensureLocks, findConflict, type RecordLock, tryFlock, unlockFlock } from "../vfs/locks.ts";
import type { OpenFile, SignalOwner } from "../vfs/open-file.ts";
import { ownsOrCapable } from "../vfs/permissions.ts";
import { storeStat } from "./file-arguments.ts";
import { defineSyscalls } from "./registry.ts";

const FLOCK_BYTES = 32;
const DIRENT_HEADER = 19;
const FIOQSIZE = 0x5460;
const FIGETBSZ = 2;
const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const FIDEDUPERANGE = 0xc0189436;
/** What F_SETFL may change. */
const SETTABLE = F.O_APPEND | F.O_NONBLOCK | F.O_ASYNC | F.O_DIRECT | F.O_NOATIME;
const INT_MAX = 0x7fffffff;

// Duplicating

function duplicate(t: Task, fd: number, from: number, cloexec: boolean): number {
  const file = t.files.getAny(fd);
  if (from < 0 || from >= t.files.limit) return -EINVAL;
  file.acquire();
  return t.files.install(file, { from, cloexec });
}

function dup3(t: Task, oldFd: number, newFd: number, flags: number): number {
  if ((flags & ~F.O_CLOEXEC) !== 0 || oldFd === newFd) return -EINVAL;
  if (newFd < 0 || newFd >= t.files.limit) return -EBADF;
  const file = t.files.getAny(oldFd);
  file.acquire();
  t.files.replace(newFd, file, (flags & F.O_CLOEXEC) !== 0);
  return newFd;
}

function closeRange(t: Task, first: number, last: number, flags: number): number {
  if ((flags & ~(F.CLOSE_RANGE_UNSHARE | F.CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -EINVAL;
  if ((flags & F.CLOSE_RANGE_UNSHARE) !== 0 && t.files.shared) {
    const own = t.files.clone();
    t.files.release();
    t.files = own;
  }
  const end = Math.min(last, t.files.end - 1);
  for (let fd = first; fd <= end; fd++) {
    if (t.files.find(fd) === undefined) continue;
    if ((flags & F.CLOSE_RANGE_CLOEXEC) !== 0) t.files.setCloexec(fd, true);
    else t.files.close(fd);
  }
  return 0;
}

// Owners of signals

function setOwner(k: Kernel, t: Task, file: OpenFile, kind: number, id: number): number {
  if (id !== 0) {
    const found =
      kind === F.F_OWNER_PGRP ? k.groups.has(id) : kind === F.F_OWNER_PID ? k.processes.has(id) : k.tasks.has(id);
    if (!found) return -ESRCH;
  }
  const owner: SignalOwner = { kind, id, uid: t.credentials.uid, euid: t.credentials.euid };
  file.owner = id === 0 ? null : owner;
  return 0;
}

function setFlags(t: Task, file: OpenFile, wanted: number): number {
  if (((wanted ^ file.flags) & F.O_NOATIME) !== 0 && (wanted & F.O_NOATIME) !== 0 && !ownsOrCapable(t, file.inode))
    return -EPERM;
  return file.setStatusFlags(t, (file.flags & ~SETTABLE) | (wanted & SETTABLE));
}

// Record locks

/** flock_to_posix_lock(): start and end in bytes, with whence and negative lengths worked out. */
function parseLock(t: Task, file: OpenFile, address: number, ofd: boolean): RecordLock {
  const view = viewOf(fetchBytes(t, address, FLOCK_BYTES));
  const type = view.getInt16(0, true);
  const whence = view.getInt16(2, true);
  const offset = get64(view, 8);
  const length = get64(view, 16);
  if (ofd && view.getInt32(24, true) !== 0) throw errno(EINVAL);
  if (type !== F.F_RDLCK && type !== F.F_WRLCK && type !== F.F_UNLCK) throw errno(EINVAL);
  let start: number;
  if (whence === F.SEEK_SET) start = offset;
  else if (whence === F.SEEK_CUR) start = file.position + offset;
  else if (whence === F.SEEK_END) start = file.inode.sizeBytes + offset;
  else throw errno(EINVAL);
  if (start >= 2 ** 63) throw errno(EOVERFLOW);
  let end = Number.POSITIVE_INFINITY;
  if (length > 0) {
    end = start + length - 1;
    if (end >= 2 ** 63 - 1) end = Number.POSITIVE_INFINITY;
  } else if (length < 0) {
    end = start - 1;
    start += length;
  }
  if (start < 0) throw errno(EINVAL);
  return { owner: ofd ? file : t.files, pid: ofd ? -1 : t.process.pid, type, start, end };
}

function getLock(t: Task, file: OpenFile, address: number, ofd: boolean): number {
  const request = parseLock(t, file, address, ofd);
  if (request.type === F.F_UNLCK && !ofd) return -EINVAL;
  const conflict = findConflict(file.inode, request);
  const bytes = fetchBytes(t, address, FLOCK_BYTES);
  const view = viewOf(bytes);
  if (conflict === null) {
    view.setInt16(0, F.F_UNLCK, true);
  } else {
    view.setInt16(0, conflict.type, true);
    view.setInt16(2, F.SEEK_SET, true);
    set64(view, 8, conflict.start);
    set64(view, 16, conflict.end === Number.POSITIVE_INFINITY ? 0 : conflict.end - conflict.start + 1);
    view.setInt32(24, conflict.pid, true);
  }
  storeBytes(t, address, bytes);
  return 0;
}

/** fcntl_setlk() and do_lock_file_wait(). */
function setLock(k: Kernel, t: Task, file: OpenFile, address: number, ofd: boolean, wait: boolean): number {
  const request = parseLock(t, file, address, ofd);
  if (request.type === F.F_RDLCK && !file.readable) return -EBADF;
  if (request.type === F.F_WRLCK && !file.writable) return -EBADF;
  const { lockWaiters } = k.vfs;
  lockWaiters.done(request.owner);
  const conflict = request.type === F.F_UNLCK ? null : findConflict(file.inode, request);
  if (conflict === null) {
    applyRecordLock(file.inode, request);
    return 0;
  }
  if (!wait) return -EAGAIN;
  if (!ofd && lockWaiters.wouldDeadlock(request, conflict)) return -EDEADLK;
  lockWaiters.waits(t, file.inode, request);
  return t.block([ensureLocks(file.inode).queue]);
}

function flock(t: Task, fd: number, command: number): number {
  const file = t.files.get(fd);
  const operation = command & ~F.LOCK_NB;
  if (operation === F.LOCK_UN) {
    unlockFlock(file.inode, file);
    return 0;
  }
  if (operation !== F.LOCK_SH && operation !== F.LOCK_EX) return -EINVAL;
  if (tryFlock(file.inode, file, operation === F.LOCK_EX, t.process.pid)) return 0;
  return (command & F.LOCK_NB) !== 0 ? -EAGAIN : t.block([ensureLocks(file.inode).queue]);
}

// fcntl

function fcntl(k: Kernel, t: Task, fd: number, command: number, argument: number): number {
  const file = t.files.getAny(fd);
  switch (command) {
    case F.F_DUPFD:
      return duplicate(t, fd, argument | 0, false);
    case F.F_DUPFD_CLOEXEC:
      return duplicate(t, fd, argument | 0, true);
    case F.F_DUPFD_QUERY:
      return t.files.find(argument | 0) === file ? 1 : 0;
    case F.F_GETFD:
      return t.files.getCloexec(fd) ? F.FD_CLOEXEC : 0;
    case F.F_SETFD:
      t.files.setCloexec(fd, (argument & F.FD_CLOEXEC) !== 0);
      return 0;
    case F.F_GETFL:
      return file.flags;
    default:
      // Nothing else is for O_PATH files.
      return file.isPathOnly ? -EBADF : fileControl(k, t, file, command, argument);
  }
}

function fileControl(k: Kernel, t: Task, file: OpenFile, command: number, argument: number): number {
  switch (command) {
    case F.F_SETFL:
      return setFlags(t, file, argument | 0);
    case F.F_GETLK:
    case F.F_OFD_GETLK:
      return getLock(t, file, argument, command === F.F_OFD_GETLK);
    case F.F_SETLK:
    case F.F_SETLKW:
      return setLock(k, t, file, argument, false, command === F.F_SETLKW);
    case F.F_OFD_SETLK:
    case F.F_OFD_SETLKW:
      return setLock(k, t, file, argument, true, command === F.F_OFD_SETLKW);
    case F.F_SETOWN: {
      const id = argument | 0;
      if (id === -0x80000000) return -EINVAL;
      return id < 0 ? setOwner(k, t, file, F.F_OWNER_PGRP, -id) : setOwner(k, t, file, F.F_OWNER_PID, id);
    }
    case F.F_GETOWN:
      return file.owner === null ? 0 : file.owner.kind === F.F_OWNER_PGRP ? -file.owner.id : file.owner.id;
    case F.F_SETOWN_EX: {
      const kind = fetchI32(t, argument);
      if (kind < 0 || kind > F.F_OWNER_PGRP) return -EINVAL;
      return setOwner(k, t, file, kind, fetchI32(t, argument + 4));
    }
    case F.F_GETOWN_EX:
      storeU32(t, argument, file.owner?.kind ?? F.F_OWNER_PID);
      storeU32(t, argument + 4, file.owner?.id ?? 0);
      return 0;
    case F.F_SETSIG:
      if (argument < 0 || argument > 64) return -EINVAL;
      file.signal = argument;
      return 0;
    case F.F_GETSIG:
      return file.signal;
    case F.F_GETLEASE:
      return F.F_UNLCK;
    case F.F_SETLEASE:
      return (argument | 0) === F.F_UNLCK ? -EAGAIN : -EINVAL;
    case F.F_GET_RW_HINT:
    case F.F_GET_FILE_RW_HINT:
      storeU64(t, argument, 0);
      return 0;
    case F.F_SET_RW_HINT:
    case F.F_SET_FILE_RW_HINT:
      return 0;
    case F.F_SETPIPE_SZ:
    case F.F_GETPIPE_SZ: {
      const result = file.control(t, command, argument);
      return result === -EINVAL && (file.inode.mode & 0o170000) !== 0o010000 ? -EBADF : result;
    }
    default:
      return file.control(t, command, argument);
  }
}

// ioctl

function ioctl(t: Task, fd: number, request: number, argument: number): number {
  const file = t.files.get(fd);
  switch (request) {
    case FIOCLEX:
    case FIONCLEX:
      t.files.setCloexec(fd, request === FIOCLEX);
      return 0;
    case FIONBIO: {
      const on = fetchI32(t, argument) !== 0;
      return file.setStatusFlags(t, on ? file.flags | F.O_NONBLOCK : file.flags & ~F.O_NONBLOCK);
    }
    case FIOASYNC: {
      const on = fetchI32(t, argument) !== 0;
      return file.setStatusFlags(t, on ? file.flags | F.O_ASYNC : file.flags & ~F.O_ASYNC);
    }
    case FIOQSIZE:
      if (!file.inode.isRegular && !file.inode.isDirectory && !file.inode.isSymlink) return -ENOTTY;
      storeU64(t, argument, file.inode.sizeBytes);
      return 0;
    case FIGETBSZ:
      if (!file.inode.isRegular && !file.inode.isDirectory) break;
      storeU32(t, argument, file.inode.blockSize);
      return 0;
    case FIONREAD:
      if ((file.inode.mode & 0o170000) !== S_IFREG) break;
      storeU32(t, argument, Math.min(INT_MAX, file.inode.sizeBytes - file.position) | 0);
      return 0;
    case FICLONE:
    case FICLONERANGE:
    case FIDEDUPERANGE:
      if (file.inode.isDirectory) return -EISDIR;
      if (file.inode.isRegular) return -EOPNOTSUPP;
      break;
  }
  return file.ioctl(t, request, argument);
}

// Directories

/** struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name, NUL, padded to 8. */
function getdents64(t: Task, fd: number, address: number, count: number): number {
  const file = t.files.get(fd);
  if (!file.inode.isDirectory) return -ENOTDIR;
  const room = Math.min(count >>> 0, 1 << 20);
  const bytes = new Uint8Array(room);
  const view = viewOf(bytes);
  let used = 0;
  let tooSmall = false;
  const before = file.position;
  file.readDirectory(t, (entry, cookie) => {
    const name = encodeUtf8(entry.name);
    const length = (DIRENT_HEADER + name.length + 1 + 7) & ~7;
    if (used + length > room) {
      tooSmall = used === 0;
      return false;
    }
    set64(view, used, entry.ino);
    set64(view, used + 8, cookie);
    view.setUint16(used + 16, length, true);
    bytes[used + 18] = entry.type;
    bytes.set(name, used + DIRENT_HEADER);
    used += length;
    return true;
  });
  if (tooSmall) return -EINVAL;
  if (used > 0 && t.space.copyOut(address, bytes, 0, used) !== used) {
    file.position = before;
    return -EFAULT;
  }
  return used;
}

export const fileDescriptorSyscalls = defineSyscalls({
  close: { args: "fd:fd", run: (_k, t, fd) => t.files.close(fd | 0) },
  close_range: {
    args: "first:fd last:int flags:hex",
    run: (_k, t, first, last, flags) => closeRange(t, first >>> 0, last >>> 0, flags | 0),
  },
  dup: { args: "fd:fd", run: (_k, t, fd) => duplicate(t, fd | 0, 0, false) },
  dup3: {
    args: "oldfd:fd newfd:fd flags:flags",
    run: (_k, t, oldFd, newFd, flags) => dup3(t, oldFd | 0, newFd | 0, flags | 0),
  },
  fcntl: {
    args: "fd:fd cmd:int arg:hex",
    partly: "leases, directory notification",
    run: (k, t, fd, command, argument) => fcntl(k, t, fd | 0, command | 0, argument),
  },
  ioctl: {
    args: "fd:fd request:hex arg:hex",
    run: (_k, t, fd, request, argument) => ioctl(t, fd | 0, request >>> 0, argument),
  },
  flock: { args: "fd:fd operation:int", run: (_k, t, fd, operation) => flock(t, fd | 0, operation | 0) },
  getdents64: {
    args: "fd:fd dirp:ptr count:int",
    run: (_k, t, fd, address, count) => getdents64(t, fd | 0, address, count),
  },
  fstat: {
    args: "fd:fd statbuf:ptr",
    run: (_k, t, fd, buffer) => {
      const { inode } = t.files.getAny(fd | 0);
      inode.refresh(t);
      return storeStat(t, buffer, inode);
    },
  },
});
