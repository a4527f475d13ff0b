// Questions of chapter 7: what exec throws away, what it maps, and what stays in memory.
import { after, between, type Chapter, majorFaults, minorFaults } from "../question.ts";

export const exec: Chapter = {
  name: "exec",
  title: "exec",
  templates: [
    (random) => {
      const pages = between(random, 4, 16);
      return {
        steps: [
          `file:/tmp/f:${pages}`, `map:f:${pages}:shared:rw:/tmp/f`, "sync:f", "drop", "read:f:all",
          "exec", `map:g:${pages}:private:r:/tmp/f`, "read:g:all",
        ], // biome-ignore format: a row of steps
        ask: () =>
          `A program reads all ${pages} pages of a file that was not in memory through a mapping, then calls exec. The new program maps and reads the same file. How many major faults does it take?`,
        answer: majorFaults("read g"),
        because: "exec throws the mappings away, not the page cache: it belongs to the file.",
      };
    },
    (random) => {
      const pages = between(random, 4, 16);
      return {
        steps: [`map:a:${pages}`, "write:a:all:x", "exec", `map:a:${pages}`, "show:a:0-3"],
        ask: () =>
          `A program writes x into ${pages} anonymous pages and calls exec; the new program maps ${pages} anonymous pages. What do its first four begin with? One word; 0 for a zero byte.`,
        answer: after("show a"),
        because: "Anonymous pages end with the address space that they belong to.",
      };
    },
    (random) => {
      const pages = between(random, 5, 30);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "exec", `map:a:${pages}`, "write:a:all"],
        ask: () =>
          `A program has ${pages} written pages and calls exec. The new program maps ${pages} pages and stores into all. How many faults?`,
        answer: (lines) => minorFaults("write a")(lines.slice(1)),
        because: "A new address space starts empty: every page is touched for the first time.",
      };
    },
    (random) => {
      const pages = between(random, 3, 9);
      return {
        steps: [
          `file:/tmp/f:${pages}`,
          `map:f:${pages}:shared:rw:/tmp/f`,
          "write:f:1:x",
          "exec",
          `map:f:${pages}:private:r:/tmp/f`,
          "show:f",
        ],
        ask: () =>
          `A program stores x at the start of page 1 of a shared mapping of a file of ${pages} pages (A, B, ...) and calls exec without msync. What does the new program see in the file? One word.`,
        answer: after("show f"),
        because: "The store is in the page cache. The mapping is gone, the file's page is not.",
      };
    },
  ],
};
