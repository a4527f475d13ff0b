// The options of `run` (and of every command that runs a program), in one table: parsing, help text, documentation and the
// type of the result come from here. Checks each value by itself; whether files exist is found out by who opens them.

import { exactSize } from "../../machine/sizes.ts";
import type { OvercommitMode } from "../../mm/contracts.ts";
import { POLICY_NAMES } from "../../mm/policy/index.ts";
import { CliError } from "../cli-error.ts";
import { parseSize } from "../sizes.ts";

export interface MountOption {
  /** Path on the host, as given. */
  host: string;
  /** Absolute path in the guest. */
  guest: string;
  readOnly: boolean;
}

/** Where a report or trace goes; `json` by the name's ending. */
export interface OutputFile {
  path: string;
  json: boolean;
}

export interface RunOptions {
  /** Folder with the guest's root, or null: the bundled one. */
  root: string | null;
  /** Writes go to the root folder itself instead of memory. */
  writable: boolean;
  mounts: MountOption[];
  memoryBytes: number;
  /** 0: no swap. */
  swapBytes: number;
  /** Where the swap file is kept, or null: a temporary file. */
  swapFile: string | null;
  policy: string;
  overcommit: OvercommitMode;
  /** Percent of RAM that counts under "never". */
  overcommitRatio: number;
  /** null: no report; "stderr": as text there; otherwise a file. */
  report: OutputFile | "stderr" | null;
  trace: OutputFile | null;
  strace: boolean;
  /** Variables set or replaced in the guest's environment, in order. */
  env: { name: string; value: string }[];
  /** Absolute path in the guest, or null: the root's default. */
  cwd: string | null;
  /** null: not reproducible (real clock, random seed). */
  seed: number | null;
  /** Seconds after which the program is killed, or null. */
  timeoutSeconds: number | null;
  program: string;
  args: string[];
}

/** The page-replacement policies that mm/policy has. */
export const POLICIES = POLICY_NAMES;
export const OVERCOMMIT_MODES = ["heuristic", "always", "never"] as const;

const PAGE_BYTES = 4096;
/** Below this not even the page tables and the first pages of a dynamic program fit. */
export const MIN_MEMORY_BYTES = 1024 * 1024;
/** Physical memory, the CPU's tables and its code share one wasm memory of 4 GiB. */
export const MAX_MEMORY_BYTES = 3 * 1024 ** 3;
/** A swap entry has 21 bits of slot number, slot 0 unused (design: PTE words). */
export const MAX_SWAP_BYTES = (2 ** 21 - 1) * PAGE_BYTES;

export interface OptionRow {
  /** Without dashes. */
  name: string;
  /** What the value is called in the help; absent: a switch. */
  value?: string;
  /** The value may be left out; given, it is joined with "=". */
  optionalValue?: boolean;
  /** May be given several times. */
  repeatable?: boolean;
  help: string;
  /** Puts the value into the options; `text` is "" for a switch or a value left out. Throws CliError. */
  apply(options: RunOptions, text: string): void;
}

export const RUN_OPTIONS: readonly OptionRow[] = [
  {
    name: "root",
    value: "DIR",
    help: "guest root: DIR is read-only underneath, writes go to memory (default: the bundled root)",
    apply: (options, text) => {
      options.root = notEmpty(text, "--root");
    },
  },
  {
    name: "writable",
    help: "writes go to DIR itself",
    apply: (options) => {
      options.writable = true;
    },
  },
  {
    name: "mount",
    value: "HOST:GUEST[:ro]",
    repeatable: true,
    help: "a host folder in the guest (repeatable)",
    apply: (options, text) => options.mounts.push(parseMount(text)),
  },
  {
    name: "memory",
    value: "SIZE",
    help: "physical memory: page tables, page cache and anonymous pages all live in it (default: 256M)",
    apply: (options, text) => {
      options.memoryBytes = parseBoundedSize(text, "--memory", MIN_MEMORY_BYTES, MAX_MEMORY_BYTES);
    },
  },
  {
    name: "swap",
    value: "SIZE",
    help: "swap file size (default: 0, none)",
    apply: (options, text) => {
      options.swapBytes = parseBoundedSize(text, "--swap", 0, MAX_SWAP_BYTES);
    },
  },
  {
    name: "swap-file",
    value: "PATH",
    help: "where the swap file is kept",
    apply: (options, text) => {
      options.swapFile = notEmpty(text, "--swap-file");
    },
  },
  {
    name: "policy",
    value: "NAME",
    help: `which page to evict: ${POLICIES.join(", ")} (default: two-list)`,
    apply: (options, text) => {
      options.policy = oneOf(text, POLICIES, "--policy");
    },
  },
  {
    name: "overcommit",
    value: "MODE",
    help: "heuristic, always or never, as Linux's vm.overcommit_memory (default: heuristic)",
    apply: (options, text) => {
      options.overcommit = oneOf(text, OVERCOMMIT_MODES, "--overcommit");
    },
  },
  {
    name: "overcommit-ratio",
    value: "N",
    help: "percent of memory that counts under never, as vm.overcommit_ratio (default: 50)",
    apply: (options, text) => {
      options.overcommitRatio = parseInteger(text, "--overcommit-ratio", 0, 1000);
    },
  },
  {
    name: "report",
    value: "FILE",
    optionalValue: true,
    help: "memory report at exit: to stderr as text, or to FILE (.json: machine-readable)",
    apply: (options, text) => {
      options.report = text === "" ? "stderr" : outputFile(text);
    },
  },
  {
    name: "trace",
    value: "FILE",
    help: "every fault, copy, eviction, swap, map and unmap (.json opens in Perfetto)",
    apply: (options, text) => {
      options.trace = outputFile(notEmpty(text, "--trace"));
    },
  },
  {
    name: "strace",
    help: "system calls as they happen, on stderr",
    apply: (options) => {
      options.strace = true;
    },
  },
  {
    name: "env",
    value: "K=V",
    repeatable: true,
    help: "an environment variable for the program (repeatable)",
    apply: (options, text) => options.env.push(parseVariable(text)),
  },
  {
    name: "cwd",
    value: "DIR",
    help: "working directory in the guest",
    apply: (options, text) => {
      if (!text.startsWith("/")) throw new CliError(`--cwd "${text}": a guest directory is needed, beginning with /`);
      options.cwd = text;
    },
  },
  {
    name: "seed",
    value: "N",
    help: "make the run reproducible: clock, scheduling and random numbers follow from N",
    apply: (options, text) => {
      options.seed = parseInteger(text, "--seed", 0, 2 ** 32 - 1);
    },
  },
  {
    name: "timeout",
    value: "SECONDS",
    help: "kill the program after this time",
    apply: (options, text) => {
      const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
      if (!(seconds > 0)) throw new CliError(`--timeout "${text}": seconds above 0 are needed`);
      options.timeoutSeconds = seconds;
    },
  },
];

/** What holds where no option says otherwise. */
export function defaultRunOptions(program: string, args: readonly string[]): RunOptions {
  return {
    root: null,
    writable: false,
    mounts: [],
    memoryBytes: 256 * 1024 ** 2,
    swapBytes: 0,
    swapFile: null,
    policy: "two-list",
    overcommit: "heuristic",
    overcommitRatio: 50,
    report: null,
    trace: null,
    strace: false,
    env: [],
    cwd: null,
    seed: null,
    timeoutSeconds: null,
    program,
    args: [...args],
  };
}

/** Checks that concern several options. */
export function checkRunOptions(options: RunOptions): RunOptions {
  if (options.writable && options.root === null) {
    throw new CliError("--writable needs --root DIR: the bundled root is never written to");
  }
  if (options.swapFile !== null && options.swapBytes === 0) {
    throw new CliError("--swap-file needs --swap SIZE above 0");
  }
  return options;
}

function notEmpty(text: string, option: string): string {
  if (text === "") throw new CliError(`${option} needs a value`);
  return text;
}

function oneOf<T extends string>(text: string, allowed: readonly T[], option: string): T {
  const found = allowed.find((name) => name === text);
  if (found === undefined) throw new CliError(`${option} "${text}": one of ${allowed.join(", ")} is needed`);
  return found;
}

function parseInteger(text: string, option: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new CliError(`${option} "${text}": a whole number from ${min} to ${max} is needed`);
  }
  return value;
}

/** Memory and swap come in whole pages: a rest is given up. */
function parseBoundedSize(text: string, option: string, min: number, max: number): number {
  const bytes = parseSize(text, option);
  if (bytes < min) throw new CliError(`${option} "${text}": at least ${exactSize(min)} is needed`);
  if (bytes > max) throw new CliError(`${option} "${text}": at most ${exactSize(max)} is possible`);
  return bytes - (bytes % PAGE_BYTES);
}

function parseMount(text: string): MountOption {
  const match = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text);
  if (!match) throw new CliError(`--mount "${text}": HOST:GUEST or HOST:GUEST:ro is needed, GUEST beginning with /`);
  return { host: match[1], guest: match[2], readOnly: match[3] === "ro" };
}

function parseVariable(text: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at <= 0) throw new CliError(`--env "${text}": NAME=VALUE is needed`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

function outputFile(path: string): OutputFile {
  return { path, json: path.endsWith(".json") };
}
