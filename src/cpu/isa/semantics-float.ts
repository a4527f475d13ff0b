// Meaning of F and D: where operands come from and results go; the arithmetic itself is in float-helpers.ts.
import type { Emitter, Semantics } from "./emitter.ts";
import { FLOAT_OPERATIONS, type FloatOperation } from "./float-operations.ts";

function pushOperands(e: Emitter, operands: FloatOperation["operands"]): void {
  if (operands === "x") {
    e.x1();
    return;
  }
  e.f1();
  if (operands.length > 1) e.f2();
  if (operands.length > 2) e.f3();
}

function rule(operation: FloatOperation): (e: Emitter) => void {
  return (e) => {
    // A reserved rounding mode is illegal even where the result is always exact; check before anything is pushed.
    if (operation.rmField) e.checkRounding();
    const value = () => {
      pushOperands(e, operation.operands);
      e.compute(operation);
    };
    if (operation.result === "x") e.writeX(value);
    else e.writeF(value);
  };
}

export const FLOAT_SEMANTICS: Semantics = {
  flw: (e) =>
    e.writeF(() => {
      e.load("i64_load32_u", 4, false);
      e.floats.emitBox(e.f);
    }),
  fld: (e) => e.writeF(() => e.load("i64_load", 8, false)),
  fsw: (e) => e.store("i64_store32", 4, () => e.f2()),
  fsd: (e) => e.store("i64_store", 8, () => e.f2()),
  ...Object.fromEntries(FLOAT_OPERATIONS.map((operation) => [operation.name, rule(operation)])),
};
