// What each instruction reads and writes, as the translator learns it from the definitions.
import { expect, test } from "vitest";
import { decode, newDecoded } from "../isa/decode.ts";
import { findInstruction, INSTRUCTIONS } from "../isa/table.ts";
import { addOperands } from "./operands.ts";

const [RS1, RS2, RS3, RD] = [10, 11, 12, 13];
/** x10 to x13 and f10 to f13 of a set, by name. */
const names = (bits: number, letter: string) =>
  [RS1, RS2, RS3, RD].filter((i) => (bits >>> i) & 1).map((i) => `${letter}${i}`);

function operands(word: number): string {
  const reads = { x: 0, f: 0 };
  const writes = { x: 0, f: 0 };
  const d = newDecoded();
  decode(word >>> 0, d);
  addOperands({ ...d, at: 0 }, reads, writes);
  const show = ({ x, f }: { x: number; f: number }) => [...names(x, "x"), ...names(f, "f")].join(" ");
  return `${show(reads)} -> ${show(writes)}`;
}

/** The row's instruction with these registers in the fields that it does not fix itself. */
function wordOf(name: string): number {
  const row = INSTRUCTIONS.find((candidate) => candidate.name === name)!;
  const fields = (RD << 7) | (RS1 << 15) | (RS2 << 20) | (RS3 << 27);
  return row.match | (fields & ~row.mask);
}

test.each([
  ["add", "x10 x11 -> x13"],
  ["addi", "x10 -> x13"],
  ["lui", " -> x13"],
  ["ld", "x10 -> x13"],
  ["sd", "x10 x11 -> "],
  ["beq", "x10 x11 -> "],
  ["jal", " -> x13"],
  ["jalr", "x10 -> x13"],
  ["amoadd.d", "x10 x11 -> x13"],
  ["lr.d", "x10 -> x13"],
  ["sc.d", "x10 x11 -> x13"],
  ["fld", "x10 -> f13"],
  ["fsd", "x10 f11 -> "],
  ["fadd.d", "f10 f11 -> f13"],
  ["fmadd.d", "f10 f11 f12 -> f13"],
  ["fsqrt.d", "f10 -> f13"],
  ["feq.d", "f10 f11 -> x13"],
  ["fcvt.d.l", "x10 -> f13"],
  ["fcvt.l.d", "f10 -> x13"],
  ["fmv.x.d", "f10 -> x13"],
])("%s", (name, expected) => {
  expect(operands(wordOf(name))).toBe(expected);
});

test("every instruction that is translated says its operands", () => {
  const foreign = new Set(["CSR", "CSRI"]);
  const left = new Set(["ecall", "ebreak", "fence", "fence.i"]);
  const translated = INSTRUCTIONS.filter(({ format, name }) => !foreign.has(format) && !left.has(name));
  expect(translated.length).toBeGreaterThan(100);
  for (const { name } of translated) {
    expect(findInstruction(wordOf(name) >>> 0)?.name).toBe(name);
    expect(operands(wordOf(name)), name).not.toBe(" -> ");
  }
});
