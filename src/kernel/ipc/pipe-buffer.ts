// The bytes inside a pipe: a ring of page-size slots with Linux's merging and packet rules. Knows no tasks and never blocks.
//
//   slots:  [ used | used | used, last one open for merging ] ... up to maxSlots (16 by default: 64 KiB)
//
// A write smaller than the room left in the newest slot joins it; otherwise it takes a new slot. That is why writes up to
// PIPE_BUF (one page) are atomic: they need at most one slot, which is there or not (fs/pipe.c, pipe_write).
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";

export const DEFAULT_PIPE_SLOTS = 16;
/** /proc/sys/fs/pipe-max-size: what an unprivileged F_SETPIPE_SZ may ask for. */
export const PIPE_MAX_BYTES = 1 << 20;

class PipeSlot {
  page: Uint8Array;
  start = 0;
  end = 0;
  /** O_DIRECT write: one read gets this slot and no other. */
  packet = false;

  constructor(page: Uint8Array) {
    this.page = page;
  }
}

export class PipeBuffer {
  maxSlots = DEFAULT_PIPE_SLOTS;
  /** Bytes held (FIONREAD). */
  byteCount = 0;
  private slots: PipeSlot[] = [];
  /** Pages kept for the next write, as pipe->tmp_page. */
  private readonly spare: PipeSlot[] = [];

  get usedSlots(): number {
    return this.slots.length;
  }

  get empty(): boolean {
    return this.slots.length === 0;
  }

  get full(): boolean {
    return this.slots.length >= this.maxSlots;
  }

  private newSlot(): PipeSlot {
    const slot = this.spare.pop() ?? new PipeSlot(new Uint8Array(PAGE_SIZE));
    slot.start = slot.end = 0;
    slot.packet = false;
    return slot;
  }

  private retire(slot: PipeSlot): void {
    if (this.spare.length < 2) this.spare.push(slot);
  }

  /**
   * Moves what fits from `io` into the pipe: bytes moved, or -1 when the caller's memory faulted before the first byte.
   * `mayMerge` is set for the first attempt of a write call only (pipe_write merges once, at its start).
   */
  fill(io: IoCursor, packet: boolean, mayMerge: boolean): number {
    let moved = 0;
    if (mayMerge && !packet) {
      const tailBytes = io.remaining % PAGE_SIZE;
      const last = this.slots.at(-1);
      if (last !== undefined && tailBytes > 0 && !last.packet && last.end + tailBytes <= PAGE_SIZE) {
        const got = io.take(last.page, last.end, last.end + tailBytes);
        last.end += got;
        this.byteCount += got;
        moved += got;
        if (got < tailBytes) return moved > 0 ? moved : -1;
      }
    }
    while (io.remaining > 0 && !this.full) {
      const slot = this.newSlot();
      const wanted = Math.min(PAGE_SIZE, io.remaining);
      const got = io.take(slot.page, 0, wanted);
      if (got > 0) {
        slot.end = got;
        slot.packet = packet;
        this.slots.push(slot);
        this.byteCount += got;
        moved += got;
      } else {
        this.retire(slot);
      }
      if (got < wanted) return moved > 0 ? moved : -1;
    }
    return moved;
  }

  /** Moves bytes from the pipe into `io`: bytes moved, or -1 when the caller's memory faulted before the first byte. */
  drain(io: IoCursor): number {
    let moved = 0;
    while (io.remaining > 0 && this.slots.length > 0) {
      const slot = this.slots[0];
      const wanted = Math.min(io.remaining, slot.end - slot.start);
      const put = io.put(slot.page, slot.start, slot.start + wanted);
      slot.start += put;
      moved += put;
      this.byteCount -= put;
      if (put < wanted) return moved > 0 ? moved : -1;
      const packet = slot.packet;
      if (packet) {
        // The rest of a packet that did not fit is lost.
        this.byteCount -= slot.end - slot.start;
        slot.start = slot.end;
      }
      if (slot.start === slot.end) {
        this.slots.shift();
        this.retire(slot);
      }
      if (packet) break;
    }
    return moved;
  }

  /** splice(pipe, pipe): moves up to `limit` bytes to `to`, slot by slot; tee() copies instead when `keep` is set. */
  moveTo(to: PipeBuffer, limit: number, keep: boolean): number {
    let moved = 0;
    let index = 0;
    while (moved < limit && index < this.slots.length && !to.full) {
      const from = this.slots[index];
      const count = Math.min(limit - moved, from.end - from.start);
      const slot = to.newSlot();
      slot.page.set(from.page.subarray(from.start, from.start + count));
      slot.end = count;
      slot.packet = from.packet;
      to.slots.push(slot);
      to.byteCount += count;
      moved += count;
      if (keep) {
        index++;
      } else {
        from.start += count;
        this.byteCount -= count;
        if (from.start === from.end) this.retire(this.slots.shift()!);
      }
    }
    return moved;
  }

  /** The oldest bytes, at most `limit`, without removing them; a packet ends the run. */
  peekBytes(limit: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(limit, this.byteCount));
    let at = 0;
    for (const slot of this.slots) {
      const count = Math.min(bytes.length - at, slot.end - slot.start);
      bytes.set(slot.page.subarray(slot.start, slot.start + count), at);
      at += count;
      if (at === bytes.length || slot.packet) break;
    }
    return bytes.subarray(0, at);
  }

  /** Removes the oldest `count` bytes. */
  drop(count: number): void {
    let left = count;
    while (left > 0 && this.slots.length > 0) {
      const slot = this.slots[0];
      const step = Math.min(left, slot.end - slot.start);
      slot.start += step;
      left -= step;
      this.byteCount -= step;
      if (slot.start === slot.end) this.retire(this.slots.shift()!);
    }
  }

  /** F_SETPIPE_SZ in slots; false when more slots are in use. */
  resize(slots: number): boolean {
    if (slots < this.slots.length) return false;
    this.maxSlots = slots;
    return true;
  }

  clear(): void {
    this.slots = [];
    this.byteCount = 0;
  }
}
