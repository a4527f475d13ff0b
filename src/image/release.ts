// Parses a suite's Release text: what it calls itself, until when it is good, and the hashes of its index files.
import { parseControl } from "./control.ts";
import { ImageError } from "./errors.ts";

export interface ReleaseFile {
  path: string;
  sha256: string;
  sizeBytes: number;
}

export interface Release {
  suite: string;
  codename: string;
  /** Milliseconds since 1970, or null when absent or unreadable. */
  date: number | null;
  validUntil: number | null;
  components: string[];
  architectures: string[];
  /** The archive also serves index files under names made of their hash, which a sync in progress cannot mix up. */
  byHash: boolean;
  files: Map<string, ReleaseFile>;
}

export function parseRelease(text: string, what: string): Release {
  const fields = parseControl(text)[0];
  if (!fields?.has("SHA256")) throw new ImageError(`${what}: no SHA256 section: not a usable Release file`);
  const files = new Map<string, ReleaseFile>();
  for (const line of fields.get("SHA256")!.split("\n")) {
    const match = /^\s*([0-9a-fA-F]{64})\s+(\d+)\s+(\S+)\s*$/.exec(line);
    if (match) files.set(match[3], { path: match[3], sha256: match[1].toLowerCase(), sizeBytes: Number(match[2]) });
  }
  const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
  return {
    suite: fields.get("Suite") ?? "",
    codename: fields.get("Codename") ?? "",
    date: parseDate(fields.get("Date")),
    validUntil: parseDate(fields.get("Valid-Until")),
    components: words("Components").map((word) => word.split("/").at(-1)!),
    architectures: words("Architectures"),
    byHash: fields.get("Acquire-By-Hash") === "yes",
    files,
  };
}

/** RFC 5322 dates as archives write them ("Sat, 06 Sep 2025 10:11:12 UTC"). */
function parseDate(text: string | undefined): number | null {
  if (text === undefined) return null;
  const time = Date.parse(text.replace(/ UTC$/, " GMT"));
  return Number.isNaN(time) ? null : time;
}
