// Questions of chapter 3: anonymous memory that comes into being at the first touch.
import { after, between, type Chapter, minorFaults, usage } from "../question.ts";

export const demandZero: Chapter = {
  name: "demand-zero",
  title: "Demand-zero pages",
  templates: [
    (random) => {
      const read = between(random, 2, 6);
      const written = between(random, 1, 5);
      const pages = read + written + between(random, 1, 4);
      const steps = [`map:a:${pages}`, `read:a:0-${read - 1}`, `write:a:${read}-${read + written - 1}`, "state:a"];
      return {
        steps,
        ask: () =>
          `Of ${pages} fresh anonymous pages, 0 to ${read - 1} are read and ${read} to ${read + written - 1} written. Write down the state of each page as one word: z for the page of zeros, a for a page of its own, . for nothing there.`,
        answer: after("state a"),
        because:
          "A read needs no frame: every unwritten page can share the page of zeros. A store gets a zeroed frame. The rest is only a promise.",
      };
    },
    (random) => {
      const pages = between(random, 10, 50);
      const written = between(random, 1, 9);
      return {
        steps: [`map:a:${pages}`, "read:a:all", `write:a:0-${written - 1}`, "usage:a"],
        ask: () =>
          `All of ${pages} anonymous pages are read, then ${written} are written. What is the area's resident set (RSS) in KiB?`,
        answer: usage("usage a", "RSS"),
        because: "The page of zeros belongs to nobody and does not count; each written page has a frame of 4 KiB.",
      };
    },
    (random) => {
      const pages = between(random, 10, 30);
      const first = between(random, 1, 4);
      const last = between(random, first + 1, pages - 2);
      return {
        steps: [`map:a:${pages}`, "write:a:all", `advise:a:${first}-${last}:dontneed`, "read:a:all"],
        ask: () =>
          `${pages} written anonymous pages; then madvise(MADV_DONTNEED) on pages ${first} to ${last}. How many faults does reading all ${pages} take?`,
        answer: minorFaults("read a"),
        because: "MADV_DONTNEED takes the frames away; the next touch starts from zeros again.",
      };
    },
    (random) => {
      const letter = String.fromCharCode(97 + random.below(26));
      const pages = between(random, 5, 8);
      const hit = between(random, 0, pages - 2);
      return {
        steps: [`map:a:${pages}`, `write:a:all:${letter}`, `advise:a:${hit}-${hit + 1}:dontneed`, "show:a"],
        ask: () =>
          `Each of ${pages} anonymous pages begins with the letter ${letter}. After MADV_DONTNEED on pages ${hit} and ${hit + 1}, which letters do the pages begin with? One word; write 0 for a zero byte.`,
        answer: after("show a"),
        because: "What is thrown away is gone: a demand-zero page begins as zeros.",
      };
    },
  ],
};
