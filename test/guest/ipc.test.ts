// Pipes, sockets, event files, System V and POSIX queues, terminals: what guest programs see, line by line, against what the
// same programs printed natively on Linux 6.18 (ipc/*.expected.txt). To make these anew: gcc -O1 -w NAME.c -lutil -lrt, run it
// in an empty folder.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const PROGRAMS = ["pipe", "unix", "inet", "epoll", "event", "sysv", "pty", "ttymode", "more", "aio"] as const;

describe.skipIf(announceSkip(!hasCompiler, "the ipc programs need riscv64-linux-gnu-gcc"))("ipc programs", () => {
  test.each(PROGRAMS)("%s answers as Linux does", async (name) => {
    const elf = scratch.compile(
      name,
      [`test/guest/ipc/${name}.c`, "-lutil", "-lrt"],
      ["-O1", "-static", "-w", "-pthread"],
    );
    const { stdout, machine } = await runElf(elf, [], {}, { cwd: "/tmp" });
    expect(stdout.split("\n")).toEqual(readFileSync(`test/guest/ipc/${name}.expected.txt`, "utf8").split("\n"));
    // Nothing outlives the processes that used it.
    const { unix, inet, netlinkPorts, sem, msg, shm, mqueues, inotify, terminals } = machine.kernel.ipc;
    const left = [unix.sockets, unix.abstractNames, unix.boundInodes, unix.inFlight, netlinkPorts, sem.table, sem.undo];
    expect(left.map((set) => set.size)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([msg.table.size, shm.table.size, shm.totalPages, mqueues.queues.size, inotify.count]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    expect([...inet.tcp.all(), ...inet.udp.all(), ...terminals.ptys.keys()]).toEqual([]);
    expect(machine.kernel.timers.size).toBe(0);
  });
});
