// How the pages of a host file travel between the page cache and the host: reading, writing back, and when the size follows.
// Names, attributes and the decision when to push are basefs.ts.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { FileBacking } from "../../mm/contracts.ts";
import type { BaseInode } from "./basefs.ts";
import { asDeviceError, readHost } from "./overlayfs.ts";

/** Pages of one host file. Growth reaches the host with the pages or at the next push; truncation at once. */
export class BaseBacking implements FileBacking {
  private readonly inode: BaseInode;
  /** Size changes come from the host: do not send them back. */
  quiet = false;
  /** flush() really pushes to stable storage. */
  flushes = true;
  /** The host's file, or the size it is to have, changed since it was last made durable. */
  private unflushed = false;
  private sizeBytes: number;
  private hostSize: number;

  constructor(inode: BaseInode) {
    this.inode = inode;
    this.sizeBytes = this.hostSize = inode.sizeBytes;
  }

  readPage(index: number, into: Uint8Array): void {
    readHost(this.inode.fs.host, this.inode.node, index * PAGE_SIZE, into);
  }

  readPages(first: number, into: Uint8Array): void {
    readHost(this.inode.fs.host, this.inode.node, first * PAGE_SIZE, into);
  }

  writePage(index: number, from: Uint8Array, length: number): void {
    const { inode } = this;
    this.unflushed = true;
    try {
      inode.fs.host.write(inode.node, index * PAGE_SIZE, from.subarray(0, length));
    } catch (error) {
      throw asDeviceError(error);
    }
    this.hostSize = Math.max(this.hostSize, index * PAGE_SIZE + length);
    inode.wroteToHost();
  }

  setSize(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    if (this.quiet) {
      this.hostSize = sizeBytes;
      return;
    }
    this.unflushed = true;
    if (sizeBytes < this.hostSize) this.applySize();
  }

  /** Brings the host's file to our size. */
  applySize(): void {
    if (this.hostSize === this.sizeBytes || this.quiet) return;
    const { inode } = this;
    try {
      inode.fs.host.truncate(inode.node, this.sizeBytes);
    } catch (error) {
      throw asDeviceError(error);
    }
    this.hostSize = this.sizeBytes;
    inode.wroteToHost();
  }

  /** msync(MS_SYNC): mm calls this after writePage(). */
  flush(): void {
    if (!this.flushes || this.quiet || !this.unflushed) return;
    const { inode } = this;
    try {
      this.applySize();
      inode.fs.host.sync(inode.node, true);
    } catch (error) {
      throw asDeviceError(error);
    }
    this.unflushed = false;
  }

  /** fsync made everything durable. */
  flushed(): void {
    this.unflushed = false;
  }
}
