// The escape suite, and file system calls as a guest program sees them, line by line, against what the same program printed natively on Linux 6.18
// and ext4 (files/files.expected.txt). To make it anew: gcc -O1 -w files.c, run it in an empty folder, through a pipe.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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
      const before = snapshot(outside);
      const { stdout, code } = await runElf(elf, [secret], { mounts: [{ host: folder, guest: "/mnt" }] });
      expect(stdout).toMatch(/^\d+ ways tried, 0 led outside\n$/);
      expect(code).toBe(0);
      expect(snapshot(outside)).toEqual(before);
      expect(readdirSync(top).sort()).toEqual(["folder", "outside"]);
    } finally {
      rmSync(top, { recursive: true, force: true });
    }
  });
});

describe.skipIf(announceSkip(!hasCompiler, "the file programs need riscv64-linux-gnu-gcc"))("file system calls", () => {
  const expected = readFileSync("test/guest/files/files.expected.txt", "utf8");
  const places: [string, (text: string) => string][] = [
    ["/tmp", (text) => text],
    // As on Linux's tmpfs: pages there are never write-protected again, so a later store goes unnoticed.
    ["/dev/shm", (text) => text.replace("mtime moved 1", "mtime moved 0")],
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
});
