// Runs an eviction policy of mm/policy over a reference string in a memory of a fixed number of pages, and counts faults. The policy is
// the very module that a live machine uses; frames here hold page numbers only.
//
// A policy with referenced() hears of every use and sees no A bits, as in its paper. Any other policy sees what a machine shows it:
// A bits, set by every use and so also by the instruction that is run again after its fault, together with its other pages.
import type { ReclaimPolicy } from "../mm/contracts.ts";
import { FrameTable } from "../mm/frame-table.ts";
import { makePolicy } from "../mm/policy/index.ts";
import type { Pfn } from "../util/brand.ts";
import {
  KIND_CODE,
  KIND_DATA,
  KIND_FILE,
  KIND_GONE,
  KIND_REPEAT,
  KIND_SILENT,
  KIND_STRADDLE,
  kindOf,
  pageOf,
  type ReferenceString,
} from "./reference-string.ts";

/** An instruction needs its pages at the same time; a policy that cannot keep them there so long is given up on. */
const MOST_RESTARTS = 64;

/** Counters of uses saturate at three, lists are in their final order after two. */
const QUIET_PERIODS = 4;

export interface SimulationResult {
  /** Pages brought in. */
  faults: number;
  evictions: number;
}

export class Simulation {
  private readonly string: ReferenceString;
  private readonly frames: FrameTable;
  private readonly policy: ReclaimPolicy;
  private readonly seesAll: boolean;
  private readonly frameOf: Int32Array;
  private readonly holds: Int32Array;
  private readonly free: number[] = [];
  private readonly accessedBits: Uint8Array;
  private readonly accessed: (pfn: Pfn) => boolean;
  faults = 0;
  evictions = 0;
  /** Pages of the running instruction: code, its second page, and data used before. 0: none. */
  private code = 0;
  private straddle = 0;
  private data = 0;

  /** Throws RangeError for an unknown policy. `size` in pages, at least 1. */
  constructor(string: ReferenceString, policy: string, size: number, seed = 1) {
    this.string = string;
    this.frames = new FrameTable(size + 1);
    this.policy = makePolicy(policy, this.frames, seed);
    this.seesAll = this.policy.referenced !== undefined;
    this.frameOf = new Int32Array(string.pages + 1);
    this.holds = new Int32Array(size + 1);
    for (let pfn = size; pfn >= 1; pfn--) this.free.push(pfn);
    this.accessedBits = new Uint8Array(size + 1);
    this.accessed = (pfn) => {
      const was = this.accessedBits[pfn] !== 0;
      this.accessedBits[pfn] = 0;
      return was;
    };
  }

  run(): SimulationResult {
    const { entries } = this.string;
    for (let at = 0; at < entries.length; at++) {
      const kind = kindOf(entries[at]);
      if (kind === KIND_GONE) this.forget(pageOf(entries[at]));
      else if (kind === KIND_REPEAT) this.repeat(at);
      else this.step(pageOf(entries[at]), kind);
    }
    return { faults: this.faults, evictions: this.evictions };
  }

  private step(page: number, kind: number): void {
    const pfn = this.frameOf[page];
    if (pfn === 0) {
      this.bringIn(page);
      if (!this.seesAll) this.restart(page, kind);
    } else this.use(pfn, kind);
    this.follow(page, kind);
  }

  /** Periods left out: without a fault for a few of them there is none in the rest, and every mark is as it will be in the end. */
  private repeat(at: number): void {
    const { entries, repeats } = this.string;
    const row = 2 * pageOf(entries[at]);
    let quiet = 0;
    for (let left = repeats[row + 1]; left > 0 && quiet < QUIET_PERIODS; left--) {
      const before = this.faults;
      for (let i = at - repeats[row]; i < at; i++) this.step(pageOf(entries[i]), kindOf(entries[i]));
      quiet = this.faults === before ? quiet + 1 : 0;
    }
  }

  private use(pfn: number, kind: number): void {
    if (this.seesAll) this.policy.referenced!(pfn as Pfn);
    else if (kind === KIND_FILE) this.policy.activated(pfn as Pfn);
    else if (kind !== KIND_SILENT) this.accessedBits[pfn] = 1;
  }

  /** Which pages the instruction at hand has used so far. */
  private follow(page: number, kind: number): void {
    if (kind === KIND_CODE) {
      this.code = page;
      this.straddle = 0;
      this.data = 0;
    } else if (kind === KIND_STRADDLE) {
      this.straddle = page;
      this.data = 0;
    } else if (kind === KIND_DATA) this.data = page;
  }

  /** The instruction that faulted is fetched and run once more, from its beginning, until it has all its pages. */
  private restart(page: number, kind: number): void {
    if (kind === KIND_FILE || kind === KIND_SILENT) {
      this.use(this.frameOf[page], kind);
      return;
    }
    // A string without code references is one of plain uses.
    const isInstruction = this.code !== 0 && (kind === KIND_DATA || kind === KIND_STRADDLE);
    const needs = isInstruction ? [this.code, this.straddle, this.data, page] : [page];
    if (kind === KIND_STRADDLE) needs.splice(1, 2);
    for (let round = 0; round < MOST_RESTARTS; round++) {
      const missing = needs.find((one) => one !== 0 && !this.reach(one));
      if (missing === undefined) return;
      this.bringIn(missing);
    }
  }

  /** Uses the page if it is in memory. */
  private reach(page: number): boolean {
    const pfn = this.frameOf[page];
    if (pfn !== 0) this.accessedBits[pfn] = 1;
    return pfn !== 0;
  }

  private bringIn(page: number): void {
    this.faults++;
    if (this.free.length === 0) this.evict(page);
    const pfn = this.free.pop()!;
    this.frames.kind[pfn] = this.string.pageKinds[page];
    this.frameOf[page] = pfn;
    this.holds[pfn] = page;
    this.policy.inserted(pfn as Pfn, page);
  }

  private evict(coming: number): void {
    const pfn = this.policy.victim(this.accessed, coming);
    if (pfn === 0) throw new Error(`policy ${this.policy.name} has no victim in a full memory`);
    this.evictions++;
    this.release(pfn, true);
  }

  private forget(page: number): void {
    const pfn = this.frameOf[page];
    if (pfn !== 0) this.release(pfn as Pfn, false);
    if (this.data === page) this.data = 0;
    if (this.straddle === page) this.straddle = 0;
    if (this.code === page) this.code = 0;
  }

  private release(pfn: Pfn, evicted: boolean): void {
    const page = this.holds[pfn];
    this.policy.removed(pfn, page, evicted);
    this.frames.flags[pfn] = 0;
    this.accessedBits[pfn] = 0;
    this.frameOf[page] = 0;
    this.holds[pfn] = 0;
    this.free.push(pfn);
  }
}

/** Faults of `policy` with memory for `size` pages. */
export function simulate(string: ReferenceString, policy: string, size: number, seed = 1): number {
  return new Simulation(string, policy, size, seed).run().faults;
}
