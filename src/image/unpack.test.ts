// Unpacking packages: paths, links, modes, what must not leave the root.
import { describe, expect, it } from "vitest";
import { makeAr, makeTar, type TarItem } from "../../test/install/debian-archive.ts";
import type { Decompressors } from "./decompress.ts";
import { ImageError } from "./errors.ts";
import { MemoryTree } from "./memory-tree.ts";
import { cleanPath, PathResolver, writeFile } from "./root-tree.ts";
import { loadRoot } from "./rootfs.ts";
import { parseTar } from "./tar.ts";
import { Unpacker } from "./unpack.ts";

function unpack(items: readonly TarItem[], tree = new MemoryTree()) {
  const notes: string[] = [];
  const unpacker = new Unpacker(tree, new PathResolver(tree), { what: "test", note: (text) => notes.push(text) });
  parseTar(makeTar(items), unpacker);
  unpacker.finish();
  return { tree, notes, unpacker };
}

const text = (tree: MemoryTree, path: string) => Buffer.from(tree.readFile(path)).toString();

describe("paths", () => {
  it.each([
    ["./usr/bin/x", "usr/bin/x"],
    ["/usr//bin/./x/", "usr/bin/x"],
    ["./", ""],
    ["...", "..."],
  ])("cleans %s", (name, clean) => expect(cleanPath(name)).toBe(clean));

  it.each(["../x", "a/../../x", "a/..", "..", `${"n".repeat(256)}`, "a/b\0c"])("refuses %s", (name) => {
    expect(() => cleanPath(name)).toThrow(ImageError);
  });
});

describe("unpacking", () => {
  it("writes files, links and modes", () => {
    const { tree, unpacker } = unpack([
      { name: "./", type: "5" },
      { name: "./usr/bin/", type: "5" },
      { name: "./usr/bin/su", data: "elf", mode: 0o4755, uid: 1, gid: 2, mtime: 77 },
      { name: "./usr/bin/hard", type: "1", link: "./usr/bin/su" },
      { name: "./usr/bin/soft", type: "2", link: "../../../../anywhere" },
      { name: "./deep/er/file", data: "no parents in the archive" },
    ]);
    expect(tree.find("usr/bin/su")).toMatchObject({ mode: 0o4755, uid: 1, gid: 2, mtimeSeconds: 77, links: 2 });
    expect(tree.find("usr/bin/hard")).toBe(tree.find("usr/bin/su"));
    expect(tree.readLink("usr/bin/soft")).toBe("../../../../anywhere"); // a link may point anywhere; following it is checked
    expect(text(tree, "deep/er/file")).toBe("no parents in the archive");
    expect(unpacker.paths[0]).toBe("/.");
    expect(unpacker.paths).toContain("/usr/bin/hard");
    expect(tree.totalBytes).toBe(3 + 25);
  });

  it("goes through merged-/usr links and keeps directories that are there", () => {
    const { tree, notes } = unpack([
      { name: "usr/lib/", type: "5" },
      { name: "lib", type: "2", link: "usr/lib" },
      { name: "abs", type: "2", link: "/usr/lib" },
      { name: "lib/", type: "5" },
      { name: "lib/a.so", data: "a" },
      { name: "abs/b.so", data: "b" },
      { name: "usr/lib", type: "2", link: "elsewhere" },
    ]);
    expect(tree.stat("lib")?.type).toBe("symlink");
    expect(tree.readDirectory("usr/lib").sort()).toEqual(["a.so", "b.so"]);
    expect(notes).toEqual(["test: kept directory /usr/lib in place of a link to elsewhere"]);
  });

  it("replaces a link with a file instead of writing through it", () => {
    const { tree } = unpack([
      { name: "target", data: "old" },
      { name: "name", type: "2", link: "target" },
      { name: "name", data: "new" },
    ]);
    expect(text(tree, "target")).toBe("old");
    expect(text(tree, "name")).toBe("new");
  });

  it.each<[string, TarItem[]]>([
    ["a .. component", [{ name: "../evil", data: "x" }]],
    ["a .. component inside", [{ name: "a/../../evil", data: "x" }]],
    [
      "a link that climbs out, followed",
      [
        { name: "up", type: "2", link: ".." },
        { name: "up/evil", data: "x" },
      ],
    ],
    [
      "a chain of links that climbs out",
      [
        { name: "a/", type: "5" },
        { name: "a/one", type: "2", link: ".." },
        { name: "two", type: "2", link: "a/one/.." },
        { name: "two/evil", data: "x" },
      ],
    ],
    [
      "links in a circle",
      [
        { name: "a", type: "2", link: "b" },
        { name: "b", type: "2", link: "a" },
        { name: "a/x", data: "x" },
      ],
    ],
    ["a hard link to ..", [{ name: "h", type: "1", link: "../etc/passwd" }]],
    [
      "a hard link to a symlink",
      [
        { name: "s", type: "2", link: "/etc/passwd" },
        { name: "h", type: "1", link: "s" },
      ],
    ],
    ["a hard link to nothing", [{ name: "h", type: "1", link: "nothing" }]],
    [
      "a hard link to a directory",
      [
        { name: "d/", type: "5" },
        { name: "h", type: "1", link: "d" },
      ],
    ],
    [
      "a file where a directory is",
      [
        { name: "d/", type: "5" },
        { name: "d", data: "x" },
      ],
    ],
    [
      "a directory where a file is",
      [
        { name: "f", data: "x" },
        { name: "f/", type: "5" },
      ],
    ],
    [
      "a file below a file",
      [
        { name: "f", data: "x" },
        { name: "f/g", data: "x" },
      ],
    ],
    ["an empty link", [{ name: "l", type: "2", link: "" }]],
    [
      "the root as a file",
      [
        { name: "./", type: "7", data: "x" },
        { name: ".", data: "x" },
      ],
    ],
  ])("refuses %s", (_, items) => {
    expect(() => unpack(items)).toThrow(ImageError);
  });

  it("resolves absolute links inside the root", () => {
    const { tree } = unpack([
      { name: "etc/", type: "5" },
      { name: "conf", type: "2", link: "/etc" },
      { name: "conf/passwd", data: "guest" },
    ]);
    expect(text(tree, "etc/passwd")).toBe("guest");
  });

  it("makes hard links whose target comes later", () => {
    const { tree } = unpack([
      { name: "h", type: "1", link: "f" },
      { name: "f", data: "later" },
    ]);
    expect(text(tree, "h")).toBe("later");
  });

  it("leaves out device nodes and says so", () => {
    const { tree, notes } = unpack([
      { name: "dev/null", type: "3" },
      { name: "dev/sda", type: "4" },
      { name: "p", type: "6" },
    ]);
    expect(tree.stat("dev/null")).toBeNull();
    expect(notes).toEqual([
      "test: left out /dev/null, a character device",
      "test: left out /dev/sda, a block device",
      "test: left out /p, a fifo",
    ]);
  });

  it("sends redirected files elsewhere", () => {
    const tree = new MemoryTree();
    const resolver = new PathResolver(tree);
    writeFile(tree, resolver, "etc/conf", Buffer.from("mine"));
    const redirect = (path: string) => (path === "etc/conf" ? "etc/conf.dpkg-dist" : path === "skip" ? null : path);
    const unpacker = new Unpacker(tree, resolver, { what: "t", redirect });
    parseTar(
      makeTar([
        { name: "etc/conf", data: "theirs" },
        { name: "skip", data: "x" },
      ]),
      unpacker,
    );
    expect([text(tree, "etc/conf"), text(tree, "etc/conf.dpkg-dist"), tree.stat("skip")]).toEqual([
      "mine",
      "theirs",
      null,
    ]);
  });
});

describe("loadRoot", () => {
  const none: Decompressors = {
    gzip: async function* (bytes) {
      yield bytes.subarray(2); // stands for a real decoder: drops the magic
    },
    xz: () => {
      throw new Error("bad");
    },
  };

  it("lays archives over each other, tar and deb", async () => {
    const tar = makeTar([
      { name: "a", data: "1" },
      { name: "b", data: "1" },
    ]);
    const deb = makeAr([
      { name: "debian-binary", data: Buffer.from("2.0\n") },
      { name: "data.tar.gz", data: Buffer.concat([Buffer.of(0x1f, 0x8b), makeTar([{ name: "./b", data: "2" }])]) },
    ]);
    const tree = await loadRoot(
      [
        { name: "base.tar", bytes: tar },
        { name: "b.deb", bytes: deb },
      ],
      { decompressors: none },
    );
    expect([text(tree, "a"), text(tree, "b")]).toEqual(["1", "2"]);
  });

  it("names the archive that is at fault", async () => {
    const load = (bytes: Uint8Array) => loadRoot([{ name: "x.tar", bytes }], { decompressors: none });
    await expect(load(Buffer.from("?".repeat(600)))).rejects.toThrow(/^x\.tar: not a tar archive/);
    await expect(load(Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1))).rejects.toThrow(/^x\.tar: damaged xz data/);
    await expect(load(Buffer.from("BZh9"))).rejects.toThrow("bzip2 compression is not supported");
    await expect(load(makeTar([{ name: "../x", data: "" }]))).rejects.toThrow(/^x\.tar: refused/);
  });
});
