// Puts a machine's file tree together: the root, /proc, /dev, /dev/pts, /dev/shm, /run, and the host folders the user mounted.
import { ENOTDIR } from "../../abi/errno.ts";
import { AT_FDCWD, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../abi/fcntl.ts";
import { S_IFDIR } from "../../abi/stat.ts";
import { ROOT_CREDENTIALS } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { errno, LinuxError } from "../linux-error.ts";
import { RLimits } from "../rlimits.ts";
import type { Task } from "../task.ts";
import { BaseFs } from "./basefs.ts";
import { createDevFs, DevPtsFs, registerMemoryDevices } from "./devfs.ts";
import { FdTable } from "./fd-table.ts";
import { FsContext } from "./fs-context.ts";
import type { HostFiles } from "./host-files.ts";
import type { FileSystem, Inode } from "./inode.ts";
import { OverlayFs } from "./overlayfs.ts";
import type { Mount, Path } from "./path.ts";
import { ProcFileSystem } from "./procfs/procfs.ts";
import { TmpFs } from "./tmpfs.ts";
import { makeDirectory } from "./vfs-change.ts";

export interface HostMount {
  host: HostFiles;
  /** Absolute path in the guest; folders on the way are made where the root can be written. */
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

/**
 * Mounts everything; afterwards `kernel.vfs.root` is where the first process starts. Throws LinuxError when a mount point
 * can neither be found nor made.
 */
export function mountTree(k: Kernel, options: TreeOptions): void {
  const { vfs } = k;
  registerMemoryDevices(vfs);
  vfs.setRoot(vfs.mounts.createRoot(createRootFs(k, options)));
  const t = kernelTask(k);
  const secure = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mountAt(k, t, new ProcFileSystem(k), "/proc", secure);
  const dev = mountAt(k, t, createDevFs(vfs), "/dev", MS_NOSUID);
  if (dev !== null) {
    mountAt(k, t, new DevPtsFs(vfs, k.ipc.terminals.ptys), "/dev/pts", MS_NOSUID | MS_NOEXEC);
    mountAt(k, t, new TmpFs(vfs, "tmpfs"), "/dev/shm", MS_NOSUID | MS_NODEV);
  }
  mountAt(k, t, new TmpFs(vfs, "tmpfs", { mode: 0o755 }), "/run", MS_NOSUID | MS_NODEV);
  for (const { host, guestPath, readOnly } of options.mounts ?? []) {
    const fs = new BaseFs(vfs, host, { writable: !readOnly, shared: true });
    const place = makePlace(k, t, guestPath);
    if (place === null) throw errno(ENOTDIR);
    vfs.mounts.mount(fs, place, MS_NOSUID | MS_NODEV | (readOnly ? MS_RDONLY : 0));
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
    fs: new FsContext(root, root, 0o022),
    files: new FdTable(),
    process: { pid: 0, limits: RLimits.initial(0) },
  };
  return caller as unknown as Task;
}

/** Mounts where the folder exists or can be made; null: neither (a root without it that cannot be written). */
function mountAt(k: Kernel, t: Task, fs: FileSystem, path: string, flags: number): Mount | null {
  const place = makePlace(k, t, path);
  return place === null ? null : k.vfs.mounts.mount(fs, place, flags);
}

/** mkdir -p, without following links out of the way: a root folder from elsewhere may have a link in the place of /run. */
function makePlace(k: Kernel, t: Task, path: string): Path | null {
  let at = "";
  for (const name of path.split("/")) {
    if (name === "") continue;
    at += `/${name}`;
    try {
      makeDirectory(k.vfs, t, AT_FDCWD, at, S_IFDIR | 0o755);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
    }
  }
  try {
    const place = k.vfs.resolve(t, AT_FDCWD, at === "" ? "/" : at, { directory: true });
    return (place.dentry.inode as Inode).isDirectory ? place : null;
  } catch (error) {
    if (error instanceof LinuxError) return null;
    throw error;
  }
}
