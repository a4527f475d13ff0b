// Tests what the inspector and the events of a machine say about our own programs, against the memory core's own figures.
import { afterEach, expect, test } from "vitest";
import { Machine } from "../../host/node/index.ts";
import { PAGE_COPY_ON_WRITE, PAGE_STATE_MASK, PAGE_UNTOUCHED } from "./pages.ts";

const machines: Machine[] = [];
async function make(memory = "16M", swap: string | number = 0): Promise<Machine> {
  const machine = await Machine.create({ memory, swap, seed: 1 });
  machines.push(machine);
  return machine;
}
afterEach(async () => {
  for (const machine of machines.splice(0)) {
    await machine.stop();
    machine.close();
  }
});

test("areas, page states, page tables and frames agree with one another at a fault", async () => {
  const machine = await make();
  const control = machine.control();
  const { process } = machine.spawn("/bin/truths", ["zero", "64"], { stdin: null });
  const stop = await control.runTo({ fault: "demand-zero", pid: process.pid });
  expect(stop.reason).toBe("fault");
  for (let i = 0; i < 20; i++) await control.stepFault();
  const { inspect } = machine;
  const areas = inspect.maps(process.pid);
  const [info] = inspect.processes().filter((p) => p.pid === process.pid);
  expect(info.rss).toBe(areas.reduce((sum, a) => sum + a.residentPages, 0) * 4096);
  expect(info.vsz).toBe(areas.reduce((sum, a) => sum + a.pages, 0) * 4096);
  const frames = machine.frames();
  for (const area of areas) {
    const states = inspect.pages(process.pid, area.start / 4096, new Uint8Array(area.pages));
    let resident = 0;
    states.forEach((state, i) => {
      const address = area.start + i * 4096;
      const walk = inspect.walk(process.pid, address);
      const leaf = walk.levels[walk.levels.length - 1];
      const isResident = (state & PAGE_STATE_MASK) >= PAGE_COPY_ON_WRITE - 1 && (state & PAGE_STATE_MASK) <= 5;
      expect(leaf.kind === "page").toBe(isResident);
      if (!isResident) return;
      resident++;
      expect(frames.mapCount[leaf.pfn]).toBeGreaterThan(0);
      expect(inspect.frame(leaf.pfn).mappings).toContainEqual(
        expect.objectContaining({ pid: process.pid, address, pteAddress: leaf.pteAddress }),
      );
    });
    expect(resident).toBe(area.residentPages);
  }
  expect(() => JSON.stringify([areas, inspect.objects(), inspect.machine(), stop])).not.toThrow();
  machine.kernel.mm.checkInvariants();
});

test("looking brings nothing into memory", async () => {
  const machine = await make();
  const control = machine.control();
  const { process } = machine.spawn("/bin/truths", ["fill", "16"], { stdin: null });
  await control.runTo({ fault: true, pid: process.pid });
  const before = { ...machine.kernel.mm.counters };
  const free = machine.kernel.mm.freeFrames;
  const { inspect } = machine;
  inspect.symbol(process.pid, control.lastStop.pc);
  inspect.findSymbol(process.pid, "main");
  for (const area of inspect.maps(process.pid)) {
    inspect.pages(process.pid, area.start / 4096, new Uint8Array(area.pages));
    inspect.peek(process.pid, area.start, new Uint8Array(100));
  }
  inspect.objects(true);
  inspect.tlb(process.pid);
  expect({ ...machine.kernel.mm.counters }).toEqual(before);
  expect(machine.kernel.mm.freeFrames).toBe(free);
});

test("an untouched area is untouched, and 100,000 pages are described in milliseconds", async () => {
  const machine = await make();
  machine.control();
  const { process } = machine.spawn("/bin/truths", ["fill", "1"], { stdin: null });
  const stack = machine.inspect.maps(process.pid).find((area) => area.name === "[stack]")!;
  const states = machine.inspect.pages(process.pid, stack.start / 4096, new Uint8Array(stack.pages));
  expect(states[0] & PAGE_STATE_MASK).toBe(PAGE_UNTOUCHED);
  const many = new Uint8Array(100_000);
  const start = performance.now();
  machine.inspect.pages(process.pid, stack.end / 4096 - many.length, many);
  expect(performance.now() - start).toBeLessThan(250);
});

test("listeners hear of faults, forks and exits; without them the memory core has no tracer", async () => {
  const machine = await make();
  const seen: string[] = [];
  let faults = 0;
  const ends = [
    machine.on("fault", () => faults++),
    machine.on("fork", (e) => seen.push(`fork ${e.pid} -> ${e.detail}`)),
    machine.on("exec", (e) => seen.push(`exec ${e.name}`)),
    machine.on("exit", (e) => seen.push(`exit ${e.pid}`)),
  ];
  const { code } = await machine.spawn("/bin/truths", ["private"], { stdin: null }).wait();
  expect(code).toBe(0);
  expect(seen[0]).toBe("exec truths");
  expect(seen.some((line) => line.startsWith("fork 2 -> 3"))).toBe(true);
  expect(seen[seen.length - 1]).toBe("exit 2");
  expect(faults).toBeGreaterThan(5);
  for (const end of ends) end();
  expect(machine.kernel.mm.tracer).toBe(null);
  expect(machine.kernel.observer).toBe(null);
});

test("a wrong pid, thread or frame is one clear line", async () => {
  const { inspect } = await make();
  expect(() => inspect.maps(77)).toThrow("there is no living process 77");
  expect(() => inspect.registers(77)).toThrow("there is no thread 77");
  expect(() => inspect.frame(1e9)).toThrow("there is no frame 1000000000");
});

test("the reverse questions agree with every frame's mappings and every page's entry, also in memory shared since a fork", async () => {
  const machine = await make("4M", "16M");
  const control = machine.control();
  machine.spawn("/bin/pages", ["map:a:1200", "write:a:all", "fork", "write:a:0-300:c", "wait"], { stdin: null });
  await control.runTo({ fault: "copy-on-write" });
  for (let i = 0; i < 150; i++) await control.stepFault();
  const { inspect } = machine;
  const pids = inspect.processes().map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  const { count, kind } = machine.frames();
  const own = pids.map((pid) => inspect.framesOf(pid, new Uint8Array(count)));
  let mapped = 0;
  for (let pfn = 0; pfn < count; pfn++) {
    const { kind: name, mappings, table } = inspect.frame(pfn);
    const users = table?.users ?? mappings.map(({ pid }) => pid);
    if (name === "zero") continue;
    for (const [i, pid] of pids.entries()) expect(own[i][pfn] === 1, `${name} frame ${pfn}`).toBe(users.includes(pid));
    if (kind[pfn] > 3) mapped += mappings.length;
  }
  expect(mapped).toBeGreaterThan(500);
  // Swap: what the walk says of a page, the slot says of itself.
  let swapped = 0;
  for (const pid of pids)
    for (const area of inspect.maps(pid))
      for (let address = area.start; address < area.end && swapped < 200; address += 16 * 4096) {
        const leaf = inspect.walk(pid, address).levels.at(-1)!;
        if (leaf.kind !== "swap") continue;
        swapped++;
        const pages = inspect.slotPages(leaf.slot);
        expect(pages).toContainEqual(expect.objectContaining({ pid, address }));
        for (const page of pages) expect(inspect.walk(page.pid, page.address).levels.at(-1)!.slot).toBe(leaf.slot);
      }
  expect(swapped).toBeGreaterThan(10);
  expect(inspect.slotPages(0)).toEqual([]);
  machine.kernel.mm.checkInvariants();
});
