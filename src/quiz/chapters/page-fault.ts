// Questions of chapter 2: which accesses fault, how often, and which faults wait for a disk.
import { between, type Chapter, majorFaults, minorFaults } from "../question.ts";

export const pageFault: Chapter = {
  name: "page-fault",
  title: "The page fault",
  templates: [
    (random) => {
      const pages = between(random, 20, 60);
      const step = between(random, 2, 4);
      return {
        steps: [`map:a:${pages}`, `write:a:0-${pages - 1}/${step}`, "write:a:all"],
        ask: () =>
          `A program stores into every ${step}. page of ${pages} fresh anonymous pages, starting at page 0, and then into all of them. How many faults does the second loop take?`,
        answer: (lines) => minorFaults("write a all")(lines),
        because: "A page that was touched translates without a fault; only those left out fault now.",
      };
    },
    (random) => {
      const pages = between(random, 4, 30);
      return {
        steps: [`file:/tmp/f:${pages}`, `map:f:${pages}:private:rw:/tmp/f`, "write:f:all"],
        ask: () =>
          `A program makes a file of ${pages} pages with write(2), maps it privately and stores into every page. How many of the faults are major?`,
        answer: majorFaults("write f"),
        because:
          "A fault is major when it waits for a device. write(2) left the pages in the file's page cache: each is copied from there.",
      };
    },
    (random) => {
      const pages = between(random, 5, 30);
      const read = between(random, 2, pages - 1);
      return {
        steps: [`map:a:${pages}`, `read:a:0-${read - 1}`, "write:a:all"],
        ask: () =>
          `Of ${pages} fresh anonymous pages a program reads the first ${read}, then it stores into all. How many faults do the stores take?`,
        answer: minorFaults("write a"),
        because:
          "Reading an untouched anonymous page maps the one shared page of zeros, read-only. The first store still needs a frame.",
      };
    },
    (random) => {
      const pages = between(random, 4, 12);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "protect:a:all:r", "protect:a:all:rw", "write:a:all:x"],
        ask: () =>
          `${pages} written pages are made read-only and writable again by mprotect; nothing happens in between. How many faults do stores into all of them take now?`,
        answer: (lines) => minorFaults("write a")(lines.slice(1)),
        because:
          "The pages are dirty and belong to one process: mprotect gives their entries the write permission back at once.",
      };
    },
  ],
};
