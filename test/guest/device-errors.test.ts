// Devices that fail under a running machine: the swap file refuses pages, comes back, or cannot be read. No program ever sees
// wrong contents, and the machine goes on.
import { expect, test } from "vitest";
import { EIO, ENOSPC } from "../../src/abi/errno.ts";
import { BUNDLED_ROOT, NodeHost } from "../../src/host/node/index.ts";
import { Machine, type MachineOptions } from "../../src/machine/index.ts";
import { DeviceError, type SwapDevice } from "../../src/mm/contracts.ts";

/** A swap device that fails as told. */
class FakeSwap implements SwapDevice {
  readonly slotCount: number;
  readonly pages = new Map<number, Uint8Array>();
  /** Pages it has room for. */
  room = Number.POSITIVE_INFINITY;
  unreadable = false;
  refused = 0;

  constructor(sizeBytes: number) {
    this.slotCount = sizeBytes / 4096;
  }

  read(slot: number, into: Uint8Array): void {
    if (this.unreadable) throw new DeviceError(EIO, "planned");
    into.set(this.pages.get(slot)!);
  }

  write(slot: number, from: Uint8Array): void {
    if (!this.pages.has(slot) && this.pages.size >= this.room) {
      this.refused++;
      throw new DeviceError(ENOSPC, "planned");
    }
    this.pages.set(slot, from.slice());
  }
}

function machineWith(room: number, options: Partial<MachineOptions> = {}) {
  const host = new NodeHost();
  let device!: FakeSwap;
  host.openSwap = ((sizeBytes: number) => {
    device = new FakeSwap(sizeBytes);
    device.room = room;
    return device;
  }) as unknown as NodeHost["openSwap"];
  const log: string[] = [];
  const machine = new Machine(
    { memory: "4M", swap: "32M", seed: 1, root: BUNDLED_ROOT, log: (line) => void log.push(line), ...options },
    host,
  );
  return { machine, device, log };
}

for (const policy of ["two-list", "clock", "fifo", "random"]) {
  test(`the disk under the swap file is full, policy ${policy}: the program is killed, soon, and the next one runs`, async () => {
    const { machine, device, log } = machineWith(100, { policy });
    const large = machine.spawn("/bin/truths", ["fill", "8"], { stdin: null });
    expect((await large.wait()).code).toBe(137);
    expect(log.join("\n")).toMatch(/Out of memory: Killed process/);
    expect(device.refused).toBeGreaterThan(0);
    // Trying every page again at every fault would be a standstill.
    expect(device.refused).toBeLessThan(20_000);
    machine.kernel.mm.checkInvariants();
    const small = machine.spawn("/bin/truths", ["fill", "2"], { stdin: null });
    expect(await small.wait()).toMatchObject({ code: 0, stdout: "@filled\n2 MiB filled and checked\n" });
    machine.kernel.mm.checkInvariants();
    await machine.stop();
    expect(machine.close()).toBe(0);
  });
}

test("a swap file that takes nothing is no worse than none", async () => {
  const { machine } = machineWith(0);
  const ends = await machine.spawn("/bin/truths", ["fill", "3"], { stdin: null }).wait();
  expect(ends).toMatchObject({ code: 0, stdout: "@filled\n3 MiB filled and checked\n" });
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
});

test("a swap file that has room again is used again", async () => {
  const { machine, device, log } = machineWith(100);
  const program = machine.spawn("/bin/truths", ["fill", "3"], {});
  while (program.collectedOutput !== "@filled\n") await new Promise((resolve) => setTimeout(resolve, 1));
  device.room = 0;
  const second = machine.spawn("/bin/truths", ["fill", "1"], {});
  while (second.isRunning && second.collectedOutput !== "@filled\n")
    await new Promise((resolve) => setTimeout(resolve, 1));
  device.room = Number.POSITIVE_INFINITY;
  const third = machine.spawn("/bin/truths", ["fill", "6"], { stdin: null });
  expect((await third.wait()).code).toBe(0);
  program.write("\n");
  expect((await program.wait()).code).toBe(log.length === 0 ? 0 : 137);
  if (second.isRunning) second.write("\n");
  await second.wait();
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
});

test("a page that cannot be read back is a bus error for who needs it, and for nobody else", async () => {
  const { machine, device } = machineWith(Number.POSITIVE_INFINITY);
  const program = machine.spawn("/bin/truths", ["fill", "8"], {});
  while (program.collectedOutput !== "@filled\n") await new Promise((resolve) => setTimeout(resolve, 1));
  device.unreadable = true;
  program.write("\n");
  expect(await program.wait()).toMatchObject({ code: 128 + 7, signal: 7 });
  machine.kernel.mm.checkInvariants();
  const hello = await machine.spawn("/bin/hello", [], { stdin: null }).wait();
  expect(hello.code).toBe(0);
  await machine.stop();
  machine.close();
});
