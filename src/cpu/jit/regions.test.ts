// Regions against the interpreter: accesses that share a look in the TLB, faults in the middle of blocks, mappings that change
// under a running region; and when a region is optimised.
import { expect, it } from "vitest";
import { encode } from "../../../test/fuzz/riscv-assembler.ts";
import { PTE_R, PTE_W, PTE_X } from "../../arch/sv39.ts";
import type { CodeKind } from "../compile-module.ts";
import { EXIT_ECALL, EXIT_FUEL, EXIT_PAGE_FAULT } from "../exits.ts";
import { BareMachine } from "../test-support/bare-machine.ts";

const CODE = 0x10000;
// Its pages lie on both sides of where the TLB begins again.
const DATA = 0x3fc000;
const PAGES = 8;
const FIRST = 8;
const SECOND = 9;
const COUNTER = 5;
const NEXT = 7;
const COMPUTED = 6;
const LOADS = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "fld", "flw"];
const STORES = ["sb", "sh", "sw", "sd", "fsd"];

/** Mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const addi = (rd: number, rs1: number, imm: number) => encode("addi", { rd, rs1, imm });

/** A loop over random accesses through two registers that walk through memory. */
function program(pick: (below: number) => number): number[] {
  const words: number[] = [];
  const steps = [8, 16, 24, 13, 6, -8];
  for (let i = 0; i < 24; i++) {
    const rs1 = pick(2) === 0 ? FIRST : SECOND;
    // Mostly aligned, as compilers have it.
    const imm = pick(8) === 0 ? pick(64) - 32 : (pick(12) - 4) * 8;
    if (pick(3) === 0) words.push(encode(STORES[pick(STORES.length)], { rs1, rs2: 10 + pick(6), imm }));
    else words.push(encode(LOADS[pick(LOADS.length)], { rd: 10 + pick(6), rs1, imm }));
    if (pick(9) === 0) words.push(addi(rs1, rs1, pick(3) * 8 - 8));
    if (pick(6) === 0) words.push(encode("add", { rd: 10 + pick(6), rs1: 10 + pick(6), rs2: 10 + pick(6) }));
  }
  words.push(addi(FIRST, FIRST, steps[pick(steps.length)]), addi(SECOND, SECOND, steps[pick(steps.length)]));
  words.push(addi(COUNTER, COUNTER, -1));
  words.push(encode("bne", { rs1: COUNTER, rs2: 0, imm: -4 * words.length }), 0x73);
  return words;
}

/** A loop that follows pointers, reads and writes around where it is, moves a register along beside it, and computes one from that. */
function chase(pick: (below: number) => number): number[] {
  const words = [
    encode("slli", { rd: COMPUTED, rs1: COUNTER, imm: 4 }),
    encode("add", { rd: COMPUTED, rs1: COMPUTED, rs2: SECOND }),
  ];
  for (let i = 0; i < 16; i++) {
    const imm = (pick(16) - 8) * 8;
    const kind = pick(8);
    if (kind < 3) words.push(encode("ld", { rd: NEXT, rs1: NEXT, imm }));
    else if (kind < 5)
      words.push(encode(LOADS[pick(LOADS.length)], { rd: 10 + pick(6), rs1: NEXT, imm: imm + pick(3) }));
    else if (kind === 5) words.push(encode("sd", { rs1: pick(2) === 0 ? NEXT : COMPUTED, rs2: NEXT, imm }));
    else if (kind === 6) words.push(encode("lw", { rd: 10 + pick(6), rs1: COMPUTED, imm: imm + pick(2) }));
    else words.push(encode("lbu", { rd: 10 + pick(6), rs1: SECOND, imm }));
  }
  words.push(encode("ld", { rd: NEXT, rs1: NEXT, imm: 0 }), addi(SECOND, SECOND, 8), addi(COUNTER, COUNTER, -1));
  words.push(encode("bne", { rs1: COUNTER, rs2: 0, imm: -4 * words.length }), 0x73);
  return words;
}

const ON_64 = ["add", "sub", "and", "or", "xor", "sll"];
const ON_32 = ["addw", "subw", "sllw", "srlw", "sraw", "mulw", "divw", "remuw"];
const IMMEDIATE = ["andi", "ori", "xori", "addi", "addiw"];
const SHIFT = ["slliw", "srliw", "sraiw", "slli", "srli"];

/** A loop that computes with 32 bits and with 64 in the same registers. */
function words(pick: (below: number) => number): number[] {
  const register = () => 10 + pick(6);
  const code: number[] = [];
  for (let i = 0; i < 48; i++) {
    const [rd, rs1, rs2] = [register(), register(), register()];
    const kind = pick(10);
    if (kind < 3) code.push(encode(ON_64[pick(ON_64.length)], { rd, rs1, rs2 }));
    else if (kind < 6) code.push(encode(ON_32[pick(ON_32.length)], { rd, rs1, rs2 }));
    else if (kind === 6) code.push(encode(IMMEDIATE[pick(IMMEDIATE.length)], { rd, rs1, imm: pick(4096) - 2048 }));
    else if (kind === 7) code.push(encode(SHIFT[pick(SHIFT.length)], { rd, rs1, imm: pick(32) }));
    else if (kind === 8) code.push(encode(pick(2) === 0 ? "lw" : "ld", { rd, rs1: FIRST, imm: pick(32) * 8 }));
    else code.push(encode("sd", { rs1: FIRST, rs2, imm: pick(32) * 8 }));
  }
  code.push(addi(FIRST, FIRST, 24), addi(COUNTER, COUNTER, -1));
  code.push(encode("bne", { rs1: COUNTER, rs2: 0, imm: -4 * code.length }), 0x73);
  return code;
}

/** Runs it; every fault maps its page, and now and then another one is taken away. Answers everything that can be seen of the run. */
function run(seed: number, translate: false | "always", makeProgram = program) {
  const pick = random(seed);
  const machine = new BareMachine(2 << 20, { translate });
  const code = machine.map(CODE, PTE_R | PTE_X);
  const words = makeProgram(pick);
  words.forEach((word, i) => {
    for (let k = 0; k < 4; k++) machine.bytes[code * 4096 + 4 * i + k] = word >>> (8 * k);
  });
  const frames = Array.from({ length: PAGES }, () => machine.allocate());
  // Adjoining pages are in adjoining frames but for two of them.
  const [one, other] = [pick(PAGES), pick(PAGES)];
  [frames[one], frames[other]] = [frames[other], frames[one]];
  for (const pfn of frames) {
    const pointers = new BigUint64Array(machine.bytes.buffer, machine.bytes.byteOffset + pfn * 4096, 512);
    for (let i = 0; i < 512; i++) pointers[i] = BigInt(DATA + 64 + 8 * pick((PAGES * 4096 - 192) / 8));
  }
  for (const [i, pfn] of frames.entries()) machine.map(DATA + i * 4096, pick(3) === 0 ? PTE_R : PTE_R | PTE_W, pfn);
  const { context, hart } = machine;
  context.pc = CODE;
  context.setX(FIRST, DATA + 4096 * 3 + pick(4096));
  context.setX(SECOND, DATA + 4096 * 4 + pick(512) * 8);
  context.setX(NEXT, DATA + 64);
  context.setX(COUNTER, 300);
  for (let i = 10; i < 16; i++) context.setX64(i, pick(2 ** 31), pick(2 ** 31));
  const faults: number[][] = [];
  const takeAway = (page: number) => {
    machine.map(DATA + page * 4096, pick(2) === 0 ? 0 : PTE_R, frames[page]);
    hart.tlb.flushRange({ id: 1 }, DATA >> 12, (DATA >> 12) + PAGES);
  };
  for (;;) {
    const reason = hart.run(500);
    if (reason === EXIT_ECALL || faults.length > 2000) break;
    if (reason === EXIT_FUEL) {
      takeAway(pick(PAGES));
      continue;
    }
    expect(reason).toBe(EXIT_PAGE_FAULT);
    const page = (hart.faultAddressLow - DATA) >> 12;
    faults.push([context.pc, hart.faultAddressLow, hart.faultAccess, hart.instructions]);
    if (page < 0 || page >= PAGES) break;
    machine.map(DATA + page * 4096, PTE_R | PTE_W, frames[page]);
    const other = pick(PAGES);
    if (Math.abs(other - page) > 1) takeAway(other);
  }
  const registers = Array.from({ length: 32 }, (_, i) => [context.getXHigh(i), context.getXLow(i)]);
  const memory = frames.map((pfn) =>
    Buffer.from(machine.bytes.subarray(pfn * 4096, pfn * 4096 + 4096)).toString("hex"),
  );
  const entered = hart.codeCache?.regionCalls ?? 0;
  return { faults, registers, memory, pc: context.pc, instructions: hart.instructions, entered };
}

const PROGRAMS = Array.from({ length: 24 }, (_, i) => i + 1);

it.each([
  ...PROGRAMS.map((seed) => ({ seed, makeProgram: program })),
  ...PROGRAMS.map((seed) => ({ seed, makeProgram: chase })),
  ...PROGRAMS.map((seed) => ({ seed, makeProgram: words })),
])("regions agree with the interpreter, $makeProgram.name $seed", ({ seed, makeProgram }) => {
  const { entered: never, ...interpreted } = run(seed, false, makeProgram);
  const { entered, ...translated } = run(seed, "always", makeProgram);
  expect(translated).toEqual(interpreted);
  expect(interpreted.faults.length).toBeGreaterThan(0);
  expect([never, entered > 0]).toEqual([0, true]);
});

it("a region is optimised when it has run long enough, not before", () => {
  const kinds: CodeKind[] = [];
  const machine = new BareMachine(1 << 20, {
    compileModule: (bytes, kind) => {
      kinds.push(kind);
      return new WebAssembly.Module(bytes);
    },
  });
  const code = machine.map(CODE, PTE_R | PTE_X);
  const words = [addi(6, 6, 1), addi(7, 7, 2), encode("jal", { rd: 0, imm: -8 })];
  words.forEach((word, i) => {
    for (let k = 0; k < 4; k++) machine.bytes[code * 4096 + 4 * i + k] = word >>> (8 * k);
  });
  machine.context.pc = CODE;
  const { hart } = machine;
  for (let i = 0; i < 30; i++) hart.run(50_000);
  expect(hart.codeCache!.regionCount).toBe(1);
  expect(kinds).not.toContain("optimised");
  while (hart.instructions < 12_000_000) hart.run(50_000);
  expect(kinds.filter((kind) => kind === "optimised")).toHaveLength(1);
  expect(hart.codeCache!.regionCount).toBe(1);
  expect(machine.context.getX(7)).toBe(2 * machine.context.getX(6));
});
