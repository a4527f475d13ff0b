// Open files that know their kernel, and those of anon_inodefs, which all share one inode.
import { O_NONBLOCK } from "../../abi/fcntl.ts";
import { S_IFSOCK } from "../../abi/stat.ts";
import type { Kernel } from "../kernel.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";

export abstract class KernelFile extends OpenFile {
  readonly kernel: Kernel;

  constructor(k: Kernel, inode: Inode, path: Path | null, flags: number) {
    super(inode, path, flags);
    this.kernel = k;
  }

  get nonBlocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }
}

/** eventfd, epoll, timerfd and the like: "anon_inode:[kind]". */
export abstract class AnonymousFile extends KernelFile {
  private readonly kind: string;

  constructor(k: Kernel, kind: string, flags: number) {
    super(k, anonymousInode(k), null, flags);
    this.kind = kind;
  }

  override pseudoName(): string {
    return `anon_inode:${this.kind}`;
  }

  /** noop_llseek: no error, no effect. */
  override seek(): number {
    return 0;
  }
}

function anonymousInode(k: Kernel): Inode {
  k.ipc.anonymousInode ??= k.vfs.anonFs.createInode(null, 0o600);
  return k.ipc.anonymousInode;
}

export function createSocketInode(k: Kernel): Inode {
  return k.vfs.sockFs.createInode(k.scheduler.current, S_IFSOCK | 0o777);
}
