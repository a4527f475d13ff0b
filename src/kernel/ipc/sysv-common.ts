// What the three System V facilities share: identifiers, keys, permissions and struct ipc64_perm (ipc/util.c).
import { EACCES, EEXIST, EIDRM, EINVAL, ENOENT, ENOSPC, EPERM } from "../../abi/errno.ts";
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE } from "../../abi/ipc.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";

/** IPCMNI_SHIFT: an identifier is (sequence << 15) + index. */
const INDEX_BITS = 15;
const INDEX_LIMIT = 1 << INDEX_BITS;
/** ipc_min_cycle: indices are handed out cyclically, so that a stale identifier does not soon name a new object. */
const SHORTEST_CYCLE = 64;
/** sizeof(struct ipc64_perm). */
export const IPC_PERM_BYTES = 48;

/** struct kern_ipc_perm, the base of every System V object. */
export class IpcPermissions {
  key: number;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
  mode: number;
  id = -1;
  sequence = 0;
  removed = false;

  constructor(t: Task, key: number, mode: number) {
    this.key = key;
    this.uid = this.creatorUid = t.credentials.euid;
    this.gid = this.creatorGid = t.credentials.egid;
    this.mode = mode & 0o777;
  }

  /** ipcperms(): may `t` do what the permission bits of `flags` ask for? */
  allows(t: Task, flags: number): boolean {
    const { credentials } = t;
    const requested = ((flags >> 6) | (flags >> 3) | flags) & 7;
    let granted = this.mode;
    if (credentials.euid === this.uid || credentials.euid === this.creatorUid) granted >>= 6;
    else if (inGroup(t, this.gid) || inGroup(t, this.creatorGid)) granted >>= 3;
    return (requested & ~granted) === 0 || credentials.euid === 0;
  }

  check(t: Task, flags: number): void {
    if (!this.allows(t, flags)) throw errno(EACCES);
  }

  /** ipcctl_obtain_check: IPC_SET and IPC_RMID are for the owner, the creator and root. */
  checkOwner(t: Task): void {
    const { euid } = t.credentials;
    if (euid !== this.uid && euid !== this.creatorUid && euid !== 0) throw errno(EPERM);
  }

  encode(view: DataView): void {
    view.setInt32(0, this.key, true);
    view.setUint32(4, this.uid, true);
    view.setUint32(8, this.gid, true);
    view.setUint32(12, this.creatorUid, true);
    view.setUint32(16, this.creatorGid, true);
    view.setUint32(20, this.mode, true);
    view.setUint16(24, this.sequence, true);
  }

  /** ipc_update_perm: uid, gid and the nine mode bits of a struct ipc64_perm. */
  update(view: DataView): void {
    this.uid = view.getUint32(4, true);
    this.gid = view.getUint32(8, true);
    this.mode = (this.mode & ~0o777) | (view.getUint32(20, true) & 0o777);
  }
}

export function inGroup(t: Task, gid: number): boolean {
  return t.credentials.egid === gid || t.credentials.groups.includes(gid);
}

/** One facility's objects: by index, with keys (struct ipc_ids). */
export class IpcTable<T extends IpcPermissions> {
  readonly entries = new Map<number, T>();
  private nextIndex = 0;
  private lastIndex = -1;
  private sequence = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The highest index in use, or 0 (what the *_INFO commands return). */
  get highestIndex(): number {
    let highest = 0;
    for (const index of this.entries.keys()) if (index > highest) highest = index;
    return highest;
  }

  findKey(key: number): T | undefined {
    for (const entry of this.entries.values()) if (entry.key === key) return entry;
    return undefined;
  }

  /** ipcget(): the object for `key`, or what `create` makes. */
  obtain(t: Task, key: number, flags: number, create: () => T, check: (existing: T) => void): number {
    const existing = key === IPC_PRIVATE ? undefined : this.findKey(key);
    if (existing === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) throw errno(ENOENT);
      if (this.entries.size >= this.limit) throw errno(ENOSPC);
      return this.add(create());
    }
    if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) throw errno(EEXIST);
    check(existing);
    existing.check(t, flags);
    return existing.id;
  }

  private add(entry: T): number {
    const cycle = Math.max(Math.floor((this.entries.size * 3) / 2), SHORTEST_CYCLE);
    let index = this.nextIndex >= Math.min(cycle, INDEX_LIMIT) ? 0 : this.nextIndex;
    while (this.entries.has(index)) index = (index + 1) % INDEX_LIMIT;
    if (index <= this.lastIndex) this.sequence = (this.sequence + 1) & 0xffff;
    this.lastIndex = index;
    this.nextIndex = index + 1;
    entry.sequence = this.sequence;
    entry.id = ((this.sequence << INDEX_BITS) >>> 0) + index;
    this.entries.set(index, entry);
    return entry.id;
  }

  /** ipc_obtain_object_check. */
  get(id: number): T {
    const entry = id < 0 ? undefined : this.entries.get(id % INDEX_LIMIT);
    if (entry === undefined) throw errno(EINVAL);
    if (entry.id !== id) throw errno(EIDRM);
    return entry;
  }

  /** For the *_STAT commands that take an index. */
  getByIndex(index: number): T {
    const entry = this.entries.get(index % INDEX_LIMIT);
    if (entry === undefined || index < 0) throw errno(EINVAL);
    return entry;
  }

  remove(entry: T): void {
    entry.removed = true;
    this.entries.delete(entry.id % INDEX_LIMIT);
  }
}

export function realtimeSeconds(k: Kernel): number {
  return k.clock.realtime().seconds;
}
