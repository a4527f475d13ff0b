// A browser's worker as the place where machines run: clock, random numbers, the event loop, and folders that are trees in memory.
import type { HostFiles } from "../../kernel/vfs/host-files.ts";
import { HostError, type HostSwap, type MachineHost } from "../../machine/index.ts";
import type { SwapDevice } from "../../mm/contracts.ts";

const PAGE_SIZE = 4096;
/** crypto.getRandomValues() gives no more at once. */
const MOST_ENTROPY = 65536;

export class BrowserHost implements MachineHost {
  readonly clock = {
    monotonicNs: () => performance.now() * 1e6,
    realtime: () => {
      const ms = performance.timeOrigin + performance.now();
      const seconds = Math.floor(ms / 1000);
      return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1e6) };
    },
  };
  private readonly folders: ReadonlyMap<string, HostFiles>;
  private readonly swap: HostSwap | null;
  private readonly channel = new MessageChannel();
  private breathing: (() => void)[] = [];
  private sleeper: (() => void) | null = null;
  private woken = false;

  /** Folders by the name under which MachineOptions asks for them; a swap device that was opened before, or null: in memory. */
  constructor(folders: ReadonlyMap<string, HostFiles>, swap: HostSwap | null) {
    this.folders = folders;
    this.swap = swap;
    this.channel.port1.onmessage = () => {
      for (const go of this.breathing.splice(0)) go();
    };
  }

  entropy(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MOST_ENTROPY)
      crypto.getRandomValues(bytes.subarray(at, at + MOST_ENTROPY) as Uint8Array<ArrayBuffer>);
  }

  openFolder(path: string): HostFiles {
    const files = this.folders.get(path);
    if (files === undefined) throw new HostError(`there is no folder ${path} in this page`);
    return files;
  }

  openSwap(sizeBytes: number): HostSwap {
    return this.swap ?? new SwapInMemory(Math.floor(sizeBytes / PAGE_SIZE));
  }

  /** A task of its own, without the delay that browsers give to timers. */
  breathe(): Promise<void> {
    return new Promise((resolve) => {
      this.breathing.push(resolve);
      this.channel.port2.postMessage(null);
    });
  }

  sleep(milliseconds: number): Promise<void> {
    if (this.woken) {
      this.woken = false;
      return this.breathe();
    }
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.sleeper = null;
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.sleeper = finish;
    });
  }

  wakeUp(): void {
    if (this.sleeper) this.sleeper();
    else this.woken = true;
  }
}

/** Slots are kept when they are written: an unused swap file costs nothing. */
class SwapInMemory implements SwapDevice {
  readonly slotCount: number;
  private readonly pages = new Map<number, Uint8Array>();

  constructor(slotCount: number) {
    this.slotCount = slotCount;
  }

  read(slot: number, into: Uint8Array): void {
    const page = this.pages.get(slot);
    if (page === undefined) into.fill(0);
    else into.set(page);
  }

  write(slot: number, from: Uint8Array): void {
    const page = this.pages.get(slot);
    if (page === undefined) this.pages.set(slot, from.slice());
    else page.set(from);
  }
}
