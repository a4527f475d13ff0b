// What every socket has whatever its family: options, pending error, shutdown state, timeouts, and read/write by way of
// receive/send. Addresses, connections and delivery are in the subclasses (net/socket.c, net/core/sock.c).
import * as E from "../../abi/errno.ts";
import { O_RDWR } from "../../abi/fcntl.ts";
import { POLLOUT, POLLWRBAND, POLLWRNORM } from "../../abi/poll.ts";
import { SIGPIPE } from "../../abi/signal.ts";
import * as S from "../../abi/socket.ts";
import { SIOCATMARK } from "../../abi/socket.ts";
import { FIONREAD, TIOCOUTQ } from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { WaitQueue } from "../wait-queue.ts";
import { createSocketInode, KernelFile } from "./anonymous-file.ts";
import { interfaceIoctl } from "./socket-ioctl.ts";
import { Ancillary, type SendAccount, type SocketCredentials, SocketQueue } from "./socket-queue.ts";
import { skipTaken, transferOf } from "./transfer.ts";
import { get64, set64, storeU32, viewOf } from "./user-memory.ts";

/** net.core.[rw]mem_default and _max. */
const DEFAULT_BUFFER_BYTES = 212992;
const MAX_BUFFER_BYTES = 212992;
const SMALLEST_SEND_BYTES = 4608;
const SMALLEST_RECEIVE_BYTES = 2304;

/** Events that only the write queue announces. Hang-ups and errors wake both queues. */
const OUTPUT_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND;

export const SHUTDOWN_RECEIVE = 1;
export const SHUTDOWN_SEND = 2;
export const SHUTDOWN_BOTH = 3;

/** One send call. */
export interface Outgoing {
  flags: number;
  /** The destination as given, or null. */
  address: Uint8Array | null;
  /** References that the socket takes over when it returns >= 0 (or part of the data was sent). */
  rights: OpenFile[] | null;
  credentials: SocketCredentials | null;
  /** Bytes that earlier tries of this call have sent; the cursor stands behind them. */
  done: number;
}

/** One receive call, and what it found. */
export class Incoming extends Ancillary {
  flags: number;
  /** Bytes that earlier tries of this call have delivered (MSG_WAITALL); the cursor stands behind them. */
  done = 0;
  /** MSG_TRUNC, MSG_EOR as they come out in msg_flags. */
  resultFlags = 0;

  constructor(flags: number) {
    super();
    this.flags = flags;
  }
}

export abstract class SocketFile extends KernelFile implements SendAccount {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  readonly received = new SocketQueue();
  /** Bytes sent by this socket that nobody received yet (sk_wmem_alloc). */
  inFlightBytes = 0;
  /** Pending error, a positive errno: reported once (sk_err). */
  error = 0;
  shutdownState = 0;
  sendBufferBytes = DEFAULT_BUFFER_BYTES;
  receiveBufferBytes = DEFAULT_BUFFER_BYTES;
  receiveTimeoutNs = 0;
  sendTimeoutNs = 0;
  receiveLowWater = 1;
  lingerOn = false;
  lingerSeconds = 0;
  passCredentials = false;
  peekOffset = -1;
  reuseAddress = false;
  reusePort = false;
  /** Options that are remembered and change nothing here (SO_KEEPALIVE, TCP_NODELAY, IP_TOS, ...): "level:name" -> value. */
  private readonly remembered = new Map<string, number>();

  constructor(k: Kernel, family: number, type: number, protocol: number) {
    super(k, createSocketInode(k), null, O_RDWR);
    this.family = family;
    this.type = type;
    this.protocol = protocol;
  }

  override pseudoName(): string {
    return `socket:[${this.ino}]`;
  }

  abstract bind(t: Task, address: Uint8Array): number;
  /** getsockname and getpeername; the latter throws ENOTCONN. */
  abstract localAddress(): Uint8Array;
  abstract peerAddress(): Uint8Array;
  abstract connect(t: Task, address: Uint8Array): number;
  abstract send(t: Task, io: IoCursor, message: Outgoing): number;
  abstract receive(t: Task, io: IoCursor, message: Incoming): number;
  abstract shutdown(how: number): number;

  listen(_t: Task, _backlog: number): number {
    return -E.EOPNOTSUPP;
  }

  /** The next connection, or -errno or BLOCKED. */
  accept(_t: Task): SocketFile | number {
    return -E.EOPNOTSUPP;
  }

  get listening(): boolean {
    return false;
  }

  sendRoomGrew(): void {
    this.writeQueue.wake();
  }

  /** `events`: what the asker is interested in, so that epoll hears no edges it did not ask for. */
  override pollQueues(events = -1): readonly WaitQueue[] {
    const input = (events & ~OUTPUT_EVENTS) !== 0;
    if ((events & OUTPUT_EVENTS) === 0) return [this.readQueue];
    return input ? [this.readQueue, this.writeQueue] : [this.writeQueue];
  }

  /** sock_error(): the pending error as -errno, cleared; 0 when there is none. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return -error;
  }

  protected dontWait(flags: number): boolean {
    return (flags & S.MSG_DONTWAIT) !== 0 || this.nonBlocking;
  }

  /** EPIPE, with SIGPIPE unless MSG_NOSIGNAL. */
  protected brokenPipe(t: Task, flags: number): number {
    if ((flags & S.MSG_NOSIGNAL) === 0) this.kernel.sendSignal(t, kernelSignal(SIGPIPE));
    return -E.EPIPE;
  }

  override read(t: Task, io: IoCursor): number {
    return this.receive(t, io, new Incoming(0));
  }

  override write(t: Task, io: IoCursor): number {
    const done = transferOf(t)?.done ?? 0;
    if (!skipTaken(io, done)) return done;
    return this.send(t, io, { flags: 0, address: null, rights: null, credentials: null, done });
  }

  override ioctl(t: Task, command: number, argument: number): number {
    switch (command) {
      case FIONREAD:
        if (this.listening) return -E.EINVAL;
        storeU32(t, argument, this.nextReadBytes());
        return 0;
      case TIOCOUTQ:
        storeU32(t, argument, this.inFlightBytes);
        return 0;
      case SIOCATMARK:
        storeU32(t, argument, 0);
        return 0;
      default:
        return interfaceIoctl(t, command, argument);
    }
  }

  /** FIONREAD: all bytes of a stream, the next datagram of others. */
  protected nextReadBytes(): number {
    return this.type === S.SOCK_STREAM ? this.received.byteCount : (this.received.first?.length ?? 0);
  }

  /** sock_setsockopt for SOL_SOCKET; subclasses first look at their own levels. */
  setOption(t: Task, level: number, name: number, value: Uint8Array): number {
    if (level !== S.SOL_SOCKET) return this.remember(level, name, value);
    switch (name) {
      case S.SO_RCVTIMEO_OLD:
      case S.SO_RCVTIMEO_NEW:
        this.receiveTimeoutNs = timeoutNs(value);
        return 0;
      case S.SO_SNDTIMEO_OLD:
      case S.SO_SNDTIMEO_NEW:
        this.sendTimeoutNs = timeoutNs(value);
        return 0;
      case S.SO_LINGER:
        if (value.length < 8) return -E.EINVAL;
        this.lingerOn = optionInt(value) !== 0;
        this.lingerSeconds = viewOf(value).getInt32(4, true);
        return 0;
      case S.SO_TYPE:
      case S.SO_PROTOCOL:
      case S.SO_DOMAIN:
      case S.SO_ERROR:
      case S.SO_ACCEPTCONN:
      case S.SO_PEERCRED:
      case S.SO_PEERNAME:
      case S.SO_PEERGROUPS:
        return -E.ENOPROTOOPT;
      case S.SO_BINDTODEVICE:
        return 0;
    }
    const number = optionInt(value);
    switch (name) {
      case S.SO_SNDBUF:
      case S.SO_SNDBUFFORCE:
        if (name === S.SO_SNDBUFFORCE && t.credentials.euid !== 0) return -E.EPERM;
        this.sendBufferBytes = bufferSize(number, SMALLEST_SEND_BYTES, name === S.SO_SNDBUFFORCE);
        this.writeQueue.wake();
        return 0;
      case S.SO_RCVBUF:
      case S.SO_RCVBUFFORCE:
        if (name === S.SO_RCVBUFFORCE && t.credentials.euid !== 0) return -E.EPERM;
        this.receiveBufferBytes = bufferSize(number, SMALLEST_RECEIVE_BYTES, name === S.SO_RCVBUFFORCE);
        return 0;
      case S.SO_RCVLOWAT:
        this.receiveLowWater = number === 0 ? 1 : number < 0 ? 0x7fffffff : number;
        return 0;
      case S.SO_REUSEADDR:
        this.reuseAddress = number !== 0;
        return 0;
      case S.SO_REUSEPORT:
        this.reusePort = number !== 0;
        return 0;
      case S.SO_PASSCRED:
        this.passCredentials = number !== 0;
        return 0;
      case S.SO_PEEK_OFF:
        if (this.family !== S.AF_UNIX) return -E.EOPNOTSUPP;
        this.peekOffset = number;
        return 0;
      default:
        return this.remember(level, name, value);
    }
  }

  private remember(level: number, name: number, value: Uint8Array): number {
    if (!KNOWN_OPTIONS.has(`${level}:${name}`)) return -E.ENOPROTOOPT;
    if (value.length < 1) return -E.EINVAL;
    this.remembered.set(`${level}:${name}`, value.length >= 4 ? optionInt(value) : value[0]);
    return 0;
  }

  /** An accepted connection starts with its listener's options. */
  protected inheritRemembered(from: SocketFile): void {
    for (const [key, value] of from.remembered) this.remembered.set(key, value);
  }

  protected rememberedOption(level: number, name: number): number {
    return this.remembered.get(`${level}:${name}`) ?? KNOWN_OPTIONS.get(`${level}:${name}`) ?? 0;
  }

  /** The option's bytes; throws ENOPROTOOPT. */
  getOption(_t: Task, level: number, name: number): Uint8Array {
    if (level === S.SOL_SOCKET) {
      const special = this.getSocketOption(name);
      if (special !== null) return special;
    }
    if (!KNOWN_OPTIONS.has(`${level}:${name}`)) throw errno(level === S.SOL_SOCKET ? E.ENOPROTOOPT : E.EOPNOTSUPP);
    return intBytes(this.rememberedOption(level, name));
  }

  private getSocketOption(name: number): Uint8Array | null {
    switch (name) {
      case S.SO_TYPE:
        return intBytes(this.type);
      case S.SO_PROTOCOL:
        return intBytes(this.protocol);
      case S.SO_DOMAIN:
        return intBytes(this.family);
      case S.SO_ERROR:
        return intBytes(-this.takeError());
      case S.SO_ACCEPTCONN:
        return intBytes(this.listening ? 1 : 0);
      case S.SO_SNDBUF:
        return intBytes(this.sendBufferBytes);
      case S.SO_RCVBUF:
        return intBytes(this.receiveBufferBytes);
      case S.SO_RCVLOWAT:
        return intBytes(this.receiveLowWater);
      case S.SO_SNDLOWAT:
        return intBytes(1);
      case S.SO_REUSEADDR:
        return intBytes(this.reuseAddress ? 1 : 0);
      case S.SO_REUSEPORT:
        return intBytes(this.reusePort ? 1 : 0);
      case S.SO_PASSCRED:
        return intBytes(this.passCredentials ? 1 : 0);
      case S.SO_PEEK_OFF:
        return intBytes(this.peekOffset);
      case S.SO_BINDTODEVICE:
        return new Uint8Array(0);
      case S.SO_COOKIE: {
        const cookie = new Uint8Array(8);
        set64(viewOf(cookie), 0, this.ino);
        return cookie;
      }
      case S.SO_LINGER: {
        const linger = new Uint8Array(8);
        viewOf(linger).setInt32(0, this.lingerOn ? 1 : 0, true);
        viewOf(linger).setInt32(4, this.lingerSeconds, true);
        return linger;
      }
      case S.SO_RCVTIMEO_OLD:
      case S.SO_RCVTIMEO_NEW:
        return timevalBytes(this.receiveTimeoutNs);
      case S.SO_SNDTIMEO_OLD:
      case S.SO_SNDTIMEO_NEW:
        return timevalBytes(this.sendTimeoutNs);
      case S.SO_PEERCRED:
        return credentialBytes({ pid: 0, uid: -1, gid: -1 });
      default:
        return null;
    }
  }
}

export function optionInt(value: Uint8Array): number {
  if (value.length < 4) throw errno(E.EINVAL);
  return viewOf(value).getInt32(0, true);
}

export function intBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setInt32(0, value, true);
  return bytes;
}

export function credentialBytes(credentials: SocketCredentials): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = viewOf(bytes);
  view.setInt32(0, credentials.pid, true);
  view.setInt32(4, credentials.uid, true);
  view.setInt32(8, credentials.gid, true);
  return bytes;
}

/** The kernel doubles what was asked for, to pay for its own structures. */
function bufferSize(asked: number, smallest: number, force: boolean): number {
  const limited = force ? asked : Math.min(asked >>> 0, MAX_BUFFER_BYTES);
  return Math.max(limited * 2, smallest);
}

/** struct timeval to ns (sock_set_timeout): 0 means none, negative seconds mean "at once" as good as none. */
function timeoutNs(value: Uint8Array): number {
  if (value.length < 16) throw errno(E.EINVAL);
  const view = viewOf(value);
  const seconds = get64(view, 0);
  const microseconds = get64(view, 8);
  if (microseconds < 0 || microseconds >= 1e6) throw errno(E.EDOM);
  return seconds < 0 ? 0 : Math.min(seconds * 1e9 + microseconds * 1e3, 2 ** 62);
}

function timevalBytes(ns: number): Uint8Array {
  const bytes = new Uint8Array(16);
  set64(viewOf(bytes), 0, Math.floor(ns / 1e9));
  set64(viewOf(bytes), 8, Math.floor((ns % 1e9) / 1e3));
  return bytes;
}

/** Options that are stored and given back, with their defaults. */
const KNOWN_OPTIONS = new Map<string, number>([
  ...[S.SO_DEBUG, S.SO_DONTROUTE, S.SO_BROADCAST, S.SO_KEEPALIVE, S.SO_OOBINLINE, S.SO_NO_CHECK, S.SO_PRIORITY].map(
    (name): [string, number] => [`${S.SOL_SOCKET}:${name}`, 0],
  ),
  ...[S.SO_TIMESTAMP_OLD, S.SO_TIMESTAMPNS_OLD, S.SO_MARK, S.SO_RXQ_OVFL, S.SO_BUSY_POLL, S.SO_INCOMING_CPU].map(
    (name): [string, number] => [`${S.SOL_SOCKET}:${name}`, 0],
  ),
  [`${S.IPPROTO_IP}:${S.IP_TOS}`, 0],
  [`${S.IPPROTO_IP}:${S.IP_TTL}`, 64],
  [`${S.IPPROTO_IP}:${S.IP_PKTINFO}`, 0],
  [`${S.IPPROTO_IP}:${S.IP_MTU_DISCOVER}`, 1],
  [`${S.IPPROTO_IP}:${S.IP_RECVERR}`, 0],
  [`${S.IPPROTO_IP}:${S.IP_BIND_ADDRESS_NO_PORT}`, 0],
  // IP_FREEBIND, IP_MULTICAST_IF/TTL/LOOP, IP_ADD/DROP_MEMBERSHIP, IP_RECVTTL, IP_RECVTOS
  ...[15, 32, 35, 36, 12, 13].map((name): [string, number] => [`${S.IPPROTO_IP}:${name}`, 0]),
  [`${S.IPPROTO_IP}:33`, 1],
  [`${S.IPPROTO_IP}:34`, 1],
  // IPV6_UNICAST_HOPS, MULTICAST_IF/HOPS/LOOP, ADD/DROP_MEMBERSHIP, RECVERR, RECVPKTINFO, RECVHOPLIMIT, TCLASS
  [`${S.IPPROTO_IPV6}:16`, 64],
  ...[17, 20, 21, 25, S.IPV6_RECVPKTINFO, 51, 66, 67].map((name): [string, number] => [`${S.IPPROTO_IPV6}:${name}`, 0]),
  [`${S.IPPROTO_IPV6}:18`, 1],
  [`${S.IPPROTO_IPV6}:19`, 1],
  [`${S.IPPROTO_IPV6}:23`, 1],
  [`${S.IPPROTO_TCP}:${S.TCP_NODELAY}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_MAXSEG}`, 536],
  [`${S.IPPROTO_TCP}:${S.TCP_CORK}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_KEEPIDLE}`, 7200],
  [`${S.IPPROTO_TCP}:${S.TCP_KEEPINTVL}`, 75],
  [`${S.IPPROTO_TCP}:${S.TCP_KEEPCNT}`, 9],
  [`${S.IPPROTO_TCP}:${S.TCP_SYNCNT}`, 6],
  [`${S.IPPROTO_TCP}:${S.TCP_LINGER2}`, 60],
  [`${S.IPPROTO_TCP}:${S.TCP_DEFER_ACCEPT}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_WINDOW_CLAMP}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_QUICKACK}`, 1],
  [`${S.IPPROTO_TCP}:${S.TCP_USER_TIMEOUT}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_FASTOPEN}`, 0],
  [`${S.IPPROTO_TCP}:${S.TCP_NOTSENT_LOWAT}`, 0],
]);
