// Data of files: reading, writing, seeking, holes, limits, copying between files, locks.
import { beforeEach, describe, expect, it } from "vitest";
import { DATA, VfsKit } from "../../../test/support/vfs-kit.ts";
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { RLIMIT_FSIZE } from "../../abi/resource.ts";
import { SIGXFSZ } from "../../abi/signal.ts";
import { BLOCKED } from "../task.ts";
import { MemoryHostFiles } from "./memory-host-files.ts";
import { OverlayFs } from "./overlayfs.ts";
import { TmpFs } from "./tmpfs.ts";

const AT = F.AT_FDCWD;
const GIB = 2 ** 30;
const roots: [string, (kit: VfsKit) => TmpFs | OverlayFs][] = [
  ["tmpfs", (kit) => new TmpFs(kit.vfs, "tmpfs", { mode: 0o755 })],
  ["overlay", (kit) => new OverlayFs(kit.vfs, new MemoryHostFiles())],
];

describe.each(roots)("files on %s", (_name, makeRoot) => {
  let kit: VfsKit;
  let fd: number;

  beforeEach(() => {
    kit = new VfsKit(makeRoot);
    fd = kit.open("/f", F.O_RDWR | F.O_CREAT);
  });

  const pread = (count: number, offset: number) => {
    const got = kit.call("pread64", fd, DATA, count, offset);
    return got < 0 ? got : [...kit.memory.subarray(DATA, DATA + got)];
  };

  it("reads and writes at positions and offsets", () => {
    expect(kit.writeText(fd, "0123456789")).toBe(10);
    expect(kit.call("lseek", fd, 3, F.SEEK_SET)).toBe(3);
    expect(kit.readText(fd, 4)).toBe("3456");
    expect(kit.call("lseek", fd, -2, F.SEEK_CUR)).toBe(5);
    expect(kit.call("lseek", fd, -1, F.SEEK_END)).toBe(9);
    expect(kit.call("lseek", fd, -1, F.SEEK_SET)).toBe(-E.EINVAL);
    expect(kit.call("lseek", fd, 0, 9)).toBe(-E.EINVAL);
    expect(pread(2, 4)).toEqual([52, 53]);
    expect(pread(5, 10)).toEqual([]);
    expect(pread(5, -1)).toBe(-E.EINVAL);
    kit.memory.set([65, 66], DATA);
    expect(kit.call("pwrite64", fd, DATA, 2, 8)).toBe(2);
    expect(kit.cat("/f")).toBe("01234567AB");
    expect(kit.call("read", fd, 0, 1)).toBe(-E.EFAULT);
    expect(kit.call("write", fd, 0, 1)).toBe(-E.EFAULT);
    expect(kit.call("read", fd, DATA, -1)).toBe(-E.EFAULT); // access_ok() comes first
  });

  it("gathers and scatters", () => {
    kit.memory.set([1, 2, 3, 4], DATA);
    const iov = kit.view(0x40000, 64);
    const set = (i: number, base: number, length: number) => {
      iov.setBigUint64(i * 16, BigInt(base), true);
      iov.setBigUint64(i * 16 + 8, BigInt(length), true);
    };
    set(0, DATA + 2, 2);
    set(1, DATA, 0);
    set(2, DATA, 2);
    expect(kit.call("writev", fd, 0x40000, 3)).toBe(4);
    expect(pread(9, 0)).toEqual([3, 4, 1, 2]);
    expect(kit.call("preadv", fd, 0x40000, 3, 2)).toBe(2);
    expect(kit.call("pwritev2", fd, 0x40000, 1, -1, 0, F.RWF_APPEND)).toBe(2);
    expect(kit.call("pwritev2", fd, 0x40000, 1, 0, 0, 0x1000)).toBe(-E.EOPNOTSUPP);
    expect(kit.call("writev", fd, 0x40000, 1025)).toBe(-E.EINVAL);
    expect(kit.stat("/f").size).toBe(6);
  });

  it("has holes that read as zeros, and says where data is", () => {
    kit.memory.set([9], DATA);
    expect(kit.call("pwrite64", fd, DATA, 1, 5 * GIB)).toBe(1);
    expect(kit.stat("/f").size).toBe(5 * GIB + 1);
    expect(pread(3, 4 * GIB)).toEqual([0, 0, 0]);
    expect(pread(3, 5 * GIB - 1)).toEqual([0, 9]);
    expect(kit.call("lseek", fd, 5 * GIB + 1, F.SEEK_DATA)).toBe(-E.ENXIO);
    if (_name === "tmpfs") {
      expect(kit.call("lseek", fd, 0, F.SEEK_DATA)).toBe(5 * GIB);
      expect(kit.call("lseek", fd, 0, F.SEEK_HOLE)).toBe(0);
    }
    expect(kit.call("lseek", fd, 5 * GIB, F.SEEK_HOLE)).toBe(5 * GIB + 1);
    expect(kit.call("lseek", fd, 2 ** 43, F.SEEK_SET)).toBe(-E.EINVAL);
  });

  it("truncates: the tail is zero when the file grows again", () => {
    kit.writeText(fd, "x".repeat(10000));
    expect(kit.call("ftruncate", fd, 5000)).toBe(0);
    expect(kit.call("ftruncate", fd, 9000)).toBe(0);
    expect(pread(3, 4998)).toEqual([120, 120, 0]);
    expect(pread(1, 8999)).toEqual([0]);
    expect(kit.call("truncate", "/f", 1)).toBe(0);
    expect(kit.cat("/f")).toBe("x");
    expect(kit.call("ftruncate", kit.open("/f"), 0)).toBe(-E.EINVAL);
    expect(kit.call("ftruncate", fd, -1)).toBe(-E.EINVAL);
    expect(kit.call("truncate", "/", 0)).toBe(-E.EISDIR);
  });

  it("allocates and punches", () => {
    kit.writeText(fd, "y".repeat(12288));
    const punch = F.FALLOC_FL_PUNCH_HOLE | F.FALLOC_FL_KEEP_SIZE;
    expect(kit.call("fallocate", fd, punch, 4000, 5000)).toBe(0);
    expect(pread(2, 3999)).toEqual([121, 0]);
    expect(pread(2, 8999)).toEqual([0, 121]);
    expect(kit.call("fallocate", fd, 0, 0, 20000)).toBe(0);
    expect(kit.stat("/f").size).toBe(20000);
    expect(kit.call("fallocate", fd, F.FALLOC_FL_KEEP_SIZE, 0, 30000)).toBe(0);
    expect(kit.stat("/f").size).toBe(20000);
    expect(kit.call("fallocate", fd, F.FALLOC_FL_ZERO_RANGE, 0, 10)).toBe(0);
    expect(pread(1, 9)).toEqual([0]);
    expect(kit.call("fallocate", fd, F.FALLOC_FL_PUNCH_HOLE, 0, 1)).toBe(-E.EOPNOTSUPP);
    expect(kit.call("fallocate", fd, F.FALLOC_FL_COLLAPSE_RANGE, 0, 4096)).toBe(-E.EOPNOTSUPP);
    expect(kit.call("fallocate", fd, 0, 0, 0)).toBe(-E.EINVAL);
    expect(kit.call("fallocate", kit.open("/f"), 0, 0, 1)).toBe(-E.EBADF);
  });

  it("obeys RLIMIT_FSIZE", () => {
    kit.task.process.limits.soft[RLIMIT_FSIZE] = 10;
    expect(kit.writeText(fd, "123456")).toBe(6);
    expect(kit.writeText(fd, "123456")).toBe(4);
    expect(kit.writeText(fd, "1")).toBe(-E.EFBIG);
    expect(kit.call("ftruncate", fd, 11)).toBe(-E.EFBIG);
    expect(kit.signals).toEqual([SIGXFSZ, SIGXFSZ]);
    expect(kit.call("ftruncate", fd, 10)).toBe(0);
  });

  it("moves mtime on writes and atime relative to it", () => {
    kit.writeText(fd, "x");
    const before = kit.stat("/f").mtime;
    kit.now += 10_000;
    kit.cat("/f");
    expect(kit.stat("/f").mtime).toBe(before);
    kit.writeText(fd, "y");
    expect(kit.stat("/f").mtime).toBeGreaterThan(before);
  });

  it("copies inside the kernel", () => {
    kit.writeText(fd, "abcdefghij".repeat(20000));
    const out = kit.open("/out", F.O_RDWR | F.O_CREAT);
    kit.call("lseek", fd, 5, F.SEEK_SET);
    expect(kit.call("copy_file_range", fd, 0, out, 0, 1e9, 0)).toBe(199995);
    expect(kit.call("lseek", fd, 0, F.SEEK_CUR)).toBe(200000);
    expect(kit.call("copy_file_range", fd, 0, out, 0, 10, 0)).toBe(0);
    expect(kit.call("copy_file_range", fd, 0, out, 0, 10, 1)).toBe(-E.EINVAL);
    kit.call("lseek", fd, 0, F.SEEK_SET);
    expect(kit.call("copy_file_range", fd, 0, fd, 0, 10, 0)).toBe(-E.EINVAL);
    expect(kit.call("sendfile", out, fd, 0, 3)).toBe(3);
    kit.view(0).setBigInt64(0x40000, 100000n, true);
    expect(kit.call("sendfile", out, fd, 0x40000, 1e9)).toBe(100000);
    expect(kit.view(0).getBigInt64(0x40000, true)).toBe(200000n);
    expect(kit.stat("/out").size).toBe(199995 + 3 + 100000);
    expect(kit.call("ioctl", fd, 0x40049409, out)).toBe(-E.EOPNOTSUPP);
  });

  it("grants, splits, merges and refuses record locks", () => {
    const lock = (file: number, command: number, type: number, start: number, length: number) => {
      const view = kit.view(0x40000, 32);
      view.setInt16(0, type, true);
      view.setInt16(2, 0, true);
      view.setBigInt64(8, BigInt(start), true);
      view.setBigInt64(16, BigInt(length), true);
      view.setInt32(24, 0, true);
      return kit.call("fcntl", file, command, 0x40000);
    };
    const got = () => {
      const view = kit.view(0x40000, 32);
      return [
        view.getInt16(0, true),
        Number(view.getBigInt64(8, true)),
        Number(view.getBigInt64(16, true)),
        view.getInt32(24, true),
      ];
    };
    const first = kit.task;
    expect(lock(fd, F.F_SETLK, F.F_WRLCK, 0, 100)).toBe(0);
    expect(lock(fd, F.F_SETLK, F.F_UNLCK, 40, 20)).toBe(0);
    const second = kit.makeTask(2, first.credentials);
    kit.task = second;
    const other = kit.open("/f", F.O_RDWR);
    expect(lock(other, F.F_SETLK, F.F_RDLCK, 0, 10)).toBe(-E.EAGAIN);
    expect(lock(other, F.F_SETLK, F.F_WRLCK, 40, 20)).toBe(0);
    lock(other, F.F_GETLK, F.F_WRLCK, 10, 0);
    expect(got()).toEqual([F.F_WRLCK, 0, 40, 1]);
    lock(other, F.F_GETLK, F.F_WRLCK, 50, 0);
    expect(got()).toEqual([F.F_WRLCK, 60, 40, 1]);
    expect(lock(other, F.F_SETLKW, F.F_WRLCK, 0, 1)).toBe(BLOCKED);
    (second as { state: string }).state = "blocked";
    kit.task = first;
    expect(lock(fd, F.F_SETLKW, F.F_WRLCK, 45, 1)).toBe(-E.EDEADLK);
    // Open file description locks conflict with everybody, also with the same process.
    const again = kit.open("/f", F.O_RDWR);
    expect(lock(again, F.F_OFD_SETLK, F.F_RDLCK, 5, 1)).toBe(-E.EAGAIN);
    kit.call("close", again); // any descriptor of the file: POSIX locks of the process go
    kit.task = second;
    expect(lock(other, F.F_SETLK, F.F_WRLCK, 0, 0)).toBe(0);
    expect(lock(other, F.F_SETLK, 7, 0, 0)).toBe(-E.EINVAL);
  });

  it("flock belongs to the open file", () => {
    const other = kit.open("/f", F.O_RDWR);
    expect(kit.call("flock", fd, F.LOCK_EX)).toBe(0);
    expect(kit.call("flock", kit.call("dup", fd), F.LOCK_EX)).toBe(0);
    expect(kit.call("flock", other, F.LOCK_SH | F.LOCK_NB)).toBe(-E.EAGAIN);
    expect(kit.call("flock", other, F.LOCK_SH)).toBe(BLOCKED);
    expect(kit.call("flock", fd, F.LOCK_SH)).toBe(0);
    expect(kit.call("flock", other, F.LOCK_SH)).toBe(0);
    expect(kit.call("flock", fd, F.LOCK_UN)).toBe(0);
    expect(kit.call("flock", other, F.LOCK_EX)).toBe(0);
    kit.call("close", other);
    expect(kit.call("flock", fd, F.LOCK_EX | F.LOCK_NB)).toBe(0);
  });

  it("lists big directories piece by piece and survives removal on the way", () => {
    kit.call("mkdirat", AT, "/big", 0o755);
    const names: string[] = [];
    for (let i = 0; i < 500; i++) {
      names.push(`file-${i}`);
      kit.put(`/big/file-${i}`, "");
    }
    expect(kit.ls("/big", 256)).toEqual(names.sort());
    const dir = kit.open("/big", F.O_DIRECTORY);
    expect(kit.call("getdents64", dir, DATA, 8)).toBe(-E.EINVAL);
    expect(kit.call("getdents64", dir, DATA, 256)).toBeGreaterThan(0);
    const position = kit.call("lseek", dir, 0, F.SEEK_CUR);
    for (const name of names) expect(kit.call("unlinkat", AT, `/big/${name}`, 0)).toBe(0);
    expect(kit.call("lseek", dir, position, F.SEEK_SET)).toBe(position);
    expect(kit.ls("/big")).toEqual([]);
    expect(kit.call("getdents64", fd, DATA, 256)).toBe(-E.ENOTDIR);
  });

  it("gives everything back", () => {
    kit.writeText(fd, "z".repeat(100_000));
    kit.call("unlinkat", AT, "/f", 0);
    const fs = kit.vfs.root.mount.fs as TmpFs | OverlayFs;
    const before = fs.inodeCount;
    kit.call("close", fd);
    expect(fs.inodeCount).toBe(before - 1);
    if (fs instanceof OverlayFs) expect(fs.store.usedPages).toBe(0);
    else expect(fs.usedPages).toBe(0);
  });
});

describe("tmpfs limits", () => {
  it("answers ENOSPC when the size or the inodes are used up", () => {
    const kit = new VfsKit((k) => new TmpFs(k.vfs, "tmpfs", { mode: 0o755, sizeBytes: 8192, maxInodes: 3 }));
    const fd = kit.open("/f", F.O_RDWR | F.O_CREAT);
    expect(kit.writeText(fd, "x".repeat(10000))).toBe(8192);
    expect(kit.writeText(fd, "x")).toBe(-E.ENOSPC);
    expect(kit.call("fallocate", fd, 0, 0, 8192)).toBe(0);
    expect(kit.call("fallocate", fd, 0, 0, 8193)).toBe(-E.ENOSPC);
    kit.call("ftruncate", fd, 4096);
    expect(kit.call("pwrite64", fd, DATA, 100, 4090)).toBe(100);
    kit.put("/g", "");
    expect(kit.open("/h", F.O_CREAT | F.O_WRONLY)).toBe(-E.ENOSPC);
    expect(kit.call("statfs", "/", DATA)).toBe(0);
    expect(kit.view(0).getUint32(DATA + 24, true)).toBe(0);
  });
});
