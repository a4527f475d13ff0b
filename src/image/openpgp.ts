// OpenPGP as far as archive signatures need it (RFC 4880, RFC 9580): packets, armor, cleartext signatures, v4 keys and
// signatures. Arithmetic and hashing come from the host; which signatures count is decided in signatures.ts.
import { concatBytes, indexOfBytes, latin1, toHex } from "./bytes.ts";
import { ImageError } from "./errors.ts";

export const PACKET_SIGNATURE = 2;
export const PACKET_PUBLIC_KEY = 6;
export const PACKET_USER_ID = 13;
export const PACKET_PUBLIC_SUBKEY = 14;

const ALGORITHM_RSA = 1;
const ALGORITHM_RSA_SIGN_ONLY = 3;
const ALGORITHM_EDDSA_LEGACY = 22;
const ALGORITHM_ED25519 = 27;

export type HashName = "sha256" | "sha384" | "sha512" | "sha224";
/** Hashes strong enough for a signature today; MD5, SHA-1 and RIPEMD-160 are refused. */
const HASHES: Readonly<Record<number, HashName>> = { 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224" };

export type PublicKey =
  | { kind: "rsa"; modulus: Uint8Array; exponent: Uint8Array }
  | { kind: "ed25519"; point: Uint8Array }
  | { kind: "unsupported"; algorithm: number };

/** Arithmetic that a host supplies (node:crypto). */
export interface SignatureCrypto {
  digest(hash: HashName | "sha1", data: Uint8Array): Uint8Array;
  /** RSASSA-PKCS1-v1_5 over `data` (not yet hashed). Big-endian numbers without leading zeros. */
  verifyRsa(
    hash: HashName,
    key: { modulus: Uint8Array; exponent: Uint8Array },
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean;
  /** Ed25519 over `message`; `signature` is R || S, 64 bytes. */
  verifyEd25519(point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

export interface Packet {
  tag: number;
  body: Uint8Array;
}

/** Splits binary OpenPGP data into packets, old and new format, with partial lengths joined. */
export function readPackets(bytes: Uint8Array): Packet[] {
  const packets: Packet[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at++];
    if ((first & 0x80) === 0) throw new ImageError("OpenPGP data damaged: a packet was expected");
    const isNew = (first & 0x40) !== 0;
    const tag = isNew ? first & 0x3f : (first >> 2) & 0x0f;
    const parts: Uint8Array[] = [];
    for (let more = true; more; ) {
      const length = isNew ? newLength(bytes, at) : oldLength(bytes, at, first & 3);
      at += length.headerBytes;
      if (at + length.bytes > bytes.length) throw new ImageError("OpenPGP data cut short");
      parts.push(bytes.subarray(at, at + length.bytes));
      at += length.bytes;
      more = length.partial;
    }
    packets.push({ tag, body: parts.length === 1 ? parts[0] : concatBytes(parts) });
  }
  return packets;
}

interface Length {
  headerBytes: number;
  bytes: number;
  partial: boolean;
}

function newLength(bytes: Uint8Array, at: number): Length {
  const first = bytes[at] ?? 0;
  if (first < 192) return { headerBytes: 1, bytes: first, partial: false };
  if (first < 224) return { headerBytes: 2, bytes: ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192, partial: false };
  if (first < 255) return { headerBytes: 1, bytes: 2 ** (first & 0x1f), partial: true };
  return { headerBytes: 5, bytes: readUint(bytes, at + 1, 4), partial: false };
}

function oldLength(bytes: Uint8Array, at: number, type: number): Length {
  if (type === 3) return { headerBytes: 0, bytes: bytes.length - at, partial: false };
  const headerBytes = 1 << type;
  return { headerBytes, bytes: readUint(bytes, at, headerBytes), partial: false };
}

function readUint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

export interface KeyPacket {
  isSubkey: boolean;
  body: Uint8Array;
  key: PublicKey;
  /** Hex, 40 digits. The key id is its last 16. */
  fingerprint: string;
  createdSeconds: number;
}

/** Reads a version 4 key packet; null for other versions. */
export function readKey(packet: Packet, crypto: SignatureCrypto): KeyPacket | null {
  const { body } = packet;
  if (body[0] !== 4 || body.length < 8) return null;
  return {
    isSubkey: packet.tag === PACKET_PUBLIC_SUBKEY,
    body,
    key: readPublicKey(body),
    fingerprint: toHex(crypto.digest("sha1", keyHashInput(body))),
    createdSeconds: readUint(body, 1, 4),
  };
}

/** What is hashed wherever a key takes part in a signature: 0x99, two length bytes, the packet body. */
export function keyHashInput(body: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(0x99, body.length >> 8, body.length & 0xff), body]);
}

function readPublicKey(body: Uint8Array): PublicKey {
  const algorithm = body[5];
  if (algorithm === ALGORITHM_RSA || algorithm === ALGORITHM_RSA_SIGN_ONLY) {
    const modulus = readMpi(body, 6);
    return { kind: "rsa", modulus: modulus.value, exponent: readMpi(body, modulus.end).value };
  }
  if (algorithm === ALGORITHM_EDDSA_LEGACY) {
    const oid = toHex(body.subarray(7, 7 + body[6]));
    const point = readMpi(body, 7 + body[6]).value;
    const isEd25519 = oid === "2b06010401da470f01" && point.length === 33 && point[0] === 0x40;
    if (isEd25519) return { kind: "ed25519", point: point.subarray(1) };
  }
  if (algorithm === ALGORITHM_ED25519 && body.length >= 38) return { kind: "ed25519", point: body.subarray(6, 38) };
  return { kind: "unsupported", algorithm };
}

/** A multiprecision integer: two bytes of bit count, then the bytes. */
function readMpi(bytes: Uint8Array, at: number): { value: Uint8Array; end: number } {
  const length = (readUint(bytes, at, 2) + 7) >> 3;
  const end = at + 2 + length;
  if (end > bytes.length) throw new ImageError("OpenPGP data damaged: a number runs past its packet");
  return { value: bytes.subarray(at + 2, end), end };
}

export interface SignaturePacket {
  /** 0x00 binary, 0x01 text, 0x10-0x13 certifications, 0x18 subkey binding, 0x1f direct key, 0x20/0x28 revocations. */
  type: number;
  algorithm: number;
  hash: HashName | null;
  /** Lower-case hex, empty when the packet does not say. */
  issuerFingerprint: string;
  issuerKeyId: string;
  createdSeconds: number;
  /** Seconds after signing (subpacket 3) / after key creation (subpacket 9); 0: never. */
  expiresAfterSeconds: number;
  keyExpiresAfterSeconds: number;
  /** Key flags (subpacket 27), or -1 when absent; bit 1 = may sign data. */
  keyFlags: number;
  hasUnknownCritical: boolean;
  trailer: Uint8Array;
  hashPrefix: Uint8Array;
  values: Uint8Array;
}

/** Reads a version 4 signature packet; null for other versions. Only hashed subpackets are believed, issuers excepted. */
export function readSignature(body: Uint8Array): SignaturePacket | null {
  if (body[0] !== 4 || body.length < 10) return null;
  const hashedBytes = readUint(body, 4, 2);
  const hashedEnd = 6 + hashedBytes;
  const unhashedEnd = hashedEnd + 2 + readUint(body, hashedEnd, 2);
  if (unhashedEnd + 2 > body.length) throw new ImageError("OpenPGP signature cut short");
  const head = body.subarray(0, hashedEnd);
  const signature: SignaturePacket = {
    type: body[1],
    algorithm: body[2],
    hash: HASHES[body[3]] ?? null,
    issuerFingerprint: "",
    issuerKeyId: "",
    createdSeconds: 0,
    expiresAfterSeconds: 0,
    keyExpiresAfterSeconds: 0,
    keyFlags: -1,
    hasUnknownCritical: false,
    trailer: concatBytes([head, Uint8Array.of(4, 0xff, 0, 0, head.length >> 8, head.length & 0xff)]),
    hashPrefix: body.subarray(unhashedEnd, unhashedEnd + 2),
    values: body.subarray(unhashedEnd + 2),
  };
  readSubpackets(body.subarray(6, hashedEnd), true, signature);
  readSubpackets(body.subarray(hashedEnd + 2, unhashedEnd), false, signature);
  return signature;
}

/** Subpackets that may be critical without changing what a signature means here: notations, preferences, names. */
const HARMLESS = new Set([4, 7, 11, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 34]);

function readSubpackets(area: Uint8Array, isHashed: boolean, into: SignaturePacket): void {
  let at = 0;
  while (at < area.length) {
    const length = newLength(area, at);
    at += length.headerBytes;
    if (length.bytes === 0 || at + length.bytes > area.length) throw new ImageError("OpenPGP signature damaged");
    const type = area[at] & 0x7f;
    const critical = (area[at] & 0x80) !== 0;
    const data = area.subarray(at + 1, at + length.bytes);
    at += length.bytes;
    if (type === 16 && data.length === 8) into.issuerKeyId = toHex(data);
    else if (type === 33 && data[0] === 4) into.issuerFingerprint = toHex(data.subarray(1));
    else if (!isHashed) continue;
    else if (type === 2) into.createdSeconds = readUint(data, 0, 4);
    else if (type === 3) into.expiresAfterSeconds = readUint(data, 0, 4);
    else if (type === 9) into.keyExpiresAfterSeconds = readUint(data, 0, 4);
    else if (type === 27) into.keyFlags = data[0] ?? 0;
    else if (critical && !HARMLESS.has(type) && type !== 32) into.hasUnknownCritical = true;
  }
}

/** Whether `key` made `signature` over `data` (the bytes before the trailer). */
export function verifies(
  crypto: SignatureCrypto,
  key: PublicKey,
  signature: SignaturePacket,
  data: Uint8Array,
): boolean {
  const { hash } = signature;
  if (hash === null || signature.hasUnknownCritical) return false;
  const message = concatBytes([data, signature.trailer]);
  const digest = crypto.digest(hash, message);
  if (digest[0] !== signature.hashPrefix[0] || digest[1] !== signature.hashPrefix[1]) return false;
  if (key.kind === "rsa") {
    if (signature.algorithm !== ALGORITHM_RSA && signature.algorithm !== ALGORITHM_RSA_SIGN_ONLY) return false;
    // 2048 bits is the least that still resists factoring.
    if (key.modulus.length < 256) return false;
    const value = readMpi(signature.values, 0).value;
    return crypto.verifyRsa(hash, key, message, leftPad(value, key.modulus.length));
  }
  if (key.kind === "ed25519") {
    const rs = ed25519Values(signature);
    return rs !== null && crypto.verifyEd25519(key.point, digest, rs);
  }
  return false;
}

function ed25519Values(signature: SignaturePacket): Uint8Array | null {
  if (signature.algorithm === ALGORITHM_ED25519) return signature.values.subarray(0, 64);
  if (signature.algorithm !== ALGORITHM_EDDSA_LEGACY) return null;
  const r = readMpi(signature.values, 0);
  const s = readMpi(signature.values, r.end);
  if (r.value.length > 32 || s.value.length > 32) return null;
  return concatBytes([leftPad(r.value, 32), leftPad(s.value, 32)]);
}

function leftPad(value: Uint8Array, length: number): Uint8Array {
  if (value.length >= length) return value;
  const padded = new Uint8Array(length);
  padded.set(value, length - value.length);
  return padded;
}

const encodeAscii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const ARMOR_BEGIN = encodeAscii("-----BEGIN PGP ");

/** Binary packets of a key or signature file, armored ("-----BEGIN PGP ...") or not. Joins several armored blocks. */
export function dearmor(bytes: Uint8Array): Uint8Array {
  if (indexOfBytes(bytes, ARMOR_BEGIN) === -1) return bytes;
  const parts: Uint8Array[] = [];
  const blocks = latin1(bytes).matchAll(/-----BEGIN PGP [A-Z ]+-----\r?\n([\s\S]*?)-----END PGP [A-Z ]+-----/g);
  for (const [, block] of blocks) parts.push(decodeBase64(armorBody(block)));
  if (parts.length === 0) throw new ImageError("OpenPGP armor damaged: no end line");
  return concatBytes(parts);
}

/** Headers end at the first empty line; a line beginning with "=" is the checksum, which adds nothing here. */
function armorBody(block: string): string {
  const lines = block.split(/\r?\n/).map((line) => line.trimEnd());
  const start = lines.indexOf("");
  return lines
    .slice(start + 1)
    .filter((line) => line !== "" && !line.startsWith("="))
    .join("");
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decodeBase64(text: string): Uint8Array {
  const digits = text.replace(/=+$/, "");
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    const value = BASE64.indexOf(digit);
    if (value === -1) throw new ImageError("OpenPGP armor damaged: not base64");
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = (bits >> held) & 0xff;
    }
  }
  return out;
}

export interface ClearSigned {
  /** The text as it reads, dash-escapes removed. */
  text: Uint8Array;
  /** The bytes that were signed: lines without trailing blanks, joined by CR LF (RFC 9580, 7.2). */
  signed: Uint8Array;
  signatures: Uint8Array;
}

const CLEAR_BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE_BEGIN = "-----BEGIN PGP SIGNATURE-----";

/**
 * Takes a cleartext-signed message apart. It must be the whole input: text before or after it would be unsigned but might
 * be read, which is how signature checks are evaded.
 */
export function readClearSigned(bytes: Uint8Array): ClearSigned {
  const lines = latin1(bytes)
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
  if (lines[0] !== CLEAR_BEGIN) throw new ImageError("not a cleartext-signed message");
  let at = 1;
  while (at < lines.length && lines[at] !== "") {
    if (!/^Hash: [A-Za-z0-9, -]+$/.test(lines[at]))
      throw new ImageError("signed message: unexpected header before the text");
    at++;
  }
  const end = lines.indexOf(SIGNATURE_BEGIN, at);
  if (end === -1) throw new ImageError("signed message: the signature is missing");
  const close = lines.indexOf("-----END PGP SIGNATURE-----", end);
  if (close === -1 || lines.slice(close + 1).some((line) => line.trim() !== "")) {
    throw new ImageError("signed message: text after the signature, or a signature without an end");
  }
  const text: string[] = [];
  for (const line of lines.slice(at + 1, end)) {
    if (line.startsWith("- ")) text.push(line.slice(2));
    else if (line.startsWith("-")) throw new ImageError("signed message: a line of dashes that is not escaped");
    else text.push(line);
  }
  return {
    text: encodeAscii(`${text.join("\n")}\n`),
    signed: encodeAscii(text.map((line) => line.replace(/[ \t\r]+$/, "")).join("\r\n")),
    signatures: dearmor(encodeAscii(lines.slice(end, close + 1).join("\n"))),
  };
}
