// Pipes and FIFOs against what Linux 6.18 answered to test/guest/ipc-pipe.c, plus blocking by the dispatcher's rules.
import { expect, test } from "vitest";
import { EAGAIN, EBUSY, ENXIO, EPIPE } from "../../abi/errno.ts";
import { F_GETPIPE_SZ, F_SETPIPE_SZ, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from "../../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { SIGPIPE } from "../../abi/signal.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import { FakeWorld } from "./ipc-test-support.ts";
import { createPipe, openFifo, type PipeFile } from "./pipe.ts";
import { splice, tee } from "./splice.ts";

function write(world: FakeWorld, file: PipeFile, bytes: number | string, t = world.spawn()) {
  const data =
    typeof bytes === "string" ? Uint8Array.from(bytes, (c) => c.charCodeAt(0)) : new Uint8Array(bytes).fill(120);
  return world.call(t, () => file.write(t, new BytesCursor(data)));
}

function read(world: FakeWorld, file: PipeFile, count: number, t = world.spawn()) {
  return world.call(t, () => file.read(t, new BytesCursor(new Uint8Array(count))));
}

test("capacity is counted in pages, with merging of small writes", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const [r, w] = createPipe(world.kernel, O_NONBLOCK);
  expect(write(world, w, 70000).result).toBe(65536);
  expect(write(world, w, 1).result).toBe(-EAGAIN);
  expect(w.poll()).toBe(0);
  expect(read(world, r, 1).result).toBe(1);
  expect(write(world, w, 1).result).toBe(-EAGAIN);
  expect(read(world, r, 4095).result).toBe(4095);
  expect(write(world, w, 4096).result).toBe(4096);
  expect(read(world, r, 70000).result).toBe(65536);
  let ones = 0;
  while (write(world, w, 1, t).result === 1) ones++;
  expect(ones).toBe(65536);
  read(world, r, 70000);
  let big = 0;
  while (write(world, w, 3000, t).result === 3000) big++;
  expect(big).toBe(16);
});

test("F_SETPIPE_SZ rounds to powers of two and refuses to cut off data", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const [, w] = createPipe(world.kernel, O_NONBLOCK);
  expect(w.control(t, F_GETPIPE_SZ, 0)).toBe(65536);
  expect(w.control(t, F_SETPIPE_SZ, 4096)).toBe(4096);
  expect(write(world, w, 5000).result).toBe(4096);
  expect(w.control(t, F_SETPIPE_SZ, 5000)).toBe(8192);
  expect(write(world, w, 4096).result).toBe(4096);
  expect(w.control(t, F_SETPIPE_SZ, 4096)).toBe(-EBUSY);
});

test("packets keep their borders; what a short read leaves of one is lost", () => {
  const world = new FakeWorld();
  const [r, w] = createPipe(world.kernel, O_DIRECT);
  write(world, w, "abc");
  write(world, w, "defg");
  expect(read(world, r, 100).result).toBe(3);
  expect(read(world, r, 2).result).toBe(2);
  write(world, w, 5000);
  expect(read(world, r, 10000).result).toBe(4096);
  expect(read(world, r, 10000).result).toBe(904);
});

test("a big write goes on as readers make room, and its result is the whole", () => {
  const world = new FakeWorld();
  const [r, w] = createPipe(world.kernel, 0);
  const writer = write(world, w, 200000);
  expect(writer.result).toBeUndefined();
  let total = 0;
  while (total < 200000) total += read(world, r, 3000).result ?? 0;
  expect(total).toBe(200000);
  expect(writer.result).toBe(200000);
});

test("a blocked reader wakes at data and at the last writer's close", () => {
  const world = new FakeWorld();
  const [r, w] = createPipe(world.kernel, 0);
  const reader = read(world, r, 10);
  expect(reader.result).toBeUndefined();
  write(world, w, "hi");
  expect(reader.result).toBe(2);
  const second = read(world, r, 10);
  w.release();
  world.settle();
  expect(second.result).toBe(0);
  expect(r.poll()).toBe(POLLHUP);
});

test("without readers: EPIPE and SIGPIPE, also for a writer that already sleeps", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const [r, w] = createPipe(world.kernel, 0);
  const writer = write(world, w, 70000, t);
  r.release();
  world.settle();
  expect(writer.result).toBe(65536);
  expect(w.poll()).toBe(POLLERR);
  expect(write(world, w, 1, t).result).toBe(-EPIPE);
  expect(world.sent).toEqual([
    { to: t.process.pid, signal: SIGPIPE },
    { to: t.process.pid, signal: SIGPIPE },
  ]);
});

test("FIFO: non-blocking opens, and no hang-up before the first writer", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const inode = world.kernel.vfs.sockFs.createInode(t, 0o10600);
  const open = (flags: number) => openFifo(t, inode, null, flags);
  expect(world.now(t, () => open(O_WRONLY | O_NONBLOCK).flags)).toBe(-ENXIO);
  const r = open(O_RDONLY | O_NONBLOCK);
  expect(r.poll()).toBe(0);
  expect(read(world, r, 10).result).toBe(0);
  const w = open(O_WRONLY);
  expect(read(world, r, 10).result).toBe(-EAGAIN);
  w.release();
  expect(r.poll()).toBe(POLLHUP);
  const both = open(O_RDWR | O_NONBLOCK);
  expect(both.poll()).toBe(POLLOUT | POLLWRNORM);
  write(world, both, "x");
  expect(both.poll()).toBe(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
});

test("FIFO: blocking opens meet each other, and a writer may write and leave before the reader looks", () => {
  const world = new FakeWorld();
  const a = world.spawn();
  const b = world.spawn();
  const inode = world.kernel.vfs.sockFs.createInode(a, 0o10600);
  let reader: PipeFile | null = null;
  const opening = world.call(a, () => {
    reader = openFifo(a, inode, null, O_RDONLY);
    return 7;
  });
  expect(opening.result).toBeUndefined();
  world.now(b, () => {
    const w = openFifo(b, inode, null, O_WRONLY);
    expect(w.write(b, new BytesCursor(Uint8Array.of(1, 2, 3)))).toBe(3);
    w.release();
    return 0;
  });
  expect(opening.result).toBe(7);
  expect(read(world, reader as unknown as PipeFile, 10).result).toBe(3);
  expect(read(world, reader as unknown as PipeFile, 10).result).toBe(0);
});

test("splice moves and tee copies between pipes", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const [r1, w1] = createPipe(world.kernel, 0);
  const [r2, w2] = createPipe(world.kernel, 0);
  write(world, w1, "splice me");
  expect(world.now(t, () => tee(t, r1, w2, 100, 0))).toBe(9);
  expect(read(world, r2, 100).result).toBe(9);
  expect(world.now(t, () => splice(t, r1, -1, w2, -1, 6, 0))).toBe(6);
  expect(read(world, r1, 100).result).toBe(3);
  expect(read(world, r2, 100).result).toBe(6);
});
