// The public face of inspect/: what can be seen of a machine, as data.
export type { AreaInfo } from "./areas.ts";
export type { MachineEvents, MachineEventType, MemoryEvent, ProcessEvent } from "./events.ts";
export { FRAME_FLAGS, FRAME_KIND_NAMES, type FrameInfo, type FrameMapping, type FrameView } from "./frames.ts";
export { Inspector, type MachineFigures } from "./inspector.ts";
export type { SlotPage } from "./mapped.ts";
export type { ObjectInfo, ObjectMapping } from "./objects.ts";
export type { DecodedPte, PageWalk, PteBits, PteKind, WalkLevel } from "./page-walk.ts";
export * from "./pages.ts";
export { type ProcessInfo, REGISTER_NAMES, type Registers, type ThreadInfo } from "./processes.ts";
export { SLOT_CACHED, SLOT_FREE, SLOT_USED, type SwapInfo } from "./swap-slots.ts";
export type { SymbolAt } from "./symbols.ts";
export type { TlbEntry } from "./tlb-entries.ts";
