// System calls that move a file's bytes or its position: read, write and their relatives, seeking, truncation, allocation,
// durability, and copying between files inside the kernel.
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  EOVERFLOW,
  ESPIPE,
  EXDEV,
} from "../../abi/errno.ts";
import {
  AT_FDCWD,
  O_APPEND,
  O_DSYNC,
  O_NONBLOCK,
  POSIX_FADV_WILLNEED,
  RWF_APPEND,
  RWF_DSYNC,
  RWF_HIPRI,
  RWF_NOAPPEND,
  RWF_NOWAIT,
  RWF_SYNC,
  SEEK_HOLE,
  SPLICE_F_GIFT,
  SPLICE_F_MORE,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WAIT_BEFORE,
  SYNC_FILE_RANGE_WRITE,
} from "../../abi/fcntl.ts";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { BytesCursor, type IoCursor, UserCursor } from "../../mm/io-cursor.ts";
import { pipeOf } from "../ipc/pipe.ts";
import { splice as splicePipe, tee as teePipe } from "../ipc/splice.ts";
import { fetch64, fetchIoVectors, MAX_TRANSFER_BYTES, storeU64, userCursor } from "../ipc/user-memory.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { MAY_WRITE, requirePermission } from "../vfs/permissions.ts";
import { RegularFile } from "../vfs/regular-file.ts";
import { truncatePath } from "../vfs/vfs-change.ts";
import { fetchPath } from "./file-arguments.ts";
import { defineSyscalls } from "./registry.ts";

const RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND;
const SPLICE_KNOWN = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
const SYNC_RANGE_KNOWN = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
/** Bytes that pass through kernel memory at a time in sendfile and copy_file_range. */
const COPY_PIECE = 65536;

function readable(t: Task, fd: number): OpenFile {
  const file = t.files.get(fd);
  if (!file.readable) throw errno(EBADF);
  return file;
}

function writable(t: Task, fd: number): OpenFile {
  const file = t.files.get(fd);
  if (!file.writable) throw errno(EBADF);
  return file;
}

function requireSeekable(file: OpenFile): void {
  if (!file.seekable) throw errno(ESPIPE);
}

function requireOffset(offset: number): void {
  if (offset < 0) throw errno(EINVAL);
}

/** access_ok(): a buffer or a count that reaches into the upper half. */
function cursorFor(t: Task, buffer: number, count: number): UserCursor {
  if (count < 0 || buffer < 0) throw errno(EFAULT);
  return userCursor(t, buffer, count);
}

function vectorCursor(t: Task, address: number, count: number): UserCursor {
  return new UserCursor(t.space, fetchIoVectors(t, address, count, EINVAL));
}

/** kiocb_set_rw_flags() around one write: flags of the call stand in for flags of the file. */
function writeWithFlags(t: Task, file: OpenFile, io: IoCursor, offset: number, rwf: number): number {
  if ((rwf & ~RWF_KNOWN) !== 0) throw errno(EOPNOTSUPP);
  if ((rwf & RWF_APPEND) !== 0 && (rwf & RWF_NOAPPEND) !== 0) throw errno(EINVAL);
  const before = file.flags;
  if ((rwf & RWF_APPEND) !== 0) file.flags |= O_APPEND;
  if ((rwf & RWF_NOAPPEND) !== 0) file.flags &= ~O_APPEND;
  if ((rwf & (RWF_DSYNC | RWF_SYNC)) !== 0) file.flags |= O_DSYNC;
  if ((rwf & RWF_NOWAIT) !== 0) file.flags |= O_NONBLOCK;
  try {
    return file.write(t, io, offset);
  } finally {
    file.flags = before;
  }
}

function readWithFlags(t: Task, file: OpenFile, io: IoCursor, offset: number, rwf: number): number {
  if ((rwf & ~RWF_KNOWN) !== 0 || (rwf & (RWF_APPEND | RWF_NOAPPEND)) !== 0) throw errno(EOPNOTSUPP);
  const before = file.flags;
  if ((rwf & RWF_NOWAIT) !== 0) file.flags |= O_NONBLOCK;
  try {
    return file.read(t, io, offset);
  } finally {
    file.flags = before;
  }
}

/** The state of a copy that was interrupted by waiting for room in its target. */
class SendState {
  done = 0;
  /** Where in the input the call began. */
  readonly from: number;

  constructor(from: number) {
    this.from = from;
  }
}

/** Writes without waiting, whatever the file's own flag says: a copy must know how much went out before it blocks. */
function writeNow(t: Task, file: OpenFile, bytes: Uint8Array, offset: number): number {
  const before = file.flags;
  file.flags |= O_NONBLOCK;
  const state = t.syscallState;
  t.syscallState = undefined;
  try {
    return file.write(t, new BytesCursor(bytes), offset);
  } finally {
    file.flags = before;
    t.syscallState = state;
  }
}

/** do_sendfile(): input -> output at its own position. Bytes moved, -errno or BLOCKED; state.done says how far it came. */
function sendBytes(t: Task, input: OpenFile, output: OpenFile, count: number, state: SendState): number {
  const at = state.from;
  const piece = new Uint8Array(Math.min(COPY_PIECE, count));
  while (state.done < count) {
    const got = input.read(t, new BytesCursor(piece, 0, Math.min(piece.length, count - state.done)), at + state.done);
    if (got <= 0) return state.done > 0 ? state.done : got;
    const put = writeNow(t, output, piece.subarray(0, got), -1);
    if (put > 0) {
      state.done += put;
    } else if (put === -EAGAIN && (output.flags & O_NONBLOCK) === 0) {
      t.syscallState = state;
      return state.done > 0 ? t.block(output.pollQueues(), { interrupted: state.done }) : t.block(output.pollQueues());
    } else {
      return state.done > 0 ? state.done : put;
    }
  }
  return state.done;
}

/** fetches *offset for calls that take a pointer to one; -1 when the pointer is null. */
function fetchOffset(t: Task, address: number): number {
  if (address === 0) return -1;
  const offset = fetch64(t, address);
  requireOffset(offset);
  return offset;
}

/** generic_copy_file_checks() and the copy. */
function copyRange(t: Task, input: OpenFile, inAt: number, output: OpenFile, outAt: number, length: number): number {
  const size = input.inode.sizeBytes;
  let left = Math.min(length, Math.max(0, size - inAt), MAX_TRANSFER_BYTES);
  if (input.inode === output.inode && outAt + left > inAt && outAt < inAt + left) throw errno(EINVAL);
  const piece = new Uint8Array(Math.min(COPY_PIECE, left));
  let done = 0;
  while (left > 0) {
    const got = input.read(t, new BytesCursor(piece, 0, Math.min(piece.length, left)), inAt + done);
    if (got <= 0) return done > 0 ? done : got;
    const put = output.write(t, new BytesCursor(piece, 0, got), outAt + done);
    if (put <= 0) return done > 0 ? done : put;
    done += put;
    left -= put;
  }
  return done;
}

function requireCopyable(inode: Inode): void {
  const type = inode.mode & S_IFMT;
  if (type === S_IFDIR) throw errno(EISDIR);
  if (type !== S_IFREG) throw errno(EINVAL);
}

function fsyncFile(t: Task, fd: number, dataOnly: boolean): number {
  return t.files.get(fd).sync(t, dataOnly);
}

export const fileIoSyscalls = defineSyscalls({
  read: {
    args: "fd:fd buf:ptr count:int",
    run: (_k, t, fd, buffer, count) => readable(t, fd | 0).read(t, cursorFor(t, buffer, count), -1),
  },
  write: {
    args: "fd:fd buf:buf count:int",
    run: (_k, t, fd, buffer, count) => writable(t, fd | 0).write(t, cursorFor(t, buffer, count), -1),
  },
  readv: {
    args: "fd:fd iov:ptr iovcnt:int",
    run: (_k, t, fd, iov, count) => readable(t, fd | 0).read(t, vectorCursor(t, iov, count), -1),
  },
  writev: {
    args: "fd:fd iov:ptr iovcnt:int",
    run: (_k, t, fd, iov, count) => writable(t, fd | 0).write(t, vectorCursor(t, iov, count), -1),
  },
  pread64: {
    args: "fd:fd buf:ptr count:int offset:int",
    run: (_k, t, fd, buffer, count, offset) => {
      requireOffset(offset);
      const file = t.files.get(fd | 0);
      requireSeekable(file);
      return readable(t, fd | 0).read(t, cursorFor(t, buffer, count), offset);
    },
  },
  pwrite64: {
    args: "fd:fd buf:buf count:int offset:int",
    run: (_k, t, fd, buffer, count, offset) => {
      requireOffset(offset);
      const file = t.files.get(fd | 0);
      requireSeekable(file);
      return writable(t, fd | 0).write(t, cursorFor(t, buffer, count), offset);
    },
  },
  preadv: {
    args: "fd:fd iov:ptr iovcnt:int offset:int",
    run: (_k, t, fd, iov, count, offset) => {
      requireOffset(offset);
      requireSeekable(t.files.get(fd | 0));
      return readable(t, fd | 0).read(t, vectorCursor(t, iov, count), offset);
    },
  },
  pwritev: {
    args: "fd:fd iov:ptr iovcnt:int offset:int",
    run: (_k, t, fd, iov, count, offset) => {
      requireOffset(offset);
      requireSeekable(t.files.get(fd | 0));
      return writable(t, fd | 0).write(t, vectorCursor(t, iov, count), offset);
    },
  },
  preadv2: {
    args: "fd:fd iov:ptr iovcnt:int offset:int offset_high:int flags:hex",
    run: (_k, t, fd, iov, count, offset, _high, flags) => {
      if (offset !== -1) {
        requireOffset(offset);
        requireSeekable(t.files.get(fd | 0));
      }
      return readWithFlags(t, readable(t, fd | 0), vectorCursor(t, iov, count), offset, flags | 0);
    },
  },
  pwritev2: {
    args: "fd:fd iov:ptr iovcnt:int offset:int offset_high:int flags:hex",
    run: (_k, t, fd, iov, count, offset, _high, flags) => {
      if (offset !== -1) {
        requireOffset(offset);
        requireSeekable(t.files.get(fd | 0));
      }
      return writeWithFlags(t, writable(t, fd | 0), vectorCursor(t, iov, count), offset, flags | 0);
    },
  },
  lseek: {
    args: "fd:fd offset:int whence:int",
    run: (_k, t, fd, offset, whence) => {
      const file = t.files.get(fd | 0);
      return whence >>> 0 > SEEK_HOLE ? -EINVAL : file.seek(t, offset, whence | 0);
    },
  },
  truncate: {
    args: "path:str length:int",
    run: (k, t, path, length) => {
      if (length < 0) return -EINVAL;
      const place = k.vfs.resolve(t, AT_FDCWD, fetchPath(t, path));
      const inode = place.dentry.inode as Inode;
      if (inode.isDirectory) return -EISDIR;
      if (!inode.isRegular) return -EINVAL;
      k.vfs.requireWritableMount(place.mount);
      requirePermission(t, inode, MAY_WRITE);
      k.vfs.requireNotExecuting(inode);
      truncatePath(k.vfs, t, place, length);
      return 0;
    },
  },
  ftruncate: {
    args: "fd:fd length:int",
    run: (_k, t, fd, length) => {
      if (length < 0) return -EINVAL;
      const file = t.files.get(fd | 0);
      if (!file.inode.isRegular || !file.writable) return -EINVAL;
      return file.ftruncate(t, length);
    },
  },
  fallocate: {
    args: "fd:fd mode:hex offset:int length:int",
    run: (_k, t, fd, mode, offset, length) => {
      const file = t.files.get(fd | 0);
      if (offset < 0 || length <= 0) return -EINVAL;
      if (!file.writable) return -EBADF;
      const type = file.inode.mode & S_IFMT;
      if (type === S_IFIFO) return -ESPIPE;
      if (type === S_IFDIR) return -EISDIR;
      return type === S_IFREG ? file.allocate(t, mode | 0, offset, length) : -ENODEV;
    },
  },
  fsync: { args: "fd:fd", run: (_k, t, fd) => fsyncFile(t, fd | 0, false) },
  fdatasync: { args: "fd:fd", run: (_k, t, fd) => fsyncFile(t, fd | 0, true) },
  sync: {
    args: "",
    run: (k) => {
      k.vfs.sync();
      return 0;
    },
  },
  syncfs: { args: "fd:fd", run: (_k, t, fd) => t.files.get(fd | 0).inode.fs.sync() },
  sync_file_range: {
    args: "fd:fd offset:int length:int flags:hex",
    run: (_k, t, fd, offset, length, flags) => {
      const { inode } = t.files.get(fd | 0);
      if ((flags & ~SYNC_RANGE_KNOWN) !== 0 || offset < 0 || offset + length < 0) return -EINVAL;
      const type = inode.mode & S_IFMT;
      if (type === S_IFIFO) return -ESPIPE;
      if ((flags & SYNC_FILE_RANGE_WRITE) !== 0) inode.startWriteback();
      return 0;
    },
  },
  fadvise64: {
    args: "fd:fd offset:int length:int advice:int",
    run: (_k, t, fd, offset, length, advice) => {
      const file = t.files.get(fd | 0);
      if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
      if (length < 0 || advice >>> 0 > 5) return -EINVAL;
      return file.advise(t, offset, length, advice | 0);
    },
  },
  readahead: {
    args: "fd:fd offset:int count:int",
    run: (_k, t, fd, offset, count) => {
      const file = readable(t, fd | 0);
      if (!file.inode.isRegular || offset < 0) return -EINVAL;
      return count > 0 ? file.advise(t, offset, count, POSIX_FADV_WILLNEED) : 0;
    },
  },
  cachestat: {
    args: "fd:fd range:ptr stat:ptr flags:hex",
    partly: "dirty pages are those of the whole file; evicted pages are not remembered",
    run: (_k, t, fd, range, stat, flags) => cachestat(t, fd | 0, range, stat, flags | 0),
  },
  sendfile: {
    args: "out_fd:fd in_fd:fd offset:ptr count:int",
    run: (_k, t, outFd, inFd, offset, count) => sendfile(t, outFd | 0, inFd | 0, offset, count),
  },
  copy_file_range: {
    args: "fd_in:fd off_in:ptr fd_out:fd off_out:ptr length:int flags:hex",
    run: (_k, t, inFd, inOffset, outFd, outOffset, length, flags) => {
      const input = readable(t, inFd | 0);
      const output = writable(t, outFd | 0);
      if ((flags | 0) !== 0 || length < 0) return -EINVAL;
      requireCopyable(input.inode);
      requireCopyable(output.inode);
      if ((output.flags & O_APPEND) !== 0) return -EBADF;
      if (input.inode.fs !== output.inode.fs) return -EXDEV;
      const inAt = fetchOffset(t, inOffset);
      const outAt = fetchOffset(t, outOffset);
      const from = inAt === -1 ? input.position : inAt;
      const to = outAt === -1 ? output.position : outAt;
      if (to + length > Number.MAX_SAFE_INTEGER) return -EOVERFLOW;
      const moved = copyRange(t, input, from, output, to, length);
      if (moved <= 0) return moved;
      if (inAt === -1) input.position = from + moved;
      else storeU64(t, inOffset, from + moved);
      if (outAt === -1) output.position = to + moved;
      else storeU64(t, outOffset, to + moved);
      return moved;
    },
  },
  splice: {
    args: "fd_in:fd off_in:ptr fd_out:fd off_out:ptr length:int flags:hex",
    run: (_k, t, inFd, inOffset, outFd, outOffset, length, flags) => {
      if (length === 0) return 0;
      if ((flags & ~SPLICE_KNOWN) !== 0) return -EINVAL;
      const input = readable(t, inFd | 0);
      const output = writable(t, outFd | 0);
      if (inOffset !== 0 && pipeOf(input) !== null) return -ESPIPE;
      if (outOffset !== 0 && pipeOf(output) !== null) return -ESPIPE;
      if (inOffset !== 0 && !input.seekable) return -EINVAL;
      if (outOffset !== 0 && !output.seekable) return -EINVAL;
      if ((output.flags & O_APPEND) !== 0 && pipeOf(output) === null) return -EINVAL;
      const inAt = fetchOffset(t, inOffset);
      const outAt = fetchOffset(t, outOffset);
      const moved = splicePipe(t, input, inAt, output, outAt, length, flags | 0);
      if (moved > 0 && inAt !== -1) storeU64(t, inOffset, inAt + moved);
      if (moved > 0 && outAt !== -1) storeU64(t, outOffset, outAt + moved);
      return moved;
    },
  },
  tee: {
    args: "fd_in:fd fd_out:fd length:int flags:hex",
    run: (_k, t, inFd, outFd, length, flags) => {
      if ((flags & ~SPLICE_KNOWN) !== 0) return -EINVAL;
      if (length === 0) return 0;
      return teePipe(t, readable(t, inFd | 0), writable(t, outFd | 0), length, flags | 0);
    },
  },
  vmsplice: {
    args: "fd:fd iov:ptr count:int flags:hex",
    run: (_k, t, fd, iov, count, flags) => {
      if ((flags & ~SPLICE_KNOWN) !== 0) return -EINVAL;
      const file = t.files.get(fd | 0);
      if (pipeOf(file) === null) return -EBADF;
      const io = vectorCursor(t, iov, count);
      const rwf = (flags & SPLICE_F_NONBLOCK) !== 0 ? RWF_NOWAIT : 0;
      if (file.writable) return writeWithFlags(t, file, io, -1, rwf);
      return file.readable ? readWithFlags(t, file, io, -1, rwf) : -EBADF;
    },
  },
});

/** struct cachestat_range { off, len } in; struct cachestat { cache, dirty, writeback, evicted, recently_evicted } out. */
function cachestat(t: Task, fd: number, range: number, stat: number, flags: number): number {
  const { inode } = t.files.get(fd);
  const from = fetch64(t, range);
  const length = fetch64(t, range + 8);
  if (flags !== 0) return -EINVAL;
  if (!inode.isRegular) {
    for (let i = 0; i < 5; i++) storeU64(t, stat + i * 8, 0);
    return 0;
  }
  const { object } = inode;
  const first = Math.floor(from / PAGE_SIZE);
  const end = Math.ceil(Math.min(length === 0 ? Number.POSITIVE_INFINITY : from + length, inode.sizeBytes) / PAGE_SIZE);
  const piece = new Uint8Array(4096);
  let cached = 0;
  for (let at = first; at < end; at += piece.length) {
    const stop = Math.min(end, at + piece.length);
    object.residentPages(at, stop, piece);
    for (let i = 0; i < stop - at; i++) cached += piece[i];
  }
  storeU64(t, stat, cached);
  storeU64(t, stat + 8, Math.min(cached, object.dirtyPageCount));
  for (let i = 2; i < 5; i++) storeU64(t, stat + i * 8, 0);
  return 0;
}

/** sendfile(2): the input must be something that can be read at an offset; the output anything that can be written. */
function sendfile(t: Task, outFd: number, inFd: number, offsetAddress: number, count: number): number {
  const input = readable(t, inFd);
  const output = writable(t, outFd);
  if (count < 0) return -EINVAL;
  if (offsetAddress !== 0 && !input.seekable) return -ESPIPE;
  const given = fetchOffset(t, offsetAddress);
  if ((output.flags & O_APPEND) !== 0) return -EINVAL;
  if (!(input instanceof RegularFile) && !input.seekable) {
    // A pipe as input goes the way of splice; anything else cannot be read at an offset.
    return pipeOf(input) !== null ? splicePipe(t, input, -1, output, -1, count, 0) : -EINVAL;
  }
  if (input.inode.isDirectory) return -EINVAL;
  const started = t.syscallState instanceof SendState ? t.syscallState : null;
  const state = started ?? new SendState(given === -1 ? input.position : given);
  const result = sendBytes(t, input, output, Math.min(count, MAX_TRANSFER_BYTES), state);
  // Also when it blocks: a signal may end the call there, with what was moved as its result.
  if (state.done > 0) {
    if (given === -1) input.position = state.from + state.done;
    else storeU64(t, offsetAddress, state.from + state.done);
  }
  return result;
}
