// Runs of pages against what the page tables say: only pages that the TLB could have, in frames that adjoin.
import { expect, it } from "vitest";
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, pfnToPte } from "../arch/sv39.ts";
import { Prng } from "../util/prng.ts";
import {
  BASE_RUNS,
  CODE_MAP,
  makeLayout,
  ROOT_POINTER,
  RUN_ADDEND,
  RUN_BYTES,
  RUN_LENGTH,
  RUN_PFN,
  TLB,
  WRITE_CACHED,
} from "./layout.ts";
import { emitRunFunctions } from "./run-functions.ts";
import { ModuleBuilder } from "./wasm/builder.ts";

const PAGE = 4096;
const PAGES = 120;
/** Across the end of a leaf table. */
const FIRST_VPN = 512 - 60;
const RUN = BASE_RUNS + 10 * RUN_BYTES;
const READABLE = PTE_V | PTE_U | PTE_A | PTE_R;
const WRITABLE = READABLE | PTE_W | PTE_D;

type Change = (entry: number, run: number, isWrite: number) => void;

function build(prng: Prng) {
  const { ramOffset } = makeLayout(1 << 20, 2);
  const m = new ModuleBuilder();
  const pages = Math.ceil((ramOffset + (1 << 20)) / 65536);
  m.importMemory("env", "memory", pages, pages);
  const { growRun, moveRun } = emitRunFunctions(m, ramOffset);
  m.exportIndex("growRun", growRun);
  m.exportIndex("moveRun", moveRun);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: false });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.encode()), { env: { memory } });
  const words = new Int32Array(memory.buffer);
  const frame = (pfn: number) => (ramOffset + pfn * PAGE) / 4;
  // Frames 1 to 4 are the tables.
  words[ROOT_POINTER / 4] = frame(1) * 4;
  words[frame(1)] = pfnToPte(2, PTE_V);
  words[frame(2)] = pfnToPte(3, PTE_V);
  words[frame(2) + 2] = pfnToPte(4, PTE_V);
  const pfns: number[] = [];
  const isFit: boolean[][] = [[], []];
  for (let i = 0; i < PAGES; i++) {
    const vpn = FIRST_VPN + i;
    // Mostly the frame beside the one before; the frames of pages 20 apart may be the same.
    pfns.push(i > 0 && prng.below(25) > 0 ? pfns[i - 1] + 1 : 5 + prng.below(100));
    const bits = prng.below(12) === 0 ? PTE_V | PTE_U | PTE_R : prng.below(8) === 0 ? READABLE : WRITABLE;
    words[frame(vpn < 512 ? 3 : 4) + 2 * (vpn & 511)] = pfnToPte(pfns[i], bits);
    isFit[0].push((bits & READABLE) === READABLE);
    isFit[1].push((bits & WRITABLE) === WRITABLE);
  }
  for (let pfn = 0; pfn < 256; pfn++) words[CODE_MAP / 4 + pfn] = prng.below(12) === 0 ? 64 : WRITE_CACHED;
  pfns.forEach((pfn, i) => {
    isFit[1][i] &&= words[CODE_MAP / 4 + pfn] === WRITE_CACHED;
  });
  const exports = instance.exports as unknown as { growRun: Change; moveRun: Change };
  return { words, pfns, isFit, ramOffset, ...exports };
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])("hold what belongs together and nothing else, seed %i", (seed) => {
  const prng = new Prng(seed);
  const { words, pfns, isFit, ramOffset, growRun, moveRun } = build(prng);
  let at = 0;
  let longest = 0;
  for (const access of [0, 1]) {
    words.fill(0, RUN / 4, (RUN + RUN_BYTES) / 4);
    const adjoins = (i: number) => isFit[access][i] && isFit[access][i - 1] && pfns[i] === pfns[i - 1] + 1;
    for (let turn = 0; turn < 3000; turn++) {
      at = prng.below(3) === 0 ? prng.below(PAGES) : Math.min(PAGES - 1, Math.max(0, at + prng.below(5) - 2));
      if (!isFit[access][at]) continue;
      const va = (FIRST_VPN + at) * PAGE;
      words.set([va, 0, ramOffset + pfns[at] * PAGE - va, pfns[at]], TLB / 4);
      const isNew = prng.below(20) === 0;
      if (isNew) words.fill(0, RUN / 4, (RUN + RUN_BYTES) / 4);
      const isWide = isNew || prng.below(4) === 0;
      (isWide ? growRun : moveRun)(TLB, RUN, access);
      const first = words[RUN / 4] / PAGE - FIRST_VPN;
      const count = (words[(RUN + RUN_LENGTH) / 4] + 7) / PAGE;
      longest = Math.max(longest, count);
      expect([first <= at, at < first + count, Number.isInteger(count)]).toEqual([true, true, true]);
      expect(words[(RUN + RUN_PFN) / 4]).toBe(pfns[first]);
      expect(words[(RUN + RUN_ADDEND) / 4]).toBe(ramOffset + pfns[first] * PAGE - words[RUN / 4]);
      if (isNew) {
        let [low, end] = [at, at + 1];
        while (low > Math.max(0, at - 32) && adjoins(low)) low--;
        while (end <= Math.min(PAGES - 1, at + 32) && adjoins(end)) end++;
        expect([first, count]).toEqual([low, end - low]);
      }
      for (let i = first + 1; i < first + count; i++) expect([i, adjoins(i)]).toEqual([i, true]);
    }
  }
  expect(longest).toBeGreaterThan(10);
});
