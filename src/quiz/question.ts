// What a question of the guide is: steps for the guest program `pages`, drawn at random, and where in its output the answer stands. Runs
// nothing itself: the answers are what a machine prints.
import type { Prng } from "../util/prng.ts";

/** Options of the run, as `faultline run` takes them. */
export interface RunFlags {
  memory?: string;
  swap?: string;
}

/** A question before the machine was asked. */
export interface QuestionPlan {
  flags?: RunFlags;
  /** Arguments of /bin/pages. */
  steps: string[];
  /** The question; `lines` is the output, for questions about addresses that the run chose. */
  ask: (lines: readonly string[]) => string;
  /** The right answer in the shortest form. */
  answer: (lines: readonly string[]) => string;
  /** Why, in one or two sentences. */
  because: string;
}

export interface Question {
  text: string;
  /** The command that shows it. */
  command: string;
  answer: string;
  because: string;
  output: readonly string[];
}

export type Template = (random: Prng) => QuestionPlan;

export interface Chapter {
  name: string;
  title: string;
  templates: readonly Template[];
}

/** Runs /bin/pages with these steps; its output, a line each. */
export type RunPages = (steps: readonly string[], flags: RunFlags) => Promise<string[]>;

/** The questions of a chapter under a seed. The same chapter and seed give the same questions and answers. */
export async function questionsOf(chapter: Chapter, random: Prng, run: RunPages): Promise<Question[]> {
  const questions: Question[] = [];
  for (const template of chapter.templates) {
    const { flags = {}, steps, ask, answer, because } = template(random);
    const output = await run(steps, flags);
    questions.push({ text: ask(output), command: commandOf(steps, flags), answer: answer(output), because, output });
  }
  return questions;
}

function commandOf(steps: readonly string[], flags: RunFlags): string {
  const options = Object.entries(flags).map(([name, value]) => `--${name} ${value} `);
  return `faultline run --seed 1 ${options.join("")}/bin/pages ${steps.join(" ")}`;
}

/** Whether `given` means `answer`: blanks, units and leading zeros of numbers do not count. */
export function isRight(given: string, answer: string): boolean {
  return normal(given) === normal(answer);
}

const normal = (text: string): string =>
  text
    .trim()
    .replace(/\s+(KiB|kB|faults?|pages?|areas?)$/, "")
    .replace(/[\s,;]+/g, " ")
    .replace(/\b0+(?=\d)/g, "");

/** A whole number from `least` to `most`. */
export const between = (random: Prng, least: number, most: number): number => least + random.below(most - least + 1);

/** The one line that begins so; throws when the program did not print it (it failed, or the template is wrong). */
export function line(lines: readonly string[], start: string): string {
  const found = lines.find((text) => text.startsWith(start));
  if (found === undefined) throw new Error(`no line "${start}" in: ${lines.join(" | ")}`);
  return found;
}

/** Minor faults of the access whose line begins so. */
export const minorFaults = (start: string) => (lines: readonly string[]) =>
  /: (\d+) minor/.exec(line(lines, start))![1];

export const majorFaults = (start: string) => (lines: readonly string[]) => /(\d+) major/.exec(line(lines, start))![1];

/** A figure of a usage line: "RSS", "PSS", "USS", "swap", "VSZ", "page tables"; KiB. */
export const usage = (start: string, name: string) => (lines: readonly string[]) =>
  new RegExp(`${name} (\\d+) KiB`).exec(line(lines, start))![1];

/** What stands behind the colon. */
export const after = (start: string) => (lines: readonly string[]) => line(lines, start).split(": ")[1];
