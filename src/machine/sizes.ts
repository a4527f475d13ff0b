// Sizes as people write them: "64M", "1G", "4096". One place for the command line and the library.

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** What "4096", "64K", "256M" or "1.5G" (also "64k", "64KB", "64KiB") comes to, whole or not; NaN when it is no size. */
export function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2].toUpperCase()];
}

/** Bytes of a size as readSize() takes it, or of a number; null when it is no whole number of bytes. */
export function parseSize(size: string | number): number | null {
  const bytes = typeof size === "number" ? size : readSize(size.trim());
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}

/** The shortest form that readSize() takes back as the same number: 268435456 -> "256M". */
export function exactSize(bytes: number): string {
  for (const unit of ["G", "M", "K"]) {
    if (bytes !== 0 && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`;
  }
  return String(bytes);
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
