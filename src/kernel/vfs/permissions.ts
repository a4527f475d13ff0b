// Who may do what to an inode: the mode, owner and capability rules of fs/namei.c and fs/attr.c. Decides; changes nothing.
import { EACCES, EPERM, EROFS } from "../../abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISVTX, S_IXGRP } from "../../abi/stat.ts";
import {
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  type Credentials,
  hasCap,
  inGroup,
} from "../credentials.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode } from "./inode.ts";

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/** inode_permission() for `credentials`: 0 or -errno. */
export function permissionOf(t: Task, credentials: Credentials, inode: Inode, mask: number): number {
  if ((mask & MAY_WRITE) !== 0 && inode.fs.readOnly) {
    const type = inode.mode & S_IFMT;
    if (type === S_IFREG || type === S_IFDIR || type === S_IFLNK) return -EROFS;
  }
  const special = inode.permission(t, mask);
  return special ?? genericPermission(credentials, inode, mask);
}

/** generic_permission() without ACLs. */
function genericPermission(credentials: Credentials, inode: Inode, mask: number): number {
  const { mode } = inode;
  let granted = mode & 7;
  if (credentials.fsuid === inode.uid) granted = (mode >> 6) & 7;
  else if (((mode >> 3) ^ mode) & 7 && inGroup(credentials, inode.gid)) granted = (mode >> 3) & 7;
  if ((mask & ~granted & 7) === 0) return 0;
  const caps = credentials.effective;
  if ((mode & S_IFMT) === S_IFDIR) {
    if ((mask & MAY_WRITE) === 0 && hasCap(caps, CAP_DAC_READ_SEARCH)) return 0;
    return hasCap(caps, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if ((mask & 7) === MAY_READ && hasCap(caps, CAP_DAC_READ_SEARCH)) return 0;
  // Root may execute only what somebody may execute.
  if ((mask & MAY_EXEC) === 0 || (mode & 0o111) !== 0) return hasCap(caps, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  return -EACCES;
}

export function requirePermission(t: Task, inode: Inode, mask: number): void {
  const result = permissionOf(t, t.credentials, inode, mask);
  if (result !== 0) throw errno(-result);
}

/** inode_owner_or_capable(). */
export function ownsOrCapable(t: Task, inode: Inode): boolean {
  return t.credentials.fsuid === inode.uid || hasCap(t.credentials.effective, CAP_FOWNER);
}

/** __check_sticky(): true when the sticky bit of `dir` protects `victim` from the caller. */
function isProtectedBySticky(t: Task, dir: Inode, victim: Inode): boolean {
  if ((dir.mode & S_ISVTX) === 0) return false;
  const { fsuid, effective } = t.credentials;
  return fsuid !== victim.uid && fsuid !== dir.uid && !hasCap(effective, CAP_FOWNER);
}

/** may_delete() without the checks of file types: throws EACCES or EPERM. */
export function requireMayDelete(t: Task, dir: Inode, victim: Inode): void {
  requirePermission(t, dir, MAY_WRITE | MAY_EXEC);
  if (isProtectedBySticky(t, dir, victim)) throw errno(EPERM);
}

/**
 * Set-user-id and set-group-id bits that writing to, truncating or changing the owner of `inode` takes away
 * (setattr_should_drop_suidgid); 0 when none.
 */
export function suidBitsToDrop(t: Task, inode: Inode): number {
  const { mode } = inode;
  if ((mode & S_IFMT) !== S_IFREG) return 0;
  let bits = mode & 0o4000;
  if ((mode & S_ISGID) !== 0) {
    if ((mode & S_IXGRP) !== 0 || !(inGroup(t.credentials, inode.gid) || hasCap(t.credentials.effective, CAP_FSETID)))
      bits |= S_ISGID;
  }
  return bits !== 0 && hasCap(t.credentials.effective, CAP_FSETID) ? 0 : bits;
}

/** inode_init_owner(): owner, group and mode of a new file in `dir`. `mode` has the umask applied and its file type. */
export function initOwner(t: Task, dir: Inode, inode: Inode, mode: number): void {
  inode.uid = t.credentials.fsuid;
  inode.gid = t.credentials.fsgid;
  if ((dir.mode & S_ISGID) !== 0) {
    inode.gid = dir.gid;
    if ((mode & S_IFMT) === S_IFDIR) mode |= S_ISGID;
    else if (
      (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP) &&
      !inGroup(t.credentials, inode.gid) &&
      !hasCap(t.credentials.effective, CAP_FSETID)
    )
      mode &= ~S_ISGID;
  }
  inode.mode = mode;
}
