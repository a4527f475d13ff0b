// Whether what is to be optimised is a module of its own for V8, and whether V8's flags are as before.
import { expect, it } from "vitest";
import { compileForV8 } from "./compile-module.ts";

/** (module (func (export "f") (result i32) i32.const 7)) */
const MODULE = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 6, 1, 4, 0, 0x41,
  7, 0x0b,
]);

it.each([
  ["interpreter", 0],
  ["baseline", 0],
  ["optimised", 1],
] as const)("%s code works and has %i marks", (kind, marks) => {
  const module = compileForV8(MODULE, kind);
  const { customSections } = WebAssembly.Module as unknown as { customSections(m: object, name: string): unknown[] };
  expect(customSections(module, "optimised")).toHaveLength(marks);
  expect((new WebAssembly.Instance(module).exports.f as () => number)()).toBe(7);
});

it("a refused module leaves later ones alone", () => {
  expect(() => compileForV8(Uint8Array.from([1, 2, 3, 4]), "baseline")).toThrow(/magic|section|length/);
  expect(new WebAssembly.Module(MODULE)).toBeInstanceOf(WebAssembly.Module);
});
