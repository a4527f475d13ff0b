// A place in the file tree: Dentry (a name under a parent, with what it names), Mount and Path, and how they are written as
// text. The walk from text to a Path is namei.ts; the table of mounts is mounts.ts.
import type { FileSystem, Inode } from "./inode.ts";

/**
 * struct dentry. Positive when it has an inode, negative when the name is known to be absent. `children` is a cache over
 * the inode's directory: a missing child means "ask the inode", not "is not there".
 */
export class Dentry {
  name: string;
  parent: Dentry | null;
  inode: Inode | null;
  children: Map<string, Dentry> | null = null;
  /** The name was removed while something still holds this place: shown as " (deleted)". */
  deleted = false;
  /** How many mounts cover it, over all mounts of its file system (DCACHE_MOUNTED). */
  mountCount = 0;
  /** Someone opened it, mounted on it or works in it: not dropped from the cache, for its identity matters. */
  held = false;

  constructor(name: string, parent: Dentry | null, inode: Inode | null) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }
}

/** struct mount: a tree of a file system, made visible at a mount point. */
export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  readonly root: Dentry;
  /** The mount it lies in and the dentry it covers; null for the root of everything and for detached mounts. */
  parent: Mount | null = null;
  mountPoint: Dentry | null = null;
  /** Mounts that lie in this one. */
  readonly children = new Set<Mount>();
  /** MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | ... */
  flags: number;
  /** Open files in it: umount answers EBUSY while there are any. */
  users = 0;

  constructor(id: number, fs: FileSystem, root: Dentry, flags: number) {
    this.id = id;
    this.fs = fs;
    this.root = root;
    this.flags = flags;
  }
}

export interface Path {
  readonly mount: Mount;
  readonly dentry: Dentry;
}

export function samePath(a: Path, b: Path): boolean {
  return a.mount === b.mount && a.dentry === b.dentry;
}

/** True for a directory that was removed or whose ancestor's mount is gone: getcwd answers ENOENT there. */
export function isUnreachable(path: Path): boolean {
  for (let at: Dentry | null = path.dentry; at !== null; at = at.parent) if (at.deleted) return true;
  return false;
}

/**
 * The absolute name as seen from `root` (d_path), with " (deleted)" when it was removed. A place outside `root` is given
 * from the root of everything, with "(unreachable)" in front when `mark` is set, as getcwd and /proc show it.
 */
export function pathName(path: Path, root: Path | null = null, mark = false): string {
  const parts: string[] = [];
  let { mount, dentry } = path;
  let inside = false;
  const deleted = dentry.deleted;
  for (;;) {
    if (root !== null && dentry === root.dentry && mount === root.mount) {
      inside = true;
      break;
    }
    if (dentry === mount.root) {
      if (mount.parent === null || mount.mountPoint === null) break;
      dentry = mount.mountPoint;
      mount = mount.parent;
      continue;
    }
    parts.push(dentry.name);
    if (dentry.parent === null) break;
    dentry = dentry.parent;
  }
  let text = "";
  for (let i = parts.length - 1; i >= 0; i--) text += `/${parts[i]}`;
  if (text === "") text = "/";
  if (root !== null && !inside && mark) text = `(unreachable)${text}`;
  return deleted ? `${text} (deleted)` : text;
}
