// System V message queues: typed messages and every msgctl command (ipc/msg.c).
import { E2BIG, EACCES, EAGAIN, EFAULT, EIDRM, EINVAL, ENOMSG, EPERM, ERESTARTNOHAND } from "../../abi/errno.ts";
import * as C from "../../abi/ipc.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { IpcPermissions, IpcTable, realtimeSeconds } from "./sysv-common.ts";
import { fetchBytes, get64, getUnsigned64, set64, storeBytes, viewOf } from "./user-memory.ts";

/** sizeof(struct msqid64_ds) and sizeof(struct msginfo). */
const MSQID_DS_BYTES = 120;
const MSGINFO_BYTES = 32;
const WRITE_BITS = 0o222;
const READ_BITS = 0o444;

interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
}

export class MessageQueue extends IpcPermissions {
  messages: Message[] = [];
  byteCount = 0;
  byteLimit = C.MSGMNB;
  sendTime = 0;
  receiveTime = 0;
  changeTime = 0;
  lastSender = 0;
  lastReceiver = 0;
  readonly senders = new WaitQueue();
  readonly receivers = new WaitQueue();
}

export class MessageSystem {
  readonly table = new IpcTable<MessageQueue>(C.MSGMNI);
}

export function msgget(k: Kernel, t: Task, key: number, flags: number): number {
  return k.ipc.msg.table.obtain(
    t,
    key,
    flags,
    () => {
      const queue = new MessageQueue(t, key, flags);
      queue.changeTime = realtimeSeconds(k);
      return queue;
    },
    () => {},
  );
}

/** The queue of a call, also when it blocked before: then a removed queue answers EIDRM, not EINVAL. */
function queueOf(k: Kernel, t: Task, id: number): MessageQueue {
  const before = t.syscallState as MessageQueue | undefined;
  if (before?.removed === true) throw errno(EIDRM);
  return before ?? k.ipc.msg.table.get(id);
}

export function msgsnd(k: Kernel, t: Task, id: number, address: number, size: number, flags: number): number {
  const type = get64(viewOf(fetchBytes(t, address, 8)), 0);
  if (size > C.MSGMAX || size < 0 || id < 0 || type < 1) return -EINVAL;
  const bytes = fetchBytes(t, address + 8, size);
  const queue = queueOf(k, t, id);
  if (!queue.allows(t, WRITE_BITS)) return -EACCES;
  if (queue.byteCount + size > queue.byteLimit || queue.messages.length + 1 > queue.byteLimit) {
    if ((flags & C.IPC_NOWAIT) !== 0) return -EAGAIN;
    t.syscallState = queue;
    return t.block([queue.senders], { interrupted: -ERESTARTNOHAND });
  }
  queue.messages.push({ type, bytes });
  queue.byteCount += size;
  queue.lastSender = t.process.pid;
  queue.sendTime = realtimeSeconds(k);
  queue.receivers.wake();
  return 0;
}

/** find_msg: the message that msgrcv's type argument chooses, as an index; -1: none. */
function findMessage(queue: MessageQueue, type: number, flags: number): number {
  if ((flags & C.MSG_COPY) !== 0) return type >= 0 && type < queue.messages.length ? type : -1;
  if (type === 0) return queue.messages.length > 0 ? 0 : -1;
  if (type > 0) {
    const except = (flags & C.MSG_EXCEPT) !== 0;
    return queue.messages.findIndex((message) => (message.type === type) !== except);
  }
  let best = -1;
  for (let i = 0; i < queue.messages.length; i++) {
    const candidate = queue.messages[i].type;
    if (candidate <= -type && (best < 0 || candidate < queue.messages[best].type)) best = i;
  }
  return best;
}

export function msgrcv(
  k: Kernel,
  t: Task,
  id: number,
  address: number,
  size: number,
  type: number,
  flags: number,
): number {
  if (id < 0 || size < 0) return -EINVAL;
  const copy = (flags & C.MSG_COPY) !== 0;
  if (copy && ((flags & C.MSG_EXCEPT) !== 0 || (flags & C.IPC_NOWAIT) === 0)) return -EINVAL;
  const queue = queueOf(k, t, id);
  if (!queue.allows(t, READ_BITS)) return -EACCES;
  const index = findMessage(queue, type, flags);
  if (index < 0) {
    if ((flags & C.IPC_NOWAIT) !== 0) return -ENOMSG;
    t.syscallState = queue;
    return t.block([queue.receivers], { interrupted: -ERESTARTNOHAND });
  }
  const message = queue.messages[index];
  if (message.bytes.length > size && (flags & C.MSG_NOERROR) === 0) return -E2BIG;
  if (!copy) {
    queue.messages.splice(index, 1);
    queue.byteCount -= message.bytes.length;
    queue.lastReceiver = t.process.pid;
    queue.receiveTime = realtimeSeconds(k);
    queue.senders.wake();
  }
  const count = Math.min(size, message.bytes.length);
  const result = new Uint8Array(8 + count);
  set64(viewOf(result), 0, message.type);
  result.set(message.bytes.subarray(0, count), 8);
  // As in Linux the message is gone even where the caller's buffer is not there.
  if (t.space.copyOut(address, result) !== result.length) return -EFAULT;
  return count;
}

export function msgctl(k: Kernel, t: Task, id: number, command: number, address: number): number {
  const { table } = k.ipc.msg;
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case C.IPC_INFO:
    case C.MSG_INFO:
      storeBytes(t, address, encodeInfo(k, command));
      return table.highestIndex;
    case C.IPC_STAT:
    case C.MSG_STAT:
    case C.MSG_STAT_ANY: {
      const queue = command === C.IPC_STAT ? table.get(id) : table.getByIndex(id);
      if (command !== C.MSG_STAT_ANY) queue.check(t, READ_BITS);
      storeBytes(t, address, encodeQueue(queue));
      return command === C.IPC_STAT ? 0 : queue.id;
    }
    case C.IPC_SET: {
      const update = viewOf(fetchBytes(t, address, MSQID_DS_BYTES));
      const queue = table.get(id);
      queue.checkOwner(t);
      const limit = getUnsigned64(update, 88);
      if (limit > C.MSGMNB && t.credentials.euid !== 0) return -EPERM;
      queue.update(update);
      queue.byteLimit = limit;
      queue.changeTime = realtimeSeconds(k);
      // Receivers look at their permissions again, senders at the new limit.
      queue.receivers.wake();
      queue.senders.wake();
      return 0;
    }
    case C.IPC_RMID: {
      const queue = table.get(id);
      queue.checkOwner(t);
      table.remove(queue);
      queue.senders.wake();
      queue.receivers.wake();
      return 0;
    }
    default:
      return -EINVAL;
  }
}

function encodeQueue(queue: MessageQueue): Uint8Array {
  const bytes = new Uint8Array(MSQID_DS_BYTES);
  const view = viewOf(bytes);
  queue.encode(view);
  set64(view, 48, queue.sendTime);
  set64(view, 56, queue.receiveTime);
  set64(view, 64, queue.changeTime);
  set64(view, 72, queue.byteCount);
  set64(view, 80, queue.messages.length);
  set64(view, 88, queue.byteLimit);
  view.setInt32(96, queue.lastSender, true);
  view.setInt32(100, queue.lastReceiver, true);
  return bytes;
}

/** struct msginfo: msgpool msgmap msgmax msgmnb msgmni msgssz msgtql msgseg. */
function encodeInfo(k: Kernel, command: number): Uint8Array {
  const { table } = k.ipc.msg;
  const bytes = new Uint8Array(MSGINFO_BYTES);
  const view = viewOf(bytes);
  let messages = 0;
  let total = 0;
  for (const queue of table.entries.values()) {
    messages += queue.messages.length;
    total += queue.byteCount;
  }
  const live = command === C.MSG_INFO;
  view.setInt32(0, live ? table.size : (C.MSGMNI * C.MSGMNB) / 1024, true);
  view.setInt32(4, live ? messages : C.MSGMNB, true);
  view.setInt32(8, C.MSGMAX, true);
  view.setInt32(12, C.MSGMNB, true);
  view.setInt32(16, C.MSGMNI, true);
  view.setInt32(20, 16, true);
  view.setInt32(24, live ? total : C.MSGMNB, true);
  view.setUint16(28, 0xffff, true);
  return bytes;
}

/** /proc/sysvipc/msg. */
export function formatMessageQueues(k: Kernel): string {
  let text =
    "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";
  for (const queue of k.ipc.msg.table.entries.values()) {
    const row = [
      [queue.key, 10],
      [queue.id, 10],
      [queue.mode.toString(8), 5],
      [queue.byteCount, 11],
      [queue.messages.length, 10],
      [queue.lastSender, 5],
      [queue.lastReceiver, 5],
      [queue.uid, 5],
      [queue.gid, 5],
      [queue.creatorUid, 5],
      [queue.creatorGid, 5],
      [queue.sendTime, 10],
      [queue.receiveTime, 10],
      [queue.changeTime, 10],
    ] as const;
    text += `${row.map(([value, width]) => String(value).padStart(width)).join(" ")}\n`;
  }
  return text;
}
