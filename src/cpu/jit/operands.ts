// Which registers an instruction reads and writes.
import { FloatHelpers, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "../isa/float-helpers.ts";
import { SEMANTICS } from "../isa/semantics.ts";
import { FCSR } from "../layout.ts";
import { ModuleBuilder } from "../wasm/builder.ts";
import { VOID } from "../wasm/opcodes.ts";
import type { BlockInstruction } from "./blocks.ts";
import { forEachRegister, type RegisterSet } from "./register-set.ts";
import { TranslatorEmitter } from "./translator-emitter.ts";

interface Operands {
  readonly reads: RegisterSet;
  readonly writes: RegisterSet;
}

/** By name: what an instruction with rs1 to rs3 = x1 to x3 (f1 to f3) and rd = x4 (f4) reads and writes. */
const operandsOf = new Map<string, Operands>();

/** Learned from the definition of the instruction: by emitting it once and seeing what it asks for. */
function learn(instruction: BlockInstruction): Operands {
  const m = new ModuleBuilder();
  const shared = { mulhu: 0, slowLoad: 0, slowStore: 0, translate: 0, growRun: 0, moveRun: 0, readCsr: 0, writeCsr: 0 };
  const slow = m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS);
  const f = m.function([], []);
  const e = new TranslatorEmitter(f, shared, new FloatHelpers(m, { fcsr: FCSR, slow, hasFusedMultiplyAdd: false }), {
    branch: (condition) => condition(),
    jump: () => {},
    jumpTo: () => {},
  });
  f.block(VOID, (exit) => {
    e.exitLabel = exit;
    e.withLeaves(null, (leaves) => {
      e.leaves = leaves;
      e.beginBlock([]);
      e.instruction = { ...instruction, rs1: 1, rs2: 2, rs3: 3, rd: 4 };
      SEMANTICS[instruction.row!.name](e);
    });
  });
  const { cached, missing } = e;
  return { reads: missing, writes: { x: cached.x & ~missing.x, f: cached.f & ~missing.f } };
}

/** Adds the registers that the instruction reads to one set, and those that it writes to another. */
export function addOperands(instruction: BlockInstruction, reads: RegisterSet, writes: RegisterSet): void {
  const { name } = instruction.row!;
  if (name === "fence" || name === "fence.i") return;
  let operands = operandsOf.get(name);
  if (operands === undefined) {
    operands = learn(instruction);
    operandsOf.set(name, operands);
  }
  const numbers = [0, instruction.rs1, instruction.rs2, instruction.rs3, instruction.rd];
  for (const [from, to] of [
    [operands.reads, reads],
    [operands.writes, writes],
  ]) {
    forEachRegister(from.x, (i) => {
      to.x |= 1 << numbers[i];
    });
    forEachRegister(from.f, (i) => {
      to.f |= 1 << numbers[i];
    });
    to.x &= ~1;
  }
}
