// A browser's worker as the place where machines run: clock, random numbers, the event loop, and folders that are trees in memory.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { HostFiles } from "../../kernel/vfs/host-files.ts";
import { HostError, type HostSwap, type MachineHost, MemorySwap } from "../../machine/index.ts";
import { hostClock, Sleeper } from "../host-time.ts";

/** crypto.getRandomValues() gives no more at once. */
const MOST_ENTROPY = 65536;

export class BrowserHost implements MachineHost {
  readonly clock = hostClock;
  private readonly folders: ReadonlyMap<string, HostFiles>;
  private readonly swap: HostSwap | null;
  private readonly channel = new MessageChannel();
  private breathing: (() => void)[] = [];
  private readonly sleeper = new Sleeper(() => this.breathe());

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
    return this.swap ?? new MemorySwap(Math.floor(sizeBytes / PAGE_SIZE));
  }

  /** A task of its own, without the delay that browsers give to timers. */
  breathe(): Promise<void> {
    return new Promise((resolve) => {
      this.breathing.push(resolve);
      this.channel.port2.postMessage(null);
    });
  }

  sleep(milliseconds: number): Promise<void> {
    return this.sleeper.sleep(milliseconds);
  }

  wakeUp(): void {
    this.sleeper.wakeUp();
  }
}
