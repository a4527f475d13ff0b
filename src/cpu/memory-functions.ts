// Generates the wasm functions behind the TLB: page walk with A and D bits, TLB refill, misaligned and page-crossing
// accesses, instruction fetch, and the control and status registers (RISC-V privileged manual, section "Sv39").
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from "../arch/sv39.ts";
import type { SharedFunctions } from "./isa/emitter.ts";
import {
  BANK_POINTER,
  CODE_FRAME,
  CODE_MAP,
  DATA_ENTRY_MASK,
  FAULT_ACCESS,
  FAULT_ADDRESS,
  FAULTED,
  FCSR,
  FETCH_ENTRIES,
  LAST_REFERENCED,
  NO_PAGE,
  PAGE_USED,
  REGION_PAGES,
  SEVERAL_PAGES,
  TLB_FETCH,
  TLB_READ,
  TLB_WRITE,
  WRITE_CACHED,
} from "./layout.ts";
import { emitEntryAddress, emitLeafTable } from "./page-walk.ts";
import { emitRunFunctions } from "./run-functions.ts";
import type { FunctionBuilder, ModuleBuilder } from "./wasm/builder.ts";
import { I32, I64, VOID } from "./wasm/opcodes.ts";

export const PAGE_OF_VA = -4096;
const READ = 0;
const WRITE = 1;
const EXECUTE = 2;

interface Imports {
  ramOffset: number;
  newDecodePage: number;
  dropCode: number;
  counter: number;
  /** Function that hears of every page reference (frame, REFERENCE_*), or null: the TLB serves what it can. */
  reference: number | null;
}

/** What made a reference: data, code, or the second half of an instruction that straddles two pages. */
export const REFERENCE_DATA = 0;
export const REFERENCE_CODE = 1;
export const REFERENCE_STRADDLE = 2;

export function emitMemoryFunctions(m: ModuleBuilder, imports: Imports): { shared: SharedFunctions; fetch: number } {
  const mulhu = emitMulhu(m);
  const walk = emitWalk(m, imports);
  const translate = emitTranslate(m, walk, imports);
  const slowLoad = emitSlowLoad(m, translate);
  const slowStore = emitSlowStore(m, translate);
  const fetch = emitFetch(m, walk, imports);
  const runs = emitRunFunctions(m, imports.ramOffset);
  const readCsr = emitReadCsr(m, imports.counter);
  const writeCsr = emitWriteCsr(m);
  // What translated regions import.
  m.exportIndex("mulhu", mulhu);
  m.exportIndex("slowLoad", slowLoad);
  m.exportIndex("slowStore", slowStore);
  m.exportIndex("translate", translate);
  m.exportIndex("growRun", runs.growRun);
  m.exportIndex("moveRun", runs.moveRun);
  m.exportIndex("isRegionPage", emitIsRegionPage(m));
  return { shared: { mulhu, slowLoad, slowStore, translate, ...runs, readCsr, writeCsr }, fetch };
}

function emitMulhu(m: ModuleBuilder): number {
  const f = m.function([I64, I64], [I64]);
  const [aLow, aHigh, bLow, bHigh, middle] = [f.local(I64), f.local(I64), f.local(I64), f.local(I64), f.local(I64)];
  const low32 = () => f.i64Halves(-1, 0).op("i64_and");
  f.get(0);
  low32();
  f.set(aLow).get(0).i64(32).op("i64_shr_u").set(aHigh).get(1);
  low32();
  f.set(bLow).get(1).i64(32).op("i64_shr_u").set(bHigh);
  // middle = aHigh*bLow + (aLow*bLow >> 32); result = aHigh*bHigh + (middle >> 32) + ((aLow*bHigh + low(middle)) >> 32)
  f.get(aHigh).get(bLow).op("i64_mul").get(aLow).get(bLow).op("i64_mul").i64(32).op("i64_shr_u", "i64_add").set(middle);
  f.get(aHigh).get(bHigh).op("i64_mul").get(middle).i64(32).op("i64_shr_u", "i64_add");
  f.get(aLow).get(bHigh).op("i64_mul").get(middle);
  low32();
  f.op("i64_add").i64(32).op("i64_shr_u", "i64_add");
  return f.index;
}

function noteFault(f: FunctionBuilder, va: number, access: () => void): void {
  f.i32(0).get(va).mem("i64_store", FAULT_ADDRESS);
  f.i32(0);
  access();
  f.mem("i32_store", FAULT_ACCESS);
  f.i32(0).i32(1).mem("i32_store", FAULTED);
}

/** (va, access) -> PFN of the page, with A (and D for a write) set; or -1 after noting a fault. */
function emitWalk(m: ModuleBuilder, { ramOffset }: Imports): number {
  const f = m.function([I64, I32], [I32]);
  const table = f.local(I32);
  const pte = f.local(I32);
  const address = f.local(I32);
  const need = f.local(I32);
  f.block(VOID, (fault) => {
    emitLeafTable(f, 0, table, ramOffset, () => f.brIf(fault));
    emitEntryAddress(f, 0, table, 12);
    f.tee(address).mem("i32_load").tee(pte).i32(PTE_V).op("i32_and", "i32_eqz").brIf(fault);
    f.get(1)
      .i32(WRITE)
      .op("i32_eq")
      .if_(
        I32,
        () => f.i32(PTE_U | PTE_W),
        () =>
          f
            .i32(PTE_U | PTE_R)
            .i32(PTE_U | PTE_X)
            .get(1)
            .i32(READ)
            .op("i32_eq", "select"),
      );
    f.set(need);
    f.get(pte).get(need).op("i32_and").get(need).op("i32_ne").brIf(fault);
    f.get(1)
      .i32(WRITE)
      .op("i32_eq")
      .if_(
        I32,
        () => f.i32(PTE_A | PTE_D),
        () => f.i32(PTE_A),
      )
      .set(need);
    f.get(pte)
      .get(need)
      .op("i32_and")
      .get(need)
      .op("i32_ne")
      .if_(VOID, () => {
        f.get(address).get(pte).get(need).op("i32_or").mem("i32_store");
      });
    f.get(pte).i32(10).op("i32_shr_u", "return");
  });
  noteFault(f, 0, () => f.get(1));
  f.i32(-1);
  return f.index;
}

/** Pushes the address of the TLB entry of the page of local 0 in the table at `table` bytes into the bank. */
function entryAddress(f: FunctionBuilder, table: number, mask: number): FunctionBuilder {
  f.get(0).op("i32_wrap_i64").i32(8).op("i32_shr_u").i32(mask).op("i32_and");
  f.i32(0).mem("i32_load", BANK_POINTER).op("i32_add");
  return table === 0 ? f : f.i32(table).op("i32_add");
}

/**
 * Takes the address of a TLB entry: if the entry is of the page of local 0, `hit` runs with the linear address of local 0 on
 * the stack. Leaves the entry's address in `entry`.
 */
function emitTlbHit(f: FunctionBuilder, entry: number, hit: () => void): void {
  f.tee(entry)
    .mem("i64_load")
    .get(0)
    .i64(PAGE_OF_VA)
    .op("i64_and", "i64_eq")
    .if_(VOID, () => {
      f.get(0).op("i32_wrap_i64").get(entry).mem("i32_load", 8).op("i32_add");
      hit();
    });
}

/** Returns the linear address of local 0 if the TLB has its page for access local 1; leaves the entry's address in `entry`. */
function emitTlbLookUp(f: FunctionBuilder, entry: number): void {
  f.get(1).if_(
    I32,
    () => entryAddress(f, TLB_WRITE, DATA_ENTRY_MASK),
    () => entryAddress(f, TLB_READ, DATA_ENTRY_MASK),
  );
  emitTlbHit(f, entry, () => f.op("return"));
}

/**
 * (va, access) -> linear address, or 0 after noting a fault. Looks in the TLB first and refills it. EXECUTE neither uses nor
 * fills the TLB: only a straddling fetch asks. Where references are reported nothing does, so that every access comes by.
 * A write to a frame with code drops that code first (I14).
 */
function emitTranslate(m: ModuleBuilder, walk: number, { ramOffset, dropCode, reference }: Imports): number {
  const f = m.function([I64, I32], [I32]);
  const entry = f.local(I32);
  const pfn = f.local(I32);
  if (reference === null) {
    f.get(1)
      .i32(EXECUTE)
      .op("i32_ne")
      .if_(VOID, () => emitTlbLookUp(f, entry));
  }
  f.get(0)
    .get(1)
    .call(walk)
    .tee(pfn)
    .i32(-1)
    .op("i32_eq")
    .if_(VOID, () => f.i32(0).op("return"));
  if (reference !== null) {
    // Fused instructions are dispatched once: the fetch of the later ones is made up for here.
    emitCodeReference(f, reference);
    f.get(pfn).i32(REFERENCE_DATA).call(reference);
    f.i32(0).get(pfn).mem("i32_store", LAST_REFERENCED);
  }
  f.get(1)
    .i32(WRITE)
    .op("i32_eq")
    .if_(VOID, () => {
      f.get(pfn).i32(2).op("i32_shl").mem("i32_load", CODE_MAP).i32(WRITE_CACHED).op("i32_gt_u");
      f.if_(VOID, () => f.get(pfn).call(dropCode));
      f.get(pfn).i32(2).op("i32_shl").i32(WRITE_CACHED).mem("i32_store", CODE_MAP);
    });
  if (reference === null) {
    f.get(1)
      .i32(EXECUTE)
      .op("i32_ne")
      .if_(VOID, () => {
        f.get(entry).get(0).i64(PAGE_OF_VA).op("i64_and").mem("i64_store");
        f.get(entry).get(pfn).i32(12).op("i32_shl").i32(ramOffset).op("i32_add");
        f.get(0).op("i32_wrap_i64").i32(PAGE_OF_VA).op("i32_and", "i32_sub").mem("i32_store", 8);
        f.get(entry).get(pfn).mem("i32_store", 12);
      });
  }
  f.get(pfn)
    .i32(12)
    .op("i32_shl")
    .i32(ramOffset)
    .op("i32_add")
    .get(0)
    .op("i32_wrap_i64")
    .i32(0xfff)
    .op("i32_and", "i32_add");
  return f.index;
}

/** Reports the frame of the code being run unless it was the last one reported. */
export function emitCodeReference(f: FunctionBuilder, reference: number): void {
  f.i32(0).mem("i32_load", CODE_FRAME).i32(0).mem("i32_load", LAST_REFERENCED).op("i32_ne");
  f.if_(VOID, () => {
    f.i32(0).mem("i32_load", CODE_FRAME).i32(REFERENCE_CODE).call(reference);
    f.i32(0).i32(0).mem("i32_load", CODE_FRAME).mem("i32_store", LAST_REFERENCED);
  });
}

/** Pushes whether the access of local 1 bytes at local 0 stays within its page. */
function withinPage(f: FunctionBuilder): FunctionBuilder {
  return f.get(0).op("i32_wrap_i64").i32(0xfff).op("i32_and").get(1).op("i32_add").i32(4096).op("i32_le_u");
}

/**
 * Leaves the linear address of an access within a page in local `to`; `failed` runs when it faults. Looks in the TLB without a
 * call first: a misaligned access comes here though its page is there. (Where references are reported the TLB is empty.)
 */
function translateWithin(f: FunctionBuilder, access: number, translate: number, to: number, failed: () => void): void {
  f.block(VOID, (found) => {
    entryAddress(f, access === WRITE ? TLB_WRITE : TLB_READ, DATA_ENTRY_MASK);
    emitTlbHit(f, to, () => f.set(to).br(found));
    f.get(0).i32(access).call(translate).tee(to).op("i32_eqz").if_(VOID, failed);
  });
}

/** Translates the first and the last page of a crossing access into locals; `failed` runs when either faults. */
function translateBoth(
  f: FunctionBuilder,
  translate: number,
  access: number,
  first: number,
  second: number,
  failed: () => void,
): void {
  f.get(0).i32(access).call(translate).tee(first).op("i32_eqz").if_(VOID, failed);
  f.get(0).get(1).op("i64_extend_i32_u", "i64_add").i64(1).op("i64_sub").i64(PAGE_OF_VA).op("i64_and");
  f.i32(access).call(translate).tee(second).op("i32_eqz").if_(VOID, failed);
}

/** Pushes the linear address of byte local `i` of a crossing access. */
function crossingByte(f: FunctionBuilder, i: number, first: number, second: number, inFirst: number): FunctionBuilder {
  return f
    .get(first)
    .get(i)
    .op("i32_add")
    .get(second)
    .get(i)
    .get(inFirst)
    .op("i32_sub", "i32_add")
    .get(i)
    .get(inFirst)
    .op("i32_lt_u", "select");
}

function emitSlowLoad(m: ModuleBuilder, translate: number): number {
  const f = m.function([I64, I32], [I64]);
  const [first, second, inFirst, i, value] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32), f.local(I64)];
  const failed = () => f.i64(0).op("return");
  withinPage(f).if_(VOID, () => {
    translateWithin(f, READ, translate, first, failed);
    for (const [size, op] of [
      [8, "i64_load"],
      [4, "i64_load32_u"],
      [2, "i64_load16_u"],
    ] as const) {
      f.get(1)
        .i32(size)
        .op("i32_eq")
        .if_(VOID, () => f.get(first).mem(op, 0, 0).op("return"));
    }
    f.get(first).mem("i64_load8_u").op("return");
  });
  translateBoth(f, translate, READ, first, second, failed);
  f.i32(4096).get(0).op("i32_wrap_i64").i32(0xfff).op("i32_and", "i32_sub").set(inFirst);
  f.get(1).set(i);
  f.loop(VOID, (again) => {
    f.get(i).i32(1).op("i32_sub").set(i);
    f.get(value).i64(8).op("i64_shl");
    crossingByte(f, i, first, second, inFirst).mem("i64_load8_u").op("i64_or").set(value);
    f.get(i).brIf(again);
  });
  f.get(value);
  return f.index;
}

/** Nothing is written unless every byte can be. */
function emitSlowStore(m: ModuleBuilder, translate: number): number {
  const f = m.function([I64, I32, I64], []);
  const [first, second, inFirst, i] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const failed = () => f.op("return");
  withinPage(f).if_(VOID, () => {
    translateWithin(f, WRITE, translate, first, failed);
    for (const [size, op] of [
      [8, "i64_store"],
      [4, "i64_store32"],
      [2, "i64_store16"],
      [1, "i64_store8"],
    ] as const) {
      f.get(1)
        .i32(size)
        .op("i32_eq")
        .if_(VOID, () => f.get(first).get(2).mem(op, 0, 0).op("return"));
    }
    f.op("return");
  });
  translateBoth(f, translate, WRITE, first, second, failed);
  f.i32(4096).get(0).op("i32_wrap_i64").i32(0xfff).op("i32_and", "i32_sub").set(inFirst);
  f.loop(VOID, (again) => {
    crossingByte(f, i, first, second, inFirst).get(2).mem("i64_store8");
    f.get(2).i64(8).op("i64_shr_u").set(2);
    f.get(i).i32(1).op("i32_add").tee(i).get(1).op("i32_lt_u").brIf(again);
  });
  return f.index;
}

/** (va) -> linear address of the decode page of the page that va is in, or 0 after noting a fault. Refills the fetch TLB. */
function emitFetch(m: ModuleBuilder, walk: number, { newDecodePage }: Imports): number {
  const f = m.function([I64], [I32]);
  const [pfn, page, entry] = [f.local(I32), f.local(I32), f.local(I32)];
  f.get(0)
    .i32(EXECUTE)
    .call(walk)
    .tee(pfn)
    .i32(-1)
    .op("i32_eq")
    .if_(VOID, () => f.i32(0).op("return"));
  f.get(pfn)
    .i32(2)
    .op("i32_shl")
    .mem("i32_load", CODE_MAP)
    .tee(page)
    .i32(WRITE_CACHED)
    .op("i32_le_u")
    .if_(VOID, () => {
      f.get(pfn).get(0).i64(12).op("i64_shr_u", "i32_wrap_i64").call(newDecodePage).set(page);
    });
  f.get(page).i32(1).mem("i32_store", PAGE_USED);
  entryAddress(f, TLB_FETCH, 0xff0).tee(entry).get(0).i64(PAGE_OF_VA).op("i64_and").mem("i64_store");
  f.get(entry).get(page).mem("i32_store", 8);
  f.get(entry).get(pfn).mem("i32_store", 12);
  f.get(page);
  return f.index;
}

/**
 * (va of a page, distance, PFN) -> whether the fetch table says that the page so far from va is mapped to this frame. Then it
 * will be so until GENERATION changes, as REGION_PAGES tells the TLB's owner when to change it.
 */
function emitIsRegionPage(m: ModuleBuilder): number {
  const f = m.function([I64, I64, I32], [I32]);
  const [entry, vpn, known] = [f.local(I32), f.local(I32), f.local(I32)];
  f.get(0).get(1).op("i64_add").set(0);
  entryAddress(f, TLB_FETCH, 0xff0).tee(entry).mem("i64_load").get(0).op("i64_ne");
  f.get(entry).mem("i32_load", 12).get(2).op("i32_ne", "i32_or");
  f.if_(VOID, () => f.i32(0).op("return"));
  f.get(0).i64(12).op("i64_shr_u", "i32_wrap_i64").tee(vpn);
  f.i32(FETCH_ENTRIES - 1)
    .op("i32_and")
    .i32(2)
    .op("i32_shl")
    .i32(0)
    .mem("i32_load", BANK_POINTER)
    .op("i32_add")
    .tee(entry)
    .mem("i32_load", REGION_PAGES)
    .set(known);
  f.get(entry).get(vpn).i32(SEVERAL_PAGES);
  f.get(known).i32(NO_PAGE).op("i32_eq").get(known).get(vpn).op("i32_eq", "i32_or", "select");
  f.mem("i32_store", REGION_PAGES);
  f.i32(1);
  return f.index;
}

function noteIllegal(f: FunctionBuilder): void {
  f.i32(0).i32(1).mem("i32_store", FAULTED);
}

const CSR_FFLAGS = 1;
const CSR_FRM = 2;
const CSR_FCSR = 3;

function emitReadCsr(m: ModuleBuilder, counter: number): number {
  const f = m.function([I32, I32], [I64]);
  const fcsr = () => f.i32(0).mem("i64_load32_u", FCSR);
  f.get(0)
    .i32(CSR_FFLAGS)
    .op("i32_eq")
    .if_(VOID, () => fcsr().i64(31).op("i64_and", "return"));
  f.get(0)
    .i32(CSR_FRM)
    .op("i32_eq")
    .if_(VOID, () => fcsr().i64(5).op("i64_shr_u", "return"));
  f.get(0)
    .i32(CSR_FCSR)
    .op("i32_eq")
    .if_(VOID, () => fcsr().op("return"));
  // cycle, time, instret: 0xc00 to 0xc02
  f.get(0)
    .i32(0xc00)
    .op("i32_sub")
    .i32(3)
    .op("i32_lt_u")
    .if_(VOID, () => {
      f.get(0).get(1).call(counter).sat("i64_trunc_sat_f64_u").op("return");
    });
  noteIllegal(f);
  f.i64(0);
  return f.index;
}

function emitWriteCsr(m: ModuleBuilder): number {
  const f = m.function([I32, I64], []);
  const replace = (keep: number, shift: number, mask: number) => {
    f.i32(0).i32(0).mem("i32_load", FCSR).i32(keep).op("i32_and");
    f.get(1)
      .op("i32_wrap_i64")
      .i32(mask)
      .op("i32_and")
      .i32(shift)
      .op("i32_shl", "i32_or")
      .mem("i32_store", FCSR)
      .op("return");
  };
  f.get(0)
    .i32(CSR_FFLAGS)
    .op("i32_eq")
    .if_(VOID, () => replace(0xe0, 0, 31));
  f.get(0)
    .i32(CSR_FRM)
    .op("i32_eq")
    .if_(VOID, () => replace(31, 5, 7));
  f.get(0)
    .i32(CSR_FCSR)
    .op("i32_eq")
    .if_(VOID, () => replace(0, 0, 0xff));
  noteIllegal(f);
  return f.index;
}
