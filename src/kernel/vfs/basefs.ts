// A host folder shown as it is (--writable, --mount): names and data are the host's, file data pass through the page cache.
// What an unprivileged host process cannot store (owners, device nodes, pipes) is remembered in memory for the run.
import { EACCES, EEXIST, EINVAL, EIO, EISDIR, ENOTEMPTY, EPERM, EROFS } from "../../abi/errno.ts";
import { O_ACCMODE, O_RDONLY, RENAME_EXCHANGE } from "../../abi/fcntl.ts";
import { DT_UNKNOWN, directoryEntryType, EXT4_SUPER_MAGIC, S_IFMT } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { DeviceError } from "../../mm/contracts.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno, LinuxError } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { BaseBacking } from "./base-backing.ts";
import { type HostEntry, type HostFiles, type HostListing, HostNode, type HostStat } from "./host-files.ts";
import {
  type AttributeChange,
  applyAttributes,
  type DirectoryEntry,
  type DirectoryStream,
  FileSystem,
  type FsServices,
  type Inode,
  type StatFs,
} from "./inode.ts";
import type { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";
import { initOwner } from "./permissions.ts";
import { InodeWithXattrs } from "./xattrs.ts";

export interface BaseFsOptions {
  writable: boolean;
  /** Others change the folder while we run: names and attributes are checked against the host at each use. */
  shared: boolean;
}

export class BaseFs extends FileSystem {
  readonly type = "faultlinefs";
  readonly magic = EXT4_SUPER_MAGIC;
  readonly root: BaseInode;
  readonly host: HostFiles;
  readonly shared: boolean;
  private readonly inodes = new Map<string, BaseInode>();
  /** Files whose data or times the host does not have yet. */
  readonly dirty = new Set<BaseInode>();

  constructor(services: FsServices, host: HostFiles, options: BaseFsOptions) {
    super(services, host.description);
    this.host = host;
    this.readOnly = !options.writable;
    this.shared = this.revalidates = options.shared;
    this.root = this.inodeFor(host.root, host.stat(host.root));
  }

  /** The inode of a host file: one for all its names. */
  inodeFor(node: HostNode, stat: HostStat): BaseInode {
    const known = this.inodes.get(stat.key);
    if (known?.isSameFile(stat)) {
      known.found(node, stat);
      return known;
    }
    const inode = new BaseInode(this, stat.mode, inodeNumber(stat));
    inode.node = node;
    inode.adopt(stat);
    this.inodes.set(stat.key, inode);
    return inode;
  }

  forget(inode: BaseInode, key: string): void {
    if (this.inodes.get(key) === inode) this.inodes.delete(key);
    this.dirty.delete(inode);
  }

  override statfs(): StatFs {
    return { ...super.statfs(), ...this.host.space() };
  }

  override sync(): number {
    let result = 0;
    for (const inode of [...this.dirty]) {
      const one = inode.sync(false);
      if (result === 0) result = one;
    }
    return result;
  }
}

/** Inodes of other devices below the folder get a high tag, so that numbers stay distinct within our one st_dev. */
function inodeNumber(stat: HostStat): number {
  return stat.device === 0 ? stat.ino : (stat.ino % 2 ** 40) + (stat.device + 1) * 2 ** 44;
}

export class BaseInode extends InodeWithXattrs {
  declare readonly fs: BaseFs;
  node!: HostNode;
  target = "";
  private statSize = 0;
  private statBlocks = 0;
  private data: MemoryObject | null = null;
  /** What the host said last, to notice changes by others. */
  private hostMtime = "";
  /** When the host made it, by the host's clock: the guest's may differ. */
  private hostBirth = "";
  /** The host's size or mtime moved by our own doing since. */
  private selfChanged = false;
  private timesDirty = false;
  /** -errno of a write-back that no fsync has reported yet. */
  private lateError = 0;
  /** mode, uid or gid are ours: the host could not take them. */
  private ownAttributes = false;
  /** Pipes, sockets and devices made here: the host never sees them. */
  private special: Map<string, BaseInode> | null = null;

  adopt(stat: HostStat): void {
    this.mode = stat.mode;
    this.rdev = stat.rdev;
    this.btimeSeconds = stat.btimeSeconds;
    this.btimeNanoseconds = stat.btimeNanoseconds;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.takeTimes(stat);
    this.nlink = stat.nlink;
    this.statSize = stat.sizeBytes;
    this.statBlocks = stat.blocks;
    this.hostMtime = changeMark(stat);
    this.hostBirth = birthMark(stat);
  }

  private takeTimes(stat: HostStat): void {
    this.atimeSeconds = stat.atimeSeconds;
    this.atimeNanoseconds = stat.atimeNanoseconds;
    this.mtimeSeconds = stat.mtimeSeconds;
    this.mtimeNanoseconds = stat.mtimeNanoseconds;
    this.ctimeSeconds = stat.ctimeSeconds;
    this.ctimeNanoseconds = stat.ctimeNanoseconds;
  }

  /** False when the host gave the number of a deleted file to a new one. */
  isSameFile(stat: HostStat): boolean {
    return (stat.mode & S_IFMT) === (this.mode & S_IFMT) && birthMark(stat) === this.hostBirth;
  }

  /** Seen again under `node`, perhaps another hard link. */
  found(node: HostNode, stat: HostStat): void {
    if (this.node.gone && !node.gone) {
      node.handle = this.node.handle;
      this.node = node;
    }
    this.update(stat);
  }

  /** Takes over what others changed on the host. Our own unwritten changes win. */
  private update(stat: HostStat): void {
    this.nlink = stat.nlink;
    if (!this.ownAttributes) {
      this.mode = stat.mode;
      this.uid = stat.uid;
      this.gid = stat.gid;
    }
    this.statBlocks = stat.blocks;
    const mark = changeMark(stat);
    if (mark === this.hostMtime) return;
    this.hostMtime = mark;
    if (this.selfChanged || this.fs.dirty.has(this)) {
      this.selfChanged = false;
      return;
    }
    this.takeTimes(stat);
    this.statSize = stat.sizeBytes;
    if (this.data === null || this.data.dirtyPageCount > 0) return;
    this.data.invalidate();
    if (this.data.sizeBytes !== stat.sizeBytes) this.resizeQuietly(stat.sizeBytes);
  }

  private resizeQuietly(sizeBytes: number): void {
    const backing = this.backing as BaseBacking;
    backing.quiet = true;
    this.data?.truncate(sizeBytes);
    backing.quiet = false;
  }

  override refresh(_t: Task): void {
    if (!this.fs.shared || this.node.gone || this.node.key === "") return;
    try {
      this.update(this.fs.host.stat(this.node));
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
    }
  }

  override mayCache(_t: Task, name: string, child: Inode | null): boolean {
    if (this.special?.has(name) === true) return child === this.special.get(name);
    const stat = this.fs.host.child(this.node, name);
    if (stat === null || child === null) return stat === null && child === null;
    const known = child as BaseInode;
    if (known.node.key !== stat.key || !known.isSameFile(stat)) return false;
    known.update(stat);
    return true;
  }

  override get cacheNegative(): boolean {
    return !this.fs.shared;
  }

  // Data.

  private backing: BaseBacking | null = null;

  override get object(): MemoryObject {
    if (this.data === null) {
      if (!this.isRegular) return super.object;
      this.backing = new BaseBacking(this);
      this.data = this.fs.services.mm.createFileObject(this.backing, this.statSize);
    }
    return this.data as MemoryObject;
  }

  override get sizeBytes(): number {
    return this.data?.sizeBytes ?? this.statSize;
  }

  override get blocks(): number {
    if (!this.fs.shared && this.fs.dirty.has(this)) this.takeBlocks();
    // Dirty pages will take room, as with delayed allocation: but a sparse file must not look full.
    const unwritten = (this.data?.dirtyPageCount ?? 0) * (PAGE_SIZE / 512);
    if (unwritten === 0) return this.statBlocks;
    const full = Math.ceil(this.sizeBytes / PAGE_SIZE) * (PAGE_SIZE / 512);
    return Math.max(this.statBlocks, Math.min(full, this.statBlocks + unwritten));
  }

  override open(t: Task, _path: Path, flags: number): OpenFile | null {
    if (!this.isRegular || this.node.key === "") return null;
    this.refresh(t);
    this.fs.host.openData(this.node, (flags & O_ACCMODE) !== O_RDONLY);
    return null;
  }

  override truncate(_t: Task, sizeBytes: number): void {
    if (!this.isRegular) throw errno(this.isDirectory ? EISDIR : EINVAL);
    this.fs.host.openData(this.node, true);
    const result = this.object.truncate(sizeBytes);
    if (result < 0) throw errno(-result);
  }

  override touchModified(): void {
    super.touchModified();
    this.markDirty();
  }

  private markDirty(): void {
    if (this.node.key === "" || this.isDirectory) return;
    this.timesDirty = true;
    this.fs.dirty.add(this);
  }

  /** Others on the host shall see the result now, not at the next fsync. */
  override lastWriterCloses(): void {
    this.startWriteback();
  }

  override startWriteback(): void {
    const unwritten = this.fs.dirty.has(this) || (this.data?.dirtyPageCount ?? 0) > 0;
    const failed = unwritten ? this.push() : 0;
    // close() tells nobody: the next fsync does.
    if (failed < 0) this.lateError = failed;
    else if (this.writeCount <= 1 && !this.fs.dirty.has(this)) this.fs.host.idle(this.node);
  }

  /** Writes dirty pages, size and times to the host's file: 0 or -errno. */
  private push(): number {
    const { backing } = this;
    // Writing is not yet making durable: fsync does that once, at the end.
    if (backing !== null) backing.flushes = false;
    try {
      const { data } = this;
      if (data !== null) {
        const failed = data.sync(0, Number.POSITIVE_INFINITY);
        if (failed < 0) return failed;
        this.backing?.applySize();
      }
      this.pushTimes();
    } catch (error) {
      if (error instanceof LinuxError || error instanceof DeviceError) return -error.errno;
      throw error;
    } finally {
      if (backing !== null) backing.flushes = true;
    }
    this.selfChanged = true;
    if ((this.data?.dirtyPageCount ?? 0) === 0) {
      this.fs.dirty.delete(this);
      if (!this.fs.shared) this.takeBlocks();
    }
    return 0;
  }

  /** Where every use looks at the host, update() does it. */
  private takeBlocks(): void {
    try {
      this.statBlocks = this.fs.host.stat(this.node).blocks;
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
    }
  }

  private pushTimes(): void {
    if (!this.timesDirty || this.node.gone) return;
    this.timesDirty = false;
    try {
      this.fs.host.setTimes(
        this.node,
        { seconds: this.atimeSeconds, nanoseconds: this.atimeNanoseconds },
        { seconds: this.mtimeSeconds, nanoseconds: this.mtimeNanoseconds },
      );
    } catch (error) {
      // Not the owner: the host's own times must do. Data are what fsync promises.
      if (!(error instanceof LinuxError)) throw error;
    }
  }

  override sync(dataOnly: boolean): number {
    if (this.fs.readOnly || this.node.key === "") return 0;
    const pushed = this.push();
    const late = this.lateError;
    this.lateError = 0;
    if (pushed < 0) return pushed;
    if (late < 0) return late;
    if (!this.isRegular && !this.isDirectory) return 0;
    try {
      this.fs.host.sync(this.node, dataOnly);
    } catch (error) {
      return error instanceof LinuxError ? -error.errno : -EIO;
    }
    this.backing?.flushed();
    return 0;
  }

  /** Our own writes have changed the host's mtime. */
  wroteToHost(): void {
    this.selfChanged = true;
  }

  override evicted(): void {
    const { data } = this;
    this.data = null;
    this.fs.forget(this, this.node.key);
    if (data !== null) {
      if (this.backing !== null) this.backing.quiet = true;
      data.truncate(0);
      data.release();
    }
    this.fs.host.closeData(this.node);
  }

  // Names.

  override lookup(_t: Task, name: string): Inode | null {
    const own = this.special?.get(name);
    if (own !== undefined) return own;
    const stat = this.fs.host.child(this.node, name);
    return stat === null ? null : this.fs.inodeFor(new HostNode(this.node, name, stat.key), stat);
  }

  private made(t: Task, name: string, mode: number, stat: HostStat): BaseInode {
    const inode = this.fs.inodeFor(new HostNode(this.node, name, stat.key), stat);
    const { uid, gid } = inode;
    initOwner(t, this, inode, (stat.mode & S_IFMT) | (mode & 0o7777));
    const wanted = { mode: inode.mode & 0o7777, uid: inode.uid, gid: inode.gid };
    inode.uid = uid;
    inode.gid = gid;
    inode.mode = stat.mode;
    const change: AttributeChange = {};
    if (wanted.mode !== (stat.mode & 0o7777) && !inode.isSymlink) change.mode = wanted.mode;
    if (wanted.uid !== uid) change.uid = wanted.uid;
    if (wanted.gid !== gid) change.gid = wanted.gid;
    inode.setAttributes(t, change);
    inode.touchCreated();
    this.changedNames(inode.isDirectory ? 1 : 0);
    return inode;
  }

  private changedNames(linkDelta: number): void {
    this.nlink += linkDelta;
    super.touchModified();
  }

  override create(t: Task, name: string, mode: number): Inode {
    this.requireFree(name);
    return this.made(t, name, mode, this.fs.host.create(this.node, name, mode & 0o777));
  }

  override mkdir(t: Task, name: string, mode: number): Inode {
    this.requireFree(name);
    return this.made(t, name, mode, this.fs.host.mkdir(this.node, name, mode & 0o777));
  }

  override symlink(t: Task, name: string, target: string): Inode {
    this.requireFree(name);
    return this.made(t, name, 0o777, this.fs.host.symlink(this.node, name, target));
  }

  /** The host must not get nodes that other programs could use against it, and an ordinary user could not make them. */
  override mknod(t: Task, name: string, mode: number, rdev: number): Inode {
    this.requireFree(name);
    if (this.fs.host.child(this.node, name) !== null) throw errno(EEXIST);
    const inode = new BaseInode(this.fs, mode, 2 ** 48 + this.fs.allocateInodeNumber());
    inode.node = new HostNode(this.node, name, "");
    initOwner(t, this, inode, mode);
    inode.rdev = rdev;
    inode.touchCreated();
    this.special ??= new Map();
    this.special.set(name, inode);
    this.changedNames(0);
    return inode;
  }

  private requireFree(name: string): void {
    if (this.special?.has(name) === true) throw errno(EEXIST);
  }

  override link(_t: Task, name: string, inode: Inode): void {
    const from = inode as BaseInode;
    this.requireFree(name);
    if (from.node.key === "") {
      this.special ??= new Map();
      this.special.set(name, from);
    } else {
      this.fs.host.link(from.node, this.node, name);
    }
    from.nlink++;
    from.touchChanged();
    this.changedNames(0);
  }

  override unlink(_t: Task, name: string, child: Inode): void {
    const victim = child as BaseInode;
    if (this.special?.get(name) === victim) {
      this.special.delete(name);
    } else {
      this.keepData(victim);
      this.fs.host.unlink(this.node, name);
      this.nameGone(victim, name);
    }
    this.changedNames(0);
    victim.touchChanged();
    victim.dropLink();
  }

  /** A file that is still in use keeps a descriptor, for its name will not lead to it any more. */
  private keepData(victim: BaseInode): void {
    if (!victim.isRegular || (victim.openCount === 0 && victim.data === null)) return;
    try {
      this.fs.host.openData(victim.node, !this.fs.readOnly);
    } catch {
      this.fs.host.openData(victim.node, false);
    }
  }

  private nameGone(victim: BaseInode, name: string): void {
    const { node } = victim;
    if (node.parent === this.node && node.name === name) node.gone = true;
  }

  override rmdir(_t: Task, name: string, child: Inode): void {
    const victim = child as BaseInode;
    if (victim.special !== null && victim.special.size > 0) throw errno(ENOTEMPTY);
    this.fs.host.rmdir(this.node, name);
    this.nameGone(victim, name);
    this.changedNames(-1);
    victim.touchChanged();
    victim.dropLink(victim.nlink);
  }

  override rename(
    _t: Task,
    name: string,
    child: Inode,
    to: Inode,
    toName: string,
    target: Inode | null,
    flags: number,
  ): void {
    const moved = child as BaseInode;
    const toDir = to as BaseInode;
    const replaced = target as BaseInode | null;
    if ((flags & RENAME_EXCHANGE) !== 0 && replaced !== null) {
      this.exchange(name, moved, toDir, toName, replaced);
      return;
    }
    if (replaced?.special != null && replaced.special.size > 0) throw errno(ENOTEMPTY);
    if (moved.node.key === "") {
      if (replaced !== null && replaced.node.key !== "") this.fs.host.unlink(toDir.node, toName);
      this.special?.delete(name);
      toDir.special ??= new Map();
      toDir.special.set(toName, moved);
    } else {
      if (replaced !== null && replaced.node.key !== "") this.keepData(replaced);
      this.fs.host.rename(this.node, name, toDir.node, toName);
      toDir.special?.delete(toName);
      if (moved.node.parent === this.node && moved.node.name === name) {
        moved.node.parent = toDir.node;
        moved.node.name = toName;
      }
    }
    if (replaced !== null) {
      toDir.nameGone(replaced, toName);
      replaced.touchChanged();
      if (replaced.isDirectory) toDir.nlink--;
      replaced.dropLink(replaced.isDirectory ? replaced.nlink : 1);
    }
    moved.touchChanged();
    this.changedNames(moved.isDirectory ? -1 : 0);
    toDir.changedNames(moved.isDirectory ? 1 : 0);
  }

  /** Hosts offer no renameat2 through Node: three renames do it, so a crash of the host may leave the name in between. */
  private exchange(name: string, moved: BaseInode, to: BaseInode, toName: string, other: BaseInode): void {
    if (moved.node.key === "" || other.node.key === "") throw errno(EINVAL);
    const { host } = this.fs;
    const between = `.faultline-exchange-${moved.ino}`;
    host.rename(this.node, name, this.node, between);
    try {
      host.rename(to.node, toName, this.node, name);
    } catch (error) {
      host.rename(this.node, between, this.node, name);
      throw error;
    }
    host.rename(this.node, between, to.node, toName);
    moved.node.parent = to.node;
    moved.node.name = toName;
    other.node.parent = this.node;
    other.node.name = name;
    const delta = (other.isDirectory ? 1 : 0) - (moved.isDirectory ? 1 : 0);
    moved.touchChanged();
    other.touchChanged();
    this.changedNames(delta);
    to.changedNames(-delta);
  }

  override openDirectory(_t: Task): DirectoryStream {
    return new BaseListing(this, [...(this.special ?? [])], this.fs.host.list(this.node));
  }

  override readLink(_t: Task): string {
    if (!this.isSymlink) throw errno(EINVAL);
    if (this.target === "") this.target = this.fs.host.readLink(this.node);
    return this.target;
  }

  // Attributes.

  override setAttributes(_t: Task, change: AttributeChange): void {
    if (this.fs.readOnly) throw errno(EROFS);
    const { mode, uid, gid } = change;
    if (this.node.key !== "" && !this.node.gone) {
      if (uid !== undefined || gid !== undefined)
        this.tryOnHost(() => this.fs.host.chown(this.node, uid ?? -1, gid ?? -1));
      // After chown, which takes set-id bits away on the host.
      if (mode !== undefined && !this.isSymlink) {
        // A guest must not plant set-id programs on the host: those bits exist in the guest only.
        this.tryOnHost(() => this.fs.host.chmod(this.node, mode & 0o1777));
        if ((mode & 0o6000) !== 0) this.ownAttributes = true;
      }
    }
    applyAttributes(this, change);
    if (change.atime !== undefined || change.mtime !== undefined) {
      this.timesDirty = true;
      if (this.node.key !== "") {
        this.pushTimes();
        this.selfChanged = true;
        // Pages written later would move the host's mtime again.
        if ((this.data?.dirtyPageCount ?? 0) > 0) {
          this.timesDirty = true;
          this.fs.dirty.add(this);
        }
      }
    }
  }

  /** What fails only because Faultline is not root on the host is remembered instead. */
  private tryOnHost(operation: () => void): void {
    try {
      operation();
      this.selfChanged = true;
    } catch (error) {
      if (!(error instanceof LinuxError) || (error.errno !== EPERM && error.errno !== EACCES)) throw error;
      this.ownAttributes = true;
    }
  }
}

function birthMark(stat: HostStat): string {
  return `${stat.btimeSeconds}:${stat.btimeNanoseconds}`;
}

function changeMark(stat: HostStat): string {
  return `${stat.sizeBytes}:${stat.mtimeSeconds}:${stat.mtimeNanoseconds}`;
}

class BaseListing implements DirectoryStream {
  private readonly dir: BaseInode;
  private own: [string, BaseInode][] | null;
  private readonly listing: HostListing;

  constructor(dir: BaseInode, own: [string, BaseInode][], listing: HostListing) {
    this.dir = dir;
    this.own = own;
    this.listing = listing;
  }

  more(into: DirectoryEntry[]): boolean {
    if (this.own !== null) {
      for (const [name, inode] of this.own) into.push({ name, ino: inode.ino, type: directoryEntryType(inode.mode) });
      this.own = null;
      return true;
    }
    const batch: HostEntry[] = [];
    if (!this.listing.more(batch)) return false;
    for (const { name, type } of batch) {
      // The inode number costs one lstat of the host: programs compare it with what stat says.
      const stat = this.dir.fs.host.child(this.dir.node, name);
      if (stat !== null)
        into.push({ name, ino: inodeNumber(stat), type: type === DT_UNKNOWN ? directoryEntryType(stat.mode) : type });
    }
    return true;
  }

  close(): void {
    this.listing.close();
  }
}
