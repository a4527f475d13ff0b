// Where everything lies in the hart's linear memory: the single source of every offset that generated code and TypeScript share.
//
//   0              4096                                                             ramOffset
//   +--------------+--------------------+---------------+------------------------+-------------+
//   | thread state | TLB banks          | code map      | decode pool            | RAM         |
//   | and exits    | BANKS x BANK_BYTES | i32 per frame | 4096 x 16 KiB          |             |
//   +--------------+--------------------+---------------+------------------------+-------------+

/**
 * Thread state: what a context switch saves. xN at X + 8N; x0 stays 0: writes to it are decoded away or undone. It begins memory, as
 * machine code that names the first 128 bytes (x1 to x15) is shorter by three bytes each time.
 */
export const X = 0;
export const PC = X + 32 * 8;
export const F = PC + 8;
/** fcsr as a 32-bit word: bits 0-4 flags, 5-7 rounding mode. */
export const FCSR = F + 32 * 8;
export const THREAD_STATE_BYTES = FCSR + 8 - X;

/** Exit information. */
export const FAULT_ADDRESS = FCSR + 8;
export const FAULT_ACCESS = FAULT_ADDRESS + 8;
/** LR/SC: reserved address (-1: none), and the value that LR loaded. */
export const RESERVATION = FAULT_ACCESS + 8;
export const RESERVED_VALUE = RESERVATION + 8;
/** Instructions of the present run() budget not yet used. */
export const FUEL_LEFT = RESERVED_VALUE + 8;
/** Non-zero: a memory or CSR function noted a fault for the running instruction. */
export const FAULTED = FUEL_LEFT + 8;
/** Set by dropCode(): the code being run may be gone. */
export const CODE_DROPPED = FAULTED + 4;
/** Linear addresses of the current TLB bank and of the root page table. */
export const BANK_POINTER = CODE_DROPPED + 4;
export const ROOT_POINTER = BANK_POINTER + 4;
/** How often translated code left by an indirect jump to a place it does not contain; the latest ones are in a ring. */
export const MISS_COUNT = ROOT_POINTER + 8;
export const RECORDED = MISS_COUNT + 4;
/** For reports, as i64: how often a region was entered, and instructions retired in regions. */
export const REGION_CALLS = RECORDED + 4;
export const REGION_INSTRUCTIONS = REGION_CALLS + 8;
/** Where the interpreter went on last behind a region, as i64. */
export const LAST_EXIT = REGION_INSTRUCTIONS + 8;
/** i32: linear address of the site (REGION_SITES) whose jump left a region last; 0: it is none. */
export const LAST_SITE = LAST_EXIT + 8;
/** Where the interpreter is: i64 address of the page it runs in, and i32 linear address of that page's slots. */
export const PC_BASE = LAST_SITE + 8;
export const IP_BASE = PC_BASE + 8;
/**
 * i64: number of the state of the current bank as far as it matters to regions: while it is the same, every page that was found to be
 * mapped to its frame (REGION_PAGES) still is.
 */
export const GENERATION = IP_BASE + 8;
/** Per miss: i32 address of the region's block, i64 address of the jump, i64 target, i64 address of the region's base page; each at a multiple of 8. */
export const MISS_RING = 2560;
export const MISS_BYTES = 32;
export const MISSES = 32;
/** While page references are reported (HartOptions.onReference): frame reported last, and frame of the code being run. */
export const LAST_REFERENCED = MISS_RING + MISSES * MISS_BYTES;
export const CODE_FRAME = LAST_REFERENCED + 4;

/**
 * Of each base register (doubled, plus 1 for stores): the run of pages, adjoining and in adjoining frames, that a load or store found
 * there last. An entry is 24 bytes:
 *   i64 virtual address of the first page;  i64 bytes, minus 7: where 8 bytes can begin (0: no run);
 *   i32 addend, as in the TLB;  i32 PFN of the first page
 * What is here is true even when the TLB has lost it to another page; its owner empties all at once when anything changes. For x0
 * there is none: BASE_RUNS_USED, an i32, says whether there is anything, and behind it RUN_MISSES counts (i32) what found no run.
 */
export const BASE_RUNS = 1024;
export const BASE_RUNS_USED = BASE_RUNS;
export const RUN_MISSES = BASE_RUNS + 4;
export const RUN_BYTES = 24;
export const RUN_LENGTH = 8;
export const RUN_ADDEND = 16;
export const RUN_PFN = 20;
export const BASE_RUNS_BYTES = 64 * RUN_BYTES;

/**
 * TLB: per bank three direct-mapped tables (presence = permission). An entry is 16 bytes:
 *   i64 tag: virtual address of the page, or -1;  i32 addend: linear address of the frame minus the low half of the tag
 *   (fetch: linear address of the decode page);  i32 PFN
 */
export const TLB_ENTRY_BYTES = 16;
export const DATA_ENTRIES = 1024;
export const FETCH_ENTRIES = 256;
/** Of an address shifted right by 8: the byte offset of its page's entry in a table of data entries. */
export const DATA_ENTRY_MASK = (DATA_ENTRIES - 1) * TLB_ENTRY_BYTES;
export const TLB_READ = 0;
export const TLB_WRITE = DATA_ENTRIES * TLB_ENTRY_BYTES;
export const TLB_FETCH = 2 * TLB_WRITE;
/** Behind them, by the low bits of its number: i32, the page that a region found to be its own since GENERATION; or NO_PAGE, SEVERAL_PAGES. */
export const REGION_PAGES = TLB_FETCH + FETCH_ENTRIES * TLB_ENTRY_BYTES;
export const NO_PAGE = -1;
export const SEVERAL_PAGES = -2;
export const BANK_BYTES = REGION_PAGES + FETCH_ENTRIES * 4;
export const BANKS = 16;
export const TLB = 4096;

/**
 * Entries of translated regions: i32 index in the table of functions, u16 handler that the slot had before, u16 whether other regions
 * may call this one, i64 offset of the instruction from the region's base page (which can be in another library, far away).
 */
export const REGION_RECORDS = TLB + BANKS * BANK_BYTES;
export const REGION_RECORD_BYTES = 16;
export const MOST_REGION_ENTRIES = 32768;

/**
 * What belongs to a region in this run (by its index): i32 per page, the frame that it must be mapped to, or -1 while that is not
 * known; then per jump through a register that leaves it, where that went last: i32 index of the region that begins there (0: none), at 8
 * the i64 offset of that place from the other region's base page, and at 16 its i64 address. The interpreter writes it (LAST_SITE).
 */
export const REGION_FRAMES = 0;
export const MOST_REGION_PAGES = 32;
export const REGION_SITES = REGION_FRAMES + MOST_REGION_PAGES * 4;
export const REGION_SITE_BYTES = 32;
export const MOST_REGION_SITES = 16;
export const REGION_BLOCK_BYTES = REGION_SITES + MOST_REGION_SITES * REGION_SITE_BYTES;
/** Regions that are made in a run and live at the same time (each a module, which costs the engine about 25 KB), and those of earlier runs. */
export const MOST_REGIONS = 4000;
export const MOST_KEPT_REGIONS = 4000;
export const REGION_BLOCKS = REGION_RECORDS + MOST_REGION_ENTRIES * REGION_RECORD_BYTES;

/** Per entry (by record): i32, instructions that were run from it, modulo 2^32. */
export const REGION_WORK = REGION_BLOCKS + (1 + MOST_REGIONS + MOST_KEPT_REGIONS) * REGION_BLOCK_BYTES;

/**
 * Jumps taken while the recording interpreter runs: i64 address of the jump, i64 address it went to; RECORDED of them.
 */
export const RECORDING = REGION_WORK + MOST_REGION_ENTRIES * 4;
export const MOST_RECORDED = 16384;

/** Tables of the decoder (slot-decoder.ts), part of the interpreter's module. */
export const DECODER = RECORDING + MOST_RECORDED * 16;
export const DECODER_BYTES = 32768;

/**
 * i32 per frame: linear address of its decode page (a multiple of 64) or 0, plus WRITE_CACHED. A frame with a decode page
 * has no entry in any write table (I14); WRITE_CACHED says that it may have one.
 */
export const CODE_MAP = DECODER + DECODER_BYTES;
/** The map has room for all of RAM that fits, so that what follows lies at the same place in every machine. */
const MOST_FRAMES = 2 ** 20;
export const WRITE_CACHED = 1;

/**
 * A pre-decoded slot per halfword of the frame. Register fields are scaled by 8, so that they are offsets into X or F:
 *
 *   0           2     3     4     5     6     7
 *   +-----------+-----+-----+-----+-----+-----+-----+
 *   | handler   | rd  | rs1 | rs2 | rs3 | imm16     |   R R4 AMO S B; rm in byte 6
 *   |           |     |     | imm32                 |   I U J SHIFT CSR
 *   +-----------+-----+-----+-----+-----+-----+-----+
 *
 * Behind the slots of a page: two page-end slots (for a last instruction of 2 and of 4 bytes), then the slot of an
 * instruction that straddles into the next page, the halfword of that page it was decoded from (+ 65536 when valid), a
 * page-end slot for its successor, the mark that the page was used since the clock hand passed, the linear address of the
 * frame, and whether the hart stops somewhere in it.
 */
export const SLOT_BYTES = 8;
export const SLOTS_PER_PAGE = 2048;
export const STRADDLE_SLOT = (SLOTS_PER_PAGE + 2) * SLOT_BYTES;
export const STRADDLE_HALFWORD = STRADDLE_SLOT + SLOT_BYTES;
export const PAGE_USED = STRADDLE_SLOT + 3 * SLOT_BYTES;
export const PAGE_FRAME = PAGE_USED + 4;
export const PAGE_HAS_STOPS = PAGE_FRAME + 4;
/** u16 per slot behind all that: the record of the region that begins there (where the handler says so). */
export const REGION_INDEX = SLOTS_PER_PAGE * SLOT_BYTES + 64;
export const DECODE_PAGE_BYTES = REGION_INDEX + SLOTS_PER_PAGE * 2;
const DECODE_PAGES = 4096;
/** A straddling instruction needs two pages at once. */
const LEAST_DECODE_PAGES = 2;

export interface Layout {
  readonly frameCount: number;
  readonly decodePages: number;
  /** Where RAM begins; it does not depend on the size of RAM, so that one interpreter serves all usual machines. */
  readonly ramOffset: number;
  /**
   * Pages of wasm (64 KiB) of linear memory. Generated code names the number: it is faster in a memory that never grows (V8
   * looks the memory up anew behind every call otherwise). Machines of about the same size have the same code.
   */
  readonly memoryPages: number;
}

const MEMORY_PAGE_BYTES = 65536;
const MOST_MEMORY_PAGES = 65536;

export const DECODE_POOL = align(CODE_MAP + 4 * MOST_FRAMES, 64);

/** Sizes of RAM that linear memory has room for are powers of two from here on: what is not used is only address space. */
const LEAST_ROOM = 2 ** 26;

/** Lays out linear memory for `ramBytes` of RAM (a multiple of 4096); at most `mostDecodePages` frames stay decoded. */
export function makeLayout(ramBytes: number, mostDecodePages = DECODE_PAGES): Layout {
  const frameCount = ramBytes / 4096;
  const decodePages = Math.max(LEAST_DECODE_PAGES, Math.min(mostDecodePages, frameCount));
  const poolPages = Math.max(LEAST_DECODE_PAGES, mostDecodePages);
  const ramOffset = align(DECODE_POOL + poolPages * DECODE_PAGE_BYTES, MEMORY_PAGE_BYTES);
  const needed = Math.ceil((ramOffset + ramBytes) / MEMORY_PAGE_BYTES);
  const room = Math.max(LEAST_ROOM, 2 ** Math.ceil(Math.log2(ramBytes)));
  const memoryPages = Math.max(needed, Math.min(MOST_MEMORY_PAGES, (ramOffset + room) / MEMORY_PAGE_BYTES));
  return { frameCount, decodePages, ramOffset, memoryPages };
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
