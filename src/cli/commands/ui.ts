// `faultline ui`: reads its command line. Running the program and serving the page is the action that main passes in.
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { addProgramCommand } from "./run.ts";
import { type OptionRow, RUN_OPTIONS, type RunOptions } from "./run-options.ts";

/** What `ui` has beyond the options of a run. */
export interface UiOptions {
  /** 0: any free one. */
  port: number;
  /** Stand still before the first instruction. */
  paused: boolean;
}

/** Resolves with the program's exit status. */
export type UiAction = (options: RunOptions, ui: UiOptions) => Promise<number>;

/** The rows put their values here while a command line is read. */
let given: UiOptions = { port: 0, paused: false };

const MOST_PORT = 65535;
/** What the page shows anyway. */
const HIDDEN = ["report", "trace"];

export const UI_OPTIONS: readonly OptionRow[] = [
  {
    name: "port",
    value: "N",
    help: "port of the page on 127.0.0.1 (default: any free one)",
    apply: (_options, text) => {
      if (!/^\d{1,5}$/.test(text) || Number(text) > MOST_PORT) throw new CliError(`--port "${text}" is not a port`);
      given.port = Number(text);
    },
  },
  {
    name: "paused",
    help: "stand still before the first instruction, until the page says run",
    apply: () => {
      given.paused = true;
    },
  },
  ...RUN_OPTIONS.filter((row) => !HIDDEN.includes(row.name)),
];

export function addUiCommand(program: Command, action: UiAction, finished: (status: number) => void): Command {
  const about = {
    name: "ui",
    summary: "run a program with a live view of its memory in the browser",
    description:
      "Runs a program as `run` does, and serves a page on 127.0.0.1 that shows every page, frame and fault, and that can\n" +
      "stop, step, and go back. The address of the page is printed on stderr; the program's terminal is in the page.\n" +
      "The run is seeded (--seed, default 1). After the program's end the page stays until Ctrl-C; the exit status is\n" +
      "the program's own.",
  };
  given = { port: 0, paused: false };
  return addProgramCommand(program, about, (options) => action(options, given), finished, UI_OPTIONS);
}
