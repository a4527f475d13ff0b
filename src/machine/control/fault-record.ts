// Takes down one fault as it is served: what the walk found, which area and object were asked, where the frame came from, what was
// evicted for it, and the page-table entry before and after. view/fault-story.ts turns a record into sentences.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { areaName, permissionsOf } from "../../kernel/vfs/procfs/maps.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import type { Access, FaultResult, FaultWatcher, MmTracer } from "../../mm/contracts.ts";
import { FRAME_FILE } from "../../mm/frame-table.ts";
import * as T from "../../mm/tracer.ts";
import type { Vma } from "../../mm/vma.ts";
import { kindOf } from "../inspect/areas.ts";
import { objectName } from "../inspect/objects.ts";
import { type DecodedPte, decodePte, type PageWalk, walkPageTable } from "../inspect/page-walk.ts";
import { pidsBySpace } from "../inspect/processes.ts";
import type { SymbolAt } from "../inspect/symbols.ts";

/** Kinds of faults by the row of the fault table (mm/fault.ts): FAULT_KINDS[4] is F4. */
export const FAULT_KINDS = [
  "",
  "segv-maperr",
  "segv-accerr",
  "zero-page",
  "demand-zero",
  "map-cached",
  "page-in",
  "copy-from-file",
  "copy-on-write",
  "shared-write",
  "swap-in",
  "bus-error",
  "stale-tlb",
] as const;
export type FaultKind = Exclude<(typeof FAULT_KINDS)[number], "">;

export const FAULT_RESULTS = [
  "minor",
  "major",
  "segv-maperr",
  "segv-accerr",
  "bus-adrerr",
  "out-of-memory",
  "io-error",
  "userfault",
] as const;

export interface VictimRecord {
  pfn: number;
  kind: "file" | "anonymous" | "shmem" | "lazily-freed";
  /** Written to its file or to swap before the frame was given away; false: it was clean and just dropped. */
  writtenOut: boolean;
  /** Swap slot it went to, or 0. */
  slot: number;
  /** File pages: name of the object and page of it. */
  object: { id: number; name: string; pageIndex: number } | null;
  /** Whose page it was: processes with a swap entry of it now, or areas that map the object's page. */
  owners: { pid: number; address: number }[];
}

export interface FaultRecord {
  /** Row of the fault table, 1..12; 0: out of memory or the device failed before a row was complete. */
  row: number;
  kind: FaultKind | "out-of-memory" | "io-error" | "userfault";
  result: (typeof FAULT_RESULTS)[number];
  instructions: number;
  pid: number;
  tid: number;
  process: string;
  spaceId: number;
  /** The instruction that faulted (of a system call: the one behind it), and what it lies in. */
  pc: number;
  symbol: SymbolAt | null;
  /** Name of the system call on whose behalf the kernel touched the page; null: the program's own instruction did. */
  syscall: string | null;
  address: number;
  vpn: number;
  access: "read" | "write" | "execute";
  walk: PageWalk;
  before: DecodedPte;
  after: DecodedPte;
  area: { start: number; end: number; permissions: string; name: string; kind: "anonymous" | "file" | "shmem" } | null;
  /** The leaf page table was shared since a fork, and the process got a copy of it. */
  tableCopied: boolean;
  /** A stack grew down to the address: pages it grew by. */
  grownPages: number;
  /** The object asked, the page of it, and whether that was in the page cache. */
  object: { id: number; name: string; pageIndex: number; sizeBytes: number; wasCached: boolean } | null;
  /** The frame mapped now, and where it came from; null: none was mapped. */
  frame: { pfn: number; source: FrameSource } | null;
  /** Frame whose contents were copied, or 0. */
  copiedFrom: number;
  /** Swap slot that was consulted, or 0. */
  slot: number;
  /** The page came from a device: file or swap. */
  waited: boolean;
  /** Pages of the file that were read along with it. */
  readAlong: number;
  /** Cached neighbours mapped along. */
  neighbours: number;
  victims: VictimRecord[];
  /** Counters of the address space after it. */
  counters: { minor: number; major: number; copies: number };
}

export type FrameSource = "free" | "zero-frame" | "page-cache" | "file" | "swap" | "swap-cache" | "kept";

const ACCESSES = ["read", "write", "execute"] as const;
const LAST_ROW = T.TRACE_STALE_TLB;

/** What is known when the fault begins. */
interface Beginning {
  space: AddressSpace;
  address: number;
  access: Access;
  walk: PageWalk;
  before: DecodedPte;
  area: Vma | null;
  areaStart: number;
  wasCached: boolean;
}

export class FaultRecorder implements FaultWatcher, MmTracer {
  private readonly kernel: Kernel;
  private readonly symbolAt: (space: AddressSpace, address: number) => SymbolAt | null;
  private readonly finished: (record: FaultRecord) => void;
  private begun: Beginning | null = null;
  private row = 0;
  private copiedFrom = 0;
  private slot = 0;
  private fromDevice = false;
  private pagesRead = 0;
  private cacheHit = false;
  private neighbours = 0;
  private readonly evicted: { code: number; vpn: number; pfn: number; detail: number }[] = [];

  constructor(
    kernel: Kernel,
    symbolAt: (space: AddressSpace, address: number) => SymbolAt | null,
    finished: (record: FaultRecord) => void,
  ) {
    this.kernel = kernel;
    this.symbolAt = symbolAt;
    this.finished = finished;
  }

  faultBegins(space: AddressSpace, address: number, access: Access): void {
    const vpn = Math.floor(address / PAGE_SIZE);
    const walk = walkPageTable(space, address);
    const leaf = walk.levels[walk.levels.length - 1];
    const area = space.areas.findPage(vpn);
    const entry = area?.object?.pages.get(area.pageIndex(vpn)) ?? 0;
    this.begun = {
      space,
      address,
      access,
      walk,
      before: leaf.level === 0 ? decodePte(leaf.value) : decodePte(0),
      area,
      areaStart: area?.start ?? space.areas.findAtOrAbove(address)?.start ?? 0,
      wasCached: entry > 0,
    };
    this.row = this.copiedFrom = this.slot = this.neighbours = this.pagesRead = 0;
    this.fromDevice = this.cacheHit = false;
    this.evicted.length = 0;
  }

  event(code: number, spaceId: number, vpn: number, pfn: number, detail: number): void {
    if (this.begun === null) return;
    if (code === T.TRACE_PAGE_IN && spaceId === 0) {
      this.fromDevice = true;
      this.pagesRead++;
    }
    if (code >= T.TRACE_DROP_CLEAN && code <= T.TRACE_DROP_LAZY) {
      this.evicted.push({ code, vpn, pfn, detail });
      return;
    }
    if (spaceId !== this.begun.space.id || code > LAST_ROW) return;
    if (this.row === 0) this.row = code;
    if (code === T.TRACE_COPY_FROM_FILE || code === T.TRACE_COPY_ON_WRITE) this.copiedFrom = detail;
    if (code === T.TRACE_MAP_CACHED) this.neighbours = detail;
    if (code === T.TRACE_PAGE_IN) this.fromDevice = true;
    if (code === T.TRACE_SWAP_IN) {
      this.slot = Math.abs(detail);
      this.fromDevice = detail > 0;
      this.cacheHit = detail < 0;
    }
  }

  faultEnds(result: FaultResult): void {
    const begun = this.begun;
    if (begun === null) return;
    this.begun = null;
    this.finished(this.record(begun, result));
  }

  private record(begun: Beginning, result: FaultResult): FaultRecord {
    const { kernel } = this;
    const { space, address, access, walk, before } = begun;
    const task = kernel.scheduler.current;
    const pc = task?.registers.pc ?? 0;
    const vpn = Math.floor(address / PAGE_SIZE);
    const area = space.areas.findPage(vpn);
    const after = this.leafOf(space, address);
    const row = this.row === 0 ? rowOfRefusal(result) : this.row;
    const grown = begun.area === null && area !== null ? Math.max(0, (begun.areaStart - area.start) / PAGE_SIZE) : 0;
    return {
      row,
      kind: row !== 0 ? (FAULT_KINDS[row] as FaultKind) : kindOfRefusal(result),
      result: FAULT_RESULTS[result],
      instructions: kernel.hart.instructions,
      pid: task?.process.pid ?? 0,
      tid: task?.tid ?? 0,
      process: task?.name ?? "",
      spaceId: space.id,
      pc,
      symbol: task !== null && task.space === space ? this.symbolAt(space, pc) : null,
      syscall: task?.inSyscall ? (kernel.syscalls.names[task.syscallNumber] ?? null) : null,
      address,
      vpn,
      access: ACCESSES[access],
      walk,
      before,
      after,
      area: area === null ? null : describe(space, area),
      tableCopied: tableOf(walk) !== 0 && tableOf(walk) !== tableOf(walkPageTable(space, address)),
      grownPages: grown,
      object: this.objectOf(begun, area, vpn),
      frame: this.frameOf(before, after, result),
      copiedFrom: this.copiedFrom,
      slot: this.slot,
      waited: this.fromDevice,
      readAlong: Math.max(0, this.pagesRead - 1),
      neighbours: this.neighbours,
      victims: this.victims(),
      counters: { ...space.faults },
    };
  }

  private leafOf(space: AddressSpace, address: number): DecodedPte {
    const { levels } = walkPageTable(space, address);
    const leaf = levels[levels.length - 1];
    return leaf.level === 0 ? decodePte(leaf.value) : decodePte(0);
  }

  private objectOf(begun: Beginning, area: Vma | null, vpn: number): FaultRecord["object"] {
    const object = area?.object;
    if (!object) return null;
    const pageIndex = area.pageIndex(vpn);
    const name = objectName(object);
    return { id: object.id, name, pageIndex, sizeBytes: object.sizeBytes, wasCached: begun.wasCached };
  }

  private frameOf(before: DecodedPte, after: DecodedPte, result: FaultResult): FaultRecord["frame"] {
    if (result > 1 || after.pfn === 0) return null;
    const { pfn } = after;
    return { pfn, source: this.sourceOf(before, after) };
  }

  private sourceOf(before: DecodedPte, after: DecodedPte): FrameSource {
    if (after.kind === "zero-page") return "zero-frame";
    if (this.copiedFrom !== 0) return "free";
    switch (this.row) {
      case T.TRACE_DEMAND_ZERO:
        return "free";
      case T.TRACE_PAGE_IN:
        return this.kernel.mm.frames.kind[after.pfn] === FRAME_FILE ? "file" : "swap";
      case T.TRACE_MAP_CACHED:
        return this.begun === null && this.fromDevice ? "file" : "page-cache";
      case T.TRACE_SWAP_IN:
        return this.cacheHit ? "swap-cache" : "swap";
      default:
        return before.pfn === after.pfn ? "kept" : "free";
    }
  }

  private victims(): VictimRecord[] {
    const pids = pidsBySpace(this.kernel);
    const written = new Set<number>();
    const victims: VictimRecord[] = [];
    for (const { code, vpn, pfn, detail } of this.evicted) {
      if (code === T.TRACE_WRITE_BACK) written.add(pfn);
      else if (code === T.TRACE_DROP_CLEAN) victims.push(this.fileVictim(pfn, vpn, detail, written.has(pfn), pids));
      else if (code === T.TRACE_SWAP_OUT) victims.push(this.swappedVictim(pfn, vpn, detail, pids));
      else {
        const kind = "lazily-freed";
        victims.push({ pfn, kind, writtenOut: false, slot: 0, object: null, owners: [] });
      }
    }
    return victims;
  }

  private fileVictim(
    pfn: number,
    pageIndex: number,
    id: number,
    writtenOut: boolean,
    pids: ReadonlyMap<number, number>,
  ): VictimRecord {
    const object = this.kernel.mm.objects.get(id);
    const owners: VictimRecord["owners"] = [];
    for (const area of object?.mappers ?? []) {
      const vpn = area.startVpn + (pageIndex - area.pageOffset);
      if (vpn < area.startVpn || vpn >= area.endVpn) continue;
      owners.push({ pid: pids.get(area.space.id) ?? 0, address: vpn * PAGE_SIZE });
    }
    const name = object === undefined ? "" : objectName(object);
    return { pfn, kind: "file", writtenOut, slot: 0, object: { id, name, pageIndex }, owners };
  }

  /** The page's owners are those whose page tables name the slot at the page it was first mapped at. */
  private swappedVictim(pfn: number, vpn: number, slot: number, pids: ReadonlyMap<number, number>): VictimRecord {
    const owners: VictimRecord["owners"] = [];
    for (const space of this.kernel.mm.spaces.values()) {
      const pte = decodePte(space.table.read(space.table.find(vpn)));
      if (pte.kind === "swap" && pte.slot === slot)
        owners.push({ pid: pids.get(space.id) ?? 0, address: vpn * PAGE_SIZE });
    }
    const kind = owners.length > 0 ? "anonymous" : "shmem";
    return { pfn, kind, writtenOut: true, slot, object: null, owners };
  }
}

/** Frame of the leaf table that a walk reached, or 0. */
function tableOf({ levels }: PageWalk): number {
  const last = levels[levels.length - 1];
  return last.level === 0 ? last.tableFrame : 0;
}

function describe(space: AddressSpace, area: Vma): NonNullable<FaultRecord["area"]> {
  return {
    start: area.start,
    end: area.end,
    permissions: permissionsOf(area),
    name: areaName(space, area),
    kind: kindOf(area),
  };
}

/** Faults outside user space, which mm never sees, and those that a device ended. */
function kindOfRefusal(result: FaultResult): "out-of-memory" | "io-error" | "userfault" {
  if (result === 5) return "out-of-memory";
  return result === 7 ? "userfault" : "io-error";
}

function rowOfRefusal(result: FaultResult): number {
  if (result === 2) return T.TRACE_SEGV_MAPERR;
  if (result === 3) return T.TRACE_SEGV_ACCERR;
  if (result === 4) return T.TRACE_BUS_ERROR;
  return 0;
}
