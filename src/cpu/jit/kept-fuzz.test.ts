// Kept regions against the interpreter on random programs: pages of functions with loops in loops, branches into and out of them, calls
// in any place (of each other and themselves, through a table, as last thing), in slices of random length. Registers, memory and the
// count of instructions must be the same in the end.
import { expect, it } from "vitest";
import { encode, type Fields } from "../../../test/fuzz/riscv-assembler.ts";
import {
  addi,
  ld,
  machineWith,
  type Pages,
  put,
  RA,
  ret,
  S0,
  S1,
  SP,
  STACK,
  sd,
  storeOf,
  T0,
  T1,
} from "../../../test/support/kept-pages.ts";
import { PTE_R, PTE_W } from "../../arch/sv39.ts";
import { Prng } from "../../util/prng.ts";
import { EXIT_ECALL, EXIT_FUEL } from "../exits.ts";
import type { CodeStore } from "./kept-regions.ts";

/** S0: what is left of the budget of calls and jumps backwards; S1: data, which begins with a table of the functions. */
const BUDGET = 60_000;
const [TEXT, DATA] = [0x10000, 0x20000];
const DATA_BYTES = 2040;
const WORK = [7, 10, 11, 12, 13, 14, 15, 18, 19, 20];
/** Counted up by every turn of a loop. */
const TURNS = 22;
/** Below this address the stack is full: nothing is called. */
const LIMIT = 21;
const ECALL = 0x73;

/** Instructions that follow each other, made when it is known how far labels are from the first of them, in bytes. */
type Piece = (distance: (label: number) => number) => number[];

class FunctionWriter {
  private readonly pieces: { piece: Piece; count: number }[] = [];
  /** Label -> number of the instruction there. */
  private readonly labels: number[] = [];
  private readonly prng: Prng;
  private readonly own: number;
  private readonly pages: number;
  private length = 0;

  constructor(prng: Prng, own: number, pages: number) {
    this.prng = prng;
    this.own = own;
    this.pages = pages;
  }

  write(): number[] {
    const { prng, own } = this;
    const hasFrame = own === 0 || prng.below(4) > 0;
    if (hasFrame) this.put([addi(SP, SP, -32), sd(RA, SP, 8), sd(18, SP, 16)]);
    const forward: number[] = [];
    for (let left = 4 + prng.below(14); left > 0; left--) {
      const label = this.label();
      for (const waiting of forward.splice(0, prng.below(forward.length + 1))) this.labels[waiting] = this.length;
      switch (prng.below(hasFrame ? 8 : 4)) {
        case 0:
        case 1:
          this.work();
          break;
        case 2:
          forward.push(this.branchForward());
          break;
        case 3:
          // Most loops are small.
          this.branchBack(Math.max(0, label - prng.below(prng.below(4) === 0 ? label + 1 : 4)));
          break;
        case 4:
          this.callThroughTable();
          break;
        case 5:
          this.loopsFromTheMiddle();
          break;
        default:
          this.call();
      }
    }
    for (const waiting of forward) this.labels[waiting] = this.length;
    if (own === 0) {
      this.spendOr(1);
      this.add(1, (distance) => [encode("jal", { rd: 0, imm: distance(0) })]);
      this.put([ECALL]);
    } else {
      if (hasFrame) this.put([ld(18, SP, 16), ld(RA, SP, 8), addi(SP, SP, 32)]);
      if (prng.below(4) === 0) this.jumpTo(1 + prng.below(this.pages - 1), 0);
      this.put([ret]);
    }
    return this.resolve();
  }

  private add(count: number, piece: Piece): void {
    this.pieces.push({ piece, count });
    this.length += count;
  }
  private put(words: number[]): void {
    this.add(words.length, () => words);
  }
  private label(): number {
    return this.labels.push(this.length) - 1;
  }
  private register(): number {
    return WORK[this.prng.below(WORK.length)];
  }
  private op(name: string, fields: Fields = {}): number {
    return encode(name, { rd: this.register(), rs1: this.register(), rs2: this.register(), ...fields });
  }

  private work(): void {
    const { prng } = this;
    const regular = ["add", "sub", "xor", "and", "or", "mul", "addw", "subw", "sltu", "sllw", "mulhu"];
    const words = Array.from({ length: 1 + prng.below(5) }, () => {
      const imm = 8 * this.pages + prng.below(DATA_BYTES - 8 * this.pages - 8);
      switch (prng.below(6)) {
        case 0:
          return this.op(["ld", "lw", "lbu", "lhu"][prng.below(4)], { rs1: S1, imm });
        case 1:
          return this.op(["sd", "sw", "sb"][prng.below(3)], { rs1: S1, imm });
        case 2:
          return this.op(["addi", "xori", "addiw"][prng.below(3)], { imm: prng.below(4096) - 2048 });
        case 3:
          return this.op(["slli", "srli", "srai"][prng.below(3)], { imm: prng.below(64) });
        default:
          return this.op(regular[prng.below(regular.length)]);
      }
    });
    this.put(words);
  }

  /** By a branch or, as compilers begin loops in their middle, in any case; answers a label that is put somewhere behind. */
  private branchForward(): number {
    const { prng } = this;
    const label = this.label();
    const [name, rs1, rs2] = [
      ["beq", "bne", "blt", "bgeu", "jal", "jal"][prng.below(6)],
      this.register(),
      this.register(),
    ];
    this.add(1, (distance) => [encode(name, { rd: 0, rs1, rs2, imm: distance(label) })]);
    return label;
  }

  /** Jumps back sometimes, as the turns or a register say, while the budget lasts. */
  private branchBack(label: number): void {
    const { prng } = this;
    const mask = [1, 3, 7][prng.below(3)];
    const watched = prng.below(3) === 0 ? this.register() : TURNS;
    const name = prng.below(2) === 0 ? "bne" : "beq";
    this.put([addi(TURNS, TURNS, 1), encode("andi", { rd: T1, rs1: watched, imm: mask })]);
    if (prng.below(2) === 0) {
      // The jump back is the branch itself; the budget is looked at before.
      this.spendOr(1);
      this.add(1, (distance) => [encode(name, { rs1: T1, rs2: 0, imm: distance(label) })]);
    } else {
      this.put([encode(name, { rs1: T1, rs2: 0, imm: 12 }), addi(S0, S0, -1)]);
      this.add(1, (distance) => [encode("blt", { rs1: 0, rs2: S0, imm: distance(label) })]);
    }
  }

  /** Two loops that begin behind a call in the outer one, as compilers write loops with their condition at the end. */
  private loopsFromTheMiddle(): void {
    const middle = this.labels.push(Number.NaN) - 1;
    this.add(1, (distance) => [encode("jal", { rd: 0, imm: distance(middle) })]);
    const top = this.label();
    this.work();
    this.call();
    this.labels[middle] = this.length;
    this.work();
    this.branchBack(middle);
    this.branchBack(top);
  }

  /** Takes one off the budget; if nothing is left, skips so many instructions. */
  private spendOr(count: number): void {
    this.put([addi(S0, S0, -1), encode("bge", { rs1: 0, rs2: S0, imm: 4 + 4 * count })]);
  }
  private call(): void {
    this.jumpTo(1 + this.prng.below(this.pages - 1), RA);
  }
  private jumpTo(page: number, rd: number): void {
    this.put([encode("bgeu", { rs1: LIMIT, rs2: SP, imm: 16 })]);
    this.spendOr(1);
    const here = this.own * 4096 + this.length * 4;
    this.put([encode("jal", { rd, imm: page * 4096 - here })]);
  }
  private callThroughTable(): void {
    this.put([encode("bgeu", { rs1: LIMIT, rs2: SP, imm: 20 })]);
    this.spendOr(2);
    this.put([ld(T0, S1, 8 * (1 + this.prng.below(this.pages - 1))), encode("jalr", { rd: RA, rs1: T0, imm: 0 })]);
  }

  private resolve(): number[] {
    const words: number[] = [];
    for (const { piece, count } of this.pieces) {
      // Of the pieces that ask, the jump is the only instruction.
      const made = piece((label) => 4 * (this.labels[label] - words.length));
      if (made.length !== count) throw new Error("a piece is as long as it said");
      words.push(...made);
    }
    return words;
  }
}

function randomPages(seed: number): Pages {
  const prng = new Prng(seed);
  const count = 2 + prng.below(5);
  return new Map(
    Array.from({ length: count }, (_, i) => [TEXT + 4096 * i, new FunctionWriter(prng, i, count).write()]),
  );
}

interface Ended {
  readonly state: string;
  readonly kept: number;
}

function run(pages: Pages, store: CodeStore | null, seed: number): Ended {
  const machine = machineWith(pages, store);
  const data = machine.map(DATA, PTE_R | PTE_W);
  put(
    machine,
    data,
    [...pages.keys()].flatMap((va) => [va, 0]),
  );
  const { hart, context } = machine;
  const prng = new Prng(seed);
  for (const register of WORK) context.setX(register, prng.below(2 ** 31));
  context.pc = TEXT;
  context.setX(S0, BUDGET);
  context.setX(S1, DATA);
  context.setX(LIMIT, STACK - 4096 * prng.below(150));
  let reason = EXIT_FUEL as number;
  while (reason === EXIT_FUEL) reason = hart.run(100 + prng.below(60_000));
  expect(reason).toBe(EXIT_ECALL);
  const registers = Array.from({ length: 32 }, (_, i) => [context.getXHigh(i), context.getXLow(i)].join(":"));
  const memory = Buffer.from(machine.bytes.subarray(data * 4096, (data + 1) * 4096)).toString("base64");
  const kept = hart.codeCache?.keptInstructions ?? 0;
  return { state: [hart.instructions, ...registers, memory].join(" "), kept: kept / hart.instructions };
}

let inRegions = 0;
const SEEDS = Array.from({ length: 100 }, (_, i) => i + 1);

it.each(SEEDS)("compute and count the same (seed %i)", (seed) => {
  const pages = randomPages(seed);
  const { state, kept } = run(pages, storeOf(pages), seed);
  expect(state).toBe(run(pages, null, seed).state);
  inRegions += kept;
});

it("ran in regions for a good part", () => {
  expect(inRegions / SEEDS.length).toBeGreaterThan(0.2);
});
