// Lays out the guest's file tree: the root (folder below and writes in memory, or the folder itself), mounts, /proc, /dev, /sys, /run.
import { AT_FDCWD, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, O_RDWR } from "../abi/fcntl.ts";
import { ROOT_CREDENTIALS } from "../kernel/credentials.ts";
import { readElf } from "../kernel/elf-file.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { LinuxError } from "../kernel/linux-error.ts";
import type { Task } from "../kernel/task.ts";
import { openConsole } from "../kernel/tty/terminal-state.ts";
import { BaseFs } from "../kernel/vfs/basefs.ts";
import { createDevFs, DevPtsFs, registerMemoryDevices } from "../kernel/vfs/devfs.ts";
import { FsContext } from "../kernel/vfs/fs-context.ts";
import type { FileSystem } from "../kernel/vfs/inode.ts";
import type { OpenFile } from "../kernel/vfs/open-file.ts";
import { OverlayFs } from "../kernel/vfs/overlayfs.ts";
import type { Path } from "../kernel/vfs/path.ts";
import { ProcFileSystem } from "../kernel/vfs/procfs/procfs.ts";
import { SysFileSystem } from "../kernel/vfs/sysfs.ts";
import { TmpFs } from "../kernel/vfs/tmpfs.ts";
import { makeDirectory } from "../kernel/vfs/vfs-change.ts";
import { BytesCursor } from "../mm/io-cursor.ts";
import { decodeUtf8 } from "../util/utf8.ts";
import { HostError, type MachineHost } from "./host.ts";

export interface MountRequest {
  /** Folder of the host. */
  host: string;
  /** Absolute path in the guest; made if it is not there. */
  guest: string;
  readOnly?: boolean;
}

export interface TreeOptions {
  root: string;
  writable?: boolean;
  mounts?: readonly MountRequest[];
}

/** Who walks the tree before there is a process: root at "/". */
export function bootTask(k: Kernel): Task {
  const { root } = k.vfs;
  return { kernel: k, credentials: ROOT_CREDENTIALS, fs: new FsContext(root, root, 0) } as unknown as Task;
}

/** `open`: a folder of the host by its path (MachineHost.openFolder). */
export function mountFileSystems(k: Kernel, open: MachineHost["openFolder"], options: TreeOptions): void {
  const { vfs } = k;
  const folder = open(options.root);
  const root = options.writable
    ? new BaseFs(vfs, folder, { writable: true, shared: false })
    : new OverlayFs(vfs, folder);
  vfs.setRoot(vfs.mounts.createRoot(root));
  registerMemoryDevices(vfs);
  const t = bootTask(k);
  const quiet = MS_NOSUID | MS_NODEV;
  mountAt(k, t, "/proc", new ProcFileSystem(k), quiet | MS_NOEXEC);
  mountAt(k, t, "/dev", createDevFs(vfs), MS_NOSUID);
  mountAt(k, t, "/dev/pts", new DevPtsFs(vfs, k.ipc.terminals.ptys), MS_NOSUID | MS_NOEXEC);
  mountAt(k, t, "/dev/shm", new TmpFs(vfs, "tmpfs"), quiet);
  mountAt(k, t, "/sys", new SysFileSystem(k), quiet | MS_NOEXEC);
  mountAt(k, t, "/run", new TmpFs(vfs, "tmpfs", { mode: 0o755 }), quiet);
  ensureDirectory(k, t, "/run/lock", 0o1777);
  ensureDirectory(k, t, "/tmp", 0o1777);
  for (const request of options.mounts ?? []) mountFolder(k, t, open, request);
}

function mountFolder(k: Kernel, t: Task, open: MachineHost["openFolder"], request: MountRequest): void {
  const fs = new BaseFs(k.vfs, open(request.host), { writable: !request.readOnly, shared: true });
  mountAt(k, t, request.guest, fs, MS_NODEV | (request.readOnly ? MS_RDONLY : 0));
}

function mountAt(k: Kernel, t: Task, at: string, fs: FileSystem, flags: number): void {
  ensureDirectory(k, t, at, 0o755);
  try {
    k.vfs.mounts.mount(fs, k.vfs.resolveDirectory(t, AT_FDCWD, at), flags);
  } catch (error) {
    if (error instanceof LinuxError) throw new HostError(`cannot mount at ${at} in the guest (error ${error.errno})`);
    throw error;
  }
}

/** mkdir -p; what is there already stays as it is. */
function ensureDirectory(k: Kernel, t: Task, path: string, mode: number): void {
  const parts = path.split("/").filter((part) => part !== "");
  for (let i = 1; i <= parts.length; i++) {
    const text = `/${parts.slice(0, i).join("/")}`;
    try {
      k.vfs.resolve(t, AT_FDCWD, text);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      try {
        makeDirectory(k.vfs, t, AT_FDCWD, text, i === parts.length ? mode : 0o755);
      } catch (failure) {
        if (!(failure instanceof LinuxError)) throw failure;
        throw new HostError(`cannot make the folder ${text} in the guest (error ${failure.errno})`);
      }
    }
  }
}

/** A standard descriptor of a program on the console. */
export function consoleFile(k: Kernel): OpenFile {
  const place = k.vfs.resolve(bootTask(k), AT_FDCWD, "/dev/console");
  return openConsole(k, place.dentry.inode!, place, O_RDWR);
}

const PT_LOAD = 1;
const PT_INTERP = 3;

/** The interpreter that an ELF file or a script names, read from its first page; null when there is none. */
export function namedInterpreter(place: Path): string | null {
  const { object } = place.dentry.inode!;
  const head = new Uint8Array(4096);
  const length = object.read(new BytesCursor(head), 0);
  const text = (from: number, to: number) => decodeUtf8(head, from, Math.min(to, length)).replace(/\0.*$/s, "");
  if (head[0] === 0x23 && head[1] === 0x21) return text(2, 256).split("\n")[0].trim().split(/\s+/)[0] || null;
  const view = new DataView(head.buffer);
  const headers = view.getUint32(32, true);
  const count = view.getUint16(56, true);
  for (let i = 0; i < count && headers + 56 * (i + 1) <= length; i++) {
    const at = headers + 56 * i;
    if (view.getUint32(at, true) === PT_INTERP)
      return text(view.getUint32(at + 8, true), view.getUint32(at + 8, true) + 256);
  }
  return null;
}

/** How far the PT_LOAD segments of an ELF file reach beyond its end; 0 for whole files and for what is none. */
export function missingFileBytes(place: Path): number {
  const { object } = place.dentry.inode!;
  const elf = readElf(object);
  if (typeof elf === "number") return 0;
  const end = elf.segments.reduce((most, s) => (s.type === PT_LOAD ? Math.max(most, s.offset + s.filesz) : most), 0);
  return Math.max(0, end - object.sizeBytes);
}
