// Regions that were translated and optimised before this run and are kept by the host (CodeStore), for each program in one module.
// A program is known by what is in the pages that the program counter is found in; then its regions are loaded, which costs as much
// as interpreting some hundred thousand instructions, and join the frames that have their code. A page counts as a region's only if
// every instruction that was translated from it is there byte for byte.
import type { CompiledModule } from "../compile-module.ts";
import type { DecodePool } from "../decode-pool.ts";
import { pageHash } from "./page-hash.ts";
import type { InstalledRegion, RegionOrigin, RegionTable } from "./region-table.ts";
import type { CodeProfile } from "./survey.ts";

export interface KeptPage {
  /** Number from the base page. */
  readonly page: number;
  /** pageHash() of the page when the region was made. */
  readonly hash: number;
  /** Where the bytes are that were translated: offset and length, in turn. */
  readonly spans: readonly number[];
  /** These bytes, one span behind the other. */
  readonly bytes: Uint8Array;
}

/** Its base page, number 0, is that of its root. */
export interface KeptRegion
  extends Pick<RegionOrigin, "rootOffset" | "entryOffsets" | "siteCount" | "instructionCount"> {
  /** In the order of the region's block. */
  readonly pages: readonly KeptPage[];
}

export interface KeptProgram {
  readonly regions: readonly KeptRegion[];
  /** Their module with machine code; null if the engine does not take it. */
  module(): CompiledModule | null;
}

/** "little": runs of it had nothing to teach, so that one is surveyed only when it turns out to be different. */
export type Interest = "full" | "little" | "none";

/** Keeps translations from run to run, for harts of one shape. */
export interface CodeStore {
  /** Names of the programs that have code in a page of this hash. */
  programsWith(hash: number): readonly number[];
  /** What is kept for the program; null if that is gone. */
  program(name: number): KeptProgram | null;
  /** Whether it wants to learn from a run of the program (Survey.program). */
  interestIn(program: number): Interest;
  /** Such a run has ended, and was interpreted for a good part: what there is to translate for the next one. */
  learn(profile: CodeProfile, program: number): void;
  /** Such a run has ended, and all but a small part ran in kept regions. */
  learnNothing(program: number): void;
}

/** Samples in its pages until a program is loaded. */
const WARM = 10;
/** What a sample counts for if other programs have the page, too: it may be of a library. */
const SHARED = 1 / 8;

export interface KeptRegionsOptions {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly ramOffset: number;
  readonly pool: DecodePool;
  readonly regions: RegionTable;
  readonly store: CodeStore;
  /** PFN of a page that can be executed and translated in the current space, or -1. */
  readonly frame: (vpn: number) => number;
}

export class KeptRegions {
  private readonly o: KeptRegionsOptions;
  /** Frames with a decode page that a program may have code in: hash, and page number where they were decoded. */
  private readonly decoded = new Map<number, { readonly hash: number; readonly vpn: number }>();
  /** Samples in pages of programs that are not loaded. */
  private readonly samples = new Map<number, number>();
  private readonly loaded = new Set<number>();
  /** Pages of loaded regions, by hash. */
  private readonly pages = new Map<number, { readonly region: InstalledRegion; readonly kept: KeptPage }[]>();
  private readonly keptOf = new Map<InstalledRegion, KeptRegion>();
  /** Of each region: its program, and the work it had done at the last harvest. */
  private readonly harvested = new Map<InstalledRegion, { readonly program: number; work: number }>();
  /** Instructions run in the regions of each program. */
  private readonly instructionsOf = new Map<number, number>();

  constructor(options: KeptRegionsOptions) {
    this.o = options;
  }

  /** The frame was given a decode page; it is mapped at this page number. */
  pageDecoded(vpn: number, pfn: number): void {
    const { pool, words, ramOffset, store } = this.o;
    if (pool.hasStops(pfn)) return;
    const hash = pageHash(words, (ramOffset + pfn * 4096) >> 2);
    if (store.programsWith(hash).length === 0) return;
    this.decoded.set(pfn, { hash, vpn });
    this.join(hash, vpn, pfn);
  }

  /** The program counter was in this frame. */
  sampled(pfn: number): void {
    const page = this.decoded.get(pfn);
    if (page === undefined || this.pages.has(page.hash)) return;
    const programs = this.o.store.programsWith(page.hash);
    for (const name of programs) {
      if (this.loaded.has(name)) continue;
      const samples = (this.samples.get(name) ?? 0) + (programs.length === 1 ? 1 : SHARED);
      this.samples.set(name, samples);
      if (samples >= WARM) {
        this.load(name);
        return;
      }
    }
  }

  /** The frame lost its decode page. */
  forget(pfn: number): void {
    this.decoded.delete(pfn);
  }

  private load(name: number): void {
    this.loaded.add(name);
    const program = this.o.store.program(name);
    const module = program?.module();
    if (!program || !module) return;
    const origins = program.regions.map((region) => ({
      ...region,
      pages: region.pages.map(({ page }) => page),
      kind: "kept" as const,
    }));
    this.o.regions.installKept(module, origins).forEach((region, i) => {
      this.keptOf.set(region, program.regions[i]);
      this.harvested.set(region, { program: name, work: 0 });
      for (const kept of program.regions[i].pages) {
        const list = this.pages.get(kept.hash) ?? [];
        list.push({ region, kept });
        this.pages.set(kept.hash, list);
      }
    });
    for (const [pfn, { hash, vpn }] of this.decoded) this.join(hash, vpn, pfn);
  }

  /** Binds the frame to the regions that have code in it. */
  private join(hash: number, vpn: number, pfn: number): void {
    for (const { region, kept } of this.pages.get(hash) ?? []) {
      if (kept.page === 0 && region.frames.size === 0) this.bindAt(region, kept, vpn, pfn);
      else if (region.baseVpn + kept.page === vpn) this.bind(region, kept, pfn);
    }
  }

  /** The region's base page may be there: binds what is known of its pages. */
  private bindAt(region: InstalledRegion, base: KeptPage, baseVpn: number, basePfn: number): void {
    this.bind(region, base, basePfn);
    if (!region.frames.has(0)) return;
    region.baseVpn = baseVpn;
    for (const kept of this.keptOf.get(region)!.pages) {
      if (kept !== base) this.bind(region, kept, this.o.frame(baseVpn + kept.page));
    }
  }

  private bind(region: InstalledRegion, kept: KeptPage, pfn: number): void {
    // Without a decode page a store to the frame would go unnoticed; its turn comes when it has one.
    if (pfn < 0 || region.frames.has(kept.page) || !this.o.pool.hasCode(pfn) || !this.isSame(pfn, kept)) return;
    this.o.regions.bind(region, kept.page, pfn);
  }

  private isSame(pfn: number, { spans, bytes: expected }: KeptPage): boolean {
    const { bytes, ramOffset } = this.o;
    let i = 0;
    for (let k = 0; k < spans.length; k += 2) {
      const from = ramOffset + pfn * 4096 + spans[k];
      for (let at = from; at < from + spans[k + 1]; at++) if (bytes[at] !== expected[i++]) return false;
    }
    return true;
  }

  /** Instructions run in kept regions so far. Must be called before a region has run 2^31. */
  harvest(): number {
    const { instructionsOf } = this;
    for (const [region, before] of this.harvested) {
      const work = this.o.regions.workOf(region);
      // Less than before: it lost entries.
      const instructions = Math.max(0, (work - before.work) | 0);
      before.work = work;
      if (instructions > 0)
        instructionsOf.set(before.program, (instructionsOf.get(before.program) ?? 0) + instructions);
    }
    let all = 0;
    for (const instructions of instructionsOf.values()) all += instructions;
    return all;
  }

  /** The program in whose regions most was run by the last harvest. */
  mainProgram(): { name: number; instructions: number } | null {
    let main: { name: number; instructions: number } | null = null;
    for (const [name, instructions] of this.instructionsOf) {
      if (main === null || instructions > main.instructions) main = { name, instructions };
    }
    return main;
  }
}
