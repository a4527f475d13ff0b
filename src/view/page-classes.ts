// What a page or a frame is shown as: one class of a short legend, from the state bits of machine/inspect. No colours here (web/).
import {
  PAGE_CACHED,
  PAGE_COPY_ON_WRITE,
  PAGE_DIRTY,
  PAGE_LOCKED,
  PAGE_NONE,
  PAGE_SHARED,
  PAGE_STATE_MASK,
  PAGE_SWAPPED,
  PAGE_UNTOUCHED,
  PAGE_ZERO,
} from "../machine/inspect/pages.ts";

/** Classes of pages in the order of their numbers; `about` is what the legend says. */
export const PAGE_CLASSES = [
  { name: "none", label: "", about: "no area" },
  { name: "untouched", label: "untouched", about: "promised, never touched: no frame" },
  { name: "cached", label: "in page cache", about: "not mapped here yet, but the file's page is in memory" },
  { name: "zero", label: "zero page", about: "read, never written: the shared frame of zeros" },
  { name: "clean", label: "resident, clean", about: "in a frame, as its file or swap slot has it" },
  { name: "dirty", label: "resident, dirty", about: "in a frame and changed: must be written out before it may go" },
  { name: "shared", label: "shared", about: "in a frame that other page tables map too" },
  { name: "cow", label: "copy-on-write", about: "private, shared until the next store copies it" },
  { name: "swapped", label: "swapped out", about: "in a slot of the swap file" },
  { name: "locked", label: "locked", about: "mlocked: never a victim" },
] as const;

export type PageClass = (typeof PAGE_CLASSES)[number]["name"];

const CLASS = Object.fromEntries(PAGE_CLASSES.map(({ name }, i) => [name, i])) as Record<PageClass, number>;

/** Class number of a byte of inspect.pages(). */
export function pageClass(page: number): number {
  switch (page & PAGE_STATE_MASK) {
    case PAGE_NONE:
      return CLASS.none;
    case PAGE_UNTOUCHED:
      return CLASS.untouched;
    case PAGE_CACHED:
      return CLASS.cached;
    case PAGE_ZERO:
      return CLASS.zero;
    case PAGE_SWAPPED:
      return CLASS.swapped;
  }
  if ((page & PAGE_LOCKED) !== 0) return CLASS.locked;
  if ((page & PAGE_STATE_MASK) === PAGE_COPY_ON_WRITE && (page & PAGE_SHARED) !== 0) return CLASS.cow;
  if ((page & PAGE_SHARED) !== 0) return CLASS.shared;
  return (page & PAGE_DIRTY) !== 0 ? CLASS.dirty : CLASS.clean;
}

/** Class number by page byte, for painting many. */
export const PAGE_CLASS_TABLE = Uint8Array.from({ length: 256 }, (_, page) => pageClass(page));

/** Classes of frames: FRAME_KIND_NAMES with what the legend says. */
export const FRAME_CLASSES = [
  { name: "free", label: "free", about: "on the free list" },
  { name: "reserved", label: "reserved", about: "frame 0" },
  { name: "page-table", label: "page table", about: "holds page-table entries" },
  { name: "zero", label: "zero page", about: "the one frame of zeros" },
  { name: "anonymous", label: "anonymous", about: "heap, stack, private copies" },
  { name: "file", label: "page cache", about: "a page of a file" },
  { name: "shmem", label: "shared memory", about: "a page of shared memory or tmpfs" },
] as const;
