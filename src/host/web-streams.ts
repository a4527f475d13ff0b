// Decoding over web streams, which Node and browsers share: bytes as a stream, a stream as chunks, and the xz decoder between them.
import * as xzModule from "xz-decompress";

type XzConstructor = new (stream: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;

/** xz-decompress is a CommonJS bundle: Node shows its exports under `default`, bundlers beside it. */
const { XzReadableStream } = ((xzModule as { default?: unknown }).default ?? xzModule) as {
  XzReadableStream: XzConstructor;
};

const SLICE_BYTES = 1 << 20;
/** Truncated input makes the xz decoder hand out nothing for ever instead of failing. */
const MOST_EMPTY_CHUNKS = 1000;

export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        return;
      }
      controller.enqueue(bytes.subarray(at, at + SLICE_BYTES) as Uint8Array<ArrayBuffer>);
      at += SLICE_BYTES;
    },
  });
}

/** One xz decoder runs at a time in the whole process: it is drained or cancelled, or every later one waits for ever. */
export async function* drain(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
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
    // A stream that failed has released its decoder, and says so again here.
    if (!isOver) await reader.cancel().catch(() => {});
  }
}

export const xz = (bytes: Uint8Array) => drain(new XzReadableStream(streamOf(bytes)));
