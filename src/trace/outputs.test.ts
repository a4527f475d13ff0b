// Plots, pictures and trace summaries: their shape, not their looks.
import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FRAME_ANONYMOUS } from "../mm/frame-table.ts";
import { TRACE_DEMAND_ZERO, TRACE_PAGE_IN, TRACE_SWAP_OUT } from "../mm/tracer.ts";
import { BINARY_MAGIC, eventBlock, nameBlock, processBlock } from "./binary-trace.ts";
import { chooseSizes, computeCurve, formatCurve } from "./curve.ts";
import { PERFETTO_HEAD, PERFETTO_TAIL, perfettoProcess, perfettoRows } from "./perfetto.ts";
import { curveRaster, curveSvg, curveText } from "./plot.ts";
import { encodePng, Raster } from "./raster.ts";
import { TraceRecorder } from "./recorder.ts";
import { stringOfPages, toCsv } from "./reference-string.ts";
import { parseTrace } from "./trace-events.ts";
import { faultsCsv, formatSummary, heatMap, heatMapRaster, heatMapText, summarise } from "./trace-summary.ts";

const pages = Array.from({ length: 2000 }, (_, i) => 1 + ((i * i + (i >> 3)) % 97));
const curve = computeCurve(stringOfPages(pages, FRAME_ANONYMOUS), ["lru", "fifo", "opt"]);

describe("curve", () => {
  test("sizes rise to all pages, where only first uses fault", () => {
    expect(chooseSizes(1000)[0]).toBe(6);
    expect(chooseSizes(1000).at(-1)).toBe(1000);
    expect(curve.references).toBe(2000);
    for (const faults of Object.values(curve.faults)) expect(faults.at(-1)).toBe(curve.pages);
    expect(formatCurve(curve, 4096).split("\n")).toHaveLength(3 + curve.sizes.length + 1);
  });

  test("SVG has a line for each policy, the terminal a mark", () => {
    const svg = curveSvg(curve, "a <b> & c");
    expect(svg.match(/<polyline /g)).toHaveLength(3);
    expect(svg).toContain("a &lt;b&gt; &amp; c");
    const text = curveText(curve, 60, 12);
    for (const line of text.split("\n").slice(0, 14)) expect(line.length).toBeLessThanOrEqual(60);
    for (const name of ["* lru", "o fifo", "+ opt"]) expect(text).toContain(name);
  });

  test("csv", () => {
    expect(toCsv(stringOfPages([3, 1, 3], FRAME_ANONYMOUS), 4096)).toBe(
      "time,obj_id,obj_size,op\n0,3,4096,data\n1,1,4096,data\n2,3,4096,data\n",
    );
  });
});

describe("PNG", () => {
  test("chunks, sizes and pixels", () => {
    const raster = new Raster(3, 2);
    raster.set(1, 0, "#102030");
    const png = Buffer.from(encodePng(raster, deflateSync));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([3, 2]);
    const length = png.readUInt32BE(33);
    const rows = inflateSync(png.subarray(41, 41 + length));
    expect([...rows.subarray(0, 10)]).toEqual([0, 255, 255, 255, 16, 32, 48, 255, 255, 255]);
    // The CRC of an empty IEND is known.
    expect(png.readUInt32BE(png.length - 4)).toBe(0xae426082);
  });

  test("the plot's pixels", () => {
    const raster = curveRaster(curve, "title 1");
    expect(raster.pixels.some((byte) => byte !== 255)).toBe(true);
  });
});

describe("trace", () => {
  const record = (json: boolean): Uint8Array => {
    const clock = {
      instructions: 0,
      currentTask: 5,
      currentProcess: 2,
      pc: 0x3f_8000_1234,
      areaName: (_space: number, vpn: number) => (vpn > 0x3000 ? "anonymous" : '/lib/"odd" name'),
      symbolName: (pc: number) => `f_${pc.toString(16)} in prog`,
    };
    const parts: (string | Uint8Array)[] = [json ? PERFETTO_HEAD + perfettoProcess(2, "bash") : BINARY_MAGIC];
    const recorder = new TraceRecorder(
      clock,
      (chunk) => {
        if (json) return void parts.push(perfettoRows(chunk, recorder.names));
        parts.push(processBlock([[2, "bash"]]), nameBlock(recorder.names.takeNew()), eventBlock(chunk));
      },
      4,
    );
    for (let i = 0; i < 10; i++) {
      clock.instructions = 100 * i;
      recorder.event(TRACE_DEMAND_ZERO, 1, 0x3fff0 + (i % 3), 40 + i, 0);
    }
    recorder.event(TRACE_PAGE_IN, 1, 0x10, 60, 0);
    recorder.event(TRACE_PAGE_IN, 0, 7, 61, 7);
    recorder.event(TRACE_SWAP_OUT, 0, 0x3fff0, 40, 9);
    recorder.finish();
    if (json) parts.push(PERFETTO_TAIL);
    return Buffer.concat(parts.map((part) => Buffer.from(part)));
  };

  test.each([false, true])("summary of both forms (json %s)", (json) => {
    const trace = parseTrace(record(json));
    const summary = summarise(trace, 5);
    expect(summary).toMatchObject({ events: 13, instructions: 900, faults: 12, major: 2 });
    expect(summary.byKind[0]).toEqual({ name: "demand-zero", count: 10 });
    expect(summary.byProcess).toEqual([{ pid: 2, name: "bash", faults: 12, major: 2, pages: 5 }]);
    expect(summary.byArea).toEqual([
      { name: "anonymous", faults: 10, major: 0, pages: 3 },
      { name: '/lib/"odd" name', faults: 1, major: 1, pages: 1 },
    ]);
    expect(summary.bySymbol).toEqual([{ name: "f_3f80001234 in prog", faults: 11, major: 1, pages: 4 }]);
    expect(trace.events[0].pc).toBe(0x3f_8000_1234);
    expect(summary.byRegion).toEqual([
      { space: 1, start: 0x3fff0000, end: 0x3fff3000, faults: 10 },
      { space: 1, start: 0x10000, end: 0x11000, faults: 1 },
    ]);
    expect(summary.hotPages[0]).toMatchObject({ address: 0x3fff0000, faults: 4 });
    expect(summary.workingSet.reduce((sum, slice) => sum + slice.evictions, 0)).toBe(1);
    expect(formatSummary(summary)).toContain("3fff0000");
  });

  test("heat map and csv hold every fault of a space", () => {
    const trace = parseTrace(record(false));
    const map = heatMap(trace, 16, 8);
    expect(map.counts.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0)).toBe(11);
    expect(heatMapText(map).trimEnd().split("\n")).toHaveLength(map.rows.length);
    expect(heatMapRaster(map).width).toBe(128);
    expect(faultsCsv(trace, 4096).trimEnd().split("\n")).toHaveLength(12);
  });

  test("a binary trace that was cut off is read up to there", () => {
    const whole = record(false);
    const { events } = parseTrace(whole);
    for (const cut of [whole.length - 1, whole.length - 60, whole.length >> 1, 20]) {
      const some = parseTrace(whole.subarray(0, cut)).events;
      expect(some.length).toBeLessThan(events.length);
      expect(events.slice(0, some.length)).toMatchObject(some.map(({ time, code, vpn }) => ({ time, code, vpn })));
    }
  });

  test("anything else is refused", () => {
    expect(() => parseTrace(Buffer.from("hello"))).toThrow(SyntaxError);
    expect(() => parseTrace(Buffer.from("{"))).toThrow(SyntaxError);
  });
});
