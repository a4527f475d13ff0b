// Cursors over a caller's buffers, in user memory or in kernel bytes: how file objects move data without knowing whose it is.
import type { AddressSpace } from "./address-space.ts";
import { READ, WRITE } from "./contracts.ts";
import { copyIn, copyOut, readU8 } from "./user-access.ts";
import { waitForPages } from "./userfault.ts";

export interface IoCursor {
  /** Bytes still to be moved. */
  readonly remaining: number;
  /** Source -> caller: copies source[from, to) and advances. Bytes stored; less than asked: the caller's page faulted, or its buffer is full. */
  put(source: Uint8Array, from: number, to: number): number;
  /** Caller -> target[from, to), and advances. Bytes fetched; less than asked: the caller's page faulted, or its buffer is at its end. */
  take(target: Uint8Array, from: number, to: number): number;
  /** The next byte can be taken (fault_in_readable): asked before a page is made for bytes that may never come. */
  mayTake(): boolean;
}

export interface IoVector {
  readonly base: number;
  readonly length: number;
}

/** Over user memory, one or more ranges in order (struct iovec). Pages are faulted in as they are reached. */
export class UserCursor implements IoCursor {
  private readonly space: AddressSpace;
  private readonly vectors: readonly IoVector[];
  private vector = 0;
  /** Bytes of the current vector already moved. */
  private done = 0;
  remaining = 0;

  constructor(space: AddressSpace, vectors: readonly IoVector[]) {
    this.space = space;
    this.vectors = vectors;
    for (let i = 0; i < vectors.length; i++) this.remaining += vectors[i].length;
  }

  put(source: Uint8Array, from: number, to: number): number {
    return this.move(source, from, to, true);
  }

  take(target: Uint8Array, from: number, to: number): number {
    return this.move(target, from, to, false);
  }

  mayTake(): boolean {
    if (this.remaining === 0) return true;
    let { vector, done } = this;
    while (done === this.vectors[vector].length) {
      vector++;
      done = 0;
    }
    return readU8(this.space, this.vectors[vector].base + done) >= 0;
  }

  /** A call that must wait for pages of its buffers does so before it has moved anything: it is run again from its start. */
  private waitForBuffers(toUser: boolean): void {
    for (const { base, length } of this.vectors) waitForPages(this.space, base, length, toUser ? WRITE : READ);
  }

  private move(bytes: Uint8Array, from: number, to: number, toUser: boolean): number {
    let at = from;
    if (this.vector === 0 && this.done === 0 && this.space.hasUserfault) this.waitForBuffers(toUser);
    while (at < to && this.remaining > 0) {
      const { base, length } = this.vectors[this.vector];
      if (this.done === length) {
        this.vector++;
        this.done = 0;
        continue;
      }
      const chunk = Math.min(to - at, length - this.done);
      const address = base + this.done;
      const moved = toUser
        ? copyOut(this.space, address, bytes, at, at + chunk)
        : copyIn(this.space, address, bytes, at, at + chunk);
      at += moved;
      this.done += moved;
      this.remaining -= moved;
      if (moved < chunk) break;
    }
    return at - from;
  }
}

/** Over bytes[from, to) of the kernel's own. */
export class BytesCursor implements IoCursor {
  private readonly bytes: Uint8Array;
  private at: number;
  private readonly end: number;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = to;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  put(source: Uint8Array, from: number, to: number): number {
    const count = Math.min(to - from, this.remaining);
    copyBytes(source, from, this.bytes, this.at, count);
    this.at += count;
    return count;
  }

  take(target: Uint8Array, from: number, to: number): number {
    const count = Math.min(to - from, this.remaining);
    copyBytes(this.bytes, this.at, target, from, count);
    this.at += count;
    return count;
  }

  mayTake(): boolean {
    return true;
  }
}

/** A loop below a size where making a view would cost more than the copy. */
const LOOP_BYTES = 32;

/** target[to, to + count) = source[from, from + count). */
export function copyBytes(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  if (count <= LOOP_BYTES) {
    for (let i = 0; i < count; i++) target[to + i] = source[from + i];
  } else if (source === target) {
    target.copyWithin(to, from, from + count);
  } else {
    target.set(source.subarray(from, from + count), to);
  }
}
