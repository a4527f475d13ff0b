// Where operands live in the interpreter: fields of the pre-decoded slot at local `ip` and registers in linear memory.
// Emits the code of one handler at a time; what instructions mean comes from isa/semantics-*.ts.
import { EXIT_ECALL, EXIT_FUEL, EXIT_ILLEGAL, EXIT_LIMIT } from "./exits.ts";
import type { Emitter, SharedFunctions } from "./isa/emitter.ts";
import type { FloatHelpers } from "./isa/float-helpers.ts";
import type { FloatOperation } from "./isa/float-operations.ts";
import { endsLine, type Form } from "./isa/forms.ts";
import { CODE_DROPPED, DATA_ENTRY_MASK, F, FAULTED, FCSR, IP_BASE, PC_BASE, SLOT_BYTES, X } from "./layout.ts";
import type { FunctionBuilder, Label } from "./wasm/builder.ts";
import { I32, I64, type MemoryOp, VOID } from "./wasm/opcodes.ts";

/** Byte offsets of the fields of a slot (layout.ts). */
const RD = 2;
const RS1 = 3;
const RS2 = 4;
const RS3 = 5;
const RM = 6;
const IMM16 = 6;
const IMM32 = 4;

export interface InterpreterLabels {
  /** Dispatch `handlerLocal` for the slot at ip. */
  readonly dispatch: Label;
  /** Look up npc, then dispatch. */
  readonly jump: Label;
  /** A noted page fault of the instruction at ip. */
  readonly fault: Label;
  /** Leave with `reason`; pc is that of ip. */
  readonly leave: Label;
  /** Leave with `reason`; pc is npc. */
  readonly leaveToNpc: Label;
}

/** An instruction of a handler: its form, what it means, and the handler that it has alone. */
export interface HandlerPart {
  readonly form: Form;
  readonly meaning: (e: Emitter) => void;
  readonly handler: number;
}

export class InterpreterEmitter implements Emitter {
  readonly f: FunctionBuilder;
  readonly shared: SharedFunctions;
  readonly floats: FloatHelpers;
  readonly a: number;
  readonly b: number;
  readonly t: number;
  readonly t2: number;
  /**
   * pc = base of the page + (ip - base of its slots) / 4: a slot of 8 bytes per halfword. The bases are in memory (PC_BASE,
   * IP_BASE): out of locals V8 would compute pc before each dispatch, as many handlers want it.
   */
  readonly ip: number;
  readonly npc: number;
  readonly fuelLocal: number;
  readonly handlerLocal: number;
  readonly reason: number;
  readonly tlbRead: number;
  readonly tlbWrite: number;
  private readonly rm: number;
  private readonly va: number;
  private readonly entry: number;
  private form!: Form;
  /** The handler that the instruction being emitted has alone, or null where it is. */
  private alone: number | null = null;
  labels!: InterpreterLabels;

  /** Whether the budget is looked at before every instruction. */
  private readonly exact: boolean;
  /** Function (address of a jump, target) that writes it down, or null. */
  private readonly recordJump: number | null;

  constructor(
    f: FunctionBuilder,
    shared: SharedFunctions,
    floats: FloatHelpers,
    fuelLocal: number,
    { exact, recordJump }: { readonly exact: boolean; readonly recordJump: number | null },
  ) {
    this.exact = exact;
    this.recordJump = recordJump;
    this.f = f;
    this.shared = shared;
    this.floats = floats;
    this.fuelLocal = fuelLocal;
    this.ip = f.local(I32);
    this.handlerLocal = f.local(I32);
    this.reason = f.local(I32);
    this.tlbRead = f.local(I32);
    this.tlbWrite = f.local(I32);
    this.entry = f.local(I32);
    this.t = f.local(I32);
    this.t2 = f.local(I32);
    this.rm = f.local(I32);
    this.npc = f.local(I64);
    this.a = f.local(I64);
    this.b = f.local(I64);
    this.va = f.local(I64);
  }

  /** Emits a handler for consecutive instructions; their slots lie one behind the other. */
  handler(parts: readonly HandlerPart[]): void {
    parts.forEach(({ form, meaning, handler }, i) => {
      this.form = form;
      this.alone = parts.length === 1 ? null : handler;
      meaning(this);
      if (i === parts.length - 1) return;
      this.advance();
      this.f.get(this.fuelLocal).i32(1).op("i32_sub").set(this.fuelLocal);
    });
    if (endsLine(parts[parts.length - 1].form)) return;
    this.advance();
    this.next();
  }

  /** Counts the instruction at ip and has its handler run. */
  next(): void {
    if (this.exact) this.leaveAtLimit(this.labels.leave);
    this.fetch();
    this.f.br(this.labels.dispatch);
  }

  /** Counts the instruction at ip and reads its handler: at the end of every handler, as V8 moves values about between loops. */
  fetch(): void {
    const { f } = this;
    f.get(this.fuelLocal).i32(1).op("i32_sub").set(this.fuelLocal);
    f.get(this.ip).mem("i32_load16_u").set(this.handlerLocal);
  }

  /** Leaves to `label` when the budget is used up. */
  leaveAtLimit(label: Label): void {
    const { f } = this;
    f.get(this.fuelLocal).i32(0).op("i32_le_s");
    f.if_(VOID, () => f.i32(EXIT_LIMIT).set(this.reason).br(label), undefined, false);
  }

  /** Bytes from the slot at ip to the next. */
  private get step(): number {
    return (this.form.lengthBytes / 2) * SLOT_BYTES;
  }
  /** ip moves to the next instruction. */
  advance(): void {
    this.f.get(this.ip).i32(this.step).op("i32_add").set(this.ip);
  }

  private field(byte: number): FunctionBuilder {
    return this.f.get(this.ip).mem("i32_load8_u", byte);
  }
  x1(): void {
    this.field(RS1).mem("i64_load", X);
  }
  x2(): void {
    this.field(RS2).mem("i64_load", X);
  }
  f1(): void {
    this.field(RS1).mem("i64_load", F);
  }
  f2(): void {
    this.field(RS2).mem("i64_load", F);
  }
  f3(): void {
    this.field(RS3).mem("i64_load", F);
  }
  private get shortImmediate(): boolean {
    return this.form.row.format === "S" || this.form.row.format === "B";
  }
  imm32(): void {
    this.f.get(this.ip);
    if (this.shortImmediate) this.f.mem("i32_load16_s", IMM16);
    else this.f.mem("i32_load", IMM32);
  }
  imm64(): void {
    this.f.get(this.ip);
    if (this.shortImmediate) this.f.mem("i64_load16_s", IMM16);
    else this.f.mem("i64_load32_s", IMM32);
  }
  pc(): void {
    this.addressOf(() => this.f.get(this.ip));
  }
  nextPc(): void {
    this.addressOf(() => this.f.get(this.ip).i32(this.step).op("i32_add"));
  }
  /** The address of the instruction whose slot `slot` pushes. */
  private addressOf(slot: () => void): void {
    const { f } = this;
    this.pcBase();
    slot();
    this.ipBase();
    f.op("i32_sub").i32(2).op("i32_shr_u", "i64_extend_i32_u", "i64_add");
  }
  pcBase(): void {
    this.f.i32(0).mem("i64_load", PC_BASE);
  }
  ipBase(): void {
    this.f.i32(0).mem("i32_load", IP_BASE);
  }
  areWords(): boolean {
    // A handler knows nothing of the instructions before.
    return false;
  }
  writeWord(value: () => void): void {
    this.writeX(() => {
      value();
      this.f.op("i64_extend_i32_s");
    });
  }
  writeX(value: () => void): void {
    const { f, form } = this;
    if (form.discard) {
      // Only jumps and loads have this form: a load may still fault.
      if (form.row.format === "J" || form.row.name === "jalr") return;
      value();
      f.op("drop");
      return;
    }
    this.field(RD);
    value();
    f.mem("i64_store", X);
    // The decoder lets no other instruction write x0.
    const kind = form.row.format;
    if (kind === "AMO" || kind === "R1" || kind === "CSR" || kind === "CSRI" || form.row.name[0] === "f")
      f.i32(0).i64(0).mem("i64_store", X);
  }
  writeF(value: () => void): void {
    this.field(RD);
    value();
    this.f.mem("i64_store", F);
  }
  checkRounding(): void {
    const { f } = this;
    this.field(RM)
      .tee(this.rm)
      .i32(7)
      .op("i32_eq")
      .if_(VOID, () => {
        f.i32(0).mem("i32_load", FCSR).i32(5).op("i32_shr_u").i32(7).op("i32_and").tee(this.rm);
        f.i32(4)
          .op("i32_gt_u")
          .if_(VOID, () => this.illegal(), undefined, false);
      });
  }
  compute(operation: FloatOperation): void {
    if (operation.rounds) this.f.get(this.rm); // checkRounding() resolved it
    this.floats.emit(this.f, operation.name);
  }

  /** Leaves va in a local; then `hit` or `miss` runs. A misaligned access never hits: its low bits differ from any tag. */
  private access(
    table: number,
    sizeBytes: number,
    hit: () => void,
    miss: () => void,
    type: typeof I64 | typeof VOID,
  ): void {
    const { f } = this;
    this.x1();
    this.imm64();
    f.op("i64_add").tee(this.va);
    f.op("i32_wrap_i64")
      .i32(8)
      .op("i32_shr_u")
      .i32(DATA_ENTRY_MASK)
      .op("i32_and")
      .get(table)
      .op("i32_add")
      .tee(this.entry);
    f.mem("i64_load", 0)
      .get(this.va)
      .i64(-4096 + sizeBytes - 1)
      .op("i64_and", "i64_eq");
    f.if_(type, hit, miss, true);
  }
  private linearAddress(): void {
    this.f.get(this.va).op("i32_wrap_i64").get(this.entry).mem("i32_load", 8).op("i32_add");
  }
  load(op: MemoryOp, sizeBytes: number, signed: boolean): void {
    const { f } = this;
    const hit = () => {
      this.linearAddress();
      f.mem(op);
    };
    const miss = () => {
      if (this.leaveToAlone()) return;
      f.get(this.va).i32(sizeBytes).call(this.shared.slowLoad).set(this.b);
      this.faultIfNoted();
      f.get(this.b);
      if (signed) f.op(sizeBytes === 1 ? "i64_extend8_s" : sizeBytes === 2 ? "i64_extend16_s" : "i64_extend32_s");
    };
    this.access(this.tlbRead, sizeBytes, hit, miss, I64);
  }
  store(op: MemoryOp, sizeBytes: number, value: () => void): void {
    const { f } = this;
    const hit = () => {
      this.linearAddress();
      value();
      f.mem(op);
    };
    const miss = () => {
      if (this.leaveToAlone()) return;
      f.get(this.va).i32(sizeBytes);
      value();
      f.call(this.shared.slowStore);
      this.faultIfNoted();
      this.recheckCode();
    };
    this.access(this.tlbWrite, sizeBytes, hit, miss, VOID);
  }

  /** An access of a fused sequence that misses the TLB begins again in its own handler, which knows the slow way. */
  private leaveToAlone(): boolean {
    if (this.alone === null) return false;
    this.f.i32(this.alone).set(this.handlerLocal).br(this.labels.dispatch);
    return true;
  }

  branchIf(condition: () => void): void {
    condition();
    this.f.if_(VOID, () => this.jumpRelative());
  }
  jumpRelative(): void {
    const { f } = this;
    if (this.form.near) {
      f.get(this.ip).get(this.ip);
      if (this.shortImmediate) f.mem("i32_load16_s", IMM16);
      else f.mem("i32_load", IMM32);
      f.op("i32_add").set(this.npcSlot);
      this.record(() => this.addressOf(() => f.get(this.npcSlot)));
      f.get(this.npcSlot).get(this.ip).op("i32_le_u");
      f.get(this.npcSlot).set(this.ip);
      this.leaveIfSpent(this.labels.leave);
      this.next();
    } else {
      this.pc();
      this.imm64();
      f.op("i64_add").set(this.npc);
      this.record(() => f.get(this.npc));
      this.imm32();
      f.i32(0).op("i32_le_s");
      this.leaveIfSpent(this.labels.leaveToNpc);
      f.br(this.labels.jump);
    }
  }
  private record(target: () => void): void {
    if (this.recordJump === null) return;
    this.pc();
    target();
    this.f.call(this.recordJump);
  }
  private get npcSlot(): number {
    return this.t;
  }
  jumpTo(target: number): void {
    const { f } = this;
    f.get(target).set(this.npc);
    this.record(() => f.get(this.npc));
    f.i32(1);
    this.leaveIfSpent(this.labels.leaveToNpc);
    // A target in the same page needs no look-up.
    f.get(this.npc).i64(-4096).op("i64_and");
    this.pcBase();
    f.op("i64_eq").if_(VOID, () => {
      this.ipBase();
      this.setIpWithin();
      this.next();
    });
    f.br(this.labels.jump);
  }
  /** ip = the slot for npc in the page whose slots begin at the i32 on the stack. */
  setIpWithin(): void {
    const { f } = this;
    f.get(this.npc).op("i32_wrap_i64").i32(0xfff).op("i32_and").i32(2).op("i32_shl", "i32_add").set(this.ip);
  }
  /**
   * Takes an i32: whether this taken jump goes backwards or through a register. Only there is the budget looked at, so
   * that every way of running the same instructions stops at the same one.
   */
  private leaveIfSpent(label: Label): void {
    const { f } = this;
    f.get(this.fuelLocal).i32(0).op("i32_le_s", "i32_and");
    f.if_(VOID, () => f.i32(EXIT_FUEL).set(this.reason).br(label), undefined, false);
  }

  faultIfNoted(): void {
    this.f.i32(0).mem("i32_load", FAULTED).brIf(this.labels.fault, false);
  }
  illegalIfNoted(): void {
    const { f } = this;
    f.i32(0)
      .mem("i32_load", FAULTED)
      .if_(
        VOID,
        () => {
          f.i32(0).i32(0).mem("i32_store", FAULTED);
          this.illegal();
        },
        undefined,
        false,
      );
  }
  illegal(): void {
    this.unretire();
    this.f.i32(EXIT_ILLEGAL).set(this.reason).br(this.labels.leave);
  }
  exit(reason: number): void {
    if (reason !== EXIT_ECALL) this.unretire();
    this.f.i32(reason).set(this.reason).br(this.labels.leave);
  }
  /** The instruction at ip was counted at its dispatch but does not retire. */
  unretire(): void {
    this.f.get(this.fuelLocal).i32(1).op("i32_add").set(this.fuelLocal);
  }
  recheckCode(): void {
    const { f } = this;
    f.i32(0)
      .mem("i32_load", CODE_DROPPED)
      .if_(
        VOID,
        () => {
          // The slots of a dropped page stay readable until the next look-up.
          f.i32(0).i32(0).mem("i32_store", CODE_DROPPED);
          this.nextPc();
          f.set(this.npc).br(this.labels.jump);
        },
        undefined,
        false,
      );
  }
  fuel(): void {
    this.f.get(this.fuelLocal);
  }
  csrNumber(): void {
    this.imm32();
  }
  zimm(): void {
    this.f.get(this.ip).mem("i64_load8_u", RS1).i64(3).op("i64_shr_u");
  }
  operandFieldIsZero(): void {
    this.field(RS1).op("i32_eqz");
  }
}
