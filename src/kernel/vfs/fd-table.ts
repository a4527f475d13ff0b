// The table from descriptor numbers to open files (struct files_struct), shared by tasks cloned with CLONE_FILES.
import { EBADF, EMFILE } from "../../abi/errno.ts";
import { O_PATH } from "../../abi/fcntl.ts";
import { errno } from "../linux-error.ts";
import { releaseOwnerLocks } from "./locks.ts";
import type { OpenFile } from "./open-file.ts";

export interface InstallOptions {
  cloexec?: boolean;
  /** The lowest number that may be given (F_DUPFD). */
  from?: number;
}

export class FdTable {
  private files: (OpenFile | undefined)[] = [];
  private cloexec: boolean[] = [];
  /** No free number lies below this one. */
  private firstFree = 0;
  private users = 1;
  /** RLIMIT_NOFILE of the process; setrlimit keeps it up to date. A number at or above it is not given out. */
  limit: number;

  constructor(limit = 1024) {
    this.limit = limit;
  }

  /** The open file of `fd`; EBADF when there is none or it was opened with O_PATH (fdget). */
  get(fd: number): OpenFile {
    const file = this.files[fd];
    if (file === undefined || (file.flags & O_PATH) !== 0) throw errno(EBADF);
    return file;
  }

  /** As get(), but O_PATH files count too (fdget_raw). */
  getAny(fd: number): OpenFile {
    const file = this.files[fd];
    if (file === undefined) throw errno(EBADF);
    return file;
  }

  /** The open file or undefined. */
  find(fd: number): OpenFile | undefined {
    return this.files[fd];
  }

  /** One more than the highest number that was ever in use: the end for loops. */
  get end(): number {
    return this.files.length;
  }

  get count(): number {
    let n = 0;
    for (const file of this.files) if (file !== undefined) n++;
    return n;
  }

  /** Calls visit for every open descriptor, in ascending order. */
  forEach(visit: (fd: number, file: OpenFile) => void): void {
    for (let fd = 0; fd < this.files.length; fd++) {
      const file = this.files[fd];
      if (file !== undefined) visit(fd, file);
    }
  }

  /** The lowest free number at or above `from`, or EMFILE. */
  private findFree(from: number): number {
    let fd = Math.max(from, this.firstFree);
    while (this.files[fd] !== undefined) fd++;
    if (fd >= this.limit) throw errno(EMFILE);
    return fd;
  }

  /** Throws EMFILE unless `count` more descriptors can be installed: for calls that make a file first. */
  reserve(count = 1): void {
    let fd = this.firstFree;
    for (let i = 0; i < count; i++, fd++) {
      while (this.files[fd] !== undefined) fd++;
      if (fd >= this.limit) throw errno(EMFILE);
    }
  }

  /** Gives `file` the lowest free number; takes over the caller's reference, also when it throws EMFILE. */
  install(file: OpenFile, options: InstallOptions = {}): number {
    const from = options.from ?? 0;
    let fd: number;
    try {
      fd = this.findFree(from);
    } catch (error) {
      file.release();
      throw error;
    }
    if (from <= this.firstFree) this.firstFree = fd + 1;
    this.files[fd] = file;
    this.cloexec[fd] = options.cloexec ?? false;
    return fd;
  }

  /** dup2/dup3: puts `file` at exactly `fd`, closing what was there; takes over the caller's reference. */
  replace(fd: number, file: OpenFile, cloexec: boolean): void {
    const old = this.files[fd];
    // Holes must be `undefined` elements for the loops above.
    while (this.files.length < fd) {
      this.files.push(undefined);
      this.cloexec.push(false);
    }
    this.files[fd] = file;
    this.cloexec[fd] = cloexec;
    if (fd === this.firstFree) this.firstFree = fd + 1;
    if (old !== undefined) this.finishClose(old);
  }

  getCloexec(fd: number): boolean {
    this.getAny(fd);
    return this.cloexec[fd] === true;
  }

  setCloexec(fd: number, value: boolean): void {
    this.getAny(fd);
    this.cloexec[fd] = value;
  }

  /** close(): 0, or throws EBADF. */
  close(fd: number): number {
    const file = this.getAny(fd);
    this.files[fd] = undefined;
    this.cloexec[fd] = false;
    if (fd < this.firstFree) this.firstFree = fd;
    this.finishClose(file);
    return 0;
  }

  /** filp_close: POSIX record locks of this table's owner on the file go with any of its descriptors. */
  private finishClose(file: OpenFile): void {
    file.flushed(null);
    if (file.inode.locks !== null) releaseOwnerLocks(file.inode, this);
    file.release();
  }

  /** fork: a copy with one more reference on every file. */
  clone(): FdTable {
    const copy = new FdTable(this.limit);
    copy.files = this.files.slice();
    copy.cloexec = this.cloexec.slice();
    copy.firstFree = this.firstFree;
    for (const file of copy.files) file?.acquire();
    return copy;
  }

  acquire(): FdTable {
    this.users++;
    return this;
  }

  /** The last user's release closes everything. */
  release(): void {
    if (--this.users > 0) return;
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== undefined) this.close(fd);
  }

  get shared(): boolean {
    return this.users > 1;
  }

  /** exec: closes what is marked FD_CLOEXEC. */
  closeOnExec(): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.cloexec[fd]) this.close(fd);
  }
}
