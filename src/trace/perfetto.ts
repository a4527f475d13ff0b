// Turns recorded events into the JSON trace format that ui.perfetto.dev opens: one track per thread, counters for free frames.
// One instruction counts as one nanosecond, so a seeded run gives the same file byte for byte.
import type { TraceChunk } from "./recorder.ts";

/** What the encoder asks about the machine when it writes a row. */
export interface PerfettoNames {
  /** Name of an event code. */
  event(code: number): string;
  /** Process id of a thread, 0 when unknown. */
  processOf(task: number): number;
}

export const PERFETTO_HEAD = '{"displayTimeUnit":"ns","traceEvents":[\n';
export const PERFETTO_TAIL = "{}]}\n";

/** Rows of a chunk, each ending with a comma and a newline. */
export function perfettoRows(chunk: TraceChunk, names: PerfettoNames): string {
  let out = "";
  for (let i = 0; i < chunk.length; i++) {
    const address = (chunk.vpn[i] * 4096).toString(16);
    out +=
      `{"name":"${names.event(chunk.code[i])}","ph":"i","s":"t","ts":${chunk.time[i] / 1000},"pid":${names.processOf(chunk.task[i])},` +
      `"tid":${chunk.task[i]},"args":{"space":${chunk.space[i]},"address":"0x${address}","frame":${chunk.pfn[i]},"detail":${chunk.detail[i]}}},\n`;
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
