// Questions of chapter 4: files in memory, their last page, and what lies beyond.
import { after, between, type Chapter, line, majorFaults } from "../question.ts";

export const pageCache: Chapter = {
  name: "page-cache",
  title: "The page cache",
  templates: [
    (random) => {
      const pages = between(random, 2, 6);
      const bytes = between(random, 1, 4000);
      return {
        steps: [`file:/tmp/f:${pages}:${bytes}`, `map:f:${pages + 4}:private:r:/tmp/f`, "read:f:all"],
        ask: () =>
          `A file of ${pages} pages and ${bytes} bytes is mapped with ${pages + 4} pages. A loop reads the first byte of every page. At which page is it stopped by SIGBUS?`,
        answer: (lines) => /page (\d+)/.exec(line(lines, "read f"))![1],
        because:
          "The last, partial page of the file is a page (its rest reads as zeros). Beyond it there is nothing to map: SIGBUS.",
      };
    },
    (random) => {
      const first = between(random, 1, 12);
      const pages = between(random, 3, 6);
      return {
        steps: [`file:/tmp/f:${first + pages}`, `map:f:${pages}:private:r:/tmp/f:${first}`, "show:f"],
        ask: () =>
          `Page i of a file is full of the i-th letter, beginning with A for page 0. ${pages} pages of it are mapped from file page ${first} on. Which letters does the area show? One word.`,
        answer: after("show f"),
        because: "Page k of the area is page (offset + k) of the file.",
      };
    },
    (random) => {
      const pages = between(random, 2, 15);
      return {
        steps: [
          `file:/tmp/f:${pages}`, `map:f:${pages}:shared:rw:/tmp/f`, "sync:f", "drop", "read:f:all",
          `map:g:${pages}:private:r:/tmp/f`, "read:g:all",
        ], // biome-ignore format: a row of steps
        ask: () =>
          `A file of ${pages} pages that is not in memory is read through one mapping, then through a second one. How many major faults does the second reading take?`,
        answer: majorFaults("read g"),
        because: "The first reading brought the pages into the file's page cache. A second mapping finds them there.",
      };
    },
    (random) => {
      const pages = between(random, 3, 6);
      const written = between(random, 0, pages - 1);
      return {
        steps: [
          `file:/tmp/f:${pages}`, `map:f:${pages}:shared:rw:/tmp/f`, `map:g:${pages}:shared:r:/tmp/f`,
          `write:f:${written}:x`, "show:g",
        ], // biome-ignore format: a row of steps
        ask: () =>
          `A file of ${pages} pages (letters A, B, ...) is mapped twice, shared. Through the first mapping x is stored at the start of page ${written}; there is no msync. What does the second mapping show? One word.`,
        answer: after("show g"),
        because: "Both mappings show the same frames of one page cache.",
      };
    },
  ],
};
