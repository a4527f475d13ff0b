// Pseudo-terminals, job control and the console by direct calls; see test/guest/ipc/pty.c for the same on Linux.
import { expect, test } from "vitest";
import { EAGAIN, EIO, ENOTTY, ERESTARTSYS } from "../../abi/errno.ts";
import { O_NOCTTY, O_NONBLOCK, O_RDWR } from "../../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { SIGCONT, SIGHUP, SIGINT, SIGTTIN, SIGWINCH } from "../../abi/signal.ts";
import { S_IFCHR } from "../../abi/stat.ts";
import * as T from "../../abi/termios.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import { type FakeSpace, FakeWorld } from "../ipc/ipc-test-support.ts";
import { ProcessGroup } from "../process.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { HostInputFile, HostOutputFile } from "./console.ts";
import { openMaster, type PtyMasterFile } from "./pty.ts";
import { connectConsole, DEV_PTMX, openConsole } from "./terminal-state.ts";
import { openTerminal, type TtyFile } from "./tty-file.ts";

class Terminal {
  readonly world = new FakeWorld();
  readonly t: Task = this.world.spawn();
  readonly master: PtyMasterFile;
  readonly slave: TtyFile;

  constructor() {
    const inode = this.world.kernel.vfs.anonFs.createInode(null, S_IFCHR | 0o666);
    inode.rdev = DEV_PTMX;
    this.world.kernel.scheduler.current = this.t;
    this.master = openMaster(this.t, inode, null, O_RDWR | O_NONBLOCK);
    const { tty } = this.master.pty;
    const node = this.world.kernel.vfs.anonFs.createInode(null, S_IFCHR | 0o620);
    node.rdev = tty.deviceNumber;
    this.slave = openTerminal(this.t, node, null, O_RDWR | O_NOCTTY, tty);
  }

  type(text: string): number {
    return this.master.write(this.t, new BytesCursor(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  }

  screen(): string {
    return readAll(this.t, this.master);
  }

  /** One read of the slave that must not block. */
  line(): string | number {
    return this.world.now(this.t, () => 0) === 0 ? readOnce(this.world, this.t, this.slave) : "";
  }

  ioctl(file: OpenFile, request: number, fill?: (view: DataView) => void): number {
    const view = new DataView((this.t.space as unknown as FakeSpace).bytes.buffer, 0, 64);
    fill?.(view);
    return this.world.now(this.t, () => file.ioctl(this.t, request, 0x1000));
  }
}

function readOnce(world: FakeWorld, t: Task, file: OpenFile): string | number {
  const bytes = new Uint8Array(1000);
  const result = world.now(t, () => file.read(t, new BytesCursor(bytes), -1));
  return result < 0 ? result : String.fromCharCode(...bytes.subarray(0, result));
}

function readAll(t: Task, file: OpenFile): string {
  let text = "";
  for (;;) {
    const bytes = new Uint8Array(1000);
    const count = file.read(t, new BytesCursor(bytes), -1);
    if (count <= 0) return text;
    text += String.fromCharCode(...bytes.subarray(0, count));
  }
}

test("typed lines reach the slave, echo and output reach the master", () => {
  const terminal = new Terminal();
  terminal.type("hello\n");
  expect(terminal.screen()).toBe("hello\r\n");
  expect(terminal.line()).toBe("hello\n");
  terminal.slave.write(terminal.t, new BytesCursor(Uint8Array.of(97, 10)));
  expect(terminal.screen()).toBe("a\r\n");
});

test("a blocked reader gets the line when it is complete", () => {
  const { world, slave, ...terminal } = new Terminal();
  const u = world.spawn();
  const bytes = new Uint8Array(100);
  const call = world.call(u, () => slave.read(u, new BytesCursor(bytes)));
  const type = (text: string) =>
    terminal.master.write(u, new BytesCursor(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  type("par");
  world.settle();
  expect(call.result).toBeUndefined();
  type("t\n");
  world.settle();
  expect(call.result).toBe(5);
});

test("VTIME measures from the last byte", () => {
  const terminal = new Terminal();
  const { world, t, slave } = terminal;
  const { tty } = slave;
  tty.termios.lflag = 0;
  tty.termios.cc[T.VMIN] = 5;
  tty.termios.cc[T.VTIME] = 1;
  tty.discipline.settingsChanged(true);
  const u = world.spawn();
  const call = world.call(u, () => slave.read(u, new BytesCursor(new Uint8Array(100))));
  world.advance(5e8);
  expect(call.result).toBeUndefined();
  terminal.type("x");
  world.settle();
  world.advance(0.9e8);
  terminal.type("y");
  world.settle();
  world.advance(0.9e8);
  expect(call.result).toBeUndefined();
  world.advance(0.2e8);
  expect(call.result).toBe(2);
  tty.termios.cc[T.VMIN] = 0;
  const timed = world.call(t, () => slave.read(t, new BytesCursor(new Uint8Array(100))));
  expect(timed.result).toBeUndefined();
  world.advance(1.1e8);
  expect(timed.result).toBe(0);
});

test("the controlling terminal: signals to the foreground, SIGTTIN for others, SIGWINCH at a new size", () => {
  const terminal = new Terminal();
  const { world, t, slave, master } = terminal;
  expect(terminal.ioctl(slave, T.TIOCGPGRP)).toBe(-ENOTTY);
  expect(terminal.ioctl(slave, T.TIOCSCTTY)).toBe(0);
  terminal.type("\x03");
  expect(world.sent).toEqual([{ to: t.process.pid, signal: SIGINT }]);
  expect(
    terminal.ioctl(master, T.TIOCSWINSZ, (view) => {
      view.setUint16(0, 50, true);
      view.setUint16(2, 100, true);
    }),
  ).toBe(0);
  expect(world.sent.at(-1)).toEqual({ to: t.process.pid, signal: SIGWINCH });
  const background = world.spawn(t);
  const group = new ProcessGroup(background.process.pid, t.process.session);
  background.process.group = group;
  background.process.parent = t.process;
  t.process.group.members.delete(background.process);
  group.members.add(background.process);
  expect(world.now(background, () => slave.read(background, new BytesCursor(new Uint8Array(1))))).toBe(-ERESTARTSYS);
  expect(world.sent.at(-1)).toEqual({ to: background.process.pid, signal: SIGTTIN });
  background.signals.blocked.add(SIGTTIN);
  expect(world.now(background, () => slave.read(background, new BytesCursor(new Uint8Array(1))))).toBe(-EIO);
});

test("closing the master hangs the slave up", () => {
  const terminal = new Terminal();
  const { world, t, slave, master } = terminal;
  terminal.ioctl(slave, T.TIOCSCTTY);
  master.release();
  expect(world.sent.map((s) => s.signal)).toEqual([SIGHUP, SIGCONT]);
  expect(t.process.session.terminal).toBeNull();
  expect(terminal.line()).toBe("");
  expect(slave.write(t, new BytesCursor(Uint8Array.of(1)))).toBe(-EIO);
  expect(slave.poll()).toBe(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM);
  expect(world.kernel.ipc.terminals.ptys.size).toBe(0);
});

test("closing the last slave ends the master's input after what was written", () => {
  const terminal = new Terminal();
  const { t, slave, master } = terminal;
  slave.write(t, new BytesCursor(Uint8Array.of(98, 121, 101)));
  slave.release();
  expect(readOnce(terminal.world, t, master)).toBe("bye");
  expect(readOnce(terminal.world, t, master)).toBe(-EIO);
  expect(master.poll() & POLLHUP).toBe(POLLHUP);
});

test("packet mode tells of flushes and flow control", () => {
  const terminal = new Terminal();
  const { t, slave, master } = terminal;
  expect(terminal.ioctl(master, T.TIOCPKT, (view) => view.setInt32(0, 1, true))).toBe(0);
  slave.write(t, new BytesCursor(Uint8Array.of(104, 105)));
  expect(readOnce(terminal.world, t, master)).toBe("\0hi");
  terminal.world.now(t, () => slave.ioctl(t, T.TCFLSH, T.TCIFLUSH));
  expect(readOnce(terminal.world, t, master)).toBe("\x01");
  terminal.world.now(t, () => slave.ioctl(t, T.TCXONC, T.TCOOFF));
  expect(readOnce(terminal.world, t, master)).toBe("\x04");
  terminal.world.now(t, () => slave.ioctl(t, T.TCXONC, T.TCOON));
  expect(readOnce(terminal.world, t, master)).toBe("\x08");
});

test("a stopped terminal holds its output and its writers", () => {
  const terminal = new Terminal();
  const { world, slave } = terminal;
  terminal.type("\x13");
  const u = world.spawn();
  const call = world.call(u, () => slave.write(u, new BytesCursor(Uint8Array.of(104))));
  expect(call.result).toBeUndefined();
  expect(terminal.screen()).toBe("");
  terminal.type("\x11");
  world.settle();
  expect(call.result).toBe(1);
  expect(terminal.screen()).toBe("h");
});

test("a flood of output waits for the reader and arrives whole", () => {
  const terminal = new Terminal();
  const { world, t, slave, master } = terminal;
  const u = world.spawn();
  const call = world.call(u, () => slave.write(u, new BytesCursor(new Uint8Array(300000).fill(120))));
  let total = 0;
  for (let i = 0; i < 10000 && total < 300000; i++) {
    const count = master.read(t, new BytesCursor(new Uint8Array(4096)));
    if (count > 0) total += count;
    world.settle();
  }
  expect(total).toBe(300000);
  expect(call.result).toBe(300000);
});

test("the console writes to the host and takes its keys; host pipes end and push back", () => {
  const world = new FakeWorld();
  const t = world.spawn();
  const k = world.kernel;
  k.scheduler.current = t;
  let shown = "";
  const show = (bytes: Uint8Array) => {
    shown += String.fromCharCode(...bytes);
  };
  const console = connectConsole(k, { write: show }, { rows: 24, columns: 80 });
  const file = openConsole(k, k.vfs.anonFs.createInode(null, S_IFCHR | 0o600), null, O_RDWR);
  file.write(t, new BytesCursor(Uint8Array.of(104, 105, 10)));
  expect(shown).toBe("hi\r\n");
  console.input(Uint8Array.of(108, 115, 13));
  expect(readOnce(world, t, file)).toBe("ls\n");
  expect(shown).toBe("hi\r\nls\r\n");
  const input = new HostInputFile(k);
  const call = world.call(t, () => input.read(t, new BytesCursor(new Uint8Array(10))));
  expect(input.isWanted).toBe(true);
  input.feed(Uint8Array.of(1, 2, 3));
  world.settle();
  expect(call.result).toBe(3);
  input.end();
  expect(readOnce(world, t, input)).toBe("");
  let room = 2;
  const output = new HostOutputFile(k, { write: (bytes) => (room -= bytes.length), room: () => room });
  const write = world.call(t, () => output.write(t, new BytesCursor(Uint8Array.of(1, 2, 3))));
  expect(write.result).toBeUndefined();
  room = 5;
  output.roomGrew();
  world.settle();
  expect(write.result).toBe(3);
  output.flags |= O_NONBLOCK;
  room = 0;
  expect(output.write(t, new BytesCursor(Uint8Array.of(1)))).toBe(-EAGAIN);
});
