// Lossless UTF-8 <-> string: bytes that are not UTF-8 become lone surrogates U+DC80..U+DCFF, as Python's surrogateescape
// does, so that every Linux file name survives a round trip. Standard TextDecoder cannot do that.

/** Decodes bytes[from, to). Never throws; invalid bytes b become U+DC00 + b. */
export function decodeUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const parts: string[] = [];
  let units: number[] = [];
  let at = from;
  while (at < to) {
    const b = bytes[at];
    const length = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
    const code = decodeSequence(bytes, at, to, length);
    if (code < 0) {
      units.push(0xdc00 + b);
      at++;
    } else {
      if (code >= 0x10000) units.push(0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
      else units.push(code);
      at += length;
    }
    if (units.length >= 4096) {
      parts.push(String.fromCharCode(...units));
      units = [];
    }
  }
  parts.push(String.fromCharCode(...units));
  return parts.length === 1 ? parts[0] : parts.join("");
}

function decodeSequence(bytes: Uint8Array, at: number, to: number, length: number): number {
  if (length === 1) return bytes[at];
  if (length === 0 || at + length > to) return -1;
  let code = bytes[at] & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    const b = bytes[at + i];
    if ((b & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (b & 0x3f);
  }
  const overlong = (length === 3 && code < 0x800) || (length === 4 && (code < 0x10000 || code > 0x10ffff));
  return overlong || (code >= 0xd800 && code < 0xe000) ? -1 : code;
}

/** Encodes `text`; the inverse of decodeUtf8 for every byte sequence. */
export function encodeUtf8(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 3);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < text.length) {
      const low = text.charCodeAt(i + 1);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i++;
      }
    }
    if (code < 0x80) out[n++] = code;
    else if (code < 0x800) {
      out[n++] = 0xc0 | (code >> 6);
      out[n++] = 0x80 | (code & 0x3f);
    } else if (code >= 0xdc80 && code < 0xdd00) out[n++] = code - 0xdc00;
    else if (code < 0x10000) {
      out[n++] = 0xe0 | (code >> 12);
      out[n++] = 0x80 | ((code >> 6) & 0x3f);
      out[n++] = 0x80 | (code & 0x3f);
    } else {
      out[n++] = 0xf0 | (code >> 18);
      out[n++] = 0x80 | ((code >> 12) & 0x3f);
      out[n++] = 0x80 | ((code >> 6) & 0x3f);
      out[n++] = 0x80 | (code & 0x3f);
    }
  }
  return out.slice(0, n);
}
