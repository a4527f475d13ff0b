// `npm run bench`: measures Faultline side by side with qemu-riscv64 and the host, in one run on one machine, and prints ratios
// of medians (below 1: Faultline is faster). It does not measure: several machines at once, other hosts' kernels, energy.
//   node bench/main.mjs [--runs N] [--root DEBIAN_ROOT] [--json FILE] [SECTION...]   sections: kernels memory programs startup host
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const argv = process.argv.slice(2);
const option = (name, fallback) => {
  const at = argv.indexOf(name);
  return at < 0 ? fallback : argv.splice(at, 2)[1];
};
const runs = Number(option("--runs", "3"));
const root = option("--root", process.env.FAULTLINE_TEST_ROOT);
const json = option("--json", null);
const wanted = (section) => argv.length === 0 || argv.includes(section);

const cli = new URL("../dist/cli/main.js", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "faultline-bench-"));
const results = { node: process.version, runs, sections: {} };

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const geometricMean = (values) => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** Milliseconds of a whole process, and what it printed; throws when it fails. */
function time(command, args) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: status ${status}: ${stderr.slice(-300)}`);
  return { ms, stdout };
}

/** Runs the contenders in turn, so that drift of the machine's speed hits all alike. */
function interleave(contenders) {
  const samples = contenders.map(() => []);
  for (let run = 0; run < runs; run++) for (const [i, contend] of contenders.entries()) samples[i].push(contend());
  return samples;
}

const faultline = (folder, ...args) => [process.execPath, [cli, "run", "--root", folder, ...args]];
const row = (...cells) =>
  console.log(cells.map((c, i) => (i === 0 ? String(c).padEnd(24) : String(c).padStart(12))).join(""));
const show = (value, digits = 2) => value.toFixed(digits);

function kernels() {
  execFileSync("sh", ["guest/bench/build.sh", scratch]);
  const folder = join(scratch, "riscv64");
  console.log("\nCPU kernels: whole run, median ms, and ratios");
  row("kernel", "faultline", "qemu", "native", "/ qemu", "/ native");
  const rows = readdirSync(folder).map((name) => {
    const samples = interleave([
      () => time(...faultline(folder, "--memory", "256M", `/${name}`)).ms,
      () => time("qemu-riscv64", [join(folder, name)]).ms,
      () => time(join(scratch, "native", name), []).ms,
    ]).map(median);
    row(name, ...samples.map((ms) => show(ms, 0)), show(samples[0] / samples[1]), show(samples[0] / samples[2]));
    return { name, faultline: samples[0], qemu: samples[1], native: samples[2] };
  });
  row(
    "geometric mean",
    "",
    "",
    "",
    show(geometricMean(rows.map((r) => r.faultline / r.qemu))),
    show(geometricMean(rows.map((r) => r.faultline / r.native))),
  );
  return rows;
}

const parse = (text) =>
  Object.fromEntries(
    text
      .trim()
      .split("\n")
      .map((line) => [line.split(" ")[0], Number(line.split(" ")[1])]),
  );

function memory() {
  const folder = join(scratch, "memory");
  mkdirSync(join(folder, "tmp"), { recursive: true });
  execFileSync("riscv64-linux-gnu-gcc", ["-O2", "-static", "-o", join(folder, "memory"), "guest/bench/memory.c"]);
  execFileSync("gcc", ["-O2", "-static", "-o", join(scratch, "memory-native"), "guest/bench/memory.c"]);
  console.log(
    "\nMemory paths: ns per operation, median (second pass), and ratios. The host's kernel may run in a virtual machine: its faults then cost more than on bare metal.",
  );
  row("path", "faultline", "qemu", "host", "/ qemu", "/ host");
  const samples = interleave([
    () => parse(time(...faultline(folder, "--memory", "2G", "/memory")).stdout),
    () => parse(time("qemu-riscv64", [join(folder, "memory")]).stdout),
    () => parse(time(join(scratch, "memory-native"), []).stdout),
  ]);
  return Object.keys(samples[0][0]).map((name) => {
    const [ours, qemu, host] = samples.map((list) => median(list.map((sample) => sample[name])));
    row(name, show(ours, 0), show(qemu, 0), show(host, 0), show(ours / qemu), show(ours / host));
    return { name, faultline: ours, qemu, host };
  });
}

const PROGRAMS = {
  "bash loop": ["/bin/bash", "-c", "for ((i=0;i<100000;i++)); do :; done"],
  "python fib(24)": ["/usr/bin/python3", "-S", "-c", "f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f(24))"],
  "sqlite inserts": [
    "/usr/bin/sqlite3",
    ":memory:",
    "create table t(a,b);with recursive c(x) as (select 1 union all select x+1 from c where x<50000) insert into t select x,hex(x) from c;select count(*) from t",
  ],
  "perl hash": ["/usr/bin/perl", "-e", "my %h; $h{$_}=$_ for 1..100000; my $s=0; $s+=$_ for values %h; print $s"],
  "gawk sum": ["/usr/bin/gawk", "BEGIN{for(i=0;i<500000;i++)s+=i;print s}"],
};
const STARTUP = {
  true: ["/usr/bin/true"],
  "bash -c true": ["/bin/bash", "-c", "true"],
  "python3 -S -c pass": ["/usr/bin/python3", "-S", "-c", "pass"],
};

function wholePrograms(title, table) {
  if (root === undefined || !existsSync(join(root, "usr/bin"))) {
    console.log(`\n${title}: SKIPPED: give --root with an installed Debian root`);
    return [];
  }
  console.log(`\n${title}: whole run, median ms, and ratio`);
  row("program", "faultline", "qemu", "/ qemu");
  const rows = Object.entries(table)
    .filter(([, [program]]) => existsSync(join(root, program)))
    .map(([name, [program, ...args]]) => {
      const [ours, qemu] = interleave([
        () => time(...faultline(root, "--memory", "512M", program, ...args)).ms,
        () => time("qemu-riscv64", ["-L", root, join(root, program), ...args]).ms,
      ]).map(median);
      row(name, show(ours, 0), show(qemu, 0), show(ours / qemu));
      return { name, faultline: ours, qemu };
    });
  row("geometric mean", "", "", show(geometricMean(rows.map((r) => r.faultline / r.qemu))));
  return rows;
}

/** Resident set of the Node process against the physical memory that the guest really used. */
function hostMemory() {
  const folder = join(scratch, "truths");
  mkdirSync(join(folder, "bin"), { recursive: true });
  copyFileSync("guest/root/bin/truths", join(folder, "bin/truths"));
  console.log("\nHost memory: peak resident MiB of the process for a guest that fills so much");
  row("guest fills", "--memory", "resident", "above use");
  return [8, 64, 256].map((mebibytes) => {
    const [command, args] = faultline(folder, "--memory", "1G", "/bin/truths", "fill", String(mebibytes));
    const { stderr } = spawnSync(
      "sh",
      [
        "-c",
        'printf "\\n\\n" | exec /usr/bin/env python3 -c "import resource,subprocess,sys;subprocess.run(sys.argv[1:]);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,file=sys.stderr)" "$@"',
        "sh",
        command,
        ...args,
      ],
      { encoding: "utf8" },
    );
    const resident = Number(stderr.trim().split("\n").pop()) / 1024;
    row(`${mebibytes} MiB`, "1024", show(resident, 0), show(resident - mebibytes, 0));
    return { mebibytes, resident };
  });
}

try {
  if (wanted("kernels")) results.sections.kernels = kernels();
  if (wanted("memory")) results.sections.memory = memory();
  if (wanted("programs")) results.sections.programs = wholePrograms("Real programs", PROGRAMS);
  if (wanted("startup")) results.sections.startup = wholePrograms("Start-up", STARTUP);
  if (wanted("host")) results.sections.host = hostMemory();
  if (json !== null) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
