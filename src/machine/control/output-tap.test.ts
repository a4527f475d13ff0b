// Tests that output is delivered once however often it is produced, and that what is kept of it is bounded.
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../util/utf8.ts";
import { OutputTap } from "./output-tap.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function make() {
  const seen = { text: "", cuts: [] as number[] };
  const host = {
    write: (bytes: Uint8Array) => {
      seen.text += text(bytes);
    },
    rewound: (count: number) => {
      seen.cuts.push(count);
      seen.text = seen.text.slice(0, count);
    },
    room: () => 5,
  };
  return { tap: new OutputTap(host), seen };
}

test("what was delivered is not delivered again, wherever the writes are cut", () => {
  const { tap, seen } = make();
  expect(tap.room()).toBe(5);
  tap.write(encodeUtf8("before "));
  tap.keep();
  expect(tap.room()).toBe(Number.POSITIVE_INFINITY);
  const at = tap.produced;
  tap.write(encodeUtf8("one "));
  tap.write(encodeUtf8("two "));
  tap.produced = at;
  expect(text(tap.transcript())).toBe("");
  tap.write(encodeUtf8("one two"));
  expect([text(tap.transcript()), seen.text]).toEqual(["one two", "before one two "]);
  tap.write(encodeUtf8(" three"));
  expect([text(tap.transcript()), seen.text]).toEqual(["one two three", "before one two three"]);
  tap.produced = at + 4;
  tap.forgetFuture();
  expect([text(tap.transcript()), seen.text, seen.cuts]).toEqual(["one ", "before one ", [at + 4]]);
  tap.write(encodeUtf8("else"));
  expect([text(tap.transcript()), seen.text]).toEqual(["one else", "before one else"]);
  tap.forgetFuture();
  expect(seen.cuts.length).toBe(1);
});

test("the latest part of endless output is kept", () => {
  const tap = new OutputTap({ write: () => {} });
  tap.keep();
  const chunk = new Uint8Array(1 << 20);
  for (let i = 0; i < 100; i++) tap.write(chunk.fill(i));
  const kept = tap.transcript();
  expect(kept.length).toBeGreaterThanOrEqual(16 << 20);
  expect(kept.length).toBeLessThanOrEqual(32 << 20);
  expect(tap.transcript(tap.produced - 5)).toEqual(new Uint8Array(5).fill(99));
  expect(tap.transcript(tap.produced).length).toBe(0);
  expect(tap.transcript(1).length).toBe(kept.length);
  expect([kept[kept.length - 1], kept[kept.length - (2 << 20)]]).toEqual([99, 98]);
});
