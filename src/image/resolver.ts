// Chooses the packages that a request needs (Depends, Pre-Depends, alternatives, versioned Provides, Conflicts, Breaks) and
// puts them into an order in which dependencies come first. Knows nothing of files or downloads.
import { ImageError } from "./errors.ts";
import type { PackageSource } from "./package-index.ts";
import type { PackageRecord } from "./package-record.ts";
import { formatGroup, formatRelation, type Relation, type RelationGroup } from "./relations.ts";
import { compareVersions, versionSatisfies } from "./version.ts";

export interface Request {
  name: string;
  /** An exact version, from NAME=VERSION. */
  version?: string;
}

export interface ResolveOptions {
  source: PackageSource;
  /** What the root holds already: kept when it satisfies a dependency. */
  installed?: Iterable<PackageRecord>;
  /** Follow Recommends too (where they can be satisfied). */
  recommends?: boolean;
  /** Add every Essential: yes package of the source. */
  essential?: boolean;
  /** Do not fail on dependencies that nothing in the source satisfies: collect them in `unmet`. */
  lenient?: boolean;
  /** Names near a wrong one, for the error message. */
  similarNames?: (name: string) => string[];
}

export interface Resolution {
  /** What has to be unpacked, dependencies before dependents. */
  install: PackageRecord[];
  /** Everything the request consists of: `install` plus what was there already, sorted by name. */
  closure: PackageRecord[];
  /** With `lenient`: what nothing provides, as "a depends on b | c". */
  unmet: string[];
}

const PRIORITIES = ["required", "important", "standard", "optional", "extra"];

/** Whether `record` satisfies `relation`, by its own name or by what it provides (policy 7.5: only "=" provides have versions). */
export function satisfies(record: PackageRecord, relation: Relation): boolean {
  if (record.name === relation.name) {
    if (relation.operator === null || versionSatisfies(record.version, relation.operator, relation.version))
      return true;
  }
  return record.provides.some((provided) => {
    if (provided.name !== relation.name) return false;
    if (relation.operator === null) return true;
    return provided.operator === "=" && versionSatisfies(provided.version, relation.operator, relation.version);
  });
}

/** Why the two cannot be in one root, or null. A package never conflicts with itself (policy 7.4). */
export function conflictBetween(a: PackageRecord, b: PackageRecord): string | null {
  if (a.name === b.name) return null;
  for (const [one, other] of [
    [a, b],
    [b, a],
  ]) {
    for (const relation of one.conflicts) {
      if (satisfies(other, relation)) return `${one.name} conflicts with ${describe(other, relation)}`;
    }
    for (const relation of one.breaks) {
      if (satisfies(other, relation)) return `${one.name} breaks ${describe(other, relation)}`;
    }
  }
  return null;
}

function describe(record: PackageRecord, relation: Relation): string {
  const own = `${record.name} ${record.version}`;
  return record.name === relation.name ? own : `${own}, which provides ${formatRelation(relation)}`;
}

interface Pending {
  record: PackageRecord;
  group: RelationGroup;
  weak: boolean;
}

class Resolver {
  private readonly options: ResolveOptions;
  private readonly chosen = new Map<string, PackageRecord>();
  private readonly installed = new Map<string, PackageRecord>();
  private readonly closure = new Map<string, PackageRecord>();
  private readonly unmet: string[] = [];
  private queue: Pending[] = [];

  constructor(options: ResolveOptions) {
    this.options = options;
    for (const record of options.installed ?? []) this.installed.set(record.name, record);
  }

  run(requests: readonly Request[]): Resolution {
    // All requests first: what the user named decides between alternatives of what others need.
    for (const request of requests) this.choose(this.candidateFor(request), "");
    if (this.options.essential) {
      for (const record of this.options.source.essentials()) {
        if (!this.current(record.name)) this.choose(record, " (essential)");
        else this.include(this.current(record.name)!);
      }
    }
    do {
      while (this.queue.length > 0) {
        const batch = this.queue;
        this.queue = [];
        for (const pending of batch) this.satisfy(pending);
      }
      this.upgradeDependents();
    } while (this.queue.length > 0);
    const install = order([...this.chosen.values()], [...this.installed.values()]);
    const closure = [...this.closure.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return { install, closure, unmet: this.unmet };
  }

  private current(name: string): PackageRecord | undefined {
    return this.chosen.get(name) ?? this.installed.get(name);
  }

  private candidateFor(request: Request): PackageRecord {
    const { source } = this.options;
    const versions = source.byName(request.name);
    if (request.version !== undefined) {
      const exact = versions.find((record) => record.version === request.version);
      if (exact) return exact;
      const known = versions.map((record) => record.version).join(", ");
      throw new ImageError(
        `package ${request.name} has no version ${request.version}${known ? ` (there is ${known})` : ""}`,
      );
    }
    if (versions.length > 0) return versions[0];
    const providers = [...new Set(source.providersOf(request.name).map((record) => record.name))].sort();
    if (providers.length === 1) return source.byName(providers[0])[0];
    if (providers.length > 1) {
      throw new ImageError(`${request.name} is a virtual package; name one of: ${providers.slice(0, 12).join(", ")}`);
    }
    const similar = this.options.similarNames?.(request.name) ?? [];
    const hint = similar.length > 0 ? ` (did you mean ${similar.join(" or ")}?)` : "";
    throw new ImageError(`there is no package ${request.name}${hint}`);
  }

  /** Records the choice (unless the same version is in the root) and queues what it needs. */
  private choose(record: PackageRecord, because: string): void {
    const present = this.current(record.name);
    if (present && compareVersions(present.version, record.version) === 0) {
      this.include(this.installed.get(record.name) === present ? record : present);
      return;
    }
    const conflict = this.conflictWith(record);
    if (conflict !== null) throw new ImageError(`cannot install ${record.name}${because}: ${conflict}`);
    this.chosen.set(record.name, record);
    this.include(record);
  }

  private include(record: PackageRecord): void {
    if (this.closure.get(record.name) === record) return;
    this.closure.set(record.name, record);
    for (const group of record.preDepends) this.queue.push({ record, group, weak: false });
    for (const group of record.depends) this.queue.push({ record, group, weak: false });
    if (this.options.recommends) for (const group of record.recommends) this.queue.push({ record, group, weak: true });
  }

  private conflictWith(record: PackageRecord): string | null {
    for (const other of this.chosen.values()) {
      const conflict = conflictBetween(record, other);
      if (conflict !== null) return conflict;
    }
    for (const other of this.installed.values()) {
      if (this.chosen.has(other.name)) continue;
      const conflict = conflictBetween(record, other);
      if (conflict !== null) return `${conflict}; the root already holds ${other.name}`;
    }
    return null;
  }

  private satisfy({ record, group, weak }: Pending): void {
    if (this.closure.get(record.name) !== record) return; // replaced by another version since
    const present = this.presentFor(group);
    if (present !== null) {
      this.include(this.fromSource(present));
      return;
    }
    let firstConflict: string | null = null;
    for (const relation of group) {
      for (const candidate of this.candidates(relation)) {
        const conflict = this.conflictWith(candidate);
        const held = this.chosen.get(candidate.name);
        // A version that was chosen already stays: changing it could undo what it was chosen for.
        if (conflict === null && !held) {
          this.choose(candidate, ` (${record.name} needs ${formatGroup(group)})`);
          return;
        }
        firstConflict ??= conflict ?? `${candidate.name} ${held!.version} is chosen already`;
      }
    }
    if (weak) return;
    const sentence = `${record.name} ${record.version} depends on ${formatGroup(group)}`;
    if (this.options.lenient) {
      this.unmet.push(sentence);
      return;
    }
    throw new ImageError(
      firstConflict === null ? `${sentence}, which no package provides` : `${sentence}, but ${firstConflict}`,
    );
  }

  /** An upgrade can strand packages of the root that need the old version exactly: they follow to the newest one. */
  private upgradeDependents(): void {
    for (const record of this.installed.values()) {
      if (this.chosen.has(record.name)) continue;
      const stranded = [...record.preDepends, ...record.depends].find(
        (group) => group.some((relation) => this.chosen.has(relation.name)) && this.presentFor(group) === null,
      );
      if (!stranded) continue;
      const newest = this.options.source.byName(record.name)[0];
      if (newest && compareVersions(newest.version, record.version) > 0) {
        this.choose(newest, ` (it needs ${formatGroup(stranded)})`);
      } else if (!this.options.lenient) {
        throw new ImageError(
          `${record.name} ${record.version} of the root needs ${formatGroup(stranded)}, which would go`,
        );
      }
    }
  }

  /** Installed records carry no pool path; the same version of the source does (for --write-lock). */
  private fromSource(record: PackageRecord): PackageRecord {
    if (record.poolPath !== "") return record;
    return this.options.source.byName(record.name).find((r) => r.version === record.version) ?? record;
  }

  private presentFor(group: RelationGroup): PackageRecord | null {
    for (const relation of group) {
      const named = this.current(relation.name);
      if (named && satisfies(named, relation)) return named;
    }
    for (const relation of group) {
      for (const record of this.chosen.values()) if (satisfies(record, relation)) return record;
      for (const record of this.installed.values()) {
        if (!this.chosen.has(record.name) && satisfies(record, relation)) return record;
      }
    }
    return null;
  }

  /** Real packages first, newest first; then providers by Debian's priority, then by name: the same choice every time. */
  private candidates(relation: Relation): PackageRecord[] {
    const { source } = this.options;
    const real = source.byName(relation.name).filter((record) => satisfies(record, relation));
    const providers = source
      .providersOf(relation.name)
      .filter((record) => record.name !== relation.name && satisfies(record, relation))
      .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1) || compareVersions(b.version, a.version));
    return [...real, ...providers];
  }
}

function rank(record: PackageRecord): number {
  const priority = PRIORITIES.indexOf(record.priority);
  return (record.essential ? -1 : 0) + (priority === -1 ? PRIORITIES.length : priority);
}

/** Throws ImageError with one line that names the request, the missing dependency or the conflict. */
export function resolve(requests: readonly Request[], options: ResolveOptions): Resolution {
  return new Resolver(options).run(requests);
}

/** Dependencies before dependents; inside a cycle Pre-Depends win; otherwise by name, so that two runs agree. */
export function order(records: readonly PackageRecord[], present: readonly PackageRecord[] = []): PackageRecord[] {
  const sorted = [...records].sort(
    (a, b) => Number(b.name === "base-files") - Number(a.name === "base-files") || (a.name < b.name ? -1 : 1),
  );
  const byName = new Map(sorted.map((record) => [record.name, record]));
  const done: PackageRecord[] = [];
  const state = new Map<PackageRecord, "open" | "done">(present.map((record) => [record, "done"]));
  const supplier = (group: RelationGroup): PackageRecord | null => {
    for (const relation of group) {
      const named = byName.get(relation.name);
      if (named && satisfies(named, relation)) return named;
    }
    return sorted.find((record) => group.some((relation) => satisfies(record, relation))) ?? null;
  };
  const visit = (record: PackageRecord): void => {
    if (state.has(record)) return;
    state.set(record, "open");
    for (const group of [...record.preDepends, ...record.depends]) {
      const needed = supplier(group);
      if (needed !== null) visit(needed);
    }
    state.set(record, "done");
    done.push(record);
  };
  for (const record of sorted) visit(record);
  // base-files carries the merged-/usr links and the directories' modes: everything else is unpacked into those.
  const base = done.findIndex((record) => record.name === "base-files");
  if (base > 0) done.unshift(...done.splice(base, 1));
  return done;
}
