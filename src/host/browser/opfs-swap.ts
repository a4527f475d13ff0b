// A swap file in the browser's private file system (OPFS), for swap that a page had better not hold in memory. Works in workers only.
import { EIO, ENOSPC } from "../../abi/errno.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { DeviceError, type SwapDevice } from "../../mm/contracts.ts";

const PREFIX = "faultline-swap-";

/** Null where there is no such file system (a page from a disk, a private window, an old browser). */
export async function openOpfsSwap(sizeBytes: number): Promise<OpfsSwap | null> {
  try {
    const folder = await navigator.storage.getDirectory();
    await removeForgotten(folder);
    const name = PREFIX + crypto.randomUUID();
    const file = await folder.getFileHandle(name, { create: true });
    return new OpfsSwap(folder, name, await file.createSyncAccessHandle(), Math.floor(sizeBytes / PAGE_SIZE));
  } catch {
    return null;
  }
}

/** Files of pages that were closed; those in use are locked and stay. */
async function removeForgotten(folder: FileSystemDirectoryHandle): Promise<void> {
  const names: string[] = [];
  for await (const name of folder.keys()) if (name.startsWith(PREFIX)) names.push(name);
  await Promise.all(names.map((name) => folder.removeEntry(name).catch(() => {})));
}

export class OpfsSwap implements SwapDevice {
  readonly slotCount: number;
  readonly rewindRefusal = "a swap file of this size is kept outside of memory, where nothing can be taken back";
  private readonly folder: FileSystemDirectoryHandle;
  private readonly name: string;
  private readonly file: FileSystemSyncAccessHandle;
  /** Some browsers take no views of WebAssembly memory. */
  private readonly page = new Uint8Array(PAGE_SIZE);

  constructor(folder: FileSystemDirectoryHandle, name: string, file: FileSystemSyncAccessHandle, slotCount: number) {
    this.folder = folder;
    this.name = name;
    this.file = file;
    this.slotCount = slotCount;
  }

  read(slot: number, into: Uint8Array): void {
    this.transfer("read", slot);
    into.set(this.page);
  }

  write(slot: number, from: Uint8Array): void {
    this.page.set(from);
    this.transfer("write", slot);
  }

  close(): void {
    this.file.close();
    this.folder.removeEntry(this.name).catch(() => {});
  }

  private transfer(operation: "read" | "write", slot: number): void {
    let moved: number;
    try {
      moved = this.file[operation](this.page, { at: slot * PAGE_SIZE });
    } catch (error) {
      const { name } = error as DOMException;
      throw new DeviceError(name === "QuotaExceededError" ? ENOSPC : EIO, `swap file ${operation}: ${name}`);
    }
    if (moved === PAGE_SIZE) return;
    // A write that the quota cuts short moves less.
    throw new DeviceError(
      operation === "write" ? ENOSPC : EIO,
      `swap file ${operation}: short transfer at slot ${slot}`,
    );
  }
}
