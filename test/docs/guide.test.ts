// The guide tells the truth: every "$ faultline ..." block is run and must print what stands below it; the commands to try work; the quiz
// answers its own questions, and tells right from wrong. With UPDATE_GUIDE set, the blocks are written anew: read the change.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runPages } from "../../src/cli/commands/quiz-run.ts";
import { CHAPTERS, isRight, questionsOf } from "../../src/quiz/index.ts";
import { Prng } from "../../src/util/prng.ts";
import { faultline } from "../support/built-cli.ts";

const FOLDER = "docs/guide";
const pages = readdirSync(FOLDER).filter((name) => /^\d/.test(name));
const textOf = (name: string) => readFileSync(`${FOLDER}/${name}`, "utf8");

/** Words of a command line without quotes. */
const words = (command: string) => command.split(/\s+/).filter((word) => word !== "");

test("a chapter a question set, in the same order", () => {
  expect(pages.map((name) => name.replace(/^\d-|\.md$/g, ""))).toEqual(CHAPTERS.map(({ name }) => name));
  for (const [i, name] of pages.entries()) {
    expect(textOf(name)).toContain(`# ${i + 1}. `);
    expect(textOf(name)).toContain(`npx faultline quiz ${CHAPTERS[i].name} --seed 1`);
  }
});

describe.each(pages)("%s", (name) => {
  const blocks = [...textOf(name).matchAll(/```\n\$ faultline (.*)\n([^`]*)```/g)];
  test.each(blocks.map(([, command, output]) => ({ command, output })))("$command", ({ command, output }) => {
    const { status, stdout, stderr } = faultline(words(command));
    if (process.env.UPDATE_GUIDE) {
      const block = (text: string) => `$ faultline ${command}\n${text}\`\`\``;
      writeFileSync(
        `${FOLDER}/${name}`,
        textOf(name).replace(block(output), () => block(stdout)),
      );
      return;
    }
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: output });
  });

  const tries = [...textOf(name).matchAll(/^ {4}npx faultline (run --seed 1 .*|curve .*)$/gm)].map(
    ([, command]) => command,
  );
  test("has something to try, and it runs", () => {
    expect(tries.length).toBeGreaterThan(0);
    for (const command of tries) {
      if (command.includes("--trace")) continue;
      const { status, stdout } = faultline(words(command));
      expect({ command, status, lines: stdout.split("\n").length > 1 }).toEqual({ command, status: 0, lines: true });
    }
  });
});

describe("quiz", () => {
  test.each(CHAPTERS.map((chapter) => chapter.name))("%s: many seeds make questions with answers", async (name) => {
    const chapter = CHAPTERS.find((candidate) => candidate.name === name)!;
    const texts = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      const questions = await questionsOf(chapter, new Prng(seed), runPages);
      expect(questions.length).toBe(chapter.templates.length);
      for (const { text, answer, because } of questions) {
        expect(answer).toMatch(/^[\w. ]+$/);
        expect(because).toMatch(/\.$/);
        texts.add(text);
      }
    }
    // Other seeds, other numbers.
    expect(texts.size).toBeGreaterThan(2 * chapter.templates.length);
  });

  test("the same seed asks the same, and --check tells right from wrong", async () => {
    const chapter = CHAPTERS[5];
    const first = faultline(["quiz", "fork", "--seed", "9"]);
    expect(first.status).toBe(0);
    expect(faultline(["quiz", "fork", "--seed", "9"]).stdout).toBe(first.stdout);
    const answers = (await questionsOf(chapter, new Prng(9), runPages)).map((question) => question.answer);
    const right = faultline(["quiz", "fork", "--seed", "9", "--check", ...answers]);
    expect(right).toMatchObject({ status: 0, stderr: "" });
    expect(right.stdout).toContain("4 of 4 right\n");
    const wrong = faultline(["quiz", "fork", "--seed", "9", "--check", ...answers.slice(0, 3), "q"]);
    expect(wrong.status).toBe(1);
    expect(wrong.stdout).toContain("3 of 4 right\n");
    const piped = faultline(["quiz", "fork", "--seed", "9", "--check"], `${answers.join("\n")}\n`);
    expect(piped.status).toBe(0);
  });

  test("a reader that leaves early is no error", () => {
    const { stderr } = spawnSync("sh", ["-c", `${process.execPath} dist/cli/main.js quiz fork | head -n 1`], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
  });

  test("mistakes are named", () => {
    expect(faultline(["quiz", "nothing"])).toMatchObject({ status: 2, stdout: "" });
    expect(faultline(["quiz", "fork", "--seed", "x"]).stderr).toBe('faultline: --seed "x" is not a whole number\n');
    expect(faultline(["quiz", "fork", "--check", "1"]).stderr).toBe("faultline: 4 questions need 4 answers, not 1\n");
    expect(faultline(["quiz"]).stdout.split("\n").length).toBe(CHAPTERS.length + 1);
  });

  test("answers may come with units, blanks and leading zeros, not with other numbers", () => {
    expect(isRight(" 012 KiB", "12")).toBe(true);
    expect(isRight("255, 0, 7", "255 0 7")).toBe(true);
    expect(isRight("AAaa", "aaaa")).toBe(false);
    expect(isRight("13", "12")).toBe(false);
  });
});
