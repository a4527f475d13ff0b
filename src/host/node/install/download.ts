// Downloads files whose SHA-256 is known into a cache: several at a time, resumed after interruption, retried, and visible
// under their final name only when they are whole and right.
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type HttpClient, HttpError } from "./http.ts";
import { InstallError } from "./install-error.ts";
import { sha256 } from "./pgp-crypto.ts";

const ATTEMPTS = 5;

/** The mirror has a file, but not the one that was announced. */
export class MismatchError extends Error {}

export interface Wanted {
  /** Asked only when the cache has not got the file: then a mirror must be known. */
  address: () => string;
  sha256: string;
  sizeBytes: number;
  /** For messages: "bash 5.2.37-2+b10". */
  what: string;
  /** Name in the cache, relative. */
  cacheName: string;
}

export interface DownloaderOptions {
  client: HttpClient;
  cacheFolder: string;
  parallel?: number;
  /** Pause before the second try; doubled for each further one. */
  retryDelayMs?: number;
  /** Bytes that arrived from the network; negative when they had to be thrown away. */
  onBytes?: (count: number) => void;
}

interface PartState {
  path: string;
  /** The part held bytes of an earlier connection, which may be of another file. */
  wasResumed: boolean;
}

export class Downloader {
  private readonly options: DownloaderOptions;
  private readonly stopped = new AbortController();
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(options: DownloaderOptions) {
    this.options = options;
    this.free = options.parallel ?? 4;
  }

  /** The install is given up: nothing is tried again. */
  stop(): void {
    this.stopped.abort();
  }

  cachePath(wanted: Wanted): string {
    return join(this.options.cacheFolder, wanted.cacheName);
  }

  /** Whether the cache seems to hold it (size only; read() checks the rest). */
  isCached(wanted: Wanted): boolean {
    return statSync(this.cachePath(wanted), { throwIfNoEntry: false })?.size === wanted.sizeBytes;
  }

  /** The file's bytes, from the cache or the mirror; their SHA-256 is right. */
  async read(wanted: Wanted): Promise<Uint8Array> {
    const path = this.cachePath(wanted);
    for (let round = 0; ; round++) {
      await this.ensure(wanted);
      const bytes = readFileSync(path);
      if (sha256(bytes) === wanted.sha256) return bytes;
      // The cache was damaged after the download: once more from the mirror.
      rmSync(path, { force: true });
      if (round === 1) throw new InstallError(`the cache loses data: ${path} is not what was written`, 1);
    }
  }

  /** Brings the file into the cache. Throws MismatchError, HttpError (404 and the like) or InstallError. */
  async ensure(wanted: Wanted): Promise<void> {
    if (this.isCached(wanted)) return;
    await this.acquire();
    try {
      if (this.stopped.signal.aborted) return;
      await this.fetch(wanted);
    } finally {
      this.release();
    }
  }

  /** A small file with no known hash (InRelease), not cached. */
  async small(address: string, limitBytes: number, what: string): Promise<Uint8Array> {
    return this.attempts(what, async () => {
      const transfer = await this.options.client.open(address);
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const part of transfer.body) {
        length += part.length;
        if (length > limitBytes) {
          transfer.cancel();
          throw new InstallError(`${what}: larger than ${limitBytes} bytes`, 1);
        }
        parts.push(part);
      }
      if (transfer.totalBytes !== null && length !== transfer.totalBytes) throw new Error("the connection was cut");
      return Buffer.concat(parts);
    });
  }

  private async fetch(wanted: Wanted): Promise<void> {
    const final = this.cachePath(wanted);
    mkdirSync(dirname(final), { recursive: true });
    const state: PartState = { path: `${final}.part`, wasResumed: false };
    await this.attempts(wanted.what, async () => {
      try {
        await this.fetchOnce(wanted, state);
      } catch (error) {
        // What an earlier run left may be of another file, or two processes wrote the same one: once from scratch.
        if (!(error instanceof MismatchError) || !state.wasResumed) throw error;
        state.path = `${final}.part.${process.pid}`;
        state.wasResumed = false;
        await this.fetchOnce(wanted, state);
      }
    });
    renameSync(state.path, final);
  }

  /** One connection. Afterwards the part file is complete and right, or an error says why not. */
  private async fetchOnce(wanted: Wanted, state: PartState): Promise<void> {
    const fd = openSync(state.path, "a+");
    const counter = { received: 0 };
    try {
      state.wasResumed = fstatSync(fd).size > 0;
      const left = hashPart(fd, wanted.sizeBytes);
      const hash = left.length < wanted.sizeBytes ? await this.receive(wanted, state, fd, left, counter) : left.hash;
      if (hash.digest("hex") !== wanted.sha256) throw new MismatchError("has a wrong SHA-256");
    } catch (error) {
      if (error instanceof MismatchError) {
        rmSync(state.path, { force: true });
        this.options.onBytes?.(-counter.received);
      }
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Appends what is missing to the part file; returns the hash over all of it. */
  private async receive(
    wanted: Wanted,
    state: PartState,
    fd: number,
    left: { hash: Hash; length: number },
    counter: { received: number },
  ): Promise<Hash> {
    let { hash, length } = left;
    const transfer = await this.options.client.open(wanted.address(), length).catch((error: unknown) => {
      if (error instanceof HttpError && error.statusCode === 416) throw new MismatchError("is shorter than expected");
      throw error;
    });
    if (transfer.totalBytes !== null && transfer.totalBytes !== wanted.sizeBytes) {
      transfer.cancel();
      throw new MismatchError(`has ${transfer.totalBytes} bytes, ${wanted.sizeBytes} are expected`);
    }
    if (transfer.startBytes !== length) {
      ftruncateSync(fd, 0); // the server knows no ranges and sends everything again
      hash = createHash("sha256");
      length = 0;
      state.wasResumed = false;
    }
    for await (const chunk of transfer.body) {
      length += chunk.length;
      if (length > wanted.sizeBytes) {
        transfer.cancel();
        throw new MismatchError(`is longer than the ${wanted.sizeBytes} bytes expected`);
      }
      hash.update(chunk);
      writeAll(fd, chunk);
      counter.received += chunk.length;
      this.options.onBytes?.(chunk.length);
    }
    if (length < wanted.sizeBytes)
      throw new Error(`the connection was cut after ${length} of ${wanted.sizeBytes} bytes`);
    return hash;
  }

  /** Tries again after broken connections and busy servers, not after answers that will stay the same. */
  private async attempts<T>(what: string, operation: () => Promise<T>): Promise<T> {
    let delayMs = this.options.retryDelayMs ?? 500;
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation();
      } catch (error) {
        if (error instanceof MismatchError || error instanceof InstallError) throw error;
        if (error instanceof HttpError && !error.retry) throw error;
        if (isLocalFault(error)) throw new InstallError(`${what}: ${(error as Error).message}`, 1);
        if (this.stopped.signal.aborted) throw error;
        if (attempt === ATTEMPTS) {
          throw new InstallError(`${what}: the download failed ${ATTEMPTS} times: ${describeFault(error)}`, 1);
        }
        await sleep(delayMs, undefined, { signal: this.stopped.signal });
        delayMs *= 2;
      }
    }
  }

  private acquire(): Promise<void> {
    if (this.free > 0) {
      this.free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private release(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

/** Errors of our own disk: trying again changes nothing. */
function isLocalFault(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return (
    (error as NodeJS.ErrnoException).syscall !== undefined &&
    /^(ENOSPC|EDQUOT|EACCES|EROFS|EPERM|EISDIR|ENOTDIR)$/.test(code ?? "")
  );
}

/** Node's connection errors name an address list; the code says it better. */
export function describeFault(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describeFault(error.errors[0]);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the mirror's name cannot be resolved";
  if (code === "ECONNREFUSED") return "the connection was refused";
  if (code === "ECONNRESET") return "the connection was reset";
  return message || code || String(error);
}

/** The hash and length of what an earlier run left; a part that cannot be the file's beginning is emptied. */
function hashPart(fd: number, sizeBytes: number): { hash: Hash; length: number } {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(1024 * 1024);
  let length = 0;
  for (;;) {
    const count = readSync(fd, buffer, 0, buffer.length, length);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    length += count;
    if (length > sizeBytes) throw new MismatchError("was left longer than it can be");
  }
  return { hash, length };
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}
