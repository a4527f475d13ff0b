// System calls about address spaces: the rules that need open files, credentials or other processes; the rest is mm's.
import { EACCES, EBADF, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM, ESRCH } from "../../abi/errno.ts";
import { MS_NOEXEC } from "../../abi/fcntl.ts";
import { F_SEAL_FUTURE_WRITE, F_SEAL_WRITE } from "../../abi/ipc.ts";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGE_SIZES,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_TYPE,
  MAP_UNINITIALIZED,
  MLOCK_ONFAULT,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../abi/mman.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { mayAccess } from "../access.ts";
import { fetchIoVectors, type IoVector } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { pidFdOf } from "../pidfd.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { MAX_FILE_BYTES } from "../vfs/regular-file.ts";
import { defineSyscalls } from "./registry.ts";

const ALL_PROT = PROT_READ | PROT_WRITE | PROT_EXEC;
const F_GET_SEALS = 1034;
/** LEGACY_MAP_MASK: what MAP_SHARED_VALIDATE knows without asking the file. */
const VALIDATED_FLAGS =
  MAP_SHARED |
  MAP_PRIVATE |
  MAP_FIXED |
  MAP_ANONYMOUS |
  MAP_DENYWRITE |
  MAP_EXECUTABLE |
  MAP_UNINITIALIZED |
  MAP_GROWSDOWN |
  MAP_LOCKED |
  MAP_NORESERVE |
  MAP_POPULATE |
  MAP_NONBLOCK |
  MAP_STACK |
  MAP_HUGETLB |
  MAP_HUGE_SIZES |
  MAP_FIXED_NOREPLACE;

/** do_mmap()'s rules for a file: what may ever be allowed on the area, or -errno. */
function fileProtection(file: OpenFile, prot: number, flags: number): number {
  const type = flags & MAP_TYPE;
  let maxProt = ALL_PROT;
  if (type === MAP_SHARED || type === MAP_SHARED_VALIDATE) {
    if (type === MAP_SHARED_VALIDATE && (flags & ~VALIDATED_FLAGS & ~MAP_TYPE) !== 0) return -EOPNOTSUPP;
    if ((prot & PROT_WRITE) !== 0 && !file.writable) return -EACCES;
    if (!file.writable) maxProt &= ~PROT_WRITE;
  } else if (type !== MAP_PRIVATE) return -EINVAL;
  if (!file.readable) return -EACCES;
  if (file.path !== null && (file.path.mount.flags & MS_NOEXEC) !== 0) {
    if ((prot & PROT_EXEC) !== 0) return -EPERM;
    maxProt &= ~PROT_EXEC;
  }
  return (flags & MAP_GROWSDOWN) !== 0 ? -EINVAL : maxProt;
}

/** A memfd sealed against writing may be mapped shared for reading, and stays so. */
function sealedProtection(t: Task, file: OpenFile, shared: boolean, maxProt: number): number {
  if (!shared) return maxProt;
  const seals = file.control(t, F_GET_SEALS, 0);
  return seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0 ? maxProt & ~PROT_WRITE : maxProt;
}

function mmap(
  t: Task,
  address: number,
  length: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MAP_ANONYMOUS) !== 0) {
    return t.space.mmap({ address, length, prot, flags, object: null, file: null, offset: 0, maxProt: ALL_PROT });
  }
  const file = t.files.find(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  if (length === 0) return -EINVAL;
  // A length that wraps when rounded, and what file_mmap_ok() finds too far.
  if (length < 0 || length > 2 ** 62) return -ENOMEM;
  const exclusive = (flags & MAP_FIXED) !== 0 && address % PAGE_SIZE !== 0;
  if (exclusive) return -EINVAL;
  if (length > 2 ** 38) return -ENOMEM;
  if (file.inode.isRegular && (offset < 0 || offset + length > MAX_FILE_BYTES)) return -EOVERFLOW;
  const maxProt = fileProtection(file, prot, flags);
  if (maxProt < 0) return maxProt;
  const shared = (flags & MAP_TYPE) !== MAP_PRIVATE;
  const object = file.mmapObject(t, shared, prot & ALL_PROT);
  if (object === null) {
    // /dev/zero: fresh memory; a shared one keeps the file's name, as shmem_zero_setup() names it.
    return t.space.mmap({
      address,
      length,
      prot,
      flags: flags | MAP_ANONYMOUS,
      object: null,
      file: null,
      offset: 0,
      maxProt: ALL_PROT,
    });
  }
  if (offset < 0) return -EOVERFLOW;
  const allowed = sealedProtection(t, file, shared, maxProt);
  const plain = shared ? (flags & ~MAP_TYPE) | MAP_SHARED : flags;
  const isSealed = allowed !== maxProt;
  return t.space.mmap({ address, length, prot, flags: plain, object, file, offset, maxProt: allowed, isSealed });
}

/** process_vm_rw(): bytes between the caller's vectors and another process's, as far as both are there. */
function processVm(
  k: Kernel,
  t: Task,
  pid: number,
  local: VectorList,
  remote: VectorList,
  flags: number,
  write: boolean,
): number {
  if (flags !== 0) return -EINVAL;
  const mine = fetchIoVectors(t, local.address, local.count, EINVAL);
  const theirs = fetchIoVectors(t, remote.address, remote.count, EINVAL);
  if (total(mine) === 0 || theirs.length === 0) return 0;
  const target = k.tasks.get(pid);
  if (target === undefined || !target.isAlive) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  return copyVectors(t, target, mine, theirs, write);
}

interface VectorList {
  address: number;
  count: number;
}

function total(vectors: readonly IoVector[]): number {
  return vectors.reduce((sum, vector) => sum + vector.length, 0);
}

function copyVectors(t: Task, target: Task, mine: IoVector[], theirs: IoVector[], write: boolean): number {
  const chunk = new Uint8Array(64 * 1024);
  let copied = 0;
  let mineAt = 0;
  let mineOffset = 0;
  for (const vector of theirs) {
    let offset = 0;
    while (offset < vector.length) {
      while (mineAt < mine.length && mineOffset === mine[mineAt].length) {
        mineAt++;
        mineOffset = 0;
      }
      if (mineAt === mine.length) return copied;
      const room = mine[mineAt].length - mineOffset;
      // A transfer stops at the first remote page that is missing: never cross one in a single copy.
      const toPageEnd = PAGE_SIZE - ((vector.base + offset) % PAGE_SIZE);
      const count = Math.min(room, vector.length - offset, toPageEnd, chunk.length);
      const localAddress = mine[mineAt].base + mineOffset;
      const remoteAddress = vector.base + offset;
      const piece = chunk.subarray(0, count);
      let put = 0;
      if (write) {
        const got = t.space.copyIn(localAddress, piece);
        if (got > 0) put = target.space.accessRemote(remoteAddress, piece.subarray(0, got), true, false);
      } else {
        const got = target.space.accessRemote(remoteAddress, piece, false, false);
        if (got > 0) put = t.space.copyOut(localAddress, piece, 0, got);
      }
      copied += put;
      if (put < count) return copied > 0 ? copied : -EFAULT;
      offset += count;
      mineOffset += count;
    }
  }
  return copied;
}

/** process_madvise(2). */
function processMadvise(_k: Kernel, t: Task, fd: number, vectors: VectorList, advice: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const list = fetchIoVectors(t, vectors.address, vectors.count, EINVAL);
  const { task } = pidFdOf(t, fd);
  const target = task.process.liveThread;
  if (target === null) return -ESRCH;
  const known = advice === MADV_COLD || advice === MADV_PAGEOUT || advice === MADV_WILLNEED || advice === MADV_COLLAPSE;
  if (!known) return -EINVAL;
  if (!mayAccess(t, target)) return -EPERM;
  let done = 0;
  for (const { base, length } of list) {
    const result = target.space.madvise(base, length, advice);
    if (result < 0) return done > 0 ? done : result;
    done += length;
  }
  return done;
}

/** process_mrelease(2): reaps the memory of a process that is being killed; here none is left by the time anyone could ask. */
function processMrelease(t: Task, fd: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const { task } = pidFdOf(t, fd);
  return task.process.liveThread === null ? -ESRCH : -EINVAL;
}

/** membarrier(2): one hart, so every barrier is already there; registration is remembered, for EPERM without it. */
const MEMBARRIER_COMMANDS = 0x3ff;
function membarrier(t: Task, command: number, flags: number): number {
  if (flags !== 0 && !(command === 128 && flags === 1)) return -EINVAL;
  const { process } = t;
  switch (command) {
    case 0:
      return MEMBARRIER_COMMANDS & ~0x200;
    case 1:
    case 2:
      return 0;
    case 4:
    case 16:
    case 64:
    case 256:
      process.membarrierReady |= command;
      return 0;
    case 8:
    case 32:
    case 128:
      return (process.membarrierReady & (command >> 1)) !== 0 ? 0 : -EPERM;
    case 512:
      return process.membarrierReady;
    default:
      return -EINVAL;
  }
}

export const MEMORY_SYSCALLS = defineSyscalls({
  mmap: {
    args: "addr:ptr length prot flags fd:fd offset:hex",
    run: (_k, t, address, length, prot, flags, fd, offset) =>
      mmap(t, address, length, prot | 0, flags | 0, fd | 0, offset),
  },
  munmap: { args: "addr:ptr length", run: (_k, t, address, length) => t.space.munmap(address, length) },
  mprotect: {
    args: "addr:ptr length prot",
    run: (_k, t, address, length, prot) => t.space.mprotect(address, length, prot | 0),
  },
  mremap: {
    args: "old:ptr old_size new_size flags:flags new:ptr",
    run: (_k, t, old, oldSize, newSize, flags, to) => t.space.mremap(old, oldSize, newSize, flags | 0, to),
  },
  brk: { args: "addr:ptr", run: (_k, t, address) => t.space.brk(address) },
  msync: {
    args: "addr:ptr length flags:flags",
    run: (_k, t, address, length, flags) => t.space.msync(address, length, flags | 0),
  },
  madvise: {
    args: "addr:ptr length advice",
    run: (_k, t, address, length, advice) => t.space.madvise(address, length, advice | 0),
  },
  mincore: {
    args: "addr:ptr length vec:ptr",
    run: (_k, t, address, length, vector) => t.space.mincore(address, length, vector),
  },
  mlock: { args: "addr:ptr length", run: (_k, t, address, length) => t.space.mlock(address, length, false) },
  mlock2: {
    args: "addr:ptr length flags:flags",
    run: (_k, t, address, length, flags) =>
      (flags & ~MLOCK_ONFAULT) !== 0 ? -EINVAL : t.space.mlock(address, length, (flags & MLOCK_ONFAULT) !== 0),
  },
  mseal: {
    args: "addr:ptr length flags:flags",
    run: (_k, t, address, length, flags) => t.space.mseal(address, length, flags),
  },
  munlock: { args: "addr:ptr length", run: (_k, t, address, length) => t.space.munlock(address, length) },
  mlockall: { args: "flags:flags", run: (_k, t, flags) => t.space.mlockall(flags | 0) },
  munlockall: { args: "", run: (_k, t) => t.space.munlockall() },
  remap_file_pages: {
    args: "addr:ptr size prot pgoff flags:flags",
    run: (_k, t, address, size, prot, page, flags) => t.space.remapFilePages(address, size, prot | 0, page, flags | 0),
  },
  process_vm_readv: {
    args: "pid local:ptr liovcnt remote:ptr riovcnt flags:flags",
    run: (k, t, pid, local, localCount, remote, remoteCount, flags) =>
      processVm(
        k,
        t,
        pid | 0,
        { address: local, count: localCount },
        { address: remote, count: remoteCount },
        flags,
        false,
      ),
  },
  process_vm_writev: {
    args: "pid local:ptr liovcnt remote:ptr riovcnt flags:flags",
    run: (k, t, pid, local, localCount, remote, remoteCount, flags) =>
      processVm(
        k,
        t,
        pid | 0,
        { address: local, count: localCount },
        { address: remote, count: remoteCount },
        flags,
        true,
      ),
  },
  process_madvise: {
    args: "pidfd:fd vec:ptr vlen advice flags:flags",
    run: (k, t, fd, address, count, advice, flags) =>
      processMadvise(k, t, fd | 0, { address, count }, advice | 0, flags >>> 0),
  },
  process_mrelease: {
    args: "pidfd:fd flags:flags",
    run: (_k, t, fd, flags) => processMrelease(t, fd | 0, flags >>> 0),
  },
  membarrier: { args: "cmd flags:flags cpu", run: (_k, t, command, flags) => membarrier(t, command | 0, flags >>> 0) },
});
