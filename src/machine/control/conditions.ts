// What a run can be told to stop at, and what it says when it has stopped. Types, and the checks of what a user wrote.
import { SYSCALL_NUMBERS } from "../../abi/syscall-numbers.ts";
import { HostError } from "../host.ts";
import type { SymbolAt } from "../inspect/symbols.ts";
import { FAULT_KINDS, type FaultKind, type FaultRecord } from "./fault-record.ts";

/** Exactly one of fault, address, symbol, syscall, instructions; `pid` restricts it to one process. */
export interface Condition {
  /** Any fault (true), or one of these kinds. */
  fault?: true | FaultKind | readonly FaultKind[];
  /** Before the instruction at this address runs. */
  address?: number;
  /** Before the first instruction of a function of this name runs. */
  symbol?: string;
  /** Any system call (true), or one of these names: when it begins, before the kernel serves it. */
  syscall?: true | string | readonly string[];
  /** When so many instructions have been retired since the machine was made. */
  instructions?: number;
  pid?: number;
}

export type StepUnit = "instruction" | "fault" | "syscall";

export type StopReason =
  /** Run control begins: nothing ran yet. */
  | "start"
  | "pause"
  | "instruction"
  | "fault"
  | "syscall"
  | "address"
  | "instructions"
  /** A step found nothing to run: every task waits for the outside world. */
  | "idle"
  /** Every process ended. */
  | "finished"
  /** After seek() and stepBack(). */
  | "seek"
  /** stepBack(): nothing of the kind happened before. */
  | "beginning";

export interface StopEvent {
  reason: StopReason;
  /** The moment: instructions retired, and turns of the kernel. */
  instructions: number;
  turns: number;
  /** The thread on the hart, or the one that ran last; 0: none. */
  pid: number;
  tid: number;
  process: string;
  pc: number;
  symbol: SymbolAt | null;
  /** The fault that was served last: set when reason is "fault". Its instruction runs again next. */
  fault: FaultRecord | null;
  /** Set when reason is "syscall": name and arguments (as numbers: exact below 2^53). */
  syscall: { name: string; args: number[] } | null;
}

/** A condition with every field resolved. */
export interface CheckedCondition {
  kinds: ReadonlySet<FaultKind> | null;
  anyFault: boolean;
  address: number | null;
  symbol: string | null;
  syscalls: ReadonlySet<number> | null;
  anySyscall: boolean;
  instructions: number;
  pid: number | null;
}

const KEYS = ["fault", "address", "symbol", "syscall", "instructions"] as const;

/** Throws HostError with one clear line when the condition makes no sense. */
export function checkCondition(condition: Condition): CheckedCondition {
  const given = KEYS.filter((key) => condition[key] !== undefined);
  if (given.length !== 1) throw new HostError(`a condition names exactly one of ${KEYS.join(", ")}`);
  const checked: CheckedCondition = {
    kinds: null,
    anyFault: condition.fault === true,
    address: null,
    symbol: condition.symbol ?? null,
    syscalls: null,
    anySyscall: condition.syscall === true,
    instructions: Number.POSITIVE_INFINITY,
    pid: condition.pid ?? null,
  };
  if (condition.fault !== undefined && condition.fault !== true) checked.kinds = checkKinds(condition.fault);
  if (condition.syscall !== undefined && condition.syscall !== true) checked.syscalls = checkNames(condition.syscall);
  if (condition.address !== undefined) checked.address = natural(condition.address, "an address");
  if (condition.instructions !== undefined) checked.instructions = natural(condition.instructions, "a count");
  return checked;
}

export function natural(value: number, what: string): number {
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new HostError(`${value} is not ${what}`);
  return value;
}

function checkKinds(given: FaultKind | readonly FaultKind[]): Set<FaultKind> {
  const kinds = new Set<FaultKind>(typeof given === "string" ? [given] : given);
  for (const kind of kinds) {
    if ((kind as string) === "" || !FAULT_KINDS.includes(kind))
      throw new HostError(`"${kind}" is no kind of fault: ${FAULT_KINDS.slice(1).join(", ")}`);
  }
  return kinds;
}

function checkNames(given: string | readonly string[]): Set<number> {
  const numbers = new Set<number>();
  for (const name of typeof given === "string" ? [given] : given) {
    const number = (SYSCALL_NUMBERS as Readonly<Record<string, number>>)[name];
    if (number === undefined) throw new HostError(`there is no system call "${name}"`);
    numbers.add(number);
  }
  return numbers;
}
