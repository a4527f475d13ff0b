// File trees that live in memory: directories, links, symbolic links, nodes and extended attributes. tmpfs.ts and overlayfs.ts
// say where the data of regular files is kept and, for the overlay, what lies underneath.
import { EEXIST, EINVAL, EISDIR, ENOSPC, ENOTDIR, ENOTEMPTY } from "../../abi/errno.ts";
import { RENAME_EXCHANGE } from "../../abi/fcntl.ts";
import { directoryEntryType, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../abi/stat.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { ListedDirectory } from "./directory-file.ts";
import { type DirectoryEntry, type DirectoryStream, FileSystem, type Inode } from "./inode.ts";
import { utf8Length } from "./namei.ts";
import { initOwner } from "./permissions.ts";
import { InodeWithXattrs } from "./xattrs.ts";

export abstract class TreeFileSystem extends FileSystem {
  abstract override readonly root: TreeInode;
  inodeCount = 0;
  /** Inodes that may exist; beyond it ENOSPC. */
  maxInodes = Number.POSITIVE_INFINITY;

  /** A new inode of any type, owned by nobody yet. */
  abstract newInode(mode: number): TreeInode;

  /** A file that no directory names: memfd and O_TMPFILE. */
  createUnnamed(t: Task, mode: number): TreeInode {
    const inode = this.makeInode(mode);
    inode.uid = t.credentials.fsuid;
    inode.gid = t.credentials.fsgid;
    inode.nlink = 0;
    inode.touchCreated();
    return inode;
  }

  makeInode(mode: number): TreeInode {
    if (this.inodeCount >= this.maxInodes) throw errno(ENOSPC);
    this.inodeCount++;
    return this.newInode(mode);
  }
}

export abstract class TreeInode extends InodeWithXattrs {
  declare readonly fs: TreeFileSystem;
  /** What a directory holds; null for other types. */
  entries: Map<string, TreeInode> | null;
  /** The text of a symbolic link. */
  target = "";
  private data: MemoryObject | null = null;

  constructor(fs: TreeFileSystem, mode: number, ino?: number) {
    super(fs, mode, ino);
    this.entries = (mode & S_IFMT) === S_IFDIR ? new Map() : null;
    if (this.entries !== null) this.nlink = 2;
  }

  /** The object that holds this regular file's data; called once. */
  protected abstract createObject(): MemoryObject;

  /** The object if it exists already. */
  protected get loadedObject(): MemoryObject | null {
    return this.data;
  }

  override get object(): MemoryObject {
    if (this.data === null) {
      if (!this.isRegular) return super.object;
      this.data = this.createObject();
    }
    return this.data;
  }

  override get sizeBytes(): number {
    if (this.data !== null) return this.data.sizeBytes;
    if (this.entries !== null) return this.entries.size * 20 + 40;
    return this.isSymlink ? utf8Length(this.target) : 0;
  }

  override truncate(_t: Task, sizeBytes: number): void {
    if (!this.isRegular) throw errno(this.isDirectory ? EISDIR : EINVAL);
    const result = this.object.truncate(sizeBytes);
    if (result < 0) throw errno(-result);
  }

  // Directories.

  protected get names(): Map<string, TreeInode> {
    if (this.entries === null) throw errno(ENOTDIR);
    return this.entries;
  }

  override lookup(_t: Task, name: string): TreeInode | null {
    return this.names.get(name) ?? null;
  }

  /** True when nothing but "." and ".." is in it. */
  isEmpty(_t: Task): boolean {
    return this.names.size === 0;
  }

  private add(t: Task, name: string, mode: number): TreeInode {
    if (this.names.has(name)) throw errno(EEXIST);
    const inode = this.fs.makeInode(mode);
    initOwner(t, this, inode, mode);
    inode.touchCreated();
    this.names.set(name, inode);
    this.touchModified();
    return inode;
  }

  /** Puts a file of root's here without asking anybody: for trees that the kernel itself fills. */
  place(name: string, mode: number, rdev = 0): TreeInode {
    const inode = this.fs.makeInode(mode);
    inode.rdev = rdev;
    inode.touchCreated();
    this.names.set(name, inode);
    if (inode.isDirectory) this.nlink++;
    return inode;
  }

  override create(t: Task, name: string, mode: number): Inode {
    return this.add(t, name, S_IFREG | (mode & 0o7777));
  }

  override mkdir(t: Task, name: string, mode: number): Inode {
    const made = this.add(t, name, S_IFDIR | (mode & 0o7777));
    this.nlink++;
    return made;
  }

  override mknod(t: Task, name: string, mode: number, rdev: number): Inode {
    const made = this.add(t, name, mode);
    made.rdev = rdev;
    return made;
  }

  override symlink(t: Task, name: string, target: string): Inode {
    const made = this.add(t, name, S_IFLNK | 0o777);
    made.target = target;
    return made;
  }

  override link(_t: Task, name: string, inode: Inode): void {
    if (this.names.has(name)) throw errno(EEXIST);
    this.names.set(name, inode as TreeInode);
    inode.nlink++;
    inode.touchChanged();
    this.touchModified();
  }

  override unlink(_t: Task, name: string, child: Inode): void {
    this.names.delete(name);
    this.touchModified();
    child.touchChanged();
    child.dropLink();
  }

  override rmdir(t: Task, name: string, child: Inode): void {
    if (!(child as TreeInode).isEmpty(t)) throw errno(ENOTEMPTY);
    this.names.delete(name);
    this.nlink--;
    this.touchModified();
    child.touchChanged();
    child.dropLink(child.nlink);
  }

  override rename(
    t: Task,
    name: string,
    child: Inode,
    to: Inode,
    toName: string,
    target: Inode | null,
    flags: number,
  ): void {
    const toDir = to as TreeInode;
    const moved = child as TreeInode;
    const replaced = target as TreeInode | null;
    if ((flags & RENAME_EXCHANGE) !== 0 && replaced !== null) {
      this.names.set(name, replaced);
      toDir.names.set(toName, moved);
      if (moved.isDirectory !== replaced.isDirectory) {
        const delta = moved.isDirectory ? 1 : -1;
        this.nlink -= delta;
        toDir.nlink += delta;
      }
      replaced.touchChanged();
    } else {
      if (replaced !== null) toDir.removeReplaced(t, replaced);
      this.names.delete(name);
      toDir.names.set(toName, moved);
      if (moved.isDirectory) {
        this.nlink--;
        toDir.nlink++;
      }
    }
    moved.touchChanged();
    this.touchModified();
    if (toDir !== this) toDir.touchModified();
  }

  private removeReplaced(t: Task, replaced: TreeInode): void {
    if (replaced.isDirectory) {
      if (!replaced.isEmpty(t)) throw errno(ENOTEMPTY);
      this.nlink--;
    }
    replaced.touchChanged();
    replaced.dropLink(replaced.isDirectory ? replaced.nlink : 1);
  }

  override createUnnamed(t: Task, mode: number): Inode {
    const inode = this.fs.makeInode(S_IFREG | (mode & 0o7777));
    initOwner(t, this, inode, inode.mode);
    inode.nlink = 0;
    inode.touchCreated();
    return inode;
  }

  override openDirectory(_t: Task): DirectoryStream {
    return new ListedDirectory(this.listEntries());
  }

  protected listEntries(): DirectoryEntry[] {
    const list: DirectoryEntry[] = [];
    for (const [name, inode] of this.names) list.push({ name, ino: inode.ino, type: directoryEntryType(inode.mode) });
    return list;
  }

  override readLink(_t: Task): string {
    if (!this.isSymlink) throw errno(EINVAL);
    return this.target;
  }

  override evicted(): void {
    this.fs.inodeCount--;
    const { data } = this;
    if (data === null) return;
    this.data = null;
    // An unlinked file's pages must not be written anywhere any more.
    data.truncate(0);
    data.release();
  }
}
