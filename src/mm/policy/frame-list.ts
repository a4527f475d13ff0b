// A doubly linked list of frames in the frame table's link columns, for eviction policies. A frame is on at most one such list.
import type { FrameTable } from "../frame-table.ts";

/** Head is where frames enter, tail is where victims leave. 0 ends the list: frame 0 is never used. */
export class FrameList {
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  head = 0;
  tail = 0;
  length = 0;

  constructor(frames: FrameTable) {
    this.next = frames.lruNext;
    this.prev = frames.lruPrev;
  }

  /** The neighbour nearer to the head, or 0. */
  before(pfn: number): number {
    return this.prev[pfn];
  }

  pushHead(pfn: number): void {
    const old = this.head;
    this.next[pfn] = old;
    this.prev[pfn] = 0;
    if (old !== 0) this.prev[old] = pfn;
    else this.tail = pfn;
    this.head = pfn;
    this.length++;
  }

  remove(pfn: number): void {
    const next = this.next[pfn];
    const prev = this.prev[pfn];
    if (prev !== 0) this.next[prev] = next;
    else this.head = next;
    if (next !== 0) this.prev[next] = prev;
    else this.tail = prev;
    this.next[pfn] = 0;
    this.prev[pfn] = 0;
    this.length--;
  }

  /** Tail -> head: the frame gets another round. */
  rotate(pfn: number): void {
    this.remove(pfn);
    this.pushHead(pfn);
  }
}
