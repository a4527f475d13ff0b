// `npm run bench`: measures Faultline side by side with qemu-riscv64 and the host, in one run on one machine, and prints ratios
// of medians (below 1: Faultline is faster), and with --json writes them to a file.
//   node bench/main.mjs [--runs N] [--quick] [--root DEBIAN_ROOT] [--json FILE] [SECTION...]
// --quick does so little that the numbers mean nothing: it shows that every section runs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { growth } from "./growth.mjs";
import { hostMemory } from "./host-memory.mjs";
import { kernels } from "./kernels.mjs";
import { isInstalled } from "./measure.mjs";
import { memory } from "./memory.mjs";
import { page } from "./page.mjs";
import { reportProcessor } from "./processor.mjs";
import { programs, startup } from "./programs.mjs";

/** What each section measures, and what must be installed for it. */
const SECTIONS = {
  kernels: { run: kernels, needs: ["riscv64-linux-gnu-gcc", "gcc", "qemu-riscv64"] },
  programs: { run: programs, needs: ["qemu-riscv64"] },
  memory: { run: memory, needs: ["riscv64-linux-gnu-gcc", "gcc", "qemu-riscv64"] },
  startup: { run: startup, needs: ["qemu-riscv64"] },
  host: { run: hostMemory, needs: [] },
  page: { run: page, needs: ["riscv64-linux-gnu-gcc"] },
  growth: { run: growth, needs: ["riscv64-linux-gnu-gcc", "gcc"] },
};

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(2);
}

function parse(argv) {
  const options = { runs: 3, quick: false, root: process.env.FAULTLINE_TEST_ROOT, json: null };
  const wanted = [];
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--runs") options.runs = Number(argv[++i]);
    else if (argv[i] === "--root") options.root = argv[++i];
    else if (argv[i] === "--json") options.json = argv[++i];
    else if (argv[i] === "--quick") options.quick = true;
    else if (SECTIONS[argv[i]] !== undefined) wanted.push(argv[i]);
    else fail(`unknown section '${argv[i]}'; there are: ${Object.keys(SECTIONS).join(" ")}`);
  }
  if (!(options.runs >= 1)) fail("--runs takes a number of at least 1");
  return { options, wanted: wanted.length > 0 ? wanted : Object.keys(SECTIONS) };
}

const { options, wanted } = parse(process.argv.slice(2));
const scratch = mkdtempSync(join(tmpdir(), "faultline-bench-"));
// What earlier runs left behind must not be what is measured.
process.env.FAULTLINE_CODE_CACHE = join(scratch, "code-cache");
// Node would read and sort certificates each time it starts (70 ms), which is no business of ours.
delete process.env.NODE_EXTRA_CA_CERTS;
const machine = {
  node: process.version,
  kernel: release(),
  cpu: cpus()[0]?.model,
  cpus: cpus().length,
  bytes: totalmem(),
};
const results = { machine, runs: options.runs, quick: options.quick, sections: {}, processor: {} };
console.log(
  `Node ${machine.node}, Linux ${machine.kernel}, ${machine.cpus} x ${machine.cpu}; ${options.runs} runs, medians`,
);
console.log(
  "Not measured: bare-metal kernels where this is a virtual machine, other processors, energy, browsers, disks.",
);
try {
  for (const name of wanted) {
    const { run, needs } = SECTIONS[name];
    const missing = needs.filter((command) => !isInstalled(command));
    if (missing.length > 0) console.log(`\n${name}: SKIPPED: not installed: ${missing.join(" ")}`);
    else {
      results.sections[name] = await run({ ...options, scratch });
      results.processor[name] = reportProcessor();
    }
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(results, null, 1)}\n`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
