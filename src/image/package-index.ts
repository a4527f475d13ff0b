// An archive's Packages file: finds packages by name and by what they provide. The 50 MiB of text stay bytes; only the few
// hundred paragraphs somebody asks for are parsed. Does not choose between packages.
import { decodeUtf8 } from "../util/utf8.ts";
import { latin1 } from "./bytes.ts";
import { parseControl } from "./control.ts";
import { type PackageRecord, packageFromControl } from "./package-record.ts";
import { compareVersions } from "./version.ts";

/** Where resolution looks for candidates: a Packages file, a set of opened packages, ... */
export interface PackageSource {
  /** All versions of a real package, newest first. */
  byName(name: string): readonly PackageRecord[];
  /** Packages that name `virtual` in Provides. */
  providersOf(virtual: string): readonly PackageRecord[];
  /** Packages marked Essential: yes. */
  essentials(): readonly PackageRecord[];
}

const NEWLINE = 0x0a;
const PACKAGE = "Package: ";
const PROVIDES = "Provides: ";

export class PackageIndex implements PackageSource {
  private readonly bytes: Uint8Array;
  private readonly architecture: string;
  /** Byte offsets of paragraphs. */
  private readonly names = new Map<string, number[]>();
  private readonly virtuals = new Map<string, number[]>();
  private readonly essentialOffsets: number[] = [];
  private readonly parsed = new Map<number, PackageRecord | null>();

  /** `bytes` is the uncompressed Packages file; it is kept. */
  constructor(bytes: Uint8Array, architecture: string) {
    this.bytes = bytes;
    this.architecture = architecture;
    this.scan();
  }

  get packageCount(): number {
    return this.names.size;
  }

  byName(name: string): readonly PackageRecord[] {
    return this.records(this.names.get(name)).sort((a, b) => compareVersions(b.version, a.version));
  }

  providersOf(virtual: string): readonly PackageRecord[] {
    return this.records(this.virtuals.get(virtual));
  }

  essentials(): readonly PackageRecord[] {
    return this.records(this.essentialOffsets);
  }

  /** Names within a small edit distance of `name`, for "did you mean"; best first. */
  similarNames(name: string): string[] {
    const near: { name: string; distance: number }[] = [];
    for (const candidate of this.names.keys()) {
      if (Math.abs(candidate.length - name.length) > 2) continue;
      const distance = editDistance(candidate, name, 2);
      if (distance <= 2) near.push({ name: candidate, distance });
    }
    near.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
    return near.slice(0, 3).map((entry) => entry.name);
  }

  /** One pass over the lines: only three fields matter, the rest is stepped over without decoding. */
  private scan(): void {
    const bytes = this.bytes;
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline === -1 ? bytes.length : newline;
      if (end === at) start = end + 1;
      else if (bytes[at] === 0x50 /* P */) this.scanLine(at, end, start);
      else if (bytes[at] === 0x45 /* E */ && latin1(bytes, at, end) === "Essential: yes") {
        this.essentialOffsets.push(start);
      }
      at = end + 1;
    }
  }

  private scanLine(at: number, end: number, start: number): void {
    const third = this.bytes[at + 2];
    if (third === 0x63 /* Pac */) {
      const line = latin1(this.bytes, at, end);
      if (line.startsWith(PACKAGE)) append(this.names, line.slice(PACKAGE.length).trim(), start);
    } else if (third === 0x6f /* Pro */) {
      const line = latin1(this.bytes, at, end);
      if (!line.startsWith(PROVIDES)) return;
      for (const element of line.slice(PROVIDES.length).split(",")) {
        append(this.virtuals, /^[^\s:(]*/.exec(element.trim())![0], start);
      }
    }
  }

  private records(offsets: readonly number[] | undefined): PackageRecord[] {
    const records: PackageRecord[] = [];
    for (const offset of offsets ?? []) {
      const record = this.recordAt(offset);
      if (record !== null) records.push(record);
    }
    return records;
  }

  private recordAt(offset: number): PackageRecord | null {
    let record = this.parsed.get(offset);
    if (record === undefined) {
      let end = offset;
      // The paragraph ends at an empty line.
      for (let at = offset; at < this.bytes.length && this.bytes[at] !== NEWLINE; at = end + 1) {
        const newline = this.bytes.indexOf(NEWLINE, at);
        end = newline === -1 ? this.bytes.length : newline;
      }
      const paragraph = parseControl(decodeUtf8(this.bytes, offset, end))[0];
      record = paragraph ? packageFromControl(paragraph, this.architecture) : null;
      this.parsed.set(offset, record);
    }
    return record;
  }
}

/** A source over records that are already there (opened .debs, tests). */
export class RecordSource implements PackageSource {
  private readonly all: PackageRecord[] = [];

  constructor(records: Iterable<PackageRecord> = []) {
    for (const record of records) this.add(record);
  }

  add(record: PackageRecord): void {
    this.all.push(record);
  }

  byName(name: string): readonly PackageRecord[] {
    return this.all.filter((r) => r.name === name).sort((a, b) => compareVersions(b.version, a.version));
  }

  providersOf(virtual: string): readonly PackageRecord[] {
    return this.all.filter((record) => record.provides.some((relation) => relation.name === virtual));
  }

  essentials(): readonly PackageRecord[] {
    return this.all.filter((record) => record.essential);
  }
}

function append(map: Map<string, number[]>, key: string, value: number): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Levenshtein distance, or limit + 1 as soon as it must exceed `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    let best = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(substitution, previous[j] + 1, current[j - 1] + 1);
      best = Math.min(best, current[j]);
    }
    if (best > limit) return limit + 1;
    previous = current;
  }
  return previous[b.length];
}
