// Translates what an earlier run was seen to execute (survey.ts), for the runs to come: chooses the instructions at which
// regions begin so that control is in regions as much as possible, and says of what each region was made.
import type { CompileModule } from "../compile-module.ts";
import { MOST_KEPT_REGIONS } from "../layout.ts";
import { type Block, type CodeGraph, findCode, LEAST_INSTRUCTIONS } from "./blocks.ts";
import type { KeptPage, KeptRegion } from "./kept-regions.ts";
import { entriesOf, type Goal } from "./region.ts";
import { translateTogether } from "./region-module.ts";
import { type CodeProfile, hashOf, MOST_DISTANCE_PAGES, type ProfiledPage } from "./survey.ts";

/** Translated instructions of one plan. */
const MOST_INSTRUCTIONS = 240_000;
/** A place is looked at if it is the goal of this share of all jumps. */
const WORTH_LOOKING = 2e-5;
/** Instructions that must have been run in a region for each of its own: loading it must not cost more than it saves. */
const WORTH_LOADING = 600;
/** Times an instruction must have been run to be part of a region. */
const WORTH_TRANSLATING = 100;
/** Jumps forwards mostly lie within what another jump leads to. */
const FORWARD_WEIGHT = 1 / 8;
/** A loop with this share of all jumps is entered in its middle, too: the hart stops now and then, and goes on there. */
const LONG_LOOP = 0.02;
/** What runs in a region that is entered, at least. */
const INSTRUCTIONS_PER_VISIT = 20;

/** What is kept for a program: regions that call each other, in one module. */
export interface TranslatedProgram {
  readonly regions: readonly KeptRegion[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A taken jump: places are page index * 4096 + offset. */
interface Edge {
  readonly to: number;
  /** Times it was taken, and what that says of its goal as the beginning of a region. */
  readonly count: number;
  readonly weight: number;
  /** Whether one region has the jump and its goal, which needs no region of its own for it. */
  isInside: boolean;
}

/** A region that shall be, and the place where it begins. */
interface Choice {
  readonly graph: CodeGraph;
  readonly root: number;
  /** Offsets from the base page at which it can be entered in any case. */
  readonly entries: ReadonlySet<number>;
}

/** The regions of a profile, for linear memory of so many pages and this compiler; null: nothing is worth one. */
export function translateAhead(
  profile: CodeProfile,
  memoryPages: number,
  compileModule: CompileModule,
): TranslatedProgram | null {
  const imports = new Set(profile.imports);
  const hashes = profile.pages.map(hashOf);
  const plan = new Plan(profile);
  const choices: Choice[] = [];
  for (let instructions = 0; instructions < MOST_INSTRUCTIONS && choices.length < MOST_KEPT_REGIONS; ) {
    const choice = plan.next();
    if (choice === null) break;
    plan.account(choice);
    choices.push(choice);
    instructions += choice.graph.instructionCount;
  }
  if (choices.length === 0) return null;
  const goals = goalsOf(choices);
  const sources = choices.map(({ graph, root }) => ({
    graph,
    root: root % 4096,
    goalAt: (offset: number) => goals.get(plan.goal(Math.floor(root / 4096), offset)) ?? null,
  }));
  const isExported = (name: string) => imports.has(name);
  const { bytes, regions } = translateTogether(sources, { memoryPages, isExported, compileModule });
  const kept = choices.map(({ graph, root }, i) => ({
    rootOffset: root % 4096,
    entryOffsets: regions[i].entries,
    siteCount: regions[i].siteCount,
    instructionCount: graph.instructionCount,
    pages: pagesOf(graph, profile.pages, hashes),
  }));
  return { regions: kept, bytes };
}

/** By place: the region that is entered there. One that begins there goes before others. */
function goalsOf(choices: readonly Choice[]): Map<number, Goal> {
  const goals = new Map<number, Goal>();
  choices.forEach(({ root }, region) => void goals.set(root, { region, offset: root % 4096 }));
  choices.forEach(({ graph, entries }, region) => {
    for (const offset of entries) {
      const place = placeOf(graph, offset);
      if (!goals.has(place)) goals.set(place, { region, offset });
    }
  });
  return goals;
}

class Plan {
  private readonly pages: readonly ProfiledPage[];
  /** By page: a layout that has it, and its page number there. */
  private readonly homes: ({ readonly layout: ReadonlyMap<number, number>; readonly vpn: number } | undefined)[] = [];
  /** By the place of the jump. */
  private readonly edges = new Map<number, Edge[]>();
  /** How much leads to a place from outside of the regions that there are. */
  private readonly weights = new Map<number, number>();
  /** Where regions can be entered. */
  private readonly entries = new Set<number>();
  /** Places that were looked at. */
  private readonly visited = new Set<number>();
  /** The instructions that are in regions. */
  private readonly translated = new Set<number>();
  private readonly least: number;
  /** Where long loops begin. */
  private readonly longLoops = new Set<number>();
  private readonly scale: number;

  constructor({ pages, layouts, scale }: CodeProfile) {
    this.scale = scale;
    this.pages = pages;
    for (const layout of [...layouts].sort((a, b) => b.size - a.size)) {
      for (const [vpn, page] of layout) this.homes[page] ??= { layout, vpn };
    }
    let total = 0;
    pages.forEach(({ jumps }, page) => {
      for (const [offset, distances] of jumps) {
        const edges: Edge[] = [];
        for (const [distance, count] of distances) {
          const to = this.goal(page, offset + distance);
          total += count;
          if (to < 0) continue;
          const isForward = distances.size === 1 && distance > 0 && distance < 4096;
          const weight = count * (isForward ? FORWARD_WEIGHT : 1);
          edges.push({ to, count, weight, isInside: false });
          this.add(to, weight);
        }
        this.edges.set(page * 4096 + offset, edges);
      }
    });
    this.least = total * WORTH_LOOKING;
    for (const [from, edges] of this.edges) {
      for (const { to, count } of edges) if (to < from && count > total * LONG_LOOP) this.longLoops.add(to);
    }
  }

  /** The place that is so far from the beginning of the page, or -1. */
  goal(page: number, offset: number): number {
    const distance = Math.floor(offset / 4096);
    const home = this.homes[page];
    const goal = distance === 0 ? page : home?.layout.get(home.vpn + distance);
    return goal === undefined ? -1 : goal * 4096 + offset - distance * 4096;
  }

  private visitsOf(place: number): number {
    return this.pages[Math.floor(place / 4096)].visits[(place % 4096) >> 1];
  }

  private add(place: number, weight: number): void {
    if (this.entries.has(place) || this.visited.has(place)) return;
    this.weights.set(place, (this.weights.get(place) ?? 0) + weight);
  }

  /** The code that should be a region next, and the place where that begins; null: there is no more that is worth it. */
  next(): Choice | null {
    for (;;) {
      let root = -1;
      let most = this.least;
      for (const [place, weight] of this.weights) {
        if (weight > most) {
          root = place;
          most = weight;
        }
      }
      if (root < 0) return null;
      this.weights.delete(root);
      this.visited.add(root);
      const graph = this.codeFrom(root);
      if (graph.instructionCount < LEAST_INSTRUCTIONS) continue;
      const work = Math.max(this.newWork(graph), most * INSTRUCTIONS_PER_VISIT);
      if (work * this.scale >= WORTH_LOADING * graph.instructionCount) {
        return { graph, root, entries: entriesOf(graph, root % 4096, true) };
      }
    }
  }

  /** Instructions that were seen to run of those that no other region has. */
  private newWork(graph: CodeGraph): number {
    let work = 0;
    for (const { instructions } of graph.blocks.values()) {
      for (const { at } of instructions) {
        const place = placeOf(graph, at);
        if (!this.translated.has(place)) work += this.visitsOf(place);
      }
    }
    return work;
  }

  /** What belongs to a region that begins there; its frames are page indices. */
  private codeFrom(root: number): CodeGraph {
    const rootPage = Math.floor(root / 4096);
    const home = this.homes[rootPage];
    const source = {
      frame: (page: number) =>
        page === 0 ? rootPage : Math.abs(page) > MOST_DISTANCE_PAGES ? -1 : (home?.layout.get(home.vpn + page) ?? -1),
      isHot: (page: number, offset: number) => this.pages[page].visits[offset >> 1] * this.scale >= WORTH_TRANSLATING,
      belongsElsewhere: (page: number, offset: number) => this.entries.has(page * 4096 + offset),
      halfword: (page: number, offset: number) =>
        this.pages[page].bytes[offset] | (this.pages[page].bytes[offset + 1] << 8),
      distances: (page: number, offset: number) =>
        [...(this.pages[page].jumps.get(offset) ?? [])].sort((a, b) => b[1] - a[1]).map(([distance]) => distance),
    };
    return findCode(source, root % 4096);
  }

  /**
   * The code is a region now, with these entries (offsets from the root's page). Jumps within it lead nowhere else any more; where it
   * is left, another one could begin.
   */
  account({ graph, root, entries }: Choice): void {
    const place = (at: number) => placeOf(graph, at);
    const starts = new Set<number>();
    for (const { start, instructions } of graph.blocks.values()) if (instructions.length > 0) starts.add(place(start));
    const enterable = new Set([...entries].map(place));
    for (const at of enterable) {
      this.entries.add(at);
      this.weights.delete(at);
    }
    for (const block of graph.blocks.values()) {
      for (const { at } of block.instructions) {
        this.translated.add(place(at));
        this.settle(place(at), block, starts, enterable);
      }
      if (block.end.kind !== "leave") continue;
      const goal = this.goal(Math.floor(root / 4096), block.end.at);
      if (goal < 0) continue;
      // No jump need lead there.
      this.add(goal, Math.max(0, this.visitsOf(goal) - (this.weights.get(goal) ?? 0)));
    }
  }

  private settle(from: number, block: Block, starts: ReadonlySet<number>, enterable: ReadonlySet<number>): void {
    for (const edge of this.edges.get(from) ?? []) {
      if (edge.isInside || this.longLoops.has(edge.to)) continue;
      if (!(block.end.kind === "indirect" ? enterable : starts).has(edge.to)) continue;
      edge.isInside = true;
      const weight = this.weights.get(edge.to);
      if (weight !== undefined) this.weights.set(edge.to, weight - edge.weight);
    }
  }
}

/** The place of what the region has at this offset; its frames are page indices. */
function placeOf({ frames }: CodeGraph, at: number): number {
  const page = Math.floor(at / 4096);
  return frames.get(page)! * 4096 + at - page * 4096;
}

/** The pages that the region has instructions in, with their bytes. */
function pagesOf({ blocks, frames }: CodeGraph, pages: readonly ProfiledPage[], hashes: readonly number[]): KeptPage[] {
  const isPart = new Map([...frames.keys()].map((page) => [page, new Uint8Array(4096)]));
  for (const { instructions } of blocks.values()) {
    for (const { at, lengthBytes } of instructions) {
      for (let i = at; i < at + lengthBytes; i++) {
        const page = Math.floor(i / 4096);
        isPart.get(page)![i - page * 4096] = 1;
      }
    }
  }
  return [...frames].map(([page, index]) => {
    const flags = isPart.get(page)!;
    const spans: number[] = [];
    for (let offset = flags.indexOf(1); offset >= 0; ) {
      const end = flags.indexOf(0, offset);
      spans.push(offset, (end < 0 ? 4096 : end) - offset);
      offset = end < 0 ? -1 : flags.indexOf(1, end);
    }
    return {
      page,
      hash: hashes[index],
      spans,
      bytes: pages[index].bytes.filter((_, offset) => flags[offset] === 1),
    };
  });
}
