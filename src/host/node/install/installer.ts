// `faultline install`: plans what a root needs (from a suite's index or a lock file), downloads it, unpacks package after
// package and configures the root. Formats, resolution and configuration live in image/.
import { mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve as resolvePath } from "node:path";
import { configureRoot, prepareRoot } from "../../../image/configure.ts";
import { DpkgDatabase } from "../../../image/dpkg-database.ts";
import { ImageError } from "../../../image/errors.ts";
import { formatLock, type LockEntry, parseLock } from "../../../image/lock-file.ts";
import { type Request, resolve } from "../../../image/resolver.ts";
import { ensureDirectory, PathResolver } from "../../../image/root-tree.ts";
import { cacheFolder } from "../cache-folder.ts";
import { nodeDecompressors } from "../decompressors.ts";
import { aptProxy, hostKeyrings, hostMirror } from "./apt-config.ts";
import { Downloader, type Wanted } from "./download.ts";
import { HttpClient, proxySettings } from "./http.ts";
import { InstallError } from "./install-error.ts";
import { lockRoot } from "./install-lock.ts";
import { planFromLock } from "./lock-plan.ts";
import { NodeTree } from "./node-tree.ts";
import { installPackage } from "./package-install.ts";
import { formatBytes, type Output, Progress } from "./progress.ts";
import { fetchSuite } from "./suite.ts";

export const ARCHITECTURE = "riscv64";
const COMPONENT = "main";

export interface InstallOptions {
  root: string;
  /** An http, https or file address, or null: FAULTLINE_MIRROR, then the host's apt configuration. */
  mirror: string | null;
  suite: string;
  /** Path of a lock file to install from; no index is read then. */
  lock: string | null;
  /** Path of a lock file to write. */
  writeLock: string | null;
  /** Path of OpenPGP keys, or null: FAULTLINE_KEYRING, then the host's archive keyring. */
  keyring: string | null;
  recommends: boolean;
  essential: boolean;
  /** NAME or NAME=VERSION. */
  packages: readonly string[];
}

/** Everything an install takes from its surroundings; tests replace it. */
export interface InstallEnvironment {
  env: Readonly<Record<string, string | undefined>>;
  etcApt: string;
  keyringFolder: string;
  stderr: Output;
  nowMs: () => number;
  retryDelayMs: number;
}

export interface InstallSummary {
  root: string;
  installed: string[];
  alreadyThere: number;
  downloadedBytes: number;
  unpackedBytes: number;
  /** What was checked, one sentence. */
  verification: string;
}

export interface Plan {
  /** To be unpacked, in this order. */
  install: LockEntry[];
  /** All that the request consists of: what --write-lock writes. */
  closure: LockEntry[];
  alreadyThere: number;
  verification: string;
}

/** What the parts of an install share. */
export interface Session {
  options: InstallOptions;
  environment: InstallEnvironment;
  tree: NodeTree;
  resolver: PathResolver;
  database: DpkgDatabase;
  downloader: Downloader;
  progress: Progress;
  /** The mirror's address without a trailing slash. Throws when none is known. */
  mirror: () => string;
}

/** Runs an install. Throws InstallError or ImageError, each with one line for the user. */
export async function install(options: InstallOptions, environment: InstallEnvironment): Promise<InstallSummary> {
  const requests = parseRequests(options);
  const lock = options.lock === null ? null : readLock(options.lock);
  const progress = new Progress(environment.stderr, environment.nowMs);
  let downloadedBytes = 0;
  const client = new HttpClient(proxySettings(environment.env, (scheme) => aptProxy(environment.etcApt, scheme)));
  const downloader = new Downloader({
    client,
    cacheFolder: downloadFolder(environment.env),
    retryDelayMs: environment.retryDelayMs,
    onBytes: (count) => {
      downloadedBytes += count;
      progress.received(count);
    },
  });
  const mirror = mirrorFinder(options, environment);
  if (lock === null) mirror(); // fail before touching anything
  const opened = openRoot(options.root);
  try {
    const session: Session = { options, environment, ...opened, downloader, progress, mirror };
    const plan = lock ? await planFromLock(lock, requests, session) : await planFromIndex(requests, session);
    if (options.writeLock !== null) writeLock(options.writeLock, plan.closure);
    downloadedBytes = 0; // packages only, from here on
    const unpackedBytes = await unpackAll(plan.install, session);
    progress.step("configuring");
    configureRoot(opened.tree, opened.resolver, opened.database, (sentence) => progress.say(sentence));
    progress.finish();
    const installed = plan.install.map((entry) => entry.name);
    const { alreadyThere, verification } = plan;
    return { root: options.root, installed, alreadyThere, downloadedBytes, unpackedBytes, verification };
  } finally {
    progress.finish();
    downloader.stop();
    opened.unlock();
    client.close();
  }
}

function parseRequests(options: InstallOptions): Request[] {
  if (options.packages.length === 0 && options.lock === null && !options.essential) {
    throw new InstallError("no package is named; name one, or a lock file with --lock", 2);
  }
  const requests = new Map<string, Request>();
  for (const argument of options.packages) {
    const match = /^([a-z0-9][a-z0-9+.-]*)(?:=(\S+))?$/.exec(argument);
    if (!match) throw new InstallError(`"${argument}" is no package name (NAME or NAME=VERSION)`, 2);
    requests.set(match[1], match[2] === undefined ? { name: match[1] } : { name: match[1], version: match[2] });
  }
  return [...requests.values()];
}

function readLock(path: string): LockEntry[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InstallError(`cannot read lock file ${path}: ${(error as NodeJS.ErrnoException).code}`, 2);
  }
  return asRequestFault(() => parseLock(text, path));
}

/** What image/ finds wrong with the user's own words (a lock file, names that nothing satisfies) is status 2. */
function asRequestFault<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    if (error instanceof ImageError) throw new InstallError(error.message, 2);
    throw error;
  }
}

function writeLock(path: string, closure: readonly LockEntry[]): void {
  const missing = closure.find((entry) => entry.poolPath === "" || entry.sha256 === "");
  if (missing) {
    throw new InstallError(
      `cannot lock ${missing.name} ${missing.version}: the root holds it, but the suite no longer does; use a new root`,
      1,
    );
  }
  const aside = `${path}.new`;
  try {
    writeFileSync(aside, formatLock(closure));
    renameSync(aside, path);
  } catch (error) {
    throw new InstallError(`cannot write lock file ${path}: ${(error as NodeJS.ErrnoException).code}`, 2);
  }
}

function downloadFolder(env: InstallEnvironment["env"]): string {
  const folder = cacheFolder(env);
  if (folder === null) throw new InstallError("neither XDG_CACHE_HOME nor HOME says where downloads can be kept", 2);
  return folder;
}

function mirrorFinder(options: InstallOptions, environment: InstallEnvironment): () => string {
  return () => {
    const named = options.mirror ?? (environment.env.FAULTLINE_MIRROR || null);
    const address = named ?? hostMirror(environment.etcApt);
    if (address === null) {
      throw new InstallError(
        "no mirror is known: give one with --mirror URL or FAULTLINE_MIRROR (the host's apt has no Debian source)",
        2,
      );
    }
    if (!/^(https?|file):\/\/\S+$/.test(address) && !/^(file|copy):\/\S*$/.test(address)) {
      throw new InstallError(`"${address}" is no mirror address (http://, https:// or file://)`, 2);
    }
    return address.replace(/^(?:file|copy):\/(?!\/)/, "file:///").replace(/\/+$/, "");
  };
}

interface OpenedRoot {
  tree: NodeTree;
  resolver: PathResolver;
  database: DpkgDatabase;
  unlock: () => void;
}

/** Refuses folders that are no root of ours: a typing error must not unpack a system over somebody's files. */
function openRoot(folder: string): OpenedRoot {
  const path = resolvePath(folder);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat && !stat.isDirectory()) throw new InstallError(`${folder} is not a directory`, 2);
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new InstallError(`cannot make ${folder}: ${(error as NodeJS.ErrnoException).code}`, 2);
  }
  const real = realpathSync(path);
  if (real === "/") throw new InstallError("refused: / is this machine's own root", 2);
  const tree = new NodeTree(real);
  const resolver = new PathResolver(tree);
  const isNew = readdirSync(real).length === 0;
  if (!isNew && tree.stat(resolver.resolve("var/lib/dpkg"))?.type !== "directory") {
    throw new InstallError(
      `${folder} is not empty and no Debian root (it has no var/lib/dpkg); name another folder`,
      2,
    );
  }
  const dpkg = ensureDirectory(tree, resolver, "var/lib/dpkg");
  const unlock = lockRoot(join(real, dpkg, "lock-faultline"), folder);
  try {
    const database = new DpkgDatabase(tree, resolver, ARCHITECTURE);
    const foreign = database.foreignArchitecture();
    if (foreign !== null) throw new InstallError(`${folder} is a root for ${foreign}, not for ${ARCHITECTURE}`, 2);
    database.complete();
    prepareRoot(tree, resolver);
    return { tree, resolver, database, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function planFromIndex(requests: readonly Request[], session: Session): Promise<Plan> {
  const { options, environment, database, progress } = session;
  const mirror = session.mirror();
  progress.step(`reading the index of ${options.suite}`);
  const request = {
    mirror,
    suite: options.suite,
    architecture: ARCHITECTURE,
    component: COMPONENT,
    keyrings: keyringPaths(options, environment),
    nowMs: environment.nowMs(),
  };
  const suite = await fetchSuite(request, session.downloader, nodeDecompressors);
  const resolution = asRequestFault(() =>
    resolve(requests, {
      source: suite.index,
      installed: database.installed(),
      recommends: options.recommends,
      essential: options.essential,
      similarNames: (name) => suite.index.similarNames(name),
    }),
  );
  const signer = suite.verifiedBy?.map((by) => by.owner.replace(/\s*<.*>$/, "")).join("; ");
  const hashes = "each package by its SHA-256 in the index";
  return {
    install: resolution.install,
    closure: resolution.closure,
    alreadyThere: resolution.closure.length - resolution.install.length,
    verification: signer
      ? `checked: the index by its signature (${signer}), ${hashes}`
      : `checked: checksums only, ${hashes}; the signature of the index was NOT checked (no archive keyring: see --keyring)`,
  };
}

function keyringPaths(options: InstallOptions, environment: InstallEnvironment): string[] {
  const named = options.keyring ?? (environment.env.FAULTLINE_KEYRING || null);
  return named !== null ? [named] : hostKeyrings(environment.keyringFolder, environment.etcApt);
}

/** What to download for an entry. A complete cache needs no mirror: a lock file then installs offline. */
export function wantedFor(entry: LockEntry, mirror: () => string): Wanted {
  return {
    // As apt spells addresses: "+" means a blank to some object stores.
    address: () => `${mirror()}/${entry.poolPath.replaceAll("%", "%25").replaceAll("+", "%2b")}`,
    sha256: entry.sha256,
    sizeBytes: entry.sizeBytes,
    what: `${entry.name} ${entry.version}`,
    cacheName: `packages/${entry.sha256}.deb`,
  };
}

/** Downloads run ahead, four at a time; packages are unpacked in order as they arrive. Returns plain bytes written. */
async function unpackAll(entries: readonly LockEntry[], session: Session): Promise<number> {
  const { downloader, progress, mirror } = session;
  const wanted = entries.map((entry) => wantedFor(entry, mirror));
  const missing = wanted.filter((w) => !downloader.isCached(w));
  if (missing.length > 0) mirror(); // fail before anything is unpacked
  const missingBytes = missing.reduce((sum, w) => sum + w.sizeBytes, 0);
  if (entries.length > 0) {
    const volume = missing.length > 0 ? `, ${formatBytes(missingBytes)} to download` : ", all in the cache";
    progress.say(`${entries.length} package${entries.length === 1 ? "" : "s"} to unpack${volume}`);
  }
  progress.plan(entries.length, missingBytes);
  const arrivals = wanted.map((w) => downloader.ensure(w));
  for (const arrival of arrivals) arrival.catch(() => {}); // reported when its turn comes
  let unpackedBytes = 0;
  for (let i = 0; i < entries.length; i++) {
    await arrivals[i].catch((error: unknown) => {
      throw downloadFault(error, wanted[i]);
    });
    progress.unpacking(entries[i].name);
    unpackedBytes += await installPackage(entries[i], await downloader.read(wanted[i]), session);
    progress.unpacked();
  }
  return unpackedBytes;
}

function downloadFault(error: unknown, wanted: Wanted): unknown {
  if (error instanceof InstallError || error instanceof ImageError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new InstallError(`${wanted.what}: ${wanted.address()}: ${reason}`, 1);
}
