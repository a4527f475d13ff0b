// Computes what a page wants to see of a machine at one moment. Only what is asked for; nothing is changed.
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { RunControl } from "../machine/control/index.ts";
import { HostError, type Machine } from "../machine/index.ts";
import {
  FRAME_FLAGS,
  FRAME_KIND_NAMES,
  PAGE_NONE,
  PAGE_STATE_MASK,
  PAGE_UNTOUCHED,
  SLOT_FREE,
} from "../machine/inspect/index.ts";
import { type CellsRequest, type FrameColumns, type Look, type LookRequest, MOST_CELLS } from "./protocol.ts";

/** Pages looked at for one request; beyond it cells are sampled. */
const MOST_PAGES = 1 << 18;
const MOST_OBJECT_PAGES = 1 << 16;

export function lookAt(machine: Machine, control: RunControl, request: LookRequest): Look {
  const { inspect, kernel, host } = machine;
  const begun = host.clock.monotonicNs();
  const alive = request.pid !== null && kernel.processes.get(request.pid)?.liveThread ? request.pid : null;
  const figures = inspect.machine();
  const { first, latest } = control.history;
  const look: Look = {
    costMs: 0,
    figures,
    state: control.state,
    stop: control.lastStop,
    history: { first, latest },
    processes: request.processes ? inspect.processes() : null,
    frames: request.frames ? frameColumns(machine, request.ownFrames ? alive : null) : null,
    objects: request.objects ? inspect.objects() : null,
    slots: request.swap ? inspect.slots(1, new Uint8Array(figures.swap.highest).fill(SLOT_FREE)) : null,
    areas: alive === null ? null : inspect.maps(alive),
    tlb: alive !== null && request.tlb ? inspect.tlb(alive) : null,
    cells: request.cells.map((cells) => (cells.pid === alive ? pageCells(machine, cells) : new Uint8Array(0))),
    objectPages: request.object === null ? null : pagesOfObject(machine, request.object),
  };
  look.costMs = (host.clock.monotonicNs() - begun) / 1e6;
  return look;
}

const KIND_FILE = FRAME_KIND_NAMES.indexOf("file");
const KIND_SHMEM = FRAME_KIND_NAMES.indexOf("shmem");
const KIND_TABLE = FRAME_KIND_NAMES.indexOf("page-table");

function frameColumns(machine: Machine, pid: number | null): FrameColumns {
  const { count, kind, flags, mapCount, owner } = machine.inspect.frames();
  const marks = new Uint8Array(count);
  const owners = new Int32Array(count);
  const own = pid === null ? null : machine.inspect.framesOf(pid, new Uint8Array(count));
  for (let pfn = 0; pfn < count; pfn++) {
    const maps = mapCount[pfn];
    marks[pfn] =
      ((flags[pfn] & FRAME_FLAGS.dirty) !== 0 ? 1 : 0) |
      ((flags[pfn] & FRAME_FLAGS.locked) !== 0 ? 2 : 0) |
      (maps > 1 ? 4 : 0) |
      (maps > 0 ? 8 : 0) |
      (own !== null && own[pfn] !== 0 ? 16 : 0);
    const k = kind[pfn];
    if (k === KIND_FILE || k === KIND_SHMEM || k === KIND_TABLE) owners[pfn] = owner[pfn];
  }
  return { kind: kind.slice(), marks, owner: owners };
}

/** A cell shows the strongest state of its pages: swapped, copy-on-write, resident, ... and every mark that one of them has. */
export function pageCells(machine: Machine, { pid, firstVpn, pages, pagesPerCell }: CellsRequest): Uint8Array {
  const whole = [firstVpn, pages, pagesPerCell].every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!whole || pagesPerCell === 0) throw new HostError("cells are asked for by whole numbers");
  const count = Math.min(MOST_CELLS, Math.ceil(pages / pagesPerCell));
  if (pagesPerCell === 1) return machine.inspect.pages(pid, firstVpn, new Uint8Array(count));
  const cells = new Uint8Array(count).fill(PAGE_NONE);
  // Of very large cells a part at their beginning is looked at.
  const seen = Math.max(1, Math.min(pagesPerCell, Math.floor(MOST_PAGES / count)));
  const states = new Uint8Array(seen);
  for (let cell = 0; cell < count; cell++) {
    machine.inspect.pages(pid, firstVpn + cell * pagesPerCell, states);
    let state = 0;
    let marks = 0;
    for (const page of states) {
      state = Math.max(state, page & PAGE_STATE_MASK);
      if ((page & PAGE_STATE_MASK) > PAGE_UNTOUCHED) marks |= page & ~PAGE_STATE_MASK;
    }
    cells[cell] = state | marks;
  }
  return cells;
}

function pagesOfObject(machine: Machine, id: number): Int32Array | null {
  const object = machine.kernel.mm.objects.get(id);
  if (object === undefined) return null;
  const pages = Math.min(MOST_OBJECT_PAGES, Math.ceil(object.sizeBytes / PAGE_SIZE));
  return machine.inspect.objectPages(id, 0, new Int32Array(pages));
}
