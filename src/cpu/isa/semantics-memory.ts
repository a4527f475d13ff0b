// Meaning of loads, stores, fences and A (RISC-V Instruction Set Manual, volume I, chapters RV32I, RV64I, "A").
// One hart runs at a time, so every access is sequentially consistent and fences order nothing.

import { EXIT_MISALIGNED_ATOMIC } from "../exits.ts";
import { RESERVATION, RESERVED_VALUE } from "../layout.ts";
import type { MemoryOp, Opcode } from "../wasm/opcodes.ts";
import { VOID } from "../wasm/opcodes.ts";
import type { Emitter, Semantics } from "./emitter.ts";

const WRITE_ACCESS = 1;
const READ_ACCESS = 0;

const load = (op: MemoryOp, size: number, signed: boolean) => (e: Emitter) => e.writeX(() => e.load(op, size, signed));
const store = (op: MemoryOp, size: number) => (e: Emitter) => e.store(op, size, () => e.x2());

/** Leaves the linear address of x1 in e.t, or leaves run(): misaligned or faulting. */
function atomicAddress(e: Emitter, size: number, access: number): void {
  const { f } = e;
  e.x1();
  f.set(e.a);
  f.get(e.a)
    .i64(size - 1)
    .op("i64_and", "i64_eqz", "i32_eqz")
    .if_(VOID, () => e.exit(EXIT_MISALIGNED_ATOMIC), undefined, false);
  f.get(e.a)
    .i32(access)
    .call(e.shared.translate)
    .tee(e.t)
    .op("i32_eqz")
    .if_(VOID, () => e.faultIfNoted(), undefined, false);
}

const wide = (size: number) => size === 8;
const loadOp = (size: number): MemoryOp => (wide(size) ? "i64_load" : "i64_load32_s");
const storeOp = (size: number): MemoryOp => (wide(size) ? "i64_store" : "i64_store32");

function loadReserved(size: number) {
  return (e: Emitter): void => {
    const { f } = e;
    atomicAddress(e, size, READ_ACCESS);
    f.i32(0).get(e.a).mem("i64_store", RESERVATION);
    f.get(e.t).mem(loadOp(size)).set(e.b);
    f.i32(0).get(e.b).mem("i64_store", RESERVED_VALUE);
    e.writeX(() => f.get(e.b));
  };
}

/** Succeeds when the reservation names this address and memory still holds the value that LR saw. */
function storeConditional(size: number) {
  return (e: Emitter): void => {
    const { f } = e;
    atomicAddress(e, size, WRITE_ACCESS);
    f.i32(0).mem("i64_load", RESERVATION).get(e.a).op("i64_eq").set(e.t2);
    f.get(e.t2).get(e.t).mem(loadOp(size)).i32(0).mem("i64_load", RESERVED_VALUE).op("i64_eq", "i32_and").set(e.t2);
    f.i32(0).i64(-1).mem("i64_store", RESERVATION);
    f.get(e.t2).if_(VOID, () => {
      f.get(e.t);
      e.x2();
      f.mem(storeOp(size));
    });
    e.writeX(() => f.get(e.t2).op("i32_eqz", "i64_extend_i32_u"));
    e.recheckCode();
  };
}

/** rd = old; memory = combine(old in e.b, rs2). */
function readModifyWrite(size: number, combine: (e: Emitter) => void) {
  return (e: Emitter): void => {
    const { f } = e;
    atomicAddress(e, size, WRITE_ACCESS);
    f.get(e.t).mem(loadOp(size)).set(e.b);
    f.get(e.t);
    combine(e);
    f.mem(storeOp(size));
    e.writeX(() => f.get(e.b));
    e.recheckCode();
  };
}

const combineWith = (op: Opcode) => (e: Emitter) => {
  e.f.get(e.b);
  e.x2();
  e.f.op(op);
};

/** Picks old or rs2 by a comparison of the operand width. */
function pick(size: number, comparison: "lt_s" | "gt_s" | "lt_u" | "gt_u") {
  return (e: Emitter): void => {
    const { f } = e;
    f.get(e.b);
    e.x2();
    if (wide(size)) {
      f.get(e.b);
      e.x2();
      f.op(`i64_${comparison}`);
    } else {
      f.get(e.b).op("i32_wrap_i64");
      e.x2();
      f.op("i32_wrap_i64", `i32_${comparison}`);
    }
    f.op("select");
  };
}

function atomics(suffix: "w" | "d", size: number): Semantics {
  return {
    [`lr.${suffix}`]: loadReserved(size),
    [`sc.${suffix}`]: storeConditional(size),
    [`amoswap.${suffix}`]: readModifyWrite(size, (e) => e.x2()),
    [`amoadd.${suffix}`]: readModifyWrite(size, combineWith("i64_add")),
    [`amoxor.${suffix}`]: readModifyWrite(size, combineWith("i64_xor")),
    [`amoor.${suffix}`]: readModifyWrite(size, combineWith("i64_or")),
    [`amoand.${suffix}`]: readModifyWrite(size, combineWith("i64_and")),
    [`amomin.${suffix}`]: readModifyWrite(size, pick(size, "lt_s")),
    [`amomax.${suffix}`]: readModifyWrite(size, pick(size, "gt_s")),
    [`amominu.${suffix}`]: readModifyWrite(size, pick(size, "lt_u")),
    [`amomaxu.${suffix}`]: readModifyWrite(size, pick(size, "gt_u")),
  };
}

export const MEMORY_SEMANTICS: Semantics = {
  lb: load("i64_load8_s", 1, true),
  lh: load("i64_load16_s", 2, true),
  lw: load("i64_load32_s", 4, true),
  ld: load("i64_load", 8, false),
  lbu: load("i64_load8_u", 1, false),
  lhu: load("i64_load16_u", 2, false),
  lwu: load("i64_load32_u", 4, false),
  sb: store("i64_store8", 1),
  sh: store("i64_store16", 2),
  sw: store("i64_store32", 4),
  sd: store("i64_store", 8),
  fence: () => {},
  // Stores to decoded code drop it at once (I14), so there is nothing left to synchronise.
  "fence.i": () => {},
  ...atomics("w", 4),
  ...atomics("d", 8),
};
