// The calls between the halves of mm/: areas, system calls and accounting on one side; frames, page tables, objects and
// faults on the other. Types only; goes away once both sides stand.
//
// What the area side finds (real classes appear in the files named; names and meaning are fixed):
//
//   mm: MemoryManager (memory-manager.ts), reachable as space.mm. Fields: memory frames allocator swap rmap lru counters tlb tracer
//     commit: CommitAccount            <- accounting.ts, `new CommitAccount(mm)`; charge(pages): 0 | -ENOMEM, uncharge(pages),
//                                         committedPages, limitPages, mode, ratio (mm forwards its getters there)
//     zeroPfn, spaces: Map<id, AddressSpace>, objects: Map<id, MemoryObject>, config: MmConfig, nextStamp
//   mm.createSpace(): reserves the root frame, then `new AddressSpace(mm, id)`; AddressSpace's constructor makes
//     `this.table = new PageTable(mm, this)` (page-table.ts; allocates the root frame).  rootPfn = table.rootPfn;
//     pageTableBytes = table.frameCount * PAGE_SIZE. mm.teardownSpace(space): unmaps everything, frees all tables, releases the TLB bank and
//     forgets the space (AddressSpace.release() calls it after detaching the areas; PTEs of shared frames need no area any more then).
//
//   Range operations, range-operations.ts. VPNs are ints. None of zap/protect/lazyFree allocates or reclaims.
//     zapRange(mm, space, firstVpn, endVpn)             PTEs -> none; D to frames; rss; swap slots; MLOCKED recomputed; TLB; frees anon frames
//     zapCachePages(mm, space, firstVpn, endVpn)        the same but leaves anonymous and swapped entries (punch hole)
//     freeTables(mm, space, firstVpn, endVpn)           after zapRange at munmap/mremap: page-table frames that became empty
//     protectRange(mm, area, firstVpn, endVpn)          PTEs follow area.flags (already new): narrow in place, PROT_NONE keeps residents,
//                                                       re-widening gives W back to dirty sole-owned pages without a fault
//     moveRange(mm, space, fromVpn, toVpn, count): number moved (< count: no frame for a table; move back and answer ENOMEM). May reclaim:
//                                                       both areas must be in the list and in object.mappers meanwhile.
//     lazyFreeRange(mm, space, firstVpn, endVpn)        MADV_FREE
//     ageRange(mm, space, firstVpn, endVpn)             MADV_COLD: A cleared, frames become next victims
//     pageOutRange(mm, space, firstVpn, endVpn)         MADV_PAGEOUT: evict now what is mapped only here
//     lockRange / unlockRange(mm, space, first, end)    MLOCKED of the resident frames after VM_LOCKED changed in the areas
//     populateRange(mm, area, firstVpn, endVpn, write: boolean): 0 | -ENOMEM | -EFAULT | -EHWPOISON-like; faults pages in one by one
//   fault.ts: handleFault(mm, space, address, access): FaultResult;  forceFault(mm, space, address, access) = FOLL_FORCE: ignores
//     missing VM_READ/VM_WRITE in private (VM_MAY*) areas: breaks COW, leaves the PTE without W.
//   page-table.ts: table.find(vpn): PteAddr | 0; table.read(at): PTE word; table.nextPresent(vpn, end): next vpn with a non-none PTE (or end),
//     table.frameFor(vpn, write): pfn if the PTE allows a user read/write as the hart would (A, D set as the walk does), else 0   <- copyIn/copyOut
//     table.clearBits(at, vpn, bits) flushes the TLB; for clear_refs use ageRange(…)/clearAccessedRange(mm, space, first, end).
//   frames (frame-table.ts): kind[] FRAME_*, flags[] FRAME_DIRTY FRAME_MLOCKED FRAME_SWAP_CACHE ..., mapCount[] (PTEs naming the frame; table
//     frames: used entries), owner[], index[]. Pin the frame you copy through while the other side may fault: frames.pin(pfn) / unpin(pfn).
//   MemoryObject (memory-object.ts): acquire()/release() one reference per area; mappers: Set<Vma> kept by the area side at map, split,
//     merge, fork, unmap BEFORE any reclaim can run (RULE: at every reserve(), each PTE naming a cache frame lies in an area of
//     object.mappers: the reverse map of cache pages is the object's mappers, only anonymous frames have PTE chains).
//   fork.ts: forkSpace(mm, parent) uses: parent.areas iteration, area.copyFor(child): Vma (with anonVma, mappers, file/object references done
//     and inserted by child.areas.append(copy)), child.copySettingsFrom(parent) (layout, limits, counters of totals except resident ones).
//
// What the memory side expects:
//   Vma: start, end (bytes), flags (VM_READ VM_WRITE VM_EXEC VM_SHARED VM_MAYWRITE VM_GROWSDOWN VM_LOCKED VM_LOCKONFAULT VM_DONTCOPY VM_WIPEONFORK VM_ACCOUNT
//     VM_RAND_READ VM_SEQ_READ ... exported by vma.ts), object: MemoryObject | null, file: AreaFile | null, pageOffset (page index in object of
//     `start`), space, anonVma: number (0 none), and prepareAnonVma(area) in vma-list.ts or a method area.prepareAnonVma(): called before the first
//     anonymous page of a private area appears (anon_vma_prepare).
//   AddressSpace: id, mm, table, areas.find(address): Vma | null, counters {anonymous, file, shmem, swapped}, faults {minor, major, copies},
//     expandDown(address): Vma | null (stack growth, all limits checked; null: MAPERR), noteResidentPeak() (hiwater_rss, called before unmapping).
//   io-cursor.ts (area side): IoCursor, UserCursor, BytesCursor.
export {};
