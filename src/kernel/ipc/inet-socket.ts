// What TCP and UDP sockets share: local and remote addresses, ports, binding rules. The guest's network is lo and nothing
// else: every other destination is unreachable (net/ipv4/af_inet.c, inet_connection_sock.c).
import * as E from "../../abi/errno.ts";
import * as S from "../../abi/socket.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { PortTable } from "./port-table.ts";
import { intBytes, optionInt, SocketFile } from "./socket.ts";
import {
  ANY_V4,
  ANY_V6,
  decodeInet,
  encodeInet,
  InetAddress,
  LOOPBACK_V4,
  LOOPBACK_V6,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
} from "./socket-address.ts";

/** net.ipv4.ip_unprivileged_port_start. */
const FIRST_UNPRIVILEGED_PORT = 1024;

export abstract class InetSocket extends SocketFile {
  local: InetAddress;
  remote: InetAddress | null = null;
  /** IPV6_V6ONLY. */
  v6Only = false;
  readonly ownerUid: number;
  /** The port was given by bind() (SOCK_BINDPORT_LOCK) and survives a disconnect. */
  protected portLocked = false;
  protected inTable = false;

  constructor(k: Kernel, family: number, type: number, protocol: number, ownerUid: number) {
    super(k, family, type, protocol);
    this.ownerUid = ownerUid;
    this.local = new InetAddress(this.anyHost, 0);
  }

  protected abstract readonly ports: PortTable<InetSocket>;
  /** Two sockets on one port and overlapping addresses: may `other` stay beside this one? */
  protected abstract maySharePort(other: InetSocket): boolean;

  get anyHost(): string {
    return this.family === S.AF_INET ? ANY_V4 : ANY_V6;
  }

  /** inet_bind. */
  override bind(t: Task, bytes: Uint8Array): number {
    const address = decodeInet(bytes, this.family);
    if (!address.isAny && !address.isLoopback) return -E.EADDRNOTAVAIL;
    if (address.isV4 && this.family === S.AF_INET6 && this.v6Only) return -E.EINVAL;
    if (address.port > 0 && address.port < FIRST_UNPRIVILEGED_PORT && t.credentials.euid !== 0) return -E.EACCES;
    if (this.local.port !== 0) return -E.EINVAL;
    return this.claim(address.host, address.port, address.port !== 0);
  }

  protected claim(host: string, port: number, locked: boolean): number {
    let chosen = port;
    if (chosen === 0) {
      chosen = this.ports.chooseEphemeral();
      if (chosen === 0) return -E.EADDRINUSE;
    } else {
      for (const other of this.ports.at(chosen)) {
        if (other !== this && this.overlaps(other, host) && !this.maySharePort(other)) return -E.EADDRINUSE;
      }
    }
    this.local = new InetAddress(host, chosen);
    this.portLocked = locked;
    this.enter();
    return 0;
  }

  protected enter(): void {
    this.ports.add(this, this.local.port);
    this.inTable = true;
  }

  protected leave(): void {
    if (this.inTable) this.ports.remove(this, this.local.port);
    this.inTable = false;
  }

  private overlaps(other: InetSocket, host: string): boolean {
    const mine = new InetAddress(host, 0);
    if (host === other.local.host) return true;
    if (mine.isAny) return coversFamily(host, this.v6Only, other.local);
    return other.local.isAny && coversFamily(other.local.host, other.v6Only, mine);
  }

  /** Is a packet for `destination` one of this bound socket's? */
  matches(destination: InetAddress): boolean {
    if (this.local.host === destination.host) return true;
    return this.local.isAny && coversFamily(this.local.host, this.v6Only, destination);
  }

  /** Where a packet for `address` goes: the loopback host, or ENETUNREACH. The unspecified address means this host. */
  protected route(address: InetAddress): InetAddress {
    if (address.isAny) {
      return new InetAddress(address.isV4 || this.local.isV4 ? LOOPBACK_V4 : LOOPBACK_V6, address.port);
    }
    if (!address.isLoopback) throw errno(E.ENETUNREACH);
    if (address.isV4 && this.family === S.AF_INET6 && (this.v6Only || (!this.local.isV4 && !this.local.isAny))) {
      throw errno(E.ENETUNREACH);
    }
    return address;
  }

  /** The source address of packets to `destination`. */
  protected sourceHost(destination: InetAddress): string {
    if (!this.local.isAny) return this.local.host;
    return destination.isV4 ? LOOPBACK_V4 : LOOPBACK_V6;
  }

  override localAddress(): Uint8Array {
    return encodeInet(this.local, this.family);
  }

  override peerAddress(): Uint8Array {
    if (this.remote === null) throw errno(E.ENOTCONN);
    return encodeInet(this.remote, this.family);
  }

  override setOption(t: Task, level: number, name: number, value: Uint8Array): number {
    if (level === S.IPPROTO_IPV6) {
      if (this.family !== S.AF_INET6) return -E.ENOPROTOOPT;
      if (name === S.IPV6_V6ONLY) {
        if (this.local.port !== 0) return -E.EINVAL;
        this.v6Only = optionInt(value) !== 0;
        return 0;
      }
    }
    if (level === S.IPPROTO_TCP && this.protocol !== S.IPPROTO_TCP) return -E.ENOPROTOOPT;
    return super.setOption(t, level, name, value);
  }

  override getOption(t: Task, level: number, name: number): Uint8Array {
    if (level === S.IPPROTO_IPV6 && name === S.IPV6_V6ONLY) return intBytes(this.v6Only ? 1 : 0);
    return super.getOption(t, level, name);
  }

  protected override closed(): void {
    super.closed();
    this.leave();
  }

  /** Does the caller want to know a datagram's destination (IP_PKTINFO, IPV6_RECVPKTINFO)? */
  get wantsPacketInfo(): boolean {
    return this.family === S.AF_INET
      ? this.rememberedOption(S.IPPROTO_IP, S.IP_PKTINFO) !== 0
      : this.rememberedOption(S.IPPROTO_IPV6, S.IPV6_RECVPKTINFO) !== 0;
  }
}

/** Does the unspecified host `any` stand for `address` too? :: covers IPv4 unless IPV6_V6ONLY. */
function coversFamily(any: string, v6Only: boolean, address: InetAddress): boolean {
  if (any === ANY_V4) return address.isV4 || address.host === ANY_V6;
  return !address.isV4 || !v6Only;
}

export function inetAddressBytes(family: number): number {
  return family === S.AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}
