// Translates a region (blocks.ts) into one wasm function: registers in locals, structured control flow (structure.ts), a
// dispatcher for entries and indirect jumps. Produces the bytes of a module; installing it is code-cache.ts's business.
//
//   region(fuel i32, entry i64, base i64) -> i32     entry: byte offset of the instruction to begin with, one of `entries`
//   answers an exit reason or REGION_CONTINUE; PC, FUEL_LEFT and the registers are in memory then.
//
// What differs from one place of the code to another is in globals that the module exports: `index`, the region's number in the
// ring of misses, and frameGlobal(page), the frame that a page must be mapped to. So one module serves many runs.
import { EXIT_FUEL } from "../exits.ts";
import { FloatHelpers, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "../isa/float-helpers.ts";
import { FLOAT_OPERATIONS } from "../isa/float-operations.ts";
import { SEMANTICS } from "../isa/semantics.ts";
import {
  BANK_POINTER,
  FCSR,
  FUEL_LEFT,
  GENERATION,
  MISS_BYTES,
  MISS_COUNT,
  MISS_RING,
  MISSES,
  PC,
  TLB_READ,
  TLB_WRITE,
} from "../layout.ts";
import { type FunctionBuilder, type Label, ModuleBuilder } from "../wasm/builder.ts";
import { I32, I64, VOID } from "../wasm/opcodes.ts";
import type { Block, CodeGraph } from "./blocks.ts";
import { findScopes, type Scope } from "./residence.ts";
import { DISPATCHER, type Structure, structure } from "./structure.ts";
import { type Leaves, REGION_CONTINUE, TranslatorEmitter } from "./translator-emitter.ts";

/** In the place of a jump's offset: there is no jump. */
const FALLING = Number.NEGATIVE_INFINITY;

/** Name of the global with the frame of the page at this number from the base page; -1: the page is not known yet. */
export function frameGlobal(page: number): string {
  return `frame ${page}`;
}

export interface Region {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Offsets from the base page at which the region can be entered. */
  readonly entries: readonly number[];
}

export const REGION_PARAMS = [I32, I64, I64] as const;
export const REGION_RESULTS = [I32] as const;

/** Below this many targets the dispatcher compares one by one. */
const FEW_TARGETS = 4;

export interface TranslateOptions {
  readonly memoryPages: number;
  /** Whether the interpreter exports a function of this name (some floating-point operations are inline only). */
  readonly isExported: (name: string) => boolean;
  /** Whether somebody translates the region again when it is left by indirect jumps too often. */
  readonly notesMisses: boolean;
}

export function translate(graph: CodeGraph, entry: number, options: TranslateOptions): Region {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", options.memoryPages, options.memoryPages);
  const shared = {
    mulhu: m.importFunction("env", "mulhu", [I64, I64], [I64]),
    slowLoad: m.importFunction("env", "slowLoad", [I64, I32], [I64]),
    slowStore: m.importFunction("env", "slowStore", [I64, I32, I64], []),
    translate: m.importFunction("env", "translate", [I64, I32], [I32]),
    readCsr: 0,
    writeCsr: 0,
  };
  const names = floatNames(graph);
  const called = [...names].filter((name) => options.isExported(`float:${name}`));
  const slow = names.size > 0 ? m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS) : 0;
  const floats = new FloatHelpers(m, { fcsr: FCSR, slow });
  floats.importFrom("env", called);
  const isRegionPage = m.importFunction("env", "isRegionPage", [I64, I64, I32], [I32]);
  const index = m.exportedGlobal("index", 0);
  const frames = new Map([...graph.frames.keys()].map((page) => [page, m.exportedGlobal(frameGlobal(page), -1)]));
  const found = new Map([...graph.frames.keys()].map((page) => [page, m.global(I64, -1)]));
  const f = m.function(REGION_PARAMS, REGION_RESULTS);
  m.export("region", f);
  const builder = new RegionBuilder(
    f,
    graph,
    entry,
    { index, frames, found, isRegionPage, notesMisses: options.notesMisses },
    shared,
    floats,
  );
  builder.emit();
  return { bytes: m.encode(), entries: builder.entries() };
}

function floatNames(graph: CodeGraph): Set<string> {
  const known = new Set(FLOAT_OPERATIONS.map(({ name }) => name));
  const names = new Set<string>();
  for (const block of graph.blocks.values()) {
    for (const { row } of block.instructions) if (known.has(row!.name)) names.add(row!.name);
  }
  return names;
}

/** Numbers of what the region's module has for itself. */
interface RegionModule {
  /** Globals: the region's number; by page, its frame, and the GENERATION in which it was found to be mapped to that. */
  readonly index: number;
  readonly frames: ReadonlyMap<number, number>;
  readonly found: ReadonlyMap<number, number>;
  /** Function (memory-functions.ts). */
  readonly isRegionPage: number;
  readonly notesMisses: boolean;
}

class RegionBuilder {
  private readonly f: FunctionBuilder;
  private readonly e: TranslatorEmitter;
  /** Node 0 is the dispatcher; blocks are numbered from 1. */
  private readonly blocks: (Block | null)[] = [null];
  private readonly nodeOf = new Map<number, number>();
  private readonly shape: Structure;
  private readonly scopes: readonly (Scope | null)[];
  private readonly leavesOf = new Map<Scope | null, Leaves>();
  private readonly graph: CodeGraph;
  private readonly loopLabels: Label[] = [];
  private readonly blockLabels: Label[] = [];
  /** i64 local: offset of the block to dispatch to. */
  private readonly target: number;
  /** i64 local: offset of the indirect jump that leads to the dispatcher. */
  private readonly jump: number;
  private readonly module: RegionModule;
  private node = 0;

  constructor(
    f: FunctionBuilder,
    graph: CodeGraph,
    entry: number,
    module: RegionModule,
    shared: TranslatorEmitter["shared"],
    floats: FloatHelpers,
  ) {
    this.f = f;
    this.graph = graph;
    this.module = module;
    this.e = new TranslatorEmitter(f, shared, floats, {
      branch: (condition) => this.branch(condition),
      jump: () => this.finish(),
      jumpTo: (target) => this.jumpTo(target),
    });
    this.target = f.local(I64);
    this.jump = f.local(I64);
    for (const block of graph.blocks.values()) {
      this.nodeOf.set(block.start, this.blocks.length);
      this.blocks.push(block);
    }
    const hasIndirect = [...graph.blocks.values()].some((block) => block.end.kind === "indirect");
    const targets = new Set([this.nodeOf.get(entry)!]);
    if (hasIndirect) {
      for (const site of graph.indirectTargets) {
        if (this.graph.blocks.get(site)?.instructions.length) targets.add(this.nodeOf.get(site)!);
      }
    }
    const successors = this.blocks.map((block) => this.successors(block));
    this.shape = structure(successors, targets);
    this.scopes = findScopes(this.shape, successors, this.blocks, graph.instructionCount);
  }

  private successors(block: Block | null): number[] {
    switch (block?.end.kind) {
      case "jump":
        return [this.nodeOf.get(block.end.to)!];
      case "branch":
        return [this.nodeOf.get(block.end.next)!, this.nodeOf.get(block.end.taken)!];
      case "indirect":
        return block.end.likely === null ? [DISPATCHER] : [DISPATCHER, this.nodeOf.get(block.end.likely)!];
      default:
        return [];
    }
  }

  /** Offsets of the blocks that the dispatcher reaches. */
  entries(): number[] {
    return this.shape.targets
      .map((node) => this.blocks[node]!)
      .filter((b) => b.instructions.length > 0)
      .map((b) => b.start);
  }

  emit(): void {
    const { f, e } = this;
    f.block(VOID, (exit) => {
      e.exitLabel = exit;
      e.withLeaves(null, (leaves) => {
        this.leavesOf.set(null, leaves);
        f.i32(0).mem("i32_load", BANK_POINTER).i32(TLB_READ).op("i32_add").tee(e.tlbRead);
        f.i32(TLB_WRITE - TLB_READ)
          .op("i32_add")
          .set(e.tlbWrite);
        f.get(e.entryOffset).set(this.target);
        this.tree(DISPATCHER, 0);
      });
    });
    f.i32(0).get(e.npc).mem("i64_store", PC);
    f.i32(0).get(e.fuelLocal).mem("i32_store", FUEL_LEFT);
    f.get(e.status);
  }

  /** The subtree of the dominator tree below `node`; `pending` instructions are not taken off fuel yet. */
  private tree(node: number, pending: number): void {
    const scope = this.scopes[node];
    if (scope?.header !== node) {
      this.subtree(node, pending);
      return;
    }
    this.makeResident(scope);
    this.e.withLeaves(scope.written, (leaves) => {
      this.leavesOf.set(scope, leaves);
      this.subtree(node, pending);
    });
  }

  private subtree(node: number, pending: number): void {
    if (!this.shape.isLoop[node]) {
      this.within(node, this.shape.merges[node], 0, pending);
      return;
    }
    this.e.spend(pending);
    this.f.loop(VOID, (label) => {
      this.loopLabels[node] = label;
      this.within(node, this.shape.merges[node], 0, 0);
    });
  }

  /** The node itself inside the blocks whose ends are its merge children from number `i` on. */
  private within(node: number, merges: readonly number[], i: number, pending: number): void {
    if (i === merges.length) {
      if (node === DISPATCHER) this.dispatch();
      else this.body(node, pending);
      return;
    }
    this.f.block(VOID, (label) => {
      this.blockLabels[merges[i]] = label;
      this.within(node, merges, i + 1, pending);
    });
    this.resumeAt(merges[i]);
    this.tree(merges[i], 0);
  }

  /** At the head of a scope. */
  private makeResident({ used }: Scope): void {
    const { e } = this;
    e.loadRegisters({ x: used.x & ~e.cached.x, f: used.f & ~e.cached.f });
  }

  /** What locals hold at the beginning of a node that is branched to. */
  private resumeAt(node: number): void {
    const scope = this.scopes[node];
    this.e.cached = scope === null || scope.header === node ? { x: 0, f: 0 } : { ...scope.used };
  }

  /** Control is about to pass from one node to another: behind a scope memory must be up to date. */
  private passOn(node: number, next: number): void {
    const scope = this.scopes[node];
    if (scope !== null && scope !== this.scopes[next]) this.e.storeRegisters(scope.written);
  }

  private body(node: number, pending: number): void {
    const block = this.blocks[node]!;
    const { e } = this;
    this.node = node;
    e.leaves = this.leavesOf.get(this.scopes[node])!;
    if (block.instructions.length > 0) this.checkPages(node, block, pending);
    e.beginBlock(block.instructions);
    for (const instruction of block.instructions) {
      e.instruction = instruction;
      e.pending = pending;
      pending++;
      const { name, match } = instruction.row!;
      if (name === "fence" || name === "fence.i") continue;
      if (!isPure(match)) e.storeWritten();
      else if (instruction.rd === 0) continue;
      SEMANTICS[name](e);
    }
    const last = block.instructions[block.instructions.length - 1];
    const jumps =
      last !== undefined && (last.row!.format === "B" || last.row!.format === "J" || last.row!.name === "jalr");
    if (jumps) return;
    e.endBlock();
    if (block.end.kind === "jump") this.goTo(node, block.end.to, FALLING, pending);
    else if (block.end.kind === "leave") e.leave(REGION_CONTINUE, block.end.at, pending);
  }

  /** The end of a block by a direct jump instruction. */
  private finish(): void {
    const { instruction, pending } = this.e;
    const block = this.blocks[this.node]!;
    this.e.endBlock();
    if (block.end.kind === "jump") this.goTo(this.node, block.end.to, instruction.at, pending + 1);
  }

  private branch(condition: () => void): void {
    const { node } = this;
    const { instruction, pending } = this.e;
    const end = this.blocks[node]!.end;
    if (end.kind !== "branch") throw new Error("a branch ends its block");
    if (end.taken === end.next) {
      this.e.endBlock();
      this.goTo(node, end.next, FALLING, pending + 1);
      return;
    }
    condition();
    this.e.endBlock();
    this.f.if_(VOID, () => this.goTo(node, end.taken, instruction.at, pending + 1));
    this.goTo(node, end.next, FALLING, pending + 1);
  }

  /** Control passes to the block at `to`: by a jump at `from`, or by falling through. Offsets can lie before the base page. */
  private goTo(node: number, to: number, from: number, pending: number): void {
    const { f, e, shape } = this;
    const next = this.nodeOf.get(to)!;
    const { cached, leaves } = e;
    e.cached = { ...cached };
    if (to <= from) {
      // A jump backwards looks at the budget (Hart.run).
      e.spend(pending);
      pending = 0;
      f.get(e.fuelLocal)
        .i32(0)
        .op("i32_le_s")
        .if_(VOID, () => e.leave(EXIT_FUEL, to, 0), undefined, false);
    }
    if (shape.viaDispatcher(node, next)) {
      this.passOn(node, DISPATCHER);
      e.spend(pending);
      f.i64(to).set(this.target).br(this.loopLabels[DISPATCHER]);
    } else if (shape.order[next] <= shape.order[node]) {
      this.passOn(node, next);
      e.spend(pending);
      f.br(this.loopLabels[next]);
    } else if (shape.isMerge[next]) {
      this.passOn(node, next);
      e.spend(pending);
      f.br(this.blockLabels[next]);
    } else {
      this.passOn(node, next);
      this.tree(next, pending);
    }
    e.cached = cached;
    e.leaves = leaves;
  }

  /** Leaves unless the pages of the block that no dominator has checked are mapped as they were. */
  private checkPages(node: number, block: Block, pending: number): void {
    const { f, e, graph } = this;
    if (graph.frames.size === 1) return;
    const { frames, found, isRegionPage } = this.module;
    const generation = () => f.i32(0).mem("i64_load", GENERATION);
    for (const page of block.pages) {
      if (this.isChecked(node, page)) continue;
      f.globalGet(found.get(page)!);
      generation().op("i64_ne");
      const look = () => {
        // The distance, as the engine would compute the address itself for all pages whenever the region is entered.
        f.get(e.base).i64(page * 4096);
        f.globalGet(frames.get(page)!).call(isRegionPage).op("i32_eqz");
        f.if_(VOID, () => e.leave(REGION_CONTINUE, block.start, pending), undefined, false);
        generation().globalSet(found.get(page)!);
      };
      f.if_(VOID, look, undefined, false);
    }
  }

  private isChecked(node: number, page: number): boolean {
    for (let up = this.shape.dominator[node]; up !== DISPATCHER; up = this.shape.dominator[up]) {
      const block = this.blocks[up]!;
      if (block.instructions.length > 0 && block.pages.includes(page)) return true;
    }
    return false;
  }

  /** The end of a block by a jump through a register. */
  private jumpTo(address: number): void {
    const { f, e, node } = this;
    const { instruction, pending } = e;
    const { end } = this.blocks[node]!;
    e.endBlock();
    f.get(address).set(e.npc);
    e.spend(pending + 1);
    const outOfFuel = () => {
      this.passOn(node, DISPATCHER);
      this.leaveForNpc(EXIT_FUEL);
    };
    f.get(e.fuelLocal).i32(0).op("i32_le_s").if_(VOID, outOfFuel, undefined, false);
    f.get(e.npc).get(e.base).op("i64_sub").set(this.target);
    if (end.kind === "indirect" && end.likely !== null) {
      const { likely } = end;
      f.get(this.target).i64(likely).op("i64_eq");
      f.if_(VOID, () => this.goTo(node, likely, FALLING, 0));
    }
    this.passOn(node, DISPATCHER);
    f.i64(instruction.at).set(this.jump).br(this.loopLabels[DISPATCHER]);
  }

  /** Leaves for the address in npc, which an indirect jump computed, and notes the jump if that is wanted. */
  private leaveUnknown(): void {
    const { f, e } = this;
    if (!this.module.notesMisses) {
      this.leaveForNpc(REGION_CONTINUE);
      return;
    }
    f.i32(0).i32(0).mem("i32_load", MISS_COUNT).tee(e.t).i32(1).op("i32_add").mem("i32_store", MISS_COUNT);
    f.get(e.t)
      .i32(MISSES - 1)
      .op("i32_and")
      .i32(MISS_BYTES)
      .op("i32_mul")
      .tee(e.t);
    f.globalGet(this.module.index).mem("i32_store", MISS_RING);
    const values = [this.jump, e.npc, e.base];
    values.forEach((local, i) => {
      f.get(e.t)
        .get(local)
        .mem("i64_store", MISS_RING + 8 + 8 * i);
    });
    this.leaveForNpc(REGION_CONTINUE);
  }

  /** Leaves for the address in npc, on the way to the dispatcher or there; fuel is up to date. */
  private leaveForNpc(status: number): void {
    const { f, e } = this;
    const scope = this.scopes[DISPATCHER];
    if (scope !== null) e.storeRegisters(scope.written);
    f.i32(status).set(e.status).br(e.exitLabel);
  }

  /** Goes to the block whose offset is in `target`; npc holds the address for the case that there is none. */
  private dispatch(): void {
    const { f } = this;
    const nodes = this.shape.targets;
    const start = (node: number) => this.blocks[node]!.start;
    if (nodes.length === 1 && !this.shape.isLoop[DISPATCHER]) {
      f.br(this.blockLabels[nodes[0]]);
      return;
    }
    if (nodes.length <= FEW_TARGETS) {
      for (const node of nodes) f.get(this.target).i64(start(node)).op("i64_eq").brIf(this.blockLabels[node]);
      this.leaveUnknown();
      return;
    }
    const { size, shift } = bestHash(nodes.map(start));
    const groups = new Map<number, number[]>();
    for (const node of nodes) {
      const slot = (start(node) >>> shift) & (size - 1);
      groups.set(slot, [...(groups.get(slot) ?? []), node]);
    }
    f.block(VOID, (none) => {
      const slots: Label[] = new Array(size).fill(none);
      for (const slot of [...groups.keys()].reverse()) slots[slot] = f.open(0x02, VOID);
      f.get(this.target)
        .op("i32_wrap_i64")
        .i32(shift)
        .op("i32_shr_u")
        .i32(size - 1)
        .op("i32_and")
        .brTable(slots, none);
      for (const group of groups.values()) {
        f.close();
        for (const node of group) f.get(this.target).i64(start(node)).op("i64_eq").brIf(this.blockLabels[node]);
        f.br(none);
      }
    });
    this.leaveUnknown();
  }
}

/** Of the windows of bits that make twice as many slots as offsets, the one whose fullest slot is emptiest. */
function bestHash(offsets: readonly number[]): { size: number; shift: number } {
  const size = 2 ** Math.ceil(Math.log2(offsets.length * 2));
  let best = { shift: 1, fullest: Number.POSITIVE_INFINITY };
  for (let shift = 1; shift < 8; shift++) {
    const counts = new Map<number, number>();
    for (const offset of offsets) {
      const slot = (offset >>> shift) & (size - 1);
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
    const fullest = Math.max(...counts.values());
    if (fullest < best.fullest) best = { shift, fullest };
  }
  return { size, shift: best.shift };
}

/** Whether the instruction does nothing but write rd. */
function isPure(match: number): boolean {
  return [0x13, 0x33, 0x1b, 0x3b, 0x37, 0x17].includes(match & 0x7f);
}
