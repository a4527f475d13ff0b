// A root tarball unpacked into memory, as the kernel sees it.
import { describe, expect, it } from "vitest";
import { makeTar } from "../../test/install/debian-archive.ts";
import { S_IFMT, S_IFREG } from "../abi/stat.ts";
import { loadRoot } from "../image/rootfs.ts";
import { HostNode } from "../kernel/vfs/host-files.ts";
import { hostFilesOf } from "./memory-root.ts";
import { nodeDecompressors } from "./node/decompressors.ts";

describe("a root tarball as a host folder", () => {
  it("shows files, links and attributes to the kernel", async () => {
    const bytes = makeTar([
      { name: "./", type: "5", mode: 0o755 },
      { name: "./bin", type: "2", link: "usr/bin" },
      { name: "./usr/bin/", type: "5", mode: 0o711 },
      { name: "./usr/bin/su", data: "setuid", mode: 0o4755, uid: 3, gid: 4, mtime: 99 },
      { name: "./usr/bin/same", type: "1", link: "./usr/bin/su" },
    ]);
    const files = hostFilesOf(await loadRoot([{ name: "root.tar", bytes }], { decompressors: nodeDecompressors }));
    const node = (parent: HostNode, name: string) => new HostNode(parent, name, files.child(parent, name)!.key);
    const usr = node(files.root, "usr");
    const bin = node(usr, "bin");
    expect(files.stat(bin).mode & 0o7777).toBe(0o711);
    expect(files.readLink(node(files.root, "bin"))).toBe("usr/bin");
    const su = node(bin, "su");
    expect(files.stat(su)).toMatchObject({ uid: 3, gid: 4, nlink: 2, sizeBytes: 6, mtimeSeconds: 99 });
    expect(files.stat(su).mode & S_IFMT).toBe(S_IFREG);
    expect(files.stat(su).mode & 0o7777).toBe(0o4755);
    expect(files.child(bin, "same")?.key).toBe(su.key);
    const into = new Uint8Array(10);
    expect(files.read(su, 2, into)).toBe(4);
    expect(Buffer.from(into.subarray(0, 4)).toString()).toBe("tuid");
    files.write(su, 6, Buffer.from("+"));
    expect(files.stat(node(bin, "same")).sizeBytes).toBe(7);
  });
});
