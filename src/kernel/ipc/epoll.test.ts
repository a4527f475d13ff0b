// Edge, level and one-shot semantics, nesting limits, and files that go away; see test/guest/ipc-epoll.c for the same on Linux.
import { expect, test } from "vitest";
import { EEXIST, EINVAL, ELOOP, ENOENT } from "../../abi/errno.ts";
import { O_NONBLOCK } from "../../abi/fcntl.ts";
import * as P from "../../abi/poll.ts";
import * as S from "../../abi/socket.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { EpollFile } from "./epoll.ts";
import { EventFile } from "./eventfd.ts";
import { type FakeSpace, FakeWorld } from "./ipc-test-support.ts";
import { createPipe } from "./pipe.ts";
import { Incoming } from "./socket.ts";
import { TimerFile } from "./timerfd.ts";
import { UnixStream } from "./unix-stream.ts";

function event(events: number, data: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setInt32(0, events, true);
  new DataView(bytes.buffer).setInt32(8, data, true);
  return bytes;
}

/** [events, data] of everything ready now. */
function ready(t: Task, epoll: EpollFile, limit = 8): [number, number][] {
  const count = epoll.wait(t, 0x1000, limit, 0);
  const view = new DataView((t.space as unknown as FakeSpace).bytes.buffer);
  return Array.from({ length: count }, (_, i) => [view.getInt32(i * 16, true), view.getInt32(i * 16 + 8, true)]);
}

function put(t: Task, file: OpenFile, text: string): void {
  file.write(t, new BytesCursor(Uint8Array.from(text, (c) => c.charCodeAt(0))), -1);
}

function get(t: Task, file: OpenFile, count: number): void {
  file.read(t, new BytesCursor(new Uint8Array(count)), -1);
}

test("level, edge and one-shot on a pipe", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const epoll = new EpollFile(world.kernel);
  const [r, w] = createPipe(world.kernel, O_NONBLOCK);
  const mod = (events: number, data: number) => epoll.change(r, 3, P.EPOLL_CTL_MOD, event(events, data));
  expect(epoll.change(r, 3, P.EPOLL_CTL_ADD, event(P.POLLIN, 1))).toBe(0);
  expect(epoll.change(r, 3, P.EPOLL_CTL_ADD, event(P.POLLIN, 1))).toBe(-EEXIST);
  expect(ready(t, epoll)).toEqual([]);
  put(t, w, "abc");
  expect(ready(t, epoll)).toEqual([[1, 1]]);
  expect(ready(t, epoll)).toEqual([[1, 1]]);
  mod(P.POLLIN | P.EPOLLET, 2);
  expect(ready(t, epoll)).toEqual([[1, 2]]);
  expect(ready(t, epoll)).toEqual([]);
  put(t, w, "d");
  expect(ready(t, epoll)).toEqual([[1, 2]]);
  get(t, r, 2);
  expect(ready(t, epoll)).toEqual([]);
  mod(P.POLLIN | P.EPOLLONESHOT, 3);
  expect(ready(t, epoll)).toEqual([[1, 3]]);
  put(t, w, "e");
  expect(ready(t, epoll)).toEqual([]);
  mod(P.POLLIN | P.EPOLLONESHOT, 4);
  expect(ready(t, epoll)).toEqual([[1, 4]]);
  mod(P.POLLIN, 6);
  get(t, r, 100);
  expect(ready(t, epoll)).toEqual([]);
  w.release();
  expect(ready(t, epoll)).toEqual([[P.POLLHUP, 6]]);
  r.release();
  expect(ready(t, epoll)).toEqual([]);
  expect(epoll.fdInfo()).toBe("");
});

test("edges of a socket", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const epoll = new EpollFile(world.kernel);
  const [a, b] = UnixStream.pair(world.kernel, t, S.SOCK_STREAM);
  epoll.change(a, 3, P.EPOLL_CTL_ADD, event(P.POLLIN | P.POLLOUT | P.POLLRDHUP | P.EPOLLET, 1));
  expect(ready(t, epoll)).toEqual([[P.POLLOUT, 1]]);
  expect(ready(t, epoll)).toEqual([]);
  put(t, b, "a");
  expect(ready(t, epoll)).toEqual([[P.POLLIN | P.POLLOUT, 1]]);
  put(t, b, "b");
  expect(ready(t, epoll)).toEqual([[P.POLLIN | P.POLLOUT, 1]]);
  a.receive(t, new BytesCursor(new Uint8Array(10)), new Incoming(0));
  expect(ready(t, epoll)).toEqual([]);
  b.shutdown(S.SHUT_WR);
  expect(ready(t, epoll)).toEqual([[0x2005, 1]]);
  b.release();
  expect(ready(t, epoll)).toEqual([[0x2015, 1]]);
});

test("a wait for input hears no edge of output", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const epoll = new EpollFile(world.kernel);
  const [a, b] = UnixStream.pair(world.kernel, t, S.SOCK_STREAM);
  epoll.change(a, 3, P.EPOLL_CTL_ADD, event(P.POLLIN | P.EPOLLET, 1));
  put(t, b, "input");
  expect(ready(t, epoll)).toEqual([[P.POLLIN, 1]]);
  put(t, a, "output");
  b.receive(t, new BytesCursor(new Uint8Array(10)), new Incoming(0));
  expect(ready(t, epoll)).toEqual([]);
});

test("a blocked wait is woken, and gives up at its deadline", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const u = world.spawn();
  const epoll = new EpollFile(world.kernel);
  const file = new EventFile(world.kernel, 0, 0);
  epoll.change(file, 3, P.EPOLL_CTL_ADD, event(P.POLLIN, 9));
  const call = world.call(t, () => epoll.wait(t, 0x1000, 4, Number.POSITIVE_INFINITY));
  expect(call.result).toBeUndefined();
  world.now(u, () => file.write(u, new BytesCursor(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))));
  expect(call.result).toBe(1);
  world.now(u, () => file.read(u, new BytesCursor(new Uint8Array(8))));
  const deadline = world.nowNs + 1000;
  const timed = world.call(t, () => epoll.wait(t, 0x1000, 4, deadline));
  world.advance(2000);
  expect(timed.result).toBe(0);
});

test("timerfd: ticks are counted, and wake an epoll", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const epoll = new EpollFile(world.kernel);
  const timer = new TimerFile(world.kernel, 1, O_NONBLOCK);
  epoll.change(timer, 3, P.EPOLL_CTL_ADD, event(P.POLLIN, 5));
  timer.set(0, 0, 1000, 1000);
  const call = world.call(t, () => epoll.wait(t, 0x1000, 4, Number.POSITIVE_INFINITY));
  world.advance(999);
  expect(call.result).toBeUndefined();
  world.advance(2501);
  expect(call.result).toBe(1);
  const bytes = new Uint8Array(8);
  expect(timer.read(t, new BytesCursor(bytes))).toBe(8);
  expect(bytes[0]).toBe(3);
  expect(timer.get()).toEqual({ leftNs: 500, intervalNs: 1000 });
});

test("nesting: five levels, no loops", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  world.kernel.scheduler.current = t;
  const chain = Array.from({ length: 8 }, () => new EpollFile(world.kernel));
  const results = chain
    .slice(0, 7)
    .map((outer, i) => outer.change(chain[i + 1], i, P.EPOLL_CTL_ADD, event(P.POLLIN, i)));
  expect(results).toEqual([0, 0, 0, 0, -ELOOP, 0, 0]);
  const a = new EpollFile(world.kernel);
  const b = new EpollFile(world.kernel);
  expect(a.change(a, 1, P.EPOLL_CTL_ADD, event(1, 1))).toBe(-EINVAL);
  expect(a.change(b, 1, P.EPOLL_CTL_ADD, event(P.POLLIN, 1))).toBe(0);
  expect(b.change(a, 1, P.EPOLL_CTL_ADD, event(P.POLLIN, 1))).toBe(-ELOOP);
  expect(b.change(a, 1, P.EPOLL_CTL_DEL, null)).toBe(-ENOENT);
  const file = new EventFile(world.kernel, 1, 0);
  expect(b.change(file, 9, P.EPOLL_CTL_ADD, event(P.POLLIN, 2))).toBe(0);
  expect(ready(t, a)).toEqual([[P.POLLIN, 1]]);
});

test("exclusive items: few flags, no modification", () => {
  const world = new FakeWorld();
  const epoll = new EpollFile(world.kernel);
  const file = new EventFile(world.kernel, 0, 0);
  const exclusive = P.POLLIN | P.EPOLLEXCLUSIVE;
  expect(epoll.change(file, 1, P.EPOLL_CTL_ADD, event(exclusive | P.EPOLLONESHOT, 1))).toBe(-EINVAL);
  expect(epoll.change(file, 1, P.EPOLL_CTL_ADD, event(exclusive, 1))).toBe(0);
  expect(epoll.change(file, 1, P.EPOLL_CTL_MOD, event(P.POLLIN, 1))).toBe(-EINVAL);
});
