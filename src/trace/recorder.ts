// Records memory events in column arrays, in order, as numbers. Not responsible for what events mean (mm/tracer.ts names the
// codes) nor for files: a sink takes full chunks.
import type { MmTracer } from "../mm/contracts.ts";
import { NameTable } from "./name-table.ts";

const CHUNK_EVENTS = 1 << 14;

/** One chunk of events: parallel columns, `length` rows used. `time` is the instruction count of the machine. */
export interface TraceChunk {
  length: number;
  readonly time: Float64Array;
  /** Program counter of the running task. */
  readonly pc: Float64Array;
  readonly code: Uint8Array;
  readonly process: Int32Array;
  readonly task: Int32Array;
  readonly space: Int32Array;
  readonly vpn: Int32Array;
  readonly pfn: Int32Array;
  readonly detail: Int32Array;
  /** Names (NameTable) of the area at the address and of the function at the pc; 0: none. */
  readonly area: Uint32Array;
  readonly symbol: Uint32Array;
}

/** What the recorder asks of the machine when an event arrives. */
export interface TraceSource {
  /** Instructions retired since the machine was made. */
  readonly instructions: number;
  /** Thread and process id of the running task (0: the machine itself), and its program counter. */
  readonly currentTask: number;
  readonly currentProcess: number;
  readonly pc: number;
  /** What the area at a page is called ("" when there is none). */
  areaName(spaceId: number, vpn: number): string;
  /** The function that an instruction belongs to ("" when unknown). */
  symbolName(pc: number): string;
}

function makeChunk(capacity: number): TraceChunk {
  return {
    length: 0,
    time: new Float64Array(capacity),
    pc: new Float64Array(capacity),
    code: new Uint8Array(capacity),
    process: new Int32Array(capacity),
    task: new Int32Array(capacity),
    space: new Int32Array(capacity),
    vpn: new Int32Array(capacity),
    pfn: new Int32Array(capacity),
    detail: new Int32Array(capacity),
    area: new Uint32Array(capacity),
    symbol: new Uint32Array(capacity),
  };
}

export class TraceRecorder implements MmTracer {
  readonly names = new NameTable();
  private readonly source: TraceSource;
  private readonly sink: (chunk: TraceChunk) => void;
  private readonly chunk: TraceChunk;
  private readonly capacity: number;
  /** Events recorded so far. */
  count = 0;

  /** `sink` gets every chunk of `capacity` events, and the rest at finish(); it must not keep the arrays. */
  constructor(source: TraceSource, sink: (chunk: TraceChunk) => void, capacity = CHUNK_EVENTS) {
    this.source = source;
    this.sink = sink;
    this.capacity = capacity;
    this.chunk = makeChunk(capacity);
  }

  event(code: number, spaceId: number, vpn: number, pfn: number, detail: number): void {
    const { chunk, source } = this;
    const i = chunk.length++;
    chunk.time[i] = source.instructions;
    chunk.pc[i] = source.pc;
    chunk.code[i] = code;
    chunk.process[i] = source.currentProcess;
    chunk.task[i] = source.currentTask;
    chunk.space[i] = spaceId;
    chunk.vpn[i] = vpn;
    chunk.pfn[i] = pfn;
    chunk.detail[i] = detail;
    chunk.area[i] = this.names.idOf(source.areaName(spaceId, vpn));
    chunk.symbol[i] = this.names.idOf(source.symbolName(chunk.pc[i]));
    this.count++;
    if (chunk.length === this.capacity) this.flush();
  }

  finish(): void {
    if (this.chunk.length > 0) this.flush();
  }

  private flush(): void {
    this.sink(this.chunk);
    this.chunk.length = 0;
  }
}
