// The codes of memory events and what their numbers mean. Not responsible for storing them: an MmTracer does that.
//
// event(code, spaceId, vpn, pfn, detail). Fault codes equal the row of the fault table in fault.ts.
export const TRACE_SEGV_MAPERR = 1; //    detail: access
export const TRACE_SEGV_ACCERR = 2; //    detail: access
export const TRACE_ZERO_PAGE = 3; //      pfn: the zero frame
export const TRACE_DEMAND_ZERO = 4; //    pfn: new frame
export const TRACE_MAP_CACHED = 5; //     pfn: cache frame; detail: neighbours mapped along (fault-around)
export const TRACE_PAGE_IN = 6; //        pfn: cache frame; detail: page index in the object. Space 0: by read(2) or write(2)
export const TRACE_COPY_FROM_FILE = 7; // pfn: new frame; detail: cache frame copied
export const TRACE_COPY_ON_WRITE = 8; //  pfn: new frame; detail: frame copied, or 0 when the sole owner kept its frame
export const TRACE_SHARED_WRITE = 9; //   pfn: cache frame made writable
export const TRACE_SWAP_IN = 10; //       pfn: frame; detail: slot, negative when the swap cache had the page (no I/O)
export const TRACE_BUS_ERROR = 11; //     detail: access
export const TRACE_STALE_TLB = 12; //     pfn: frame mapped
export const TRACE_STACK_GROW = 13; //    vpn: new start of the area
export const TRACE_OUT_OF_MEMORY = 14; // the fault could not be served
// Reclaim and the rest of the life of frames.
export const TRACE_DROP_CLEAN = 20; //    pfn: file frame dropped; vpn: page index; detail: object id
export const TRACE_WRITE_BACK = 21; //    pfn: file frame written; vpn: page index; detail: object id
export const TRACE_SWAP_OUT = 22; //      pfn: frame freed; vpn: of its first mapping, or page index for shmem; detail: slot
export const TRACE_DROP_LAZY = 23; //     pfn: MADV_FREE frame dropped
export const TRACE_FORK = 30; //          space: child; vpn: parent's id; detail: pages now shared
export const TRACE_MAP = 31; //           vpn: first; detail: pages
export const TRACE_UNMAP = 32; //         vpn: first; detail: pages
export const TRACE_PROTECT = 33; //       vpn: first; pfn: PROT_*; detail: pages
export const TRACE_MOVE = 34; //          vpn: from; pfn: to (a VPN); detail: pages
export const TRACE_EXIT = 35; //          the space is gone

/** Names by code, for text output. */
export const TRACE_NAMES: Readonly<Record<number, string>> = {
  [TRACE_SEGV_MAPERR]: "segv-maperr",
  [TRACE_SEGV_ACCERR]: "segv-accerr",
  [TRACE_ZERO_PAGE]: "zero-page",
  [TRACE_DEMAND_ZERO]: "demand-zero",
  [TRACE_MAP_CACHED]: "map-cached",
  [TRACE_PAGE_IN]: "page-in",
  [TRACE_COPY_FROM_FILE]: "copy-from-file",
  [TRACE_COPY_ON_WRITE]: "copy-on-write",
  [TRACE_SHARED_WRITE]: "shared-write",
  [TRACE_SWAP_IN]: "swap-in",
  [TRACE_BUS_ERROR]: "bus-error",
  [TRACE_STALE_TLB]: "stale-tlb",
  [TRACE_STACK_GROW]: "stack-grow",
  [TRACE_OUT_OF_MEMORY]: "out-of-memory",
  [TRACE_DROP_CLEAN]: "drop-clean",
  [TRACE_WRITE_BACK]: "write-back",
  [TRACE_SWAP_OUT]: "swap-out",
  [TRACE_DROP_LAZY]: "drop-lazy",
  [TRACE_FORK]: "fork",
  [TRACE_MAP]: "map",
  [TRACE_UNMAP]: "unmap",
  [TRACE_PROTECT]: "protect",
  [TRACE_MOVE]: "move",
  [TRACE_EXIT]: "exit",
};
