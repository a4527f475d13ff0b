// Questions of chapter 6: what fork shares, what a store copies, and who pays.
import { after, between, type Chapter, minorFaults, usage } from "../question.ts";

export const fork: Chapter = {
  name: "fork",
  title: "fork and copy-on-write",
  templates: [
    (random) => {
      const pages = between(random, 6, 20);
      const written = between(random, 1, pages - 2);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "fork", `write:a:0-${written - 1}:x`, "usage:a", "end"],
        ask: () =>
          `A process with ${pages} written pages forks; the child stores into ${written} of them. What is the child's USS (frames that it alone has) for the area, in KiB?`,
        answer: usage("child usage a", "USS"),
        because: "Only the pages that were stored into were copied.",
      };
    },
    (random) => {
      const pages = between(random, 5, 9);
      const first = between(random, 0, 2);
      const last = between(random, first, pages - 2);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "fork", `write:a:${first}-${last}:x`, "end", "state:a"],
        ask: () =>
          `${pages} written pages; after fork the child stores into pages ${first} to ${last} and stays alive. The state of the parent's pages as one word: A for a frame shared with the child, a for a frame of its own.`,
        answer: after("state a"),
        because: "The child got copies; the frames it gave up are the parent's alone.",
      };
    },
    (random) => {
      const pages = between(random, 6, 20);
      const written = between(random, 1, pages - 2);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "fork", `write:a:0-${written - 1}:x`, "end", "write:a:all:y"],
        ask: () =>
          `As before: ${pages} written pages, fork, the child stores into the first ${written}. Now the parent stores into all ${pages}. How many faults does the parent take?`,
        answer: (lines) => minorFaults("write a")(lines.slice(1)),
        because:
          "fork made every entry read-only in both. Where the child has a copy already the parent is the sole owner: it faults once, too, but nothing is copied.",
      };
    },
    (random) => {
      const pages = between(random, 4, 10);
      return {
        steps: [`map:a:${pages}`, "write:a:all:p", "fork", "write:a:all:c", "end", "show:a:0"],
        ask: () =>
          `Every page of ${pages} begins with p. A forked child stores c into all of them. What does the parent's page 0 begin with?`,
        answer: after("show a"),
        because: "Address spaces are private.",
      };
    },
  ],
};
