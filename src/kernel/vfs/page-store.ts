// Where the changed pages of overlay files live: host memory outside the guest's RAM, handed out page by page from slabs.
import { PAGE_SIZE } from "../../arch/sv39.ts";

const SLAB_PAGES = 256;

/** All pages of one file system; slots are numbered from 0. */
export class PageStore {
  private readonly slabs: Uint8Array[] = [];
  private readonly free: number[] = [];
  private next = 0;

  get usedPages(): number {
    return this.next - this.free.length;
  }

  allocate(): number {
    const slot = this.free.pop() ?? this.next++;
    if (slot >= this.slabs.length * SLAB_PAGES) this.slabs.push(new Uint8Array(SLAB_PAGES * PAGE_SIZE));
    return slot;
  }

  release(slot: number): void {
    this.free.push(slot);
    // All pages given back: give the host its memory back too.
    if (this.free.length === this.next) {
      this.free.length = this.slabs.length = 0;
      this.next = 0;
    }
  }

  /** Copies `from` into the page; what is beyond its length becomes zero. */
  write(slot: number, from: Uint8Array, length: number): void {
    const slab = this.slabs[Math.floor(slot / SLAB_PAGES)];
    const at = (slot % SLAB_PAGES) * PAGE_SIZE;
    slab.set(length === from.length ? from : from.subarray(0, length), at);
    if (length < PAGE_SIZE) slab.fill(0, at + length, at + PAGE_SIZE);
  }

  /** Makes the page zero from byte `from` on. */
  zeroTail(slot: number, from: number): void {
    const at = (slot % SLAB_PAGES) * PAGE_SIZE;
    this.slabs[Math.floor(slot / SLAB_PAGES)].fill(0, at + from, at + PAGE_SIZE);
  }

  read(slot: number, into: Uint8Array): void {
    const at = (slot % SLAB_PAGES) * PAGE_SIZE;
    into.set(this.slabs[Math.floor(slot / SLAB_PAGES)].subarray(at, at + PAGE_SIZE));
  }
}
