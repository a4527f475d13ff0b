// Real folders through node:fs: contents, names, times; and a guest that tries to get out of its folder and fails.
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DATA, VfsKit } from "../../../test/support/vfs-kit.ts";
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { S_IFIFO, S_IFMT, S_IFREG } from "../../abi/stat.ts";
import { LinuxError } from "../../kernel/linux-error.ts";
import { BaseFs } from "../../kernel/vfs/basefs.ts";
import { HostNode } from "../../kernel/vfs/host-files.ts";
import { OverlayFs } from "../../kernel/vfs/overlayfs.ts";
import { NodeFiles } from "./files.ts";

const AT = F.AT_FDCWD;
let top: string;
let folder: string;
let host: NodeFiles;
let kit: VfsKit;

beforeEach(() => {
  top = fs.mkdtempSync(join(tmpdir(), "faultline-files-"));
  folder = join(top, "root");
  fs.mkdirSync(join(folder, "d/e"), { recursive: true });
  fs.writeFileSync(join(folder, "d/f"), "inside");
  fs.writeFileSync(join(top, "secret"), "outside");
  fs.mkdirSync(join(top, "outside"));
  fs.writeFileSync(join(top, "outside/f"), "outside too");
  host = new NodeFiles(folder);
  kit = new VfsKit((k) => new BaseFs(k.vfs, host, { writable: true, shared: true }));
});

afterEach(() => {
  host.close();
  fs.rmSync(top, { recursive: true, force: true });
});

function errnoOf(operation: () => unknown): number {
  try {
    operation();
  } catch (error) {
    if (error instanceof LinuxError) return error.errno;
    throw error;
  }
  return 0;
}

describe("a real folder", () => {
  it("reads, writes, lists, renames, removes", () => {
    expect(kit.cat("/d/f")).toBe("inside");
    kit.put("/d/new", "written", 0o640);
    expect(fs.readFileSync(join(folder, "d/new"), "utf8")).toBe("written");
    expect(fs.statSync(join(folder, "d/new")).mode & 0o777).toBe(0o640);
    expect(kit.ls("/d")).toEqual(["e", "f", "new"]);
    expect(kit.call("renameat2", AT, "/d/new", AT, "/d/e/moved", 0)).toBe(0);
    expect(fs.readFileSync(join(folder, "d/e/moved"), "utf8")).toBe("written");
    expect(kit.call("renameat2", AT, "/d/e", AT, "/e2", 0)).toBe(0);
    expect(kit.cat("/e2/moved")).toBe("written");
    expect(kit.call("unlinkat", AT, "/e2/moved", 0)).toBe(0);
    expect(kit.call("unlinkat", AT, "/e2", F.AT_REMOVEDIR)).toBe(0);
    expect(fs.readdirSync(folder)).toEqual(["d"]);
    expect(kit.stat("/d/f").uid).toBe(0);
  });

  it("carries names that are no UTF-8, links and nanosecond-ish times", () => {
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x78, 0xff])]);
    kit.put("/x\udcff", "raw");
    expect(fs.readFileSync(name, "utf8")).toBe("raw");
    expect(kit.ls("/")).toEqual(["d", "x\udcff"]);
    kit.call("symlinkat", "d\udcfe/f", AT, "/l");
    expect(kit.readlink("/l")).toBe("d\udcfe/f");
    const times = kit.view(0x40000, 32);
    times.setBigInt64(16, 1700000000n, true);
    times.setBigInt64(24, 123456000n, true);
    kit.call("utimensat", AT, "/d/f", 0x40000, 0);
    expect(fs.statSync(join(folder, "d/f"), { bigint: true }).mtimeNs / 1000n).toBe(1700000000123456n);
  });

  it("handles files beyond 4 GiB, sparse", () => {
    const fd = kit.open("/large", F.O_RDWR | F.O_CREAT);
    kit.memory.set([42], DATA);
    expect(kit.call("pwrite64", fd, DATA, 1, 5 * 2 ** 30)).toBe(1);
    expect(kit.call("fsync", fd)).toBe(0);
    const real = fs.openSync(join(folder, "large"), "r");
    const byte = new Uint8Array(1);
    fs.readSync(real, byte, 0, 1, 5 * 2 ** 30);
    expect(byte[0]).toBe(42);
    expect(fs.fstatSync(real).size).toBe(5 * 2 ** 30 + 1);
    fs.closeSync(real);
  });

  it("keeps working with more files and folders than it keeps open", () => {
    const fds: number[] = [];
    for (let i = 0; i < 300; i++) {
      kit.call("mkdirat", AT, `/dir${i}`, 0o755);
      kit.put(`/dir${i}/f`, `number ${i}`);
      fds.push(kit.open(`/dir${i}/f`));
    }
    const open = fs.readdirSync("/proc/self/fd").length;
    expect(open).toBeLessThan(500);
    for (let i = 0; i < 300; i++) expect(kit.readText(fds[i])).toBe(`number ${i}`);
    for (let i = 0; i < 300; i++) expect(kit.cat(`/dir${i}/f`)).toBe(`number ${i}`);
  });

  it("says what is wrong with a folder", () => {
    expect(errnoOf(() => new NodeFiles(join(top, "none")))).toBe(E.ENOENT);
    expect(errnoOf(() => new NodeFiles(join(top, "secret")))).toBe(E.ENOTDIR);
  });

  it("shows a file to the overlay and never writes it", () => {
    const over = new VfsKit((k) => new OverlayFs(k.vfs, host));
    over.put("/d/f", "changed");
    over.put("/new", "n");
    over.call("unlinkat", AT, "/d/e", F.AT_REMOVEDIR);
    expect(over.cat("/d/f")).toBe("changed");
    expect(over.ls("/")).toEqual(["d", "new"]);
    expect(fs.readFileSync(join(folder, "d/f"), "utf8")).toBe("inside");
    expect(fs.readdirSync(folder)).toEqual(["d"]);
    expect(fs.readdirSync(join(folder, "d"))).toEqual(["e", "f"]);
  });
});

describe("escapes", () => {
  it("links lead to guest places only", () => {
    fs.symlinkSync(join(top, "secret"), join(folder, "abs"));
    fs.symlinkSync("../secret", join(folder, "rel"));
    fs.symlinkSync("..", join(folder, "up"));
    fs.symlinkSync("../../../../../../../../etc", join(folder, "d/etc"));
    for (const path of ["/abs", "/rel", "/up/secret", "/d/etc/passwd", "/../secret", "/d/../../secret"])
      expect(kit.cat(path)).toBe(`error ${E.ENOENT}`);
    expect(kit.open("/abs", F.O_CREAT | F.O_WRONLY)).toBe(-E.ENOENT);
    expect(kit.open("/rel", F.O_CREAT | F.O_WRONLY)).toBeGreaterThanOrEqual(0); // makes /secret in the guest
    expect(fs.readFileSync(join(folder, "secret"), "utf8")).toBe("");
    expect(fs.readFileSync(join(top, "secret"), "utf8")).toBe("outside");
    const dir = kit.open("/d", F.O_PATH | F.O_DIRECTORY);
    expect(kit.call("openat", dir, "../../secret", 0)).toBeGreaterThanOrEqual(0); // the guest's own /secret
    expect(kit.call("linkat", AT, "/abs", AT, "/hard", F.AT_SYMLINK_FOLLOW)).toBe(-E.ENOENT);
  });

  it("a folder that is swapped for a link on the host is not entered", () => {
    const fd = kit.open("/d/f");
    kit.stat("/d/e");
    const e = kit.vfs.resolve(kit.task, AT, "/d/e").dentry.inode as unknown as { node: HostNode };
    fs.rmdirSync(join(folder, "d/e"));
    fs.symlinkSync(join(top, "outside"), join(folder, "d/e"));
    // Through the walk: the link is a guest link, and its target does not exist in the guest.
    expect(kit.cat("/d/e/f")).toBe(`error ${E.ENOENT}`);
    // Below the walk: the host layer itself refuses.
    host.closeData(e.node);
    expect(errnoOf(() => host.child(e.node, "f"))).toBe(E.ENOTDIR);
    expect(errnoOf(() => host.create(e.node, "planted", 0o644))).toBe(E.ENOTDIR);
    expect(fs.readdirSync(join(top, "outside"))).toEqual(["f"]);
    // A folder of the same name that is another folder is refused as well.
    fs.unlinkSync(join(folder, "d/e"));
    fs.renameSync(join(top, "outside"), join(folder, "d/e"));
    expect(errnoOf(() => host.child(e.node, "f"))).toBe(E.ESTALE);
    expect(kit.readText(fd)).toBe("inside");
  });

  it("a file that is swapped for a link, a pipe or another file is not opened", () => {
    const stat = host.child(host.root, "d");
    const d = new HostNode(host.root, "d", stat?.key ?? "");
    const f = () => new HostNode(d, "f", host.child(d, "f")?.key ?? "");
    const node = f();
    fs.unlinkSync(join(folder, "d/f"));
    fs.symlinkSync(join(top, "secret"), join(folder, "d/f"));
    expect(errnoOf(() => host.openData(node, false))).toBe(E.ELOOP);
    expect(errnoOf(() => host.openData(f(), true))).toBe(E.ELOOP);
    expect(errnoOf(() => host.chmod(f(), 0o777))).toBe(E.EACCES);
    fs.unlinkSync(join(folder, "d/f"));
    fs.linkSync(join(top, "secret"), join(folder, "d/f"));
    expect(errnoOf(() => host.openData(node, false))).toBe(E.ESTALE);
    fs.unlinkSync(join(folder, "d/f"));
    fs.writeFileSync(join(folder, "d/f"), "x");
    expect(fs.readFileSync(join(top, "secret"), "utf8")).toBe("outside");
  });

  it("special files of the host are harmless", async () => {
    const { execFileSync } = await import("node:child_process");
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(kit.stat("/pipe").mode & S_IFMT).toBe(S_IFIFO);
    // No opener is registered here: the guest's own pipes would take it. It must not wait for the host's.
    expect(kit.open("/pipe", F.O_RDWR)).toBe(-E.ENXIO);
    const node = new HostNode(host.root, "pipe", host.child(host.root, "pipe")?.key ?? "");
    expect(errnoOf(() => host.openData(node, false))).toBe(E.EACCES);
  });

  it("plants no set-id bits and no device nodes on the host", () => {
    kit.put("/tool", "#!", 0o755);
    kit.call("fchmodat", AT, "/tool", 0o6755);
    expect(kit.stat("/tool").mode).toBe(S_IFREG | 0o6755);
    expect(fs.statSync(join(folder, "tool")).mode & 0o7777).toBe(0o755);
    kit.call("mknodat", AT, "/mem", 0o020666, 0x101);
    expect(fs.existsSync(join(folder, "mem"))).toBe(false);
  });
});
