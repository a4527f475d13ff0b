// System V semaphores and message queues by direct calls; see test/guest/ipc-sysv.c for the same on Linux.
import { expect, test } from "vitest";
import { E2BIG, EAGAIN, EIDRM, EINVAL, ENOMSG } from "../../abi/errno.ts";
import * as C from "../../abi/ipc.ts";
import type { Task } from "../task.ts";
import { type FakeSpace, FakeWorld } from "./ipc-test-support.ts";
import { msgctl, msgget, msgrcv, msgsnd } from "./sysv-msg.ts";
import { exitSemaphores, semctl, semget, semop } from "./sysv-sem.ts";

const BUFFER = 0x2000;

function poke(t: Task, write: (view: DataView) => void): void {
  write(new DataView((t.space as unknown as FakeSpace).bytes.buffer, BUFFER - 0x1000));
}

/** Operations as [semaphore, change, flags] in the task's buffer; returns how many. */
function operations(t: Task, list: readonly (readonly [number, number, number])[]): number {
  poke(t, (view) => {
    list.forEach(([semaphore, change, flags], i) => {
      view.setUint16(i * 6, semaphore, true);
      view.setInt16(i * 6 + 2, change, true);
      view.setInt16(i * 6 + 4, flags, true);
    });
  });
  return list.length;
}

test("semaphores: atomic groups, waiting, undo, removal", () => {
  const world = new FakeWorld();
  const k = world.kernel;
  const t = world.spawn();
  const u = world.spawn();
  const id = world.now(t, () => semget(k, t, C.IPC_PRIVATE, 2, 0o600 | C.IPC_CREAT));
  const op = (task: Task, list: readonly (readonly [number, number, number])[]) => {
    const count = operations(task, list);
    return world.call(task, () => semop(k, task, id, BUFFER, count, 0));
  };
  const value = (n: number) => world.now(t, () => semctl(k, t, id, n, C.GETVAL, 0));
  expect(op(t, [[0, 5, 0]]).result).toBe(0);
  expect(
    op(t, [
      [0, -5, C.IPC_NOWAIT],
      [1, -1, C.IPC_NOWAIT],
    ]).result,
  ).toBe(-EAGAIN);
  expect(value(0)).toBe(5);
  const waiting = op(u, [[0, -7, 0]]);
  expect(waiting.result).toBeUndefined();
  expect(world.now(t, () => semctl(k, t, id, 0, C.GETNCNT, 0))).toBe(1);
  expect(op(t, [[0, 3, 0]]).result).toBe(0);
  expect(waiting.result).toBe(0);
  expect(value(0)).toBe(1);
  expect(op(u, [[0, -1, C.SEM_UNDO]]).result).toBe(0);
  exitSemaphores(k, u.process);
  expect(value(0)).toBe(1);
  const zero = op(u, [[0, 0, 0]]);
  expect(world.now(t, () => semctl(k, t, id, 0, C.GETZCNT, 0))).toBe(1);
  expect(world.now(t, () => semctl(k, t, id, 0, C.IPC_RMID, 0))).toBe(0);
  world.settle();
  expect(zero.result).toBe(-EIDRM);
  expect(op(t, [[0, 1, 0]]).result).toBe(-EINVAL);
});

test("semtimedop gives up with EAGAIN", () => {
  const world = new FakeWorld();
  const k = world.kernel;
  const t = world.spawn();
  const id = world.now(t, () => semget(k, t, C.IPC_PRIVATE, 1, 0o600 | C.IPC_CREAT));
  operations(t, [[0, -1, 0]]);
  poke(t, (view) => view.setUint32(100 + 8, 1000, true));
  const call = world.call(t, () => semop(k, t, id, BUFFER, 1, BUFFER + 100));
  world.advance(2000);
  expect(call.result).toBe(-EAGAIN);
});

test("message queues: types, truncation, waiting, removal", () => {
  const world = new FakeWorld();
  const k = world.kernel;
  const t = world.spawn();
  const u = world.spawn();
  const id = world.now(t, () => msgget(k, t, C.IPC_PRIVATE, 0o600 | C.IPC_CREAT));
  const send = (type: number, size: number) => {
    poke(t, (view) => view.setUint32(0, type, true));
    return world.now(t, () => msgsnd(k, t, id, BUFFER, size, C.IPC_NOWAIT));
  };
  const receive = (type: number, size: number, flags: number) =>
    world.now(t, () => msgrcv(k, t, id, BUFFER, size, type, flags));
  expect([send(3, 6), send(1, 4), send(2, 5), send(0, 1)]).toEqual([0, 0, 0, -EINVAL]);
  expect(receive(9, 200, C.IPC_NOWAIT)).toBe(-ENOMSG);
  expect(receive(1, 2, 0)).toBe(-E2BIG);
  expect(receive(1, 2, C.MSG_NOERROR)).toBe(2);
  expect(receive(-5, 200, 0)).toBe(5);
  expect(receive(3, 200, C.MSG_EXCEPT | C.IPC_NOWAIT)).toBe(-ENOMSG);
  expect(receive(0, 200, 0)).toBe(6);
  const waiting = world.call(u, () => msgrcv(k, u, id, BUFFER, 200, 5, 0));
  send(4, 1);
  world.settle();
  expect(waiting.result).toBeUndefined();
  send(5, 11);
  world.settle();
  expect(waiting.result).toBe(11);
  let fits = 0;
  while (send(4, 200) === 0) fits++;
  expect(fits).toBe(81);
  const blocked = world.call(u, () => msgsnd(k, u, id, BUFFER, 200, 0));
  expect(world.now(t, () => msgctl(k, t, id, C.IPC_RMID, 0))).toBe(0);
  world.settle();
  expect(blocked.result).toBe(-EIDRM);
});
