// The gzip and xz decoders that image/ asks its host for, in a browser.
import * as xzModule from "xz-decompress";
import type { Decompressors } from "../../image/decompress.ts";

type XzConstructor = new (stream: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
const { XzReadableStream } = ((xzModule as { default?: unknown }).default ?? xzModule) as {
  XzReadableStream: XzConstructor;
};

const SLICE_BYTES = 1 << 20;
/** Truncated input makes the xz decoder hand out nothing for ever instead of failing. */
const MOST_EMPTY_CHUNKS = 1000;

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        return;
      }
      controller.enqueue(bytes.slice(at, at + SLICE_BYTES));
      at += SLICE_BYTES;
    },
  });
}

async function* drain(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let emptyChunks = 0;
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      emptyChunks = value.length === 0 ? emptyChunks + 1 : 0;
      if (emptyChunks > MOST_EMPTY_CHUNKS) throw new Error("the data is cut short");
      if (value.length > 0) yield value;
    }
  } finally {
    if (!isOver) await reader.cancel().catch(() => {});
  }
}

export const browserDecompressors: Decompressors = {
  gzip: (bytes) => drain(streamOf(bytes).pipeThrough(new DecompressionStream("gzip"))),
  xz: (bytes) => drain(new XzReadableStream(streamOf(bytes))),
};
