// The bytes of RAM, and whole-frame fills and copies on them. Not responsible for which frame is used for what.
import { PAGE_SHIFT, PAGE_SIZE } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";

/** Frame f is bytes [f * PAGE_SIZE, (f + 1) * PAGE_SIZE). The buffer never grows, so the views never detach. */
export class PhysicalMemory {
  readonly bytes: Uint8Array;
  /** The same bytes as little-endian words, for page-table entries. */
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  readonly frameCount: number;

  constructor(buffer: ArrayBufferLike, byteOffset: number, sizeBytes: number) {
    assert(sizeBytes % PAGE_SIZE === 0 && byteOffset % 8 === 0, "RAM is whole pages, aligned");
    assert(sizeBytes <= 2 ** 32, "physical addresses are 32 bits");
    this.bytes = new Uint8Array(buffer, byteOffset, sizeBytes);
    this.words = new Uint32Array(buffer, byteOffset, sizeBytes / 4);
    this.doubles = new Float64Array(buffer, byteOffset, sizeBytes / 8);
    this.frameCount = sizeBytes / PAGE_SIZE;
  }

  zero(pfn: number): void {
    const from = pfn * PAGE_SIZE;
    this.bytes.fill(0, from, from + PAGE_SIZE);
  }

  copy(to: number, from: number): void {
    const start = from * PAGE_SIZE;
    this.bytes.copyWithin(to * PAGE_SIZE, start, start + PAGE_SIZE);
  }

  /** A view of one frame, for devices. Allocates: not for paths without I/O. */
  frame(pfn: number): Uint8Array {
    const from = pfn * PAGE_SIZE;
    return this.bytes.subarray(from, from + PAGE_SIZE);
  }

  /** Fills a frame with a pattern that no program writes, so that use after free shows in tests. */
  debugJunk(pfn: number): void {
    this.words.fill(0xdead4a11, pfn << (PAGE_SHIFT - 2), (pfn + 1) << (PAGE_SHIFT - 2));
  }
}
