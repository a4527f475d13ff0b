// Which frames are locked in memory: those mapped by an area with VM_LOCKED (I15). Not responsible for the areas' flags.
import { FRAME_MLOCKED } from "./frame-table.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { VM_LOCKED } from "./vma.ts";

export function lockFrame(mm: MemoryManager, pfn: number): void {
  const { flags } = mm.frames;
  if ((flags[pfn] & FRAME_MLOCKED) !== 0) return;
  mm.lru.remove(pfn);
  flags[pfn] |= FRAME_MLOCKED;
}

/** To be called when a locked frame lost a mapping, or an area its VM_LOCKED: is any locked area left that maps it? */
export function unlockFrameIfUnused(mm: MemoryManager, pfn: number): void {
  const { rmap, spaces, frames } = mm;
  const count = rmap.collect(pfn);
  for (let i = 0; i < count; i++) {
    const pte = rmap.found[i];
    const area = spaces.get(rmap.spaceIdOf(pte))!.areas.findPage(rmap.vpnOf(pte));
    if (area !== null && (area.flags & VM_LOCKED) !== 0) return;
  }
  frames.flags[pfn] &= ~FRAME_MLOCKED;
  mm.lru.insert(pfn);
}
