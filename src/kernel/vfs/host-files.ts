// What the kernel asks of the host's file system: synchronous operations on one folder and what is below it. Implemented by
// host/node (node:fs), by a browser host, and in memory (memory-host-files.ts). No policy here: basefs.ts and overlayfs.ts.
//
// Names are lossless strings (util/utf8.ts). Every operation names an object by (parent node, name), one component at a time;
// the implementation must never follow a symbolic link below the folder, must never open anything that is not a regular file
// or a directory, and throws LinuxError (a positive Linux errno) for every failure.

/** lstat of the host; sizes in bytes, times in seconds and nanoseconds. */
export interface HostStat {
  /** Identity of the file on the host, such as "device:inode": the same for all hard links of a file. */
  readonly key: string;
  /** Small numbers that tell the host's devices apart (0: the folder's own), and the inode number as a double. */
  readonly device: number;
  readonly ino: number;
  /** S_IF* and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  /** As the guest sees it: the uid that runs Faultline is 0, others are as they are. */
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly sizeBytes: number;
  /** 512-byte units. */
  readonly blocks: number;
  readonly atimeSeconds: number;
  readonly atimeNanoseconds: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly ctimeSeconds: number;
  readonly ctimeNanoseconds: number;
  readonly btimeSeconds: number;
  readonly btimeNanoseconds: number;
}

/** One name in a listing; `type` is a DT_* value, DT_UNKNOWN when the host does not say. */
export interface HostEntry {
  name: string;
  type: number;
}

export interface HostListing {
  /** Appends some more entries; false when there are none left. */
  more(into: HostEntry[]): boolean;
  close(): void;
}

/** A file or folder of the host by its place. The kernel keeps parent and name up to date across renames. */
export class HostNode {
  parent: HostNode | null;
  name: string;
  /** HostStat.key when it was found: an implementation refuses to open something else that took its place (ESTALE). */
  readonly key: string;
  /** The name is gone (unlinked); only a descriptor that was kept still leads to the data. */
  gone = false;
  /** The implementation's: open descriptors. */
  handle: object | null = null;

  constructor(parent: HostNode | null, name: string, key: string) {
    this.parent = parent;
    this.name = name;
    this.key = key;
  }
}

export interface HostFiles {
  /** The folder itself; its parent is null. */
  readonly root: HostNode;
  /** For /proc/mounts. */
  readonly description: string;
  /** Gives back what the folder holds of the host (descriptors); nothing is asked of it afterwards. */
  close?(): void;

  /** lstat of the node itself. ENOENT when it is gone. */
  stat(node: HostNode): HostStat;
  /** lstat of a name in a folder, or null. */
  child(folder: HostNode, name: string): HostStat | null;
  list(folder: HostNode): HostListing;
  readLink(node: HostNode): string;

  /** Opens the data for reading, or for both: errors of permission come now and not at a page fault. Idempotent. */
  openData(node: HostNode, write: boolean): void;
  /** Nobody writes it any more and everything is written: what openData() opened may be closed and opened again at will. */
  idle(node: HostNode): void;
  /** Closes what openData() opened, if anything. */
  closeData(node: HostNode): void;
  /** Fills `into` from `position`; fewer bytes only at the end of the file. Opens the data if need be. */
  read(node: HostNode, position: number, into: Uint8Array): number;
  write(node: HostNode, position: number, from: Uint8Array): void;
  truncate(node: HostNode, sizeBytes: number): void;
  /** fsync or fdatasync; folders too. */
  sync(node: HostNode, dataOnly: boolean): void;

  /** Creates an empty regular file (O_CREAT | O_EXCL). */
  create(folder: HostNode, name: string, mode: number): HostStat;
  mkdir(folder: HostNode, name: string, mode: number): HostStat;
  symlink(folder: HostNode, name: string, target: string): HostStat;
  link(existing: HostNode, folder: HostNode, name: string): void;
  unlink(folder: HostNode, name: string): void;
  rmdir(folder: HostNode, name: string): void;
  /** Replaces the target as rename(2) does. */
  rename(folder: HostNode, name: string, toFolder: HostNode, toName: string): void;

  /** Permission bits only. */
  chmod(node: HostNode, mode: number): void;
  /** Ids as the guest sees them; -1 leaves one as it is. */
  chown(node: HostNode, uid: number, gid: number): void;
  setTimes(node: HostNode, atime: HostTime, mtime: HostTime): void;

  /** Space of the file system that holds the folder, in blocks. */
  space(): {
    blockSize: number;
    blocks: number;
    blocksFree: number;
    blocksAvailable: number;
    files: number;
    filesFree: number;
  };
}

export interface HostTime {
  seconds: number;
  nanoseconds: number;
}
