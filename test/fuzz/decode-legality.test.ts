// Strategy: which encodings are instructions? Every 16-bit encoding, and tens of thousands of 32-bit words one or two bits
// away from known instructions, run under qemu-riscv64 with all registers zero and signal handlers that skip on.
// Invariant: the decoder calls a word illegal exactly when qemu raises SIGILL at it.
// Left out: jumps and branches (legal by opcode, but they would run away) and CSR numbers. Skipped loudly without qemu.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { decode, newDecoded } from "../../src/cpu/isa/decode.ts";
import { INSTRUCTIONS } from "../../src/cpu/isa/table.ts";
import { Prng } from "../../src/util/prng.ts";
import { hasQemu } from "../support/guest.ts";
import { writeElf } from "./elf-writer.ts";
import { encode, type Fields } from "./riscv-assembler.ts";

const TEXT = 0x10_0000;
/** Current slot, end of slots, next result; then the structures of sigaction and sigaltstack. */
const STATE = 0x11_0000;
const ACTION = STATE + 64;
const STACK = STATE + 128;
const STACK_BYTES = 0x8000;
const SLOTS = 0x12_0000;
const SLOT_BYTES = 8;
const C_EBREAK = 0x9002;
const SIGILL = 4;
const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
const SA_NODEFER = 0x4000_0000;
const SYS_SIGALTSTACK = 132;
const SYS_RT_SIGACTION = 134;
const UCONTEXT_PC = 176;
/** The plain base: no bit manipulation, which newer qemu enables by default. */
const CPU = "rv64,zba=false,zbb=false,zbc=false,zbs=false";
const SIGNALS = [SIGILL, 5, 7, 8, 11];

const folder = mkdtempSync(join(tmpdir(), "decode-"));
afterAll(() => rmSync(folder, { recursive: true }));

class Code {
  readonly words: number[] = [];
  emit(name: string, fields: Fields = {}): void {
    this.words.push(encode(name, fields));
  }
  constant(rd: number, value: number): void {
    const low = (value << 20) >> 20;
    this.emit("lui", { rd, imm: (value - low) >>> 12 });
    this.emit("addiw", { rd, rs1: rd, imm: low });
  }
  call(number: number): void {
    this.emit("addi", { rd: 17, rs1: 0, imm: number });
    this.emit("ecall");
  }
}

/** Sets handlers, then runs one slot after the other; the handler notes the signal if it came from the slot's first pc. */
function assemble(results: number, count: number): { code: number[]; handler: number } {
  const c = new Code();
  for (const signal of SIGNALS) {
    c.constant(11, ACTION);
    c.emit("addi", { rd: 10, rs1: 0, imm: signal });
    c.emit("addi", { rd: 12, rs1: 0, imm: 0 });
    c.emit("addi", { rd: 13, rs1: 0, imm: 8 });
    c.call(SYS_RT_SIGACTION);
  }
  c.constant(10, STACK);
  c.emit("addi", { rd: 11, rs1: 0, imm: 0 });
  c.call(SYS_SIGALTSTACK);
  const next = c.words.length;
  c.constant(5, STATE);
  c.emit("ld", { rd: 31, rs1: 5, imm: 0 });
  c.emit("ld", { rd: 7, rs1: 5, imm: 8 });
  c.emit("beq", { rs1: 31, rs2: 7, imm: 32 * 4 }); // over the 30 clears and the jump
  for (let i = 1; i < 31; i++) c.emit("addi", { rd: i, rs1: 0, imm: 0 });
  c.emit("jalr", { rd: 0, rs1: 31, imm: 0 });
  c.emit("addi", { rd: 10, rs1: 0, imm: 1 });
  c.constant(11, results);
  c.constant(12, count);
  c.call(64);
  c.emit("addi", { rd: 10, rs1: 0, imm: 0 });
  c.call(93);
  const handler = TEXT + 4 * c.words.length;
  c.constant(5, STATE);
  c.emit("ld", { rd: 6, rs1: 5, imm: 0 });
  c.emit("ld", { rd: 8, rs1: 12, imm: UCONTEXT_PC });
  c.emit("beq", { rs1: 8, rs2: 6, imm: 8 });
  c.emit("addi", { rd: 10, rs1: 0, imm: 0 });
  c.emit("ld", { rd: 7, rs1: 5, imm: 16 });
  c.emit("sb", { rs1: 7, rs2: 10, imm: 0 });
  c.emit("addi", { rd: 7, rs1: 7, imm: 1 });
  c.emit("sd", { rs1: 5, rs2: 7, imm: 16 });
  c.emit("addi", { rd: 6, rs1: 6, imm: SLOT_BYTES });
  c.emit("sd", { rs1: 5, rs2: 6, imm: 0 });
  c.emit("jal", { rd: 0, imm: (next - c.words.length) * 4 });
  return { code: c.words, handler };
}

/** The signal that each encoding raised, 0 for none at its own address. */
function runAll(encodings: readonly number[]): Uint8Array {
  const results = SLOTS + encodings.length * SLOT_BYTES + 4096;
  const bytes = new Uint8Array(results - TEXT + encodings.length);
  const view = new DataView(bytes.buffer);
  const { code, handler } = assemble(results, encodings.length);
  for (const [i, word] of code.entries()) view.setUint32(4 * i, word, true);
  view.setUint32(STATE - TEXT, SLOTS, true);
  view.setUint32(STATE - TEXT + 8, SLOTS + encodings.length * SLOT_BYTES, true);
  view.setUint32(STATE - TEXT + 16, results, true);
  view.setUint32(ACTION - TEXT, handler, true);
  view.setUint32(ACTION - TEXT + 8, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, true);
  view.setUint32(STACK - TEXT, STATE + 0x1000, true);
  view.setUint32(STACK - TEXT + 16, STACK_BYTES, true);
  for (let at = SLOTS; at < results; at += 2) view.setUint16(at - TEXT, C_EBREAK, true);
  for (const [i, word] of encodings.entries()) {
    const at = SLOTS - TEXT + i * SLOT_BYTES;
    view.setUint16(at, word & 0xffff, true);
    if ((word & 3) === 3) view.setUint16(at + 2, word >>> 16, true);
  }
  const path = join(folder, "legality");
  writeFileSync(path, writeElf(TEXT, TEXT, bytes), { mode: 0o755 });
  const run = spawnSync("qemu-riscv64", ["-cpu", CPU, path], { maxBuffer: 1 << 24 });
  expect(run.signal ?? run.status).toBe(0);
  return run.stdout;
}

/** Would run away, or write over other slots through the register that holds the slot's address. */
function isUnsafe(word: number): boolean {
  if ((word & 3) !== 3) {
    const quadrantAndFunction = ((word & 3) << 3) | ((word >>> 13) & 7);
    if (quadrantAndFunction >= 0o15 && quadrantAndFunction <= 0o17) return true; // c.j c.beqz c.bnez
    return quadrantAndFunction === 0o24 && ((word >>> 7) & 31) === 31; // c.jr c.jalr of x31
  }
  const opcode = word & 0x7f;
  const function3 = (word >>> 12) & 7;
  if (opcode === 0x6f || (opcode === 0x63 && function3 !== 2 && function3 !== 3)) return true;
  if (opcode === 0x73 && function3 !== 0) return true; // CSR numbers
  const usesAddress = opcode === 0x67 || opcode === 0x23 || opcode === 0x27 || opcode === 0x2f;
  return usesAddress && ((word >>> 15) & 31) === 31;
}

function draw32(random: Prng, count: number): number[] {
  const out: number[] = [];
  while (out.length < count) {
    const row = INSTRUCTIONS[random.below(INSTRUCTIONS.length)];
    let word = (row.match | (random.next() & ~row.mask)) >>> 0;
    for (let flips = random.below(4); flips > 0; flips--) word = (word ^ (1 << (2 + random.below(30)))) >>> 0;
    if (random.below(8) === 0) word = (random.next() | 3) >>> 0;
    if (!isUnsafe(word)) out.push(word);
  }
  return out;
}

describe("decoder against qemu", () => {
  if (!hasQemu) console.warn("SKIPPED: qemu-riscv64 is not installed; legal encodings were not compared with it");

  function check(encodings: readonly number[]): number {
    const signals = runAll(encodings);
    const decoded = newDecoded();
    const wrong: string[] = [];
    let illegal = 0;
    for (const [i, word] of encodings.entries()) {
      decode(word, decoded);
      const ours = decoded.row === null;
      if (ours) illegal++;
      if (ours !== (signals[i] === SIGILL)) {
        wrong.push(
          `${word.toString(16)} (${decoded.row?.name}): ${ours ? "illegal" : "legal"} here, signal ${signals[i]} in qemu`,
        );
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
    return illegal;
  }

  it.skipIf(!hasQemu)("knows every 16-bit encoding", () => {
    const all = Array.from({ length: 1 << 16 }, (_, half) => half).filter(
      (half) => (half & 3) !== 3 && !isUnsafe(half),
    );
    const illegal = check(all);
    console.log(`16-bit encodings: ${all.length}, ${illegal} of them illegal`);
  });

  it.skipIf(!hasQemu)("knows 32-bit words near instructions", () => {
    const words = draw32(new Prng(Number(process.env.FUZZ_SEED ?? 1)), 60_000);
    const illegal = check(words);
    console.log(`32-bit words: ${words.length}, ${illegal} of them illegal`);
  });
});
