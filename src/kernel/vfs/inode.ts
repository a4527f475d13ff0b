// What a file system must provide: FileSystem (struct super_block) and Inode (struct inode with its operations), with the
// answers of Linux for everything a kind of file does not support. Knows no paths and does no permission checks (namei.ts).
import { EACCES, EINVAL, ENODEV, ENOTDIR, EOPNOTSUPP, EPERM } from "../../abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../abi/stat.ts";
import type { MemoryManager } from "../../mm/memory-manager.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { InodeLocks } from "./locks.ts";
import type { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";

/** What file systems need of the machine; the Vfs is one. */
export interface FsServices {
  readonly mm: MemoryManager;
  readonly clock: { realtime(): { seconds: number; nanoseconds: number } };
  /** A fresh anonymous device number (get_anon_bdev). */
  allocateDevice(): number;
  /** For inotify: something (IN_*) happened to an open file. */
  notifyFile?(mask: number, file: OpenFile): void;
}

/** struct statfs, in blocks of `blockSize` bytes. */
export interface StatFs {
  type: number;
  blockSize: number;
  blocks: number;
  blocksFree: number;
  blocksAvailable: number;
  files: number;
  filesFree: number;
  nameLength: number;
}

export abstract class FileSystem {
  readonly services: FsServices;
  /** st_dev of its files. */
  readonly dev: number;
  /** Refuses every change with EROFS (SB_RDONLY). */
  readOnly = false;
  /** Cached names must be confirmed by Inode.mayCache at each use (procfs, host folders that others change). */
  revalidates = false;
  /** Device, folder or name shown in the first column of /proc/mounts. */
  source: string;
  private lastInode = 0;

  constructor(services: FsServices, source: string) {
    this.services = services;
    this.source = source;
    this.dev = services.allocateDevice();
  }

  /** The name in /proc/mounts: "tmpfs", "overlay", ... */
  abstract readonly type: string;
  abstract readonly magic: number;
  abstract readonly root: Inode;

  allocateInodeNumber(): number {
    return ++this.lastInode;
  }

  statfs(): StatFs {
    return {
      type: this.magic,
      blockSize: 4096,
      blocks: 0,
      blocksFree: 0,
      blocksAvailable: 0,
      files: 0,
      filesFree: 0,
      nameLength: 255,
    };
  }

  /** Pushes every dirty file to stable storage: 0 or -errno. */
  sync(): number {
    return 0;
  }

  /** Options after "rw," in /proc/mounts, such as "size=1024k". */
  mountOptions(): string {
    return "";
  }
}

/** One name in a directory; `type` is a DT_* value. */
export interface DirectoryEntry {
  name: string;
  ino: number;
  type: number;
}

/** Delivers a directory's entries (without "." and "..") piece by piece, so that a big one need not be read at once. */
export interface DirectoryStream {
  /** Appends some more entries; false when there are none left. */
  more(into: DirectoryEntry[]): boolean;
  close(): void;
}

/** Fields to change (notify_change); undefined: leave. Times are seconds and nanoseconds. */
export interface AttributeChange {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: { seconds: number; nanoseconds: number };
  mtime?: { seconds: number; nanoseconds: number };
}

export abstract class Inode {
  readonly fs: FileSystem;
  readonly ino: number;
  /** File type and permission bits (S_IF* | 0o7777). */
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  /** Device number of a character or block device node. */
  rdev = 0;
  atimeSeconds = 0;
  atimeNanoseconds = 0;
  mtimeSeconds = 0;
  mtimeNanoseconds = 0;
  ctimeSeconds = 0;
  ctimeNanoseconds = 0;
  btimeSeconds = 0;
  btimeNanoseconds = 0;
  /** Open files that use it (an area holds its open file); the last one of an unlinked file ends its data (evicted()). */
  openCount = 0;
  /** Open files that may write, minus running programs (i_writecount): exec of a file open for writing is ETXTBSY. */
  writeCount = 0;
  /** flock and record locks; null while there are none. */
  locks: InodeLocks | null = null;
  /** State another subsystem hangs here: a named pipe's buffer, a bound socket. */
  attachment: object | null = null;

  constructor(fs: FileSystem, mode: number, ino = fs.allocateInodeNumber()) {
    this.fs = fs;
    this.mode = mode;
    this.ino = ino;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get isSymlink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }

  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  /** st_size. */
  get sizeBytes(): number {
    return 0;
  }

  /** st_blocks: 512-byte units that the file occupies. */
  get blocks(): number {
    return 0;
  }

  get blockSize(): number {
    return 4096;
  }

  /** Brings the fields up to date before stat (procfs, host folders that others change). */
  refresh(_t: Task): void {}

  /** True while a cached dentry name -> child may be used without asking lookup() again (d_revalidate). */
  mayCache(_t: Task, _name: string, _child: Inode | null): boolean {
    return true;
  }

  /** False: names found here are not kept in the dentry cache at all when absent (negative entries). */
  get cacheNegative(): boolean {
    return true;
  }

  // Directory operations. The caller has checked permissions, name lengths and, where it matters, existence.

  /** The child, or null when there is none. */
  lookup(_t: Task, _name: string): Inode | null {
    throw errno(ENOTDIR);
  }

  create(_t: Task, _name: string, _mode: number): Inode {
    throw errno(EACCES);
  }

  mkdir(_t: Task, _name: string, _mode: number): Inode {
    throw errno(EPERM);
  }

  mknod(_t: Task, _name: string, _mode: number, _rdev: number): Inode {
    throw errno(EPERM);
  }

  symlink(_t: Task, _name: string, _target: string): Inode {
    throw errno(EPERM);
  }

  link(_t: Task, _name: string, _inode: Inode): void {
    throw errno(EPERM);
  }

  unlink(_t: Task, _name: string, _child: Inode): void {
    throw errno(EPERM);
  }

  rmdir(_t: Task, _name: string, _child: Inode): void {
    throw errno(EPERM);
  }

  /** Moves `child` to `name` of `to` (same file system); `target` is what is replaced, or exchanged under RENAME_EXCHANGE. */
  rename(
    _t: Task,
    _name: string,
    _child: Inode,
    _to: Inode,
    _toName: string,
    _target: Inode | null,
    _flags: number,
  ): void {
    throw errno(EPERM);
  }

  /** O_TMPFILE: a file without a name. */
  createUnnamed(_t: Task, _mode: number): Inode {
    throw errno(EOPNOTSUPP);
  }

  openDirectory(_t: Task): DirectoryStream {
    throw errno(ENOTDIR);
  }

  // Symbolic links.

  readLink(_t: Task): string {
    throw errno(EINVAL);
  }

  /** Magic links of /proc lead to a place, not to a name: the place, or null for an ordinary symbolic link. */
  followLink(_t: Task): Path | null {
    return null;
  }

  // Contents and attributes.

  /**
   * Makes the open file (f_op->open). null: the usual one for the type: RegularFile, DirectoryFile, named pipe, device.
   * Permission is checked already; `flags` are O_* without O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC.
   */
  open(_t: Task, _path: Path, _flags: number): OpenFile | null {
    return null;
  }

  /** fallocate: makes room for bytes [offset, offset + length): 0 or -errno. */
  allocateSpace(_offset: number, _length: number): number {
    return 0;
  }

  /** SEEK_DATA and SEEK_HOLE for an offset below the size; the generic file is all data. */
  nextData(offset: number): number {
    return offset;
  }

  nextHole(_offset: number): number {
    return this.sizeBytes;
  }

  /** The object that areas of this file map and read()/write() go through. */
  get object(): MemoryObject {
    throw errno(ENODEV);
  }

  truncate(_t: Task, _sizeBytes: number): void {
    throw errno(EINVAL);
  }

  /** Makes bytes [offset, offset + length) of the file zero and frees whole pages: 0 or -errno. */
  punchHole(offset: number, length: number): number {
    return this.object.punchHole(offset, length);
  }

  /** Sends dirty pages to the backing without waiting for stable storage (POSIX_FADV_DONTNEED, sync_file_range). */
  startWriteback(): void {}

  /** The last description that could write to the file is being closed. */
  lastWriterCloses(): void {}

  /** Permission already checked; ctime is set by the caller's change (touchChanged). */
  setAttributes(_t: Task, change: AttributeChange): void {
    applyAttributes(this, change);
  }

  /** inode->i_op->permission: null means the generic check of mode, owner and group. Else 0 or -errno. */
  permission(_t: Task, _mask: number): number | null {
    return null;
  }

  /** A value, or null when the attribute is not there. */
  getXattr(_name: string): Uint8Array | null {
    throw errno(EOPNOTSUPP);
  }

  setXattr(_name: string, _value: Uint8Array): void {
    throw errno(EOPNOTSUPP);
  }

  /** False when it was not there. */
  removeXattr(_name: string): boolean {
    throw errno(EOPNOTSUPP);
  }

  listXattrs(): string[] {
    return [];
  }

  /** Pushes data and attributes to stable storage: 0 or -errno. */
  sync(_dataOnly: boolean): number {
    return 0;
  }

  /** Nothing names or uses it any more (evict_inode): give its storage back. */
  evicted(): void {}

  // Times.

  touchAccessed(): void {
    const now = this.fs.services.clock.realtime();
    this.atimeSeconds = now.seconds;
    this.atimeNanoseconds = now.nanoseconds;
  }

  /** Contents changed: mtime and ctime. */
  touchModified(): void {
    const now = this.fs.services.clock.realtime();
    this.mtimeSeconds = this.ctimeSeconds = now.seconds;
    this.mtimeNanoseconds = this.ctimeNanoseconds = now.nanoseconds;
  }

  /** Attributes changed: ctime. */
  touchChanged(): void {
    const now = this.fs.services.clock.realtime();
    this.ctimeSeconds = now.seconds;
    this.ctimeNanoseconds = now.nanoseconds;
  }

  /** A new file: all four times are now. */
  touchCreated(): void {
    this.touchModified();
    this.atimeSeconds = this.btimeSeconds = this.mtimeSeconds;
    this.atimeNanoseconds = this.btimeNanoseconds = this.mtimeNanoseconds;
  }

  /** A link went away; when nothing uses the file either, its storage goes too. */
  dropLink(count = 1): void {
    this.nlink = Math.max(0, this.nlink - count);
    this.evictIfUnused();
  }

  evictIfUnused(): void {
    if (this.nlink > 0 || this.openCount > 0 || this.isEvicted) return;
    this.isEvicted = true;
    this.evicted();
  }
  private isEvicted = false;
}

export function applyAttributes(inode: Inode, change: AttributeChange): void {
  if (change.mode !== undefined) inode.mode = (inode.mode & S_IFMT) | (change.mode & 0o7777);
  if (change.uid !== undefined) inode.uid = change.uid;
  if (change.gid !== undefined) inode.gid = change.gid;
  if (change.atime !== undefined) {
    inode.atimeSeconds = change.atime.seconds;
    inode.atimeNanoseconds = change.atime.nanoseconds;
  }
  if (change.mtime !== undefined) {
    inode.mtimeSeconds = change.mtime.seconds;
    inode.mtimeNanoseconds = change.mtime.nanoseconds;
  }
}

/** An inode without a name: pipes, sockets, eventfd and the like (pipefs, sockfs, anon_inodefs). */
export class PseudoInode extends Inode {}

/** A file system nobody can walk: only open files lead to its inodes. `root` exists for uniformity. */
export class PseudoFileSystem extends FileSystem {
  readonly type: string;
  readonly magic: number;
  readonly root: Inode;

  constructor(services: FsServices, type: string, magic: number) {
    super(services, type);
    this.type = type;
    this.magic = magic;
    this.root = new PseudoInode(this, S_IFDIR | 0o555);
  }

  /** `mode` with its file type; owned by the caller, times are now. */
  createInode(t: Task | null, mode: number): PseudoInode {
    const inode = new PseudoInode(this, mode);
    if (t !== null) {
      inode.uid = t.credentials.fsuid;
      inode.gid = t.credentials.fsgid;
    }
    inode.touchCreated();
    return inode;
  }
}
