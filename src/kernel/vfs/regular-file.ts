// Regular files: read and write go through the inode's memory object, that is the page cache, so that mappings and system
// calls see the same bytes (mm/filemap.c). Where the bytes finally live is the inode's business.
import { EBADF, EFBIG, EINVAL, ENXIO, EOPNOTSUPP, EOVERFLOW, EPERM, ETXTBSY } from "../../abi/errno.ts";
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
  MS_NOATIME,
  MS_NOEXEC,
  MS_RDONLY,
  O_APPEND,
  O_DSYNC,
  O_NOATIME,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_WILLNEED,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../../abi/fcntl.ts";
import { F_SEAL_SEAL, IN_ACCESS, IN_MODIFY } from "../../abi/ipc.ts";
import { PROT_EXEC } from "../../abi/mman.ts";
import { RLIMIT_FSIZE } from "../../abi/resource.ts";
import { SIGXFSZ } from "../../abi/signal.ts";
import { TMPFS_MAGIC } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno } from "../linux-error.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { Inode } from "./inode.ts";
import { OpenFile } from "./open-file.ts";
import { suidBitsToDrop } from "./permissions.ts";

/** Pages are numbered with 31 bits: files end below 8 TiB (Linux on ext4: 16 TiB). */
export const MAX_FILE_BYTES = 2 ** 43 - 4096;
const DAY_SECONDS = 86400;
/** 2 MiB. */
const READ_AHEAD_PAGES = 512;

/** Passes on at most `limit` bytes of another cursor. */
export class LimitedCursor implements IoCursor {
  private readonly inner: IoCursor;
  private left: number;

  constructor(inner: IoCursor, limit: number) {
    this.inner = inner;
    this.left = limit;
  }

  get remaining(): number {
    return Math.min(this.left, this.inner.remaining);
  }

  put(source: Uint8Array, from: number, to: number): number {
    const moved = this.inner.put(source, from, Math.min(to, from + this.left));
    this.left -= moved;
    return moved;
  }

  take(target: Uint8Array, from: number, to: number): number {
    const moved = this.inner.take(target, from, Math.min(to, from + this.left));
    this.left -= moved;
    return moved;
  }

  mayTake(): boolean {
    return this.left === 0 || this.inner.mayTake();
  }
}

export class RegularFile extends OpenFile {
  /** O_TMPFILE without O_EXCL: linkat may give it a name although nlink is 0. */
  linkable = false;

  override get seekable(): boolean {
    return true;
  }

  override get pollable(): boolean {
    return false;
  }

  /** generic_file_read_iter(). */
  override read(t: Task, io: IoCursor, offset: number): number {
    const at = offset === -1 ? this.position : offset;
    if (io.remaining === 0) return 0;
    const moved = this.inode.object.read(io, at);
    if (moved < 0) return moved;
    if (offset === -1) this.position = at + moved;
    this.accessed();
    if (moved > 0) t.kernel.vfs.notifyFile(IN_ACCESS, this);
    return moved;
  }

  /** touch_atime() under relatime: only when it would not be newer than a change, or is a day old. */
  accessed(): void {
    const { inode, path } = this;
    if ((this.flags & O_NOATIME) !== 0 || inode.fs.readOnly) return;
    if (path !== null && (path.mount.flags & (MS_NOATIME | MS_RDONLY)) !== 0) return;
    const { atimeSeconds: a, atimeNanoseconds: an } = inode;
    const current =
      (a > inode.mtimeSeconds || (a === inode.mtimeSeconds && an > inode.mtimeNanoseconds)) &&
      (a > inode.ctimeSeconds || (a === inode.ctimeSeconds && an > inode.ctimeNanoseconds));
    if (!current || inode.fs.services.clock.realtime().seconds - a >= DAY_SECONDS) inode.touchAccessed();
  }

  /** generic_file_write_iter(). */
  override write(t: Task, io: IoCursor, offset: number): number {
    const { inode } = this;
    const wanted = io.remaining;
    if (wanted === 0) return 0;
    // O_APPEND holds for pwrite too, against POSIX but as Linux does it.
    const at = (this.flags & O_APPEND) !== 0 ? inode.sizeBytes : offset === -1 ? this.position : offset;
    const allowed = this.lengthAllowed(t, at, wanted);
    if (allowed < 0) return allowed;
    this.prepareChange(t);
    const moved = inode.object.write(allowed < wanted ? new LimitedCursor(io, allowed) : io, at);
    if (moved <= 0) return moved;
    if (offset === -1) this.position = at + moved;
    t.kernel.vfs.notifyFile(IN_MODIFY, this);
    if ((this.flags & O_DSYNC) !== 0) {
      const failed = inode.sync(true);
      if (failed < 0) return failed;
    }
    return moved;
  }

  /** generic_write_checks(): how many bytes may be written at `at`, or -EFBIG with SIGXFSZ for RLIMIT_FSIZE. */
  private lengthAllowed(t: Task, at: number, length: number): number {
    const limit = t.process.limits.soft[RLIMIT_FSIZE];
    if (at >= limit) {
      t.kernel.sendSignal(t, kernelSignal(SIGXFSZ));
      return -EFBIG;
    }
    if (at >= MAX_FILE_BYTES) return -EFBIG;
    return Math.min(length, limit - at, MAX_FILE_BYTES - at);
  }

  /** file_modified(): set-id bits go, times move. */
  private prepareChange(t: Task): void {
    const { inode } = this;
    if ((inode.mode & 0o6000) !== 0) {
      const drop = suidBitsToDrop(t, inode);
      if (drop !== 0) inode.setAttributes(t, { mode: inode.mode & ~drop });
    }
    inode.touchModified();
  }

  /** generic_file_llseek_size(). */
  override seek(_t: Task, offset: number, whence: number): number {
    const size = this.inode.sizeBytes;
    let at: number;
    switch (whence) {
      case SEEK_SET:
        at = offset;
        break;
      case SEEK_CUR:
        if (offset === 0) return this.position;
        at = this.position + offset;
        break;
      case SEEK_END:
        at = size + offset;
        break;
      case SEEK_DATA:
      case SEEK_HOLE:
        if (offset < 0 || offset >= size) return -ENXIO;
        at = whence === SEEK_DATA ? this.inode.nextData(offset) : this.inode.nextHole(offset);
        if (at < 0) return at;
        if (at >= size) {
          if (whence === SEEK_DATA) return -ENXIO;
          at = size;
        }
        break;
      default:
        return -EINVAL;
    }
    if (at < 0 || at > MAX_FILE_BYTES) return -EINVAL;
    this.position = at;
    return at;
  }

  /** do_ftruncate(): the caller has checked that it is writable. */
  override ftruncate(t: Task, sizeBytes: number): number {
    const allowed = checkNewSize(t, this.inode, sizeBytes);
    if (allowed < 0) return allowed;
    this.prepareChange(t);
    this.inode.truncate(t, sizeBytes);
    t.kernel.vfs.notifyFile(IN_MODIFY, this);
    return 0;
  }

  /** vfs_fallocate() and shmem_fallocate(). */
  override allocate(t: Task, mode: number, offset: number, length: number): number {
    const known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE;
    if ((mode & ~(known | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0) return -EOPNOTSUPP;
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) === (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
      return -EOPNOTSUPP;
    if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
    if ((mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0)
      return (mode & ~(FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0 ? -EINVAL : -EOPNOTSUPP;
    if (!this.writable) return -EBADF;
    if ((this.flags & O_APPEND) !== 0 && (mode & ~FALLOC_FL_KEEP_SIZE) !== 0) return -EPERM;
    if (this.inode.writeCount < 0) return -ETXTBSY;
    const end = offset + length;
    if (end > MAX_FILE_BYTES) return -EFBIG;
    const { inode } = this;
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) {
      this.prepareChange(t);
      const inside = Math.min(end, inode.sizeBytes) - offset;
      if (inside > 0) {
        const result = inode.punchHole(offset, inside);
        if (result < 0) return result;
      }
    } else {
      const result = inode.allocateSpace(offset, length);
      if (result < 0) return result;
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && end > inode.sizeBytes) return this.ftruncate(t, end);
    return 0;
  }

  /** memfd_fcntl(): files of tmpfs are sealed against sealing. */
  override control(_t: Task, command: number, _argument: number): number {
    if (this.inode.fs.magic !== TMPFS_MAGIC) return -EINVAL;
    return command === F_GET_SEALS ? F_SEAL_SEAL : command === F_ADD_SEALS ? -EPERM : -EINVAL;
  }

  override sync(_t: Task, dataOnly: boolean): number {
    return this.inode.sync(dataOnly);
  }

  protected override closed(): void {
    if (this.writable && this.inode.writeCount === 1) this.inode.lastWriterCloses();
  }

  /** generic_fadvise() and readahead(); `length` 0 means to the end. */
  override advise(_t: Task, offset: number, length: number, advice: number): number {
    const end = length === 0 ? Number.POSITIVE_INFINITY : offset + length;
    if (advice === POSIX_FADV_DONTNEED) {
      // Dirty pages are written first, as __filemap_fdatawrite_range does. Only whole pages go, and the file's last one.
      this.inode.startWriteback();
      const last = end >= this.inode.sizeBytes ? Number.POSITIVE_INFINITY : Math.floor(end / PAGE_SIZE);
      this.inode.object.invalidate(Math.ceil(offset / PAGE_SIZE), last);
    } else if (advice === POSIX_FADV_WILLNEED) {
      this.readAhead(offset, end);
    }
    return 0;
  }

  /** force_page_cache_ahead(): at most READ_AHEAD_PAGES; stops silently where memory or the device says no. */
  private readAhead(offset: number, end: number): void {
    const { object, sizeBytes } = this.inode;
    const first = Math.floor(offset / PAGE_SIZE);
    const last = Math.min(Math.ceil(Math.min(end, sizeBytes) / PAGE_SIZE), first + READ_AHEAD_PAGES);
    for (let index = first; index < last; index++) if (object.ensurePage(index) < 0) return;
  }

  override mmapObject(_t: Task, _shared: boolean, prot: number): MemoryObject | null {
    if ((prot & PROT_EXEC) !== 0 && this.path !== null && (this.path.mount.flags & MS_NOEXEC) !== 0) throw errno(EPERM);
    this.accessed();
    return this.inode.object;
  }
}

/** inode_newsize_ok(): 0 or -errno, raising SIGXFSZ beyond RLIMIT_FSIZE. */
export function checkNewSize(t: Task, inode: Inode, sizeBytes: number): number {
  if (sizeBytes < 0) return -EINVAL;
  if (sizeBytes <= inode.sizeBytes) return 0;
  if (sizeBytes > t.process.limits.soft[RLIMIT_FSIZE]) {
    t.kernel.sendSignal(t, kernelSignal(SIGXFSZ));
    return -EFBIG;
  }
  return sizeBytes > MAX_FILE_BYTES ? -EFBIG : 0;
}

/** The largest offset lseek and pread accept before arithmetic would no longer be exact. */
export function checkOffset(offset: number): void {
  if (offset < 0) throw errno(EINVAL);
  if (offset > Number.MAX_SAFE_INTEGER) throw errno(EOVERFLOW);
}
