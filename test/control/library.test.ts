// Run control as a user of the library sees it: stopping at what was asked for, going back, changing the course of events, and
// clear refusals.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Machine, type MachineOptions, type StopEvent } from "../../src/host/node/index.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const skip = announceSkip(
  !hasCompiler,
  "run control of a program with symbols: riscv64-linux-gnu-gcc is not installed",
);
const scratch = new Scratch();
afterAll(() => scratch.remove());
const machines: Machine[] = [];

async function make(options: Partial<MachineOptions> = {}): Promise<Machine> {
  const machine = await Machine.create({ memory: "16M", seed: 1, ...options });
  machines.push(machine);
  return machine;
}

afterEach(async () => {
  for (const machine of machines.splice(0)) {
    machine.kernel.mm.checkInvariants();
    await machine.stop();
    machine.close();
  }
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe.skipIf(skip)("with a program that has symbols", () => {
  let root = "";
  beforeAll(() => {
    root = mkdtempSync(join(scratch.path, "root-"));
    mkdirSync(join(root, "tmp"));
    for (const [name, source] of [
      ["prog", "echo"],
      ["jit", "jit"],
    ])
      copyFileSync(scratch.compile(name, [`test/control/${source}.c`], ["-O1", "-static", "-w"]), join(root, name));
  });

  test("stops at symbols, addresses, system calls, counts; steps; waits for input; ends", async () => {
    const machine = await make({ root });
    const control = machine.control();
    expect([control.state, control.lastStop.reason]).toEqual(["paused", "start"]);
    const program = machine.spawn("/prog");
    expect(control.instructions).toBe(0);
    const main = await control.runTo({ symbol: "main" });
    expect([main.reason, main.symbol?.name, main.symbol?.offset, main.pid]).toEqual(["address", "main", 0, 2]);
    expect(machine.inspect.findSymbol(2, "main")).toEqual([main.pc]);
    const read = await control.stepSyscall("read");
    expect([read.reason, read.syscall?.name, read.syscall?.args[0], read.syscall?.args[2]]).toEqual([
      "syscall",
      "read",
      0,
      100,
    ]);
    // The read is served now and waits: nothing else can run.
    expect((await control.stepInstruction()).reason).toBe("idle");
    expect(machine.inspect.processes()[0]).toMatchObject({ state: "sleeping", threads: [{ syscall: "read" }] });
    program.write("one\n");
    const [answer] = machine.inspect.findSymbol(2, "answer");
    const stop = await control.runTo({ address: answer });
    expect([stop.reason, stop.pc, stop.symbol?.name]).toEqual(["address", answer, "answer"]);
    expect(machine.inspect.registers(2).x.a0).toBe("0x0000000000000001");
    for (let i = 1; i <= 5; i++) expect((await control.stepInstruction()).instructions).toBe(stop.instructions + i);
    const count = await control.runTo({ instructions: control.instructions + 77 });
    expect([count.reason, count.instructions]).toEqual(["instructions", stop.instructions + 82]);
    const write = await control.runTo({ syscall: ["write", "writev"], pid: 2 });
    expect(write.syscall).toMatchObject({
      name: "write",
      args: [1, expect.any(Number), 7, 0, 0, 0].slice(0, 3).concat(write.syscall!.args.slice(3)),
    });
    expect(program.collectedOutput).toBe("");
    program.write("two\n");
    // The same address again, although the machine stood there before.
    expect((await control.runTo({ address: answer })).reason).toBe("address");
    program.end();
    expect((await control.run()).reason).toBe("finished");
    expect(control.state).toBe("finished");
    expect(await program.wait()).toMatchObject({ code: 2, stdout: "1: one\n2: two\n" });
  });

  test("pause() stops a run that waits, and one that is busy", async () => {
    const machine = await make({ root });
    const control = machine.control();
    const program = machine.spawn("/prog");
    const run = control.run();
    expect(control.state).toBe("running");
    expect(() => control.run()).toThrow("the machine is running: pause() it first");
    await new Promise((resolve) => setTimeout(resolve, 20));
    control.pause();
    expect((await run).reason).toBe("pause");
    program.end();
    const again = control.run();
    machine.on("exit", () => control.pause());
    expect((await again).reason).toBe("pause");
    expect((await control.run()).reason).toBe("finished");
  });

  test("goes back by instruction, system call and fault, and forward to the same moments", async () => {
    const machine = await make({ root });
    const control = machine.control();
    const program = machine.spawn("/prog", [], { stdin: "a\nb\n" });
    const stops: StopEvent[] = [];
    for (let stop = await control.stepSyscall(); stop.reason === "syscall"; stop = await control.stepSyscall())
      stops.push(stop);
    const last = stops.length - 2;
    expect(last).toBeGreaterThan(5);
    const faults: StopEvent[] = [];
    expect((await control.seek(0)).instructions).toBe(0);
    for (let i = 0; i < 10; i++) faults.push(await control.stepFault());
    await control.seek(stops[last].instructions + 1);
    const kinds: string[] = [];
    machine.on("memory", (e) => kinds.push(e.name));
    expect(await control.stepBack("syscall")).toEqual(stops[last]);
    expect(await control.stepBack("syscall")).toEqual(stops[last - 1]);
    expect((await control.stepBack()).instructions).toBe(stops[last - 1].instructions - 1);
    expect(await control.runBackTo({ symbol: "main" })).toMatchObject({ reason: "address", symbol: { name: "main" } });
    await control.seek(faults[9].instructions + 1);
    expect(await control.stepBack("fault")).toEqual(faults[9]);
    expect(await control.stepBack("fault")).toEqual(faults[8]);
    expect(kinds).toEqual([]);
    expect(await control.stepFault()).toEqual(faults[9]);
    expect(kinds.length).toBeGreaterThan(0);
    expect((await control.runBackTo({ syscall: "execve" })).reason).toBe("beginning");
    expect(control.instructions).toBe(control.history.first);
    expect((await control.stepBack()).reason).toBe("beginning");
    expect((await control.run()).reason).toBe("finished");
    const { latest } = control.history;
    expect((await control.seek(latest - 3)).instructions).toBe(latest - 3);
    expect((await control.seek(latest + 1000)).reason).toBe("finished");
    expect((await program.wait()).stdout).toBe("1: a\nb\n");
  });

  test("what is typed in the past makes another future", async () => {
    const machine = await make({ root });
    const control = machine.control();
    let screen = "";
    const host = {
      write: (bytes: Uint8Array) => {
        screen += text(bytes);
      },
      rewound: (count: number) => {
        screen = screen.slice(0, count);
      },
    };
    const program = machine.spawn("/prog", [], { stdout: host });
    await control.stepSyscall("read");
    await control.stepInstruction();
    program.write("first\n");
    const answered = await control.stepSyscall("write");
    await control.runTo({ syscall: "read" });
    program.write("second\n");
    const later = machine.spawn("/prog", [], { stdin: "x" });
    program.end();
    expect((await control.run()).reason).toBe("finished");
    expect(screen).toBe("1: first\n2: second\n");
    expect((await later.wait()).code).toBe(1);
    // Back to before anything was printed; the output is not taken back until something changes.
    await control.seek(answered.instructions);
    expect([text(program.transcript()), screen]).toEqual(["", "1: first\n2: second\n"]);
    expect((await control.runTo({ syscall: "read" })).reason).toBe("syscall");
    expect(text(program.transcript())).toBe("1: first\n");
    program.write("another\n");
    expect(screen).toBe("1: first\n");
    program.end();
    expect((await control.run()).reason).toBe("finished");
    expect(screen).toBe("1: first\n2: another\n");
    expect(control.history.latest).toBe(control.instructions);
    // And the new past can be visited, too.
    await control.seek(answered.instructions + 1);
    expect((await control.run()).reason).toBe("finished");
    expect(screen).toBe("1: first\n2: another\n");
  });

  test("what was typed at the latest moment is not lost by going back and coming again", async () => {
    const machine = await make({ root });
    const control = machine.control();
    const program = machine.spawn("/prog");
    await control.stepSyscall("read");
    await control.stepInstruction();
    const latest = control.instructions;
    program.write("one\n");
    await control.stepBack();
    expect((await control.seek(latest)).instructions).toBe(latest);
    program.write("two\n");
    program.end();
    expect((await control.run()).reason).toBe("finished");
    expect((await program.wait()).stdout).toBe("1: one\ntwo\n");
  });

  test.each([false, true, "always"] as const)(
    "code written later is not run earlier, translate %s",
    async (translate) => {
      const machine = await make({ root, translate });
      // The clock stands still, so that only journeys leave states.
      const clock = vi.spyOn(machine.host.clock, "monotonicNs").mockReturnValue(0);
      const control = machine.control();
      const program = machine.spawn("/jit", [], { stdin: null });
      const first = await control.runTo({ symbol: "middle" });
      const second = await control.runTo({ symbol: "middle" });
      // The first journey leaves a state in the middle of the loop; the second one begins there.
      for (const place of [100, 50]) {
        await control.seek(first.instructions + place);
        expect(
          control.history.snapshots.some((at) => at > first.instructions - 200_000 && at < first.instructions),
        ).toBe(true);
        expect((await control.runTo({ symbol: "middle" })).instructions).toBe(second.instructions);
      }
      await control.seek(first.instructions + 10);
      expect((await control.run()).reason).toBe("finished");
      expect((await program.wait()).stdout).toBe("100000\n200000\n300000\n");
      await control.seek(first.instructions + 20);
      await control.run();
      expect(text(program.transcript())).toBe("100000\n200000\n300000\n");
      clock.mockRestore();
    },
  );

  test("a program that was started in a future that is gone says so", async () => {
    const machine = await make({ root });
    const control = machine.control();
    const first = machine.spawn("/prog");
    await control.stepSyscall("read");
    const before = control.instructions;
    await control.stepInstruction();
    const second = machine.spawn("/prog");
    await control.stepSyscall("read");
    await control.seek(before);
    first.end();
    await expect(second.wait()).rejects.toThrow("the run took another course before this program started");
    expect((await control.run()).reason).toBe("finished");
    expect((await first.wait()).code).toBe(0);
  });
});

test("conditions and moments that make no sense are one clear line", async () => {
  const control = (await make()).control();
  expect(() => control.runTo({})).toThrow(
    "a condition names exactly one of fault, address, symbol, syscall, instructions",
  );
  expect(() => control.runTo({ syscall: "frobnicate" })).toThrow('there is no system call "frobnicate"');
  expect(() => control.runTo({ fault: "nonsense" as never })).toThrow('"nonsense" is no kind of fault: segv-maperr,');
  expect(() => control.runTo({ address: -1 })).toThrow("-1 is not an address");
  expect(() => control.seek(1.5)).toThrow("1.5 is not a count of instructions");
  expect(() => control.stepInstruction(0)).toThrow("0 is not a number of steps");
  expect(() => control.stepBack("hour" as never)).toThrow('"hour" is not instruction, fault or syscall');
});

test("where there is no way back, run control works and says why", async () => {
  const folder = mkdtempSync(join(scratch.path, "folder-"));
  const cases: [Partial<MachineOptions>, string][] = [
    [{ seed: null }, "cannot go back: without a seed time comes from the host; give the machine one"],
    [
      { mounts: [{ host: folder, guest: "/mnt" }] },
      `cannot go back: what is written to the mounted folder ${folder} cannot be taken back; mount it read-only`,
    ],
  ];
  for (const [options, message] of cases) {
    const machine = await make(options);
    const control = machine.control();
    machine.spawn("/bin/hello", [], { stdin: null });
    expect((await control.stepSyscall()).reason).toBe("syscall");
    expect(() => control.stepBack()).toThrow(message);
    expect(() => control.seek(0)).toThrow(message);
    expect((await control.run()).reason).toBe("finished");
  }
  const machine = await make({ mounts: [{ host: folder, guest: "/mnt", readOnly: true }] });
  expect(machine.rewindRefusal).toBe(null);
});

test("the example prints what it promises", () => {
  const out = execFileSync(process.execPath, ["examples/step-back.mjs"], { encoding: "utf8" });
  const [, pfn] = /after \d+ instructions: anonymous frame (\d+), mapped by process 3\n/.exec(out)!;
  expect(out).toMatch(/^Copy-on-write\n/);
  expect(out).toMatch(/one fault earlier, after \d+ instructions: anonymous frame \d+, mapped by process 3 and 2\n/);
  expect(out).toContain(`and is now 0x`);
  expect(out).toContain(`Frame ${pfn} was taken from the free frames.`);
  expect(out).toContain("child sees 2\nparent sees 1\n");
});
