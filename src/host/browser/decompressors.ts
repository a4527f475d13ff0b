// The gzip and xz decoders that image/ asks its host for, in a browser.
import type { Decompressors } from "../../image/decompress.ts";
import { drain, streamOf, xz } from "../web-streams.ts";

export const browserDecompressors: Decompressors = {
  gzip: (bytes) => drain(streamOf(bytes).pipeThrough(new DecompressionStream("gzip"))),
  xz,
};
