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
  const instructions = new Map<number, number>();
  it.each(OUTPUT.map((text, i) => [i + 1, text] as const))("kernel %i prints what qemu printed", (number, text) => {
    const machine = new BareMachine();
    machine.load(program(number));
    expect(machine.run()).toBe(0);
    expect(Buffer.from(machine.output).toString()).toBe(`${text}\n`);
    instructions.set(number, machine.hart.instructions);
  });

  it("run the same with a single decoded page, a tiny budget and a TLB that forgets", () => {
    const machine = new BareMachine(16 << 20, { decodePages: 1 });
    machine.load(program(8));
    machine.slice = 1_000_003;
    machine.betweenSlices = () => machine.hart.tlb.flushSpace({ id: 1 });
    expect(machine.run()).toBe(0);
    expect(Buffer.from(machine.output).toString()).toBe(`${OUTPUT[7]}\n`);
    expect(machine.hart.instructions).toBe(instructions.get(8));
  });
});
