// Names for numbers in strace output: errno names, flag words of the commonest arguments, quoted text. Pure.
import * as ERRNO from "../abi/errno.ts";
import * as FCNTL from "../abi/fcntl.ts";
import * as FUTEX from "../abi/futex.ts";
import * as MMAN from "../abi/mman.ts";
import * as SCHED from "../abi/sched.ts";
import { SIGNAL_NAMES } from "../abi/signal.ts";

export type ArgumentDecoder = (value: number, all: Float64Array) => string;

const RESTART_NAMES: Record<number, string> = {
  512: "? ERESTARTSYS (To be restarted if SA_RESTART is set)",
  513: "? ERESTARTNOINTR (To be restarted)",
  514: "? ERESTARTNOHAND (To be restarted if no handler)",
  516: "? ERESTART_RESTARTBLOCK (Interrupted by signal)",
};

const errnoNames = new Map<number, string>();
for (const [name, number] of Object.entries(ERRNO)) if (!errnoNames.has(number)) errnoNames.set(number, name);

export function errnoName(number: number): string {
  return RESTART_NAMES[number] ?? `-1 ${errnoNames.get(number) ?? `E${number}`}`;
}

/** As a C string literal. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) as number;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char === "\r") out += "\\r";
    else if (code < 32 || code === 127) out += `\\${code.toString(8)}`;
    else if (code >= 0xdc80 && code < 0xdd00) out += `\\${(code - 0xdc00).toString(8)}`;
    else out += char;
  }
  return `${out}"`;
}

/** Flag names of a constants module, largest first, so that combined names win. */
function flagTable(module: Record<string, unknown>, prefix: string, skip: readonly string[] = []): [string, number][] {
  return Object.entries(module)
    .filter((entry): entry is [string, number] => entry[0].startsWith(prefix) && typeof entry[1] === "number")
    .filter(([name, bits]) => bits !== 0 && !skip.includes(name))
    .sort((a, b) => (b[1] >>> 0) - (a[1] >>> 0));
}

function flags(table: [string, number][], zero: string): ArgumentDecoder {
  return (value) => {
    let rest = value >>> 0;
    const names: string[] = [];
    for (const [name, bits] of table) {
      const mask = bits >>> 0;
      if ((rest & mask) >>> 0 === mask) {
        names.push(name);
        rest = (rest & ~mask) >>> 0;
      }
    }
    if (rest !== 0) names.push(`0x${rest.toString(16)}`);
    return names.length === 0 ? zero : names.reverse().join("|");
  };
}

const protection = flags(flagTable(MMAN, "PROT_", ["PROT_NONE"]), "PROT_NONE");
const mapFlags = flags(flagTable(MMAN, "MAP_", ["MAP_FILE", "MAP_TYPE"]), "0");
const openBits = flags(flagTable(FCNTL, "O_", ["O_ACCMODE", "O_RDONLY", "O_WRONLY", "O_RDWR", "O_TMPFILE_BIT"]), "");
const cloneFlags = flags(flagTable(SCHED, "CLONE_", ["CLONE_CLEAR_SIGHAND_HIGH", "CLONE_INTO_CGROUP_HIGH"]), "");

function openFlags(value: number): string {
  const access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][value & 3];
  const rest = openBits(value & ~3, NO_ARGS);
  return rest === "" ? access : `${access}|${rest}`;
}

const NO_ARGS = new Float64Array(6);

export function signalName(value: number): string {
  return SIGNAL_NAMES[value] ?? (value > 31 && value <= 64 ? `SIGRT_${value - 32}` : String(value));
}

const FUTEX_NAMES = [
  "FUTEX_WAIT",
  "FUTEX_WAKE",
  "FUTEX_FD",
  "FUTEX_REQUEUE",
  "FUTEX_CMP_REQUEUE",
  "FUTEX_WAKE_OP",
  "FUTEX_LOCK_PI",
  "FUTEX_UNLOCK_PI",
  "FUTEX_TRYLOCK_PI",
  "FUTEX_WAIT_BITSET",
  "FUTEX_WAKE_BITSET",
  "FUTEX_WAIT_REQUEUE_PI",
  "FUTEX_CMP_REQUEUE_PI",
  "FUTEX_LOCK_PI2",
];

function futexOperation(value: number): string {
  const name = FUTEX_NAMES[value & FUTEX.FUTEX_CMD_MASK] ?? String(value & FUTEX.FUTEX_CMD_MASK);
  const isPrivate = (value & FUTEX.FUTEX_PRIVATE_FLAG) !== 0 ? "_PRIVATE" : "";
  return `${name}${isPrivate}${(value & FUTEX.FUTEX_CLOCK_REALTIME) !== 0 ? "|FUTEX_CLOCK_REALTIME" : ""}`;
}

const CLOCKS = [
  "REALTIME",
  "MONOTONIC",
  "PROCESS_CPUTIME_ID",
  "THREAD_CPUTIME_ID",
  "MONOTONIC_RAW",
  "REALTIME_COARSE",
  "MONOTONIC_COARSE",
  "BOOTTIME",
];

const byCall: Record<string, ArgumentDecoder> = {
  "mmap.flags": mapFlags,
  "openat.flags": openFlags,
  "open.flags": openFlags,
  "clone.flags": (value) => {
    const signal = value & 0xff;
    const names = cloneFlags(value - signal, NO_ARGS);
    return [names, signal === 0 ? "" : signalName(signal)].filter((part) => part !== "").join("|") || "0";
  },
  "futex.op": futexOperation,
};

const byArgument: Record<string, ArgumentDecoder> = {
  prot: protection,
  sig: (value) => signalName(value | 0),
  clockid: (value) => (CLOCKS[value] === undefined ? String(value | 0) : `CLOCK_${CLOCKS[value]}`),
  mode: (value) => `0${(value >>> 0).toString(8)}`,
  advice: (value) => String(value | 0),
};

/** How an argument of a call is shown, if its kind alone would not do it justice. */
export function decoderFor(call: string, argument: string): ArgumentDecoder | undefined {
  return byCall[`${call}.${argument}`] ?? byArgument[argument];
}
