// Decides what to translate and keeps the translations: samples of the program counter find hot code, regions are installed
// behind their entry slots, and dropped when a frame they were made from changes. Translations belong to frames, so every
// process that maps a frame shares them. Nothing here changes what a program computes.
import { PTE_A, PTE_U, PTE_V, PTE_X, pteToPfn } from "../../arch/sv39.ts";
import type { DecodePool } from "../decode-pool.ts";
import {
  HANDLER_ILLEGAL,
  HANDLER_PAGE_END,
  HANDLER_REGION,
  HANDLER_STRADDLE,
  HANDLER_UNDECODED,
} from "../isa/decode.ts";
import {
  type Layout,
  MISS_BYTES,
  MISS_COUNT,
  MISS_RING,
  MISSES,
  MOST_REGION_ENTRIES,
  REGION_INDEX,
  REGION_RECORD_BYTES,
  REGION_RECORDS,
  ROOT_POINTER,
  SLOT_BYTES,
} from "../layout.ts";
import { findCode } from "./blocks.ts";
import { translate } from "./region.ts";

/** Live regions; a module costs the engine about 25 KB. */
const MOST_REGIONS = 4000;
/** Samples of one address until it is translated. */
const HOT = 6;
/** Misses between two samples that make the cache look at where indirect jumps go. */
const MANY_MISSES = 16;
/** Targets of one jump that are worth knowing: of a return, and of others. */
const MOST_CALLERS = 6;
const MOST_TARGETS = 64;
/** How often a region is translated anew with more targets. */
const MOST_RETRIES = 12;
/** Addresses that are counted at a time; beyond that counting starts anew. */
const MOST_COUNTS = 20_000;
/** Shorter regions that never come back to themselves are not worth a module. */
const LEAST_INSTRUCTIONS = 3;

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
  readonly frames: readonly number[];
  readonly entries: Entry[];
  /** Frame * 4096 + offset of the instruction it was made for. */
  readonly root: number;
  readonly rootOffset: number;
}

/** Where one indirect jump was seen to go. */
interface SeenTargets {
  readonly distances: number[];
}

export interface CodeCacheOptions {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly layout: Layout;
  readonly pool: DecodePool;
  readonly table: WebAssembly.Table;
  /** Translate whatever is sampled, and what follows it whether it was run or not. */
  readonly eager: boolean;
  /** What regions import as "env". */
  readonly imports: Record<string, unknown>;
}

export class CodeCache {
  private readonly o: CodeCacheOptions;
  private readonly counts = new Map<number, number>();
  private readonly regionsOf = new Map<number, Set<CachedRegion>>();
  private readonly entriesOf = new Map<number, Entry[]>();
  /** By frame * 4096 + offset of an indirect jump. */
  private readonly seen = new Map<number, SeenTargets>();
  /** Times a root was translated. */
  private readonly attempts = new Map<number, number>();
  private readonly regionAt: (CachedRegion | null)[] = [];
  private misses = 0;
  private readonly freeRecords: number[] = [];
  private readonly freeIndices: number[] = [];
  /** In the order of translation. */
  private readonly live = new Set<CachedRegion>();
  /** For reports: regions translated, their instructions, and the time it took. */
  translated = 0;
  translatedInstructions = 0;

  constructor(options: CodeCacheOptions) {
    this.o = options;
    // Record 0 and function 0 are none.
    for (let i = MOST_REGION_ENTRIES - 1; i > 0; i--) this.freeRecords.push(i);
    for (let i = MOST_REGIONS; i > 0; i--) this.freeIndices.push(i);
    options.table.grow(MOST_REGIONS + 1 - options.table.length);
    options.pool.onDrop = (pfn) => this.drop(pfn);
    options.pool.onDecode = (pfn) => this.patch(pfn);
  }

  get eager(): boolean {
    return this.o.eager;
  }

  /** The hart was found at this address in the current space, at a jump backwards or through a register. */
  sample(pcLow: number, pcHigh: number): void {
    this.learn();
    const vpn = pcHigh * 2 ** 20 + (pcLow >>> 12);
    const offset = pcLow & 0xfff;
    const pfn = this.executableFrame(vpn);
    if (pfn < 0) return;
    const slot = this.slotOf(pfn, offset);
    if (slot === 0 || this.o.bytes[slot] === HANDLER_REGION) return;
    if (this.o.bytes[slot] === HANDLER_UNDECODED) this.o.pool.decodeAt(slot);
    const key = pfn * 4096 + offset;
    const count = (this.counts.get(key) ?? 0) + 1;
    if (count < HOT && !this.o.eager) {
      if (this.counts.size >= MOST_COUNTS) this.counts.clear();
      this.counts.set(key, count);
      return;
    }
    this.counts.delete(key);
    this.translateAt(vpn, offset);
  }

  /** Looks at the indirect jumps that left regions, and translates those regions anew that left often. */
  private learn(): void {
    const { words } = this.o;
    const count = words[MISS_COUNT / 4];
    const fresh = (count - this.misses) | 0;
    this.misses = count;
    if (fresh < MANY_MISSES) return;
    const changed = new Map<CachedRegion, number>();
    for (let i = 0; i < Math.min(fresh, MISSES); i++) {
      const at = (MISS_RING + i * MISS_BYTES) / 4;
      const region = this.regionAt[words[at]];
      if (!region) continue;
      const base = words[at + 5] * 2 ** 32 + (words[at + 4] >>> 0);
      const jump = base + words[at + 1];
      const distance = words[at + 3] * 2 ** 32 + (words[at + 2] >>> 0) - jump;
      if (this.note(jump, distance)) changed.set(region, base / 4096);
    }
    for (const [region, baseVpn] of changed) {
      if (!this.live.has(region) || (this.attempts.get(region.root) ?? 0) > MOST_RETRIES) continue;
      this.remove(region);
      this.translateAt(baseVpn, region.rootOffset);
    }
  }

  /** Remembers a target of the jump at this address; whether it is new and worth a translation. */
  private note(jump: number, distance: number): boolean {
    if (Math.abs(distance) >= 2 ** 30) return false;
    const pfn = this.executableFrame(Math.floor(jump / 4096));
    if (pfn < 0) return false;
    const offset = jump % 4096;
    const key = pfn * 4096 + offset;
    let seen = this.seen.get(key);
    if (seen === undefined) {
      seen = { distances: [] };
      this.seen.set(key, seen);
    }
    const isReturn = (this.halfword(pfn, offset) & 0xffff) === RET_COMPRESSED;
    if (seen.distances.length >= (isReturn ? MOST_CALLERS : MOST_TARGETS) || seen.distances.includes(distance))
      return false;
    seen.distances.push(distance);
    return true;
  }

  private halfword(pfn: number, offset: number): number {
    const at = this.o.layout.ramOffset + pfn * 4096 + offset;
    return this.o.bytes[at] | (this.o.bytes[at + 1] << 8);
  }

  private translateAt(vpn: number, offset: number): void {
    const { bytes, layout, pool } = this.o;
    const graph = findCode(
      {
        frame: (page) => this.executableFrame(vpn + page),
        decoded: (pfn, at) => {
          const page = pool.findPage(pfn);
          if (this.o.eager) return true;
          return page !== 0 && bytes[page + at * (SLOT_BYTES / 2)] !== HANDLER_UNDECODED;
        },
        halfword: (pfn, at) => this.halfword(pfn, at),
        distances: (pfn, at) => this.seen.get(pfn * 4096 + at)?.distances ?? [],
      },
      offset,
    );
    if (graph.instructionCount < LEAST_INSTRUCTIONS) return;
    if (this.freeIndices.length === 0) this.makeRoom(0);
    const index = this.freeIndices[this.freeIndices.length - 1];
    const region = translate(graph, offset, {
      index,
      memoryPages: layout.totalBytes / 65536,
      isExported: (name) => name in this.o.imports,
    });
    if (region.entries.length === 0) return;
    if (this.freeRecords.length < region.entries.length) this.makeRoom(region.entries.length);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(region.bytes), { env: this.o.imports });
    this.translated++;
    this.translatedInstructions += graph.instructionCount;
    this.install(index, instance.exports.region, graph.frames, region.entries, offset);
  }

  private install(
    index: number,
    region: unknown,
    frames: ReadonlyMap<number, number>,
    offsets: readonly number[],
    root: number,
  ): void {
    this.freeIndices.splice(this.freeIndices.lastIndexOf(index), 1);
    this.o.table.set(index, region);
    const rootPage = Math.floor(root / 4096);
    const rootKey = frames.get(rootPage)! * 4096 + (root - rootPage * 4096);
    this.attempts.set(rootKey, (this.attempts.get(rootKey) ?? 0) + 1);
    const cached: CachedRegion = {
      index,
      frames: [...new Set(frames.values())],
      entries: [],
      root: rootKey,
      rootOffset: root,
    };
    this.regionAt[index] = cached;
    for (const offset of offsets) {
      const page = Math.floor(offset / 4096);
      const pfn = frames.get(page)!;
      const inFrame = offset - page * 4096;
      if (offset !== root && this.entriesOf.get(pfn)?.some((entry) => entry.offset === inFrame)) continue;
      const record = this.freeRecords.pop()!;
      const at = (REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2;
      this.o.words[at] = index;
      this.o.words[at + 1] = offset;
      this.o.words[at + 2] = page * 4096;
      const entry: Entry = { pfn, offset: inFrame, record };
      cached.entries.push(entry);
      const list = this.entriesOf.get(pfn);
      if (list) list.push(entry);
      else this.entriesOf.set(pfn, [entry]);
    }
    for (const pfn of cached.frames) {
      const set = this.regionsOf.get(pfn) ?? new Set();
      set.add(cached);
      this.regionsOf.set(pfn, set);
      this.patch(pfn);
    }
    this.live.add(cached);
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
      const handler = bytes[slot];
      if (handler === HANDLER_UNDECODED || handler === HANDLER_REGION) continue;
      if (handler === HANDLER_STRADDLE || handler === HANDLER_PAGE_END || handler === HANDLER_ILLEGAL) continue;
      words[((REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2) + 3] = handler;
      bytes[slot] = HANDLER_REGION;
      bytes[page + REGION_INDEX + offset] = record;
      bytes[page + REGION_INDEX + offset + 1] = record >> 8;
    }
  }

  /** Drops every region that was made from this frame. */
  drop(pfn: number): void {
    const regions = this.regionsOf.get(pfn);
    if (regions === undefined) return;
    for (const map of [this.seen, this.attempts]) {
      for (const key of map.keys()) if (Math.floor(key / 4096) === pfn) map.delete(key);
    }
    for (const region of [...regions]) this.remove(region);
  }

  private remove(region: CachedRegion): void {
    const { bytes, words, pool, table } = this.o;
    for (const entry of region.entries) {
      const { pfn, offset, record } = entry;
      const page = pool.findPage(pfn);
      const slot = page + offset * (SLOT_BYTES / 2);
      const index = page + REGION_INDEX + offset;
      if (page !== 0 && bytes[slot] === HANDLER_REGION && (bytes[index] | (bytes[index + 1] << 8)) === record) {
        bytes[slot] = words[((REGION_RECORDS + record * REGION_RECORD_BYTES) >> 2) + 3];
      }
      const list = this.entriesOf.get(pfn)!.filter((other) => other !== entry);
      if (list.length > 0) this.entriesOf.set(pfn, list);
      else this.entriesOf.delete(pfn);
      this.freeRecords.push(record);
    }
    for (const pfn of region.frames) {
      const set = this.regionsOf.get(pfn)!;
      set.delete(region);
      if (set.size === 0) this.regionsOf.delete(pfn);
    }
    table.set(region.index, null);
    this.regionAt[region.index] = null;
    this.freeIndices.push(region.index);
    this.live.delete(region);
  }

  /** Removes the oldest quarter, and more until there are records enough. */
  private makeRoom(records: number): void {
    let most = Math.ceil(this.live.size / 4);
    for (const region of this.live) {
      if (most-- <= 0 && this.freeRecords.length >= records) return;
      this.remove(region);
    }
  }

  private slotOf(pfn: number, offset: number): number {
    const page = this.o.pool.findPage(pfn);
    return page === 0 ? 0 : page + offset * (SLOT_BYTES / 2);
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
