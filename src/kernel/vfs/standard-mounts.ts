// Puts a machine's file tree together: the root, /proc, /dev, /dev/pts, /dev/shm, /sys, /run, /tmp, and the host folders the user
// mounted.
import { AT_FDCWD, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../abi/fcntl.ts";
import { ROOT_CREDENTIALS } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { LinuxError } from "../linux-error.ts";
import { RLimits } from "../rlimits.ts";
import type { Task } from "../task.ts";
import { BaseFs } from "./basefs.ts";
import { createDevFs, DevPtsFs, registerMemoryDevices } from "./devfs.ts";
import { FdTable } from "./fd-table.ts";
import { FsContext } from "./fs-context.ts";
import type { HostFiles } from "./host-files.ts";
import type { FileSystem } from "./inode.ts";
import { OverlayFs } from "./overlayfs.ts";
import { ProcFileSystem } from "./procfs/procfs.ts";
import { SysFileSystem } from "./sysfs.ts";
import { TmpFs } from "./tmpfs.ts";
import { makeDirectory } from "./vfs-change.ts";

export interface HostMount {
  host: HostFiles;
  /** Absolute path in the guest; made if it is not there. */
  guestPath: string;
  readOnly: boolean;
}

export interface TreeOptions {
  /** The root folder; null: an empty tree in memory. */
  root: HostFiles | null;
  /** Writes go to the folder itself; otherwise to memory above it. */
  writable: boolean;
  mounts?: readonly HostMount[];
}

/** The root does not allow a mount point to be made or used: one line that says where, with Linux's number. */
export class TreeError extends Error {
  override readonly name = "TreeError";
}

/** Mounts everything; afterwards `kernel.vfs.root` is where the first process starts. Throws TreeError. */
export function mountTree(k: Kernel, options: TreeOptions): void {
  const { vfs } = k;
  vfs.setRoot(vfs.mounts.createRoot(createRootFs(k, options)));
  registerMemoryDevices(vfs);
  const t = kernelTask(k);
  const quiet = MS_NOSUID | MS_NODEV;
  mountAt(k, t, "/proc", new ProcFileSystem(k), quiet | MS_NOEXEC);
  mountAt(k, t, "/dev", createDevFs(vfs), MS_NOSUID);
  mountAt(k, t, "/dev/pts", new DevPtsFs(vfs, k.ipc.terminals.ptys), MS_NOSUID | MS_NOEXEC);
  mountAt(k, t, "/dev/shm", new TmpFs(vfs, "tmpfs"), quiet);
  mountAt(k, t, "/sys", new SysFileSystem(k), quiet | MS_NOEXEC);
  mountAt(k, t, "/run", new TmpFs(vfs, "tmpfs", { mode: 0o755 }), quiet);
  ensureDirectory(k, t, "/run/lock", 0o1777);
  ensureDirectory(k, t, "/tmp", 0o1777);
  for (const { host, guestPath, readOnly } of options.mounts ?? []) {
    const fs = new BaseFs(vfs, host, { writable: !readOnly, shared: true });
    mountAt(k, t, guestPath, fs, MS_NODEV | (readOnly ? MS_RDONLY : 0));
  }
}

function createRootFs(k: Kernel, { root, writable }: TreeOptions): FileSystem {
  if (root === null) return new TmpFs(k.vfs, "rootfs", { mode: 0o755, type: "rootfs" });
  return writable ? new BaseFs(k.vfs, root, { writable: true, shared: false }) : new OverlayFs(k.vfs, root);
}

/** A stand-in caller for what the kernel does itself: root's rights, no limits, no process. Only for
 * walking, creating, and moving a file's bytes. */
export function kernelTask(k: Kernel): Task {
  const { root } = k.vfs;
  const caller = {
    kernel: k,
    credentials: ROOT_CREDENTIALS,
    fs: new FsContext(root, root, 0),
    files: new FdTable(),
    process: { pid: 0, limits: RLimits.initial(0) },
  };
  return caller as unknown as Task;
}

function mountAt(k: Kernel, t: Task, at: string, fs: FileSystem, flags: number): void {
  ensureDirectory(k, t, at, 0o755);
  try {
    k.vfs.mounts.mount(fs, k.vfs.resolveDirectory(t, AT_FDCWD, at), flags);
  } catch (error) {
    throw treeError(`cannot mount at ${at}`, error);
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
        throw treeError(`cannot make the folder ${text}`, failure);
      }
    }
  }
}

function treeError(what: string, error: unknown): unknown {
  return error instanceof LinuxError ? new TreeError(`${what} in the guest (error ${error.errno})`) : error;
}
