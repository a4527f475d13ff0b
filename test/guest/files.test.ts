// The escape suite, and file system calls as a guest program sees them, line by line, against what the same program printed natively on Linux 6.18
// and ext4 (files/files.expected.txt). To make it anew: gcc -O1 -w files.c, run it in an empty folder, through a pipe.
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, runElf, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Everything below `folder`, with contents, so that a change shows. */
function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path} ${lstatSync(path).mode.toString(8)} ${entry.isFile() ? readFileSync(path, "utf8") : ""}`;
    })
    .sort();
}

describe.skipIf(announceSkip(!hasCompiler, "the escape program needs riscv64-linux-gnu-gcc"))("a guest", () => {
  test("finds no way out of its root and its mounts", async () => {
    const elf = scratch.compile("escape", ["test/guest/files/escape.c"], ["-O1", "-static", "-w"]);
    const top = mkdtempSync(join(tmpdir(), "faultline-escape-"));
    try {
      const outside = join(top, "outside");
      const folder = join(top, "folder");
      mkdirSync(outside);
      mkdirSync(folder);
      const secret = join(outside, "secret");
      writeFileSync(secret, "OUTSIDE");
      symlinkSync(secret, join(folder, "absolute"));
      symlinkSync("../outside/secret", join(folder, "relative"));
      symlinkSync(outside, join(folder, "folder"));
      symlinkSync("/", join(folder, "slash"));
      execFileSync("mkfifo", [join(folder, "pipe")]);
      const reader = openSync(join(folder, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
      const connections: unknown[] = [];
      const server = createServer((socket) => connections.push(socket));
      await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
      const before = snapshot(outside);
      const { stdout, code } = await runElf(elf, [secret], { mounts: [{ host: folder, guest: "/mnt" }] });
      expect(stdout).toMatch(/^\d+ ways tried, 0 led outside\n$/);
      expect(code).toBe(0);
      expect(snapshot(outside)).toEqual(before);
      // Nothing came out of the host's own pipe and socket, and no bits that mean something to the host were left.
      expect(() => readSync(reader, new Uint8Array(8))).toThrow("EAGAIN");
      closeSync(reader);
      expect(connections).toEqual([]);
      await new Promise((resolve) => server.close(resolve));
      expect(statSync(join(folder, "tool")).mode & 0o7777).toBe(0o777);
      expect(statSync(join(folder, "group")).mode & 0o6000).toBe(0);
      expect(existsSync(join(folder, "null"))).toBe(false);
      expect(readdirSync(top).sort()).toEqual(["folder", "outside"]);
    } finally {
      rmSync(top, { recursive: true, force: true });
    }
  });
});

describe.skipIf(announceSkip(!hasCompiler, "races and read-only mounts need riscv64-linux-gnu-gcc"))("a mount", () => {
  test("keeps the guest inside while the host swaps its folders and files for links", async () => {
    const elf = scratch.compile("race", ["test/guest/files/race.c"], ["-O1", "-static", "-w"]);
    const top = mkdtempSync(join(tmpdir(), "faultline-race-"));
    const outside = join(top, "outside");
    const folder = join(top, "folder");
    mkdirSync(outside);
    mkdirSync(folder);
    for (const name of ["file", "canary"]) writeFileSync(join(outside, name), "OUTSIDE, all of it");
    const look = () =>
      readdirSync(outside).map((name) => [name, readFileSync(join(outside, name), "utf8"), lookAt(name)]);
    const lookAt = (name: string) => {
      const { mode, uid, mtimeMs, ctimeMs, nlink } = lstatSync(join(outside, name));
      return { mode, uid, mtimeMs, ctimeMs, nlink };
    };
    const before = look();
    const swapper = spawn(process.execPath, ["test/support/swapper.mjs", folder, outside], { stdio: "pipe" });
    try {
      await new Promise((resolve) => swapper.stdout.once("data", resolve));
      const { stdout } = await runElf(elf, ["2500"], { seed: null, mounts: [{ host: folder, guest: "/mnt" }] });
      expect(stdout).toBe("many rounds, 0\n");
      expect(swapper.exitCode).toBe(null);
      expect(look()).toEqual(before);
    } finally {
      swapper.kill("SIGKILL");
      await new Promise((resolve) => swapper.once("close", resolve));
      rmSync(top, { recursive: true, force: true });
    }
  });

  test("that is read-only refuses every change", async () => {
    const elf = scratch.compile("readonly", ["test/guest/files/readonly.c"], ["-O1", "-static", "-w"]);
    const folder = mkdtempSync(join(tmpdir(), "faultline-mount-"));
    try {
      mkdirSync(join(folder, "folder"));
      writeFileSync(join(folder, "file"), "contents");
      writeFileSync(join(folder, "folder/inner"), "inner");
      symlinkSync("file", join(folder, "link"));
      const before = snapshot(folder);
      const options = { mounts: [{ host: folder, guest: "/mnt", readOnly: true }] };
      expect((await runElf(elf, [], options, { cwd: "/mnt" })).stdout).toBe("41 refused\n");
      expect(snapshot(folder)).toEqual(before);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.skipIf(announceSkip(!hasCompiler, "the file programs need riscv64-linux-gnu-gcc"))("file system calls", () => {
  const expected = readFileSync("test/guest/files/files.expected.txt", "utf8");
  const places: [string, (text: string) => string][] = [
    ["/tmp", (text) => text],
    // As on Linux's tmpfs: pages there are never write-protected again, so a later store goes unnoticed; and what a mapping left behind
    // the end becomes visible when the file grows.
    [
      "/dev/shm",
      (text) =>
        text
          .replace("F_GET_SEALS): EINVAL", "F_GET_SEALS): 1")
          .replace("ftruncate(fd, 6000): 0\n0\n", "ftruncate(fd, 6000): 0\n120\n")
          .replace("mtime moved 1", "mtime moved 0"),
    ],
    // Host folders cannot have files without names (Node has no linkat by descriptor).
    [
      "/mnt",
      (text) =>
        text
          .replace('"hidden", 6): 6', '"hidden", 6): EBADF')
          .replace("AT_SYMLINK_FOLLOW): 0\nhidden", "AT_SYMLINK_FOLLOW): ENOENT\nENOENT"),
    ],
  ];

  test.each(places)("answer as Linux does in %s", async (cwd, adapt) => {
    const elf = scratch.compile("files", ["test/guest/files/files.c"], ["-O1", "-static", "-w"]);
    const folder = mkdtempSync(join(tmpdir(), "faultline-mount-"));
    try {
      const { stdout } = await runElf(elf, [], { mounts: [{ host: folder, guest: "/mnt" }] }, { cwd });
      expect(stdout.split("\n")).toEqual(adapt(expected).split("\n"));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each(["/tmp", "/dev/shm", "/mnt"])(
    "of large files and folders, and of many processes, do so in %s",
    async (cwd) => {
      const elf = scratch.compile("large", ["test/guest/files/large.c"], ["-O1", "-static", "-w"]);
      const folder = mkdtempSync(join(tmpdir(), "faultline-mount-"));
      try {
        const { stdout } = await runElf(elf, [], { mounts: [{ host: folder, guest: "/mnt" }] }, { cwd });
        expect(stdout).toBe(readFileSync("test/guest/files/large.expected.txt", "utf8"));
        expect(readdirSync(folder)).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
