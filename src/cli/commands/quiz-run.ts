// What `faultline quiz` does: runs the steps of each question on a machine, prints questions, or compares answers.
import { createInterface } from "node:readline";
import { Machine } from "../../host/node/index.ts";
import { CHAPTERS, isRight, type Question, questionsOf, type RunFlags } from "../../quiz/index.ts";
import { Prng } from "../../util/prng.ts";
import { CliError } from "../cli-error.ts";
import { endWhenReaderLeaves } from "../reader-left.ts";
import type { QuizOptions } from "./quiz.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

export async function runQuiz({ chapter: name, seed, answers }: QuizOptions): Promise<number> {
  endWhenReaderLeaves();
  const chapter = CHAPTERS.find((candidate) => candidate.name === name);
  if (chapter === undefined) {
    for (const [i, { name, title }] of CHAPTERS.entries())
      print(`${String(i + 1).padStart(2)}  ${name.padEnd(20)}${title}`);
    return 0;
  }
  const questions = await questionsOf(chapter, new Prng(seed), runPages);
  if (answers === null) {
    print(`${chapter.title}: ${questions.length} questions of seed ${seed}\n`);
    questions.forEach(ask);
    print(`Check yourself: faultline quiz ${chapter.name} --seed ${seed} --check ANSWER...`);
    return 0;
  }
  const given = answers.length > 0 ? answers : await askOneByOne(questions);
  if (given.length !== questions.length)
    throw new CliError(`${questions.length} questions need ${questions.length} answers, not ${given.length}`);
  const right = questions.filter((question, i) => judge(question, given[i], i)).length;
  print(`${right} of ${questions.length} right`);
  return right === questions.length ? 0 : 1;
}

function ask(question: Question, i: number): void {
  print(`${i + 1}. ${question.text}`);
  print(`   See it: ${question.command}\n`);
}

/** Answers from stdin; at a terminal each question is shown first. */
async function askOneByOne(questions: readonly Question[]): Promise<string[]> {
  const lines = createInterface({ input: process.stdin });
  const answers: string[] = [];
  if (process.stdin.isTTY) print(`1. ${questions[0].text}`);
  for await (const line of lines) {
    if (answers.push(line) === questions.length) break;
    if (process.stdin.isTTY) print(`${answers.length + 1}. ${questions[answers.length].text}`);
  }
  lines.close();
  return answers;
}

function judge(question: Question, given: string, i: number): boolean {
  const right = isRight(given, question.answer);
  print(
    `${i + 1}. ${right ? "right" : "wrong"}: ${question.answer}${right ? "" : ` (you said ${given})`}. ${question.because}`,
  );
  if (!right) for (const line of question.output) print(`      ${line}`);
  return right;
}

/** The steps on a machine of their own, as the command printed beside the question runs them. */
export async function runPages(steps: readonly string[], flags: RunFlags): Promise<string[]> {
  const machine = await Machine.create({ ...flags, seed: 1 });
  try {
    const { code, stdout } = await machine.spawn("/bin/pages", steps, { stdin: null }).wait();
    if (code !== 0) throw new Error(`pages ${steps.join(" ")} ended with ${code}: ${stdout}`);
    return stdout.trimEnd().split("\n");
  } finally {
    await machine.stop();
    machine.close();
  }
}
