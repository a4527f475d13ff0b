// Sections (b) and (d): real programs of a Debian root, and what starting one costs, against qemu-riscv64; whole runs.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MOST_LESSONS } from "../dist/host/node/code-store.js";
import { faultline, interleave, row, time } from "./measure.mjs";
import { geometricMean, median, show } from "./statistics.mjs";

const QUEENS = `
def place(n, row=0, columns=0, up=0, down=0):
    if row == n: return 1
    count, free = 0, ~(columns | up | down) & ((1 << n) - 1)
    while free:
        bit = free & -free
        free ^= bit
        count += place(n, row + 1, columns | bit, (up | bit) << 1, (down | bit) >> 1)
    return count
print(place(7))`;

/** A C file of some size, made here: what the compiler is given. */
const C_SOURCE = Array.from(
  { length: 150 },
  (_, i) =>
    `int f${i}(int a, int *p) { for (int i = 0; i < a; i++) p[i % 7] += ${i} * i ^ (a >> ${i % 5}); return p[${i % 7}] + a; }`,
).join("\n");

const PROGRAMS = {
  "bash loop": ["/bin/bash", "-c", "for ((i=0;i<100000;i++)); do :; done"],
  "python fib(24)": ["/usr/bin/python3", "-S", "-c", "f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f(24))"],
  "python queens(7)": ["/usr/bin/python3", "-S", "-c", QUEENS],
  // The compiler proper: qemu-riscv64 cannot start the programs that gcc starts.
  "cc1 -O2": ["cc1", "-quiet", "-O2", "/data/source.c", "-o", "/dev/null"],
  "sqlite inserts": [
    "/usr/bin/sqlite3",
    ":memory:",
    "create table t(a,b);with recursive c(x) as (select 1 union all select x+1 from c where x<50000) insert into t select x,hex(x) from c;select count(*) from t",
  ],
  "xz -6": ["/usr/bin/xz", "-6", "-k", "-c", "/data/text"],
  "openssl sha256": ["/usr/bin/openssl", "dgst", "-sha256", "/data/text"],
  "lua loop": ["/usr/bin/lua5.4", "-e", "local s=0 for i=1,2000000 do s=(s+i*i)%1000003 end print(s)"],
  "perl hash": ["/usr/bin/perl", "-e", "my %h; $h{$_}=$_ for 1..100000; my $s=0; $s+=$_ for values %h; print $s"],
  "gawk sum": ["/usr/bin/gawk", "BEGIN{for(i=0;i<500000;i++)s+=i;print s}"],
};

const STARTUP = {
  true: ["/usr/bin/true"],
  "bash -c true": ["/bin/bash", "-c", "true"],
  "python3 -S -c pass": ["/usr/bin/python3", "-S", "-c", "pass"],
};

/** Where the newest compiler of the root has its parts. */
function cc1In(root) {
  const folder = "usr/libexec/gcc/riscv64-linux-gnu";
  const versions = existsSync(join(root, folder)) ? readdirSync(join(root, folder)).sort((a, b) => a - b) : [];
  return `/${folder}/${versions.at(-1) ?? "none"}/cc1`;
}

function debianRoot({ root }, title) {
  if (root !== undefined && existsSync(join(root, "usr/bin"))) return root;
  console.log(`\n${title}: SKIPPED: give --root with an installed Debian root`);
  return null;
}

function table({ root, runs }, programs, data) {
  const rows = [];
  for (const [name, [given, ...args]] of Object.entries(programs)) {
    const program = given === "cc1" ? cc1In(root) : given;
    if (!existsSync(join(root, program))) {
      row(name, "SKIPPED", `no ${program} in the root`);
      continue;
    }
    const translated = args.map((argument) => argument.replace(/^\/data\b/, data));
    const contenders = [
      () => time(...faultline(root, "--memory", "512M", "--mount", `${data}:/data:ro`, program, ...args)).ms,
      () => time("qemu-riscv64", ["-L", root, join(root, program), ...translated], { QEMU_LD_PREFIX: root }).ms,
    ];
    const [first, firstQemu] = contenders.map((run) => run());
    // Warm is what runs when nothing more is learned from it.
    const [second] = Array.from({ length: MOST_LESSONS - 1 }, () => contenders[0]());
    const [ours, qemu] = interleave(contenders, runs).map(median);
    row(
      name,
      show(ours, 0),
      show(qemu, 0),
      show(ours / qemu),
      show(first, 0),
      show(firstQemu, 0),
      show(first / firstQemu),
      show(second / qemu),
    );
    rows.push({ name, faultline: ours, qemu, firstFaultline: first, firstQemu, secondFaultline: second });
  }
  if (rows.length > 0) {
    const warm = geometricMean(rows.map((r) => r.faultline / r.qemu));
    row(
      "geometric mean",
      "",
      "",
      show(warm),
      "",
      "",
      show(geometricMean(rows.map((r) => r.firstFaultline / r.firstQemu))),
      show(geometricMean(rows.map((r) => r.secondFaultline / r.qemu))),
    );
  }
  return rows;
}

function inData(options, title, programs) {
  if (debianRoot(options, title) === null) return [];
  console.log(
    `\n${title}: whole run, median ms, ratio after ${MOST_LESSONS} runs, and the first run (cold: nothing of it was read or translated before) and the second`,
  );
  row("program", "faultline", "qemu", "/ qemu", "cold", "cold qemu", "/ qemu", "2nd / qemu");
  const data = mkdtempSync(join(options.scratch, "data-"));
  try {
    writeFileSync(join(data, "source.c"), C_SOURCE);
    writeFileSync(join(data, "text"), Array.from({ length: 40000 }, (_, i) => `${i * 7919} lines of text\n`).join(""));
    return table(options, programs, data);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

export const programs = (options) => inData(options, "Real programs", PROGRAMS);
export const startup = (options) => inData(options, "Start-up", STARTUP);
