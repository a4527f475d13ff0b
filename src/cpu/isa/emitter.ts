// The seam between what an instruction means (semantics-*.ts) and where its operands live (interpreter: memory; translator:
// locals). Semantics are written once against this interface.
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import type { MemoryOp } from "../wasm/opcodes.ts";
import type { FloatHelpers } from "./float-helpers.ts";
import type { FloatOperation } from "./float-operations.ts";

/** Functions that every module with instruction semantics contains or imports, by index. */
export interface SharedFunctions {
  /** (a i64, b i64) -> i64: high half of the unsigned product. */
  readonly mulhu: number;
  /** (va i64, size i32) -> i64: zero-extended bytes; sets FAULTED on a fault. */
  readonly slowLoad: number;
  /** (va i64, size i32, value i64): sets FAULTED on a fault; nothing is written then. */
  readonly slowStore: number;
  /** (va i64, access i32) -> i32: linear address, or 0 after a fault was noted. Does not check alignment. */
  readonly translate: number;
  /** (TLB entry i32, run i32, isWrite i32): how a run gets to the entry's page, see run-functions.ts. */
  readonly moveRun: number;
  readonly growRun: number;
  /** (csr i32, fuel i32) -> i64; sets FAULTED for a number that is not ours. */
  readonly readCsr: number;
  /** (csr i32, value i64); sets FAULTED when the register is read-only or not ours. */
  readonly writeCsr: number;
}

export interface Emitter {
  readonly f: FunctionBuilder;
  readonly shared: SharedFunctions;
  readonly floats: FloatHelpers;
  /** Scratch locals that a handler may use between its own instructions. */
  readonly a: number; // i64
  readonly b: number; // i64
  readonly t: number; // i32
  readonly t2: number; // i32
  /** Push rs1, rs2 (i64). */
  x1(): void;
  x2(): void;
  /** Push the raw bits of floating-point rs1, rs2, rs3 (i64). */
  f1(): void;
  f2(): void;
  f3(): void;
  /** Push the immediate, sign-extended. */
  imm32(): void;
  imm64(): void;
  /** Push the address of this instruction / of the next one (i64). */
  pc(): void;
  nextPc(): void;
  /** Store what `value` pushes (i64) in rd. */
  writeX(value: () => void): void;
  /** Store the sign extension of what `value` pushes (i32) in rd. */
  writeWord(value: () => void): void;
  /** Whether rs1, and rs2 if there is one, hold 32 bits sign-extended, so that bitwise operations may be on 32 bits. */
  areWords(hasRs2: boolean): boolean;
  writeF(value: () => void): void;
  /**
   * Replace the operands on the stack (i64, in the order rs1 rs2 rs3) by the result (i64) of this computation, in the
   * rounding mode of this instruction. checkRounding() came first if the encoding has an rm field.
   */
  compute(operation: FloatOperation): void;
  /** Leave by illegal() when the rm field, or frm if it is dynamic, is reserved. */
  checkRounding(): void;
  /** Load at x1 + imm; pushes an i64. */
  load(op: MemoryOp, sizeBytes: number, signed: boolean): void;
  /** Store what `value` pushes (i64) at x1 + imm. */
  store(op: MemoryOp, sizeBytes: number, value: () => void): void;
  /** Conditional branch by imm: `condition` pushes an i32. */
  branchIf(condition: () => void): void;
  /** Jump by imm / to the address in local `target`. The handler ends here. */
  jumpRelative(): void;
  jumpTo(target: number): void;
  /** Leave with a fault that translate(), slowLoad() or slowStore() noted. */
  faultIfNoted(): void;
  illegal(): void;
  /** Leave by illegal() when readCsr() or writeCsr() noted FAULTED. */
  illegalIfNoted(): void;
  /** Push (i32) whether the rs1/zimm field of a CSR instruction is 0. */
  operandFieldIsZero(): void;
  /** Leave run() with this exit reason; the instruction counts as retired or not. */
  exit(reason: number): void;
  /** After a store that may have hit decoded code: look the code up again. */
  recheckCode(): void;
  /** Fuel not yet used (i32), for the counters. */
  fuel(): void;
  /** Push the CSR number and the zimm field. */
  csrNumber(): void;
  zimm(): void;
}

export type Semantics = Record<string, (e: Emitter) => void>;
export type { Label };
