// Parses tar streams: V7, ustar, GNU long names and base-256 numbers, pax extended headers. Pushes entries to a visitor;
// knows nothing about where they go or whether their names are safe.
import { decodeUtf8 } from "../util/utf8.ts";
import { latin1 } from "./bytes.ts";
import { ImageError } from "./errors.ts";

/*
 *  offset  0    100   108  116  124   136    148  156  157      257    263     265     297     329    337    345
 *          name mode  uid  gid  size  mtime  sum  type linkname magic  version uname   gname   major  minor  prefix
 */
const BLOCK_BYTES = 512;
/** A name or pax header beyond this is an attack, not a path. */
const MAX_HEADER_BYTES = 1024 * 1024;

export type TarType = "file" | "hardlink" | "symlink" | "directory" | "character-device" | "block-device" | "fifo";

export interface TarEntry {
  /** As stored: may begin with "./" or "/", may contain "..": the consumer decides. Undecodable bytes as in util/utf8. */
  name: string;
  type: TarType;
  /** Target of a symlink or hardlink. */
  linkName: string;
  /** Permission bits with setuid, setgid, sticky (07777). */
  mode: number;
  uid: number;
  gid: number;
  userName: string;
  groupName: string;
  /** Bytes of data that follow (0 for everything but files). */
  sizeBytes: number;
  mtimeSeconds: number;
  deviceMajor: number;
  deviceMinor: number;
}

export interface TarVisitor {
  /** A new entry; its data (if any) follows in data() calls, then end(). */
  entry(entry: TarEntry): void;
  /** A piece of the current entry's data, valid during the call only. */
  data(bytes: Uint8Array): void;
  end(): void;
}

const TYPES: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};

/** What the bytes after the current header are for. */
type Section = "header" | "data" | "collect" | "padding" | "over";

export class TarParser {
  private readonly visitor: TarVisitor;
  private section: Section = "header";
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private blockFill = 0;
  private zeroBlocks = 0;
  /** Bytes of data or extended header still to come, then bytes of padding after them. */
  private remaining = 0;
  private padding = 0;
  private collected = new Uint8Array(0);
  private collectedFill = 0;
  private collectType = "";
  private readonly globalPax = new Map<string, string>();
  private pax = new Map<string, string>();
  private longName: string | null = null;
  private longLink: string | null = null;
  private offset = 0;

  constructor(visitor: TarVisitor) {
    this.visitor = visitor;
  }

  /** Feeds the next bytes of the stream, in any cut. Throws ImageError on damage. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && this.section !== "over") at += this.consume(chunk, at);
    this.offset += chunk.length;
  }

  /** The stream is over. Throws if it stopped inside a header or an entry's data. */
  finish(): void {
    if (this.section === "over") return;
    if (this.section !== "header" || this.blockFill > 0) throw new ImageError("tar archive is cut short");
    if (this.longName !== null || this.longLink !== null || this.pax.size > 0) {
      throw new ImageError("tar archive is cut short after an extended header");
    }
  }

  private consume(chunk: Uint8Array, at: number): number {
    const available = chunk.length - at;
    switch (this.section) {
      case "header": {
        const take = Math.min(available, BLOCK_BYTES - this.blockFill);
        this.block.set(chunk.subarray(at, at + take), this.blockFill);
        this.blockFill += take;
        if (this.blockFill === BLOCK_BYTES) {
          this.blockFill = 0;
          this.header();
        }
        return take;
      }
      case "data": {
        const take = Math.min(available, this.remaining);
        if (take > 0) this.visitor.data(chunk.subarray(at, at + take));
        this.remaining -= take;
        if (this.remaining === 0) {
          this.visitor.end();
          this.section = this.padding > 0 ? "padding" : "header";
        }
        return take;
      }
      case "collect": {
        const take = Math.min(available, this.remaining);
        this.collected.set(chunk.subarray(at, at + take), this.collectedFill);
        this.collectedFill += take;
        this.remaining -= take;
        if (this.remaining === 0) {
          this.extended();
          this.section = this.padding > 0 ? "padding" : "header";
        }
        return take;
      }
      default: {
        const take = Math.min(available, this.padding);
        this.padding -= take;
        if (this.padding === 0) this.section = "header";
        return take;
      }
    }
  }

  private header(): void {
    const block = this.block;
    if (block.every((byte) => byte === 0)) {
      // Two zero blocks end the archive; what follows is record padding.
      if (++this.zeroBlocks === 2) this.section = "over";
      return;
    }
    this.zeroBlocks = 0;
    checkHeaderSum(block, this.offset);
    const type = String.fromCharCode(block[156]);
    const size = readNumber(block, 124, 12, "size");
    if (type === "L" || type === "K" || type === "x" || type === "g" || type === "X") {
      if (size > MAX_HEADER_BYTES) throw new ImageError(`tar archive: extended header of ${size} bytes`);
      this.collectType = type;
      this.collected = new Uint8Array(size);
      this.collectedFill = 0;
      this.begin(size, "collect");
      if (size === 0) this.extended();
      return;
    }
    if (type === "S") throw new ImageError("tar archive: sparse files (GNU type S) are not supported");
    const kind = TYPES[type];
    if (kind === undefined) {
      // Volume labels, dump directories and vendor types carry no file: step over their data.
      this.padding = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
      this.section = this.padding > 0 ? "padding" : "header";
      this.forgetExtended();
      return;
    }
    this.startEntry(this.makeEntry(kind, size));
  }

  private startEntry(entry: TarEntry): void {
    this.visitor.entry(entry);
    this.begin(entry.sizeBytes, "data");
    if (entry.sizeBytes === 0) this.visitor.end();
  }

  private begin(size: number, section: Section): void {
    this.remaining = size;
    this.padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
    this.section = size > 0 ? section : "header";
  }

  private makeEntry(kind: TarType, size: number): TarEntry {
    const block = this.block;
    const isPosix = latin1(block, 257, 263) === "ustar\0";
    let name = readText(block, 0, 100);
    if (isPosix && block[345] !== 0) name = `${readText(block, 345, 155)}/${name}`;
    const pax = (key: string) => this.pax.get(key) ?? this.globalPax.get(key);
    if (pax("GNU.sparse.major") !== undefined || pax("GNU.sparse.map") !== undefined) {
      throw new ImageError("tar archive: sparse files (GNU.sparse) are not supported");
    }
    name = pax("path") ?? this.longName ?? name;
    const linkName = pax("linkpath") ?? this.longLink ?? readText(block, 157, 100);
    if (kind === "file" && name.endsWith("/")) kind = "directory"; // V7 had no type for directories
    const entry: TarEntry = {
      name,
      type: kind,
      linkName,
      mode: readNumber(block, 100, 8, "mode") & 0o7777,
      uid: paxNumber(pax("uid"), "uid") ?? readNumber(block, 108, 8, "uid"),
      gid: paxNumber(pax("gid"), "gid") ?? readNumber(block, 116, 8, "gid"),
      userName: pax("uname") ?? readText(block, 265, 32),
      groupName: pax("gname") ?? readText(block, 297, 32),
      sizeBytes: kind === "file" ? (paxNumber(pax("size"), "size") ?? size) : 0,
      mtimeSeconds: Math.floor(paxNumber(pax("mtime"), "mtime") ?? readNumber(block, 136, 12, "mtime")),
      deviceMajor: readNumber(block, 329, 8, "device"),
      deviceMinor: readNumber(block, 337, 8, "device"),
    };
    if (entry.sizeBytes < 0) throw new ImageError(`tar archive: negative size of ${name}`);
    this.forgetExtended();
    return entry;
  }

  private forgetExtended(): void {
    this.longName = null;
    this.longLink = null;
    if (this.pax.size > 0) this.pax = new Map();
  }

  private extended(): void {
    const bytes = this.collected;
    const nul = bytes.indexOf(0);
    if (this.collectType === "L") this.longName = decodeUtf8(bytes, 0, nul === -1 ? bytes.length : nul);
    else if (this.collectType === "K") this.longLink = decodeUtf8(bytes, 0, nul === -1 ? bytes.length : nul);
    else parsePax(bytes, this.collectType === "g" ? this.globalPax : this.pax);
  }
}

/** Convenience for complete archives already in memory. */
export function parseTar(bytes: Uint8Array, visitor: TarVisitor): void {
  const parser = new TarParser(visitor);
  parser.push(bytes);
  parser.finish();
}

function readText(block: Uint8Array, at: number, length: number): string {
  const nul = block.indexOf(0, at);
  return decodeUtf8(block, at, nul === -1 || nul > at + length ? at + length : nul);
}

/** Octal digits, or GNU base-256 when the first byte has its top bit set (0xff: negative). */
function readNumber(block: Uint8Array, at: number, length: number, what: string): number {
  if (block[at] & 0x80) {
    let value = block[at] & 0x40 ? -1 : block[at] & 0x3f;
    for (let i = 1; i < length; i++) value = value * 256 + block[at + i];
    if (!Number.isSafeInteger(value)) throw new ImageError(`tar archive: ${what} out of range`);
    return value;
  }
  const text = latin1(block, at, at + length)
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (text === "") return 0;
  if (!/^[0-7]+$/.test(text)) throw new ImageError(`tar archive: ${what} is not a number`);
  return Number.parseInt(text, 8);
}

function paxNumber(text: string | undefined, what: string): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new ImageError(`tar archive: pax ${what} is not a number`);
  return what === "mtime" ? value : Math.trunc(value);
}

/** The sum counts the checksum field as blanks; old writers summed signed bytes. */
function checkHeaderSum(block: Uint8Array, offset: number): void {
  let unsigned = 8 * 0x20;
  let signed = 8 * 0x20;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    if (i >= 148 && i < 156) continue;
    unsigned += block[i];
    signed += (block[i] << 24) >> 24;
  }
  const text = latin1(block, 148, 156)
    .replace(/[\0 ]+$/, "")
    .trimStart();
  const stored = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : -1;
  if (stored !== unsigned && stored !== signed) {
    throw new ImageError(`not a tar archive, or a damaged one: bad header checksum near byte ${offset}`);
  }
}

/** Records "LENGTH KEY=VALUE\n", LENGTH counting itself. An empty value removes the key (pax(1)). */
function parsePax(bytes: Uint8Array, into: Map<string, string>): void {
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(latin1(bytes, at, space));
    if (!Number.isSafeInteger(length) || length <= space - at + 1 || at + length > bytes.length) {
      throw new ImageError("tar archive: damaged pax header");
    }
    const equals = bytes.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= at + length) throw new ImageError("tar archive: damaged pax record");
    const key = decodeUtf8(bytes, space + 1, equals);
    const value = decodeUtf8(bytes, equals + 1, at + length - 1);
    if (value === "") into.delete(key);
    else into.set(key, value);
    at += length;
  }
}
