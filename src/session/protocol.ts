// What a page and the session that owns a machine say to each other: plain objects in which typed arrays may stand, the same over a
// WebSocket (wire.ts) and between a page and its worker. The page asks, the session answers; only output, stops and the end come unasked.
import type { Condition, ControlState, FaultRecord, StepUnit, StopEvent } from "../machine/control/index.ts";
import type {
  AreaInfo,
  FrameInfo,
  MachineFigures,
  ObjectInfo,
  PageWalk,
  ProcessInfo,
  Registers,
  SlotPage,
  SymbolAt,
  TlbEntry,
} from "../machine/inspect/index.ts";

/** A file that is dropped on the page. */
export interface DroppedFile {
  name: string;
  bytes: Uint8Array;
}

/** Only where the session makes its own machines (in a browser). */
export interface LaunchRequest {
  /** Program and arguments. */
  command: string[];
  memory: string;
  swap: string;
  policy: string;
  seed: number;
  /** Stand still before the first instruction. */
  paused: boolean;
  /** An ELF file becomes the program, an archive the root; none: the bundled root. */
  file: DroppedFile | null;
}

export type ControlCommand =
  | { do: "run" }
  | { do: "pause" }
  | { do: "step"; unit: StepUnit }
  | { do: "back"; unit: StepUnit }
  | { do: "seek"; instructions: number }
  | { do: "runTo"; condition: Condition };

/** Pages of an address space as cells of so many pages each, at most MOST_CELLS of them. */
export interface CellsRequest {
  pid: number;
  firstVpn: number;
  pages: number;
  pagesPerCell: number;
}

/** What the page wants to see now; what is left out is not computed. */
export interface LookRequest {
  processes: boolean;
  frames: boolean;
  /** Mark the frames that `pid` uses. */
  ownFrames: boolean;
  objects: boolean;
  /** Slots of the swap file. */
  swap: boolean;
  /** Areas (and TLB) of this process. */
  pid: number | null;
  tlb: boolean;
  cells: CellsRequest[];
  /** Page by page of this object's cache. */
  object: number | null;
}

/** Frames of the whole machine, a byte or word each. */
export interface FrameColumns {
  kind: Uint8Array;
  /** 1 dirty, 2 locked, 4 mapped more than once, 8 mapped, 16 used by the process of the look (if `ownFrames`). */
  marks: Uint8Array;
  /** Space (page tables, anonymous frames where it is known) or object (file, shmem) that a frame belongs to. */
  owner: Int32Array;
}

/** The machine at one moment. */
export interface Look {
  /** Milliseconds that computing it took: the page looks less often at what is expensive. */
  costMs: number;
  figures: MachineFigures;
  state: ControlState;
  stop: StopEvent;
  /** Instruction counts: the stretch of the run that can be sought. */
  history: { first: number; latest: number };
  processes: ProcessInfo[] | null;
  frames: FrameColumns | null;
  objects: ObjectInfo[] | null;
  /** SLOT_* from slot 1 on. */
  slots: Uint8Array | null;
  areas: AreaInfo[] | null;
  tlb: TlbEntry[] | null;
  /** PAGE_* bits, in the order of the request. */
  cells: Uint8Array[];
  objectPages: Int32Array | null;
}

export type Question =
  | { ask: "look"; look: LookRequest }
  | { ask: "control"; command: ControlCommand }
  | { ask: "frame"; pfn: number }
  | { ask: "slot"; slot: number }
  | { ask: "walk"; pid: number; address: number }
  | { ask: "registers"; tid: number }
  | { ask: "faults" }
  | { ask: "symbol"; pid: number; address: number };

/** Answers by question. */
export interface Answers {
  look: Look;
  control: null;
  frame: FrameInfo;
  slot: SlotPage[];
  walk: PageWalk;
  registers: Registers;
  faults: FaultRecord[];
  symbol: SymbolAt | null;
}

export interface Started {
  command: string[];
  totalFrames: number;
  swapSlots: number;
  policy: string;
  /** Why there is no way back, in one line; null: there is. */
  rewindRefusal: string | null;
}

export type ClientMessage =
  | { type: "launch"; launch: LaunchRequest }
  | { type: "ask"; id: number; question: Question }
  | { type: "input"; text: string }
  | { type: "resize"; columns: number; rows: number };

export type ServerMessage =
  /** `started` null: nothing runs yet, and the page may launch something. */
  | { type: "hello"; canLaunch: boolean; started: Started | null }
  | { type: "started"; started: Started }
  | { type: "output"; bytes: Uint8Array }
  /** The terminal as it was at the moment that the machine was brought back to. */
  | { type: "rewound"; bytes: Uint8Array }
  | { type: "stopped"; stop: StopEvent }
  | { type: "ended"; code: number; signal: number | null }
  | { type: "answer"; id: number; answer: unknown }
  | { type: "refused"; id: number; message: string }
  /** The machine or the launch failed: one line. */
  | { type: "failed"; message: string };

export const MOST_CELLS = 1 << 16;
