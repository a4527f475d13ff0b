// Adds up what several runs of a program were seen to execute (survey.ts). Each run has its mappings at other addresses: pages are the
// same if their bytes are, and what lies beside a known page is put beside it.
import { equalBytes } from "../../util/equal-bytes.ts";
import { type CodeProfile, hashOf, MOST_DISTANCE_PAGES, noteJump, type ProfiledPage } from "./survey.ts";

/** Layouts that are kept: they only say which pages lie beside each other. */
const MOST_LAYOUTS = 16;

/** The profile of both; the second one's imports. */
export function addProfile(first: CodeProfile, second: CodeProfile): CodeProfile {
  const pages = [...first.pages];
  const known = new Map(pages.map((page, index) => [hashOf(page), index]));
  const indexOf = second.pages.map((page) => {
    const index = known.get(hashOf(page));
    if (index !== undefined && equalBytes(pages[index].bytes, page.bytes)) {
      pages[index] = addPage(pages[index], page);
      return index;
    }
    return pages.push(page) - 1;
  });
  const layouts = first.layouts.map((layout) => new Map(layout));
  for (const layout of second.layouts) {
    placeBeside(layouts, new Map([...layout].map(([vpn, page]) => [vpn, indexOf[page]])));
  }
  // More was seen of as many instructions: what counts is one run.
  const scale = 1 / (1 / first.scale + 1 / second.scale);
  return { ...second, pages, layouts: layouts.slice(0, MOST_LAYOUTS), scale };
}

function addPage(a: ProfiledPage, b: ProfiledPage): ProfiledPage {
  const jumps = new Map([...a.jumps].map(([offset, distances]) => [offset, new Map(distances)]));
  const sum = { bytes: a.bytes, visits: a.visits.map((count, i) => count + b.visits[i]), jumps };
  for (const [offset, distances] of b.jumps) {
    for (const [distance, times] of distances) noteJump(sum, offset, distance, times);
  }
  return sum;
}

/** Adds a layout to others: each of its mappings to one that has a page of it already, as far as that has nothing else there. */
function placeBeside(layouts: Map<number, number>[], fresh: ReadonlyMap<number, number>): void {
  for (const mapping of mappingsOf(fresh)) {
    const home = homeOf(layouts, mapping) ?? { layout: roomFor(layouts, mapping), shift: 0 };
    for (const [vpn, page] of mapping) {
      if (!home.layout.has(vpn + home.shift)) home.layout.set(vpn + home.shift, page);
    }
  }
}

/** The layout's pages by mapping, each as [page number, page]. */
function mappingsOf(layout: ReadonlyMap<number, number>): [number, number][][] {
  const mappings: [number, number][][] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const entry of [...layout].sort((a, b) => a[0] - b[0])) {
    if (entry[0] - last > MOST_DISTANCE_PAGES) mappings.push([]);
    mappings[mappings.length - 1].push(entry);
    last = entry[0];
  }
  return mappings;
}

function homeOf(
  layouts: readonly Map<number, number>[],
  mapping: readonly [number, number][],
): { layout: Map<number, number>; shift: number } | null {
  for (const layout of layouts) {
    const places = new Map([...layout].map(([vpn, page]) => [page, vpn]));
    for (const [vpn, page] of mapping) {
      const place = places.get(page);
      if (place !== undefined) return { layout, shift: place - vpn };
    }
  }
  return null;
}

/** The first layout that has nothing where the mapping was; a new one if there is none. */
function roomFor(layouts: Map<number, number>[], mapping: readonly [number, number][]): Map<number, number> {
  const free = layouts.find((layout) => mapping.every(([vpn]) => !layout.has(vpn)));
  if (free !== undefined) return free;
  const fresh = new Map<number, number>();
  layouts.push(fresh);
  return fresh;
}
