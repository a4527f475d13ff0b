// Which frames are locked in memory: those mapped by an area with VM_LOCKED (I15). Not responsible for the areas' flags.
import type { AddressSpace } from "./address-space.ts";
import { FRAME_MLOCKED } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { VM_LOCKED } from "./vma.ts";

export function lockFrame(mm: MemoryManager, pfn: number): void {
  const { flags } = mm.frames;
  if ((flags[pfn] & FRAME_MLOCKED) !== 0) return;
  mm.lru.remove(pfn);
  flags[pfn] |= FRAME_MLOCKED;
}

function hasLocked(space: AddressSpace, vpn: number): boolean {
  const area = space.areas.findPage(vpn);
  return area !== null && (area.flags & VM_LOCKED) !== 0;
}

/** To be called when a locked frame lost a mapping, or an area its VM_LOCKED: is any locked area left that maps it? */
export function unlockFrameIfUnused(mm: MemoryManager, pfn: number): void {
  const { rmap, spaces, frames, sharedTables } = mm;
  const count = rmap.collect(pfn);
  for (let i = 0; i < count; i++) {
    const pte = rmap.found[i];
    const vpn = rmap.vpnOf(pte);
    const users = sharedTables.usersOf(rmap.tableOf(pte));
    if (users === undefined ? hasLocked(spaces.get(rmap.spaceIdOf(pte))!, vpn) : users.some((s) => hasLocked(s, vpn)))
      return;
  }
  frames.flags[pfn] &= ~FRAME_MLOCKED;
  mm.lru.insert(pfn);
}
