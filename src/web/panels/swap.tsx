// The swap file, slot by slot.
import { SLOT_CACHED, SLOT_FREE } from "../../machine/inspect/swap-slots.ts";
import { bytes, count } from "../../view/format.ts";
import { Canvas } from "../canvas.tsx";
import { frameColour, pageColour } from "../palette.ts";
import * as state from "../state.ts";
import { Legend } from "./legend.tsx";

const COLUMNS = 48;
const CELL_PX = 6;

export function SwapPanel() {
  const look = state.look.value?.answer;
  if (!look) return null;
  const { swap } = look.figures;
  if (swap.slots === 0) return <p class="hint">This machine has no swap file. Give it one with --swap 64M.</p>;
  const slots = look.slots ?? new Uint8Array(0);
  const theme = state.theme.value;
  const colours = [pageColour(theme, "untouched"), pageColour(theme, "swapped"), frameColour(theme, "anonymous")];
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
        <dd>{count(swap.pagesOut)} pages</dd>
        <dt>came back</dt>
        <dd>{count(swap.pagesIn)} pages</dd>
      </dl>
      <Legend
        entries={[
          { label: "free", about: "holds nothing that is needed", colour: colours[SLOT_FREE] },
          { label: "in swap only", about: "the page has no frame", colour: colours[1] },
          {
            label: "also in memory",
            about: "swap cache: the frame can be dropped without writing",
            colour: colours[SLOT_CACHED],
          },
        ]}
      />
      <Canvas
        label="Slots of the swap file"
        height={Math.max(1, Math.ceil(slots.length / COLUMNS)) * CELL_PX}
        version={[slots, theme]}
        paint={(context) => {
          for (let i = 0; i < slots.length; i++) {
            context.fillStyle = colours[slots[i]];
            context.fillRect((i % COLUMNS) * CELL_PX, Math.floor(i / COLUMNS) * CELL_PX, CELL_PX - 1, CELL_PX - 1);
          }
        }}
      />
    </>
  );
}
