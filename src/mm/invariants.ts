// Checks the whole state of the memory core against the numbered invariants (docs/invariants.md). Reads everything, changes nothing; for
// tests and debugging.
import {
  holdsFrame,
  isSwapEntry,
  PAGE_SIZE,
  PTE_D,
  PTE_R,
  PTE_RWX,
  PTE_SPECIAL,
  PTE_V,
  PTE_W,
  PTE_X,
  pteToPfn,
  pteToSlot,
  USER_VPN_END,
} from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { type Access, EXECUTE, WRITE } from "./contracts.ts";
import * as F from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import type { MemoryObject } from "./memory-object.ts";
import { VM_LOCKED, VM_MAYSHARE, VM_WRITE, type Vma } from "./vma.ts";

export class InvariantError extends Error {
  readonly invariant: number;
  constructor(invariant: number, message: string) {
    super(`I${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

function hold(condition: boolean, invariant: number, message: () => string): void {
  if (!condition) throw new InvariantError(invariant, message());
}

/** What the page tables say, counted while they are walked. */
interface Census {
  /** PTEs by frame, and how many of them are writable. */
  mapped: Int32Array;
  writable: Int32Array;
  /** Frames mapped by an area with VM_LOCKED. */
  locked: Uint8Array;
  /** PTEs and page-map entries by slot. */
  slotRefs: Map<number, number>;
  /** Page-table frames reached, and from how many roots. */
  tables: Map<number, number>;
}

/** Throws InvariantError. */
export function checkInvariants(mm: MemoryManager): void {
  const count = mm.frames.frameCount;
  const census: Census = {
    mapped: new Int32Array(count),
    writable: new Int32Array(count),
    locked: new Uint8Array(count),
    slotRefs: new Map(),
    tables: new Map(),
  };
  for (const space of mm.spaces.values()) {
    checkAreas(space);
    checkTables(mm, space, census);
    checkEntries(mm, space, census);
    checkTlb(mm, space);
  }
  for (const object of mm.objects.values()) checkObject(mm, object, census);
  for (let pfn = 0; pfn < count; pfn++) checkFrame(mm, pfn, census);
  checkReverseMap(mm);
  checkSwap(mm, census);
  checkCounts(mm, census);
}

/** I1. */
function checkAreas(space: AddressSpace): void {
  space.areas.debugCheck();
  let previousEnd = 0;
  for (let area = space.areas.first; area !== null; area = area.next) {
    const here = area;
    hold(area.startVpn >= previousEnd && area.startVpn < area.endVpn, 1, () => `area at page ${here.startVpn}`);
    hold(area.endVpn <= USER_VPN_END, 1, () => "an area ends above user space");
    hold(area.object === null || area.object.mappers.has(area), 6, () => "an area is missing among the mappers");
    previousEnd = area.endVpn;
  }
}

/** I10. */
function checkTables(mm: MemoryManager, space: AddressSpace, census: Census): void {
  const { kind, owner, mapCount, index } = mm.frames;
  let tables = 0;
  space.table.debugForEachTable((pfn, level, firstVpn) => {
    hold(kind[pfn] === F.FRAME_PAGE_TABLE, 10, () => `table frame ${pfn} has kind ${kind[pfn]}`);
    hold(index[pfn] === firstVpn, 10, () => `table frame ${pfn} is for page ${index[pfn]}, is at ${firstVpn}`);
    const users = mm.sharedTables.usersOf(pfn);
    if (users === undefined) {
      hold(owner[pfn] === space.id, 10, () => `table frame ${pfn} belongs to ${owner[pfn]}`);
      hold(!census.tables.has(pfn), 10, () => `table frame ${pfn} is reached twice`);
    } else {
      hold(level === 0 && users.includes(space), 17, () => `space ${space.id} does not share table frame ${pfn}`);
    }
    census.tables.set(pfn, (census.tables.get(pfn) ?? 0) + 1);
    tables++;
    let used = 0;
    for (let i = 0; i < 512; i++) {
      const word = mm.memory.words[(pfn << 10) + 2 * i];
      if (word !== 0) used++;
      if (level > 0 && word !== 0) hold((word & (PTE_V | PTE_RWX)) === PTE_V, 16, () => "a pointer with permissions");
      hold(mm.memory.words[(pfn << 10) + 2 * i + 1] === 0, 16, () => "a high word is not 0");
    }
    hold(used === mapCount[pfn], 10, () => `table frame ${pfn} counts ${mapCount[pfn]} entries, has ${used}`);
  });
  hold(tables === space.table.frameCount, 10, () => "table frames of a space");
}

/** I2, I6, I12, I16, and the census. */
function checkEntries(mm: MemoryManager, space: AddressSpace, census: Census): void {
  const { table } = space;
  const resident = { anonymous: 0, file: 0, shmem: 0, swapped: 0 };
  for (
    let vpn = table.nextPresent(0, USER_VPN_END);
    vpn < USER_VPN_END;
    vpn = table.nextPresent(vpn + 1, USER_VPN_END)
  ) {
    const at = table.find(vpn);
    const word = table.read(at);
    const area = space.areas.findPage(vpn);
    hold(area !== null, 2, () => `space ${space.id} page ${vpn}: an entry without an area`);
    const users = mm.sharedTables.usersOf(at >>> 12);
    if (users !== undefined) checkShared(area!, vpn, word);
    // An entry of a shared table is one entry, though several spaces have it.
    const counts = users === undefined || users[0] === space ? 1 : 0;
    if (isSwapEntry(word)) {
      const slot = pteToSlot(word);
      census.slotRefs.set(slot, (census.slotRefs.get(slot) ?? 0) + counts);
      hold((area!.flags & VM_MAYSHARE) === 0, 6, () => "a swap entry in a shared area");
      resident.swapped++;
      continue;
    }
    hold((word & (PTE_R | PTE_W)) !== PTE_W, 16, () => `page ${vpn}: W without R`);
    hold((word & PTE_W) === 0 || (area!.flags & VM_WRITE) !== 0, 16, () => `page ${vpn}: W in a read-only area`);
    const pfn = pteToPfn(word);
    if ((word & PTE_SPECIAL) !== 0) {
      hold(pfn === mm.zeroPfn && (word & PTE_W) === 0, 6, () => `page ${vpn}: SPECIAL is the zero frame, read-only`);
      continue;
    }
    census.mapped[pfn] += counts;
    if ((word & PTE_W) !== 0) census.writable[pfn]++;
    if ((area!.flags & VM_LOCKED) !== 0) census.locked[pfn] = 1;
    checkLeaf(mm, area!, vpn, pfn, word);
    const kind = mm.frames.kind[pfn];
    if (kind === F.FRAME_ANONYMOUS) resident.anonymous++;
    else if (kind === F.FRAME_FILE) resident.file++;
    else resident.shmem++;
  }
  for (const key of ["anonymous", "file", "shmem", "swapped"] as const) {
    hold(resident[key] === space.counters[key], 12, () => {
      return `space ${space.id}: ${key} is ${space.counters[key]}, page tables say ${resident[key]}`;
    });
  }
}

/** I17: what a shared table may hold. */
function checkShared(area: Vma, vpn: number, word: number): void {
  hold((word & PTE_W) === 0 || isSwapEntry(word), 17, () => `page ${vpn}: writable in a shared table`);
  hold(
    area.object === null && (area.flags & VM_MAYSHARE) === 0,
    17,
    () => `page ${vpn}: not anonymous, in a shared table`,
  );
}

/** I6: what a present entry may name. */
function checkLeaf(mm: MemoryManager, area: Vma, vpn: number, pfn: number, word: number): void {
  const { kind, flags } = mm.frames;
  const where = () => `page ${vpn}, frame ${pfn}, kind ${kind[pfn]}`;
  if (kind[pfn] === F.FRAME_ANONYMOUS) {
    hold((area.flags & VM_MAYSHARE) === 0, 6, () => `${where()}: anonymous in a shared area`);
    hold(area.anonVma !== 0, 6, () => `${where()}: an anonymous page in an area that was never prepared`);
    return;
  }
  hold(mm.frames.isCache(pfn), 6, () => `${where()}: neither anonymous nor cache`);
  const { object } = area;
  hold(object !== null && object.pages.get(area.pageIndex(vpn)) === pfn, 6, () => `${where()}: not the object's page`);
  hold(area.pageIndex(vpn) * PAGE_SIZE < object!.sizeBytes, 6, () => `${where()}: mapped beyond the object's end`);
  hold((word & PTE_W) === 0 || (area.flags & VM_MAYSHARE) !== 0, 6, () => `${where()}: cache page writable privately`);
  if (kind[pfn] === F.FRAME_FILE && (word & (PTE_W | PTE_D)) !== 0) {
    hold((flags[pfn] & F.FRAME_DIRTY) !== 0, 6, () => `${where()}: writable file page that is not dirty`);
  }
}

/** I13. */
function checkTlb(mm: MemoryManager, space: AddressSpace): void {
  mm.tlb.debugForEach(space, (vpn: number, pfn: number, access: Access) => {
    const word = space.table.read(space.table.find(vpn));
    const where = () =>
      `space ${space.id} page ${vpn} access ${access}: TLB has frame ${pfn}, PTE ${word.toString(16)}`;
    hold((word & PTE_V) !== 0 && pteToPfn(word) === pfn, 13, where);
    const needed = access === WRITE ? PTE_W | PTE_D : access === EXECUTE ? PTE_X : PTE_R;
    hold((word & needed) === needed, 13, where);
  });
}

/** I5, I8 (shmem part). */
function checkObject(mm: MemoryManager, object: MemoryObject, census: Census): void {
  const { frames } = mm;
  const { pages } = object;
  const end = 2 ** 31;
  let dirty = 0;
  let cached = 0;
  for (let index = pages.next(0, end); index < end; index = pages.next(index + 1, end)) {
    const entry = pages.get(index);
    const at = index;
    if (entry < 0) {
      census.slotRefs.set(-entry, (census.slotRefs.get(-entry) ?? 0) + 1);
      continue;
    }
    cached++;
    hold(
      frames.kind[entry] === object.kind,
      5,
      () => `object ${object.id} page ${at}: frame ${entry} is of another kind`,
    );
    hold(frames.owner[entry] === object.id && frames.index[entry] === at, 5, () => {
      return `frame ${entry} says object ${frames.owner[entry]} page ${frames.index[entry]}, is object ${object.id} page ${at}`;
    });
    if (object.kind === F.FRAME_FILE && (frames.flags[entry] & F.FRAME_DIRTY) !== 0) dirty++;
  }
  hold(cached === pages.frameCount, 5, () => `object ${object.id} counts ${pages.frameCount} pages, has ${cached}`);
  hold(dirty === pages.dirtyCount, 5, () => `object ${object.id} counts ${pages.dirtyCount} dirty pages, has ${dirty}`);
}

/** I3, I4, I5 (converse), I7, I10, I15. */
function checkFrame(mm: MemoryManager, pfn: number, census: Census): void {
  const { kind, flags, mapCount, owner, index, pins } = mm.frames;
  const where = () => `frame ${pfn}, kind ${kind[pfn]}, flags ${flags[pfn].toString(2)}`;
  const evictable = (flags[pfn] & (F.FRAME_EVICTABLE | F.FRAME_PARKED)) !== 0;
  switch (kind[pfn]) {
    case F.FRAME_FREE:
      hold(flags[pfn] === 0 && pins[pfn] === 0 && census.mapped[pfn] === 0, 11, () => `${where()}: free but used`);
      return;
    case F.FRAME_PAGE_TABLE:
      hold(census.tables.has(pfn), 10, () => `${where()}: a table that no root reaches`);
      hold(mm.frames.rmapHead[pfn] === census.tables.get(pfn)! - 1, 17, () => {
        return `${where()}: ${mm.frames.rmapHead[pfn]} further spaces share it, ${census.tables.get(pfn)} roots reach it`;
      });
      hold(!evictable, 10, () => `${where()}: a table on an eviction list`);
      return;
    case F.FRAME_ZERO:
    case F.FRAME_RESERVED:
      hold(!evictable && census.mapped[pfn] === 0, 11, where);
      return;
  }
  hold(
    mapCount[pfn] === census.mapped[pfn],
    3,
    () => `${where()}: mapCount ${mapCount[pfn]}, PTEs ${census.mapped[pfn]}`,
  );
  const mlocked = (flags[pfn] & F.FRAME_MLOCKED) !== 0;
  hold(mlocked === (census.locked[pfn] !== 0), 15, () => `${where()}: MLOCKED against areas ${census.locked[pfn]}`);
  hold(!(mlocked && evictable), 15, () => `${where()}: locked and evictable`);
  if (kind[pfn] === F.FRAME_ANONYMOUS) {
    hold(census.writable[pfn] === 0 || mapCount[pfn] === 1, 4, () => `${where()}: writable and shared`);
    const cached = (flags[pfn] & F.FRAME_SWAP_CACHE) !== 0;
    const orphan = (flags[pfn] & F.FRAME_ORPHAN) !== 0;
    hold(mapCount[pfn] > 0 || cached || (orphan && pins[pfn] > 0), 7, () => `${where()}: nobody can reach it`);
    if (cached)
      hold(mm.swap.frameOf(owner[pfn]) === pfn, 9, () => `${where()}: slot ${owner[pfn]} knows another frame`);
    if (cached && census.writable[pfn] > 0) {
      hold(mm.swap.refsOf(owner[pfn]) === 0, 4, () => `${where()}: writable while swap entries mean it too`);
    }
    return;
  }
  const object = mm.objects.get(owner[pfn]);
  hold(
    object !== undefined && object.pages.get(index[pfn]) === pfn,
    5,
    () => `${where()}: not in its object's page map`,
  );
}

/** I3: the reverse map finds exactly the PTEs that name a frame. */
function checkReverseMap(mm: MemoryManager): void {
  const { frames, rmap, memory } = mm;
  for (let pfn = 1; pfn < frames.frameCount; pfn++) {
    if (frames.kind[pfn] < F.FRAME_ANONYMOUS) continue;
    const count = rmap.collect(pfn);
    hold(
      count === frames.mapCount[pfn],
      3,
      () => `frame ${pfn}: mapCount ${frames.mapCount[pfn]}, reverse map ${count}`,
    );
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) {
      const pte = rmap.found[i];
      const word = memory.words[pte * 2];
      hold(holdsFrame(word) && pteToPfn(word) === pfn, 3, () => `frame ${pfn}: the reverse map names another's PTE`);
      hold(!seen.has(pte), 3, () => `frame ${pfn}: a PTE twice in the reverse map`);
      seen.add(pte);
    }
  }
}

/** I8, I9. */
function checkSwap(mm: MemoryManager, census: Census): void {
  const { swap, frames } = mm;
  let used = 0;
  let idle = 0;
  for (let slot = 1; slot <= swap.highestSlot; slot++) {
    const refs = swap.refsOf(slot);
    const pfn = swap.frameOf(slot);
    const s = slot;
    hold(refs === (census.slotRefs.get(slot) ?? 0), 8, () => {
      return `slot ${s}: ${refs} references, ${census.slotRefs.get(s) ?? 0} entries`;
    });
    if (refs > 0 || pfn !== 0) used++;
    if (refs === 0 && pfn !== 0) idle++;
    if (pfn === 0) continue;
    hold(
      (frames.flags[pfn] & F.FRAME_SWAP_CACHE) !== 0 && frames.owner[pfn] === slot,
      9,
      () => `slot ${s}: frame ${pfn}`,
    );
  }
  hold(used === swap.usedCount, 8, () => `${swap.usedCount} slots used, ${used} found`);
  hold(idle === swap.idleCount, 8, () => `${swap.idleCount} slots idle, ${idle} found`);
  for (const slot of census.slotRefs.keys()) {
    hold(slot > 0 && slot <= swap.highestSlot, 8, () => `an entry names slot ${slot}, which was never used`);
  }
  swap.debugForEachFree((slot) => {
    hold(swap.refsOf(slot) === 0 && swap.frameOf(slot) === 0, 8, () => `slot ${slot} is free and used`);
  });
}

/** I11, I12 (PSS). */
function checkCounts(mm: MemoryManager, census: Census): void {
  const { frames, allocator } = mm;
  const counted = new Int32Array(F.FRAME_KINDS);
  for (let pfn = 0; pfn < frames.frameCount; pfn++) counted[frames.kind[pfn]]++;
  for (let kind = 0; kind < F.FRAME_KINDS; kind++) {
    const k = kind as F.FrameKind;
    hold(
      counted[kind] === allocator.countOf(k),
      11,
      () => `kind ${k}: ${allocator.countOf(k)} counted, ${counted[k]} found`,
    );
  }
  const free = new Set<number>();
  allocator.debugForEachFree((pfn) => {
    hold(frames.kind[pfn] === F.FRAME_FREE && !free.has(pfn), 11, () => `frame ${pfn} on the free list`);
    free.add(pfn);
  });
  hold(free.size === counted[F.FRAME_FREE] && free.size === allocator.freeCount, 11, () => "the free list is complete");
  hold(census.tables.size === counted[F.FRAME_PAGE_TABLE], 10, () => "every table frame is reached");
  for (const [table, users] of mm.sharedTables) {
    const reached = census.tables.get(table);
    hold(users.length > 1 && users.length === reached, 17, () => {
      return `table frame ${table} has ${users.length} users, ${reached} roots reach it`;
    });
    hold(
      users.some((space) => space.id === frames.owner[table]),
      17,
      () => `table frame ${table}: a stranger owns it`,
    );
  }
}
