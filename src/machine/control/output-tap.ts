// Stands between the guest's output and its taker: counts what the guest produced, so that a run that is repeated delivers nothing
// twice, and keeps the latest part of it, so that a terminal can be shown as it was at any moment.
import type { ConsoleHost } from "../../kernel/tty/console.ts";
import { HOST_FIELDS } from "./guest-state.ts";

const TAP_HOST_FIELDS: ReadonlySet<string> = new Set(["host", "delivered", "kept", "first", "keeps"]);
/** Bytes kept at most; then the older half is dropped. */
const MOST_KEPT = 32 << 20;

export class OutputTap implements ConsoleHost {
  readonly [HOST_FIELDS] = TAP_HOST_FIELDS;
  private readonly host: ConsoleHost;
  /** Bytes the guest wrote: goes back and forth with the guest. */
  produced = 0;
  /** Bytes given to the host: goes back only when the guest takes another course. */
  private delivered = 0;
  /** While `keeps`: bytes [first, delivered) of what was written are kept[0, delivered - first). */
  private kept = new Uint8Array(0);
  private first = 0;
  private keeps = false;

  constructor(host: ConsoleHost) {
    this.host = host;
  }

  /** From now on output is kept, and taken at once whatever room the host has: a run that is repeated must not depend on it. */
  keep(): void {
    if (this.keeps) return;
    this.keeps = true;
    this.first = this.delivered = this.produced;
  }

  write(bytes: Uint8Array): void {
    const known = this.delivered - this.produced;
    this.produced += bytes.length;
    if (known >= bytes.length) return;
    const fresh = known > 0 ? bytes.subarray(known) : bytes;
    if (this.keeps) this.append(fresh);
    this.delivered = this.produced;
    this.host.write(fresh);
  }

  private append(bytes: Uint8Array): void {
    let length = this.delivered - this.first;
    if (length + bytes.length > MOST_KEPT && length > 0) {
      const dropped = Math.ceil(length / 2);
      this.kept.copyWithin(0, dropped, length);
      this.first += dropped;
      length -= dropped;
    }
    if (length + bytes.length > this.kept.length) {
      const larger = new Uint8Array(Math.max(4096, 2 * (length + bytes.length)));
      larger.set(this.kept.subarray(0, length));
      this.kept = larger;
    }
    this.kept.set(bytes, length);
  }

  room(): number {
    return this.keeps ? Number.POSITIVE_INFINITY : (this.host.room?.() ?? Number.POSITIVE_INFINITY);
  }

  inputWanted(): void {
    this.host.inputWanted?.();
  }

  /**
   * What the guest has written up to the present moment, behind the first `from` bytes, since keep(), as far as it is kept (the
   * latest 16 MiB at least).
   */
  transcript(from = 0): Uint8Array {
    return this.kept.slice(
      Math.max(0, from - this.first),
      Math.max(0, Math.min(this.produced, this.delivered) - this.first),
    );
  }

  /** From here on things go another way: what was written later never was. */
  forgetFuture(): void {
    if (this.delivered <= this.produced) return;
    this.delivered = this.produced;
    this.first = Math.min(this.first, this.produced);
    this.host.rewound?.(this.produced);
  }
}
