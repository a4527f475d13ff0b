// Changing the tree by name: mkdir, mknod, symlink, link, unlink, rmdir, rename, and the attributes of files (fs/namei.c,
// fs/attr.c). Does the checks in Linux's order, lets the inode act, then brings the name cache up to date.
import { EBUSY, EEXIST, EINVAL, EISDIR, EMLINK, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from "../../abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../../abi/fcntl.ts";
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "../../abi/ipc.ts";
import { S_IFDIR, S_IFMT, S_ISGID, S_ISVTX } from "../../abi/stat.ts";
import { CAP_CHOWN, CAP_FSETID, capable, inGroup } from "../credentials.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { AttributeChange, Inode } from "./inode.ts";
import { LAST_DOT, LAST_DOTDOT, LAST_NAME, type PathWalk } from "./namei.ts";
import { Dentry, type Path } from "./path.ts";
import {
  MAY_EXEC,
  MAY_WRITE,
  ownsOrCapable,
  requireMayDelete,
  requirePermission,
  suidBitsToDrop,
} from "./permissions.ts";
import { checkNewSize } from "./regular-file.ts";
import type { Vfs } from "./vfs.ts";

const LINK_MAX = 65000;
const NO_FOLLOW = {};

/** filename_create(): the negative dentry where something is to be made. `directory`: a trailing slash is fine. */
function prepareCreate(
  vfs: Vfs,
  t: Task,
  dirfd: number,
  text: string,
  directory: boolean,
): { walk: PathWalk; dentry: Dentry } {
  const walk = vfs.walk(t, dirfd, text, NO_FOLLOW);
  walk.toParent();
  if (walk.lastType !== LAST_NAME) throw errno(EEXIST);
  const dentry = walk.lookupLast();
  if (dentry.inode !== null) throw errno(EEXIST);
  if (walk.trailingSlash && !directory) throw errno(ENOENT);
  vfs.requireWritableMount(walk.mount);
  requireMayCreate(t, walk.dentry);
  return { walk, dentry };
}

function requireMayCreate(t: Task, parent: Dentry): void {
  if (parent.deleted) throw errno(ENOENT);
  requirePermission(t, parent.inode as Inode, MAY_WRITE | MAY_EXEC);
}

export function makeDirectory(vfs: Vfs, t: Task, dirfd: number, text: string, mode: number): void {
  const { walk, dentry } = prepareCreate(vfs, t, dirfd, text, true);
  const dir = walk.dentry.inode as Inode;
  // S_ISVTX may be given to mkdir; set-id bits may not.
  const made = dir.mkdir(t, dentry.name, S_IFDIR | (mode & (0o777 | S_ISVTX) & ~t.fs.umask));
  vfs.cache.instantiate(dentry, made);
  vfs.notify(IN_CREATE | IN_ISDIR, dentry);
}

/** `mode` with its S_IF* type. Permission to make devices is the caller's check. Returns the place made. */
export function makeNode(vfs: Vfs, t: Task, dirfd: number, text: string, mode: number, rdev: number): Path {
  const { walk, dentry } = prepareCreate(vfs, t, dirfd, text, false);
  const dir = walk.dentry.inode as Inode;
  const type = mode & S_IFMT;
  const masked = type | (mode & 0o7777 & ~t.fs.umask);
  const made = type === 0o100000 ? dir.create(t, dentry.name, masked) : dir.mknod(t, dentry.name, masked, rdev);
  vfs.cache.instantiate(dentry, made);
  vfs.notify(IN_CREATE, dentry);
  return { mount: walk.mount, dentry };
}

export function makeSymlink(vfs: Vfs, t: Task, dirfd: number, text: string, target: string): void {
  const { walk, dentry } = prepareCreate(vfs, t, dirfd, text, false);
  const made = (walk.dentry.inode as Inode).symlink(t, dentry.name, target);
  vfs.cache.instantiate(dentry, made);
  vfs.notify(IN_CREATE, dentry);
}

/** vfs_link(). `linkable`: an O_TMPFILE file may get its first name. */
export function makeLink(vfs: Vfs, t: Task, from: Path, dirfd: number, text: string, linkable: boolean): void {
  const inode = from.dentry.inode as Inode;
  const { walk, dentry } = prepareCreate(vfs, t, dirfd, text, false);
  if (walk.mount !== from.mount || inode.fs !== walk.mount.fs) throw errno(EXDEV);
  if (inode.isDirectory) throw errno(EPERM);
  if (inode.nlink === 0 && !linkable) throw errno(ENOENT);
  if (inode.nlink >= LINK_MAX) throw errno(EMLINK);
  (walk.dentry.inode as Inode).link(t, dentry.name, inode);
  vfs.cache.instantiate(dentry, inode);
  vfs.notify(IN_CREATE, dentry);
}

export function removeFile(vfs: Vfs, t: Task, dirfd: number, text: string): void {
  const walk = vfs.walk(t, dirfd, text, NO_FOLLOW);
  walk.toParent();
  if (walk.lastType !== LAST_NAME) throw errno(EISDIR);
  const victim = walk.lookupLast();
  const inode = victim.inode;
  if (inode === null) throw errno(ENOENT);
  if (walk.trailingSlash) throw errno(inode.isDirectory ? EISDIR : ENOTDIR);
  vfs.requireWritableMount(walk.mount);
  const dir = walk.dentry.inode as Inode;
  requireMayDelete(t, dir, inode);
  if (inode.isDirectory) throw errno(EISDIR);
  if (victim.mountCount > 0) throw errno(EBUSY);
  dir.unlink(t, victim.name, inode);
  vfs.cache.removed(victim);
  vfs.notify(IN_ATTRIB, victim);
  vfs.notify(IN_DELETE, victim);
  if (inode.nlink === 0) vfs.notify(IN_DELETE_SELF, victim);
}

export function removeDirectory(vfs: Vfs, t: Task, dirfd: number, text: string): void {
  const walk = vfs.walk(t, dirfd, text, NO_FOLLOW);
  walk.toParent();
  if (walk.lastType === LAST_DOTDOT) throw errno(ENOTEMPTY);
  if (walk.lastType === LAST_DOT) throw errno(EINVAL);
  if (walk.lastType !== LAST_NAME) throw errno(EBUSY);
  const victim = walk.lookupLast();
  const inode = victim.inode;
  if (inode === null) throw errno(ENOENT);
  vfs.requireWritableMount(walk.mount);
  const dir = walk.dentry.inode as Inode;
  requireMayDelete(t, dir, inode);
  if (!inode.isDirectory) throw errno(ENOTDIR);
  if (victim.mountCount > 0) throw errno(EBUSY);
  dir.rmdir(t, victim.name, inode);
  vfs.cache.removed(victim);
  vfs.notify(IN_DELETE | IN_ISDIR, victim);
  vfs.notify(IN_DELETE_SELF | IN_ISDIR, victim);
}

interface RenameEnd {
  walk: PathWalk;
  dentry: Dentry;
  inode: Inode | null;
}

/** do_renameat2(). */
export function renamePath(
  vfs: Vfs,
  t: Task,
  fromFd: number,
  fromText: string,
  toFd: number,
  toText: string,
  flags: number,
): void {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) throw errno(EINVAL);
  if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0 && (flags & RENAME_EXCHANGE) !== 0) throw errno(EINVAL);
  if ((flags & RENAME_WHITEOUT) !== 0) throw errno(EINVAL);
  const fromWalk = vfs.walk(t, fromFd, fromText, NO_FOLLOW);
  fromWalk.toParent();
  const toWalk = vfs.walk(t, toFd, toText, NO_FOLLOW);
  toWalk.toParent();
  if (fromWalk.mount !== toWalk.mount) throw errno(EXDEV);
  if (fromWalk.lastType !== LAST_NAME) throw errno(EBUSY);
  if (toWalk.lastType !== LAST_NAME) throw errno((flags & RENAME_NOREPLACE) !== 0 ? EEXIST : EBUSY);
  vfs.requireWritableMount(fromWalk.mount);
  const fromDentry = fromWalk.lookupLast();
  const inode = fromDentry.inode;
  if (inode === null) throw errno(ENOENT);
  const toDentry = toWalk.lookupLast();
  if ((flags & RENAME_NOREPLACE) !== 0 && toDentry.inode !== null) throw errno(EEXIST);
  if ((flags & RENAME_EXCHANGE) !== 0) {
    if (toDentry.inode === null) throw errno(ENOENT);
    if (!toDentry.inode.isDirectory && toWalk.trailingSlash) throw errno(ENOTDIR);
  }
  if (!inode.isDirectory) {
    if (fromWalk.trailingSlash) throw errno(ENOTDIR);
    if ((flags & RENAME_EXCHANGE) === 0 && toWalk.trailingSlash) throw errno(ENOTDIR);
  }
  // Neither end may be an ancestor of the other.
  if (isAncestor(fromDentry, toWalk.dentry)) throw errno(EINVAL);
  if (isAncestor(toDentry, fromWalk.dentry)) throw errno((flags & RENAME_EXCHANGE) !== 0 ? EINVAL : ENOTEMPTY);
  const from: RenameEnd = { walk: fromWalk, dentry: fromDentry, inode };
  const to: RenameEnd = { walk: toWalk, dentry: toDentry, inode: toDentry.inode };
  commitRename(vfs, t, from, to, flags);
}

/** vfs_rename(). */
function commitRename(vfs: Vfs, t: Task, from: RenameEnd, to: RenameEnd, flags: number): void {
  const inode = from.inode as Inode;
  const target = to.inode;
  if (inode === target) return;
  const fromDir = from.walk.dentry.inode as Inode;
  const toDir = to.walk.dentry.inode as Inode;
  requireMayDelete(t, fromDir, inode);
  if (target === null) {
    requireMayCreate(t, to.walk.dentry);
  } else {
    requireMayDelete(t, toDir, target);
    if ((flags & RENAME_EXCHANGE) === 0) {
      if (inode.isDirectory && !target.isDirectory) throw errno(ENOTDIR);
      if (!inode.isDirectory && target.isDirectory) throw errno(EISDIR);
    }
  }
  // Moving a directory changes its "..": that needs permission to write it.
  if (fromDir !== toDir) {
    if (inode.isDirectory) requirePermission(t, inode, MAY_WRITE);
    if ((flags & RENAME_EXCHANGE) !== 0 && target?.isDirectory === true) requirePermission(t, target, MAY_WRITE);
  }
  if (from.dentry.mountCount > 0 || to.dentry.mountCount > 0) throw errno(EBUSY);
  const cookie = vfs.newCookie();
  const directory = inode.isDirectory ? IN_ISDIR : 0;
  const place = new Dentry(from.dentry.name, from.dentry.parent, inode);
  fromDir.rename(t, from.dentry.name, inode, toDir, to.dentry.name, target, flags);
  if ((flags & RENAME_EXCHANGE) !== 0) vfs.cache.exchange(from.dentry, to.dentry);
  else vfs.cache.move(from.dentry, to.dentry);
  vfs.notify(IN_MOVED_FROM | directory, place, cookie);
  vfs.notify(IN_MOVED_TO | directory, from.dentry, cookie);
  vfs.notify(IN_MOVE_SELF | directory, from.dentry);
  if (target !== null && target.nlink === 0)
    vfs.notify(IN_DELETE_SELF | (target.isDirectory ? IN_ISDIR : 0), to.dentry);
}

function isAncestor(ancestor: Dentry, of: Dentry): boolean {
  for (let at: Dentry | null = of; at !== null; at = at.parent) if (at === ancestor) return true;
  return false;
}

// Attributes

/** chmod_common(). */
export function changeMode(vfs: Vfs, t: Task, path: Path, mode: number): void {
  const inode = path.dentry.inode as Inode;
  vfs.requireWritableMount(path.mount);
  if (!ownsOrCapable(t, inode)) throw errno(EPERM);
  let bits = mode & 0o7777;
  if ((bits & S_ISGID) !== 0 && !inGroup(t.credentials, inode.gid) && !capable(t, CAP_FSETID)) bits &= ~S_ISGID;
  inode.setAttributes(t, { mode: bits });
  inode.touchChanged();
  vfs.notify(IN_ATTRIB | directoryBit(inode), path.dentry);
}

/** chown_common(); -1 (as unsigned: 0xffffffff) leaves an id as it is. */
export function changeOwner(vfs: Vfs, t: Task, path: Path, uid: number, gid: number): void {
  const inode = path.dentry.inode as Inode;
  vfs.requireWritableMount(path.mount);
  const change: AttributeChange = {};
  if (uid !== -1) {
    if ((t.credentials.fsuid !== inode.uid || uid >>> 0 !== inode.uid) && !capable(t, CAP_CHOWN)) throw errno(EPERM);
    change.uid = uid >>> 0;
  }
  if (gid !== -1) {
    const own = t.credentials.fsuid === inode.uid && (inGroup(t.credentials, gid >>> 0) || gid >>> 0 === inode.gid);
    if (!own && !capable(t, CAP_CHOWN)) throw errno(EPERM);
    change.gid = gid >>> 0;
  }
  if (!inode.isDirectory) {
    // chown takes set-id bits away whoever does it: should_remove_suid() looks at the mode alone here.
    let bits = inode.mode & 0o4000;
    if ((inode.mode & 0o2010) === 0o2010) bits |= S_ISGID;
    bits |= suidBitsToDrop(t, inode);
    if (bits !== 0) change.mode = inode.mode & 0o7777 & ~bits;
  }
  inode.setAttributes(t, change);
  inode.touchChanged();
  vfs.notify(IN_ATTRIB | directoryBit(inode), path.dentry);
}

/** truncate(2) by path: the caller has resolved it and checked MAY_WRITE. */
export function truncatePath(vfs: Vfs, t: Task, path: Path, sizeBytes: number): void {
  const inode = path.dentry.inode as Inode;
  const allowed = checkNewSize(t, inode, sizeBytes);
  if (allowed < 0) throw errno(-allowed);
  const drop = suidBitsToDrop(t, inode);
  if (drop !== 0) inode.setAttributes(t, { mode: inode.mode & ~drop });
  inode.truncate(t, sizeBytes);
  inode.touchModified();
  vfs.notify(IN_MODIFY, path.dentry);
}

export function directoryBit(inode: Inode): number {
  return inode.isDirectory ? IN_ISDIR : 0;
}
