// A Node process as the place where machines run: clock, random numbers, folders, swap files and the event loop.
import { randomFillSync } from "node:crypto";
import { existsSync, openSync, readSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { EACCES, ENOENT, ENOTDIR } from "../../abi/errno.ts";
import { LinuxError } from "../../kernel/linux-error.ts";
import type { HostFiles } from "../../kernel/vfs/host-files.ts";
import { HostError, type MachineHost } from "../../machine/host.ts";
import { hostClock, Sleeper } from "../host-time.ts";
import { codeStore } from "./code-store.ts";
import { compileForV8 } from "./compile-module.ts";
import { NodeFiles } from "./files.ts";
import { keptInterpreter } from "./kept-interpreter.ts";
import { SwapFile } from "./swap-file.ts";

const RANDOM = "/dev/urandom";
/** It is open for all machines of the process, or -1 where the host has none; null: nothing was asked for yet. */
let random: number | null = null;

export class NodeHost implements MachineHost {
  readonly clock = hostClock;
  readonly compileModule = compileForV8;
  readonly keptInterpreter = keptInterpreter;
  readonly codeStore = codeStore;
  private readonly sleeper = new Sleeper(() => setImmediate());

  entropy(bytes: Uint8Array): void {
    // Node's module of cryptography takes longer to load than a short program runs.
    random ??= existsSync(RANDOM) ? openSync(RANDOM, "r") : -1;
    if (random < 0) randomFillSync(bytes);
    else if (readSync(random, bytes) !== bytes.length) throw new Error(`${RANDOM} gave too few bytes`);
  }

  openFolder(path: string): HostFiles {
    let isFolder: boolean;
    try {
      isFolder = statSync(path).isDirectory();
    } catch (error) {
      throw new HostError(`cannot use folder ${path}: ${reason(error)}`);
    }
    if (!isFolder) throw new HostError(`cannot use folder ${path}: it is not a folder`);
    try {
      return new NodeFiles(path);
    } catch (error) {
      throw new HostError(`cannot use folder ${path}: ${reason(error)}`);
    }
  }

  openSwap(sizeBytes: number, path: string | null): SwapFile {
    try {
      return new SwapFile(sizeBytes, path ?? undefined);
    } catch (error) {
      throw new HostError(`cannot make the swap file${path === null ? "" : ` ${path}`}: ${reason(error)}`);
    }
  }

  breathe(): Promise<void> {
    return setImmediate();
  }

  sleep(milliseconds: number): Promise<void> {
    return this.sleeper.sleep(milliseconds);
  }

  wakeUp(): void {
    this.sleeper.wakeUp();
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
};

/** NodeFiles speaks Linux's numbers. */
const LINUX_REASONS: Record<number, string> = {
  [ENOENT]: REASONS.ENOENT,
  [EACCES]: REASONS.EACCES,
  [ENOTDIR]: REASONS.ENOTDIR,
};

function reason(error: unknown): string {
  if (error instanceof LinuxError) return LINUX_REASONS[error.errno] ?? `error ${error.errno}`;
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || message || String(error);
}
