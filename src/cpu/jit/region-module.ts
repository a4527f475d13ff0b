// Makes modules of regions: what they import and export, and where a region finds what is its own.
//
// What differs from one place of the code to another is in the region's block (layout.ts). A module has one region, or all that are
// kept for a program; the address of the first one's block is in the global `blocks` that it exports, the others' follow. So one module
// serves many runs. Regions of one module call each other: a call of the guest is one of the host then, and so is its return.
import type { CompileModule } from "../compile-module.ts";
import { FloatHelpers, SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS } from "../isa/float-helpers.ts";
import { FLOAT_OPERATIONS } from "../isa/float-operations.ts";
import { hasFusedMultiplyAdd, isFused } from "../isa/fused-multiply-add.ts";
import { FCSR, REGION_BLOCK_BYTES } from "../layout.ts";
import { ModuleBuilder } from "../wasm/builder.ts";
import { I32, I64 } from "../wasm/opcodes.ts";
import type { CodeGraph } from "./blocks.ts";
import { type Goal, REGION_PARAMS, REGION_RESULTS, RegionBuilder } from "./region.ts";

export interface Region {
  /** Offsets from the base page at which the region can be entered. */
  readonly entries: readonly number[];
  /** Page numbers from the base page, in the order of REGION_FRAMES. */
  readonly pages: readonly number[];
  /** REGION_SITES that it has. */
  readonly siteCount: number;
}

/** Regions of one module, which exports the functions region0, region1 ... */
export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly regions: readonly Region[];
}

export interface TranslateOptions {
  readonly memoryPages: number;
  /** Whether the interpreter exports a function of this name (some floating-point operations are inline only). */
  readonly isExported: (name: string) => boolean;
  /** What will compile the module. */
  readonly compileModule: CompileModule;
}

export interface RegionSource {
  readonly graph: CodeGraph;
  /** Offset of the instruction it is made for. */
  readonly root: number;
  /** The region that has the code at this offset, which is not in this one; null: none. */
  readonly goalAt: (offset: number) => Goal | null;
}

/** One region for itself: what it leaves for is noted (MISS_RING), and counts as its own what it ran. */
export function translate(graph: CodeGraph, root: number, options: TranslateOptions): RegionModule {
  return build([{ graph, root, goalAt: () => null }], false, options);
}

/** Regions that call each other and, by REGION_SITES, those of other modules. */
export function translateTogether(sources: readonly RegionSource[], options: TranslateOptions): RegionModule {
  return build(sources, true, options);
}

function build(sources: readonly RegionSource[], isKept: boolean, options: TranslateOptions): RegionModule {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", options.memoryPages, options.memoryPages);
  if (isKept) m.importTable("env", "regions", 1);
  const shared = {
    mulhu: m.importFunction("env", "mulhu", [I64, I64], [I64]),
    slowLoad: m.importFunction("env", "slowLoad", [I64, I32], [I64]),
    slowStore: m.importFunction("env", "slowStore", [I64, I32, I64], []),
    translate: m.importFunction("env", "translate", [I64, I32], [I32]),
    growRun: m.importFunction("env", "growRun", [I32, I32, I32], []),
    moveRun: m.importFunction("env", "moveRun", [I32, I32, I32], []),
    readCsr: 0,
    writeCsr: 0,
  };
  const names = new Set(sources.flatMap(({ graph }) => [...floatNames(graph)]));
  const called = [...names].filter((name) => options.isExported(`float:${name}`));
  const slow = names.size > 0 ? m.importFunction("env", "slowFloat", SLOW_FLOAT_PARAMS, SLOW_FLOAT_RESULTS) : 0;
  const floats = new FloatHelpers(m, {
    fcsr: FCSR,
    slow,
    hasFusedMultiplyAdd: [...names].some(isFused) && hasFusedMultiplyAdd(options.compileModule),
  });
  floats.importFrom("env", called);
  const isRegionPage = m.importFunction("env", "isRegionPage", [I64, I64, I32], [I32]);
  const blocks = m.exportedGlobal("blocks", 0);
  const regionType = m.typeIndex(REGION_PARAMS, REGION_RESULTS);
  const functions = sources.map(() => m.function(REGION_PARAMS, REGION_RESULTS));
  const indices = functions.map(({ index }) => index);
  const regions = sources.map(({ graph, root, goalAt }, number) => {
    m.export(`region${number}`, functions[number]);
    const pages = [...graph.frames.keys()];
    const found = pages.map(() => m.global(I64, -1));
    const block = number * REGION_BLOCK_BYTES;
    const module = { blocks, block, pages, found, isRegionPage, regionType, functions: indices, isKept, goalAt };
    const builder = new RegionBuilder(functions[number], graph, root, module, shared, floats);
    builder.emit();
    return { entries: builder.entries(), pages, siteCount: builder.siteCount };
  });
  return { bytes: m.encode(), regions };
}

const FLOAT_NAMES = new Set(FLOAT_OPERATIONS.map(({ name }) => name));

function floatNames(graph: CodeGraph): Set<string> {
  const names = new Set<string>();
  for (const block of graph.blocks.values()) {
    for (const { row } of block.instructions) if (FLOAT_NAMES.has(row!.name)) names.add(row!.name);
  }
  return names;
}
