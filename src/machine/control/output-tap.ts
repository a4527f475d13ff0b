// Stands between the guest's output and its taker: counts what the guest produced, so that a run that is repeated delivers nothing
// twice, and keeps what was said when, so that a terminal can be shown as it was at any moment.
import type { ConsoleHost } from "../../kernel/tty/console.ts";

interface Chunk {
  /** Bytes produced before it. */
  from: number;
  bytes: Uint8Array;
}

export class OutputTap implements ConsoleHost {
  private readonly host: ConsoleHost;
  /** Bytes the guest wrote: goes back and forth with the guest. */
  produced = 0;
  /** Bytes given to the host: never goes back but for a new course of events (forget). */
  private delivered = 0;
  private readonly chunks: Chunk[] = [];
  /** Under run control everything is taken at once, whatever the host has room for: a run must not depend on it. */
  controlled = false;

  constructor(host: ConsoleHost) {
    this.host = host;
  }

  write(bytes: Uint8Array): void {
    const from = this.produced;
    this.produced += bytes.length;
    const known = this.delivered - from;
    if (known >= bytes.length) return;
    const fresh = known > 0 ? bytes.subarray(known) : bytes;
    if (this.controlled) this.chunks.push({ from: from + Math.max(0, known), bytes: fresh });
    this.delivered = this.produced;
    this.host.write(fresh);
  }

  room(): number {
    return this.controlled ? Number.POSITIVE_INFINITY : (this.host.room?.() ?? Number.POSITIVE_INFINITY);
  }

  /** What the guest had written at the present moment, since run control began. */
  transcript(): Uint8Array {
    const shown = this.chunks.filter((chunk) => chunk.from < this.produced);
    const whole = new Uint8Array(shown.reduce((sum, c) => sum + Math.min(c.bytes.length, this.produced - c.from), 0));
    let at = 0;
    for (const { from, bytes } of shown) {
      const part = bytes.subarray(0, this.produced - from);
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** From here on things go another way: what was produced later never happened. */
  forgetFuture(): void {
    while (this.chunks.length > 0 && this.chunks[this.chunks.length - 1].from >= this.produced) this.chunks.pop();
    const last = this.chunks[this.chunks.length - 1];
    if (last !== undefined) last.bytes = last.bytes.subarray(0, this.produced - last.from);
    this.delivered = Math.min(this.delivered, this.produced);
  }
}
