// Names what of a machine is the guest's, and so goes back and forth with its time, and what is the host's and stays: the one place
// that knows where host objects hang in the guest's.
import { Hart } from "../../cpu/hart.ts";
import { HartTlb } from "../../cpu/tlb.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type HostEntry, type HostFiles, type HostListing, HostNode } from "../../kernel/vfs/host-files.ts";
import type { ReportingSwap } from "../swap-log.ts";
import type { MementoScope } from "./memento.ts";
import { MemorySwap } from "./memory-swap.ts";

/** Host fields of objects that are the guest's otherwise: an object lists its own under this name. */
export const HOST_FIELDS: unique symbol = Symbol("host fields");

export interface HasHostFields {
  readonly [HOST_FIELDS]: ReadonlySet<string>;
}

const KERNEL_FIELDS = new Set([
  "config",
  "syscalls",
  "hooks",
  "observer",
  "pausing",
  "turnLimit",
  "onExit",
  "beforeRelease",
]);
const MEMORY_FIELDS = new Set(["config", "tlb", "tracer", "faultWatcher"]);
const LRU_FIELDS = new Set(["observer"]);

export class GuestState implements MementoScope {
  private readonly kernel: Kernel;
  private readonly folders: ReadonlySet<object>;

  constructor(kernel: Kernel, folders: Iterable<HostFiles>) {
    this.kernel = kernel;
    this.folders = new Set(folders);
  }

  isOpaque(value: object): boolean {
    if (ArrayBuffer.isView(value)) return value.buffer === this.kernel.hart.buffer;
    return (
      value instanceof Hart ||
      value instanceof HartTlb ||
      value instanceof HostNode ||
      value instanceof MemorySwap ||
      value instanceof Promise ||
      this.folders.has(value)
    );
  }

  hostFields(value: object): ReadonlySet<string> | undefined {
    const { kernel } = this;
    if (value === kernel) return KERNEL_FIELDS;
    if (value === kernel.mm) return MEMORY_FIELDS;
    if (value === kernel.mm.lru) return LRU_FIELDS;
    return (value as Partial<HasHostFields>)[HOST_FIELDS];
  }
}

/** A listing that was read as a whole: where a reader stands in it is a number. */
class WholeListing implements HostListing {
  private readonly entries: HostEntry[] = [];
  private at = 0;

  constructor(listing: HostListing) {
    while (listing.more(this.entries));
    listing.close();
  }

  more(into: HostEntry[]): boolean {
    if (this.at === this.entries.length) return false;
    for (; this.at < this.entries.length; this.at++) into.push(this.entries[this.at]);
    return true;
  }

  close(): void {}
}

/** From now on folders are listed in one piece. */
export function listWhole(files: HostFiles): void {
  const list = files.list.bind(files);
  files.list = (folder) => new WholeListing(list(folder));
}

/** The device's used pages go to memory; the device itself is used no more. */
export function swapToMemory(kernel: Kernel, device: ReportingSwap): MemorySwap {
  if (device.device instanceof MemorySwap) return device.device;
  const memory = new MemorySwap(device.slotCount);
  const { swap } = kernel.mm;
  const page = new Uint8Array(4096);
  for (let slot = 1; slot <= swap.highestSlot; slot++) {
    if (swap.refsOf(slot) === 0 && swap.frameOf(slot) === 0) continue;
    device.device.read(slot - 1, page);
    memory.write(slot - 1, page);
  }
  device.device = memory;
  return memory;
}
