// Generates the wasm functions that decode instructions into slots (layout.ts), and the tables they read. What instructions
// there are, and where their fields lie, comes from isa/; programs of a second spend a tenth of it on this when JavaScript does it.
import type { BitMoves } from "./isa/bit-pictures.ts";
import { compressedRows } from "./isa/compressed.ts";
import { immediateMoves } from "./isa/decode.ts";
import {
  endsLine,
  FIRST_FORM,
  FIRST_FUSION,
  FORMS,
  findHandler,
  HANDLER_ILLEGAL,
  HANDLER_STOP,
  HANDLER_STRADDLE,
  handlerOfForm,
  handlersOf,
} from "./isa/forms.ts";
import { FUSIONS } from "./isa/fusions.ts";
import { type Format, type InstructionRow, instructionsWith } from "./isa/table.ts";
import {
  DECODE_PAGE_BYTES,
  DECODE_POOL,
  DECODER,
  DECODER_BYTES,
  PAGE_FRAME,
  PAGE_HAS_STOPS,
  STRADDLE_HALFWORD,
  STRADDLE_SLOT,
} from "./layout.ts";
import type { FunctionBuilder, Label, ModuleBuilder } from "./wasm/builder.ts";
import { I32, I64, VOID } from "./wasm/opcodes.ts";

/** How many instructions one visit decodes; the next visit continues where this one ended. */
const DECODE_AHEAD = 48;
/** Instructions that a fused handler can span: their handlers are compared as one i64. */
const LONGEST_FUSION = 4;
/** An offset from which no jump is near. */
const NOWHERE = 1 << 24;

/** What is done with the fields of a row: what its format says, or more. */
type Kind = Format | "ADD" | "ADDI" | "ILLEGAL";
const KINDS = "ILLEGAL ADD ADDI R AMO R1 FR F1 R4 I S B U J SHIFT SHIFTW CSR CSRI NONE".split(" ") as Kind[];

/** Rows of instructions: i32 mask, match, kind; u16 handlers: own, discard, near, nearDiscard. */
const ROW_BYTES = 20;
const ROW_KIND = 8;
const ROW_HANDLERS = 12;
const ROW_NEAR_HANDLERS = 16;
/** Rows of fusions: i64 handlers of the parts, i64 mask, i32 handler (0: no fusion). */
const FUSION_BYTES = 24;

/** i32: first row for a major opcode and funct3. */
const ROW_HEADS = DECODER;
/** Per handler: u16 handler of the same form in 2 bytes, u16 whether what follows is reached by a jump at most. */
const FORM_FACTS = ROW_HEADS + 256 * 4;
/** i32 per handler: first row of the fusions that begin with it. */
const FUSION_HEADS = FORM_FACTS + FIRST_FUSION * 4;
/** The run being decoded: u16 handlers (0 behind the last one), i32 slots. */
const RUN_HANDLERS = align8(FUSION_HEADS + FIRST_FUSION * 4);
const RUN_SLOTS = RUN_HANDLERS + 2 * 64;
const ROWS = RUN_SLOTS + 4 * 64;

function align8(value: number): number {
  return (value + 7) & -8;
}

/** What lies from DECODER on. */
function makeTables(): Uint8Array {
  const words = new Int32Array(DECODER_BYTES / 4);
  let end = ROWS;
  const put = (...values: number[]) => {
    if (end + values.length * 4 > DECODER + DECODER_BYTES) throw new Error("the decoder's tables do not fit");
    words.set(values, (end - DECODER) / 4);
    end += values.length * 4;
  };
  for (let key = 0; key < 256; key++) {
    words[(ROW_HEADS - DECODER) / 4 + key] = end;
    for (const row of instructionsWith(((key >> 3) << 2) | 3, key & 7)) {
      const { own, discard, near, nearDiscard } = handlersOf(row);
      put(row.mask, row.match, KINDS.indexOf(kindOf(row)), own | (discard << 16), near | (nearDiscard << 16));
    }
    put(0, 0, KINDS.indexOf("ILLEGAL"), 0, 0);
  }
  for (let handler = 0; handler < FIRST_FUSION; handler++) {
    const form = FORMS[handler - FIRST_FORM];
    const compressed = (form && findHandler(`c.${form.name}`)) ?? handler;
    const ends = form ? endsLine(form) : handler === HANDLER_ILLEGAL;
    words[(FORM_FACTS - DECODER) / 4 + handler] = compressed | (ends ? 1 << 16 : 0);
  }
  end = align8(end);
  const fusions = FUSIONS.map((names, i) => ({ parts: names.map(handlerOfForm), fused: FIRST_FUSION + i }));
  fusions.sort((a, b) => b.parts.length - a.parts.length);
  if (fusions[0].parts.length > LONGEST_FUSION) throw new Error("a fusion of more parts than the decoder compares");
  for (let handler = 0; handler < FIRST_FUSION; handler++) {
    words[(FUSION_HEADS - DECODER) / 4 + handler] = end;
    for (const { parts, fused } of fusions.filter(({ parts }) => parts[0] === handler)) {
      const [first, second, third = 0, fourth = 0] = parts;
      put(first | (second << 16), third | (fourth << 16), -1, (third && 0xffff) | (fourth && 0xffff0000), fused, 0);
    }
    put(0, 0, 0, 0, 0, 0);
  }
  return new Uint8Array(words.buffer, 0, end - DECODER);
}

function kindOf(row: InstructionRow): Kind {
  if (row.name === "add") return "ADD";
  return row.name === "addi" ? "ADDI" : row.format;
}

/** Leaves the word in local `from`, changed so, on the stack. */
function emitMoveBits(f: FunctionBuilder, from: number, { constant, moves, fills }: BitMoves): void {
  f.i32(constant);
  for (const { mask, left } of moves) {
    f.get(from)
      .i32(mask)
      .op("i32_and")
      .i32(Math.abs(left))
      .op(left >= 0 ? "i32_shl" : "i32_shr_u", "i32_or");
  }
  for (const { bit, mask } of fills)
    f.get(from)
      .i32(31 - bit)
      .op("i32_shl")
      .i32(31)
      .op("i32_shr_s")
      .i32(mask)
      .op("i32_and", "i32_or");
}

/** One block per arm; `arm` emits it and falls out of all of them. The number of the arm is on the stack. */
function emitSwitch(
  f: FunctionBuilder,
  type: typeof I32 | typeof VOID,
  count: number,
  arm: (i: number, out: Label) => void,
): void {
  const number = f.local(I32);
  f.set(number);
  f.block(type, (out) => {
    const blocks: Label[] = [];
    for (let i = count - 1; i >= 0; i--) blocks[i] = f.open(0x02, VOID);
    f.get(number).brTable(blocks, blocks[0]);
    for (let i = 0; i < count; i++) {
      f.close();
      arm(i, out);
      if (i < count - 1) f.br(out);
    }
  });
}

/** (halfword) -> the instruction it stands for, or 0: expandCompressed(). */
function emitExpand(m: ModuleBuilder): number {
  const f = m.function([I32], [I32]);
  f.get(0).i32(3).op("i32_and").i32(3).op("i32_shl").get(0).i32(13).op("i32_shr_u", "i32_or");
  const rows = compressedRows();
  emitSwitch(f, I32, rows.length, (key, out) => {
    for (const { mask, match, expansion } of rows[key]) {
      f.get(0).i32(mask).op("i32_and").i32(match).op("i32_eq");
      f.if_(VOID, () => {
        if (expansion === null) f.i32(0);
        else emitMoveBits(f, 0, expansion);
        f.br(out);
      });
    }
    f.i32(0);
  });
  return f.index;
}

/**
 * (word, offset, slot) -> handler. Decodes the word, found at this offset of its page (NOWHERE: no jump is near), and writes
 * it to the slot, unless that is 0.
 */
function emitDecode(m: ModuleBuilder): number {
  const expand = emitExpand(m);
  const f = m.function([I32, I32, I32], [I32]);
  const [WORD, OFFSET, SLOT] = [0, 1, 2];
  const [full, row, rd, rs1, rs2, high, handler] = Array.from({ length: 7 }, () => f.local(I32));
  const isShort = () => f.get(WORD).i32(3).op("i32_and").i32(3).op("i32_ne");
  isShort();
  f.if_(
    I32,
    () => f.get(WORD).call(expand),
    () => f.get(WORD),
  ).set(full);
  f.get(full)
    .i32(1)
    .op("i32_shl")
    .i32(0xf8)
    .op("i32_and")
    .get(full)
    .i32(12)
    .op("i32_shr_u")
    .i32(7)
    .op("i32_and", "i32_or");
  f.i32(2).op("i32_shl").mem("i32_load", ROW_HEADS).set(row);
  f.block(VOID, (found) => {
    f.loop(VOID, (next) => {
      f.get(full).get(row).mem("i32_load").op("i32_and").get(row).mem("i32_load", 4).op("i32_eq").brIf(found);
      f.get(row).i32(ROW_BYTES).op("i32_add").set(row).br(next);
    });
  });
  f.get(full).i32(7).op("i32_shr_u").i32(31).op("i32_and").set(rd);
  f.get(full).i32(15).op("i32_shr_u").i32(31).op("i32_and").set(rs1);
  f.get(full).i32(20).op("i32_shr_u").i32(31).op("i32_and").set(rs2);
  /** One of two neighbouring handlers of the row: the second when rd is x0. */
  const rowHandler = (at: number) =>
    f.get(row).get(rd).op("i32_eqz").i32(1).op("i32_shl", "i32_add").mem("i32_load16_u", at).set(handler);
  rowHandler(ROW_HANDLERS);

  const immediate = (format: Format) => {
    const moves = immediateMoves(format);
    if (moves === null) f.i32(0);
    else emitMoveBits(f, full, moves);
    f.set(high);
  };
  const registers = () => {
    f.get(rs2).i32(3).op("i32_shl").get(full).i32(16).op("i32_shr_u").i32(0xf800).op("i32_and", "i32_or");
    f.get(full).i32(4).op("i32_shl").i32(0x70000).op("i32_and", "i32_or").set(high);
  };
  const illegal = () => f.i32(HANDLER_ILLEGAL).set(handler);
  const behindRs2 = () => f.get(high).i32(16).op("i32_shl").get(rs2).i32(3).op("i32_shl", "i32_or").set(high);
  const nearJump = () => {
    f.get(OFFSET).get(high).op("i32_add").i32(4096).op("i32_lt_u");
    f.if_(VOID, () => {
      f.get(high).i32(2).op("i32_shl").set(high);
      rowHandler(ROW_NEAR_HANDLERS);
    });
  };
  /** rd = rs1 + high where one of both is missing. */
  const simplify = () =>
    f
      .get(rs1)
      .op("i32_eqz")
      .if_(
        VOID,
        () => f.i32(handlerOfForm("li")).set(handler),
        () => {
          f.get(high)
            .op("i32_eqz")
            .if_(VOID, () => f.i32(handlerOfForm("mv")).set(handler));
        },
      );
  f.get(row).mem("i32_load", ROW_KIND);
  emitSwitch(f, VOID, KINDS.length, (i) => {
    const kind = KINDS[i];
    switch (kind) {
      case "ILLEGAL":
        illegal();
        return;
      case "ADD":
        registers();
        f.get(rd).op("i32_eqz", "i32_eqz").get(rs1).op("i32_eqz").get(rs2).op("i32_eqz", "i32_or", "i32_and");
        f.if_(VOID, () => {
          f.get(rs1).get(rs2).op("i32_or").set(rs1).i32(0).set(high);
          simplify();
        });
        return;
      case "ADDI":
        immediate("I");
        f.get(rd).if_(VOID, simplify);
        return;
      case "R":
      case "AMO":
      case "R1":
        registers();
        return;
      case "FR":
      case "F1":
      case "R4":
        registers();
        f.get(full)
          .i32(12)
          .op("i32_shr_u")
          .i32(7)
          .op("i32_and")
          .i32(5)
          .op("i32_sub")
          .i32(2)
          .op("i32_lt_u")
          .if_(VOID, illegal);
        return;
      case "S":
        immediate(kind);
        behindRs2();
        return;
      case "B":
      case "J":
        immediate(kind);
        nearJump();
        if (kind === "B") behindRs2();
        return;
      default:
        immediate(kind);
    }
  });
  isShort();
  f.if_(VOID, () => f.get(handler).i32(2).op("i32_shl").mem("i32_load16_u", FORM_FACTS).set(handler));
  f.get(SLOT).if_(VOID, () => {
    f.get(SLOT).get(handler).get(rd).i32(19).op("i32_shl", "i32_or").get(rs1).i32(27).op("i32_shl", "i32_or");
    f.mem("i32_store").get(SLOT).get(high).mem("i32_store", 4);
  });
  f.get(handler);
  return f.index;
}

export interface SlotDecoder {
  /** (slot): decodes it and the run of instructions that follows it in its page. */
  readonly decodeAt: number;
  /** (slot, halfword): decodes the instruction that begins with the last halfword of the slot's page and ends with this one. */
  readonly decodeStraddle: number;
}

/** Imported: isStop(pfn, offset) -> whether the hart stops there, of a page that has stops; decoded(pfn) hears of each run. */
export function emitSlotDecoder(
  m: ModuleBuilder,
  imports: { ramOffset: number; isStop: number; decoded: number },
): SlotDecoder {
  m.data(DECODER, makeTables());
  const decode = emitDecode(m);
  return { decodeAt: emitDecodeAt(m, decode, imports), decodeStraddle: emitDecodeStraddle(m, decode) };
}

/** Leaves the linear address of the decode page of the slot in local 0. */
function pageOfSlot(f: FunctionBuilder): FunctionBuilder {
  return f.get(0).get(0).i32(DECODE_POOL).op("i32_sub").i32(DECODE_PAGE_BYTES).op("i32_rem_u", "i32_sub");
}

function emitDecodeAt(
  m: ModuleBuilder,
  decode: number,
  { ramOffset, isStop, decoded }: { ramOffset: number; isStop: number; decoded: number },
): number {
  const f = m.function([I32], []);
  const [page, frame, offset, count, fresh, at, word, isFresh, handler] = Array.from({ length: 9 }, () => f.local(I32));
  const pfn = () => f.get(frame).i32(ramOffset).op("i32_sub").i32(12).op("i32_shr_u");
  const halfword = (behind: number) => f.get(frame).get(offset).op("i32_add").mem("i32_load16_u", behind);
  const isDecoded = () => f.get(at).mem("i32_load16_u");
  const isLong = () => f.get(word).i32(3).op("i32_and").i32(3).op("i32_eq");
  const stopHere = () => {
    f.get(page).mem("i32_load", PAGE_HAS_STOPS);
    f.if_(VOID, () =>
      pfn()
        .get(offset)
        .call(isStop)
        .if_(VOID, () => f.i32(HANDLER_STOP).set(handler)),
    );
  };
  const setFresh = () => f.get(isFresh).if_(VOID, () => f.get(at).get(handler).mem("i32_store16"));
  pageOfSlot(f).tee(page).mem("i32_load", PAGE_FRAME).set(frame);
  f.get(0).get(page).op("i32_sub").i32(2).op("i32_shr_u").set(offset);
  f.block(VOID, (end) => {
    f.loop(VOID, (next) => {
      // Beyond the fresh part, instructions are looked at only because a fusion may reach them.
      f.get(count).get(fresh).i32(LONGEST_FUSION).op("i32_add", "i32_ge_u").brIf(end);
      f.get(offset).i32(4096).op("i32_ge_u").brIf(end);
      f.get(page).get(offset).i32(2).op("i32_shl", "i32_add").set(at);
      f.get(count).get(fresh).op("i32_eq").get(count).i32(DECODE_AHEAD).op("i32_lt_u", "i32_and");
      isDecoded();
      f.op("i32_eqz", "i32_and").set(isFresh);
      halfword(0).set(word);
      isLong();
      f.if_(VOID, () => {
        f.get(offset).i32(4094).op("i32_eq");
        f.if_(VOID, () => {
          f.i32(HANDLER_STRADDLE).set(handler);
          stopHere();
          setFresh();
          f.br(end);
        });
        halfword(2).i32(16).op("i32_shl").get(word).op("i32_or").set(word);
      });
      f.get(word).get(offset).get(at).i32(0).get(isFresh).op("select").call(decode).set(handler);
      stopHere();
      setFresh();
      f.get(fresh).get(isFresh).op("i32_add").set(fresh);
      // A sequence reads the fields of its parts from their slots: those that are not decoded yet are in none.
      f.get(count).i32(1).op("i32_shl").get(handler).i32(0);
      isDecoded();
      f.op("select").mem("i32_store16", RUN_HANDLERS);
      f.get(count).i32(2).op("i32_shl").get(at).mem("i32_store", RUN_SLOTS);
      f.get(count).i32(1).op("i32_add").set(count);
      f.get(handler)
        .i32(2)
        .op("i32_shl")
        .mem("i32_load16_u", FORM_FACTS + 2)
        .brIf(end);
      f.get(offset).i32(4).i32(2);
      isLong();
      f.op("select", "i32_add").set(offset).br(next);
    });
  });
  f.get(count).i32(1).op("i32_shl").i64(0).mem("i64_store", RUN_HANDLERS, 0);
  emitFuse(f, fresh);
  pfn().call(decoded);
  m.export("decodeAt", f);
  return f.index;
}

/** Gives the first `fresh` slots of the run the handlers of the longest sequences that begin there. */
function emitFuse(f: FunctionBuilder, fresh: number): void {
  const [i, row] = [f.local(I32), f.local(I32)];
  const window = f.local(I64);
  f.block(VOID, (end) => {
    f.loop(VOID, (next) => {
      f.get(i).get(fresh).op("i32_ge_u").brIf(end);
      f.get(i).i32(1).op("i32_shl").mem("i64_load", RUN_HANDLERS, 0).tee(window);
      f.op("i32_wrap_i64").i32(0xffff).op("i32_and").i32(2).op("i32_shl").mem("i32_load", FUSION_HEADS).set(row);
      f.block(VOID, (found) => {
        f.loop(VOID, (other) => {
          f.get(window).get(row).mem("i64_load", 8).op("i64_and").get(row).mem("i64_load").op("i64_eq").brIf(found);
          f.get(row).i32(FUSION_BYTES).op("i32_add").set(row).br(other);
        });
      });
      f.get(row).mem("i32_load", 16);
      f.if_(VOID, () =>
        f.get(i).i32(2).op("i32_shl").mem("i32_load", RUN_SLOTS).get(row).mem("i32_load", 16).mem("i32_store16"),
      );
      f.get(i).i32(1).op("i32_add").set(i).br(next);
    });
  });
}

function emitDecodeStraddle(m: ModuleBuilder, decode: number): number {
  const f = m.function([I32, I32], []);
  const page = f.local(I32);
  pageOfSlot(f).tee(page).mem("i32_load", PAGE_FRAME).mem("i32_load16_u", 4094);
  f.get(1)
    .i32(16)
    .op("i32_shl", "i32_or")
    .i32(NOWHERE)
    .get(page)
    .i32(STRADDLE_SLOT)
    .op("i32_add")
    .call(decode)
    .op("drop");
  f.get(page).get(1).i32(0x10000).op("i32_or").mem("i32_store", STRADDLE_HALFWORD);
  return f.index;
}
