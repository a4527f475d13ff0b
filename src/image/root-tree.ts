// The tree of files that packages are unpacked into, as an interface (a host folder, memory), and the resolution of paths
// inside it. Guarantees that nothing outside the tree is ever named; does no input or output of its own.
import { ImageError } from "./errors.ts";

export interface Metadata {
  /** Permission bits with setuid, setgid and sticky (07777). */
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
}

export interface TreeStat {
  type: "file" | "directory" | "symlink" | "other";
  /** Permission bits (07777). */
  mode: number;
  sizeBytes: number;
}

export interface FileWriter {
  write(bytes: Uint8Array): void;
  /** The file appears, whole, in place of whatever non-directory had its name. */
  commit(): void;
  /** As if it had never been begun. */
  abort(): void;
}

/**
 * Paths are relative to the root, without leading slash, "." or ".." ("" is the root itself), and every component but the
 * last must be a real directory: resolve them with PathResolver first. All calls are synchronous and throw on failure.
 */
export interface RootTree {
  /** lstat: null when there is nothing. */
  stat(path: string): TreeStat | null;
  readLink(path: string): string;
  readFile(path: string): Uint8Array;
  /** Names, in any order. */
  readDirectory(path: string): string[];
  makeDirectory(path: string, metadata: Metadata): void;
  /** On a directory or file; never follows a symlink. */
  setMetadata(path: string, metadata: Metadata): void;
  /** Replaces a non-directory of that name. */
  makeSymlink(target: string, path: string, metadata: Metadata): void;
  makeLink(existing: string, path: string): void;
  createFile(path: string, metadata: Metadata, sizeBytes: number): FileWriter;
  /** A file, a symlink or an empty directory. */
  remove(path: string): void;
}

/**
 * The path a tar member, a dpkg list or a script names, relative to the root. A leading "/" or "./" means the root.
 * Throws ImageError for names that could lead out of it.
 */
export function cleanPath(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") throw new ImageError(`refused: "${name}" has a ".." component`);
    if (part.includes("\0")) throw new ImageError("refused: a path with a zero byte");
    if (part.length > 255) throw new ImageError(`refused: a path component of ${part.length} characters`);
    parts.push(part);
  }
  return parts.join("/");
}

export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
export const join = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);

/** As Linux's MAXSYMLINKS. */
const MAX_LINKS = 40;

/** Follows symlinks as a process whose root directory is the tree would: an absolute target begins at the tree's root. */
export class PathResolver {
  private readonly tree: RootTree;
  /** Directory paths known to resolve to themselves or elsewhere. Links change rarely: forget() drops everything. */
  private readonly known = new Map<string, string>();

  constructor(tree: RootTree) {
    this.tree = tree;
  }

  forget(): void {
    this.known.clear();
  }

  /**
   * `path` with its directory part free of symlinks; its last component is not followed. Directories that do not exist
   * resolve to themselves. Throws ImageError when a link climbs above the root, or where a directory should be is a file.
   */
  resolveParent(path: string): string {
    const clean = cleanPath(path);
    return clean === "" ? "" : join(this.resolveDirectory(parentOf(clean)), baseOf(clean));
  }

  /** `path` with every symlink followed. */
  resolve(path: string): string {
    const clean = cleanPath(path);
    return this.walk(clean, clean, { count: 0 });
  }

  private resolveDirectory(folder: string): string {
    const known = this.known.get(folder);
    if (known !== undefined) return known;
    const real = this.walk(folder, folder, { count: 0 });
    if (real !== "") {
      const stat = this.tree.stat(real);
      if (stat !== null && stat.type !== "directory") throw new ImageError(`refused: /${real} is not a directory`);
      if (stat === null) return real; // not cached: it may yet be made, as a link
    }
    this.known.set(folder, real);
    return real;
  }

  private walk(path: string, original: string, links: { count: number }): string {
    let real = "";
    const parts = path === "" ? [] : path.split("/");
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (real === "") throw new ImageError(`refused: "/${original}" leads out of the root through a symbolic link`);
        real = parentOf(real);
        continue;
      }
      const next = join(real, part);
      if (this.tree.stat(next)?.type !== "symlink") {
        real = next;
        continue;
      }
      if (++links.count > MAX_LINKS) throw new ImageError(`refused: too many symbolic links in "/${original}"`);
      const target = this.tree.readLink(next);
      if (target.startsWith("/")) real = "";
      parts.splice(0, i + 1, ...target.split("/"));
      i = -1;
    }
    return real;
  }
}

/** Makes `path` and every missing directory above it; returns the real path. Existing directories are left alone. */
export function ensureDirectory(tree: RootTree, resolver: PathResolver, path: string, metadata?: Metadata): string {
  const clean = cleanPath(path);
  if (clean === "") return "";
  let real = "";
  const parts = clean.split("/");
  for (let i = 0; i < parts.length; i++) {
    const at = parts.slice(0, i + 1).join("/");
    real = resolver.resolve(at);
    const stat = tree.stat(real);
    if (stat === null) {
      // A link may name a place several directories deep that is not there yet.
      if (tree.stat(parentOf(real)) === null) ensureDirectory(tree, resolver, parentOf(real));
      const own = i === parts.length - 1 ? metadata : undefined;
      tree.makeDirectory(real, own ?? { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 0 });
    } else if (stat.type !== "directory") {
      throw new ImageError(`refused: /${real} is not a directory`);
    }
  }
  return real;
}

/** Writes a whole small file; missing directories are made. */
export function writeFile(tree: RootTree, resolver: PathResolver, path: string, bytes: Uint8Array, mode = 0o644): void {
  ensureDirectory(tree, resolver, parentOf(cleanPath(path)));
  const real = resolver.resolveParent(path);
  const writer = tree.createFile(real, { mode, uid: 0, gid: 0, mtimeSeconds: 0 }, bytes.length);
  try {
    writer.write(bytes);
    writer.commit();
  } catch (error) {
    writer.abort();
    throw error;
  }
}
