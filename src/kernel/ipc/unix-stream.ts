// Connected Unix sockets: SOCK_STREAM and SOCK_SEQPACKET. Listening, connecting, accepting, and moving bytes or records.
import * as E from "../../abi/errno.ts";
import * as S from "../../abi/socket.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import type { Incoming, Outgoing, SocketFile } from "./socket.ts";
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./socket.ts";
import { Packet } from "./socket-queue.ts";
import { blockTransfer } from "./transfer.ts";
import { effectiveCredentialsOf, filesArrived, filesSent, UnixSocket } from "./unix-socket.ts";

/** net.core.somaxconn. */
const MAX_BACKLOG = 4096;

export class UnixStream extends UnixSocket {
  private state: "closed" | "listening" | "connected" = "closed";
  private backlog = 0;
  /** Connections made and not accepted, oldest first. */
  private pending: UnixStream[] = [];
  /** Connecting tasks wait here for room in the backlog. */
  private readonly backlogQueue = new WaitQueue();
  override isUnaccepted = false;

  override get unaccepted(): readonly UnixStream[] {
    return this.pending;
  }

  override get listening(): boolean {
    return this.state === "listening";
  }

  protected override get hasInput(): boolean {
    return this.pending.length > 0 || !this.received.empty;
  }

  protected override get hasHungUp(): boolean {
    return this.state === "closed";
  }

  protected override get canSend(): boolean {
    return this.state !== "listening" && this.sendable;
  }

  /** socketpair(2). */
  static pair(k: Kernel, t: Task, type: number): [UnixStream, UnixStream] {
    const a = new UnixStream(k, type);
    const b = new UnixStream(k, type);
    a.join(b);
    a.peerCredentials = b.peerCredentials = effectiveCredentialsOf(t);
    a.peerGroups = b.peerGroups = t.credentials.groups;
    return [a, b];
  }

  private join(other: UnixStream): void {
    this.peer = other;
    other.peer = this;
    this.state = other.state = "connected";
  }

  override listen(t: Task, backlog: number): number {
    if (this.bound.kind === "unnamed" || this.state === "connected") return -E.EINVAL;
    const limit = backlog >>> 0;
    if (limit > this.backlog) this.backlogQueue.wake();
    this.backlog = Math.min(limit, MAX_BACKLOG);
    this.state = "listening";
    this.peerCredentials = effectiveCredentialsOf(t);
    this.peerGroups = t.credentials.groups;
    return 0;
  }

  /** unix_stream_connect. */
  override connect(t: Task, address: Uint8Array): number {
    if (this.passCredentials) this.autobind();
    const listener = this.findOther(t, address) as UnixStream;
    if (listener.state !== "listening" || (listener.shutdownState & SHUTDOWN_RECEIVE) !== 0) return -E.ECONNREFUSED;
    if (listener.pending.length > listener.backlog) {
      if (this.nonBlocking) return -E.EAGAIN;
      if (t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [listener.backlogQueue], 0, this.sendTimeoutNs);
    }
    if (this.state === "connected") return -E.EISCONN;
    if (this.state === "listening") return -E.EINVAL;
    const server = new UnixStream(this.kernel, this.type);
    server.isUnaccepted = true;
    server.bound = listener.bound;
    server.passCredentials = listener.passCredentials;
    server.peerCredentials = effectiveCredentialsOf(t);
    server.peerGroups = t.credentials.groups;
    this.peerCredentials = listener.peerCredentials;
    this.peerGroups = listener.peerGroups;
    this.join(server);
    listener.pending.push(server);
    listener.readQueue.wake();
    return 0;
  }

  override accept(t: Task): SocketFile | number {
    if (this.state !== "listening") return -E.EINVAL;
    const next = this.pending.shift();
    if (next === undefined) {
      if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return -E.EINVAL;
      if (this.nonBlocking || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    next.isUnaccepted = false;
    this.backlogQueue.wake();
    return next;
  }

  override send(t: Task, io: IoCursor, message: Outgoing): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    if (message.address !== null) {
      if (this.type === S.SOCK_STREAM) return this.state === "connected" ? -E.EISCONN : -E.EOPNOTSUPP;
    }
    if (this.state !== "connected") return -E.ENOTCONN;
    if (this.error !== 0) return this.takeError();
    return this.type === S.SOCK_STREAM ? this.sendStream(t, io, message) : this.sendRecord(t, io, message);
  }

  private get cannotSend(): boolean {
    const { peer } = this;
    return (
      (this.shutdownState & SHUTDOWN_SEND) !== 0 ||
      peer === null ||
      peer.dead ||
      (peer.shutdownState & SHUTDOWN_RECEIVE) !== 0
    );
  }

  /** unix_stream_sendmsg. */
  private sendStream(t: Task, io: IoCursor, message: Outgoing): number {
    let done = message.done;
    let rights = done > 0 ? null : message.rights;
    const credentials = this.senderCredentials(t, message);
    while (io.remaining > 0) {
      if (this.cannotSend) return done > 0 ? done : this.brokenPipe(t, message.flags);
      const peer = this.peer!;
      const room = this.sendBufferBytes - this.inFlightBytes;
      if (room <= 0) {
        if (this.dontWait(message.flags) || t.timedOut) return done > 0 ? done : -E.EAGAIN;
        return blockTransfer(this.kernel, t, [this.writeQueue], done, this.sendTimeoutNs);
      }
      const moved = peer.received.pushStream(io, room, rights, credentials, this);
      if (moved < 0) return done > 0 ? done : -E.EFAULT;
      if (rights !== null) filesSent(this.kernel, rights);
      rights = null;
      message.rights = null;
      done += moved;
      peer.readQueue.wake();
    }
    return done;
  }

  /** unix_seqpacket_sendmsg: one record, whole or not at all. */
  private sendRecord(t: Task, io: IoCursor, message: Outgoing): number {
    const length = io.remaining;
    if (length > this.sendBufferBytes - 32) return -E.EMSGSIZE;
    if (this.cannotSend) return this.brokenPipe(t, message.flags);
    if (this.inFlightBytes > 0 && this.inFlightBytes + length > this.sendBufferBytes) {
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.writeQueue], 0, this.sendTimeoutNs);
    }
    const packet = new Packet(new Uint8Array(length));
    if (io.take(packet.bytes, 0, length) < length) return -E.EFAULT;
    packet.rights = message.rights;
    packet.credentials = this.senderCredentials(t, message);
    packet.sender = this;
    packet.charge = length + 1;
    if (packet.rights !== null) filesSent(this.kernel, packet.rights);
    message.rights = null;
    this.peer!.received.push(packet);
    this.peer!.readQueue.wake();
    return length;
  }

  override receive(t: Task, io: IoCursor, message: Incoming): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    if (this.type === S.SOCK_STREAM) {
      if (this.state !== "connected") return -E.EINVAL;
      return this.receiveStream(t, io, message);
    }
    return this.state === "connected" ? this.receiveRecord(t, io, message) : -E.ENOTCONN;
  }

  /** unix_stream_read_generic. */
  private receiveStream(t: Task, io: IoCursor, message: Incoming): number {
    const peek = (message.flags & S.MSG_PEEK) !== 0;
    const skip = peek && this.peekOffset >= 0 ? this.peekOffset : 0;
    const wanted = io.remaining;
    const target = (message.flags & S.MSG_WAITALL) !== 0 ? wanted : Math.min(this.receiveLowWater, wanted);
    let { done } = message;
    if (wanted === 0) return done;
    if (this.received.byteCount > skip) {
      const moved = this.received.readStream(io, peek, skip, this.passCredentials, message);
      if (moved < 0) return done > 0 ? done : -E.EFAULT;
      if (peek && this.peekOffset >= 0) this.peekOffset += moved;
      else if (!peek && this.peekOffset > 0) this.peekOffset = Math.max(0, this.peekOffset - moved);
      done += moved;
      if (message.rights !== null) {
        if (!peek) filesArrived(this.kernel, message.rights);
        return done;
      }
      if (moved >= target || io.remaining === 0 || (peek && moved > 0)) return done;
    }
    if (this.error !== 0) return done > 0 ? done : this.takeError();
    if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return done;
    if (this.dontWait(message.flags) || t.timedOut) return done > 0 ? done : -E.EAGAIN;
    return blockTransfer(this.kernel, t, [this.readQueue], done, this.receiveTimeoutNs);
  }

  private receiveRecord(t: Task, io: IoCursor, message: Incoming): number {
    const packet = this.received.first;
    if (packet === undefined) {
      if (this.error !== 0) return this.takeError();
      if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return 0;
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    return takeRecord(this, io, message, packet);
  }

  protected override disconnectPeers(): void {
    const peer = this.peer as UnixStream | null;
    if (peer !== null) {
      peer.shutdownState = SHUTDOWN_BOTH;
      if (!this.received.empty || this.isUnaccepted) peer.error = E.ECONNRESET;
      peer.wakeAll();
    }
    const pending = this.pending;
    this.pending = [];
    for (const connection of pending) connection.release();
    this.backlogQueue.wake();
    if (this.state === "listening") this.state = "closed";
  }
}

/** Hands the oldest record or datagram to `io`, with its truncation and ancillary data (__unix_dgram_recvmsg). */
export function takeRecord(socket: UnixSocket, io: IoCursor, message: Incoming, packet: Packet): number {
  const peek = (message.flags & S.MSG_PEEK) !== 0;
  const skip = peek && socket.peekOffset >= 0 ? Math.min(socket.peekOffset, packet.length) : 0;
  const available = packet.length - skip;
  const count = Math.min(io.remaining, available);
  if (io.put(packet.bytes, packet.start + skip, packet.start + skip + count) < count) return -E.EFAULT;
  if (count < available) message.resultFlags |= S.MSG_TRUNC;
  message.address = packet.address;
  message.credentials = packet.credentials;
  message.rights = packet.rights;
  if (peek) {
    if (packet.rights !== null) for (const file of packet.rights) file.acquire();
    if (socket.peekOffset >= 0) socket.peekOffset += count;
  } else {
    if (packet.rights !== null) filesArrived(socket.kernel, packet.rights);
    packet.rights = null;
    socket.received.shift();
  }
  return (message.flags & S.MSG_TRUNC) !== 0 ? available : count;
}
