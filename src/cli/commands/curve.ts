// `faultline curve`: reads its command line. Recording the run and drawing is the action that main passes in.
import type { Command } from "commander";
import { POLICY_NAMES } from "../../mm/policy/index.ts";
import { CliError } from "../cli-error.ts";
import { addProgramCommand } from "./run.ts";
import { type OptionRow, RUN_OPTIONS, type RunOptions } from "./run-options.ts";

/** What `curve` has beyond the options of a run. */
export interface CurveOptions {
  json: string | null;
  svg: string | null;
  png: string | null;
  csv: string | null;
  /** Names, "opt" among them; null: the usual ones. */
  policies: string[] | null;
  /** Memory sizes in pages; null: chosen. */
  sizes: number[] | null;
  /** Also runs the program live at each size. */
  check: boolean;
}

/** Resolves with the program's exit status. */
export type CurveAction = (options: RunOptions, curve: CurveOptions) => Promise<number>;

const HIDDEN = ["report", "trace", "policy", "strace"];

const noCurveOptions = (): CurveOptions => ({
  json: null,
  svg: null,
  png: null,
  csv: null,
  policies: null,
  sizes: null,
  check: false,
});

/** The rows put their values here while a command line is read. */
let given = noCurveOptions();

function file(name: "json" | "svg" | "png" | "csv", help: string): OptionRow {
  return {
    name,
    value: "FILE",
    help,
    apply: (_options, text) => {
      if (text === "") throw new CliError(`--${name} needs a file name`);
      given[name] = text;
    },
  };
}

export const CURVE_OPTIONS: readonly OptionRow[] = [
  file("json", "the curve as data, LRU and the optimum at every size"),
  file("svg", "the plot as SVG"),
  file("png", "the plot as PNG"),
  file("csv", "the page-reference string, as libCacheSim reads it"),
  {
    name: "policies",
    value: "LIST",
    help: `which curves: opt, ${POLICY_NAMES.join(", ")} (default: lru,clock,fifo,two-list,opt)`,
    apply: (_options, text) => {
      given.policies = text.split(",");
      for (const name of given.policies) {
        if (name !== "opt" && !POLICY_NAMES.includes(name)) {
          throw new CliError(`--policies "${name}": opt or one of ${POLICY_NAMES.join(", ")} is needed`);
        }
      }
    },
  },
  {
    name: "sizes",
    value: "LIST",
    help: "memory sizes in pages of 4 KiB (default: about 24 from 6 pages to all)",
    apply: (_options, text) => {
      given.sizes = text.split(",").map((word) => {
        const size = /^\d+$/.test(word) ? Number(word) : 0;
        if (size < 1) throw new CliError(`--sizes "${word}": numbers of pages above 0 are needed`);
        return size;
      });
      given.sizes.sort((a, b) => a - b);
    },
  },
  {
    name: "check",
    help: "also run the program live at each size under each policy, and print both counts",
    apply: () => {
      given.check = true;
    },
  },
  ...RUN_OPTIONS.filter((row) => !HIDDEN.includes(row.name)),
];

export function addCurveCommand(program: Command, action: CurveAction, finished: (status: number) => void): Command {
  const about = {
    name: "curve",
    summary: "page faults for every memory size, from one run of a program",
    description:
      "Runs a program once, recording every page it uses, and prints how many faults it would have in each memory\n" +
      "size under several policies and Belady's optimum. What the program writes to stdout goes to stderr here; the\n" +
      "exit status is the program's own.",
  };
  given = noCurveOptions();
  return addProgramCommand(program, about, (options) => action(options, given), finished, CURVE_OPTIONS);
}
