// Finds out how bytes are compressed and turns them into a stream of plain chunks. Gzip and xz decoders come from the host
// (node:zlib, a wasm module, DecompressionStream); zstd is decoded here because its decoder is plain JavaScript.
import { Decompress } from "fzstd";
import { ImageError } from "./errors.ts";

export type CompressionFormat = "none" | "gzip" | "xz" | "zstd" | "bzip2" | "lzma";

/** What a host supplies. Each call decodes one complete compressed stream; chunks are valid until the next one is asked. */
export interface Decompressors {
  gzip(bytes: Uint8Array): AsyncIterable<Uint8Array>;
  xz(bytes: Uint8Array): AsyncIterable<Uint8Array>;
}

const MAGICS: readonly { format: CompressionFormat; magic: readonly number[] }[] = [
  { format: "gzip", magic: [0x1f, 0x8b] },
  { format: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { format: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { format: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { format: "lzma", magic: [0x5d, 0x00, 0x00] },
];

/** Looks at the first bytes only; a tar never begins with any of these magics because a name does not. */
export function sniffCompression(bytes: Uint8Array): CompressionFormat {
  for (const { format, magic } of MAGICS) {
    if (bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte)) return format;
  }
  return "none";
}

/** Plain chunks of `bytes`, whatever of none, gzip, xz or zstd they are in. Damage surfaces as an ImageError naming `what`. */
export async function* decompress(
  bytes: Uint8Array,
  decompressors: Decompressors,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const format = sniffCompression(bytes);
  try {
    if (format === "none") yield bytes;
    else if (format === "zstd") yield* unzstd(bytes);
    else if (format === "gzip") yield* decompressors.gzip(bytes);
    else if (format === "xz") yield* decompressors.xz(bytes);
    else throw new ImageError(`${what}: ${format} compression is not supported (only gzip, xz and zstd)`);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(`${what}: damaged ${format} data (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Input slice handed to the decoder at once: bounds what its synchronous output can pile up to. */
const ZSTD_SLICE_BYTES = 64 * 1024;

function* unzstd(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) ready.push(chunk);
  });
  for (let at = 0; at < bytes.length; at += ZSTD_SLICE_BYTES) {
    const end = Math.min(bytes.length, at + ZSTD_SLICE_BYTES);
    // The decoder keeps and shifts its input, so it gets a copy, never a view of the caller's archive.
    decoder.push(bytes.slice(at, end), end === bytes.length);
    yield* ready;
    ready = [];
  }
}
