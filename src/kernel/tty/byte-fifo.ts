// A growing ring of bytes, for terminal output on its way. Knows no limit: callers look at `length` before they add.

export class ByteFifo {
  private bytes = new Uint8Array(256);
  private head = 0;
  length = 0;

  push(byte: number): void {
    if (this.length === this.bytes.length) this.grow(this.length + 1);
    this.bytes[(this.head + this.length) & (this.bytes.length - 1)] = byte;
    this.length++;
  }

  pushBytes(source: Uint8Array, from = 0, to = source.length): void {
    if (this.length + to - from > this.bytes.length) this.grow(this.length + to - from);
    for (let i = from; i < to; i++) {
      this.bytes[(this.head + this.length) & (this.bytes.length - 1)] = source[i];
      this.length++;
    }
  }

  /** Copies up to `limit` bytes into `into` without removing them. */
  peek(into: Uint8Array, limit: number): number {
    const count = Math.min(limit, into.length, this.length);
    for (let i = 0; i < count; i++) into[i] = this.bytes[(this.head + i) & (this.bytes.length - 1)];
    return count;
  }

  drop(count: number): void {
    this.head = (this.head + count) & (this.bytes.length - 1);
    this.length -= count;
  }

  /** Removes and returns everything. */
  takeAll(): Uint8Array {
    const all = new Uint8Array(this.length);
    this.peek(all, this.length);
    this.clear();
    return all;
  }

  clear(): void {
    this.head = 0;
    this.length = 0;
  }

  private grow(needed: number): void {
    let size = this.bytes.length;
    while (size < needed) size *= 2;
    const bytes = new Uint8Array(size);
    this.peek(bytes, this.length);
    this.bytes = bytes;
    this.head = 0;
  }
}
