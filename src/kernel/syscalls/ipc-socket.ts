// System calls on sockets: argument checks, descriptors, message headers. What sockets do is in ipc/ (net/socket.c).
import * as E from "../../abi/errno.ts";
import { O_NONBLOCK } from "../../abi/fcntl.ts";
import * as S from "../../abi/socket.ts";
import { UserCursor } from "../../mm/io-cursor.ts";
import { NetlinkSocket } from "../ipc/netlink-socket.ts";
import { Incoming, type Outgoing, type SocketFile } from "../ipc/socket.ts";
import {
  fetchAddress,
  fetchControl,
  MessageHeader,
  MMSGHDR_BYTES,
  MSGHDR_BYTES,
  releaseRights,
  socketOf,
  storeAddress,
  storeReceived,
} from "../ipc/socket-message.ts";
import { TcpSocket } from "../ipc/tcp-socket.ts";
import { transferOf } from "../ipc/transfer.ts";
import { UdpSocket } from "../ipc/udp-socket.ts";
import { UnixDatagram } from "../ipc/unix-datagram.ts";
import { UnixStream } from "../ipc/unix-stream.ts";
import {
  fetchBytes,
  fetchI32,
  fetchTimespecNs,
  MAX_TRANSFER_BYTES,
  storeBytes,
  storeU32,
  viewOf,
} from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { errno, LinuxError } from "../linux-error.ts";
import { BLOCKED, type Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const NPROTO = 46;
const SOCK_MAX = 11;
const SOCK_FLAGS = S.SOCK_NONBLOCK | S.SOCK_CLOEXEC;
const MAX_OPTION_BYTES = 65536;

function makeSocket(k: Kernel, t: Task, family: number, type: number, protocol: number): SocketFile {
  if (family < 0 || family >= NPROTO) throw errno(E.EAFNOSUPPORT);
  if (type < 0 || type >= SOCK_MAX) throw errno(E.EINVAL);
  switch (family) {
    case S.AF_UNIX:
      if (protocol !== 0 && protocol !== S.AF_UNIX) throw errno(E.EPROTONOSUPPORT);
      if (type === S.SOCK_STREAM || type === S.SOCK_SEQPACKET) return new UnixStream(k, type);
      if (type === S.SOCK_DGRAM || type === S.SOCK_RAW) return new UnixDatagram(k, S.SOCK_DGRAM);
      throw errno(E.ESOCKTNOSUPPORT);
    case S.AF_INET:
    case S.AF_INET6:
      return makeInetSocket(k, t, family, type, protocol);
    case S.AF_NETLINK:
      if (type !== S.SOCK_RAW && type !== S.SOCK_DGRAM) throw errno(E.ESOCKTNOSUPPORT);
      if (protocol !== S.NETLINK_ROUTE) throw errno(E.EPROTONOSUPPORT);
      return new NetlinkSocket(k, type);
    default:
      throw errno(E.EAFNOSUPPORT);
  }
}

function makeInetSocket(k: Kernel, t: Task, family: number, type: number, protocol: number): SocketFile {
  const uid = t.credentials.euid;
  if (type === S.SOCK_STREAM) {
    if (protocol !== 0 && protocol !== S.IPPROTO_TCP) throw errno(E.EPROTONOSUPPORT);
    return new TcpSocket(k, family, uid);
  }
  if (type === S.SOCK_DGRAM) {
    if (protocol === S.IPPROTO_ICMP) throw errno(E.EACCES);
    if (protocol !== 0 && protocol !== S.IPPROTO_UDP) throw errno(E.EPROTONOSUPPORT);
    return new UdpSocket(k, family, uid);
  }
  if (type === S.SOCK_RAW) throw errno(protocol === 0 ? E.EPROTONOSUPPORT : E.EPERM);
  throw errno(E.ESOCKTNOSUPPORT);
}

function installSocket(t: Task, socket: SocketFile, flags: number): number {
  if ((flags & S.SOCK_NONBLOCK) !== 0) socket.flags |= O_NONBLOCK;
  return t.files.install(socket, { cloexec: (flags & S.SOCK_CLOEXEC) !== 0 });
}

function socket(k: Kernel, t: Task, family: number, type: number, protocol: number): number {
  const flags = type & ~S.SOCK_TYPE_MASK;
  if ((flags & ~SOCK_FLAGS) !== 0) return -E.EINVAL;
  return installSocket(t, makeSocket(k, t, family | 0, type & S.SOCK_TYPE_MASK, protocol | 0), flags);
}

function socketpair(k: Kernel, t: Task, family: number, type: number, protocol: number, address: number): number {
  const flags = type & ~S.SOCK_TYPE_MASK;
  const kind = type & S.SOCK_TYPE_MASK;
  if ((flags & ~SOCK_FLAGS) !== 0) return -E.EINVAL;
  if (family !== S.AF_UNIX) {
    makeSocket(k, t, family | 0, kind, protocol | 0).release();
    return -E.EOPNOTSUPP;
  }
  if (protocol !== 0 && protocol !== S.AF_UNIX) return -E.EPROTONOSUPPORT;
  const stream = kind === S.SOCK_STREAM || kind === S.SOCK_SEQPACKET;
  if (!stream && kind !== S.SOCK_DGRAM && kind !== S.SOCK_RAW) return -E.ESOCKTNOSUPPORT;
  t.files.reserve(2);
  const [a, b] = stream ? UnixStream.pair(k, t, kind) : UnixDatagram.pair(k, t);
  const bytes = new Uint8Array(8);
  const first = installSocket(t, a, flags);
  const second = installSocket(t, b, flags);
  viewOf(bytes).setInt32(0, first, true);
  viewOf(bytes).setInt32(4, second, true);
  if (t.space.copyOut(address, bytes) === 8) return 0;
  t.files.close(first);
  t.files.close(second);
  return -E.EFAULT;
}

function accept(t: Task, fd: number, address: number, lengthAddress: number, flags: number): number {
  if ((flags & ~SOCK_FLAGS) !== 0) return -E.EINVAL;
  const listener = socketOf(t, fd);
  t.files.reserve();
  const connection = listener.accept(t);
  if (typeof connection === "number") return connection;
  if (address !== 0) {
    try {
      storeAddress(t, acceptedName(connection), address, lengthAddress);
    } catch (error) {
      connection.release();
      throw error;
    }
  }
  return installSocket(t, connection, flags);
}

/** The peer may have closed already: then accept still succeeds, and the name is what the family gives for nobody. */
function acceptedName(connection: SocketFile): Uint8Array {
  try {
    return connection.peerAddress();
  } catch (error) {
    if (error instanceof LinuxError) return connection.localAddress();
    throw error;
  }
}

function sendTo(
  t: Task,
  fd: number,
  buffer: number,
  length: number,
  flags: number,
  address: number,
  addressLength: number,
): number {
  const target = socketOf(t, fd);
  const to = address === 0 ? null : fetchAddress(t, address, addressLength);
  const done = transferOf(t)?.done ?? 0;
  const size = Math.min(length < 0 ? MAX_TRANSFER_BYTES : length, MAX_TRANSFER_BYTES);
  const io = new UserCursor(t.space, [{ base: buffer + done, length: size - done }]);
  return target.send(t, io, { flags, address: to, rights: null, credentials: null, done });
}

function receiveFrom(
  t: Task,
  fd: number,
  buffer: number,
  length: number,
  flags: number,
  address: number,
  lengthAddress: number,
): number {
  const source = socketOf(t, fd);
  const message = new Incoming(flags);
  message.done = transferOf(t)?.done ?? 0;
  const size = Math.min(length < 0 ? MAX_TRANSFER_BYTES : length, MAX_TRANSFER_BYTES);
  const io = new UserCursor(t.space, [{ base: buffer + message.done, length: size - message.done }]);
  const result = source.receive(t, io, message);
  if (message.rights !== null) for (const file of message.rights) file.release();
  if (result < 0) return result;
  if (address !== 0) {
    if (message.address !== null) storeAddress(t, message.address, address, lengthAddress);
    else storeU32(t, lengthAddress, 0);
  }
  return result;
}

function sendMessage(t: Task, target: SocketFile, address: number, flags: number): number {
  const header = new MessageHeader(t, address);
  const done = transferOf(t)?.done ?? 0;
  const message: Outgoing = { flags, address: null, rights: null, credentials: null, done };
  if (header.nameLength > 0) message.address = fetchBytes(t, header.nameAddress, header.nameLength);
  fetchControl(t, target, header, message);
  try {
    return target.send(t, header.cursor(t, done), message);
  } finally {
    releaseRights(message);
  }
}

function receiveMessage(t: Task, source: SocketFile, address: number, flags: number): number {
  const header = new MessageHeader(t, address);
  const message = new Incoming(flags);
  message.done = transferOf(t)?.done ?? 0;
  const result = source.receive(t, header.cursor(t, message.done), message);
  if (result >= 0) storeReceived(t, source, header, message);
  return result;
}

/** What sendmmsg and recvmmsg keep between tries: messages done, the state of the one in progress, and the limit. */
class MultipleState {
  index = 0;
  inner: unknown = undefined;
  deadlineNs = Number.POSITIVE_INFINITY;
}

function multipleState(k: Kernel, t: Task, timeoutAddress: number): MultipleState {
  if (t.syscallState instanceof MultipleState) return t.syscallState;
  const state = new MultipleState();
  if (timeoutAddress !== 0) state.deadlineNs = k.clock.monotonicNs() + fetchTimespecNs(t, timeoutAddress);
  return state;
}

/** One message of several; on BLOCKED the states are nested so that the retry goes on with this very message. */
function step(t: Task, state: MultipleState, run: () => number): number {
  t.syscallState = state.inner;
  let result: number;
  try {
    result = run();
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    result = -error.errno;
  }
  if (result === BLOCKED) {
    state.inner = t.syscallState;
    t.syscallState = state;
    if (state.index > 0) t.waitInterrupted = state.index;
  } else {
    state.inner = undefined;
  }
  return result;
}

function sendMultiple(k: Kernel, t: Task, fd: number, address: number, count: number, flags: number): number {
  const target = socketOf(t, fd);
  const state = multipleState(k, t, 0);
  const limit = Math.min(count >>> 0, 1024);
  while (state.index < limit) {
    const at = address + state.index * MMSGHDR_BYTES;
    const result = step(t, state, () => sendMessage(t, target, at, flags));
    if (result === BLOCKED) return BLOCKED;
    if (result < 0) return state.index > 0 ? state.index : result;
    storeU32(t, at + MSGHDR_BYTES, result);
    state.index++;
  }
  return state.index;
}

function receiveMultiple(
  k: Kernel,
  t: Task,
  fd: number,
  address: number,
  count: number,
  flags: number,
  timeoutAddress: number,
): number {
  const source = socketOf(t, fd);
  const state = multipleState(k, t, timeoutAddress);
  if (source.error !== 0 && state.index === 0) return source.takeError();
  while (state.index < count >>> 0) {
    const at = address + state.index * MMSGHDR_BYTES;
    const noWait = state.index > 0 && (flags & S.MSG_WAITFORONE) !== 0 ? S.MSG_DONTWAIT : 0;
    const result = step(t, state, () => receiveMessage(t, source, at, (flags & ~S.MSG_WAITFORONE) | noWait));
    if (result === BLOCKED) return BLOCKED;
    if (result < 0) {
      if (state.index === 0) return result;
      // The error is told by the next call, as Linux does.
      if (result !== -E.EAGAIN) source.error = -result;
      return state.index;
    }
    storeU32(t, at + MSGHDR_BYTES, result);
    state.index++;
    if (k.clock.monotonicNs() >= state.deadlineNs) break;
  }
  return state.index;
}

function getOption(t: Task, fd: number, level: number, name: number, address: number, lengthAddress: number): number {
  const target = socketOf(t, fd);
  const room = fetchI32(t, lengthAddress);
  if (room < 0) return -E.EINVAL;
  const value = target.getOption(t, level, name);
  const length = Math.min(room, value.length);
  storeBytes(t, address, value.subarray(0, length));
  storeU32(t, lengthAddress, length);
  return 0;
}

export const socketSyscalls = defineSyscalls({
  socket: {
    args: "domain:int type:flags protocol:int",
    partly: "AF_UNIX, AF_INET and AF_INET6 (TCP, UDP over lo), AF_NETLINK route; no raw or packet sockets",
    run: (k, t, family, type, protocol) => socket(k, t, family | 0, type | 0, protocol | 0),
  },
  socketpair: {
    args: "domain:int type:flags protocol:int pair:ptr",
    run: (k, t, family, type, protocol, address) => socketpair(k, t, family | 0, type | 0, protocol | 0, address),
  },
  bind: {
    args: "fd:fd address:ptr length:int",
    run: (_k, t, fd, address, length) => {
      const target = socketOf(t, fd | 0);
      return target.bind(t, fetchAddress(t, address, length | 0));
    },
  },
  listen: {
    args: "fd:fd backlog:int",
    run: (_k, t, fd, backlog) => socketOf(t, fd | 0).listen(t, backlog | 0),
  },
  accept: {
    args: "fd:fd address:ptr length:ptr",
    run: (_k, t, fd, address, length) => accept(t, fd | 0, address, length, 0),
  },
  accept4: {
    args: "fd:fd address:ptr length:ptr flags:flags",
    run: (_k, t, fd, address, length, flags) => accept(t, fd | 0, address, length, flags | 0),
  },
  connect: {
    args: "fd:fd address:ptr length:int",
    partly: "no route leads out of the guest: ENETUNREACH",
    run: (_k, t, fd, address, length) => {
      const target = socketOf(t, fd | 0);
      const bytes = fetchAddress(t, address, length | 0);
      if (bytes.length < 2) return -E.EINVAL;
      return target.connect(t, bytes);
    },
  },
  getsockname: {
    args: "fd:fd address:ptr length:ptr",
    run: (_k, t, fd, address, length) => {
      storeAddress(t, socketOf(t, fd | 0).localAddress(), address, length);
      return 0;
    },
  },
  getpeername: {
    args: "fd:fd address:ptr length:ptr",
    run: (_k, t, fd, address, length) => {
      storeAddress(t, socketOf(t, fd | 0).peerAddress(), address, length);
      return 0;
    },
  },
  sendto: {
    args: "fd:fd buffer:buf length:int flags:flags address:ptr addressLength:int",
    run: (_k, t, fd, buffer, length, flags, address, size) =>
      sendTo(t, fd | 0, buffer, length, flags | 0, address, size | 0),
  },
  recvfrom: {
    args: "fd:fd buffer:ptr length:int flags:flags address:ptr addressLength:ptr",
    run: (_k, t, fd, buffer, length, flags, address, size) =>
      receiveFrom(t, fd | 0, buffer, length, flags | 0, address, size),
  },
  sendmsg: {
    args: "fd:fd message:ptr flags:flags",
    run: (_k, t, fd, address, flags) => sendMessage(t, socketOf(t, fd | 0), address, flags | 0),
  },
  recvmsg: {
    args: "fd:fd message:ptr flags:flags",
    run: (_k, t, fd, address, flags) => receiveMessage(t, socketOf(t, fd | 0), address, flags | 0),
  },
  sendmmsg: {
    args: "fd:fd messages:ptr count:int flags:flags",
    run: (k, t, fd, address, count, flags) => sendMultiple(k, t, fd | 0, address, count, flags | 0),
  },
  recvmmsg: {
    args: "fd:fd messages:ptr count:int flags:flags timeout:ptr",
    run: (k, t, fd, address, count, flags, timeout) =>
      receiveMultiple(k, t, fd | 0, address, count, flags | 0, timeout),
  },
  shutdown: {
    args: "fd:fd how:int",
    run: (_k, t, fd, how) => socketOf(t, fd | 0).shutdown(how | 0),
  },
  setsockopt: {
    args: "fd:fd level:int name:int value:ptr length:int",
    run: (_k, t, fd, level, name, address, length) => {
      const target = socketOf(t, fd | 0);
      if ((length | 0) < 0) return -E.EINVAL;
      const value = fetchBytes(t, address, Math.min(length | 0, MAX_OPTION_BYTES));
      return target.setOption(t, level | 0, name | 0, value);
    },
  },
  getsockopt: {
    args: "fd:fd level:int name:int value:ptr length:ptr",
    run: (_k, t, fd, level, name, address, length) => getOption(t, fd | 0, level | 0, name | 0, address, length),
  },
});
