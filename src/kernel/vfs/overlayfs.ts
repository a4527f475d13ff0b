// The default root: a host folder that is only read, under changes kept in memory (as Linux's overlayfs with a tmpfs on top).
// Each file copies up page by page, only what is written; attributes and names copy up by living in the inode.
//
//   lookup(name):  entries (what was made here or seen already)  ->  masked? absent  ->  the host folder, remembered
//   removing or renaming away: the name leaves `entries` but stays in `masked`: that is the whiteout
//   a directory made anew has no lower folder: it is opaque

import { directoryEntryType, OVERLAYFS_SUPER_MAGIC, S_IFDIR, S_IFMT } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { FileBacking } from "../../mm/contracts.ts";
import { DeviceError } from "../../mm/contracts.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { LinuxError } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { type HostEntry, type HostFiles, type HostListing, HostNode, type HostStat } from "./host-files.ts";
import type { DirectoryEntry, DirectoryStream, FsServices, StatFs } from "./inode.ts";
import type { OpenFile } from "./open-file.ts";
import { PageStore } from "./page-store.ts";
import type { Path } from "./path.ts";
import { TreeFileSystem, TreeInode } from "./tree-fs.ts";

export class OverlayFs extends TreeFileSystem {
  readonly type = "overlay";
  readonly magic = OVERLAYFS_SUPER_MAGIC;
  readonly root: OverlayInode;
  readonly host: HostFiles;
  /** The changed pages. */
  readonly store = new PageStore();
  /** Lower files with several names, by HostStat.key: all names lead to one inode. */
  private readonly linked = new Map<string, OverlayInode>();

  /** `host` is the folder underneath; it is taken to stay as it is during the run. */
  constructor(services: FsServices, host: HostFiles) {
    super(services, "overlay");
    this.host = host;
    this.root = new OverlayInode(this, S_IFDIR | 0o755, this.allocateInodeNumber());
    this.inodeCount++;
    this.root.adopt(host.root, host.stat(host.root));
  }

  override newInode(mode: number): OverlayInode {
    return new OverlayInode(this, mode);
  }

  /** The inode of a lower file that `dir` names `name`. */
  loadLower(dir: OverlayInode, name: string, node: HostNode, stat: HostStat): OverlayInode {
    const shared = stat.nlink > 1 && (stat.mode & S_IFMT) !== S_IFDIR;
    const known = shared ? this.linked.get(stat.key) : undefined;
    if (known !== undefined) return known;
    const inode = new OverlayInode(this, stat.mode, lowerInodeNumber(dir.ino, name));
    this.inodeCount++;
    inode.adopt(node, stat);
    if (shared) this.linked.set(stat.key, inode);
    return inode;
  }

  override statfs(): StatFs {
    const space = this.host.space();
    return { ...super.statfs(), ...space };
  }
}

/**
 * Lower files are numbered by a hash of their place, so that a listing can tell the number without asking the host about
 * each file, and the same number comes whatever the order of lookups. 52 bits: files made here count from 1.
 */
function lowerInodeNumber(parent: number, name: string): number {
  let high = 0x811c9dc5 ^ (parent >>> 0);
  let low = 0x9747b28c ^ Math.floor(parent / 2 ** 32);
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x5bd1e995);
    low ^= low >>> 15;
  }
  high ^= high >>> 13;
  return ((high >>> 12) | 1) * 2 ** 32 + (low >>> 0);
}

export class OverlayInode extends TreeInode {
  declare readonly fs: OverlayFs;
  /** Where its untouched data, names or link text are on the host; null for what was made here. */
  private lower: HostNode | null = null;
  private lowerSize = 0;
  private lowerBlocks = 0;
  private backing: OverlayBacking | null = null;
  /** Lower names for which `entries` is the truth: seen, removed or replaced. */
  private masked: Set<string> | null = null;

  /** Becomes the upper face of a host file. */
  adopt(node: HostNode, stat: HostStat): void {
    this.lower = node;
    this.lowerSize = stat.sizeBytes;
    this.lowerBlocks = stat.blocks;
    this.mode = stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.nlink = stat.nlink;
    this.rdev = stat.rdev;
    this.atimeSeconds = stat.atimeSeconds;
    this.atimeNanoseconds = stat.atimeNanoseconds;
    this.mtimeSeconds = stat.mtimeSeconds;
    this.mtimeNanoseconds = stat.mtimeNanoseconds;
    this.ctimeSeconds = stat.ctimeSeconds;
    this.ctimeNanoseconds = stat.ctimeNanoseconds;
    this.btimeSeconds = stat.btimeSeconds;
    this.btimeNanoseconds = stat.btimeNanoseconds;
    if ((stat.mode & S_IFMT) === S_IFDIR) this.nlink = Math.max(2, stat.nlink);
  }

  // Data.

  protected override createObject(): MemoryObject {
    const size = this.lower === null ? 0 : this.lowerSize;
    this.backing = new OverlayBacking(this.fs, this.lower, size);
    return this.fs.services.mm.createFileObject(this.backing, size);
  }

  override get sizeBytes(): number {
    if (this.lower === null || this.loadedObject !== null) return super.sizeBytes;
    if (this.isSymlink || this.isRegular) return this.lowerSize;
    return this.isDirectory ? 4096 : 0;
  }

  override get blocks(): number {
    const { backing, loadedObject } = this;
    const changed = backing === null ? 0 : backing.changedPages + (loadedObject?.dirtyPageCount ?? 0);
    if (this.lower !== null && changed === 0 && this.sizeBytes === this.lowerSize) return this.lowerBlocks;
    if (!this.isRegular) return 0;
    // What is dirty and stored already counts twice, but never more than all: a sparse file does not look full, nor a full one empty.
    const kept = this.lower === null ? 0 : this.lowerBlocks;
    return Math.min(Math.ceil(this.sizeBytes / PAGE_SIZE), Math.ceil(kept / 8) + changed) * (PAGE_SIZE / 512);
  }

  /** Errors of permission on the host come at open, not at the first page fault. */
  override open(_t: Task, _path: Path, _flags: number): OpenFile | null {
    if (this.lower !== null && this.isRegular && this.lowerSize > 0) this.fs.host.openData(this.lower, false);
    return null;
  }

  override startWriteback(): void {
    this.loadedObject?.sync(0, Number.POSITIVE_INFINITY);
  }

  override readLink(t: Task): string {
    if (this.target === "" && this.lower !== null && this.isSymlink) this.target = this.fs.host.readLink(this.lower);
    return super.readLink(t);
  }

  override evicted(): void {
    super.evicted();
    this.backing?.dispose();
    this.backing = null;
    if (this.lower !== null) this.fs.host.closeData(this.lower);
  }

  // Names.

  override lookup(t: Task, name: string): TreeInode | null {
    const upper = super.lookup(t, name);
    if (upper !== null || this.lower === null || this.masked?.has(name) === true) return upper;
    const stat = this.fs.host.child(this.lower, name);
    if (stat === null) return null;
    const inode = this.fs.loadLower(this, name, new HostNode(this.lower, name, stat.key), stat);
    this.masked ??= new Set();
    this.masked.add(name);
    this.names.set(name, inode);
    return inode;
  }

  override isEmpty(t: Task): boolean {
    if (this.names.size > 0) return false;
    const stream = this.openDirectory(t);
    const found: DirectoryEntry[] = [];
    while (found.length === 0 && stream.more(found));
    stream.close();
    return found.length === 0;
  }

  isMasked(name: string): boolean {
    return this.masked?.has(name) === true;
  }

  override openDirectory(_t: Task): DirectoryStream {
    const upper = this.listEntries();
    return new OverlayListing(this, upper, this.lower === null ? null : this.fs.host.list(this.lower));
  }

  /** The inode number and type of a lower name in a listing. */
  lowerEntry(entry: HostEntry): DirectoryEntry {
    const loaded = this.names.get(entry.name);
    if (loaded !== undefined) return { name: entry.name, ino: loaded.ino, type: directoryEntryType(loaded.mode) };
    return { name: entry.name, ino: lowerInodeNumber(this.ino, entry.name), type: entry.type };
  }

  hasName(name: string): boolean {
    return this.names.has(name);
  }
}

/** First what `entries` held when the directory was opened, then the lower names that are not among them nor removed. */
class OverlayListing implements DirectoryStream {
  private readonly dir: OverlayInode;
  private upper: DirectoryEntry[] | null;
  private readonly seen: Set<string>;
  private readonly lower: HostListing | null;

  constructor(dir: OverlayInode, upper: DirectoryEntry[], lower: HostListing | null) {
    this.dir = dir;
    this.upper = upper;
    this.seen = new Set(lower === null ? [] : upper.map((entry) => entry.name));
    this.lower = lower;
  }

  more(into: DirectoryEntry[]): boolean {
    if (this.upper !== null) {
      for (const entry of this.upper) into.push(entry);
      this.upper = null;
      return true;
    }
    if (this.lower === null) return false;
    const batch: HostEntry[] = [];
    if (!this.lower.more(batch)) return false;
    for (const entry of batch) {
      if (this.seen.has(entry.name) || (this.dir.isMasked(entry.name) && !this.dir.hasName(entry.name))) continue;
      into.push(this.dir.lowerEntry(entry));
    }
    return true;
  }

  close(): void {
    this.lower?.close();
  }
}

/** A file's pages: those written are in the store, the others come from the lower file as far as it still counts. */
class OverlayBacking implements FileBacking {
  private readonly fs: OverlayFs;
  private readonly lower: HostNode | null;
  /** Bytes of the lower file that are still part of this one: truncation shortens it for good. */
  private lowerBytes: number;
  private sizeBytes: number;
  /** Page index -> slot in the store; ZERO: a hole over lower data. */
  private readonly pages = new Map<number, number>();

  constructor(fs: OverlayFs, lower: HostNode | null, lowerBytes: number) {
    this.fs = fs;
    this.lower = lower;
    this.lowerBytes = this.sizeBytes = lowerBytes;
  }

  get changedPages(): number {
    return this.pages.size;
  }

  readPage(index: number, into: Uint8Array): void {
    const slot = this.pages.get(index);
    if (slot !== undefined) {
      if (slot !== ZERO) this.fs.store.read(slot, into);
      return;
    }
    const at = index * PAGE_SIZE;
    if (this.lower === null || at >= this.lowerBytes) return;
    const count = Math.min(PAGE_SIZE, this.lowerBytes - at);
    readHost(this.fs.host, this.lower, at, into.subarray(0, count));
  }

  readPages(first: number, into: Uint8Array): void {
    const { lower } = this;
    const at = first * PAGE_SIZE;
    if (lower !== null && this.pages.size === 0) {
      if (at < this.lowerBytes) readHost(this.fs.host, lower, at, into.subarray(0, this.lowerBytes - at));
      return;
    }
    for (let from = 0; from < into.length; from += PAGE_SIZE) {
      this.readPage((at + from) / PAGE_SIZE, into.subarray(from, from + PAGE_SIZE));
    }
  }

  writePage(index: number, from: Uint8Array, length: number): void {
    let slot = this.pages.get(index);
    if (slot === undefined || slot === ZERO) {
      slot = this.fs.store.allocate();
      this.pages.set(index, slot);
    }
    this.fs.store.write(slot, from, length);
  }

  setSize(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      this.lowerBytes = Math.min(this.lowerBytes, sizeBytes);
      const end = Math.ceil(sizeBytes / PAGE_SIZE);
      for (const [index, slot] of this.pages) {
        if (index < end) continue;
        if (slot !== ZERO) this.fs.store.release(slot);
        this.pages.delete(index);
      }
      const tail = this.pages.get(end - 1);
      if (tail !== undefined && tail !== ZERO) this.fs.store.zeroTail(tail, sizeBytes - (end - 1) * PAGE_SIZE);
    }
    this.sizeBytes = sizeBytes;
  }

  discard(first: number, end: number): void {
    const last = Math.min(end, Math.ceil(this.sizeBytes / PAGE_SIZE));
    for (let index = first; index < last; index++) {
      const slot = this.pages.get(index);
      if (slot !== undefined && slot !== ZERO) this.fs.store.release(slot);
      if (index * PAGE_SIZE < this.lowerBytes) this.pages.set(index, ZERO);
      else this.pages.delete(index);
    }
  }

  dispose(): void {
    for (const slot of this.pages.values()) if (slot !== ZERO) this.fs.store.release(slot);
    this.pages.clear();
  }
}

const ZERO = -1;

/** Reads for a page-in: mm wants DeviceError. Bytes the host no longer has stay zero. */
export function readHost(host: HostFiles, node: HostNode, position: number, into: Uint8Array): void {
  try {
    host.read(node, position, into);
  } catch (error) {
    throw asDeviceError(error);
  }
}

export function asDeviceError(error: unknown): unknown {
  return error instanceof LinuxError ? new DeviceError(error.errno, `host file: errno ${error.errno}`) : error;
}
