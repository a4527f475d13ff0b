// Decides what to translate: samples of the program counter find hot code, a recording of what runs from there says what
// belongs to it. Translations belong to frames, so every process that maps a frame shares them. Nothing here changes what a
// program computes, and every decision depends on instructions alone, never on time.
import { PTE_A, PTE_U, PTE_V, PTE_X, pteToPfn } from "../../arch/sv39.ts";
import type { CodeKind, CompileModule } from "../compile-module.ts";
import type { DecodePool } from "../decode-pool.ts";
import { HANDLER_REGION, HANDLER_UNDECODED } from "../isa/forms.ts";
import {
  LAST_EXIT,
  type Layout,
  MISS_BYTES,
  MISS_COUNT,
  MISS_RING,
  MISSES,
  PC,
  RECORDED,
  REGION_CALLS,
  REGION_INSTRUCTIONS,
  ROOT_POINTER,
  SLOT_BYTES,
} from "../layout.ts";
import { findCode, LEAST_INSTRUCTIONS } from "./blocks.ts";
import { type CodeStore, type Interest, KeptRegions } from "./kept-regions.ts";
import { Profile } from "./profile.ts";
import { forEachLine } from "./recording.ts";
import { translate } from "./region-module.ts";
import { type InstalledRegion, RegionTable } from "./region-table.ts";
import { noteJump, type ProfiledPage, Survey } from "./survey.ts";

/** Samples of one address until it is translated. */
const HOT = 30;
/** Instructions that are recorded before a translation. */
const RECORDED_INSTRUCTIONS = 10_000;
/**
 * A translated instruction must be paid for by this many executed ones: translating must not cost more than it saves. It is
 * slow until the engine has optimised the translator, too.
 */
const PRICE = 30_000;
const FIRST_PRICE = 120_000;
const FIRST_INSTRUCTIONS = 2500;
/** A region is optimised when so many instructions were run in it for each of its own. */
const OPTIMISING_PRICE = 20_000;
/** An optimised instruction must be paid for by this many executed ones: the engine's optimiser must keep up. */
const OPTIMISING_RATE = 80_000;
/** Samples between two looks at what the regions have done. */
const SAMPLES_PER_REVIEW = 256;
/** Samples between two looks at the indirect jumps that left regions. */
const SAMPLES_PER_LESSON = 8;
/** Addresses that are counted at a time; beyond that counting starts anew. */
const MOST_COUNTS = 20_000;
/** Indirect jumps out of a region that make it worth translating it anew with the targets learned; doubles each time. */
const MANY_MISSES = 10_000;
/** A program that ends before so many instructions is not surveyed. */
const SURVEY_BEGIN = 5_000_000;
/** Instructions between two recordings for the survey: at least so many, and at least this share of what has run. */
const SURVEY_INTERVAL = 400_000;
const SURVEY_INTERVAL_SHARE = 1 / 64;
/** Surveyed instructions that say which program this is. */
const FIRST_SURVEYS = 80_000;
/** What runs outside of kept regions is worth learning if it is so many instructions, and this share of all. */
const WORTH_LEARNING = 10_000_000;
const LITTLE = 0.08;
/** c.jr ra */
const RET_COMPRESSED = 0x8082;

/** A hot address, whose surroundings are to be translated: in the space with this ROOT_POINTER. */
interface HotAddress {
  readonly vpn: number;
  readonly offset: number;
  readonly root: number;
}

export interface CodeCacheOptions {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly layout: Layout;
  readonly pool: DecodePool;
  readonly table: WebAssembly.Table;
  /** For tests: translate whatever is sampled, and what follows it whether it was run or not. */
  readonly eager: boolean;
  readonly compileModule: CompileModule;
  /** Translations of earlier runs; null: there are none, and none are made for later ones. */
  readonly store: CodeStore | null;
  /** What regions import as "env". */
  readonly imports: Record<string, unknown>;
}

export class CodeCache {
  private readonly o: CodeCacheOptions;
  private readonly profile = new Profile();
  private readonly counts = new Map<number, number>();
  private readonly regions: RegionTable;
  private readonly kept: KeptRegions | null = null;
  /** What later runs should have translations of. */
  private survey: Survey | null = null;
  /** What the store knows the program by, as the first surveys saw it. */
  private program: number | null = null;
  private interest: Interest = "full";
  private nextSurvey = SURVEY_BEGIN;
  private surveyedAt = { instructions: 0, kept: 0 };
  /** Times a root was translated. */
  private readonly attempts = new Map<number, number>();
  /** keptInstructions at the last review: translating must be cheaper than interpreting what is left. */
  private keptSoFar = 0;
  private misses = 0;
  private samples = 0;
  /** What is recorded next: what runs around this address, or, for the survey, whatever runs; null: nothing. */
  private recording: HotAddress | "survey" | null = null;
  /** Instructions still to be recorded. */
  recordingLeft = 0;
  /** For reports: regions translated, and their instructions. */
  translated = 0;
  translatedInstructions = 0;
  private optimisedInstructions = 0;

  constructor(options: CodeCacheOptions) {
    this.o = options;
    this.regions = new RegionTable(options);
    options.pool.onDrop = (pfn) => this.drop(pfn);
    const { store, bytes, words, layout, pool } = options;
    if (store === null || options.eager) return;
    const frame = (vpn: number) => this.translatableFrame(vpn);
    const { regions } = this;
    this.kept = new KeptRegions({ bytes, words, ramOffset: layout.ramOffset, pool, regions, store, frame });
    this.survey = new Survey();
  }

  get eager(): boolean {
    return this.o.eager;
  }
  get regionCount(): number {
    return this.regions.live.size;
  }

  /** Instructions run in regions of earlier runs. */
  get keptInstructions(): number {
    return this.kept?.harvest() ?? 0;
  }

  /** How often a region was entered, and instructions retired in regions that went on to the interpreter. */
  get regionCalls(): number {
    return this.wide(REGION_CALLS);
  }
  get regionInstructions(): number {
    return this.wide(REGION_INSTRUCTIONS);
  }
  private wide(address: number): number {
    const { words } = this.o;
    return words[address / 4 + 1] * 2 ** 32 + (words[address / 4] >>> 0);
  }

  /** Called now and then, when the hart stands behind a jump backwards or through a register. */
  sample(instructionsRun: number): void {
    if (this.recording !== null) return;
    const { words } = this.o;
    if (++this.samples % SAMPLES_PER_LESSON === 0) this.learn();
    if (this.samples % SAMPLES_PER_REVIEW === 0) {
      this.keptSoFar = this.keptInstructions;
      this.review(instructionsRun);
    }
    if (this.consider(PC, instructionsRun) || this.considerSurvey(instructionsRun)) return;
    // Code that runs from a region into another without a jump backwards is never found by the program counter.
    const exited = words[LAST_EXIT / 4 + 1] !== -1;
    if (exited) this.consider(LAST_EXIT, instructionsRun);
    words[LAST_EXIT / 4 + 1] = -1;
  }

  /** Counts the address that is found there, and begins to translate what is hot; whether it has begun. */
  private consider(at: number, instructionsRun: number): boolean {
    const { words, pool } = this.o;
    const vpn = words[at / 4 + 1] * 2 ** 20 + (words[at / 4] >>> 12);
    const offset = words[at / 4] & 0xfff;
    const pfn = this.executableFrame(vpn);
    this.kept?.sampled(pfn);
    const page = pfn < 0 ? 0 : pool.findPage(pfn);
    if (page === 0) return false;
    const slot = page + offset * (SLOT_BYTES / 2);
    if (pool.handlerAt(slot) === HANDLER_REGION) return false;
    if (this.o.eager) {
      if (pool.handlerAt(slot) === HANDLER_UNDECODED) pool.decodeAt(slot);
      this.translateAt(vpn, offset, "optimised");
      return true;
    }
    const key = pfn * 4096 + offset;
    const count = (this.counts.get(key) ?? 0) + 1;
    if (this.counts.size >= MOST_COUNTS) this.counts.clear();
    this.counts.set(key, count);
    if (count < HOT || priceOf(this.translatedInstructions) > instructionsRun - this.keptSoFar) return false;
    this.counts.delete(key);
    this.record({ vpn, offset, root: words[ROOT_POINTER / 4] });
    return true;
  }

  /** Begins a recording for the survey when it is time for one, unless almost all runs in kept regions. */
  private considerSurvey(instructionsRun: number): boolean {
    if (this.survey === null || instructionsRun < this.nextSurvey) return false;
    this.nextSurvey = instructionsRun + Math.max(SURVEY_INTERVAL, instructionsRun * SURVEY_INTERVAL_SHARE);
    const before = this.surveyedAt;
    this.surveyedAt = { instructions: instructionsRun, kept: this.keptInstructions };
    const run = instructionsRun - before.instructions;
    if (run - (this.surveyedAt.kept - before.kept) < run * LITTLE) return false;
    if (this.program === null) {
      this.program = this.knownProgram(instructionsRun);
      if (this.program !== null) this.interest = this.o.store!.interestIn(this.program);
    }
    if (this.interest === "none") {
      this.survey = null;
      return false;
    }
    if (this.interest === "little" && !isWorthLearning(instructionsRun, this.surveyedAt.kept)) return false;
    this.record("survey");
    return true;
  }

  /** What the store knows the program by: it has most of what ran so far, or what was surveyed says so. */
  private knownProgram(instructionsRun: number): number | null {
    const main = this.kept!.mainProgram();
    if (main !== null && main.instructions > instructionsRun / 2) return main.name;
    if (this.survey!.instructions < FIRST_SURVEYS) return null;
    return this.survey!.program((hash) => this.o.store!.programsWith(hash));
  }

  private record(recording: HotAddress | "survey"): void {
    this.recording = recording;
    this.recordingLeft = RECORDED_INSTRUCTIONS;
  }

  /** Whether the hart shall record what it runs next. */
  beginRecording(): boolean {
    if (this.recording === null) return false;
    const { words } = this.o;
    // Another space runs: the addresses would mean something else. The code will be found hot again.
    if (this.recording !== "survey" && words[ROOT_POINTER / 4] !== this.recording.root) this.recording = null;
    words[RECORDED / 4] = 0;
    this.recordingStart = words[PC / 4 + 1] * 2 ** 32 + (words[PC / 4] >>> 0);
    return this.recording !== null;
  }
  private recordingStart = 0;

  /** The hart has run so many instructions and recorded its jumps. */
  endRecording(instructions: number): void {
    forEachLine(this.o.words, this.recordingStart, (from, jump, to, times) => {
      this.visitRange(from, jump, times);
      const vpn = Math.floor(jump / 4096);
      const pfn = this.executableFrame(vpn);
      if (pfn < 0) return;
      this.noteJump(pfn, jump, to);
      const page = this.surveyedPage(vpn, pfn);
      if (page !== null) noteJump(page, jump % 4096, to - jump, times);
    });
    this.recordingLeft -= instructions;
    if (this.survey !== null) this.survey.instructions += instructions;
    if (this.recordingLeft > 0 && instructions > 0) return;
    const { recording } = this;
    this.recording = null;
    if (recording !== "survey") this.translateAt(recording!.vpn, recording!.offset);
  }

  /** The straight line of instructions from `from` to the jump at `to` ran so many times. */
  private visitRange(from: number, to: number, times: number): void {
    const { bytes, layout } = this.o;
    // No line is longer than two pages; a broken one ends here.
    for (let at = from, pages = 0; at <= to && pages < 3; pages++) {
      const vpn = Math.floor(at / 4096);
      const pfn = this.executableFrame(vpn);
      if (pfn < 0) return;
      const visits = this.profile.visitsOf(pfn);
      const surveyed = this.surveyedPage(vpn, pfn)?.visits;
      const frame = layout.ramOffset + pfn * 4096;
      const last = Math.min(to - vpn * 4096, 4095);
      let offset = at - vpn * 4096;
      while (offset <= last) {
        visits[offset >> 1] = Math.min(visits[offset >> 1] + times, 255);
        if (surveyed !== undefined) surveyed[offset >> 1] += times;
        offset += (bytes[frame + offset] & 3) === 3 ? 4 : 2;
      }
      at = vpn * 4096 + offset;
    }
  }

  private surveyedPage(vpn: number, pfn: number): ProfiledPage | null {
    const { bytes, layout } = this.o;
    const copy = () => bytes.slice(layout.ramOffset + pfn * 4096, layout.ramOffset + (pfn + 1) * 4096);
    return this.survey?.pageAt(vpn, pfn, copy) ?? null;
  }

  /** Remembers where the jump in this frame went, if it is one through a register; whether that is news. */
  private noteJump(pfn: number, jump: number, to: number): boolean {
    const half = this.halfword(pfn, jump % 4096);
    // jalr, c.jr, c.jalr
    if ((half & 0x7f) !== 0x67 && (half & 0xe07f) !== 0x8002) return false;
    return this.profile.note(pfn, jump % 4096, to - jump, half === RET_COMPRESSED);
  }

  /** Looks at the indirect jumps that left regions, and translates those regions anew that leave often. */
  private learn(): void {
    const { words } = this.o;
    const count = words[MISS_COUNT / 4];
    const fresh = (count - this.misses) | 0;
    this.misses = count;
    if (fresh < MISSES) return;
    const again = new Map<InstalledRegion, number>();
    for (let i = 0; i < MISSES; i++) {
      const at = (MISS_RING + i * MISS_BYTES) / 4;
      const region = this.regions.withBlock(words[at]);
      if (region === null) continue;
      const base = this.wide(4 * at + 24);
      const jump = base + this.wide(4 * at + 8);
      const pfn = this.executableFrame(Math.floor(jump / 4096));
      const news = pfn >= 0 && this.noteJump(pfn, jump, this.wide(4 * at + 16));
      region.misses += fresh / MISSES;
      const attempts = this.attempts.get(region.root) ?? 0;
      if (news && region.misses > MANY_MISSES * 2 ** attempts) again.set(region, base / 4096);
    }
    for (const [region, baseVpn] of again) {
      // Why code was made part of a kept region is not known here.
      if (region.kind === "kept") continue;
      this.regions.remove(region);
      this.translateAt(baseVpn, region.rootOffset, region.kind);
    }
  }

  /** Optimises the regions that have run enough to be worth it, those that ran most first, as far as the current space maps them. */
  private review(instructionsRun: number): void {
    const { live } = this.regions;
    const worthwhile = [...live]
      .filter((region) => region.kind === "baseline")
      .map((region) => ({ region, worth: this.regions.workOf(region) / region.instructionCount }))
      .filter(({ worth }) => worth >= OPTIMISING_PRICE)
      .sort((a, b) => b.worth - a.worth);
    for (const { region } of worthwhile) {
      if (this.optimisedInstructions * OPTIMISING_RATE > instructionsRun) return;
      // Making room for another one may have removed it.
      if (!live.has(region) || !this.isMapped(region)) continue;
      this.regions.remove(region);
      this.translateAt(region.baseVpn, region.rootOffset, "optimised");
    }
  }

  /** Whether the current space has the region where it was last translated. */
  private isMapped({ baseVpn, rootOffset, root }: InstalledRegion): boolean {
    return this.executableFrame(baseVpn + Math.floor(rootOffset / 4096)) === Math.floor(root / 4096);
  }

  private halfword(pfn: number, offset: number): number {
    const at = this.o.layout.ramOffset + pfn * 4096 + offset;
    return this.o.bytes[at] | (this.o.bytes[at + 1] << 8);
  }

  /** `rootOffset`: from the page `vpn`. */
  private translateAt(vpn: number, rootOffset: number, kind: CodeKind = "baseline"): void {
    const { layout, profile, eager } = { ...this.o, profile: this.profile };
    const rootPage = Math.floor(rootOffset / 4096);
    const ownRoot = this.executableFrame(vpn + rootPage) * 4096 + rootOffset - rootPage * 4096;
    const source = {
      frame: (page: number) => this.translatableFrame(vpn + page),
      // An optimised region has in it what it calls; a baseline region ends where another can be entered.
      belongsElsewhere: (pfn: number, at: number) =>
        kind === "optimised"
          ? at + pfn * 4096 !== ownRoot && this.regions.isRoot(pfn, at)
          : this.regions.isEntry(pfn, at),
      isHot: (pfn: number, at: number) => eager || profile.isHot(pfn, at),
      halfword: (pfn: number, at: number) => this.halfword(pfn, at),
      distances: (pfn: number, at: number) => profile.distances(pfn, at),
    };
    const graph = findCode(source, rootOffset);
    if (graph.instructionCount < LEAST_INSTRUCTIONS) return;
    const isExported = (name: string) => name in this.o.imports;
    const { compileModule } = this.o;
    const { memoryPages } = layout;
    const { bytes, regions } = translate(graph, rootOffset, { memoryPages, isExported, compileModule });
    const [{ entries: entryOffsets, pages, siteCount }] = regions;
    if (entryOffsets.length === 0) return;
    this.translated++;
    this.translatedInstructions += graph.instructionCount;
    if (kind === "optimised") this.optimisedInstructions += graph.instructionCount;
    this.attempts.set(ownRoot, (this.attempts.get(ownRoot) ?? 0) + 1);
    const { instructionCount } = graph;
    const origin = { rootOffset, entryOffsets, pages, siteCount, instructionCount, kind };
    this.regions.install(compileModule(bytes, kind), origin, vpn, graph.frames);
  }

  /** The frame was given a decode page; it is mapped at this page number. */
  pageDecoded(vpn: number, pfn: number): void {
    this.kept?.pageDecoded(vpn, pfn);
  }

  /** At the end of a run: hands the store what later runs should have translations of, if that is worth it. */
  finish(instructionsRun: number): void {
    const { store, imports } = this.o;
    if (this.survey === null || this.program === null) return;
    if (!isWorthLearning(instructionsRun, this.keptInstructions)) {
      store!.learnNothing(this.program);
      return;
    }
    const { pages, layouts, instructions } = this.survey;
    if (instructions === 0) return;
    const scale = instructionsRun / instructions;
    store!.learn({ pages, layouts, scale, imports: Object.keys(imports) }, this.program);
  }

  /** Drops what was translated from this frame, and what is known of it. */
  private drop(pfn: number): void {
    this.profile.forget(pfn);
    this.survey?.forget(pfn);
    this.kept?.forget(pfn);
    for (const { root } of this.regions.of(pfn)) this.attempts.delete(root);
    this.regions.drop(pfn);
  }

  /** The same, but -1 also for a frame with an instruction at which the hart is to stop. */
  private translatableFrame(vpn: number): number {
    const pfn = this.executableFrame(vpn);
    return pfn >= 0 && this.o.pool.hasStops(pfn) ? -1 : pfn;
  }

  /** PFN of a page that the hart may execute and has accessed, in the current space; or -1. */
  private executableFrame(vpn: number): number {
    if (vpn < 0 || vpn >= 2 ** 26) return -1;
    const { words, layout } = this.o;
    let table = words[ROOT_POINTER / 4] >>> 0;
    for (const level of [2, 1, 0]) {
      const pte = words[(table >>> 2) + ((vpn >>> (9 * level)) & 511) * 2];
      if ((pte & PTE_V) === 0) return -1;
      if (level === 0) {
        const need = PTE_X | PTE_U | PTE_A;
        return (pte & need) === need ? pteToPfn(pte) : -1;
      }
      table = layout.ramOffset + pteToPfn(pte) * 4096;
    }
    return -1;
  }
}

/** Whether a run has interpreted enough of its instructions, when so many were run in kept regions. */
function isWorthLearning(instructionsRun: number, kept: number): boolean {
  const interpreted = instructionsRun - kept;
  return interpreted >= WORTH_LEARNING && interpreted >= instructionsRun * LITTLE;
}

/** Instructions that must have run when so many were translated. */
function priceOf(translated: number): number {
  return PRICE * translated + (FIRST_PRICE - PRICE) * Math.min(translated, FIRST_INSTRUCTIONS);
}
