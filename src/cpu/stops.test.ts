// Tests where a run is left: run() at the same instruction whether code is interpreted or translated, runExactly() behind any
// instruction, stop addresses before theirs, and that none of this changes where later runs stop.
import { expect, test } from "vitest";
import { EXIT_FUEL, EXIT_LIMIT, EXIT_STOP } from "./exits.ts";
import type { HartOptions } from "./hart.ts";
import { BareMachine, PTE_A } from "./test-support/bare-machine.ts";

const PTE_R = 2;
const PTE_X = 8;
const CODE = 0x10000;
/** A function near the end of the first page, and the code that calls it in the second: backward jumps in front of and behind the root. */
const FUNCTION = CODE + 0xff4;
const START = CODE + 0x1000;

const jal = (rd: number, from: number, to: number): number => {
  const imm = to - from;
  const bits = (((imm >> 20) & 1) << 31) | (((imm >> 1) & 0x3ff) << 21) | (((imm >> 11) & 1) << 20);
  return (bits | (((imm >> 12) & 0xff) << 12) | (rd << 7) | 0x6f) >>> 0;
};

function make(translate: HartOptions["translate"]): BareMachine {
  const machine = new BareMachine(1 << 20, { translate });
  const put = (address: number, words: readonly number[]): void => {
    const pfn = machine.pte(address) >>> 10;
    words.forEach((word, i) => {
      new DataView(machine.bytes.buffer, machine.bytes.byteOffset).setUint32(
        pfn * 4096 + (address % 4096) + 4 * i,
        word,
        true,
      );
    });
  };
  machine.map(CODE, PTE_R | PTE_X | PTE_A);
  machine.map(START, PTE_R | PTE_X | PTE_A);
  // addi a0, a0, 1; blt a0, a1, -4; ret
  put(FUNCTION, [0x00150513, 0xfeb54ee3, 0x00008067]);
  // li a0, 0; li a1, 7; jal FUNCTION; addi a2, a2, 1; addi a3, a3, 1; j START
  put(START, [0x00000513, 0x00700593, jal(1, START + 8, FUNCTION), 0x00160613, 0x00168693, jal(0, START + 20, START)]);
  machine.context.pc = START;
  return machine;
}

/** Instruction counts and addresses at which runs of these budgets end. */
function stops({ hart, context }: BareMachine, budgets: readonly number[]): [number, number][] {
  return budgets.map((budget) => {
    expect(hart.run(budget)).toBe(EXIT_FUEL);
    return [hart.instructions, context.pc];
  });
}

const budgets = Array.from({ length: 400 }, (_, i) => 1 + ((i * 37) % 53));

test("translated code stops where interpreted code does, also at jumps before its base page", () => {
  const expected = stops(make(false), budgets);
  const machine = make("always");
  expect(stops(machine, budgets)).toEqual(expected);
  expect(machine.hart.codeCache!.regionCount).toBeGreaterThan(0);
  // A loop's own jump is a stop: not only returns and calls are.
  expect(expected.some(([, pc]) => pc === FUNCTION)).toBe(true);
});

test.each([false, "always"] as const)(
  "runs cut at any instruction end where whole runs do, translate %s",
  (translate) => {
    const expected = stops(make(translate), budgets);
    const { hart, context } = make(translate);
    let seed = 1;
    for (let i = 0; i < budgets.length; i++) {
      let left = budgets[i];
      let ends = false;
      while (!ends) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        const before = hart.instructions;
        const exactly = 1 + ((seed >>> 8) % 5);
        const reason = left > exactly ? hart.runExactly(exactly) : left > 0 ? hart.run(left) : hart.runExactly(1);
        const used = hart.instructions - before;
        if (left > exactly || left <= 0) expect(used).toBe(left > exactly ? exactly : 1);
        left -= used;
        ends = left <= 0 && reason === EXIT_FUEL;
        if (!ends) expect([EXIT_LIMIT, EXIT_FUEL]).toContain(reason);
      }
      expect([hart.instructions, context.pc]).toEqual(expected[i]);
    }
  },
);

test.each([false, "always"] as const)("a stop address is reached before its instruction, translate %s", (translate) => {
  const machine = make(translate);
  const { hart, context } = machine;
  const places = [FUNCTION + 4, START + 16];
  const set = (address: number, stops: boolean): void => {
    hart.setStops(machine.pte(address) >>> 10, stops ? new Set([address % 4096]) : null);
  };
  hart.run(500);
  for (const place of places) set(place, true);
  const seen: number[] = [];
  for (let i = 0; i < 32; i++) {
    expect(hart.run(1000)).toBe(EXIT_STOP);
    seen.push(context.pc);
    set(context.pc, false);
    hart.runExactly(1);
    set(seen[i], true);
  }
  // Seven times around the loop for each call.
  const call = seen.indexOf(START + 16);
  expect(seen.slice(call + 1, call + 9)).toEqual([...new Array<number>(7).fill(FUNCTION + 4), START + 16]);
  for (const place of places) set(place, false);
  expect(hart.run(1000)).toBe(EXIT_FUEL);
});
