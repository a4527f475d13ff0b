// Strategy: every wasm fast path of F and D against the exact softfloat, in batches that run inside wasm: random operands
// biased to special exponents, subnormals, halfway and exact cases, all rounding modes, any accrued flags beforehand.
// Invariants: same result bits, same fcsr. FUZZ_SECONDS lengthens it.
import { describe, expect, it } from "vitest";
import {
  createSlowFloat,
  FloatHelpers,
  SLOW_FLOAT_PARAMS,
  SLOW_FLOAT_RESULTS,
} from "../../src/cpu/isa/float-helpers.ts";
import { FLOAT_OPERATIONS, type FloatOperation } from "../../src/cpu/isa/float-operations.ts";
import { hasFusedMultiplyAdd } from "../../src/cpu/isa/fused-multiply-add.ts";
import { SoftFloat } from "../../src/cpu/softfloat.ts";
import { ModuleBuilder } from "../../src/cpu/wasm/builder.ts";
import { I32 } from "../../src/cpu/wasm/opcodes.ts";
import { compileForV8 } from "../../src/host/node/compile-module.ts";
import { Prng } from "../../src/util/prng.ts";
import { FloatOperands, operandKind } from "./float-operands.ts";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 8);
const FCSR = 64;
const ROWS = 4096;
/** A row: three operands, fcsr before (frm is the mode), result, fcsr after. */
const ROW_BYTES = 48;
const TABLE = 4096;

type Batch = (count: number) => void;
/** emit: as the interpreter has it; inline: as the translator has it with a dynamic or static rounding mode. */
type Variant = "emit" | "inline-dynamic" | "inline-static";

function emitBatch(m: ModuleBuilder, floats: FloatHelpers, operation: FloatOperation, variant: Variant): void {
  const f = m.function([I32], []);
  m.export(`${variant}:${operation.name}`, f);
  const at = f.local(I32);
  f.i32(TABLE).set(at);
  f.loop(0x40, (again) => {
    f.i32(0).get(at).mem("i32_load", 24).mem("i32_store", FCSR);
    f.get(at);
    for (let i = 0; i < operation.operands.length; i++) f.get(at).mem("i64_load", 8 * i);
    const isRoundToZero = variant === "inline-static" && operation.name.startsWith("fcvt");
    if (isRoundToZero) floats.emitTruncateInline(f, operation.name);
    else if (variant !== "emit") {
      floats.emitArithmeticInline(f, operation.name, variant === "inline-static" ? 0 : 7, () => f.op("unreachable"));
    } else {
      if (operation.rounds) floats.emitRounding(f, 7, () => f.op("unreachable"));
      floats.emit(f, operation.name);
    }
    f.mem("i64_store", 32);
    f.get(at).i32(0).mem("i32_load", FCSR).mem("i32_store", 40);
    f.get(at).i32(ROW_BYTES).op("i32_add").set(at);
    f.get(0).i32(1).op("i32_sub").tee(0).brIf(again);
  });
}

function build() {
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8 });
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 8, 8);
  const slow = m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS);
  const floats = new FloatHelpers(m, { fcsr: FCSR, slow, hasFusedMultiplyAdd: hasFusedMultiplyAdd(compileForV8) });
  const variants: [FloatOperation, Variant][] = [];
  for (const operation of FLOAT_OPERATIONS) {
    variants.push([operation, "emit"]);
    if (floats.isArithmeticInline(operation.name))
      variants.push([operation, "inline-dynamic"], [operation, "inline-static"]);
    if (/^fcvt\.(w|wu|l|lu)\.d/.test(operation.name)) variants.push([operation, "inline-static"]);
  }
  for (const [operation, variant] of variants) emitBatch(m, floats, operation, variant);
  const module = compileForV8(m.encode(), "optimised");
  const counter = { slow: 0 };
  const exact = createSlowFloat(new Int32Array(memory.buffer), FCSR);
  const slowFloat: typeof exact = (...args) => {
    counter.slow++;
    return exact(...args);
  };
  const { exports } = new WebAssembly.Instance(module, { env: { memory, slowFloat } });
  return { memory, exports: exports as Record<string, Batch>, variants, counter };
}

function fill(
  words: Uint32Array,
  operands: FloatOperands,
  random: Prng,
  operation: FloatOperation,
  variant: Variant,
): void {
  const kind = operandKind(operation.name, operation.operands);
  for (let row = 0; row < ROWS; row++) {
    const at = (TABLE + row * ROW_BYTES) >> 2;
    for (let i = 0; i < 3; i++) {
      operands.forOperand(kind);
      words[at + 2 * i] = operands.low;
      words[at + 2 * i + 1] = operands.high;
    }
    const mode =
      variant === "inline-static"
        ? operation.name.startsWith("fcvt")
          ? 1
          : 0
        : random.below(3) < 2
          ? 0
          : random.below(5);
    words[at + 6] = (mode << 5) | (random.below(2) === 0 ? 0 : random.below(32));
  }
}

function check(
  bits: BigUint64Array,
  words: Uint32Array,
  soft: SoftFloat,
  operation: FloatOperation,
  variant: Variant,
): void {
  for (let row = 0; row < ROWS; row++) {
    const at = (TABLE + row * ROW_BYTES) >> 3;
    const before = words[2 * at + 6];
    soft.flags = 0;
    const expected = operation.evaluate(soft, before >> 5, bits[at], bits[at + 1], bits[at + 2]);
    const fcsr = before | soft.flags;
    if (bits[at + 4] === expected && words[2 * at + 10] === fcsr) continue;
    const hex = (value: bigint | number) => value.toString(16);
    expect.fail(
      `${variant} ${operation.name} ${hex(bits[at])} ${hex(bits[at + 1])} ${hex(bits[at + 2])} fcsr ${hex(before)}: ` +
        `${hex(bits[at + 4])} fcsr ${hex(words[2 * at + 10])}, expected ${hex(expected)} fcsr ${hex(fcsr)}`,
    );
  }
}

describe("floating-point fast paths", () => {
  it("agree with softfloat on result and flags", { timeout: (SECONDS + 60) * 1000 }, () => {
    const { memory, exports, variants, counter } = build();
    const words = new Uint32Array(memory.buffer);
    const bits = new BigUint64Array(memory.buffer);
    const random = new Prng(Number(process.env.FUZZ_SEED ?? 1));
    const operands = new FloatOperands(random);
    const soft = new SoftFloat();
    const end = performance.now() + SECONDS * 1000;
    let cases = 0;
    let rounds = 0;
    do {
      for (const [operation, variant] of variants) {
        fill(words, operands, random, operation, variant);
        exports[`${variant}:${operation.name}`](ROWS);
        check(bits, words, soft, operation, variant);
        cases += ROWS;
      }
      rounds++;
    } while (performance.now() < end);
    console.log(
      `fast paths: ${cases} cases, ${FLOAT_OPERATIONS.length} operations, ${rounds} rounds, ${counter.slow} slow calls; ` +
        `fused multiply-add ${hasFusedMultiplyAdd(compileForV8) ? "of the processor" : "SKIPPED: this processor or engine has none"}`,
    );
  });
});
