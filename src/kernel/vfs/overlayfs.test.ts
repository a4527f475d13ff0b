// The overlay: what is underneath shows through, every change stays above, and the host folder is never written.
import { beforeEach, expect, it } from "vitest";
import { DATA, VfsKit } from "../../../test/support/vfs-kit.ts";
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { S_IFBLK, S_IFIFO, S_IFLNK, S_IFREG } from "../../abi/stat.ts";
import { encodeUtf8 } from "../../util/utf8.ts";
import { type MemoryFile, MemoryHostFiles } from "./memory-host-files.ts";
import { OverlayFs } from "./overlayfs.ts";

const AT = F.AT_FDCWD;
let host: MemoryHostFiles;
let kit: VfsKit;
let big: MemoryFile;

beforeEach(() => {
  host = new MemoryHostFiles();
  host.add("/etc/passwd", S_IFREG | 0o644, encodeUtf8("root:x:0"));
  host.add("/etc/ssl/cert", S_IFREG | 0o600, encodeUtf8("cert"));
  host.add("/bin", S_IFLNK | 0o777, "usr/bin");
  host.add("/usr/bin/sh", S_IFREG | 0o755, encodeUtf8("#!"));
  big = host.add("/big", S_IFREG | 0o644, new Uint8Array(20000).fill(66));
  host.add("/sda", S_IFBLK | 0o660);
  host.add("/pipe", S_IFIFO | 0o660);
  kit = new VfsKit((k) => new OverlayFs(k.vfs, host));
  host.calls.clear();
});

function hostWasNotWritten(): void {
  for (const call of ["write", "truncate", "sync"]) expect(host.calls.get(call)).toBeUndefined();
  expect([...(host.tree.names?.keys() ?? [])]).toEqual(["etc", "bin", "usr", "big", "sda", "pipe"]);
}

it("shows the folder underneath", () => {
  expect(kit.cat("/etc/passwd")).toBe("root:x:0");
  expect(kit.cat("/bin/sh")).toBe("#!");
  expect(kit.readlink("/bin")).toBe("usr/bin");
  expect(kit.ls("/")).toEqual(["big", "bin", "etc", "pipe", "sda", "usr"]);
  expect(kit.stat("/big").size).toBe(20000);
  expect(kit.open("/sda")).toBe(-E.ENXIO);
});

it("asks the host about a name once", () => {
  kit.cat("/etc/passwd");
  kit.stat("/etc/none");
  host.calls.clear();
  for (let i = 0; i < 10; i++) {
    kit.stat("/etc/passwd");
    kit.stat("/etc/none");
  }
  expect(host.calls.size).toBe(0);
});

it("copies up only the pages that are written", () => {
  const fd = kit.open("/big", F.O_RDWR);
  kit.memory.set([1, 2, 3], DATA);
  expect(kit.call("pwrite64", fd, DATA, 3, 8191)).toBe(3);
  const fs = kit.vfs.root.mount.fs as OverlayFs;
  kit.evictAll();
  expect(fs.store.usedPages).toBe(2);
  const got = kit.call("pread64", fd, DATA, 20000, 0);
  expect(got).toBe(20000);
  expect([...kit.memory.subarray(DATA + 8190, DATA + 8195)]).toEqual([66, 1, 2, 3, 66]);
  expect(big.bytes[8191]).toBe(66);
  hostWasNotWritten();
});

it("forgets lower data that truncation cut off", () => {
  const fd = kit.open("/big", F.O_RDWR);
  kit.call("ftruncate", fd, 5000);
  kit.call("ftruncate", fd, 20000);
  kit.evictAll();
  kit.call("pread64", fd, DATA, 20000, 0);
  expect(kit.memory[DATA + 4999]).toBe(66);
  expect(kit.memory.subarray(DATA + 5000, DATA + 20000).every((byte) => byte === 0)).toBe(true);
  const punch = F.FALLOC_FL_PUNCH_HOLE | F.FALLOC_FL_KEEP_SIZE;
  kit.call("fallocate", fd, punch, 0, 4096);
  kit.evictAll();
  kit.call("pread64", fd, DATA, 5000, 0);
  expect(kit.memory[DATA]).toBe(0);
  expect(kit.memory[DATA + 4096]).toBe(66);
  hostWasNotWritten();
});

it("removes, hides and makes names anew", () => {
  expect(kit.call("unlinkat", AT, "/etc/passwd", 0)).toBe(0);
  expect(kit.stat("/etc/passwd").error).toBe(E.ENOENT);
  expect(kit.ls("/etc")).toEqual(["ssl"]);
  expect(kit.call("unlinkat", AT, "/etc", F.AT_REMOVEDIR)).toBe(-E.ENOTEMPTY);
  kit.put("/etc/passwd", "new");
  expect(kit.cat("/etc/passwd")).toBe("new");
  kit.call("unlinkat", AT, "/etc/passwd", 0);
  kit.call("unlinkat", AT, "/etc/ssl/cert", 0);
  expect(kit.call("unlinkat", AT, "/etc/ssl", F.AT_REMOVEDIR)).toBe(0);
  expect(kit.call("unlinkat", AT, "/etc", F.AT_REMOVEDIR)).toBe(0);
  expect(kit.call("mkdirat", AT, "/etc", 0o755)).toBe(0);
  expect(kit.ls("/etc")).toEqual([]); // opaque
  hostWasNotWritten();
});

it("renames files and whole folders from underneath", () => {
  expect(kit.call("renameat2", AT, "/etc", AT, "/conf", 0)).toBe(0);
  expect(kit.cat("/conf/ssl/cert")).toBe("cert");
  expect(kit.stat("/etc").error).toBe(E.ENOENT);
  expect(kit.call("renameat2", AT, "/conf/ssl/cert", AT, "/usr/bin/sh", 0)).toBe(0);
  expect(kit.cat("/bin/sh")).toBe("cert");
  expect(kit.ls("/conf/ssl")).toEqual([]);
  expect(kit.ls("/usr/bin")).toEqual(["sh"]);
  expect(kit.call("renameat2", AT, "/big", AT, "/conf", F.RENAME_EXCHANGE)).toBe(0);
  expect(kit.ls("/big")).toEqual(["passwd", "ssl"]);
  hostWasNotWritten();
});

it("keeps hard links of the folder as one file, and changes attributes above only", () => {
  const node = host.root;
  host.link(
    Object.assign(Object.create(Object.getPrototypeOf(node)), {
      parent: node,
      name: "big",
      key: `0:${big.ino}`,
      handle: null,
      gone: false,
    }),
    node,
    "big2",
  );
  kit = new VfsKit((k) => new OverlayFs(k.vfs, host));
  expect(kit.stat("/big").ino).toBe(kit.stat("/big2").ino);
  kit.put("/big", "short");
  expect(kit.cat("/big2")).toBe("short");
  expect(kit.call("fchmodat", AT, "/big", 0o600)).toBe(0);
  expect(kit.call("fchownat", AT, "/big", 5, 6, 0)).toBe(0);
  expect(kit.stat("/big2")).toMatchObject({ uid: 5, gid: 6, nlink: 2 });
  expect(big.mode).toBe(S_IFREG | 0o644);
  expect(big.sizeBytes).toBe(20000);
});

it("gives listings the numbers that stat gives", () => {
  const fd = kit.open("/etc", F.O_DIRECTORY);
  const got = kit.call("getdents64", fd, DATA, 1024);
  const numbers = new Map<string, number>();
  for (let at = DATA; at < DATA + got; ) {
    const view = kit.view(at);
    let end = at + 19;
    while (kit.memory[end] !== 0) end++;
    numbers.set(String.fromCharCode(...kit.memory.subarray(at + 19, end)), Number(view.getBigUint64(0, true)));
    at += view.getUint16(16, true);
  }
  expect(numbers.get("passwd")).toBe(kit.stat("/etc/passwd").ino);
  expect(numbers.get("ssl")).toBe(kit.stat("/etc/ssl").ino);
  expect(numbers.get(".")).toBe(kit.stat("/etc").ino);
});
