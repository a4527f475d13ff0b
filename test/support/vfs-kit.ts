// A file system without a hart: a Vfs over a real memory manager, a task whose guest memory can be looked at as one array of
// bytes, and system calls called by name. For tests of kernel/vfs and host/node/files.

import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_LOCKED,
  MAP_POPULATE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../../src/abi/mman.ts";
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
import type { AddressSpace } from "../../src/mm/address-space.ts";
import type { TlbFlusher } from "../../src/mm/contracts.ts";
import { MemoryManager } from "../../src/mm/memory-manager.ts";
import { decodeUtf8, encodeUtf8 } from "../../src/util/utf8.ts";

const DEFAULT_RAM_BYTES = 32 << 20;
/** Guest addresses [WINDOW, WINDOW_END) are mapped, to consecutive frames that stay where they are. */
const WINDOW = 0x1000;
const WINDOW_END = 0x100000;

const NO_TLB: TlbFlusher = {
  flushPage() {},
  flushRange() {},
  flushSpace() {},
  releaseSpace() {},
  frameChanged() {},
  debugForEach() {},
};

const TABLES: SyscallTable = {
  ...fileIoSyscalls,
  ...filePathSyscalls,
  ...fileDescriptorSyscalls,
  ...fileSystemSyscalls,
};

export const DATA = 0x80000;

export class VfsKit {
  readonly mm: MemoryManager;
  now = 1_000_000;
  readonly kernel: Kernel;
  readonly vfs: Vfs;
  readonly signals: number[] = [];
  task: Task;
  private stringAt = 0x2000;

  constructor(makeRoot: (kit: VfsKit) => FileSystem, withDev = false, ramBytes = DEFAULT_RAM_BYTES) {
    this.mm = new MemoryManager({
      buffer: new ArrayBuffer(ramBytes),
      byteOffset: 0,
      sizeBytes: ramBytes,
      swapDevice: null,
      tlb: NO_TLB,
      outOfMemory: () => false,
      fileDirtied: (file) => this.vfs.fileDirtied(file),
    });
    const clock = {
      realtime: () => ({ seconds: Math.floor(++this.now / 1000), nanoseconds: (this.now % 1000) * 1_000_000 }),
    };
    const kernel = {
      mm: this.mm,
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
      space: this.makeSpace(),
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

  private makeSpace(): AddressSpace {
    const space = this.mm.createSpace();
    if (space === null) throw new Error("no memory for an address space");
    space.limits.mayMapLow = space.limits.mayLock = true;
    const address = space.mmap({
      // One page more, given back below: the first one's frame lies before those of its page tables.
      address: WINDOW - PAGE_SIZE,
      length: WINDOW_END - WINDOW + PAGE_SIZE,
      prot: PROT_READ | PROT_WRITE,
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED | MAP_POPULATE,
      object: null,
      file: null,
      offset: 0,
      maxProt: PROT_READ | PROT_WRITE,
    });
    if (address !== WINDOW - PAGE_SIZE) throw new Error(`cannot map the window: ${address}`);
    space.munmap(address, PAGE_SIZE);
    return space;
  }

  /** Guest memory by address: a window on the task's frames. */
  get memory(): Uint8Array {
    let window = this.windows.get(this.task);
    if (window === undefined) {
      const { table } = this.task.space;
      const first = table.frameFor(WINDOW / PAGE_SIZE, true);
      for (let vpn = WINDOW / PAGE_SIZE; vpn < WINDOW_END / PAGE_SIZE; vpn++)
        if (table.frameFor(vpn, true) - first !== vpn - WINDOW / PAGE_SIZE)
          throw new Error(`frames are not consecutive: ${first}, ${vpn}: ${table.frameFor(vpn, true)}`);
      window = this.mm.memory.bytes.subarray(first * PAGE_SIZE - WINDOW);
      this.windows.set(this.task, window);
    }
    return window;
  }
  private readonly windows = new Map<Task, Uint8Array>();

  view(address: number, length?: number): DataView {
    const { memory } = this;
    return new DataView(memory.buffer, memory.byteOffset + address, length);
  }

  /** Writes back what is dirty and drops every page that no area maps. */
  evictAll(): void {
    this.mm.writebackAll();
    this.mm.dropCaches();
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
    const view = this.view(DATA, 128);
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
