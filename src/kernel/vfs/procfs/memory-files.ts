// The binary files of /proc/PID that look into an address space: pagemap and mem (Linux fs/proc/task_mmu.c, base.c).
import { EACCES, EFAULT, EINVAL, EIO } from "../../../abi/errno.ts";
import { SEEK_CUR, SEEK_SET } from "../../../abi/fcntl.ts";
import { S_IFREG } from "../../../abi/stat.ts";
import { PAGE_SIZE, USER_VPN_END } from "../../../arch/sv39.ts";
import type { AddressSpace } from "../../../mm/address-space.ts";
import type { IoCursor } from "../../../mm/io-cursor.ts";
import { mayAccess } from "../../access.ts";
import { errno } from "../../linux-error.ts";
import type { Task } from "../../task.ts";
import { type FileSystem, Inode } from "../inode.ts";
import { OpenFile } from "../open-file.ts";
import type { Path } from "../path.ts";
import { PAGEMAP_SCAN, scanPagemap } from "./memory-queries.ts";

/** Holds the address space from open on, as Linux does: a later exec of the process is not followed. */
abstract class SpaceFile extends OpenFile {
  protected readonly space: AddressSpace;

  constructor(inode: Inode, path: Path, flags: number, space: AddressSpace) {
    super(inode, path, flags);
    this.space = space;
  }
  override get seekable(): boolean {
    return true;
  }
  override seek(_t: Task, offset: number, whence: number): number {
    if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
    this.position = whence === SEEK_SET ? offset : this.position + offset;
    return this.position;
  }
}

class PagemapFile extends SpaceFile {
  private readonly entry = new Uint32Array(2);
  private readonly entryBytes = new Uint8Array(this.entry.buffer);

  override read(_t: Task, io: IoCursor, offset: number): number {
    if (!this.space.alive) return 0;
    const at = offset < 0 ? this.position : offset;
    if (at % 8 !== 0 || io.remaining % 8 !== 0) return -EINVAL;
    let done = 0;
    for (let vpn = at / 8; io.remaining >= 8 && vpn < USER_VPN_END; vpn++) {
      this.space.pagemapEntry(vpn, this.entry);
      if (io.put(this.entryBytes, 0, 8) < 8) return done > 0 ? done : -14;
      done += 8;
    }
    if (offset < 0) this.position = at + done;
    return done;
  }

  override ioctl(t: Task, request: number, argument: number): number {
    return request === PAGEMAP_SCAN ? scanPagemap(t, this.space, argument) : -EINVAL;
  }
}

class MemFile extends SpaceFile {
  override read(t: Task, io: IoCursor, offset: number): number {
    return this.move(t, io, offset, false);
  }
  override write(t: Task, io: IoCursor, offset: number): number {
    return this.move(t, io, offset, true);
  }
  private move(_t: Task, io: IoCursor, offset: number, write: boolean): number {
    const start = offset < 0 ? this.position : offset;
    if (io.remaining === 0 || !this.space.alive) return 0;
    const page = new Uint8Array(PAGE_SIZE);
    let done = 0;
    while (io.remaining > 0) {
      const at = start + done;
      const length = Math.min(io.remaining, PAGE_SIZE - (at % PAGE_SIZE));
      const piece = page.subarray(0, length);
      if (write && io.take(piece, 0, length) < length) return done > 0 ? done : -EFAULT;
      const moved = this.space.accessRemote(at, piece, write);
      if (moved <= 0) break;
      if (!write && io.put(piece, 0, moved) < moved) return done > 0 ? done : -EFAULT;
      done += moved;
      if (moved < length) break;
    }
    if (done === 0) return -EIO;
    if (offset < 0) this.position = start + done;
    return done;
  }
}

export class SpaceInode extends Inode {
  private readonly task: Task;
  private readonly kind: "pagemap" | "mem";

  constructor(fs: FileSystem, task: Task, kind: "pagemap" | "mem") {
    super(fs, S_IFREG | (kind === "mem" ? 0o600 : 0o400));
    this.task = task;
    this.kind = kind;
  }
  override truncate(): void {}
  override open(t: Task, path: Path, flags: number): OpenFile {
    if (!mayAccess(t, this.task)) throw errno(EACCES);
    const Kind = this.kind === "mem" ? MemFile : PagemapFile;
    return new Kind(this, path, flags, this.task.space);
  }
}
