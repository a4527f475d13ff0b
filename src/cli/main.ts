#!/usr/bin/env node
// The executable `faultline`: connects the command line with this process. Decides nothing itself.
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { loadBundle } from "./bundle.ts";
import type { CliContext } from "./command-line.ts";
import type { RunAction } from "./commands/run.ts";

function processContext(run: RunAction): CliContext {
  return {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    installEnvironment: () => ({
      env: process.env,
      etcApt: "/etc/apt",
      keyringFolder: "/usr/share/keyrings",
      stderr: {
        write: (text) => process.stderr.write(text),
        isTTY: process.stderr.isTTY === true,
        columns: process.stderr.columns ?? 80,
      },
      nowMs: () => Date.now(),
      retryDelayMs: 500,
    }),
    // Loaded when needed: the machine is by far the largest part, and install and --help do without it.
    run,
    curve: async (options, curve) => (await import("./commands/curve-program.ts")).curveProgram(options, curve),
    trace: async (options) => (await import("./commands/trace-file.ts")).summariseTraceFile(options),
    ui: async (options, ui) => (await import("./commands/ui-program.ts")).uiProgram(options, ui),
    quiz: async (options) => (await import("./commands/quiz-run.ts")).runQuiz(options),
    demo: async () => (await import("./commands/demo.ts")).runDemo(),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realScript(process.argv[1])).href) {
  const argv = process.argv.slice(2);
  // The other commands use modules that the bundle has not, and two copies of one module would not know each other's classes.
  const bundle = argv[0] === "run" ? loadBundle() : null;
  const { runCommandLine } = bundle ?? (await import("./command-line.ts"));
  const run: RunAction = async (options) => (bundle ?? (await import("./commands/run-program.ts"))).runProgram(options);
  process.exitCode = await runCommandLine(argv, processContext(run));
}

/** npm starts the command through a symbolic link; the module's own address has none. */
function realScript(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
