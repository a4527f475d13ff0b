// Strategy: every F and D computation on thousands of random operands, rounding modes and accrued flags, in one batch
// program under qemu-riscv64, against SoftFloat. Invariants: the same result bits and the same fcsr.
// Skipped (loudly) without qemu-riscv64. FUZZ_SEED draws other operands, FUZZ_SECONDS more of them.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FLOAT_OPERATIONS, type FloatOperation } from "../../src/cpu/isa/float-operations.ts";
import { SoftFloat } from "../../src/cpu/softfloat.ts";
import { Prng } from "../../src/util/prng.ts";
import { hasQemu } from "../support/guest.ts";
import { writeElf } from "./elf-writer.ts";
import { FloatOperands, operandKind } from "./float-operands.ts";
import { encode, type Fields } from "./riscv-assembler.ts";

const TEXT = 0x10_0000;
const DATA = 0x20_0000;
const ROWS = 3000;
/** Three operands and fcsr in; result and fcsr out. */
const IN_BYTES = 32;
const OUT_BYTES = 16;
const FCSR = 3;

const folder = mkdtempSync(join(tmpdir(), "softfloat-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** x5: operands, x6: results, x7: rows left; one loop an operation, then the results are written out. */
function assemble(): Uint32Array {
  const code: number[] = [];
  const emit = (name: string, fields: Fields) => code.push(encode(name, fields));
  const constant = (rd: number, value: number) => {
    const low = (value << 20) >> 20;
    emit("lui", { rd, imm: (value - low) >>> 12 });
    emit("addiw", { rd, rs1: rd, imm: low });
  };
  const total = FLOAT_OPERATIONS.length * ROWS;
  constant(5, DATA);
  constant(6, DATA + total * IN_BYTES);
  for (const operation of FLOAT_OPERATIONS) {
    constant(7, ROWS);
    const start = code.length;
    for (let i = 0; i < 3; i++) {
      emit("ld", { rd: 10 + i, rs1: 5, imm: 8 * i });
      emit("fmv.d.x", { rd: 10 + i, rs1: 10 + i });
    }
    emit("ld", { rd: 13, rs1: 5, imm: 24 });
    emit("csrrw", { rd: 0, rs1: 13, csr: FCSR });
    emit(operation.name, { rd: 14, rs1: 10, rs2: 11, rs3: 12, rm: 7 });
    emit("csrrs", { rd: 15, rs1: 0, csr: FCSR });
    if (operation.result === "f") emit("fsd", { rs1: 6, rs2: 14, imm: 0 });
    else emit("sd", { rs1: 6, rs2: 14, imm: 0 });
    emit("sd", { rs1: 6, rs2: 15, imm: 8 });
    emit("addi", { rd: 5, rs1: 5, imm: IN_BYTES });
    emit("addi", { rd: 6, rs1: 6, imm: OUT_BYTES });
    emit("addi", { rd: 7, rs1: 7, imm: -1 });
    emit("bne", { rs1: 7, rs2: 0, imm: (start - code.length) * 4 });
  }
  emit("addi", { rd: 10, rs1: 0, imm: 1 });
  constant(11, DATA + total * IN_BYTES);
  constant(12, total * OUT_BYTES);
  emit("addi", { rd: 17, rs1: 0, imm: 64 });
  emit("ecall", {});
  emit("addi", { rd: 10, rs1: 0, imm: 0 });
  emit("addi", { rd: 17, rs1: 0, imm: 93 });
  emit("ecall", {});
  return Uint32Array.from(code);
}

function buildInput(seed: number): Uint8Array {
  const total = FLOAT_OPERATIONS.length * ROWS;
  const bytes = new Uint8Array(DATA - TEXT + total * (IN_BYTES + OUT_BYTES));
  const words = new Uint32Array(bytes.buffer);
  words.set(assemble());
  const random = new Prng(seed);
  const operands = new FloatOperands(random);
  let at = (DATA - TEXT) >> 2;
  for (const operation of FLOAT_OPERATIONS) {
    const kind = operandKind(operation.name, operation.operands);
    for (let row = 0; row < ROWS; row++, at += IN_BYTES / 4) {
      for (let i = 0; i < 3; i++) {
        operands.forOperand(kind);
        words[at + 2 * i] = operands.low;
        words[at + 2 * i + 1] = operands.high;
      }
      words[at + 6] = (random.below(5) << 5) | (random.below(2) === 0 ? 0 : random.below(32));
    }
  }
  return bytes;
}

function compare(
  operation: FloatOperation,
  soft: SoftFloat,
  input: BigUint64Array,
  output: BigUint64Array,
  from: number,
): void {
  for (let row = from; row < from + ROWS; row++) {
    const [a, b, c, before] = [input[4 * row], input[4 * row + 1], input[4 * row + 2], Number(input[4 * row + 3])];
    soft.flags = 0;
    const result = operation.evaluate(soft, before >> 5, a, b, c);
    const fcsr = before | soft.flags;
    if (result === output[2 * row] && BigInt(fcsr) === output[2 * row + 1]) continue;
    const hex = (value: bigint | number) => value.toString(16);
    expect.fail(
      `${operation.name} ${hex(a)} ${hex(b)} ${hex(c)} fcsr ${hex(before)}: ` +
        `${hex(result)} fcsr ${hex(fcsr)}, qemu ${hex(output[2 * row])} fcsr ${hex(output[2 * row + 1])}`,
    );
  }
}

describe("softfloat against qemu", () => {
  if (!hasQemu) console.warn("SKIPPED: qemu-riscv64 is not installed; softfloat was not compared with it");
  const seconds = Number(process.env.FUZZ_SECONDS ?? 3);

  it.skipIf(!hasQemu)("agrees on result and flags", { timeout: (seconds + 60) * 1000 }, () => {
    const soft = new SoftFloat();
    const end = performance.now() + seconds * 1000;
    let cases = 0;
    let seed = Number(process.env.FUZZ_SEED ?? 1);
    do {
      const bytes = buildInput(seed++);
      const path = join(folder, "batch");
      writeFileSync(path, writeElf(TEXT, TEXT, bytes), { mode: 0o755 });
      const result = spawnSync("qemu-riscv64", [path], { maxBuffer: 1 << 27 });
      expect(result.signal ?? result.status).toBe(0);
      const input = new BigUint64Array(bytes.buffer, DATA - TEXT);
      const output = new BigUint64Array(Uint8Array.from(result.stdout).buffer);
      for (const operation of FLOAT_OPERATIONS) {
        compare(operation, soft, input, output, operation.code * ROWS);
        cases += ROWS;
      }
    } while (performance.now() < end);
    console.log(`softfloat: ${cases} cases, ${FLOAT_OPERATIONS.length} operations agree with qemu`);
  });
});
