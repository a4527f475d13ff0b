// Plans an install from a lock file: all of its packages, or some of them with those dependencies that the packages' own
// control files name. Reads no index.
import { openDeb } from "../../../image/deb.ts";
import { ImageError } from "../../../image/errors.ts";
import type { LockEntry } from "../../../image/lock-file.ts";
import { type PackageRecord, packageFromControl } from "../../../image/package-record.ts";
import { formatGroup, type RelationGroup } from "../../../image/relations.ts";
import { order, type Request, satisfies } from "../../../image/resolver.ts";
import { versionSatisfies } from "../../../image/version.ts";
import { nodeDecompressors } from "../decompressors.ts";
import { InstallError } from "./install-error.ts";
import { ARCHITECTURE, type Plan, type Session, wantedFor } from "./installer.ts";

export async function planFromLock(
  lock: readonly LockEntry[],
  requests: readonly Request[],
  session: Session,
): Promise<Plan> {
  const verification = `checked: each package by its SHA-256 in ${session.options.lock}`;
  const closure = requests.length === 0 ? [...lock] : await expand(lock, requests, session);
  const install = closure.filter((entry) => session.database.versionOf(entry.name) !== entry.version);
  const alreadyThere = closure.length - install.length;
  // base-files carries the directories' modes and links that the others are unpacked into.
  if (requests.length === 0) install.sort((a, b) => Number(b.name === "base-files") - Number(a.name === "base-files"));
  return { install, closure, alreadyThere, verification };
}

interface Need {
  record: PackageRecord;
  group: RelationGroup;
}

const meets = (record: PackageRecord, group: RelationGroup): boolean =>
  group.some((relation) => satisfies(record, relation));

/** The named packages and what they need, wave by wave: a package's needs are known once its control file is here. */
async function expand(
  lock: readonly LockEntry[],
  requests: readonly Request[],
  session: Session,
): Promise<LockEntry[]> {
  const byName = new Map(lock.map((entry) => [entry.name, entry]));
  const chosen = new Map<string, PackageRecord>();
  const installed = session.database.installed();
  const isMet = (group: RelationGroup) => [...chosen.values(), ...installed].some((record) => meets(record, group));
  const unmet: Need[] = [];
  let wave = requests.map((request) => named(request, byName, session));
  while (wave.length > 0) {
    session.progress.step(`reading ${wave.map((entry) => entry.name).join(" ")}`);
    const records = await Promise.all(wave.map((entry) => readRecord(entry, session)));
    for (const record of records) chosen.set(record.name, record);
    const next = new Map<string, LockEntry>();
    for (const record of records) {
      for (const group of [...record.preDepends, ...record.depends]) {
        if (isMet(group) || group.some((relation) => next.has(relation.name))) continue;
        const entry = fromGroup(group, byName);
        if (entry) next.set(entry.name, entry);
        else unmet.push({ record, group });
      }
    }
    wave = [...next.values()].filter((entry) => !chosen.has(entry.name));
    // Virtual packages come last: by then somebody chosen for another reason may provide them.
    if (wave.length === 0) {
      const provider = await cachedProvider(
        unmet.filter(({ group }) => !isMet(group)),
        lock,
        chosen,
        session,
      );
      if (provider) wave = [provider];
    }
  }
  for (const { record, group } of unmet.filter((need) => !isMet(need.group))) {
    const what = formatGroup(group);
    session.progress.say(
      `${record.name} needs ${what}, which the chosen packages of the lock do not provide; name one that does`,
    );
  }
  return order([...chosen.values()]).map((record) => byName.get(record.name)!);
}

function named(request: Request, byName: ReadonlyMap<string, LockEntry>, session: Session): LockEntry {
  const entry = byName.get(request.name);
  if (!entry) throw new InstallError(`${session.options.lock} has no package ${request.name}`, 2);
  if (request.version !== undefined && request.version !== entry.version) {
    throw new InstallError(`${session.options.lock} has ${entry.name} ${entry.version}, not ${request.version}`, 2);
  }
  return entry;
}

function fromGroup(group: RelationGroup, byName: ReadonlyMap<string, LockEntry>): LockEntry | null {
  for (const relation of group) {
    const entry = byName.get(relation.name);
    if (entry && (relation.operator === null || versionSatisfies(entry.version, relation.operator, relation.version))) {
      return entry;
    }
  }
  return null;
}

async function readRecord(entry: LockEntry, session: Session): Promise<PackageRecord> {
  const { downloader, mirror } = session;
  const wanted = wantedFor(entry, mirror);
  let bytes: Uint8Array;
  try {
    bytes = await downloader.read(wanted);
  } catch (error) {
    if (error instanceof InstallError || error instanceof ImageError) throw error;
    throw new InstallError(`${wanted.what}: ${wanted.address()}: ${(error as Error).message}`, 1);
  }
  const deb = await openDeb(bytes, nodeDecompressors, wanted.what);
  const record = packageFromControl(deb.fields, ARCHITECTURE);
  if (!record) throw new InstallError(`${wanted.what} is not for ${ARCHITECTURE}`, 1);
  return { ...record, poolPath: entry.poolPath, sha256: entry.sha256, sizeBytes: entry.sizeBytes };
}

/**
 * A lock does not say who provides a virtual package. A package of the lock that an earlier install left in the cache can
 * be asked for free; downloading all others to ask them is not worth it.
 */
async function cachedProvider(
  needs: readonly Need[],
  lock: readonly LockEntry[],
  chosen: ReadonlyMap<string, PackageRecord>,
  session: Session,
): Promise<LockEntry | null> {
  if (needs.length === 0) return null;
  for (const entry of lock) {
    if (chosen.has(entry.name) || !session.downloader.isCached(wantedFor(entry, session.mirror))) continue;
    const record = await readRecord(entry, session);
    if (needs.some(({ group }) => meets(record, group))) return entry;
  }
  return null;
}
