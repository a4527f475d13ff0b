// Strategy: random operations on names, run on our file systems and on the host's real one in a temporary folder; after each,
// the result or errno must be the same, and now and then the whole tree. Paths mix ".", "..", links, slashes at the end.
// Invariants: same errno, same names, types, sizes, link counts of files, link targets and contents.
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../src/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../src/abi/stat.ts";
import { NodeFiles } from "../../src/host/node/files.ts";
import { BaseFs } from "../../src/kernel/vfs/basefs.ts";
import type { FileSystem } from "../../src/kernel/vfs/inode.ts";
import { MemoryHostFiles } from "../../src/kernel/vfs/memory-host-files.ts";
import { OverlayFs } from "../../src/kernel/vfs/overlayfs.ts";
import { TmpFs } from "../../src/kernel/vfs/tmpfs.ts";
import { Prng } from "../../src/util/prng.ts";
import { VfsKit } from "../support/vfs-kit.ts";

const OPERATIONS = 4000;
const SEEDS = [1, 2, 3];
const AT = -100;
/** Folders above the one where everything happens: ".." never gets out of the temporary folder. */
const DEPTH = "up0/up1/up2/up3/up4";
const NAMES = ["a", "b", "c", "d", "link"];

let cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups) cleanup();
  cleanups = [];
});

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), "faultline-vfs-"));
  cleanups.push(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.mkdirSync(join(folder, DEPTH), { recursive: true });
  return folder;
}

const roots: [string, (kit: VfsKit) => FileSystem][] = [
  ["tmpfs", (kit) => new TmpFs(kit.vfs, "tmpfs", { mode: 0o755 })],
  ["overlay", (kit) => new OverlayFs(kit.vfs, new MemoryHostFiles())],
  ["folder in memory", (kit) => new BaseFs(kit.vfs, new MemoryHostFiles(), { writable: true, shared: false })],
  ["host folder", (kit) => new BaseFs(kit.vfs, nodeFiles(), { writable: true, shared: true })],
  ["overlay over a host folder", (kit) => new OverlayFs(kit.vfs, nodeFiles())],
];

function nodeFiles(): NodeFiles {
  const files = new NodeFiles(temporaryFolder());
  cleanups.unshift(() => files.close());
  return files;
}

/** One side of the comparison: results are >= 0 or -errno. */
interface Side {
  open(path: string, flags: number): number;
  write(path: string, text: string): number;
  read(path: string): string;
  mkdir(path: string): number;
  rmdir(path: string): number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  link(from: string, to: string): number;
  symlink(target: string, path: string): number;
  readlink(path: string): string;
  truncate(path: string, size: number): number;
  stat(path: string, follow: boolean): string;
  list(path: string): string;
}

class RealSide implements Side {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  private at(path: string): string {
    return `${this.folder}/${path}`;
  }

  private run(operation: () => unknown): number {
    try {
      operation();
      return 0;
    } catch (error) {
      return (error as NodeJS.ErrnoException).errno ?? -9999;
    }
  }

  private text(operation: () => string): string {
    let text = "";
    const failed = this.run(() => {
      text = operation();
    });
    return failed < 0 ? `error ${-failed}` : text;
  }

  open(path: string, flags: number): number {
    return this.run(() => fs.closeSync(fs.openSync(this.at(path), flags, 0o644)));
  }

  write(path: string, text: string): number {
    return this.run(() => fs.writeFileSync(this.at(path), text, { mode: 0o644 }));
  }

  read(path: string): string {
    return this.text(() => fs.readFileSync(this.at(path), "utf8"));
  }

  mkdir(path: string): number {
    return this.run(() => fs.mkdirSync(this.at(path), 0o755));
  }

  rmdir(path: string): number {
    return this.run(() => fs.rmdirSync(this.at(path)));
  }

  unlink(path: string): number {
    return this.run(() => fs.unlinkSync(this.at(path)));
  }

  rename(from: string, to: string): number {
    return this.run(() => fs.renameSync(this.at(from), this.at(to)));
  }

  link(from: string, to: string): number {
    return this.run(() => fs.linkSync(this.at(from), this.at(to)));
  }

  symlink(target: string, path: string): number {
    return this.run(() => fs.symlinkSync(target, this.at(path)));
  }

  readlink(path: string): string {
    return this.text(() => fs.readlinkSync(this.at(path)));
  }

  truncate(path: string, size: number): number {
    // truncateSync opens the file first, which gives other errors: only for paths that are regular files.
    return this.run(() => fs.truncateSync(this.at(path), size));
  }

  stat(path: string, follow: boolean): string {
    return this.text(() => {
      const stat = follow ? fs.statSync(this.at(path)) : fs.lstatSync(this.at(path));
      return describeStat(stat.mode, stat.nlink, stat.size);
    });
  }

  list(path: string): string {
    return this.text(() => fs.readdirSync(this.at(path)).sort().join(" "));
  }
}

function describeStat(mode: number, nlink: number, size: number): string {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return `directory ${(mode & 0o7777).toString(8)}`;
  return `${type === S_IFLNK ? "link" : `file ${(mode & 0o7777).toString(8)}`} ${nlink} ${size}`;
}

class GuestSide implements Side {
  private readonly kit: VfsKit;

  constructor(kit: VfsKit) {
    this.kit = kit;
    let path = "";
    for (const name of DEPTH.split("/")) {
      path += `/${name}`;
      kit.call("mkdirat", AT, path, 0o755);
    }
    if (kit.call("chdir", path) !== 0) throw new Error("cannot enter the folder");
  }

  private closing(fd: number): number {
    if (fd >= 0) this.kit.call("close", fd);
    return Math.min(fd, 0);
  }

  open(path: string, flags: number): number {
    return this.closing(this.kit.open(path, flags));
  }

  write(path: string, text: string): number {
    const fd = this.kit.open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd >= 0) this.kit.writeText(fd, text);
    return this.closing(fd);
  }

  read(path: string): string {
    const fd = this.kit.open(path, O_RDONLY);
    if (fd < 0) return `error ${-fd}`;
    const text = this.kit.readText(fd);
    this.closing(fd);
    return text;
  }

  mkdir(path: string): number {
    return this.kit.call("mkdirat", AT, path, 0o755);
  }

  rmdir(path: string): number {
    return this.kit.call("unlinkat", AT, path, 0x200);
  }

  unlink(path: string): number {
    return this.kit.call("unlinkat", AT, path, 0);
  }

  rename(from: string, to: string): number {
    return this.kit.call("renameat2", AT, from, AT, to, 0);
  }

  link(from: string, to: string): number {
    return this.kit.call("linkat", AT, from, AT, to, 0);
  }

  symlink(target: string, path: string): number {
    return this.kit.call("symlinkat", target, AT, path);
  }

  readlink(path: string): string {
    return this.kit.readlink(path);
  }

  truncate(path: string, size: number): number {
    const fd = this.kit.open(path, O_RDWR);
    if (fd >= 0) this.kit.call("ftruncate", fd, size);
    return this.closing(fd);
  }

  stat(path: string, follow: boolean): string {
    const stat = this.kit.stat(path, follow ? 0 : 0x100);
    return stat.error !== 0 ? `error ${stat.error}` : describeStat(stat.mode, stat.nlink, stat.size);
  }

  list(path: string): string {
    return this.kit.ls(path).join(" ");
  }
}

class Fuzzer {
  private readonly random: Prng;

  constructor(seed: number) {
    this.random = new Prng(seed);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  path(): string {
    const parts: string[] = [];
    const depth = 1 + this.random.below(4);
    for (let i = 0; i < depth; i++) {
      const dice = this.random.below(24);
      parts.push(dice === 0 ? "." : dice <= 2 ? ".." : this.pick(NAMES));
    }
    const end = this.random.below(12);
    return parts.join(this.random.below(20) === 0 ? "//" : "/") + (end === 0 ? "/" : "");
  }

  /** Runs the next operation on both sides and gives both answers. */
  step(a: Side, b: Side): [string, unknown, unknown] {
    const path = this.path();
    const other = this.path();
    const both = (name: string, run: (side: Side) => unknown): [string, unknown, unknown] => [name, run(a), run(b)];
    switch (this.random.below(14)) {
      case 0:
      case 1:
        return both(`mkdir ${path}`, (side) => side.mkdir(path));
      case 2:
      case 3: {
        const text = "x".repeat(this.random.below(9000));
        return both(`write ${path} ${text.length}`, (side) => side.write(path, text));
      }
      case 4:
        return both(`rmdir ${path}`, (side) => side.rmdir(path));
      case 5:
        return both(`unlink ${path}`, (side) => side.unlink(path));
      case 6:
      case 7:
        return both(`rename ${path} ${other}`, (side) => side.rename(path, other));
      case 8:
        return both(`link ${path} ${other}`, (side) => side.link(path, other));
      case 9: {
        const target = this.pick(["a", "b/c", "c", "link", "d/link/a", "a/"]);
        return both(`symlink ${target} ${path}`, (side) => side.symlink(target, path));
      }
      case 10: {
        const flags =
          this.pick([O_RDONLY, O_WRONLY, O_RDWR]) |
          this.pick([0, 0, O_CREAT, O_CREAT | O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_TRUNC, O_NOFOLLOW | O_CREAT]);
        return both(`open ${path} ${flags.toString(8)}`, (side) => side.open(path, flags));
      }
      case 11:
        return both(
          `stat ${path}`,
          (side) => `${side.stat(path, true)}, ${side.stat(path, false)}, ${side.readlink(path)}`,
        );
      case 12: {
        const size = this.random.below(12000);
        return both(`truncate ${path} ${size}`, (side) => side.truncate(path, size));
      }
      default:
        return both(`list and read ${path}`, (side) => `${side.list(path)}; ${side.read(path)}`);
    }
  }
}

/** Every name below, with what is known of it. */
function wholeTree(side: Side, folder = ".", into: string[] = []): string[] {
  const names = side.list(folder);
  for (const name of names === "" ? [] : names.split(" ")) {
    const path = `${folder}/${name}`;
    const stat = side.stat(path, false);
    if (stat.startsWith("directory")) {
      into.push(`${path} ${stat}`);
      wholeTree(side, path, into);
    } else {
      into.push(`${path} ${stat} ${stat.startsWith("link") ? side.readlink(path) : side.read(path)}`);
    }
  }
  return into;
}

describe.skipIf(process.platform !== "linux")("the tree agrees with the host's Linux", () => {
  for (const [name, makeRoot] of roots) {
    it.each(SEEDS)(`${name}, seed %i`, (seed) => {
      const umask = process.umask(0o022);
      cleanups.push(() => process.umask(umask));
      const real = new RealSide(join(temporaryFolder(), DEPTH));
      const guest = new GuestSide(new VfsKit(makeRoot));
      const fuzzer = new Fuzzer(seed);
      for (let i = 0; i < OPERATIONS; i++) {
        const [what, ours, theirs] = fuzzer.step(guest, real);
        if (ours !== theirs) expect(`${i}: ${what}: ${ours}`).toBe(`${i}: ${what}: ${theirs}`);
        if (i % 500 === 499) expect(wholeTree(guest)).toEqual(wholeTree(real));
      }
    });
  }
});
