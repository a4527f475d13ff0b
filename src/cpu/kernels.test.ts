// Whole programs on the hart: the committed kernels must print what qemu-riscv64 printed, under every budget and however
// little code stays decoded, with the same number of instructions each time.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BareMachine } from "./test-support/bare-machine.ts";

const OUTPUT = [
  "00000000000a0348",
  "1241beb1d3ca73c0",
  "00000001c8de9ec0",
  "000000000035c7e2",
  "faf45d502e0b32b2",
  "76699a170fd776af",
  "3cac598aca92a325",
  "000000000175ef00",
  "401272247848c573",
];

function program(number: number): Uint8Array {
  return readFileSync(new URL(`./test-support/programs/prebuilt/kernel${number}.elf`, import.meta.url));
}

describe("kernels", () => {
  const stops = new Set<number>();
  const instructions = new Map<number, number>();
  it.each(OUTPUT.map((text, i) => [i + 1, text] as const))("kernel %i prints what qemu printed", (number, text) => {
    for (const translate of [false, true]) {
      const machine = new BareMachine(16 << 20, { translate });
      machine.load(program(number));
      expect(machine.run()).toBe(0);
      expect(Buffer.from(machine.output).toString()).toBe(`${text}\n`);
      if (translate) expect(machine.hart.instructions).toBe(instructions.get(number));
      instructions.set(number, machine.hart.instructions);
      expect((machine.hart.codeCache?.translated ?? 0) > 0).toBe(translate);
    }
  });

  it.each([false, true, "always"] as const)("stop at the same instructions with translation %s", (translate) => {
    const machine = new BareMachine(16 << 20, { translate });
    machine.load(program(5));
    machine.slice = 33_333;
    let hash = 0;
    machine.betweenSlices = () => {
      const { context, hart } = machine;
      if (hart.instructions < 30_000_000) {
        hash =
          (Math.imul(hash, 31) + context.pcLow + context.getXLow(10) + context.getXLow(15) + hart.instructions) | 0;
      }
    };
    expect(machine.run()).toBe(0);
    stops.add(hash);
    expect(stops.size).toBe(1);
  });

  it("run the same with two decoded pages, a tiny budget and a TLB that forgets", () => {
    const machine = new BareMachine(16 << 20, { decodePages: 2 });
    machine.load(program(8));
    machine.slice = 1_000_003;
    machine.betweenSlices = () => machine.hart.tlb.flushSpace({ id: 1 });
    expect(machine.run()).toBe(0);
    expect(Buffer.from(machine.output).toString()).toBe(`${OUTPUT[7]}\n`);
    expect(machine.hart.instructions).toBe(instructions.get(8));
  });
});
