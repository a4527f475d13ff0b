// Physical memory: every frame by its kind. Hovering a frame tells who maps it; choosing one selects its page everywhere.
import { computed, signal } from "@preact/signals";
import type { FrameInfo } from "../../machine/inspect/index.ts";
import type { FrameColumns } from "../../session/protocol.ts";
import { bytes, count, hex, shortName } from "../../view/format.ts";
import { type FrameLayout, frameAt, frameCell, layOutFrames } from "../../view/frame-layout.ts";
import { FRAME_CLASSES } from "../../view/page-classes.ts";
import { Canvas, type CanvasSize, inks, markCell } from "../canvas.tsx";
import { ask, lookSoon, selectFrame } from "../client.ts";
import { FADED_FRAME_WORDS, FRAME_WORDS, frameColour } from "../palette.ts";
import { arrowStep } from "../row-keys.ts";
import * as state from "../state.ts";
import { Legend } from "./legend.tsx";

const PADDING_PX = 8;
const size = signal<CanvasSize>({ width: 600, height: 200 });
const hovered = signal<{ x: number; y: number; pfn: number; info: FrameInfo | null } | null>(null);
const total = computed(() => state.started.value?.totalFrames ?? 0);
const layout = computed(() =>
  layOutFrames(total.value, size.value.width - 2 * PADDING_PX, size.value.height - 2 * PADDING_PX),
);

export function FramesPanel() {
  const figures = state.look.value?.answer.figures.frames;
  const entries = FRAME_CLASSES.filter(({ name }) => name !== "reserved").map(({ name, label, about }) => ({
    label,
    about,
    colour: frameColour(state.theme.value, name),
  }));
  return (
    <section class="panel frames" aria-label="Physical memory">
      <h2>
        Physical memory
        <span class="dim">
          {figures ? `${count(figures.total)} frames, ${count(figures.free)} free (${bytes(figures.free * 4096)})` : ""}
          {layout.value.framesPerCell > 1 ? `, a cell is ${layout.value.framesPerCell} frames` : ""}
        </span>
        <span class="spacer" />
        <select
          aria-label="Frames that stand out"
          title="Frames that stand out"
          data-testid="frame-filter"
          value={state.frameFilter.value}
          onChange={(event) => {
            state.frameFilter.value = event.currentTarget.value as typeof state.frameFilter.value;
            lookSoon();
          }}
        >
          <option value="all">all frames</option>
          <option value="process">process {state.shownPid.value ?? ""}</option>
          <option value="object">selected object</option>
        </select>
      </h2>
      <Legend entries={entries} />
      <div class="canvas-place">
        <Canvas
          label="Frames of physical memory"
          className="fill"
          version={[state.look.value, state.selection.value, state.theme.value, size.value, state.frameFilter.value]}
          paint={paint}
          onResize={(now) => {
            size.value = now;
          }}
          onPoint={(x, y) => {
            const pfn = frameUnder(x, y);
            if (pfn >= 0) void selectFrame(pfn);
          }}
          onHover={hover}
          onLeave={() => {
            hovered.value = null;
          }}
          onKey={onKey}
        />
        <Tip />
      </div>
    </section>
  );
}

const frameUnder = (x: number, y: number): number => frameAt(layout.value, total.value, x - PADDING_PX, y - PADDING_PX);

function hover(x: number, y: number): void {
  const pfn = frameUnder(x, y);
  if (pfn < 0) {
    hovered.value = null;
    return;
  }
  const known = hovered.value?.pfn === pfn ? hovered.value.info : null;
  hovered.value = { x, y, pfn, info: known };
  if (known !== null) return;
  ask({ ask: "frame", pfn }).then(
    (info) => {
      if (hovered.value?.pfn === pfn) hovered.value = { ...hovered.value, info };
    },
    () => {},
  );
}

const MOST_LINES = 8;

function Tip() {
  const tip = hovered.value;
  if (tip === null) return null;
  const right = tip.x > size.value.width / 2;
  const place = {
    bottom: `${size.value.height - tip.y + 10}px`,
    [right ? "right" : "left"]: `${right ? size.value.width - tip.x : tip.x}px`,
  };
  return (
    <div class="tip" style={place}>
      {describeFrame(tip.pfn, tip.info)}
    </div>
  );
}

export function describeFrame(pfn: number, info: FrameInfo | null): string {
  if (info === null) return `frame ${pfn}`;
  const lines = [`frame ${pfn}: ${info.kind}${info.dirty ? ", dirty" : ""}${info.locked ? ", locked" : ""}`];
  if (info.object !== null)
    lines.push(`page ${info.object.pageIndex} of ${shortName(info.object.name) || "shared memory"}`);
  const names = new Map(state.look.value?.answer.processes?.map(({ pid, name }) => [pid, name]) ?? []);
  for (const { pid, address } of info.mappings.slice(0, MOST_LINES))
    lines.push(`${pid} ${names.get(pid) ?? ""} at ${hex(address)}`);
  if (info.mappings.length > MOST_LINES) lines.push(`and ${info.mappings.length - MOST_LINES} more`);
  return lines.join("\n");
}

function onKey(event: KeyboardEvent): void {
  const { columns, framesPerCell } = layout.value;
  const step = arrowStep(event, columns);
  if (step === 0) return;
  const pfn = (state.selection.value.pfn ?? 0) + step * framesPerCell;
  if (pfn >= 0 && pfn < total.value) void selectFrame(pfn);
}

function paint(context: CanvasRenderingContext2D): void {
  const columns = state.look.peek()?.answer.frames;
  if (!columns) return;
  const { cellPx } = layout.value;
  context.save();
  context.translate(PADDING_PX, PADDING_PX);
  paintCells(context, columns, layout.value);
  const { pfn } = state.selection.peek();
  if (pfn !== null) {
    const { x, y } = frameCell(layout.value, pfn);
    markCell(context, x, y, cellPx - 1, inks());
  }
  context.restore();
}

const MARK_OWN = 16;
const KIND_FILE = FRAME_CLASSES.findIndex(({ name }) => name === "file");

function standingOut({ kind, marks, owner }: FrameColumns): (pfn: number) => boolean {
  const { object } = state.selection.peek();
  if (state.frameFilter.peek() === "process") return (pfn) => (marks[pfn] & MARK_OWN) !== 0;
  // "file" and "shmem" are the last kinds.
  if (state.frameFilter.peek() === "object") return (pfn) => kind[pfn] >= KIND_FILE && owner[pfn] === object;
  return () => true;
}

/** Kinds in the order of what a cell of several frames shows. */
const RANK = [0, 1, 6, 5, 3, 2, 4];

function paintCells(
  context: CanvasRenderingContext2D,
  frames: FrameColumns,
  { columns, rows, cellPx, framesPerCell }: FrameLayout,
): void {
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const { kind } = frames;
  const words = FRAME_WORDS[state.theme.peek()];
  const faded = FADED_FRAME_WORDS[state.theme.peek()];
  const standsOut = standingOut(frames);
  for (let cell = 0, pfn = 0; pfn < kind.length; cell++, pfn += framesPerCell) {
    let shown = kind[pfn];
    let isOut = standsOut(pfn);
    for (let i = pfn + 1; i < pfn + framesPerCell && i < kind.length; i++) {
      const better = standsOut(i);
      // Of several frames those that stand out are shown.
      if ((better && !isOut) || (better === isOut && RANK[kind[i]] > RANK[shown])) shown = kind[i];
      isOut ||= better;
    }
    pixels[cell] = (isOut ? words : faded)[shown];
  }
  const scratch = new OffscreenCanvas(columns, rows);
  scratch.getContext("2d")!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, columns * cellPx, rows * cellPx);
  if (cellPx < 4) return;
  context.fillStyle = inks().line;
  context.globalAlpha = 0.5;
  const cells = Math.ceil(kind.length / framesPerCell);
  const last = cells - (rows - 1) * columns;
  for (let row = 1; row <= rows; row++)
    context.fillRect(0, row * cellPx - 0.5, (row < rows ? columns : last) * cellPx, 0.5);
  for (let column = 1; column <= columns; column++)
    context.fillRect(column * cellPx - 0.5, 0, 0.5, (column <= last ? rows : rows - 1) * cellPx);
  context.globalAlpha = 1;
}
