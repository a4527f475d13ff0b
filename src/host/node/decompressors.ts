// The gzip and xz decoders that image/ asks its host for, on Node.
import { createGunzip } from "node:zlib";
import type { Decompressors } from "../../image/decompress.ts";
import { xz } from "../web-streams.ts";

/** zlib's own reads several members in one file, which web streams refuse. */
async function* gzip(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  gunzip.end(bytes);
  for await (const chunk of gunzip) yield chunk as Uint8Array;
}

export const nodeDecompressors: Decompressors = { gzip, xz };
