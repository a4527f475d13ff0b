// The table of mounts (struct mnt_namespace): what is mounted where, bind mounts, moving and unmounting. One namespace.
import { EBUSY, EINVAL, ELOOP, ENOTDIR } from "../../abi/errno.ts";
import { MNT_DETACH, MS_RDONLY } from "../../abi/fcntl.ts";
import { errno } from "../linux-error.ts";
import type { FileSystem } from "./inode.ts";
import { Dentry, Mount, type Path } from "./path.ts";

export class MountTable {
  /** In the order they were made: /proc/mounts. */
  readonly all = new Set<Mount>();
  private lastId = 0;
  /** One root dentry per file system, so that two mounts of it share the dentry cache. */
  private readonly roots = new Map<FileSystem, Dentry>();

  rootOf(fs: FileSystem): Dentry {
    let root = this.roots.get(fs);
    if (root === undefined) {
      root = new Dentry("", null, fs.root);
      root.held = true;
      this.roots.set(fs, root);
    }
    return root;
  }

  /** A mount that is nowhere yet. */
  create(fs: FileSystem, root: Dentry, flags: number): Mount {
    return new Mount(++this.lastId, fs, root, flags);
  }

  /** The root of everything. */
  createRoot(fs: FileSystem, flags = 0): Mount {
    const mount = this.create(fs, this.rootOf(fs), flags);
    this.all.add(mount);
    return mount;
  }

  /** Mounts `fs` at `at` (a place that is not itself covered: the walk gives the topmost). */
  mount(fs: FileSystem, at: Path, flags = 0): Mount {
    const mount = this.create(fs, this.rootOf(fs), flags);
    this.attach(mount, at);
    return mount;
  }

  /** MS_BIND: shows the tree at `from` also at `at`; with `recursive`, what is mounted below it too. */
  bind(from: Path, at: Path, recursive: boolean): Mount {
    const copy = this.create(from.mount.fs, from.dentry, from.mount.flags);
    this.attach(copy, at);
    if (recursive) this.copyChildren(from.mount, from.dentry, copy);
    return copy;
  }

  private copyChildren(source: Mount, below: Dentry, target: Mount): void {
    for (const child of [...source.children]) {
      if (child === target || child.mountPoint === null || !isBelow(child.mountPoint, below)) continue;
      const copy = this.create(child.fs, child.root, child.flags);
      this.attach(copy, { mount: target, dentry: child.mountPoint });
      this.copyChildren(child, child.root, copy);
    }
  }

  attach(mount: Mount, at: Path): void {
    if (at.dentry.inode !== null && mount.root.inode !== null) {
      if (at.dentry.inode.isDirectory !== mount.root.inode.isDirectory) throw errno(ENOTDIR);
    }
    mount.parent = at.mount;
    mount.mountPoint = at.dentry;
    at.mount.children.add(mount);
    at.dentry.mountCount++;
    at.dentry.held = true;
    this.all.add(mount);
  }

  /** MS_MOVE. */
  move(mount: Mount, at: Path): void {
    if (mount.parent === null) throw errno(EINVAL);
    for (let up: Mount | null = at.mount; up !== null; up = up.parent) if (up === mount) throw errno(ELOOP);
    this.detach(mount);
    this.attach(mount, at);
  }

  private detach(mount: Mount): void {
    mount.parent?.children.delete(mount);
    if (mount.mountPoint !== null) mount.mountPoint.mountCount--;
    mount.parent = null;
    mount.mountPoint = null;
    this.all.delete(mount);
  }

  /** The mount that covers `dentry` as seen in `mount`, or null. Only called while dentry.mountCount > 0. */
  findAt(mount: Mount, dentry: Dentry): Mount | null {
    let found: Mount | null = null;
    for (const child of mount.children) if (child.mountPoint === dentry) found = child;
    return found;
  }

  /** umount2(): EBUSY while something is open in it or mounted below it, unless MNT_DETACH. */
  unmount(mount: Mount, flags: number): void {
    if (mount.parent === null) throw errno(EINVAL);
    if ((flags & MNT_DETACH) === 0 && (mount.users > 0 || mount.children.size > 0)) throw errno(EBUSY);
    for (const child of [...mount.children]) this.unmount(child, flags);
    mount.fs.sync();
    this.detach(mount);
  }

  isReadOnly(mount: Mount): boolean {
    return (mount.flags & MS_RDONLY) !== 0 || mount.fs.readOnly;
  }
}

function isBelow(dentry: Dentry, ancestor: Dentry): boolean {
  for (let at: Dentry | null = dentry; at !== null; at = at.parent) if (at === ancestor) return true;
  return false;
}
