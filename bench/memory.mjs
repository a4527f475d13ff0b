// Section (c): the paths of the memory system, one C program on Faultline, under qemu-riscv64 and on the host's kernel.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, interleave, lines, row, time } from "./measure.mjs";
import { median, show } from "./statistics.mjs";

const SYSROOT = "/usr/riscv64-linux-gnu";
const LIBRARIES = ["ld-linux-riscv64-lp64d.so.1", "libc.so.6"];
/** Ratio to the host's kernel, or nanoseconds, that issue and documentation name. */
export const TARGETS = {
  "first-touch": { ratio: 0.3 },
  "copy-on-write": { ratio: 0.3 },
  "file-read-fault": { ratio: 1 },
  "fork-exit-wait-64M": { ratio: 0.3 },
  "fork-exit-wait-512M": { ratio: 0.1 },
  "mmap-munmap": { ratio: 0.3 },
  "mprotect-toggle": { ratio: 0.3 },
  "fork-exec-dynamic": { ns: 10e6 },
};

/** Compiles C for both sides: `folder`/NAME for the guest, and the returned path for the host. */
export function compile(scratch, folder, name, source, flags = ["-static"]) {
  execFileSync("riscv64-linux-gnu-gcc", ["-O2", ...flags, "-o", join(folder, name), source]);
  const native = join(scratch, name);
  execFileSync("gcc", ["-O2", ...flags, "-o", native, source]);
  return native;
}

/** Of each name: the first value (the first pass), and those after the warm-up. */
function summarize(runsOfLines) {
  const first = new Map();
  const steady = new Map();
  for (const list of runsOfLines) {
    const seen = new Map();
    for (const [name, value] of list) seen.set(name, [...(seen.get(name) ?? []), value]);
    for (const [name, values] of seen) {
      first.set(name, [...(first.get(name) ?? []), values[0]]);
      steady.set(name, [...(steady.get(name) ?? []), ...values.slice(values.length >> 1)]);
    }
  }
  return { first, steady };
}

function missesTarget(name, ours, host) {
  const target = TARGETS[name];
  if (target === undefined) return "";
  const value = target.ratio === undefined ? ours / target.ns : ours / host / target.ratio;
  const goal = target.ratio === undefined ? `${target.ns / 1e6} ms` : String(target.ratio);
  return value <= 1 ? goal : `${goal} MISSED`;
}

export function memory({ scratch, runs, quick }) {
  const folder = join(scratch, "memory");
  for (const part of ["tmp", "lib"]) mkdirSync(join(folder, part), { recursive: true });
  for (const library of LIBRARIES) copyFileSync(join(SYSROOT, "lib", library), join(folder, "lib", library));
  const native = compile(scratch, folder, "paths", "guest/bench/memory.c");
  compile(scratch, folder, "paths-dynamic", "guest/bench/nothing.c", []);
  const options = quick ? ["-q", "-m", "1"] : [];
  console.log(
    "\nMemory paths: ns per operation and ratios; median of the later half of the passes of all runs; least: ratio to the host of the least of these; first: the first pass",
  );
  console.log(
    "The host's kernel runs in a virtual machine where this one does: its faults then cost more than on bare metal.",
  );
  row("path", "faultline", "qemu", "host", "/ qemu", "/ host", "target", "least", "first", "first host");
  const [ours, qemu, host] = interleave(
    [
      () => lines(time(...faultline(folder, "--memory", "2G", "/paths", ...options)).stdout),
      () => lines(time("qemu-riscv64", ["-L", SYSROOT, join(folder, "paths"), ...options]).stdout),
      () => lines(time(native, options).stdout),
    ],
    runs,
  ).map(summarize);
  return [...ours.steady.keys()].map((name) => {
    const value = (side, part = "steady", of = median) =>
      side[part].has(name) ? of(side[part].get(name)) : Number.NaN;
    const leastOf = (side) => value(side, "steady", (values) => Math.min(...values));
    const [leastOurs, leastHost] = [leastOf(ours), leastOf(host)];
    const [a, b, c] = [value(ours), value(qemu), value(host)];
    const [firstOurs, firstHost] = [value(ours, "first"), value(host, "first")];
    row(
      name,
      show(a, 0),
      show(b, 0),
      show(c, 0),
      show(a / b),
      show(a / c),
      missesTarget(name, a, c),
      show(leastOurs / leastHost),
      show(firstOurs, 0),
      show(firstHost, 0),
    );
    return {
      name,
      faultline: a,
      qemu: b,
      host: c,
      leastFaultline: leastOurs,
      leastHost,
      firstFaultline: firstOurs,
      firstHost,
      target: TARGETS[name],
    };
  });
}
