// Path walk, opening, and changing the tree, over tmpfs: what Linux answers, error by error.
import { beforeEach, describe, expect, it } from "vitest";
import { DATA, VfsKit } from "../../../test/support/vfs-kit.ts";
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from "../../abi/stat.ts";
import { TmpFs } from "./tmpfs.ts";

let kit: VfsKit;
const AT = F.AT_FDCWD;

beforeEach(() => {
  kit = new VfsKit((k) => new TmpFs(k.vfs, "tmpfs", { mode: 0o755 }), true);
});

function mkdir(path: string, mode = 0o755): number {
  return kit.call("mkdirat", AT, path, mode);
}

function symlink(target: string, path: string): number {
  return kit.call("symlinkat", target, AT, path);
}

function unlink(path: string, flags = 0): number {
  return kit.call("unlinkat", AT, path, flags);
}

function rename(from: string, to: string, flags = 0): number {
  return kit.call("renameat2", AT, from, AT, to, flags);
}

describe("path walk", () => {
  it("finds files through '.', '..', repeated and trailing slashes", () => {
    mkdir("/a");
    mkdir("/a/b");
    kit.put("/a/f", "hello");
    expect(kit.cat("/a/f")).toBe("hello");
    expect(kit.cat("//a///./b/../f")).toBe("hello");
    expect(kit.cat("/../../a/f")).toBe("hello");
    expect(kit.open("/a/f/")).toBe(-E.ENOTDIR);
    expect(kit.open("/a/b/")).toBeGreaterThanOrEqual(0);
    expect(kit.open("/a/f/x")).toBe(-E.ENOTDIR);
    expect(kit.open("/a/none/x")).toBe(-E.ENOENT);
    expect(kit.open("")).toBe(-E.ENOENT);
  });

  it("follows symbolic links, at most forty", () => {
    mkdir("/d");
    kit.put("/d/f", "x");
    symlink("d", "/l");
    symlink("../d/f", "/d/up");
    symlink("/d/f", "/abs");
    expect(kit.cat("/l/f")).toBe("x");
    expect(kit.cat("/l/up")).toBe("x");
    expect(kit.cat("/abs")).toBe("x");
    expect(kit.readlink("/abs")).toBe("/d/f");
    expect(kit.open("/abs", F.O_NOFOLLOW)).toBe(-E.ELOOP);
    expect(kit.open("/l", F.O_NOFOLLOW | F.O_DIRECTORY)).toBe(-E.ENOTDIR);
    symlink("loop", "/loop");
    expect(kit.open("/loop")).toBe(-E.ELOOP);
    kit.put("/s0", "end");
    for (let i = 1; i <= 41; i++) symlink(`s${i - 1}`, `/s${i}`);
    expect(kit.cat("/s40")).toBe("end");
    expect(kit.open("/s41")).toBe(-E.ELOOP);
    // A trailing slash follows a final link; lstat does not.
    expect(kit.stat("/l", F.AT_SYMLINK_NOFOLLOW).mode & 0o170000).toBe(S_IFLNK);
    expect(kit.stat("/l/", F.AT_SYMLINK_NOFOLLOW).mode & 0o170000).toBe(S_IFDIR);
  });

  it("limits names to 255 bytes and paths to 4096", () => {
    expect(kit.open(`/${"n".repeat(255)}`, F.O_CREAT | F.O_WRONLY)).toBeGreaterThanOrEqual(0);
    expect(kit.open(`/${"n".repeat(256)}`, F.O_CREAT | F.O_WRONLY)).toBe(-E.ENAMETOOLONG);
    // 128 two-byte letters are 256 bytes.
    expect(kit.open(`/${"é".repeat(127)}`, F.O_CREAT | F.O_WRONLY)).toBeGreaterThanOrEqual(0);
    expect(kit.open(`/${"é".repeat(128)}`, F.O_CREAT | F.O_WRONLY)).toBe(-E.ENAMETOOLONG);
    expect(kit.open("/".repeat(4096))).toBe(-E.ENAMETOOLONG);
    expect(kit.open("/".repeat(4095))).toBeGreaterThanOrEqual(0);
  });

  it("keeps names that are no UTF-8", () => {
    const name = `/\udcff\udc80x`;
    kit.put(name, "bytes");
    expect(kit.cat(name)).toBe("bytes");
    expect(kit.ls("/")).toContain("\udcff\udc80x");
  });

  it("walks relative to a descriptor, and '' with AT_EMPTY_PATH", () => {
    mkdir("/d");
    kit.put("/d/f", "in d");
    const dir = kit.open("/d", F.O_PATH | F.O_DIRECTORY);
    const fd = kit.call("openat", dir, "f", 0, 0);
    expect(kit.readText(fd)).toBe("in d");
    expect(kit.call("openat", fd, "f", 0, 0)).toBe(-E.ENOTDIR);
    expect(kit.call("openat", 99, "f", 0, 0)).toBe(-E.EBADF);
    expect(kit.call("newfstatat", fd, "", DATA, F.AT_EMPTY_PATH)).toBe(0);
    expect(kit.call("newfstatat", fd, "", DATA, 0)).toBe(-E.ENOENT);
    // O_PATH gives a place, not access.
    const place = kit.open("/d/f", F.O_PATH);
    expect(kit.call("read", place, DATA, 1)).toBe(-E.EBADF);
    expect(kit.call("fstat", place, DATA)).toBe(0);
  });

  it("obeys openat2's limits", () => {
    mkdir("/j");
    kit.put("/j/in", "in");
    kit.put("/out", "out");
    symlink("/out", "/j/abs");
    symlink("../out", "/j/rel");
    symlink("in", "/j/good");
    const dir = kit.open("/j", F.O_PATH | F.O_DIRECTORY);
    const how = (path: string, resolve: number, flags = 0) => {
      const view = kit.view(0x40000, 24);
      view.setBigUint64(0, BigInt(flags), true);
      view.setBigUint64(8, 0n, true);
      view.setBigUint64(16, BigInt(resolve), true);
      return kit.call("openat2", dir, path, 0x40000, 24);
    };
    expect(how("in", F.RESOLVE_BENEATH)).toBeGreaterThanOrEqual(0);
    expect(how("good", F.RESOLVE_BENEATH)).toBeGreaterThanOrEqual(0);
    expect(how("../out", F.RESOLVE_BENEATH)).toBe(-E.EXDEV);
    expect(how("/out", F.RESOLVE_BENEATH)).toBe(-E.EXDEV);
    expect(how("abs", F.RESOLVE_BENEATH)).toBe(-E.EXDEV);
    expect(how("rel", F.RESOLVE_BENEATH)).toBe(-E.EXDEV);
    expect(how("abs", F.RESOLVE_IN_ROOT)).toBe(-E.ENOENT);
    expect(how("/in", F.RESOLVE_IN_ROOT)).toBeGreaterThanOrEqual(0);
    expect(how("../../in", F.RESOLVE_IN_ROOT)).toBeGreaterThanOrEqual(0);
    expect(how("good", F.RESOLVE_NO_SYMLINKS)).toBe(-E.ELOOP);
    expect(how("../dev/null", F.RESOLVE_NO_XDEV)).toBe(-E.EXDEV);
    expect(how("in", 0x100)).toBe(-E.EINVAL);
  });
});

describe("opening", () => {
  it("creates, excludes, truncates and appends", () => {
    expect(kit.open("/f", F.O_CREAT | F.O_EXCL | F.O_WRONLY, 0o666)).toBe(0);
    expect(kit.open("/f", F.O_CREAT | F.O_EXCL | F.O_WRONLY)).toBe(-E.EEXIST);
    expect(kit.stat("/f").mode).toBe(S_IFREG | 0o644);
    kit.put("/f", "hello");
    const fd = kit.open("/f", F.O_WRONLY | F.O_APPEND);
    kit.writeText(fd, " world");
    expect(kit.cat("/f")).toBe("hello world");
    kit.open("/f", F.O_WRONLY | F.O_TRUNC);
    expect(kit.stat("/f").size).toBe(0);
    symlink("made", "/dangling");
    kit.put("/dangling", "through the link");
    expect(kit.cat("/made")).toBe("through the link");
    expect(kit.open("/dangling", F.O_CREAT | F.O_EXCL | F.O_WRONLY)).toBe(-E.EEXIST);
  });

  it("refuses what Linux refuses", () => {
    mkdir("/d");
    expect(kit.open("/d", F.O_WRONLY)).toBe(-E.EISDIR);
    expect(kit.open("/d", F.O_CREAT)).toBe(-E.EISDIR);
    expect(kit.open("/new/", F.O_CREAT | F.O_WRONLY)).toBe(-E.EISDIR);
    expect(kit.open("/d/..", F.O_CREAT | F.O_WRONLY)).toBe(-E.EISDIR);
    expect(kit.open("/d", F.O_CREAT | F.O_DIRECTORY)).toBe(-E.EINVAL);
    kit.put("/f", "");
    expect(kit.open("/f", F.O_DIRECTORY)).toBe(-E.ENOTDIR);
    expect(kit.call("read", kit.open("/f", F.O_WRONLY), DATA, 1)).toBe(-E.EBADF);
    expect(kit.call("write", kit.open("/f"), DATA, 1)).toBe(-E.EBADF);
    expect(kit.call("read", kit.open("/d"), DATA, 1)).toBe(-E.EISDIR);
    const { inode } = kit.vfs.resolve(kit.task, AT, "/f").dentry;
    kit.task.files.release();
    kit.task.files.acquire();
    kit.vfs.denyWrite(inode as NonNullable<typeof inode>);
    expect(kit.open("/f", F.O_WRONLY)).toBe(-E.ETXTBSY);
  });

  it("makes files without names (O_TMPFILE) that linkat can name", () => {
    mkdir("/d");
    const fd = kit.open("/d", F.O_TMPFILE | F.O_RDWR, 0o600);
    kit.writeText(fd, "secret");
    expect(kit.ls("/d")).toEqual([]);
    expect(kit.call("linkat", fd, "", AT, "/d/named", F.AT_EMPTY_PATH)).toBe(0);
    expect(kit.cat("/d/named")).toBe("secret");
    const closed = kit.open("/d", F.O_TMPFILE | F.O_RDWR | F.O_EXCL, 0o600);
    expect(kit.call("linkat", closed, "", AT, "/d/other", F.AT_EMPTY_PATH)).toBe(-E.ENOENT);
    expect(kit.open("/d", F.O_TMPFILE)).toBe(-E.EINVAL);
  });

  it("gives the lowest number, up to the limit", () => {
    kit.task.files.limit = 4;
    kit.put("/f", "");
    expect([kit.open("/f"), kit.open("/f"), kit.open("/f"), kit.open("/f")]).toEqual([0, 1, 2, 3]);
    expect(kit.open("/f")).toBe(-E.EMFILE);
    expect(kit.open("/never", F.O_CREAT | F.O_WRONLY)).toBe(-E.EMFILE);
    expect(kit.stat("/never").error).toBe(E.ENOENT);
    kit.call("close", 1);
    expect(kit.call("dup", 0)).toBe(1);
    kit.call("close", 2);
    expect(kit.call("fcntl", 0, F.F_DUPFD, 3)).toBe(-E.EMFILE);
    expect(kit.call("fcntl", 0, F.F_DUPFD, 4)).toBe(-E.EINVAL);
    expect(kit.call("dup3", 0, 2, F.O_CLOEXEC)).toBe(2);
    expect(kit.call("fcntl", 2, F.F_GETFD)).toBe(1);
    expect(kit.call("close_range", 1, 3, 0)).toBe(0);
    expect(kit.task.files.count).toBe(1);
  });
});

describe("permissions", () => {
  it("asks owner, group and others in turn; root passes but does not execute what nobody may", () => {
    mkdir("/pub", 0o777);
    kit.call("fchmodat", AT, "/pub", 0o1777);
    kit.task = kit.makeTask(2, VfsKit.user(1000, 100, [50]));
    kit.put("/pub/mine", "m", 0o640);
    kit.task = kit.makeTask(3, VfsKit.user(1001, 100));
    expect(kit.cat("/pub/mine")).toBe("m");
    expect(kit.open("/pub/mine", F.O_WRONLY)).toBe(-E.EACCES);
    expect(unlink("/pub/mine")).toBe(-E.EPERM); // sticky
    expect(rename("/pub/mine", "/pub/x")).toBe(-E.EPERM);
    expect(kit.call("fchmodat", AT, "/pub/mine", 0o777)).toBe(-E.EPERM);
    expect(kit.call("fchownat", AT, "/pub/mine", 1001, -1, 0)).toBe(-E.EPERM);
    expect(kit.open("/root-file", F.O_CREAT | F.O_WRONLY)).toBe(-E.EACCES);
    kit.task = kit.makeTask(4, VfsKit.user(1002, 1002));
    expect(kit.open("/pub/mine")).toBe(-E.EACCES);
    kit.task = kit.makeTask(5, VfsKit.user(0));
    expect(kit.call("faccessat", AT, "/pub/mine", 1)).toBe(-E.EACCES);
    kit.task = kit.makeTask(2, VfsKit.user(1000, 100, [50]));
    expect(kit.call("fchownat", AT, "/pub/mine", -1, 50, 0)).toBe(0);
    expect(kit.call("fchownat", AT, "/pub/mine", -1, 51, 0)).toBe(-E.EPERM);
    expect(unlink("/pub/mine")).toBe(0);
  });

  it("needs search permission on the way", () => {
    mkdir("/private", 0o700);
    mkdir("/private/d");
    kit.put("/private/d/f", "x");
    kit.task = kit.makeTask(2, VfsKit.user(1000));
    expect(kit.open("/private/d/f")).toBe(-E.EACCES);
    expect(kit.open("/private/none")).toBe(-E.EACCES);
    expect(kit.call("chdir", "/private")).toBe(-E.EACCES);
  });

  it("drops set-id bits on write and chown, and hands down a directory's group", () => {
    mkdir("/g", 0o777);
    kit.call("fchmodat", AT, "/g", 0o2777);
    kit.call("fchownat", AT, "/g", -1, 77, 0);
    kit.call("fchmodat", AT, "/g", 0o2777);
    kit.task = kit.makeTask(2, VfsKit.user(1000));
    kit.put("/g/f", "x", 0o777);
    expect(kit.stat("/g/f").gid).toBe(77);
    kit.call("mkdirat", AT, "/g/sub", 0o755);
    expect(kit.stat("/g/sub").mode & 0o7777).toBe(0o2755);
    kit.call("fchmodat", AT, "/g/f", 0o4755);
    expect(kit.stat("/g/f").mode & 0o7777).toBe(0o4755);
    kit.writeText(kit.open("/g/f", F.O_WRONLY), "y");
    expect(kit.stat("/g/f").mode & 0o7777).toBe(0o755);
  });
});

describe("changing the tree", () => {
  it("makes and removes directories", () => {
    expect(mkdir("/d")).toBe(0);
    expect(mkdir("/d/")).toBe(-E.EEXIST);
    expect(mkdir("/e/")).toBe(0);
    expect(mkdir("/x/y")).toBe(-E.ENOENT);
    expect(mkdir("/.")).toBe(-E.EEXIST);
    kit.put("/d/f", "");
    expect(kit.stat("/d").nlink).toBe(2);
    mkdir("/d/s");
    expect(kit.stat("/d").nlink).toBe(3);
    expect(unlink("/d", F.AT_REMOVEDIR)).toBe(-E.ENOTEMPTY);
    expect(unlink("/d")).toBe(-E.EISDIR);
    expect(unlink("/d/f", F.AT_REMOVEDIR)).toBe(-E.ENOTDIR);
    expect(unlink("/d/f/")).toBe(-E.ENOTDIR);
    expect(unlink("/d/.", F.AT_REMOVEDIR)).toBe(-E.EINVAL);
    expect(unlink("/d/..", F.AT_REMOVEDIR)).toBe(-E.ENOTEMPTY);
    expect(unlink("/", F.AT_REMOVEDIR)).toBe(-E.EBUSY);
    expect(unlink("/dev", F.AT_REMOVEDIR)).toBe(-E.EBUSY);
    expect(unlink("/d/f")).toBe(0);
    expect(unlink("/d/s", F.AT_REMOVEDIR)).toBe(0);
    expect(unlink("/d", F.AT_REMOVEDIR)).toBe(0);
    expect(kit.stat("/d").error).toBe(E.ENOENT);
  });

  it("makes nodes and refuses devices to users", () => {
    expect(kit.call("mknodat", AT, "/fifo", S_IFIFO | 0o644, 0)).toBe(0);
    expect(kit.stat("/fifo").mode).toBe(S_IFIFO | 0o644);
    expect(kit.call("mknodat", AT, "/plain", 0o644, 0)).toBe(0);
    expect(kit.stat("/plain").mode).toBe(S_IFREG | 0o644);
    expect(kit.call("mknodat", AT, "/dir", S_IFDIR, 0)).toBe(-E.EPERM);
    kit.call("fchmodat", AT, "/", 0o777);
    kit.task = kit.makeTask(2, VfsKit.user(1000));
    expect(kit.call("mknodat", AT, "/null", S_IFCHR | 0o666, 0x103)).toBe(-E.EPERM);
  });

  it("links and counts links", () => {
    kit.put("/f", "data");
    expect(kit.call("linkat", AT, "/f", AT, "/g", 0)).toBe(0);
    expect(kit.stat("/f")).toEqual(kit.stat("/g"));
    expect(kit.stat("/f").nlink).toBe(2);
    mkdir("/d");
    expect(kit.call("linkat", AT, "/d", AT, "/e", 0)).toBe(-E.EPERM);
    expect(kit.call("linkat", AT, "/f", AT, "/g", 0)).toBe(-E.EEXIST);
    expect(kit.call("linkat", AT, "/f", AT, "/dev/f", 0)).toBe(-E.EXDEV);
    const fd = kit.open("/f");
    unlink("/f");
    unlink("/g");
    expect(kit.call("fstat", fd, DATA)).toBe(0);
    expect(kit.readText(fd)).toBe("data");
  });

  it("renames: replaces, refuses, exchanges", () => {
    mkdir("/a");
    mkdir("/a/b");
    kit.put("/f", "f");
    kit.put("/g", "g");
    expect(rename("/f", "/g")).toBe(0);
    expect(kit.cat("/g")).toBe("f");
    expect(kit.open("/f")).toBe(-E.ENOENT);
    expect(rename("/a", "/a/b/c")).toBe(-E.EINVAL);
    expect(rename("/g", "/a")).toBe(-E.EISDIR);
    expect(rename("/a", "/g")).toBe(-E.ENOTDIR);
    expect(rename("/g", "/h/")).toBe(-E.ENOTDIR);
    expect(rename("/a/b", "/a")).toBe(-E.ENOTEMPTY);
    mkdir("/full");
    kit.put("/full/x", "");
    expect(rename("/a/b", "/full")).toBe(-E.ENOTEMPTY);
    expect(rename("/a", "/a2/")).toBe(0);
    expect(rename("/none", "/x")).toBe(-E.ENOENT);
    kit.put("/x", "x");
    expect(rename("/g", "/x", F.RENAME_NOREPLACE)).toBe(-E.EEXIST);
    expect(rename("/g", "/a2", F.RENAME_EXCHANGE)).toBe(0);
    expect(kit.cat("/a2")).toBe("f");
    expect(kit.ls("/g")).toEqual(["b"]);
    expect(rename("/x", "/x")).toBe(0);
    expect(rename("/g/.", "/y")).toBe(-E.EBUSY);
    kit.call("linkat", AT, "/x", AT, "/x2", 0);
    expect(rename("/x", "/x2")).toBe(0); // two names of one file: nothing happens
    expect(kit.cat("/x")).toBe("x");
  });

  it("names what open files are called now", () => {
    mkdir("/a");
    kit.put("/a/f", "f");
    const file = kit.task.files.get(kit.open("/a/f"));
    expect(file.name()).toBe("/a/f");
    rename("/a", "/b");
    expect(file.name()).toBe("/b/f");
    rename("/b/f", "/b/g");
    expect(file.name()).toBe("/b/g");
    unlink("/b/g");
    expect(file.name()).toBe("/b/g (deleted)");
    mkdir("/cwd");
    kit.call("chdir", "/cwd");
    expect(kit.cwd()).toBe("/cwd");
    unlink("/cwd", F.AT_REMOVEDIR);
    expect(kit.cwd()).toBe(`error ${E.ENOENT}`);
    expect(kit.open("x", F.O_CREAT | F.O_WRONLY)).toBe(-E.ENOENT);
  });

  it("sets times, and only for those who may", () => {
    kit.put("/f", "");
    const times = kit.view(0x40000, 32);
    times.setBigInt64(0, 111n, true);
    times.setBigInt64(8, 5n, true);
    times.setBigInt64(16, -5n, true);
    times.setBigInt64(24, 7n, true);
    expect(kit.call("utimensat", AT, "/f", 0x40000, 0)).toBe(0);
    expect(kit.stat("/f").mtime).toBe(-5);
    times.setBigInt64(24, 1_000_000_000n, true);
    expect(kit.call("utimensat", AT, "/f", 0x40000, 0)).toBe(-E.EINVAL);
    times.setBigInt64(24, 3n, true);
    kit.task = kit.makeTask(2, VfsKit.user(1000));
    kit.memory.fill(0, 0x40000, 0x40020);
    expect(kit.call("utimensat", AT, "/f", 0x40000, 0)).toBe(-E.EPERM);
    expect(kit.call("utimensat", AT, "/f", 0, 0)).toBe(-E.EACCES);
  });

  it("keeps user attributes", () => {
    kit.put("/f", "");
    kit.memory.set([1, 2, 3], 0x40000);
    expect(kit.call("setxattr", "/f", "user.a", 0x40000, 3, 0)).toBe(0);
    expect(kit.call("setxattr", "/f", "user.a", 0x40000, 3, F.XATTR_CREATE)).toBe(-E.EEXIST);
    expect(kit.call("setxattr", "/f", "user.b", 0x40000, 3, F.XATTR_REPLACE)).toBe(-E.ENODATA);
    expect(kit.call("setxattr", "/f", "bogus.a", 0x40000, 3, 0)).toBe(-E.EOPNOTSUPP);
    expect(kit.call("getxattr", "/f", "user.a", DATA, 0)).toBe(3);
    expect(kit.call("getxattr", "/f", "user.a", DATA, 2)).toBe(-E.ERANGE);
    expect(kit.call("getxattr", "/f", "user.a", DATA, 9)).toBe(3);
    expect(kit.call("getxattr", "/f", "user.b", DATA, 9)).toBe(-E.ENODATA);
    expect(kit.call("listxattr", "/f", DATA, 100)).toBe("user.a\0".length);
    expect(kit.call("removexattr", "/f", "user.a")).toBe(0);
    expect(kit.call("removexattr", "/f", "user.a")).toBe(-E.ENODATA);
  });
});

describe("roots and mounts", () => {
  it("stays inside a chroot", () => {
    mkdir("/jail");
    mkdir("/jail/d");
    kit.put("/jail/f", "jailed");
    kit.put("/f", "free");
    symlink("/f", "/jail/l");
    symlink("../../../f", "/jail/d/up");
    expect(kit.call("chroot", "/jail")).toBe(0);
    kit.call("chdir", "/");
    expect(kit.cat("/f")).toBe("jailed");
    expect(kit.cat("/../../f")).toBe("jailed");
    expect(kit.cat("/l")).toBe("jailed");
    expect(kit.cat("/d/up")).toBe("jailed");
    expect(kit.cwd()).toBe("/");
  });

  it("mounts, binds, moves and unmounts", () => {
    mkdir("/m");
    kit.put("/m/under", "u");
    expect(kit.call("mount", "none", "/m", "tmpfs", 0, "size=1m,mode=700")).toBe(0);
    expect(kit.open("/m/under")).toBe(-E.ENOENT);
    expect(kit.stat("/m").mode & 0o777).toBe(0o700);
    kit.put("/m/over", "o");
    mkdir("/m2");
    expect(kit.call("mount", "/m", "/m2", 0, F.MS_BIND, 0)).toBe(0);
    expect(kit.cat("/m2/over")).toBe("o");
    expect(kit.call("mount", "", "/m2", "", F.MS_REMOUNT | F.MS_BIND | F.MS_RDONLY, 0)).toBe(0);
    expect(kit.open("/m2/new", F.O_CREAT | F.O_WRONLY)).toBe(-E.EROFS);
    expect(kit.call("faccessat", AT, "/m2/over", 2)).toBe(-E.EROFS);
    kit.put("/m/new", "n");
    expect(kit.cat("/m2/new")).toBe("n");
    const fd = kit.open("/m/over");
    expect(kit.call("umount2", "/m", 0)).toBe(-E.EBUSY);
    kit.call("close", fd);
    expect(kit.call("umount2", "/m", 0)).toBe(0);
    expect(kit.cat("/m/under")).toBe("u");
    expect(kit.call("umount2", "/m", 0)).toBe(-E.EINVAL);
    expect(kit.call("mount", "none", "/m", "ext4", 0, 0)).toBe(-E.ENODEV);
    kit.call("chdir", "/m2");
    expect(kit.cwd()).toBe("/m2");
    expect(kit.call("chdir", "..")).toBe(0);
    expect(kit.cwd()).toBe("/");
    kit.task = kit.makeTask(2, VfsKit.user(1000));
    expect(kit.call("mount", "none", "/m", "tmpfs", 0, 0)).toBe(-E.EPERM);
  });
});

describe("devices", () => {
  it("null, zero, full, random", () => {
    const open = (name: string) => kit.open(`/dev/${name}`, F.O_RDWR);
    expect(kit.readText(open("null"))).toBe("");
    expect(kit.writeText(open("null"), "gone")).toBe(4);
    expect(kit.readText(open("zero"), 3)).toBe("\0\0\0");
    expect(kit.writeText(open("full"), "x")).toBe(-E.ENOSPC);
    expect(kit.readText(open("urandom"), 3)).toBe("\x07\x07\x07");
    expect(kit.ls("/dev")).toContain("ptmx");
    expect(kit.open("/dev/tty")).toBe(-E.ENXIO);
  });
});
