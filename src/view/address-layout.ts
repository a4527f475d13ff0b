// Where the pages of an address space are drawn: areas one below the other, each to scale, as rows of cells. Pure arithmetic in pixels.
//
//   | 2ad64c5000  bash                 r-xp   1.1 MiB |   label
//   | ##################........                      |   rows of `columns` cells, a page (or several) each
//   |  - - - - - - - - 80 GiB unmapped - - - - - - -  |   gap
import { PAGE_SIZE } from "../arch/sv39.ts";

export interface Zoom {
  cellPx: number;
  pagesPerCell: number;
}

/** From far to near. */
export const ZOOMS: readonly Zoom[] = [
  { cellPx: 4, pagesPerCell: 512 },
  { cellPx: 4, pagesPerCell: 64 },
  { cellPx: 4, pagesPerCell: 8 },
  { cellPx: 5, pagesPerCell: 1 },
  { cellPx: 8, pagesPerCell: 1 },
  { cellPx: 12, pagesPerCell: 1 },
  { cellPx: 18, pagesPerCell: 1 },
];
export const DEFAULT_ZOOM = 4;

export const LABEL_PX = 20;
const GAP_PX = 18;
const SPACE_PX = 6;
/** An area with more cells than this is drawn coarser than the others, and says so. */
const MOST_AREA_CELLS = 8192;

export interface Extent {
  start: number;
  end: number;
}

export interface AreaBlock {
  /** Index of the area. */
  index: number;
  firstVpn: number;
  pages: number;
  pagesPerCell: number;
  cells: number;
  rows: number;
  labelTop: number;
  cellsTop: number;
  bottom: number;
  /** Bytes without an area before it; 0: it follows the one before. */
  gapBytes: number;
}

export interface AddressLayout {
  columns: number;
  cellPx: number;
  height: number;
  blocks: AreaBlock[];
}

export function layOutAreas(areas: readonly Extent[], widthPx: number, zoom: Zoom): AddressLayout {
  const columns = columnsIn(widthPx, zoom.cellPx);
  const blocks: AreaBlock[] = [];
  let top = 0;
  let before = 0;
  for (const [index, { start, end }] of areas.entries()) {
    const pages = (end - start) / PAGE_SIZE;
    const pagesPerCell = cellSize(pages, zoom.pagesPerCell);
    const cells = Math.ceil(pages / pagesPerCell);
    const rows = Math.ceil(cells / columns);
    const gapBytes = index === 0 ? 0 : start - before;
    if (gapBytes > 0) top += GAP_PX;
    const labelTop = top;
    const cellsTop = labelTop + LABEL_PX;
    const bottom = cellsTop + rows * zoom.cellPx;
    blocks.push({
      index,
      firstVpn: start / PAGE_SIZE,
      pages,
      pagesPerCell,
      cells,
      rows,
      labelTop,
      cellsTop,
      bottom,
      gapBytes,
    });
    top = bottom + SPACE_PX;
    before = end;
  }
  return { columns, cellPx: zoom.cellPx, height: top, blocks };
}

/** A power of two, so that rows of neighbouring areas stay comparable: 64, 32, 128 columns. */
function columnsIn(widthPx: number, cellPx: number): number {
  const fitting = Math.max(8, Math.floor(widthPx / cellPx));
  return 2 ** Math.floor(Math.log2(fitting)) * (fitting >= 1.5 * 2 ** Math.floor(Math.log2(fitting)) ? 1.5 : 1);
}

function cellSize(pages: number, wanted: number): number {
  let size = wanted;
  while (pages / size > MOST_AREA_CELLS) size *= 2;
  return size;
}

/** Blocks of which something lies between two heights. */
export function blocksBetween(layout: AddressLayout, top: number, bottom: number): AreaBlock[] {
  return layout.blocks.filter((block) => block.bottom >= top && block.labelTop - GAP_PX <= bottom);
}

/** First page of the cell at a point, or null. */
export function pageAt(layout: AddressLayout, x: number, y: number): { block: AreaBlock; vpn: number } | null {
  const block = layout.blocks.find((candidate) => y >= candidate.cellsTop && y < candidate.bottom);
  if (block === undefined || x < 0) return null;
  const column = Math.floor(x / layout.cellPx);
  const cell = Math.floor((y - block.cellsTop) / layout.cellPx) * layout.columns + column;
  if (column >= layout.columns || cell >= block.cells) return null;
  return { block, vpn: block.firstVpn + cell * block.pagesPerCell };
}

/** Rectangle of the cell that shows a page, or null. */
export function cellOf(layout: AddressLayout, vpn: number): { x: number; y: number; block: AreaBlock } | null {
  const block = layout.blocks.find(
    (candidate) => vpn >= candidate.firstVpn && vpn < candidate.firstVpn + candidate.pages,
  );
  if (block === undefined) return null;
  const cell = Math.floor((vpn - block.firstVpn) / block.pagesPerCell);
  return {
    x: (cell % layout.columns) * layout.cellPx,
    y: block.cellsTop + Math.floor(cell / layout.columns) * layout.cellPx,
    block,
  };
}

/** The page that an arrow key leads to: a cell left or right, a row up or down, across areas at their ends. */
export function neighbour(layout: AddressLayout, vpn: number, columns: number, rows: number): number {
  const here = cellOf(layout, vpn);
  if (here === null) return layout.blocks[0]?.firstVpn ?? vpn;
  const { block } = here;
  const cell = Math.floor((vpn - block.firstVpn) / block.pagesPerCell);
  const wanted = cell + columns + rows * layout.columns;
  if (wanted >= 0 && wanted < block.cells) return block.firstVpn + wanted * block.pagesPerCell;
  const next = layout.blocks[layout.blocks.indexOf(block) + (wanted < 0 ? -1 : 1)];
  if (next === undefined) return vpn;
  return wanted < 0 ? next.firstVpn + (next.cells - 1) * next.pagesPerCell : next.firstVpn;
}
