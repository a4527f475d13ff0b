// What a trace says, added up: faults by kind, process, area, function and region of addresses, the pages that faulted most, the working set over time,
// and a heat map. A trace holds faults and moves, not every use: these are the pages the kernel had to do with.
import * as T from "../mm/tracer.ts";
import { Raster } from "./raster.ts";
import type { ParsedTrace, TraceEvent } from "./trace-events.ts";

const MAJOR = new Set<number>([T.TRACE_PAGE_IN, T.TRACE_SWAP_IN]);
const LAST_FAULT_CODE = T.TRACE_STALE_TLB;
/** Faulting pages further apart belong to different regions. */
const REGION_GAP_PAGES = 1024;
const SLICES = 24;

export interface Region {
  space: number;
  /** Byte addresses, end not included. */
  start: number;
  end: number;
  faults: number;
}

export interface TraceSummary {
  events: number;
  instructions: number;
  faults: number;
  major: number;
  byKind: { name: string; count: number }[];
  byProcess: { pid: number; name: string; faults: number; major: number; pages: number }[];
  /** Areas by name (a file, [heap], [stack], anonymous), and functions whose instructions faulted. */
  byArea: { name: string; faults: number; major: number; pages: number }[];
  bySymbol: { name: string; faults: number; major: number; pages: number }[];
  byRegion: Region[];
  hotPages: { space: number; address: number; faults: number; kinds: string[] }[];
  /** Per slice of the run: different pages that faulted, faults, and evictions. */
  workingSet: { untilInstruction: number; pages: number; faults: number; evictions: number }[];
}

export const isFault = (code: number): boolean => code <= LAST_FAULT_CODE;
const isEviction = (code: number): boolean =>
  code === T.TRACE_DROP_CLEAN || code === T.TRACE_SWAP_OUT || code === T.TRACE_DROP_LAZY;
/** Page-ins by read(2) belong to no space: their number is an index in some file. */
const isOfSpace = (event: TraceEvent): boolean => event.space !== 0;
const pageId = (event: TraceEvent): string => `${event.space}:${event.vpn}`;
const nameOf = (code: number): string => T.TRACE_NAMES[code] ?? `event ${code}`;

/** `top`: rows of the lists. */
export function summarise(trace: ParsedTrace, top: number): TraceSummary {
  const faults = trace.events.filter((event) => isFault(event.code));
  const kinds = new Map<number, number>();
  for (const { code } of trace.events) kinds.set(code, (kinds.get(code) ?? 0) + 1);
  return {
    events: trace.events.length,
    instructions: trace.events.reduce((most, event) => Math.max(most, event.time), 0),
    faults: faults.length,
    major: faults.filter((event) => MAJOR.has(event.code)).length,
    byKind: [...kinds].map(([code, count]) => ({ name: nameOf(code), count })).sort((a, b) => b.count - a.count),
    byProcess: byProcess(trace, faults),
    byArea: grouped(faults.filter(isOfSpace), (event) => event.area).slice(0, top),
    bySymbol: grouped(faults.filter(isOfSpace), (event) => event.symbol).slice(0, top),
    byRegion: regionsOf(faults)
      .sort((a, b) => b.faults - a.faults)
      .slice(0, top),
    hotPages: hotPages(faults.filter(isOfSpace)).slice(0, top),
    workingSet: workingSet(trace.events),
  };
}

function byProcess(trace: ParsedTrace, faults: readonly TraceEvent[]): TraceSummary["byProcess"] {
  return grouped(faults, (event) => event.pid).map(({ name: pid, ...row }) => ({
    pid,
    name: trace.processNames.get(pid) ?? "",
    ...row,
  }));
}

/** Faults by what `key` says of them, most first. */
function grouped<K>(
  faults: readonly TraceEvent[],
  key: (event: TraceEvent) => K,
): { name: K; faults: number; major: number; pages: number }[] {
  const rows = new Map<K, { faults: number; major: number; pages: Set<string> }>();
  for (const event of faults) {
    const name = key(event);
    const row = rows.get(name) ?? { faults: 0, major: 0, pages: new Set<string>() };
    rows.set(name, row);
    row.faults++;
    if (MAJOR.has(event.code)) row.major++;
    row.pages.add(pageId(event));
  }
  return [...rows]
    .map(([name, row]) => ({ name, faults: row.faults, major: row.major, pages: row.pages.size }))
    .sort((a, b) => b.faults - a.faults);
}

/** Runs of faulting pages of a space without large gaps: heap, stack, a library. */
export function regionsOf(faults: readonly TraceEvent[]): Region[] {
  const sorted = faults.filter(isOfSpace).sort((a, b) => a.space - b.space || a.vpn - b.vpn);
  const regions: Region[] = [];
  for (const { space, vpn } of sorted) {
    const last = regions.at(-1);
    if (last !== undefined && last.space === space && vpn * 4096 - last.end <= REGION_GAP_PAGES * 4096) {
      last.end = Math.max(last.end, (vpn + 1) * 4096);
      last.faults++;
    } else regions.push({ space, start: vpn * 4096, end: (vpn + 1) * 4096, faults: 1 });
  }
  return regions;
}

function hotPages(faults: readonly TraceEvent[]): TraceSummary["hotPages"] {
  const pages = new Map<string, { space: number; address: number; faults: number; kinds: Set<string> }>();
  for (const event of faults) {
    const id = pageId(event);
    const page = pages.get(id) ?? {
      space: event.space,
      address: event.vpn * 4096,
      faults: 0,
      kinds: new Set<string>(),
    };
    pages.set(id, page);
    page.faults++;
    page.kinds.add(nameOf(event.code));
  }
  return [...pages.values()]
    .sort((a, b) => b.faults - a.faults || a.address - b.address)
    .map((page) => ({ ...page, kinds: [...page.kinds] }));
}

function workingSet(events: readonly TraceEvent[]): TraceSummary["workingSet"] {
  const end = events.reduce((most, event) => Math.max(most, event.time), 0) + 1;
  const slices = Array.from({ length: SLICES }, () => ({ pages: new Set<string>(), faults: 0, evictions: 0 }));
  for (const event of events) {
    const slice = slices[Math.floor((event.time / end) * SLICES)];
    if (isFault(event.code)) {
      slice.faults++;
      slice.pages.add(pageId(event));
    } else if (isEviction(event.code)) slice.evictions++;
  }
  return slices.map(({ pages, faults, evictions }, i) => ({
    untilInstruction: Math.ceil(((i + 1) * end) / SLICES),
    pages: pages.size,
    faults,
    evictions,
  }));
}

/** Faults by place and time: rows are regions cut to the height wanted, columns time. The first row is the highest address. */
export interface HeatMap {
  columns: number;
  counts: Uint32Array[];
  rows: { space: number; start: number; end: number }[];
}

export function heatMap(trace: ParsedTrace, columns: number, rows: number): HeatMap {
  const faults = trace.events.filter((event) => isFault(event.code) && event.space !== 0);
  const end = trace.events.reduce((most, event) => Math.max(most, event.time), 0) + 1;
  const regions = regionsOf(faults);
  const pages = regions.reduce((sum, region) => sum + (region.end - region.start) / 4096, 0);
  const bands = regions.map((region) => {
    const height = (region.end - region.start) / 4096;
    return { region, bands: Math.max(1, Math.min(height, Math.round((rows * height) / Math.max(1, pages)))) };
  });
  const map: HeatMap = { columns, counts: [], rows: [] };
  const firstBand = new Map<Region, number>();
  for (const { region, bands: count } of bands) {
    firstBand.set(region, map.rows.length);
    for (let i = 0; i < count; i++) {
      const step = (region.end - region.start) / count;
      map.rows.push({ space: region.space, start: region.start + i * step, end: region.start + (i + 1) * step });
      map.counts.push(new Uint32Array(columns));
    }
  }
  for (const event of faults) {
    const address = event.vpn * 4096;
    const found = bands.find(
      ({ region }) => region.space === event.space && address >= region.start && address < region.end,
    )!;
    const { region, bands: count } = found;
    const band = Math.floor(((address - region.start) / (region.end - region.start)) * count);
    map.counts[firstBand.get(region)! + band][Math.floor((event.time / end) * columns)]++;
  }
  map.rows.reverse();
  map.counts.reverse();
  return map;
}

const SHADES = " .:-=+*#%@";

export function heatMapText(map: HeatMap): string {
  const most = map.counts.reduce((max, row) => row.reduce((a, b) => Math.max(a, b), max), 1);
  const lines = map.rows.map((row, i) => {
    const cells = [...map.counts[i]].map((count) =>
      count === 0 ? " " : SHADES[1 + Math.min(8, Math.floor((9 * Math.log(count)) / Math.log(most + 1)))],
    );
    return `${String(row.space).padStart(3)} ${row.start.toString(16).padStart(10, "0")} |${cells.join("")}|`;
  });
  return `${lines.join("\n")}\n`;
}

export function heatMapRaster(map: HeatMap): Raster {
  const cell = 8;
  const raster = new Raster(map.columns * cell, Math.max(1, map.rows.length) * cell);
  const most = map.counts.reduce((max, row) => row.reduce((a, b) => Math.max(a, b), max), 1);
  map.counts.forEach((row, y) => {
    row.forEach((count, x) => {
      if (count === 0) return;
      const heat = Math.log(count + 1) / Math.log(most + 1);
      const green = Math.round(220 * (1 - heat));
      const colour = `#${[255 - Math.round(80 * heat), green, Math.round(120 * (1 - heat))].map((v) => v.toString(16).padStart(2, "0")).join("")}`;
      raster.fill(x * cell, y * cell, cell, cell, colour);
    });
  });
  return raster;
}

export function formatSummary(summary: TraceSummary): string {
  const column = (value: string | number, width = 10) => String(value).padStart(width);
  const hex = (address: number) => address.toString(16).padStart(10, "0");
  const lines = [
    `${summary.events} events in ${summary.instructions} instructions: ${summary.faults} faults, ${summary.major} with I/O`,
    "",
    "events by kind",
  ];
  for (const { name, count } of summary.byKind) lines.push(`${column(count)}  ${name}`);
  lines.push("", "faults by process", "       pid    faults     major     pages  name");
  for (const row of summary.byProcess) {
    lines.push(
      `${column(row.pid)}${column(row.faults)}${column(row.major)}${column(row.pages)}  ${row.name}`.trimEnd(),
    );
  }
  const rows = (title: string, list: TraceSummary["byArea"]) => {
    lines.push("", title, "    faults     major     pages  name");
    for (const row of list)
      lines.push(`${column(row.faults)}${column(row.major)}${column(row.pages)}  ${row.name || "(unknown)"}`);
  };
  rows("faults by area", summary.byArea);
  rows("faults by function", summary.bySymbol);
  lines.push("", "faults by region", "     space     faults  addresses");
  for (const row of summary.byRegion) {
    lines.push(`${column(row.space)} ${column(row.faults)}  ${hex(row.start)}-${hex(row.end)}`);
  }
  lines.push("", "pages that faulted most", "     space     faults  address     kinds");
  for (const page of summary.hotPages) {
    lines.push(`${column(page.space)} ${column(page.faults)}  ${hex(page.address)}  ${page.kinds.join(" ")}`);
  }
  lines.push("", "working set: different pages that faulted", "until instruction     pages    faults evictions");
  for (const slice of summary.workingSet) {
    const bar = "#".repeat(Math.min(40, Math.ceil(slice.pages / 4)));
    lines.push(
      `${column(slice.untilInstruction, 17)}${column(slice.pages)}${column(slice.faults)}${column(slice.evictions)}  ${bar}`.trimEnd(),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** The faults' pages as a reference string in libCacheSim's csv. A page is a page of a space. */
export function faultsCsv(trace: ParsedTrace, pageBytes: number): string {
  const ids = new Map<string, number>();
  const lines = ["time,obj_id,obj_size,op"];
  for (const event of trace.events) {
    if (!isFault(event.code) || !isOfSpace(event)) continue;
    const key = pageId(event);
    const id = ids.get(key) ?? ids.size + 1;
    ids.set(key, id);
    lines.push(`${event.time},${id},${pageBytes},${nameOf(event.code)}`);
  }
  return `${lines.join("\n")}\n`;
}
