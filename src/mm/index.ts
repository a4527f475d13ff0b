// The public face of the memory-mapping core, for programs without a CPU (`faultline/mm`) and for kernel/.
//
// Shapes: addresses and byte counts are doubles below 2^53; pages (VPN), frames (PFN), page indexes and slots are int32. Results of
// calls named after system calls are >= 0, or -errno (abi/errno.ts). Nothing is asynchronous; nothing throws for a wrong argument of
// a guest.
export { type AreaStatistics, areaStatistics, CommitAccount, pagemapEntry } from "./accounting.ts";
export { AddressSpace, type FrameKey, type MemoryLimits, type ResidentCounters } from "./address-space.ts";
export * from "./contracts.ts";
export {
  BytesBacking,
  BytesSwapDevice,
  type CreateMemoryOptions,
  createMemory,
  load,
  NULL_TLB,
  store,
} from "./embedder.ts";
export { FileObject } from "./file-object.ts";
export * from "./frame-table.ts";
export { InvariantError } from "./invariants.ts";
export { BytesCursor, type IoCursor, UserCursor } from "./io-cursor.ts";
export { type FrameCounts, MemoryManager } from "./memory-manager.ts";
export { MemoryObject } from "./memory-object.ts";
export type { MmapRequest } from "./mmap.ts";
export { PhysicalMemory } from "./physical-memory.ts";
export { POLICY_NAMES } from "./policy/index.ts";
export { type PageQuota, ShmemObject } from "./shmem-object.ts";
export * from "./tracer.ts";
export * from "./vma.ts";
