// Generates the upper part of the page walk (RISC-V privileged manual, section "Sv39"): from the root to the leaf table.
import { PTE_RWX, PTE_V } from "../arch/sv39.ts";
import { ROOT_POINTER } from "./layout.ts";
import type { FunctionBuilder } from "./wasm/builder.ts";

/** Pushes the linear address of the entry for the address in local `va` at the level of this shift, in the table at local `table`. */
export function emitEntryAddress(f: FunctionBuilder, va: number, table: number, shift: number): void {
  f.get(table)
    .get(va)
    .i64(shift)
    .op("i64_shr_u", "i32_wrap_i64")
    .i32(0x1ff)
    .op("i32_and")
    .i32(3)
    .op("i32_shl", "i32_add");
}

/** Sets local `table` to the linear address of the leaf table for the address in local `va`. `ifSo` takes a condition under which there is none. */
export function emitLeafTable(
  f: FunctionBuilder,
  va: number,
  table: number,
  ramOffset: number,
  ifSo: () => void,
): void {
  f.get(va).i64(38).op("i64_shr_u", "i64_eqz", "i32_eqz");
  ifSo();
  f.i32(0).mem("i32_load", ROOT_POINTER).set(table);
  for (const shift of [30, 21]) {
    emitEntryAddress(f, va, table, shift);
    f.mem("i32_load").tee(table).i32(PTE_V).op("i32_and", "i32_eqz");
    ifSo();
    // Superpages are not used.
    f.get(table).i32(PTE_RWX).op("i32_and");
    ifSo();
    f.get(table).i32(10).op("i32_shr_u").i32(12).op("i32_shl").i32(ramOffset).op("i32_add").set(table);
  }
}
