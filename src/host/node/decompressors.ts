// The gzip and xz decoders that image/ asks its host for, on Node.
import { createGunzip } from "node:zlib";
import * as xzModule from "xz-decompress";
import type { Decompressors } from "../../image/decompress.ts";

type XzConstructor = new (stream: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;

/** xz-decompress is a CommonJS bundle: Node shows its exports under `default`, bundlers beside it. */
const { XzReadableStream } = ((xzModule as { default?: unknown }).default ?? xzModule) as {
  XzReadableStream: XzConstructor;
};

const SLICE_BYTES = 1024 * 1024;

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        return;
      }
      const end = Math.min(bytes.length, at + SLICE_BYTES);
      controller.enqueue(bytes.subarray(at, end));
      at = end;
    },
  });
}

async function* xz(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  // One decoder runs at a time in the whole process: it must be drained or cancelled, or every later one waits for ever.
  const reader = new XzReadableStream(streamOf(bytes)).getReader();
  let isOver = false;
  let emptyChunks = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        isOver = true;
        return;
      }
      // Truncated input makes the decoder hand out nothing for ever instead of failing.
      emptyChunks = value.length === 0 ? emptyChunks + 1 : 0;
      if (emptyChunks > 1000) throw new Error("the data is cut short");
      if (value.length > 0) yield value;
    }
  } catch (error) {
    isOver = true; // a failed stream has released its decoder
    throw error;
  } finally {
    if (!isOver) await reader.cancel().catch(() => {});
  }
}

async function* gzip(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  gunzip.end(bytes);
  for await (const chunk of gunzip) yield chunk as Uint8Array;
}

export const nodeDecompressors: Decompressors = { gzip, xz };
