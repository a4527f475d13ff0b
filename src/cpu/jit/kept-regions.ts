// Regions that were translated and optimised before this run and are kept by the host (CodeStore). They are found by what is in
// the page of their root, and loaded when the program counter was sampled there several times: loading costs as much as interpreting
// a hundred thousand instructions. Their other pages join as they are decoded. A page counts as the region's only if every
// instruction that was translated from it is there byte for byte.
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

/** Its base page is that of its root. */
export interface KeptRegion extends Pick<RegionOrigin, "rootOffset" | "entryOffsets" | "instructionCount"> {
  readonly pages: readonly KeptPage[];
  /** Its module with machine code; null if the engine does not take it. */
  module(): CompiledModule | null;
}

/** Keeps translations from run to run, for harts of one shape. */
export interface CodeStore {
  has(hash: number): boolean;
  /** Regions whose root is in a page of this hash. */
  regionsIn(hash: number): readonly KeptRegion[];
  /** Whether it wants to learn from a run that spends most of its time in a page of this hash. */
  isLearning(hottest: number): boolean;
  /** Such a run has ended, and was interpreted for a good part: what there is to translate for the next one. */
  learn(profile: CodeProfile, hottest: number): void;
}

/** Samples in a page until its regions are loaded. */
const WARM = 10;

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
  private readonly known = new Map<number, readonly KeptRegion[]>();
  /** Pages of installed regions other than their roots', by hash. */
  private readonly waiting = new Map<number, { region: InstalledRegion; kept: KeptPage }[]>();
  /** Frames that may have regions which are not loaded yet. */
  private readonly candidates = new Map<number, { readonly hash: number; samples: number }>();
  private readonly installed = new Map<InstalledRegion, number>();
  private instructionsRun = 0;

  constructor(options: KeptRegionsOptions) {
    this.o = options;
  }

  /** The frame was given a decode page; it is mapped at this page number. */
  pageDecoded(vpn: number, pfn: number): void {
    const { pool, words, ramOffset, regions } = this.o;
    if (pool.hasStops(pfn)) return;
    const hash = pageHash(words, (ramOffset + pfn * 4096) >> 2);
    const waiting = this.waiting.get(hash)?.filter(({ region }) => regions.live.has(region));
    if (waiting !== undefined) this.waiting.set(hash, waiting);
    for (const { region, kept } of waiting ?? []) {
      if (region.baseVpn + kept.page !== vpn || region.frames.has(kept.page) || !this.isSame(pfn, kept)) continue;
      regions.bind(region, kept.page, pfn);
    }
    if (this.o.store.has(hash)) this.candidates.set(pfn, { hash, samples: 0 });
  }

  /** The program counter was in this frame, which is mapped at this page number. */
  sampled(vpn: number, pfn: number): void {
    const candidate = this.candidates.get(pfn);
    if (candidate === undefined || ++candidate.samples < WARM) return;
    this.candidates.delete(pfn);
    const { hash } = candidate;
    let known = this.known.get(hash);
    if (known === undefined) {
      known = this.o.store.regionsIn(hash);
      this.known.set(hash, known);
    }
    for (const kept of known) this.install(kept, vpn, pfn);
  }

  /** The frame lost its decode page. */
  forget(pfn: number): void {
    this.candidates.delete(pfn);
  }

  private install(kept: KeptRegion, baseVpn: number, basePfn: number): void {
    // The run was quicker.
    if (this.o.regions.isEntry(basePfn, kept.rootOffset)) return;
    const frames = new Map<number, number>();
    for (const page of kept.pages) {
      const pfn = page.page === 0 ? basePfn : this.o.frame(baseVpn + page.page);
      // Without a decode page a store to the frame would go unnoticed; its turn comes when it has one.
      if (pfn >= 0 && this.o.pool.hasCode(pfn) && this.isSame(pfn, page)) frames.set(page.page, pfn);
      else if (page.page === 0) return;
    }
    const module = kept.module();
    if (module === null) return;
    const { rootOffset, entryOffsets, instructionCount } = kept;
    const origin = { rootOffset, entryOffsets, instructionCount, baseVpn, kind: "kept" } as const;
    const region = this.o.regions.install(module, origin, frames);
    this.installed.set(region, 0);
    for (const page of kept.pages) {
      if (page.page === 0) continue;
      const list = this.waiting.get(page.hash) ?? [];
      list.push({ region, kept: page });
      this.waiting.set(page.hash, list);
    }
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

  /** Instructions run in kept regions so far. Must be called before a region has run 2^32. */
  harvest(): number {
    const { regions } = this.o;
    for (const [region, seen] of this.installed) {
      if (!regions.live.has(region)) {
        this.installed.delete(region);
        continue;
      }
      const work = regions.workOf(region);
      this.instructionsRun += (work - seen) >>> 0;
      this.installed.set(region, work);
    }
    return this.instructionsRun;
  }
}
