// The address space of a process: its areas to scale, every page in the colour of its state; a page can be chosen by pointer or arrow keys.
import { computed, effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { AreaInfo } from "../../machine/inspect/index.ts";
import type { CellsRequest } from "../../session/protocol.ts";
import {
  type AddressLayout,
  type AreaBlock,
  blocksBetween,
  cellOf,
  LABEL_PX,
  layOutAreas,
  neighbour,
  pageAt,
  ZOOMS,
} from "../../view/address-layout.ts";
import { bytes, count, hex, shortName } from "../../view/format.ts";
import { PAGE_CLASS_TABLE, PAGE_CLASSES } from "../../view/page-classes.ts";
import { Canvas, type CanvasSize, type Inks, inks, markCell } from "../canvas.tsx";
import { lookSoon, selectPage } from "../client.ts";
import { PAGE_WORDS, pageColour } from "../palette.ts";
import * as state from "../state.ts";
import { Legend } from "./legend.tsx";

const PADDING_PX = 10;
const size = signal<CanvasSize>({ width: 600, height: 300 });
const scrolled = signal(0);
const hovered = signal<{ x: number; y: number; text: string } | null>(null);

const areas = computed<readonly AreaInfo[]>(() => {
  const look = state.look.value;
  return look !== null && look.request.pid === state.shownPid.value ? (look.answer.areas ?? []) : [];
});
const layout = computed(() => layOutAreas(areas.value, size.value.width - 2 * PADDING_PX, ZOOMS[state.zoom.value]));

/** The cells of the areas on the screen, which the next look brings. */
effect(() => {
  const pid = state.shownPid.value;
  const shown = blocksBetween(layout.value, scrolled.value, scrolled.value + size.value.height);
  const wanted: CellsRequest[] =
    pid === null ? [] : shown.map(({ firstVpn, pages, pagesPerCell }) => ({ pid, firstVpn, pages, pagesPerCell }));
  const before = state.visibleCells.peek();
  if (JSON.stringify(before) === JSON.stringify(wanted)) return;
  state.visibleCells.value = wanted;
  lookSoon();
});

export function AddressSpacePanel() {
  const scroller = useRef<HTMLDivElement>(null);
  const selection = state.selection.value;
  const isLaidOut = selection.vpn !== null && cellOf(layout.value, selection.vpn) !== null;
  // What was selected elsewhere comes into sight, as soon as its area is known.
  useEffect(() => {
    const cell = selection.vpn === null ? null : cellOf(layout.peek(), selection.vpn);
    const element = scroller.current;
    if (cell === null || element === null) return;
    const y = cell.y + PADDING_PX;
    if (y < element.scrollTop + LABEL_PX || y > element.scrollTop + element.clientHeight - LABEL_PX)
      element.scrollTop = Math.max(0, y - element.clientHeight / 2);
  }, [selection.vpn, selection.pid, isLaidOut]);
  const processes = state.look.value?.answer.processes ?? [];
  const entries = PAGE_CLASSES.slice(1).map(({ name, label, about }) => ({
    label,
    about,
    colour: pageColour(state.theme.value, name),
  }));
  return (
    <section class="panel address-space" aria-label="Address space">
      <h2>
        Address space of
        <select
          aria-label="Process"
          value={state.shownPid.value ?? ""}
          onChange={(event) => {
            state.shownPid.value = Number(event.currentTarget.value);
            lookSoon();
          }}
        >
          {processes.map(({ pid, name, state: phase }) => (
            <option key={pid} value={pid} disabled={phase === "zombie"}>
              {pid} {name}
            </option>
          ))}
        </select>
        <span class="dim">{summary(areas.value)}</span>
        <span class="spacer" />
        <span class="group">
          <button type="button" aria-label="Further away" title="Further away (-)" onClick={() => zoomBy(-1)}>
            −
          </button>
          <button type="button" aria-label="Nearer" title="Nearer (+)" onClick={() => zoomBy(1)}>
            +
          </button>
        </span>
      </h2>
      <Legend entries={entries} />
      <div
        class="canvas-place"
        ref={scroller}
        onScroll={(event) => {
          scrolled.value = event.currentTarget.scrollTop;
        }}
      >
        <div class="sticky">
          <Canvas
            label="Pages of the address space"
            className="fill"
            version={[
              state.look.value,
              selection,
              scrolled.value,
              state.theme.value,
              state.zoom.value,
              size.value,
              state.frame.value,
            ]}
            paint={paint}
            onResize={(now) => {
              size.value = now;
            }}
            onPoint={(x, y) => choose(x, y)}
            onHover={(x, y) => hover(x, y)}
            onLeave={() => {
              hovered.value = null;
            }}
            onKey={onKey}
          />
          <Tip />
        </div>
        <div style={{ height: `${Math.max(0, layout.value.height + 2 * PADDING_PX - size.value.height)}px` }} />
      </div>
    </section>
  );
}

function Tip() {
  const tip = hovered.value;
  if (tip === null) return null;
  const left = tip.x > size.value.width / 2;
  return (
    <div
      class="tip"
      style={{ top: `${tip.y + 14}px`, [left ? "right" : "left"]: `${left ? size.value.width - tip.x : tip.x + 12}px` }}
    >
      {tip.text}
    </div>
  );
}

const zoomBy = (by: number) => {
  state.zoom.value = Math.max(0, Math.min(ZOOMS.length - 1, state.zoom.value + by));
};

function summary(list: readonly AreaInfo[]): string {
  const pages = list.reduce((sum, area) => sum + area.pages, 0);
  const resident = list.reduce((sum, area) => sum + area.residentPages, 0);
  return `${list.length} areas, ${count(pages)} pages, ${count(resident)} resident`;
}

function pageUnder(x: number, y: number) {
  return pageAt(layout.value, x - PADDING_PX, y - PADDING_PX + scrolled.value);
}

function choose(x: number, y: number): void {
  const found = pageUnder(x, y);
  if (found !== null && state.shownPid.value !== null) selectPage(state.shownPid.value, found.vpn);
}

function hover(x: number, y: number): void {
  const found = pageUnder(x, y);
  if (found === null) {
    hovered.value = null;
    return;
  }
  const area = areas.value[found.block.index];
  const cells = cellsOf(found.block);
  const cell = (found.vpn - found.block.firstVpn) / found.block.pagesPerCell;
  const what = cells === null ? "" : PAGE_CLASSES[PAGE_CLASS_TABLE[cells[cell]]].label;
  const several = found.block.pagesPerCell > 1 ? ` (${found.block.pagesPerCell} pages)` : "";
  hovered.value = {
    x,
    y,
    text: `${hex(found.vpn * 4096)}${several}\n${shortName(area.name) || "anonymous"} ${area.permissions}\n${what}`,
  };
}

const ARROWS: Readonly<Record<string, [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function onKey(event: KeyboardEvent): void {
  const arrow = ARROWS[event.key];
  const pid = state.shownPid.value;
  if (arrow === undefined || pid === null) return;
  event.preventDefault();
  event.stopPropagation();
  const { vpn } = state.selection.value;
  const first = layout.value.blocks[0]?.firstVpn ?? null;
  selectPage(pid, vpn === null ? first : neighbour(layout.value, vpn, arrow[0], arrow[1]));
}

/** The page states of a block as the latest look brought them, or null. */
function cellsOf(block: AreaBlock): Uint8Array | null {
  const look = state.look.peek();
  if (look === null) return null;
  const i = look.request.cells.findIndex(
    (cells) =>
      cells.firstVpn === block.firstVpn && cells.pages === block.pages && cells.pagesPerCell === block.pagesPerCell,
  );
  const cells = look.answer.cells[i];
  return cells === undefined || cells.length === 0 ? null : cells;
}

function paint(context: CanvasRenderingContext2D, { width, height }: CanvasSize): void {
  const ink = inks();
  context.save();
  context.translate(PADDING_PX, PADDING_PX - scrolled.value);
  for (const block of blocksBetween(layout.value, scrolled.value - PADDING_PX, scrolled.value + height)) {
    paintLabel(context, block, width - 2 * PADDING_PX, ink);
    paintCells(context, block, layout.value);
  }
  paintSelection(context, ink);
  context.restore();
}

function paintLabel(context: CanvasRenderingContext2D, block: AreaBlock, width: number, ink: Inks): void {
  const area = areas.value[block.index];
  context.textBaseline = "middle";
  const y = block.labelTop + LABEL_PX / 2;
  if (block.gapBytes > 0) {
    context.fillStyle = ink.dim;
    context.font = "11px system-ui, sans-serif";
    context.fillText(`⋮ ${bytes(block.gapBytes)} without an area`, 0, block.labelTop - 9);
  }
  context.font = "12px ui-monospace, 'DejaVu Sans Mono', monospace";
  context.fillStyle = ink.dim;
  const address = area.start.toString(16).padStart(10, "0");
  context.fillText(address, 0, y);
  context.fillText(area.permissions, 92, y);
  context.font = "600 12px system-ui, sans-serif";
  context.fillStyle = ink.text;
  context.fillText(shortName(area.name) || "anonymous", 132, y);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = ink.dim;
  const coarse = block.pagesPerCell > 1 ? `, a cell is ${block.pagesPerCell} pages` : "";
  const text = `${count(area.residentPages)} of ${count(area.pages)} pages resident${coarse}`;
  context.textAlign = "right";
  context.fillText(text, width, y);
  context.textAlign = "left";
}

let scratch: OffscreenCanvas | null = null;

/** A block's cells as an image of a pixel each, enlarged; grid lines from 5 pixels on. */
function paintCells(context: CanvasRenderingContext2D, block: AreaBlock, { columns, cellPx }: AddressLayout): void {
  const cells = cellsOf(block);
  const words = PAGE_WORDS[state.theme.peek()];
  const image = new ImageData(columns, block.rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < block.cells; i++) pixels[i] = words[cells === null ? 1 : PAGE_CLASS_TABLE[cells[i]]];
  scratch ??= new OffscreenCanvas(columns, block.rows);
  if (scratch.width < columns || scratch.height < block.rows) {
    scratch.width = Math.max(scratch.width, columns);
    scratch.height = Math.max(scratch.height, block.rows);
  }
  scratch.getContext("2d")!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, columns, block.rows, 0, block.cellsTop, columns * cellPx, block.rows * cellPx);
  if (cellPx >= 5) paintGrid(context, block, columns, cellPx);
}

function paintGrid(context: CanvasRenderingContext2D, block: AreaBlock, columns: number, cellPx: number): void {
  context.fillStyle = pageColour(state.theme.peek(), "none");
  const wide = Math.min(columns, block.cells) * cellPx;
  for (let row = 0; row <= block.rows; row++) context.fillRect(0, block.cellsTop + row * cellPx - 1, wide, 1);
  for (let column = 1; column <= Math.min(columns, block.cells); column++)
    context.fillRect(column * cellPx - 1, block.cellsTop, 1, block.rows * cellPx);
}

/** The selected page, and every page of this process that the selected frame is mapped at. */
function paintSelection(context: CanvasRenderingContext2D, ink: Inks): void {
  const pid = state.shownPid.peek();
  const { vpn, pid: owner } = state.selection.peek();
  const mapped = (state.frame.peek()?.mappings ?? [])
    .filter((mapping) => mapping.pid === pid)
    .map(({ address }) => address / 4096);
  const { cellPx } = layout.value;
  for (const page of new Set([...mapped, ...(vpn !== null && owner === pid ? [vpn] : [])])) {
    const cell = cellOf(layout.value, page);
    if (cell === null) continue;
    markCell(context, cell.x, cell.y, cellPx - 1, ink);
  }
}
