// Takes whole states of a machine and puts them back: RAM page by page, the hart's registers, the swap device, and the graph of the
// kernel's objects. Each state shares with the others what did not change. When to take one is timeline.ts.
import type { HartState } from "../../cpu/hart.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FRAME_FREE, FRAME_PAGE_TABLE } from "../../mm/frame-table.ts";
import { type Memento, MementoKeeper, type MementoScope, mementoBytes } from "./memento.ts";
import type { MemorySwap } from "./memory-swap.ts";
import type { Moment } from "./moment.ts";
import { type Page, PageVector, PageVectorEditor } from "./page-vector.ts";

const PAGE_WORDS = 1024;

export interface Snapshot {
  readonly moment: Moment;
  /** Inputs that had been delivered. */
  readonly inputs: number;
  readonly ram: PageVector;
  readonly swap: PageVector | null;
  readonly hart: HartState;
  readonly graph: Memento;
}

export class Snapshots {
  private readonly kernel: Kernel;
  private readonly keeper: MementoKeeper;
  private readonly roots: readonly object[];
  private readonly swap: MemorySwap | null;
  private readonly words: Int32Array;
  /** The pages of the latest state taken or put back. */
  private ram: PageVector;
  /** Page tables of that state: their entries change without a word, and one that is free now may have lost some before. */
  private tables: readonly number[] = [];

  /** For tests: make sure that frames which do not count as written were not. */
  private readonly verifies: boolean;

  constructor(
    kernel: Kernel,
    roots: readonly object[],
    scope: MementoScope,
    swap: MemorySwap | null,
    verifies: boolean,
  ) {
    this.verifies = verifies;
    kernel.hart.tlb.trackWrites(kernel.mm.frames.frameCount);
    this.kernel = kernel;
    this.roots = roots;
    this.keeper = new MementoKeeper(scope);
    this.swap = swap;
    const { bytes, frameCount } = kernel.mm.memory;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, frameCount * PAGE_WORDS);
    this.ram = PageVector.empty(frameCount);
  }

  take(moment: Moment, inputs: number): Snapshot {
    const graph = this.keeper.take(this.roots);
    this.ram = this.takeRam();
    this.tables = this.pageTables();
    const hart = this.kernel.hart.save();
    return { moment, inputs, ram: this.ram, swap: this.swap?.contents ?? null, hart, graph };
  }

  restore(snapshot: Snapshot): void {
    const { kernel } = this;
    const changed = this.changedFrames();
    this.keeper.restore(snapshot.graph);
    this.restoreRam(snapshot.ram, changed);
    this.tables = this.pageTables();
    if (this.swap !== null) this.swap.contents = snapshot.swap as PageVector;
    kernel.hart.restore(snapshot.hart);
  }

  private takeRam(): PageVector {
    const { kind, frameCount } = this.kernel.mm.frames;
    const { tlb } = this.kernel.hart;
    const written = tlb.writtenFrames();
    const editor = new PageVectorEditor(this.ram);
    for (let pfn = 0; pfn < frameCount; pfn++) {
      const known = editor.get(pfn);
      if (kind[pfn] === FRAME_FREE) {
        // What is in a free frame is nobody's business: whoever gets it writes it first.
        if (known !== null) editor.set(pfn, null);
      } else if (known === null || this.differs(pfn, known, written)) {
        editor.set(pfn, this.words.slice(pfn * PAGE_WORDS, (pfn + 1) * PAGE_WORDS));
      }
    }
    tlb.forgetWritten();
    return editor.finish();
  }

  private differs(pfn: number, known: Page, written: Uint8Array): boolean {
    if (written[pfn] !== 0 || this.kernel.mm.frames.kind[pfn] === FRAME_PAGE_TABLE) return !this.holds(pfn, known);
    if (this.verifies && !this.holds(pfn, known)) throw new Error(`frame ${pfn} was written unnoticed`);
    return false;
  }

  private pageTables(): number[] {
    const { kind, frameCount } = this.kernel.mm.frames;
    const tables: number[] = [];
    for (let pfn = 0; pfn < frameCount; pfn++) if (kind[pfn] === FRAME_PAGE_TABLE) tables.push(pfn);
    return tables;
  }

  /** Frames that may differ from the latest state. */
  private changedFrames(): Set<number> {
    const changed = new Set([...this.tables, ...this.pageTables()]);
    this.kernel.hart.tlb.writtenFrames().forEach((written, pfn) => {
      if (written !== 0) changed.add(pfn);
    });
    return changed;
  }

  private restoreRam(ram: PageVector, changed: ReadonlySet<number>): void {
    const { tlb } = this.kernel.hart;
    const put = (pfn: number): void => {
      const page = ram.get(pfn);
      if (page === null || this.holds(pfn, page)) return;
      this.words.set(page, pfn * PAGE_WORDS);
      tlb.frameChanged(pfn);
    };
    for (const pfn of changed) put(pfn);
    this.ram.differences(ram, put);
    tlb.forgetWritten();
    this.ram = ram;
  }

  private holds(pfn: number, page: Page): boolean {
    const { words } = this;
    const at = pfn * PAGE_WORDS;
    for (let i = 0; i < PAGE_WORDS; i++) if (words[at + i] !== page[i]) return false;
    return true;
  }
}

/** Host memory that a set of snapshots takes together, in bytes. */
export function snapshotBytes(snapshots: readonly Snapshot[]): number {
  const pages = new Set<Page>();
  const seen = new Set<object>();
  for (const { ram, swap } of snapshots) {
    ram.collect(pages, seen);
    swap?.collect(pages, seen);
  }
  return pages.size * (PAGE_WORDS * 4 + 96) + mementoBytes(snapshots.map((s) => s.graph));
}
