// The command line `faultline`: its subcommands, and how errors become one line on stderr and an exit status. What the
// commands do is in commands/; what they work on comes from main.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { InstallError } from "../host/node/install/install-error.ts";
import type { InstallEnvironment } from "../host/node/install/installer.ts";
import { ImageError } from "../image/errors.ts";
import { CliError } from "./cli-error.ts";
import { addCurveCommand, CURVE_OPTIONS, type CurveAction } from "./commands/curve.ts";
import { addInstallCommand } from "./commands/install.ts";
import { addQuizCommand, type QuizAction } from "./commands/quiz.ts";
import { addProgramCommand, normaliseOptionalValues, type RunAction } from "./commands/run.ts";
import { RUN_OPTIONS } from "./commands/run-options.ts";
import { addTraceCommand, type TraceAction } from "./commands/trace.ts";
import { addUiCommand, UI_OPTIONS, type UiAction } from "./commands/ui.ts";
import { HELP_WIDTH } from "./help-width.ts";

/** What the commands work on; tests replace it. */
export interface CliContext {
  stdout: (text: string) => void;
  stderr: (text: string) => void;
  installEnvironment: () => InstallEnvironment;
  run: RunAction;
  demo: () => Promise<number>;
  curve: CurveAction;
  trace: TraceAction;
  quiz: QuizAction;
  ui: UiAction;
}

/** Runs one command line (without node and script). Resolves with the exit status; never throws for a user's mistake. */
export async function runCommandLine(argv: readonly string[], context: CliContext): Promise<number> {
  let status = 0;
  const program = buildProgram(context, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(
      normaliseOptionalValues(argv, { run: RUN_OPTIONS, ui: UI_OPTIONS, curve: CURVE_OPTIONS }),
      {
        from: "user",
      },
    );
    return status;
  } catch (error) {
    return statusOf(error, context);
  }
}

function buildProgram(context: CliContext, finished: (status: number) => void): Command {
  const program = new Command("faultline")
    .description("Linux memory mapping, implemented for real: unmodified riscv64 Linux programs, every page visible.")
    .version(version(), "--version", "print the version")
    .helpOption("--help", "print this help")
    .helpCommand(false)
    .usage("COMMAND [options]")
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ helpWidth: HELP_WIDTH, subcommandTerm: (command) => command.name() })
    .configureOutput({
      writeOut: context.stdout,
      writeErr: context.stderr,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(`faultline: ${oneLine(text)}\n`),
    });
  const about = {
    name: "run",
    summary: "run a riscv64 Linux program",
    description:
      "Runs a riscv64 Linux program. stdin, stdout, stderr and the exit status are the program's own\n" +
      "(128+N if signal N killed it). Sizes take K, M, G.",
  };
  addProgramCommand(program, about, context.run, finished);
  addUiCommand(program, context.ui, finished);
  addCurveCommand(program, context.curve, finished);
  addTraceCommand(program, context.trace, finished);
  addInstallCommand(program, context.installEnvironment, context.stdout, finished);
  addQuizCommand(program, context.quiz, finished);
  program
    .command("demo")
    .summary("what memory mapping does, shown on bundled programs, offline, in seconds")
    .description(
      "Shows what memory mapping does, on bundled programs: offline, in seconds, with the numbers of the run.",
    )
    .usage("")
    .action(async () => finished(await context.demo()));
  return program;
}

/** "error: unknown option '--x'\n(Did you mean --y?)" becomes one line. */
const oneLine = (text: string): string =>
  text
    .replace(/^error: /, "")
    .trim()
    .replace(/\s*\n\s*/g, " ");

function statusOf(error: unknown, context: CliContext): number {
  if (error instanceof CommanderError) {
    // Commander has written its message (or the help that was asked for) already.
    return error.code === "commander.helpDisplayed" || error.code === "commander.version" ? 0 : 2;
  }
  if (error instanceof CliError || error instanceof InstallError) {
    context.stderr(`faultline: ${oneLine(error.message)}\n`);
    return error.status;
  }
  if (error instanceof ImageError) {
    context.stderr(`faultline: ${oneLine(error.message)}\n`);
    return 1;
  }
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof Error && code !== undefined && syscall !== undefined) {
    // The host refused something (disk full, no permission): its own words name the file.
    context.stderr(`faultline: ${oneLine(error.message)}\n`);
    return 1;
  }
  throw error;
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
