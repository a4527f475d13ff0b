// inotify(7): changes in the file tree as records to read (fs/notify/inotify). The Vfs tells of every change; this file knows
// who watches what.
import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOSPC } from "../../abi/errno.ts";
import { O_NONBLOCK, O_RDONLY } from "../../abi/fcntl.ts";
import * as C from "../../abi/ipc.ts";
import { POLLIN, POLLRDNORM } from "../../abi/poll.ts";
import { FIONREAD } from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { encodeUtf8 } from "../../util/utf8.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Dentry } from "../vfs/path.ts";
import type { FsEventSink } from "../vfs/vfs.ts";
import { WaitQueue } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { storeU32, viewOf } from "./user-memory.ts";

/** fs.inotify.max_queued_events and max_user_watches. */
const MAX_QUEUED_EVENTS = 16384;
const MAX_WATCHES = 65536;
const HEADER_BYTES = 16;
/** Names are padded with NULs to a multiple of this. */
const NAME_ALIGN = 16;
/** About an entry of a directory: only watchers of the directory hear of these. */
const ENTRY_EVENTS = C.IN_CREATE | C.IN_DELETE | C.IN_MOVED_FROM | C.IN_MOVED_TO;
/** About the watched thing itself: watchers of its directory do not hear of these. */
const SELF_EVENTS = C.IN_DELETE_SELF | C.IN_MOVE_SELF | C.IN_UNMOUNT | C.IN_IGNORED;

class Watch {
  readonly file: InotifyFile;
  readonly inode: Inode;
  readonly descriptor: number;
  mask: number;

  constructor(file: InotifyFile, inode: Inode, descriptor: number, mask: number) {
    this.file = file;
    this.inode = inode;
    this.descriptor = descriptor;
    this.mask = mask;
  }
}

/** Who watches which inode, for one kernel. */
export class InotifyState implements FsEventSink {
  private readonly watches = new Map<Inode, Set<Watch>>();
  count = 0;

  add(watch: Watch): void {
    let set = this.watches.get(watch.inode);
    if (set === undefined) this.watches.set(watch.inode, (set = new Set()));
    set.add(watch);
    // A watched inode must stay the same object while it is watched.
    watch.inode.openCount++;
    this.count++;
  }

  remove(watch: Watch): void {
    const set = this.watches.get(watch.inode);
    if (set?.delete(watch) !== true) return;
    if (set.size === 0) this.watches.delete(watch.inode);
    this.count--;
    watch.inode.openCount--;
    watch.inode.evictIfUnused();
  }

  changed(mask: number, dentry: Dentry, cookie: number): void {
    const { inode, parent } = dentry;
    const directory = inode?.isDirectory === true ? C.IN_ISDIR : 0;
    const full = mask | directory;
    // The inode goes before its directory hears of the name's end (d_delete comes before fsnotify).
    if ((mask & C.IN_DELETE) !== 0 && inode !== null && this.isUnused(inode)) this.tellGone(inode);
    const unnamed = (mask & C.IN_ATTRIB) !== 0 && inode !== null && inode.nlink === 0;
    if ((mask & SELF_EVENTS) === 0 && !unnamed && parent !== null && parent.inode !== null) {
      this.tell(parent.inode, full, cookie, dentry.name);
    }
    if ((mask & C.IN_DELETE_SELF) !== 0) {
      if (inode !== null) this.tellGone(inode);
    } else if ((mask & ENTRY_EVENTS) === 0 && inode !== null) {
      // For watchers of the thing itself IN_MOVE_SELF comes without IN_ISDIR, as it always has.
      this.tell(inode, (mask & SELF_EVENTS) !== 0 ? mask & ~C.IN_ISDIR : full, cookie, "");
    }
  }

  /** No name, and nobody but watches holds it. */
  private isUnused(inode: Inode): boolean {
    return inode.nlink === 0 && inode.openCount === (this.watches.get(inode)?.size ?? 0);
  }

  private tellGone(inode: Inode): void {
    this.tell(inode, C.IN_DELETE_SELF, 0, "");
    for (const watch of [...(this.watches.get(inode) ?? [])]) watch.file.drop(watch);
  }

  private tell(inode: Inode, mask: number, cookie: number, name: string): void {
    const set = this.watches.get(inode);
    if (set === undefined) return;
    for (const watch of [...set]) {
      if ((watch.mask & mask & (C.IN_ALL_EVENTS | C.IN_UNMOUNT)) === 0) continue;
      watch.file.queueEvent(watch.descriptor, mask, cookie, name);
      if ((watch.mask & C.IN_ONESHOT) !== 0) watch.file.drop(watch);
    }
  }
}

interface QueuedEvent {
  readonly descriptor: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export class InotifyFile extends AnonymousFile {
  private readonly byDescriptor = new Map<number, Watch>();
  private readonly byInode = new Map<Inode, Watch>();
  private nextDescriptor = 1;
  private events: QueuedEvent[] = [];
  private readonly queue = new WaitQueue();

  constructor(k: Kernel, flags: number) {
    super(k, "inotify", O_RDONLY | (flags & O_NONBLOCK));
    // From now on the Vfs has someone to tell.
    k.vfs.events = k.ipc.inotify;
  }

  /** inotify_add_watch: the watch descriptor or -errno. */
  addWatch(inode: Inode, mask: number): number {
    const wanted = mask & (C.IN_ALL_EVENTS | C.IN_ONESHOT | C.IN_EXCL_UNLINK | C.IN_UNMOUNT);
    const existing = this.byInode.get(inode);
    if (existing !== undefined) {
      if ((mask & C.IN_MASK_CREATE) !== 0) return -EEXIST;
      existing.mask = (mask & C.IN_MASK_ADD) !== 0 ? existing.mask | wanted : wanted;
      return existing.descriptor;
    }
    const { inotify } = this.kernel.ipc;
    if (inotify.count >= MAX_WATCHES) return -ENOSPC;
    const watch = new Watch(this, inode, this.nextDescriptor++, wanted);
    this.byDescriptor.set(watch.descriptor, watch);
    this.byInode.set(inode, watch);
    inotify.add(watch);
    return watch.descriptor;
  }

  /** inotify_rm_watch. */
  removeWatch(descriptor: number): number {
    const watch = this.byDescriptor.get(descriptor);
    if (watch === undefined) return -EINVAL;
    this.drop(watch);
    return 0;
  }

  /** The watch ends; IN_IGNORED says so. */
  drop(watch: Watch): void {
    this.forget(watch);
    this.queueEvent(watch.descriptor, C.IN_IGNORED, 0, "");
  }

  private forget(watch: Watch): void {
    this.byDescriptor.delete(watch.descriptor);
    this.byInode.delete(watch.inode);
    this.kernel.ipc.inotify.remove(watch);
  }

  queueEvent(descriptor: number, mask: number, cookie: number, name: string): void {
    const last = this.events.at(-1);
    const same =
      last !== undefined &&
      last.descriptor === descriptor &&
      last.mask === mask &&
      last.cookie === cookie &&
      last.name === name;
    // Identical neighbours are merged (inotify_merge).
    if (same) return;
    if (this.events.length >= MAX_QUEUED_EVENTS) {
      if (last?.mask !== C.IN_Q_OVERFLOW) this.events.push(makeEvent(-1, C.IN_Q_OVERFLOW, 0, ""));
    } else {
      this.events.push(makeEvent(descriptor, mask, cookie, name));
    }
    this.queue.wake();
  }

  override read(t: Task, io: IoCursor): number {
    if (this.events.length === 0) return this.nonBlocking ? -EAGAIN : t.block([this.queue]);
    let moved = 0;
    while (this.events.length > 0) {
      const { bytes } = this.events[0];
      if (bytes.length > io.remaining) break;
      if (io.put(bytes, 0, bytes.length) < bytes.length) return moved > 0 ? moved : -EFAULT;
      moved += bytes.length;
      this.events.shift();
    }
    return moved > 0 ? moved : -EINVAL;
  }

  override poll(): number {
    return this.events.length > 0 ? POLLIN | POLLRDNORM : 0;
  }

  override fdInfo(): string {
    let text = "";
    for (const { descriptor, inode, mask } of this.byDescriptor.values()) {
      const hex = (value: number) => (value >>> 0).toString(16);
      text += `inotify wd:${hex(descriptor)} ino:${inode.ino.toString(16)} sdev:${hex(inode.fs.dev)} mask:${hex(mask)} ignored_mask:0\n`;
    }
    return text;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue];
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (request !== FIONREAD) return super.ioctl(t, request, argument);
    storeU32(
      t,
      argument,
      this.events.reduce((sum, event) => sum + event.bytes.length, 0),
    );
    return 0;
  }

  protected override closed(): void {
    super.closed();
    for (const watch of [...this.byDescriptor.values()]) this.forget(watch);
  }
}

/** struct inotify_event. */
function makeEvent(descriptor: number, mask: number, cookie: number, name: string): QueuedEvent {
  const encoded = encodeUtf8(name);
  const padded = encoded.length === 0 ? 0 : Math.ceil((encoded.length + 1) / NAME_ALIGN) * NAME_ALIGN;
  const bytes = new Uint8Array(HEADER_BYTES + padded);
  const view = viewOf(bytes);
  view.setInt32(0, descriptor, true);
  view.setUint32(4, mask, true);
  view.setUint32(8, cookie, true);
  view.setUint32(12, padded, true);
  bytes.set(encoded, HEADER_BYTES);
  return { descriptor, mask, cookie, name, bytes };
}
