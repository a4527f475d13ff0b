// Messages as bytes: JSON in which each typed array is a reference into the bytes behind it.
//
//   u32 length of the JSON | JSON (UTF-8) | padding to 8 | array | padding to 8 | array ...
//
// A typed array is written {"$": [kind, offset behind the JSON, elements]}. Decoding gives views into the message, no copies.
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";

const KINDS = { Uint8Array, Uint16Array, Int32Array, Uint32Array, Float64Array } as const;
type Kind = keyof typeof KINDS;
type AnyArray = InstanceType<(typeof KINDS)[Kind]>;

const aligned = (bytes: number): number => (bytes + 7) & ~7;

export function encodeMessage(message: unknown): Uint8Array {
  const arrays: AnyArray[] = [];
  let behind = 0;
  const json = encodeUtf8(
    JSON.stringify(message, (_key, value: unknown) => {
      if (!ArrayBuffer.isView(value)) return value;
      const kind = value.constructor.name;
      if (!(kind in KINDS)) throw new TypeError(`${kind} cannot be sent`);
      const array = value as AnyArray;
      const offset = behind;
      arrays.push(array);
      behind += aligned(array.byteLength);
      return { $: [kind, offset, array.length] };
    }),
  );
  const start = aligned(4 + json.length);
  const bytes = new Uint8Array(start + behind);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 4);
  let at = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += aligned(array.byteLength);
  }
  return bytes;
}

/** Throws SyntaxError or RangeError when the bytes are no message. */
export function decodeMessage(given: Uint8Array): unknown {
  // Views of 8-byte elements need an aligned start.
  const bytes = given.byteOffset % 8 === 0 ? given : given.slice();
  if (bytes.length < 4) throw new SyntaxError("a message without a length");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (4 + length > bytes.length) throw new SyntaxError("a message that was cut off");
  const start = aligned(4 + length);
  return JSON.parse(decodeUtf8(bytes, 4, 4 + length), (_key, value: unknown) => {
    const reference = (value as { $?: [Kind, number, number] } | null)?.$;
    if (!Array.isArray(reference)) return value;
    const [kind, offset, count] = reference;
    const isWhole = [offset, count].every((number) => Number.isSafeInteger(number) && number >= 0);
    if (!Object.hasOwn(KINDS, kind) || !isWhole || offset % 8 !== 0)
      throw new SyntaxError("a message with an unknown array");
    const type = KINDS[kind];
    // The bytes may lie in a larger buffer: nothing behind them is part of the message.
    if (start + offset + count * type.BYTES_PER_ELEMENT > bytes.length)
      throw new RangeError("a message with an array that was cut off");
    return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset + start + offset, count);
  });
}
