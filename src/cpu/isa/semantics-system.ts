// Meaning of environment calls and Zicsr (RISC-V Instruction Set Manual, volume I, chapters RV32I and "Zicsr").
import { EXIT_BREAKPOINT, EXIT_ECALL } from "../exits.ts";
import type { Emitter, Semantics } from "./emitter.ts";

/** Old value in e.b, new one from `combine`; `always` writes even when the operand field is x0 or 0. */
function csr(operand: "x1" | "zimm", always: boolean, combine: (e: Emitter) => void) {
  return (e: Emitter): void => {
    const { f } = e;
    e.csrNumber();
    e.fuel();
    f.call(e.shared.readCsr).set(e.b);
    e.illegalIfNoted();
    const write = () => {
      e.csrNumber();
      combine(e);
      f.call(e.shared.writeCsr);
      e.illegalIfNoted();
    };
    if (operand === "x1") e.x1();
    else e.zimm();
    f.set(e.a);
    if (always) write();
    else {
      e.operandFieldIsZero();
      f.op("i32_eqz").if_(0x40, write);
    }
    e.writeX(() => f.get(e.b));
  };
}

const replace = (e: Emitter) => void e.f.get(e.a);
const set = (e: Emitter) => void e.f.get(e.b).get(e.a).op("i64_or");
const clear = (e: Emitter) => void e.f.get(e.b).get(e.a).i64(-1).op("i64_xor", "i64_and");

export const SYSTEM_SEMANTICS: Semantics = {
  ecall: (e) => e.exit(EXIT_ECALL),
  ebreak: (e) => e.exit(EXIT_BREAKPOINT),
  csrrw: csr("x1", true, replace),
  csrrs: csr("x1", false, set),
  csrrc: csr("x1", false, clear),
  csrrwi: csr("zimm", true, replace),
  csrrsi: csr("zimm", false, set),
  csrrci: csr("zimm", false, clear),
};
