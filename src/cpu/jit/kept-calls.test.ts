// Kept regions that call each other: calls deeper than regions may wait for each other, calls through registers, functions that
// leave by a jump, code that is dropped or mapped elsewhere meanwhile. Whatever happens, the same is computed, and as many
// instructions are counted, as by the interpreter.
import { expect, it } from "vitest";
import { encode } from "../../../test/fuzz/riscv-assembler.ts";
import {
  A0,
  A1,
  addi,
  assemble,
  jump,
  ld,
  machineWith,
  type Pages,
  plain,
  put,
  RA,
  ret,
  S0,
  S1,
  SP,
  sd,
  storeOf,
  T0,
  T1,
} from "../../../test/support/kept-pages.ts";
import { PTE_A, PTE_R, PTE_W, PTE_X } from "../../arch/sv39.ts";
import { EXIT_FUEL } from "../exits.ts";
import type { BareMachine } from "../test-support/bare-machine.ts";
import type { CodeStore } from "./kept-regions.ts";

/** Each page has the code of one region; a table of functions is data. */
const [MAIN, F, G, H, DATA] = [0x10000, 0x11000, 0x12000, 0x13000, 0x20000];
const ROUNDS = 600;
const DEPTH = 150;

const callTable = (at: number) => [ld(T0, S1, at), encode("jalr", { rd: RA, rs1: T0, imm: 0 })];
const prologue = plain(addi(SP, SP, -16), sd(RA, SP, 0));
const epilogue = plain(ld(RA, SP, 0), addi(SP, SP, 16), ret);

/** main: ROUNDS times a deep recursion of f and g, and h by the table; f jumps to h when it is deep enough. */
const CODE = new Map<number, (step: number) => number[]>([
  [
    MAIN,
    () =>
      assemble([
        plain(ld(A0, S1, 8)),
        jump(MAIN, F, RA),
        plain(...callTable(0), addi(S0, S0, -1)),
        (at) => [encode("bne", { rs1: S0, rs2: 0, imm: -at })],
        plain(0x73),
      ]),
  ],
  [
    F,
    () =>
      assemble([
        plain(addi(T1, A0, -1), encode("blt", { rs1: 0, rs2: T1, imm: 8 })),
        jump(F, H),
        prologue,
        plain(addi(A0, A0, -1)),
        jump(F, G, RA),
        plain(addi(A1, A1, 1)),
        epilogue,
      ]),
  ],
  [G, (step) => assemble([prologue, plain(addi(A1, A1, step)), jump(G, F, RA), epilogue])],
  [H, (step) => assemble([plain(addi(A1, A1, 5 * step), ret)])],
]);

/** main: an inner loop, around it one that calls h and returns to the head of both; h changes what the inner one adds to. */
const ONE_HEAD: Pages = new Map([
  [
    MAIN,
    assemble([
      jump(MAIN, MAIN + 8),
      jump(MAIN, H, RA),
      plain(addi(A1, A1, 1), addi(S0, S0, -1), encode("andi", { rd: T1, rs1: S0, imm: 3 })),
      (at) => [encode("bne", { rs1: T1, rs2: 0, imm: 8 - at })],
      (at) => [encode("bne", { rs1: S0, rs2: 0, imm: 4 - at })],
      plain(0x73),
    ]),
  ],
  [H, CODE.get(H)!(3)],
]);

/** CODE as it is before anything changes. */
const USUAL: Pages = new Map([...CODE].map(([va, words]) => [va, words(3)]));

interface Ended {
  readonly sum: number;
  readonly instructions: number;
  readonly kept: number;
}

/** What a1 is in the end; `between`: after each slice of so many instructions. */
function run(
  store: CodeStore | null,
  slice: number,
  between: (machine: BareMachine) => void,
  [rounds, depth] = [ROUNDS, DEPTH],
  code = USUAL,
): Ended {
  const machine = machineWith(code, store);
  const data = machine.map(DATA, PTE_R | PTE_W);
  put(machine, data, [H, 0, depth, 0]);
  const { hart, context } = machine;
  context.pc = MAIN;
  context.setX(S0, rounds);
  context.setX(S1, DATA);
  while (hart.run(slice) === EXIT_FUEL) between(machine);
  return { sum: context.getXLow(A1), instructions: hart.instructions, kept: hart.codeCache?.keptInstructions ?? 0 };
}

/** Runs with kept regions and by the interpreter; answers what ran in kept regions. */
function compare(
  slice: number,
  between: () => (machine: BareMachine) => void,
  size: [number, number] = [ROUNDS, DEPTH],
  code = USUAL,
): number {
  const { kept: inRegions, ...ended } = run(storeOf(code), slice, between(), size, code);
  const { sum, instructions } = run(null, slice, between(), size, code);
  expect(ended).toEqual({ sum, instructions });
  return inRegions / instructions;
}

it.each([1_000, 7_777, 100_000])("compute and count the same in slices of %i", (slice) => {
  expect(compare(slice, () => () => {})).toBeGreaterThan(0.6);
});

it("find what was changed by what they called, in a loop with the head of one that calls nothing", () => {
  expect(compare(100_000, () => () => {}, [600_000, 0], ONE_HEAD)).toBeGreaterThan(0.5);
});

it("do not exhaust the host's stack", () => {
  expect(compare(100_000, () => () => {}, [8, 18_000])).toBeGreaterThan(0.6);
});

/** Now and then code is written anew, dropped, or mapped elsewhere. */
function chaos(seed: number): (machine: BareMachine) => void {
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  /** Frames that a page was mapped to before. */
  const others = new Map<number, number>();
  return (machine) => {
    // Regions are loaded first.
    if (machine.hart.instructions < 300_000 || next(12) !== 0) return;
    const va = [MAIN, F, G, H][next(4)];
    const pfn = Math.floor(machine.pte(va) / 1024);
    const code = CODE.get(va)!(next(4) !== 0 ? 3 : 1 + next(5));
    switch (next(4)) {
      case 0:
        machine.hart.tlb.frameChanged(pfn);
        return;
      case 1:
        put(machine, pfn, code);
        machine.hart.tlb.frameChanged(pfn);
        return;
      default: {
        if (!others.has(va)) {
          others.set(va, machine.allocate());
          put(machine, others.get(va)!, code);
        }
        machine.map(va, PTE_R | PTE_X | PTE_A, others.get(va));
        others.set(va, pfn);
        machine.hart.tlb.flushPage({ id: 1 }, va / 4096);
      }
    }
  };
}

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);

it.each(SEEDS)("compute and count the same while code changes under them (seed %i)", (seed) => {
  expect(compare(1_500, () => chaos(seed))).toBeGreaterThan(0.01);
});
