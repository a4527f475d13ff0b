// Pipes, sockets, event files, System V and POSIX queues, terminals: what guest programs see, line by line, against what the
// same programs printed natively on Linux 6.18 (ipc/*.expected.txt). To make these anew: gcc -O1 -w NAME.c -lutil -lrt, run it
// in an empty folder.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const PROGRAMS = ["pipe", "unix", "inet", "epoll", "event", "sysv", "pty"] as const;

describe.skipIf(announceSkip(!hasCompiler, "the ipc programs need riscv64-linux-gnu-gcc"))("ipc programs", () => {
  test.each(PROGRAMS)("%s answers as Linux does", async (name) => {
    const elf = scratch.compile(name, [`test/guest/ipc/${name}.c`, "-lutil", "-lrt"], ["-O1", "-static", "-w"]);
    const { stdout } = await runElf(elf, [], {}, { cwd: "/tmp" });
    expect(stdout.split("\n")).toEqual(readFileSync(`test/guest/ipc/${name}.expected.txt`, "utf8").split("\n"));
  });
});
