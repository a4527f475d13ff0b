// Meaning of RV64I arithmetic, control transfer and M (RISC-V Instruction Set Manual, volume I, chapters RV32I, RV64I, "M").
import type { Opcode } from "../wasm/opcodes.ts";
import { I32, I64 } from "../wasm/opcodes.ts";
import type { Emitter, Semantics } from "./emitter.ts";

type Rule = (e: Emitter) => void;

/** rd = rs1 op rs2 / rd = rs1 op imm. */
const binary =
  (op: Opcode): Rule =>
  (e) =>
    e.writeX(() => {
      e.x1();
      e.x2();
      e.f.op(op);
    });
const immediate =
  (op: Opcode): Rule =>
  (e) =>
    e.writeX(() => {
      e.x1();
      e.imm64();
      e.f.op(op);
    });
const compare =
  (op: Opcode): Rule =>
  (e) =>
    e.writeX(() => {
      e.x1();
      e.x2();
      e.f.op(op, "i64_extend_i32_u");
    });
const compareImmediate =
  (op: Opcode): Rule =>
  (e) =>
    e.writeX(() => {
      e.x1();
      e.imm64();
      e.f.op(op, "i64_extend_i32_u");
    });

/** 32-bit operations: both operands wrapped, result sign-extended. wasm masks shift counts as RISC-V does. */
const binaryW =
  (op: Opcode): Rule =>
  (e) =>
    e.writeWord(() => {
      e.x1();
      e.f.op("i32_wrap_i64");
      e.x2();
      e.f.op("i32_wrap_i64", op);
    });
const immediateW =
  (op: Opcode): Rule =>
  (e) =>
    e.writeWord(() => {
      e.x1();
      e.f.op("i32_wrap_i64");
      e.imm32();
      e.f.op(op);
    });

/** Bitwise: on 32 bits where the engine then sees what compilers make of 32-bit sources, such as rotations. */
const bitwise = (name: "and" | "or" | "xor"): Rule => {
  const [on32, on64] = [binaryW(`i32_${name}`), binary(`i64_${name}`)];
  return (e) => (e.areWords(true) ? on32(e) : on64(e));
};
const bitwiseImmediate = (name: "and" | "or" | "xor"): Rule => {
  const [on32, on64] = [immediateW(`i32_${name}`), immediate(`i64_${name}`)];
  return (e) => (e.areWords(false) ? on32(e) : on64(e));
};

const branch =
  (op: Opcode): Rule =>
  (e) =>
    e.branchIf(() => {
      e.x1();
      e.x2();
      e.f.op(op);
    });

/** Division never traps: x/0 = -1 (remainder x), MIN/-1 = MIN (remainder 0). */
function divide(op: "i64_div_s" | "i64_div_u" | "i64_rem_s" | "i64_rem_u"): Rule {
  const remainder = op === "i64_rem_s" || op === "i64_rem_u";
  const signed = op.endsWith("_s");
  return (e) => {
    const { f, a, b } = e;
    e.x1();
    f.set(a);
    e.x2();
    f.set(b);
    e.writeX(() => {
      f.get(b)
        .op("i64_eqz")
        .if_(
          I64,
          () => (remainder ? f.get(a) : f.i64(-1)),
          () => {
            if (!signed) {
              f.get(a).get(b).op(op);
              return;
            }
            f.get(b)
              .i64(-1)
              .op("i64_eq")
              .if_(
                I64,
                () => (remainder ? f.i64(0) : f.i64(0).get(a).op("i64_sub")),
                () => f.get(a).get(b).op(op),
              );
          },
        );
    });
  };
}

function divideW(op: "i32_div_s" | "i32_div_u" | "i32_rem_s" | "i32_rem_u"): Rule {
  const remainder = op === "i32_rem_s" || op === "i32_rem_u";
  const signed = op.endsWith("_s");
  return (e) => {
    const { f, a, b } = e;
    e.x1();
    f.set(a);
    e.x2();
    f.set(b);
    const pair = () => f.get(a).op("i32_wrap_i64").get(b).op("i32_wrap_i64");
    e.writeWord(() => {
      f.get(b)
        .op("i32_wrap_i64", "i32_eqz")
        .if_(
          I32,
          () => (remainder ? f.get(a).op("i32_wrap_i64") : f.i32(-1)),
          () => {
            if (!signed) {
              pair().op(op);
              return;
            }
            f.get(b)
              .op("i32_wrap_i64")
              .i32(-1)
              .op("i32_eq")
              .if_(
                I32,
                () => (remainder ? f.i32(0) : f.i32(0).get(a).op("i32_wrap_i64", "i32_sub")),
                () => pair().op(op),
              );
          },
        );
    });
  };
}

/** High half of a product: unsigned high half, minus an operand for each negative signed factor. */
function multiplyHigh(signedA: boolean, signedB: boolean): Rule {
  return (e) => {
    const { f, a, b } = e;
    e.x1();
    f.set(a);
    e.x2();
    f.set(b);
    e.writeX(() => {
      f.get(a).get(b).call(e.shared.mulhu);
      if (signedA) f.get(b).get(a).i64(63).op("i64_shr_s", "i64_and", "i64_sub");
      if (signedB) f.get(a).get(b).i64(63).op("i64_shr_s", "i64_and", "i64_sub");
    });
  };
}

export const INTEGER_SEMANTICS: Semantics = {
  lui: (e) => e.writeX(() => e.imm64()),
  auipc: (e) =>
    e.writeX(() => {
      e.pc();
      e.imm64();
      e.f.op("i64_add");
    }),
  jal: (e) => {
    e.writeX(() => e.nextPc());
    e.jumpRelative();
  },
  jalr: (e) => {
    e.x1();
    e.imm64();
    e.f.op("i64_add").i64(-2).op("i64_and").set(e.a);
    e.writeX(() => e.nextPc());
    e.jumpTo(e.a);
  },
  beq: branch("i64_eq"),
  bne: branch("i64_ne"),
  blt: branch("i64_lt_s"),
  bge: branch("i64_ge_s"),
  bltu: branch("i64_lt_u"),
  bgeu: branch("i64_ge_u"),
  addi: immediate("i64_add"),
  slti: compareImmediate("i64_lt_s"),
  sltiu: compareImmediate("i64_lt_u"),
  xori: bitwiseImmediate("xor"),
  ori: bitwiseImmediate("or"),
  andi: bitwiseImmediate("and"),
  slli: immediate("i64_shl"),
  srli: immediate("i64_shr_u"),
  srai: immediate("i64_shr_s"),
  add: binary("i64_add"),
  sub: binary("i64_sub"),
  sll: binary("i64_shl"),
  slt: compare("i64_lt_s"),
  sltu: compare("i64_lt_u"),
  xor: bitwise("xor"),
  srl: binary("i64_shr_u"),
  sra: binary("i64_shr_s"),
  or: bitwise("or"),
  and: bitwise("and"),
  addiw: immediateW("i32_add"),
  slliw: immediateW("i32_shl"),
  srliw: immediateW("i32_shr_u"),
  sraiw: immediateW("i32_shr_s"),
  addw: binaryW("i32_add"),
  subw: binaryW("i32_sub"),
  sllw: binaryW("i32_shl"),
  srlw: binaryW("i32_shr_u"),
  sraw: binaryW("i32_shr_s"),
  mul: binary("i64_mul"),
  mulh: multiplyHigh(true, true),
  mulhsu: multiplyHigh(true, false),
  mulhu: multiplyHigh(false, false),
  div: divide("i64_div_s"),
  divu: divide("i64_div_u"),
  rem: divide("i64_rem_s"),
  remu: divide("i64_rem_u"),
  mulw: binaryW("i32_mul"),
  divw: divideW("i32_div_s"),
  divuw: divideW("i32_div_u"),
  remw: divideW("i32_rem_s"),
  remuw: divideW("i32_rem_u"),
};
