// memfd_create(2): files in memory without a name, with seals (mm/memfd.c, mm/shmem.c).
import { EBUSY, EFBIG, EINVAL, EOPNOTSUPP, EPERM } from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import * as C from "../../abi/ipc.ts";
import { PROT_WRITE } from "../../abi/mman.ts";
import { S_IFREG, TMPFS_MAGIC } from "../../abi/stat.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import type { ShmemObject } from "../../mm/shmem-object.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { type AttributeChange, Inode, PseudoFileSystem } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import { MAX_FILE_BYTES, RegularFile } from "../vfs/regular-file.ts";

const ALL_SEALS =
  C.F_SEAL_SEAL | C.F_SEAL_EXEC | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE | C.F_SEAL_FUTURE_WRITE;
const WRITE_SEALS = C.F_SEAL_WRITE | C.F_SEAL_FUTURE_WRITE;

export class MemfdInode extends Inode {
  readonly label: string;
  readonly contents: ShmemObject;
  seals: number;

  constructor(k: Kernel, t: Task, name: string, flags: number) {
    const executable = (flags & C.MFD_NOEXEC_SEAL) === 0;
    super(memoryFileSystem(k), S_IFREG | (executable ? 0o777 : 0o666));
    this.label = name;
    this.contents = k.mm.createShmemObject(0);
    this.uid = t.credentials.fsuid;
    this.gid = t.credentials.fsgid;
    this.nlink = 0;
    this.seals = (flags & (C.MFD_ALLOW_SEALING | C.MFD_NOEXEC_SEAL)) === 0 ? C.F_SEAL_SEAL : 0;
    if (!executable) this.seals |= C.F_SEAL_EXEC;
    this.touchCreated();
  }

  override get sizeBytes(): number {
    return this.contents.sizeBytes;
  }

  override get blocks(): number {
    return this.contents.allocatedPages * (PAGE_SIZE / 512);
  }

  override get object(): MemoryObject {
    return this.contents;
  }

  /** By way of /proc/PID/fd. */
  override open(_t: Task, path: Path, flags: number): OpenFile {
    return new MemfdFile(this, path, flags);
  }

  /** shmem_setattr: F_SEAL_EXEC keeps the execute bits as they are. */
  override setAttributes(t: Task, change: AttributeChange): void {
    const isSealed = (this.seals & C.F_SEAL_EXEC) !== 0 && change.mode !== undefined;
    if (isSealed && ((this.mode ^ change.mode!) & 0o111) !== 0) throw errno(EPERM);
    super.setAttributes(t, change);
  }

  override truncate(_t: Task, sizeBytes: number): void {
    const { contents } = this;
    if (sizeBytes > MAX_FILE_BYTES) throw errno(EFBIG);
    if (sizeBytes < contents.sizeBytes && (this.seals & C.F_SEAL_SHRINK) !== 0) throw errno(EPERM);
    if (sizeBytes > contents.sizeBytes && (this.seals & C.F_SEAL_GROW) !== 0) throw errno(EPERM);
    const result = contents.truncate(sizeBytes);
    if (result < 0) throw errno(-result);
    this.touchModified();
  }

  override allocateSpace(offset: number, length: number): number {
    return this.contents.preallocate(offset, length);
  }

  override nextData(offset: number): number {
    return this.contents.nextData(offset);
  }

  override nextHole(offset: number): number {
    return this.contents.nextHole(offset);
  }

  override evicted(): void {
    this.contents.release();
  }

  /** memfd_add_seals: 0 or -errno. */
  addSeals(seals: number): number {
    if ((seals & ~ALL_SEALS) !== 0) return -EINVAL;
    if ((this.seals & C.F_SEAL_SEAL) !== 0) return -EPERM;
    if ((seals & C.F_SEAL_WRITE) !== 0 && (this.seals & C.F_SEAL_WRITE) === 0 && this.mayBeWrittenByMapping()) {
      return -EBUSY;
    }
    // SEAL_EXEC implies the write seals, as Linux does for executable files.
    if ((seals & C.F_SEAL_EXEC) !== 0 && (this.mode & 0o111) !== 0) {
      if (this.mayBeWrittenByMapping()) return -EBUSY;
      this.seals |= C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE | C.F_SEAL_FUTURE_WRITE;
    }
    this.seals |= seals;
    return 0;
  }

  /** mapping_deny_writable: some shared mapping is writable, or may become so by mprotect. */
  private mayBeWrittenByMapping(): boolean {
    for (const area of this.contents.mappers) if (area.isShared && (area.maxProt & PROT_WRITE) !== 0) return true;
    return false;
  }
}

function memoryFileSystem(k: Kernel): PseudoFileSystem {
  k.ipc.memoryFs ??= new PseudoFileSystem(k.vfs, "tmpfs", TMPFS_MAGIC);
  return k.ipc.memoryFs;
}

/** An open memfd: a regular file whose seals have a veto. */
export class MemfdFile extends RegularFile {
  readonly memfd: MemfdInode;

  constructor(inode: MemfdInode, path: Path | null, flags: number) {
    super(inode, path, flags);
    this.memfd = inode;
  }

  override name(): string {
    return this.pseudoName();
  }

  override pseudoName(): string {
    return `/memfd:${this.memfd.label} (deleted)`;
  }

  /** shmem_write_begin. */
  override write(t: Task, io: IoCursor, offset: number): number {
    const { seals, sizeBytes } = this.memfd;
    if (io.remaining === 0) return 0;
    const at = (this.flags & F.O_APPEND) !== 0 ? sizeBytes : offset === -1 ? this.position : offset;
    if ((seals & WRITE_SEALS) !== 0) return -EPERM;
    if ((seals & C.F_SEAL_GROW) !== 0 && at + io.remaining > sizeBytes) return -EPERM;
    return super.write(t, io, offset);
  }

  /** shmem_fallocate. */
  override allocate(t: Task, mode: number, offset: number, length: number): number {
    const { seals, sizeBytes } = this.memfd;
    if ((mode & ~(F.FALLOC_FL_KEEP_SIZE | F.FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
    const vetoes =
      (mode & F.FALLOC_FL_PUNCH_HOLE) !== 0 ? WRITE_SEALS : offset + length > sizeBytes ? C.F_SEAL_GROW : 0;
    if ((mode & F.FALLOC_FL_PUNCH_HOLE) === 0 || (mode & F.FALLOC_FL_KEEP_SIZE) !== 0)
      if (this.writable && (seals & vetoes) !== 0) return -EPERM;
    return super.allocate(t, mode, offset, length);
  }

  override control(_t: Task, command: number, argument: number): number {
    if (command === F.F_GET_SEALS) return this.memfd.seals;
    if (command !== F.F_ADD_SEALS) return -EINVAL;
    return this.writable ? this.memfd.addSeals(argument | 0) : -EPERM;
  }

  /** seal_check_write: a write seal refuses new shared writable mappings. */
  override mmapObject(t: Task, shared: boolean, prot: number): MemoryObject | null {
    if (shared && (prot & PROT_WRITE) !== 0 && (this.memfd.seals & WRITE_SEALS) !== 0) throw errno(EPERM);
    return super.mmapObject(t, shared, prot);
  }

  /** A write seal also keeps mprotect from making a shared read-only mapping writable. */
  override maxProtection(shared: boolean, allowed: number): number {
    return shared && (this.memfd.seals & WRITE_SEALS) !== 0 ? allowed & ~PROT_WRITE : allowed;
  }
}
