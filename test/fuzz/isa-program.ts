// Generates random RV64GC programs: blocks of instructions between a known register state and a dump of everything the
// block could have changed. It never knows what the instructions compute; qemu and the hart say that.
//
// A block owns 4 KiB of data around its base register (never written by the block), so that the page boundary lies inside
// the scratch area:
//
//   base-1024        base          base+1024   +1280        +1536   +1544      +2560
//   | scratch (random floats and integers) | x1..x31 | f0..f31 | fcsr |       | initial x, f, fcsr |
//
// At its end the block stores all registers and writes [base-1024, base+1544) to standard output.
import { FUSIONS } from "../../src/cpu/isa/fusions.ts";
import { Prng } from "../../src/util/prng.ts";
import { writeElf } from "./elf-writer.ts";
import { FloatOperands } from "./float-operands.ts";
import { COMPRESSED, encode, type Fields, rowsByName } from "./riscv-assembler.ts";

const TEXT = 0x10_0000;
const DATA_PER_BLOCK = 4096;
export const DUMP_BYTES = 1024 + 1544;
const X_AT = 1024;
const F_AT = 1280;
const FCSR_AT = 1536;
const INITIAL_AT = 1544;
const SYS_WRITE = 64;
const SYS_EXIT = 93;
const FFLAGS = 1;
const FRM = 2;
const FCSR = 3;

/** Parts of fused sequences that reach x8 to x15 only. */
const SHORT_REGISTERS = /^c\.(ld|lw|sd|srli|andi|beq|bne)\b/;

/** Registers of a fused sequence: what its parts work on, one that holds a small number, and one that holds the base. */
interface FusedRegisters {
  readonly pool: readonly number[];
  readonly small: number;
  readonly anchor: number;
}

/** How a program ends: what qemu dies of and what the hart's run() must answer. */
export const ENDINGS = [
  "exit",
  "ebreak",
  "c.ebreak",
  "reserved-rm",
  "dynamic-reserved-frm",
  "zero",
  "all-ones",
] as const;
export type Ending = (typeof ENDINGS)[number];

export interface Block {
  /** Text of each instruction, with its address. */
  readonly listing: readonly string[];
  readonly base: number;
}

export interface Program {
  readonly elf: Uint8Array;
  readonly blocks: readonly Block[];
  readonly ending: Ending;
  /** Instructions that surely execute, by name. */
  readonly executed: ReadonlyMap<string, number>;
}

/** Instructions whose generation is their own business (control flow, memory, CSRs); the rest are drawn uniformly. */
const LOADS = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "flw", "fld"];
const STORES = ["sb", "sh", "sw", "sd", "fsw", "fsd"];
const BRANCHES = ["beq", "bne", "blt", "bge", "bltu", "bgeu"];
const CSRS = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];
const AMOS = [...rowsByName.keys()].filter((name) => name.startsWith("amo"));
const SPECIAL = new Set([
  ...LOADS,
  ...STORES,
  ...BRANCHES,
  ...CSRS,
  ...AMOS,
  "jal",
  "jalr",
  "ecall",
  "ebreak",
  "lr.w",
  "lr.d",
  "sc.w",
  "sc.d",
  "fence.i",
]);
const FLOATS = [...rowsByName.values()].filter(
  (row) => row.name.startsWith("f") && !SPECIAL.has(row.name) && row.name !== "fence",
);
const INTEGERS = [...rowsByName.values()]
  .filter((row) => !row.name.startsWith("f") && !SPECIAL.has(row.name))
  .concat(rowsByName.get("fence")!);
const SHORT_STACK = ["c.addi4spn", "c.fldsp", "c.lwsp", "c.ldsp", "c.fsdsp", "c.swsp", "c.sdsp"];
const SHORT_BASE = ["c.fld", "c.lw", "c.ld", "c.fsd", "c.sw", "c.sd"];
const SHORT_JUMPS = ["c.j", "c.beqz", "c.bnez", "c.jr", "c.jalr"];
const SHORT_SIMPLE = Object.keys(COMPRESSED).filter(
  (name) => ![...SHORT_STACK, ...SHORT_BASE, ...SHORT_JUMPS, "c.ebreak", "c.addi16sp"].includes(name),
);

class ProgramWriter {
  readonly random: Prng;
  private readonly operands: FloatOperands;
  private readonly text: number[] = [];
  readonly executed = new Map<string, number>();
  readonly blocks: Block[] = [];
  private listing: string[] = [];
  /** Registers the block must not write: its base, loop counters, x0 is free to be written. */
  private locked = new Set<number>();
  private base = 2;
  /** Depth of code that may be skipped: not counted as executed. */
  private uncertain = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
    this.operands = new FloatOperands(this.random);
  }

  get address(): number {
    return TEXT + 2 * this.text.length;
  }

  emit(name: string, fields: Fields = {}): void {
    this.note(name, fields);
    const short = COMPRESSED[name];
    if (short) this.text.push(short(fields));
    else {
      const word = encode(name, fields);
      this.text.push(word & 0xffff, word >>> 16);
    }
  }

  private note(name: string, fields: Fields): void {
    const operands = Object.entries(fields).map(([key, value]) => `${key}=${value}`);
    this.listing.push(`${this.address.toString(16)}: ${name} ${operands.join(" ")}`);
    if (this.uncertain === 0) this.executed.set(name, (this.executed.get(name) ?? 0) + 1);
  }

  /** Overwrites the encoding at a text address (forward branches, once the distance is known). */
  private patch(address: number, name: string, fields: Fields): void {
    const at = (address - TEXT) / 2;
    if (COMPRESSED[name]) {
      this.text[at] = COMPRESSED[name](fields);
      return;
    }
    const word = encode(name, fields);
    this.text[at] = word & 0xffff;
    this.text[at + 1] = word >>> 16;
  }

  private any(): number {
    return this.random.below(32);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  /** A register the block may write; x0 seldom. */
  private target(): number {
    for (;;) {
      const register = this.random.below(32);
      if (!this.locked.has(register) && (register !== 0 || this.random.below(4) === 0)) return register;
    }
  }

  private targetNotZero(): number {
    for (;;) {
      const register = this.target();
      if (register !== 0) return register;
    }
  }

  private shortTarget(): number {
    for (;;) {
      const register = 8 + this.random.below(8);
      if (!this.locked.has(register)) return register;
    }
  }

  private immediate12(): number {
    const { random } = this;
    return random.below(4) === 0 ? this.pick([-2048, -1, 0, 1, 2047]) : random.below(4096) - 2048;
  }

  /** Loads a signed 32-bit constant. */
  private loadConstant(rd: number, value: number): void {
    const low = (value << 20) >> 20;
    this.emit("lui", { rd, imm: ((value - low) >>> 12) & 0xfffff });
    this.emit("addiw", { rd, rs1: rd, imm: low });
  }

  /** One instruction without control flow. */
  private simple(): void {
    const { random } = this;
    const kind = random.below(100);
    if (kind < 34) this.float();
    else if (kind < 54) this.integer();
    else if (kind < 68) this.shortSimple();
    else if (kind < 82) this.memory();
    else if (kind < 87) this.atomic();
    else if (kind < 90) this.csr();
    else if (kind < 95) this.shortMemory();
    else this.freshFloat();
  }

  private float(): void {
    const row = this.pick(FLOATS);
    const toInteger = /^(feq|flt|fle|fclass|fmv\.x|fcvt\.(w|wu|l|lu)\.)/.test(row.name);
    const near = this.random.below(3) === 0 ? 6 : 32; // small register sets make results feed operands
    this.emit(row.name, {
      rd: toInteger ? this.target() : this.random.below(near),
      rs1: this.random.below(near),
      rs2: this.random.below(near),
      rs3: this.random.below(near),
      rm: this.random.below(3) === 0 ? 7 : this.random.below(5),
    });
  }

  private integer(): void {
    const row = this.pick(INTEGERS);
    const imm =
      row.format === "U"
        ? this.random.below(1 << 20)
        : row.format === "SHIFT"
          ? this.random.below(64)
          : row.format === "SHIFTW"
            ? this.random.below(32)
            : this.immediate12();
    this.emit(row.name, row.format === "NONE" ? {} : { rd: this.target(), rs1: this.any(), rs2: this.any(), imm });
  }

  private shortSimple(): void {
    const name = this.pick(SHORT_SIMPLE);
    const six = this.random.below(64) - 32;
    const notZero = six === 0 ? -32 : six;
    switch (name) {
      case "c.nop":
        this.emit(name);
        return;
      case "c.addi":
      case "c.lui": {
        const rd = this.targetNotZero();
        // With rd = x2 c.lui would be c.addi16sp.
        this.emit(name === "c.lui" && rd === 2 ? "c.addi" : name, { rd, imm: notZero });
        return;
      }
      case "c.addiw":
      case "c.li":
        this.emit(name, { rd: this.targetNotZero(), imm: six });
        return;
      case "c.slli":
        this.emit(name, { rd: this.targetNotZero(), imm: 1 + this.random.below(63) });
        return;
      case "c.mv":
      case "c.add":
        this.emit(name, { rd: this.targetNotZero(), rs2: 1 + this.random.below(31) });
        return;
      case "c.srli":
      case "c.srai":
        this.emit(name, { rd: this.shortTarget(), imm: 1 + this.random.below(63) });
        return;
      case "c.andi":
        this.emit(name, { rd: this.shortTarget(), imm: six });
        return;
      default:
        this.emit(name, { rd: this.shortTarget(), rs2: 8 + this.random.below(8) });
    }
  }

  /** A byte offset inside the scratch area for an access of `size` bytes, often misaligned or across the page boundary. */
  private offset(size: number): number {
    const kind = this.random.below(4);
    if (kind === 0) return -this.random.below(size + 1);
    const offset = this.random.below(2048 - size) - 1024;
    return kind === 1 ? offset : offset & -size;
  }

  private memory(): void {
    const load = this.random.below(2) === 0;
    const name = this.pick(load ? LOADS : STORES);
    const float = name.startsWith("f");
    const size = { b: 1, h: 2, w: 4, d: 8 }[name.replace(/^[lfs]+|u$/g, "") as "b"] ?? 8;
    const imm = this.offset(size);
    if (load) this.emit(name, { rd: float ? this.any() : this.target(), rs1: this.base, imm });
    else this.emit(name, { rs1: this.base, rs2: this.any(), imm });
  }

  /** Reloads a floating-point register with an operand the block started with, so that NaNs do not take over. */
  private freshFloat(): void {
    const single = this.random.below(2) === 0;
    this.emit(single ? "flw" : "fld", { rd: this.any(), rs1: this.base, imm: this.random.below(128) * 8 - 1024 });
  }

  private atomic(): void {
    const { random } = this;
    const pointer = this.targetNotZero();
    const wide = random.below(2) === 0;
    this.emit("addi", { rd: pointer, rs1: this.base, imm: this.offset(8) & -8 });
    const suffix = wide ? ".d" : ".w";
    if (random.below(4) > 0) {
      const name = this.pick(AMOS.filter((amo) => amo.endsWith(suffix)));
      this.emit(name, { rd: this.target(), rs1: pointer, rs2: this.any(), imm: random.below(4) });
      return;
    }
    // A pair that succeeds; sometimes a second store-conditional, which fails.
    this.locked.add(pointer);
    this.emit(`lr${suffix}`, { rd: this.target(), rs1: pointer, imm: random.below(4) });
    for (let n = random.below(3); n > 0; n--) this.integer();
    for (let n = 1 + random.below(2); n > 0; n--) {
      this.emit(`sc${suffix}`, { rd: this.target(), rs1: pointer, rs2: this.any(), imm: random.below(4) });
    }
    this.locked.delete(pointer);
  }

  private csr(): void {
    const { random } = this;
    const name = this.pick(CSRS);
    if (random.below(8) === 0) {
      // Counters differ from run to run: read and forget.
      const rd = this.targetNotZero();
      this.emit("csrrs", { rd, rs1: 0, csr: this.pick([0xc00, 0xc01, 0xc02]) });
      this.emit("and", { rd, rs1: 0, rs2: rd });
      return;
    }
    const csr = this.pick([FFLAGS, FRM, FCSR]);
    this.emit(name, { rd: this.target(), rs1: this.any(), csr });
    // A reserved rounding mode would make the next dynamic operation illegal: endings test that.
    if (csr !== FFLAGS)
      this.emit("csrrwi", { rd: this.target(), rs1: random.below(2) === 0 ? 0 : random.below(5), csr: FRM });
  }

  private shortMemory(): void {
    const { random, base } = this;
    const names = base === 2 ? SHORT_STACK : base >= 8 && base < 16 ? SHORT_BASE : [];
    if (names.length === 0) {
      this.memory();
      return;
    }
    const name = this.pick(names);
    const word = name.includes("w");
    if (name === "c.addi4spn") {
      this.emit(name, { rd: this.shortTarget(), imm: 4 + 4 * random.below(255) });
      return;
    }
    const imm = word ? 4 * random.below(base === 2 ? 64 : 32) : 8 * random.below(base === 2 ? 64 : 32);
    const float = name.startsWith("c.f");
    const load = name.includes("l");
    const isLoad = load && !name.startsWith("c.fs");
    if (base === 2) {
      if (isLoad) this.emit(name, { rd: float ? this.any() : this.targetNotZero(), imm });
      else this.emit(name, { rs2: this.any(), imm });
    } else if (isLoad) this.emit(name, { rd: float ? 8 + random.below(8) : this.shortTarget(), rs1: base, imm });
    else this.emit(name, { rs1: base, rs2: 8 + random.below(8), imm });
  }

  /** Code that may or may not run: 1..4 simple instructions after a forward branch. */
  private forwardBranch(): void {
    const at = this.address;
    const short = this.random.below(2) === 0;
    const name = short ? this.pick(["c.beqz", "c.bnez"]) : this.pick(BRANCHES);
    const fields: Fields = short ? { rs1: 8 + this.random.below(8) } : { rs1: this.any(), rs2: this.any() };
    this.emit(name, { ...fields, imm: 4 });
    this.skippable(1 + this.random.below(4));
    this.patch(at, name, { ...fields, imm: this.address - at });
  }

  private skippable(count: number): void {
    this.uncertain++;
    for (let n = count; n > 0; n--) this.simple();
    this.uncertain--;
  }

  private forwardJump(): void {
    const at = this.address;
    const name = this.random.below(2) === 0 ? "c.j" : "jal";
    const fields: Fields = name === "jal" ? { rd: this.target() } : {};
    this.emit(name, { ...fields, imm: 4 });
    this.skippable(1 + this.random.below(4));
    this.patch(at, name, { ...fields, imm: this.address - at });
  }

  private indirectJump(): void {
    const { random } = this;
    const pointer = this.targetNotZero();
    const start = this.address;
    const name = this.pick(this.locked.has(1) ? ["jalr", "c.jr"] : ["jalr", "c.jr", "c.jalr"]);
    this.emit("auipc", { rd: pointer, imm: 0 });
    const adjust = this.address;
    this.emit("addi", { rd: pointer, rs1: pointer, imm: 0 });
    const at = this.address;
    const back = random.below(64) - 32;
    const fields: Fields = name === "jalr" ? { rd: this.target(), rs1: pointer, imm: back } : { rs1: pointer };
    this.emit(name, fields);
    this.skippable(1 + random.below(3));
    const odd = random.below(2); // bit 0 of a jump target is ignored
    const distance = this.address - start + odd - (name === "jalr" ? back : 0);
    this.patch(adjust, "addi", { rd: pointer, rs1: pointer, imm: distance });
    if (name === "jalr") this.patch(at, name, fields);
  }

  private countedLoop(): void {
    const { random } = this;
    const counter = this.shortTarget();
    this.locked.add(counter);
    this.emit("addi", { rd: counter, rs1: 0, imm: 1 + random.below(6) });
    const start = this.address;
    for (let n = 1 + random.below(6); n > 0; n--) this.simple();
    this.emit("c.addi", { rd: counter, imm: -1 });
    const imm = start - this.address;
    const name = this.pick(["bne", "blt", "c.bnez"]);
    if (name === "c.bnez") this.emit(name, { rs1: counter, imm });
    else this.emit(name, name === "bne" ? { rs1: counter, rs2: 0, imm } : { rs1: 0, rs2: counter, imm });
    this.locked.delete(counter);
  }

  /** Stores an instruction over a later one, then fence.i and runs it. */
  private selfModify(): void {
    const pointer = this.targetNotZero();
    this.locked.add(pointer);
    const value = this.targetNotZero();
    this.locked.add(value);
    const row = this.pick(INTEGERS.filter((candidate) => candidate.format === "R"));
    this.loadConstant(value, encode(row.name, { rd: this.target(), rs1: this.any(), rs2: this.any() }) | 0);
    const start = this.address;
    this.emit("auipc", { rd: pointer, imm: 0 });
    const store = this.address;
    this.emit("sw", { rs1: pointer, rs2: value, imm: 0 });
    this.emit("fence.i");
    for (let n = this.random.below(3); n > 0; n--) this.simple();
    this.patch(store, "sw", { rs1: pointer, rs2: value, imm: this.address - start });
    this.emit("addi", { rd: 0, rs1: 0, imm: 0 });
    this.locked.delete(pointer);
    this.locked.delete(value);
  }

  /**
   * A sequence that the interpreter runs as one handler, on few registers so that its parts depend on each other: results
   * feed addresses, operands and branches inside it.
   */
  private fusedSequence(): void {
    const row = this.pick(FUSIONS);
    const last = row[row.length - 1].replace(/\.near$/, "");
    const isBranch = /^(c\.)?b/.test(last);
    const jumpsFar = /^(c\.)?(jr|jalr)$/.test(last);
    const transfers = isBranch || jumpsFar || /^(c\.)?(jal|j)$/.test(last);
    const link = this.targetNotZero();
    const start = this.address;
    if (jumpsFar) {
      this.locked.add(link);
      this.emit("auipc", { rd: link, imm: 0 });
      this.emit("addi", { rd: link, rs1: link, imm: 0 });
    }
    const isShort = row.some((name) => SHORT_REGISTERS.test(name));
    const target = () => (isShort ? this.shortTarget() : this.targetNotZero());
    const small = target();
    this.locked.add(small);
    this.emit("addi", { rd: small, rs1: 0, imm: this.random.below(128) });
    const anchor = target();
    this.locked.add(anchor);
    this.emit("addi", { rd: anchor, rs1: this.base, imm: 0 });
    const registers = { pool: [target(), target(), target()], small, anchor };
    let pointer = anchor;
    for (const name of row.slice(0, -1)) pointer = this.fusedPart(name, registers, pointer);
    if (!transfers) this.fusedPart(last, registers, pointer);
    this.locked.delete(small);
    this.locked.delete(anchor);
    if (!transfers) return;
    const at = this.address;
    const [rs1, rs2] = [this.pick(registers.pool), this.pick(registers.pool)];
    const rd = last === "j" ? 0 : this.pick(registers.pool);
    const names: Record<string, string> = { "c.beq": "c.beqz", "c.bne": "c.bnez", j: "jal", jr: "jalr" };
    const name = names[last] ?? last;
    const fields: Fields = { rd, rs1, rs2, imm: 4 };
    if (jumpsFar) this.emit(name, { ...fields, rs1: link, imm: 0 });
    else this.emit(name, fields);
    this.skippable(1 + this.random.below(2));
    this.locked.delete(link);
    if (jumpsFar) this.patch(start + 4, "addi", { rd: link, rs1: link, imm: this.address - start });
    else this.patch(at, name, { ...fields, imm: this.address - at });
  }

  /**
   * One part of it, without control flow. `anchor` holds the base, `pointer` an address near it; returns the pointer for the
   * next part.
   */
  private fusedPart(name: string, { pool, small, anchor }: FusedRegisters, pointer: number): number {
    const rd = this.pick(pool);
    const rs1 = this.pick(pool);
    const rs2 = this.pick(pool);
    const fromBase = this.random.below(2) === 0;
    const near = this.random.below(256) - 128;
    const lost = rd === pointer ? anchor : pointer;
    switch (name) {
      case "c.mv":
        this.emit("c.mv", { rd, rs2: fromBase ? anchor : rs1 });
        return fromBase ? rd : lost;
      case "addi":
        this.emit("addi", { rd, rs1: fromBase ? anchor : rs1, imm: near || 1 });
        return fromBase ? rd : lost;
      case "c.addi":
        this.emit("c.addi", { rd, imm: near >> 2 || 1 });
        return pointer;
      case "add":
        this.emit("add", { rd, rs1: fromBase ? anchor : rs1, rs2: fromBase ? small : rs2 });
        return fromBase ? rd : lost;
      case "c.add":
        this.emit("c.add", { rd, rs2: fromBase ? small : rs2 });
        return fromBase ? pointer : lost;
      case "li":
        this.emit("addi", { rd, rs1: 0, imm: near });
        return lost;
      case "c.li":
      case "c.andi":
      case "c.addiw":
        this.emit(name, { rd, imm: near >> 2 });
        return lost;
      case "lui":
        this.emit("lui", { rd, imm: this.random.below(1 << 20) });
        return lost;
      case "auipc":
        this.emit("auipc", { rd, imm: 0 });
        return rd; // the text may be read; a store never follows
      case "slli":
      case "srli":
        this.emit(name, { rd, rs1, imm: this.random.below(64) });
        return lost;
      case "srliw":
        this.emit(name, { rd, rs1, imm: this.random.below(32) });
        return lost;
      case "c.slli":
      case "c.srli":
        this.emit(name, { rd, imm: 1 + this.random.below(63) });
        return lost;
      case "c.ld":
      case "c.lw":
        this.emit(name, { rd, rs1: pointer, imm: 8 * this.random.below(16) });
        return lost;
      case "c.sd":
        this.emit(name, {
          rs1: pointer,
          rs2: this.random.below(4) === 0 ? pointer : rs2,
          imm: 8 * this.random.below(32),
        });
        return pointer;
      default:
        if (STORES.includes(name)) {
          this.emit(name, { rs1: pointer, rs2: this.random.below(4) === 0 ? pointer : rs2, imm: near });
          return pointer;
        }
        this.emit(name, LOADS.includes(name) ? { rd, rs1: pointer, imm: near } : { rd, rs1, rs2, imm: near });
        return lost;
    }
  }

  private step(): void {
    const kind = this.random.below(100);
    if (kind < 82) this.simple();
    else if (kind < 88) this.forwardBranch();
    else if (kind < 91) this.forwardJump();
    else if (kind < 94) this.indirectJump();
    else if (kind < 97) this.countedLoop();
    else if (kind < 98) this.selfModify();
    else if (kind < 99) this.stackAdjust();
    else for (let n = 0; n < 8; n++) this.fusedSequence();
  }

  private stackAdjust(): void {
    if (this.locked.has(2)) return;
    const sixteenths = this.random.below(63) - 32;
    this.emit("c.addi16sp", { imm: (sixteenths === 0 ? 31 : sixteenths) * 16 });
  }

  block(dataAddress: number, steps: number): void {
    const base = this.pick([2, 8, 9, 10, 11, 12, 13, 14, 15, 2, 1, 5, 31, 20]);
    this.base = base;
    this.listing = [];
    const middle = dataAddress + 2048;
    this.loadConstant(base, middle);
    this.emit("addi", { rd: base, rs1: base, imm: INITIAL_AT });
    const last = base === 1 ? 3 : 1;
    this.emit("ld", { rd: last, rs1: base, imm: 0 });
    this.emit("csrrw", { rd: 0, rs1: last, csr: FCSR });
    for (let i = 0; i < 32; i++) this.emit("fld", { rd: i, rs1: base, imm: 8 + 8 * i });
    for (let i = 1; i < 32; i++) if (i !== base) this.emit("ld", { rd: i, rs1: base, imm: 264 + 8 * i });
    this.emit("addi", { rd: base, rs1: base, imm: -INITIAL_AT });
    this.locked = new Set([base]);
    const setup = this.listing.length;
    for (let n = 0; n < steps; n++) this.step();
    const listing = this.listing.slice(setup);
    for (let i = 1; i < 32; i++) this.emit("sd", { rs1: base, rs2: i, imm: X_AT + 8 * i });
    for (let i = 0; i < 32; i++) this.emit("fsd", { rs1: base, rs2: i, imm: F_AT + 8 * i });
    const flags = base === 1 ? 3 : 1;
    this.emit("csrrs", { rd: flags, rs1: 0, csr: FCSR });
    this.emit("sd", { rs1: base, rs2: flags, imm: FCSR_AT });
    this.emit("addi", { rd: 11, rs1: base, imm: -1024 });
    this.emit("addi", { rd: 10, rs1: 0, imm: 1 });
    this.loadConstant(12, DUMP_BYTES);
    this.emit("addi", { rd: 17, rs1: 0, imm: SYS_WRITE });
    this.emit("ecall");
    this.blocks.push({ listing, base });
  }

  /** Random contents of a block's data page pair: scratch, and the initial registers. */
  fillData(words: Uint32Array, at: number): void {
    const { operands, random } = this;
    const put = (index: number) => {
      words[at + index] = operands.low;
      words[at + index + 1] = operands.high;
    };
    const draw = () => operands.forOperand(this.pick(["s", "d", "d", "x"] as const));
    const middle = 2048 / 4;
    for (let i = -256; i < 256; i += 2) {
      draw();
      put(middle + i);
    }
    const initial = middle + INITIAL_AT / 4;
    words[at + initial] =
      (random.below(2) === 0 ? 0 : random.below(5) << 5) | (random.below(2) === 0 ? 0 : random.below(32));
    for (let i = 0; i < 32; i++) {
      operands.forOperand(random.below(2) === 0 ? "s" : "d");
      put(initial + 2 + 2 * i);
      if (random.below(4) === 0) draw();
      else operands.integer();
      put(initial + 66 + 2 * i);
    }
  }

  end(ending: Ending): void {
    switch (ending) {
      case "exit":
        this.emit("addi", { rd: 10, rs1: 0, imm: 7 });
        this.emit("addi", { rd: 17, rs1: 0, imm: SYS_EXIT });
        this.emit("ecall");
        return;
      case "ebreak":
      case "c.ebreak":
        this.emit(ending);
        return;
      case "reserved-rm":
        this.text.push(0x5053, 0x0221); // fadd.d f0, f2, f2 with rm 5
        return;
      case "dynamic-reserved-frm":
        this.emit("csrrwi", { rd: 0, rs1: 5 + this.random.below(3), csr: FRM });
        this.uncertain++;
        this.emit(this.pick(["fadd.s", "fmul.d", "fcvt.w.d", "fmadd.d", "fsqrt.s"]), { rm: 7 });
        this.uncertain--;
        return;
      case "zero":
        this.text.push(0, 0);
        return;
      case "all-ones":
        this.text.push(0xffff, 0xffff);
    }
  }

  textBytes(): Uint8Array {
    return new Uint8Array(new Uint16Array(this.text).buffer);
  }
}

/** Reserves the text area: a block of `steps` steps needs about this much. */
function textReserve(blocks: number, steps: number): number {
  return Math.ceil((blocks * (600 + steps * 40) + 4096) / 4096) * 4096;
}

/** The program of a seed. */
export function generateProgram(seed: number, blockCount = 60, steps = 60): Program {
  const writer = new ProgramWriter(seed);
  const reserve = textReserve(blockCount, steps);
  const data = TEXT + reserve + 2048; // bases fall on page boundaries
  const bytes = new Uint8Array(reserve + blockCount * DATA_PER_BLOCK + 8192);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < blockCount; i++) {
    writer.fillData(words, (reserve + 2048 + i * DATA_PER_BLOCK) >> 2);
    writer.block(data + i * DATA_PER_BLOCK, steps);
  }
  const ending = writer.random.below(2) === 0 ? "exit" : ENDINGS[writer.random.below(ENDINGS.length)];
  writer.end(ending);
  const text = writer.textBytes();
  if (text.length > reserve) throw new Error("text area too small");
  bytes.set(text);
  return { elf: writeElf(TEXT, TEXT, bytes), blocks: writer.blocks, ending, executed: writer.executed };
}
