// Section (a): CPU kernels, our own C, against qemu-riscv64 and native: whole runs, and the steady state, which is what the
// second half of the rounds costs (a whole run less one of half the rounds).
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, geometricMean, interleave, median, row, show, time } from "./measure.mjs";

export function kernels({ scratch, runs, quick }) {
  execFileSync("sh", ["guest/bench/build.sh", scratch]);
  const folder = join(scratch, "riscv64");
  console.log("\nCPU kernels: whole run and second half, median ms, and ratios");
  row("kernel", "faultline", "qemu", "native", "/ qemu", "steady", "/ native", "steady");
  const rows = readdirSync(folder).map((name) => {
    const most = quick ? 2 : usualRounds(join(scratch, "native", name));
    const programs = (rounds) => [
      () => time(...faultline(folder, "--memory", "256M", `/${name}`, rounds)).ms,
      () => time("qemu-riscv64", [join(folder, name), rounds]).ms,
      () => time(join(scratch, "native", name), [rounds]).ms,
    ];
    const samples = interleave([...programs(`${most}`), ...programs(`${Math.floor(most / 2)}`)], runs).map(median);
    const [whole, half] = [samples.slice(0, 3), samples.slice(3)];
    const steady = whole.map((ms, i) => ms - half[i]);
    const over = (times, other) => show(times[0] / times[other]);
    const ratios = [over(whole, 1), over(steady, 1), over(whole, 2), over(steady, 2)];
    row(name, ...whole.map((ms) => show(ms, 0)), ...ratios);
    const named = ([faultline, qemu, native]) => ({ faultline, qemu, native });
    return { name, ...named(whole), steady: named(steady) };
  });
  const mean = (other, of = (r) => r) => show(geometricMean(rows.map((r) => of(r).faultline / of(r)[other])));
  const steady = (r) => r.steady;
  row("geometric mean", "", "", "", mean("qemu"), mean("qemu", steady), mean("native"), mean("native", steady));
  return rows;
}

/** A kernel says in its only line how many rounds it makes when nobody asks for a number. */
function usualRounds(program) {
  return Number(/ rounds (\d+) /.exec(execFileSync(program, { encoding: "utf8" }))[1]);
}
