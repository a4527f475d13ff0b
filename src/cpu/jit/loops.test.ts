// What a loop does to the registers that its loads and stores go through.
import { expect, it } from "vitest";
import { encode } from "../../../test/fuzz/riscv-assembler.ts";
import { decode, newDecoded } from "../isa/decode.ts";
import type { Block, BlockInstruction } from "./blocks.ts";
import { baseRegisters, findLoops } from "./loops.ts";
import { structure } from "./structure.ts";

/** One loop of these instructions: by register, how it is used as a base. */
function inLoop(...words: number[]): Record<string, "steady" | "roaming"> {
  const instructions = words.map((word, i) => {
    const decoded = newDecoded();
    decode(word, decoded);
    return Object.assign(decoded, { at: 4 * i }) as BlockInstruction;
  });
  const block = { start: 0, instructions } as unknown as Block;
  const { steady, roaming } = baseRegisters([{ head: 1, body: new Set([1]) }], [null, block]);
  expect([steady[0], roaming[0], steady[1] & roaming[1]]).toEqual([0, 0, 0]);
  const uses: Record<string, "steady" | "roaming"> = {};
  for (let i = 0; i < 32; i++) {
    if (((steady[1] >>> i) & 1) !== 0) uses[i] = "steady";
    if (((roaming[1] >>> i) & 1) !== 0) uses[i] = "roaming";
  }
  return uses;
}

const instruction = (name: string, operands: object) => encode(name, operands as never);

it("what nothing or only a small step changes is steady, and x0 is nothing", () => {
  const uses = inLoop(instruction("addi", { rd: 5, rs1: 5, imm: 8 }), instruction("sd", { rs1: 6, rs2: 9, imm: 9 }));
  expect([uses[0], uses[5], uses[6], uses[9]]).toEqual([undefined, "steady", "steady", "steady"]);
});

it("a large step, sums and shifts of such registers roam", () => {
  const uses = inLoop(
    instruction("addi", { rd: 5, rs1: 5, imm: 1024 }),
    instruction("slli", { rd: 6, rs1: 5, imm: 3 }),
    instruction("add", { rd: 7, rs1: 6, rs2: 8 }),
    instruction("lui", { rd: 9, imm: 0x1000 }),
  );
  expect([uses[5], uses[6], uses[7], uses[8], uses[9]]).toEqual(["roaming", "roaming", "roaming", "steady", "roaming"]);
});

it("what follows a list roams, what comes from elsewhere in memory does not, nor what is computed from it", () => {
  const uses = inLoop(
    instruction("ld", { rd: 5, rs1: 5, imm: 16 }),
    instruction("ld", { rd: 6, rs1: 7, imm: 0 }),
    instruction("add", { rd: 8, rs1: 6, rs2: 7 }),
    instruction("mul", { rd: 9, rs1: 7, rs2: 7 }),
  );
  expect([uses[5], uses[6], uses[7], uses[8], uses[9]]).toEqual(["roaming", undefined, "steady", undefined, undefined]);
});

/** Loops of an inner loop (1) and what is around it (2), which 3 leads to. */
function nested(entry: number): number[][] {
  const successors = [[], [1, 2], [1], [1]];
  return findLoops(structure(successors, new Set([entry])), successors).map(({ head, body }) => [head, ...body]);
}

it("jumps back to where a region is entered are loops of their own, inner ones last", () => {
  expect(nested(3)).toEqual([[1, 1, 2]]);
  expect(nested(1)).toEqual([
    [1, 1, 2],
    [1, 1],
  ]);
});
