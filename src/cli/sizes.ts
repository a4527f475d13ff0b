// Reads and prints sizes as users write them: digits with K, M or G (powers of 1024). Ranges are the options' business.
import { CliError } from "./cli-error.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes of "4096", "64K", "256M", "1.5G" (also "64k", "64KB", "64KiB"). Throws CliError naming `option`. */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  if (!match) throw new CliError(`${option} "${text}": a size is digits with K, M or G, as in 64M`);
  const bytes = Number(match[1]) * UNITS[match[2].toUpperCase()];
  if (!Number.isInteger(bytes)) throw new CliError(`${option} "${text}": not a whole number of bytes`);
  if (!Number.isSafeInteger(bytes)) throw new CliError(`${option} "${text}": too large`);
  return bytes;
}

/** The shortest form parseSize reads back as the same number: 268435456 -> "256M". */
export function formatSize(bytes: number): string {
  for (const unit of ["G", "M", "K"]) {
    if (bytes !== 0 && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`;
  }
  return String(bytes);
}
