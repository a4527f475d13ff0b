// The virtual file system: the mount table, the name cache, and opening files by name. The walk itself is namei.ts; creating,
// removing and renaming is vfs-change.ts; system calls are in syscalls/file-*.ts.
import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EPERM,
  EROFS,
  ETXTBSY,
} from "../../abi/errno.ts";
import {
  AT_FDCWD,
  MS_NODEV,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
} from "../../abi/fcntl.ts";
import { IN_CREATE, IN_MODIFY } from "../../abi/ipc.ts";
import {
  ANON_INODE_FS_MAGIC,
  makeDevice,
  PIPEFS_MAGIC,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SOCKFS_MAGIC,
} from "../../abi/stat.ts";
import type { AreaFile } from "../../mm/contracts.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import type { MemoryManager } from "../../mm/memory-manager.ts";
import { errno, LinuxError } from "../linux-error.ts";
import { BLOCKED, type Task } from "../task.ts";
import { DentryCache } from "./dentry-cache.ts";
import { DirectoryFile } from "./directory-file.ts";
import { type FsServices, type Inode, PseudoFileSystem } from "./inode.ts";
import { LockWaiters } from "./locks.ts";
import { MountTable } from "./mounts.ts";
import { LAST_NAME, PathWalk, type WalkOptions } from "./namei.ts";
import { OpenFile, PathFile } from "./open-file.ts";
import { Dentry, Mount, type Path } from "./path.ts";
import { MAY_EXEC, MAY_READ, MAY_WRITE, ownsOrCapable, requirePermission } from "./permissions.ts";
import { RegularFile } from "./regular-file.ts";

/** Opens a device or a named pipe. To block, call t.block(...) and throw WOULD_BLOCK: the open is then tried again. */
export type SpecialOpener = (t: Task, inode: Inode, path: Path, flags: number) => OpenFile;

/** Thrown by code deep inside an open that has called t.block(): the system call answers BLOCKED. */
export const WOULD_BLOCK = new LinuxError(-BLOCKED);

/** Told of changes for inotify: `mask` is IN_* (with IN_ISDIR), about `dentry`; `cookie` ties the two halves of a rename. */
export interface FsEventSink {
  changed(mask: number, dentry: Dentry, cookie: number): void;
}

/** What the Vfs needs of the kernel. */
export interface VfsKernel {
  readonly mm: MemoryManager;
  readonly clock: { realtime(): { seconds: number; nanoseconds: number } };
}

const FOLLOW: WalkOptions = {};
const DIRECTORY: WalkOptions = { directory: true };

export class Vfs implements FsServices {
  readonly mm: MemoryManager;
  readonly clock: VfsKernel["clock"];
  readonly cache = new DentryCache();
  readonly mounts = new MountTable();
  readonly lockWaiters = new LockWaiters();
  /** Inodes of pipes, sockets, and everything that is "anon_inode:[...]" (epoll, eventfd, signalfd, timerfd, ...). */
  readonly pipeFs: PseudoFileSystem;
  readonly sockFs: PseudoFileSystem;
  readonly anonFs: PseudoFileSystem;
  /** Character devices by st_rdev (makeDevice(major, minor)). */
  readonly devices = new Map<number, SpecialOpener>();
  /** Whole majors, when the exact device is not registered (pts: 136). */
  readonly deviceMajors = new Map<number, SpecialOpener>();
  /** Opens a named pipe; set by ipc. `inode.attachment` is its to use. */
  openFifo: SpecialOpener | null = null;
  /** inotify; null while nobody watches. */
  events: FsEventSink | null = null;
  private lastDevice = 0;
  private lastCookie = 0;
  private rootMount: Mount | null = null;
  private readonly internalMounts = new Map<PseudoFileSystem, Mount>();

  constructor(kernel: VfsKernel) {
    this.mm = kernel.mm;
    this.clock = kernel.clock;
    this.pipeFs = new PseudoFileSystem(this, "pipefs", PIPEFS_MAGIC);
    this.sockFs = new PseudoFileSystem(this, "sockfs", SOCKFS_MAGIC);
    this.anonFs = new PseudoFileSystem(this, "anon_inodefs", ANON_INODE_FS_MAGIC);
  }

  allocateDevice(): number {
    return makeDevice(0, ++this.lastDevice);
  }

  // Roots and mounts.

  setRoot(mount: Mount): void {
    this.rootMount = mount;
  }

  /** The root of everything: where init starts. */
  get root(): Path {
    if (this.rootMount === null) throw new Error("no root file system is mounted");
    return { mount: this.rootMount, dentry: this.rootMount.root };
  }

  /** A place for a file that has none, so that /proc/PID/fd/N can lead to it: shown as its name() and nothing more. */
  placeOf(file: OpenFile): Path {
    if (file.path !== null) return file.path;
    const fs = file.inode.fs;
    let mount = this.internalMounts.get(fs as PseudoFileSystem);
    if (mount === undefined) {
      mount = new Mount(0, fs, this.mounts.rootOf(fs), 0);
      this.internalMounts.set(fs as PseudoFileSystem, mount);
    }
    return { mount, dentry: new Dentry(file.name(), null, file.inode) };
  }

  // Finding.

  walk(t: Task, dirfd: number, text: string, options: WalkOptions): PathWalk {
    return new PathWalk(t, this.cache, this.mounts, dirfd, text, options);
  }

  /** user_path_at(): the place `text` names, which must exist. */
  resolve(t: Task, dirfd: number, text: string, options: WalkOptions = FOLLOW): Path {
    if (text.length === 0 && options.emptyPath === true && dirfd !== AT_FDCWD)
      return this.placeOf(t.files.getAny(dirfd));
    const walk = this.walk(t, dirfd, text, options);
    walk.toEnd(options.followLast !== false);
    if (options.directory === true && walk.dentry.inode?.isDirectory !== true) throw errno(ENOTDIR);
    return { mount: walk.mount, dentry: walk.dentry };
  }

  /** As resolve(), but gives the inode. */
  inodeAt(t: Task, dirfd: number, text: string, options: WalkOptions = FOLLOW): Inode {
    if (text.length === 0 && options.emptyPath === true && dirfd !== AT_FDCWD) return t.files.getAny(dirfd).inode;
    const walk = this.walk(t, dirfd, text, options);
    walk.toEnd(options.followLast !== false);
    return walk.dentry.inode as Inode;
  }

  /** chdir, chroot: a directory the caller may search. */
  resolveDirectory(t: Task, dirfd: number, text: string): Path {
    const path = this.resolve(t, dirfd, text, DIRECTORY);
    requirePermission(t, path.dentry.inode as Inode, MAY_EXEC);
    path.dentry.held = true;
    return path;
  }

  // Opening.

  /**
   * do_filp_open(): `flags` are O_*, `mode` the permission bits for O_CREAT (umask not applied yet), `resolve` RESOLVE_*.
   * Throws LinuxError. The caller owns the reference.
   */
  open(t: Task, dirfd: number, text: string, flags: number, mode = 0, resolve = 0): OpenFile {
    flags = normalizedOpenFlags(flags);
    if ((flags & O_TMPFILE_BIT) !== 0) return this.openUnnamed(t, dirfd, text, flags, mode, resolve);
    const options: WalkOptions = resolve === 0 ? FOLLOW : { resolve };
    if ((flags & O_CREAT) !== 0) return this.openOrCreate(t, dirfd, text, flags, mode, options);
    const walk = this.walk(t, dirfd, text, options);
    walk.toEnd((flags & O_NOFOLLOW) === 0);
    if ((flags & O_DIRECTORY) !== 0 && walk.dentry.inode?.isDirectory !== true) throw errno(ENOTDIR);
    return this.openPlace(t, { mount: walk.mount, dentry: walk.dentry }, flags, false);
  }

  /** open_last_lookups() with O_CREAT. */
  private openOrCreate(
    t: Task,
    dirfd: number,
    text: string,
    flags: number,
    mode: number,
    options: WalkOptions,
  ): OpenFile {
    const walk = this.walk(t, dirfd, text, options);
    for (;;) {
      walk.toParent();
      if (walk.lastType !== LAST_NAME || walk.trailingSlash) {
        // "/", ".", ".." and "name/" cannot be created; a magic link may have brought us to a file.
        const onFile = walk.lastType !== LAST_NAME && walk.last === "" && walk.dentry.inode?.isDirectory === false;
        if (!onFile) throw errno((flags & O_EXCL) !== 0 && walk.lastType !== LAST_NAME ? EEXIST : EISDIR);
        return this.openPlace(t, { mount: walk.mount, dentry: walk.dentry }, flags, false);
      }
      const child = walk.lookupLast();
      if (child.inode === null) return this.createAndOpen(t, walk, child, flags, mode);
      if ((flags & O_EXCL) !== 0) throw errno(EEXIST);
      if (walk.enterLast(child, (flags & O_NOFOLLOW) === 0)) continue;
      const inode = walk.dentry.inode as Inode;
      if (inode.isDirectory) throw errno(EISDIR);
      return this.openPlace(t, { mount: walk.mount, dentry: walk.dentry }, flags, false);
    }
  }

  private createAndOpen(t: Task, walk: PathWalk, child: Dentry, flags: number, mode: number): OpenFile {
    const dir = walk.dentry.inode as Inode;
    this.requireWritableMount(walk.mount);
    if (walk.dentry.deleted) throw errno(ENOENT);
    requirePermission(t, dir, MAY_WRITE | MAY_EXEC);
    t.files.reserve();
    const inode = dir.create(t, child.name, S_IFREG | (mode & 0o7777 & ~t.fs.umask));
    this.cache.instantiate(child, inode);
    this.notify(IN_CREATE, child);
    return this.openPlace(t, { mount: walk.mount, dentry: child }, flags & ~O_TRUNC, true);
  }

  /** do_tmpfile(). */
  private openUnnamed(t: Task, dirfd: number, text: string, flags: number, mode: number, resolve: number): OpenFile {
    const place = this.resolve(t, dirfd, text, { directory: true, resolve });
    const dir = place.dentry.inode as Inode;
    this.requireWritableMount(place.mount);
    requirePermission(t, dir, MAY_WRITE | MAY_EXEC);
    const inode = dir.createUnnamed(t, S_IFREG | (mode & 0o7777 & ~t.fs.umask));
    const dentry = new Dentry(`#${inode.ino}`, place.dentry, inode);
    dentry.deleted = true;
    const file = this.openPlace(t, { mount: place.mount, dentry }, flags & ~(O_TMPFILE_BIT | O_DIRECTORY), true);
    if ((flags & O_EXCL) === 0 && file instanceof RegularFile) file.linkable = true;
    return file;
  }

  /** do_open() and may_open(): permission, then the kind's own open. `created`: permission bits do not bind the creator. */
  openPlace(t: Task, path: Path, flags: number, created: boolean): OpenFile {
    const inode = path.dentry.inode as Inode;
    path.dentry.held = true;
    if ((flags & O_PATH) !== 0) return new PathFile(inode, path, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
    const wanted = accessWanted(flags);
    const type = inode.mode & S_IFMT;
    if (type === S_IFLNK) throw errno(ELOOP);
    if (type === S_IFDIR && (wanted & MAY_WRITE) !== 0) throw errno(EISDIR);
    if ((type === S_IFCHR || type === S_IFBLK) && (path.mount.flags & MS_NODEV) !== 0) throw errno(EACCES);
    const writes = (wanted & MAY_WRITE) !== 0 && (type === S_IFREG || type === S_IFLNK);
    if (writes) this.requireWritableMount(path.mount);
    if (!created) requirePermission(t, inode, wanted);
    if ((flags & O_NOATIME) !== 0 && !ownsOrCapable(t, inode)) throw errno(EPERM);
    if ((wanted & MAY_WRITE) !== 0 && inode.writeCount < 0) throw errno(ETXTBSY);
    // Terminals look at O_NOCTTY; no open file keeps it.
    const file = this.openInode(t, inode, path, flags & ~(O_CREAT | O_EXCL | O_TRUNC));
    file.flags &= ~O_NOCTTY;
    // Linux truncates for O_RDONLY too: the permission to write was checked above.
    if ((flags & O_TRUNC) !== 0 && type === S_IFREG) this.truncateOpened(t, file);
    return file;
  }

  private openInode(t: Task, inode: Inode, path: Path, flags: number): OpenFile {
    const own = inode.open(t, path, flags);
    if (own !== null) return own;
    switch (inode.mode & S_IFMT) {
      case S_IFREG:
        return new RegularFile(inode, path, flags);
      case S_IFDIR:
        return new DirectoryFile(inode, path, flags);
      case S_IFIFO:
        if (this.openFifo === null) throw errno(ENXIO);
        return this.openFifo(t, inode, path, flags);
      case S_IFCHR: {
        const opener = this.devices.get(inode.rdev) ?? this.deviceMajors.get((inode.rdev >>> 8) & 0xfff);
        if (opener === undefined) throw errno(ENXIO);
        return opener(t, inode, path, flags);
      }
      default:
        throw errno(ENXIO);
    }
  }

  private truncateOpened(t: Task, file: OpenFile): void {
    try {
      const result = file instanceof RegularFile ? file.ftruncate(t, 0) : 0;
      if (result < 0) throw errno(-result);
      // Files of /proc and the like decide for themselves what O_TRUNC means.
      if (!(file instanceof RegularFile)) file.inode.truncate(t, 0);
    } catch (error) {
      file.release();
      throw error;
    }
    this.notifyFile(IN_MODIFY, file);
  }

  /** The whole contents of a file in kernel memory, for scripts and small configuration; `limit` bytes at most. */
  readWhole(t: Task, file: OpenFile, limit = Number.POSITIVE_INFINITY): Uint8Array {
    const bytes = new Uint8Array(Math.min(limit, file.inode.sizeBytes));
    const count = file.read(t, new BytesCursor(bytes), 0);
    if (count < 0) throw errno(-count);
    return bytes.subarray(0, count);
  }

  // Guards.

  /** mnt_want_write(). */
  requireWritableMount(mount: Mount): void {
    if (this.mounts.isReadOnly(mount)) throw errno(EROFS);
  }

  /** deny_write_access() for exec: ETXTBSY when somebody has it open for writing. Paired with allowWrite(). */
  denyWrite(inode: Inode): void {
    if (inode.writeCount > 0) throw errno(ETXTBSY);
    inode.writeCount--;
  }

  /** get_write_access() for calls that change a file without opening it. */
  requireNotExecuting(inode: Inode): void {
    if (inode.writeCount < 0) throw errno(ETXTBSY);
  }

  allowWrite(inode: Inode): void {
    inode.writeCount++;
  }

  // Events and upkeep.

  /** A shared mapping dirtied the file: mm calls this once per write-protected page. */
  fileDirtied(file: AreaFile): void {
    if (file instanceof OpenFile) file.dirtied();
  }

  notify(mask: number, dentry: Dentry, cookie = 0): void {
    if (this.events !== null) this.events.changed(mask, dentry, cookie);
  }

  notifyFile(mask: number, file: OpenFile): void {
    if (this.events !== null && file.path !== null) this.events.changed(mask, file.path.dentry, 0);
  }

  newCookie(): number {
    return ++this.lastCookie;
  }

  /** sync(): every file system; the first error, as -errno. */
  sync(): number {
    let result = 0;
    const done = new Set<unknown>();
    for (const mount of this.mounts.all) {
      if (done.has(mount.fs)) continue;
      done.add(mount.fs);
      const one = mount.fs.sync();
      if (result === 0) result = one;
    }
    return result;
  }
}

/** build_open_flags(): what Linux refuses and what it drops. */
function normalizedOpenFlags(flags: number): number {
  if ((flags & O_PATH) !== 0) return flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if ((flags & O_TMPFILE_BIT) !== 0) {
    if ((flags & O_DIRECTORY) === 0 || (flags & O_CREAT) !== 0 || (flags & O_ACCMODE) === O_RDONLY) throw errno(EINVAL);
  } else if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) {
    throw errno(EINVAL);
  }
  return flags & ~O_CLOEXEC;
}

/** ACC_MODE(): access 3 asks for both permissions but gives neither. */
function accessWanted(flags: number): number {
  const mode = flags & O_ACCMODE;
  let wanted = mode === O_RDONLY ? MAY_READ : mode === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if (mode === O_RDWR || (flags & O_TRUNC) !== 0) wanted |= MAY_WRITE;
  return wanted;
}
