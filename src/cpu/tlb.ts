// The hart's TLB seen from TypeScript: banks given to address spaces, and every flush. Generated code fills it.
import {
  BANK_BYTES,
  BANK_POINTER,
  BANKS,
  BASE_RUNS,
  BASE_RUNS_BYTES,
  BASE_RUNS_USED,
  CODE_MAP,
  DATA_ENTRIES,
  FETCH_ENTRIES,
  GENERATION,
  NO_PAGE,
  REGION_PAGES,
  RUN_BYTES,
  RUN_LENGTH,
  RUN_PFN,
  SEVERAL_PAGES,
  TLB,
  TLB_ENTRY_BYTES,
  TLB_FETCH,
  TLB_READ,
  TLB_WRITE,
  WRITE_CACHED,
} from "./layout.ts";

const ENTRY_WORDS = TLB_ENTRY_BYTES / 4;
const PFN_WORD = 3;
/** Above this many pages a range flush empties the bank instead. */
const RANGE_LIMIT = DATA_ENTRIES;

interface SpaceLike {
  readonly id: number;
}

export class HartTlb {
  private readonly words: Int32Array;
  private readonly dropCode: (pfn: number) => void;
  private readonly hasCode: (pfn: number) => boolean;
  private readonly bankOf = new Map<number, number>();
  private readonly spaceOf = new Int32Array(BANKS).fill(-1);
  private readonly lastUse = new Float64Array(BANKS);
  private useClock = 0;
  /** GENERATION of each bank, and the last number given. */
  private readonly generationOf = new Float64Array(BANKS);
  private lastGeneration = 0;
  private current = 0;
  /** Frames that may have been written since forgetWritten(), 1 each; null: nobody wants to know. */
  private written: Uint8Array | null = null;

  constructor(words: Int32Array, hasCode: (pfn: number) => boolean, dropCode: (pfn: number) => void) {
    this.words = words;
    this.hasCode = hasCode;
    this.dropCode = dropCode;
    words[BASE_RUNS_USED / 4] = 1;
    this.reset();
  }

  /** Points the hart at the bank of this space, taking the least recently used bank if it has none. */
  select(spaceId: number): void {
    let bank = this.bankOf.get(spaceId);
    if (bank === undefined) {
      bank = 0;
      for (let i = 1; i < BANKS; i++) if (this.lastUse[i] < this.lastUse[bank]) bank = i;
      if (this.spaceOf[bank] >= 0) this.bankOf.delete(this.spaceOf[bank]);
      this.clearBank(bank);
      this.bankOf.set(spaceId, bank);
      this.spaceOf[bank] = spaceId;
    }
    this.lastUse[bank] = ++this.useClock;
    this.makeCurrent(bank);
  }

  flushPage(space: SpaceLike, vpn: number): void {
    const bank = this.bankOf.get(space.id);
    if (bank !== undefined) this.clearPage(bank, vpn);
  }

  flushRange(space: SpaceLike, firstVpn: number, endVpn: number): void {
    const bank = this.bankOf.get(space.id);
    if (bank === undefined) return;
    if (endVpn - firstVpn > RANGE_LIMIT) this.clearBank(bank);
    else for (let vpn = firstVpn; vpn < endVpn; vpn++) this.clearPage(bank, vpn);
  }

  flushSpace(space: SpaceLike): void {
    const bank = this.bankOf.get(space.id);
    if (bank !== undefined) this.clearBank(bank);
  }

  releaseSpace(space: SpaceLike): void {
    const bank = this.bankOf.get(space.id);
    if (bank === undefined) return;
    this.clearBank(bank);
    this.bankOf.delete(space.id);
    this.spaceOf[bank] = -1;
    this.lastUse[bank] = 0;
  }

  /** Every space loses its bank; a bank is emptied when it is given to a space. */
  reset(): void {
    this.clearBank(0);
    this.bankOf.clear();
    this.spaceOf.fill(-1);
    this.lastUse.fill(0);
    this.makeCurrent(0);
  }

  private makeCurrent(bank: number): void {
    this.current = bank;
    this.forgetBaseRuns();
    this.words[BANK_POINTER / 4] = TLB + bank * BANK_BYTES;
    this.publishGeneration();
  }

  private publishGeneration(): void {
    const generation = this.generationOf[this.current];
    this.words[GENERATION / 4] = generation | 0;
    this.words[GENERATION / 4 + 1] = Math.floor(generation / 2 ** 32);
  }

  /** From now on it is known which frames were written. */
  trackWrites(frameCount: number): void {
    this.written = new Uint8Array(frameCount).fill(1);
  }

  noteWritten(pfn: number): void {
    if (this.written !== null) this.written[pfn] = 1;
  }

  /**
   * Frames that instructions or the kernel may have written since forgetWritten(), 1 each. Page tables are not among them: their
   * entries change without a word. Precondition: trackWrites().
   */
  writtenFrames(): Uint8Array {
    const written = this.written as Uint8Array;
    const { words } = this;
    for (let pfn = 0; pfn < written.length; pfn++)
      if ((words[CODE_MAP / 4 + pfn] & WRITE_CACHED) !== 0) written[pfn] = 1;
    return written;
  }

  /** No frame counts as written now: the next store to each is noticed, as none has an entry in a write table. */
  forgetWritten(): void {
    const written = this.written as Uint8Array;
    const { words } = this;
    for (let pfn = 0; pfn < written.length; pfn++) words[CODE_MAP / 4 + pfn] &= ~WRITE_CACHED;
    written.fill(0);
    for (let bank = 0; bank < BANKS; bank++) {
      const first = (TLB + bank * BANK_BYTES + TLB_WRITE) / 4;
      words.fill(-1, first, first + DATA_ENTRIES * ENTRY_WORDS);
    }
    this.forgetBaseRuns();
  }

  frameChanged(pfn: number): void {
    if (this.written !== null) this.written[pfn] = 1;
    if (this.hasCode(pfn)) this.dropCode(pfn);
  }

  /** Forgets every entry of one table kind that names this frame, in all banks. */
  forgetFrame(pfn: number, table: "write" | "fetch"): void {
    if (table === "write") this.forgetBaseRuns();
    const offset = table === "write" ? TLB_WRITE : TLB_FETCH;
    const entries = table === "write" ? DATA_ENTRIES : FETCH_ENTRIES;
    for (let bank = 0; bank < BANKS; bank++) {
      if (this.spaceOf[bank] < 0) continue;
      const first = (TLB + bank * BANK_BYTES + offset) / 4;
      const end = first + entries * ENTRY_WORDS;
      for (let at = first; at < end; at += ENTRY_WORDS) if (this.words[at + PFN_WORD] === pfn) this.invalidate(at);
      // A fetch entry may be gone while a region still goes by having seen it.
      if (table === "fetch") this.forgetRegionPages(bank);
    }
  }

  debugForEach(space: SpaceLike, visit: (vpn: number, pfn: number, access: 0 | 1 | 2) => void): void {
    const bank = this.bankOf.get(space.id);
    if (bank === undefined) return;
    if (bank === this.current) this.debugForEachRunPage(visit);
    const tables = [
      [TLB_READ, DATA_ENTRIES, 0],
      [TLB_WRITE, DATA_ENTRIES, 1],
      [TLB_FETCH, FETCH_ENTRIES, 2],
    ] as const;
    for (const [offset, entries, access] of tables) {
      for (let i = 0; i < entries; i++) {
        const at = (TLB + bank * BANK_BYTES + offset) / 4 + i * ENTRY_WORDS;
        const [low, high] = [this.words[at], this.words[at + 1]];
        if (low === -1 && high === -1) continue;
        visit((low >>> 12) | (high << 20), this.words[at + PFN_WORD], access);
      }
    }
  }

  private debugForEachRunPage(visit: (vpn: number, pfn: number, access: 0 | 1) => void): void {
    const { words } = this;
    if (words[BASE_RUNS_USED / 4] === 0) return;
    for (let key = 2; key < 64; key++) {
      const at = (BASE_RUNS + key * RUN_BYTES) / 4;
      const vpn = (words[at] >>> 12) | (words[at + 1] << 20);
      const pages = Math.ceil(((words[at + RUN_LENGTH / 4] >>> 0) + words[at + RUN_LENGTH / 4 + 1] * 2 ** 32) / 4096);
      for (let i = 0; i < pages; i++) visit(vpn + i, words[at + RUN_PFN / 4] + i, (key & 1) as 0 | 1);
    }
  }

  private clearPage(bank: number, vpn: number): void {
    this.forgetBaseRuns();
    const base = (TLB + bank * BANK_BYTES) / 4;
    this.invalidate(base + TLB_READ / 4 + (vpn & (DATA_ENTRIES - 1)) * ENTRY_WORDS);
    this.invalidate(base + TLB_WRITE / 4 + (vpn & (DATA_ENTRIES - 1)) * ENTRY_WORDS);
    this.invalidate(base + TLB_FETCH / 4 + (vpn & (FETCH_ENTRIES - 1)) * ENTRY_WORDS);
    const page = this.words[base + REGION_PAGES / 4 + (vpn & (FETCH_ENTRIES - 1))];
    if (page === vpn || page === SEVERAL_PAGES) this.forgetRegionPages(bank);
  }

  private clearBank(bank: number): void {
    const first = (TLB + bank * BANK_BYTES) / 4;
    this.forgetBaseRuns();
    // NO_PAGE is -1, too.
    this.words.fill(-1, first, first + BANK_BYTES / 4);
    this.beginGeneration(bank);
  }

  private forgetBaseRuns(): void {
    const { words } = this;
    if (words[BASE_RUNS_USED / 4] === 0) return;
    words.fill(0, BASE_RUNS / 4, (BASE_RUNS + BASE_RUNS_BYTES) / 4);
  }

  /** Regions look for their pages in the fetch table again. */
  private forgetRegionPages(bank: number): void {
    const first = (TLB + bank * BANK_BYTES + REGION_PAGES) / 4;
    this.words.fill(NO_PAGE, first, first + FETCH_ENTRIES);
    this.beginGeneration(bank);
  }

  private beginGeneration(bank: number): void {
    this.generationOf[bank] = ++this.lastGeneration;
    if (bank === this.current) this.publishGeneration();
  }

  private invalidate(at: number): void {
    this.words[at] = -1;
    this.words[at + 1] = -1;
    this.words[at + PFN_WORD] = -1;
  }
}
