// /dev: a small tmpfs with the usual nodes, the memory devices behind them (drivers/char/mem.c), and /dev/pts. What opening a
// terminal node means is the tty layer's; it registers with the Vfs like the devices here.
import { EFAULT, EINVAL, ENOSPC, EPERM } from "../../abi/errno.ts";
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../../abi/fcntl.ts";
import { DEVPTS_SUPER_MAGIC, DT_CHR, makeDevice, S_IFCHR, S_IFDIR, S_IFLNK } from "../../abi/stat.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { ListedDirectory } from "./directory-file.ts";
import { type DirectoryStream, FileSystem, type FsServices, Inode } from "./inode.ts";
import { OpenFile } from "./open-file.ts";
import { TmpFs } from "./tmpfs.ts";
import type { Vfs } from "./vfs.ts";

const MEMORY_MAJOR = 1;
const PTS_MAJOR = 136;
const PIECE = 4096;
const zeros = new Uint8Array(PIECE);
const scratch = new Uint8Array(PIECE);

/** Character devices that need no state: any offset is fine, and seeking moves a position that nothing uses. */
abstract class MemoryDevice extends OpenFile {
  override get seekable(): boolean {
    return true;
  }

  override seek(_t: Task, offset: number, whence: number): number {
    if (whence !== SEEK_SET && whence !== SEEK_CUR && whence !== SEEK_END) return -EINVAL;
    // null_lseek: the position is always 0.
    void offset;
    this.position = 0;
    return 0;
  }

  override sync(): number {
    return -EINVAL;
  }

  protected takeAll(io: IoCursor): number {
    let moved = 0;
    while (io.remaining > 0) {
      const got = io.take(scratch, 0, Math.min(PIECE, io.remaining));
      if (got === 0) break;
      moved += got;
    }
    return moved;
  }

  protected giveZeros(io: IoCursor): number {
    let moved = 0;
    while (io.remaining > 0) {
      const wanted = Math.min(PIECE, io.remaining);
      const put = io.put(zeros, 0, wanted);
      moved += put;
      if (put < wanted) break;
    }
    return moved > 0 || io.remaining === 0 ? moved : -EFAULT;
  }
}

class NullDevice extends MemoryDevice {
  override read(): number {
    return 0;
  }

  /** write_null() does not look at the bytes: a bad address is no error. */
  override write(_t: Task, io: IoCursor): number {
    return io.remaining;
  }
}

class ZeroDevice extends MemoryDevice {
  override read(_t: Task, io: IoCursor): number {
    return this.giveZeros(io);
  }

  override write(_t: Task, io: IoCursor): number {
    return io.remaining;
  }

  /** mmap_zero(): private is anonymous memory, shared is shared anonymous memory; mm makes both of "no object". */
  override mmapObject(): MemoryObject | null {
    return null;
  }
}

class FullDevice extends MemoryDevice {
  override read(_t: Task, io: IoCursor): number {
    return this.giveZeros(io);
  }

  override write(): number {
    return -ENOSPC;
  }
}

class RandomDevice extends MemoryDevice {
  override read(t: Task, io: IoCursor): number {
    let moved = 0;
    while (io.remaining > 0) {
      const piece = scratch.subarray(0, Math.min(PIECE, io.remaining));
      t.kernel.random(piece);
      const put = io.put(piece, 0, piece.length);
      moved += put;
      if (put < piece.length) return moved > 0 ? moved : -EFAULT;
    }
    return moved;
  }

  /** Writers stir the pool; ours needs no stirring. */
  override write(_t: Task, io: IoCursor): number {
    return this.takeAll(io);
  }
}

/** /dev/kmsg: what is written becomes a kernel message. */
class KernelMessageDevice extends MemoryDevice {
  override write(t: Task, io: IoCursor): number {
    const bytes = new Uint8Array(Math.min(io.remaining, 1024));
    const count = io.take(bytes, 0, bytes.length);
    let text = "";
    for (let i = 0; i < count; i++) text += String.fromCharCode(bytes[i]);
    t.kernel.log(text.replace(/^<\d+>/, "").trimEnd());
    return count;
  }
}

/** Makes the memory devices openable. */
export function registerMemoryDevices(vfs: Vfs): void {
  const { devices } = vfs;
  const at = (minor: number) => makeDevice(MEMORY_MAJOR, minor);
  devices.set(at(3), (_t, inode, path, flags) => new NullDevice(inode, path, flags));
  devices.set(at(5), (_t, inode, path, flags) => new ZeroDevice(inode, path, flags));
  devices.set(at(7), (_t, inode, path, flags) => new FullDevice(inode, path, flags));
  devices.set(at(8), (_t, inode, path, flags) => new RandomDevice(inode, path, flags));
  devices.set(at(9), (_t, inode, path, flags) => new RandomDevice(inode, path, flags));
  devices.set(at(11), (_t, inode, path, flags) => new KernelMessageDevice(inode, path, flags));
}

const NODES: readonly [string, number, number, number][] = [
  ["null", 0o666, MEMORY_MAJOR, 3],
  ["zero", 0o666, MEMORY_MAJOR, 5],
  ["full", 0o666, MEMORY_MAJOR, 7],
  ["random", 0o666, MEMORY_MAJOR, 8],
  ["urandom", 0o666, MEMORY_MAJOR, 9],
  ["kmsg", 0o644, MEMORY_MAJOR, 11],
  ["tty", 0o666, 5, 0],
  ["console", 0o600, 5, 1],
  ["ptmx", 0o666, 5, 2],
];

const LINKS: readonly [string, string][] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
];

/** A fresh /dev with its nodes, links and the empty folders pts and shm to mount on. */
export function createDevFs(services: FsServices): TmpFs {
  const dev = new TmpFs(services, "devtmpfs", { type: "devtmpfs", mode: 0o755 });
  for (const [name, mode, major, minor] of NODES) dev.root.place(name, S_IFCHR | mode, makeDevice(major, minor));
  for (const [name, target] of LINKS) dev.root.place(name, S_IFLNK | 0o777).target = target;
  for (const name of ["pts", "shm", "mqueue"]) dev.root.place(name, S_IFDIR | 0o755);
  return dev;
}

/** What /dev/pts needs to know of a pseudo-terminal. */
export interface PtsEntry {
  readonly index: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly masterClosed: boolean;
}

/** devpts: a node for every open pseudo-terminal, and ptmx. */
export class DevPtsFs extends FileSystem {
  readonly type = "devpts";
  readonly magic = DEVPTS_SUPER_MAGIC;
  readonly root: Inode;

  /** `terminals`: those that are open now, by number; read at each use. */
  constructor(services: FsServices, terminals: ReadonlyMap<number, PtsEntry>) {
    super(services, "devpts");
    this.revalidates = true;
    this.root = new PtsDirectory(this, terminals);
  }

  override mountOptions(): string {
    return "gid=5,mode=620,ptmxmode=666";
  }
}

class PtsDirectory extends Inode {
  private readonly terminals: ReadonlyMap<number, PtsEntry>;
  private readonly nodes = new Map<PtsEntry, PtsNode>();
  private readonly ptmx: PtsNode;

  constructor(fs: FileSystem, terminals: ReadonlyMap<number, PtsEntry>) {
    super(fs, S_IFDIR | 0o755);
    this.nlink = 2;
    this.terminals = terminals;
    this.touchCreated();
    this.ptmx = new PtsNode(fs, S_IFCHR | 0o666);
    this.ptmx.rdev = makeDevice(5, 2);
    this.ptmx.touchCreated();
  }

  override lookup(_t: Task, name: string): Inode | null {
    if (name === "ptmx") return this.ptmx;
    if (!/^(0|[1-9]\d*)$/.test(name)) return null;
    const entry = this.terminals.get(Number(name));
    return entry === undefined || entry.masterClosed ? null : this.nodeOf(entry);
  }

  private nodeOf(entry: PtsEntry): PtsNode {
    let node = this.nodes.get(entry);
    if (node === undefined) {
      for (const known of this.nodes.keys()) if (this.terminals.get(known.index) !== known) this.nodes.delete(known);
      node = new PtsNode(this.fs, S_IFCHR | (entry.mode & 0o777), entry.index + 3);
      node.rdev = makeDevice(PTS_MAJOR, entry.index);
      node.uid = entry.uid;
      node.gid = entry.gid;
      node.touchCreated();
      this.nodes.set(entry, node);
    }
    return node;
  }

  override mayCache(t: Task, name: string, child: Inode | null): boolean {
    return this.lookup(t, name) === child;
  }

  override create(): Inode {
    throw errno(EPERM);
  }

  override openDirectory(): DirectoryStream {
    const entries = [{ name: "ptmx", ino: this.ptmx.ino, type: DT_CHR }];
    for (const entry of this.terminals.values()) {
      if (!entry.masterClosed) entries.push({ name: String(entry.index), ino: entry.index + 3, type: DT_CHR });
    }
    return new ListedDirectory(entries);
  }
}

class PtsNode extends Inode {}
