// Generates the interpreter module: one wasm function that dispatches pre-decoded slots by br_table, and the TLB, page walk
// and misaligned paths it calls. The meaning of instructions comes from isa/semantics-*.ts.
import { EXIT_FUEL, EXIT_ILLEGAL, EXIT_PAGE_FAULT } from "./exits.ts";
import { HANDLER_COUNT, HANDLER_ILLEGAL, HANDLER_PAGE_END, HANDLER_STRADDLE, HANDLER_UNDECODED, HANDLERS } from "./isa/decode.ts";
import type { Emitter, Semantics, SharedFunctions } from "./isa/emitter.ts";
import { FloatHelpers, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "./isa/float-helpers.ts";
import { FLOAT_SEMANTICS } from "./isa/semantics-float.ts";
import { INTEGER_SEMANTICS } from "./isa/semantics-integer.ts";
import { MEMORY_SEMANTICS } from "./isa/semantics-memory.ts";
import { SYSTEM_SEMANTICS } from "./isa/semantics-system.ts";
import {
  BANK_POINTER, CODE_DROPPED, F, FAULTED, FCSR, FUEL_LEFT, PC, STRADDLE_SLOT, TLB_FETCH, TLB_READ, TLB_WRITE, X,
} from "./layout.ts";
import { emitMemoryFunctions } from "./memory-functions.ts";
import { type FunctionBuilder, type Label, ModuleBuilder } from "./wasm/builder.ts";
import { F64, I32, I64, type MemoryOp, VOID } from "./wasm/opcodes.ts";

const SEMANTICS: Semantics = { ...INTEGER_SEMANTICS, ...MEMORY_SEMANTICS, ...FLOAT_SEMANTICS, ...SYSTEM_SEMANTICS };

/** Emits handlers whose operands are fields of the slot at local `ip` and registers in memory. */
class InterpreterEmitter implements Emitter {
  readonly f: FunctionBuilder;
  readonly shared: SharedFunctions;
  readonly floats: FloatHelpers;
  readonly a: number;
  readonly b: number;
  readonly t: number;
  readonly t2: number;
  private readonly rm: number;
  readonly ip: number;
  readonly ipBase: number;
  readonly pcBase: number;
  readonly npc: number;
  readonly fuelLocal: number;
  readonly reason: number;
  readonly tlbRead: number;
  readonly tlbWrite: number;
  private readonly va: number;
  private readonly entry: number;
  /** Set while a handler is emitted. */
  near = false;
  /** Whether the handler ended by itself (jump, exit), so that no "next" is appended. */
  ended = false;
  labels!: { next: Label; jump: Label; fault: Label; leave: Label };

  constructor(f: FunctionBuilder, shared: SharedFunctions, floats: FloatHelpers, fuelLocal: number) {
    this.f = f;
    this.shared = shared;
    this.floats = floats;
    this.fuelLocal = fuelLocal;
    this.ip = f.local(I32);
    this.ipBase = f.local(I32);
    this.reason = f.local(I32);
    this.tlbRead = f.local(I32);
    this.tlbWrite = f.local(I32);
    this.entry = f.local(I32);
    this.t = f.local(I32);
    this.t2 = f.local(I32);
    this.rm = f.local(I32);
    this.pcBase = f.local(I64);
    this.npc = f.local(I64);
    this.a = f.local(I64);
    this.b = f.local(I64);
    this.va = f.local(I64);
  }

  private registerAddress(byteOffset: number): FunctionBuilder {
    return this.f.get(this.ip).mem("i32_load8_u", byteOffset).i32(3).op("i32_shl");
  }
  x1(): void {
    this.registerAddress(3).mem("i64_load", X);
  }
  x2(): void {
    this.registerAddress(4).mem("i64_load", X);
  }
  f1(): void {
    this.registerAddress(3).mem("i64_load", F);
  }
  f2(): void {
    this.registerAddress(4).mem("i64_load", F);
  }
  f3(): void {
    this.imm32();
    this.f.i32(3).op("i32_shr_u").i32(3).op("i32_shl").mem("i64_load", F);
  }
  imm32(): void {
    this.f.get(this.ip).mem("i32_load", 4).i32(8).op("i32_shr_s");
  }
  imm64(): void {
    this.imm32();
    this.f.op("i64_extend_i32_s");
  }
  pc(): void {
    this.f.get(this.pcBase).get(this.ip).get(this.ipBase).op("i32_sub").i32(2).op("i32_shr_u", "i64_extend_i32_u", "i64_add");
  }
  private slotLength(): void {
    this.f.get(this.ip).mem("i32_load8_u", 1);
  }
  nextPc(): void {
    this.f.get(this.pcBase).get(this.ip);
    this.slotLength();
    this.f.op("i32_add").get(this.ipBase).op("i32_sub").i32(2).op("i32_shr_u", "i64_extend_i32_u", "i64_add");
  }
  writeX(value: () => void): void {
    this.registerAddress(2);
    value();
    this.f.mem("i64_store", X);
  }
  writeF(value: () => void): void {
    this.registerAddress(2);
    value();
    this.f.mem("i64_store", F);
  }
  private rmField(): void {
    this.imm32();
    this.f.i32(7).op("i32_and").set(this.rm);
  }
  checkRounding(): void {
    this.rmField();
    const { f } = this;
    f.get(this.rm).i32(7).op("i32_eq").if_(VOID, () => {
      f.i32(0).mem("i32_load", FCSR).i32(5).op("i32_shr_u").i32(7).op("i32_and").tee(this.rm);
      f.i32(4).op("i32_gt_u").if_(VOID, () => this.illegal());
    });
  }
  rounding(): void {
    this.f.get(this.rm); // checkRounding() of the same handler resolved it
  }

  /** Leaves va in a local and pushes nothing; then `hit` or `miss` runs. */
  private access(table: number, sizeBytes: number, hit: () => void, miss: () => void, type: number): void {
    const { f } = this;
    this.x1();
    this.imm64();
    f.op("i64_add").set(this.va);
    f.get(this.va).op("i32_wrap_i64").i32(8).op("i32_shr_u").i32(0x3ff0).op("i32_and").get(table).op("i32_add").tee(this.entry);
    f.mem("i64_load", 0);
    f.get(this.va).i64(-4096 + sizeBytes - 1).op("i64_and", "i64_eq");
    f.if_(type as typeof I64, hit, miss, true);
  }
  private linearAddress(): void {
    this.f.get(this.va).op("i32_wrap_i64").get(this.entry).mem("i32_load", 8).op("i32_add");
  }
  load(op: MemoryOp, sizeBytes: number, signed: boolean): void {
    const { f } = this;
    this.access(
      this.tlbRead,
      sizeBytes,
      () => {
        this.linearAddress();
        f.mem(op);
      },
      () => {
        f.get(this.va).i32(sizeBytes).call(this.shared.slowLoad).set(this.b);
        this.faultIfNoted();
        f.get(this.b);
        if (signed) f.op(sizeBytes === 1 ? "i64_extend8_s" : sizeBytes === 2 ? "i64_extend16_s" : "i64_extend32_s");
      },
      I64,
    );
  }
  store(op: MemoryOp, sizeBytes: number, value: () => void): void {
    const { f } = this;
    this.access(
      this.tlbWrite,
      sizeBytes,
      () => {
        this.linearAddress();
        value();
        f.mem(op);
      },
      () => {
        f.get(this.va).i32(sizeBytes);
        value();
        f.call(this.shared.slowStore);
        this.faultIfNoted();
        this.recheckCode();
      },
      VOID,
    );
  }
  branchIf(condition: () => void): void {
    condition();
    this.f.if_(VOID, () => this.jumpRelative());
    this.ended = false;
  }
  jumpRelative(): void {
    const { f } = this;
    if (this.near) {
      f.get(this.ip);
      this.imm32();
      f.op("i32_add").set(this.ip).br(this.labels.next);
    } else {
      this.pc();
      this.imm64();
      f.op("i64_add").set(this.npc).br(this.labels.jump);
    }
    this.ended = true;
  }
  jumpTo(target: number): void {
    const { f } = this;
    f.get(target).set(this.npc);
    // A target in the same page needs no look-up.
    f.get(this.npc).i64(-4096).op("i64_and").get(this.pcBase).op("i64_eq").if_(VOID, () => {
      f.get(this.npc).op("i32_wrap_i64").i32(0xfff).op("i32_and").i32(2).op("i32_shl").get(this.ipBase).op("i32_add").set(this.ip);
      f.br(this.labels.next);
    });
    f.br(this.labels.jump);
    this.ended = true;
  }
  faultIfNoted(): void {
    this.f.i32(0).mem("i32_load", FAULTED).brIf(this.labels.fault, false);
  }
  illegalIfNoted(): void {
    const { f } = this;
    f.i32(0).mem("i32_load", FAULTED).if_(VOID, () => {
      f.i32(0).i32(0).mem("i32_store", FAULTED);
      this.illegal();
    });
  }
  illegal(): void {
    this.unretire();
    this.f.i32(EXIT_ILLEGAL).set(this.reason).br(this.labels.leave);
  }
  exit(reason: number): void {
    if (reason !== 1) this.unretire();
    this.f.i32(reason).set(this.reason).br(this.labels.leave);
    this.ended = true;
  }
  unretire(): void {
    this.f.get(this.fuelLocal).i32(1).op("i32_add").set(this.fuelLocal);
  }
  recheckCode(): void {
    const { f } = this;
    f.i32(0).mem("i32_load", CODE_DROPPED).if_(VOID, () => {
      f.i32(0).i32(0).mem("i32_store", CODE_DROPPED);
      this.nextPc();
      f.set(this.npc).br(this.labels.jump);
    }, undefined, false);
  }
  fuel(): void {
    this.f.get(this.fuelLocal);
  }
  csrNumber(): void {
    this.imm32();
    this.f.i32(0xfff).op("i32_and");
  }
  zimm(): void {
    this.f.get(this.ip).mem("i64_load8_u", 3);
  }
  operandFieldIsZero(): void {
    this.f.get(this.ip).mem("i32_load8_u", 3).op("i32_eqz");
  }
  /** Falls to the following slot. */
  next(): void {
    this.f.get(this.ip);
    this.slotLength();
    this.f.op("i32_add").set(this.ip).br(this.labels.next);
  }
}

/** The module's bytes for a machine of this shape. Imports: env.memory, env.* as in hart.ts. Exports: run(fuel) -> reason. */
export function generateInterpreter(options: { ramOffset: number; memoryPages: number }): Uint8Array {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", options.memoryPages, options.memoryPages);
  const decodeAt = m.importFunction("env", "decodeAt", [I32], []);
  const decodeStraddle = m.importFunction("env", "decodeStraddle", [I32, I32], []);
  const newDecodePage = m.importFunction("env", "newDecodePage", [I32], [I32]);
  const dropCode = m.importFunction("env", "dropCode", [I32], []);
  const counter = m.importFunction("env", "counter", [I32, I32], [F64]);
  const slow = m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS);
  const floats = new FloatHelpers(m, { fcsr: FCSR, slow });
  const functions = emitMemoryFunctions(m, { ramOffset: options.ramOffset, newDecodePage, dropCode, counter });
  emitRun(m, functions.shared, functions.fetch, floats, decodeAt, decodeStraddle);
  return m.encode();
}

function emitRun(
  m: ModuleBuilder,
  shared: SharedFunctions,
  fetch: number,
  floats: FloatHelpers,
  decodeAt: number,
  decodeStraddle: number,
): void {
  const f = m.function([I32], [I32]);
  m.export("run", f);
  const e = new InterpreterEmitter(f, shared, floats, 0);
  const tlbFetch = f.local(I32);
  f.i32(0).mem("i32_load", BANK_POINTER).tee(e.tlbRead).i32(TLB_FETCH).op("i32_add").set(tlbFetch);
  f.get(e.tlbRead).i32(TLB_WRITE).op("i32_add").set(e.tlbWrite);
  f.get(e.tlbRead).i32(TLB_READ).op("i32_add").set(e.tlbRead);
  f.i32(0).mem("i64_load", PC).set(e.npc);
  const pcKnown = f.local(I32);
  f.block(VOID, (leave) => {
    f.block(VOID, (fault) => {
      f.loop(VOID, (jump) => {
        emitLookUp(e, tlbFetch, fetch, pcKnown, leave);
        f.loop(VOID, (next) => {
          e.labels = { next, jump, fault, leave };
          // Out of fuel: the slot at ip has not run. A page-end slot resolves to the next page's address all the same.
          f.get(0).op("i32_eqz").if_(VOID, () => f.i32(EXIT_FUEL).set(e.reason).br(leave), undefined, false);
          f.get(0).i32(1).op("i32_sub").set(0);
          emitDispatch(e, decodeAt, decodeStraddle);
        });
      });
    });
    // fault: noted by a memory function; the instruction has not retired.
    e.unretire();
    f.i32(0).i32(0).mem("i32_store", FAULTED);
    f.i32(EXIT_PAGE_FAULT).set(e.reason);
  });
  f.get(pcKnown).op("i32_eqz").if_(VOID, () => {
    f.i32(0);
    e.pc();
    f.mem("i64_store", PC);
  });
  f.i32(0).get(0).mem("i32_store", FUEL_LEFT);
  f.get(e.reason);
}

/** npc -> pcBase, ipBase, ip; a fetch fault leaves with pc = npc. */
function emitLookUp(e: InterpreterEmitter, tlbFetch: number, fetch: number, pcKnown: number, leave: Label): void {
  const { f } = e;
  f.get(e.npc).op("i32_wrap_i64").i32(8).op("i32_shr_u").i32(0xff0).op("i32_and").get(tlbFetch).op("i32_add").tee(e.t);
  f.mem("i64_load").get(e.npc).i64(-4096).op("i64_and").tee(e.pcBase).op("i64_eq").if_(
    VOID,
    () => f.get(e.t).mem("i32_load", 8).set(e.ipBase),
    () => {
      f.get(e.npc).call(fetch).tee(e.ipBase).op("i32_eqz").if_(VOID, () => {
        f.i32(0).i32(0).mem("i32_store", FAULTED);
        f.i32(0).get(e.npc).mem("i64_store", PC).i32(1).set(pcKnown);
        f.i32(EXIT_PAGE_FAULT).set(e.reason).br(leave);
      });
    },
    true,
  );
  f.get(e.npc).op("i32_wrap_i64").i32(0xfff).op("i32_and").i32(2).op("i32_shl").get(e.ipBase).op("i32_add").set(e.ip);
}

/** The br_table ladder: block k ends where handler k begins. */
function emitDispatch(e: InterpreterEmitter, decodeAt: number, decodeStraddle: number): void {
  const { f } = e;
  const blocks: Label[] = [];
  for (let i = HANDLER_COUNT - 1; i >= 0; i--) blocks[i] = f.open(0x02, VOID);
  f.get(e.ip).mem("i32_load8_u").brTable(blocks, blocks[HANDLER_ILLEGAL]);
  for (let i = 0; i < HANDLER_COUNT; i++) {
    f.close();
    emitHandler(e, i, decodeAt, decodeStraddle);
  }
}

function emitHandler(e: InterpreterEmitter, number: number, decodeAt: number, decodeStraddle: number): void {
  const { f } = e;
  switch (number) {
    case HANDLER_UNDECODED:
      e.unretire();
      f.get(e.ip).call(decodeAt).br(e.labels.next);
      return;
    case HANDLER_PAGE_END:
      e.unretire();
      e.pc();
      f.set(e.npc).br(e.labels.jump);
      return;
    case HANDLER_STRADDLE:
      emitStraddle(e, decodeStraddle);
      return;
    case HANDLER_ILLEGAL:
      e.illegal();
      return;
  }
  const { name, near } = HANDLERS[number - 4];
  e.near = near;
  e.ended = false;
  SEMANTICS[name](e);
  if (!e.ended) e.next();
}

/**
 * A 4-byte instruction at the last halfword of a page: both halves are fetched, decoded into the scratch slot, and run
 * from there with ipBase moved so that pc still comes out right.
 */
function emitStraddle(e: InterpreterEmitter, decodeStraddle: number): void {
  const { f } = e;
  const EXECUTE = 2;
  e.pc();
  f.i64(2).op("i64_add").i32(EXECUTE).call(e.shared.translate).tee(e.t).op("i32_eqz").brIf(e.labels.fault, false);
  e.pc();
  f.i32(EXECUTE).call(e.shared.translate).tee(e.t2).op("i32_eqz").brIf(e.labels.fault, false);
  e.unretire();
  f.get(e.t2).get(e.t).call(decodeStraddle);
  f.i32(STRADDLE_SLOT - 0xffe * 4).set(e.ipBase);
  f.i32(STRADDLE_SLOT).set(e.ip).br(e.labels.next);
}
