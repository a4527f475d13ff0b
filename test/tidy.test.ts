// What a reader of this repository may rely on: every file says at its top what it is responsible for and is not too long, nothing in src/
// is without use, and what the documentation points to exists.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { expect, test } from "vitest";
import { announceSkip } from "./support/guest.ts";

const MOST_LINES = 700;
/** Where programs and the library begin; the browser's worker and the translating process are named by a URL. */
const ENTRIES = new Set([
  "src/cli/main.ts",
  "src/cpu/index.ts",
  "src/host/browser/worker.ts",
  "src/host/node/translate-ahead.ts",
]);

const skipped = announceSkip(!existsSync(".git"), "tidiness: needs a git checkout");
const files = skipped
  ? []
  : execFileSync("git", ["ls-files"], { encoding: "utf8" }).trim().split("\n").filter(existsSync);
const texts = new Map(
  files
    .filter((name) => !/\.(png|elf|asc|so[.\d]*)$|^guest\/root\//.test(name))
    .map((name) => [name, readFileSync(name, "utf8")]),
);
const named = (pattern: RegExp) => [...texts].filter(([name]) => pattern.test(name));
const ours = /\.(ts|tsx|mjs|c|h|py|sh)$/;

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((found) => found[1]);

test.skipIf(skipped)("every source file opens with a sentence on what it is responsible for", () => {
  const silent = named(ours).filter(([, text]) => !/^(\/\/ |\/\*\*?\s|# )/.test(text.replace(/^#!.*\n/, "")));
  expect(silent.map(([name]) => name)).toEqual([]);
});

test.skipIf(skipped)(`no source file has more than ${MOST_LINES} lines`, () => {
  const long = named(ours).filter(([, text]) => text.trimEnd().split("\n").length > MOST_LINES);
  expect(long.map(([name]) => name)).toEqual([]);
});

test.skipIf(skipped)("every module in src/ is imported, or is where something begins", () => {
  const used = new Set(ENTRIES);
  for (const [name, text] of named(/\.(ts|tsx|mjs|html)$/))
    for (const target of matches(text, /(?:from |import |import\(|new URL\(|src=)"(\.[^"]+)"/g))
      if (!ENTRIES.has(join(dirname(name), target))) used.add(join(dirname(name), target));
  const modules = named(/^src\/.*(?<!\.test|\.d)\.tsx?$/).map(([name]) => name);
  expect(modules.length).toBeGreaterThan(300);
  expect(modules.filter((name) => !used.has(name))).toEqual([]);
});

test.skipIf(skipped)("links and paths in the documentation point to files that exist", () => {
  const dead: string[] = [];
  for (const [name, text] of named(/\.md$/)) {
    const links = matches(text, /\]\((?!https?:|mailto:|#)([^)\s#]+)/g).map((link) => join(dirname(name), link));
    const paths = matches(text, /`((?:src|docs|test|bench|guest|tools|examples)\/[\w./-]*\w)\/?`/g);
    dead.push(...[...links, ...paths].filter((path) => !existsSync(path)).map((path) => `${name}: ${path}`));
  }
  expect(dead).toEqual([]);
});

test.skipIf(skipped)("nothing that is committed names a folder of the machine on which it was written", () => {
  const machine = /\/(work(space)?|builds?)\/[a-z]|\/home\/(?!user|me\b)\w+\/|\bworktrees\b/;
  expect([...texts].filter(([, text]) => machine.test(text)).map(([name]) => name)).toEqual([]);
});
