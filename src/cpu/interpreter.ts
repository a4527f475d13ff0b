// Generates the interpreter module: one wasm function that dispatches pre-decoded slots by br_table, and the TLB, page walk
// and misaligned paths it calls. The meaning of instructions comes from isa/semantics-*.ts.
import { EXIT_PAGE_FAULT, EXIT_STOP } from "./exits.ts";
import { type HandlerPart, InterpreterEmitter } from "./interpreter-emitter.ts";
import type { Emitter, SharedFunctions } from "./isa/emitter.ts";
import { FloatHelpers, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "./isa/float-helpers.ts";
import {
  FIRST_FORM,
  FIRST_FUSION,
  FORMS,
  type Form,
  HANDLER_COUNT,
  HANDLER_ILLEGAL,
  HANDLER_PAGE_END,
  HANDLER_REGION,
  HANDLER_STOP,
  HANDLER_STRADDLE,
  HANDLER_UNDECODED,
  handlerOfForm,
} from "./isa/forms.ts";
import { FUSIONS } from "./isa/fusions.ts";
import { SEMANTICS } from "./isa/semantics.ts";
import { REGION_PARAMS, REGION_RESULTS } from "./jit/region.ts";
import {
  BANK_POINTER,
  CODE_DROPPED,
  CODE_FRAME,
  FAULTED,
  FCSR,
  FUEL_LEFT,
  IP_BASE,
  LAST_EXIT,
  LAST_REFERENCED,
  LAST_SITE,
  MOST_RECORDED,
  PC,
  PC_BASE,
  RECORDED,
  RECORDING,
  REGION_CALLS,
  REGION_INDEX,
  REGION_INSTRUCTIONS,
  REGION_RECORDS,
  REGION_WORK,
  STRADDLE_HALFWORD,
  STRADDLE_SLOT,
  TLB_FETCH,
  TLB_READ,
  TLB_WRITE,
} from "./layout.ts";
import { emitCodeReference, emitMemoryFunctions, REFERENCE_STRADDLE } from "./memory-functions.ts";
import { emitSlotDecoder } from "./slot-decoder.ts";
import { type Label, ModuleBuilder } from "./wasm/builder.ts";
import { F64, I32, I64, VOID } from "./wasm/opcodes.ts";

/** Bytes from the first byte of a page to its last halfword, where an instruction can straddle. */
const LAST_HALFWORD = 0xffe;

/** Functions that run() calls, by index. */
interface Callees {
  readonly decodeAt: number;
  readonly decodeStraddle: number;
  /** Type of a region function. */
  readonly regionType: number;
  /** Hears of page references, or null. */
  readonly reference: number | null;
}

/**
 * "records": writes down every jump and enters no region. "exact": looks at the budget before every instruction (EXIT_LIMIT),
 * fuses nothing and enters no region.
 */
export type InterpreterKind = "plain" | "records" | "exact";

export interface InterpreterOptions {
  readonly ramOffset: number;
  readonly memoryPages: number;
  readonly kind: InterpreterKind;
  /** Reports every page reference to env.reference(frame, REFERENCE_*): data accesses go by the TLB. */
  readonly references?: boolean;
}

/** The module's bytes for machines of this shape. Imports: env.* as in hart.ts. Exports: run(fuel) -> reason, and what regions import. */
export function generateInterpreter(options: InterpreterOptions): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", options.memoryPages, options.memoryPages);
  m.importTable("env", "regions", 1);
  const isStop = m.importFunction("env", "isStop", [I32, I32], [I32]);
  const decoded = m.importFunction("env", "decoded", [I32], []);
  const newDecodePage = m.importFunction("env", "newDecodePage", [I32, I32], [I32]);
  const dropCode = m.importFunction("env", "dropCode", [I32], []);
  const counter = m.importFunction("env", "counter", [I32, I32], [F64]);
  const slow = m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS);
  const reference = options.references ? m.importFunction("env", "reference", [I32, I32], []) : null;
  const floats = new FloatHelpers(m, { fcsr: FCSR, slow, hasFusedMultiplyAdd: false });
  floats.exportAll();
  const { ramOffset } = options;
  const functions = emitMemoryFunctions(m, { ramOffset, newDecodePage, dropCode, counter, reference });
  const { decodeAt, decodeStraddle } = emitSlotDecoder(m, { ramOffset, isStop, decoded });
  const regionType = m.typeIndex(REGION_PARAMS, REGION_RESULTS);
  emitRun(m, functions.shared, functions.fetch, floats, { decodeAt, decodeStraddle, regionType, reference }, options);
  return m.encode();
}

function emitRun(
  m: ModuleBuilder,
  shared: SharedFunctions,
  fetch: number,
  floats: FloatHelpers,
  callees: Callees,
  options: InterpreterOptions,
): void {
  const exact = options.kind === "exact";
  const recordJump = options.kind === "records" ? emitRecordJump(m) : null;
  const f = m.function([I32], [I32]);
  m.export("run", f);
  const e = new InterpreterEmitter(f, shared, floats, 0, { exact, recordJump });
  const tlbFetch = f.local(I32);
  f.i32(0).mem("i32_load", BANK_POINTER).tee(e.tlbRead).i32(TLB_FETCH).op("i32_add").set(tlbFetch);
  f.get(e.tlbRead).i32(TLB_WRITE).op("i32_add").set(e.tlbWrite);
  f.get(e.tlbRead).i32(TLB_READ).op("i32_add").set(e.tlbRead);
  f.i32(0).mem("i64_load", PC).set(e.npc);
  f.block(VOID, (leaveToNpc) => {
    f.block(VOID, (leave) => {
      f.block(VOID, (fault) => {
        f.loop(VOID, (jump) => {
          if (exact) e.leaveAtLimit(leaveToNpc);
          emitLookUp(e, tlbFetch, fetch, leaveToNpc);
          if (callees.reference !== null) f.i32(0).get(e.t).mem("i32_load", 12).mem("i32_store", CODE_FRAME);
          e.fetch();
          f.loop(VOID, (dispatch) => {
            e.labels = { dispatch, jump, fault, leave, leaveToNpc };
            emitDispatch(e, callees, fetch, tlbFetch, options);
          });
        });
      });
      // fault: noted by a memory function; the instruction has not retired.
      e.unretire();
      f.i32(0).i32(0).mem("i32_store", FAULTED);
      f.i32(EXIT_PAGE_FAULT).set(e.reason);
    });
    e.pc();
    f.set(e.npc);
  });
  f.i32(0).get(e.npc).mem("i64_store", PC);
  f.i32(0).get(0).mem("i32_store", FUEL_LEFT);
  f.get(e.reason);
}

/** (address of a jump, target): writes it down (layout.ts, RECORDING), if there is room. */
function emitRecordJump(m: ModuleBuilder): number {
  const f = m.function([I64, I64], []);
  const at = f.local(I32);
  f.i32(0).mem("i32_load", RECORDED).i32(MOST_RECORDED).op("i32_lt_u");
  f.if_(VOID, () => {
    f.i32(0).mem("i32_load", RECORDED).i32(4).op("i32_shl").tee(at).get(0).mem("i64_store", RECORDING);
    f.get(at)
      .get(1)
      .mem("i64_store", RECORDING + 8);
    f.i32(0).i32(0).mem("i32_load", RECORDED).i32(1).op("i32_add").mem("i32_store", RECORDED);
  });
  return f.index;
}

/** Pushes the address of the fetch entry of the page that holds the address in local `va`. */
function emitFetchEntry(e: InterpreterEmitter, tlbFetch: number, va: number): void {
  e.f.get(va).op("i32_wrap_i64").i32(8).op("i32_shr_u").i32(0xff0).op("i32_and").get(tlbFetch).op("i32_add");
}

/** npc -> the bases of its page, ip; a fetch fault leaves with pc = npc. */
function emitLookUp(e: InterpreterEmitter, tlbFetch: number, fetch: number, leaveToNpc: Label): void {
  const { f } = e;
  emitFetchEntry(e, tlbFetch, e.npc);
  f.tee(e.t).mem("i64_load").get(e.npc).i64(-4096).op("i64_and").tee(e.a).op("i64_eq");
  f.if_(
    VOID,
    () => f.get(e.t).mem("i32_load", 8).set(e.t2),
    () => {
      f.get(e.npc).call(fetch).tee(e.t2).op("i32_eqz");
      f.if_(VOID, () => {
        f.i32(0).i32(0).mem("i32_store", FAULTED);
        f.i32(EXIT_PAGE_FAULT).set(e.reason).br(leaveToNpc);
      });
    },
    true,
  );
  f.i32(0).get(e.a).mem("i64_store", PC_BASE);
  f.i32(0).get(e.t2).mem("i32_store", IP_BASE);
  f.get(e.t2);
  e.setIpWithin();
}

/** The br_table ladder: block k ends where handler k begins. */
function emitDispatch(
  e: InterpreterEmitter,
  callees: Callees,
  fetch: number,
  tlbFetch: number,
  options: InterpreterOptions,
): void {
  const { f } = e;
  const blocks: Label[] = [];
  for (let i = HANDLER_COUNT - 1; i >= 0; i--) blocks[i] = f.open(0x02, VOID);
  f.get(e.handlerLocal).brTable(blocks, blocks[HANDLER_ILLEGAL]);
  for (let i = 0; i < HANDLER_COUNT; i++) {
    f.close();
    if (i === HANDLER_STRADDLE) emitStraddle(e, callees, fetch, tlbFetch, options.ramOffset);
    else emitHandler(e, i, callees, options);
  }
}

/** The instruction that has this handler alone. Copies are the only forms whose meaning is not that of their row. */
function part(handler: number): HandlerPart {
  const form = FORMS[handler - FIRST_FORM];
  return { form, handler, meaning: meaningOf(form) };
}

function meaningOf({ name, row }: Form): (e: Emitter) => void {
  if (name === "nop") return () => {};
  if (name === "mv") return (e) => e.writeX(() => e.x1());
  if (name === "li") return (e) => e.writeX(() => e.imm64());
  return SEMANTICS[row.name];
}

function emitHandler(e: InterpreterEmitter, number: number, callees: Callees, options: InterpreterOptions): void {
  const { f } = e;
  const isInstruction = number >= HANDLER_ILLEGAL && number !== HANDLER_REGION && number !== HANDLER_STOP;
  if (callees.reference !== null && isInstruction) emitCodeReference(f, callees.reference);
  switch (number) {
    case HANDLER_UNDECODED:
      e.unretire();
      f.get(e.ip).call(callees.decodeAt);
      e.next();
      return;
    case HANDLER_PAGE_END:
      e.unretire();
      e.pc();
      f.set(e.npc).br(e.labels.jump);
      return;
    case HANDLER_ILLEGAL:
      e.illegal();
      return;
    case HANDLER_REGION:
      if (options.kind === "plain") emitRegionCall(e, callees.regionType);
      else emitFormerHandler(e);
      return;
    case HANDLER_STOP:
      e.unretire();
      f.i32(EXIT_STOP).set(e.reason).br(e.labels.leave);
      return;
  }
  const alone = number < FIRST_FUSION ? [number] : FUSIONS[number - FIRST_FUSION].map(handlerOfForm);
  e.handler((options.kind === "exact" ? alone.slice(0, 1) : alone).map(part));
}

/** Leaves the address of the record (less REGION_RECORDS) of the region that begins at ip in local t. */
function emitFindRecord(e: InterpreterEmitter): void {
  const { f } = e;
  e.ipBase();
  f.get(e.ip);
  e.ipBase();
  f.op("i32_sub").i32(2).op("i32_shr_u", "i32_add");
  f.mem("i32_load16_u", REGION_INDEX).i32(4).op("i32_shl").set(e.t);
}

/** Runs the slot at ip as it was before a region began there. */
function emitFormerHandler(e: InterpreterEmitter): void {
  emitFindRecord(e);
  e.f
    .get(e.t)
    .mem("i32_load16_u", REGION_RECORDS + 4)
    .set(e.handlerLocal)
    .br(e.labels.dispatch);
}

/** Control came here from a site of a region: next time it need not pass by, if the region whose record is in t may be called. */
function emitNoteSite(e: InterpreterEmitter): void {
  const { f } = e;
  const site = e.t2;
  f.i32(0).mem("i32_load", LAST_SITE).tee(site);
  const note = () => {
    f.i32(0).i32(0).mem("i32_store", LAST_SITE);
    f.get(e.t).mem("i32_load16_u", REGION_RECORDS + 6);
    f.if_(VOID, () => {
      f.get(site).get(e.t).mem("i32_load", REGION_RECORDS).mem("i32_store");
      f.get(site)
        .get(e.t)
        .mem("i64_load", REGION_RECORDS + 8)
        .mem("i64_store", 8);
      f.get(site);
      e.pc();
      f.mem("i64_store", 16);
    });
  };
  f.if_(VOID, note, undefined, false);
}

/**
 * Runs a translated region from its entry at ip. If it could not retire a single instruction (a page of it is mapped
 * differently now), the slot's former handler runs instead.
 */
function emitRegionCall(e: InterpreterEmitter, regionType: number): void {
  const { f } = e;
  e.unretire();
  emitFindRecord(e);
  emitNoteSite(e);
  f.get(e.fuelLocal)
    .get(e.t)
    .mem("i64_load", REGION_RECORDS + 8)
    .tee(e.a);
  // The base page is as far from this one as the offset says.
  e.pcBase();
  f.get(e.a).i64(-4096).op("i64_and", "i64_sub");
  f.i32(0).get(e.t).mem("i32_load", REGION_RECORDS).callIndirect(regionType).set(e.reason);
  f.i32(0).i32(0).mem("i32_store", CODE_DROPPED);
  f.i32(0).mem("i64_load", PC).set(e.npc);
  f.get(e.t).i32(2).op("i32_shr_u").tee(e.t2);
  f.get(e.t2).mem("i32_load", REGION_WORK).get(e.fuelLocal);
  f.i32(0).mem("i32_load", FUEL_LEFT).op("i32_sub", "i32_add").mem("i32_store", REGION_WORK);
  f.get(e.reason)
    .i32(0)
    .op("i32_ge_s")
    .if_(VOID, () => {
      f.i32(0).i32(0).mem("i32_store", FAULTED);
      f.i32(0).mem("i32_load", FUEL_LEFT).set(e.fuelLocal);
      f.br(e.labels.leaveToNpc);
    });
  f.get(e.fuelLocal)
    .i32(0)
    .mem("i32_load", FUEL_LEFT)
    .tee(e.t2)
    .op("i32_eq")
    .if_(VOID, () => {
      f.get(e.fuelLocal).i32(1).op("i32_sub").set(e.fuelLocal);
      f.get(e.t)
        .mem("i32_load16_u", REGION_RECORDS + 4)
        .set(e.handlerLocal)
        .br(e.labels.dispatch);
    });
  f.i32(0).i32(0).mem("i64_load", REGION_CALLS).i64(1).op("i64_add").mem("i64_store", REGION_CALLS);
  f.i32(0).get(e.fuelLocal).get(e.t2).op("i32_sub", "i64_extend_i32_u");
  f.i32(0).mem("i64_load", REGION_INSTRUCTIONS).op("i64_add").mem("i64_store", REGION_INSTRUCTIONS);
  f.i32(0).get(e.npc).mem("i64_store", LAST_EXIT);
  f.get(e.t2).set(e.fuelLocal).br(e.labels.jump);
}

/**
 * A 4-byte instruction at the last halfword of a page. The decode page keeps it decoded together with the halfword of the
 * next page that it was decoded from, which is compared each time: the next page can change or be another one. It runs from
 * its own slot, with pcBase and ipBase moved so that pc still comes out right.
 */
function emitStraddle(
  e: InterpreterEmitter,
  { decodeStraddle, reference }: Callees,
  fetch: number,
  tlbFetch: number,
  ramOffset: number,
): void {
  const { f } = e;
  e.unretire();
  e.pcBase();
  f.i64(4096).op("i64_add").set(e.npc);
  emitFetchEntry(e, tlbFetch, e.npc);
  f.tee(e.t)
    .mem("i64_load")
    .get(e.npc)
    .op("i64_ne")
    .if_(
      VOID,
      () => {
        // The look-up may recycle this decode page, so the instruction is started afresh.
        f.get(e.npc)
          .call(fetch)
          .op("i32_eqz")
          .if_(VOID, () => {
            f.i32(0).i32(0).mem("i32_store", FAULTED);
            f.i32(EXIT_PAGE_FAULT).set(e.reason).br(e.labels.leave);
          });
        e.pc();
        f.set(e.npc).br(e.labels.jump);
      },
      undefined,
      false,
    );
  if (reference !== null) {
    emitCodeReference(f, reference);
    f.get(e.t).mem("i32_load", 12).i32(REFERENCE_STRADDLE).call(reference);
    f.i32(0).get(e.t).mem("i32_load", 12).mem("i32_store", LAST_REFERENCED);
  }
  f.get(e.t).mem("i32_load", 12).i32(12).op("i32_shl").mem("i32_load16_u", ramOffset).tee(e.t);
  f.i32(0x10000).op("i32_or");
  e.ipBase();
  f.mem("i32_load", STRADDLE_HALFWORD).op("i32_ne");
  f.if_(VOID, () => f.get(e.ip).get(e.t).call(decodeStraddle), undefined, false);
  f.i32(0);
  e.pcBase();
  f.i64(LAST_HALFWORD).op("i64_add").mem("i64_store", PC_BASE);
  f.i32(0);
  e.ipBase();
  f.i32(STRADDLE_SLOT).op("i32_add").tee(e.ip).mem("i32_store", IP_BASE);
  e.next();
}
