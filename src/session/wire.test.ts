// Messages as bytes: what goes in comes out, typed arrays without copies, and damaged bytes are refused with an error, never believed.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "./wire.ts";

const someArray = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint16Array({ maxLength: 40 }),
  fc.int32Array({ maxLength: 40 }),
  fc.uint32Array({ maxLength: 40 }),
  fc.float64Array({ maxLength: 40 }),
);
const someLeaf = fc.oneof(fc.string({ unit: "grapheme" }), fc.integer(), fc.boolean(), fc.constant(null), someArray);
const someMessage = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(someLeaf, fc.array(someLeaf, { maxLength: 5 }), fc.record({ inner: someLeaf, more: someLeaf })),
  { maxKeys: 6, noNullPrototype: true },
);

describe("wire format", () => {
  test("what goes in comes out", () => {
    fc.assert(
      fc.property(someMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  test("from an unaligned place in a larger buffer, too", () => {
    const message = { figures: Float64Array.of(1.5, -0, Number.MAX_VALUE), cells: Uint8Array.of(1, 2, 3) };
    const bytes = encodeMessage(message);
    for (let shift = 0; shift < 9; shift++) {
      const place = new Uint8Array(bytes.length + 20);
      place.set(bytes, shift);
      expect(decodeMessage(place.subarray(shift, shift + bytes.length))).toEqual(message);
    }
  });

  test("arrays of a received message are views into it", () => {
    const bytes = encodeMessage({ cells: new Uint8Array(1 << 16).fill(7) });
    const { cells } = decodeMessage(bytes) as { cells: Uint8Array };
    expect(cells.buffer).toBe(bytes.buffer);
  });

  test("a part of an array is sent as that part", () => {
    const whole = Int32Array.from({ length: 100 }, (_, i) => i);
    expect(decodeMessage(encodeMessage({ part: whole.subarray(10, 13) }))).toEqual({ part: Int32Array.of(10, 11, 12) });
  });

  test("arrays that the format does not know are refused", () => {
    expect(() => encodeMessage({ words: new BigInt64Array(1) })).toThrow(TypeError);
  });

  test("cut off or changed bytes: an error, or a message with nothing from outside of the bytes", () => {
    const good = encodeMessage({ type: "ask", id: 1, cells: Uint8Array.of(1, 2, 3), more: Int32Array.of(4, 5) });
    for (let length = 0; length < good.length; length++) {
      const cut = good.slice(0, length);
      try {
        decodeMessage(cut);
      } catch (error) {
        expect(error instanceof SyntaxError || error instanceof RangeError).toBe(true);
      }
    }
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bad = good.slice();
        bad[at] = value;
        try {
          decodeMessage(bad);
        } catch (error) {
          expect(error instanceof SyntaxError || error instanceof RangeError).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("references that lie are refused", () => {
    const lying = (reference: unknown) => {
      const json = new TextEncoder().encode(JSON.stringify({ cells: { $: reference } }));
      const bytes = new Uint8Array(4 + json.length);
      new DataView(bytes.buffer).setUint32(0, json.length, true);
      bytes.set(json, 4);
      return () => decodeMessage(bytes);
    };
    for (const reference of [
      ["Uint8Array", 0, 1e9],
      ["Uint8Array", -4096, 8],
      ["Uint8Array", 4, 1],
      ["constructor", 0, 1],
      ["BigInt64Array", 0, 0],
      ["Float64Array", 0, -1],
      ["Uint8Array", "0", {}],
    ])
      expect(lying(reference), JSON.stringify(reference)).toThrow();
  });
});
