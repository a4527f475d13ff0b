// Where operands live in translated code: guest registers in wasm locals, immediates and distances as constants. Emits one
// instruction at a time in order, so that registers are exact wherever it leaves; control flow is region.ts's.
import { EXIT_ILLEGAL, EXIT_PAGE_FAULT } from "../exits.ts";
import type { Emitter, SharedFunctions } from "../isa/emitter.ts";
import type { FloatHelpers } from "../isa/float-helpers.ts";
import type { FloatOperation } from "../isa/float-operations.ts";
import {
  BASE_RUNS,
  CODE_DROPPED,
  DATA_ENTRY_MASK,
  F,
  FAULTED,
  FCSR,
  RUN_ADDEND,
  RUN_BYTES,
  RUN_LENGTH,
  X,
} from "../layout.ts";
import { emitCountMiss } from "../run-functions.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { I32, I64, type MemoryOp, VOID } from "../wasm/opcodes.ts";
import { type AccessGroup, groupAccesses } from "./access-groups.ts";
import type { BlockInstruction } from "./blocks.ts";
import { forEachRegister, type RegisterSet } from "./register-set.ts";

/** A region function answers an exit reason, or this: the interpreter goes on at PC. */
export const REGION_CONTINUE = -1;
/** The same, but code was dropped, perhaps that of the region or of those that wait for it. */
const REGION_DROPPED = -2;

/** A place in a region as one i64 (calls reach far): offset << PLACE_SHIFT | instructions retired since fuel was brought up to date. */
const PLACE_SHIFT = 11;

/** Labels behind which the function is left. */
export interface Leaves {
  /** Place and status are set. */
  readonly leave: Label;
  /** Because of a page fault; place is set. */
  readonly fault: Label;
  /** After a store instruction of so many bytes that noted something; place is that of the store. */
  readonly stored: { readonly 2: Label; readonly 4: Label };
  /** Whether resident registers are stored there. */
  readonly storesRegisters: boolean;
}

/** What a jump does is decided by the region. */
export interface ControlFlow {
  branch(condition: () => void): void;
  jump(): void;
  /** Jump to the address in the i64 local. */
  jumpTo(target: number): void;
}

export class TranslatorEmitter implements Emitter {
  readonly f: FunctionBuilder;
  readonly shared: SharedFunctions;
  readonly floats: FloatHelpers;
  readonly a: number;
  readonly b: number;
  readonly t: number;
  readonly t2: number;
  /** Parameters of the region function: fuel, offset of the entry, address of the base page, how many regions wait for this one. */
  readonly fuelLocal = 0;
  readonly entryOffset = 1;
  readonly base = 2;
  readonly depth = 3;
  readonly npc: number;
  readonly status: number;
  readonly tlbRead: number;
  readonly tlbWrite: number;
  /** Scratch i64 of address computations. */
  readonly va64: number;
  private readonly entry: number;
  private readonly rm: number;
  private readonly xLocals = new Map<number, number>();
  private readonly fLocals = new Map<number, number>();
  /** Registers whose locals hold their values, and those that the block must load first. */
  cached: RegisterSet = { x: 0, f: 0 };
  missing: RegisterSet = { x: 0, f: 0 };
  /** Registers that were written and are not in memory yet: address and local. */
  private readonly unstored = new Map<number, number>();
  /** Bit i: xi holds 32 bits that the block sign-extended. */
  private words = 1;
  private blockStart = 0;
  private readonly control: ControlFlow;
  /** Leaves the function; npc and status are set. */
  exitLabel!: Label;
  /** The places for leaving from where code is being emitted. */
  leaves!: Leaves;
  private readonly place: number;
  instruction!: BlockInstruction;
  private groups = new Map<BlockInstruction, AccessGroup>();
  /** i32 local per base register (doubled, plus 1 for stores): linear address of its group's `low`, or 0. */
  private readonly groupLocals = new Map<number, number>();
  /** Base registers, as bits, that BASE_RUNS serves where code is being emitted (loops.ts). */
  steady = 0;
  roaming = 0;
  /** Instructions retired since fuel was last brought up to date, before this one. */
  pending = 0;

  constructor(f: FunctionBuilder, shared: SharedFunctions, floats: FloatHelpers, control: ControlFlow) {
    this.f = f;
    this.shared = shared;
    this.floats = floats;
    this.control = control;
    this.npc = f.local(I64);
    this.a = f.local(I64);
    this.b = f.local(I64);
    this.va64 = f.local(I64);
    this.status = f.local(I32);
    this.place = f.local(I64);
    this.t = f.local(I32);
    this.t2 = f.local(I32);
    this.rm = f.local(I32);
    this.entry = f.local(I32);
    this.tlbRead = f.local(I32);
    this.tlbWrite = f.local(I32);
  }

  private xLocal(i: number): number {
    let local = this.xLocals.get(i);
    if (local === undefined) {
      local = this.f.local(I64);
      this.xLocals.set(i, local);
    }
    return local;
  }
  private fLocal(i: number): number {
    let local = this.fLocals.get(i);
    if (local === undefined) {
      local = this.f.local(I64);
      this.fLocals.set(i, local);
    }
    return local;
  }
  /** Loads these registers into their locals. */
  loadRegisters({ x, f }: RegisterSet): void {
    forEachRegister(x, (i) => this.loadRegister(this.xLocal(i), X + 8 * i));
    forEachRegister(f, (i) => this.loadRegister(this.fLocal(i), F + 8 * i));
    this.cached.x |= x;
    this.cached.f |= f;
  }
  private loadRegister(local: number, address: number): void {
    this.f.i32(0).mem("i64_load", address).set(local);
  }
  storeRegisters({ x, f }: RegisterSet): void {
    forEachRegister(x, (i) => this.storeRegister(this.xLocal(i), X + 8 * i));
    forEachRegister(f, (i) => this.storeRegister(this.fLocal(i), F + 8 * i));
  }
  private storeRegister(local: number, address: number): void {
    this.f.i32(0).get(local).mem("i64_store", address);
  }

  private x(i: number): void {
    if (i === 0) {
      this.f.i64(0);
      return;
    }
    if (((this.cached.x >>> i) & 1) === 0) {
      this.cached.x |= 1 << i;
      this.missing.x |= 1 << i;
    }
    this.f.get(this.xLocal(i));
  }
  private fRegister(i: number): void {
    if (((this.cached.f >>> i) & 1) === 0) {
      this.cached.f |= 1 << i;
      this.missing.f |= 1 << i;
    }
    this.f.get(this.fLocal(i));
  }
  x1(): void {
    this.x(this.instruction.rs1);
  }
  x2(): void {
    this.x(this.instruction.rs2);
  }
  f1(): void {
    this.fRegister(this.instruction.rs1);
  }
  f2(): void {
    this.fRegister(this.instruction.rs2);
  }
  f3(): void {
    this.fRegister(this.instruction.rs3);
  }
  imm32(): void {
    this.f.i32(this.instruction.imm);
  }
  imm64(): void {
    this.f.i64(this.instruction.imm);
  }
  /** Pushes the address at this offset from the base. */
  address(offset: number): void {
    this.f.get(this.base).i64(offset).op("i64_add");
  }
  pc(): void {
    this.address(this.instruction.at);
  }
  nextPc(): void {
    this.address(this.instruction.at + this.instruction.lengthBytes);
  }
  areWords(hasRs2: boolean): boolean {
    const { rs1, rs2 } = this.instruction;
    const registers = (1 << rs1) | (hasRs2 ? 1 << rs2 : 0);
    return (registers & ~this.words) === 0;
  }
  writeWord(value: () => void): void {
    this.writeX(() => {
      value();
      this.f.op("i64_extend_i32_s");
    });
    this.words |= 1 << this.instruction.rd;
  }
  writeX(value: () => void): void {
    const { rd } = this.instruction;
    this.words &= ~(1 << rd) | 1;
    if (rd === 0) {
      value();
      this.f.op("drop");
      return;
    }
    this.write(this.xLocal(rd), X + 8 * rd, value);
    this.cached.x |= 1 << rd;
  }
  writeF(value: () => void): void {
    const { rd } = this.instruction;
    this.write(this.fLocal(rd), F + 8 * rd, value);
    this.cached.f |= 1 << rd;
  }
  /** To the local, and to memory where registers are not resident: then none of the many places to leave from has to. */
  private write(local: number, address: number, value: () => void): void {
    const { f } = this;
    if (this.leaves.storesRegisters) {
      value();
      f.set(local);
      return;
    }
    value();
    f.set(local);
    this.unstored.set(address, local);
  }
  /** Must be called before anything that can leave: brings memory up to date. */
  storeWritten(): void {
    for (const [address, local] of this.unstored) this.storeRegister(local, address);
    this.unstored.clear();
  }

  checkRounding(): void {
    const { f } = this;
    const { rm } = this.instruction;
    if (rm !== 7) {
      f.i32(rm).set(this.rm);
      return;
    }
    f.i32(0).mem("i32_load", FCSR).i32(5).op("i32_shr_u").i32(7).op("i32_and").tee(this.rm);
    f.i32(4)
      .op("i32_gt_u")
      .if_(VOID, () => this.illegal(), undefined, false);
  }
  compute(operation: FloatOperation): void {
    const { rm } = this.instruction;
    if (this.floats.isArithmeticInline(operation.name)) {
      this.floats.emitArithmeticInline(this.f, operation.name, rm, () => this.illegal());
      return;
    }
    if (rm === 1 && /^fcvt\.(w|wu|l|lu)\.d$/.test(operation.name)) {
      this.floats.emitTruncateInline(this.f, operation.name);
      return;
    }
    if (operation.rounds) this.f.get(this.rm);
    this.floats.emit(this.f, operation.name);
  }

  /** Must be called before the instructions of a block are emitted. */
  beginBlock(instructions: readonly BlockInstruction[]): void {
    this.groups = groupAccesses(instructions);
    this.words = 1;
    this.blockStart = this.f.code.length;
    this.missing = { x: 0, f: 0 };
  }
  /** Must be called behind what a block computes, before control passes on: loads at its head what it needs. */
  endBlock(): void {
    this.storeWritten();
    if (this.missing.x !== 0 || this.missing.f !== 0) {
      this.f.insert(this.blockStart, () => this.loadRegisters(this.missing));
    }
  }

  private groupLocal({ base, isStore }: AccessGroup): number {
    const key = base * 2 + (isStore ? 1 : 0);
    let local = this.groupLocals.get(key);
    if (local === undefined) {
      local = this.f.local(I32);
      this.groupLocals.set(key, local);
    }
    return local;
  }

  /** How the register is used as a base where code is being emitted. */
  private useOf(base: number): "steady" | "roaming" | "other" {
    if (((this.steady >>> base) & 1) !== 0) return "steady";
    return ((this.roaming >>> base) & 1) !== 0 ? "roaming" : "other";
  }

  /**
   * Pushes the linear address of the one in va64. Unless all bytes up to `span` behind it lie in the run of pages that the base register
   * pointed into last, `look` pushes whether the TLB has their page (at `entry`); if not, `miss` goes elsewhere.
   */
  private linearInRun(isStore: boolean, span: number, look: () => void, miss: () => void): void {
    const { f } = this;
    const { rs1 } = this.instruction;
    const run = BASE_RUNS + RUN_BYTES * (rs1 * 2 + (isStore ? 1 : 0));
    const distance = () => f.get(this.va64).i32(0).mem("i64_load", run).op("i64_sub");
    const leaveUnlessInRun = (outside: Label) => {
      f.i32(0)
        .mem("i64_load", run + RUN_LENGTH)
        .op("i64_ge_u")
        .brIf(outside, false);
    };
    /** Continues where the access is in the run; 8 bytes are where their first is. */
    const stayInRun = (outside: Label) => {
      distance();
      leaveUnlessInRun(outside);
      if (span <= 7) return;
      distance()
        .i64(span - 7)
        .op("i64_add");
      leaveUnlessInRun(outside);
    };
    const linear = () =>
      f
        .get(this.va64)
        .op("i32_wrap_i64")
        .i32(0)
        .mem("i32_load", run + RUN_ADDEND)
        .op("i32_add");
    const lookOrMiss = () => {
      look();
      f.op("i32_eqz").if_(VOID, miss, undefined, false);
    };
    const change = (how: number) =>
      f
        .get(this.entry)
        .i32(run)
        .i32(isStore ? 1 : 0)
        .call(how);
    if (this.useOf(rs1) === "steady") {
      f.block(VOID, (inside) => {
        f.block(VOID, (outside) => {
          stayInRun(outside);
          f.br(inside);
        });
        lookOrMiss();
        change(this.shared.moveRun);
      });
      linear();
      return;
    }
    f.block(I32, (done) => {
      f.block(VOID, (outside) => {
        stayInRun(outside);
        linear();
        f.br(done);
      });
      lookOrMiss();
      emitCountMiss(f);
      f.if_(VOID, () => change(this.shared.growRun), undefined, false);
      this.linearAddress();
    });
  }

  /**
   * Looks up the page of the group's last byte, which is that of `low` or has another tag: a group across two pages misses,
   * and its members go the slow way one by one.
   */
  private lookUpGroup(group: AccessGroup): void {
    const { f } = this;
    const span = group.end - 1 - group.low;
    const push = (offset: number) => {
      if (offset !== 0) f.i64(offset).op("i64_add");
    };
    const look = () => {
      f.get(this.va64);
      if (span >= group.align) push(span);
      this.lookUp(group.isStore ? this.tlbWrite : this.tlbRead, group.align);
    };
    this.x1();
    push(group.low);
    f.set(this.va64);
    if (this.useOf(group.base) !== "other") {
      f.block(I32, (done) => this.linearInRun(group.isStore, span, look, () => f.i32(0).br(done)));
    } else {
      look();
      f.if_(
        I32,
        () => this.linearAddress(),
        () => f.i32(0),
        true,
      );
    }
    f.set(this.groupLocal(group));
  }

  /** A member of a group: `hit` takes the distance from the linear address on the stack; `miss` the address in va64. */
  private groupedAccess(
    group: AccessGroup,
    hit: (distance: number) => void,
    miss: () => void,
    type: typeof I64 | typeof VOID,
  ): void {
    const { f, instruction } = this;
    if (instruction === group.first) this.lookUpGroup(group);
    const local = this.groupLocal(group);
    // No linear address is so small. The same condition in each member V8 would keep as a value of its own, on the stack.
    f.get(local).i32(group.members.indexOf(instruction)).op("i32_gt_u");
    f.if_(
      type,
      () => {
        f.get(local);
        hit(instruction.imm - group.low);
      },
      () => {
        this.x1();
        f.i64(instruction.imm).op("i64_add").set(this.va64);
        miss();
      },
      true,
    );
  }

  /**
   * Takes an address (i64) whose page is to be looked up, and pushes whether the table has it for the one in va64, which is
   * in `entry` then. As in the interpreter: a misaligned access never hits, as its low bits differ from any tag.
   */
  private lookUp(table: number, align: number): void {
    const { f } = this;
    f.op("i32_wrap_i64").i32(8).op("i32_shr_u").i32(DATA_ENTRY_MASK).op("i32_and").get(table).op("i32_add");
    f.tee(this.entry)
      .mem("i64_load", 0)
      .get(this.va64)
      .i64(-4096 + align - 1)
      .op("i64_and", "i64_eq");
  }

  /** `hit` takes what `linear` pushes, the linear address; `miss` the address in va64. */
  private access(
    isStore: boolean,
    sizeBytes: number,
    hit: (linear: () => void) => void,
    miss: () => void,
    type: typeof I64 | typeof VOID,
  ): void {
    const { f } = this;
    const { imm, rs1 } = this.instruction;
    const look = () => {
      f.get(this.va64);
      this.lookUp(isStore ? this.tlbWrite : this.tlbRead, sizeBytes);
    };
    this.x1();
    if (imm !== 0) f.i64(imm).op("i64_add");
    f.set(this.va64);
    if (this.useOf(rs1) === "other") {
      look();
      f.if_(type, () => hit(() => this.linearAddress()), miss, true);
      return;
    }
    f.block(type, (done) => {
      f.block(VOID, (slow) => {
        hit(() => this.linearInRun(isStore, sizeBytes - 1, look, () => f.br(slow)));
        f.br(done);
      });
      miss();
    });
  }
  private linearAddress(): void {
    this.f.get(this.va64).op("i32_wrap_i64").get(this.entry).mem("i32_load", 8).op("i32_add");
  }
  load(op: MemoryOp, sizeBytes: number, signed: boolean): void {
    const { f } = this;
    const hit = (linear: () => void) => {
      linear();
      f.mem(op);
    };
    const miss = () => {
      this.setPlace(this.instruction.at, this.pending);
      f.get(this.va64).i32(sizeBytes).call(this.shared.slowLoad);
      if (signed) f.op(sizeBytes === 1 ? "i64_extend8_s" : sizeBytes === 2 ? "i64_extend16_s" : "i64_extend32_s");
      f.i32(0).mem("i32_load", FAULTED).brIf(this.leaves.fault, false);
    };
    const group = this.groups.get(this.instruction);
    if (group !== undefined) this.groupedAccess(group, (distance) => void f.mem(op, distance), miss, I64);
    else this.access(false, sizeBytes, hit, miss, I64);
  }
  store(op: MemoryOp, sizeBytes: number, value: () => void): void {
    const { f } = this;
    const hit = (linear: () => void) => {
      linear();
      value();
      f.mem(op);
    };
    const miss = () => {
      this.setPlace(this.instruction.at, this.pending);
      f.get(this.va64).i32(sizeBytes);
      value();
      f.call(this.shared.slowStore);
      // A fault was noted, or code was dropped that may be this region. FAULTED and CODE_DROPPED adjoin.
      f.i32(0).mem("i64_load", FAULTED, 2).i64(0).op("i64_ne");
      f.brIf(this.leaves.stored[this.instruction.lengthBytes as 2 | 4], false);
    };
    const group = this.groups.get(this.instruction);
    const groupHit = (distance: number) => {
      value();
      f.mem(op, distance);
    };
    if (group !== undefined) this.groupedAccess(group, groupHit, miss, VOID);
    else this.access(true, sizeBytes, hit, miss, VOID);
  }

  branchIf(condition: () => void): void {
    this.control.branch(condition);
  }
  jumpRelative(): void {
    this.control.jump();
  }
  jumpTo(target: number): void {
    this.control.jumpTo(target);
  }

  /**
   * Leaves at this offset after `retired` instructions that fuel does not know of yet. There are many of these places and
   * they hardly ever run, so each only says where it is: emitLeave() does the work once for all.
   */
  leave(status: number, offset: number, retired: number): void {
    this.setPlace(offset, retired);
    this.f.i32(status).set(this.status).br(this.leaves.leave);
  }
  private setPlace(offset: number, retired: number): void {
    this.f.i64(offset * 2 ** PLACE_SHIFT + retired).set(this.place);
  }
  /**
   * Opens the blocks at whose ends the function is left, around `body`, which leaves by one of the labels.
   * @param resident registers that are stored there; null: memory has them all
   */
  withLeaves(resident: RegisterSet | null, body: (leaves: Leaves) => void): void {
    const { f } = this;
    const stored = (bytes: 2 | 4, leave: Label, fault: Label) => {
      f.i32(0).mem("i32_load", FAULTED).brIf(fault);
      f.get(this.place)
        .i64(bytes * 2 ** PLACE_SHIFT + 1)
        .op("i64_add")
        .set(this.place);
      f.i32(REGION_DROPPED).set(this.status).br(leave);
    };
    f.block(VOID, (leave) => {
      f.block(VOID, (fault) => {
        f.block(VOID, (four) => {
          f.block(VOID, (two) =>
            body({ leave, fault, stored: { 2: two, 4: four }, storesRegisters: resident !== null }),
          );
          stored(2, leave, fault);
        });
        stored(4, leave, fault);
      });
      f.i32(EXIT_PAGE_FAULT).set(this.status);
    });
    this.emitLeave();
    if (resident !== null) this.storeRegisters(resident);
    f.br(this.exitLabel);
  }
  /** Place -> npc and fuel. */
  private emitLeave(): void {
    const { f } = this;
    f.get(this.base).get(this.place).i64(PLACE_SHIFT).op("i64_shr_s", "i64_add").set(this.npc);
    f.get(this.fuelLocal)
      .get(this.place)
      .op("i32_wrap_i64")
      .i32((1 << PLACE_SHIFT) - 1)
      .op("i32_and", "i32_sub");
    f.set(this.fuelLocal);
  }
  spend(instructions: number): void {
    if (instructions !== 0) this.f.get(this.fuelLocal).i32(instructions).op("i32_sub").set(this.fuelLocal);
  }
  private leaveHere(reason: number): void {
    this.leave(reason, this.instruction.at, this.pending);
  }
  faultIfNoted(): void {
    this.f
      .i32(0)
      .mem("i32_load", FAULTED)
      .if_(VOID, () => this.leaveHere(EXIT_PAGE_FAULT), undefined, false);
  }
  illegalIfNoted(): void {
    this.f
      .i32(0)
      .mem("i32_load", FAULTED)
      .if_(VOID, () => this.illegal(), undefined, false);
  }
  illegal(): void {
    this.leaveHere(EXIT_ILLEGAL);
  }
  exit(reason: number): void {
    this.leaveHere(reason);
  }
  recheckCode(): void {
    // The dropped code may be this region: the interpreter goes on from the next instruction.
    const { at, lengthBytes } = this.instruction;
    this.f
      .i32(0)
      .mem("i32_load", CODE_DROPPED)
      .if_(VOID, () => this.leave(REGION_DROPPED, at + lengthBytes, this.pending + 1), undefined, false);
  }
  /** CSR instructions are the interpreter's: a region ends before them. */
  fuel(): void {
    throw new Error("not translated");
  }
  csrNumber(): void {
    throw new Error("not translated");
  }
  zimm(): void {
    throw new Error("not translated");
  }
  operandFieldIsZero(): void {
    throw new Error("not translated");
  }
}
