// An open directory: hands out its entries with cookies that stay valid for lseek, as getdents64 needs. The entries are read
// from the inode piece by piece and kept while the directory is open, so that big ones start at once.
import { EINVAL, EISDIR, ENOENT } from "../../abi/errno.ts";
import { SEEK_CUR, SEEK_SET } from "../../abi/fcntl.ts";
import { DT_DIR } from "../../abi/stat.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { DirectoryEntry, DirectoryStream } from "./inode.ts";
import { OpenFile } from "./open-file.ts";

/**
 * `position` counts entries: 0 is ".", 1 is "..", n is the (n-2)th name. The cookie of an entry is the position after it.
 * Going back to 0 (rewinddir) reads the directory afresh.
 */
export class DirectoryFile extends OpenFile {
  private entries: DirectoryEntry[] = [];
  private stream: DirectoryStream | null = null;
  private complete = false;

  override get pollable(): boolean {
    return false;
  }

  override read(_t: Task, _io: IoCursor, _offset: number): number {
    return -EISDIR;
  }

  override get seekable(): boolean {
    return true;
  }

  override seek(_t: Task, offset: number, whence: number): number {
    const at = whence === SEEK_CUR ? this.position + offset : offset;
    if ((whence !== SEEK_SET && whence !== SEEK_CUR) || at < 0) return -EINVAL;
    if (at === 0) this.rewind();
    this.position = at;
    return at;
  }

  private rewind(): void {
    this.stream?.close();
    this.stream = null;
    this.entries = [];
    this.complete = false;
  }

  /** Calls emit for each entry from `position` on, until it answers false (the caller's buffer is full). */
  override readDirectory(t: Task, emit: (entry: DirectoryEntry, cookie: number) => boolean): void {
    if (this.inode.nlink === 0) throw errno(ENOENT);
    for (;;) {
      const entry = this.entryAt(t, this.position);
      if (entry === null || !emit(entry, this.position + 1)) return;
      this.position++;
    }
  }

  private entryAt(t: Task, position: number): DirectoryEntry | null {
    if (position === 0) return { name: ".", ino: this.inode.ino, type: DT_DIR };
    if (position === 1) {
      const up = this.path?.dentry.parent?.inode ?? this.inode;
      return { name: "..", ino: up.ino, type: DT_DIR };
    }
    const index = position - 2;
    while (index >= this.entries.length && !this.complete) {
      this.stream ??= this.inode.openDirectory(t);
      if (!this.stream.more(this.entries)) {
        this.complete = true;
        this.stream.close();
        this.stream = null;
      }
    }
    return this.entries[index] ?? null;
  }

  override sync(_t: Task, dataOnly: boolean): number {
    return this.inode.sync(dataOnly);
  }

  protected override closed(): void {
    this.rewind();
  }
}

/** A stream over entries that are all known at once. */
export class ListedDirectory implements DirectoryStream {
  private entries: readonly DirectoryEntry[] | null;

  constructor(entries: readonly DirectoryEntry[]) {
    this.entries = entries;
  }

  more(into: DirectoryEntry[]): boolean {
    if (this.entries === null) return false;
    for (const entry of this.entries) into.push(entry);
    this.entries = null;
    return true;
  }

  close(): void {
    this.entries = null;
  }
}
