// Building blocks of /proc: directories, generated text files with optional writing, and magic links. What they show is said in
// process-directory.ts and system-tree.ts.
import { EINVAL, ENOENT } from "../../../abi/errno.ts";
import { O_ACCMODE, O_RDONLY, SEEK_CUR, SEEK_SET } from "../../../abi/fcntl.ts";
import { directoryEntryType, S_IFDIR, S_IFLNK, S_IFREG } from "../../../abi/stat.ts";
import type { IoCursor } from "../../../mm/io-cursor.ts";
import { encodeUtf8 } from "../../../util/utf8.ts";
import { errno } from "../../linux-error.ts";
import type { Task } from "../../task.ts";
import { ListedDirectory } from "../directory-file.ts";
import { type AttributeChange, type DirectoryEntry, type DirectoryStream, type FileSystem, Inode } from "../inode.ts";
import { OpenFile } from "../open-file.ts";
import type { Path } from "../path.ts";

/** Makes a child inode when it is looked up; undefined children do not exist. */
export type NodeMaker = (fs: FileSystem) => Inode;

abstract class ProcInode extends Inode {
  constructor(fs: FileSystem, mode: number) {
    super(fs, mode);
    this.touchCreated();
  }
  override setAttributes(_t: Task, _change: AttributeChange): void {
    throw errno(EINVAL);
  }
}

/** A directory with a fixed set of names. */
export class ProcDirectory extends ProcInode {
  private readonly makers: Readonly<Record<string, NodeMaker>>;
  private readonly made = new Map<string, Inode>();

  constructor(fs: FileSystem, makers: Readonly<Record<string, NodeMaker>>) {
    super(fs, S_IFDIR | 0o555);
    this.makers = makers;
    this.nlink = 2;
  }
  override lookup(_t: Task, name: string): Inode | null {
    if (!Object.hasOwn(this.makers, name)) return null;
    let child = this.made.get(name);
    if (child === undefined) {
      child = this.makers[name](this.fs);
      this.made.set(name, child);
    }
    return child;
  }
  /** Names that are listed besides the fixed ones. */
  protected extraEntries(_t: Task): DirectoryEntry[] {
    return [];
  }
  override openDirectory(t: Task): DirectoryStream {
    const fixed = Object.keys(this.makers).map((name) => {
      const child = this.lookup(t, name)!;
      return { name, ino: child.ino, type: directoryEntryType(child.mode) };
    });
    return new ListedDirectory([...fixed, ...this.extraEntries(t)]);
  }
}

/** A directory whose names come and go. */
export abstract class ProcDynamicDirectory extends ProcInode {
  constructor(fs: FileSystem) {
    super(fs, S_IFDIR | 0o555);
    this.nlink = 2;
  }
  abstract names(t: Task): string[];
  override mayCache(): boolean {
    return false;
  }
  override get cacheNegative(): boolean {
    return false;
  }
  override openDirectory(t: Task): DirectoryStream {
    const entries: DirectoryEntry[] = [];
    for (const name of this.names(t)) {
      const child = this.lookup(t, name);
      if (child !== null) entries.push({ name, ino: child.ino, type: directoryEntryType(child.mode) });
    }
    return new ListedDirectory(entries);
  }
}

/** Contents made afresh whenever reading starts at 0, as Linux seq_file does. */
export abstract class ProcGenerated extends ProcInode {
  constructor(fs: FileSystem, permissions = 0o444) {
    super(fs, S_IFREG | permissions);
  }
  /** Who may open it, beyond what the mode says: 0 or -errno. */
  guard: ((t: Task) => number) | null = null;
  /** What ioctl does; null: ENOTTY. */
  control: ((t: Task, request: number, argument: number) => number) | null = null;
  abstract generate(t: Task): Uint8Array;
  /** What one write() stored: 0 or -errno. */
  store(_t: Task, _text: string): number {
    return -EINVAL;
  }
  override truncate(): void {} // O_TRUNC means nothing here
  override open(t: Task, path: Path, flags: number): OpenFile {
    const refused = this.guard?.(t) ?? 0;
    if (refused < 0) throw errno(-refused);
    return new GeneratedFile(this, path, flags);
  }
}

/** Text of `render`, and perhaps a `store` that takes what was written. */
export class ProcText extends ProcGenerated {
  private readonly render: (t: Task) => string;
  private readonly take: ((t: Task, text: string) => number) | null;

  constructor(fs: FileSystem, render: (t: Task) => string, store: ((t: Task, text: string) => number) | null = null) {
    super(fs, store === null ? 0o444 : 0o644);
    this.render = render;
    this.take = store;
  }
  generate(t: Task): Uint8Array {
    return encodeUtf8(this.render(t));
  }
  override store(t: Task, text: string): number {
    return this.take === null ? -EINVAL : this.take(t, text);
  }
}

export class ProcBytes extends ProcGenerated {
  private readonly make: (t: Task) => Uint8Array;
  constructor(fs: FileSystem, make: (t: Task) => Uint8Array, permissions = 0o444) {
    super(fs, permissions);
    this.make = make;
  }
  generate(t: Task): Uint8Array {
    return this.make(t);
  }
}

class GeneratedFile extends OpenFile {
  declare readonly inode: ProcGenerated;
  private content: Uint8Array | null = null;

  constructor(inode: ProcGenerated, path: Path, flags: number) {
    super(inode, path, flags);
  }
  override ioctl(t: Task, request: number, argument: number): number {
    return this.inode.control?.(t, request, argument) ?? super.ioctl(t, request, argument);
  }
  override get pollable(): boolean {
    return (this.flags & O_ACCMODE) === O_RDONLY;
  }
  override get seekable(): boolean {
    return true;
  }
  override read(t: Task, io: IoCursor, offset: number): number {
    const at = offset < 0 ? this.position : offset;
    if (this.content === null || at === 0) this.content = this.inode.generate(t);
    const length = Math.min(io.remaining, this.content.length - at);
    if (length <= 0) return 0;
    const moved = io.put(this.content, at, at + length);
    if (moved === 0) return -14;
    if (offset < 0) this.position = at + moved;
    return moved;
  }
  override write(t: Task, io: IoCursor, _offset: number): number {
    const bytes = new Uint8Array(Math.min(io.remaining, 4096));
    const taken = io.take(bytes, 0, bytes.length);
    if (taken < bytes.length) return -14;
    const result = this.inode.store(t, String.fromCharCode(...bytes));
    return result < 0 ? result : bytes.length;
  }
  override seek(_t: Task, offset: number, whence: number): number {
    const at = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.position + offset : -1;
    if (at < 0) return -EINVAL;
    this.position = at;
    return at;
  }
}

/** A symbolic link whose text is computed; `place` makes it a magic link that leads there whatever the text says. */
export class ProcLink extends ProcInode {
  private readonly text: (t: Task) => string | null;
  private readonly place: ((t: Task) => Path | null) | null;

  constructor(fs: FileSystem, text: (t: Task) => string | null, place: ((t: Task) => Path | null) | null = null) {
    super(fs, S_IFLNK | 0o777);
    this.text = text;
    this.place = place;
  }
  override readLink(t: Task): string {
    const text = this.text(t);
    if (text === null) throw errno(ENOENT);
    return text;
  }
  override followLink(t: Task): Path | null {
    if (this.place === null) return null;
    const place = this.place(t);
    if (place === null) throw errno(ENOENT);
    return place;
  }
}

export const text =
  (render: (t: Task) => string, store: ((t: Task, text: string) => number) | null = null): NodeMaker =>
  (fs) =>
    new ProcText(fs, render, store);
export const directory =
  (makers: Readonly<Record<string, NodeMaker>>): NodeMaker =>
  (fs) =>
    new ProcDirectory(fs, makers);
export const link =
  (target: (t: Task) => string | null, place: ((t: Task) => Path | null) | null = null): NodeMaker =>
  (fs) =>
    new ProcLink(fs, target, place);
