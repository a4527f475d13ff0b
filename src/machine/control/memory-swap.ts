// A swap device in host memory whose whole contents can be kept and put back at no cost: what a machine that can be rewound swaps to,
// and one whose host has no files.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { SwapDevice } from "../../mm/contracts.ts";
import { PageVector } from "./page-vector.ts";

export class MemorySwap implements SwapDevice {
  readonly slotCount: number;
  /** Replaced at each write, never changed. */
  contents: PageVector;

  constructor(slotCount: number) {
    this.slotCount = slotCount;
    this.contents = PageVector.empty(slotCount);
  }

  read(slot: number, into: Uint8Array): void {
    const page = this.contents.get(slot);
    if (page === null) into.fill(0);
    else into.set(new Uint8Array(page.buffer, page.byteOffset, PAGE_SIZE));
  }

  write(slot: number, from: Uint8Array): void {
    const page = new Int32Array(PAGE_SIZE / 4);
    new Uint8Array(page.buffer).set(from.subarray(0, PAGE_SIZE));
    this.contents = this.contents.with(slot, page);
  }
}
