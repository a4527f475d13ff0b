// System calls that name files: opening, status, creating, removing, renaming, links, and attributes by path.
import {
  E2BIG,
  EACCES,
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODATA,
  ENOENT,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  EROFS,
} from "../../abi/errno.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_REMOVEDIR,
  AT_STATX_DONT_SYNC,
  AT_STATX_FORCE_SYNC,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  MS_NOEXEC,
  O_ACCMODE,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_SYNC,
  O_TMPFILE_BIT,
  O_TRUNC,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  UTIME_NOW,
  UTIME_OMIT,
} from "../../abi/fcntl.ts";
import { IN_ATTRIB, IN_OPEN } from "../../abi/ipc.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, STATX_RESERVED } from "../../abi/stat.ts";
import { encodeUtf8 } from "../../util/utf8.ts";
import { CAP_DAC_READ_SEARCH, CAP_MKNOD, CAP_SYS_ADMIN, type Credentials, capable, NO_CAPS } from "../credentials.ts";
import { fetchBytes, get64, getUnsigned64, storeBytes, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { AttributeChange, Inode } from "../vfs/inode.ts";
import { utf8Length } from "../vfs/namei.ts";
import type { Path } from "../vfs/path.ts";
import { MAY_WRITE, ownsOrCapable, permissionOf, requirePermission } from "../vfs/permissions.ts";
import { RegularFile } from "../vfs/regular-file.ts";
import {
  changeMode,
  changeOwner,
  directoryBit,
  makeDirectory,
  makeLink,
  makeNode,
  makeSymlink,
  removeDirectory,
  removeFile,
  renamePath,
} from "../vfs/vfs-change.ts";
import { fetchPath, requireFlags, storeStat, storeStatx } from "./file-arguments.ts";
import { defineSyscalls } from "./registry.ts";

// biome-ignore format: one list
const OPEN_KNOWN =
  O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE |
  O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE_BIT;
const RESOLVE_KNOWN =
  RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
const OPEN_HOW_BYTES = 24;

function openAt(k: Kernel, t: Task, dirfd: number, path: string, flags: number, mode: number, resolve: number): number {
  t.files.reserve();
  const file = k.vfs.open(t, dirfd, path, (flags & OPEN_KNOWN) | O_LARGEFILE, mode & 0o7777, resolve);
  const fd = t.files.install(file, { cloexec: (flags & O_CLOEXEC) !== 0 });
  k.vfs.notifyFile(IN_OPEN, file);
  return fd;
}

/** struct open_how: flags, mode, resolve, each 64 bits; bytes beyond it must be zero (copy_struct_from_user). */
function openat2(k: Kernel, t: Task, dirfd: number, path: number, how: number, size: number): number {
  if (size < OPEN_HOW_BYTES) return -EINVAL;
  if (size > 4096) return -E2BIG;
  const bytes = fetchBytes(t, how, size);
  for (let i = OPEN_HOW_BYTES; i < size; i++) if (bytes[i] !== 0) return -E2BIG;
  const view = viewOf(bytes);
  const flags = getUnsigned64(view, 0);
  const mode = getUnsigned64(view, 8);
  const resolve = getUnsigned64(view, 16);
  if (flags > 0x7fffffff || (flags & ~OPEN_KNOWN) !== 0) return -EINVAL;
  if (resolve > RESOLVE_KNOWN || (resolve & ~RESOLVE_KNOWN) !== 0) return -EINVAL;
  if ((resolve & RESOLVE_BENEATH) !== 0 && (resolve & RESOLVE_IN_ROOT) !== 0) return -EINVAL;
  const creates = (flags & (O_CREAT | O_TMPFILE_BIT)) !== 0;
  if (creates ? mode > 0o7777 : mode !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) !== 0) return -EINVAL;
  if ((resolve & RESOLVE_CACHED) !== 0 && (flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT)) !== 0) return -EAGAIN;
  return openAt(k, t, dirfd, fetchPath(t, path), flags, mode, resolve);
}

/** The place for calls with dirfd, path and AT_* flags. */
function placeAt(k: Kernel, t: Task, dirfd: number, path: number, flags: number): Path {
  const emptyPath = (flags & AT_EMPTY_PATH) !== 0;
  return k.vfs.resolve(t, dirfd, fetchPath(t, path, emptyPath), {
    followLast: (flags & AT_SYMLINK_NOFOLLOW) === 0,
    emptyPath,
  });
}

const STAT_FOLLOW = {};
const STAT_NOFOLLOW = { followLast: false };
const STAT_EMPTY = { emptyPath: true };
const STAT_EMPTY_NOFOLLOW = { emptyPath: true, followLast: false };

function walkOptions(flags: number): { followLast?: boolean; emptyPath?: boolean } {
  if ((flags & AT_EMPTY_PATH) === 0) return (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? STAT_NOFOLLOW : STAT_FOLLOW;
  return (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? STAT_EMPTY_NOFOLLOW : STAT_EMPTY;
}

function statAt(k: Kernel, t: Task, dirfd: number, path: number, buffer: number, flags: number): number {
  requireFlags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
  const inode = k.vfs.inodeAt(t, dirfd, fetchPath(t, path, (flags & AT_EMPTY_PATH) !== 0), walkOptions(flags));
  inode.refresh(t);
  return storeStat(t, buffer, inode);
}

function statx(k: Kernel, t: Task, dirfd: number, path: number, flags: number, mask: number, buffer: number): number {
  requireFlags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
  if ((mask & STATX_RESERVED) !== 0) return -EINVAL;
  const sync = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
  if ((flags & sync) === sync) return -EINVAL;
  // Since 6.11 a null path means dirfd itself under AT_EMPTY_PATH.
  const text = path === 0 && (flags & AT_EMPTY_PATH) !== 0 ? "" : fetchPath(t, path, (flags & AT_EMPTY_PATH) !== 0);
  const place = k.vfs.resolve(t, dirfd, text, walkOptions(flags));
  const inode = place.dentry.inode as Inode;
  inode.refresh(t);
  return storeStatx(t, buffer, inode, place.mount, place.dentry === place.mount.root);
}

/** access_override_creds(): access(2) asks about the real ids; only root keeps its capabilities. */
function realCredentials(t: Task): Credentials {
  const own = t.credentials;
  return {
    ...own,
    fsuid: own.uid,
    fsgid: own.gid,
    effective: own.uid === 0 ? own.permitted : NO_CAPS,
  };
}

function faccessat(k: Kernel, t: Task, dirfd: number, path: number, mode: number, flags: number): number {
  if ((mode & ~7) !== 0) return -EINVAL;
  requireFlags(flags, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
  const text = fetchPath(t, path, (flags & AT_EMPTY_PATH) !== 0);
  const own = t.credentials;
  const asked = (flags & AT_EACCESS) !== 0 ? own : realCredentials(t);
  t.credentials = asked;
  try {
    const place = k.vfs.resolve(t, dirfd, text, walkOptions(flags));
    const inode = place.dentry.inode as Inode;
    const noExec = (place.mount.flags & MS_NOEXEC) !== 0 && inode.isRegular;
    if ((mode & 1) !== 0 && noExec) return -EACCES;
    const result = mode === 0 ? 0 : permissionOf(t, asked, inode, mode);
    if (result !== 0 || (mode & 2) === 0) return result;
    const special = !inode.isRegular && !inode.isDirectory && !inode.isSymlink;
    return !special && k.vfs.mounts.isReadOnly(place.mount) ? -EROFS : 0;
  } finally {
    t.credentials = own;
  }
}

function mknodAt(k: Kernel, t: Task, dirfd: number, path: number, mode: number, device: number): number {
  let type = mode & S_IFMT;
  if (type === 0) type = S_IFREG;
  switch (type) {
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
      break;
    case S_IFCHR:
    case S_IFBLK:
      // A character device 0:0 is a whiteout and needs no right.
      if (!(type === S_IFCHR && device === 0) && !capable(t, CAP_MKNOD)) return -EPERM;
      break;
    default:
      return type === S_IFDIR ? -EPERM : -EINVAL;
  }
  const rdev = type === S_IFCHR || type === S_IFBLK ? device >>> 0 : 0;
  makeNode(k.vfs, t, dirfd, fetchPath(t, path), type | (mode & 0o7777), rdev);
  return 0;
}

function linkAt(k: Kernel, t: Task, fromFd: number, from: number, toFd: number, to: number, flags: number): number {
  requireFlags(flags, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH);
  const emptyPath = (flags & AT_EMPTY_PATH) !== 0;
  const text = fetchPath(t, from, emptyPath);
  let linkable = false;
  if (text === "" && fromFd !== AT_FDCWD) {
    const file = t.files.getAny(fromFd);
    if (!capable(t, CAP_DAC_READ_SEARCH)) return -ENOENT;
    linkable = file instanceof RegularFile && file.linkable;
  }
  const place = k.vfs.resolve(t, fromFd, text, { followLast: (flags & AT_SYMLINK_FOLLOW) !== 0, emptyPath });
  // An O_TMPFILE file reached through /proc/self/fd.
  if (!linkable && place.dentry.deleted && place.dentry.name.startsWith("#")) linkable = isLinkable(t, place);
  makeLink(k.vfs, t, place, toFd, fetchPath(t, to), linkable);
  return 0;
}

function isLinkable(t: Task, place: Path): boolean {
  let found = false;
  t.files.forEach((_fd, file) => {
    if (file instanceof RegularFile && file.inode === place.dentry.inode && file.linkable) found = true;
  });
  return found;
}

function readLinkAt(k: Kernel, t: Task, dirfd: number, path: number, buffer: number, size: number): number {
  if (size <= 0) return -EINVAL;
  const text = fetchPath(t, path, true);
  // An empty path reads the link that an O_PATH descriptor refers to.
  const place = k.vfs.resolve(t, dirfd, text, { followLast: false, emptyPath: true });
  const inode = place.dentry.inode as Inode;
  if (!inode.isSymlink) return text === "" ? -ENOENT : -EINVAL;
  const target = encodeUtf8(inode.readLink(t));
  const count = Math.min(target.length, size);
  return t.space.copyOut(buffer, target, 0, count) === count ? count : -EFAULT;
}

function chmodAt(k: Kernel, t: Task, dirfd: number, path: number, mode: number, flags: number): number {
  requireFlags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
  const place = placeAt(k, t, dirfd, path, flags);
  if (place.dentry.inode?.isSymlink === true) return -EOPNOTSUPP;
  changeMode(k.vfs, t, place, mode);
  return 0;
}

type Time = { seconds: number; nanoseconds: number };

/** do_utimes() with two timespecs at `times`, or both now. */
function setTimes(k: Kernel, t: Task, place: Path, times: number): number {
  const inode = place.dentry.inode as Inode;
  const change: AttributeChange = {};
  let bothNow = true;
  if (times !== 0) {
    const view = viewOf(fetchBytes(t, times, 32));
    const atime = timeOf(k, view, 0);
    const mtime = timeOf(k, view, 16);
    if (atime === null && mtime === null) return 0;
    bothNow = get64(view, 8) === UTIME_NOW && get64(view, 24) === UTIME_NOW;
    if (atime !== null) change.atime = atime;
    if (mtime !== null) change.mtime = mtime;
  } else {
    change.atime = change.mtime = k.clock.realtime();
  }
  k.vfs.requireWritableMount(place.mount);
  if (!ownsOrCapable(t, inode)) {
    // Anybody who may write may set both times to now.
    if (!bothNow) return -EPERM;
    requirePermission(t, inode, MAY_WRITE);
  }
  inode.setAttributes(t, change);
  inode.touchChanged();
  k.vfs.notify(IN_ATTRIB | directoryBit(inode), place.dentry);
  return 0;
}

function timeOf(k: Kernel, view: DataView, offset: number): Time | null {
  const nanoseconds = get64(view, offset + 8);
  if (nanoseconds === UTIME_OMIT) return null;
  if (nanoseconds === UTIME_NOW) return k.clock.realtime();
  if (nanoseconds < 0 || nanoseconds >= 1e9) throw errno(EINVAL);
  return { seconds: get64(view, offset), nanoseconds };
}

function utimensat(k: Kernel, t: Task, dirfd: number, path: number, times: number, flags: number): number {
  requireFlags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
  // A null path means dirfd itself: that is how futimens works.
  if (path === 0 && dirfd !== AT_FDCWD) {
    if ((flags & ~AT_EMPTY_PATH) !== 0) return -EINVAL;
    return setTimes(k, t, k.vfs.placeOf(t.files.get(dirfd)), times);
  }
  return setTimes(k, t, placeAt(k, t, dirfd, path, flags), times);
}

// Extended attributes. The same four operations on a path, a link, or a descriptor.

const XATTR_NAME_MAX = 255;
const XATTR_SIZE_MAX = 65536;

function xattrName(t: Task, address: number): string {
  const name = fetchPath(t, address);
  if (utf8Length(name) > XATTR_NAME_MAX) throw errno(ERANGE);
  return name;
}

function setXattr(k: Kernel, t: Task, place: Path, name: number, value: number, size: number, flags: number): number {
  requireFlags(flags, 3);
  if (size < 0 || size > XATTR_SIZE_MAX) return -E2BIG;
  const inode = place.dentry.inode as Inode;
  const text = xattrName(t, name);
  const bytes = fetchBytes(t, value, size);
  k.vfs.requireWritableMount(place.mount);
  requireXattrAccess(t, inode, text, true);
  const old = inode.getXattr(text);
  if ((flags & 1) !== 0 && old !== null) return -EEXIST;
  if ((flags & 2) !== 0 && old === null) return -ENODATA;
  inode.setXattr(text, bytes);
  k.vfs.notify(IN_ATTRIB | directoryBit(inode), place.dentry);
  return 0;
}

/** xattr_permission(). */
function requireXattrAccess(t: Task, inode: Inode, name: string, write: boolean): void {
  if (name.startsWith("trusted.")) {
    if (!capable(t, CAP_SYS_ADMIN)) throw errno(write ? EPERM : ENODATA);
    return;
  }
  if (name.startsWith("user.")) {
    if (!inode.isRegular && !inode.isDirectory) throw errno(write ? EPERM : ENODATA);
    requirePermission(t, inode, write ? 2 : 4);
    return;
  }
  if (write && name.startsWith("security.") && !capable(t, CAP_SYS_ADMIN)) throw errno(EPERM);
}

function getXattr(t: Task, inode: Inode, name: number, value: number, size: number): number {
  const text = xattrName(t, name);
  requireXattrAccess(t, inode, text, false);
  const found = inode.getXattr(text);
  if (found === null) return -ENODATA;
  if (size === 0) return found.length;
  if (found.length > size) return -ERANGE;
  storeBytes(t, value, found);
  return found.length;
}

function listXattr(t: Task, inode: Inode, list: number, size: number): number {
  const names = inode.listXattrs().filter((name) => !name.startsWith("trusted.") || capable(t, CAP_SYS_ADMIN));
  const bytes = encodeUtf8(names.map((name) => `${name}\0`).join(""));
  if (size === 0) return bytes.length;
  if (bytes.length > size) return -ERANGE;
  storeBytes(t, list, bytes);
  return bytes.length;
}

function removeXattr(k: Kernel, t: Task, place: Path, name: number): number {
  const inode = place.dentry.inode as Inode;
  const text = xattrName(t, name);
  k.vfs.requireWritableMount(place.mount);
  requireXattrAccess(t, inode, text, true);
  if (!inode.removeXattr(text)) return -ENODATA;
  k.vfs.notify(IN_ATTRIB | directoryBit(inode), place.dentry);
  return 0;
}

function named(k: Kernel, t: Task, path: number, follow: boolean): Path {
  return k.vfs.resolve(t, AT_FDCWD, fetchPath(t, path), follow ? STAT_FOLLOW : STAT_NOFOLLOW);
}

function opened(k: Kernel, t: Task, fd: number): Path {
  return k.vfs.placeOf(t.files.get(fd));
}

const inodeOf = (place: Path) => place.dentry.inode as Inode;

export const filePathSyscalls = defineSyscalls({
  openat: {
    args: "dirfd:fd path:str flags:flags mode:int",
    run: (k, t, dirfd, path, flags, mode) => openAt(k, t, dirfd | 0, fetchPath(t, path), flags | 0, mode, 0),
  },
  openat2: {
    args: "dirfd:fd path:str how:ptr size:int",
    run: (k, t, dirfd, path, how, size) => openat2(k, t, dirfd | 0, path, how, size),
  },
  newfstatat: {
    args: "dirfd:fd path:str statbuf:ptr flags:hex",
    run: (k, t, dirfd, path, buffer, flags) => statAt(k, t, dirfd | 0, path, buffer, flags | 0),
  },
  statx: {
    args: "dirfd:fd path:str flags:hex mask:hex statxbuf:ptr",
    run: (k, t, dirfd, path, flags, mask, buffer) => statx(k, t, dirfd | 0, path, flags | 0, mask, buffer),
  },
  faccessat: {
    args: "dirfd:fd path:str mode:int",
    run: (k, t, dirfd, path, mode) => faccessat(k, t, dirfd | 0, path, mode | 0, 0),
  },
  faccessat2: {
    args: "dirfd:fd path:str mode:int flags:hex",
    run: (k, t, dirfd, path, mode, flags) => faccessat(k, t, dirfd | 0, path, mode | 0, flags | 0),
  },
  mkdirat: {
    args: "dirfd:fd path:str mode:int",
    run: (k, t, dirfd, path, mode) => {
      makeDirectory(k.vfs, t, dirfd | 0, fetchPath(t, path), mode);
      return 0;
    },
  },
  mknodat: {
    args: "dirfd:fd path:str mode:int dev:hex",
    run: (k, t, dirfd, path, mode, device) => mknodAt(k, t, dirfd | 0, path, mode, device),
  },
  unlinkat: {
    args: "dirfd:fd path:str flags:hex",
    run: (k, t, dirfd, path, flags) => {
      requireFlags(flags | 0, AT_REMOVEDIR);
      const text = fetchPath(t, path);
      if ((flags & AT_REMOVEDIR) !== 0) removeDirectory(k.vfs, t, dirfd | 0, text);
      else removeFile(k.vfs, t, dirfd | 0, text);
      return 0;
    },
  },
  symlinkat: {
    args: "target:str newdirfd:fd linkpath:str",
    run: (k, t, target, dirfd, path) => {
      makeSymlink(k.vfs, t, dirfd | 0, fetchPath(t, path), fetchPath(t, target));
      return 0;
    },
  },
  linkat: {
    args: "olddirfd:fd oldpath:str newdirfd:fd newpath:str flags:hex",
    run: (k, t, fromFd, from, toFd, to, flags) => linkAt(k, t, fromFd | 0, from, toFd | 0, to, flags | 0),
  },
  renameat2: {
    args: "olddirfd:fd oldpath:str newdirfd:fd newpath:str flags:hex",
    partly: "RENAME_WHITEOUT",
    run: (k, t, fromFd, from, toFd, to, flags) => {
      renamePath(k.vfs, t, fromFd | 0, fetchPath(t, from), toFd | 0, fetchPath(t, to), flags | 0);
      return 0;
    },
  },
  readlinkat: {
    args: "dirfd:fd path:str buf:ptr bufsiz:int",
    run: (k, t, dirfd, path, buffer, size) => readLinkAt(k, t, dirfd | 0, path, buffer, size | 0),
  },
  fchmodat: {
    args: "dirfd:fd path:str mode:int",
    run: (k, t, dirfd, path, mode) => chmodAt(k, t, dirfd | 0, path, mode, 0),
  },
  fchmodat2: {
    args: "dirfd:fd path:str mode:int flags:hex",
    run: (k, t, dirfd, path, mode, flags) => chmodAt(k, t, dirfd | 0, path, mode, flags | 0),
  },
  fchmod: {
    args: "fd:fd mode:int",
    run: (k, t, fd, mode) => {
      changeMode(k.vfs, t, opened(k, t, fd | 0), mode);
      return 0;
    },
  },
  fchownat: {
    args: "dirfd:fd path:str owner:int group:int flags:hex",
    run: (k, t, dirfd, path, uid, gid, flags) => {
      requireFlags(flags | 0, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
      changeOwner(k.vfs, t, placeAt(k, t, dirfd | 0, path, flags | 0), uid | 0, gid | 0);
      return 0;
    },
  },
  fchown: {
    args: "fd:fd owner:int group:int",
    run: (k, t, fd, uid, gid) => {
      changeOwner(k.vfs, t, opened(k, t, fd | 0), uid | 0, gid | 0);
      return 0;
    },
  },
  utimensat: {
    args: "dirfd:fd path:str times:ptr flags:hex",
    run: (k, t, dirfd, path, times, flags) => utimensat(k, t, dirfd | 0, path, times, flags | 0),
  },
  name_to_handle_at: {
    args: "dirfd:fd path:str handle:ptr mount_id:ptr flags:hex",
    partly: "no file system here has handles: EOPNOTSUPP",
    run: () => -EOPNOTSUPP,
  },
  open_by_handle_at: { args: "mount_fd:fd handle:ptr flags:hex", partly: "EPERM", run: () => -EPERM },
  quotactl: { args: "cmd:hex special:str id:int addr:ptr", partly: "ENOSYS", run: () => -ENOSYS },
  setxattr: {
    args: "path:str name:str value:ptr size:int flags:hex",
    run: (k, t, path, name, value, size, flags) =>
      setXattr(k, t, named(k, t, path, true), name, value, size, flags | 0),
  },
  lsetxattr: {
    args: "path:str name:str value:ptr size:int flags:hex",
    run: (k, t, path, name, value, size, flags) =>
      setXattr(k, t, named(k, t, path, false), name, value, size, flags | 0),
  },
  fsetxattr: {
    args: "fd:fd name:str value:ptr size:int flags:hex",
    run: (k, t, fd, name, value, size, flags) => setXattr(k, t, opened(k, t, fd | 0), name, value, size, flags | 0),
  },
  getxattr: {
    args: "path:str name:str value:ptr size:int",
    run: (k, t, path, name, value, size) => getXattr(t, inodeOf(named(k, t, path, true)), name, value, size),
  },
  lgetxattr: {
    args: "path:str name:str value:ptr size:int",
    run: (k, t, path, name, value, size) => getXattr(t, inodeOf(named(k, t, path, false)), name, value, size),
  },
  fgetxattr: {
    args: "fd:fd name:str value:ptr size:int",
    run: (k, t, fd, name, value, size) => getXattr(t, inodeOf(opened(k, t, fd | 0)), name, value, size),
  },
  listxattr: {
    args: "path:str list:ptr size:int",
    run: (k, t, path, list, size) => listXattr(t, inodeOf(named(k, t, path, true)), list, size),
  },
  llistxattr: {
    args: "path:str list:ptr size:int",
    run: (k, t, path, list, size) => listXattr(t, inodeOf(named(k, t, path, false)), list, size),
  },
  flistxattr: {
    args: "fd:fd list:ptr size:int",
    run: (k, t, fd, list, size) => listXattr(t, inodeOf(opened(k, t, fd | 0)), list, size),
  },
  removexattr: {
    args: "path:str name:str",
    run: (k, t, path, name) => removeXattr(k, t, named(k, t, path, true), name),
  },
  lremovexattr: {
    args: "path:str name:str",
    run: (k, t, path, name) => removeXattr(k, t, named(k, t, path, false), name),
  },
  fremovexattr: {
    args: "fd:fd name:str",
    run: (k, t, fd, name) => removeXattr(k, t, opened(k, t, fd | 0), name),
  },
});
