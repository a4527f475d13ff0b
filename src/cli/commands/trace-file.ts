// What `faultline trace` does: reads the file, prints the summary, writes csv and picture.
import { readFileSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { encodePng } from "../../trace/raster.ts";
import { type ParsedTrace, parseTrace } from "../../trace/trace-events.ts";
import { faultsCsv, formatSummary, heatMap, heatMapRaster, heatMapText, summarise } from "../../trace/trace-summary.ts";
import { CliError } from "../cli-error.ts";
import { endWhenReaderLeaves } from "../reader-left.ts";
import type { TraceOptions } from "./trace.ts";

const COLUMNS = 64;
const ROWS = 24;
const PICTURE_COLUMNS = 128;
const PICTURE_ROWS = 96;

export async function summariseTraceFile(options: TraceOptions): Promise<number> {
  endWhenReaderLeaves();
  const trace = read(options.file);
  const summary = summarise(trace, options.top);
  if (options.json) process.stdout.write(`${JSON.stringify(summary, null, 1)}\n`);
  else {
    process.stdout.write(formatSummary(summary));
    process.stdout.write("\nfaults by address (space, start) and time\n");
    process.stdout.write(heatMapText(heatMap(trace, COLUMNS, ROWS)));
  }
  if (options.csv !== null) writeFileSync(options.csv, faultsCsv(trace, PAGE_SIZE));
  if (options.png !== null) {
    const raster = heatMapRaster(heatMap(trace, PICTURE_COLUMNS, PICTURE_ROWS));
    writeFileSync(options.png, encodePng(raster, deflateSync));
  }
  return 0;
}

function read(file: string): ParsedTrace {
  const bytes = readFileSync(file);
  try {
    return parseTrace(bytes);
  } catch (error) {
    if (error instanceof SyntaxError) throw new CliError(`${file}: not a trace: ${error.message}`);
    throw error;
  }
}
