// POSIX message queues: named queues of prioritised messages, with notification (ipc/mqueue.c).
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { MQ_PRIO_MAX, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD } from "../../abi/ipc.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { NSIG, SI_MESGQ } from "../../abi/signal.ts";
import { MQUEUE_MAGIC, S_IFREG } from "../../abi/stat.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { CAP_SYS_RESOURCE, capable } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Process } from "../process.ts";
import { makeSigInfo } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import { Inode, PseudoFileSystem } from "../vfs/inode.ts";
import { MAY_READ, MAY_WRITE, requirePermission } from "../vfs/permissions.ts";
import { WaitQueue } from "../wait-queue.ts";
import { KernelFile } from "./anonymous-file.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { Packet } from "./socket-queue.ts";
import { fetchBytes, get64, set64, storeBytes, storeU32, timespecNs, viewOf } from "./user-memory.ts";

/** sizeof(struct mq_attr), sizeof(struct sigevent), NOTIFY_COOKIE_LEN. */
const MQ_ATTR_BYTES = 64;
const SIGEVENT_BYTES = 64;
const COOKIE_BYTES = 32;
const NOTIFY_WOKENUP = 1;
const NOTIFY_REMOVED = 2;
/** fs.mqueue.{msg_max,msgsize_max,queues_max} and their hard limits for CAP_SYS_RESOURCE. */
const MSG_MAX = 10;
const MSGSIZE_MAX = 8192;
const HARD_MSG_MAX = 65536;
const HARD_MSGSIZE_MAX = 16 << 20;
const QUEUES_MAX = 256;
const NAME_MAX = 255;

interface QueuedMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/** Who asked for mq_notify. */
interface Notification {
  readonly process: Process;
  readonly uid: number;
  readonly kind: number;
  readonly signal: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  readonly socket: NetlinkSocket | null;
  readonly cookie: Uint8Array | null;
}

export class QueueInode extends Inode {
  readonly maxMessages: number;
  readonly messageBytes: number;
  /** Highest priority first, oldest first within one. */
  readonly messages: QueuedMessage[] = [];
  byteCount = 0;
  notification: Notification | null = null;
  readonly receivers = new WaitQueue();
  readonly senders = new WaitQueue();
  /** mq_receive calls that sleep: a message for them is not announced. */
  readonly sleepingReceivers = new Set<QueueWait>();

  constructor(fs: PseudoFileSystem, mode: number, maxMessages: number, messageBytes: number) {
    super(fs, mode);
    this.maxMessages = maxMessages;
    this.messageBytes = messageBytes;
  }

  override get sizeBytes(): number {
    return 80;
  }
}

export class QueueNamespace {
  readonly queues = new Map<string, QueueInode>();
  fs: PseudoFileSystem | null = null;
}

/** What a blocked mq_timedsend or mq_timedreceive keeps. */
class QueueWait {
  readonly task: Task;
  readonly deadlineNs: number;

  constructor(task: Task, deadlineNs: number) {
    this.task = task;
    this.deadlineNs = deadlineNs;
  }
}

export class QueueFile extends KernelFile {
  readonly queue: QueueInode;
  private readonly label: string;

  constructor(k: Kernel, queue: QueueInode, name: string, flags: number) {
    super(k, queue, null, flags);
    this.queue = queue;
    this.label = name;
  }

  override pseudoName(): string {
    return `/${this.label}`;
  }

  /** A descriptor of the registered process is closed: its registration ends (mqueue_flush_file). */
  override flushed(t: Task | null): void {
    const process = (t ?? this.kernel.scheduler.current)?.process;
    if (this.queue.notification !== null && this.queue.notification.process === process) removeNotification(this.queue);
  }

  /** mqueue_read_file. */
  override read(_t: Task, io: IoCursor, offset: number): number {
    const at = offset === -1 ? this.position : offset;
    const text = statusText(this.queue);
    if (at >= text.length) return 0;
    const count = Math.min(io.remaining, text.length - at);
    if (io.put(text, at, at + count) < count) return -E.EFAULT;
    if (offset === -1) this.position += count;
    return count;
  }

  override poll(): number {
    const { queue } = this;
    let mask = 0;
    if (queue.messages.length > 0) mask |= POLLIN | POLLRDNORM;
    if (queue.messages.length < queue.maxMessages) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.queue.receivers, this.queue.senders];
  }
}

function statusText(queue: QueueInode): Uint8Array {
  const { notification } = queue;
  const live = notification !== null && notification.process.state === "alive" ? notification : null;
  const fields = [
    `QSIZE:${String(queue.byteCount).padEnd(10)}`,
    `NOTIFY:${String(live?.kind ?? 0).padEnd(5)}`,
    `SIGNO:${String(live !== null && live.kind === SIGEV_SIGNAL ? live.signal : 0).padEnd(5)}`,
    `NOTIFY_PID:${String(live?.process.pid ?? 0).padEnd(6)}`,
  ];
  return Uint8Array.from(`${fields.join(" ")}\n`, (c) => c.charCodeAt(0));
}

function checkedName(bytes: Uint8Array): string {
  if (bytes.length === 0) throw errno(E.ENOENT);
  if (bytes.length > NAME_MAX) throw errno(E.ENAMETOOLONG);
  const name = decodeUtf8(bytes);
  if (name.includes("/") || name === "." || name === "..") throw errno(E.EACCES);
  return name;
}

/** do_mq_open. `attributes`: struct mq_attr bytes, or null for the defaults. */
export function openQueue(
  k: Kernel,
  t: Task,
  nameBytes: Uint8Array,
  flags: number,
  mode: number,
  attributes: Uint8Array | null,
): QueueFile {
  const name = checkedName(nameBytes);
  const { queues } = k.ipc.mqueues;
  let queue = queues.get(name);
  if (queue === undefined) {
    if ((flags & F.O_CREAT) === 0) throw errno(E.ENOENT);
    queue = createQueue(k, t, mode, attributes);
    queues.set(name, queue);
  } else {
    if ((flags & F.O_CREAT) !== 0 && (flags & F.O_EXCL) !== 0) throw errno(E.EEXIST);
    const access = flags & F.O_ACCMODE;
    if (access === F.O_ACCMODE) throw errno(E.EINVAL);
    const wanted = access === F.O_RDONLY ? MAY_READ : access === F.O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
    requirePermission(t, queue, wanted);
  }
  return new QueueFile(k, queue, name, flags & (F.O_ACCMODE | F.O_NONBLOCK));
}

function createQueue(k: Kernel, t: Task, mode: number, attributes: Uint8Array | null): QueueInode {
  const namespace = k.ipc.mqueues;
  const privileged = capable(t, CAP_SYS_RESOURCE);
  if (namespace.queues.size >= QUEUES_MAX && !privileged) throw errno(E.ENOSPC);
  let maxMessages = MSG_MAX;
  let messageBytes = MSGSIZE_MAX;
  if (attributes !== null) {
    maxMessages = get64(viewOf(attributes), 8);
    messageBytes = get64(viewOf(attributes), 16);
    const mostMessages = privileged ? HARD_MSG_MAX : MSG_MAX;
    const mostBytes = privileged ? HARD_MSGSIZE_MAX : MSGSIZE_MAX;
    if (maxMessages <= 0 || messageBytes <= 0 || maxMessages > mostMessages || messageBytes > mostBytes) {
      throw errno(E.EINVAL);
    }
  }
  namespace.fs ??= new PseudoFileSystem(k.vfs, "mqueue", MQUEUE_MAGIC);
  const queue = new QueueInode(namespace.fs, S_IFREG | (mode & 0o777 & ~t.fs.umask), maxMessages, messageBytes);
  queue.uid = t.credentials.fsuid;
  queue.gid = t.credentials.fsgid;
  queue.touchCreated();
  return queue;
}

/** mq_unlink. */
export function unlinkQueue(k: Kernel, t: Task, nameBytes: Uint8Array): number {
  const name = checkedName(nameBytes);
  const { queues } = k.ipc.mqueues;
  const queue = queues.get(name);
  if (queue === undefined) return -E.ENOENT;
  // The directory of queues is sticky.
  if (t.credentials.fsuid !== queue.uid && t.credentials.euid !== 0) return -E.EACCES;
  queues.delete(name);
  queue.dropLink();
  return 0;
}

function queueOf(t: Task, fd: number): QueueFile {
  const file = t.files.get(fd);
  if (!(file instanceof QueueFile)) throw errno(E.EBADF);
  return file;
}

/** The deadline of this call on the monotonic clock; timeouts are absolute wall-clock times. */
function waitOf(k: Kernel, t: Task, address: number): QueueWait {
  if (t.syscallState instanceof QueueWait) return t.syscallState;
  let deadline = Number.POSITIVE_INFINITY;
  if (address !== 0) {
    // Wall-clock times in nanoseconds do not fit a double: the two fields stay apart.
    const view = viewOf(fetchBytes(t, address, 16));
    timespecNs(get64(view, 0), get64(view, 8));
    deadline = k.clock.monotonicAt(get64(view, 0), get64(view, 8));
  }
  return new QueueWait(t, deadline);
}

/** mq_timedsend. */
export function sendMessage(
  k: Kernel,
  t: Task,
  fd: number,
  address: number,
  length: number,
  priority: number,
  timeoutAddress: number,
): number {
  if (priority >= MQ_PRIO_MAX) return -E.EINVAL;
  const wait = waitOf(k, t, timeoutAddress);
  const file = queueOf(t, fd);
  const { queue } = file;
  if (!file.writable) return -E.EBADF;
  if (length > queue.messageBytes || length < 0) return -E.EMSGSIZE;
  const bytes = fetchBytes(t, address, length);
  if (queue.messages.length >= queue.maxMessages) {
    if (file.nonBlocking) return -E.EAGAIN;
    if (t.timedOut || k.clock.monotonicNs() >= wait.deadlineNs) return -E.ETIMEDOUT;
    t.syscallState = wait;
    return t.block([queue.senders], { deadline: wait.deadlineNs });
  }
  const at = queue.messages.findIndex((message) => message.priority < priority);
  queue.messages.splice(at < 0 ? queue.messages.length : at, 0, { priority, bytes });
  queue.byteCount += length;
  queue.touchModified();
  if (queue.messages.length === 1 && !receiverSleeps(queue)) announce(k, t, queue);
  queue.receivers.wake();
  return 0;
}

function receiverSleeps(queue: QueueInode): boolean {
  for (const wait of queue.sleepingReceivers) {
    if (wait.task.isAlive && wait.task.syscallState === wait) return true;
    queue.sleepingReceivers.delete(wait);
  }
  return false;
}

/** mq_timedreceive. */
export function receiveMessage(
  k: Kernel,
  t: Task,
  fd: number,
  address: number,
  length: number,
  priorityAddress: number,
  timeoutAddress: number,
): number {
  const wait = waitOf(k, t, timeoutAddress);
  const file = queueOf(t, fd);
  const { queue } = file;
  if (!file.readable) return -E.EBADF;
  if (length < queue.messageBytes) return -E.EMSGSIZE;
  queue.sleepingReceivers.delete(wait);
  const message = queue.messages.shift();
  if (message === undefined) {
    if (file.nonBlocking) return -E.EAGAIN;
    if (t.timedOut || k.clock.monotonicNs() >= wait.deadlineNs) return -E.ETIMEDOUT;
    t.syscallState = wait;
    queue.sleepingReceivers.add(wait);
    return t.block([queue.receivers], { deadline: wait.deadlineNs });
  }
  queue.byteCount -= message.bytes.length;
  queue.touchAccessed();
  queue.senders.wake();
  if (priorityAddress !== 0) storeU32(t, priorityAddress, message.priority);
  storeBytes(t, address, message.bytes);
  return message.bytes.length;
}

/** __do_notify: the registration is used up. */
function announce(k: Kernel, t: Task, queue: QueueInode): void {
  const { notification } = queue;
  if (notification === null) return;
  queue.notification = null;
  if (notification.kind === SIGEV_THREAD) {
    deliverCookie(notification, NOTIFY_WOKENUP);
  } else if (notification.kind === SIGEV_SIGNAL && notification.process.state === "alive") {
    const info = makeSigInfo(notification.signal, SI_MESGQ);
    info.pid = t.process.pid;
    info.uid = t.credentials.uid;
    info.valueLow = notification.valueLow;
    info.valueHigh = notification.valueHigh;
    k.sendSignal(notification.process, info);
  }
}

function deliverCookie(notification: Notification, code: number): void {
  const { socket, cookie } = notification;
  if (socket === null || cookie === null) return;
  cookie[COOKIE_BYTES - 1] = code;
  if (socket.referenceCount > 1) {
    socket.received.push(new Packet(cookie));
    socket.readQueue.wake();
  }
  socket.release();
}

function removeNotification(queue: QueueInode): void {
  const { notification } = queue;
  queue.notification = null;
  if (notification?.kind === SIGEV_THREAD) deliverCookie(notification, NOTIFY_REMOVED);
}

/** mq_notify. `address` 0: unregister. */
export function notifyQueue(t: Task, fd: number, address: number): number {
  if (address === 0) {
    const { queue } = queueOf(t, fd);
    if (queue.notification?.process === t.process) removeNotification(queue);
    return 0;
  }
  const view = viewOf(fetchBytes(t, address, SIGEVENT_BYTES));
  const signal = view.getInt32(8, true);
  const kind = view.getInt32(12, true);
  if (kind !== SIGEV_SIGNAL && kind !== SIGEV_NONE && kind !== SIGEV_THREAD) return -E.EINVAL;
  if (kind === SIGEV_SIGNAL && (signal < 0 || signal > NSIG)) return -E.EINVAL;
  let cookie: Uint8Array | null = null;
  let socket: NetlinkSocket | null = null;
  if (kind === SIGEV_THREAD) {
    cookie = fetchBytes(t, get64(view, 0), COOKIE_BYTES);
    const file = t.files.get(signal);
    if (!(file instanceof NetlinkSocket)) return -E.EINVAL;
    socket = file;
  }
  const { queue } = queueOf(t, fd);
  if (queue.notification !== null && queue.notification.process.state === "alive") return -E.EBUSY;
  socket?.acquire();
  queue.notification = {
    process: t.process,
    uid: t.credentials.uid,
    kind,
    signal,
    valueLow: view.getInt32(0, true),
    valueHigh: view.getInt32(4, true),
    socket,
    cookie,
  };
  return 0;
}

/** mq_getsetattr. Only O_NONBLOCK can be set. */
export function queueAttributes(t: Task, fd: number, newAddress: number, oldAddress: number): number {
  const fresh = newAddress === 0 ? null : viewOf(fetchBytes(t, newAddress, MQ_ATTR_BYTES));
  if (fresh !== null && (get64(fresh, 0) & ~F.O_NONBLOCK) !== 0) return -E.EINVAL;
  const file = queueOf(t, fd);
  if (oldAddress !== 0) {
    const bytes = new Uint8Array(MQ_ATTR_BYTES);
    const view = viewOf(bytes);
    set64(view, 0, file.flags & F.O_NONBLOCK);
    set64(view, 8, file.queue.maxMessages);
    set64(view, 16, file.queue.messageBytes);
    set64(view, 24, file.queue.messages.length);
    storeBytes(t, oldAddress, bytes);
  }
  if (fresh !== null) file.flags = (file.flags & ~F.O_NONBLOCK) | (get64(fresh, 0) & F.O_NONBLOCK);
  return 0;
}

/** The attributes given to mq_open, or null. */
export function fetchQueueAttributes(t: Task, address: number): Uint8Array | null {
  return address === 0 ? null : fetchBytes(t, address, MQ_ATTR_BYTES);
}
