// The compact form of a trace, for long runs: written a block at a time, read back whole.
//
//   "FLTRACE2"   then blocks:   u32 kind | u32 bytes | payload           (all numbers little-endian)
//
//   kind 1, events     rows of 48 bytes: f64 time | u32 pc (bits 0-31) | u8 code | u8 pc (bits 32-39) | u16 0 | i32 process |
//                      i32 task | i32 space | i32 vpn | i32 pfn | i32 detail | u32 area | u32 symbol
//   kind 2, names      JSON array of texts; they get the next numbers (the first one of the file is 1; 0 is no name)
//   kind 3, processes  JSON array of [process, name]; a later name replaces an earlier one
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import type { TraceChunk } from "./recorder.ts";
import type { ParsedTrace, TraceEvent } from "./trace-events.ts";

export const BINARY_MAGIC = "FLTRACE2";
export const EVENT_BYTES = 48;
const HEADER_BYTES = 8;
const KIND_EVENTS = 1;
const KIND_NAMES = 2;
const KIND_PROCESSES = 3;

function block(kind: number, payloadBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(HEADER_BYTES + payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, kind, true);
  view.setUint32(4, payloadBytes, true);
  return { bytes, view };
}

export function eventBlock(chunk: TraceChunk): Uint8Array {
  const { bytes, view } = block(KIND_EVENTS, chunk.length * EVENT_BYTES);
  for (let i = 0, at = HEADER_BYTES; i < chunk.length; i++, at += EVENT_BYTES) {
    view.setFloat64(at, chunk.time[i], true);
    view.setUint32(at + 8, chunk.pc[i] % 2 ** 32, true);
    view.setUint8(at + 12, chunk.code[i]);
    view.setUint8(at + 13, Math.floor(chunk.pc[i] / 2 ** 32));
    view.setInt32(at + 16, chunk.process[i], true);
    view.setInt32(at + 20, chunk.task[i], true);
    view.setInt32(at + 24, chunk.space[i], true);
    view.setInt32(at + 28, chunk.vpn[i], true);
    view.setInt32(at + 32, chunk.pfn[i], true);
    view.setInt32(at + 36, chunk.detail[i], true);
    view.setUint32(at + 40, chunk.area[i], true);
    view.setUint32(at + 44, chunk.symbol[i], true);
  }
  return bytes;
}

export const nameBlock = (names: readonly string[]): Uint8Array => textBlock(KIND_NAMES, names);

export const processBlock = (names: readonly (readonly [number, string])[]): Uint8Array =>
  textBlock(KIND_PROCESSES, names);

function textBlock(kind: number, value: unknown): Uint8Array {
  const text = encodeUtf8(JSON.stringify(value));
  const { bytes } = block(kind, text.length);
  bytes.set(text, HEADER_BYTES);
  return bytes;
}

/** A trace that was cut off is read up to the last whole row. Throws SyntaxError when a block makes no sense. */
export function parseBinaryTrace(bytes: Uint8Array): ParsedTrace {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: TraceEvent[] = [];
  const processNames = new Map<number, string>();
  const names = [""];
  for (let at = BINARY_MAGIC.length; at + HEADER_BYTES <= bytes.length; ) {
    const kind = view.getUint32(at, true);
    const end = at + HEADER_BYTES + view.getUint32(at + 4, true);
    const start = at + HEADER_BYTES;
    at = end;
    if (kind === KIND_EVENTS) {
      for (let row = start; row + EVENT_BYTES <= Math.min(end, bytes.length); row += EVENT_BYTES)
        events.push(readEvent(view, row, names));
    } else if (end > bytes.length) break;
    else if (kind === KIND_NAMES) names.push(...(JSON.parse(decodeUtf8(bytes, start, end)) as string[]));
    else if (kind === KIND_PROCESSES) {
      for (const [process, name] of JSON.parse(decodeUtf8(bytes, start, end)) as [number, string][])
        processNames.set(process, name);
    } else throw new SyntaxError(`a block of kind ${kind} at byte ${start - HEADER_BYTES}`);
  }
  return { events, processNames };
}

function readEvent(view: DataView, at: number, names: readonly string[]): TraceEvent {
  return {
    time: view.getFloat64(at, true),
    pc: view.getUint32(at + 8, true) + view.getUint8(at + 13) * 2 ** 32,
    code: view.getUint8(at + 12),
    pid: view.getInt32(at + 16, true),
    task: view.getInt32(at + 20, true),
    space: view.getInt32(at + 24, true),
    vpn: view.getInt32(at + 28, true),
    pfn: view.getInt32(at + 32, true),
    detail: view.getInt32(at + 36, true),
    area: names[view.getUint32(at + 40, true)] ?? "",
    symbol: names[view.getUint32(at + 44, true)] ?? "",
  };
}
