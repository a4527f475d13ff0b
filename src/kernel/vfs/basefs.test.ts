// Host folders that are written through: what reaches the host and when, what is remembered, and what others change.
import { beforeEach, describe, expect, it } from "vitest";
import { DATA, VfsKit } from "../../../test/support/vfs-kit.ts";
import * as E from "../../abi/errno.ts";
import * as F from "../../abi/fcntl.ts";
import { MAP_SHARED, MS_SYNC, PROT_READ, PROT_WRITE } from "../../abi/mman.ts";
import { S_IFIFO, S_IFREG } from "../../abi/stat.ts";
import type { Pfn } from "../../util/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../../util/utf8.ts";
import { BaseFs } from "./basefs.ts";
import { MemoryHostFiles } from "./memory-host-files.ts";

const AT = F.AT_FDCWD;
let host: MemoryHostFiles;
let kit: VfsKit;

function mountWith(writable: boolean, shared: boolean): void {
  host = new MemoryHostFiles();
  host.add("/d/f", S_IFREG | 0o644, encodeUtf8("from the host"));
  kit = new VfsKit((k) => new BaseFs(k.vfs, host, { writable, shared }));
  host.calls.clear();
}

function onHost(path: string): string {
  let file = host.tree;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const next = file.names?.get(name);
    if (next === undefined) return "absent";
    file = next;
  }
  return decodeUtf8(file.bytes.subarray(0, file.sizeBytes));
}

describe("writable", () => {
  beforeEach(() => mountWith(true, false));

  it("reaches the host at fsync, at the last close, and at sync", () => {
    const fd = kit.open("/d/new", F.O_RDWR | F.O_CREAT, 0o640);
    expect(onHost("/d/new")).toBe("");
    kit.writeText(fd, "data");
    expect(onHost("/d/new")).toBe("");
    expect(kit.call("fsync", fd)).toBe(0);
    expect(onHost("/d/new")).toBe("data");
    expect(host.calls.get("sync")).toBe(1);
    kit.writeText(fd, " more");
    kit.call("close", fd);
    expect(onHost("/d/new")).toBe("data more");
    const again = kit.open("/d/f", F.O_RDWR);
    kit.call("ftruncate", again, 4);
    expect(onHost("/d/f")).toBe("from");
    kit.call("ftruncate", again, 6);
    kit.call("sync");
    expect(onHost("/d/f")).toBe("from\0\0");
  });

  it("passes names on", () => {
    kit.call("mkdirat", AT, "/new", 0o755);
    kit.call("symlinkat", "../d", AT, "/new/link");
    kit.call("linkat", AT, "/d/f", AT, "/new/hard", 0);
    expect(onHost("/new/hard")).toBe("from the host");
    expect(kit.cat("/new/link/f")).toBe("from the host");
    expect(kit.stat("/d/f").nlink).toBe(2);
    expect(kit.stat("/d/f").ino).toBe(kit.stat("/new/hard").ino);
    kit.call("renameat2", AT, "/new", AT, "/d/moved", 0);
    expect(onHost("/d/moved/hard")).toBe("from the host");
    expect(kit.cat("/d/moved/hard")).toBe("from the host");
    kit.call("unlinkat", AT, "/d/f", 0);
    expect(onHost("/d/f")).toBe("absent");
    kit.put("/d/moved/hard", "through the other name");
    expect(onHost("/d/moved/hard")).toBe("through the other name");
    expect(kit.ls("/d")).toEqual(["moved"]);
  });

  it("keeps an unlinked file's data while it is open", () => {
    const fd = kit.open("/d/f", F.O_RDWR);
    kit.call("unlinkat", AT, "/d/f", 0);
    expect(kit.readText(fd)).toBe("from the host");
    kit.writeText(fd, "!");
    expect(kit.call("fsync", fd)).toBe(0);
    expect(kit.call("close", fd)).toBe(0);
    kit.put("/d/f", "new file");
    expect(kit.cat("/d/f")).toBe("new file");
  });

  it("remembers owners and set-id bits that the host does not take", () => {
    kit.put("/d/x", "");
    expect(kit.call("fchownat", AT, "/d/x", 1000, 100, 0)).toBe(0);
    expect(kit.call("fchmodat", AT, "/d/x", 0o4755)).toBe(0);
    expect(kit.stat("/d/x")).toMatchObject({ uid: 1000, gid: 100, mode: S_IFREG | 0o4755 });
    expect(host.tree.names?.get("d")?.names?.get("x")?.mode).toBe(S_IFREG | 0o755);
    expect(kit.call("mknodat", AT, "/d/pipe", S_IFIFO | 0o644, 0)).toBe(0);
    expect(onHost("/d/pipe")).toBe("absent");
    expect(kit.ls("/d")).toEqual(["f", "pipe", "x"]);
    expect(kit.call("renameat2", AT, "/d/pipe", AT, "/pipe", 0)).toBe(0);
    expect(kit.call("unlinkat", AT, "/pipe", 0)).toBe(0);
    expect(kit.ls("/")).toEqual(["d"]);
  });

  it("keeps times that were set, also when pages are written later", () => {
    const fd = kit.open("/d/f", F.O_RDWR);
    kit.writeText(fd, "X");
    const times = kit.view(0x40000, 32);
    times.setBigInt64(0, 100n, true);
    times.setBigInt64(16, 200n, true);
    kit.call("utimensat", fd, 0, 0x40000, 0);
    kit.call("close", fd);
    expect(onHost("/d/f")).toBe("Xrom the host");
    expect(host.tree.names?.get("d")?.names?.get("f")?.mtime.seconds).toBe(200);
  });

  /** The first page of an open file, as a shared mapping. */
  const mapShared = (fd: number) => {
    const file = kit.task.files.get(fd);
    const address = kit.task.space.mmap({
      address: 0,
      length: 4096,
      prot: PROT_READ | PROT_WRITE,
      flags: MAP_SHARED,
      object: file.mmapObject(kit.task, true, PROT_READ | PROT_WRITE),
      file,
      offset: 0,
      maxProt: PROT_READ | PROT_WRITE,
    });
    return { file, address };
  };

  it("pushes what a shared mapping stored at msync(MS_SYNC)", () => {
    const fd = kit.open("/d/f", F.O_RDWR);
    const { address } = mapShared(fd);
    const { space } = kit.task;
    expect(space.copyOut(address, encodeUtf8("FROM"))).toBe(4);
    expect(onHost("/d/f")).toBe("from the host");
    expect(space.msync(address, 4096, MS_SYNC)).toBe(0);
    expect(onHost("/d/f")).toBe("FROM the host");
    expect(host.calls.get("sync")).toBe(1);
    space.copyOut(address + 5, encodeUtf8("THE"));
    expect(kit.call("fsync", fd)).toBe(0);
    expect(onHost("/d/f")).toBe("FROM THE host");
    space.copyOut(address + 9, encodeUtf8("HOST"));
    kit.call("close", fd);
    expect(space.munmap(address, 4096)).toBe(0); // the last reference of the open file
    expect(onHost("/d/f")).toBe("FROM THE HOST");
  });

  it("makes durable at msync what eviction had written before, and the size", () => {
    const fd = kit.open("/d/f", F.O_RDWR);
    const { file, address } = mapShared(fd);
    const { space } = kit.task;
    expect(kit.call("ftruncate", fd, 20)).toBe(0);
    space.copyOut(address, encodeUtf8("FROM"));
    const { object } = file.inode;
    expect(kit.kernel.mm.reclaimer.evictIfPossible(object.pages.get(0) as Pfn)).toBe(true);
    expect([onHost("/d/f").slice(0, 13), host.calls.get("sync")]).toEqual(["FROM the host", undefined]);
    expect(space.msync(address, 4096, MS_SYNC)).toBe(0);
    expect([onHost("/d/f"), host.calls.get("sync")]).toEqual(["FROM the host\0\0\0\0\0\0\0", 1]);
    // Nothing has changed since: nothing to do.
    expect(space.msync(address, 4096, MS_SYNC)).toBe(0);
    expect(host.calls.get("sync")).toBe(1);
  });

  it("reports a full host at fsync and loses nothing", () => {
    host.capacityBytes = 10;
    const fd = kit.open("/d/big", F.O_RDWR | F.O_CREAT);
    kit.writeText(fd, "y".repeat(100));
    expect(kit.call("fsync", fd)).toBe(-E.ENOSPC);
    host.capacityBytes = 1000;
    expect(kit.call("fsync", fd)).toBe(0);
    expect(onHost("/d/big")).toBe("y".repeat(100));
  });
});

describe("read-only and shared", () => {
  it("refuses every change", () => {
    mountWith(false, true);
    expect(kit.cat("/d/f")).toBe("from the host");
    for (const result of [
      kit.open("/d/f", F.O_WRONLY),
      kit.open("/d/n", F.O_WRONLY | F.O_CREAT),
      kit.call("mkdirat", AT, "/x", 0o755),
      kit.call("unlinkat", AT, "/d/f", 0),
      kit.call("renameat2", AT, "/d/f", AT, "/g", 0),
      kit.call("fchmodat", AT, "/d/f", 0),
      kit.call("truncate", "/d/f", 0),
      kit.call("utimensat", AT, "/d/f", 0, 0),
    ])
      expect(result).toBe(-E.EROFS);
  });

  it("sees what others change on the host", () => {
    mountWith(true, true);
    const fd = kit.open("/d/f");
    expect(kit.readText(fd)).toBe("from the host");
    expect(kit.stat("/d/late").error).toBe(E.ENOENT);
    const file = host.tree.names?.get("d")?.names?.get("f");
    host.add("/d/late", S_IFREG | 0o644, encodeUtf8("late"));
    expect(kit.cat("/d/late")).toBe("late");
    if (file !== undefined) {
      file.resize(3);
      file.bytes.set(encodeUtf8("new"));
      file.mtime = { seconds: 5, nanoseconds: 0 };
    }
    expect(kit.stat("/d/f").size).toBe(3);
    expect(kit.call("pread64", fd, DATA, 100, 0)).toBe(3);
    expect(kit.cat("/d/f")).toBe("new");
    host.tree.names?.get("d")?.names?.delete("f");
    expect(kit.stat("/d/f").error).toBe(E.ENOENT);
  });
});
