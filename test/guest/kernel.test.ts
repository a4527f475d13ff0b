// Our own C programs about signals, processes, threads, timers and tracing print what they print on real riscv64 Linux 6.12 (the
// .expected.txt files were recorded there), under ample and under scarce memory.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { TestKernel } from "../../src/kernel/test-support.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const skip = announceSkip(!hasCompiler, "kernel guest programs: riscv64-linux-gnu-gcc is not installed");
const scratch = new Scratch();
afterAll(() => scratch.remove());

describe.skipIf(skip)("guest programs", () => {
  for (const name of ["signals", "processes", "threads", "timers", "ptrace"]) {
    it(`kernel-${name} answers as Linux does`, () => {
      const program = scratch.compile(`kernel-${name}`, [`test/guest/kernel-${name}.c`]);
      const box = new TestKernel();
      const run = box.run(readFileSync(program));
      expect(run.stdout).toBe(readFileSync(`test/guest/kernel-${name}.expected.txt`, "utf8"));
      expect([run.ended, run.status, run.stderr]).toEqual(["finished", 0, ""]);
      expect([
        box.kernel.tasks.size,
        box.kernel.processes.size,
        box.kernel.futexes.size,
        box.kernel.timers.size,
      ]).toEqual([0, 0, 0, 0]);
      box.kernel.mm.checkInvariants();
    });
  }

  it.each([64, 4, 3])("survives a crowd of processes in %i MiB and gives everything back", (mebibytes) => {
    const program = scratch.compile("kernel-stress", ["test/guest/kernel-stress.c"]);
    const box = new TestKernel({ ramBytes: mebibytes << 20 });
    box.run(readFileSync(program), ["0"]);
    const free = box.kernel.mm.freeFrames;
    const run = box.run(readFileSync(program), ["3"]);
    expect(run.ended).toBe("finished");
    if (mebibytes === 64) expect([run.stdout, run.status]).toEqual(["stress 0\n", 0]);
    expect(box.kernel.mm.counters.oom_kill > 0).toBe(mebibytes < 64);
    expect([box.kernel.tasks.size, box.kernel.processes.size, box.kernel.futexes.size, box.kernel.timers.size]).toEqual(
      [0, 0, 0, 0],
    );
    expect([box.kernel.groups.size, box.kernel.sessions.size]).toEqual([1, 1]);
    expect(box.kernel.mm.freeFrames).toBe(free);
    box.kernel.mm.checkInvariants();
  });
});
