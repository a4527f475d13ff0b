// `faultline run`: reads the command line into RunOptions. Running the program is the action that main passes in.
import { type Command, Option } from "commander";
import { HELP_WIDTH } from "../help-width.ts";
import { checkRunOptions, defaultRunOptions, type OptionRow, RUN_OPTIONS, type RunOptions } from "./run-options.ts";

export type { MountOption, OutputFile, RunOptions } from "./run-options.ts";

/** Runs the program; resolves with the exit status of the whole command. */
export type RunAction = (options: RunOptions) => Promise<number>;

export interface ProgramCommand {
  name: string;
  summary: string;
  description: string;
}

/**
 * Adds a command that runs a program: the options of the table before PROGRAM, everything from PROGRAM on for the guest.
 * `finished` receives the exit status. `rows`: other options than those of `run`.
 */
export function addProgramCommand(
  program: Command,
  about: ProgramCommand,
  action: RunAction,
  finished: (status: number) => void,
  rows: readonly OptionRow[] = RUN_OPTIONS,
): Command {
  const command = program
    .command(about.name)
    .summary(about.summary)
    .description(about.description)
    .usage("[options] [--] PROGRAM [ARG...]")
    .argument("<program>", "path in the guest, or a name looked up in its PATH")
    .argument("[args...]", "its arguments")
    .passThroughOptions();
  const given: { row: OptionRow; text: string }[] = [];
  for (const row of rows) {
    command.addOption(tableOption(row));
    // Occurrences in their order: repeatable options and later ones that win need no further rules.
    command.on(`option:${row.name}`, (text: string | null) => given.push({ row, text: text ?? "" }));
  }
  command.configureHelp({
    helpWidth: HELP_WIDTH,
    optionTerm: (option) => termOf(option, rows),
    visibleArguments: () => [], // the usage line says it all
  });
  command.action(async (name: string, args: string[]) => {
    const options = defaultRunOptions(name, args);
    for (const { row, text } of given) row.apply(options, text);
    finished(await action(checkRunOptions(options)));
  });
  return command;
}

function tableOption(row: OptionRow): Option {
  const value = row.value === undefined ? "" : row.optionalValue ? ` [${row.value}]` : ` <${row.value}>`;
  return new Option(`--${row.name}${value}`, row.help);
}

/** "--report[=FILE]" and "--memory SIZE" instead of commander's brackets, which mean something else on our pages. */
function termOf(option: Option, rows: readonly OptionRow[]): string {
  const row = rows.find((candidate) => `--${candidate.name}` === option.long);
  if (row?.value === undefined) return option.flags;
  return row.optionalValue ? `--${row.name}[=${row.value}]` : `--${row.name} ${row.value}`;
}

/**
 * An optional value is only ever joined with "=", or `--report PROGRAM` would take the program for the file. Commander
 * takes the next word too, so a bare `--report` in front of PROGRAM becomes `--report=`.
 */
export function normaliseOptionalValues(
  argv: readonly string[],
  commands: Readonly<Record<string, readonly OptionRow[]>>,
): string[] {
  const at = argv.findIndex((word) => !word.startsWith("-"));
  if (at === -1 || !Object.hasOwn(commands, argv[at])) return [...argv];
  const rows = commands[argv[at]];
  const out = argv.slice(0, at + 1);
  let i = at + 1;
  for (; i < argv.length; i++) {
    const word = argv[i];
    if (word === "--" || !word.startsWith("-")) break;
    const row = rows.find((candidate) => `--${candidate.name}` === word);
    out.push(row?.optionalValue ? `${word}=` : word);
    if (row?.value !== undefined && !row.optionalValue && i + 1 < argv.length) out.push(argv[++i]);
  }
  return [...out, ...argv.slice(i)];
}
