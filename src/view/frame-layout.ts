// Where physical frames are drawn: a grid that fills its place, a frame (or a power of two of them) a cell. Pure arithmetic in pixels.

export interface FrameLayout {
  columns: number;
  rows: number;
  cellPx: number;
  framesPerCell: number;
}

const LEAST_CELL_PX = 3;
const MOST_CELL_PX = 16;

/** The largest whole cells with which all frames fit; several frames share a cell when there is no such. */
export function layOutFrames(frames: number, widthPx: number, heightPx: number): FrameLayout {
  let framesPerCell = 1;
  for (;;) {
    const cells = Math.ceil(frames / framesPerCell);
    for (let cellPx = MOST_CELL_PX; cellPx >= LEAST_CELL_PX; cellPx--) {
      const columns = Math.max(1, Math.floor(widthPx / cellPx));
      const rows = Math.ceil(cells / columns);
      if (rows * cellPx <= heightPx) return { columns, rows, cellPx, framesPerCell };
    }
    if (cells <= 1) return { columns: 1, rows: 1, cellPx: LEAST_CELL_PX, framesPerCell };
    framesPerCell *= 2;
  }
}

/** First frame of the cell at a point, or -1. */
export function frameAt(layout: FrameLayout, frames: number, x: number, y: number): number {
  const column = Math.floor(x / layout.cellPx);
  const row = Math.floor(y / layout.cellPx);
  if (x < 0 || y < 0 || column >= layout.columns) return -1;
  const pfn = (row * layout.columns + column) * layout.framesPerCell;
  return pfn < frames ? pfn : -1;
}

export function frameCell(layout: FrameLayout, pfn: number): { x: number; y: number } {
  const cell = Math.floor(pfn / layout.framesPerCell);
  return { x: (cell % layout.columns) * layout.cellPx, y: Math.floor(cell / layout.columns) * layout.cellPx };
}
