// AF_NETLINK sockets of the route family: requests are answered at once, from netlink-route.ts. No notifications, no groups.
import * as E from "../../abi/errno.ts";
import * as P from "../../abi/poll.ts";
import * as S from "../../abi/socket.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { answerRouteRequests } from "./netlink-route.ts";
import { type Incoming, type Outgoing, SocketFile } from "./socket.ts";
import { familyOf } from "./socket-address.ts";
import { Packet } from "./socket-queue.ts";
import { blockTransfer } from "./transfer.ts";
import { viewOf } from "./user-memory.ts";

const SOCKADDR_NL_BYTES = 12;

export class NetlinkSocket extends SocketFile {
  private port = 0;

  constructor(k: Kernel, type: number) {
    super(k, S.AF_NETLINK, type, S.NETLINK_ROUTE);
  }

  override bind(t: Task, address: Uint8Array): number {
    if (address.length < SOCKADDR_NL_BYTES || familyOf(address) !== S.AF_NETLINK) return -E.EINVAL;
    const wanted = viewOf(address).getUint32(4, true);
    if (this.port !== 0 && wanted !== 0 && wanted !== this.port) return -E.EINVAL;
    this.autobind(t, wanted);
    return 0;
  }

  /** netlink_autobind: the process id, or the next free number below -4096. */
  private autobind(t: Task, wanted: number): void {
    if (this.port !== 0) return;
    const { netlinkPorts } = this.kernel.ipc;
    let port = wanted !== 0 ? wanted : t.process.pid;
    for (let next = 0xfffff000; netlinkPorts.has(port); next--) port = next;
    netlinkPorts.add(port);
    this.port = port;
  }

  private address(port: number): Uint8Array {
    const bytes = new Uint8Array(SOCKADDR_NL_BYTES);
    bytes[0] = S.AF_NETLINK;
    viewOf(bytes).setUint32(4, port, true);
    return bytes;
  }

  override localAddress(): Uint8Array {
    return this.address(this.port);
  }

  override peerAddress(): Uint8Array {
    return this.address(0);
  }

  override connect(t: Task, _address: Uint8Array): number {
    this.autobind(t, 0);
    return 0;
  }

  override send(t: Task, io: IoCursor, message: Outgoing): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    this.autobind(t, 0);
    const request = new Uint8Array(io.remaining);
    if (request.length > this.sendBufferBytes) return -E.EMSGSIZE;
    if (io.take(request, 0, request.length) < request.length) return -E.EFAULT;
    for (const reply of answerRouteRequests(request, this.port)) {
      const packet = new Packet(reply);
      packet.address = this.address(0);
      packet.credentials = { pid: 0, uid: 0, gid: 0 };
      this.received.push(packet);
    }
    this.readQueue.wake();
    return request.length;
  }

  override receive(t: Task, io: IoCursor, message: Incoming): number {
    if ((message.flags & S.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
    const packet = this.received.first;
    if (packet === undefined) {
      if (this.dontWait(message.flags) || t.timedOut) return -E.EAGAIN;
      return blockTransfer(this.kernel, t, [this.readQueue], 0, this.receiveTimeoutNs);
    }
    const count = Math.min(io.remaining, packet.length);
    if (io.put(packet.bytes, 0, count) < count) return -E.EFAULT;
    if (count < packet.length) message.resultFlags |= S.MSG_TRUNC;
    message.address = packet.address;
    message.credentials = packet.credentials;
    if ((message.flags & S.MSG_PEEK) === 0) this.received.shift();
    return (message.flags & S.MSG_TRUNC) !== 0 ? packet.length : count;
  }

  override poll(): number {
    const writable = P.POLLOUT | P.POLLWRNORM;
    return this.received.empty ? writable : writable | P.POLLIN | P.POLLRDNORM;
  }

  /** SOL_NETLINK options (extended acknowledgements, strict checks, groups) change nothing here. */
  override setOption(t: Task, level: number, name: number, value: Uint8Array): number {
    return level === 270 ? 0 : super.setOption(t, level, name, value);
  }

  override shutdown(_how: number): number {
    return -E.EOPNOTSUPP;
  }

  protected override closed(): void {
    super.closed();
    this.kernel.ipc.netlinkPorts.delete(this.port);
    this.received.clear();
  }
}
