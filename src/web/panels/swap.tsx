// The swap file, slot by slot. The slot of the page that is selected is marked.
import { signal } from "@preact/signals";
import { SLOT_CACHED, SLOT_FREE } from "../../machine/inspect/swap-slots.ts";
import { bytes, count } from "../../view/format.ts";
import { Canvas, inks, markCell } from "../canvas.tsx";
import { selectSlot } from "../client.ts";
import { frameColour, pageColour } from "../palette.ts";
import { arrowStep } from "../row-keys.ts";
import * as state from "../state.ts";
import { Legend } from "./legend.tsx";

const CELL_PX = 7;
const MARGIN_PX = 4;
const STATES = ["free", "in swap only", "in swap and in memory"];
const columns = signal(40);
const hovered = signal<number | null>(null);

export function SwapPanel() {
  const look = state.look.value?.answer;
  if (!look) return null;
  const { swap } = look.figures;
  if (swap.slots === 0) return <p class="hint">This machine has no swap file. Give it one with --swap 64M.</p>;
  const slots = look.slots ?? new Uint8Array(0);
  const theme = state.theme.value;
  const colours = [pageColour(theme, "untouched"), pageColour(theme, "swapped"), frameColour(theme, "anonymous")];
  const { slot } = state.selection.value;
  return (
    <>
      <h3>Swap file</h3>
      <dl>
        <dt>slots</dt>
        <dd>
          {count(swap.slots)} ({bytes(swap.slots * 4096)})
        </dd>
        <dt>used</dt>
        <dd data-testid="swap-used">
          {count(swap.used)} ({bytes(swap.used * 4096)})
        </dd>
        <dt>went out</dt>
        <dd>{pages(swap.pagesOut)}</dd>
        <dt>came back</dt>
        <dd>{pages(swap.pagesIn)}</dd>
        <dt>slot</dt>
        <dd data-testid="slot">{told(hovered.value ?? slot, slots)}</dd>
      </dl>
      <Legend
        entries={[
          { label: STATES[0], about: "holds nothing that is needed", colour: colours[SLOT_FREE] },
          { label: STATES[1], about: "the page has no frame", colour: colours[1] },
          {
            label: "also in memory",
            about: "swap cache: the frame can be dropped without writing",
            colour: colours[SLOT_CACHED],
          },
        ]}
      />
      <Canvas
        label="Slots of the swap file"
        height={Math.max(1, Math.ceil(slots.length / columns.value)) * CELL_PX + 2 * MARGIN_PX}
        version={[slots, theme, slot, columns.value]}
        paint={(context) => paint(context, slots, colours, slot)}
        onResize={({ width }) => {
          columns.value = Math.max(8, Math.floor((width - 2 * MARGIN_PX) / CELL_PX));
        }}
        onHover={(x, y) => {
          hovered.value = slotUnder(x, y, slots.length);
        }}
        onPoint={(x, y) => {
          const under = slotUnder(x, y, slots.length);
          if (under !== null) void selectSlot(under);
        }}
        onKey={(event) => {
          const step = arrowStep(event, columns.value);
          if (step === 0) return;
          const next = (state.selection.value.slot ?? 0) + step;
          if (next >= 1 && next <= slots.length) void selectSlot(next);
        }}
        onLeave={() => {
          hovered.value = null;
        }}
      />
    </>
  );
}

function slotUnder(x: number, y: number, slots: number): number | null {
  const [column, row] = [x, y].map((pixel) => Math.floor((pixel - MARGIN_PX) / CELL_PX));
  const under = row * columns.value + column;
  return column >= 0 && column < columns.value && row >= 0 && under < slots ? under + 1 : null;
}

const pages = (n: number): string => `${count(n)} ${n === 1 ? "page" : "pages"}`;

function told(slot: number | null, slots: Uint8Array): string {
  if (slot === null) return "–";
  return `${slot}: ${STATES[slots[slot - 1] ?? SLOT_FREE]}`;
}

function paint(
  context: CanvasRenderingContext2D,
  slots: Uint8Array,
  colours: readonly string[],
  selected: number | null,
): void {
  const x = (i: number) => MARGIN_PX + (i % columns.value) * CELL_PX;
  const y = (i: number) => MARGIN_PX + Math.floor(i / columns.value) * CELL_PX;
  for (let i = 0; i < slots.length; i++) {
    context.fillStyle = colours[slots[i]];
    context.fillRect(x(i), y(i), CELL_PX - 1, CELL_PX - 1);
  }
  if (selected === null || selected > slots.length) return;
  markCell(context, x(selected - 1), y(selected - 1), CELL_PX - 1, inks());
}
