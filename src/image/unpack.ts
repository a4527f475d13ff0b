// Unpacks a tar stream into a RootTree the way dpkg does: through merged-/usr links, keeping directories that are there,
// files appearing whole; refuses what would leave the root. Decides nothing about packages.
import { ImageError } from "./errors.ts";
import {
  baseOf,
  cleanPath,
  ensureDirectory,
  type FileWriter,
  join,
  type Metadata,
  type PathResolver,
  parentOf,
  type RootTree,
} from "./root-tree.ts";
import type { TarEntry, TarVisitor } from "./tar.ts";

export interface UnpackOptions {
  /** For messages: the package or archive. */
  what: string;
  /** Where a file is to be written instead of at `path` (conffiles the user changed), or null to leave it out. */
  redirect?: (path: string) => string | null;
  /** Something that could not be made as stored, in one sentence. */
  note?: (sentence: string) => void;
}

export class Unpacker implements TarVisitor {
  /** Every path of the archive, absolute, in its order: what dpkg's .list files hold. */
  readonly paths: string[] = [];
  /** Real paths (relative) of what was written: files and symlinks. */
  readonly written = new Set<string>();
  bytesWritten = 0;

  private readonly tree: RootTree;
  private readonly resolver: PathResolver;
  private readonly options: UnpackOptions;
  private writer: FileWriter | null = null;
  /** Links whose target comes later in the archive (seen in archives sorted by name). */
  private readonly lateLinks: { from: string; to: string; name: string }[] = [];

  constructor(tree: RootTree, resolver: PathResolver, options: UnpackOptions) {
    this.tree = tree;
    this.resolver = resolver;
    this.options = options;
  }

  entry(entry: TarEntry): void {
    try {
      this.begin(entry);
    } catch (error) {
      if (error instanceof ImageError) throw new ImageError(`${this.options.what}: ${error.message}`);
      throw error;
    }
  }

  data(bytes: Uint8Array): void {
    this.bytesWritten += bytes.length;
    this.writer?.write(bytes);
  }

  end(): void {
    const writer = this.writer;
    this.writer = null;
    writer?.commit();
  }

  /** The stream is over: makes the links that waited. */
  finish(): void {
    for (const { from, to, name } of this.lateLinks) {
      if (this.tree.stat(from)?.type !== "file") {
        throw new ImageError(
          `${this.options.what}: refused: hard link /${name} to /${from}, which is no file of the root`,
        );
      }
      this.link(from, to);
    }
    this.lateLinks.length = 0;
  }

  /** The stream failed: forgets the file that was being written. */
  abort(): void {
    this.writer?.abort();
    this.writer = null;
  }

  private begin(entry: TarEntry): void {
    const path = cleanPath(entry.name);
    this.paths.push(path === "" ? "/." : `/${path}`);
    const metadata: Metadata = {
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtimeSeconds: entry.mtimeSeconds,
    };
    switch (entry.type) {
      case "directory":
        this.directory(path, metadata);
        break;
      case "file":
        this.file(path, metadata, entry.sizeBytes);
        break;
      case "symlink":
        this.symlink(path, entry.linkName, metadata);
        break;
      case "hardlink":
        this.hardlink(path, entry.linkName);
        break;
      default:
        // Nodes need privileges to make and the guest has its own /dev; a FIFO in a package is as rare.
        this.options.note?.(`${this.options.what}: left out /${path}, a ${entry.type.replace("-", " ")}`);
    }
  }

  private directory(path: string, metadata: Metadata): void {
    if (path === "") return;
    this.makeParents(path);
    const real = this.resolver.resolveParent(path);
    const stat = this.tree.stat(real);
    if (stat === null) this.tree.makeDirectory(real, metadata);
    else if (stat.type === "directory") this.tree.setMetadata(real, metadata);
    else if (stat.type === "symlink") {
      // As dpkg: a link to a directory stands for the directory (merged /usr: /lib -> usr/lib).
      const target = this.resolver.resolve(path);
      const targetStat = this.tree.stat(target);
      if (targetStat === null) ensureDirectory(this.tree, this.resolver, target, metadata);
      else if (targetStat.type !== "directory") throw new ImageError(`/${path} leads to a file, a directory is needed`);
    } else throw new ImageError(`/${path} is a file, a directory is needed`);
  }

  private makeParents(path: string): void {
    const parent = parentOf(path);
    if (parent !== "") ensureDirectory(this.tree, this.resolver, parent);
  }

  private file(path: string, metadata: Metadata, sizeBytes: number): void {
    const target = this.destination(path);
    if (target === null) return;
    this.writer = this.tree.createFile(target, metadata, sizeBytes);
    this.written.add(target);
  }

  private symlink(path: string, linkName: string, metadata: Metadata): void {
    if (linkName === "" || linkName.includes("\0")) throw new ImageError(`refused: /${path} is a link to nothing`);
    this.makeParents(path);
    const real = this.resolver.resolveParent(path);
    const existing = this.tree.stat(real)?.type;
    if (existing === "directory") {
      // dpkg keeps the directory: what is in it would be lost.
      this.options.note?.(`${this.options.what}: kept directory /${path} in place of a link to ${linkName}`);
      return;
    }
    this.tree.makeSymlink(linkName, real, metadata);
    if (existing === "symlink") this.resolver.forget(); // paths through the old target are stale
    this.written.add(real);
  }

  private hardlink(path: string, linkName: string): void {
    const from = this.resolver.resolveParent(linkName);
    const to = this.destination(path);
    if (to === null) return;
    const stat = this.tree.stat(from);
    if (stat === null) {
      this.lateLinks.push({ from, to, name: path });
      return;
    }
    // A symlink or a special file as target could stand for something outside.
    if (stat.type !== "file") throw new ImageError(`refused: hard link /${path} to /${from}, which is no regular file`);
    this.link(from, to);
  }

  private link(from: string, to: string): void {
    if (from !== to) {
      this.tree.makeLink(from, to);
      this.written.add(to);
    }
  }

  /** The real path to write a file at; null: leave it out. */
  private destination(path: string): string | null {
    if (path === "") throw new ImageError("refused: the root itself as a file");
    this.makeParents(path);
    const redirected = this.options.redirect ? this.options.redirect(path) : path;
    if (redirected === null) return null;
    const real = this.resolver.resolveParent(redirected);
    if (this.tree.stat(real)?.type === "directory") {
      throw new ImageError(`/${path} is a directory of the root, a file is to be written there`);
    }
    return join(parentOf(real), baseOf(real));
  }
}
