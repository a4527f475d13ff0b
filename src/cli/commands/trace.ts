// `faultline trace`: reads its command line. Summarising the file is the action that main passes in.
import type { Command } from "commander";
import { HELP_WIDTH } from "../help-width.ts";

export interface TraceOptions {
  file: string;
  json: boolean;
  csv: string | null;
  png: string | null;
  /** Rows of the lists. */
  top: number;
}

export type TraceAction = (options: TraceOptions) => Promise<number>;

export function addTraceCommand(program: Command, action: TraceAction, finished: (status: number) => void): Command {
  return program
    .command("trace")
    .summary("summarise a trace written by run --trace")
    .description(
      "Summarises a trace that `run --trace FILE` wrote, binary or .json: faults by kind, process, area and\n" +
        "function, the pages that faulted most, the working set over time, and a heat map.",
    )
    .usage("[options] FILE")
    .argument("<file>", "the trace")
    .option("--json", "the summary as data")
    .option("--csv <FILE>", "the pages of the faults in their order, as libCacheSim reads them")
    .option("--png <FILE>", "the heat map as a picture: time from left to right, addresses from bottom to top")
    .option("--top <N>", "rows of the lists", "10")
    .configureHelp({ helpWidth: HELP_WIDTH, visibleArguments: () => [] })
    .action(async (file: string, o: { json?: boolean; csv?: string; png?: string; top: string }) => {
      finished(
        await action({
          file,
          json: o.json ?? false,
          csv: o.csv ?? null,
          png: o.png ?? null,
          top: Math.max(1, Number.parseInt(o.top, 10) || 10),
        }),
      );
    });
}
