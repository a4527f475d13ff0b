// `faultline quiz`: reads its command line. Asking the machine is the action that main passes in.
import type { Command } from "commander";
import { CHAPTERS } from "../../quiz/index.ts";
import { CliError } from "../cli-error.ts";
import { HELP_WIDTH } from "../help-width.ts";

export interface QuizOptions {
  /** Name of a chapter; null: list them. */
  chapter: string | null;
  seed: number;
  /** null: print the questions. Empty: answers come from stdin, a line each. */
  answers: string[] | null;
}

export type QuizAction = (options: QuizOptions) => Promise<number>;

export function addQuizCommand(program: Command, action: QuizAction, finished: (status: number) => void): Command {
  return program
    .command("quiz")
    .summary("questions on a chapter of docs/guide, answered by the machine")
    .description(
      "Prints questions on a chapter of docs/guide; --seed draws other numbers. With --check the answers that follow\n" +
        "(or lines of stdin) are compared with what the machine does: the exit status is 0 when all are right, else 1.\n" +
        `Chapters: ${CHAPTERS.map((chapter) => chapter.name).join(", ")}.`,
    )
    .usage("[CHAPTER] [--seed N] [--check [ANSWER...]]")
    .argument("[chapter]", "a chapter; none: list them")
    .option("--seed <N>", "which numbers the questions have", "1")
    .option("--check [ANSWER...]", "compare answers, in the order of the questions")
    .configureHelp({ helpWidth: HELP_WIDTH, visibleArguments: () => [] })
    .action(async (name: string | undefined, o: { seed: string; check?: true | string[] }) => {
      if (!/^\d{1,9}$/.test(o.seed)) throw new CliError(`--seed "${o.seed}" is not a whole number`);
      if (name !== undefined && !CHAPTERS.some((chapter) => chapter.name === name))
        throw new CliError(`no chapter "${name}": one of ${CHAPTERS.map((chapter) => chapter.name).join(", ")}`);
      finished(
        await action({
          chapter: name ?? null,
          seed: Number(o.seed),
          answers: o.check === undefined ? null : o.check === true ? [] : o.check,
        }),
      );
    });
}
