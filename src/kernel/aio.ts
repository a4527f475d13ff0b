// Linux AIO (fs/aio.c): contexts, requests and their completions. A request is carried out when it is submitted, for files
// here answer at once; what it came to waits in its context until somebody asks.
import { EAGAIN, EBADF, EINTR, EINVAL } from "../abi/errno.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { POLLIN, POLLOUT } from "../abi/poll.ts";
import { S_IFMT, S_IFREG } from "../abi/stat.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import { UserCursor } from "../mm/io-cursor.ts";
import { EventFile } from "./ipc/eventfd.ts";
import {
  fetchBytes,
  fetchIoVectors,
  get64,
  set64,
  storeBytes,
  storeU32,
  userCursor,
  viewOf,
} from "./ipc/user-memory.ts";
import type { Kernel } from "./kernel.ts";
import { errno, LinuxError } from "./linux-error.ts";
import { BLOCKED, type Task } from "./task.ts";
import type { OpenFile } from "./vfs/open-file.ts";
import { WaitQueue } from "./wait-queue.ts";

const IOCB_BYTES = 64;
const EVENT_BYTES = 32;
const RING_HEADER_BYTES = 32;
const IOCB_CMD_PREAD = 0;
const IOCB_CMD_PWRITE = 1;
const IOCB_CMD_FSYNC = 2;
const IOCB_CMD_FDSYNC = 3;
const IOCB_CMD_PREADV = 7;
const IOCB_CMD_PWRITEV = 8;
const IOCB_FLAG_RESFD = 1;
const IOCB_FLAG_IOPRIO = 2;
/** The ring, twice as long as asked for, has at most 256 MiB. */
const MAX_EVENTS = 0x10000000 / EVENT_BYTES / 2;
/** /proc/sys/fs/aio-max-nr. */
const MAX_EVENTS_IN_ALL = 65536;

interface Completion {
  /** As in user memory: 64 bits each that only the program understands. */
  data: Uint8Array;
  request: number;
  result: number;
}

/** struct kioctx: its number is the address of its ring, which is mapped but not filled: libraries then ask the kernel. */
class AioContext {
  readonly maxEvents: number;
  readonly ringBytes: number;
  readonly completions: Completion[] = [];
  readonly waiters = new WaitQueue();

  constructor(maxEvents: number) {
    this.maxEvents = maxEvents;
    this.ringBytes = Math.ceil((RING_HEADER_BYTES + EVENT_BYTES * (maxEvents + 2)) / PAGE_SIZE) * PAGE_SIZE;
  }
}

/** The contexts of one process (mm->ioctx_table): not inherited, gone at exec. */
export class AioContexts {
  readonly byId = new Map<number, AioContext>();

  get(id: number): AioContext {
    const context = this.byId.get(id);
    if (context === undefined) throw errno(EINVAL);
    return context;
  }
}

export function ioSetup(t: Task, maxEvents: number, address: number): number {
  const id = get64(viewOf(fetchBytes(t, address, 8)), 0);
  if (id !== 0 || maxEvents === 0 || maxEvents > MAX_EVENTS) return -EINVAL;
  if (maxEvents > MAX_EVENTS_IN_ALL) return -EAGAIN;
  const context = new AioContext(maxEvents);
  const ring = t.space.mmap({
    address: 0,
    length: context.ringBytes,
    prot: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS,
    object: null,
    file: null,
    offset: 0,
    maxProt: PROT_READ | PROT_WRITE,
  });
  if (ring < 0) return ring;
  t.process.aio.byId.set(ring, context);
  const bytes = new Uint8Array(8);
  set64(viewOf(bytes), 0, ring);
  storeBytes(t, address, bytes);
  return 0;
}

export function ioDestroy(t: Task, id: number): number {
  const context = t.process.aio.get(id);
  t.process.aio.byId.delete(id);
  context.waiters.wake();
  t.space.munmap(id, context.ringBytes);
  return 0;
}

/** How many were taken; the error of the first one only when it is the first. */
export function ioSubmit(t: Task, id: number, count: number, pointers: number): number {
  const context = t.process.aio.get(id);
  if (count < 0) return -EINVAL;
  let done = 0;
  try {
    for (; done < count; done++) {
      if (context.completions.length >= context.maxEvents) throw errno(EAGAIN);
      const request = get64(viewOf(fetchBytes(t, pointers + 8 * done, 8)), 0);
      if (submitOne(t, context, request, done === 0) === BLOCKED) return done > 0 ? done : BLOCKED;
    }
  } catch (error) {
    if (done === 0 || !(error instanceof LinuxError)) throw error;
  }
  return done;
}

/** `mayWait`: as on Linux, a pipe or a socket that is not ready is waited for at once, here before anything else was taken. */
function submitOne(t: Task, context: AioContext, request: number, mayWait: boolean): number {
  const block = fetchBytes(t, request, IOCB_BYTES);
  const view = viewOf(block);
  const opcode = view.getUint16(16, true);
  const flags = view.getUint32(56, true);
  if (get64(view, 48) !== 0 || (flags & ~(IOCB_FLAG_RESFD | IOCB_FLAG_IOPRIO)) !== 0) throw errno(EINVAL);
  const file = t.files.get(view.getInt32(20, true));
  const signalled = (flags & IOCB_FLAG_RESFD) !== 0 ? t.files.get(view.getInt32(60, true)) : null;
  if (signalled !== null && !(signalled instanceof EventFile)) throw errno(EINVAL);
  storeU32(t, request + 8, 0);
  const result = perform(t, file, opcode, view, mayWait);
  if (result === BLOCKED) return BLOCKED;
  context.completions.push({ data: block.slice(0, 8), request, result });
  context.waiters.wake();
  signalled?.increment();
  return 0;
}

function perform(t: Task, file: OpenFile, opcode: number, view: DataView, mayWait: boolean): number {
  const buffer = get64(view, 24);
  const length = get64(view, 32);
  const offset = get64(view, 40);
  switch (opcode) {
    case IOCB_CMD_PREAD:
    case IOCB_CMD_PREADV:
    case IOCB_CMD_PWRITE:
    case IOCB_CMD_PWRITEV:
      break;
    case IOCB_CMD_FSYNC:
    case IOCB_CMD_FDSYNC:
      if (buffer !== 0 || length !== 0 || offset !== 0) throw errno(EINVAL);
      return file.sync(t, opcode === IOCB_CMD_FDSYNC);
    default:
      throw errno(EINVAL);
  }
  const writes = opcode === IOCB_CMD_PWRITE || opcode === IOCB_CMD_PWRITEV;
  if (!(writes ? file.writable : file.readable)) throw errno(EBADF);
  if (offset < 0 || length < 0) throw errno(EINVAL);
  if (!mayWait && (file.inode.mode & S_IFMT) !== S_IFREG && (file.poll() & (writes ? POLLOUT : POLLIN)) === 0) {
    return BLOCKED;
  }
  const isVector = opcode === IOCB_CMD_PREADV || opcode === IOCB_CMD_PWRITEV;
  const io = isVector
    ? new UserCursor(t.space, fetchIoVectors(t, buffer, length, EINVAL))
    : userCursor(t, buffer, length);
  const at = file.seekable ? offset : -1;
  try {
    return writes ? file.write(t, io, at) : file.read(t, io, at);
  } catch (error) {
    if (error instanceof LinuxError) return -error.errno;
    throw error;
  }
}

/** read_events(): at least `least`, at most `most`, waiting until `deadline`. */
export function ioGetEvents(
  k: Kernel,
  t: Task,
  id: number,
  least: number,
  most: number,
  address: number,
  deadline: number,
): number {
  const context = t.process.aio.get(id);
  const ready = context.completions.length;
  if (least < 0 || most < 0 || least > most) return -EINVAL;
  // A signal ends the wait: with what is there, or EINTR.
  const ends = t.timedOut || deadline <= k.clock.monotonicNs() || (t.signalPending && ready > 0);
  if (ready < least && !ends) return t.block([context.waiters], { deadline, interrupted: -EINTR });
  return takeEvents(t, context, most, address);
}

function takeEvents(t: Task, context: AioContext, most: number, address: number): number {
  const taken = Math.min(most, context.completions.length);
  const bytes = new Uint8Array(taken * EVENT_BYTES);
  const view = viewOf(bytes);
  for (let i = 0; i < taken; i++) {
    const { data, request, result } = context.completions[i];
    bytes.set(data, i * EVENT_BYTES);
    set64(view, i * EVENT_BYTES + 8, request);
    set64(view, i * EVENT_BYTES + 16, result);
  }
  storeBytes(t, address, bytes);
  context.completions.splice(0, taken);
  return taken;
}

/** Nothing is ever under way, so there is nothing to cancel. */
export function ioCancel(t: Task, id: number, request: number): number {
  const key = viewOf(fetchBytes(t, request + 8, 4)).getUint32(0, true);
  if (key !== 0) return -EINVAL;
  t.process.aio.get(id);
  return -EINVAL;
}
