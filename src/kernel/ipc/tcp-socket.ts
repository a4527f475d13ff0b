// TCP between processes of the guest: connection states, backlog, orderly close and reset as programs see them. There are
// no segments: sent bytes go straight into the peer's receive queue (net/ipv4/tcp.c for what each call answers).
import * as E from "../../abi/errno.ts";
import * as P from "../../abi/poll.ts";
import * as S from "../../abi/socket.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { InetSocket } from "./inet-socket.ts";
import type { PortTable } from "./port-table.ts";
import type { Incoming, Outgoing, SocketFile } from "./socket.ts";
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./socket.ts";
import { decodeInet, familyOf, InetAddress } from "./socket-address.ts";
import { blockTransfer, transferOf } from "./transfer.ts";
import { viewOf } from "./user-memory.ts";

const MAX_BACKLOG = 4096;
/** net.ipv4.tcp_wmem and tcp_rmem defaults, and how far auto-tuning lets a connection grow here. */
const DEFAULT_SEND_BYTES = 16384;
const DEFAULT_RECEIVE_BYTES = 131072;
const TUNED_BYTES = 524288;

/** enum of net/tcp_states.h, for TCP_INFO and /proc/net/tcp. */
const TCP_STATES = { connected: 1, connecting: 2, closed: 7, closeWait: 8, listening: 10 } as const;
const TCP_INFO_BYTES = 248;

type State = "closed" | "listening" | "connecting" | "connected";

export class TcpSocket extends InetSocket {
  state: State = "closed";
  private peer: TcpSocket | null = null;
  private backlog = 0;
  private pending: TcpSocket[] = [];
  /** Connecting sockets that the full backlog keeps out (their SYN is lost and repeated). */
  private knocking: TcpSocket[] = [];
  private listener: TcpSocket | null = null;
  /** A non-blocking connect succeeded and the caller has not been told by a second connect(). */
  private connectUnreported = false;
  private buffersSet = false;

  constructor(k: Kernel, family: number, ownerUid: number) {
    super(k, family, S.SOCK_STREAM, S.IPPROTO_TCP, ownerUid);
    this.sendBufferBytes = DEFAULT_SEND_BYTES;
    this.receiveBufferBytes = DEFAULT_RECEIVE_BYTES;
  }

  protected override get ports(): PortTable<InetSocket> {
    return this.kernel.ipc.inet.tcp;
  }

  override get listening(): boolean {
    return this.state === "listening";
  }

  /** inet_csk_bind_conflict. */
  protected override maySharePort(other: InetSocket): boolean {
    if (this.reusePort && other.reusePort && this.ownerUid === other.ownerUid) return true;
    return this.reuseAddress && other.reuseAddress && !other.listening && this.state !== "listening";
  }

  override listen(_t: Task, backlog: number): number {
    if (this.state !== "closed" && this.state !== "listening") return -E.EINVAL;
    if (this.local.port === 0) {
      const claimed = this.claim(this.local.host, 0, false);
      if (claimed < 0) return claimed;
    }
    if (this.state === "closed") {
      // Sockets may share a port while none listens; only one may then start to.
      for (const other of this.ports.at(this.local.port)) {
        const shares = this.reusePort && other.reusePort;
        if (other !== this && other.listening && !shares && other.local.host === this.local.host) return -E.EADDRINUSE;
      }
    }
    this.backlog = Math.min(backlog >>> 0, MAX_BACKLOG);
    this.state = "listening";
    this.shutdownState = 0;
    return 0;
  }

  private findListener(destination: InetAddress): TcpSocket | null {
    let best: TcpSocket | null = null;
    for (const socket of this.ports.at(destination.port)) {
      const candidate = socket as TcpSocket;
      if (candidate.state !== "listening" || !candidate.matches(destination)) continue;
      if (best === null || (best.local.isAny && !candidate.local.isAny)) best = candidate;
    }
    return best;
  }

  /** __inet_stream_connect. */
  override connect(t: Task, bytes: Uint8Array): number {
    if (transferOf(t) !== undefined) return this.finishConnect(t);
    if (familyOf(bytes) === S.AF_UNSPEC) {
      this.disconnect();
      return 0;
    }
    const given = decodeInet(bytes, this.family);
    switch (this.state) {
      case "connected":
        if (!this.connectUnreported) return -E.EISCONN;
        this.connectUnreported = false;
        return 0;
      case "listening":
        return -E.EISCONN;
      case "connecting":
        return this.nonBlocking ? -E.EALREADY : this.finishConnect(t);
    }
    if (this.error !== 0) return this.takeError();
    const destination = this.route(given);
    const host = this.sourceHost(destination);
    if (this.local.port === 0) {
      const claimed = this.claim(host, 0, false);
      if (claimed < 0) return claimed;
    } else {
      this.local = new InetAddress(host, this.local.port);
    }
    this.remote = destination;
    this.shutdownState = 0;
    return this.startConnect(t, destination);
  }

  private startConnect(t: Task, destination: InetAddress): number {
    const listener = this.findListener(destination);
    this.state = "connecting";
    if (listener === null) {
      this.refuse();
      return this.nonBlocking ? -E.EINPROGRESS : this.takeError();
    }
    if (listener.pending.length > listener.backlog) {
      listener.knocking.push(this);
      this.listener = listener;
      return this.nonBlocking ? -E.EINPROGRESS : this.finishConnect(t);
    }
    listener.admit(this);
    if (!this.nonBlocking) return 0;
    // As on Linux, where the handshake is only seen once the call has let go of the socket.
    this.connectUnreported = true;
    return -E.EINPROGRESS;
  }

  private finishConnect(t: Task): number {
    if (this.state === "connecting") {
      if (t.timedOut) return -E.EINPROGRESS;
      return blockTransfer(this.kernel, t, [this.writeQueue], 0, this.sendTimeoutNs);
    }
    this.connectUnreported = false;
    if (this.state === "connected") return 0;
    return this.error !== 0 ? this.takeError() : -E.ECONNABORTED;
  }

  private refuse(): void {
    this.error = E.ECONNREFUSED;
    this.state = "closed";
    this.remote = null;
    this.shutdownState = SHUTDOWN_BOTH;
    if (!this.portLocked) {
      this.leave();
      this.local = new InetAddress(this.anyHost, 0);
    }
    this.wakeAll();
  }

  /** The handshake: a new socket in this listener's queue, joined to `client`. */
  private admit(client: TcpSocket): void {
    const server = new TcpSocket(this.kernel, this.family, this.ownerUid);
    server.inherit(this);
    server.local = client.remote!;
    server.remote = client.local;
    server.state = client.state = "connected";
    server.peer = client;
    client.peer = server;
    client.listener = null;
    server.enter();
    this.pending.push(server);
    this.readQueue.wake();
    client.wakeAll();
  }

  private inherit(listener: TcpSocket): void {
    this.sendBufferBytes = listener.sendBufferBytes;
    this.receiveBufferBytes = listener.receiveBufferBytes;
    this.buffersSet = listener.buffersSet;
    this.reuseAddress = listener.reuseAddress;
    this.reusePort = listener.reusePort;
    this.v6Only = listener.v6Only;
    this.lingerOn = listener.lingerOn;
    this.lingerSeconds = listener.lingerSeconds;
    this.receiveTimeoutNs = listener.receiveTimeoutNs;
    this.sendTimeoutNs = listener.sendTimeoutNs;
    this.inheritRemembered(listener);
  }

  override accept(t: Task): SocketFile | number {
    if (this.state !== "listening") return -E.EINVAL;
    const next = this.pending.shift();
    if (next === undefined) {
      if (this.nonBlocking || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    const waiting = this.knocking.shift();
    if (waiting !== undefined) this.admit(waiting);
    return next;
  }

  /** How many sent bytes may wait at the receiver. */
  private get window(): number {
    return this.buffersSet ? this.sendBufferBytes + (this.peer?.receiveBufferBytes ?? 0) : TUNED_BYTES;
  }

  override setOption(t: Task, level: number, name: number, value: Uint8Array): number {
    if (level === S.SOL_SOCKET && (name === S.SO_SNDBUF || name === S.SO_RCVBUF)) this.buffersSet = true;
    if (level === S.IPPROTO_TCP && name === S.TCP_CONGESTION) return 0;
    return super.setOption(t, level, name, value);
  }

  override getOption(t: Task, level: number, name: number): Uint8Array {
    if (level === S.IPPROTO_TCP && name === S.TCP_INFO) return this.tcpInfo();
    if (level === S.IPPROTO_TCP && name === S.TCP_CONGESTION) return Uint8Array.from("cubic\0", (c) => c.charCodeAt(0));
    return super.getOption(t, level, name);
  }

  /** The number of the current state in /proc/net/tcp and TCP_INFO. */
  get stateNumber(): number {
    if (this.state === "connected" && (this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return TCP_STATES.closeWait;
    return TCP_STATES[this.state];
  }

  private tcpInfo(): Uint8Array {
    const bytes = new Uint8Array(TCP_INFO_BYTES);
    const view = viewOf(bytes);
    bytes[0] = this.stateNumber;
    view.setUint32(8, 200000, true); // tcpi_rto, microseconds
    view.setUint32(16, 65483, true); // tcpi_snd_mss
    view.setUint32(20, 65483, true); // tcpi_rcv_mss
    if (this.state === "listening") {
      view.setUint32(24, this.pending.length, true);
      view.setUint32(28, this.backlog, true);
    }
    return bytes;
  }

  /** tcp_sendmsg. */
  override send(t: Task, io: IoCursor, message: Outgoing): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    let { done } = message;
    while (io.remaining > 0) {
      if (this.error !== 0 && done === 0) return this.failedSend(t, message.flags);
      if ((this.shutdownState & SHUTDOWN_SEND) !== 0 || this.error !== 0) {
        return done > 0 ? done : this.brokenPipe(t, message.flags);
      }
      if (this.state === "connecting") {
        if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
        return blockTransfer(this.kernel, t, [this.writeQueue], 0, this.sendTimeoutNs);
      }
      if (this.state !== "connected") return this.brokenPipe(t, message.flags);
      const { peer } = this;
      if (peer === null) return done + this.sendIntoTheVoid(io);
      const room = this.window - this.inFlightBytes;
      if (room <= 0) {
        if (this.dontWait(message.flags) || t.timedOut) return done > 0 ? done : -E.EAGAIN;
        return blockTransfer(this.kernel, t, [this.writeQueue], done, this.sendTimeoutNs);
      }
      const moved = peer.received.pushStream(io, room, null, null, this);
      if (moved < 0) return done > 0 ? done : -E.EFAULT;
      done += moved;
      peer.readQueue.wake();
    }
    return done;
  }

  private failedSend(t: Task, flags: number): number {
    const error = this.takeError();
    return error === -E.EPIPE ? this.brokenPipe(t, flags) : error;
  }

  /** The peer has closed: these bytes are accepted, and answered by a reset that the next call sees. */
  private sendIntoTheVoid(io: IoCursor): number {
    const length = io.remaining;
    this.error = (this.shutdownState & SHUTDOWN_RECEIVE) !== 0 ? E.EPIPE : E.ECONNRESET;
    this.shutdownState = SHUTDOWN_BOTH;
    this.wakeAll();
    return length;
  }

  /** tcp_recvmsg. */
  override receive(t: Task, io: IoCursor, message: Incoming): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EINVAL;
    if (this.state === "listening") return -E.ENOTCONN;
    const peek = (message.flags & S.MSG_PEEK) !== 0;
    const wanted = io.remaining;
    const target = (message.flags & S.MSG_WAITALL) !== 0 ? wanted : Math.min(this.receiveLowWater, wanted);
    let { done } = message;
    if (!this.received.empty && wanted > 0) {
      const moved = this.received.readStream(io, peek, 0, false, message);
      message.address = null;
      if (moved < 0) return done > 0 ? done : -E.EFAULT;
      done += moved;
      if (moved >= target || io.remaining === 0 || peek) return done;
    }
    if (done > 0 && (this.error !== 0 || (this.shutdownState & SHUTDOWN_RECEIVE) !== 0)) return done;
    // The end of the stream is told again and again; an error once.
    if (this.error !== 0 && !(this.error === E.EPIPE && (this.shutdownState & SHUTDOWN_RECEIVE) !== 0)) {
      return this.takeError();
    }
    if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return done;
    if (this.state === "closed") return -E.ENOTCONN;
    if (wanted === 0) return done;
    if (this.dontWait(message.flags) || t.timedOut) return done > 0 ? done : -E.EAGAIN;
    return blockTransfer(this.kernel, t, [this.readQueue], done, this.receiveTimeoutNs);
  }

  /** tcp_poll. */
  override poll(): number {
    if (this.state === "listening") return this.pending.length > 0 ? P.POLLIN | P.POLLRDNORM : 0;
    let mask = this.error !== 0 ? P.POLLERR : 0;
    if (this.shutdownState === SHUTDOWN_BOTH || this.state === "closed") mask |= P.POLLHUP;
    if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) mask |= P.POLLIN | P.POLLRDNORM | P.POLLRDHUP;
    if (this.state === "connecting") return mask;
    if (this.received.byteCount >= this.receiveLowWater) mask |= P.POLLIN | P.POLLRDNORM;
    const free = this.window - this.inFlightBytes;
    const sendable = (this.shutdownState & SHUTDOWN_SEND) !== 0 || free * 2 >= this.inFlightBytes;
    if (sendable) mask |= P.POLLOUT | P.POLLWRNORM;
    return mask;
  }

  override shutdown(how: number): number {
    if (how < 0 || how > 2) return -E.EINVAL;
    const mode = how + 1;
    if (this.state === "closed") {
      // inet_shutdown notes it all the same, to wake whoever polls for a hang-up.
      this.shutdownState |= mode;
      this.wakeAll();
      return -E.ENOTCONN;
    }
    if (this.state === "listening") {
      if ((mode & SHUTDOWN_RECEIVE) !== 0) this.stopListening();
      return 0;
    }
    if (this.state === "connecting") {
      this.disconnect();
      return 0;
    }
    const sendsEnd = (mode & SHUTDOWN_SEND) !== 0 && (this.shutdownState & SHUTDOWN_SEND) === 0;
    this.shutdownState |= mode;
    if (sendsEnd) this.peer?.endReceived();
    this.wakeAll();
    return 0;
  }

  /** FIN from the peer. */
  private endReceived(): void {
    this.shutdownState |= SHUTDOWN_RECEIVE;
    this.wakeAll();
  }

  /** RST from the peer. */
  private resetReceived(): void {
    this.peer = null;
    this.error = (this.shutdownState & SHUTDOWN_RECEIVE) !== 0 ? E.EPIPE : E.ECONNRESET;
    this.shutdownState = SHUTDOWN_BOTH;
    this.inFlightBytes = 0;
    this.wakeAll();
  }

  private wakeAll(): void {
    this.readQueue.wake();
    this.writeQueue.wake();
  }

  private stopListening(): void {
    const { pending, knocking } = this;
    this.pending = [];
    this.knocking = [];
    this.state = "closed";
    for (const connection of pending) {
      connection.abort();
      connection.release();
    }
    for (const client of knocking) client.refuse();
    this.wakeAll();
  }

  /** Closes with a reset. */
  private abort(): void {
    const { peer } = this;
    this.peer = null;
    peer?.resetReceived();
  }

  /** tcp_disconnect: connect() with AF_UNSPEC. */
  private disconnect(): void {
    if (this.state === "listening") this.stopListening();
    if (this.listener !== null) {
      this.listener.knocking = this.listener.knocking.filter((socket) => socket !== this);
      this.listener = null;
    }
    this.abort();
    this.state = "closed";
    this.remote = null;
    this.error = 0;
    this.shutdownState = 0;
    this.received.clear();
    if (!this.portLocked) {
      this.leave();
      this.local = new InetAddress(this.anyHost, 0);
    }
    this.wakeAll();
  }

  /** tcp_close: unread data or a zero linger time make it a reset, else an orderly end. */
  protected override closed(): void {
    if (this.state === "listening") this.stopListening();
    if (this.listener !== null) this.disconnect();
    const { peer } = this;
    if (peer !== null) {
      if (!this.received.empty || (this.lingerOn && this.lingerSeconds === 0)) {
        this.abort();
      } else {
        this.peer = null;
        peer.peer = null;
        peer.endReceived();
      }
    }
    this.received.clear();
    this.state = "closed";
    super.closed();
  }
}
