// Answers to NETLINK_ROUTE requests about the guest's only interface, lo (net/core/rtnetlink.c). Bytes in, bytes out.
import { EOPNOTSUPP } from "../../abi/errno.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "../../abi/socket.ts";
import { viewOf } from "./user-memory.ts";

const HEADER_BYTES = 16;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_MULTI = 2;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_FIRST = 16;

export const LOOPBACK_INDEX = 1;
export const LOOPBACK_MTU = 65536;
/** IFF_UP | IFF_LOOPBACK | IFF_RUNNING; netlink also shows IFF_LOWER_UP. */
export const LOOPBACK_FLAGS = 0x49;
const IFF_LOWER_UP = 0x10000;
export const ARPHRD_LOOPBACK = 772;

/** Collects one netlink message: a fixed part and attributes, each padded to four bytes. */
class MessageWriter {
  private readonly bytes: number[] = [];

  u8(...values: number[]): this {
    for (const value of values) this.bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.u8(value, value >> 8);
  }

  u32(value: number): this {
    return this.u8(value, value >> 8, value >> 16, value >> 24);
  }

  attribute(type: number, payload: readonly number[]): this {
    this.u16(payload.length + 4).u16(type);
    for (const value of payload) this.bytes.push(value);
    while (this.bytes.length % 4 !== 0) this.bytes.push(0);
    return this;
  }

  /** The message behind its nlmsghdr. */
  finish(type: number, flags: number, sequence: number, port: number): Uint8Array {
    const message = new Uint8Array(HEADER_BYTES + this.bytes.length);
    const view = viewOf(message);
    view.setUint32(0, message.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags, true);
    view.setUint32(8, sequence, true);
    view.setUint32(12, port, true);
    message.set(this.bytes, HEADER_BYTES);
    return message;
  }
}

function text(value: string): number[] {
  return [...value].map((c) => c.charCodeAt(0)).concat(0);
}

function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

const ZERO_MAC = [0, 0, 0, 0, 0, 0];
const FOREVER = [...word(-1), ...word(-1), 0, 0, 0, 0, 0, 0, 0, 0];
const V4_LOOPBACK = [127, 0, 0, 1];
const V6_LOOPBACK = [...new Array<number>(15).fill(0), 1];

function linkMessage(): MessageWriter {
  return new MessageWriter()
    .u8(AF_UNSPEC, 0)
    .u16(ARPHRD_LOOPBACK)
    .u32(LOOPBACK_INDEX)
    .u32(LOOPBACK_FLAGS | IFF_LOWER_UP)
    .u32(0)
    .attribute(3, text("lo"))
    .attribute(13, word(1000))
    .attribute(16, [0])
    .attribute(17, [0])
    .attribute(4, word(LOOPBACK_MTU))
    .attribute(27, word(0))
    .attribute(6, text("noqueue"))
    .attribute(1, ZERO_MAC)
    .attribute(2, ZERO_MAC)
    .attribute(7, new Array<number>(96).fill(0))
    .attribute(23, new Array<number>(200).fill(0));
}

function addressMessage(family: number): MessageWriter {
  const address = family === AF_INET ? V4_LOOPBACK : V6_LOOPBACK;
  const message = new MessageWriter().u8(family, family === AF_INET ? 8 : 128, 0x80, 254).u32(LOOPBACK_INDEX);
  message.attribute(1, address);
  if (family === AF_INET) message.attribute(2, address).attribute(3, text("lo"));
  return message.attribute(6, FOREVER).attribute(8, word(0x80));
}

function routeMessage(family: number): MessageWriter {
  const v4 = family === AF_INET;
  const message = new MessageWriter().u8(family, v4 ? 8 : 128, 0, 0, 255, 2, v4 ? 254 : 0, 2).u32(0);
  message.attribute(15, word(255)).attribute(1, v4 ? [127, 0, 0, 0] : V6_LOOPBACK);
  if (v4) message.attribute(7, V4_LOOPBACK);
  return message.attribute(4, word(LOOPBACK_INDEX));
}

function dump(type: number, family: number): { reply: number; messages: MessageWriter[] } | null {
  const families = family === AF_UNSPEC ? [AF_INET, AF_INET6] : [AF_INET, AF_INET6].filter((f) => f === family);
  if (type === RTM_GETLINK) return { reply: RTM_NEWLINK, messages: [linkMessage()] };
  if (type === RTM_GETADDR) return { reply: RTM_NEWADDR, messages: families.map(addressMessage) };
  if (type === RTM_GETROUTE) return { reply: RTM_NEWROUTE, messages: families.map(routeMessage) };
  // Neighbours, rules, queueing disciplines and the rest: readable, and empty. (GET requests are 2 modulo 4.)
  return (type & 3) === 2 ? { reply: type - 2, messages: [] } : null;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** netlink_ack. */
function acknowledge(request: Uint8Array, error: number, sequence: number, port: number): Uint8Array {
  const writer = new MessageWriter().u32(-error);
  const echoed = error === 0 ? request.subarray(0, HEADER_BYTES) : request;
  writer.u8(...echoed);
  return writer.finish(NLMSG_ERROR, 0, sequence, port);
}

/** The datagrams that answer one sendmsg() to the kernel; `port` is the asking socket's port id. */
export function answerRouteRequests(bytes: Uint8Array, port: number): Uint8Array[] {
  const replies: Uint8Array[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const view = viewOf(bytes.subarray(at));
    const length = view.getUint32(0, true);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    answerOne(bytes.subarray(at, at + length), port, replies);
    at += (length + 3) & ~3;
  }
  return replies;
}

function answerOne(request: Uint8Array, port: number, replies: Uint8Array[]): void {
  const view = viewOf(request);
  const type = view.getUint16(4, true);
  const flags = view.getUint16(6, true);
  const sequence = view.getUint32(8, true);
  if ((flags & NLM_F_REQUEST) === 0 || type < RTM_FIRST || type === NLMSG_NOOP) {
    if ((flags & NLM_F_ACK) !== 0) replies.push(acknowledge(request, 0, sequence, port));
    return;
  }
  const family = request.length > HEADER_BYTES ? request[HEADER_BYTES] : AF_UNSPEC;
  const answer = dump(type, family);
  if (answer === null) {
    replies.push(acknowledge(request, EOPNOTSUPP, sequence, port));
    return;
  }
  const dumping = (flags & NLM_F_DUMP) === NLM_F_DUMP;
  const each = answer.messages.map((m) => m.finish(answer.reply, dumping ? NLM_F_MULTI : 0, sequence, port));
  if (dumping) {
    if (each.length > 0) replies.push(concat(each));
    replies.push(new MessageWriter().u32(0).finish(NLMSG_DONE, NLM_F_MULTI, sequence, port));
    return;
  }
  if (each.length > 0) replies.push(each[0]);
  if ((flags & NLM_F_ACK) !== 0 || each.length === 0) replies.push(acknowledge(request, 0, sequence, port));
}
