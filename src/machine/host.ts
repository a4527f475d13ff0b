// What a machine needs of the place it runs in (Node, a browser worker, a test). Everything that is not computed comes through here.
import type { CompiledModule, CompileModule } from "../cpu/compile-module.ts";
import type { InterpreterKind } from "../cpu/interpreter.ts";
import type { CodeStore } from "../cpu/jit/kept-regions.ts";
import type { HostClock } from "../kernel/clock.ts";
import type { HostFiles } from "../kernel/vfs/host-files.ts";
import type { SwapDevice } from "../mm/contracts.ts";

export interface MachineHost {
  readonly clock: HostClock;
  /** Fills with random bytes (only used without a seed). */
  entropy(bytes: Uint8Array): void;
  /** The folder of that name for the guest's file system. Throws HostError with one clear line when it cannot be used. */
  openFolder(path: string): HostFiles;
  openSwap(sizeBytes: number, path: string | null): HostSwap;
  /** Compiles the hart's code (HartOptions.compileModule). */
  readonly compileModule?: CompileModule;
  /** The interpreter that was compiled before (HartOptions.keptInterpreter). */
  readonly keptInterpreter?: (kind: InterpreterKind, memoryPages: number) => CompiledModule | null;
  /** Translations of earlier runs (HartOptions.codeStore). */
  readonly codeStore?: (memoryPages: number) => CodeStore | null;
  /** Lets the event loop run: input arrives, timers fire. */
  breathe(): Promise<void>;
  /** Resolves after about this time, or at once when wakeUp() is called. */
  sleep(milliseconds: number): Promise<void>;
  wakeUp(): void;
}

export interface HostSwap extends SwapDevice {
  close?(): void;
  /** Why its contents cannot be moved into memory, which going back to an earlier moment needs: one line. */
  readonly rewindRefusal?: string;
}

/** A user's mistake or a host's refusal, said in one line. */
export class HostError extends Error {
  override readonly name = "HostError";
}
