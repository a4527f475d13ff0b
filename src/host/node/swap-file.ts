// The swap device of a Node host: one file, page slots back to back. Not responsible for which slot holds what (mm/swap.ts).
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EIO, ENOSPC } from "../../abi/errno.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { DeviceError, type SwapDevice } from "../../mm/contracts.ts";

/** A swap file of `sizeBytes` at `path`, or an anonymous temporary file that vanishes with the process. */
export class SwapFile implements SwapDevice {
  readonly slotCount: number;
  private readonly fd: number;

  /** Throws the host's error (ENOENT, EACCES, ENOSPC, ...) when the file cannot be made. */
  constructor(sizeBytes: number, path?: string) {
    this.slotCount = Math.floor(sizeBytes / PAGE_SIZE);
    this.fd = path === undefined ? openAnonymous() : openSync(path, "w+", 0o600);
    if (!fstatSync(this.fd).isFile()) {
      closeSync(this.fd);
      throw Object.assign(new Error(`swap file ${path} is not a regular file`), { code: "EINVAL" });
    }
    ftruncateSync(this.fd, this.slotCount * PAGE_SIZE); // sparse: the host gives blocks as pages are written
  }

  read(slot: number, into: Uint8Array): void {
    this.transfer(readSync, slot, into, "read");
  }

  write(slot: number, from: Uint8Array): void {
    this.transfer(writeSync, slot, from, "write");
  }

  close(): void {
    closeSync(this.fd);
  }

  private transfer(
    operation: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) => number,
    slot: number,
    page: Uint8Array,
    word: string,
  ): void {
    let done = 0;
    while (done < PAGE_SIZE) {
      let moved: number;
      try {
        moved = operation(this.fd, page, done, PAGE_SIZE - done, slot * PAGE_SIZE + done);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        throw new DeviceError(code === "ENOSPC" || code === "EDQUOT" ? ENOSPC : EIO, `swap file ${word}: ${code}`);
      }
      if (moved === 0) throw new DeviceError(EIO, `swap file ${word}: short transfer at slot ${slot}`);
      done += moved;
    }
  }
}

/** Opens a file in the temporary folder and removes its name at once, so that no crash can leave it behind. */
function openAnonymous(): number {
  const folder = mkdtempSync(join(tmpdir(), "faultline-swap-"));
  try {
    return openSync(join(folder, "swap"), "w+", 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
