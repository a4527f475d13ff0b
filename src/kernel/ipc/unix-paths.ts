// Where Unix sockets meet the file system: making the node that bind() names, and finding what connect() names.
import { EADDRINUSE, ECONNREFUSED, EEXIST } from "../../abi/errno.ts";
import { AT_FDCWD } from "../../abi/fcntl.ts";
import { S_IFMT, S_IFSOCK } from "../../abi/stat.ts";
import type { Kernel } from "../kernel.ts";
import { errno, LinuxError } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import { MAY_WRITE, requirePermission } from "../vfs/permissions.ts";
import { makeNode } from "../vfs/vfs-change.ts";

/** unix_bind_bsd: a socket node at `path`; EADDRINUSE when something is there. */
export function createSocketNode(k: Kernel, t: Task, path: string): Inode {
  try {
    return makeNode(k.vfs, t, AT_FDCWD, path, S_IFSOCK | 0o777, 0).dentry.inode as Inode;
  } catch (error) {
    if (error instanceof LinuxError && error.errno === EEXIST) throw errno(EADDRINUSE);
    throw error;
  }
}

/** unix_find_bsd: the socket node at `path`, which the caller must be allowed to write. */
export function findSocketNode(k: Kernel, t: Task, path: string): Inode {
  const { inode } = k.vfs.resolve(t, AT_FDCWD, path, {}).dentry;
  if (inode === null) throw errno(ECONNREFUSED);
  requirePermission(t, inode, MAY_WRITE);
  if ((inode.mode & S_IFMT) !== S_IFSOCK) throw errno(ECONNREFUSED);
  return inode;
}

export function nodeExists(k: Kernel, t: Task, path: string): boolean {
  try {
    return k.vfs.inodeAt(t, AT_FDCWD, path, { followLast: false }) !== null;
  } catch (error) {
    if (error instanceof LinuxError) return false;
    throw error;
  }
}
