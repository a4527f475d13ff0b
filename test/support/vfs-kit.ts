// A file system without a machine: a Vfs over a simple stand-in for mm (page caches in plain Maps), a task with guest memory
// that is an array of bytes, and system calls called by name. For tests of kernel/vfs and host/node/files.

import type { SyscallName } from "../../src/abi/syscall-numbers.ts";
import { PAGE_SIZE } from "../../src/arch/sv39.ts";
import { type Credentials, NO_CAPS, ROOT_CREDENTIALS } from "../../src/kernel/credentials.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LinuxError } from "../../src/kernel/linux-error.ts";
import { RLimits } from "../../src/kernel/rlimits.ts";
import { fileDescriptorSyscalls } from "../../src/kernel/syscalls/file-descriptor.ts";
import { fileIoSyscalls } from "../../src/kernel/syscalls/file-io.ts";
import { filePathSyscalls } from "../../src/kernel/syscalls/file-path.ts";
import { fileSystemSyscalls } from "../../src/kernel/syscalls/file-system.ts";
import type { SyscallTable } from "../../src/kernel/syscalls/registry.ts";
import type { Task } from "../../src/kernel/task.ts";
import { BLOCKED } from "../../src/kernel/task.ts";
import { createDevFs, registerMemoryDevices } from "../../src/kernel/vfs/devfs.ts";
import { FdTable } from "../../src/kernel/vfs/fd-table.ts";
import { FsContext } from "../../src/kernel/vfs/fs-context.ts";
import type { FileSystem } from "../../src/kernel/vfs/inode.ts";
import { Vfs } from "../../src/kernel/vfs/vfs.ts";
import type { FileBacking } from "../../src/mm/contracts.ts";
import { DeviceError } from "../../src/mm/contracts.ts";
import type { IoCursor } from "../../src/mm/io-cursor.ts";
import type { MemoryManager } from "../../src/mm/memory-manager.ts";
import { decodeUtf8, encodeUtf8 } from "../../src/util/utf8.ts";

/** A page cache in plain objects, with the face of mm's MemoryObject. `backing` null: shmem. */
export class PlainObject {
  sizeBytes: number;
  private readonly backing: FileBacking | null;
  readonly pages = new Map<number, Uint8Array>();
  private readonly dirty = new Set<number>();
  released = false;

  constructor(backing: FileBacking | null, sizeBytes: number) {
    this.backing = backing;
    this.sizeBytes = sizeBytes;
  }

  get pageCount(): number {
    return Math.ceil(this.sizeBytes / PAGE_SIZE);
  }

  get allocatedPages(): number {
    return this.pages.size;
  }

  get dirtyPageCount(): number {
    return this.dirty.size;
  }

  quota: { take(pages: number): boolean; give(pages: number): void } | null = null;

  preallocate(offset: number, length: number): number {
    for (let at = offset; at < offset + length; at = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE)
      if (this.pageFor(Math.floor(at / PAGE_SIZE)) === null) return -28;
    return 0;
  }

  private pageFor(index: number): Uint8Array | null {
    if (!this.pages.has(index) && this.quota !== null && !this.quota.take(1)) return null;
    return this.page(index);
  }

  private drop(index: number): void {
    if (this.pages.delete(index)) this.quota?.give(1);
    this.dirty.delete(index);
  }

  private page(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE_SIZE);
      this.backing?.readPage(index, page);
      this.pages.set(index, page);
    }
    return page;
  }

  read(io: IoCursor, offset: number): number {
    let at = offset;
    const zero = new Uint8Array(PAGE_SIZE);
    while (io.remaining > 0 && at < this.sizeBytes) {
      const index = Math.floor(at / PAGE_SIZE);
      const from = at % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - from, this.sizeBytes - at, io.remaining);
      const page = this.backing === null && !this.pages.has(index) ? zero : this.page(index);
      const put = io.put(page, from, from + count);
      at += put;
      if (put < count) return at > offset ? at - offset : -14;
    }
    return at - offset;
  }

  write(io: IoCursor, offset: number): number {
    let at = offset;
    while (io.remaining > 0) {
      const index = Math.floor(at / PAGE_SIZE);
      const from = at % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - from, io.remaining);
      const page = this.pageFor(index);
      if (page === null) return at > offset ? at - offset : -28;
      const got = io.take(page, from, from + count);
      if (got > 0) this.dirty.add(index);
      at += got;
      if (at > this.sizeBytes) {
        this.sizeBytes = at;
        this.backing?.setSize(at);
      }
      if (got < count) return at > offset ? at - offset : -14;
    }
    return at - offset;
  }

  truncate(sizeBytes: number): number {
    const end = Math.ceil(sizeBytes / PAGE_SIZE);
    for (const index of [...this.pages.keys()]) {
      if (index >= end) this.drop(index);
    }
    this.pages.get(end - 1)?.fill(0, sizeBytes - (end - 1) * PAGE_SIZE);
    this.sizeBytes = sizeBytes;
    this.backing?.setSize(sizeBytes);
    return 0;
  }

  punchHole(offset: number, length: number): number {
    for (let at = offset; at < offset + length; ) {
      const index = Math.floor(at / PAGE_SIZE);
      const from = at % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - from, offset + length - at);
      if (count === PAGE_SIZE) {
        this.drop(index);
        this.backing?.discard?.(index, index + 1);
      } else {
        this.page(index).fill(0, from, from + count);
        this.dirty.add(index);
      }
      at += count;
    }
    return 0;
  }

  /** Writes back and forgets everything, as reclaim would. */
  evictAll(): void {
    this.sync(0, this.pageCount);
    this.pages.clear();
  }

  sync(first: number, end: number): number {
    try {
      for (const index of [...this.dirty]) {
        if (index < first || index >= end) continue;
        const length = Math.min(PAGE_SIZE, this.sizeBytes - index * PAGE_SIZE);
        this.backing?.writePage(index, this.page(index), length);
        this.dirty.delete(index);
      }
    } catch (error) {
      if (error instanceof DeviceError) return -error.errno;
      throw error;
    }
    return 0;
  }

  nextData(offset: number): number {
    for (let at = offset; at < this.sizeBytes; at = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE)
      if (this.pages.has(Math.floor(at / PAGE_SIZE))) return at;
    return this.sizeBytes;
  }

  nextHole(offset: number): number {
    for (let at = offset; at < this.sizeBytes; at = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE)
      if (!this.pages.has(Math.floor(at / PAGE_SIZE))) return at;
    return this.sizeBytes;
  }

  invalidate(): void {
    if (this.backing === null) return;
    for (const index of [...this.pages.keys()]) if (!this.dirty.has(index)) this.pages.delete(index);
  }

  release(): void {
    this.released = true;
    this.pages.clear();
  }
}

class PlainMm {
  totalFrames = 16384;
  readonly objects: PlainObject[] = [];

  createFileObject(backing: FileBacking, sizeBytes: number): PlainObject {
    const object = new PlainObject(backing, sizeBytes);
    this.objects.push(object);
    return object;
  }

  createShmemObject(sizeBytes: number): PlainObject {
    return new PlainObject(null, sizeBytes);
  }
}

/** Guest memory: one array; addresses from 0x1000 to its end are mapped. */
class PlainSpace {
  readonly bytes = new Uint8Array(1 << 20);

  private valid(address: number, count: number): number {
    if (address < 0x1000 || address >= this.bytes.length) return 0;
    return Math.min(count, this.bytes.length - address);
  }

  copyIn(address: number, into: Uint8Array, from = 0, to = into.length): number {
    const count = this.valid(address, to - from);
    into.set(this.bytes.subarray(address, address + count), from);
    return count;
  }

  copyOut(address: number, source: Uint8Array, from = 0, to = source.length): number {
    const count = this.valid(address, to - from);
    this.bytes.set(source.subarray(from, from + count), address);
    return count;
  }

  readString(address: number, maxBytes: number): Uint8Array | number {
    for (let i = 0; i < maxBytes; i++) {
      if (this.valid(address + i, 1) === 0) return -14;
      if (this.bytes[address + i] === 0) return this.bytes.slice(address, address + i);
    }
    return -36;
  }
}

const TABLES: SyscallTable = {
  ...fileIoSyscalls,
  ...filePathSyscalls,
  ...fileDescriptorSyscalls,
  ...fileSystemSyscalls,
};

export const DATA = 0x80000;

export class VfsKit {
  readonly mm = new PlainMm();
  now = 1_000_000;
  readonly kernel: Kernel;
  readonly vfs: Vfs;
  readonly signals: number[] = [];
  task: Task;
  private stringAt = 0x2000;

  constructor(makeRoot: (kit: VfsKit) => FileSystem, withDev = false) {
    const clock = {
      realtime: () => ({ seconds: Math.floor(++this.now / 1000), nanoseconds: (this.now % 1000) * 1_000_000 }),
    };
    const kernel = {
      mm: this.mm as unknown as MemoryManager,
      clock,
      tasks: new Map(),
      processes: new Map(),
      groups: new Map(),
      sendSignal: (_target: unknown, info: { signal: number }) => this.signals.push(info.signal),
      random: (bytes: Uint8Array) => bytes.fill(7),
      log: () => {},
      vfs: null as unknown,
    };
    this.vfs = new Vfs(kernel);
    kernel.vfs = this.vfs;
    this.kernel = kernel as unknown as Kernel;
    this.vfs.setRoot(this.vfs.mounts.createRoot(makeRoot(this)));
    this.task = this.makeTask(1, ROOT_CREDENTIALS);
    if (withDev) {
      registerMemoryDevices(this.vfs);
      this.call("mkdirat", -100, "/dev", 0o755);
      this.vfs.mounts.mount(createDevFs(this.vfs), this.vfs.resolve(this.task, -100, "/dev"));
    }
  }

  makeTask(pid: number, credentials: Credentials): Task {
    const task = {
      kernel: this.kernel,
      credentials,
      files: new FdTable(),
      fs: new FsContext(this.vfs.root, this.vfs.root, 0o022),
      process: { limits: RLimits.initial(1000), pid },
      space: new PlainSpace(),
      state: "running",
      isAlive: true,
      syscallState: undefined,
      block: () => BLOCKED,
    };
    return task as unknown as Task;
  }

  /** An ordinary user. */
  static user(uid: number, gid = uid, groups: number[] = []): Credentials {
    return {
      ...ROOT_CREDENTIALS,
      uid,
      euid: uid,
      suid: uid,
      fsuid: uid,
      gid,
      egid: gid,
      sgid: gid,
      fsgid: gid,
      groups,
      permitted: NO_CAPS,
      effective: NO_CAPS,
    };
  }

  get memory(): Uint8Array {
    return (this.task.space as unknown as PlainSpace).bytes;
  }

  /** Strings become NUL-terminated bytes in guest memory. */
  address(text: string): number {
    const bytes = encodeUtf8(text);
    if (this.stringAt + bytes.length + 1 > DATA) this.stringAt = 0x2000;
    const at = this.stringAt;
    this.memory.set(bytes, at);
    this.memory[at + bytes.length] = 0;
    this.stringAt += bytes.length + 1;
    return at;
  }

  /** The result, or -errno. */
  call(name: SyscallName, ...args: (number | string)[]): number {
    const row = TABLES[name];
    if (row === undefined) throw new Error(`no system call ${name}`);
    const numbers = args.map((arg) => (typeof arg === "string" ? this.address(arg) : arg));
    while (numbers.length < 6) numbers.push(0);
    const [a0, a1, a2, a3, a4, a5] = numbers;
    try {
      return row.run(this.kernel, this.task, a0, a1, a2, a3, a4, a5);
    } catch (error) {
      if (error instanceof LinuxError) return -error.errno;
      throw error;
    }
  }

  open(path: string, flags = 0, mode = 0o644): number {
    return this.call("openat", -100, path, flags, mode);
  }

  writeText(fd: number, text: string): number {
    const bytes = encodeUtf8(text);
    this.memory.set(bytes, DATA);
    return this.call("write", fd, DATA, bytes.length);
  }

  readText(fd: number, count = 65536): string {
    const got = this.call("read", fd, DATA, count);
    return got < 0 ? `error ${-got}` : decodeUtf8(this.memory.subarray(DATA, DATA + got));
  }

  /** Creates or replaces a file with this text. */
  put(path: string, text: string, mode = 0o644): void {
    const fd = this.open(path, 0o1101, mode);
    if (fd < 0) throw new Error(`open ${path}: ${fd}`);
    this.writeText(fd, text);
    this.call("close", fd);
  }

  /** The contents, or "error N". */
  cat(path: string): string {
    const fd = this.open(path);
    if (fd < 0) return `error ${-fd}`;
    const text = this.readText(fd);
    this.call("close", fd);
    return text;
  }

  stat(
    path: string,
    flags = 0,
  ): {
    mode: number;
    nlink: number;
    uid: number;
    gid: number;
    size: number;
    ino: number;
    mtime: number;
    error: number;
  } {
    const result = this.call("newfstatat", -100, path, DATA, flags);
    const view = new DataView(this.memory.buffer, DATA, 128);
    return {
      error: -result,
      ino: Number(view.getBigUint64(8, true)),
      mode: view.getUint32(16, true),
      nlink: view.getUint32(20, true),
      uid: view.getUint32(24, true),
      gid: view.getUint32(28, true),
      size: Number(view.getBigInt64(48, true)),
      mtime: Number(view.getBigInt64(88, true)),
    };
  }

  /** Names in a directory, sorted, without "." and "..". */
  ls(path: string, bufferBytes = 1024): string[] {
    const fd = this.open(path, 0o200000);
    if (fd < 0) return [`error ${-fd}`];
    const names: string[] = [];
    for (;;) {
      const got = this.call("getdents64", fd, DATA, bufferBytes);
      if (got < 0) names.push(`error ${-got}`);
      if (got <= 0) break;
      for (let at = DATA; at < DATA + got; ) {
        const length = this.memory[at + 16] | (this.memory[at + 17] << 8);
        let end = at + 19;
        while (this.memory[end] !== 0) end++;
        const name = decodeUtf8(this.memory.subarray(at + 19, end));
        if (name !== "." && name !== "..") names.push(name);
        at += length;
      }
    }
    this.call("close", fd);
    return names.sort();
  }

  cwd(): string {
    const got = this.call("getcwd", DATA, 4096);
    return got < 0 ? `error ${-got}` : decodeUtf8(this.memory.subarray(DATA, DATA + got - 1));
  }

  readlink(path: string): string {
    const got = this.call("readlinkat", -100, path, DATA, 4096);
    return got < 0 ? `error ${-got}` : decodeUtf8(this.memory.subarray(DATA, DATA + got));
  }
}
