// Keeps optimised translations of what programs run, so that later runs of the same code begin with them: in a folder of the
// user, a file per page of code, named by the page's hash:
//
//   u32 length of the head, u32 length of the file, the head (JSON, StoredRegion[]), bytes as the head says
//
// They are made when a run has ended, by a process of its own that nobody waits for (translate-ahead.ts).
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serialize } from "node:v8";
import type { TranslatedRegion } from "../../cpu/jit/ahead.ts";
import type { CodeStore, KeptPage, KeptRegion } from "../../cpu/jit/kept-regions.ts";
import type { CodeProfile } from "../../cpu/jit/survey.ts";
import { cacheFolder } from "./cache-folder.ts";
import { moduleOf } from "./v8-code.ts";
import { readIfThere, writeAtOnce } from "./whole-file.ts";

/** A folder instead of the usual one, or "off". */
const VARIABLE = "FAULTLINE_CODE_CACHE";
const HEAD_BYTES = 8;
const TRANSLATE_AHEAD = fileURLToPath(new URL("translate-ahead.js", import.meta.url));

/** Runs that are learned from for each program: what is not translated then never will be. */
const MOST_LESSONS = 6;
/** A profile that is still there after so long was left by a process that broke down. */
const STALE_MS = 10 * 60_000;

/** Behind the head: offset and length. */
type Part = readonly [number, number];

interface StoredRegion {
  readonly rootOffset: number;
  readonly entryOffsets: readonly number[];
  readonly instructionCount: number;
  readonly pages: readonly (Omit<KeptPage, "bytes"> & { readonly bytes: Part })[];
  readonly module: Part;
  readonly code: Part;
}

/** A region with the machine code of its module. */
export interface OptimisedRegion extends Omit<TranslatedRegion, "rootHash" | "bytes"> {
  readonly bytes: Uint8Array;
  readonly code: Uint8Array;
}

let build: string | null = null;

/** From now on translations are kept: those that this build of the package makes. */
export function useCodeStore(name: string): void {
  build = name;
}

/** Names of the folders, each for what else code depends on. */
const SHAPE = /^[0-9a-f]{16}-v.+-\w+-\d+$/;

/** The store for linear memory of so many pages; null: nothing is kept. */
export function codeStore(memoryPages: number): CodeStore | null {
  const folder = codeFolder();
  if (build === null || folder === null) return null;
  const shape = [build, process.version, process.arch, memoryPages].join("-");
  return new FolderCodeStore(join(folder, shape), memoryPages);
}

function codeFolder(): string | null {
  const chosen = process.env[VARIABLE];
  if (chosen === "off") return null;
  if (chosen) return chosen;
  const caches = cacheFolder(process.env);
  return caches && join(caches, "code");
}

export class FolderCodeStore implements CodeStore {
  private readonly folder: string;
  private readonly memoryPages: number;
  private readonly names: ReadonlySet<string>;

  constructor(folder: string, memoryPages: number) {
    this.folder = folder;
    this.memoryPages = memoryPages;
    this.names = new Set(isOwn(folder) ? namesIn(folder) : []);
  }

  isLearning(hottest: number): boolean {
    return sizeOf(this.lessonsOf(hottest)) < MOST_LESSONS;
  }

  /** A file as long as the number of runs that the program was learned from. */
  private lessonsOf(hottest: number): string {
    return join(this.folder, `${hexadecimal(hottest)}.lessons`);
  }

  has(hash: number): boolean {
    return this.names.has(fileName(hash));
  }

  regionsIn(hash: number): readonly KeptRegion[] {
    return readRegions(join(this.folder, fileName(hash)));
  }

  /** Without a place to write to nothing is learned. */
  learn(profile: CodeProfile, hottest: number): void {
    try {
      this.translateAhead(profile, hottest);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }

  /** One at a time: the profile is there until the process that works on it has ended. */
  private translateAhead(profile: CodeProfile, hottest: number): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const file = join(this.folder, PROFILE);
    const other = statSync(file, { throwIfNoEntry: false });
    if (!isOwn(this.folder) || (other !== undefined && Date.now() - other.mtimeMs < STALE_MS)) return;
    if (other !== undefined) unlinkSync(file);
    writeFileSync(file, serialize({ ...profile, memoryPages: this.memoryPages }), { flag: "wx" });
    appendFileSync(this.lessonsOf(hottest), ".");
    spawn(process.execPath, [TRANSLATE_AHEAD, file], { detached: true, stdio: "ignore" }).unref();
  }
}

/** What the process is given to translate. */
const PROFILE = "profile";

export function fileName(hash: number): string {
  return `${hexadecimal(hash)}.code`;
}

function hexadecimal(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}

/** Machine code is only taken from a folder that nobody else can write to. */
function isOwn(folder: string): boolean {
  try {
    const { uid, mode } = statSync(folder);
    return uid === process.getuid?.() && (mode & 0o022) === 0;
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes((error as NodeJS.ErrnoException).code!)) return [];
    throw error;
  }
}

/** 0 if it is not there. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

/** The regions in a file; none if it has been removed meanwhile, or is not whole. */
export function readRegions(path: string): (KeptRegion & OptimisedRegion)[] {
  const file = readIfThere(path);
  if (file === null || file.length < HEAD_BYTES || file.readUInt32LE(4) !== file.length) return [];
  const bodyAt = HEAD_BYTES + file.readUInt32LE(0);
  const head = JSON.parse(file.toString("latin1", HEAD_BYTES, bodyAt)) as StoredRegion[];
  const part = ([at, length]: Part) => file.subarray(bodyAt + at, bodyAt + at + length);
  return head.map(({ module, code, ...region }) => {
    let compiled: ReturnType<KeptRegion["module"]> | undefined;
    return {
      ...region,
      pages: region.pages.map((page) => ({ ...page, bytes: part(page.bytes) })),
      bytes: part(module),
      code: part(code),
      // V8 wants buffers of their own.
      module: () => (compiled ??= moduleOf(new Uint8Array(part(code)).buffer, new Uint8Array(part(module)))),
    };
  });
}

/** Writes the file anew. */
export function writeRegions(path: string, regions: readonly OptimisedRegion[]): void {
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (part: Uint8Array): Part => {
    parts.push(part);
    length += part.length;
    return [length - part.length, part.length];
  };
  const head: StoredRegion[] = regions.map(({ rootOffset, entryOffsets, instructionCount, pages, bytes, code }) => ({
    rootOffset,
    entryOffsets,
    instructionCount,
    pages: pages.map((page) => ({ ...page, bytes: put(page.bytes) })),
    module: put(bytes),
    code: put(code),
  }));
  const text = Buffer.from(JSON.stringify(head), "latin1");
  const sizes = Buffer.alloc(HEAD_BYTES);
  sizes.writeUInt32LE(text.length);
  sizes.writeUInt32LE(HEAD_BYTES + text.length + length, 4);
  writeAtOnce(path, [sizes, text, ...parts]);
}

/**
 * Removes the oldest files of the store, of all builds and shapes, until those that stay have at most so many bytes. What is not the
 * store's is not touched: the user may have named a folder with other things in it.
 */
export function removeOldest(folder: string, mostBytes: number): void {
  const files = namesIn(folder)
    .filter((name) => SHAPE.test(name))
    .flatMap((shape) => namesIn(join(folder, shape)).map((name) => join(shape, name)))
    .filter((name) => /\.(code|part|lessons)$/.test(name))
    .map((name) => join(folder, name))
    .map((path) => ({ path, stat: statSync(path, { throwIfNoEntry: false }) }))
    .sort((a, b) => (b.stat?.mtimeMs ?? 0) - (a.stat?.mtimeMs ?? 0));
  let kept = 0;
  for (const { path, stat } of files) {
    kept += stat?.size ?? 0;
    if (stat !== undefined && kept > mostBytes) unlinkSync(path);
  }
}
