// Reads recorded traces back, binary (recorder.ts) or JSON (perfetto.ts), as rows of numbers. The inverse of those two.
import { TRACE_NAMES } from "../mm/tracer.ts";
import { EVENT_BYTES } from "./recorder.ts";

export interface TraceEvent {
  /** Instructions since the machine was made. */
  time: number;
  code: number;
  task: number;
  /** Process of the task; the task itself where the trace does not say (binary form). */
  pid: number;
  space: number;
  vpn: number;
  pfn: number;
  detail: number;
}

export interface ParsedTrace {
  events: TraceEvent[];
  /** Names by process, where the trace has them. */
  processNames: Map<number, string>;
}

const MAGIC = "FLTRACE1";

/** Throws SyntaxError when the bytes are neither form. A binary trace cut off in a row is read up to there. */
export function parseTrace(bytes: Uint8Array): ParsedTrace {
  let head = "";
  for (let i = 0; i < MAGIC.length && i < bytes.length; i++) head += String.fromCharCode(bytes[i]);
  if (head === MAGIC) return { events: parseBinary(bytes), processNames: new Map() };
  if (head[0] === "{" || head[0] === "[") return parseJson(bytes);
  throw new SyntaxError("neither a binary trace (FLTRACE1) nor JSON");
}

function parseBinary(bytes: Uint8Array): TraceEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: TraceEvent[] = [];
  for (let at = MAGIC.length; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
    const task = view.getInt32(at + 12, true);
    events.push({
      time: view.getFloat64(at, true),
      code: view.getUint32(at + 8, true),
      task,
      pid: task,
      space: view.getInt32(at + 16, true),
      vpn: view.getInt32(at + 20, true),
      pfn: view.getInt32(at + 24, true),
      detail: view.getInt32(at + 28, true),
    });
  }
  return events;
}

interface JsonRow {
  name?: string;
  ph?: string;
  ts?: number;
  pid?: number;
  tid?: number;
  args?: { space?: number; address?: string; frame?: number; detail?: number; name?: string };
}

function parseJson(bytes: Uint8Array): ParsedTrace {
  let text = "";
  for (let at = 0; at < bytes.length; at += 1 << 15) {
    text += String.fromCharCode(...bytes.subarray(at, at + (1 << 15)));
  }
  const parsed = JSON.parse(text) as { traceEvents?: JsonRow[] } | JsonRow[];
  const rows = Array.isArray(parsed) ? parsed : (parsed.traceEvents ?? []);
  const codes = new Map(Object.entries(TRACE_NAMES).map(([code, name]) => [name, Number(code)]));
  const events: TraceEvent[] = [];
  const processNames = new Map<number, string>();
  for (const row of rows) {
    if (row.ph === "M" && row.name === "process_name") processNames.set(row.pid ?? 0, row.args?.name ?? "");
    const code = codes.get(row.name ?? "");
    if (row.ph !== "i" || code === undefined) continue;
    events.push({
      time: Math.round((row.ts ?? 0) * 1000),
      code,
      task: row.tid ?? 0,
      pid: row.pid ?? 0,
      space: row.args?.space ?? 0,
      vpn: Math.floor(Number(row.args?.address ?? 0) / 4096),
      pfn: row.args?.frame ?? 0,
      detail: row.args?.detail ?? 0,
    });
  }
  return { events, processNames };
}
