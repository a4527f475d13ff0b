// Kept regions that call each other: calls deeper than regions may wait for each other, calls through registers, functions that
// leave by a jump, code that is dropped or mapped elsewhere meanwhile. Whatever happens, the same is computed, and as many
// instructions are counted, as by the interpreter.
import { expect, it } from "vitest";
import { encode } from "../../../test/fuzz/riscv-assembler.ts";
import { PTE_A, PTE_R, PTE_W, PTE_X } from "../../arch/sv39.ts";
import { plainCompile } from "../compile-module.ts";
import { EXIT_FUEL } from "../exits.ts";
import { makeLayout } from "../layout.ts";
import { BareMachine } from "../test-support/bare-machine.ts";
import { findCode } from "./blocks.ts";
import type { CodeStore, KeptProgram } from "./kept-regions.ts";
import { pageHash } from "./page-hash.ts";
import { translateTogether } from "./region-module.ts";

const RAM = 2 << 20;
/** Each page has the code of one region; the stack and a table of functions are data. */
const [MAIN, F, G, H, DATA, STACK] = [0x10000, 0x11000, 0x12000, 0x13000, 0x20000, 0x200000];
const [RA, SP, T0, T1, S0, S1, A0, A1] = [1, 2, 5, 6, 8, 9, 10, 11];
const ROUNDS = 600;
const DEPTH = 150;
const STACK_PAGES = 160;

const addi = (rd: number, rs1: number, imm: number) => encode("addi", { rd, rs1, imm });
const ld = (rd: number, rs1: number, imm: number) => encode("ld", { rd, rs1, imm });
const sd = (rs2: number, rs1: number, imm: number) => encode("sd", { rs2, rs1, imm });
const ret = encode("jalr", { rd: 0, rs1: RA, imm: 0 });
const callTable = (at: number) => [ld(T0, S1, at), encode("jalr", { rd: RA, rs1: T0, imm: 0 })];

/** Code of a page from its beginning; `at` is the offset where the instruction will be. */
type Part = (at: number) => number[];
function assemble(parts: readonly Part[]): number[] {
  const words: number[] = [];
  for (const part of parts) words.push(...part(words.length * 4));
  return words;
}
const plain =
  (...words: number[]): Part =>
  () =>
    words;
const jump =
  (page: number, to: number, rd = 0): Part =>
  (at) => [encode("jal", { rd, imm: to - (page + at) })];
const prologue = plain(addi(SP, SP, -16), sd(RA, SP, 0));
const epilogue = plain(ld(RA, SP, 0), addi(SP, SP, 16), ret);

/** Code of each page, in which constants depend on `step`. */
type Pages = ReadonlyMap<number, (step: number) => number[]>;

/** main: ROUNDS times a deep recursion of f and g, and h by the table; f jumps to h when it is deep enough. */
const CODE: Pages = new Map<number, (step: number) => number[]>([
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
    () =>
      assemble([
        jump(MAIN, MAIN + 8),
        jump(MAIN, H, RA),
        plain(addi(A1, A1, 1), addi(S0, S0, -1), encode("andi", { rd: T1, rs1: S0, imm: 3 })),
        (at) => [encode("bne", { rs1: T1, rs2: 0, imm: 8 - at })],
        (at) => [encode("bne", { rs1: S0, rs2: 0, imm: 4 - at })],
        plain(0x73),
      ]),
  ],
  [H, CODE.get(H)!],
]);

function kept(code: Pages): CodeStore {
  const pages = [...code].map(([va, words]) => {
    const bytes = new Uint8Array(4096);
    bytes.set(new Uint8Array(new Uint32Array(words(3)).buffer));
    return { va, bytes, hash: pageHash(new Int32Array(bytes.slice().buffer), 0), length: words(3).length * 4 };
  });
  const graphs = pages.map(({ va, bytes, length }, own) =>
    findCode(
      {
        frame: (page) => (page === 0 ? own : -1),
        isHot: (_, offset) => offset < length,
        belongsElsewhere: () => false,
        halfword: (_, offset) => bytes[offset] | (bytes[offset + 1] << 8),
        distances: () => [],
      },
      va & 0xfff,
    ),
  );
  const sources = pages.map(({ va }, own) => ({
    graph: graphs[own],
    root: 0,
    goalAt: (offset: number) => {
      const region = pages.findIndex((page) => page.va === va + offset && page.va !== va);
      return region < 0 ? null : { region, offset: 0 };
    },
  }));
  const layout = makeLayout(RAM);
  const { bytes, regions } = translateTogether(sources, {
    memoryPages: layout.memoryPages,
    isExported: () => false,
    compileModule: plainCompile,
  });
  const module = new WebAssembly.Module(bytes);
  const program: KeptProgram = {
    module: () => module,
    regions: pages.map(({ hash, bytes, length }, i) => ({
      rootOffset: 0,
      entryOffsets: regions[i].entries,
      siteCount: regions[i].siteCount,
      instructionCount: graphs[i].instructionCount,
      pages: [{ page: 0, hash, spans: [0, length], bytes: bytes.slice(0, length) }],
    })),
  };
  const hashes = new Set(pages.map(({ hash }) => hash));
  return {
    programsWith: (hash) => (hashes.has(hash) ? [1] : []),
    program: () => program,
    isLearning: () => false,
    learn: () => {},
  };
}

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
  code = CODE,
): Ended {
  const machine = new BareMachine(RAM, store === null ? { translate: false } : { codeStore: () => store });
  for (const [va, words] of code) put(machine, machine.map(va, PTE_R | PTE_X | PTE_A), words(3));
  const data = machine.map(DATA, PTE_R | PTE_W);
  put(machine, data, [H, 0, depth, 0]);
  for (let page = 0; page < STACK_PAGES; page++) machine.map(STACK - (page + 1) * 4096, PTE_R | PTE_W);
  const { hart, context } = machine;
  context.pc = MAIN;
  context.setX(SP, STACK);
  context.setX(S0, rounds);
  context.setX(S1, DATA);
  while (hart.run(slice) === EXIT_FUEL) between(machine);
  return { sum: context.getXLow(A1), instructions: hart.instructions, kept: hart.codeCache?.keptInstructions ?? 0 };
}

function put(machine: BareMachine, pfn: number, words: readonly number[]): void {
  new Uint32Array(machine.bytes.buffer, machine.bytes.byteOffset + pfn * 4096).set(words);
}

/** Runs with kept regions and by the interpreter; answers what ran in kept regions. */
function compare(
  slice: number,
  between: () => (machine: BareMachine) => void,
  size: [number, number] = [ROUNDS, DEPTH],
  code = CODE,
): number {
  const { kept: inRegions, ...ended } = run(kept(code), slice, between(), size, code);
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
