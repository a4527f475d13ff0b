// Translations of an earlier run: what was learned from one run is used by the next, which computes and counts the same; code
// that is not what was translated is left alone.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encode } from "../../../test/fuzz/riscv-assembler.ts";
import { PTE_A, PTE_R, PTE_X } from "../../arch/sv39.ts";
import { plainCompile } from "../compile-module.ts";
import { EXIT_FUEL } from "../exits.ts";
import { MOST_REGION_ENTRIES, makeLayout } from "../layout.ts";
import { BareMachine } from "../test-support/bare-machine.ts";
import { type TranslatedProgram, translateAhead } from "./ahead.ts";
import { findCode } from "./blocks.ts";
import type { CodeStore, Interest, KeptProgram } from "./kept-regions.ts";
import { pageHash } from "./page-hash.ts";
import { translateTogether } from "./region-module.ts";
import type { CodeProfile } from "./survey.ts";

const KERNELS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

function program(number: number): Uint8Array {
  return readFileSync(new URL(`../test-support/programs/prebuilt/kernel${number}.elf`, import.meta.url));
}

/** A store of one program in memory; `finds` says whether it has regions for a page. */
class MemoryStore implements CodeStore {
  kept: TranslatedProgram | null = null;
  interest: Interest = "full";
  lessons: CodeProfile[] = [];
  idleRuns = 0;
  private readonly memoryPages: number;
  private readonly finds: (hash: number) => boolean;

  constructor(memoryPages: number, finds?: (hash: number) => boolean) {
    this.memoryPages = memoryPages;
    this.finds = finds ?? ((hash) => this.kept!.regions.some(({ pages }) => pages.some((page) => page.hash === hash)));
  }
  interestIn(): Interest {
    return this.interest;
  }
  programsWith(hash: number): readonly number[] {
    return this.kept !== null && this.finds(hash) ? [1] : [];
  }
  program(): KeptProgram {
    const { regions, bytes } = this.kept!;
    return { regions, module: () => new WebAssembly.Module(bytes) };
  }
  learnNothing(): void {
    this.idleRuns++;
  }
  learn(profile: CodeProfile): void {
    this.lessons.push(profile);
    this.kept = translateAhead(profile, this.memoryPages, plainCompile);
  }
}

interface Ended {
  readonly output: string;
  readonly instructions: number;
  /** Instructions run in regions of earlier runs. */
  readonly kept: number;
}

function run(elf: Uint8Array, store: CodeStore | null, between?: (machine: BareMachine) => void): Ended {
  const machine = new BareMachine(16 << 20, { codeStore: () => store });
  machine.load(elf);
  machine.slice = 1_000_000;
  if (between) machine.betweenSlices = () => between(machine);
  expect(machine.run()).toBe(0);
  machine.hart.finish();
  const { hart, output } = machine;
  expect(hart.codeCache).not.toBeNull();
  return {
    output: Buffer.from(output).toString(),
    instructions: hart.instructions,
    kept: hart.codeCache!.keptInstructions,
  };
}

function learned(elf: Uint8Array): { store: MemoryStore; first: Ended } {
  const store = new MemoryStore(makeLayout(16 << 20).memoryPages);
  const first = run(elf, store);
  return { store, first };
}

describe("regions of an earlier run", () => {
  it.each(KERNELS)("are used for kernel %i, which prints and counts the same", (number) => {
    const { store, first } = learned(program(number));
    expect(store.kept!.regions.length).toBeGreaterThan(0);
    const second = run(program(number), store);
    expect(second.output).toBe(first.output);
    expect(second.instructions).toBe(first.instructions);
    expect(first.kept).toBe(0);
    expect(second.kept).toBeGreaterThan(0.9 * second.instructions);
  });

  it("say of what bytes they were made", () => {
    const { store } = learned(program(7));
    for (const { pages, rootOffset, entryOffsets } of store.kept!.regions) {
      expect(entryOffsets).toContain(rootOffset);
      expect(pages.map(({ page }) => page)).toContain(0);
      for (const { spans, bytes } of pages) {
        expect(spans.reduce((sum, n, i) => sum + (i % 2) * n, 0)).toBe(bytes.length);
      }
    }
  });

  it("are left alone when an instruction differs", () => {
    const { store } = learned(program(2));
    // A bit of the last instruction of each page is changed, and the page is said to be the one that was learned.
    const pages = store.kept!.regions.flatMap((region) => region.pages);
    const machine = new BareMachine(16 << 20, { codeStore: () => store });
    machine.load(program(2));
    const hashOfFrame = (pfn: number) =>
      pageHash(new Int32Array(machine.bytes.slice(pfn * 4096, (pfn + 1) * 4096).buffer), 0);
    let changed = 0;
    for (let pfn = 1; pfn < 80; pfn++) {
      const hash = hashOfFrame(pfn);
      const same = pages.filter((page) => page.hash === hash);
      if (same.length === 0) continue;
      changed++;
      const [at, length] = same[0].spans.slice(-2);
      machine.bytes[pfn * 4096 + at + length - 1] ^= 0x10;
      for (const page of same) Object.assign(page, { hash: hashOfFrame(pfn) });
    }
    expect(changed).toBeGreaterThan(0);
    machine.slice = 3_000_000;
    machine.betweenSlices = () => {
      throw new Error("enough");
    };
    try {
      machine.run();
    } catch {
      // What it does now is its business.
    }
    expect(machine.hart.instructions).toBeGreaterThan(1_000_000);
    expect(machine.hart.codeCache!.keptInstructions).toBe(0);
  });

  it("do not run code that was changed before it was first executed in this run", () => {
    const [A, B] = [0x10000, 0x11000];
    const ROUNDS = [4 << 20, 2 << 20];
    const words = ROUNDS.flatMap((rounds, i) => {
      const body = i === 0 ? encode("addi", { rd: 6, rs1: 6, imm: 1 }) : encode("jal", { rd: 1, imm: B - A - 4 * 5 });
      const count = encode("addi", { rd: 5, rs1: 5, imm: -1 });
      return [encode("lui", { rd: 5, imm: rounds >> 12 }), body, count, encode("bne", { rs1: 5, rs2: 0, imm: -8 })];
    });
    const increment = (by: number) => [
      encode("addi", { rd: 7, rs1: 7, imm: by }),
      encode("jalr", { rd: 0, rs1: 1, imm: 0 }),
    ];
    const put = (machine: BareMachine, pfn: number, code: number[]) =>
      new Uint32Array(machine.bytes.buffer, machine.bytes.byteOffset + pfn * 4096).set(code);
    /** Changes the second page after so many instructions of the first loop; answers what its function added up to. */
    const sum = (store: CodeStore, changeAt: number) => {
      const machine = new BareMachine(2 << 20, { codeStore: () => store });
      put(machine, machine.map(A, PTE_R | PTE_X), [...words, 0x73]);
      // It was read, but not executed: nothing tells the hart of a store to it.
      const second = machine.map(B, PTE_R | PTE_X | PTE_A);
      put(machine, second, increment(1));
      const { hart, context } = machine;
      context.pc = A;
      while (hart.run(100_000) === EXIT_FUEL) if (hart.instructions >= changeAt) put(machine, second, increment(3));
      hart.finish();
      return { sum: context.getXLow(7), kept: hart.codeCache!.keptInstructions };
    };
    const store = new MemoryStore(makeLayout(2 << 20).memoryPages);
    expect(sum(store, Number.POSITIVE_INFINITY)).toEqual({ sum: ROUNDS[1], kept: 0 });
    const changed = sum(store, 5_000_000);
    expect(changed.kept).toBeGreaterThan(5_000_000);
    expect(changed.sum).toBe(3 * ROUNDS[1]);
  });

  it("are entered in fewer places when there are too many", () => {
    // Pages of jumps, each to the next page; every halfword of each is said to be an entry.
    const pageCount = MOST_REGION_ENTRIES / 2048 + 2;
    const first = 0x10000;
    const codeOf = (page: number) => {
      const next = page === pageCount - 1 ? -page * 4096 : 4096;
      return encode("jal", { rd: 0, imm: next });
    };
    const pages = Array.from({ length: pageCount }, (_, page) => {
      const bytes = new Uint8Array(4096);
      new Uint32Array(bytes.buffer)[0] = codeOf(page);
      new Uint32Array(bytes.buffer)[1] = page;
      return { bytes, hash: pageHash(new Int32Array(bytes.buffer), 0) };
    });
    const source = (page: number) => ({
      frame: (other: number) => (other === 0 ? page : -1),
      isHot: (_: number, offset: number) => offset < 4,
      belongsElsewhere: () => false,
      halfword: (_: number, offset: number) => pages[page].bytes[offset] | (pages[page].bytes[offset + 1] << 8),
      distances: () => [],
    });
    const graphs = pages.map((_, page) => findCode(source(page), 0));
    const { memoryPages } = makeLayout(2 << 20);
    const { bytes } = translateTogether(
      graphs.map((graph) => ({ graph, root: 0, goalAt: () => null })),
      { memoryPages, isExported: () => false, compileModule: plainCompile },
    );
    const regions = pages.map(({ hash, bytes }) => ({
      rootOffset: 0,
      entryOffsets: Array.from({ length: 2048 }, (_, i) => 2 * i),
      siteCount: 0,
      instructionCount: 1,
      pages: [{ page: 0, hash, spans: [0, 4], bytes: bytes.slice(0, 4) }],
    }));
    const store = new MemoryStore(memoryPages, () => true);
    store.kept = { regions, bytes };
    const machine = new BareMachine(2 << 20, { codeStore: () => store });
    for (const [page, { bytes }] of pages.entries()) {
      const pfn = machine.map(first + page * 4096, PTE_R | PTE_X | PTE_A);
      machine.bytes.set(bytes, pfn * 4096);
    }
    const { hart, context } = machine;
    context.pc = first;
    while (hart.instructions < 1_000_000) expect(hart.run(100_000)).toBe(EXIT_FUEL);
    expect(hart.codeCache!.keptInstructions).toBeGreaterThan(100_000);
  });

  it("come back when code was dropped under them", () => {
    const { store, first } = learned(program(7));
    let seed = 1;
    const { output, instructions } = run(program(7), store, (machine) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      for (let pfn = 1; pfn < 80; pfn++) if (((seed >>> (pfn % 24)) & 7) === 0) machine.hart.tlb.frameChanged(pfn);
    });
    expect(output).toBe(first.output);
    expect(instructions).toBe(first.instructions);
  });

  it("are not made when the store has learned enough", () => {
    const store = new MemoryStore(makeLayout(16 << 20).memoryPages);
    store.interest = "none";
    expect(run(program(7), store).kept).toBe(0);
    expect([store.lessons.length, store.idleRuns]).toEqual([0, 0]);
  });

  it("are made of less when the store expected nothing new and the run was different", () => {
    const { store: interested } = learned(program(7));
    const store = new MemoryStore(makeLayout(16 << 20).memoryPages);
    store.interest = "little";
    run(program(7), store);
    expect(store.lessons.length).toBe(1);
    expect(store.lessons[0].scale).toBeGreaterThan(interested.lessons[0].scale);
  });

  it("are not made of a run that interpreted little, and the store hears of it", () => {
    const store = new MemoryStore(makeLayout(16 << 20).memoryPages);
    const machine = new BareMachine(16 << 20, { codeStore: () => store });
    machine.load(program(7));
    machine.slice = 1_000_000;
    machine.betweenSlices = () => {
      if (machine.hart.instructions > 9_000_000) throw new Error("enough");
    };
    expect(() => machine.run()).toThrow("enough");
    machine.hart.finish();
    expect([store.lessons.length, store.idleRuns]).toEqual([0, 1]);
  });
});
