// Reads the first line of a script (#!) as Linux's fs/binfmt_script.c does. Text in, interpreter and argument out.
import { ENOEXEC } from "../abi/errno.ts";

/** BINPRM_BUF_SIZE: how much of a file decides what it is. */
export const PROBE_BYTES = 256;

export interface ScriptLine {
  interpreter: Uint8Array;
  argument: Uint8Array | null;
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** next_non_spacetab(): index in [from, end), or -1. */
function nextNonBlank(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; i++) if (!isBlank(bytes[i])) return i;
  return -1;
}

/** next_terminator(): the next blank or NUL in [from, end), or -1. */
function nextTerminator(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; i++) if (isBlank(bytes[i]) || bytes[i] === 0) return i;
  return -1;
}

export function isScript(probe: Uint8Array): boolean {
  return probe[0] === 0x23 && probe[1] === 0x21;
}

/** `probe`: the first PROBE_BYTES bytes of the file, zero-filled. The line's parts, or -ENOEXEC. */
export function parseScriptLine(probe: Uint8Array): ScriptLine | number {
  const last = PROBE_BYTES - 1;
  let end = probe.indexOf(10);
  const nul = probe.indexOf(0);
  // strnchr() stops at a NUL as well.
  if (end >= 0 && nul >= 0 && nul < end) end = -1;
  if (end < 0) {
    const start = nextNonBlank(probe, 2, last);
    if (start < 0) return -ENOEXEC;
    // Without a terminator the name may be cut off: better not run something else.
    if (nextTerminator(probe, start, last) < 0) return -ENOEXEC;
    end = last;
  }
  while (end > 2 && isBlank(probe[end - 1])) end--;
  const name = nextNonBlank(probe, 2, end);
  if (name < 0 || name === end || probe[name] === 0) return -ENOEXEC;
  const separator = nextTerminator(probe, name, end);
  let argument: Uint8Array | null = null;
  if (separator >= 0 && probe[separator] !== 0) {
    const start = nextNonBlank(probe, separator, end);
    if (start >= 0) argument = cut(probe.slice(start, end));
  }
  return { interpreter: probe.slice(name, separator >= 0 ? separator : end), argument };
}

/** A C string ends at its first NUL. */
function cut(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(0);
  return nul < 0 ? bytes : bytes.subarray(0, nul);
}
