// The translations that can be entered: an instance of each region's module in the table of functions, a record of each of its
// entries, and the region handler in the decoded slots at which they begin. Regions belong to the frames their code is in. Knows
// nothing of what is worth translating.
import { NumberPool } from "../../util/number-pool.ts";
import type { CodeKind, CompiledModule } from "../compile-module.ts";
import type { DecodePool } from "../decode-pool.ts";
import {
  HANDLER_ILLEGAL,
  HANDLER_PAGE_END,
  HANDLER_REGION,
  HANDLER_STOP,
  HANDLER_STRADDLE,
  HANDLER_UNDECODED,
} from "../isa/forms.ts";
import {
  MOST_KEPT_REGIONS,
  MOST_REGION_ENTRIES,
  MOST_REGIONS,
  REGION_BLOCK_BYTES,
  REGION_BLOCKS,
  REGION_FRAMES,
  REGION_INDEX,
  REGION_RECORD_BYTES,
  REGION_RECORDS,
  REGION_SITE_BYTES,
  REGION_SITES,
  REGION_WORK,
  SLOT_BYTES,
} from "../layout.ts";

/** In the second word of a record. */
const HANDLER_MASK = 0xffff;
const MAY_BE_CALLED = 0x10000;

/** Linear address of what belongs to the region of this index. */
function blockOf(index: number): number {
  return REGION_BLOCKS + index * REGION_BLOCK_BYTES;
}

interface Entry {
  readonly pfn: number;
  /** Byte offset in the frame. */
  readonly offset: number;
  readonly record: number;
}

/** What a region was made from. Page numbers and offsets count from its base page. */
export interface RegionOrigin {
  /** Offset of the instruction it was made for. */
  readonly rootOffset: number;
  /** Offsets of the instructions at which it can be entered. */
  readonly entryOffsets: readonly number[];
  /** Numbers of its pages, in the order of its block. */
  readonly pages: readonly number[];
  /** REGION_SITES that it has. */
  readonly siteCount: number;
  readonly instructionCount: number;
  /** "kept": it was there before the run (kept-regions.ts). */
  readonly kind: CodeKind | "kept";
}

export interface InstalledRegion extends RegionOrigin {
  readonly index: number;
  /** Page number of the base page in the space where pages were bound to frames; a kept region without any has none yet. */
  baseVpn: number;
  /** By page; the page of the root is always there if the region was made in this run. */
  readonly frames: Map<number, number>;
  readonly entries: Entry[];
  /** Frame * 4096 + offset of the root; -1: that page has no frame. */
  root: number;
  /** Indirect jumps that left it; the owner counts. */
  misses: number;
}

export interface RegionTableOptions {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly pool: DecodePool;
  readonly table: WebAssembly.Table;
  /** What regions import as "env". */
  readonly imports: Record<string, unknown>;
}

export class RegionTable {
  private readonly o: RegionTableOptions;
  private readonly regionsOf = new Map<number, Set<InstalledRegion>>();
  private readonly entriesOf = new Map<number, Entry[]>();
  /** Of entries and of regions; 0 is none. */
  private readonly records = new NumberPool(1, MOST_REGION_ENTRIES);
  private readonly indices = new NumberPool(1, MOST_REGIONS + 1);
  private readonly byIndex: (InstalledRegion | null)[] = [];
  /** In the order of installation. */
  readonly live = new Set<InstalledRegion>();
  private readonly roots = new Set<number>();
  /** Of earlier runs. */
  private readonly kept: InstalledRegion[] = [];

  constructor(options: RegionTableOptions) {
    this.o = options;
    options.pool.onDecode = (pfn) => this.patch(pfn);
  }

  /** The region whose block is there. */
  withBlock(address: number): InstalledRegion | null {
    return this.byIndex[(address - REGION_BLOCKS) / REGION_BLOCK_BYTES] ?? null;
  }
  /** Regions with code in the frame. */
  of(pfn: number): Iterable<InstalledRegion> {
    return this.regionsOf.get(pfn) ?? [];
  }
  /** Whether a region was made for the instruction at this offset of the frame. */
  isRoot(pfn: number, offset: number): boolean {
    return this.roots.has(pfn * 4096 + offset);
  }
  isEntry(pfn: number, offset: number): boolean {
    return this.entriesOf.get(pfn)?.some((entry) => entry.offset === offset) ?? false;
  }

  /** Instructions that were run in the region, modulo 2^32. */
  workOf({ entries }: InstalledRegion): number {
    let work = 0;
    for (const { record } of entries) work += this.o.words[REGION_WORK / 4 + record];
    return work >>> 0;
  }

  /** Makes the region of the module enterable; old regions go if there is no room. `frames`: by page, the root's at least. */
  install(
    module: CompiledModule,
    origin: RegionOrigin,
    baseVpn: number,
    frames: ReadonlyMap<number, number>,
  ): InstalledRegion {
    if (this.indices.free === 0 || this.records.free < origin.entryOffsets.length) {
      this.makeRoom(origin.entryOffsets.length);
    }
    const [region] = this.instantiate(module, [origin], this.indices.take());
    region.baseVpn = baseVpn;
    this.live.add(region);
    for (const [page, pfn] of frames) this.bind(region, page, pfn);
    return region;
  }

  /** The kept regions of a module; they can be entered when their pages are bound. None if there are too many. */
  installKept(module: CompiledModule, origins: readonly RegionOrigin[]): InstalledRegion[] {
    if (this.kept.length + origins.length > MOST_KEPT_REGIONS) return [];
    const regions = this.instantiate(module, origins, 1 + MOST_REGIONS + this.kept.length);
    this.kept.push(...regions);
    return regions;
  }

  /** Makes an instance of the module; its regions have indices from this one on. */
  private instantiate(module: CompiledModule, origins: readonly RegionOrigin[], first: number): InstalledRegion[] {
    const { table, imports, words } = this.o;
    const { exports } = new WebAssembly.Instance(module, { env: imports });
    const last = first + origins.length - 1;
    if (last >= table.length) table.grow(Math.max(table.length, last + 1 - table.length));
    const blocks = blockOf(first);
    (exports.blocks as WebAssembly.Global).value = blocks;
    return origins.map((origin, i) => {
      const index = first + i;
      const frames = (blockOf(index) + REGION_FRAMES) / 4;
      words.fill(-1, frames, frames + origin.pages.length);
      table.set(index, exports[`region${i}`]);
      const region = { ...origin, index, baseVpn: -1, frames: new Map(), entries: [], root: -1, misses: 0 };
      this.byIndex[index] = region;
      return region;
    });
  }

  /** The page of the region is this frame: it runs there from now on. */
  bind(region: InstalledRegion, page: number, pfn: number): void {
    this.setFrame(region, page, pfn);
    const { rootOffset } = region;
    const rootPage = Math.floor(rootOffset / 4096);
    if (page === rootPage) {
      region.root = pfn * 4096 + (rootOffset - rootPage * 4096);
      this.roots.add(region.root);
    }
    const set = this.regionsOf.get(pfn) ?? new Set();
    set.add(region);
    this.regionsOf.set(pfn, set);
    for (const offset of region.entryOffsets) {
      if (Math.floor(offset / 4096) === page) this.addEntry(region, pfn, offset);
    }
    this.patch(pfn);
  }

  /** -1: it has none any more. */
  private setFrame(region: InstalledRegion, page: number, pfn: number): void {
    if (pfn < 0) region.frames.delete(page);
    else region.frames.set(page, pfn);
    this.o.words[(blockOf(region.index) + REGION_FRAMES) / 4 + region.pages.indexOf(page)] = pfn;
  }

  /**
   * Makes the record of an entry, unless another region begins there already and this one was made for another place, or there are too
   * many.
   */
  private addEntry(region: InstalledRegion, pfn: number, fromBase: number): void {
    const offset = fromBase - Math.floor(fromBase / 4096) * 4096;
    const isRoot = fromBase === region.rootOffset;
    if (this.records.free === 0 || (!isRoot && this.isEntry(pfn, offset))) return;
    const { words } = this.o;
    const record = this.records.take();
    const at = (REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2;
    words[at] = region.index;
    words[at + 1] = region.kind === "baseline" ? 0 : MAY_BE_CALLED;
    words[REGION_WORK / 4 + record] = 0;
    words[at + 2] = fromBase | 0;
    words[at + 3] = Math.floor(fromBase / 2 ** 32);
    const entry: Entry = { pfn, offset, record };
    region.entries.push(entry);
    const list = this.entriesOf.get(pfn) ?? [];
    // The first one at an offset is the one that is entered.
    if (isRoot) list.unshift(entry);
    else list.push(entry);
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
      const at = (REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2;
      words[at + 1] = (words[at + 1] & ~HANDLER_MASK) | handler;
      pool.setHandler(slot, HANDLER_REGION);
      bytes[page + REGION_INDEX + offset] = record;
      bytes[page + REGION_INDEX + offset + 1] = record >> 8;
    }
  }

  /** Drops the frame's part of kept regions, and every other region that was made from it. */
  drop(pfn: number): void {
    for (const region of [...this.of(pfn)]) {
      if (region.kind === "kept") this.unbind(region, pfn);
      else this.remove(region);
    }
  }

  private unbind(region: InstalledRegion, pfn: number): void {
    for (const [page, frame] of region.frames) {
      if (frame !== pfn) continue;
      this.setFrame(region, page, -1);
    }
    for (const entry of region.entries.filter((entry) => entry.pfn === pfn)) this.removeEntry(region, entry);
    this.forget(region, pfn);
    if (Math.floor(region.root / 4096) !== pfn) return;
    this.roots.delete(region.root);
    region.root = -1;
  }

  remove(region: InstalledRegion): void {
    for (const entry of [...region.entries]) this.removeEntry(region, entry);
    for (const pfn of region.frames.values()) this.forget(region, pfn);
    this.o.table.set(region.index, null);
    if (region.kind !== "baseline") this.forgetSites();
    this.byIndex[region.index] = null;
    this.indices.giveBack(region.index);
    this.live.delete(region);
    this.roots.delete(region.root);
  }

  /** Where jumps of kept regions went last may be a region that is going. */
  private forgetSites(): void {
    const { words } = this.o;
    for (const { index, siteCount } of this.kept) {
      const first = (blockOf(index) + REGION_SITES) / 4;
      for (let i = 0; i < siteCount; i++) words[first + i * (REGION_SITE_BYTES / 4)] = 0;
    }
  }

  private removeEntry(region: InstalledRegion, entry: Entry): void {
    const { bytes, words, pool } = this.o;
    const { pfn, offset, record } = entry;
    const page = pool.findPage(pfn);
    const slot = page + offset * (SLOT_BYTES / 2);
    const index = page + REGION_INDEX + offset;
    if (page !== 0 && pool.handlerAt(slot) === HANDLER_REGION && (bytes[index] | (bytes[index + 1] << 8)) === record) {
      pool.setHandler(slot, words[((REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2) + 1] & HANDLER_MASK);
    }
    region.entries.splice(region.entries.indexOf(entry), 1);
    const list = this.entriesOf.get(pfn)!.filter((other) => other !== entry);
    if (list.length > 0) this.entriesOf.set(pfn, list);
    else this.entriesOf.delete(pfn);
    this.records.giveBack(record);
  }

  /** The frame is no longer the region's. */
  private forget(region: InstalledRegion, pfn: number): void {
    const set = this.regionsOf.get(pfn);
    set?.delete(region);
    if (set?.size === 0) this.regionsOf.delete(pfn);
  }

  /** Removes the oldest quarter, and more until there are records enough. */
  private makeRoom(records: number): void {
    let most = Math.ceil(this.live.size / 4);
    for (const region of this.live) {
      if (most-- <= 0 && this.records.free >= records) return;
      this.remove(region);
    }
  }
}
