// A RootTree in memory: where a root archive dropped on a web page lives, and what tests unpack into. Holds files whole;
// no ownership rules, no limits.
import { concatBytes } from "./bytes.ts";
import { baseOf, type FileWriter, type Metadata, parentOf, type RootTree, type TreeStat } from "./root-tree.ts";

export interface MemoryFile extends Metadata {
  type: "file";
  bytes: Uint8Array;
  /** Names this file has (hard links). */
  links: number;
}

export interface MemorySymlink extends Metadata {
  type: "symlink";
  target: string;
}

export interface MemoryDirectory extends Metadata {
  type: "directory";
  children: Map<string, MemoryNode>;
}

export type MemoryNode = MemoryFile | MemorySymlink | MemoryDirectory;

export class MemoryTree implements RootTree {
  readonly root: MemoryDirectory;
  /** Bytes held by files, hard links counted once. */
  totalBytes = 0;

  constructor() {
    this.root = { type: "directory", children: new Map(), mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 0 };
  }

  /** The node at a path without symlinks in its directory part, or undefined. */
  find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root;
    if (path === "") return node;
    for (const part of path.split("/")) {
      if (node?.type !== "directory") return undefined;
      node = node.children.get(part);
    }
    return node;
  }

  stat(path: string): TreeStat | null {
    const node = this.find(path);
    if (!node) return null;
    const sizeBytes = node.type === "file" ? node.bytes.length : node.type === "symlink" ? node.target.length : 0;
    return { type: node.type, mode: node.mode, sizeBytes };
  }

  readLink(path: string): string {
    const node = this.find(path);
    if (node?.type !== "symlink") throw new Error(`/${path} is not a symbolic link`);
    return node.target;
  }

  readFile(path: string): Uint8Array {
    const node = this.find(path);
    if (node?.type !== "file") throw new Error(`/${path} is not a file`);
    return node.bytes;
  }

  readDirectory(path: string): string[] {
    return [...this.directory(path).children.keys()];
  }

  makeDirectory(path: string, metadata: Metadata): void {
    const parent = this.directory(parentOf(path));
    if (parent.children.has(baseOf(path))) throw new Error(`/${path} exists`);
    parent.children.set(baseOf(path), { type: "directory", children: new Map(), ...pick(metadata) });
  }

  setMetadata(path: string, metadata: Metadata): void {
    const node = this.find(path);
    if (!node) throw new Error(`/${path} does not exist`);
    Object.assign(node, pick(metadata));
  }

  makeSymlink(target: string, path: string, metadata: Metadata): void {
    this.replace(path, { type: "symlink", target, ...pick(metadata) });
  }

  makeLink(existing: string, path: string): void {
    const node = this.find(existing);
    if (node?.type !== "file") throw new Error(`/${existing} is not a file`);
    node.links++;
    this.replace(path, node);
  }

  createFile(path: string, metadata: Metadata, sizeBytes: number): FileWriter {
    const parts: Uint8Array[] = [];
    // One buffer of the announced size; anything beyond it (a caller that lied) is collected beside it.
    const whole = new Uint8Array(sizeBytes);
    let fill = 0;
    return {
      write: (bytes) => {
        const fits = Math.min(bytes.length, whole.length - fill);
        whole.set(bytes.subarray(0, fits), fill);
        fill += fits;
        if (fits < bytes.length) parts.push(bytes.slice(fits));
      },
      commit: () => {
        const bytes = parts.length === 0 ? whole.subarray(0, fill) : concatBytes([whole.subarray(0, fill), ...parts]);
        this.totalBytes += bytes.length;
        this.replace(path, { type: "file", bytes, links: 1, ...pick(metadata) });
      },
      abort: () => {},
    };
  }

  remove(path: string): void {
    const parent = this.directory(parentOf(path));
    const node = parent.children.get(baseOf(path));
    if (!node) throw new Error(`/${path} does not exist`);
    if (node.type === "directory" && node.children.size > 0) throw new Error(`/${path} is not empty`);
    this.dropped(node);
    parent.children.delete(baseOf(path));
  }

  private directory(path: string): MemoryDirectory {
    const node = this.find(path);
    if (node?.type !== "directory") throw new Error(`/${path} is not a directory`);
    return node;
  }

  private replace(path: string, node: MemoryNode): void {
    const parent = this.directory(parentOf(path));
    const old = parent.children.get(baseOf(path));
    if (old?.type === "directory") throw new Error(`/${path} is a directory`);
    if (old) this.dropped(old);
    parent.children.set(baseOf(path), node);
  }

  private dropped(node: MemoryNode): void {
    if (node.type === "file" && --node.links === 0) this.totalBytes -= node.bytes.length;
  }
}

const pick = ({ mode, uid, gid, mtimeSeconds }: Metadata): Metadata => ({ mode, uid, gid, mtimeSeconds });
