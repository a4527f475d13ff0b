// The forms in which the interpreter runs an instruction (its own, a special case, or the head of a fused sequence), and
// the numbers of their handlers.
import { COMPRESSED_FORMS } from "./compressed.ts";
import { FUSIONS } from "./fusions.ts";
import { INSTRUCTIONS, type InstructionRow, isPure } from "./table.ts";

/** Handlers that are not instructions. */
export const HANDLER_UNDECODED = 0;
export const HANDLER_PAGE_END = 1;
export const HANDLER_STRADDLE = 2;
export const HANDLER_ILLEGAL = 3;
/** The entry of a translated region; its record knows the handler that was there before. */
export const HANDLER_REGION = 4;
/** An instruction at which the hart is to stop (DecodePool.setStops); its fields are decoded. */
export const HANDLER_STOP = 5;
export const FIRST_FORM = 6;

/**
 * A form of an instruction. "near": a jump within its page, whose immediate is a distance in slot bytes. "discard": rd is
 * x0. "mv" and "li" are additions that only copy rs1 or the immediate; "nop" has no effect: a write to x0 of a pure result, a
 * fence. "c." before any of these: in 2 bytes. The length is part of the form so that the interpreter knows where the next
 * instruction is before it has read anything: reading the length, it would wait for memory between any two instructions.
 */
export interface Form {
  /** As FUSIONS names it, without "c.". */
  readonly name: string;
  readonly lengthBytes: 2 | 4;
  readonly row: InstructionRow;
  readonly near: boolean;
  readonly discard: boolean;
}

/** Whether nothing behind this instruction is reached but by a jump. */
export function endsLine({ row }: Form): boolean {
  return row.format === "J" || row.name === "jalr" || row.name === "ecall" || row.name === "ebreak";
}

const BRANCHES = ["beq", "bne", "blt", "bge", "bltu", "bgeu"];
const LOADS = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu"];
const rowOf = (name: string) => INSTRUCTIONS.find((row) => row.name === name)!;

function makeForms(): Form[] {
  const forms: Form[] = [];
  const add = (name: string, row: string, near = false, discard = false) => {
    forms.push({ name, lengthBytes: 4, row: rowOf(row), near, discard });
    if (COMPRESSED_FORMS.has(name)) forms.push({ name, lengthBytes: 2, row: rowOf(row), near, discard });
  };
  for (const row of INSTRUCTIONS) add(row.name, row.name);
  for (const name of BRANCHES) add(`${name}.near`, name, true);
  add("jal.near", "jal", true);
  add("j", "jal", false, true);
  add("j.near", "jal", true, true);
  add("jr", "jalr", false, true);
  for (const name of LOADS) add(`${name}.discard`, name, false, true);
  add("mv", "addi");
  add("li", "addi");
  add("nop", "addi");
  return forms;
}

/** Forms of single instructions; handler number = FIRST_FORM + index. The handlers of FUSIONS follow. */
export const FORMS: readonly Form[] = makeForms();
export const FIRST_FUSION = FIRST_FORM + FORMS.length;
export const HANDLER_COUNT = FIRST_FUSION + FUSIONS.length;

const handlerOf = new Map<string, number>();
FORMS.forEach(({ name, lengthBytes }, i) => {
  handlerOf.set(lengthBytes === 4 ? name : `c.${name}`, FIRST_FORM + i);
});

/** The handler that runs a single instruction in this form ("c." before its name: in 2 bytes), or undefined when there is none. */
export function findHandler(name: string): number | undefined {
  return handlerOf.get(name);
}

export function handlerOfForm(name: string): number {
  return handlerOf.get(name)!;
}

/** The handlers of an instruction by what the decoder can see: whether its jump is near, and whether rd is x0. */
export interface RowHandlers {
  readonly own: number;
  readonly discard: number;
  readonly near: number;
  readonly nearDiscard: number;
}

export function handlersOf(row: InstructionRow): RowHandlers {
  const nop = handlerOfForm("nop");
  if (row.name === "fence" || row.name === "fence.i") return { own: nop, discard: nop, near: nop, nearDiscard: nop };
  const own = handlerOfForm(row.name);
  if (row.name === "jal")
    return { own, discard: handlerOfForm("j"), near: handlerOfForm("jal.near"), nearDiscard: handlerOfForm("j.near") };
  if (row.name === "jalr") return { own, discard: handlerOfForm("jr"), near: own, nearDiscard: own };
  const discard = isPure(row) ? nop : (findHandler(`${row.name}.discard`) ?? own);
  const near = findHandler(`${row.name}.near`) ?? own;
  return { own, discard, near, nearDiscard: near };
}
