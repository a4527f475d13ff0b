// The tar reader: dialects, names, streams that are cut anywhere.
import { describe, expect, it } from "vitest";
import { fixSum, makeTar, paxRecord, tarItem } from "../../test/install/debian-archive.ts";
import { Prng } from "../util/prng.ts";
import { encodeUtf8 } from "../util/utf8.ts";
import { ImageError } from "./errors.ts";
import { type TarEntry, TarParser } from "./tar.ts";

interface Seen {
  entry: TarEntry;
  data: string;
}

/** Parses in the given cuts; data is what arrived between entry() and end(). */
function parse(tar: Uint8Array, cut: () => number = () => tar.length): Seen[] {
  const seen: Seen[] = [];
  const parser = new TarParser({
    entry: (entry) => seen.push({ entry, data: "" }),
    data: (bytes) => {
      seen.at(-1)!.data += Buffer.from(bytes).toString("latin1");
    },
    end: () => {
      expect(seen.at(-1)!.data.length).toBe(seen.at(-1)!.entry.sizeBytes);
    },
  });
  for (let at = 0; at < tar.length; ) {
    const end = Math.min(tar.length, at + Math.max(1, cut()));
    parser.push(tar.subarray(at, end));
    at = end;
  }
  parser.finish();
  return seen;
}

const everything = makeTar([
  { name: "./", type: "5" },
  { name: "./usr/bin/su", data: "x".repeat(513), mode: 0o4755, uid: 5, gid: 8, mtime: 1234567890 },
  { name: "./empty" },
  { name: "./bin", type: "2", link: "usr/bin" },
  { name: "./hard", type: "1", link: "./usr/bin/su" },
  { name: "long.txt", prefix: "a/b".repeat(20), data: "prefixed" },
  { name: "././@LongLink", type: "L", data: `${"d/".repeat(90)}name\0`, magic: "ustar  \0" },
  { name: "short", data: "gnu", magic: "ustar  \0" },
  { name: "././@LongLink", type: "K", data: `${"t/".repeat(90)}target\0`, magic: "ustar  \0" },
  { name: "link", type: "2", link: "cut", magic: "ustar  \0" },
  {
    name: "pax",
    type: "x",
    data: paxRecord("path", "grüße/ünïcode") + paxRecord("size", "5") + paxRecord("mtime", "99.75"),
  },
  { name: "ignored", data: "12345", size: 5 },
  { name: "dev", type: "3" },
  { name: "block", type: "4" },
  { name: "fifo", type: "6" },
  { name: "label", type: "V" },
  { name: "v7dir/", type: "0" },
]);

describe("TarParser", () => {
  it("reads ustar, GNU and pax entries", () => {
    const seen = parse(everything);
    expect(seen.map(({ entry }) => [entry.type, entry.name, entry.linkName])).toEqual([
      ["directory", "./", ""],
      ["file", "./usr/bin/su", ""],
      ["file", "./empty", ""],
      ["symlink", "./bin", "usr/bin"],
      ["hardlink", "./hard", "./usr/bin/su"],
      ["file", `${"a/b".repeat(20)}/long.txt`, ""],
      ["file", `${"d/".repeat(90)}name`, ""],
      ["symlink", "link", `${"t/".repeat(90)}target`],
      ["file", "grüße/ünïcode", ""],
      ["character-device", "dev", ""],
      ["block-device", "block", ""],
      ["fifo", "fifo", ""],
      ["directory", "v7dir/", ""],
    ]);
    expect(seen[1].entry).toMatchObject({ mode: 0o4755, uid: 5, gid: 8, mtimeSeconds: 1234567890, sizeBytes: 513 });
    expect(seen[8].entry.mtimeSeconds).toBe(99);
    expect(seen.map(({ data }) => data).filter(Boolean)).toEqual(["x".repeat(513), "prefixed", "gnu", "12345"]);
  });

  it("does not depend on how the stream is cut", () => {
    const whole = parse(everything);
    const prng = new Prng(7);
    for (const bound of [1, 7, 511, 513, 2000]) {
      expect(parse(everything, () => 1 + prng.below(bound))).toEqual(whole);
    }
  });

  it("keeps names that are not UTF-8", () => {
    const item = tarItem({ name: "placeholder" });
    item.fill(0, 0, 100);
    item.set([0x61, 0xff, 0x62], 0);
    fixSum(item);
    const [{ entry }] = parse(Buffer.concat([item, Buffer.alloc(1024)]));
    expect([...encodeUtf8(entry.name)]).toEqual([0x61, 0xff, 0x62]);
  });

  it("reads base-256 numbers", () => {
    const item = tarItem({ name: "big", data: "abc" });
    item.fill(0, 108, 116);
    item.set([0x80, 0, 0, 0, 0, 0x01, 0x00, 0x02], 108); // uid
    fixSum(item);
    expect(parse(Buffer.concat([item, Buffer.alloc(1024)]))[0].entry.uid).toBe(65538);
  });

  it("lets global pax values hold until an own one overrides them", () => {
    const tar = makeTar([
      { name: "g", type: "g", data: paxRecord("uname", "all") },
      { name: "a" },
      { name: "x", type: "x", data: paxRecord("uname", "own") },
      { name: "b" },
      { name: "c" },
    ]);
    expect(parse(tar).map(({ entry }) => entry.userName)).toEqual(["all", "own", "all"]);
  });

  it.each([
    ["cut in a header", everything.subarray(0, 300)],
    ["cut in data", everything.subarray(0, 512 + 512 + 100)],
    ["cut after a long name", makeTar([{ name: "L", type: "L", data: "name\0" }]).subarray(0, 1024)],
    ["a wrong checksum", Buffer.concat([Buffer.from("no tar at all".padEnd(512, "?")), Buffer.alloc(1024)])],
    ["a size that is no number", makeBadSize()],
    ["a sparse file", makeTar([{ name: "s", type: "S" }])],
    ["a huge extended header", makeTar([{ name: "x", type: "x", size: 2 ** 31 }])],
    ["a pax record past its end", makeTar([{ name: "x", type: "x", data: "99 path=a\n" }, { name: "a" }])],
    ["a pax record of length 0", makeTar([{ name: "x", type: "x", data: "0 path=a\n" }, { name: "a" }])],
  ])("refuses %s", (_, tar) => {
    expect(() => parse(tar)).toThrow(ImageError);
  });

  it("never fails with anything but ImageError, whatever the bytes", () => {
    const prng = new Prng(42);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const tar = Buffer.from(everything);
      for (let i = prng.below(6); i >= 0; i--) tar[prng.below(tar.length)] = prng.below(256);
      // Repaired sums let damage through to the fields behind them.
      for (let at = 0; at + 512 <= tar.length && round % 2 === 0; at += 512)
        if (tar[at] !== 0) fixSum(tar.subarray(at, at + 512));
      const visitor = { entry: () => {}, data: () => {}, end: () => {} };
      try {
        const parser = new TarParser(visitor);
        parser.push(tar);
        parser.finish();
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

function makeBadSize(): Buffer {
  const item = tarItem({ name: "a" });
  item.write("12x4567\0", 124, "latin1");
  fixSum(item);
  return item;
}
