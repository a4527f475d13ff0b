// The areas of an address space as data: what /proc/PID/maps says, and how many pages of each are where. Reads, changes nothing.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { areaName, permissionsOf } from "../../kernel/vfs/procfs/maps.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import { VM_LOCKED, type Vma, vmFlagNames } from "../../mm/vma.ts";

/** One area; addresses and sizes in bytes, everything that ends in Pages in pages. */
export interface AreaInfo {
  start: number;
  end: number;
  /** As in maps: "rw-p". */
  permissions: string;
  /** Byte offset in the object of the area's first page (0 for private anonymous memory). */
  offset: number;
  /** Path, [heap], [stack], ... or "". */
  name: string;
  /** Object that the pages come from, or null: private anonymous memory. */
  objectId: number | null;
  kind: "anonymous" | "file" | "shmem";
  /** MAP_SHARED. */
  shared: boolean;
  /** VmFlags as in smaps. */
  flags: string[];
  pages: number;
  residentPages: number;
  /** Resident pages that other page-table entries map too, and those that only this one does. */
  sharedPages: number;
  privatePages: number;
  dirtyPages: number;
  swappedPages: number;
  /** Resident pages while the area is locked, else 0. */
  lockedPages: number;
  /** Resident private copies (of file pages) and anonymous pages. */
  anonymousPages: number;
  /** Proportional set size in pages; may be a fraction. */
  pssPages: number;
}

export function kindOf(area: Vma): AreaInfo["kind"] {
  if (area.object === null) return "anonymous";
  return "backing" in area.object ? "file" : "shmem";
}

export function describeArea(space: AddressSpace, area: Vma): AreaInfo {
  const s = space.statistics(area);
  return {
    start: area.start,
    end: area.end,
    permissions: permissionsOf(area),
    offset: area.object === null ? 0 : area.pageOffset * PAGE_SIZE,
    name: areaName(space, area),
    objectId: area.object?.id ?? null,
    kind: kindOf(area),
    shared: area.isShared,
    flags: vmFlagNames(area.flags),
    pages: area.pageCount,
    residentPages: s.rss,
    sharedPages: s.sharedClean + s.sharedDirty,
    privatePages: s.privateClean + s.privateDirty,
    dirtyPages: s.sharedDirty + s.privateDirty,
    swappedPages: s.swap,
    lockedPages: area.flags & VM_LOCKED ? s.rss : 0,
    anonymousPages: s.anonymous,
    pssPages: s.pss,
  };
}

/** Every area in address order. */
export function describeAreas(space: AddressSpace): AreaInfo[] {
  const areas: AreaInfo[] = [];
  for (const area of space.areas) areas.push(describeArea(space, area));
  return areas;
}
