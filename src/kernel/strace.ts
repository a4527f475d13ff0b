// Writes system calls as text while they happen, in strace's manner: name(arguments) = result. Reads the guest, changes nothing.
import { decodeUtf8 } from "../util/utf8.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { type SigInfo, siginfoLayout } from "./signals/siginfo.ts";
import { type ArgumentDecoder, decoderFor, errnoName, quote, signalName } from "./strace-decode.ts";
import { NO_RESULT, type Task } from "./task.ts";

/** Gets one line, without newline. */
export type StraceSink = (line: string) => void;

/** Bytes of a buffer that are shown. */
const SHOWN_BYTES = 32;
/** Calls that fill their buffer: it is shown after the call, as far as the result says. */
const FILLS_BUFFER = new Set(["read", "pread64", "recvfrom", "getrandom", "readlinkat", "getcwd"]);

interface Argument {
  name: string;
  kind: string;
  decode: ArgumentDecoder | undefined;
}

const parsedRows = new Map<string, Argument[]>();

function argumentsOf(callName: string, spec: string): Argument[] {
  let parsed = parsedRows.get(callName);
  if (parsed === undefined) {
    parsed = spec
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => {
        const [name, kind = "int"] = word.split(":");
        return { name, kind, decode: decoderFor(callName, name) };
      });
    parsedRows.set(callName, parsed);
  }
  return parsed;
}

function hex(value: number): string {
  if (value === 0) return "NULL";
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function formatInt(value: number): string {
  return value >= 2 ** 31 && value < 2 ** 32 ? String(value | 0) : String(value);
}

/** Text at `address` up to its NUL, or the pointer when it cannot be read. */
function formatString(t: Task, address: number, limit: number): string {
  if (address === 0) return "NULL";
  const bytes = t.space.readString(address, 4096);
  if (typeof bytes === "number") return hex(address);
  const cut = Math.min(bytes.length, limit);
  return quote(decodeUtf8(bytes, 0, cut)) + (cut < bytes.length ? "..." : "");
}

function formatBuffer(t: Task, address: number, length: number): string {
  if (address === 0) return "NULL";
  const bytes = new Uint8Array(Math.max(0, Math.min(length, SHOWN_BYTES)));
  if (t.space.copyIn(address, bytes) !== bytes.length) return hex(address);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return quote(text) + (length > bytes.length ? "..." : "");
}

function formatArgument(t: Task, argument: Argument, index: number, filled: number | null): string {
  const value = t.syscallArgs[index];
  if (argument.decode !== undefined) return argument.decode(value, t.syscallArgs);
  switch (argument.kind) {
    case "path":
      return formatString(t, value, 4096);
    case "str":
      return formatString(t, value, SHOWN_BYTES);
    case "buf":
      return formatBuffer(t, value, filled ?? t.syscallArgs[index + 1]);
    case "ptr":
      return hex(value);
    case "hex":
    case "flags":
      return value === 0 ? "0" : hex(value);
    case "fd":
      return (value | 0) === -100 ? "AT_FDCWD" : String(value | 0);
    default:
      return formatInt(value);
  }
}

/** At the call: everything that the call may destroy (paths at exec) is put down now. */
export function traceEntry(k: Kernel, t: Task): void {
  const row = k.syscalls.rows[t.syscallNumber];
  const name = k.syscalls.names[t.syscallNumber] ?? `syscall_${t.syscallNumber}`;
  if (row === undefined) {
    t.straceText = [`${name}(${[...t.syscallArgs].map(hex).join(", ")}`];
    return;
  }
  const waits = FILLS_BUFFER.has(name);
  const parts = argumentsOf(name, row.args).map((argument, i) =>
    waits && (argument.kind === "buf" || argument.kind === "ptr") ? null : formatArgument(t, argument, i, null),
  );
  t.straceText = [name, ...parts];
}

export function traceExit(k: Kernel, t: Task, result: number): void {
  const { straceText } = t;
  if (straceText === null) return;
  t.straceText = null;
  const [name, ...parts] = straceText;
  const row = k.syscalls.rows[t.syscallNumber];
  const shown = parts.map((part, i) => {
    if (part !== null) return part;
    const argument = argumentsOf(name as string, row?.args ?? "")[i];
    if (argument === undefined) return "?";
    return result > 0 ? formatArgument(t, { ...argument, kind: "buf" }, i, result) : hex(t.syscallArgs[i]);
  });
  const call = row === undefined ? `${name})` : `${name}(${shown.join(", ")})`;
  k.config.strace?.(`[pid ${String(t.tid).padStart(5)}] ${call.padEnd(40)} = ${formatResult(t, result)}`);
}

function formatResult(t: Task, result: number): string {
  if (result === NO_RESULT) return t.isAlive ? "0" : "?";
  if (result < 0) return errnoName(-result);
  return result >= 2 ** 20 ? hex(result) : String(result);
}

/** A signal was taken off its queue: it is about to be handled, ignored, or to take its default action. */
export function traceSignal(k: Kernel, t: Task, info: SigInfo): void {
  let detail = `si_signo=${signalName(info.signal)}, si_code=${info.code}`;
  const layout = siginfoLayout(info.signal, info.code);
  if (layout === "fault") {
    detail += `, si_addr=0x${(BigInt(info.addressHigh >>> 0) * 4294967296n + BigInt(info.addressLow >>> 0)).toString(16)}`;
  } else if (info.pid !== 0) detail += `, si_pid=${info.pid}, si_uid=${info.uid}`;
  if (layout === "child") detail += `, si_status=${info.status}`;
  k.config.strace?.(`[pid ${String(t.tid).padStart(5)}] --- ${signalName(info.signal)} {${detail}} ---`);
}

/** The last thread of a process is gone. */
export function traceEnd(k: Kernel, process: Process): void {
  const signal = process.exitStatus & 0x7f;
  const how = signal === 0 ? `exited with ${(process.exitStatus >> 8) & 0xff}` : `killed by ${signalName(signal)}`;
  k.config.strace?.(`[pid ${String(process.pid).padStart(5)}] +++ ${how} +++`);
}
