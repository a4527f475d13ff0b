// Section (f): what operations cost when there are many processes, areas or resident pages, on Faultline and on the host's kernel. Flat
// is what one wants: the last column is the last value over the least. Of several runs the least counts: what nothing disturbed.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, interleave, lines, row, time } from "./measure.mjs";
import { compile } from "./memory.mjs";
import { show } from "./statistics.mjs";

const SERIES = {
  processes: { sizes: [1, 10, 100, 1000], unit: "processes that wait" },
  areas: { sizes: [10, 100, 1000, 10000, 60000], unit: "areas" },
  resident: { sizes: [1, 16, 128, 512, 2048], unit: "MiB resident" },
};
const QUICK = { processes: [1, 4], areas: [10, 40], resident: [1, 2] };

function series(kind, sizes, folder, native, runs) {
  const points = sizes.map((size) => {
    const [ours, host] = interleave(
      [
        () => lines(time(...faultline(folder, "--memory", "3G", "/growth", kind, String(size))).stdout),
        () => lines(time(native, [kind, String(size)]).stdout),
      ],
      runs,
    ).map((side) => side[0].map(([name], i) => [name, Math.min(...side.map((list) => list[i][1]))]));
    return { size, faultline: Object.fromEntries(ours), host: Object.fromEntries(host) };
  });
  for (const name of Object.keys(points[0].faultline)) {
    for (const side of ["faultline", "host"]) {
      const values = points.map((point) => point[side][name]);
      const label = side === "faultline" ? name : "  host";
      row(label, ...values.map((value) => show(value, 0)), show(values.at(-1) / Math.min(...values)));
    }
  }
  return points;
}

export function growth({ scratch, runs, quick }) {
  const folder = join(scratch, "growth-root");
  mkdirSync(folder, { recursive: true });
  const native = compile(scratch, folder, "growth", "guest/bench/growth.c");
  const result = {};
  for (const [kind, { sizes, unit }] of Object.entries(SERIES)) {
    const wanted = quick ? QUICK[kind] : sizes;
    console.log(`\nGrowth: least ns per operation of all runs, with so many ${unit}; last over least`);
    row("", ...wanted, "last/least");
    result[kind] = series(kind, wanted, folder, native, runs);
  }
  return result;
}
