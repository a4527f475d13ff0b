// The memory bound holds: programs larger than memory end correctly with swap, are killed without it, and strict accounting
// refuses what cannot be kept. The machine itself never ends by an exception.
import { afterAll, expect, test } from "vitest";
import { BUNDLED_ROOT, Machine, type MachineOptions } from "../../src/host/node/index.ts";
import { announceSkip, type GuestResult, hasCompiler, runElf, runIn, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const POLICIES = ["two-list", "clock", "fifo", "random"];
const MIB = 2 ** 20;

interface Logged extends GuestResult {
  log: string[];
}

async function truths(args: string[], options: Partial<MachineOptions>): Promise<Logged> {
  const log: string[] = [];
  const result = await runIn(BUNDLED_ROOT, "/bin/truths", args, { ...options, log: (line) => log.push(line) });
  result.machine.kernel.mm.checkInvariants();
  return { ...result, log };
}

/** All programs ended: nothing is left in the swap file but, perhaps, the one page of the vDSO, which outlives them. */
function expectSwapGivenBack(machine: Machine): void {
  expect(machine.kernel.mm.swap.usedCount).toBeLessThanOrEqual(1);
}

for (const policy of POLICIES) {
  test(`fills and checks 128 MiB in 16 MiB of memory with swap, policy ${policy}`, async () => {
    const { code, stdout, log, machine } = await truths(["fill", "128"], { memory: "16M", swap: "256M", policy });
    expect(log).toEqual([]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "@filled\n128 MiB filled and checked\n" });
    const { counters } = machine.kernel.mm;
    // All but what memory holds went out and came back, and after the end nothing is left in the swap file.
    expect(counters.pswpout).toBeGreaterThan((112 * MIB) / 4096);
    expect(counters.pswpin).toBeGreaterThan((112 * MIB) / 4096);
    expectSwapGivenBack(machine);
  });
}

test("without swap the out-of-memory killer ends it and reports as Linux does", async () => {
  const { code, signal, stdout, log, machine } = await truths(["fill", "128"], { memory: "16M", overcommit: "always" });
  expect({ code, signal, stdout }).toEqual({ code: 137, signal: 9, stdout: "" });
  const text = log.join("\n");
  expect(text).toMatch(/^truths invoked oom-killer: .*order=0, oom_score_adj=0/m);
  expect(text).toMatch(/^Mem-Info:/m);
  expect(text).toMatch(/^\[ *pid *\] +uid +tgid total_vm +rss .*pgtables_bytes swapents oom_score_adj name$/m);
  expect(text).toMatch(/^\[ +\d+\] +0 +\d+ +\d+ +\d+ +\d+ +0 +0 truths$/m);
  expect(text).toMatch(
    /^Out of memory: Killed process \d+ \(truths\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB, shmem-rss:\d+kB, UID:0 pgtables:\d+kB oom_score_adj:0$/m,
  );
  // The victim held (nearly) all of memory when it was chosen.
  expect(Number(/anon-rss:(\d+)kB/.exec(text)?.[1])).toBeGreaterThan(15_000);
  expect(machine.kernel.mm.counters.oom_kill).toBe(1);
});

test("heuristic overcommit refuses one allocation larger than memory and swap together, as Linux does", async () => {
  const { code, stdout, log } = await truths(["fill", "128"], { memory: "16M" });
  expect({ code, stdout, log }).toEqual({ code: 12, stdout: "mmap of 128 MiB refused: error -12\n", log: [] });
});

test("swap that is too small: killed, not corrupted", async () => {
  const { code, log, machine } = await truths(["fill", "64"], { memory: "16M", swap: "32M", overcommit: "always" });
  expect(code).toBe(137);
  expect(log.join("\n")).toMatch(/Killed process/);
  expectSwapGivenBack(machine);
});

test("overcommit never: up to the bound it works, beyond it ENOMEM", async () => {
  const never: Partial<MachineOptions> = { memory: "16M", swap: "64M", overcommit: "never", overcommitRatio: 50 };
  // CommitLimit is half of 16 MiB and all of the swap: 72 MiB.
  const inside = await truths(["fill", "71"], never);
  expect({ code: inside.code, log: inside.log }).toEqual({ code: 0, log: [] });
  const outside = await truths(["fill", "72"], never);
  expect(outside).toMatchObject({ code: 12, stdout: "mmap of 72 MiB refused: error -12\n", log: [] });
  const withoutSwap = await truths(["fill", "8"], { ...never, swap: 0 });
  expect(withoutSwap).toMatchObject({ code: 12, stdout: "mmap of 8 MiB refused: error -12\n", log: [] });
});

test("the smallest machine starts a program, and one too small for it says so", async () => {
  const { code, log } = await truths(["zero", "8"], { memory: "1M" });
  expect({ code, log }).toEqual({ code: 0, log: [] });
});

test("four programs at once, each twice as large as memory", async () => {
  const machine = await Machine.create({ memory: "8M", swap: "128M", seed: 5 });
  const all = Array.from({ length: 4 }, () => machine.spawn("/bin/truths", ["fill", "16"], { stdin: null }));
  const ends = await Promise.all(all.map((one) => one.wait()));
  expect(ends.map((end) => `${end.code} ${end.stdout}`)).toEqual(
    Array(4).fill("0 @filled\n16 MiB filled and checked\n"),
  );
  machine.kernel.mm.checkInvariants();
  expectSwapGivenBack(machine);
  await machine.stop();
  expect(machine.close()).toBe(0);
});

test("one of several is killed and the others end correctly", async () => {
  const log: string[] = [];
  const machine = await Machine.create({
    memory: "16M",
    overcommit: "always",
    seed: 5,
    log: (line) => log.push(line),
  });
  const small = machine.spawn("/bin/truths", ["fill", "2"], {});
  while (small.collectedOutput !== "@filled\n") await new Promise((resolve) => setTimeout(resolve, 2));
  const large = machine.spawn("/bin/truths", ["fill", "64"], { stdin: null });
  expect((await large.wait()).code).toBe(137);
  small.write("\n");
  expect(await small.wait()).toMatchObject({ code: 0, stdout: "@filled\n2 MiB filled and checked\n" });
  expect(log.filter((line) => line.includes("Killed process"))).toHaveLength(1);
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
});

const noCompiler = announceSkip(!hasCompiler, "programs under pressure need riscv64-linux-gnu-gcc");

test.skipIf(noCompiler)(
  "processes that fork, share, map files and store at random in a quarter of what they use",
  async () => {
    const elf = scratch.compile("pressure", ["test/guest/behaviours/pressure.c"]);
    for (const policy of POLICIES) {
      const log: string[] = [];
      const options = { memory: "6M", swap: "64M", policy, seed: 9, log: (line: string) => void log.push(line) };
      const { code, stdout, machine } = await runElf(elf, ["4", "3"], options);
      expect({ policy, code, stdout, log }).toEqual({ policy, code: 0, stdout: "all 4 agree\n", log: [] });
      expect(machine.kernel.mm.counters.pswpin).toBeGreaterThan(1000);
      machine.kernel.mm.checkInvariants();
      expectSwapGivenBack(machine);
    }
  },
);

test.skipIf(noCompiler)("memory taken piece by piece: killed when memory and swap are used up", async () => {
  const elf = scratch.compile("pieces", ["test/guest/behaviours/pieces.c"]);
  for (const swap of [0, "8M"]) {
    const log: string[] = [];
    const { code, stdout, machine } = await runElf(elf, ["64"], {
      memory: "8M",
      swap,
      log: (line) => void log.push(line),
    });
    expect(code).toBe(0); // The parent of the killed one lives.
    expect(stdout).toMatch(/^child killed by signal 9 after (\d+) MiB\n$/);
    const filled = Number(/after (\d+) MiB/.exec(stdout)?.[1]);
    expect(filled).toBeGreaterThanOrEqual(swap === 0 ? 5 : 13);
    expect(filled).toBeLessThanOrEqual(swap === 0 ? 8 : 16);
    expect(log.join("\n")).toMatch(/Killed process/);
    machine.kernel.mm.checkInvariants();
  }
});
