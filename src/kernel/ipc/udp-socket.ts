// UDP between processes of the guest (net/ipv4/udp.c): datagrams over lo, connected or not, lost when the receiver is full.
import * as E from "../../abi/errno.ts";
import * as P from "../../abi/poll.ts";
import * as S from "../../abi/socket.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { InetSocket } from "./inet-socket.ts";
import type { PortTable } from "./port-table.ts";
import type { Incoming, Outgoing } from "./socket.ts";
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./socket.ts";
import { decodeInet, encodeInet, familyOf, InetAddress } from "./socket-address.ts";
import { Packet } from "./socket-queue.ts";
import { blockTransfer } from "./transfer.ts";

/** 65535 less the IP and UDP headers. */
const MAX_DATAGRAM_BYTES = 65507;
/** What a queued datagram costs beyond its bytes (struct sk_buff), so that empty ones are bounded too. */
const PACKET_OVERHEAD_BYTES = 256;

export class UdpSocket extends InetSocket {
  constructor(k: Kernel, family: number, ownerUid: number) {
    super(k, family, S.SOCK_DGRAM, S.IPPROTO_UDP, ownerUid);
  }

  protected override get ports(): PortTable<InetSocket> {
    return this.kernel.ipc.inet.udp;
  }

  protected override maySharePort(other: InetSocket): boolean {
    if (this.reusePort && other.reusePort && this.ownerUid === other.ownerUid) return true;
    return this.reuseAddress && other.reuseAddress;
  }

  private ensurePort(host: string): number {
    return this.local.port !== 0 ? 0 : this.claim(host, 0, false);
  }

  override connect(_t: Task, bytes: Uint8Array): number {
    if (familyOf(bytes) === S.AF_UNSPEC) {
      this.remote = null;
      if (!this.portLocked) {
        this.leave();
        this.local = new InetAddress(this.anyHost, 0);
      }
      return 0;
    }
    const destination = this.route(decodeInet(bytes, this.family));
    const host = this.sourceHost(destination);
    const claimed = this.ensurePort(host);
    if (claimed < 0) return claimed;
    this.local = new InetAddress(host, this.local.port);
    this.remote = destination;
    return 0;
  }

  /** The socket that gets a datagram: connected to its source first, then by exact address, then the unspecified one. */
  private findReceiver(destination: InetAddress, source: InetAddress): UdpSocket | null {
    let best: UdpSocket | null = null;
    let bestScore = -1;
    for (const socket of this.ports.at(destination.port)) {
      const candidate = socket as UdpSocket;
      if (!candidate.matches(destination)) continue;
      let score = candidate.local.isAny ? 0 : 1;
      if (candidate.remote !== null) {
        if (candidate.remote.host !== source.host || candidate.remote.port !== source.port) continue;
        score += 2;
      }
      if (score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    return best;
  }

  override send(t: Task, io: IoCursor, message: Outgoing): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    const length = io.remaining;
    if (length > MAX_DATAGRAM_BYTES) return -E.EMSGSIZE;
    if (this.error !== 0) return this.takeError();
    if ((this.shutdownState & SHUTDOWN_SEND) !== 0) return this.brokenPipe(t, message.flags);
    let destination = this.remote;
    if (message.address !== null && familyOf(message.address) !== S.AF_UNSPEC) {
      const given = decodeInet(message.address, this.family);
      if (given.port === 0) return -E.EINVAL;
      destination = this.route(given);
    }
    if (destination === null) return -E.EDESTADDRREQ;
    const claimed = this.ensurePort(this.anyHost);
    if (claimed < 0) return claimed;
    const source = new InetAddress(this.sourceHost(destination), this.local.port);
    const packet = new Packet(new Uint8Array(length));
    if (io.take(packet.bytes, 0, length) < length) return -E.EFAULT;
    const receiver = this.findReceiver(destination, source);
    if (receiver === null) {
      // The port-unreachable answer is an error for connected sockets only.
      if (this.remote !== null && message.address === null) {
        this.error = E.ECONNREFUSED;
        this.readQueue.wake();
        this.writeQueue.wake();
      }
      return length;
    }
    const queued = receiver.received.byteCount + receiver.received.packets.length * PACKET_OVERHEAD_BYTES;
    if (queued + length <= receiver.receiveBufferBytes) {
      packet.address = encodeInet(source, receiver.family);
      packet.destination = encodeInet(destination, receiver.family);
      receiver.received.push(packet);
      receiver.readQueue.wake();
    }
    return length;
  }

  override receive(t: Task, io: IoCursor, message: Incoming): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    if ((message.flags & S.MSG_ERRQUEUE) !== 0) return -E.EAGAIN;
    const packet = this.received.first;
    if (packet === undefined) {
      if (this.error !== 0) return this.takeError();
      if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) return 0;
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    const count = Math.min(io.remaining, packet.length);
    if (io.put(packet.bytes, packet.start, packet.start + count) < count) return -E.EFAULT;
    if (count < packet.length) message.resultFlags |= S.MSG_TRUNC;
    message.address = packet.address;
    message.destination = packet.destination;
    if ((message.flags & S.MSG_PEEK) === 0) this.received.shift();
    return (message.flags & S.MSG_TRUNC) !== 0 ? packet.length : count;
  }

  override poll(): number {
    let mask = P.POLLOUT | P.POLLWRNORM | P.POLLWRBAND;
    if (this.error !== 0) mask |= P.POLLERR;
    if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) mask |= P.POLLRDHUP | P.POLLIN | P.POLLRDNORM;
    if (this.shutdownState === SHUTDOWN_BOTH) mask |= P.POLLHUP;
    if (!this.received.empty) mask |= P.POLLIN | P.POLLRDNORM;
    return mask;
  }

  override shutdown(how: number): number {
    if (how < 0 || how > 2) return -E.EINVAL;
    // inet_shutdown notes it even where it answers ENOTCONN.
    this.shutdownState |= how + 1;
    this.readQueue.wake();
    this.writeQueue.wake();
    return this.remote === null ? -E.ENOTCONN : 0;
  }

  protected override closed(): void {
    this.received.clear();
    super.closed();
  }
}
