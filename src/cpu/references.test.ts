// What onReference hears: every page of every access, in program order, on a few instructions written out by hand.
import { expect, test } from "vitest";
import { PTE_R, PTE_W, PTE_X } from "../arch/sv39.ts";
import { EXIT_ECALL, EXIT_PAGE_FAULT } from "./exits.ts";
import { REFERENCE_CODE, REFERENCE_DATA, REFERENCE_STRADDLE } from "./memory-functions.ts";
import { BareMachine } from "./test-support/bare-machine.ts";

const CODE = 0x10000;
const STRADDLE = 0x20000;
const DATA = 0x40000;
const [A0, A1, A2, T0] = [10, 11, 12, 5];
const ld = (rd: number, rs1: number, offset: number) => (offset << 20) | (rs1 << 15) | (3 << 12) | (rd << 7) | 0x03;
const sd = (rs2: number, rs1: number) => (rs2 << 20) | (rs1 << 15) | (3 << 12) | 0x23;
const jr = (rs1: number) => (rs1 << 15) | 0x67;
const ADDI = (1 << 20) | (T0 << 15) | (T0 << 7) | 0x13;
const ECALL = 0x73;

test("loads, stores, crossing accesses, jumps and straddling instructions", () => {
  const heard: string[] = [];
  const names = new Map<number, string>();
  const kinds = { [REFERENCE_DATA]: "data", [REFERENCE_CODE]: "code", [REFERENCE_STRADDLE]: "straddle" };
  const m = new BareMachine(1 << 20, {
    onReference: (pfn, kind) => heard.push(`${names.get(pfn)} ${kinds[kind as 0 | 1 | 2]}`),
  });
  const frames = new Map<string, number>();
  const page = (name: string, address: number, bits: number) => {
    const pfn = m.allocate();
    names.set(pfn, name);
    frames.set(name, pfn);
    if (bits !== 0) m.map(address, bits, pfn);
  };
  page("c", CODE, PTE_R | PTE_X);
  page("s", STRADDLE, PTE_R | PTE_X);
  page("t", STRADDLE + 4096, PTE_R | PTE_X);
  page("d", DATA, PTE_R | PTE_W);
  page("e", 0, 0);
  const put = (name: string, offset: number, word: number) => {
    const at = frames.get(name)! * 4096 + offset;
    for (let i = 0; i < 4; i++) m.bytes[at + i] = word >>> (8 * i);
  };
  // Two loads (which may be fused), a store, an instruction without data, a load across two pages, a jump.
  const program = [ld(T0, A0, 0), ld(T0, A0, 8), sd(T0, A1), ADDI, ld(T0, A0, 2044), jr(A2)];
  for (const [i, word] of program.entries()) put("c", 4 * i, word);
  const straddling = ADDI >>> 0;
  m.bytes[frames.get("s")! * 4096 + 4094] = straddling & 0xff;
  m.bytes[frames.get("s")! * 4096 + 4095] = (straddling >>> 8) & 0xff;
  m.bytes[frames.get("t")! * 4096] = (straddling >>> 16) & 0xff;
  m.bytes[frames.get("t")! * 4096 + 1] = straddling >>> 24;
  put("t", 2, ECALL);
  m.context.setX(A0, DATA + 2048);
  m.context.setX(A1, DATA);
  m.context.setX(A2, STRADDLE + 4094);
  m.context.pc = CODE;

  expect(m.hart.run(1000)).toBe(EXIT_PAGE_FAULT);
  const before = ["c code", "d data", "c code", "d data", "c code", "d data", "c code", "d data"];
  expect(heard).toEqual(before);

  heard.length = 0;
  m.map(DATA + 4096, PTE_R | PTE_W, frames.get("e")!);
  expect(m.hart.run(1000)).toBe(EXIT_ECALL);
  // The page of the code is named again between the halves of a crossing access, and behind a straddling fetch.
  const after = ["c code", "d data", "c code", "e data", "c code", "s code", "t straddle", "s code", "t code"];
  expect(heard).toEqual(after);
});
