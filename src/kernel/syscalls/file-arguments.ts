// What the file system calls share: fetching path names, checking flags, and the guest's layouts of stat, statx and statfs.
import { EFAULT, EINVAL, ENAMETOOLONG, ENOENT } from "../../abi/errno.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  PATH_MAX,
  ST_NOATIME,
  ST_NODEV,
  ST_NODIRATIME,
  ST_NOEXEC,
  ST_NOSUID,
  ST_RDONLY,
  ST_RELATIME,
  ST_VALID,
} from "../../abi/fcntl.ts";
import {
  deviceMajor,
  deviceMinor,
  STATX_ATTR_MOUNT_ROOT,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_MNT_ID,
} from "../../abi/stat.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { fetchString, set64, storeBytes } from "../ipc/user-memory.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode, StatFs } from "../vfs/inode.ts";
import type { Mount } from "../vfs/path.ts";

export const STAT_BYTES = 128;
export const STATX_BYTES = 256;
export const STATFS_BYTES = 120;

/** getname(): the path at `address`, EFAULT or ENAMETOOLONG. An empty one is ENOENT unless `mayBeEmpty`. */
export function fetchPath(t: Task, address: number, mayBeEmpty = false): string {
  const bytes = fetchString(t, address, PATH_MAX, ENAMETOOLONG);
  if (bytes.length === 0 && !mayBeEmpty) throw errno(ENOENT);
  return textOf(bytes);
}

/** Lossless text of a name; the usual all-ASCII one without detours. */
export function textOf(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] >= 0x80) return decodeUtf8(bytes);
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** EINVAL for any flag outside `known`. */
export function requireFlags(flags: number, known: number): void {
  if ((flags & ~known) !== 0) throw errno(EINVAL);
}

const statBytes = new Uint8Array(STATX_BYTES);
const statView = new DataView(statBytes.buffer);

/** struct stat of asm-generic/stat.h at `address`. */
export function storeStat(t: Task, address: number, inode: Inode): number {
  const view = statView;
  statBytes.fill(0, 0, STAT_BYTES);
  set64(view, 0, inode.fs.dev);
  set64(view, 8, inode.ino);
  view.setUint32(16, inode.mode, true);
  view.setUint32(20, inode.nlink, true);
  view.setUint32(24, inode.uid, true);
  view.setUint32(28, inode.gid, true);
  set64(view, 32, inode.rdev);
  set64(view, 48, inode.sizeBytes);
  view.setUint32(56, inode.blockSize, true);
  set64(view, 64, inode.blocks);
  set64(view, 72, inode.atimeSeconds);
  set64(view, 80, inode.atimeNanoseconds);
  set64(view, 88, inode.mtimeSeconds);
  set64(view, 96, inode.mtimeNanoseconds);
  set64(view, 104, inode.ctimeSeconds);
  set64(view, 112, inode.ctimeNanoseconds);
  if (t.space.copyOut(address, statBytes, 0, STAT_BYTES) !== STAT_BYTES) return -EFAULT;
  return 0;
}

function setStatxTime(offset: number, seconds: number, nanoseconds: number): void {
  set64(statView, offset, seconds);
  statView.setUint32(offset + 8, nanoseconds, true);
}

/** struct statx; everything we know is given, whatever was asked for. `mount` null: a file without a place. */
export function storeStatx(t: Task, address: number, inode: Inode, mount: Mount | null, isMountRoot: boolean): number {
  const view = statView;
  statBytes.fill(0);
  let mask = STATX_BASIC_STATS | (mount === null ? 0 : STATX_MNT_ID);
  if (inode.btimeSeconds !== 0) mask |= STATX_BTIME;
  view.setUint32(0, mask, true);
  view.setUint32(4, inode.blockSize, true);
  set64(view, 8, isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
  view.setUint32(16, inode.nlink, true);
  view.setUint32(20, inode.uid, true);
  view.setUint32(24, inode.gid, true);
  view.setUint16(28, inode.mode, true);
  set64(view, 32, inode.ino);
  set64(view, 40, inode.sizeBytes);
  set64(view, 48, inode.blocks);
  set64(view, 56, STATX_ATTR_MOUNT_ROOT);
  setStatxTime(64, inode.atimeSeconds, inode.atimeNanoseconds);
  setStatxTime(80, inode.btimeSeconds, inode.btimeNanoseconds);
  setStatxTime(96, inode.ctimeSeconds, inode.ctimeNanoseconds);
  setStatxTime(112, inode.mtimeSeconds, inode.mtimeNanoseconds);
  view.setUint32(128, deviceMajor(inode.rdev), true);
  view.setUint32(132, deviceMinor(inode.rdev), true);
  view.setUint32(136, deviceMajor(inode.fs.dev), true);
  view.setUint32(140, deviceMinor(inode.fs.dev), true);
  set64(view, 144, mount?.id ?? 0);
  if (t.space.copyOut(address, statBytes) !== STATX_BYTES) return -EFAULT;
  return 0;
}

/** f_flags of a mount (calculate_f_flags). */
function statfsFlags(mount: Mount | null, readOnly: boolean): number {
  let flags = ST_VALID | (readOnly ? ST_RDONLY : 0);
  if (mount === null) return flags;
  if ((mount.flags & MS_RDONLY) !== 0) flags |= ST_RDONLY;
  if ((mount.flags & MS_NOSUID) !== 0) flags |= ST_NOSUID;
  if ((mount.flags & MS_NODEV) !== 0) flags |= ST_NODEV;
  if ((mount.flags & MS_NOEXEC) !== 0) flags |= ST_NOEXEC;
  if ((mount.flags & MS_NODIRATIME) !== 0) flags |= ST_NODIRATIME;
  return flags | ((mount.flags & MS_NOATIME) !== 0 ? ST_NOATIME : ST_RELATIME);
}

/** struct statfs of a 64-bit machine. */
export function storeStatfs(t: Task, address: number, stat: StatFs, inode: Inode, mount: Mount | null): number {
  const bytes = new Uint8Array(STATFS_BYTES);
  const view = new DataView(bytes.buffer);
  set64(view, 0, stat.type);
  set64(view, 8, stat.blockSize);
  set64(view, 16, stat.blocks);
  set64(view, 24, stat.blocksFree);
  set64(view, 32, stat.blocksAvailable);
  set64(view, 40, stat.files);
  set64(view, 48, stat.filesFree);
  view.setUint32(56, inode.fs.dev, true);
  set64(view, 64, stat.nameLength);
  set64(view, 72, stat.blockSize);
  set64(view, 80, statfsFlags(mount, inode.fs.readOnly));
  storeBytes(t, address, bytes);
  return 0;
}
