// Questions of chapter 8: pages that travel between memory and the swap file.
import { after, between, type Chapter, majorFaults, usage } from "../question.ts";

const flags = { swap: "8M" };

export const swap: Chapter = {
  name: "swap",
  title: "Swap",
  templates: [
    (random) => {
      const pages = between(random, 8, 12);
      const first = between(random, 1, 3);
      const last = between(random, first + 1, pages - 3);
      const read = between(random, first, last);
      return {
        flags,
        steps: [`map:a:${pages}`, "write:a:all", `advise:a:${first}-${last}:pageout`, `read:a:${read}`, "state:a"],
        ask: () =>
          `${pages} written pages; pages ${first} to ${last} are sent to swap, then page ${read} is read. The state of each page as one word: a in memory, s in swap.`,
        answer: after("state a"),
        because: "A page comes back when it is touched, alone.",
      };
    },
    (random) => {
      const pages = between(random, 10, 30);
      const out = between(random, 2, 8);
      return {
        flags,
        steps: [`map:a:${pages}`, "write:a:all", `advise:a:0-${out - 1}:pageout`, "usage:a"],
        ask: () =>
          `Of ${pages} written anonymous pages ${out} are sent to swap. What is the RSS of the area now, in KiB?`,
        answer: usage("usage a", "RSS"),
        because: "A page in swap takes no frame.",
      };
    },
    (random) => {
      const pages = between(random, 10, 30);
      const out = between(random, 2, 8);
      return {
        flags,
        steps: [`map:a:${pages}`, "write:a:all", `advise:a:0-${out - 1}:pageout`, "write:a:all:x"],
        ask: () =>
          `Of ${pages} written anonymous pages the first ${out} are sent to swap. A loop stores into all ${pages}. How many major faults?`,
        answer: (lines) => majorFaults("write a")(lines.slice(1)),
        because: "Each page in swap must be read back before it can be stored into; the others are there.",
      };
    },
    (random) => {
      const pages = between(random, 4, 9);
      const read = between(random, 1, pages - 2);
      return {
        flags,
        steps: [
          `map:a:${pages}`,
          `read:a:0-${read - 1}`,
          `write:a:${read}-${pages - 1}`,
          "advise:a:all:pageout",
          "state:a",
        ],
        ask: () =>
          `Of ${pages} anonymous pages the first ${read} were only read, the others written. All are to be paged out. The state of each page as one word: z page of zeros, s in swap, a in memory.`,
        answer: after("state a"),
        because:
          "The page of zeros holds nothing that could be lost, and is not in the way: only written pages go to swap.",
      };
    },
  ],
};
