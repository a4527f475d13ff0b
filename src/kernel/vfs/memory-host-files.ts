// A host folder that is a tree of plain objects: for tests, and for hosts without a file system (a root image in a browser).
import { EEXIST, EINVAL, EISDIR, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, ESTALE } from "../../abi/errno.ts";
import { directoryEntryType, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../abi/stat.ts";
import { errno } from "../linux-error.ts";
import {
  type HostEntry,
  type HostFiles,
  type HostListing,
  HostNode,
  type HostStat,
  type HostTime,
} from "./host-files.ts";
import { utf8Length } from "./namei.ts";

export class MemoryFile {
  readonly ino: number;
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  rdev = 0;
  bytes = new Uint8Array(0);
  sizeBytes = 0;
  target = "";
  names: Map<string, MemoryFile> | null = null;
  mtime: HostTime;
  atime: HostTime;
  btime: HostTime;

  constructor(ino: number, mode: number, now: HostTime) {
    this.ino = ino;
    this.mode = mode;
    this.mtime = this.atime = this.btime = now;
    if ((mode & S_IFMT) === S_IFDIR) {
      this.names = new Map();
      this.nlink = 2;
    }
  }

  ensureCapacity(sizeBytes: number): void {
    if (sizeBytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(sizeBytes, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.sizeBytes));
    this.bytes = grown;
  }

  resize(sizeBytes: number): void {
    this.ensureCapacity(sizeBytes);
    if (sizeBytes < this.sizeBytes) this.bytes.fill(0, sizeBytes, this.sizeBytes);
    this.sizeBytes = sizeBytes;
  }
}

export class MemoryHostFiles implements HostFiles {
  readonly root: HostNode;
  readonly description = "memory";
  readonly tree: MemoryFile;
  private lastIno = 1;
  private seconds = 1_000_000_000;
  /** Calls that reached the "host", by name: tests of the name cache look at them. */
  readonly calls = new Map<string, number>();
  /** Throws ENOSPC once this many data bytes are stored. */
  capacityBytes = Number.POSITIVE_INFINITY;
  private usedBytes = 0;

  constructor() {
    this.tree = new MemoryFile(1, S_IFDIR | 0o755, { seconds: this.seconds, nanoseconds: 0 });
    this.root = new HostNode(null, "", "0:1");
    this.root.handle = this.tree;
  }

  private now(): HostTime {
    return { seconds: ++this.seconds, nanoseconds: 0 };
  }

  private count(call: string): void {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
  }

  /** Puts a file at an absolute path, making folders on the way: for building a tree by hand. */
  add(path: string, mode: number, contents: Uint8Array | string = ""): MemoryFile {
    const names = path.split("/").filter((name) => name !== "");
    const last = names.pop() as string;
    let dir = this.tree;
    for (const name of names) {
      let next = dir.names?.get(name);
      if (next === undefined) {
        next = this.newFile(S_IFDIR | 0o755);
        dir.names?.set(name, next);
        dir.nlink++;
      }
      dir = next;
    }
    const file = this.newFile(mode);
    if ((mode & S_IFMT) === S_IFLNK) file.target = contents as string;
    else if (typeof contents !== "string") {
      file.bytes = contents.slice();
      file.sizeBytes = contents.length;
    }
    dir.names?.set(last, file);
    if (file.names !== null) dir.nlink++;
    return file;
  }

  private newFile(mode: number): MemoryFile {
    return new MemoryFile(++this.lastIno, mode, this.now());
  }

  private file(node: HostNode): MemoryFile {
    if (node.handle !== null) return node.handle as MemoryFile;
    if (node.gone || node.parent === null) throw errno(ENOENT);
    const found = this.dir(node.parent).get(node.name);
    if (found === undefined) throw errno(ENOENT);
    if (keyOf(found) !== node.key) throw errno(ESTALE);
    node.handle = found;
    return found;
  }

  private dir(node: HostNode): Map<string, MemoryFile> {
    const { names } = this.file(node);
    if (names === null) throw errno(ENOTDIR);
    return names;
  }

  private regular(node: HostNode): MemoryFile {
    const file = this.file(node);
    if ((file.mode & S_IFMT) !== S_IFREG) throw errno(file.names !== null ? EISDIR : EINVAL);
    return file;
  }

  stat(node: HostNode): HostStat {
    this.count("stat");
    return statOf(this.file(node));
  }

  child(folder: HostNode, name: string): HostStat | null {
    this.count("child");
    const found = this.dir(folder).get(name);
    return found === undefined ? null : statOf(found);
  }

  list(folder: HostNode): HostListing {
    this.count("list");
    return new MemoryListing([...this.dir(folder)]);
  }

  readLink(node: HostNode): string {
    return this.file(node).target;
  }

  openData(node: HostNode, _write: boolean): void {
    this.count("open");
    this.regular(node);
  }

  idle(_node: HostNode): void {}

  closeData(node: HostNode): void {
    if (node.gone) node.handle = null;
  }

  read(node: HostNode, position: number, into: Uint8Array): number {
    this.count("read");
    const file = this.regular(node);
    const end = Math.min(file.sizeBytes, position + into.length);
    if (position >= end) return 0;
    into.set(file.bytes.subarray(position, end));
    return end - position;
  }

  write(node: HostNode, position: number, from: Uint8Array): void {
    this.count("write");
    const file = this.regular(node);
    const end = position + from.length;
    if (end > file.sizeBytes) {
      if (this.usedBytes + end - file.sizeBytes > this.capacityBytes) throw errno(ENOSPC);
      this.usedBytes += end - file.sizeBytes;
      file.resize(end);
    }
    file.bytes.set(from, position);
    file.mtime = this.now();
  }

  truncate(node: HostNode, sizeBytes: number): void {
    this.count("truncate");
    const file = this.regular(node);
    file.resize(sizeBytes);
    file.mtime = this.now();
  }

  sync(_node: HostNode, _dataOnly: boolean): void {
    this.count("sync");
  }

  private insert(folder: HostNode, name: string, mode: number): MemoryFile {
    const names = this.dir(folder);
    if (names.has(name)) throw errno(EEXIST);
    const file = this.newFile(mode);
    names.set(name, file);
    if (file.names !== null) this.file(folder).nlink++;
    return file;
  }

  create(folder: HostNode, name: string, mode: number): HostStat {
    return statOf(this.insert(folder, name, S_IFREG | mode));
  }

  mkdir(folder: HostNode, name: string, mode: number): HostStat {
    return statOf(this.insert(folder, name, S_IFDIR | mode));
  }

  symlink(folder: HostNode, name: string, target: string): HostStat {
    const file = this.insert(folder, name, S_IFLNK | 0o777);
    file.target = target;
    return statOf(file);
  }

  link(existing: HostNode, folder: HostNode, name: string): void {
    const names = this.dir(folder);
    if (names.has(name)) throw errno(EEXIST);
    const file = this.file(existing);
    file.nlink++;
    names.set(name, file);
  }

  unlink(folder: HostNode, name: string): void {
    const names = this.dir(folder);
    const file = names.get(name);
    if (file === undefined) throw errno(ENOENT);
    if (file.names !== null) throw errno(EISDIR);
    names.delete(name);
    file.nlink--;
  }

  rmdir(folder: HostNode, name: string): void {
    const names = this.dir(folder);
    const file = names.get(name);
    if (file === undefined) throw errno(ENOENT);
    if (file.names === null) throw errno(ENOTDIR);
    if (file.names.size > 0) throw errno(ENOTEMPTY);
    names.delete(name);
    this.file(folder).nlink--;
  }

  rename(folder: HostNode, name: string, toFolder: HostNode, toName: string): void {
    const from = this.dir(folder);
    const to = this.dir(toFolder);
    const file = from.get(name);
    if (file === undefined) throw errno(ENOENT);
    const target = to.get(toName);
    if (target === file) return;
    if (target?.names != null && target.names.size > 0) throw errno(ENOTEMPTY);
    if (target !== undefined) target.nlink--;
    from.delete(name);
    to.set(toName, file);
  }

  chmod(node: HostNode, mode: number): void {
    const file = this.file(node);
    file.mode = (file.mode & S_IFMT) | mode;
  }

  chown(_node: HostNode, _uid: number, _gid: number): void {
    throw errno(EPERM);
  }

  setTimes(node: HostNode, atime: HostTime, mtime: HostTime): void {
    const file = this.file(node);
    file.atime = atime;
    file.mtime = mtime;
  }

  space(): ReturnType<HostFiles["space"]> {
    return {
      blockSize: 4096,
      blocks: 1 << 20,
      blocksFree: 1 << 19,
      blocksAvailable: 1 << 19,
      files: 1 << 20,
      filesFree: 1 << 19,
    };
  }
}

class MemoryListing implements HostListing {
  private readonly entries: [string, MemoryFile][];
  private at = 0;

  constructor(entries: [string, MemoryFile][]) {
    this.entries = entries;
  }

  more(into: HostEntry[]): boolean {
    const end = Math.min(this.at + 100, this.entries.length);
    if (this.at === end) return false;
    for (; this.at < end; this.at++) {
      const [name, file] = this.entries[this.at];
      into.push({ name, type: directoryEntryType(file.mode) });
    }
    return true;
  }

  close(): void {
    this.at = this.entries.length;
  }
}

function keyOf(file: MemoryFile): string {
  return `0:${file.ino}`;
}

function statOf(file: MemoryFile): HostStat {
  return {
    key: keyOf(file),
    device: 0,
    ino: file.ino,
    mode: file.mode,
    nlink: file.nlink,
    uid: file.uid,
    gid: file.gid,
    rdev: file.rdev,
    sizeBytes: (file.mode & S_IFMT) === S_IFLNK ? utf8Length(file.target) : file.sizeBytes,
    blocks: Math.ceil(file.sizeBytes / 512),
    atimeSeconds: file.atime.seconds,
    atimeNanoseconds: file.atime.nanoseconds,
    mtimeSeconds: file.mtime.seconds,
    mtimeNanoseconds: file.mtime.nanoseconds,
    ctimeSeconds: file.mtime.seconds,
    ctimeNanoseconds: file.mtime.nanoseconds,
    btimeSeconds: file.btime.seconds,
    btimeNanoseconds: file.btime.nanoseconds,
  };
}
