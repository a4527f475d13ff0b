// The RV64GC hart: linear memory, registers, TLB and the generated interpreter behind one run() method. Knows nothing of
// areas or system calls: it says why it stopped (exits.ts).
import { type CompiledModule, type CompileModule, plainCompile } from "./compile-module.ts";
import type { CpuContext } from "./cpu-context.ts";
import { DecodePool } from "./decode-pool.ts";
import { EXIT_FUEL, EXIT_LIMIT, type ExitReason } from "./exits.ts";
import { generateInterpreter, type InterpreterKind } from "./interpreter.ts";
import { createSlowFloat } from "./isa/float-helpers.ts";
import { CodeCache } from "./jit/code-cache.ts";
import type { CodeStore } from "./jit/kept-regions.ts";
import {
  CODE_DROPPED,
  FAULT_ACCESS,
  FAULT_ADDRESS,
  FCSR,
  FUEL_LEFT,
  LAST_REFERENCED,
  makeLayout,
  RESERVATION,
  ROOT_POINTER,
  THREAD_STATE_BYTES,
  X,
} from "./layout.ts";
import { HartTlb } from "./tlb.ts";

/** V8 replaces baseline code only at calls, so one call must not run for ever. */
const INSTRUCTIONS_PER_CALL = 200_000;
/** Between two samples of the program counter. */
const INSTRUCTIONS_PER_SAMPLE = 20_000;

/** Runs about so many instructions and answers why it stopped. */
type Run = (fuel: number) => number;

/** Interpreters by the shape of linear memory, and what they are for. */
const compiled = new Map<string, CompiledModule>();

export interface HartOptions {
  /** Bytes of RAM, a multiple of 4096, at most about 3.5 GiB. */
  ramBytes: number;
  /** Value of the time CSR (10 MHz ticks); default: instructions / 100. */
  time?: () => number;
  /** Frames whose code stays decoded; fewer cost time, never change a result. Default 4096. */
  decodePages?: number;
  /** Whether hot code is translated (default true); "always": all code, as far as possible. Never changes a result. */
  translate?: boolean | "always";
  /** Compiles generated code as it deserves (compile-module.ts); default: the engine decides. */
  compileModule?: CompileModule;
  /** The interpreter of this kind for the default decodePages and a memory of so many pages, if the host keeps it. */
  keptInterpreter?: (kind: InterpreterKind, memoryPages: number) => CompiledModule | null;
  /** Keeps translations for harts whose memory has so many pages (and the default decodePages). */
  codeStore?: (memoryPages: number) => CodeStore | null;
  /**
   * Hears of every page that an instruction touches, in program order, as (frame, REFERENCE_* of memory-functions.ts), before
   * the access; immediate repetitions are left out, and an access that faults is not reported until it succeeds. Costs about a
   * factor of ten: nothing is translated and no data access uses the TLB.
   */
  onReference?: (pfn: number, kind: number) => void;
}

export interface HartState {
  readonly current: CpuContext | null;
  readonly live: Int32Array;
  readonly reservation: Int32Array;
  readonly instructions: number;
}

/** The reserved address and the value that was read there, as layout.ts has them. */
const RESERVATION_WORDS = 4;

export class Hart {
  readonly memory: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly ramOffset: number;
  readonly tlb: HartTlb;
  /** Value of the time CSR; null: a tick is 100 instructions. */
  private readonly time: (() => number) | null;
  private readonly words: Int32Array;
  private readonly live: Int32Array;
  private readonly pool: DecodePool;
  /** Translations of hot code; null: interpret everything. */
  readonly codeCache: CodeCache | null = null;
  private readonly call: Run;
  /** The interpreter that records jumps, made when first needed. */
  private recorder: Run | null = null;
  /** The interpreter that stops after so many instructions exactly, made when first needed. */
  private stepper: Run | null = null;
  private readonly instantiate: (kind: InterpreterKind) => Run;
  /** Instructions until the program counter is sampled. */
  private untilSample = INSTRUCTIONS_PER_SAMPLE;
  private current: CpuContext | null = null;
  private spaceId = -1;
  private rootPfn = -1;
  private retired = 0;
  private budget = 0;
  private used = 0;

  static create(options: HartOptions): Hart {
    return new Hart(options);
  }

  /** The interpreter for harts of this shape; remembered, so that later harts of the shape start with optimised code. */
  private static compile(options: HartOptions, kind: InterpreterKind): CompiledModule {
    const references = options.onReference !== undefined;
    const { ramOffset, memoryPages } = makeLayout(options.ramBytes, options.decodePages);
    const key = `${ramOffset}/${memoryPages}/${kind}/${references}`;
    const isUsual = !references && options.decodePages === undefined;
    const known = compiled.get(key);
    if (known !== undefined) return known;
    let module = (isUsual && options.keptInterpreter?.(kind, memoryPages)) || null;
    if (module === null) {
      const bytes = generateInterpreter({ ramOffset, memoryPages, kind, references });
      module = (options.compileModule ?? plainCompile)(bytes, kind === "plain" ? "interpreter" : "baseline");
    }
    compiled.set(key, module);
    return module;
  }

  private constructor(options: HartOptions) {
    const layout = makeLayout(options.ramBytes, options.decodePages);
    const pages = layout.memoryPages;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.buffer = this.memory.buffer;
    this.ramOffset = layout.ramOffset;
    this.words = new Int32Array(this.buffer);
    this.live = new Int32Array(this.buffer, X, THREAD_STATE_BYTES / 4);
    this.pool = new DecodePool(new Uint8Array(this.buffer), this.words, layout);
    this.tlb = new HartTlb(
      this.words,
      (pfn) => this.pool.hasCode(pfn),
      (pfn) => this.dropCode(pfn),
    );
    this.time = options.time ?? null;
    this.clearReservation();
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    const env = {
      memory: this.memory,
      regions: table,
      isStop: (pfn: number, offset: number) => (this.pool.isStop(pfn, offset) ? 1 : 0),
      decoded: (pfn: number) => this.pool.onDecode(pfn),
      newDecodePage: (pfn: number, vpn: number) => this.newDecodePage(pfn, vpn),
      dropCode: (pfn: number) => this.dropCode(pfn),
      counter: (csr: number, fuelLeft: number) => this.counter(csr, fuelLeft),
      slowFloat: createSlowFloat(this.words, FCSR),
      reference: options.onReference ?? (() => {}),
    };
    const instantiate = (kind: InterpreterKind) => new WebAssembly.Instance(Hart.compile(options, kind), { env });
    const instance = instantiate("plain");
    this.pool.decodeAt = instance.exports.decodeAt as (slot: number) => void;
    this.instantiate = (kind) => instantiate(kind).exports.run as Run;
    if ((options.translate ?? true) && options.onReference === undefined) {
      this.codeCache = new CodeCache({
        bytes: new Uint8Array(this.buffer),
        words: this.words,
        layout,
        pool: this.pool,
        table,
        eager: options.translate === "always",
        compileModule: options.compileModule ?? plainCompile,
        store: (options.decodePages === undefined && options.codeStore?.(layout.memoryPages)) || null,
        imports: { ...instance.exports, memory: this.memory, regions: table, slowFloat: env.slowFloat },
      });
    }
    this.call = instance.exports.run as Run;
  }

  /** Instructions retired since creation. */
  get instructions(): number {
    return this.retired;
  }
  get faultAddressLow(): number {
    return this.words[FAULT_ADDRESS / 4];
  }
  get faultAddressHigh(): number {
    return this.words[FAULT_ADDRESS / 4 + 1];
  }
  /** 0 read, 1 write, 2 execute. */
  get faultAccess(): 0 | 1 | 2 {
    return this.words[FAULT_ACCESS / 4] as 0 | 1 | 2;
  }

  /** Selects the TLB bank and the root table; call it again when the root of a space changes. */
  setSpace(space: { id: number; rootPfn: number }): void {
    if (space.id === this.spaceId && space.rootPfn === this.rootPfn) return;
    this.spaceId = space.id;
    this.rootPfn = space.rootPfn;
    this.words[ROOT_POINTER / 4] = this.ramOffset + space.rootPfn * 4096;
    this.tlb.select(space.id);
  }

  /** Saves the live registers into the context that had them and loads this one; its words are then live. */
  switchTo(context: CpuContext): void {
    if (context === this.current) return;
    if (this.current) {
      this.current.saved.set(this.live);
      this.current.words = this.current.saved;
    }
    this.live.set(context.saved);
    context.words = this.live;
    this.current = context;
    this.clearReservation();
  }

  /**
   * Runs the current context. Out of fuel, it stops at the first jump backwards or through a register after `fuel`
   * instructions: always at the same one, whatever the TLB and the decoded code hold. Registers and pc are exact at
   * every return. An ecall counts as an instruction, one that faults does not.
   */
  run(fuel: number): ExitReason {
    const cache = this.codeCache;
    let left = fuel;
    this.words[LAST_REFERENCED / 4] = 0;
    if (cache?.eager) this.sample(cache);
    for (;;) {
      const reason =
        cache === null ? this.runPart(left, this.call, INSTRUCTIONS_PER_CALL) : this.runWatched(left, cache);
      left -= this.used;
      if (reason !== EXIT_FUEL || left <= 0) return reason;
    }
  }

  /**
   * Runs `limit` instructions and stops behind the last one, wherever that is (EXIT_LIMIT; EXIT_FUEL where run() could stop
   * too), several times slower than run(). Nothing depends on which of the two ran an instruction.
   */
  runExactly(limit: number): ExitReason {
    this.stepper ??= this.instantiate("exact");
    this.words[LAST_REFERENCED / 4] = 0;
    let reason: ExitReason = EXIT_LIMIT;
    for (let left = limit; left > 0; left -= this.used) {
      // The generated code counts in 32 bits.
      reason = this.runPart(left, this.stepper, 1 << 30);
      if (reason !== EXIT_LIMIT && reason !== EXIT_FUEL) break;
    }
    return reason;
  }

  /** Instructions of a frame before which the hart stops (EXIT_STOP), as byte offsets; null: none. */
  setStops(pfn: number, offsets: ReadonlySet<number> | null): void {
    this.dropCode(pfn);
    this.pool.setStops(pfn, offsets);
  }

  /** What of the hart belongs to the guest: registers, reservation, count. RAM and contexts are kept by others. */
  save(): HartState {
    return {
      current: this.current,
      live: this.live.slice(),
      reservation: this.words.slice(RESERVATION / 4, RESERVATION / 4 + RESERVATION_WORDS),
      instructions: this.retired,
    };
  }

  /**
   * Back to a state. Contexts have been put back by the caller, and every frame whose bytes changed was reported to
   * tlb.frameChanged(); the TLB is emptied, as it is a cache.
   */
  restore(state: HartState): void {
    this.current = state.current;
    this.live.set(state.live);
    this.words.set(state.reservation, RESERVATION / 4);
    this.retired = state.instructions;
    this.tlb.reset();
    this.spaceId = this.rootPfn = -1;
  }

  /** At the end of a run: what was seen of it helps later runs, if there is a codeStore. */
  finish(): void {
    this.codeCache?.finish(this.retired);
  }

  /** One call of generated code. */
  private runPart(left: number, call: Run, most: number): ExitReason {
    this.budget = Math.min(left, most);
    const reason = call(this.budget);
    this.used = this.budget - this.words[FUEL_LEFT / 4];
    this.retired += this.used;
    return reason as ExitReason;
  }

  /** The same, with an eye on what is worth translating. */
  private runWatched(left: number, cache: CodeCache): ExitReason {
    const recording = cache.beginRecording();
    let reason: ExitReason;
    if (recording) {
      this.recorder ??= this.instantiate("records");
      reason = this.runPart(left, this.recorder, cache.recordingLeft);
      cache.endRecording(this.used);
    } else {
      reason = this.runPart(left, this.call, this.untilSample);
      this.untilSample -= this.used;
    }
    if (this.untilSample <= 0 && reason === EXIT_FUEL) this.sample(cache);
    return reason;
  }

  private sample(cache: CodeCache): void {
    this.untilSample = INSTRUCTIONS_PER_SAMPLE;
    cache.sample(this.retired);
  }

  private readonly forgetFetch = (pfn: number): void => this.tlb.forgetFrame(pfn, "fetch");

  private clearReservation(): void {
    this.words[RESERVATION / 4] = -1;
    this.words[RESERVATION / 4 + 1] = -1;
  }

  private newDecodePage(pfn: number, vpn: number): number {
    if (this.pool.mayBeWritten(pfn)) {
      this.tlb.forgetFrame(pfn, "write");
      this.tlb.noteWritten(pfn);
    }
    const page = this.pool.create(pfn, this.forgetFetch);
    this.codeCache?.pageDecoded(vpn, pfn);
    return page;
  }

  private dropCode(pfn: number): void {
    this.pool.drop(pfn);
    this.tlb.forgetFrame(pfn, "fetch");
    this.words[CODE_DROPPED / 4] = 1;
  }

  private counter(csr: number, fuelLeft: number): number {
    const instructions = this.retired + this.budget - fuelLeft;
    if (csr !== 0xc01) return instructions;
    return this.time === null ? Math.floor(instructions / 100) : this.time();
  }
}
