// Lays out what a program finds on its stack: argument and environment strings, AT_RANDOM, argc, pointers, auxiliary vector
// (fs/binfmt_elf.c create_elf_tables). Bytes only; mapping the stack is exec.ts.
//
//   high   8 zero bytes | file name | environment strings | argument strings | 0..15 pad | 16 random bytes | pad
//   low    argc | argv[] NULL | envp[] NULL | auxv        <- sp, 16-byte aligned
import { AT_EXECFN, AT_NULL, AT_RANDOM, AT_RSEQ_FEATURE_SIZE, AT_SYSINFO_EHDR } from "../abi/elf.ts";

export interface StackRequest {
  /** Address just past the stack. */
  top: number;
  fileName: Uint8Array;
  argv: readonly Uint8Array[];
  envp: readonly Uint8Array[];
  random: Uint8Array;
  /** Type and value pairs; AT_RANDOM, AT_EXECFN and AT_NULL are added here. */
  auxv: readonly (readonly [number, number])[];
  /** Bytes to move the stack down by (arch_align_stack under randomisation). */
  slack: number;
}

export interface InitialStack {
  sp: number;
  /** The bytes of [sp, top). */
  bytes: Uint8Array;
  argStart: number;
  argEnd: number;
  envStart: number;
  envEnd: number;
  /** The auxiliary vector's own bytes, for /proc/PID/auxv. */
  auxv: Uint8Array;
}

function stringsBytes(strings: readonly Uint8Array[]): number {
  let total = 0;
  for (const string of strings) total += string.length + 1;
  return total;
}

export function buildInitialStack(request: StackRequest): InitialStack {
  const { top, fileName, argv, envp, random, auxv, slack } = request;
  const fileNameAt = top - 8 - (fileName.length + 1);
  const envStart = fileNameAt - stringsBytes(envp);
  const argStart = envStart - stringsBytes(argv);
  let at = argStart - slack;
  at -= at % 16;
  at -= 16;
  const randomAt = at;
  const words = 1 + argv.length + 1 + envp.length + 1 + 2 * (auxv.length + 3);
  at -= words * 8;
  const sp = at - (at % 16);
  const bytes = new Uint8Array(top - sp);
  const view = new DataView(bytes.buffer);
  let cursor = 0;
  const word = (value: number) => {
    view.setUint32(cursor, value >>> 0, true);
    view.setUint32(cursor + 4, Math.floor(value / 2 ** 32), true);
    cursor += 8;
  };
  const pointers = (strings: readonly Uint8Array[], start: number) => {
    let address = start;
    for (const string of strings) {
      bytes.set(string, address - sp);
      word(address);
      address += string.length + 1;
    }
    word(0);
  };
  word(argv.length);
  pointers(argv, argStart);
  pointers(envp, envStart);
  const auxvAt = cursor;
  for (const [type, value] of [
    ...auxv.filter(([type]) => type < AT_RSEQ_FEATURE_SIZE || type >= AT_SYSINFO_EHDR),
    [AT_RANDOM, randomAt] as const,
    [AT_EXECFN, fileNameAt] as const,
    // The order of create_elf_tables().
    ...auxv.filter(([type]) => type >= AT_RSEQ_FEATURE_SIZE && type < AT_SYSINFO_EHDR),
    [AT_NULL, 0] as const,
  ]) {
    word(type);
    word(value);
  }
  const auxvBytes = bytes.slice(auxvAt, cursor);
  bytes.set(random, randomAt - sp);
  bytes.set(fileName, fileNameAt - sp);
  return { sp, bytes, argStart, argEnd: envStart, envStart, envEnd: fileNameAt, auxv: auxvBytes };
}
