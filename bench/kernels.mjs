// Section (a): CPU kernels, our own C, against qemu-riscv64 and native: whole runs, and the steady state, which is the second
// half of the rounds as the kernel itself sees the time.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, interleave, row, time } from "./measure.mjs";
import { geometricMean, median, show } from "./statistics.mjs";

export function kernels({ scratch, runs, quick }) {
  execFileSync("sh", ["guest/bench/build.sh", scratch]);
  const folder = join(scratch, "riscv64");
  console.log("\nCPU kernels: whole run and second half, median ms, and ratios");
  row("kernel", "faultline", "qemu", "native", "/ qemu", "steady", "/ native", "steady");
  const rows = readdirSync(folder).map((name) => {
    const rounds = `${quick ? 2 : usualRounds(join(scratch, "native", name))}`;
    const samples = interleave(
      [
        () => measured(time(...faultline(folder, "--memory", "256M", `/${name}`, rounds))),
        () => measured(time("qemu-riscv64", [join(folder, name), rounds])),
        () => measured(time(join(scratch, "native", name), [rounds])),
      ],
      runs,
    );
    const checksums = new Set(samples.flat().map(({ checksum }) => checksum));
    if (checksums.size !== 1) throw new Error(`${name} computed different things: ${[...checksums].join(" ")}`);
    const whole = samples.map((all) => median(all.map(({ ms }) => ms)));
    const steady = samples.map((all) => median(all.map(({ steadyMs }) => steadyMs)));
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

/** What the kernel says in its only line, beside the time of the whole process. */
function measured({ ms, stdout }) {
  const [, checksum, second] = /checksum (\w+) second-half (\d+)/.exec(stdout);
  return { ms, checksum, steadyMs: Number(second) / 1000 };
}

/** How many rounds it makes when nobody asks for a number. */
function usualRounds(program) {
  return Number(/ rounds (\d+) /.exec(execFileSync(program, { encoding: "utf8" }))[1]);
}
