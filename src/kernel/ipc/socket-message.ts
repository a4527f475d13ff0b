// struct msghdr and control messages between guest memory and the sockets: SCM_RIGHTS, SCM_CREDENTIALS, packet info.
import * as E from "../../abi/errno.ts";
import * as S from "../../abi/socket.ts";
import { UserCursor } from "../../mm/io-cursor.ts";
import { CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, capable } from "../credentials.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { InetSocket } from "./inet-socket.ts";
import { LOOPBACK_INDEX } from "./netlink-route.ts";
import { type Incoming, type Outgoing, SocketFile } from "./socket.ts";
import { decodeInet, hostBytes } from "./socket-address.ts";
import type { SocketCredentials } from "./socket-queue.ts";
import {
  fetchBytes,
  fetchIoVectors,
  get64,
  getUnsigned64,
  type IoVector,
  set64,
  storeBytes,
  storeU32,
  viewOf,
} from "./user-memory.ts";

/** sizeof(struct user_msghdr), sizeof(struct mmsghdr), sizeof(struct cmsghdr). */
export const MSGHDR_BYTES = 56;
export const MMSGHDR_BYTES = 64;
const CMSG_BYTES = 16;
/** sizeof(struct sockaddr_storage): the longest address that is looked at. */
const ADDRESS_BYTES = 128;
/** sizeof(struct ucred). */
const UCRED_BYTES = 12;
/** net.core.optmem_max. */
const MAX_CONTROL_BYTES = 131072;

/** A user_msghdr as it lies in guest memory. */
export class MessageHeader {
  readonly address: number;
  readonly nameAddress: number;
  readonly nameLength: number;
  readonly vectors: IoVector[];
  readonly controlAddress: number;
  readonly controlLength: number;

  constructor(t: Task, address: number) {
    this.address = address;
    const view = viewOf(fetchBytes(t, address, MSGHDR_BYTES));
    this.nameAddress = getUnsigned64(view, 0);
    const length = view.getInt32(8, true);
    if (length < 0) throw errno(E.EINVAL);
    this.nameLength = this.nameAddress === 0 ? 0 : Math.min(length, ADDRESS_BYTES);
    const count = getUnsigned64(view, 24);
    this.vectors = fetchIoVectors(t, getUnsigned64(view, 16), count > 1024 ? 1025 : count, E.EMSGSIZE);
    this.controlAddress = getUnsigned64(view, 32);
    this.controlLength = get64(view, 40);
  }

  /** A cursor over the buffers behind their first `done` bytes. */
  cursor(t: Task, done: number): UserCursor {
    return new UserCursor(t.space, advance(this.vectors, done));
  }

  storeResult(t: Task, nameLength: number, controlLength: number, flags: number): void {
    if (this.nameAddress !== 0 || nameLength === 0) storeU32(t, this.address + 8, nameLength);
    const bytes = new Uint8Array(8);
    set64(viewOf(bytes), 0, controlLength);
    storeBytes(t, this.address + 40, bytes);
    storeU32(t, this.address + 48, flags);
  }
}

function advance(vectors: IoVector[], done: number): IoVector[] {
  if (done === 0) return vectors;
  const rest: IoVector[] = [];
  let skip = done;
  for (const { base, length } of vectors) {
    const passed = Math.min(skip, length);
    skip -= passed;
    if (length > passed) rest.push({ base: base + passed, length: length - passed });
  }
  return rest;
}

/** move_addr_to_kernel: the address bytes; EINVAL for an impossible length. */
export function fetchAddress(t: Task, address: number, length: number): Uint8Array {
  if (length < 0 || length > ADDRESS_BYTES) throw errno(E.EINVAL);
  return fetchBytes(t, address, length);
}

/** move_addr_to_user: as much as fits, and the true length. */
export function storeAddress(t: Task, bytes: Uint8Array, address: number, lengthAddress: number): void {
  const room = viewOf(fetchBytes(t, lengthAddress, 4)).getInt32(0, true);
  if (room < 0) throw errno(E.EINVAL);
  storeBytes(t, address, bytes.subarray(0, Math.min(room, bytes.length)));
  storeU32(t, lengthAddress, bytes.length);
}

/** What a sendmsg carries beside its bytes (__scm_send). References to files are taken; releaseRights() gives them back. */
export function fetchControl(t: Task, socket: SocketFile, header: MessageHeader, message: Outgoing): void {
  const { controlAddress, controlLength } = header;
  if (controlLength === 0 || controlAddress === 0) return;
  if (controlLength > MAX_CONTROL_BYTES || controlLength < 0) throw errno(E.ENOBUFS);
  const bytes = fetchBytes(t, controlAddress, controlLength);
  const view = viewOf(bytes);
  let at = 0;
  while (at + CMSG_BYTES <= bytes.length) {
    const length = getUnsigned64(view, at);
    if (length < CMSG_BYTES || at + length > bytes.length) {
      releaseRights(message);
      throw errno(E.EINVAL);
    }
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    if (level === S.SOL_SOCKET) takeControl(t, socket, type, bytes.subarray(at + CMSG_BYTES, at + length), message);
    at += Math.ceil(length / 8) * 8;
  }
}

function takeControl(t: Task, socket: SocketFile, type: number, data: Uint8Array, message: Outgoing): void {
  if (socket.family !== S.AF_UNIX) {
    if (type === S.SCM_RIGHTS || type === S.SCM_CREDENTIALS) return;
    throw errno(E.EINVAL);
  }
  if (type === S.SCM_RIGHTS) {
    message.rights = fetchRights(t, data, message);
  } else if (type === S.SCM_CREDENTIALS) {
    if (data.length !== UCRED_BYTES) refuse(message, E.EINVAL);
    message.credentials = checkedCredentials(t, viewOf(data), message);
  } else {
    refuse(message, E.EINVAL);
  }
}

function refuse(message: Outgoing, error: number): never {
  releaseRights(message);
  throw errno(error);
}

function fetchRights(t: Task, data: Uint8Array, message: Outgoing): OpenFile[] | null {
  const count = Math.floor(data.length / 4);
  const rights = message.rights ?? [];
  message.rights = rights;
  if (rights.length + count > S.SCM_MAX_FD) refuse(message, E.EINVAL);
  const view = viewOf(data);
  for (let i = 0; i < count; i++) {
    const file = t.files.find(view.getInt32(i * 4, true));
    if (file === undefined) refuse(message, E.EBADF);
    file.acquire();
    rights.push(file);
  }
  return rights.length > 0 ? rights : null;
}

/** scm_check_creds: only what the sender is, unless it is privileged. */
function checkedCredentials(t: Task, view: DataView, message: Outgoing): SocketCredentials {
  const pid = view.getInt32(0, true);
  const uid = view.getUint32(4, true);
  const gid = view.getUint32(8, true);
  const { credentials } = t;
  const pidOk = pid === t.process.pid || capable(t, CAP_SYS_ADMIN);
  const uidOk =
    uid === credentials.uid || uid === credentials.euid || uid === credentials.suid || capable(t, CAP_SETUID);
  const gidOk =
    gid === credentials.gid || gid === credentials.egid || gid === credentials.sgid || capable(t, CAP_SETGID);
  if (!pidOk || !uidOk || !gidOk) refuse(message, E.EPERM);
  if (pid !== t.process.pid && !t.kernel.processes.has(pid)) refuse(message, E.ESRCH);
  return { pid, uid, gid };
}

/** Gives back references that the socket did not take over. */
export function releaseRights(message: Outgoing): void {
  if (message.rights !== null) for (const file of message.rights) file.release();
  message.rights = null;
}

/** Collects control messages into the receiver's buffer (put_cmsg, scm_detach_fds). */
class ControlWriter {
  private readonly t: Task;
  private at: number;
  private left: number;
  truncated = false;

  constructor(t: Task, address: number, room: number) {
    this.t = t;
    this.at = address;
    this.left = address === 0 ? 0 : room;
  }

  put(level: number, type: number, data: Uint8Array): void {
    if (this.left < CMSG_BYTES) {
      this.truncated = true;
      return;
    }
    let length = CMSG_BYTES + data.length;
    if (this.left < length) {
      this.truncated = true;
      length = this.left;
    }
    const bytes = new Uint8Array(length);
    const view = viewOf(bytes);
    set64(view, 0, length);
    view.setInt32(8, level, true);
    view.setInt32(12, type, true);
    bytes.set(data.subarray(0, length - CMSG_BYTES), CMSG_BYTES);
    storeBytes(this.t, this.at, bytes);
    const space = Math.min(Math.ceil(length / 8) * 8, this.left);
    this.at += space;
    this.left -= space;
  }

  putRights(files: OpenFile[], cloexec: boolean): void {
    const room = this.left < CMSG_BYTES ? 0 : Math.floor((this.left - CMSG_BYTES) / 4);
    const fds: number[] = [];
    while (fds.length < Math.min(room, files.length)) {
      try {
        this.t.files.reserve();
      } catch {
        break;
      }
      fds.push(this.t.files.install(files[fds.length], { cloexec }));
    }
    for (const file of files.slice(fds.length)) file.release();
    const whole = fds.length === files.length;
    if (fds.length > 0) {
      const data = new Uint8Array(fds.length * 4);
      const view = viewOf(data);
      for (let i = 0; i < fds.length; i++) view.setInt32(i * 4, fds[i], true);
      this.put(S.SOL_SOCKET, S.SCM_RIGHTS, data);
    }
    if (!whole) this.truncated = true;
  }

  /** Bytes written so far, from `start`. */
  used(start: number): number {
    return this.at - start;
  }
}

/** Stores what a receive found into the header: address, control messages, flags. */
export function storeReceived(t: Task, socket: SocketFile, header: MessageHeader, found: Incoming): void {
  const writer = new ControlWriter(t, header.controlAddress, header.controlLength);
  if (socket.passCredentials && found.credentials !== null) {
    const { pid, uid, gid } = found.credentials;
    const data = new Uint8Array(UCRED_BYTES);
    const view = viewOf(data);
    view.setInt32(0, pid, true);
    view.setUint32(4, uid, true);
    view.setUint32(8, gid, true);
    writer.put(S.SOL_SOCKET, S.SCM_CREDENTIALS, data);
  }
  if (found.rights !== null) writer.putRights(found.rights, (found.flags & S.MSG_CMSG_CLOEXEC) !== 0);
  if (found.destination !== null && socket instanceof InetSocket && socket.wantsPacketInfo) {
    putPacketInfo(writer, socket, found.destination);
  }
  let nameLength = 0;
  if (found.address !== null && header.nameAddress !== 0) {
    nameLength = found.address.length;
    storeBytes(t, header.nameAddress, found.address.subarray(0, Math.min(header.nameLength, nameLength)));
  }
  const flags = found.resultFlags | (writer.truncated ? S.MSG_CTRUNC : 0) | (found.flags & S.MSG_CMSG_CLOEXEC);
  header.storeResult(t, nameLength, writer.used(header.controlAddress), flags);
}

/** struct in_pktinfo and in6_pktinfo. */
function putPacketInfo(writer: ControlWriter, socket: InetSocket, destination: Uint8Array): void {
  const host = hostBytes(decodeInet(destination, socket.family), socket.family);
  if (socket.family === S.AF_INET) {
    const data = new Uint8Array(12);
    viewOf(data).setInt32(0, LOOPBACK_INDEX, true);
    data.set(host, 4);
    data.set(host, 8);
    writer.put(S.IPPROTO_IP, S.IP_PKTINFO, data);
    return;
  }
  const data = new Uint8Array(20);
  data.set(host, 0);
  viewOf(data).setInt32(16, LOOPBACK_INDEX, true);
  writer.put(S.IPPROTO_IPV6, S.IPV6_PKTINFO, data);
}

/** The socket of a descriptor: EBADF or ENOTSOCK. */
export function socketOf(t: Task, fd: number): SocketFile {
  const file = t.files.get(fd);
  if (!(file instanceof SocketFile)) throw errno(E.ENOTSOCK);
  return file;
}
