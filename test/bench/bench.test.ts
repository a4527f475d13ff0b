// The benchmark runs: its sections of memory paths, growth and host memory, with so little work that no time means anything.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, hasQemu } from "../support/guest.ts";

const scratch = mkdtempSync(join(tmpdir(), "bench-test-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function bench(...args: string[]) {
  return spawnSync(process.execPath, ["bench/main.mjs", ...args], { encoding: "utf8" });
}

describe("the benchmark", () => {
  test("an unknown section is named", () => {
    const { status, stderr } = bench("memroy");
    expect(status).toBe(2);
    expect(stderr).toBe(
      "bench: unknown section 'memroy'; there are: kernels programs memory startup host page growth\n",
    );
  });

  const incomplete = announceSkip(
    !hasCompiler || !hasQemu,
    "benchmark sections: needs riscv64-linux-gnu-gcc and qemu-riscv64",
  );
  test.skipIf(incomplete)("memory paths, growth and host memory give a number for everything", () => {
    const file = join(scratch, "result.json");
    const { status, stdout, stderr } = bench("--quick", "--runs", "1", "--json", file, "memory", "growth", "host");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("virtual machine");
    const { sections } = JSON.parse(readFileSync(file, "utf8"));
    const names = sections.memory.map((path: { name: string }) => path.name);
    expect(names).toEqual(
      expect.arrayContaining(["first-touch", "file-read-fault", "copy-on-write", "fork-exit-wait-1M"]),
    );
    expect(names).toEqual(expect.arrayContaining(["fork-exec-dynamic", "mmap-munmap", "pipe-ping-pong", "getppid"]));
    for (const path of sections.memory) {
      expect(path.faultline, path.name).toBeGreaterThan(0);
      expect(path.host, path.name).toBeGreaterThan(0);
    }
    for (const points of Object.values(sections.growth) as { faultline: Record<string, number> }[][]) {
      expect(points.length).toBe(2);
      for (const point of points) {
        expect(Object.keys(point.faultline).length).toBeGreaterThanOrEqual(4);
        for (const value of Object.values(point.faultline)) expect(value).toBeGreaterThan(0);
      }
    }
    expect(sections.host[0].resident).toBeGreaterThan(20);
  });
});
