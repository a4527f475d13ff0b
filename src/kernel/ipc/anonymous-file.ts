// Open files that know their kernel, and those of anon_inodefs, which all share one inode.
import { O_ASYNC, O_NONBLOCK } from "../../abi/fcntl.ts";
import { S_IFSOCK } from "../../abi/stat.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import { AsyncNotifier } from "./fasync.ts";

export abstract class KernelFile extends OpenFile {
  readonly kernel: Kernel;
  /** O_ASYNC is set. */
  private notifier: AsyncNotifier | null = null;

  constructor(k: Kernel, inode: Inode, path: Path | null, flags: number) {
    super(inode, path, flags);
    this.kernel = k;
  }

  get nonBlocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }

  override setStatusFlags(t: Task | null, flags: number): number {
    const wanted = (flags & O_ASYNC) !== 0;
    if (wanted && this.notifier === null) this.notifier = new AsyncNotifier(this.kernel, this);
    if (!wanted && this.notifier !== null) {
      this.notifier.stop();
      this.notifier = null;
    }
    return super.setStatusFlags(t, flags);
  }

  /** Subclasses that override this call it too. */
  protected override closed(): void {
    this.notifier?.stop();
    this.notifier = null;
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
