// The architectural registers of one thread. While the thread is on the hart its words are the hart's own; otherwise a copy.
import { F, FCSR, PC, THREAD_STATE_BYTES, X } from "./layout.ts";

const WORDS = THREAD_STATE_BYTES / 4;
const PC_WORD = (PC - X) / 4;
const F_WORD = (F - X) / 4;
const FCSR_WORD = (FCSR - X) / 4;
/** x10, the first argument of a call. */
const A0 = 10;

export class CpuContext {
  /** Registers kept while the thread is off the hart. */
  readonly saved = new Int32Array(WORDS);
  /** [2i], [2i+1]: low and high half of xi. The hart's live registers while this context is current. */
  words: Int32Array = this.saved;

  /** xi as a signed double: exact below 2^53. */
  getX(i: number): number {
    return this.words[2 * i + 1] * 2 ** 32 + (this.words[2 * i] >>> 0);
  }
  /** The arguments of a system call, a0 to a5. A function of its own, so small that getX() becomes part of it and allocates nothing. */
  getArguments(into: Float64Array): void {
    for (let i = 0; i < 6; i++) into[i] = this.getX(A0 + i);
  }
  getXLow(i: number): number {
    return this.words[2 * i];
  }
  getXHigh(i: number): number {
    return this.words[2 * i + 1];
  }
  setX(i: number, value: number): void {
    if (i === 0) return;
    const high = Math.floor(value / 2 ** 32);
    // Values beyond 2^53 would have lost bits before; they are set by setX64.
    this.words[2 * i] = (value - high * 2 ** 32) | 0;
    this.words[2 * i + 1] = high | 0;
  }
  setX64(i: number, low: number, high: number): void {
    if (i === 0) return;
    this.words[2 * i] = low;
    this.words[2 * i + 1] = high;
  }

  get pc(): number {
    return this.words[PC_WORD + 1] * 2 ** 32 + (this.words[PC_WORD] >>> 0);
  }
  set pc(value: number) {
    const high = Math.floor(value / 2 ** 32);
    this.words[PC_WORD] = (value - high * 2 ** 32) | 0;
    this.words[PC_WORD + 1] = high | 0;
  }
  get pcLow(): number {
    return this.words[PC_WORD];
  }
  get pcHigh(): number {
    return this.words[PC_WORD + 1];
  }
  setPc64(low: number, high: number): void {
    this.words[PC_WORD] = low;
    this.words[PC_WORD + 1] = high;
  }

  /** f0..f31 as raw words, two each; valid until the context is switched in or out. */
  get f(): Uint32Array {
    const w = this.words;
    return new Uint32Array(w.buffer as ArrayBuffer, w.byteOffset + F_WORD * 4, 64);
  }
  get fcsr(): number {
    return this.words[FCSR_WORD];
  }
  set fcsr(value: number) {
    this.words[FCSR_WORD] = value & 0xff;
  }

  copyFrom(other: CpuContext): void {
    this.words.set(other.words);
  }
}
