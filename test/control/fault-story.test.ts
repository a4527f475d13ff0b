// Every row of the fault table, produced by a guest program, stopped at, and told: the story names the right address, area, object,
// frame, contents, entry and outcome, and the machine's tables say the same.
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FaultRecord, Machine } from "../../src/host/node/index.ts";
import { storyText, tellFault, walkText } from "../../src/view/fault-story.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const skip = announceSkip(!hasCompiler, "stories of faults: riscv64-linux-gnu-gcc is not installed");
const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Records by the function that faulted: the last one each. */
const records = new Map<string, FaultRecord>();
let stopped: FaultRecord | null = null;

function of(name: string): FaultRecord {
  const record = records.get(name);
  if (record === undefined) throw new Error(`no fault in ${name}`);
  return record;
}

const story = (name: string) => storyText(tellFault(of(name)));

test("victims: whose page it was, and where it is now", async () => {
  const machine = await Machine.create({ memory: "4M", swap: "16M", seed: 1 });
  const control = machine.control();
  const { process } = machine.spawn("/bin/truths", ["fill", "6"], { stdin: null });
  let record: FaultRecord | null = null;
  while (record === null) {
    const { reason, fault } = await control.stepFault("demand-zero");
    expect(reason).toBe("fault");
    if (fault!.victims.some((v) => v.kind === "anonymous")) record = fault;
  }
  const victim = record.victims.find((v) => v.kind === "anonymous")!;
  const [owner] = victim.owners;
  expect(owner.pid).toBe(process.pid);
  const walk = machine.inspect.walk(owner.pid, owner.address);
  expect(walk.levels[walk.levels.length - 1]).toMatchObject({ kind: "swap", slot: victim.slot });
  expect(machine.inspect.slot(victim.slot)).toEqual({ slot: victim.slot, references: 1, pfn: 0 });
  const dropped = record.victims.find((v) => v.kind === "file")!;
  expect(dropped).toMatchObject({ writtenOut: false, object: { name: "/bin/truths", pageIndex: 0 } });
  const text = storyText(tellFault(record));
  expect(text).toContain(
    `(process ${owner.pid} at 0x${owner.address.toString(16)}): its contents are in swap slot ${victim.slot} now.`,
  );
  expect(text).toContain("with page 0 of /bin/truths (process 2 at 0x10000): it was clean, so it was just dropped.");
  await machine.stop();
  machine.close();
});

describe.skipIf(skip)("faults explained", () => {
  beforeAll(async () => {
    const root = mkdtempSync(join(scratch.path, "root-"));
    mkdirSync(join(root, "tmp"));
    copyFileSync(scratch.compile("prog", ["test/control/faults.c"], ["-O1", "-static", "-w"]), join(root, "prog"));
    for (const name of ["data", "cold"]) writeFileSync(join(root, name), Buffer.alloc(3 * 4096 + 100, "x"));
    const machine = await Machine.create({ memory: "8M", swap: "8M", seed: 3, root });
    const control = machine.control();
    const program = machine.spawn("/prog", [], { stdin: null });
    control.explainsFaults = true;
    const stop = await control.runTo({ fault: "demand-zero", pid: program.process.pid });
    stopped = stop.fault;
    for (;;) {
      const event = await control.stepFault();
      if (event.reason === "finished") break;
      const record = event.fault!;
      const name = record.symbol?.name ?? "";
      if (/^(row|grow)/.test(name) && record.syscall === null && record.access !== "execute") records.set(name, record);
      if (name === "row4") {
        // F12: nothing in this hart makes a translation stale, so the handler is asked about a page that is mapped.
        const task = machine.kernel.tasks.get(event.tid)!;
        const before = control.lastFaults().length;
        task.space.handleFault(record.address, 0);
        expect(control.lastFaults().length).toBeGreaterThanOrEqual(Math.min(64, before));
        records.set("row12", control.lastFaults()[control.lastFaults().length - 1]);
      }
    }
    expect((await program.wait()).stdout).toBe("9\n");
    machine.kernel.mm.checkInvariants();
    await machine.stop();
    machine.close();
  });

  test("a run to a kind of fault stops at one", () => {
    expect(stopped?.kind).toBe("demand-zero");
    expect(JSON.parse(JSON.stringify(stopped))).toEqual(stopped);
  });

  test.each([
    ["row1", 1, "segv-maperr", "segv-maperr"],
    ["row2", 2, "segv-accerr", "segv-accerr"],
    ["row3", 3, "zero-page", "minor"],
    ["row4", 4, "demand-zero", "minor"],
    ["row5", 5, "map-cached", "minor"],
    ["row6", 6, "page-in", "major"],
    ["row7", 7, "copy-from-file", "major"],
    ["row8", 8, "copy-on-write", "minor"],
    ["row8alone", 8, "copy-on-write", "minor"],
    ["row9", 9, "shared-write", "minor"],
    ["row10", 10, "swap-in", "major"],
    ["row11", 11, "bus-error", "bus-adrerr"],
    ["row12", 12, "stale-tlb", "minor"],
  ])("%s is F%i", (name, row, kind, result) => {
    const record = of(name);
    expect([record.row, record.kind, record.result]).toEqual([row, kind, result]);
    const told = tellFault(record);
    expect(told.row).toBe(row);
    expect(told.steps.map((s) => s.step)).toEqual(
      expect.arrayContaining(["access", "address", "translation", "outcome"]),
    );
    expect(walkText(record.walk).length).toBe(record.walk.levels.length);
    for (const { text } of told.steps) expect(text).toMatch(/^[A-Z0].*[.]$/);
  });

  test("F1: no area; SIGSEGV", () => {
    expect(of("row1").area).toBe(null);
    expect(story("row1")).toMatch(/writes to 0x5000000\.\n/);
    expect(story("row1")).toContain("No area contains 0x5000000");
    expect(story("row1")).toContain("The process gets SIGSEGV (SEGV_MAPERR).");
  });

  test("F1: the stack grows first", () => {
    expect(of("grow").grownPages).toBeGreaterThan(0);
    expect(of("grow").row).toBe(4);
    expect(story("grow")).toMatch(/^The stack grows\. Demand-zero/);
  });

  test("F2: the area does not permit it", () => {
    expect(of("row2").area?.permissions).toBe("r--p");
    expect(story("row2")).toContain("contains the address, but does not permit writing.");
  });

  test("F3 and F4: zeros, shared for reading, a frame of its own for writing", () => {
    expect(of("row3").after.kind).toBe("zero-page");
    expect(story("row3")).toContain("full of zeros, serves everyone who only reads");
    expect(of("row4").after.bits).toMatchObject({ valid: true, write: true, dirty: true });
    expect(of("row4").walk.offset).toBe(5);
    expect(story("row4")).toContain("overwritten with zeros. No data moved between disk and memory.");
    expect(story("row4")).toMatch(/The instruction at 0x[0-9a-f]+ \(row4(\+0x[0-9a-f]+)? in \/prog\) runs again/);
  });

  test("F5, F6, F7: the page cache is asked, filled, copied from", () => {
    expect(of("row6").object).toMatchObject({ name: "/data", pageIndex: 2, sizeBytes: 12388, wasCached: false });
    expect(story("row6")).toContain("this is page 2 of it, and the page cache does not have it.");
    expect(story("row6")).toContain("A major fault: it had to wait for a device");
    expect(of("row5").object).toMatchObject({ pageIndex: 2, wasCached: true });
    expect(of("row5").after.pfn).toBe(of("row6").after.pfn);
    expect(story("row5")).toContain("nothing is copied");
    const { readAlong } = of("row6");
    const along = `(read-ahead): ${readAlong === 1 ? "one page" : `${readAlong} pages`}.`;
    expect(story("row6").includes(along)).toBe(readAlong > 0);
    expect(of("row7").copiedFrom).not.toBe(0);
    expect(of("row7").copiedFrom).not.toBe(of("row7").after.pfn);
    expect(story("row7")).toContain("the object stays as it is");
  });

  test("F8: copied while another has it, kept when nobody has", () => {
    const shared = of("row8");
    expect(shared.before.bits.write).toBe(false);
    expect(shared.copiedFrom).toBe(shared.before.pfn);
    expect(shared.after.pfn).not.toBe(shared.before.pfn);
    expect(story("row8")).toContain(`Frame ${shared.copiedFrom} was copied into it`);
    const alone = of("row8alone");
    expect([alone.copiedFrom, alone.after.pfn]).toEqual([0, alone.before.pfn]);
    expect(story("row8alone")).toMatch(/^Write to a page that nobody shares any more\n/);
  });

  test("F9, F10, F11, F12", () => {
    expect(of("row9").before.bits.write).toBe(false);
    expect(of("row9").after.bits).toMatchObject({ write: true, dirty: true });
    expect(story("row9")).toContain("its page counts as dirty");
    expect(of("row10").before).toMatchObject({ kind: "swap", slot: of("row10").slot });
    expect(story("row10")).toContain(`read back from swap slot ${of("row10").slot}`);
    expect(story("row11")).toContain("but it has only 12388 bytes: there is no such page.");
    expect(story("row11")).toContain("SIGBUS (BUS_ADRERR)");
    expect(story("row12")).toContain("only the TLB had an old translation");
  });
});
