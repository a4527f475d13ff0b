// tmpfs: files whose data are shared-memory objects, that is pages which live in guest memory and swap. With a size limit.
import { EINVAL, ENOSPC } from "../../abi/errno.ts";
import { S_IFDIR, TMPFS_MAGIC } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import type { PageQuota, ShmemObject } from "../../mm/shmem-object.ts";
import { errno } from "../linux-error.ts";
import type { FsServices, StatFs } from "./inode.ts";
import { TreeFileSystem, TreeInode } from "./tree-fs.ts";

export interface TmpFsOptions {
  /** Bytes of data; default: half of physical memory. */
  sizeBytes?: number;
  maxInodes?: number;
  /** Mode, uid and gid of the root directory; default 1777, 0, 0. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** "tmpfs", or "devtmpfs" for /dev. */
  type?: string;
}

export class TmpFs extends TreeFileSystem implements PageQuota {
  readonly type: string;
  readonly magic = TMPFS_MAGIC;
  readonly root: TmpInode;
  readonly maxPages: number;
  /** Pages of all files, in memory or in swap: the objects ask before each page (mm's PageQuota). */
  usedPages = 0;
  private readonly options: TmpFsOptions;

  constructor(services: FsServices, source: string, options: TmpFsOptions = {}) {
    super(services, source);
    this.options = options;
    this.type = options.type ?? "tmpfs";
    const bytes = options.sizeBytes ?? Math.floor(services.mm.totalFrames / 2) * PAGE_SIZE;
    this.maxPages = Math.ceil(bytes / PAGE_SIZE);
    this.maxInodes = options.maxInodes ?? Math.max(1024, Math.floor(services.mm.totalFrames / 2));
    this.root = this.makeInode(S_IFDIR | (options.mode ?? 0o1777)) as TmpInode;
    this.root.uid = options.uid ?? 0;
    this.root.gid = options.gid ?? 0;
    this.root.touchCreated();
  }

  /** PageQuota: leave to have `pages` more. */
  take(pages: number): boolean {
    if (this.usedPages + pages > this.maxPages) return false;
    this.usedPages += pages;
    return true;
  }

  give(pages: number): void {
    this.usedPages -= pages;
  }

  override newInode(mode: number): TmpInode {
    return new TmpInode(this, mode);
  }

  override statfs(): StatFs {
    return {
      ...super.statfs(),
      blockSize: PAGE_SIZE,
      blocks: this.maxPages,
      blocksFree: Math.max(0, this.maxPages - this.usedPages),
      blocksAvailable: Math.max(0, this.maxPages - this.usedPages),
      files: this.maxInodes,
      filesFree: Math.max(0, this.maxInodes - this.inodeCount),
    };
  }

  override mountOptions(): string {
    const { options } = this;
    let text = "";
    if (options.sizeBytes !== undefined) text += `,size=${Math.floor((this.maxPages * PAGE_SIZE) / 1024)}k`;
    if (options.mode !== undefined && options.mode !== 0o1777) text += `,mode=${options.mode.toString(8)}`;
    return text;
  }
}

export class TmpInode extends TreeInode {
  declare readonly fs: TmpFs;

  protected override createObject(): MemoryObject {
    const object = this.fs.services.mm.createShmemObject(0);
    object.quota = this.fs;
    return object;
  }

  private get shmem(): ShmemObject | null {
    return this.loadedObject as ShmemObject | null;
  }

  override get blocks(): number {
    return (this.shmem?.allocatedPages ?? 0) * (PAGE_SIZE / 512);
  }

  override allocateSpace(offset: number, length: number): number {
    return (this.object as ShmemObject).preallocate(offset, length);
  }

  override nextData(offset: number): number {
    return this.object.nextData(offset);
  }

  override nextHole(offset: number): number {
    return this.object.nextHole(offset);
  }
}

/** The options of mount -t tmpfs (size=, nr_inodes=, mode=, uid=, gid=); `totalBytes` is what size=50% refers to. */
export function parseTmpFsOptions(text: string, totalBytes: number): TmpFsOptions {
  const options: TmpFsOptions = {};
  for (const item of text.split(",")) {
    if (item === "") continue;
    const [key, value = ""] = item.split("=", 2);
    switch (key) {
      case "size":
        options.sizeBytes = value.endsWith("%") ? (totalBytes * Number.parseInt(value, 10)) / 100 : parseSize(value);
        break;
      case "nr_blocks":
        options.sizeBytes = parseSize(value) * PAGE_SIZE;
        break;
      case "nr_inodes":
        options.maxInodes = parseSize(value) || Number.POSITIVE_INFINITY;
        break;
      case "mode":
        options.mode = Number.parseInt(value, 8);
        break;
      case "uid":
        options.uid = parseSize(value);
        break;
      case "gid":
        options.gid = parseSize(value);
        break;
      case "huge":
      case "mpol":
      case "inode32":
      case "inode64":
      case "noswap":
        break;
      default:
        throw errno(EINVAL);
    }
    if (Object.values(options).some((number) => Number.isNaN(number))) throw errno(EINVAL);
  }
  if (options.sizeBytes === 0) options.sizeBytes = undefined;
  if (options.maxInodes !== undefined && options.maxInodes < 1) throw errno(ENOSPC);
  return options;
}

/** memparse(): digits with k, m, g or t. NaN when it is none. */
function parseSize(text: string): number {
  const match = /^(\d+)([kKmMgGtT]?)$/.exec(text);
  if (match === null) return Number.NaN;
  return Number(match[1]) * 1024 ** " kmgt".indexOf(match[2] === "" ? " " : match[2].toLowerCase());
}
