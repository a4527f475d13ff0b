// Loading ELF files: good ones run, hostile headers give an errno and leave nothing behind.
//
// Strategy: a small program made in code; named bad headers with Linux's error; then thousands of seeded mutations of header fields.
// Invariants: spawn throws nothing but LinuxError; the machine's invariants hold; afterwards no process, area or frame is left.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EINVAL, EIO, ELIBBAD, ENOENT, ENOEXEC, ENOMEM } from "../abi/errno.ts";
import { SIGKILL } from "../abi/signal.ts";
import { Prng } from "../util/prng.ts";
import { killProcess } from "./exit.ts";
import { LinuxError } from "./linux-error.ts";
import { TestKernel } from "./test-support.ts";

/** li a0,7; li a7,94 (exit_group); ecall. */
const EXIT_7 = [0x00700513, 0x05e00893, 0x00000073];
const PAGE = 4096;

interface Segment {
  type?: number;
  flags?: number;
  offset?: number;
  vaddr?: number;
  filesz?: number;
  memsz?: number;
  align?: number;
}

/** A program of one page: headers, then code at 0x200. */
function makeElf(segments: Segment[] = [{}], type = 2, entry = 0x10200, code: number[] = EXIT_7): Uint8Array {
  const bytes = new Uint8Array(2 * PAGE);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, 243, true);
  view.setUint32(20, 1, true);
  u64(24, entry);
  u64(32, 64);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  for (const [i, s] of segments.entries()) {
    const at = 64 + 56 * i;
    view.setUint32(at, s.type ?? 1, true);
    view.setUint32(at + 4, s.flags ?? 5, true);
    u64(at + 8, s.offset ?? 0);
    u64(at + 16, s.vaddr ?? 0x10000);
    u64(at + 24, s.vaddr ?? 0x10000);
    u64(at + 32, s.filesz ?? PAGE);
    u64(at + 40, s.memsz ?? s.filesz ?? PAGE);
    u64(at + 48, s.align ?? PAGE);
  }
  for (const [i, word] of code.entries()) view.setUint32(0x200 + 4 * i, word, true);
  return bytes;
}

let box: TestKernel;
let freeAtStart = 0;

beforeAll(() => {
  box = new TestKernel({ ramBytes: 16 << 20 });
  // The vDSO page and the directory entries exist from the first run on.
  expect(attempt(makeElf())).toBe(7);
  freeAtStart = box.kernel.mm.freeFrames;
});

afterAll(() => {
  box.kernel.mm.checkInvariants();
});

/** The exit status, or -errno of spawn. */
function attempt(elf: Uint8Array, budget = 50_000): number {
  box.put("/tmp/p", elf);
  try {
    const program = box.spawn("/tmp/p");
    const run = box.finish(program, budget);
    if (run.ended !== "finished") killProcess(box.kernel, program.process, SIGKILL);
    return run.status;
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return -error.errno;
  }
}

describe("loading", () => {
  it("runs fixed and position-independent programs", () => {
    expect(attempt(makeElf())).toBe(7);
    expect(attempt(makeElf([{ vaddr: 0 }], 3, 0x200))).toBe(7);
    expect(attempt(makeElf([{ vaddr: 0x7000, align: 65536 }], 3, 0x7200))).toBe(7);
  });

  it("zeroes the end of a written segment's last page and maps the rest", () => {
    // lui a1,0x20; lw a0,0x104(a1); lui a2,0x22; lw a3,-4(a2); or a0,a0,a3; lw a3,0x100(a1) ...: 3 words, expect 0 | 0 and exit.
    const code = [0x000205b7, 0x1045a503, 0x00022637, 0xffc62683, 0x00d56533, 0x05e00893, 0x00000073];
    const data = { flags: 6, vaddr: 0x20000, offset: PAGE, filesz: 0x100, memsz: 2 * PAGE };
    const elf = makeElf([{}, data], 2, 0x10200, code);
    elf.fill(0xff, PAGE);
    expect(attempt(elf)).toBe(0);
  });

  it.each<[string, Uint8Array, number]>([
    ["empty file", new Uint8Array(0), -ENOEXEC],
    ["text", new TextEncoder().encode("echo hello\n"), -ENOEXEC],
    ["magic only", makeElf().slice(0, 4), -ENOEXEC],
    ["half a header", makeElf().slice(0, 40), -ENOEXEC],
    ["no program headers in the file", makeElf().slice(0, 64), -ENOEXEC],
    ["no segments", makeElf([]), -ENOEXEC],
    ["nothing to load", makeElf([{ type: 4 }]), -ENOEXEC],
    ["relocatable", makeElf([{}], 1), -ENOEXEC],
    ["file part larger than memory", makeElf([{ filesz: PAGE, memsz: 16 }]), -EINVAL],
    ["offset not congruent", makeElf([{ offset: 0x10 }]), -EINVAL],
    ["kernel address", makeElf([{ vaddr: 2 ** 39 }]), -EINVAL],
    ["ends beyond user space", makeElf([{ vaddr: 2 ** 38 - PAGE, memsz: 2 * PAGE }]), -EINVAL],
    ["wraps around", makeElf([{ vaddr: 2 ** 63, memsz: 2 ** 63 }]), -EINVAL],
    ["huge", makeElf([{ flags: 6, memsz: 2 ** 37 }]), -ENOMEM],
    ["empty interpreter name", makeElf([{}, { type: 3, offset: 0x300, filesz: 1 }]), -ENOEXEC],
    ["interpreter name without end", makeElf([{}, { type: 3, offset: 0x200, filesz: 3 }]), -ENOEXEC],
    ["interpreter name outside the file", makeElf([{}, { type: 3, offset: 2 ** 20, filesz: 16 }]), -EIO],
    ["huge interpreter name", makeElf([{}, { type: 3, offset: 0x300, filesz: 2 ** 40 }]), -ENOEXEC],
  ])("%s", (_name, elf, expected) => {
    expect(attempt(elf)).toBe(expected);
  });

  it("says when the interpreter is missing or is no ELF", () => {
    const elf = makeElf([{}, { type: 3, offset: 0x300, filesz: 10 }]);
    elf.set(new TextEncoder().encode("/tmp/ld.x\0"), 0x300);
    expect(attempt(elf)).toBe(-ENOENT);
    box.put("/tmp/ld.x", "not an ELF at all, but long enough to hold a whole ELF header: 64 bytes");
    expect(attempt(elf)).toBe(-ELIBBAD);
    box.put("/tmp/ld.x", makeElf([{ vaddr: 0 }], 3, 0x200));
    expect(attempt(elf)).toBe(7);
    box.put("/tmp/ld.x", "");
  });

  it("survives a wrong class and machine", () => {
    const machine = makeElf();
    machine[18] = 62;
    expect(attempt(machine)).toBe(-ENOEXEC);
    const bits32 = makeElf();
    bits32[4] = 1;
    expect(attempt(bits32)).toBe(-ENOEXEC);
  });
});

const INTERESTING = [
  0,
  1,
  2,
  3,
  4095,
  4096,
  4097,
  65535,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 38 - 4096,
  2 ** 38,
  2 ** 53,
  2 ** 63,
  2 ** 64 - 4096,
];

describe("fuzz", () => {
  it("mutated headers never escape as exceptions and leak nothing", () => {
    const random = new Prng(20260101);
    const outcomes = new Map<number, number>();
    for (let round = 0; round < 1500; round++) {
      const type = 2 + random.below(2);
      const base = type === 3 ? 0 : 0x10000;
      const elf = makeElf(
        [{ vaddr: base }, { vaddr: base + 0x2000, flags: 6, offset: PAGE, filesz: 0x80, memsz: 0x3000 }, { type: 4 }],
        type,
        base + 0x200,
      );
      const view = new DataView(elf.buffer);
      for (let n = 1 + random.below(3); n > 0; n--) {
        const kind = random.below(4);
        if (kind === 0) elf[random.below(64 + 56 * 3)] = random.below(256);
        else if (kind === 1) {
          const field = 64 + 56 * random.below(3) + 8 * (1 + random.below(6));
          view.setBigUint64(field, BigInt.asUintN(64, BigInt(INTERESTING[random.below(INTERESTING.length)])), true);
        } else if (kind === 2) {
          const field = 64 + 56 * random.below(3) + 8 * (1 + random.below(6));
          view.setBigUint64(field, (BigInt(random.next()) << 32n) | BigInt(random.next()), true);
        } else view.setUint32(64 + 56 * random.below(3), [1, 3, 6, 0x6474e551][random.below(4)], true);
      }
      const outcome = attempt(random.below(8) === 0 ? elf.slice(0, random.below(elf.length)) : elf, 20_000);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (round % 100 === 0) box.kernel.mm.checkInvariants();
    }
    expect(box.kernel.processes.size).toBe(0);
    expect(box.kernel.tasks.size).toBe(0);
    expect(outcomes.size).toBeGreaterThan(4);
    box.put("/tmp/p", makeElf());
    expect(attempt(makeElf())).toBe(7);
    expect(box.kernel.mm.freeFrames).toBe(freeAtStart);
  });
});
