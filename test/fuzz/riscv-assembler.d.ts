import { type InstructionRow } from "../../src/cpu/isa/table.ts";
export interface Fields {
  rd?: number;
  rs1?: number;
  rs2?: number;
  rs3?: number;
  /** Immediate in bytes or units as the assembler writes it (U: the 20-bit field). */
  imm?: number;
  rm?: number;
  /** CSR number; for CSRI the zimm is rs1. */
  csr?: number;
}
export declare const rowsByName: Map<string, InstructionRow>;
/** The 32-bit encoding of an instruction of the hart's table. */
export declare function encode(name: string, fields: Fields): number;
/** Every compressed instruction of RV64GC. */
export declare const COMPRESSED: Readonly<Record<string, (f: Fields) => number>>;
