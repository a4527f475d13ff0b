// Memory objects: files and shared memory with their page caches, and who maps them.
import { signal } from "@preact/signals";
import { bytes, count, hex, shortName } from "../../view/format.ts";
import { Canvas, inks, markCell } from "../canvas.tsx";
import { selectFrame, selectObject, selectPage } from "../client.ts";
import { frameColour, pageColour } from "../palette.ts";
import { arrowStep, rowKeys } from "../row-keys.ts";
import * as state from "../state.ts";

const CELL_PX = 9;
const MARGIN_PX = 3;

export function ObjectsPanel() {
  const objects = [...(state.look.value?.answer.objects ?? [])].sort((a, b) => b.cachedPages - a.cachedPages);
  const chosen = objects.find(({ id }) => id === state.selection.value.object);
  return (
    <>
      <table aria-label="Memory objects" data-testid="objects">
        <thead>
          <tr>
            <th class="name">object</th>
            <th>size</th>
            <th title="pages in its page cache">cached</th>
            <th title="pages that must be written">dirty</th>
            <th title="areas that map it">areas</th>
          </tr>
        </thead>
        <tbody>
          {objects.map((object) => (
            <tr
              key={object.id}
              aria-current={object.id === chosen?.id}
              tabIndex={0}
              title={object.name}
              onClick={() => selectObject(object.id)}
              onKeyDown={rowKeys(() => selectObject(object.id))}
            >
              <td class="name">{shortName(object.name) || `${object.kind} ${object.id}`}</td>
              <td>{bytes(object.sizeBytes)}</td>
              <td>{count(object.cachedPages)}</td>
              <td>{count(object.dirtyPages)}</td>
              <td>{object.mappings.length}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {chosen !== undefined && (
        <>
          <h4>{chosen.name || `${chosen.kind} ${chosen.id}`}</h4>
          <CachePages />
          <ul class="mappings">
            {chosen.mappings.map((mapping) => (
              <li key={`${mapping.spaceId}:${mapping.start}`}>
                <button type="button" class="link" onClick={() => selectPage(mapping.pid, mapping.start / 4096)}>
                  {mapping.pid} at {hex(mapping.start, 10)} <code>{mapping.permissions}</code> from page{" "}
                  {mapping.firstPage}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

const columns = signal(32);
/** The cell that arrow keys are at. */
const cursor = signal(0);

/** A cell for each page of the object: cached, swapped or neither. */
function CachePages() {
  const pages = state.look.value?.answer.objectPages ?? null;
  if (pages === null || pages.length === 0) return null;
  const theme = state.theme.value;
  const { pfn } = state.selection.value;
  const choose = (i: number) => {
    if (i < 0 || i >= pages.length) return;
    cursor.value = i;
    if (pages[i] > 0) void selectFrame(pages[i]);
  };
  return (
    <div class="cache-pages">
      <Canvas
        label="Pages of the object's cache"
        height={Math.ceil(pages.length / columns.value) * CELL_PX + 2 * MARGIN_PX}
        version={[pages, theme, pfn, columns.value, cursor.value]}
        paint={(context) => paint(context, pages, pfn)}
        onResize={({ width }) => {
          columns.value = Math.max(8, Math.floor((width - 2 * MARGIN_PX) / CELL_PX));
        }}
        onPoint={(x, y) => {
          const [column, row] = [x, y].map((pixel) => Math.floor((pixel - MARGIN_PX) / CELL_PX));
          if (column >= 0 && column < columns.value) choose(row * columns.value + column);
        }}
        onKey={(event) => {
          const step = arrowStep(event, columns.value);
          if (step !== 0) choose(cursor.value + step);
        }}
      />
    </div>
  );
}

function paint(context: CanvasRenderingContext2D, pages: Int32Array, pfn: number | null): void {
  const theme = state.theme.peek();
  const place = (i: number) => [
    MARGIN_PX + (i % columns.value) * CELL_PX,
    MARGIN_PX + Math.floor(i / columns.value) * CELL_PX,
  ];
  pages.forEach((page, i) => {
    context.fillStyle = page > 0 ? frameColour(theme, "file") : pageColour(theme, page < 0 ? "swapped" : "untouched");
    const [x, y] = place(i);
    context.fillRect(x, y, CELL_PX - 1, CELL_PX - 1);
  });
  const ink = inks();
  const [x, y] = place(cursor.value);
  context.strokeStyle = ink.dim;
  context.lineWidth = 1.5;
  if (cursor.value < pages.length) context.strokeRect(x - 1, y - 1, CELL_PX + 1, CELL_PX + 1);
  const marked = pfn === null ? -1 : pages.indexOf(pfn);
  if (marked < 0) return;
  const [left, top] = place(marked);
  markCell(context, left, top, CELL_PX - 1, ink);
}
