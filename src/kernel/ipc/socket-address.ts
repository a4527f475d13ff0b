// Socket addresses between their guest layouts (struct sockaddr_*) and what the sockets compare. No state.
import { EAFNOSUPPORT, EINVAL } from "../../abi/errno.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../abi/socket.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { errno } from "../linux-error.ts";

/** sizeof(struct sockaddr_un), sockaddr_in, sockaddr_in6, SIN6_LEN_RFC2133. */
export const SOCKADDR_UN_BYTES = 110;
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;
const SHORTEST_IN6_BYTES = 24;

/** An internet address: IPv4 addresses are kept in their IPv4-mapped form ::ffff:a.b.c.d. */
export class InetAddress {
  /** Lower-case hex of the 16 address bytes: comparable. */
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  get isV4(): boolean {
    return this.host.startsWith(V4_PREFIX);
  }

  get isAny(): boolean {
    return this.host === ANY_V6 || this.host === ANY_V4;
  }

  /** 127.0.0.0/8 and ::1. */
  get isLoopback(): boolean {
    return this.host === LOOPBACK_V6 || this.host.startsWith(`${V4_PREFIX}7f`);
  }

  get isMulticast(): boolean {
    return this.isV4 ? (Number.parseInt(this.host.slice(24, 26), 16) & 0xf0) === 0xe0 : this.host.startsWith("ff");
  }

  /** Text for /proc and traces. */
  toString(): string {
    if (!this.isV4) return `[${this.host.replace(/(.{4})(?!$)/g, "$1:")}]:${this.port}`;
    const bytes = [24, 26, 28, 30].map((at) => Number.parseInt(this.host.slice(at, at + 2), 16));
    return `${bytes.join(".")}:${this.port}`;
  }
}

const V4_PREFIX = "00000000000000000000ffff";
export const ANY_V4 = `${V4_PREFIX}00000000`;
export const ANY_V6 = "0".repeat(32);
export const LOOPBACK_V4 = `${V4_PREFIX}7f000001`;
export const LOOPBACK_V6 = `${"0".repeat(31)}1`;

export function familyOf(bytes: Uint8Array): number {
  return bytes.length >= 2 ? bytes[0] | (bytes[1] << 8) : -1;
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) text += bytes[i].toString(16).padStart(2, "0");
  return text;
}

/** Decodes for a socket of `family`; EINVAL when too short, EAFNOSUPPORT for another family. */
export function decodeInet(bytes: Uint8Array, family: number): InetAddress {
  if (family === AF_INET) {
    if (bytes.length < SOCKADDR_IN_BYTES) throw errno(EINVAL);
    // AF_UNSPEC with an all-zero address is accepted by bind() as AF_INET (old programs).
    const given = familyOf(bytes);
    if (given !== AF_INET && !(given === 0 && hex(bytes, 4, 8) === "00000000")) throw errno(EAFNOSUPPORT);
    return new InetAddress(V4_PREFIX + hex(bytes, 4, 8), (bytes[2] << 8) | bytes[3]);
  }
  if (familyOf(bytes) === AF_INET && bytes.length >= SOCKADDR_IN_BYTES) throw errno(EAFNOSUPPORT);
  if (bytes.length < SHORTEST_IN6_BYTES) throw errno(EINVAL);
  if (familyOf(bytes) !== AF_INET6) throw errno(EAFNOSUPPORT);
  return new InetAddress(hex(bytes, 8, 24), (bytes[2] << 8) | bytes[3]);
}

export function encodeInet(address: InetAddress, family: number): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  bytes[0] = family;
  bytes[2] = address.port >> 8;
  bytes[3] = address.port & 0xff;
  if (family === AF_INET) putHost(bytes, 4, address.host.slice(24));
  else putHost(bytes, 8, address.host);
  return bytes;
}

function putHost(bytes: Uint8Array, at: number, host: string): void {
  for (let i = 0; i < host.length; i += 2) bytes[at + i / 2] = Number.parseInt(host.slice(i, i + 2), 16);
}

/** The 4 or 16 address bytes, for SCM pktinfo. */
export function hostBytes(address: InetAddress, family: number): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 4 : 16);
  putHost(bytes, 0, family === AF_INET ? address.host.slice(24) : address.host);
  return bytes;
}

/** A Unix address: a path in the file system, an abstract name, or none yet. */
export interface UnixAddress {
  readonly kind: "path" | "abstract" | "unnamed";
  /** The path, or the abstract name behind its NUL; lossless (util/utf8). */
  readonly name: string;
  /** As getsockname returns it. */
  readonly encoded: Uint8Array;
}

export const UNNAMED: UnixAddress = { kind: "unnamed", name: "", encoded: Uint8Array.of(AF_UNIX, 0) };

/** unix_validate_addr and unix_mkname_bsd. */
export function decodeUnix(bytes: Uint8Array): UnixAddress {
  if (bytes.length < 2 || bytes.length > SOCKADDR_UN_BYTES || familyOf(bytes) !== AF_UNIX) throw errno(EINVAL);
  if (bytes.length === 2) return UNNAMED;
  if (bytes[2] === 0) return { kind: "abstract", name: decodeUtf8(bytes, 3), encoded: bytes.slice() };
  const nul = bytes.indexOf(0, 2);
  const end = nul < 0 ? bytes.length : nul;
  const encoded = new Uint8Array(end + 1);
  encoded.set(bytes.subarray(0, end));
  return { kind: "path", name: decodeUtf8(bytes, 2, end), encoded };
}

/** unix_autobind: an abstract name of five hex digits. */
export function autobindAddress(number: number): UnixAddress {
  const name = (number & 0xfffff).toString(16).padStart(5, "0");
  const encoded = new Uint8Array(8);
  encoded[0] = AF_UNIX;
  for (let i = 0; i < 5; i++) encoded[3 + i] = name.charCodeAt(i);
  return { kind: "abstract", name, encoded };
}
