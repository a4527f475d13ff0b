// The hart's machine-level behaviour, by hand-made programs: faults and restarts, page crossings, code that changes,
// reservations, budgets, TLB upkeep. Arithmetic is compared with qemu in test/fuzz/isa-differential.test.ts.
import { beforeAll, describe, expect, it } from "vitest";
import { encode } from "../../test/fuzz/riscv-assembler.ts";
import { PTE_A, PTE_D, PTE_R, PTE_W, PTE_X } from "../arch/sv39.ts";
import { CpuContext } from "./cpu-context.ts";
import {
  EXIT_BREAKPOINT,
  EXIT_ECALL,
  EXIT_FUEL,
  EXIT_ILLEGAL,
  EXIT_MISALIGNED_ATOMIC,
  EXIT_PAGE_FAULT,
} from "./exits.ts";
import type { Hart } from "./hart.ts";
import { BareMachine } from "./test-support/bare-machine.ts";

const CODE = 0x10000;
const DATA = 0x20000;
const ECALL = 0x73;
const FENCE_I = 0x100f;
const C_NOP = 0x0001;

/** How the programs of the tests that follow are run. */
let translate: boolean | "always" = false;

class Program {
  readonly machine: BareMachine;

  constructor(words: number[], at = CODE, decodePages = 4096) {
    this.machine = new BareMachine(16 << 20, { decodePages, translate });
    this.machine.map(CODE, PTE_R | PTE_W | PTE_X);
    this.machine.map(CODE + 4096, PTE_R | PTE_W | PTE_X);
    this.put(words, at);
    this.context.pc = at;
  }
  get context(): CpuContext {
    return this.machine.context;
  }
  get hart(): Hart {
    return this.machine.hart;
  }
  /** Writes 32-bit words at virtual addresses as the kernel would: through RAM, then frameChanged. */
  put(words: number[], at: number): void {
    words.forEach((word, i) => {
      for (let k = 0; k < 4; k++) this.poke(at + 4 * i + k, (word >>> (8 * k)) & 255);
    });
    for (let page = at - (at % 4096); page < at + 4 * words.length; page += 4096) {
      this.hart.tlb.frameChanged(this.machine.pte(page) >>> 10);
    }
  }
  poke(address: number, byte: number): void {
    this.machine.bytes[(this.machine.pte(address) >>> 10) * 4096 + (address % 4096)] = byte;
  }
  hex(address: number, length: number): string {
    return Buffer.from(this.machine.read(address, length)).toString("hex");
  }
  get faultAddress(): number {
    return this.hart.faultAddressHigh * 2 ** 32 + (this.hart.faultAddressLow >>> 0);
  }
}

const addi = (rd: number, rs1: number, imm: number) => encode("addi", { rd, rs1, imm });
const load = (name: string, rd: number, rs1: number, imm = 0) => encode(name, { rd, rs1, imm });
const store = (name: string, rs2: number, rs1: number, imm = 0) => encode(name, { rs2, rs1, imm });
const lui = (rd: number, address: number) => encode("lui", { rd, imm: address >> 12 });
/** x5 = -2 counted down from 2: jumps back `distance` bytes while x5 != 0. */
const loopBack = (counter: number, distance: number) => encode("bne", { rs1: counter, rs2: 0, imm: distance });

describe.each([false, true, "always"] as const)("with translation %s", (mode) => {
  beforeAll(() => {
    translate = mode;
  });

  describe("page faults", () => {
    it("stop at the instruction, name the address and the access, and restart after the mapping is mended", () => {
      const p = new Program([lui(5, DATA), addi(6, 0, 77), store("sd", 6, 5, 8), load("ld", 7, 5, 8), ECALL]);
      expect(p.hart.run(100)).toBe(EXIT_PAGE_FAULT);
      expect([p.faultAddress, p.hart.faultAccess, p.context.pc]).toEqual([DATA + 8, 1, CODE + 8]);
      expect(p.hart.instructions).toBe(2);
      p.machine.map(DATA, PTE_R);
      expect(p.hart.run(100)).toBe(EXIT_PAGE_FAULT);
      const pfn = p.machine.pte(DATA) >>> 10;
      p.machine.map(DATA, PTE_R | PTE_W, pfn);
      expect(p.hart.run(100)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(77);
      expect(p.context.pc).toBe(CODE + 16);
      expect(p.hart.instructions).toBe(5);
    });

    it("set A on a read and on a fetch, D only on a write", () => {
      const p = new Program([lui(5, DATA), load("ld", 7, 5), ECALL, store("sd", 6, 5), ECALL]);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.hart.run(100);
      expect(p.machine.pte(DATA) & (PTE_A | PTE_D)).toBe(PTE_A);
      expect(p.machine.pte(CODE) & (PTE_A | PTE_D)).toBe(PTE_A);
      p.context.pc += 4;
      p.hart.run(100);
      expect(p.machine.pte(DATA) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
    });

    it("come from missing permissions of each kind and from addresses beyond Sv39", () => {
      const p = new Program([load("lb", 7, 5)]);
      p.machine.map(DATA, PTE_X);
      p.context.setX(5, DATA);
      expect([p.hart.run(9), p.hart.faultAccess]).toEqual([EXIT_PAGE_FAULT, 0]);
      for (const [low, high] of [
        [0, 0x40],
        [0, -1],
        [0x20000, 1 << 10],
      ]) {
        p.context.setX64(5, low, high);
        expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
        expect([p.hart.faultAddressLow, p.hart.faultAddressHigh]).toEqual([low, high]);
      }
      p.machine.map(DATA, PTE_R | PTE_W);
      p.context.pc = DATA;
      expect([p.hart.run(9), p.hart.faultAccess, p.faultAddress]).toEqual([EXIT_PAGE_FAULT, 2, DATA]);
      expect(p.context.pc).toBe(DATA);
    });

    it("at a jump into an unmapped page happen at the target, with the link already written", () => {
      const p = new Program([lui(5, DATA), encode("jalr", { rd: 1, rs1: 5, imm: 6 })]);
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
      expect([p.context.pc, p.context.getX(1), p.faultAddress]).toEqual([DATA + 6, CODE + 8, DATA + 6]);
    });

    it("in a function far from its caller are exact", () => {
      const far = CODE + 0xff000;
      const p = new Program([encode("jal", { rd: 1, imm: far - CODE }), addi(6, 6, -1), loopBack(6, -8), ECALL]);
      p.machine.map(far, PTE_R | PTE_W | PTE_X);
      p.put([load("ld", 7, 5), addi(5, 5, 64), encode("jalr", { rd: 0, rs1: 1 })], far);
      p.context.setX(5, DATA);
      p.context.setX(6, 128);
      let faults = 0;
      while (p.hart.run(1e6) === EXIT_PAGE_FAULT) {
        expect([p.context.pc, p.faultAddress]).toEqual([far, DATA + 4096 * faults]);
        p.machine.map(DATA + 4096 * faults++, PTE_R);
      }
      expect([faults, p.context.pc, p.hart.instructions]).toEqual([2, CODE + 12, 128 * 6 + 1]);
    });

    it("leave rd alone, also when it is the base and also for x0", () => {
      const p = new Program([load("ld", 5, 5), load("lw", 0, 5)]);
      p.context.setX(5, DATA);
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
      expect(p.context.getX(5)).toBe(DATA);
      p.context.pc = CODE + 4;
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
    });
  });

  describe("accesses across two pages", () => {
    const cross = DATA + 4096 - 3;
    function prepared(): Program {
      const p = new Program([store("sd", 6, 5), load("ld", 7, 5), ECALL]);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.context.setX(5, cross);
      p.context.setX64(6, 0x44332211, 0x08776655);
      return p;
    }
    it("store nothing when the second page faults, and name its first byte", () => {
      const p = prepared();
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
      expect([p.faultAddress, p.hart.faultAccess]).toEqual([DATA + 4096, 1]);
      expect(p.hex(cross, 3)).toBe("000000");
      p.machine.map(DATA + 4096, PTE_R);
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
      expect(p.hex(cross, 3)).toBe("000000");
    });
    it("work byte by byte over two frames", () => {
      const p = prepared();
      p.machine.allocate(); // so that the frames are not neighbours
      p.machine.map(DATA + 4096, PTE_R | PTE_W);
      expect(p.hart.run(9)).toBe(EXIT_ECALL);
      expect(p.hex(cross, 3) + p.hex(DATA + 4096, 5)).toBe("1122334455667708");
      expect([p.context.getXLow(7), p.context.getXHigh(7)]).toEqual([0x44332211, 0x08776655]);
    });
  });

  describe("instructions across two pages", () => {
    const last = CODE + 4094;
    const add = addi(7, 7, 1);
    function prepared(decodePages?: number): Program {
      const p = new Program([], last - 4, decodePages);
      p.put([(C_NOP << 16) | C_NOP], last - 4);
      p.put([add], last);
      p.put([loopBack(6, -8), ECALL], last + 4);
      p.context.pc = last - 4;
      return p;
    }
    it.each([2, 4096])("run, loop and count exactly with %i decoded pages", (decodePages) => {
      const p = prepared(decodePages);
      p.put([addi(6, 6, -1), loopBack(6, -12), ECALL], last + 4);
      p.context.setX(6, 1000);
      expect(p.hart.run(1e6)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(1000);
      expect(p.hart.instructions).toBe(1000 * 5 + 1);
    });
    it("survive a pool that holds fewer pages than the loop", () => {
      const p = prepared(2);
      const third = CODE + 8192;
      p.machine.map(third, PTE_R | PTE_X);
      p.put([encode("beq", { rs1: 6, rs2: 0, imm: 8 }), encode("jalr", { rd: 8, rs1: 9 }), ECALL], last + 4);
      // Each round: the straddling instruction, out to the third page, and back to the jump that follows.
      p.put([addi(6, 6, -1), encode("jal", { rd: 0, imm: last - third - 4 })], third);
      p.context.setX(6, 50);
      p.context.setX(9, third);
      expect(p.hart.run(1e6)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(51);
    });
    it("see a change of the second page", () => {
      const p = prepared();
      p.put([ECALL], last + 4);
      expect(p.hart.run(99)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(1);
      p.put([addi(7, 7, 64)], last);
      p.context.pc = last;
      expect(p.hart.run(99)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(65);
    });
    it("fault with pc at the instruction and the address in the second page", () => {
      const p = new Program([], last);
      p.machine.map(CODE + 8192, PTE_R | PTE_W | PTE_X);
      p.put([add], last + 4096);
      p.context.pc = last + 4096;
      p.machine.map(CODE + 8192, PTE_R);
      p.hart.tlb.flushPage({ id: 1 }, (CODE + 8192) >> 12);
      expect(p.hart.run(9)).toBe(EXIT_PAGE_FAULT);
      expect([p.context.pc, p.faultAddress, p.hart.faultAccess]).toEqual([last + 4096, CODE + 8192, 2]);
    });
    it("jump within the first page", () => {
      const p = new Program([], last);
      p.put([encode("jalr", { rd: 0, rs1: 5, imm: 0 })], last);
      p.put([ECALL], CODE + 16);
      p.context.setX(5, CODE + 16);
      p.context.pc = last;
      expect([p.hart.run(9), p.context.pc]).toEqual([EXIT_ECALL, CODE + 16]);
      p.put([encode("jal", { rd: 1, imm: -4094 + 16 })], last);
      p.context.pc = last;
      expect([p.hart.run(9), p.context.pc, p.context.getX(1)]).toEqual([EXIT_ECALL, CODE + 16, last + 4]);
    });
  });

  describe("code that changes (I14)", () => {
    it("is seen by the next instruction after a store into the running page", () => {
      // The store overwrites the instruction that follows it; twice, so that the slot was decoded before.
      const p = new Program([
        load("lw", 6, 5, 64),
        store("sw", 6, 5, 8),
        addi(7, 7, 1),
        encode("xori", { rd: 8, rs1: 8, imm: 1 }),
        FENCE_I,
        ECALL,
      ]);
      p.put([addi(7, 7, 1)], CODE + 64);
      p.context.setX(5, CODE);
      p.hart.run(99);
      expect(p.context.getX(7)).toBe(1);
      p.put([addi(7, 7, 100)], CODE + 64);
      p.context.pc = CODE;
      expect(p.hart.run(99)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(101);
    });
    it("is seen through another mapping, and a frame with code has no write entry", () => {
      const p = new Program([store("sw", 6, 5), ECALL, addi(7, 7, 1), ECALL]);
      const frame = p.machine.pte(CODE + 4096) >>> 10;
      p.machine.map(DATA, PTE_R | PTE_W, frame);
      p.put([addi(7, 7, 1), ECALL], CODE + 4096);
      const runThere = () => {
        p.context.pc = CODE + 4096;
        p.hart.run(99);
      };
      const writeThere = (word: number) => {
        p.context.setX(5, DATA);
        p.context.setX(6, word);
        p.context.pc = CODE;
        expect(p.hart.run(99)).toBe(EXIT_ECALL);
      };
      runThere();
      for (let i = 0; i < 3; i++) {
        writeThere(addi(7, 0, 10 + i));
        runThere();
        expect(p.context.getX(7)).toBe(10 + i);
        p.hart.tlb.debugForEach({ id: 1 }, (_vpn, pfn, access) => expect(access === 1 && pfn === frame).toBe(false));
      }
    });
    it("by an atomic is seen, too", () => {
      const p = new Program([encode("amoswap.w", { rd: 0, rs1: 5, rs2: 6 }), addi(7, 0, 1), ECALL]);
      p.context.setX(5, CODE + 4);
      p.context.setX(6, addi(7, 0, 2));
      expect(p.hart.run(99)).toBe(EXIT_ECALL);
      expect(p.context.getX(7)).toBe(2);
      expect(p.context.getX(0)).toBe(0);
    });
  });

  describe("atomics", () => {
    it("leave when misaligned", () => {
      for (const name of ["lr.w", "sc.w", "amoadd.d"]) {
        const p = new Program([encode(name, { rd: 7, rs1: 5, rs2: name === "lr.w" ? 0 : 6 })]);
        p.machine.map(DATA, PTE_R | PTE_W);
        p.context.setX(5, DATA + (name === "amoadd.d" ? 4 : 2));
        expect([p.hart.run(9), p.context.pc]).toEqual([EXIT_MISALIGNED_ATOMIC, CODE]);
      }
    });
    it("lose the reservation at a context switch", () => {
      const lr = encode("lr.d", { rd: 7, rs1: 5 });
      const sc = encode("sc.d", { rd: 8, rs1: 5, rs2: 6 });
      const p = new Program([lr, ECALL, sc, ECALL, lr, sc, sc, ECALL]);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.context.setX(5, DATA);
      p.hart.run(9);
      const other = new CpuContext();
      p.hart.switchTo(other);
      p.hart.switchTo(p.context);
      p.context.pc += 4;
      p.hart.run(9);
      expect(p.context.getX(8)).toBe(1);
      p.context.pc += 4;
      p.context.setX(6, 5);
      p.hart.run(1);
      expect(p.hart.run(9)).toBe(EXIT_ECALL);
      expect(p.context.getX(8)).toBe(1); // the second sc
      expect(p.hex(DATA, 8)).toBe("0500000000000000"); // the first one
    });
  });

  describe("traps and registers", () => {
    it("tell ecall, ebreak and illegal instructions apart", () => {
      const p = new Program([ECALL, encode("ebreak", {}), 0, 0xffffffff]);
      expect([p.hart.run(9), p.context.pc]).toEqual([EXIT_ECALL, CODE]);
      p.context.pc = CODE + 4;
      expect([p.hart.run(9), p.context.pc]).toEqual([EXIT_BREAKPOINT, CODE + 4]);
      for (const at of [8, 12]) {
        p.context.pc = CODE + at;
        expect([p.hart.run(9), p.context.pc]).toEqual([EXIT_ILLEGAL, CODE + at]);
      }
      expect(p.hart.instructions).toBe(1);
    });
    it("know fflags, frm, fcsr and three read-only counters, and no other CSR", () => {
      const csr = (name: string, number: number, rs1 = 6) => encode(name, { rd: 7, rs1, csr: number });
      const p = new Program([csr("csrrw", 3), csr("csrrs", 1, 0), csr("csrrs", 2, 0), ECALL]);
      p.context.setX(6, 0x1ff);
      p.hart.run(2);
      expect(p.hart.run(9)).toBe(EXIT_ECALL);
      expect([p.context.getX(7), p.context.fcsr]).toEqual([7, 0xff]);
      for (const [word, reason] of [
        [csr("csrrs", 0xc02, 0), EXIT_ECALL],
        [csr("csrrs", 0xc02), EXIT_ILLEGAL],
        [csr("csrrw", 0xc00), EXIT_ILLEGAL],
        [csr("csrrs", 0x300, 0), EXIT_ILLEGAL],
        [csr("csrrs", 0xc03, 0), EXIT_ILLEGAL],
      ]) {
        const q = new Program([word, ECALL]);
        expect(q.hart.run(9)).toBe(reason);
      }
      const counting = new Program([addi(5, 0, 1), addi(5, 0, 1), csr("csrrs", 0xc02, 0), ECALL]);
      counting.hart.run(9);
      expect(counting.context.getX(7)).toBe(3);
    });
    it("keep x0 zero whatever is written to it", () => {
      const words = [
        addi(0, 0, 5),
        lui(0, DATA),
        load("ld", 0, 5),
        encode("amoadd.d", { rd: 0, rs1: 5, rs2: 5 }),
        encode("jal", { rd: 0, imm: 4 }),
        encode("csrrwi", { rd: 0, rs1: 31, csr: 1 }),
        encode("csrrwi", { rd: 0, rs1: 0, csr: 1 }),
        encode("feq.d", { rd: 0, rs1: 0, rs2: 0 }),
        encode("lr.d", { rd: 0, rs1: 5 }),
        encode("sc.d", { rd: 0, rs1: 6, rs2: 6 }),
        encode("fmv.x.d", { rd: 0, rs1: 1 }),
        encode("addi", { rd: 7, rs1: 0, imm: 0 }),
        encode("add", { rd: 8, rs1: 0, rs2: 0 }),
        ECALL,
      ];
      const p = new Program(words);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.context.setX(5, DATA);
      p.context.setX(6, DATA + 8);
      p.context.setX(7, 9);
      p.context.f[2] = 12345;
      expect(p.hart.run(99)).toBe(EXIT_ECALL);
      expect([p.context.getX(0), p.context.getX(7), p.context.getX(8)]).toEqual([0, 0, 0]);
      expect(p.hart.instructions).toBe(words.length);
    });
  });

  describe("budgets", () => {
    const words = [addi(6, 6, 1), addi(7, 7, 2), encode("jal", { rd: 0, imm: 8 }), 0, loopBack(6, -16)];
    it("stop at the first backward jump after the budget, however it is cut up", () => {
      const whole = new Program(words);
      expect(whole.hart.run(1000)).toBe(EXIT_FUEL);
      expect(whole.hart.instructions).toBe(1000);
      const cut = new Program(words);
      for (let left = 1000; left > 0; ) {
        const before = cut.hart.instructions;
        expect(cut.hart.run(Math.min(left, 7))).toBe(EXIT_FUEL);
        expect((cut.hart.instructions - before) % 4).toBe(0);
        left -= cut.hart.instructions - before;
        cut.hart.tlb.flushSpace({ id: 1 });
        if (left % 3 === 0) cut.hart.tlb.frameChanged(cut.machine.pte(CODE) >>> 10);
      }
      expect(cut.hart.instructions).toBe(whole.hart.instructions);
      expect(cut.context.getX(6)).toBe(whole.context.getX(6));
      expect(cut.context.pc).toBe(whole.context.pc);
    });
    it("make progress even without fuel", () => {
      const p = new Program(words);
      expect(p.hart.run(0)).toBe(EXIT_FUEL);
      expect(p.hart.instructions).toBe(4);
    });
    it("beyond one call of generated code are exact", () => {
      const p = new Program(words);
      expect(p.hart.run(1_000_000)).toBe(EXIT_FUEL);
      expect(p.hart.instructions).toBe(1_000_000);
      expect(p.context.getX(7)).toBe(500_000);
    });
  });

  describe("spaces and contexts", () => {
    it("have their own translations and registers", () => {
      const p = new Program([load("ld", 7, 5), ECALL]);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.poke(DATA, 11);
      p.context.setX(5, DATA);
      p.hart.run(9);
      // More spaces than banks, all with the same tables but one root entry apart is enough here: same root, other id.
      const root = p.machine.rootPfn;
      for (let id = 2; id < 40; id++) {
        p.hart.setSpace({ id, rootPfn: root });
        p.context.pc = CODE;
        expect(p.hart.run(9)).toBe(EXIT_ECALL);
        let entries = 0;
        p.hart.tlb.debugForEach({ id }, () => entries++);
        expect(entries).toBe(2);
      }
      p.hart.tlb.releaseSpace({ id: 39 });
      p.hart.tlb.debugForEach({ id: 39 }, () => expect.fail("released"));
      const other = new CpuContext();
      other.copyFrom(p.context);
      p.hart.switchTo(other);
      expect(p.context.getX(7)).toBe(11);
      other.setX(7, -5);
      expect([p.context.getX(7), other.getX(7), other.pc]).toEqual([11, -5, p.context.pc]);
    });
    it("see a mapping only as long as it is not flushed", () => {
      const p = new Program([load("ld", 7, 5), ECALL]);
      p.machine.map(DATA, PTE_R | PTE_W);
      p.context.setX(5, DATA);
      p.hart.run(9);
      const second = p.machine.allocate();
      p.machine.bytes[second * 4096] = 99;
      p.machine.map(DATA, PTE_R, second);
      for (const [flush, value] of [
        [() => {}, 0],
        [() => p.hart.tlb.flushPage({ id: 7 }, DATA >> 12), 0],
        [() => p.hart.tlb.flushRange({ id: 1 }, (DATA >> 12) - 1, (DATA >> 12) + 1), 99],
      ] as const) {
        flush();
        p.context.pc = CODE;
        p.hart.run(9);
        expect(p.context.getX(7)).toBe(value);
      }
    });
  });
});

it("doubles and halves of registers agree", () => {
  const c = new CpuContext();
  for (const value of [
    0,
    1,
    -1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    -(2 ** 32) - 1,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
    0xdeadbeef,
  ]) {
    c.setX(5, value);
    expect(c.getX(5)).toBe(value);
    expect(c.getXHigh(5) * 2 ** 32 + (c.getXLow(5) >>> 0)).toBe(value);
  }
  c.setX(0, 5);
  expect(c.getX(0)).toBe(0);
});
