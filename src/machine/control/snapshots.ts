// Takes whole states of a machine and puts them back: RAM page by page, the hart's registers, the swap device, and the graph of the
// kernel's objects. Each state shares with the others what did not change. When to take one is timeline.ts.
import type { HartState } from "../../cpu/hart.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FRAME_FREE } from "../../mm/frame-table.ts";
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

  constructor(kernel: Kernel, roots: readonly object[], scope: MementoScope, swap: MemorySwap | null) {
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
    const hart = this.kernel.hart.save();
    return { moment, inputs, ram: this.ram, swap: this.swap?.contents ?? null, hart, graph };
  }

  restore(snapshot: Snapshot): void {
    const { kernel } = this;
    this.keeper.restore(snapshot.graph);
    this.restoreRam(snapshot.ram);
    if (this.swap !== null) this.swap.contents = snapshot.swap as PageVector;
    kernel.hart.restore(snapshot.hart);
  }

  private takeRam(): PageVector {
    const { kind, frameCount } = this.kernel.mm.frames;
    const editor = new PageVectorEditor(this.ram);
    for (let pfn = 0; pfn < frameCount; pfn++) {
      const known = editor.get(pfn);
      if (kind[pfn] === FRAME_FREE) {
        // What is in a free frame is nobody's business: whoever gets it writes it first.
        if (known !== null) editor.set(pfn, null);
      } else if (known === null || !this.holds(pfn, known)) {
        editor.set(pfn, this.words.slice(pfn * PAGE_WORDS, (pfn + 1) * PAGE_WORDS));
      }
    }
    return editor.finish();
  }

  private restoreRam(ram: PageVector): void {
    const { tlb, mm } = { tlb: this.kernel.hart.tlb, mm: this.kernel.mm };
    for (let pfn = 0; pfn < mm.frames.frameCount; pfn++) {
      const page = ram.get(pfn);
      if (page === null || this.holds(pfn, page)) continue;
      this.words.set(page, pfn * PAGE_WORDS);
      tlb.frameChanged(pfn);
    }
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
