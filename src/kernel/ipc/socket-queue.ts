// What waits inside a socket to be received: a byte stream with ancillary data at exact places, or a list of datagrams.
// Knows no tasks; flow control decisions and wake-ups are the sockets' business.
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { OpenFile } from "../vfs/open-file.ts";

/** struct ucred. */
export interface SocketCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Whoever pays for bytes on their way: told when they have been received. */
export interface SendAccount {
  /** Bytes sent and not yet received. */
  inFlightBytes: number;
  /** Room came free: wake writers. */
  sendRoomGrew(): void;
}

/** What a receive call found beside the bytes. */
export class Ancillary {
  rights: OpenFile[] | null = null;
  credentials: SocketCredentials | null = null;
  address: Uint8Array | null = null;
  destination: Uint8Array | null = null;
}

/** One send's bytes and what travels with them (struct sk_buff). */
export class Packet {
  readonly bytes: Uint8Array;
  start = 0;
  end: number;
  /** In-flight file references (SCM_RIGHTS), owned by the packet until received. */
  rights: OpenFile[] | null = null;
  credentials: SocketCredentials | null = null;
  /** The sender's address (encoded sockaddr), for datagrams. */
  address: Uint8Array | null = null;
  /** Where a datagram was sent to (IP_PKTINFO), encoded. */
  destination: Uint8Array | null = null;
  /** Charged for `charge` bytes until received. */
  sender: SendAccount | null = null;
  charge = 0;

  constructor(bytes: Uint8Array, end = bytes.length) {
    this.bytes = bytes;
    this.end = end;
  }

  get length(): number {
    return this.end - this.start;
  }

  uncharge(bytes: number): void {
    if (this.sender === null || bytes === 0) return;
    this.charge -= bytes;
    this.sender.inFlightBytes -= bytes;
    this.sender.sendRoomGrew();
  }
}

/** Small sends share one allocation of this size. */
const SHARED_CHUNK_BYTES = 4096;
const LARGEST_CHUNK_BYTES = 65536;

function sameCredentials(a: SocketCredentials | null, b: SocketCredentials | null): boolean {
  return a === b || (a !== null && b !== null && a.pid === b.pid && a.uid === b.uid && a.gid === b.gid);
}

export class SocketQueue {
  packets: Packet[] = [];
  byteCount = 0;

  get empty(): boolean {
    return this.packets.length === 0;
  }

  push(packet: Packet): void {
    this.packets.push(packet);
    this.byteCount += packet.length;
    if (packet.sender !== null) packet.sender.inFlightBytes += packet.charge;
  }

  /**
   * Takes up to `limit` bytes from `io` as stream data; the first of them carries `rights`. Data without ancillary parts
   * joins the newest chunk while there is room. Returns bytes moved, or -1 when the caller's memory faulted first.
   */
  pushStream(
    io: IoCursor,
    limit: number,
    rights: OpenFile[] | null,
    credentials: SocketCredentials | null,
    sender: SendAccount,
  ): number {
    let moved = 0;
    while (io.remaining > 0 && moved < limit) {
      const wanted = Math.min(io.remaining, limit - moved, LARGEST_CHUNK_BYTES);
      const carried = moved === 0 ? rights : null;
      let chunk = this.packets.at(-1);
      const joins =
        chunk !== undefined &&
        carried === null &&
        chunk.rights === null &&
        chunk.sender === sender &&
        chunk.end < chunk.bytes.length &&
        sameCredentials(chunk.credentials, credentials);
      if (chunk === undefined || !joins) {
        chunk = new Packet(new Uint8Array(Math.max(wanted, SHARED_CHUNK_BYTES)), 0);
        chunk.rights = carried;
        chunk.credentials = credentials;
        chunk.sender = sender;
      }
      const end = Math.min(chunk.bytes.length, chunk.end + wanted);
      const got = io.take(chunk.bytes, chunk.end, end);
      if (got === 0) {
        if (!joins) chunk.rights = null;
        return moved > 0 ? moved : -1;
      }
      const full = chunk.end + got === end;
      chunk.end += got;
      chunk.charge += got;
      sender.inFlightBytes += got;
      this.byteCount += got;
      if (!joins) this.packets.push(chunk);
      moved += got;
      if (!full) break;
    }
    return moved;
  }

  /**
   * Receives stream bytes, never past a packet that carried rights nor across different senders' credentials
   * (unix_stream_read_generic). With `peek` nothing is consumed, the first `skip` bytes are passed over, and rights are
   * duplicated. Returns bytes moved, or -1 when the caller's memory faulted first.
   */
  readStream(io: IoCursor, peek: boolean, skip: number, checkCredentials: boolean, found: Ancillary): number {
    let moved = 0;
    let skipping = skip;
    let index = 0;
    let first = true;
    while (io.remaining > 0 && index < this.packets.length) {
      const packet = this.packets[index];
      if (peek && skipping >= packet.length) {
        skipping -= packet.length;
        index++;
        continue;
      }
      if (!first && checkCredentials && !sameCredentials(found.credentials, packet.credentials)) break;
      if (first) {
        found.credentials = packet.credentials;
        found.address = packet.address;
        first = false;
      }
      const from = packet.start + (peek ? skipping : 0);
      skipping = 0;
      const count = Math.min(io.remaining, packet.end - from);
      const put = io.put(packet.bytes, from, from + count);
      moved += put;
      const carried = packet.rights;
      if (carried !== null) {
        found.rights = carried;
        if (peek) for (const file of carried) file.acquire();
        else packet.rights = null;
      }
      if (peek) {
        index++;
      } else {
        packet.start += put;
        this.byteCount -= put;
        if (packet.start === packet.end) this.packets.shift();
        packet.uncharge(put);
      }
      if (put < count) return moved > 0 ? moved : -1;
      if (carried !== null) break;
    }
    return moved;
  }

  /** The oldest datagram; it stays unless the caller removes it with shift(). */
  get first(): Packet | undefined {
    return this.packets[0];
  }

  /** Removes the oldest datagram; its rights pass to the caller. */
  shift(): Packet | undefined {
    const packet = this.packets.shift();
    if (packet === undefined) return undefined;
    this.byteCount -= packet.length;
    packet.uncharge(packet.charge);
    return packet;
  }

  /** Drops everything; the file references that nobody received are the caller's to release. */
  clear(): OpenFile[] {
    const dropped = this.packets;
    const orphans: OpenFile[] = [];
    this.packets = [];
    this.byteCount = 0;
    for (const packet of dropped) {
      packet.uncharge(packet.charge);
      if (packet.rights !== null) orphans.push(...packet.rights);
      packet.rights = null;
    }
    return orphans;
  }
}
