// Keeps optimised translations of what programs run, so that later runs of the same code begin with them: in a folder of the
// user, a file for each program:
//
//   u32 length of the head, u32 length of the file, the head (JSON, StoredProgram), bytes as the head says
//
// and one file that says which pages of code each of them has. They are made when a run has ended, by a process of its own that
// nobody waits for (translate-ahead.ts).
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serialize } from "node:v8";
import type { TranslatedProgram } from "../../cpu/jit/ahead.ts";
import type { CodeStore, Interest, KeptPage, KeptProgram, KeptRegion } from "../../cpu/jit/kept-regions.ts";
import type { CodeProfile } from "../../cpu/jit/survey.ts";
import { cacheFolder } from "./cache-folder.ts";
import { moduleOf } from "./v8-code.ts";
import { readIfThere, writeAtOnce } from "./whole-file.ts";

/** A folder instead of the usual one, or "off". */
const VARIABLE = "FAULTLINE_CODE_CACHE";
const HEAD_BYTES = 8;
const TRANSLATE_AHEAD = fileURLToPath(new URL("translate-ahead.js", import.meta.url));

/** Runs that are learned from for each program: what is not translated then never will be. */
export const MOST_LESSONS = 6;
/** Runs that had nothing to teach after which others of the program are expected to be like them. */
const MOST_IDLE_RUNS = 2;
/** A profile that is still there after so long was left by a process that broke down. */
const STALE_MS = 10 * 60_000;

/** Behind the head: offset and length. */
type Part = readonly [number, number];

interface StoredRegion extends Omit<KeptRegion, "pages"> {
  readonly pages: readonly (Omit<KeptPage, "bytes"> & { readonly bytes: Part })[];
}

interface StoredProgram {
  readonly regions: readonly StoredRegion[];
  readonly module: Part;
  readonly code: Part;
}

/** A program with the machine code of its module. */
export interface OptimisedProgram extends TranslatedProgram {
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
  private readonly programs: ReadonlyMap<number, readonly number[]>;

  constructor(folder: string, memoryPages: number) {
    this.folder = folder;
    this.memoryPages = memoryPages;
    this.programs = isOwn(folder) ? programsByPage(readPages(folder)) : new Map();
  }

  interestIn(program: number): Interest {
    if (isLearned(this.folder, program)) return "none";
    return sizeOf(fileOf(this.folder, program, "idle")) >= MOST_IDLE_RUNS ? "little" : "full";
  }

  programsWith(hash: number): readonly number[] {
    return this.programs.get(hash) ?? [];
  }

  program(name: number): KeptProgram | null {
    return readProgram(fileOf(this.folder, name, "program"));
  }

  learn(profile: CodeProfile, program: number): void {
    ifPossible(() => this.translateAhead(profile, program));
  }

  learnNothing(program: number): void {
    if (this.interestIn(program) !== "full" || !isOwn(this.folder)) return;
    ifPossible(() => appendFileSync(fileOf(this.folder, program, "idle"), "."));
  }

  /** One at a time: the profile is there until the process that works on it has ended. */
  private translateAhead(profile: CodeProfile, program: number): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const file = join(this.folder, PROFILE);
    const other = statSync(file, { throwIfNoEntry: false });
    if (!isOwn(this.folder) || (other !== undefined && Date.now() - other.mtimeMs < STALE_MS)) return;
    if (other !== undefined) unlinkSync(file);
    writeFileSync(file, serialize({ ...profile, program, memoryPages: this.memoryPages }), { flag: "wx" });
    appendFileSync(fileOf(this.folder, program, "lessons"), ".");
    spawn(process.execPath, [TRANSLATE_AHEAD, file], { detached: true, stdio: "ignore" }).unref();
  }
}

/** Without a place to write to nothing is learned. */
function ifPossible(write: () => void): void {
  try {
    write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** What the process is given to translate. */
const PROFILE = "profile";

/** Of a program: what is kept, the runs it was learned from and those that had nothing to teach (a byte for each), what was seen to run. */
export function fileOf(folder: string, program: number, kind: "program" | "lessons" | "idle" | "seen"): string {
  return join(folder, `${program.toString(16).padStart(8, "0")}.${kind}`);
}

/** Whether the program was learned from often enough: the file is as long as the number of lessons. */
export function isLearned(folder: string, program: number): boolean {
  return sizeOf(fileOf(folder, program, "lessons")) >= MOST_LESSONS;
}

/** Hashes of the pages that have code of a program, by its name. */
export type PagesOfPrograms = Record<string, readonly number[]>;

const PAGES = "pages";

/** Nothing if the file is damaged. */
export function readPages(folder: string): PagesOfPrograms {
  const file = readIfThere(join(folder, PAGES));
  if (file === null) return {};
  try {
    return JSON.parse(file.toString("latin1")) as PagesOfPrograms;
  } catch {
    return {};
  }
}

export function writePages(folder: string, pages: PagesOfPrograms): void {
  writeAtOnce(join(folder, PAGES), [Buffer.from(JSON.stringify(pages), "latin1")]);
}

function programsByPage(pages: PagesOfPrograms): Map<number, number[]> {
  const programs = new Map<number, number[]>();
  for (const [name, hashes] of Object.entries(pages)) {
    for (const hash of hashes) programs.set(hash, [...(programs.get(hash) ?? []), Number(name)]);
  }
  return programs;
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

/** The program in a file; null if it has been removed meanwhile, or is not whole. */
export function readProgram(path: string): (KeptProgram & OptimisedProgram) | null {
  const file = readIfThere(path);
  if (file === null || file.length < HEAD_BYTES || file.readUInt32LE(4) !== file.length) return null;
  const bodyAt = HEAD_BYTES + file.readUInt32LE(0);
  const head = JSON.parse(file.toString("latin1", HEAD_BYTES, bodyAt)) as StoredProgram;
  const part = ([at, length]: Part) => file.subarray(bodyAt + at, bodyAt + at + length);
  const regions = head.regions.map(({ pages, ...region }) => ({
    ...region,
    pages: pages.map((page) => ({ ...page, bytes: part(page.bytes) })),
  }));
  // V8 wants buffers of their own.
  const [bytes, code] = [new Uint8Array(part(head.module)), new Uint8Array(part(head.code))];
  return { regions, bytes, code, module: () => moduleOf(code.buffer, bytes) };
}

/** Writes the file anew. */
export function writeProgram(path: string, { regions, bytes, code }: OptimisedProgram): void {
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (part: Uint8Array): Part => {
    parts.push(part);
    length += part.length;
    return [length - part.length, part.length];
  };
  const head: StoredProgram = {
    regions: regions.map((region) => ({
      ...region,
      pages: region.pages.map((page) => ({ ...page, bytes: put(page.bytes) })),
    })),
    module: put(bytes),
    code: put(code),
  };
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
    .filter((name) => /\.(program|part|lessons|idle|seen)$/.test(name))
    .map((name) => join(folder, name))
    .map((path) => ({ path, stat: statSync(path, { throwIfNoEntry: false }) }))
    .sort((a, b) => (b.stat?.mtimeMs ?? 0) - (a.stat?.mtimeMs ?? 0));
  let kept = 0;
  for (const { path, stat } of files) {
    kept += stat?.size ?? 0;
    if (stat !== undefined && kept > mostBytes) unlinkSync(path);
  }
}
