// The grid of frames: all of them fit their place, as large as possible, and a point and its frame find each other.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { frameAt, frameCell, layOutFrames } from "./frame-layout.ts";

const someGrid = fc.record({
  frames: fc.integer({ min: 1, max: 1 << 18 }),
  width: fc.integer({ min: 120, max: 1600 }),
  height: fc.integer({ min: 60, max: 900 }),
});

describe("layout of physical memory", () => {
  test("every frame has a cell inside the place", () => {
    fc.assert(
      fc.property(someGrid, ({ frames, width, height }) => {
        const layout = layOutFrames(frames, width, height);
        expect(layout.columns * layout.cellPx).toBeLessThanOrEqual(width);
        expect(layout.rows * layout.cellPx).toBeLessThanOrEqual(height);
        expect(layout.columns * layout.rows * layout.framesPerCell).toBeGreaterThanOrEqual(frames);
        const last = frameCell(layout, frames - 1);
        expect(last.x + layout.cellPx).toBeLessThanOrEqual(width);
        expect(last.y + layout.cellPx).toBeLessThanOrEqual(height);
      }),
      { numRuns: 300 },
    );
  });

  test("the middle of a frame's cell finds the first frame of that cell", () => {
    fc.assert(
      fc.property(someGrid, fc.nat(), ({ frames, width, height }, seed) => {
        const layout = layOutFrames(frames, width, height);
        const pfn = seed % frames;
        const { x, y } = frameCell(layout, pfn);
        const found = frameAt(layout, frames, x + layout.cellPx / 2, y + layout.cellPx / 2);
        expect(found).toBe(pfn - (pfn % layout.framesPerCell));
      }),
      { numRuns: 300 },
    );
  });

  test("few frames are large, many share a cell, none is nowhere", () => {
    expect(layOutFrames(64, 600, 200)).toMatchObject({ cellPx: 16, framesPerCell: 1 });
    expect(layOutFrames(1 << 20, 600, 200).framesPerCell).toBeGreaterThan(64);
    expect(layOutFrames(1000, 1, 1)).toMatchObject({ columns: 1, rows: 1 });
  });

  test("beside the grid and behind the last frame there is none", () => {
    const layout = layOutFrames(100, 600, 200);
    expect(frameAt(layout, 100, -1, 0)).toBe(-1);
    expect(frameAt(layout, 100, 0, -1)).toBe(-1);
    expect(frameAt(layout, 100, layout.columns * layout.cellPx + 1, 0)).toBe(-1);
    expect(frameAt(layout, 100, 0, 190)).toBe(-1);
  });
});
