// Numbers as people read them.

export const hex = (value: number, digits = 1): string => `0x${value.toString(16).padStart(digits, "0")}`;

/** "4 KiB", "1.5 MiB": three significant digits at most. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${rest >= 100 || Number.isInteger(rest) ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** "4K", "1.5M", "73M": two or three digits, for narrow columns; the header or a title says that they are bytes. */
export function shortBytes(value: number): string {
  const units = ["", "K", "M", "G", "T"];
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${rest >= 10 || Number.isInteger(rest) ? Math.round(rest) : rest.toFixed(1)}${units[unit]}`;
}

/** "1 234 567" with thin spaces. */
export const count = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009");

/** "12.3 M" instructions. */
export function compact(value: number): string {
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const)
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1)} ${unit}`;
  return String(Math.round(value));
}

/** The last part of a path; other names as they are. */
export const shortName = (name: string): string =>
  name.startsWith("/") ? name.slice(name.lastIndexOf("/") + 1) : name;
