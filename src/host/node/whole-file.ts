// Files that several processes read and write without locks: there as a whole, or not at all.
import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Its bytes, or null if there is no such file. */
export function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Another process sees the file as it was or as it is now; it is on the disk before it is seen. */
export function writeAtOnce(path: string, parts: readonly Uint8Array[]): void {
  const part = `${path}.${process.pid}.part`;
  writeFileSync(part, Buffer.concat(parts), { flush: true });
  renameSync(part, path);
}
