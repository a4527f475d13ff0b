// Builds the vDSO: a one-page ELF shared object, made in code, with the symbols that libc and runtimes look up on riscv64.
// Each function is its system call, there is no shared clock page, for a call costs little here; but riscv_hwprobe answers by
// itself, as on Linux: every dynamic program asks at its start.
//
//   0x000 ELF header, program headers     0x0f0 .hash      0x160 .dynsym     0x260 .dynstr
//   0x360 .gnu.version                    0x380 .gnu.version_d                0x400 .dynamic    0x800 code
import { ELF_HEADER_BYTES, ELF_PHDR_BYTES, EM_RISCV, ET_DYN, PF_R, PF_X, PT_DYNAMIC, PT_LOAD } from "../abi/elf.ts";
import { SYSCALL_NUMBERS } from "../abi/syscall-numbers.ts";
import { HARDWARE_VALUES } from "./hardware-probe.ts";

const PAGE_BYTES = 4096;
const HASH = 0x0f0;
const DYNSYM = 0x160;
const DYNSTR = 0x260;
const VERSYM = 0x360;
const VERDEF = 0x380;
const DYNAMIC = 0x400;
const CODE = 0x800;
const FUNCTION_BYTES = 16;

const SYMBOL_BYTES = 24;
const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_STRSZ = 10;
const DT_SYMENT = 11;
const DT_SONAME = 14;
const DT_VERSYM = 0x6ffffff0;
const DT_VERDEF = 0x6ffffffc;
const DT_VERDEFNUM = 0x6ffffffd;

const SONAME = "linux-vdso.so.1";
const VERSION = "LINUX_4.15";

/** In order of address; rt_sigreturn first, for signal frames point at it; the longer riscv_hwprobe last. */
const FUNCTIONS: readonly (readonly [string, number])[] = [
  ["__vdso_rt_sigreturn", SYSCALL_NUMBERS.rt_sigreturn],
  ["__vdso_gettimeofday", SYSCALL_NUMBERS.gettimeofday],
  ["__vdso_clock_gettime", SYSCALL_NUMBERS.clock_gettime],
  ["__vdso_clock_getres", SYSCALL_NUMBERS.clock_getres],
  ["__vdso_getcpu", SYSCALL_NUMBERS.getcpu],
  ["__vdso_flush_icache", SYSCALL_NUMBERS.riscv_flush_icache],
  ["__vdso_riscv_hwprobe", SYSCALL_NUMBERS.riscv_hwprobe],
];

/**
 * riscv_hwprobe(a0 pairs, a1 count, a2 size of the set, a3 set, a4 flags), followed by a table of values by key. A set of harts
 * or flags: left to the system call.
 */
const HWPROBE_CODE = [
  0x00d667b3, //    or    a5,a2,a3
  0x00e7e7b3, //    or    a5,a5,a4
  0x04079663, //    bnez  a5,4f
  0x04058063, // 1: beqz  a1,3f
  0x00053303, //    ld    t1,0(a0)
  0x00000393 | (HARDWARE_VALUES.length << 20), // li t2,keys
  0x00737e63, //    bgeu  t1,t2,2f
  0x00000297, //    auipc t0,0
  0x00331313, //    slli  t1,t1,3
  0x006282b3, //    add   t0,t0,t1
  0x0442b303, //    ld    t1,table-auipc(t0)
  0x00653423, //    sd    t1,8(a0)
  0x0100006f, //    j     5f
  0xfff00313, // 2: li    t1,-1
  0x00653023, //    sd    t1,0(a0)
  0x00053423, //    sd    zero,8(a0)
  0x01050513, // 5: addi  a0,a0,16
  0xfff58593, //    addi  a1,a1,-1
  0xfc5ff06f, //    j     1b
  0x00000513, // 3: li    a0,0
  0x00008067, //    ret
  0x10200893, // 4: li    a7,riscv_hwprobe
  0x00000073, //    ecall
  0x00008067, //    ret
];

/** Where __vdso_rt_sigreturn lies in the image. */
export const SIGRETURN_OFFSET = CODE;
export const VDSO_BYTES = PAGE_BYTES;

/** The System V ABI's symbol hash. */
export function elfHash(name: string): number {
  let h = 0;
  for (let i = 0; i < name.length; i++) {
    h = ((h << 4) + name.charCodeAt(i)) >>> 0;
    const high = h & 0xf0000000;
    h = (h ^ (high >>> 24)) & ~high;
  }
  return h >>> 0;
}

class ImageWriter {
  readonly bytes = new Uint8Array(PAGE_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  private stringsEnd = DYNSTR + 1;

  u16(at: number, ...values: number[]): void {
    for (const [i, value] of values.entries()) this.view.setUint16(at + 2 * i, value, true);
  }

  u32(at: number, ...values: number[]): void {
    for (const [i, value] of values.entries()) this.view.setUint32(at + 4 * i, value, true);
  }

  u64(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.view.setUint32(at + 8 * i, value >>> 0, true);
      this.view.setUint32(at + 8 * i + 4, Math.floor(value / 2 ** 32), true);
    });
  }

  /** Adds a string to .dynstr and returns its index. */
  string(text: string): number {
    const at = this.stringsEnd;
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
    this.stringsEnd = at + text.length + 1;
    return at - DYNSTR;
  }

  get stringsBytes(): number {
    return this.stringsEnd - DYNSTR;
  }
}

function writeHeaders(w: ImageWriter, dynamicBytes: number): void {
  w.bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  w.u16(16, ET_DYN, EM_RISCV);
  w.u32(20, 1);
  w.u64(24, 0, ELF_HEADER_BYTES, 0);
  // e_flags: RVC and double-float ABI, as every Debian object has it.
  w.u32(48, 5);
  w.u16(52, ELF_HEADER_BYTES, ELF_PHDR_BYTES, 2, 0, 0, 0);
  const load = ELF_HEADER_BYTES;
  w.u32(load, PT_LOAD, PF_R | PF_X);
  w.u64(load + 8, 0, 0, 0, PAGE_BYTES, PAGE_BYTES, PAGE_BYTES);
  const dynamic = load + ELF_PHDR_BYTES;
  w.u32(dynamic, PT_DYNAMIC, PF_R);
  w.u64(dynamic + 8, DYNAMIC, DYNAMIC, DYNAMIC, dynamicBytes, dynamicBytes, 8);
}

function writeSymbols(w: ImageWriter): void {
  const count = FUNCTIONS.length + 1;
  FUNCTIONS.forEach(([name, number], i) => {
    const at = DYNSYM + SYMBOL_BYTES * (i + 1);
    const address = CODE + FUNCTION_BYTES * i;
    w.u32(at, w.string(name));
    // STB_GLOBAL, STT_FUNC; any section index but SHN_UNDEF.
    w.bytes[at + 4] = 0x12;
    w.u16(at + 6, 1);
    w.u64(at + 8, address, FUNCTION_BYTES);
    // li a7, number; ecall; ret. gcc's unwinder knows a signal frame by the first two.
    w.u32(address, 0x00000893 | (number << 20), 0x00000073, 0x00008067);
    w.u16(VERSYM + 2 * (i + 1), 2);
  });
  const hwprobe = CODE + FUNCTION_BYTES * (FUNCTIONS.length - 1);
  w.u32(hwprobe, ...HWPROBE_CODE);
  w.u64(hwprobe + 4 * HWPROBE_CODE.length, ...HARDWARE_VALUES);
  // One bucket: the chain runs through all symbols.
  w.u32(HASH, 1, count, 1);
  for (let i = 0; i < count; i++) w.u32(HASH + 12 + 4 * i, i === 0 || i === count - 1 ? 0 : i + 1);
}

function writeVersions(w: ImageWriter, soname: number, version: number): void {
  const definitions = [
    [1, 1, SONAME, soname],
    [0, 2, VERSION, version],
  ] as const;
  definitions.forEach(([flags, index, name, string], i) => {
    const at = VERDEF + 28 * i;
    w.u16(at, 1, flags, index, 1);
    w.u32(at + 8, elfHash(name), 20, i === 0 ? 28 : 0, string, 0);
  });
}

/** The image, one page. */
export function buildVdso(): Uint8Array {
  const w = new ImageWriter();
  const soname = w.string(SONAME);
  const version = w.string(VERSION);
  writeSymbols(w);
  writeVersions(w, soname, version);
  const entries = [
    [DT_SONAME, soname],
    [DT_HASH, HASH],
    [DT_STRTAB, DYNSTR],
    [DT_SYMTAB, DYNSYM],
    [DT_STRSZ, w.stringsBytes],
    [DT_SYMENT, SYMBOL_BYTES],
    [DT_VERSYM, VERSYM],
    [DT_VERDEF, VERDEF],
    [DT_VERDEFNUM, 2],
    [0, 0],
  ];
  for (const [i, [tag, value]] of entries.entries()) w.u64(DYNAMIC + 16 * i, tag, value);
  writeHeaders(w, entries.length * 16);
  return w.bytes;
}
