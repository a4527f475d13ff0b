// Finds the code of a region: basic blocks reached from one instruction by following branches, jumps and calls, over a few
// pages, as far as it was seen to run. Reads bytes; emits nothing.
import { type Decoded, decode, newDecoded } from "../isa/decode.ts";
import { MOST_REGION_PAGES } from "../layout.ts";

/** Where instructions are read from; addresses are byte offsets from the region's base page. */
export interface CodeSource {
  /** PFN of the page at this page number relative to the base, or -1 when it is not executable now. */
  frame(page: number): number;
  /** Whether the instruction at this offset of the frame is known to run often enough to be part of a region. */
  isHot(pfn: number, offset: number): boolean;
  /** Whether the instruction at this offset of the frame is the business of another region. */
  belongsElsewhere(pfn: number, offset: number): boolean;
  halfword(pfn: number, offset: number): number;
  /** Distances from the jump through a register at this offset of the frame to where it is known to go, the most frequent one first. */
  distances(pfn: number, offset: number): readonly number[];
}

/** Bounds of one region. */
export const MOST_INSTRUCTIONS = 600;
/** Shorter ones are not worth a module. */
export const LEAST_INSTRUCTIONS = 3;
/** A region that is still smaller takes in code that has a region already. */
const SMALL = 60;

export type Terminator =
  /** Falls or jumps to `to`; `call`: it is a call whose return site is in the region. */
  | { readonly kind: "jump"; readonly to: number }
  | { readonly kind: "branch"; readonly taken: number; readonly next: number }
  /** `likely`: where it goes most of the time, if that is in the region. */
  | { readonly kind: "indirect"; readonly likely: number | null }
  /** Goes on at `at` outside of the region. */
  | { readonly kind: "leave"; readonly at: number };

export interface BlockInstruction extends Readonly<Decoded> {
  /** Byte offset from the region's base page. */
  readonly at: number;
}

export interface Block {
  readonly start: number;
  readonly instructions: BlockInstruction[];
  end: Terminator;
  /** Relative page numbers whose mapping must be the expected one for the block to run. */
  readonly pages: number[];
}

export interface CodeGraph {
  readonly blocks: ReadonlyMap<number, Block>;
  /** Where jumps through registers may go: the instructions behind calls, and what was seen. */
  readonly indirectTargets: ReadonlySet<number>;
  readonly instructionCount: number;
  /** Relative page number -> PFN. */
  readonly frames: ReadonlyMap<number, number>;
}

/** Instructions that the interpreter runs: system, CSR and what is not an instruction. */
function isForeign(d: Decoded): boolean {
  if (d.row === null) return true;
  return d.row.format === "CSR" || d.row.format === "CSRI" || d.row.name === "ecall" || d.row.name === "ebreak";
}

class Explorer {
  private readonly source: CodeSource;
  readonly frames = new Map<number, number>();
  readonly instructions = new Map<number, BlockInstruction>();
  /** Offsets at which a block must begin. */
  readonly leaders = new Set<number>();
  readonly indirectTargets = new Set<number>();

  constructor(source: CodeSource) {
    this.source = source;
  }

  /** Breadth first, so that a bounded region holds what is near its entry. */
  explore(entry: number): void {
    const queue = [entry];
    this.leaders.add(entry);
    for (let i = 0; i < queue.length; i++) this.run(queue[i], queue);
  }

  private follow(to: number, queue: number[]): void {
    if (this.leaders.has(to)) return;
    this.leaders.add(to);
    // What another region has is not translated twice, unless the two are small enough to be one.
    if (this.instructions.size > SMALL && this.belongsElsewhere(to)) return;
    if (!this.instructions.has(to)) queue.push(to);
  }

  /** Decodes from `at` until control leaves the straight line or the code is known. */
  private run(at: number, queue: number[]): void {
    while (!this.instructions.has(at)) {
      const d = this.read(at);
      if (d === null || isForeign(d) || this.instructions.size >= MOST_INSTRUCTIONS) return;
      this.instructions.set(at, d);
      const next = at + d.lengthBytes;
      const format = d.row!.format;
      if (format === "B") {
        this.follow(next, queue);
        this.follow(at + d.imm, queue);
        return;
      }
      if (format === "J" || d.row!.name === "jalr") {
        // A call comes back, most likely: to the return site.
        if (d.rd !== 0) {
          this.indirectTargets.add(next);
          this.follow(next, queue);
        }
        if (format === "J") {
          // A function can be entered from outside, too.
          if (d.rd !== 0) this.indirectTargets.add(at + d.imm);
          this.follow(at + d.imm, queue);
        } else this.followSeen(at, queue);
        return;
      }
      at = next;
    }
    this.leaders.add(at);
  }

  private distances(at: number): readonly number[] {
    const page = Math.floor(at / 4096);
    return this.source.distances(this.frameAt(page), at - page * 4096);
  }

  private belongsElsewhere(at: number): boolean {
    const page = Math.floor(at / 4096);
    return this.source.belongsElsewhere(this.frameAt(page), at - page * 4096);
  }

  private followSeen(at: number, queue: number[]): void {
    for (const distance of this.distances(at)) {
      this.indirectTargets.add(at + distance);
      this.follow(at + distance, queue);
    }
  }

  /** Where the jump through a register at `at` goes most of the time, if the region has that. */
  likelyTarget(at: number): number | null {
    const [distance] = this.distances(at);
    return distance !== undefined && this.instructions.has(at + distance) ? at + distance : null;
  }

  /** The instruction at `at`, or null when it is not to be had. */
  private read(at: number): BlockInstruction | null {
    const page = Math.floor(at / 4096);
    const offset = at - page * 4096;
    const pfn = this.frameAt(page);
    if (pfn < 0 || !this.source.isHot(pfn, offset)) return null;
    const low = this.source.halfword(pfn, offset);
    let high = 0;
    if ((low & 3) === 3) {
      const second = offset < 4094 ? pfn : this.frameAt(page + 1);
      if (second < 0) return null;
      high = this.source.halfword(second, offset < 4094 ? offset + 2 : 0);
    }
    const d = newDecoded();
    decode((low | (high << 16)) >>> 0, d);
    return Object.assign(d, { at });
  }

  private frameAt(page: number): number {
    const known = this.frames.get(page);
    if (known !== undefined) return known;
    if (this.frames.size >= MOST_REGION_PAGES) return -1;
    const pfn = this.source.frame(page);
    if (pfn >= 0) this.frames.set(page, pfn);
    return pfn;
  }
}

function terminatorOf(d: BlockInstruction, explorer: Explorer): Terminator | null {
  const next = d.at + d.lengthBytes;
  switch (d.row!.format) {
    case "B":
      return { kind: "branch", taken: d.at + d.imm, next };
    case "J":
      return { kind: "jump", to: d.at + d.imm };
    default:
      return d.row!.name === "jalr" ? { kind: "indirect", likely: explorer.likelyTarget(d.at) } : null;
  }
}

/** The page numbers that an instruction lies in. */
function pagesOf(d: BlockInstruction): number[] {
  const first = Math.floor(d.at / 4096);
  const last = Math.floor((d.at + d.lengthBytes - 1) / 4096);
  return first === last ? [first] : [first, last];
}

/** Cuts the instructions into blocks: at leaders, and where the set of pages changes. */
function cut(explorer: Explorer): Map<number, Block> {
  const blocks = new Map<number, Block>();
  const queue = [...explorer.leaders];
  for (let i = 0; i < queue.length; i++) {
    const start = queue[i];
    if (blocks.has(start)) continue;
    const first = explorer.instructions.get(start);
    const block: Block = {
      start,
      instructions: [],
      end: { kind: "leave", at: start },
      pages: first ? pagesOf(first) : [],
    };
    blocks.set(start, block);
    for (let at = start; ; ) {
      const d = explorer.instructions.get(at);
      if (d === undefined) {
        block.end = { kind: "leave", at };
        break;
      }
      if (at !== start && (explorer.leaders.has(at) || pagesOf(d).join() !== block.pages.join())) {
        block.end = { kind: "jump", to: at };
        queue.push(at);
        break;
      }
      block.instructions.push(d);
      const end = terminatorOf(d, explorer);
      if (end !== null) {
        block.end = end;
        break;
      }
      at += d.lengthBytes;
    }
  }
  return blocks;
}

/** The code reached from `entry`; blocks without instructions only leave. */
export function findCode(source: CodeSource, entry: number): CodeGraph {
  const explorer = new Explorer(source);
  explorer.explore(entry);
  const { instructions, indirectTargets } = explorer;
  const blocks = cut(explorer);
  // Pages that were looked at, but have nothing in the region, are not its business.
  const pages = new Set([...blocks.values()].flatMap((block) => block.pages));
  const frames = new Map([...explorer.frames].filter(([page]) => pages.has(page)));
  return { blocks, indirectTargets, instructionCount: instructions.size, frames };
}
