// Areas to scale: every page has exactly one cell, a point and its page find each other, and arrow keys reach every page.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blocksBetween, cellOf, type Extent, layOutAreas, neighbour, pageAt, ZOOMS } from "./address-layout.ts";

const PAGE = 4096;
const area = (first: number, pages: number): Extent => ({ start: first * PAGE, end: (first + pages) * PAGE });

/** Gaps and sizes in pages, as areas from low to high. */
const someAreas = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 3000 })), { minLength: 1, maxLength: 8 })
  .map((pairs) => {
    let at = 16;
    return pairs.map(([gap, pages]) => {
      at += gap;
      const made = area(at, pages);
      at += pages;
      return made;
    });
  });
const someLayout = fc
  .tuple(someAreas, fc.integer({ min: 60, max: 1600 }), fc.constantFrom(...ZOOMS))
  .map(([areas, width, zoom]) => ({ areas, zoom, width, layout: layOutAreas(areas, width, zoom) }));

describe("layout of an address space", () => {
  test("areas stand one below the other, apart, and rows fit the width", () => {
    fc.assert(
      fc.property(someLayout, ({ layout, width, zoom, areas }) => {
        expect(layout.columns * layout.cellPx).toBeLessThanOrEqual(Math.max(width, 8 * zoom.cellPx));
        let before = 0;
        for (const [i, block] of layout.blocks.entries()) {
          expect(block.labelTop).toBeGreaterThanOrEqual(before);
          expect(block.cells * block.pagesPerCell).toBeGreaterThanOrEqual(block.pages);
          expect((block.cells - 1) * block.pagesPerCell).toBeLessThan(block.pages);
          expect(block.gapBytes).toBe(i === 0 ? 0 : areas[i].start - areas[i - 1].end);
          before = block.bottom;
        }
        expect(layout.height).toBeGreaterThanOrEqual(before);
      }),
      { numRuns: 200 },
    );
  });

  test("the point in the middle of a page's cell finds the first page of that cell", () => {
    fc.assert(
      fc.property(someLayout, fc.nat(), ({ layout }, seed) => {
        const block = layout.blocks[seed % layout.blocks.length];
        const vpn = block.firstVpn + (seed % block.pages);
        const cell = cellOf(layout, vpn)!;
        expect(cell.block).toBe(block);
        const found = pageAt(layout, cell.x + layout.cellPx / 2, cell.y + layout.cellPx / 2)!;
        expect(found.vpn).toBe(vpn - ((vpn - block.firstVpn) % block.pagesPerCell));
      }),
      { numRuns: 300 },
    );
  });

  test("right goes through every cell of every area and stops at the last; left comes back the same way", () => {
    const layout = layOutAreas([area(16, 70), area(90, 1), area(5000, 200)], 300, { cellPx: 8, pagesPerCell: 1 });
    const way = [16];
    for (;;) {
      const next = neighbour(layout, way.at(-1)!, 1, 0);
      if (next === way.at(-1)) break;
      way.push(next);
    }
    expect(way.length).toBe(271);
    expect(new Set(way).size).toBe(271);
    expect(way.at(-1)).toBe(5199);
    const back = [...way].reverse();
    for (let i = 0; i + 1 < back.length; i++) expect(neighbour(layout, back[i], -1, 0)).toBe(back[i + 1]);
    expect(neighbour(layout, 16, -1, 0)).toBe(16);
  });

  test("down is a row; from an area that is gone it leads to the first page", () => {
    const layout = layOutAreas([area(16, 200)], 300, { cellPx: 8, pagesPerCell: 1 });
    expect(layout.columns).toBe(32);
    expect(neighbour(layout, 20, 0, 1)).toBe(52);
    expect(neighbour(layout, 52, 0, -1)).toBe(20);
    expect(neighbour(layout, 9999, 1, 0)).toBe(16);
    expect(neighbour(layOutAreas([], 300, ZOOMS[4]), 7, 1, 0)).toBe(7);
  });

  test("gaps, labels and the rest of the last row are no page", () => {
    const layout = layOutAreas([area(16, 3), area(100, 40)], 300, { cellPx: 8, pagesPerCell: 1 });
    const [first, second] = layout.blocks;
    expect(pageAt(layout, 1, first.labelTop + 1)).toBeNull();
    expect(pageAt(layout, 3 * 8 + 1, first.cellsTop + 1)).toBeNull();
    expect(pageAt(layout, 2 * 8 + 1, first.cellsTop + 1)?.vpn).toBe(18);
    expect(pageAt(layout, 1, second.labelTop - 1)).toBeNull();
    expect(pageAt(layout, -1, second.cellsTop + 1)).toBeNull();
    expect(pageAt(layout, 32 * 8 + 1, second.cellsTop + 1)).toBeNull();
    expect(pageAt(layout, 7 * 8 + 1, second.cellsTop + 9)?.vpn).toBe(139);
    expect(pageAt(layout, 8 * 8 + 1, second.cellsTop + 9)).toBeNull();
    expect(cellOf(layout, 19)).toBeNull();
  });

  test("a huge area is drawn coarser than its neighbours, in a bounded number of cells", () => {
    const layout = layOutAreas([area(16, 4), area(1000, 1 << 24)], 900, { cellPx: 8, pagesPerCell: 1 });
    expect(layout.blocks[0].pagesPerCell).toBe(1);
    expect(layout.blocks[1].pagesPerCell).toBe(2048);
    expect(layout.blocks[1].cells).toBe(8192);
  });

  test("only what can be seen is asked for", () => {
    const layout = layOutAreas(
      Array.from({ length: 100 }, (_, i) => area(16 + 100 * i, 10)),
      300,
      ZOOMS[4],
    );
    const seen = blocksBetween(layout, 1000, 1400);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.length).toBeLessThan(14);
    for (const block of layout.blocks)
      if (block.bottom >= 1000 && block.labelTop <= 1400) expect(seen).toContain(block);
  });
});
