// Stands between the guest's output and its taker: counts what the guest produced, so that a run that is repeated delivers nothing
// twice, and keeps what was said when, so that a terminal can be shown as it was at any moment.
import type { ConsoleHost } from "../../kernel/tty/console.ts";
import { HOST_FIELDS } from "./guest-state.ts";

interface Chunk {
  /** Bytes produced before it. */
  from: number;
  bytes: Uint8Array;
}

const TAP_HOST_FIELDS: ReadonlySet<string> = new Set(["host", "delivered", "chunks", "keeps", "first"]);

export class OutputTap implements ConsoleHost {
  readonly [HOST_FIELDS] = TAP_HOST_FIELDS;
  private readonly host: ConsoleHost;
  /** Bytes the guest wrote: goes back and forth with the guest. */
  produced = 0;
  /** Bytes given to the host: goes back only when the guest takes another course. */
  private delivered = 0;
  private readonly chunks: Chunk[] = [];
  private keeps = false;
  /** Bytes produced before keep(). */
  private first = 0;

  constructor(host: ConsoleHost) {
    this.host = host;
  }

  /** From now on everything is kept, and taken at once whatever room the host has: a run that is repeated must not depend on it. */
  keep(): void {
    if (this.keeps) return;
    this.keeps = true;
    this.first = this.delivered = this.produced;
  }

  write(bytes: Uint8Array): void {
    const from = this.produced;
    this.produced += bytes.length;
    const known = this.delivered - from;
    if (known >= bytes.length) return;
    const fresh = known > 0 ? bytes.subarray(known) : bytes;
    if (this.keeps) this.chunks.push({ from: from + Math.max(0, known), bytes: fresh });
    this.delivered = this.produced;
    this.host.write(fresh);
  }

  room(): number {
    return this.keeps ? Number.POSITIVE_INFINITY : (this.host.room?.() ?? Number.POSITIVE_INFINITY);
  }

  /** What the guest has written up to the present moment, since keep(). */
  transcript(): Uint8Array {
    const { first, produced } = this;
    const whole = new Uint8Array(Math.max(0, produced - first));
    for (const { from, bytes } of this.chunks) {
      if (from < produced) whole.set(bytes.subarray(0, produced - from), from - first);
    }
    return whole;
  }

  /** From here on things go another way: what was written later never was. */
  forgetFuture(): void {
    if (this.delivered <= this.produced) return;
    while (this.chunks.length > 0 && this.chunks[this.chunks.length - 1].from >= this.produced) this.chunks.pop();
    const last = this.chunks[this.chunks.length - 1];
    if (last !== undefined) last.bytes = last.bytes.subarray(0, this.produced - last.from);
    this.delivered = this.produced;
    this.host.rewound?.(this.produced);
  }
}
