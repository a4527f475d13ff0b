// Pages of code by hand whose translations are kept (CodeStore): each page is a region that the others call. For tests of what
// happens between such regions.

import { PTE_A, PTE_R, PTE_W, PTE_X } from "../../src/arch/sv39.ts";
import { plainCompile } from "../../src/cpu/compile-module.ts";
import { findCode } from "../../src/cpu/jit/blocks.ts";
import type { CodeStore, KeptProgram } from "../../src/cpu/jit/kept-regions.ts";
import { pageHash } from "../../src/cpu/jit/page-hash.ts";
import { translateTogether } from "../../src/cpu/jit/region-module.ts";
import { makeLayout } from "../../src/cpu/layout.ts";
import { BareMachine } from "../../src/cpu/test-support/bare-machine.ts";
import { encode } from "../fuzz/riscv-assembler.ts";

const RAM = 2 << 20;
export const STACK = 0x20_0000;
const STACK_PAGES = 160;
export const [RA, SP, T0, T1, S0, S1, A0, A1] = [1, 2, 5, 6, 8, 9, 10, 11];

export const addi = (rd: number, rs1: number, imm: number) => encode("addi", { rd, rs1, imm });
export const ld = (rd: number, rs1: number, imm: number) => encode("ld", { rd, rs1, imm });
export const sd = (rs2: number, rs1: number, imm: number) => encode("sd", { rs2, rs1, imm });
export const ret = encode("jalr", { rd: 0, rs1: RA, imm: 0 });

/** Code of a page from its beginning; `at` is the offset where the instruction will be. */
export type Part = (at: number) => number[];
export function assemble(parts: readonly Part[]): number[] {
  const words: number[] = [];
  for (const part of parts) words.push(...part(words.length * 4));
  return words;
}
export const plain =
  (...words: number[]): Part =>
  () =>
    words;
export const jump =
  (page: number, to: number, rd = 0): Part =>
  (at) => [encode("jal", { rd, imm: to - (page + at) })];

/** By address: the instructions of a page. */
export type Pages = ReadonlyMap<number, readonly number[]>;

/** A store of one program, whose regions are these pages of code; each begins at its page's beginning. */
export function storeOf(code: Pages): CodeStore {
  const pages = [...code].map(([va, words]) => {
    const bytes = new Uint8Array(4096);
    bytes.set(new Uint8Array(new Uint32Array(words).buffer));
    return { va, bytes, hash: pageHash(new Int32Array(bytes.slice().buffer), 0), length: words.length * 4 };
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
    interestIn: () => "none",
    learn: () => {},
    learnNothing: () => {},
  };
}

/** A machine with this code and a stack, which has what is kept or, without a store, only the interpreter. */
export function machineWith(code: Pages, store: CodeStore | null): BareMachine {
  const machine = new BareMachine(RAM, store === null ? { translate: false } : { codeStore: () => store });
  for (const [va, words] of code) put(machine, machine.map(va, PTE_R | PTE_X | PTE_A), words);
  for (let page = 0; page < STACK_PAGES; page++) machine.map(STACK - (page + 1) * 4096, PTE_R | PTE_W);
  machine.context.setX(SP, STACK);
  return machine;
}

export function put(machine: BareMachine, pfn: number, words: readonly number[]): void {
  new Uint32Array(machine.bytes.buffer, machine.bytes.byteOffset + pfn * 4096).set(words);
}
