// The host's file system through node:fs, for a guest that must stay inside one folder. Every path is walked one component at
// a time from an open descriptor of the folder (Linux: /proc/self/fd/N/name, so nothing can be swapped underneath), symbolic
// links are never followed, and what is opened is checked to be the regular file or folder that was looked up.
import * as fs from "node:fs";
import { EACCES, EIO, EISDIR, ELOOP, ENOENT, ENOTDIR, ESTALE } from "../../abi/errno.ts";
import {
  DT_BLK,
  DT_CHR,
  DT_DIR,
  DT_FIFO,
  DT_LNK,
  DT_REG,
  DT_SOCK,
  DT_UNKNOWN,
  makeDevice,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../../abi/stat.ts";
import { errno } from "../../kernel/linux-error.ts";
import {
  type HostEntry,
  type HostFiles,
  type HostListing,
  HostNode,
  type HostStat,
  type HostTime,
} from "../../kernel/vfs/host-files.ts";
import { decodeUtf8, encodeUtf8 } from "../../util/utf8.ts";
import { hostError } from "./host-errno.ts";

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = fs.constants;
/** Opens a folder without needing read permission; the number is the same on every Linux architecture that Node runs on. */
const O_PATH = process.platform === "linux" ? 0o10000000 : 0;
/** Descriptors of folders and of files that are only read are closed again, oldest first, beyond this many of each. */
const KEPT_FOLDERS = 128;
const KEPT_FILES = 256;
const LONE_SURROGATE = /\p{Surrogate}/u;
const BIG = { bigint: true, throwIfNoEntry: false } as const;

/** What we hang on a HostNode. */
class NodeHandle {
  fd = -1;
  writable = false;
  /** Opened for writing and not idle since: reopening might no longer be allowed. */
  pinned = false;
  /** The path that stands for the folder: the prefix for names in it. Folders only. */
  prefix = "";
}

export interface NodeFilesOptions {
  /** Host uid that is the guest's 0; default: the uid of this process. */
  uid?: number;
  gid?: number;
}

export class NodeFiles implements HostFiles {
  readonly root: HostNode;
  readonly description: string;
  private readonly uid: number;
  private readonly gid: number;
  private readonly device: bigint;
  private readonly otherDevices: bigint[] = [];
  /** Nodes with open descriptors that may be closed, least recently used first. */
  private readonly folders = new Set<HostNode>();
  private readonly files = new Set<HostNode>();
  private readonly useProc: boolean;

  /** Throws LinuxError when `path` is not a folder that can be entered. */
  constructor(path: string, options: NodeFilesOptions = {}) {
    this.uid = options.uid ?? process.getuid?.() ?? 0;
    this.gid = options.gid ?? process.getgid?.() ?? 0;
    this.useProc = process.platform === "linux" && fs.existsSync("/proc/self/fd");
    try {
      // The user's own word: links in it are followed once, here.
      this.description = fs.realpathSync(path);
      const stat = fs.statSync(this.description, { bigint: true });
      if (!stat.isDirectory()) throw errno(ENOTDIR);
      this.device = stat.dev;
      this.root = new HostNode(null, "", keyOf(stat));
      const handle = new NodeHandle();
      handle.fd = fs.openSync(this.description, O_RDONLY | O_DIRECTORY);
      handle.prefix = this.useProc ? `/proc/self/fd/${handle.fd}/` : `${this.description}/`;
      this.root.handle = handle;
    } catch (error) {
      throw error instanceof Error ? hostError(error) : error;
    }
  }

  /** Closes every descriptor. */
  close(): void {
    for (const node of [...this.files, ...this.folders, this.root]) this.closeData(node);
  }

  // Places.

  /** The path of `name` in `folder`, whose descriptor is opened and checked if need be. */
  private place(folder: HostNode, name: string): string | Buffer {
    const prefix = this.prefixOf(folder);
    if (!LONE_SURROGATE.test(name)) return prefix + name;
    return Buffer.concat([Buffer.from(prefix), encodeUtf8(name)]);
  }

  private placeOf(node: HostNode): string | Buffer {
    if (node.gone) throw errno(ENOENT);
    if (node.parent === null) return this.useProc ? `${(node.handle as NodeHandle).prefix}.` : this.description;
    return this.place(node.parent, node.name);
  }

  private prefixOf(folder: HostNode): string {
    const handle = folder.handle as NodeHandle | null;
    if (handle !== null && handle.prefix !== "") {
      if (folder.parent !== null && this.folders.size > KEPT_FOLDERS / 2) {
        this.folders.delete(folder);
        this.folders.add(folder);
      }
      return handle.prefix;
    }
    return this.openFolder(folder);
  }

  private openFolder(folder: HostNode): string {
    const path = this.placeOf(folder);
    const fd = this.run(() => fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    try {
      this.requireSame(folder, fs.fstatSync(fd, { bigint: true }));
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    const handle = new NodeHandle();
    handle.fd = fd;
    // Without /proc/self/fd the path itself must do: each component was just found to be a folder and no link.
    handle.prefix = this.useProc ? `/proc/self/fd/${fd}/` : `${path}/`;
    folder.handle = handle;
    this.folders.add(folder);
    this.trim(this.folders, KEPT_FOLDERS, folder);
    return handle.prefix;
  }

  private trim(nodes: Set<HostNode>, limit: number, fresh: HostNode): void {
    for (const node of nodes) {
      if (nodes.size <= limit) return;
      const handle = node.handle as NodeHandle;
      // A descriptor that cannot be had again stays.
      if (node === fresh || node.gone || handle.pinned) continue;
      this.closeData(node);
    }
  }

  private requireSame(node: HostNode, stat: fs.BigIntStats): void {
    if (keyOf(stat) !== node.key) throw errno(ESTALE);
  }

  private run<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw error instanceof Error ? hostError(error) : error;
    }
  }

  // Looking.

  stat(node: HostNode): HostStat {
    const handle = node.handle as NodeHandle | null;
    const stat = this.run(() =>
      node.gone && handle !== null ? fs.fstatSync(handle.fd, { bigint: true }) : fs.lstatSync(this.placeOf(node), BIG),
    );
    if (stat === undefined) throw errno(ENOENT);
    return this.convert(stat);
  }

  child(folder: HostNode, name: string): HostStat | null {
    const path = this.place(folder, name);
    const stat = this.run(() => fs.lstatSync(path, BIG));
    return stat === undefined ? null : this.convert(stat);
  }

  private convert(stat: fs.BigIntStats): HostStat {
    const uid = Number(stat.uid);
    const gid = Number(stat.gid);
    const rdev = Number(stat.rdev);
    return {
      key: keyOf(stat),
      device: this.deviceIndex(stat.dev),
      ino: Number(stat.ino),
      mode: Number(stat.mode),
      nlink: Number(stat.nlink),
      uid: uid === this.uid ? 0 : uid,
      gid: gid === this.gid ? 0 : gid,
      rdev: makeDevice((rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)),
      sizeBytes: Number(stat.size),
      blocks: Number(stat.blocks),
      atimeSeconds: floorSeconds(stat.atimeNs),
      atimeNanoseconds: restNanoseconds(stat.atimeNs),
      mtimeSeconds: floorSeconds(stat.mtimeNs),
      mtimeNanoseconds: restNanoseconds(stat.mtimeNs),
      ctimeSeconds: floorSeconds(stat.ctimeNs),
      ctimeNanoseconds: restNanoseconds(stat.ctimeNs),
      btimeSeconds: floorSeconds(stat.birthtimeNs),
      btimeNanoseconds: restNanoseconds(stat.birthtimeNs),
    };
  }

  private deviceIndex(device: bigint): number {
    if (device === this.device) return 0;
    const index = this.otherDevices.indexOf(device);
    return index >= 0 ? index + 1 : this.otherDevices.push(device);
  }

  list(folder: HostNode): HostListing {
    const prefix = this.prefixOf(folder);
    return new NodeListing(
      this.run(() => fs.opendirSync(`${prefix}.`, { encoding: "buffer" as BufferEncoding, bufferSize: 256 })),
    );
  }

  readLink(node: HostNode): string {
    return decodeUtf8(this.run(() => fs.readlinkSync(this.placeOf(node), { encoding: "buffer" })));
  }

  // Data.

  openData(node: HostNode, write: boolean): void {
    const handle = node.handle as NodeHandle | null;
    if (handle !== null && (handle.writable || !write)) {
      if (write) handle.pinned = true;
      if (this.files.size > KEPT_FILES / 2) {
        this.files.delete(node);
        this.files.add(node);
      }
      return;
    }
    const path = this.placeOf(node);
    // O_NONBLOCK and O_NOCTTY: should a pipe or device have taken the file's place, opening it must not wait or act.
    const fd = this.run(() => fs.openSync(path, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    try {
      const stat = fs.fstatSync(fd, { bigint: true });
      if (!stat.isFile()) throw errno(stat.isDirectory() ? EISDIR : stat.isSymbolicLink() ? ELOOP : EACCES);
      this.requireSame(node, stat);
    } catch (error) {
      fs.closeSync(fd);
      throw error instanceof Error ? hostError(error) : error;
    }
    if (handle !== null) this.closeData(node);
    const made = new NodeHandle();
    made.fd = fd;
    made.writable = made.pinned = write;
    node.handle = made;
    this.files.add(node);
    this.trim(this.files, KEPT_FILES, node);
  }

  idle(node: HostNode): void {
    const handle = node.handle as NodeHandle | null;
    if (handle === null) return;
    handle.pinned = false;
    this.trim(this.files, KEPT_FILES, node);
  }

  closeData(node: HostNode): void {
    const handle = node.handle as NodeHandle | null;
    if (handle === null) return;
    node.handle = null;
    this.files.delete(node);
    this.folders.delete(node);
    fs.closeSync(handle.fd);
  }

  private dataOf(node: HostNode, write: boolean): number {
    this.openData(node, write);
    return (node.handle as NodeHandle).fd;
  }

  read(node: HostNode, position: number, into: Uint8Array): number {
    const fd = this.dataOf(node, false);
    let done = 0;
    while (done < into.length) {
      const count = this.run(() => fs.readSync(fd, into, done, into.length - done, position + done));
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(node: HostNode, position: number, from: Uint8Array): void {
    const fd = this.dataOf(node, true);
    let done = 0;
    while (done < from.length) {
      const count = this.run(() => fs.writeSync(fd, from, done, from.length - done, position + done));
      if (count === 0) throw errno(EIO);
      done += count;
    }
  }

  truncate(node: HostNode, sizeBytes: number): void {
    const fd = this.dataOf(node, true);
    this.run(() => fs.ftruncateSync(fd, sizeBytes));
  }

  sync(node: HostNode, dataOnly: boolean): void {
    const handle = node.handle as NodeHandle | null;
    if (handle !== null && handle.prefix === "") {
      this.run(() => (dataOnly ? fs.fdatasyncSync(handle.fd) : fs.fsyncSync(handle.fd)));
      return;
    }
    if (node.gone) return;
    // A folder, or a file that nobody opened: the names or the attributes are to be made durable.
    const path = this.placeOf(node);
    const fd = this.run(() => fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    try {
      this.run(() => fs.fsyncSync(fd));
    } finally {
      fs.closeSync(fd);
    }
  }

  // Changing names.

  create(folder: HostNode, name: string, mode: number): HostStat {
    const path = this.place(folder, name);
    const fd = this.run(() => fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode | 0o600));
    try {
      return this.convert(fs.fstatSync(fd, { bigint: true }));
    } finally {
      fs.closeSync(fd);
    }
  }

  mkdir(folder: HostNode, name: string, mode: number): HostStat {
    const path = this.place(folder, name);
    this.run(() => fs.mkdirSync(path, mode));
    return this.mustFind(folder, name, S_IFDIR);
  }

  symlink(folder: HostNode, name: string, target: string): HostStat {
    const path = this.place(folder, name);
    this.run(() => fs.symlinkSync(LONE_SURROGATE.test(target) ? Buffer.from(encodeUtf8(target)) : target, path));
    return this.mustFind(folder, name, 0);
  }

  private mustFind(folder: HostNode, name: string, type: number): HostStat {
    const stat = this.child(folder, name);
    if (stat === null || (type !== 0 && (stat.mode & S_IFMT) !== type)) throw errno(ESTALE);
    return stat;
  }

  link(existing: HostNode, folder: HostNode, name: string): void {
    const from = this.placeOf(existing);
    const to = this.place(folder, name);
    this.run(() => fs.linkSync(from, to));
  }

  unlink(folder: HostNode, name: string): void {
    const path = this.place(folder, name);
    this.run(() => fs.unlinkSync(path));
  }

  rmdir(folder: HostNode, name: string): void {
    const path = this.place(folder, name);
    this.run(() => fs.rmdirSync(path));
  }

  rename(folder: HostNode, name: string, toFolder: HostNode, toName: string): void {
    const from = this.place(folder, name);
    const to = this.place(toFolder, toName);
    this.run(() => fs.renameSync(from, to));
  }

  // Attributes: by descriptor where Node has no call that leaves links alone.

  chmod(node: HostNode, mode: number): void {
    this.withDescriptor(node, (fd, path) => (fd >= 0 ? fs.fchmodSync(fd, mode) : fs.chmodSync(path as string, mode)));
  }

  /** A descriptor for the node whatever its permission bits: its own, or an O_PATH one reached through /proc/self/fd. */
  private withDescriptor(node: HostNode, use: (fd: number, path: string | Buffer | null) => void): void {
    const handle = node.handle as NodeHandle | null;
    if (handle !== null && handle.prefix === "") {
      this.run(() => use(handle.fd, null));
      return;
    }
    const path = this.placeOf(node);
    if (!this.useProc) {
      const stat = this.run(() => fs.lstatSync(path, { bigint: true }));
      this.requireSame(node, stat);
      if (stat.isSymbolicLink()) throw errno(ELOOP);
      this.run(() => use(-1, path));
      return;
    }
    const fd = this.run(() => fs.openSync(path, O_PATH | O_NOFOLLOW));
    try {
      const stat = fs.fstatSync(fd, { bigint: true });
      this.requireSame(node, stat);
      if ((Number(stat.mode) & S_IFMT) !== S_IFREG && !stat.isDirectory()) throw errno(EACCES);
      this.run(() => use(-1, `/proc/self/fd/${fd}`));
    } finally {
      fs.closeSync(fd);
    }
  }

  chown(node: HostNode, uid: number, gid: number): void {
    const path = this.placeOf(node);
    const stat = this.run(() => fs.lstatSync(path, BIG));
    if (stat === undefined) throw errno(ENOENT);
    const owner = uid === -1 ? Number(stat.uid) : uid === 0 ? this.uid : uid;
    const group = gid === -1 ? Number(stat.gid) : gid === 0 ? this.gid : gid;
    if (owner === Number(stat.uid) && group === Number(stat.gid)) return;
    this.run(() => fs.lchownSync(path, owner, group));
  }

  setTimes(node: HostNode, atime: HostTime, mtime: HostTime): void {
    const path = this.placeOf(node);
    this.run(() => fs.lutimesSync(path, asDouble(atime), asDouble(mtime)));
  }

  space(): ReturnType<HostFiles["space"]> {
    const stat = this.run(() => fs.statfsSync(this.placeOf(this.root)));
    return {
      blockSize: stat.bsize,
      blocks: stat.blocks,
      blocksFree: stat.bfree,
      blocksAvailable: stat.bavail,
      files: stat.files,
      filesFree: stat.ffree,
    };
  }
}

class NodeListing implements HostListing {
  private readonly dir: fs.Dir;
  private open = true;

  constructor(dir: fs.Dir) {
    this.dir = dir;
  }

  more(into: HostEntry[]): boolean {
    if (!this.open) return false;
    for (let i = 0; i < 256; i++) {
      const entry = readEntry(this.dir);
      if (entry === null) {
        this.close();
        return i > 0;
      }
      into.push({ name: decodeUtf8(entry.name as unknown as Uint8Array), type: typeOf(entry) });
    }
    return true;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.dir.closeSync();
  }
}

function readEntry(dir: fs.Dir): fs.Dirent | null {
  try {
    return dir.readSync();
  } catch (error) {
    throw hostError(error);
  }
}

function typeOf(entry: fs.Dirent): number {
  if (entry.isFile()) return DT_REG;
  if (entry.isDirectory()) return DT_DIR;
  if (entry.isSymbolicLink()) return DT_LNK;
  if (entry.isFIFO()) return DT_FIFO;
  if (entry.isSocket()) return DT_SOCK;
  if (entry.isCharacterDevice()) return DT_CHR;
  return entry.isBlockDevice() ? DT_BLK : DT_UNKNOWN;
}

function keyOf(stat: fs.BigIntStats): string {
  return `${stat.dev}:${stat.ino}`;
}

function floorSeconds(ns: bigint): number {
  const rest = ns % 1_000_000_000n;
  return Number((ns - rest) / 1_000_000_000n) - (rest < 0n ? 1 : 0);
}

function restNanoseconds(ns: bigint): number {
  const rest = Number(ns % 1_000_000_000n);
  return rest < 0 ? rest + 1e9 : rest;
}

/** Node takes seconds as a double, which holds microseconds; rounded down, so that no time lies in the future. */
function asDouble(time: HostTime): number {
  return time.seconds + Math.floor(time.nanoseconds / 1000) / 1e6;
}
