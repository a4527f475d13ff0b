// An open file description (struct file): what a descriptor number and an area refer to. Subclasses give it behaviour; this
// class has Linux's answer for everything a kind of file cannot do. Not responsible for descriptor numbers (fd-table.ts).
import { EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE } from "../../abi/errno.ts";
import { O_ACCMODE, O_PATH, O_RDONLY, O_RDWR, O_WRONLY } from "../../abi/fcntl.ts";
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE } from "../../abi/ipc.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import type { AreaFile } from "../../mm/contracts.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { WaitQueue } from "../wait-queue.ts";
import type { DirectoryEntry, Inode } from "./inode.ts";
import { releaseFileLocks } from "./locks.ts";
import { type Path, pathName } from "./path.ts";

const NO_QUEUES: readonly WaitQueue[] = [];

/** Who gets SIGIO / SIGURG (F_SETOWN, F_SETOWN_EX): kind is F_OWNER_TID, F_OWNER_PID or F_OWNER_PGRP. */
export interface SignalOwner {
  kind: number;
  id: number;
  uid: number;
  euid: number;
}

export abstract class OpenFile implements AreaFile {
  readonly inode: Inode;
  /** Where it was opened; null for files without a place in the tree (pipes, sockets, memfd). */
  readonly path: Path | null;
  /** O_* access mode and status flags; O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC and O_CLOEXEC are not kept. */
  flags: number;
  /** The file position, in bytes. */
  position = 0;
  private references = 1;
  /** Counted in inode.writeCount. */
  private readonly countsAsWriter: boolean;
  owner: SignalOwner | null = null;
  /** F_SETSIG; 0: SIGIO. */
  signal = 0;

  constructor(inode: Inode, path: Path | null, flags: number) {
    this.inode = inode;
    this.path = path;
    this.flags = flags;
    inode.openCount++;
    // Files that no name was opened for (memfd_create) do not count, as in Linux.
    this.countsAsWriter = path !== null && (flags & O_PATH) === 0 && (flags & O_ACCMODE) !== O_RDONLY;
    if (this.countsAsWriter) inode.writeCount++;
    if (path !== null) {
      path.mount.users++;
      path.dentry.held = true;
    }
  }

  // Lifetime.

  acquire(): void {
    this.references++;
  }

  /** Drops one reference; the last one runs closed(). */
  release(): void {
    if (--this.references > 0) return;
    if (this.path !== null && !this.isPathOnly) {
      this.inode.fs.services.notifyFile?.(this.writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE, this);
    }
    this.closed();
    if (this.inode.locks !== null) releaseFileLocks(this.inode, this);
    if (this.countsAsWriter) this.inode.writeCount--;
    if (this.path !== null) this.path.mount.users--;
    this.inode.openCount--;
    this.inode.evictIfUnused();
  }

  get referenceCount(): number {
    return this.references;
  }

  /** The last reference is gone (f_op->release): wake peers, free what the file holds. */
  protected closed(): void {}

  /** A descriptor of it was closed (f_op->flush). */
  flushed(_t: Task | null): void {}

  // Identity.

  /** The name in /proc/PID/maps and /proc/PID/fd: a path, or "pipe:[4711]" and the like from pseudoName(). */
  name(): string {
    return this.path === null ? this.pseudoName() : pathName(this.path);
  }

  /** d_dname of files without a path. */
  pseudoName(): string {
    return `anon_inode:[${this.inode.ino}]`;
  }

  /** Further lines of /proc/PID/fdinfo/N (f_op->show_fdinfo). */
  fdInfo(): string {
    return "";
  }

  get dev(): number {
    return this.inode.fs.dev;
  }

  get ino(): number {
    return this.inode.ino;
  }

  get isPathOnly(): boolean {
    return (this.flags & O_PATH) !== 0;
  }

  get readable(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (this.flags & O_PATH) === 0 && (mode === O_RDONLY || mode === O_RDWR);
  }

  get writable(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (this.flags & O_PATH) === 0 && (mode === O_WRONLY || mode === O_RDWR);
  }

  // Data. `offset` -1: use and advance `position`. Results: bytes moved, -errno, or what t.block() returned.

  /** The caller has checked `readable`. */
  read(_t: Task, _io: IoCursor, _offset: number): number {
    return -EINVAL;
  }

  /** The caller has checked `writable`. */
  write(_t: Task, _io: IoCursor, _offset: number): number {
    return -EINVAL;
  }

  /** False: pread and pwrite answer ESPIPE (FMODE_PREAD). */
  get seekable(): boolean {
    return false;
  }

  /** lseek: the new position or -errno; `offset` is bytes, `whence` SEEK_*. */
  seek(_t: Task, _offset: number, _whence: number): number {
    return -ESPIPE;
  }

  /** The next entries for getdents64; see DirectoryFile. */
  readDirectory(_t: Task, _emit: (entry: DirectoryEntry, cookie: number) => boolean): void {
    throw errno(ENOTDIR);
  }

  ftruncate(_t: Task, _sizeBytes: number): number {
    return -EINVAL;
  }

  /** fallocate(mode FALLOC_FL_*). */
  allocate(_t: Task, _mode: number, _offset: number, _length: number): number {
    return -ENODEV;
  }

  /** fsync, fdatasync: 0 or -errno. */
  sync(_t: Task, _dataOnly: boolean): number {
    return -EINVAL;
  }

  /** posix_fadvise, readahead: 0 or -errno. */
  advise(_t: Task, _offset: number, _length: number, _advice: number): number {
    return 0;
  }

  // Readiness.

  /** POLL* mask of what can be done now without blocking. */
  poll(): number {
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
  }

  /** Queues that are woken whenever poll() may have changed; `events` are the POLL* bits that matter to the caller. */
  pollQueues(_events?: number): readonly WaitQueue[] {
    return NO_QUEUES;
  }

  /** False: epoll_ctl answers EPERM (regular files and directories). */
  get pollable(): boolean {
    return true;
  }

  // Control.

  ioctl(_t: Task, _request: number, _argument: number): number {
    return -ENOTTY;
  }

  /** fcntl commands of special files: F_ADD_SEALS, F_GET_SEALS, F_SETPIPE_SZ, F_GETPIPE_SZ. */
  control(_t: Task, _command: number, _argument: number): number {
    return -EINVAL;
  }

  /** F_SETFL and FIONBIO: `flags` is the whole new value; 0 or -errno. O_ASYNC changes arrive here too. */
  setStatusFlags(_t: Task | null, flags: number): number {
    this.flags = flags;
    return 0;
  }

  // Mapping.

  /**
   * What mmap of this file maps: an object, or null for anonymous memory (private /dev/zero). -errno throws. `shared` is
   * MAP_SHARED, `prot` PROT_*; a memfd checks its seals here. The caller keeps its own reference of this OpenFile.
   */
  mmapObject(_t: Task, _shared: boolean, _prot: number): MemoryObject | null {
    throw errno(ENODEV);
  }

  /** The PROT_* that mprotect may give later (VM_MAYWRITE and its like), out of what the open mode allows. */
  maxProtection(_shared: boolean, allowed: number): number {
    return allowed;
  }

  /** mm: a shared mapping dirtied a page of it for the first time since write-back (file_update_time). */
  dirtied(): void {
    this.inode.touchModified();
  }
}

/** What O_PATH gives: a place, and nothing else. */
export class PathFile extends OpenFile {}
