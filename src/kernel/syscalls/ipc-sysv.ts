// System calls of System V shared memory, semaphores and message queues, and of POSIX message queues. The work is in ipc/.
import { ENAMETOOLONG } from "../../abi/errno.ts";
import { O_CLOEXEC } from "../../abi/fcntl.ts";
import {
  fetchQueueAttributes,
  notifyQueue,
  openQueue,
  queueAttributes,
  receiveMessage,
  sendMessage,
  unlinkQueue,
} from "../ipc/posix-mq.ts";
import { msgctl, msgget, msgrcv, msgsnd } from "../ipc/sysv-msg.ts";
import { semctl, semget, semop } from "../ipc/sysv-sem.ts";
import { shmat, shmctl, shmdt, shmget } from "../ipc/sysv-shm.ts";
import { fetchString } from "../ipc/user-memory.ts";
import { defineSyscalls } from "./registry.ts";

const PATH_MAX = 4096;

export const sysvSyscalls = defineSyscalls({
  shmget: {
    args: "key:hex size:int flags:flags",
    partly: "SHM_HUGETLB: ENOMEM",
    run: (k, t, key, size, flags) => shmget(k, t, key | 0, size < 0 ? Number.POSITIVE_INFINITY : size, flags | 0),
  },
  shmat: {
    args: "id:int address:ptr flags:flags",
    run: (k, t, id, address, flags) => shmat(k, t, id | 0, address, flags | 0),
  },
  shmdt: { args: "address:ptr", run: (k, t, address) => shmdt(k, t, address) },
  shmctl: {
    args: "id:int command:int buffer:ptr",
    partly: "SHM_LOCK marks the segment and does not pin its pages",
    run: (k, t, id, command, address) => shmctl(k, t, id | 0, command & ~0x100, address),
  },
  semget: {
    args: "key:hex count:int flags:flags",
    run: (k, t, key, count, flags) => semget(k, t, key | 0, count | 0, flags | 0),
  },
  semop: {
    args: "id:int operations:ptr count:int",
    run: (k, t, id, operations, count) => semop(k, t, id | 0, operations, count >>> 0, 0),
  },
  semtimedop: {
    args: "id:int operations:ptr count:int timeout:ptr",
    run: (k, t, id, operations, count, timeout) => semop(k, t, id | 0, operations, count >>> 0, timeout),
  },
  semctl: {
    args: "id:int semaphore:int command:int argument:hex",
    run: (k, t, id, semaphore, command, argument) => semctl(k, t, id | 0, semaphore | 0, command & ~0x100, argument),
  },
  msgget: { args: "key:hex flags:flags", run: (k, t, key, flags) => msgget(k, t, key | 0, flags | 0) },
  msgsnd: {
    args: "id:int message:ptr size:int flags:flags",
    run: (k, t, id, address, size, flags) => msgsnd(k, t, id | 0, address, size, flags | 0),
  },
  msgrcv: {
    args: "id:int message:ptr size:int type:int flags:flags",
    run: (k, t, id, address, size, type, flags) => msgrcv(k, t, id | 0, address, size, type, flags | 0),
  },
  msgctl: {
    args: "id:int command:int buffer:ptr",
    run: (k, t, id, command, address) => msgctl(k, t, id | 0, command & ~0x100, address),
  },
  mq_open: {
    args: "name:str flags:flags mode:int attributes:ptr",
    run: (k, t, nameAddress, flags, mode, attributes) => {
      const name = fetchString(t, nameAddress, PATH_MAX, ENAMETOOLONG);
      t.files.reserve();
      const file = openQueue(k, t, name, flags | 0, mode | 0, fetchQueueAttributes(t, attributes));
      return t.files.install(file, { cloexec: (flags & O_CLOEXEC) !== 0 });
    },
  },
  mq_unlink: {
    args: "name:str",
    run: (k, t, nameAddress) => unlinkQueue(k, t, fetchString(t, nameAddress, PATH_MAX, ENAMETOOLONG)),
  },
  mq_timedsend: {
    args: "fd:fd message:ptr length:int priority:int timeout:ptr",
    run: (k, t, fd, address, length, priority, timeout) =>
      sendMessage(k, t, fd | 0, address, length, priority >>> 0, timeout),
  },
  mq_timedreceive: {
    args: "fd:fd message:ptr length:int priority:ptr timeout:ptr",
    run: (k, t, fd, address, length, priority, timeout) =>
      receiveMessage(k, t, fd | 0, address, length, priority, timeout),
  },
  mq_notify: { args: "fd:fd event:ptr", run: (_k, t, fd, event) => notifyQueue(t, fd | 0, event) },
  mq_getsetattr: {
    args: "fd:fd new:ptr old:ptr",
    run: (_k, t, fd, fresh, old) => queueAttributes(t, fd | 0, fresh, old),
  },
});
