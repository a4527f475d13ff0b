// Sizes as people write them: "64M", "1G", "4096". One place for the command line and the library.

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes of "256M" (K, M, G; powers of 1024) or of a number; null when it is no size. */
export function parseSize(text: string | number): number | null {
  if (typeof text === "number") return Number.isSafeInteger(text) && text >= 0 ? text : null;
  const match = /^([0-9]+)([KMG]?)$/i.exec(text.trim());
  if (match === null) return null;
  const bytes = Number(match[1]) * UNITS[match[2].toUpperCase()];
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** "1.5 MiB": for people. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(bytes % size === 0 ? 0 : 1)} ${unit}`;
  }
  return `${bytes} B`;
}
