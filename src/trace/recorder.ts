// Records memory events in column arrays, in order, as numbers. Not responsible for what events mean (mm/tracer.ts names the
// codes) nor for files: a sink takes full chunks.
import type { MmTracer } from "../mm/contracts.ts";

const CHUNK_EVENTS = 1 << 14;

/** One chunk of events: parallel columns, `length` rows used. `time` is the instruction count of the machine. */
export interface TraceChunk {
  length: number;
  readonly time: Float64Array;
  readonly code: Uint8Array;
  readonly task: Int32Array;
  readonly space: Int32Array;
  readonly vpn: Int32Array;
  readonly pfn: Int32Array;
  readonly detail: Int32Array;
}

/** What the recorder asks of the machine when an event arrives: cheap getters, no allocation. */
export interface TraceClock {
  /** Instructions retired since the machine was made. */
  readonly instructions: number;
  /** Thread id of the running task (0: the machine itself). */
  readonly currentTask: number;
}

function makeChunk(): TraceChunk {
  return {
    length: 0,
    time: new Float64Array(CHUNK_EVENTS),
    code: new Uint8Array(CHUNK_EVENTS),
    task: new Int32Array(CHUNK_EVENTS),
    space: new Int32Array(CHUNK_EVENTS),
    vpn: new Int32Array(CHUNK_EVENTS),
    pfn: new Int32Array(CHUNK_EVENTS),
    detail: new Int32Array(CHUNK_EVENTS),
  };
}

/** Bytes per event in the encoding of encodeChunk(). */
export const EVENT_BYTES = 32;

/** Little-endian rows of 32 bytes: f64 time, u32 code, i32 task, i32 space, i32 vpn, i32 pfn, i32 detail. */
export function encodeChunk(chunk: TraceChunk): Uint8Array {
  const bytes = new Uint8Array(chunk.length * EVENT_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = 0; i < chunk.length; i++, at += EVENT_BYTES) {
    view.setFloat64(at, chunk.time[i], true);
    view.setUint32(at + 8, chunk.code[i], true);
    view.setInt32(at + 12, chunk.task[i], true);
    view.setInt32(at + 16, chunk.space[i], true);
    view.setInt32(at + 20, chunk.vpn[i], true);
    view.setInt32(at + 24, chunk.pfn[i], true);
    view.setInt32(at + 28, chunk.detail[i], true);
  }
  return bytes;
}

export class TraceRecorder implements MmTracer {
  private readonly clock: TraceClock;
  private readonly sink: (chunk: TraceChunk) => void;
  private chunk = makeChunk();
  /** Events recorded so far. */
  count = 0;

  /** `sink` gets every full chunk, and the rest at finish(); it must not keep the arrays. */
  constructor(clock: TraceClock, sink: (chunk: TraceChunk) => void) {
    this.clock = clock;
    this.sink = sink;
  }

  event(code: number, spaceId: number, vpn: number, pfn: number, detail: number): void {
    const chunk = this.chunk;
    const i = chunk.length++;
    chunk.time[i] = this.clock.instructions;
    chunk.code[i] = code;
    chunk.task[i] = this.clock.currentTask;
    chunk.space[i] = spaceId;
    chunk.vpn[i] = vpn;
    chunk.pfn[i] = pfn;
    chunk.detail[i] = detail;
    this.count++;
    if (chunk.length === CHUNK_EVENTS) this.flush();
  }

  finish(): void {
    if (this.chunk.length > 0) this.flush();
  }

  private flush(): void {
    this.sink(this.chunk);
    this.chunk.length = 0;
  }
}
