// The fault curve of a run: faults by memory size for LRU, Belady's optimum and simulated policies, as data and as a table.
import { isUse, type ReferenceString, SMALLEST_MEMORY } from "./reference-string.ts";
import { simulate } from "./simulate.ts";
import { lruCurve, optCurve } from "./stack-distances.ts";

/** Policies whose curve comes from stack distances: known for every size, not only for the chosen ones. */
export const STACK_POLICIES: readonly string[] = ["lru", "opt"];
export const DEFAULT_POLICIES: readonly string[] = ["lru", "clock", "fifo", "two-list", "opt"];
const DEFAULT_POINTS = 24;

export interface CurveResult {
  /** Different pages used. */
  pages: number;
  /** Uses; immediate repetitions of a page count once. */
  references: number;
  /** Memory sizes in pages, ascending. */
  sizes: number[];
  /** Faults by policy, one for each size. Every first use of a page is one. */
  faults: Record<string, number[]>;
  /** LRU and the optimum at every size from 0 to `pages`; below `smallest` they are too low. */
  everySize: { lru: number[]; opt: number[] };
  smallest: number;
}

/** About `points` sizes between the smallest sensible memory and all pages: closer together where memory is small. */
export function chooseSizes(pages: number, points = DEFAULT_POINTS): number[] {
  const smallest = Math.min(SMALLEST_MEMORY, pages);
  const sizes = new Set<number>();
  for (let i = 0; i <= points; i++) sizes.add(Math.round(smallest * (pages / smallest) ** (i / points)));
  return [...sizes].sort((a, b) => a - b);
}

/** Throws RangeError for an unknown policy. `progress` hears of each policy before its simulation. */
export function computeCurve(
  string: ReferenceString,
  policies: readonly string[] = DEFAULT_POLICIES,
  sizes: readonly number[] = chooseSizes(string.pages),
  progress: (policy: string) => void = () => {},
): CurveResult {
  const lru = lruCurve(string);
  const opt = optCurve(string);
  const faults: Record<string, number[]> = {};
  for (const policy of policies) {
    progress(policy);
    const every = policy === "lru" ? lru : policy === "opt" ? opt : null;
    faults[policy] = sizes.map((size) =>
      every === null ? simulate(string, policy, size) : every[Math.min(size, string.pages)],
    );
  }
  let references = string.dropped;
  for (const entry of string.entries) if (isUse(entry)) references++;
  return {
    pages: string.pages,
    references,
    sizes: [...sizes],
    faults,
    everySize: { lru: [...lru], opt: [...opt] },
    smallest: Math.min(SMALLEST_MEMORY, string.pages),
  };
}

export function formatCurve(curve: CurveResult, pageBytes: number): string {
  const names = Object.keys(curve.faults);
  const column = (value: string | number, width = 11) => String(value).padStart(width);
  const lines = [
    `${curve.references} page references to ${curve.pages} pages; faults by memory size`,
    "",
    `${column("pages", 8)}${column("KiB", 9)}${names.map((name) => column(name)).join("")}`,
  ];
  curve.sizes.forEach((size, i) => {
    const row = names.map((name) => column(curve.faults[name][i])).join("");
    lines.push(`${column(size, 8)}${column((size * pageBytes) / 1024, 9)}${row}`);
  });
  return `${lines.join("\n")}\n`;
}
