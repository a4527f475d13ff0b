// A RootTree in a host folder. Files appear under their name only when they are whole; owners are kept when the process may
// set them. Trusts its caller for the paths (image/root-tree resolves them).
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { FileWriter, Metadata, RootTree, TreeStat } from "../../../image/root-tree.ts";
import { decodeUtf8, encodeUtf8 } from "../../../util/utf8.ts";

/** As dpkg names files it has not finished. */
const NEW_SUFFIX = ".dpkg-new";
/** Chunks are gathered up to this before they are written: a package's many small pieces become few system calls. */
const BUFFER_BYTES = 256 * 1024;

export class NodeTree implements RootTree {
  readonly folder: string;
  private readonly mayChown = process.getuid?.() === 0;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);

  constructor(folder: string) {
    this.folder = folder;
  }

  stat(path: string): TreeStat | null {
    const stat = lstatSync(this.host(path), { throwIfNoEntry: false });
    if (!stat) return null;
    const type = stat.isFile()
      ? "file"
      : stat.isDirectory()
        ? "directory"
        : stat.isSymbolicLink()
          ? "symlink"
          : "other";
    return { type, mode: stat.mode & 0o7777, sizeBytes: stat.size };
  }

  readLink(path: string): string {
    return decodeUtf8(readlinkSync(this.host(path), { encoding: "buffer" }));
  }

  readFile(path: string): Uint8Array {
    return readFileSync(this.host(path));
  }

  readDirectory(path: string): string[] {
    return readdirSync(this.host(path), { encoding: "buffer" }).map((name) => decodeUtf8(name));
  }

  makeDirectory(path: string, metadata: Metadata): void {
    mkdirSync(this.host(path), { mode: 0o755 });
    this.setMetadata(path, metadata);
  }

  setMetadata(path: string, metadata: Metadata): void {
    const host = this.host(path);
    if (this.mayChown) lchownSync(host, metadata.uid, metadata.gid);
    chmodSync(host, metadata.mode); // after the owner: changing that clears setuid
  }

  makeSymlink(target: string, path: string, metadata: Metadata): void {
    const host = this.host(path);
    const aside = this.host(path + NEW_SUFFIX);
    const link = hostName(target);
    try {
      symlinkSync(link, host);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      rmSync(aside, { force: true });
      symlinkSync(link, aside);
      renameSync(aside, host);
    }
    if (this.mayChown) lchownSync(host, metadata.uid, metadata.gid);
    if (metadata.mtimeSeconds !== 0) lutimesSync(host, metadata.mtimeSeconds, metadata.mtimeSeconds);
  }

  makeLink(existing: string, path: string): void {
    const aside = this.host(path + NEW_SUFFIX);
    rmSync(aside, { force: true });
    linkSync(this.host(existing), aside);
    renameSync(aside, this.host(path));
    // Renaming one name of a file over another of the same file does nothing and leaves both.
    rmSync(aside, { force: true });
  }

  createFile(path: string, metadata: Metadata, _sizeBytes: number): FileWriter {
    const aside = this.host(path + NEW_SUFFIX);
    rmSync(aside, { force: true }); // a rest of an interrupted run; a link there must not be followed
    const fd = openSync(aside, "wx", 0o600);
    const { buffer, mayChown } = this;
    let fill = 0;
    const flush = () => {
      writeAll(fd, buffer.subarray(0, fill));
      fill = 0;
    };
    return {
      write: (bytes) => {
        if (fill + bytes.length > buffer.length) flush();
        if (bytes.length > buffer.length) writeAll(fd, bytes);
        else {
          buffer.set(bytes, fill);
          fill += bytes.length;
        }
      },
      commit: () => {
        if (fill > 0) flush();
        if (mayChown) fchownSync(fd, metadata.uid, metadata.gid);
        fchmodSync(fd, metadata.mode);
        if (metadata.mtimeSeconds !== 0) futimesSync(fd, metadata.mtimeSeconds, metadata.mtimeSeconds);
        closeSync(fd);
        renameSync(aside, this.host(path));
      },
      abort: () => {
        try {
          fstatSync(fd);
          closeSync(fd);
        } catch {
          // Closed already: the commit failed at its rename.
        }
        rmSync(aside, { force: true });
      },
    };
  }

  remove(path: string): void {
    const host = this.host(path);
    if (lstatSync(host).isDirectory()) rmdirSync(host);
    else unlinkSync(host);
  }

  private host(path: string): string | Buffer {
    return hostName(path === "" ? this.folder : `${this.folder}/${path}`);
  }
}

/** Names that are not UTF-8 go to the host as the bytes they are. */
function hostName(path: string): string | Buffer {
  return /[\udc80-\udcff]/.test(path) ? Buffer.from(encodeUtf8(path)) : path;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}
