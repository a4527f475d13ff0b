// Numbers as people read them.
import { expect, test } from "vitest";
import { bytes, compact, count, hex, shortBytes, shortName } from "./format.ts";

test("bytes", () => {
  expect([0, 1, 1023, 1024, 4096, 1536, 10 * 1024 * 1024, 2 ** 30, 255.6 * 2 ** 30].map(bytes)).toEqual([
    "0 B",
    "1 B",
    "1023 B",
    "1 KiB",
    "4 KiB",
    "1.5 KiB",
    "10 MiB",
    "1 GiB",
    "256 GiB",
  ]);
  const short = [0, 512, 4096, 999 * 1024, 1000 * 1024, 1.5 * 2 ** 20, 73.2 * 2 ** 20, 3 * 2 ** 30].map(shortBytes);
  expect(short).toEqual(["0", "512", "4K", "999K", "1.0M", "1.5M", "73M", "3G"]);
});

test("counts, instructions, addresses, names", () => {
  expect([0, 999, 1000, 1234567].map(count)).toEqual(["0", "999", "1\u2009000", "1\u2009234\u2009567"]);
  expect([0, 999, 1000, 12345, 999499, 1.5e6, 2e9, 3.21e11].map(compact)).toEqual([
    "0",
    "999",
    "1.0 k",
    "12.3 k",
    "999 k",
    "1.5 M",
    "2.0 G",
    "321 G",
  ]);
  expect(hex(0x3fc3274000, 10)).toBe("0x3fc3274000");
  expect(hex(0x1d, 4)).toBe("0x001d");
  expect(["/usr/lib/libc.so.6", "[stack]", "", "memfd:x/y"].map(shortName)).toEqual([
    "libc.so.6",
    "[stack]",
    "",
    "memfd:x/y",
  ]);
});
