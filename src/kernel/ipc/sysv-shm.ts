// System V shared memory: segments, attachments counted by areas, and every shmctl command (ipc/shm.c).
import { EACCES, EINVAL, ENOMEM, EPERM } from "../../abi/errno.ts";
import * as C from "../../abi/ipc.ts";
import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../abi/mman.ts";
import { PAGE_MASK, PAGE_SIZE } from "../../arch/sv39.ts";
import type { AreaFile } from "../../mm/contracts.ts";
import type { ShmemObject } from "../../mm/shmem-object.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { IpcPermissions, IpcTable, realtimeSeconds } from "./sysv-common.ts";
import { fetchBytes, set64, storeBytes, viewOf } from "./user-memory.ts";

/** sizeof(struct shmid64_ds), struct shminfo64 and struct shm_info. */
const SHMID_DS_BYTES = 112;
const SHMINFO_BYTES = 72;
const SHM_INFO_BYTES = 48;
/** ULONG_MAX - 2^24, as far as a double tells: no request reaches it. */
const SHMMAX = 2 ** 63;
/** The device number that maps shows for the kernel's internal tmpfs mount (0:1). */
const SHM_DEVICE = 1;

/** A segment; also the open file that its areas hold, so that every area counts as one attachment. */
export class SharedSegment extends IpcPermissions implements AreaFile {
  readonly dev = SHM_DEVICE;
  readonly object: ShmemObject;
  readonly sizeBytes: number;
  readonly kernel: Kernel;
  readonly creatorPid: number;
  /** As maps shows it: the key at creation, which IPC_RMID does not change. */
  private readonly label: string;
  lastPid = 0;
  attachTime = 0;
  detachTime = 0;
  changeTime: number;
  attachments = 0;
  /** IPC_RMID was asked for: destroyed with the last attachment. */
  doomed = false;

  constructor(k: Kernel, t: Task, key: number, flags: number, sizeBytes: number) {
    super(t, key, flags);
    this.kernel = k;
    this.sizeBytes = sizeBytes;
    // Paid for as a whole when it is made, unless SHM_NORESERVE asks to pay page by page.
    const reserved = (flags & C.SHM_NORESERVE) === 0 ? this.pageCount : 0;
    if (reserved > 0 && !k.mm.commit.allows(reserved)) throw errno(ENOMEM);
    this.object = k.mm.createShmemObject(this.pageCount * PAGE_SIZE, reserved);
    this.creatorPid = t.process.pid;
    this.label = `/SYSV${(key >>> 0).toString(16).padStart(8, "0")} (deleted)`;
    this.changeTime = realtimeSeconds(k);
  }

  get ino(): number {
    return this.id;
  }

  get pageCount(): number {
    return Math.ceil(this.sizeBytes / PAGE_SIZE);
  }

  name(): string {
    return this.label;
  }

  /** shm_open: an area appeared. */
  acquire(): void {
    this.attachments++;
    this.attachTime = realtimeSeconds(this.kernel);
    this.lastPid = this.kernel.scheduler.current?.process.pid ?? this.lastPid;
  }

  /** shm_close: an area went away. */
  release(): void {
    this.attachments--;
    this.detachTime = realtimeSeconds(this.kernel);
    this.lastPid = this.kernel.scheduler.current?.process.pid ?? this.lastPid;
    if (this.doomed && this.attachments === 0) this.destroy();
  }

  destroy(): void {
    if (this.removed) return;
    const { shm } = this.kernel.ipc;
    shm.table.remove(this);
    shm.totalPages -= this.pageCount;
    this.object.release();
  }
}

export class SharedMemorySystem {
  readonly table = new IpcTable<SharedSegment>(C.SHMMNI);
  totalPages = 0;
}

export function shmget(k: Kernel, t: Task, key: number, size: number, flags: number): number {
  const { shm } = k.ipc;
  return shm.table.obtain(
    t,
    key,
    flags,
    () => {
      if (size < C.SHMMIN || size > SHMMAX) throw errno(EINVAL);
      if ((flags & C.SHM_HUGETLB) !== 0) throw errno(ENOMEM);
      const segment = new SharedSegment(k, t, key, flags, size);
      shm.totalPages += segment.pageCount;
      return segment;
    },
    (segment) => {
      if (segment.sizeBytes < size) throw errno(EINVAL);
    },
  );
}

/** do_shmat. */
export function shmat(k: Kernel, t: Task, id: number, address: number, flags: number): number {
  let at = address;
  if (id < 0) return -EINVAL;
  if (at !== 0) {
    const odd = at % PAGE_SIZE;
    if (odd !== 0) {
      if ((flags & C.SHM_RND) === 0) return -EINVAL;
      at -= odd;
      // Remapping at 0 would destroy whatever the hint NULL means.
      if (at === 0 && (flags & C.SHM_REMAP) !== 0) return -EINVAL;
    }
  } else if ((flags & C.SHM_REMAP) !== 0) {
    return -EINVAL;
  }
  let prot = PROT_READ;
  let permissions = 0o444;
  if ((flags & C.SHM_RDONLY) === 0) {
    prot |= PROT_WRITE;
    permissions |= 0o222;
  }
  if ((flags & C.SHM_EXEC) !== 0) {
    prot |= PROT_EXEC;
    permissions |= 0o111;
  }
  const segment = k.ipc.shm.table.get(id);
  if (!segment.allows(t, permissions)) return -EACCES;
  const length = segment.pageCount * PAGE_SIZE;
  if (at !== 0 && (flags & C.SHM_REMAP) === 0) {
    const above = t.space.areas.findAtOrAbove(at);
    if (above != null && above.start < at + length) return -EINVAL;
  }
  // The attachment being made keeps a doomed segment alive until its area exists.
  segment.attachments++;
  const result = t.space.mmap({
    address: at,
    length,
    prot,
    flags: MAP_SHARED | (at !== 0 ? MAP_FIXED : 0),
    object: segment.object,
    file: segment,
    offset: 0,
    maxProt: (flags & C.SHM_RDONLY) !== 0 ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE | PROT_EXEC,
  });
  segment.attachments--;
  if (segment.doomed && segment.attachments === 0) segment.destroy();
  return result;
}

/** ksys_shmdt: the areas that still lie where one shmat at `address` put them. */
export function shmdt(_k: Kernel, t: Task, address: number): number {
  if ((address & PAGE_MASK) !== 0) return -EINVAL;
  const { areas } = t.space;
  let segment: SharedSegment | null = null;
  let end = Number.POSITIVE_INFINITY;
  let area = areas.findAtOrAbove(address);
  while (area != null && area.start < end) {
    const { start, end: areaEnd, file } = area;
    const inPlace = file instanceof SharedSegment && start - address === area.pageOffset * PAGE_SIZE;
    if (inPlace && (segment === null || segment === file)) {
      if (segment === null) {
        segment = file;
        end = address + segment.pageCount * PAGE_SIZE;
      }
      t.space.munmap(start, areaEnd - start);
    }
    area = areas.findAtOrAbove(areaEnd);
  }
  return segment === null ? -EINVAL : 0;
}

export function shmctl(k: Kernel, t: Task, id: number, command: number, address: number): number {
  const { table } = k.ipc.shm;
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case C.IPC_INFO:
      storeBytes(t, address, encodeLimits());
      return table.highestIndex;
    case C.SHM_INFO:
      storeBytes(t, address, encodeUsage(k));
      return table.highestIndex;
    case C.IPC_STAT:
    case C.SHM_STAT:
    case C.SHM_STAT_ANY: {
      const segment = command === C.IPC_STAT ? table.get(id) : table.getByIndex(id);
      if (command !== C.SHM_STAT_ANY) segment.check(t, 0o444);
      storeBytes(t, address, encodeSegment(segment));
      return command === C.IPC_STAT ? 0 : segment.id;
    }
    case C.IPC_SET: {
      const update = viewOf(fetchBytes(t, address, SHMID_DS_BYTES));
      const segment = table.get(id);
      segment.checkOwner(t);
      segment.update(update);
      segment.changeTime = realtimeSeconds(k);
      return 0;
    }
    case C.IPC_RMID: {
      const segment = table.get(id);
      segment.checkOwner(t);
      // do_shm_rmid: while attached it lives on under no key.
      if (segment.attachments > 0) {
        segment.doomed = true;
        segment.mode |= C.SHM_DEST;
        segment.key = C.IPC_PRIVATE;
      } else {
        segment.destroy();
      }
      return 0;
    }
    case C.SHM_LOCK:
    case C.SHM_UNLOCK: {
      const segment = table.get(id);
      if (t.credentials.euid !== 0) {
        segment.checkOwner(t);
        if (command === C.SHM_LOCK && t.space.limits.memlock === 0) return -EPERM;
      }
      if (command === C.SHM_LOCK) segment.mode |= C.SHM_LOCKED;
      else segment.mode &= ~C.SHM_LOCKED;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

function encodeSegment(segment: SharedSegment): Uint8Array {
  const bytes = new Uint8Array(SHMID_DS_BYTES);
  const view = viewOf(bytes);
  segment.encode(view);
  set64(view, 48, segment.sizeBytes);
  set64(view, 56, segment.attachTime);
  set64(view, 64, segment.detachTime);
  set64(view, 72, segment.changeTime);
  view.setInt32(80, segment.creatorPid, true);
  view.setInt32(84, segment.lastPid, true);
  set64(view, 88, segment.attachments);
  return bytes;
}

/** struct shminfo64: shmmax shmmin shmmni shmseg shmall. */
function encodeLimits(): Uint8Array {
  const bytes = new Uint8Array(SHMINFO_BYTES);
  const view = viewOf(bytes);
  // ULONG_MAX - (1UL << 24), for both.
  view.setUint32(0, 0xfeffffff, true);
  view.setUint32(4, 0xffffffff, true);
  set64(view, 8, C.SHMMIN);
  set64(view, 16, C.SHMMNI);
  set64(view, 24, C.SHMMNI);
  view.setUint32(32, 0xfeffffff, true);
  view.setUint32(36, 0xffffffff, true);
  return bytes;
}

/** struct shm_info: used_ids shm_tot shm_rss shm_swp swap_attempts swap_successes. */
function encodeUsage(k: Kernel): Uint8Array {
  const { table, totalPages } = k.ipc.shm;
  const bytes = new Uint8Array(SHM_INFO_BYTES);
  const view = viewOf(bytes);
  let resident = 0;
  for (const segment of table.entries.values()) resident += segment.object.pageCount;
  view.setInt32(0, table.size, true);
  set64(view, 8, totalPages);
  set64(view, 16, resident);
  return bytes;
}

/** /proc/sysvipc/shm. */
export function formatSegments(k: Kernel): string {
  let text =
    "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n";
  for (const segment of k.ipc.shm.table.entries.values()) {
    const row = [
      [segment.key, 10],
      [segment.id, 10],
      [segment.mode.toString(8), 5],
      [segment.sizeBytes, 21],
      [segment.creatorPid, 5],
      [segment.lastPid, 5],
      [segment.attachments, 6],
      [segment.uid, 5],
      [segment.gid, 5],
      [segment.creatorUid, 5],
      [segment.creatorGid, 5],
      [segment.attachTime, 10],
      [segment.detachTime, 10],
      [segment.changeTime, 10],
      [segment.object.pageCount * PAGE_SIZE, 21],
      [0, 21],
    ] as const;
    text += `${row.map(([value, width]) => String(value).padStart(width)).join(" ")}\n`;
  }
  return text;
}
