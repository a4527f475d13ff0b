// Physical memory as data: a row per frame in typed arrays, and who maps a frame. Reads, changes nothing.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import * as F from "../../mm/frame-table.ts";
import type { MemoryManager } from "../../mm/memory-manager.ts";
import { objectName } from "./objects.ts";
import { pidsBySpace } from "./processes.ts";

/** Names of FrameView.kind, by number. */
export const FRAME_KIND_NAMES = ["free", "reserved", "page-table", "zero", "anonymous", "file", "shmem"] as const;

/** Bits of FrameView.flags. */
export const FRAME_FLAGS = {
  dirty: F.FRAME_DIRTY,
  locked: F.FRAME_MLOCKED,
  swapCache: F.FRAME_SWAP_CACHE,
  lazyFree: F.FRAME_LAZY_FREE,
  evictable: F.FRAME_EVICTABLE,
  parked: F.FRAME_PARKED,
} as const;

/**
 * The frame table by PFN. The arrays are the machine's own: they show the present at every moment, are not to be written, and
 * slice() keeps a copy.
 */
export interface FrameView {
  readonly count: number;
  readonly kind: Uint8Array;
  readonly flags: Uint16Array;
  /** PTEs that name the frame; of a page-table frame: entries in use. */
  readonly mapCount: Int32Array;
  /** File and shmem frames: object id. Page tables: space id. Anonymous frames in the swap cache: slot. */
  readonly owner: Int32Array;
  /** File and shmem frames: page index in the object. Page tables: first VPN it maps. Anonymous: VPN of its first mapping. */
  readonly index: Int32Array;
}

export function frameView(mm: MemoryManager): FrameView {
  const { frameCount, kind, flags, mapCount, owner, index } = mm.frames;
  return { count: frameCount, kind, flags, mapCount, owner, index };
}

export interface FrameMapping {
  spaceId: number;
  /** Processes that use the space (0: none of them lives any more). */
  pid: number;
  address: number;
  pteAddress: number;
}

export interface FrameInfo {
  pfn: number;
  kind: (typeof FRAME_KIND_NAMES)[number];
  dirty: boolean;
  locked: boolean;
  inSwapCache: boolean;
  lazyFree: boolean;
  mapCount: number;
  /** File or shmem frames: the object and the page of it. */
  object: { id: number; name: string; pageIndex: number } | null;
  /** Page tables: of which space, from which address on, of which level (2: root), and who uses it (several after fork). */
  table: { spaceId: number; pid: number; firstAddress: number; level: number; users: number[] } | null;
  mappings: FrameMapping[];
}

/** Everything about one frame. `pfn` must be a frame of the machine. */
export function describeFrame(k: Kernel, pfn: number): FrameInfo {
  const { mm } = k;
  const { frames } = mm;
  const kind = frames.kind[pfn];
  const flags = frames.flags[pfn];
  const isCache = kind === F.FRAME_FILE || kind === F.FRAME_SHMEM;
  const pids = pidsBySpace(k);
  const object = isCache ? mm.objects.get(frames.owner[pfn]) : undefined;
  return {
    pfn,
    kind: FRAME_KIND_NAMES[kind],
    dirty: (flags & F.FRAME_DIRTY) !== 0,
    locked: (flags & F.FRAME_MLOCKED) !== 0,
    inSwapCache: (flags & F.FRAME_SWAP_CACHE) !== 0,
    lazyFree: (flags & F.FRAME_LAZY_FREE) !== 0,
    mapCount: frames.mapCount[pfn],
    object: object === undefined ? null : { id: object.id, name: objectName(object), pageIndex: frames.index[pfn] },
    table:
      kind === F.FRAME_PAGE_TABLE
        ? {
            spaceId: frames.owner[pfn],
            pid: pids.get(frames.owner[pfn]) ?? 0,
            firstAddress: frames.index[pfn] * PAGE_SIZE,
            level: frames.policyWord[pfn],
            users: tableUsers(mm, pfn).map((id) => pids.get(id) ?? 0),
          }
        : null,
    mappings: kind >= F.FRAME_ANONYMOUS ? frameMappings(mm, pfn, pids) : [],
  };
}

/** Ids of the spaces that use a page-table frame. */
function tableUsers(mm: MemoryManager, table: number): number[] {
  return mm.sharedTables.usersOf(table)?.map((space) => space.id) ?? [mm.frames.owner[table]];
}

function frameMappings(mm: MemoryManager, pfn: number, pids: ReadonlyMap<number, number>): FrameMapping[] {
  const { rmap } = mm;
  const count = rmap.collect(pfn);
  const mappings: FrameMapping[] = [];
  for (let i = 0; i < count; i++) {
    const pte = rmap.found[i];
    for (const spaceId of tableUsers(mm, rmap.tableOf(pte))) {
      const address = rmap.vpnOf(pte) * PAGE_SIZE;
      mappings.push({ spaceId, pid: pids.get(spaceId) ?? 0, address, pteAddress: pte * 8 });
    }
  }
  return mappings;
}
