// Unix, TCP and UDP sockets by direct calls; expected answers are Linux 6.18's to test/guest/ipc-unix.c and ipc-inet.c.
import { expect, test } from "vitest";
import * as E from "../../abi/errno.ts";
import { O_NONBLOCK } from "../../abi/fcntl.ts";
import * as P from "../../abi/poll.ts";
import { SIGPIPE } from "../../abi/signal.ts";
import * as S from "../../abi/socket.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import type { Task } from "../task.ts";
import { FakeWorld } from "./ipc-test-support.ts";
import { answerRouteRequests } from "./netlink-route.ts";
import { createPipe } from "./pipe.ts";
import { Incoming, type SocketFile } from "./socket.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UdpSocket } from "./udp-socket.ts";
import { UnixDatagram } from "./unix-datagram.ts";
import { UnixStream } from "./unix-stream.ts";

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function send(t: Task, socket: SocketFile, text: string | number, flags = 0, address: Uint8Array | null = null) {
  const bytes = typeof text === "string" ? bytesOf(text) : new Uint8Array(text);
  return socket.send(t, new BytesCursor(bytes), { flags, address, rights: null, credentials: null, done: 0 });
}

function receive(t: Task, socket: SocketFile, count: number, flags = 0): [number, string, Incoming] {
  const bytes = new Uint8Array(count);
  const message = new Incoming(flags);
  const result = socket.receive(t, new BytesCursor(bytes), message);
  return [result, String.fromCharCode(...bytes.subarray(0, Math.max(0, Math.min(result, count)))), message];
}

function abstractName(name: string): Uint8Array {
  return Uint8Array.of(S.AF_UNIX, 0, 0, ...bytesOf(name));
}

function inet(host: readonly number[], port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([S.AF_INET, 0, port >> 8, port & 255, ...host]);
  return bytes;
}

const LOCALHOST = [127, 0, 0, 1];

test("a stream pair: peek, shutdown, end of file, reset", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const [a, b] = UnixStream.pair(world.kernel, t, S.SOCK_STREAM);
  expect(send(t, a, "hello")).toBe(5);
  expect(send(t, a, "world")).toBe(5);
  expect(receive(t, b, 3, S.MSG_PEEK).slice(0, 2)).toEqual([3, "hel"]);
  expect(receive(t, b, 100).slice(0, 2)).toEqual([10, "helloworld"]);
  expect(receive(t, b, 1, S.MSG_DONTWAIT)[0]).toBe(-E.EAGAIN);
  expect(a.shutdown(S.SHUT_WR)).toBe(0);
  expect(b.poll() & (P.POLLRDHUP | P.POLLIN | P.POLLOUT)).toBe(P.POLLRDHUP | P.POLLIN | P.POLLOUT);
  expect(receive(t, b, 1)[0]).toBe(0);
  expect(send(t, a, "x", S.MSG_NOSIGNAL)).toBe(-E.EPIPE);
  expect(world.sent).toEqual([]);
  expect(send(t, a, "x")).toBe(-E.EPIPE);
  expect(world.sent).toEqual([{ to: t.process.pid, signal: SIGPIPE }]);
  send(t, b, "back");
  b.release();
  expect(receive(t, a, 10).slice(0, 2)).toEqual([4, "back"]);
  expect(receive(t, a, 10)[0]).toBe(0);
  const [c, d] = UnixStream.pair(world.kernel, t, S.SOCK_STREAM);
  send(t, c, "unread");
  d.release();
  expect(receive(t, c, 10)[0]).toBe(-E.ECONNRESET);
  expect(receive(t, c, 10)[0]).toBe(0);
});

test("names, backlog and accept", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  const name = abstractName("here");
  const listener = new UnixStream(k, S.SOCK_STREAM);
  const clients = [0, 1, 2, 3].map(() => {
    const client = new UnixStream(k, S.SOCK_STREAM);
    client.flags |= O_NONBLOCK;
    return client;
  });
  expect(listener.listen(t, 1)).toBe(-E.EINVAL);
  expect(listener.bind(t, name)).toBe(0);
  expect(listener.bind(t, name)).toBe(-E.EINVAL);
  expect(world.now(t, () => new UnixStream(k, S.SOCK_STREAM).bind(t, name))).toBe(-E.EADDRINUSE);
  expect(world.now(t, () => clients[0].connect(t, name))).toBe(-E.ECONNREFUSED);
  expect(listener.listen(t, 1)).toBe(0);
  expect(clients[0].connect(t, name)).toBe(0);
  expect(clients[0].connect(t, name)).toBe(-E.EISCONN);
  expect(clients[1].connect(t, name)).toBe(0);
  expect(clients[2].connect(t, name)).toBe(-E.EAGAIN);
  const server = listener.accept(t) as UnixStream;
  expect(server.localAddress()).toEqual(name);
  expect(clients[2].connect(t, name)).toBe(0);
  listener.release();
  expect(receive(t, clients[1], 1)[0]).toBe(-E.ECONNRESET);
  expect(world.now(t, () => clients[3].connect(t, name))).toBe(-E.ECONNREFUSED);
});

test("datagrams: borders, truncation, connected peers only", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  const [a, b] = UnixDatagram.pair(k, t);
  send(t, a, "one");
  send(t, a, "");
  send(t, a, "three");
  expect(receive(t, b, 1, S.MSG_TRUNC | S.MSG_PEEK)[0]).toBe(3);
  expect(receive(t, b, 100)[0]).toBe(3);
  expect(receive(t, b, 100)[0]).toBe(0);
  expect(receive(t, b, 2)[2].resultFlags).toBe(S.MSG_TRUNC);
  b.release();
  expect(send(t, a, "x")).toBe(-E.ECONNREFUSED);
  const s = new UnixDatagram(k, S.SOCK_DGRAM);
  const c = new UnixDatagram(k, S.SOCK_DGRAM);
  const stranger = new UnixDatagram(k, S.SOCK_DGRAM);
  s.bind(t, abstractName("s"));
  c.bind(t, abstractName("c"));
  expect(send(t, c, "x")).toBe(-E.ENOTCONN);
  expect(send(t, c, "hi", 0, abstractName("s"))).toBe(2);
  expect(receive(t, s, 10)[2].address).toEqual(abstractName("c"));
  expect(s.connect(t, abstractName("c"))).toBe(0);
  expect(send(t, stranger, "x", 0, abstractName("s"))).toBe(-E.EPERM);
});

test("files in flight are kept, dropped with their socket, and cycles of them collected", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  const pass = (from: SocketFile, files: import("../vfs/open-file.ts").OpenFile[]) => {
    for (const file of files) file.acquire();
    from.send(t, new BytesCursor(Uint8Array.of(1)), {
      flags: 0,
      address: null,
      rights: files,
      credentials: null,
      done: 0,
    });
  };
  const [a, b] = UnixStream.pair(k, t, S.SOCK_STREAM);
  const [r, w] = createPipe(k, O_NONBLOCK);
  pass(a, [w]);
  w.release();
  expect(r.poll()).toBe(0);
  const [, , message] = receive(t, b, 10);
  expect(message.rights).toEqual([w]);
  pass(a, [w]);
  message.rights?.[0].release();
  a.release();
  b.release();
  expect(r.poll()).toBe(P.POLLHUP);
  const [c, d] = UnixStream.pair(k, t, S.SOCK_STREAM);
  const [r2, w2] = createPipe(k, O_NONBLOCK);
  pass(c, [d, w2]);
  w2.release();
  c.release();
  d.release();
  // As in Linux the collector runs when some Unix socket closes while files are in flight.
  for (const socket of UnixStream.pair(k, t, S.SOCK_STREAM)) socket.release();
  expect(r2.poll()).toBe(P.POLLHUP);
  expect(k.ipc.unix.inFlight.size).toBe(0);
  expect(k.ipc.unix.sockets.size).toBe(0);
});

test("a full stream blocks its sender, who goes on when the receiver reads", () => {
  const world = new FakeWorld();
  const sender = world.spawn();
  const receiver = world.spawn();
  const [a, b] = UnixStream.pair(world.kernel, sender, S.SOCK_STREAM);
  const call = world.call(sender, () => a.write(sender, new BytesCursor(new Uint8Array(1000000))));
  expect(call.result).toBeUndefined();
  let total = 0;
  while (total < 1000000) {
    total += world.now(receiver, () => receive(receiver, b, 65536)[0]);
    world.settle();
  }
  expect(call.result).toBe(1000000);
  const timed = world.call(receiver, () => receive(receiver, b, 10)[0]);
  expect(timed.result).toBeUndefined();
});

test("SO_RCVTIMEO ends a wait with EAGAIN", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const [a] = UnixStream.pair(world.kernel, t, S.SOCK_STREAM);
  a.receiveTimeoutNs = 5e6;
  const call = world.call(t, () => receive(t, a, 10)[0]);
  world.advance(4e6);
  expect(call.result).toBeUndefined();
  world.advance(2e6);
  expect(call.result).toBe(-E.EAGAIN);
});

function tcpPair(world: FakeWorld, t: Task): [TcpSocket, TcpSocket, TcpSocket] {
  const listener = new TcpSocket(world.kernel, S.AF_INET, 0);
  listener.bind(t, inet(LOCALHOST, 0));
  listener.listen(t, 5);
  const client = new TcpSocket(world.kernel, S.AF_INET, 0);
  expect(client.connect(t, listener.localAddress())).toBe(0);
  return [listener, client, listener.accept(t) as TcpSocket];
}

test("TCP: connect, refuse, transfer, half-close, reset", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const lonely = new TcpSocket(world.kernel, S.AF_INET, 0);
  expect(lonely.poll()).toBe(P.POLLOUT | P.POLLWRNORM | P.POLLHUP);
  expect(lonely.connect(t, inet(LOCALHOST, 9))).toBe(-E.ECONNREFUSED);
  expect(world.now(t, () => lonely.connect(t, inet([8, 8, 8, 8], 53)))).toBe(-E.ENETUNREACH);
  const [listener, c, d] = tcpPair(world, t);
  expect(d.peerAddress()).toEqual(c.localAddress());
  expect(c.connect(t, listener.localAddress())).toBe(-E.EISCONN);
  expect(send(t, c, "hello")).toBe(5);
  expect(receive(t, d, 100).slice(0, 2)).toEqual([5, "hello"]);
  c.shutdown(S.SHUT_WR);
  expect(receive(t, d, 100)[0]).toBe(0);
  expect(send(t, d, "back")).toBe(4);
  d.release();
  expect(receive(t, c, 100)[0]).toBe(4);
  expect(receive(t, c, 100)[0]).toBe(0);
  const [, e, f] = tcpPair(world, t);
  send(t, e, "unread");
  f.release();
  expect(receive(t, e, 1)[0]).toBe(-E.ECONNRESET);
  const [, g, h] = tcpPair(world, t);
  h.release();
  expect(send(t, g, "x", S.MSG_NOSIGNAL)).toBe(1);
  expect(send(t, g, "x", S.MSG_NOSIGNAL)).toBe(-E.EPIPE);
});

test("TCP: a non-blocking connect reports once, then EISCONN; a refused one by SO_ERROR", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const [listener] = tcpPair(world, t);
  const c = new TcpSocket(world.kernel, S.AF_INET, 0);
  c.flags |= O_NONBLOCK;
  const address = listener.localAddress();
  expect(c.connect(t, address)).toBe(-E.EINPROGRESS);
  expect(c.poll() & P.POLLOUT).toBe(P.POLLOUT);
  expect(c.connect(t, address)).toBe(0);
  expect(c.connect(t, address)).toBe(-E.EISCONN);
  listener.release();
  const d = new TcpSocket(world.kernel, S.AF_INET, 0);
  d.flags |= O_NONBLOCK;
  expect(d.connect(t, address)).toBe(-E.EINPROGRESS);
  expect(d.poll() & (P.POLLERR | P.POLLHUP)).toBe(P.POLLERR | P.POLLHUP);
  expect(d.getOption(t, S.SOL_SOCKET, S.SO_ERROR)[0]).toBe(E.ECONNREFUSED);
});

test("TCP: a full backlog makes connect wait until accept", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const listener = new TcpSocket(world.kernel, S.AF_INET, 0);
  world.kernel.scheduler.current = t;
  listener.bind(t, inet(LOCALHOST, 0));
  listener.listen(t, 0);
  const address = listener.localAddress();
  new TcpSocket(world.kernel, S.AF_INET, 0).connect(t, address);
  const waiting = new TcpSocket(world.kernel, S.AF_INET, 0);
  const u = world.spawn();
  const call = world.call(u, () => waiting.connect(u, address));
  expect(call.result).toBeUndefined();
  expect(typeof listener.accept(t)).toBe("object");
  world.settle();
  expect(call.result).toBe(0);
});

test("ports: conflicts, reuse, wildcard and exact listeners, IPv4 on an IPv6 listener", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  const a = new TcpSocket(k, S.AF_INET, 0);
  expect(a.bind(t, inet(LOCALHOST, 8080))).toBe(0);
  expect(new TcpSocket(k, S.AF_INET, 0).bind(t, inet([0, 0, 0, 0], 8080))).toBe(-E.EADDRINUSE);
  expect(new TcpSocket(k, S.AF_INET, 0).bind(t, inet([127, 0, 0, 2], 8080))).toBe(0);
  expect(new TcpSocket(k, S.AF_INET, 0).bind(t, inet([10, 0, 0, 1], 8080))).toBe(-E.EADDRNOTAVAIL);
  const six = new TcpSocket(k, S.AF_INET6, 0);
  const any6 = new Uint8Array(28);
  any6.set([S.AF_INET6, 0, 9000 >> 8, 9000 & 255]);
  expect(six.bind(t, any6)).toBe(0);
  six.listen(t, 5);
  const four = new TcpSocket(k, S.AF_INET, 0);
  expect(four.connect(t, inet(LOCALHOST, 9000))).toBe(0);
  const accepted = six.accept(t) as TcpSocket;
  expect([...accepted.peerAddress().subarray(8, 24)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]);
});

test("UDP: delivery, truncation, unreachable ports", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  const s = new UdpSocket(k, S.AF_INET, 0);
  const c = new UdpSocket(k, S.AF_INET, 0);
  s.bind(t, inet(LOCALHOST, 0));
  const address = s.localAddress();
  expect(send(t, c, "x")).toBe(-E.EDESTADDRREQ);
  expect(send(t, c, "dgram", 0, address)).toBe(5);
  expect(receive(t, s, 3, S.MSG_TRUNC)[0]).toBe(5);
  c.connect(t, address);
  expect(send(t, c, 70000)).toBe(-E.EMSGSIZE);
  s.release();
  expect(send(t, c, "x")).toBe(1);
  expect(send(t, c, "x")).toBe(-E.ECONNREFUSED);
});

test("netlink: a link dump names lo and ends with NLMSG_DONE", () => {
  const request = new Uint8Array(32);
  const view = new DataView(request.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, 18, true);
  view.setUint16(6, 0x301, true);
  view.setUint32(8, 77, true);
  const replies = answerRouteRequests(request, 1234);
  expect(replies.length).toBe(2);
  const first = new DataView(replies[0].buffer);
  expect(first.getUint32(0, true)).toBe(replies[0].length);
  expect(first.getUint16(4, true)).toBe(16);
  expect(first.getUint32(8, true)).toBe(77);
  expect(first.getUint32(12, true)).toBe(1234);
  expect(String.fromCharCode(...replies[0]).includes("lo\0")).toBe(true);
  expect(new DataView(replies[1].buffer).getUint16(4, true)).toBe(3);
});
