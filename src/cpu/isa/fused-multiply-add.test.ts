// What is found out about the engine's multiply-add.
import { expect, it } from "vitest";
import { compileForV8 } from "../../host/node/compile-module.ts";
import { type CompileModule, plainCompile } from "../compile-module.ts";
import { hasFusedMultiplyAdd } from "./fused-multiply-add.ts";

/** Exports f32 and f64, which round the product first. */
const ROUNDS_TWICE = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 15, 2, 0x60, 3, 0x7d, 0x7d, 0x7d, 1, 0x7d, 0x60, 3, 0x7c, 0x7c, 0x7c, 1, 0x7c],
  ...[3, 3, 2, 0, 1],
  ...[7, 13, 2, 3, 0x66, 0x33, 0x32, 0, 0, 3, 0x66, 0x36, 0x34, 0, 1],
  ...[
    10, 23, 2, 10, 0, 0x20, 0, 0x20, 1, 0x94, 0x20, 2, 0x92, 0x0b, 10, 0, 0x20, 0, 0x20, 1, 0xa2, 0x20, 2, 0xa0, 0x0b,
  ],
]);

it("is used where there is one", () => {
  // V8 has it from Node 20 on; processors without it (before 2013) are no machines for tests.
  expect(hasFusedMultiplyAdd(compileForV8)).toBe(true);
});

it("is not used where it rounds twice", () => {
  const twice: CompileModule = () => plainCompile(ROUNDS_TWICE, "baseline");
  expect(hasFusedMultiplyAdd(twice)).toBe(false);
});

it("is not used where modules cannot have it", () => {
  const refuse: CompileModule = () => plainCompile(new Uint8Array(8), "baseline");
  expect(hasFusedMultiplyAdd(refuse)).toBe(false);
});

it("lets other errors through", () => {
  const fail: CompileModule = () => {
    throw new RangeError("no memory");
  };
  expect(() => hasFusedMultiplyAdd(fail)).toThrow("no memory");
});
