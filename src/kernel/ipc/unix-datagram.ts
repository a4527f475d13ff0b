// Unix datagram sockets: whole messages with a sender's address, to a connected peer or to a name (unix_dgram_*).
import * as E from "../../abi/errno.ts";
import * as S from "../../abi/socket.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import type { Incoming, Outgoing } from "./socket.ts";
import { SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./socket.ts";
import { familyOf } from "./socket-address.ts";
import { Packet } from "./socket-queue.ts";
import { blockTransfer } from "./transfer.ts";
import { effectiveCredentialsOf, filesSent, UnixSocket } from "./unix-socket.ts";
import { takeRecord } from "./unix-stream.ts";

/** net.unix.max_dgram_qlen. */
const MAX_QUEUED_DATAGRAMS = 512;

export class UnixDatagram extends UnixSocket {
  override isUnaccepted = false;
  /** Senders wait here until this socket's queue has room (peer_wait). */
  readonly roomQueue = new WaitQueue();
  /** Sockets connected to this one, to be told when it goes. */
  private readonly connectedHere = new Set<UnixDatagram>();

  static pair(k: Kernel, t: Task): [UnixDatagram, UnixDatagram] {
    const a = new UnixDatagram(k, S.SOCK_DGRAM);
    const b = new UnixDatagram(k, S.SOCK_DGRAM);
    a.setPeer(b);
    b.setPeer(a);
    a.peerCredentials = b.peerCredentials = effectiveCredentialsOf(t);
    a.peerGroups = b.peerGroups = t.credentials.groups;
    return [a, b];
  }

  private setPeer(peer: UnixDatagram | null): void {
    const old = this.peer as UnixDatagram | null;
    old?.connectedHere.delete(this);
    // unix_dgram_disconnected: what the old peer sent and nobody read is lost, and it learns so.
    if (old !== null && old !== peer && !this.received.empty) {
      this.purge();
      this.roomQueue.wake();
      if (!old.dead && old.peer === this) old.error = E.ECONNRESET;
      old.wakeAll();
    }
    this.peer = peer;
    peer?.connectedHere.add(this);
  }

  private get queueFull(): boolean {
    return this.received.packets.length > MAX_QUEUED_DATAGRAMS;
  }

  protected override get canSend(): boolean {
    const peer = this.peer as UnixDatagram | null;
    return this.sendable && (peer === null || peer.peer === this || !peer.queueFull);
  }

  override connect(t: Task, address: Uint8Array): number {
    if (familyOf(address) === S.AF_UNSPEC) {
      this.setPeer(null);
      this.wakeAll();
      return 0;
    }
    if (this.passCredentials) this.autobind();
    const other = this.findOther(t, address) as UnixDatagram;
    if (!this.maySend(other)) return -E.EPERM;
    this.setPeer(other);
    this.wakeAll();
    return 0;
  }

  /** unix_may_send: a connected socket takes datagrams from its peer only. */
  private maySend(other: UnixDatagram): boolean {
    return other.peer === null || other.peer === this;
  }

  override send(t: Task, io: IoCursor, message: Outgoing): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    const length = io.remaining;
    if (length > this.sendBufferBytes - 32) return -E.EMSGSIZE;
    if (this.passCredentials) this.autobind();
    if (message.address === null && this.peer === null) return -E.ENOTCONN;
    const other = message.address !== null ? this.findOther(t, message.address) : this.peer;
    if (!(other instanceof UnixDatagram)) return -E.ECONNREFUSED;
    if (!this.maySend(other)) return -E.EPERM;
    if (other.dead) {
      if (this.peer === other) this.setPeer(null);
      return -E.ECONNREFUSED;
    }
    if ((other.shutdownState & SHUTDOWN_RECEIVE) !== 0) return -E.EPIPE;
    if ((this.shutdownState & SHUTDOWN_SEND) !== 0) return this.brokenPipe(t, message.flags);
    const tooMuch = this.inFlightBytes > 0 && this.inFlightBytes + length > this.sendBufferBytes;
    if (tooMuch || (other.peer !== this && other.queueFull)) {
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [tooMuch ? this.writeQueue : other.roomQueue], 0, this.sendTimeoutNs);
    }
    const packet = new Packet(new Uint8Array(length));
    if (io.take(packet.bytes, 0, length) < length) return -E.EFAULT;
    packet.rights = message.rights;
    packet.credentials = this.senderCredentials(t, message);
    packet.address = this.bound.kind === "unnamed" ? null : this.bound.encoded;
    packet.sender = this;
    packet.charge = length + 1;
    if (packet.rights !== null) filesSent(this.kernel, packet.rights);
    message.rights = null;
    other.received.push(packet);
    other.readQueue.wake();
    return length;
  }

  override receive(t: Task, io: IoCursor, message: Incoming): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    const packet = this.received.first;
    if (packet === undefined) {
      if (this.error !== 0) return this.takeError();
      if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return 0;
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    const result = takeRecord(this, io, message, packet);
    this.roomQueue.wake();
    for (const sender of this.connectedHere) sender.writeQueue.wake();
    return result;
  }

  protected override disconnectPeers(): void {
    this.roomQueue.wake();
    for (const sender of this.connectedHere) sender.wakeAll();
    (this.peer as UnixDatagram | null)?.connectedHere.delete(this);
  }
}
