// Reads recorded traces back, binary (binary-trace.ts) or JSON (perfetto.ts), as rows of numbers and names.
import { TRACE_NAMES } from "../mm/tracer.ts";
import { decodeUtf8 } from "../util/utf8.ts";
import { BINARY_MAGIC, parseBinaryTrace } from "./binary-trace.ts";

export interface TraceEvent {
  /** Instructions since the machine was made. */
  time: number;
  /** Program counter of the task. */
  pc: number;
  code: number;
  task: number;
  /** Process of the task. */
  pid: number;
  space: number;
  vpn: number;
  pfn: number;
  detail: number;
  /** What the area at the page is called, and the function at the pc; "" when unknown. */
  area: string;
  symbol: string;
}

export interface ParsedTrace {
  events: TraceEvent[];
  /** Names by process. */
  processNames: Map<number, string>;
}

/** Throws SyntaxError when the bytes are neither form. A binary trace that was cut off is read up to there. */
export function parseTrace(bytes: Uint8Array): ParsedTrace {
  let head = "";
  for (let i = 0; i < BINARY_MAGIC.length && i < bytes.length; i++) head += String.fromCharCode(bytes[i]);
  if (head === BINARY_MAGIC) return parseBinaryTrace(bytes);
  if (head[0] === "{" || head[0] === "[") return parseJson(bytes);
  throw new SyntaxError(`neither a binary trace (${BINARY_MAGIC}) nor JSON`);
}

interface JsonRow {
  name?: string;
  ph?: string;
  ts?: number;
  pid?: number;
  tid?: number;
  args?: {
    space?: number;
    address?: string;
    frame?: number;
    detail?: number;
    pc?: string;
    area?: string;
    function?: string;
    name?: string;
  };
}

function parseJson(bytes: Uint8Array): ParsedTrace {
  const parsed = JSON.parse(decodeUtf8(bytes)) as { traceEvents?: JsonRow[] } | JsonRow[];
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
      pc: Number(row.args?.pc ?? 0),
      code,
      task: row.tid ?? 0,
      pid: row.pid ?? 0,
      space: row.args?.space ?? 0,
      vpn: Math.floor(Number(row.args?.address ?? 0) / 4096),
      pfn: row.args?.frame ?? 0,
      detail: row.args?.detail ?? 0,
      area: row.args?.area ?? "",
      symbol: row.args?.function ?? "",
    });
  }
  return { events, processNames };
}
