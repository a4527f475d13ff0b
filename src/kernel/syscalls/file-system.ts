// System calls about where a task stands in the tree and what is mounted there: working directory, root, umask, statfs, mount.
import { EBUSY, EINVAL, ENAMETOOLONG, ENODEV, ENOENT, ENOTDIR, EPERM, ERANGE } from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { encodeUtf8 } from "../../util/utf8.ts";
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT, capable } from "../credentials.ts";
import { fetchString, storeBytes } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { createDevFs, DevPtsFs } from "../vfs/devfs.ts";
import type { FileSystem, Inode } from "../vfs/inode.ts";
import { isUnreachable, type Mount, type Path, pathName } from "../vfs/path.ts";
import { MAY_EXEC, requirePermission } from "../vfs/permissions.ts";
import { ProcFileSystem } from "../vfs/procfs/procfs.ts";
import { parseTmpFsOptions, TmpFs } from "../vfs/tmpfs.ts";
import { fetchPath, storeStatfs, textOf } from "./file-arguments.ts";
import { defineSyscalls } from "./registry.ts";

const PER_MOUNT = F.MS_RDONLY | F.MS_NOSUID | F.MS_NODEV | F.MS_NOEXEC | F.MS_NOATIME | F.MS_NODIRATIME | 256;
const PROPAGATION = F.MS_UNBINDABLE | F.MS_PRIVATE | F.MS_SLAVE | F.MS_SHARED;
/** The second half of old-style flags: MS_MGC_VAL in the high word is dropped. */
const MS_MGC_MASK = 0xffff0000;
const MS_MGC_VALUE = 0xc0ed0000;

function getcwd(t: Task, buffer: number, size: number): number {
  const { cwd, root } = t.fs;
  if (isUnreachable(cwd)) return -ENOENT;
  const text = encodeUtf8(`${pathName(cwd, root, true)}\0`);
  if (text.length > F.PATH_MAX) return -ENAMETOOLONG;
  if (text.length > size) return -ERANGE;
  storeBytes(t, buffer, text);
  return text.length;
}

function fchdir(t: Task, fd: number): number {
  const file = t.files.getAny(fd);
  if (file.path === null || !file.inode.isDirectory) return -ENOTDIR;
  requirePermission(t, file.inode, MAY_EXEC);
  t.fs.cwd = file.path;
  return 0;
}

function chroot(k: Kernel, t: Task, path: number): number {
  const place = k.vfs.resolveDirectory(t, F.AT_FDCWD, fetchPath(t, path));
  if (!capable(t, CAP_SYS_CHROOT)) return -EPERM;
  t.fs.root = place;
  return 0;
}

// Mounting

function makeFileSystem(k: Kernel, type: string, source: string, data: string): FileSystem {
  switch (type) {
    case "tmpfs":
    case "ramfs":
      return new TmpFs(k.vfs, source, parseTmpFsOptions(data, k.mm.totalFrames * 4096));
    case "devtmpfs":
      return createDevFs(k.vfs);
    case "devpts":
      return new DevPtsFs(k.vfs, k.ipc.terminals.ptys);
    case "proc":
      return new ProcFileSystem(k);
    default:
      throw errno(ENODEV);
  }
}

/** path_mount(). */
function mount(k: Kernel, t: Task, source: number, target: number, type: number, flags: number, data: number): number {
  if ((flags & MS_MGC_MASK) >>> 0 === MS_MGC_VALUE) flags &= ~MS_MGC_MASK;
  const at = k.vfs.resolve(t, F.AT_FDCWD, fetchPath(t, target));
  if (!capable(t, CAP_SYS_ADMIN)) return -EPERM;
  const kept = flags & PER_MOUNT;
  if ((flags & F.MS_REMOUNT) !== 0) {
    if (at.dentry !== at.mount.root) return -EINVAL;
    at.mount.flags = kept;
    return 0;
  }
  if ((flags & F.MS_BIND) !== 0) {
    const from = k.vfs.resolve(t, F.AT_FDCWD, fetchPath(t, source));
    k.vfs.mounts.bind(from, at, (flags & F.MS_REC) !== 0);
    return 0;
  }
  // One namespace, nothing propagates: every mount is private already.
  if ((flags & PROPAGATION) !== 0) return at.dentry === at.mount.root ? 0 : -EINVAL;
  if ((flags & F.MS_MOVE) !== 0) {
    const from = k.vfs.resolve(t, F.AT_FDCWD, fetchPath(t, source));
    if (from.dentry !== from.mount.root) return -EINVAL;
    k.vfs.mounts.move(from.mount, at);
    return 0;
  }
  const name = type === 0 ? "" : fetchPath(t, type, true);
  const label = source === 0 ? "none" : fetchPath(t, source, true) || "none";
  const options = data === 0 ? "" : textOf(fetchString(t, data, F.PATH_MAX, EINVAL));
  k.vfs.mounts.mount(makeFileSystem(k, name, label, options), at, kept);
  return 0;
}

function umount(k: Kernel, t: Task, target: number, flags: number): number {
  const known = F.MNT_FORCE | F.MNT_DETACH | F.MNT_EXPIRE | F.UMOUNT_NOFOLLOW;
  if ((flags & ~known) !== 0) return -EINVAL;
  const place = k.vfs.resolve(t, F.AT_FDCWD, fetchPath(t, target), { followLast: (flags & F.UMOUNT_NOFOLLOW) === 0 });
  if (!capable(t, CAP_SYS_ADMIN)) return -EPERM;
  if (place.dentry !== place.mount.root) return -EINVAL;
  if ((flags & F.MNT_DETACH) === 0 && isStoodIn(k, place.mount)) return -EBUSY;
  k.vfs.mounts.unmount(place.mount, flags);
  return 0;
}

/** Somebody's working directory or root lies in the mount. */
function isStoodIn(k: Kernel, of: Mount): boolean {
  for (const task of k.tasks.values())
    if (task.isAlive && (task.fs.cwd.mount === of || task.fs.root.mount === of)) return true;
  return false;
}

function statfsOf(t: Task, place: Path, buffer: number): number {
  const inode = place.dentry.inode as Inode;
  return storeStatfs(t, buffer, inode.fs.statfs(), inode, place.mount.id === 0 ? null : place.mount);
}

export const fileSystemSyscalls = defineSyscalls({
  getcwd: { args: "buf:ptr size:int", run: (_k, t, buffer, size) => getcwd(t, buffer, size) },
  chdir: {
    args: "path:str",
    run: (k, t, path) => {
      t.fs.cwd = k.vfs.resolveDirectory(t, F.AT_FDCWD, fetchPath(t, path));
      return 0;
    },
  },
  fchdir: { args: "fd:fd", run: (_k, t, fd) => fchdir(t, fd | 0) },
  chroot: { args: "path:str", run: (k, t, path) => chroot(k, t, path) },
  umask: {
    args: "mask:int",
    run: (_k, t, mask) => {
      const old = t.fs.umask;
      t.fs.umask = mask & 0o777;
      return old;
    },
  },
  statfs: {
    args: "path:str buf:ptr",
    run: (k, t, path, buffer) => statfsOf(t, k.vfs.resolve(t, F.AT_FDCWD, fetchPath(t, path)), buffer),
  },
  fstatfs: {
    args: "fd:fd buf:ptr",
    run: (k, t, fd, buffer) => statfsOf(t, k.vfs.placeOf(t.files.getAny(fd | 0)), buffer),
  },
  mount: {
    args: "source:str target:str type:str flags:hex data:ptr",
    partly: "tmpfs, ramfs, devtmpfs, devpts, proc, bind, move, remount; other types ENODEV; no propagation",
    run: (k, t, source, target, type, flags, data) => mount(k, t, source, target, type, flags | 0, data),
  },
  umount2: { args: "target:str flags:hex", run: (k, t, target, flags) => umount(k, t, target, flags | 0) },
  pivot_root: { args: "new_root:str put_old:str", partly: "EINVAL", run: () => -EINVAL },
});
