// Translates a region (blocks.ts) into a wasm function: registers in locals, structured control flow (structure.ts), a
// dispatcher for entries and indirect jumps, calls of other regions of the module. The module is region-module.ts's business.
//
//   region(fuel i32, entry i64, base i64, depth i32) -> i32     entry: byte offset of the instruction to begin with, one of `entries`
//   answers an exit reason or REGION_CONTINUE; PC, FUEL_LEFT and the registers are in memory then.
import { EXIT_FUEL } from "../exits.ts";
import type { FloatHelpers } from "../isa/float-helpers.ts";
import { SEMANTICS } from "../isa/semantics.ts";
import { isPure } from "../isa/table.ts";
import {
  BANK_POINTER,
  FUEL_LEFT,
  GENERATION,
  LAST_SITE,
  MISS_BYTES,
  MISS_COUNT,
  MISS_RING,
  MISSES,
  MOST_REGION_SITES,
  PC,
  REGION_FRAMES,
  REGION_SITE_BYTES,
  REGION_SITES,
  TLB_READ,
  TLB_WRITE,
} from "../layout.ts";
import type { FunctionBuilder, Label } from "../wasm/builder.ts";
import { I32, I64, VOID } from "../wasm/opcodes.ts";
import type { Block, BlockInstruction, CodeGraph } from "./blocks.ts";
import { type BaseRegisters, baseRegisters, findLoops } from "./loops.ts";
import { findScopes, type Scope } from "./residence.ts";
import { DISPATCHER, type Structure, structure } from "./structure.ts";
import { type Leaves, REGION_CONTINUE, TranslatorEmitter } from "./translator-emitter.ts";

/** In the place of a jump's offset: there is no jump. */
const FALLING = Number.NEGATIVE_INFINITY;

export const REGION_PARAMS = [I32, I64, I64, I32] as const;
/** Regions that call each other, at most: the host's stack is bounded. */
const MOST_DEPTH = 100;
export const REGION_RESULTS = [I32] as const;

/** Below this many targets the dispatcher compares one by one. */
const FEW_TARGETS = 4;

/** A place of another region of the module: the region's number, and an offset of its `entries`. */
export interface Goal {
  readonly region: number;
  readonly offset: number;
}

/** Offsets at which a region can be entered in any case; structure() may find more. */
export function entriesOf(graph: CodeGraph, root: number, isKept: boolean): Set<number> {
  const entries = new Set([root]);
  // Kept regions are entered behind their calls, too.
  const isReturnedTo = isKept || [...graph.blocks.values()].some((block) => block.end.kind === "indirect");
  if (!isReturnedTo) return entries;
  for (const at of graph.indirectTargets) if (graph.blocks.get(at)?.instructions.length) entries.add(at);
  return entries;
}

/** What a region knows of its module: numbers of globals, functions and types. */
export interface Surroundings {
  /** Global, and the distance of this region's block from the address there. */
  readonly blocks: number;
  readonly block: number;
  readonly pages: readonly number[];
  /** Globals, as `pages`: the GENERATION in which the page was found to be mapped to its frame. */
  readonly found: readonly number[];
  /** Function (memory-functions.ts). */
  readonly isRegionPage: number;
  readonly regionType: number;
  /** By number of the region. */
  readonly functions: readonly number[];
  readonly isKept: boolean;
  readonly goalAt: (offset: number) => Goal | null;
}

export class RegionBuilder {
  private readonly f: FunctionBuilder;
  private readonly e: TranslatorEmitter;
  /** Node 0 is the dispatcher; blocks are numbered from 1. */
  private readonly blocks: (Block | null)[] = [null];
  private readonly nodeOf = new Map<number, number>();
  private readonly shape: Structure;
  private readonly scopes: readonly (Scope | null)[];
  private readonly bases: BaseRegisters;
  private readonly leavesOf = new Map<Scope | null, Leaves>();
  private readonly graph: CodeGraph;
  private readonly loopLabels: Label[] = [];
  private readonly blockLabels: Label[] = [];
  /** i64 local: offset of the block to dispatch to. */
  private readonly target: number;
  /** i64 local: offset of the indirect jump that leads to the dispatcher; i32 local: address of its site, or 0. */
  private readonly jump: number;
  private readonly site: number;
  private readonly module: Surroundings;
  siteCount = 0;
  /** Leaves the function as the region that was called did. */
  private propagateLabel!: Label;
  private node = 0;

  constructor(
    f: FunctionBuilder,
    graph: CodeGraph,
    entry: number,
    module: Surroundings,
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
    this.site = f.local(I32);
    for (const block of graph.blocks.values()) {
      this.nodeOf.set(block.start, this.blocks.length);
      this.blocks.push(block);
    }
    const targets = new Set([...entriesOf(graph, entry, module.isKept)].map((at) => this.nodeOf.get(at)!));
    const successors = this.blocks.map((block) => this.successors(block));
    this.shape = structure(successors, targets);
    const calls = this.blocks.map((block) => this.returnOf(block) !== null);
    const loops = findLoops(this.shape, successors);
    this.scopes = findScopes(loops, this.blocks, calls, graph.instructionCount);
    this.bases = baseRegisters(loops, this.blocks);
  }

  private successors(block: Block | null): number[] {
    switch (block?.end.kind) {
      case "jump":
        return this.nodesAt([block.end.to, this.returnOf(block)]);
      case "branch":
        return [this.nodeOf.get(block.end.next)!, this.nodeOf.get(block.end.taken)!];
      case "indirect":
        return [DISPATCHER, ...this.nodesAt([block.end.likely, this.returnOf(block)])];
      default:
        return [];
    }
  }

  private nodesAt(offsets: readonly (number | null)[]): number[] {
    return offsets.filter((at) => at !== null).map((at) => this.nodeOf.get(at)!);
  }

  /** Where a call at the block's end that another region may take returns to; null: there is no such call. */
  private returnOf(block: Block | null): number | null {
    const last = block?.instructions[block.instructions.length - 1];
    if (!block || !last) return null;
    const { end } = block;
    const isCall =
      end.kind === "jump"
        ? last.row!.format === "J" && last.rd !== 0 && this.goalAt(end.to) !== null
        : end.kind === "indirect" && this.module.isKept && isLink(last.rd);
    return isCall ? last.at + last.lengthBytes : null;
  }

  /** The other region that has the code at the beginning of a block that only leaves. */
  private goalAt(offset: number): Goal | null {
    return this.graph.blocks.get(offset)!.instructions.length === 0 ? this.module.goalAt(offset) : null;
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
    f.block(VOID, (propagate) => {
      this.propagateLabel = propagate;
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
    });
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
    // In front of the loop, not in each of its turns.
    if (node !== DISPATCHER) this.checkPages(node, 0);
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
    if (!this.shape.isLoop[node]) this.checkPages(node, pending);
    e.leaves = this.leavesOf.get(this.scopes[node])!;
    e.steady = this.bases.steady[node];
    e.roaming = this.bases.roaming[node];
    e.beginBlock(block.instructions);
    for (const instruction of block.instructions) {
      e.instruction = instruction;
      e.pending = pending;
      pending++;
      const { name } = instruction.row!;
      if (name === "fence" || name === "fence.i") continue;
      if (!isPure(instruction.row!)) e.storeWritten();
      else if (instruction.rd === 0) continue;
      SEMANTICS[name](e);
    }
    const last = block.instructions[block.instructions.length - 1];
    const jumps =
      last !== undefined && (last.row!.format === "B" || last.row!.format === "J" || last.row!.name === "jalr");
    if (jumps) return;
    e.endBlock();
    if (block.end.kind === "jump") this.goTo(node, block.end.to, FALLING, pending);
    else if (block.end.kind === "leave") this.leave(node, block.end.at, pending);
  }

  /** Control leaves the region; another one may have what comes next. */
  private leave(node: number, at: number, pending: number): void {
    const goal = this.module.goalAt(at);
    if (goal !== null) {
      this.e.spend(pending);
      pending = 0;
      this.callGoal(node, at, goal, () => this.goOnBehindTransfer());
    }
    this.e.leave(REGION_CONTINUE, at, pending);
  }

  /**
   * Around the call of another region, which is left out when too many wait already; fuel must be up to date. That region finds out
   * itself whether its pages are there: if not, control comes back from it with nothing done.
   */
  private aroundCall(node: number, call: (unable: Label) => void): void {
    const { f, e } = this;
    const { cached, leaves } = e;
    const scope = this.scopes[node];
    f.block(VOID, (unable) => {
      f.get(e.depth).i32(MOST_DEPTH).op("i32_ge_u").brIf(unable, false);
      if (scope !== null) e.storeRegisters(scope.written);
      call(unable);
    });
    e.cached = cached;
    e.leaves = leaves;
  }

  /** Runs the other region from its place `goal`, which is at this offset from here, and then `behind`. */
  private callGoal(node: number, to: number, goal: Goal, behind: () => void): void {
    const { f, e } = this;
    this.aroundCall(node, () => {
      f.get(e.fuelLocal).i64(goal.offset);
      e.address(to - goal.offset);
      f.get(e.depth).i32(1).op("i32_add").call(this.module.functions[goal.region]).set(e.status);
      behind();
    });
  }

  /** Runs the region where the jump of this site went last, if it is where npc leads now, and then `behind`. */
  private callSite(node: number, site: number, behind: () => void): void {
    const { f, e } = this;
    const { blocks, regionType } = this.module;
    const index = e.t2;
    this.aroundCall(node, (unable) => {
      f.globalGet(blocks).tee(e.t).mem("i32_load", site).tee(index).op("i32_eqz").brIf(unable, false);
      f.get(e.t)
        .mem("i64_load", site + 16)
        .get(e.npc)
        .op("i64_ne")
        .brIf(unable, false);
      f.get(e.fuelLocal)
        .get(e.t)
        .mem("i64_load", site + 8)
        .tee(e.va64);
      f.get(e.npc).get(e.va64).op("i64_sub").get(e.depth).i32(1).op("i32_add");
      f.get(index).callIndirect(regionType).set(e.status);
      behind();
    });
  }

  /** Behind another region: goes on with the budget that it left, unless the hart is to stop or code was dropped. */
  private takeOver(): void {
    const { f, e } = this;
    f.get(e.status).i32(REGION_CONTINUE).op("i32_ne").brIf(this.propagateLabel, false);
    f.i32(0).mem("i32_load", FUEL_LEFT).set(e.fuelLocal);
  }

  /** Behind a call of a region that was to return there. */
  private goOnBehindCall(node: number, returnsTo: number): void {
    const { f, e } = this;
    this.takeOver();
    f.i32(0).mem("i64_load", PC);
    e.address(returnsTo);
    f.op("i64_ne").brIf(this.propagateLabel, false);
    // Registers may be others now.
    e.cached = { x: 0, f: 0 };
    this.goTo(node, returnsTo, FALLING, 0);
  }

  /** Behind a region that control passed to without a call: it may have returned to what called code of this one. */
  private goOnBehindTransfer(): void {
    const { f, e } = this;
    if (!this.shape.isLoop[DISPATCHER]) {
      f.br(this.propagateLabel);
      return;
    }
    this.takeOver();
    const scope = this.scopes[DISPATCHER];
    if (scope !== null) e.loadRegisters(scope.used);
    f.i32(0).set(this.site);
    f.i32(0).mem("i64_load", PC).tee(e.npc).get(e.base).op("i64_sub").set(this.target).br(this.loopLabels[DISPATCHER]);
  }

  /** The end of a block by a direct jump instruction. */
  private finish(): void {
    const { node } = this;
    const { instruction, pending } = this.e;
    const block = this.blocks[node]!;
    this.e.endBlock();
    if (block.end.kind !== "jump") return;
    const returnsTo = this.returnOf(block);
    if (returnsTo === null) this.goTo(node, block.end.to, instruction.at, pending + 1);
    else this.call(node, instruction.at, block.end.to, returnsTo, pending + 1);
  }

  /** A call of code that another region has. */
  private call(node: number, from: number, to: number, returnsTo: number, pending: number): void {
    const { e } = this;
    e.spend(pending);
    if (to <= from) this.ifOutOfFuel(() => e.leave(EXIT_FUEL, to, 0));
    this.callGoal(node, to, this.module.goalAt(to)!, () => this.goOnBehindCall(node, returnsTo));
    e.leave(REGION_CONTINUE, to, 0);
  }

  /** A jump backwards or through a register looks at the budget (Hart.run); fuel is up to date. */
  private ifOutOfFuel(leave: () => void): void {
    const { f, e } = this;
    f.get(e.fuelLocal).i32(0).op("i32_le_s").if_(VOID, leave, undefined, false);
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
      e.spend(pending);
      pending = 0;
      this.ifOutOfFuel(() => e.leave(EXIT_FUEL, to, 0));
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
  private checkPages(node: number, pending: number): void {
    const { f, e } = this;
    const block = this.blocks[node]!;
    if (block.instructions.length === 0) return;
    e.leaves = this.leavesOf.get(this.scopes[node])!;
    const { blocks, block: own, pages, found, isRegionPage } = this.module;
    const generation = () => f.i32(0).mem("i64_load", GENERATION);
    for (const page of block.pages) {
      if (this.isChecked(node, page)) continue;
      const number = pages.indexOf(page);
      f.globalGet(found[number]);
      generation().op("i64_ne");
      const look = () => {
        // The distance, as the engine would compute the address itself for all pages whenever the region is entered.
        f.get(e.base).i64(page * 4096);
        f.globalGet(blocks)
          .mem("i32_load", own + REGION_FRAMES + 4 * number)
          .call(isRegionPage)
          .op("i32_eqz");
        f.if_(VOID, () => e.leave(REGION_CONTINUE, block.start, pending), undefined, false);
        generation().globalSet(found[number]);
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
    this.ifOutOfFuel(() => {
      this.passOn(node, DISPATCHER);
      this.leaveForNpc(EXIT_FUEL);
    });
    f.get(e.npc).get(e.base).op("i64_sub").set(this.target);
    if (end.kind === "indirect" && end.likely !== null) {
      const { likely } = end;
      f.get(this.target).i64(likely).op("i64_eq");
      f.if_(VOID, () => this.goTo(node, likely, FALLING, 0));
    }
    this.passOn(node, DISPATCHER);
    if (this.module.isKept) this.tryLastGoal(node, instruction);
    f.i64(instruction.at).set(this.jump).br(this.loopLabels[DISPATCHER]);
  }

  /** Calls the region where a jump through a register, to the address in npc, went last, if it goes there again. Returns do not. */
  private tryLastGoal(node: number, { rd, rs1 }: BlockInstruction): void {
    const { f } = this;
    const { blocks, block } = this.module;
    if ((isLink(rs1) && !isLink(rd)) || this.siteCount >= MOST_REGION_SITES) {
      f.i32(0).set(this.site);
      return;
    }
    const site = block + REGION_SITES + REGION_SITE_BYTES * this.siteCount++;
    const returnsTo = this.returnOf(this.blocks[node]!);
    this.callSite(node, site, () => {
      if (returnsTo === null) this.goOnBehindTransfer();
      else this.goOnBehindCall(node, returnsTo);
    });
    f.globalGet(blocks).i32(site).op("i32_add").set(this.site);
  }

  /** Leaves for the address in npc, which an indirect jump computed, and notes the jump if that is wanted. */
  private leaveUnknown(): void {
    const { f, e } = this;
    if (this.module.isKept) {
      f.i32(0).get(this.site).mem("i32_store", LAST_SITE);
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
    f.globalGet(this.module.blocks).mem("i32_store", MISS_RING);
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

/** Whether the register holds return addresses, by convention (RISC-V unprivileged manual, "Unconditional Jumps"). */
function isLink(register: number): boolean {
  return register === 1 || register === 5;
}
