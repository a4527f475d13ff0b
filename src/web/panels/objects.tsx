// Memory objects: files and shared memory with their page caches, and who maps them.
import { bytes, count, hex, shortName } from "../../view/format.ts";
import { Canvas, type CanvasSize } from "../canvas.tsx";
import { selectFrame, selectObject, selectPage } from "../client.ts";
import { frameColour, pageColour } from "../palette.ts";
import { rowKeys } from "../row-keys.ts";
import * as state from "../state.ts";

const CELL_PX = 9;

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

/** A cell for each page of the object: cached, swapped or neither. */
function CachePages() {
  const pages = state.look.value?.answer.objectPages ?? null;
  if (pages === null || pages.length === 0) return null;
  const columns = 32;
  const rows = Math.ceil(pages.length / columns);
  const theme = state.theme.value;
  const paint = (context: CanvasRenderingContext2D, _size: CanvasSize) => {
    for (let i = 0; i < pages.length; i++) {
      const page = pages[i];
      context.fillStyle = page > 0 ? frameColour(theme, "file") : pageColour(theme, page < 0 ? "swapped" : "untouched");
      context.fillRect((i % columns) * CELL_PX, Math.floor(i / columns) * CELL_PX, CELL_PX - 1, CELL_PX - 1);
      if (page > 0 && page === state.selection.value.pfn) {
        context.strokeStyle = theme === "dark" ? "#ffffff" : "#000000";
        context.strokeRect((i % columns) * CELL_PX, Math.floor(i / columns) * CELL_PX, CELL_PX - 1, CELL_PX - 1);
      }
    }
  };
  return (
    <div class="cache-pages">
      <Canvas
        label="Pages of the object's cache"
        height={rows * CELL_PX}
        version={[pages, theme, state.selection.value]}
        paint={paint}
        onPoint={(x, y) => {
          const page = pages[Math.floor(y / CELL_PX) * columns + Math.floor(x / CELL_PX)];
          if (page > 0) void selectFrame(page);
        }}
      />
    </div>
  );
}
