// Reads and writes package lock files: exactly which packages a root is made of, so that an install needs no index.
import { ImageError } from "./errors.ts";

const COLUMNS = ["package", "version", "pool path below the mirror", "sha256", "bytes"] as const;

export interface LockEntry {
  name: string;
  version: string;
  /** Below the mirror's address, without a leading slash. */
  poolPath: string;
  /** Lower-case hex. */
  sha256: string;
  sizeBytes: number;
}

/** Throws ImageError naming the line. `what` is the file's name for messages. */
export function parseLock(text: string, what: string): LockEntry[] {
  const lines = text.split(/\r?\n/);
  const header = lines[0] ?? "";
  if (header !== COLUMNS.join("\t")) {
    throw new ImageError(`${what}: not a lock file: line 1 must be the tab-separated columns ${COLUMNS.join(", ")}`);
  }
  const entries: LockEntry[] = [];
  const seen = new Set<string>();
  for (let i = 1; i < lines.length; i++) {
    if (lines[i] === "") continue;
    const at = `${what}:${i + 1}`;
    const fields = lines[i].split("\t");
    if (fields.length !== COLUMNS.length) {
      throw new ImageError(`${at}: ${COLUMNS.length} tab-separated fields are needed, there are ${fields.length}`);
    }
    const [name, version, poolPath, sha256, bytes] = fields;
    if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name)) throw new ImageError(`${at}: bad package name "${name}"`);
    if (!/^[A-Za-z0-9.+~:-]+$/.test(version)) throw new ImageError(`${at}: bad version "${version}"`);
    if (!isSafePoolPath(poolPath)) throw new ImageError(`${at}: bad pool path "${poolPath}"`);
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new ImageError(`${at}: the SHA-256 is not 64 lower-case hex digits`);
    if (!/^[1-9]\d*$/.test(bytes)) throw new ImageError(`${at}: bad size "${bytes}"`);
    if (seen.has(name)) throw new ImageError(`${at}: package ${name} is there twice`);
    seen.add(name);
    entries.push({ name, version, poolPath, sha256, sizeBytes: Number(bytes) });
  }
  if (entries.length === 0) throw new ImageError(`${what}: the lock file names no package`);
  return entries;
}

/** One line a package, sorted by name, so that a change of one package is a change of one line. */
export function formatLock(records: readonly LockEntry[]): string {
  const sorted = [...records].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const lines = sorted.map((r) => [r.name, r.version, r.poolPath, r.sha256, r.sizeBytes].join("\t"));
  return `${[COLUMNS.join("\t"), ...lines].join("\n")}\n`;
}

/** A relative path of ordinary components: it becomes part of a URL (and of a file name for file: mirrors). */
export function isSafePoolPath(path: string): boolean {
  return (
    /^[A-Za-z0-9%+,.:@_~/-]+$/.test(path) &&
    !path.startsWith("/") &&
    !path.split("/").some((part) => part === "" || part === "." || part === "..")
  );
}
