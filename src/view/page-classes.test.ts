// Each state of a page has its class in the legend, and the strongest mark wins.
import { describe, expect, test } from "vitest";
import { FRAME_KIND_NAMES } from "../machine/inspect/frames.ts";
import * as pages from "../machine/inspect/pages.ts";
import { FRAME_CLASSES, PAGE_CLASS_TABLE, PAGE_CLASSES, pageClass } from "./page-classes.ts";

const name = (page: number): string => PAGE_CLASSES[pageClass(page)].name;
const { PAGE_RESIDENT, PAGE_COPY_ON_WRITE, PAGE_DIRTY, PAGE_SHARED, PAGE_LOCKED, PAGE_ACCESSED, PAGE_WRITABLE } = pages;

describe("classes of pages", () => {
  test("by state and mark", () => {
    expect(name(pages.PAGE_NONE)).toBe("none");
    expect(name(pages.PAGE_UNTOUCHED)).toBe("untouched");
    expect(name(pages.PAGE_CACHED)).toBe("cached");
    expect(name(pages.PAGE_ZERO)).toBe("zero");
    expect(name(pages.PAGE_SWAPPED)).toBe("swapped");
    expect(name(PAGE_RESIDENT | PAGE_ACCESSED | PAGE_WRITABLE)).toBe("clean");
    expect(name(PAGE_RESIDENT | PAGE_DIRTY)).toBe("dirty");
    expect(name(PAGE_RESIDENT | PAGE_SHARED | PAGE_DIRTY)).toBe("shared");
    expect(name(PAGE_COPY_ON_WRITE | PAGE_SHARED | PAGE_DIRTY)).toBe("cow");
    expect(name(PAGE_RESIDENT | PAGE_LOCKED | PAGE_SHARED | PAGE_DIRTY)).toBe("locked");
  });

  test("a private page that nobody shares any more is not called copy-on-write", () => {
    expect(name(PAGE_COPY_ON_WRITE | PAGE_DIRTY)).toBe("dirty");
    expect(name(PAGE_COPY_ON_WRITE)).toBe("clean");
  });

  test("a page that is not there is not locked, shared or dirty", () => {
    for (const state of [pages.PAGE_UNTOUCHED, pages.PAGE_CACHED, pages.PAGE_ZERO, pages.PAGE_SWAPPED])
      expect(name(state | PAGE_LOCKED | PAGE_SHARED | PAGE_DIRTY)).toBe(name(state));
  });

  test("the table agrees with the function for every byte, and every class occurs", () => {
    for (let page = 0; page < 256; page++) expect(PAGE_CLASS_TABLE[page]).toBe(pageClass(page));
    expect(new Set(PAGE_CLASS_TABLE).size).toBe(PAGE_CLASSES.length);
  });

  test("frames: a class for every kind that the machine knows, in its order", () => {
    expect(FRAME_CLASSES.map(({ name: kind }) => kind)).toEqual([...FRAME_KIND_NAMES]);
  });
});
