// Turns recorded events into the JSON trace format that ui.perfetto.dev opens: one track per thread of each process, counters for
// resident pages, free frames and swap. One instruction counts as one nanosecond, so a seeded run gives the same file byte for byte.
import { TRACE_NAMES } from "../mm/tracer.ts";
import type { NameTable } from "./name-table.ts";
import type { TraceChunk } from "./recorder.ts";

export const PERFETTO_HEAD = '{"displayTimeUnit":"ns","traceEvents":[\n';
/** The last row has no comma behind it: that of a process track that all events of the machine itself go to. */
export const PERFETTO_TAIL = '{"name":"process_name","ph":"M","pid":0,"args":{"name":"machine"}}\n]}\n';

/** Rows of a chunk, each ending with a comma and a newline. */
export function perfettoRows(chunk: TraceChunk, names: NameTable): string {
  let out = "";
  for (let i = 0; i < chunk.length; i++) {
    const code = chunk.code[i];
    const address = (chunk.vpn[i] * 4096).toString(16);
    const pc = chunk.pc[i].toString(16);
    out +=
      `{"name":"${TRACE_NAMES[code] ?? `event ${code}`}","ph":"i","s":"t","ts":${chunk.time[i] / 1000},"pid":${chunk.process[i]},` +
      `"tid":${chunk.task[i]},"args":{"space":${chunk.space[i]},"address":"0x${address}","frame":${chunk.pfn[i]},` +
      `"detail":${chunk.detail[i]},"pc":"0x${pc}","area":${JSON.stringify(names.nameOf(chunk.area[i]))},` +
      `"function":${JSON.stringify(names.nameOf(chunk.symbol[i]))}}},\n`;
  }
  return out;
}

/** A counter row; `value` belongs to the track `name` of process `pid`. */
export function perfettoCounter(name: string, pid: number, instructions: number, value: number): string {
  return `{"name":"${name}","ph":"C","ts":${instructions / 1000},"pid":${pid},"args":{"pages":${value}}},\n`;
}

/** Names a process track. */
export function perfettoProcess(pid: number, name: string): string {
  return `{"name":"process_name","ph":"M","pid":${pid},"args":{"name":${JSON.stringify(name)}}},\n`;
}
