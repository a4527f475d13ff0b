// Generates the wasm functions that find runs of pages (BASE_RUNS) in the page tables: pages that adjoin, lie in frames that adjoin, and
// that the TLB could have too. Not responsible for when a run ends: see HartTlb.
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W } from "../arch/sv39.ts";
import { BASE_RUNS_USED, CODE_MAP, RUN_ADDEND, RUN_LENGTH, RUN_MISSES, RUN_PFN, WRITE_CACHED } from "./layout.ts";
import { emitLeafTable } from "./page-walk.ts";
import type { FunctionBuilder, ModuleBuilder } from "./wasm/builder.ts";
import { I32, I64, VOID } from "./wasm/opcodes.ts";

/** How often a run is looked for of those times that a base register is outside the one remembered; a power of two. */
const MISSES_PER_GROWTH = 16;
/** Pages on either side of one that are looked at for a new run. */
const NEW_REACH = 32;
/** Pages that a run grows by at a time, towards one that may belong to it. */
const GROWTH = 4096;

export function emitRunFunctions(m: ModuleBuilder, ramOffset: number): { growRun: number; moveRun: number } {
  const growRun = emitGrowRun(m, emitReach(m, emitLeafOf(m, ramOffset)));
  return { growRun, moveRun: emitMoveRun(m, growRun) };
}

/** Counts a base register that is outside its run; pushes whether it is time to look for another run. */
export function emitCountMiss(f: FunctionBuilder): void {
  f.i32(0).i32(0).mem("i32_load", RUN_MISSES).i32(1).op("i32_add").mem("i32_store", RUN_MISSES);
  f.i32(0)
    .mem("i32_load", RUN_MISSES)
    .i32(MISSES_PER_GROWTH - 1)
    .op("i32_and", "i32_eqz");
}

/** Of a function (entry, run): pushes whether there is a run and the entry's page can lie in it: only one with the same addend can. */
function emitIsAkin(f: FunctionBuilder): void {
  f.get(1).mem("i64_load", RUN_LENGTH).op("i64_eqz", "i32_eqz");
  f.get(1).mem("i32_load", RUN_ADDEND).get(0).mem("i32_load", 8).op("i32_eq", "i32_and");
}

/** (va) -> linear address of the leaf page table for it; 0: there is none. */
function emitLeafOf(m: ModuleBuilder, ramOffset: number): number {
  const f = m.function([I64], [I32]);
  const table = f.local(I32);
  emitLeafTable(f, 0, table, ramOffset, () => f.if_(VOID, () => f.i32(0).op("return")));
  f.get(table);
  return f.index;
}

/** (va, pfn, pages, step 4096 or -4096, isWrite) -> the last address in this direction that a run from va, whose frame is pfn, gets to. */
function emitReach(m: ModuleBuilder, leafOf: number): number {
  const f = m.function([I64, I32, I32, I64, I32], [I64]);
  const [va, pfn, pages, step, isWrite] = [0, 1, 2, 3, 4];
  const leaf = f.local(I32);
  const pte = f.local(I32);
  const next = f.local(I64);
  const need = f.local(I32);
  f.i32(PTE_V | PTE_U | PTE_A | PTE_W | PTE_D).i32(PTE_V | PTE_U | PTE_A | PTE_R);
  f.get(isWrite).op("select").set(need);
  f.get(va).call(leafOf).set(leaf);
  f.block(VOID, (done) =>
    f.loop(VOID, (again) => {
      f.get(pages).op("i32_eqz").brIf(done);
      f.get(va).get(step).op("i64_add").tee(next).get(va).op("i64_xor").i64(21).op("i64_shr_u", "i64_eqz", "i32_eqz");
      f.if_(VOID, () => f.get(next).call(leafOf).set(leaf));
      f.get(leaf).op("i32_eqz").brIf(done);
      f.get(next).op("i32_wrap_i64").i32(9).op("i32_shr_u").i32(0xff8).op("i32_and").get(leaf).op("i32_add");
      f.mem("i32_load").tee(pte).get(need).op("i32_and").get(need).op("i32_ne").brIf(done);
      f.get(pte).i32(10).op("i32_shr_u").tee(pte).get(pfn).op("i32_sub");
      f.get(step).i64(12).op("i64_shr_s", "i32_wrap_i64", "i32_ne").brIf(done);
      // A frame with code, or one whose writes nobody waits for yet, needs the walk that a store makes.
      f.get(pte).i32(2).op("i32_shl").mem("i32_load", CODE_MAP).i32(WRITE_CACHED).op("i32_ne");
      f.get(isWrite).op("i32_and").brIf(done);
      f.get(pte).set(pfn).get(next).set(va);
      f.get(pages).i32(1).op("i32_sub").set(pages).br(again);
    }),
  );
  f.get(va);
  return f.index;
}

/**
 * (entry, run, isWrite), the entry being the TLB's of a page outside the run: the run grows to it, or if it cannot be reached is replaced by
 * one around it.
 */
function emitGrowRun(m: ModuleBuilder, reach: number): number {
  const f = m.function([I32, I32, I32], []);
  const [entry, run, isWrite] = [0, 1, 2];
  const tag = f.local(I64);
  const low = f.local(I64);
  const high = f.local(I64);
  const pfn = f.local(I32);
  const lowPfn = f.local(I32);
  /** What is from low to high, whose frames begin with lowPfn. */
  const remember = () => {
    f.get(run).get(low).mem("i64_store");
    f.get(run)
      .get(high)
      .get(low)
      .op("i64_sub")
      .i64(4096 - 7)
      .op("i64_add")
      .mem("i64_store", RUN_LENGTH);
    f.get(run).get(entry).mem("i32_load", 8).mem("i32_store", RUN_ADDEND);
    f.get(run).get(lowPfn).mem("i32_store", RUN_PFN);
    f.i32(0).i32(1).mem("i32_store", BASE_RUNS_USED);
  };
  const pagesFrom = (from: number, to: number) =>
    f.get(to).get(from).op("i64_sub").i64(12).op("i64_shr_u", "i32_wrap_i64");
  const grow = (place: number, step: 4096 | -4096) => {
    f.get(place);
    f.get(lowPfn);
    if (step > 0) {
      pagesFrom(low, high);
      f.op("i32_add");
    }
    f.i32(GROWTH).i64(step).get(isWrite).call(reach).set(place);
  };
  f.get(entry).mem("i64_load").set(tag).get(entry).mem("i32_load", 12).set(pfn);
  emitIsAkin(f);
  f.if_(VOID, () => {
    f.get(run)
      .mem("i64_load")
      .tee(low)
      .get(run)
      .mem("i64_load", RUN_LENGTH)
      .i64(7 - 4096)
      .op("i64_add", "i64_add")
      .set(high);
    f.get(run).mem("i32_load", RUN_PFN).set(lowPfn);
    f.get(tag).get(high).op("i64_gt_u");
    f.if_(
      VOID,
      () => grow(high, 4096),
      () => {
        f.get(tag)
          .get(low)
          .op("i64_ge_u")
          .if_(VOID, () => f.op("return"));
        grow(low, -4096);
        f.get(pfn).get(low).get(tag).op("i64_sub").i64(12).op("i64_shr_s", "i32_wrap_i64", "i32_add").set(lowPfn);
      },
    );
    remember();
    f.get(tag)
      .get(low)
      .op("i64_sub")
      .get(high)
      .get(low)
      .op("i64_sub", "i64_le_u")
      .if_(VOID, () => f.op("return"));
  });
  f.get(tag).get(pfn).i32(NEW_REACH).i64(-4096).get(isWrite).call(reach).set(low);
  f.get(tag).get(pfn).i32(NEW_REACH).i64(4096).get(isWrite).call(reach).set(high);
  f.get(pfn);
  pagesFrom(low, tag);
  f.op("i32_sub").set(lowPfn);
  remember();
  return f.index;
}

/**
 * (entry, run, isWrite), the entry being the TLB's of the page that the base register is in now: a run that has the page stays, one that
 * ends beside it takes it in, in place of another one comes the page, or sometimes the run around it.
 */
function emitMoveRun(m: ModuleBuilder, growRun: number): number {
  const f = m.function([I32, I32, I32], []);
  const [entry, run, isWrite] = [0, 1, 2];
  const tag = f.local(I64);
  const start = f.local(I64);
  const length = f.local(I64);
  f.get(entry).mem("i64_load").set(tag).get(run).mem("i64_load").set(start);
  f.get(run).mem("i64_load", RUN_LENGTH).set(length);
  emitIsAkin(f);
  f.if_(VOID, () => {
    f.get(tag)
      .get(start)
      .op("i64_sub")
      .get(length)
      .op("i64_lt_u")
      .if_(VOID, () => f.op("return"));
    f.get(tag).get(start).op("i64_sub").get(length).i64(7).op("i64_add", "i64_eq");
    f.if_(VOID, () => f.get(run).get(length).i64(4096).op("i64_add").mem("i64_store", RUN_LENGTH).op("return"));
  });
  emitCountMiss(f);
  f.if_(VOID, () => f.get(entry).get(run).get(isWrite).call(growRun).op("return"));
  f.get(run).get(tag).mem("i64_store");
  f.get(run)
    .i64(4096 - 7)
    .mem("i64_store", RUN_LENGTH);
  f.get(run).get(entry).mem("i64_load", 8).mem("i64_store", RUN_ADDEND);
  f.i32(0).i32(1).mem("i32_store", BASE_RUNS_USED);
  return f.index;
}
