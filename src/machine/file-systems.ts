// Opens the host's folders for the guest's file tree, and looks at programs in it before they run.
import { AT_FDCWD, O_RDWR } from "../abi/fcntl.ts";
import { readElf } from "../kernel/elf-file.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { openConsole } from "../kernel/tty/terminal-state.ts";
import type { OpenFile } from "../kernel/vfs/open-file.ts";
import type { Path } from "../kernel/vfs/path.ts";
import { kernelTask, mountTree, TreeError } from "../kernel/vfs/standard-mounts.ts";
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

/** `open`: a folder of the host by its path (MachineHost.openFolder). Throws HostError. */
export function mountFileSystems(k: Kernel, open: MachineHost["openFolder"], options: TreeOptions): void {
  const root = open(options.root);
  const mounts = (options.mounts ?? []).map(({ host, guest, readOnly = false }) => ({
    host: open(host),
    guestPath: guest,
    readOnly,
  }));
  try {
    mountTree(k, { root, writable: options.writable ?? false, mounts });
  } catch (error) {
    if (error instanceof TreeError) throw new HostError(error.message);
    throw error;
  }
}

/** A standard descriptor of a program on the console. */
export function consoleFile(k: Kernel): OpenFile {
  const place = k.vfs.resolve(kernelTask(k), AT_FDCWD, "/dev/console");
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
