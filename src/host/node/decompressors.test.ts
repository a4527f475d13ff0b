// Node's gzip and xz decoders: whole, cut short, joined, left in the middle.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { collect } from "../../image/bytes.ts";
import { decompress } from "../../image/decompress.ts";
import { ImageError } from "../../image/errors.ts";
import { nodeDecompressors } from "./decompressors.ts";

// 729 times "hello faultline\n", by xz 5.4 and zstd 1.5.
const XZ =
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4C2PAEBdADQZSe6N6RLjRmYG6q51zJZmdlpzNcTWvlMQxSe1kskOMQhNaJQT7WjHS+IdaSGqYAI/f6gB+bpA11mw/9gANgAAtSf072ew9QUAAVyQWwAAAOKzE3WxxGf7AgAAAAAEWVo=";
const ZSTD = "KLUv/WSQLMUAAIBoZWxsbyBmYXVsdGxpbmUKAQD62vBzCV9irOA=";
const TEXT = Buffer.from("hello faultline\n".repeat(729));

const plain = (bytes: Uint8Array) => collect(decompress(bytes, nodeDecompressors, "x"), 1e8, "x");
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("decompress", () => {
  it.each([
    ["none", TEXT],
    ["gzip", gzipSync(TEXT)],
    ["xz", Buffer.from(XZ, "base64")],
    ["zstd", Buffer.from(ZSTD, "base64")],
  ])("reads %s", async (_, bytes) => {
    expect(hash(await plain(bytes))).toBe(hash(TEXT));
  });

  it.each([
    ["gzip", gzipSync(TEXT)],
    ["xz", Buffer.from(XZ, "base64")],
    ["zstd", Buffer.from(ZSTD, "base64")],
  ])("fails on damaged and on cut %s data, and works again afterwards", async (format, bytes) => {
    await expect(plain(bytes.subarray(0, bytes.length - 12))).rejects.toThrow(ImageError);
    const damaged = Buffer.from(bytes);
    damaged.fill(0xa5, 16, 24);
    // The zstd decoder does not check the content's checksum: that is left to the SHA-256 of the whole file.
    if (format !== "zstd") await expect(plain(damaged)).rejects.toThrow(ImageError);
    expect(hash(await plain(bytes))).toBe(hash(TEXT));
  });

  it("can be left in the middle and used several times at once", async () => {
    const xz = Buffer.from(XZ, "base64");
    for await (const chunk of decompress(xz, nodeDecompressors, "x")) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    const all = await Promise.all(Array.from({ length: 5 }, () => plain(xz)));
    for (const bytes of all) expect(bytes.length).toBe(TEXT.length);
  });

  it("reads gzip members joined to one file", async () => {
    expect(hash(await plain(Buffer.concat([gzipSync("a"), gzipSync("b")])))).toBe(hash(Buffer.from("ab")));
  });
});
