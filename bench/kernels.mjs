// Section (a): CPU kernels, our own C, against qemu-riscv64 and native; whole runs.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, geometricMean, interleave, median, row, show, time } from "./measure.mjs";

export function kernels({ scratch, runs, quick }) {
  execFileSync("sh", ["guest/bench/build.sh", scratch]);
  const folder = join(scratch, "riscv64");
  const rounds = quick ? ["1"] : [];
  console.log("\nCPU kernels: whole run, median ms, and ratios");
  row("kernel", "faultline", "qemu", "native", "/ qemu", "/ native");
  const rows = readdirSync(folder).map((name) => {
    const samples = interleave(
      [
        () => time(...faultline(folder, "--memory", "256M", `/${name}`, ...rounds)).ms,
        () => time("qemu-riscv64", [join(folder, name), ...rounds]).ms,
        () => time(join(scratch, "native", name), rounds).ms,
      ],
      runs,
    ).map(median);
    row(name, ...samples.map((ms) => show(ms, 0)), show(samples[0] / samples[1]), show(samples[0] / samples[2]));
    return { name, faultline: samples[0], qemu: samples[1], native: samples[2] };
  });
  const mean = (other) => show(geometricMean(rows.map((r) => r.faultline / r[other])));
  row("geometric mean", "", "", "", mean("qemu"), mean("native"));
  return rows;
}
