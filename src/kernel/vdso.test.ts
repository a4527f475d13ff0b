// The vDSO as the linker sees it: parsed with the System V lookup that libc uses.
import { describe, expect, it } from "vitest";
import { buildVdso, elfHash, SIGRETURN_OFFSET } from "./vdso.ts";

/** Finds `name` with version LINUX_4.15 through DT_HASH, as dl_vdso_vsym does. */
function lookup(name: string): number {
  const image = buildVdso();
  const v = new DataView(image.buffer);
  const text = (at: number) => new TextDecoder("latin1").decode(image.subarray(at, image.indexOf(0, at)));
  const dynamic = new Map<number, number>();
  const phnum = v.getUint16(56, true);
  for (let i = 0; i < phnum; i++) {
    const at = 64 + 56 * i;
    if (v.getUint32(at, true) !== 2) continue;
    const offset = v.getUint32(at + 8, true);
    for (let d = offset; v.getUint32(d, true) !== 0; d += 16)
      dynamic.set(v.getUint32(d, true), v.getUint32(d + 8, true));
  }
  const [hash, strtab, symtab] = [4, 5, 6].map((tag) => dynamic.get(tag) as number);
  const versym = dynamic.get(0x6ffffff0) as number;
  const verdef = dynamic.get(0x6ffffffc) as number;
  const buckets = v.getUint32(hash, true);
  let symbol = v.getUint32(hash + 8 + 4 * (elfHash(name) % buckets), true);
  while (symbol !== 0) {
    const at = symtab + 24 * symbol;
    if (text(strtab + v.getUint32(at, true)) === name) break;
    symbol = v.getUint32(hash + 8 + 4 * (buckets + symbol), true);
  }
  if (symbol === 0) return -1;
  const index = v.getUint16(versym + 2 * symbol, true);
  for (let d = verdef; ; d += v.getUint32(d + 16, true)) {
    if (v.getUint16(d + 4, true) === index) {
      expect(text(strtab + v.getUint32(d + v.getUint32(d + 12, true), true))).toBe("LINUX_4.15");
      expect(v.getUint32(d + 8, true)).toBe(elfHash("LINUX_4.15"));
      return v.getUint32(symtab + 24 * symbol + 8, true);
    }
    if (v.getUint32(d + 16, true) === 0) throw new Error("no version");
  }
}

describe("vdso", () => {
  it("hashes as the System V ABI does", () => {
    expect(elfHash("")).toBe(0);
    expect(elfHash("a")).toBe(0x61);
    expect(elfHash("printf")).toBe(0x077905a6);
  });

  it.each([
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_clock_getres",
    "__vdso_getcpu",
    "__vdso_flush_icache",
  ])("offers %s", (name) => {
    const at = lookup(name);
    const view = new DataView(buildVdso().buffer);
    expect(view.getUint32(at, true) & 0xfffff).toBe(0x00893);
    expect(view.getUint32(at + 4, true)).toBe(0x73);
    expect(view.getUint32(at + 8, true)).toBe(0x8067);
  });

  it("has the return from signals where frames point", () => {
    expect(lookup("__vdso_rt_sigreturn")).toBe(SIGRETURN_OFFSET);
    expect(lookup("__vdso_nothing")).toBe(-1);
  });
});
