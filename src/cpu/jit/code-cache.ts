// Decides what to translate and keeps the translations: samples of the program counter find hot code, a recording of what
// runs from there says what belongs to it, regions are installed behind their entry slots, and dropped when a frame they
// were made from changes. Translations belong to frames, so every process that maps a frame shares them. Nothing here
// changes what a program computes, and every decision depends on instructions alone, never on time.
import { PTE_A, PTE_U, PTE_V, PTE_X, pteToPfn } from "../../arch/sv39.ts";
import { NumberPool } from "../../util/number-pool.ts";
import type { CodeKind, CompileModule } from "../compile-module.ts";
import type { DecodePool } from "../decode-pool.ts";
import {
  HANDLER_ILLEGAL,
  HANDLER_PAGE_END,
  HANDLER_REGION,
  HANDLER_STOP,
  HANDLER_STRADDLE,
  HANDLER_UNDECODED,
} from "../isa/decode.ts";
import {
  LAST_EXIT,
  type Layout,
  MISS_BYTES,
  MISS_COUNT,
  MISS_RING,
  MISSES,
  MOST_RECORDED,
  MOST_REGION_ENTRIES,
  PC,
  RECORDED,
  RECORDING,
  REGION_CALLS,
  REGION_INDEX,
  REGION_INSTRUCTIONS,
  REGION_RECORD_BYTES,
  REGION_RECORDS,
  REGION_WORK,
  ROOT_POINTER,
  SLOT_BYTES,
} from "../layout.ts";
import { type CodeGraph, findCode } from "./blocks.ts";
import { Profile } from "./profile.ts";
import { translate } from "./region.ts";

/** Live regions; a module costs the engine about 25 KB. */
const MOST_REGIONS = 4000;
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
/** Shorter regions are not worth a module. */
const LEAST_INSTRUCTIONS = 3;
/** Indirect jumps out of a region that make it worth translating it anew with the targets learned; doubles each time. */
const MANY_MISSES = 10_000;
/** c.jr ra */
const RET_COMPRESSED = 0x8082;

interface Entry {
  readonly pfn: number;
  /** Byte offset in the frame. */
  readonly offset: number;
  readonly record: number;
}

interface CachedRegion {
  readonly index: number;
  /** Frame -> page number from the base page. */
  readonly pageOf: ReadonlyMap<number, number>;
  readonly entries: Entry[];
  /** Frame * 4096 + offset of the instruction it was made for. */
  readonly root: number;
  /** Offset of the root from the base page. */
  readonly rootOffset: number;
  misses: number;
  /** Page number of the base page in the space where the region was last translated. */
  readonly baseVpn: number;
  readonly instructionCount: number;
  readonly kind: CodeKind;
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
  /** What regions import as "env". */
  readonly imports: Record<string, unknown>;
}

export class CodeCache {
  private readonly o: CodeCacheOptions;
  private readonly profile = new Profile();
  private readonly counts = new Map<number, number>();
  private readonly regionsOf = new Map<number, Set<CachedRegion>>();
  private readonly entriesOf = new Map<number, Entry[]>();
  /** Of entries and of regions; 0 is none. */
  private readonly records = new NumberPool(1, MOST_REGION_ENTRIES);
  private readonly indices = new NumberPool(1, MOST_REGIONS + 1);
  private readonly regionAt: (CachedRegion | null)[] = [];
  /** In the order of translation. */
  private readonly live = new Set<CachedRegion>();
  /** Roots of the live regions. */
  private readonly roots = new Set<number>();
  /** Times a root was translated. */
  private readonly attempts = new Map<number, number>();
  private misses = 0;
  private samples = 0;
  /** The hot address whose surroundings are being recorded: page and offset, in the space of `recordingRoot`; or none. */
  private recordingVpn = -1;
  private recordingOffset = 0;
  private recordingRoot = 0;
  /** Instructions still to be recorded. */
  recordingLeft = 0;
  /** For reports: regions translated, and their instructions. */
  translated = 0;
  translatedInstructions = 0;
  private optimisedInstructions = 0;

  constructor(options: CodeCacheOptions) {
    this.o = options;
    options.pool.onDrop = (pfn) => this.drop(pfn);
    options.pool.onDecode = (pfn) => this.patch(pfn);
  }

  get eager(): boolean {
    return this.o.eager;
  }
  get regionCount(): number {
    return this.live.size;
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
    if (this.recordingVpn >= 0) return;
    const { words } = this.o;
    if (++this.samples % SAMPLES_PER_LESSON === 0) this.learn();
    if (this.samples % SAMPLES_PER_REVIEW === 0) this.review(instructionsRun);
    if (this.consider(PC, instructionsRun)) return;
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
    const page = pfn < 0 ? 0 : pool.findPage(pfn);
    if (page === 0) return false;
    const slot = page + offset * (SLOT_BYTES / 2);
    if (pool.handlerAt(slot) === HANDLER_REGION) return false;
    if (this.o.eager) {
      if (pool.handlerAt(slot) === HANDLER_UNDECODED) pool.decodeAt(slot);
      this.translateAt(vpn, offset);
      return true;
    }
    const key = pfn * 4096 + offset;
    const count = (this.counts.get(key) ?? 0) + 1;
    if (this.counts.size >= MOST_COUNTS) this.counts.clear();
    this.counts.set(key, count);
    if (count < HOT || priceOf(this.translatedInstructions) > instructionsRun) return false;
    this.counts.delete(key);
    this.recordingVpn = vpn;
    this.recordingOffset = offset;
    this.recordingRoot = words[ROOT_POINTER / 4];
    this.recordingLeft = RECORDED_INSTRUCTIONS;
    return true;
  }

  /** Whether the hart shall record what it runs next. */
  beginRecording(): boolean {
    if (this.recordingVpn < 0) return false;
    const { words } = this.o;
    // Another space runs: the addresses would mean something else. The code will be found hot again.
    if (words[ROOT_POINTER / 4] !== this.recordingRoot) this.recordingVpn = -1;
    words[RECORDED / 4] = 0;
    this.recordingStart = words[PC / 4 + 1] * 2 ** 32 + (words[PC / 4] >>> 0);
    return this.recordingVpn >= 0;
  }
  private recordingStart = 0;

  /** The hart has run so many instructions and recorded its jumps. */
  endRecording(instructions: number): void {
    const { words } = this.o;
    const count = Math.min(words[RECORDED / 4], MOST_RECORDED);
    let from = this.recordingStart;
    for (let i = 0; i < count; i++) {
      const at = (RECORDING >> 2) + 4 * i;
      const jump = words[at + 1] * 2 ** 32 + (words[at] >>> 0);
      const to = words[at + 3] * 2 ** 32 + (words[at + 2] >>> 0);
      this.visitRange(from, jump);
      this.noteJump(jump, to);
      from = to;
    }
    this.recordingLeft -= instructions;
    if (this.recordingLeft > 0 && instructions > 0) return;
    const vpn = this.recordingVpn;
    this.recordingVpn = -1;
    this.translateAt(vpn, this.recordingOffset);
  }

  /** The straight line of instructions from `from` to the jump at `to` ran once. */
  private visitRange(from: number, to: number): void {
    const { bytes, layout } = this.o;
    // No line is longer than two pages; a broken one ends here.
    for (let at = from, pages = 0; at <= to && pages < 3; pages++) {
      const vpn = Math.floor(at / 4096);
      const pfn = this.executableFrame(vpn);
      if (pfn < 0) return;
      const visits = this.profile.visitsOf(pfn);
      const frame = layout.ramOffset + pfn * 4096;
      const last = Math.min(to - vpn * 4096, 4095);
      let offset = at - vpn * 4096;
      while (offset <= last) {
        if (visits[offset >> 1] < 255) visits[offset >> 1]++;
        offset += (bytes[frame + offset] & 3) === 3 ? 4 : 2;
      }
      at = vpn * 4096 + offset;
    }
  }

  /** Remembers where the jump went, if it is one through a register; whether that is news. */
  private noteJump(jump: number, to: number): boolean {
    const pfn = this.executableFrame(Math.floor(jump / 4096));
    if (pfn < 0) return false;
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
    const again = new Map<CachedRegion, number>();
    for (let i = 0; i < MISSES; i++) {
      const at = (MISS_RING + i * MISS_BYTES) / 4;
      const region = this.regionAt[words[at]];
      if (!region) continue;
      const base = this.wide(4 * at + 24);
      const news = this.noteJump(base + this.wide(4 * at + 8), this.wide(4 * at + 16));
      region.misses += fresh / MISSES;
      const attempts = this.attempts.get(region.root) ?? 0;
      if (news && region.misses > MANY_MISSES * 2 ** attempts) again.set(region, base / 4096);
    }
    for (const [region, baseVpn] of again) {
      this.remove(region);
      this.translateAt(baseVpn, region.rootOffset, region.kind);
    }
  }

  /** Optimises the regions that have run enough to be worth it, those that ran most first, as far as the current space maps them. */
  private review(instructionsRun: number): void {
    const { words } = this.o;
    const worth = (region: CachedRegion) => {
      let work = 0;
      for (const { record } of region.entries) work += words[REGION_WORK / 4 + record] >>> 0;
      return work / region.instructionCount;
    };
    const worthwhile = [...this.live]
      .filter((region) => region.kind !== "optimised")
      .map((region) => ({ region, worth: worth(region) }))
      .filter(({ worth }) => worth >= OPTIMISING_PRICE)
      .sort((a, b) => b.worth - a.worth);
    for (const { region } of worthwhile) {
      if (this.optimisedInstructions * OPTIMISING_RATE > instructionsRun) return;
      // Making room for another one may have removed it.
      if (!this.live.has(region) || !this.isMapped(region)) continue;
      this.remove(region);
      this.translateAt(region.baseVpn, region.rootOffset, "optimised");
    }
  }

  /** Whether the current space has the region where it was last translated. */
  private isMapped({ baseVpn, rootOffset, root }: CachedRegion): boolean {
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
        kind === "optimised" || eager
          ? at + pfn * 4096 !== ownRoot && this.roots.has(at + pfn * 4096)
          : (this.entriesOf.get(pfn)?.some((entry) => entry.offset === at) ?? false),
      isHot: (pfn: number, at: number) => eager || profile.isHot(pfn, at),
      halfword: (pfn: number, at: number) => this.halfword(pfn, at),
      distances: (pfn: number, at: number) => profile.distances(pfn, at),
    };
    const graph = findCode(source, rootOffset);
    if (graph.instructionCount < LEAST_INSTRUCTIONS) return;
    if (this.indices.free === 0) this.makeRoom(0);
    const index = this.indices.take();
    const region = translate(graph, rootOffset, {
      index,
      memoryPages: layout.memoryPages,
      isExported: (name) => name in this.o.imports,
    });
    if (region.entries.length === 0) {
      this.indices.giveBack(index);
      return;
    }
    if (this.records.free < region.entries.length) this.makeRoom(region.entries.length);
    const instance = new WebAssembly.Instance(this.o.compileModule(region.bytes, kind), { env: this.o.imports });
    this.translated++;
    this.translatedInstructions += graph.instructionCount;
    if (kind === "optimised") this.optimisedInstructions += graph.instructionCount;
    this.install(index, instance.exports.region, graph, region.entries, { baseVpn: vpn, rootOffset, kind });
  }

  private install(
    index: number,
    region: unknown,
    { frames, instructionCount }: CodeGraph,
    offsets: readonly number[],
    origin: Pick<CachedRegion, "baseVpn" | "rootOffset" | "kind">,
  ): void {
    const { rootOffset } = origin;
    // Doubles the table when it is full.
    if (index >= this.o.table.length) this.o.table.grow(index);
    this.o.table.set(index, region);
    const rootPage = Math.floor(rootOffset / 4096);
    const root = frames.get(rootPage)! * 4096 + (rootOffset - rootPage * 4096);
    this.attempts.set(root, (this.attempts.get(root) ?? 0) + 1);
    const cached: CachedRegion = {
      index,
      pageOf: new Map([...frames].map(([page, pfn]) => [pfn, page])),
      entries: [],
      root,
      misses: 0,
      instructionCount,
      ...origin,
    };
    this.regionAt[index] = cached;
    this.live.add(cached);
    this.roots.add(root);
    for (const offset of offsets) {
      const page = Math.floor(offset / 4096);
      this.addEntry(cached, frames.get(page)!, offset - page * 4096, page, offset === rootOffset);
    }
    for (const pfn of cached.pageOf.keys()) {
      const set = this.regionsOf.get(pfn) ?? new Set();
      set.add(cached);
      this.regionsOf.set(pfn, set);
      this.patch(pfn);
    }
  }

  /** Makes the record of an entry, unless another region begins there already and this one was made for another place. */
  private addEntry(region: CachedRegion, pfn: number, offset: number, page: number, isRoot: boolean): void {
    const list = this.entriesOf.get(pfn) ?? [];
    if (!isRoot && list.some((entry) => entry.offset === offset)) return;
    const record = this.records.take();
    const at = (REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2;
    this.o.words[at] = region.index;
    this.o.words[REGION_WORK / 4 + record] = 0;
    const fromBase = page * 4096 + offset;
    this.o.words[at + 2] = fromBase | 0;
    this.o.words[at + 3] = Math.floor(fromBase / 2 ** 32);
    const entry: Entry = { pfn, offset, record };
    region.entries.push(entry);
    list.push(entry);
    this.entriesOf.set(pfn, list);
  }

  /** Puts the region handler into the decoded slots at which regions begin. */
  private patch(pfn: number): void {
    const entries = this.entriesOf.get(pfn);
    if (entries === undefined) return;
    const { bytes, words, pool } = this.o;
    const page = pool.findPage(pfn);
    if (page === 0) return;
    for (const { offset, record } of entries) {
      const slot = page + offset * (SLOT_BYTES / 2);
      const handler = pool.handlerAt(slot);
      if (handler === HANDLER_UNDECODED || handler === HANDLER_REGION) continue;
      if (handler === HANDLER_STOP) continue;
      if (handler === HANDLER_STRADDLE || handler === HANDLER_PAGE_END || handler === HANDLER_ILLEGAL) continue;
      words[((REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2) + 1] = handler;
      pool.setHandler(slot, HANDLER_REGION);
      bytes[page + REGION_INDEX + offset] = record;
      bytes[page + REGION_INDEX + offset + 1] = record >> 8;
    }
  }

  /** Drops every region that was made from this frame, and what is known of it. */
  drop(pfn: number): void {
    this.profile.forget(pfn);
    for (const region of [...(this.regionsOf.get(pfn) ?? [])]) {
      this.attempts.delete(region.root);
      this.remove(region);
    }
  }

  private remove(region: CachedRegion): void {
    const { bytes, words, pool, table } = this.o;
    for (const entry of region.entries) {
      const { pfn, offset, record } = entry;
      const page = pool.findPage(pfn);
      const slot = page + offset * (SLOT_BYTES / 2);
      const index = page + REGION_INDEX + offset;
      if (
        page !== 0 &&
        pool.handlerAt(slot) === HANDLER_REGION &&
        (bytes[index] | (bytes[index + 1] << 8)) === record
      ) {
        pool.setHandler(slot, words[((REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2) + 1]);
      }
      const list = this.entriesOf.get(pfn)!.filter((other) => other !== entry);
      if (list.length > 0) this.entriesOf.set(pfn, list);
      else this.entriesOf.delete(pfn);
      this.records.giveBack(record);
    }
    for (const pfn of region.pageOf.keys()) {
      const set = this.regionsOf.get(pfn)!;
      set.delete(region);
      if (set.size === 0) this.regionsOf.delete(pfn);
    }
    table.set(region.index, null);
    this.regionAt[region.index] = null;
    this.indices.giveBack(region.index);
    this.live.delete(region);
    this.roots.delete(region.root);
  }

  /** Removes the oldest quarter, and more until there are records enough. */
  private makeRoom(records: number): void {
    let most = Math.ceil(this.live.size / 4);
    for (const region of this.live) {
      if (most-- <= 0 && this.records.free >= records) return;
      this.remove(region);
    }
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

/** Instructions that must have run when so many were translated. */
function priceOf(translated: number): number {
  return PRICE * translated + (FIRST_PRICE - PRICE) * Math.min(translated, FIRST_INSTRUCTIONS);
}
