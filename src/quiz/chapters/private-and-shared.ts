// Questions of chapter 5: whose store is seen by whom, and how shared frames are counted.
import { after, between, type Chapter, minorFaults, usage } from "../question.ts";

export const privateAndShared: Chapter = {
  name: "private-and-shared",
  title: "Private and shared",
  templates: [
    (random) => {
      const pages = between(random, 3, 6);
      const own = between(random, 0, pages - 1);
      const other = between(random, 0, pages - 1);
      return {
        steps: [
          `file:/tmp/f:${pages}`, `map:p:${pages}:private:rw:/tmp/f`, `map:s:${pages}:shared:rw:/tmp/f`,
          `write:p:${own}:x`, `write:s:${other}:y`, "show:p",
        ], // biome-ignore format: a row of steps
        ask: () =>
          `A file of ${pages} pages (letters A, B, ...) is mapped privately as p and shared as s. x is stored at the start of page ${own} of p, then y at the start of page ${other} of s. What does p show? One word.`,
        answer: after("show p"),
        because:
          "A private page shows the file until its first store; then it is a copy that follows the file no longer.",
      };
    },
    (random) => {
      const pages = between(random, 4, 10);
      const written = between(random, 1, pages - 1);
      return {
        steps: [
          `file:/tmp/f:${pages}`,
          `map:p:${pages}:private:rw:/tmp/f`,
          "read:p:all",
          `write:p:0-${written - 1}`,
          "state:p",
        ],
        ask: () =>
          `All ${pages} pages of a private file mapping are read, then the first ${written} written. The state of each page as one word: f for a page of the file, a for an anonymous page.`,
        answer: after("state p"),
        because: "The store copied the page: the copy is anonymous and belongs to this process alone.",
      };
    },
    (random) => {
      const pages = 2 * between(random, 2, 8);
      return {
        steps: [
          `file:/tmp/f:${pages}`, `map:f:${pages}:private:r:/tmp/f`, "read:f:all",
          "fork", "read:f:all", "usage:f", "end",
        ], // biome-ignore format: a row of steps
        ask: () =>
          `Two processes have all ${pages} pages of a file mapped and read. What is the proportional set size (PSS) of that area in the child, in KiB?`,
        answer: usage("child usage f", "PSS"),
        because: "PSS divides each frame by the number of processes that map it.",
      };
    },
    (random) => {
      const pages = between(random, 4, 12);
      return {
        steps: [`map:s:${pages}:shared:rw`, "write:s:all", "fork", "write:s:all:x", "end"],
        ask: () =>
          `${pages} pages of shared anonymous memory are written by the parent, then by its child. How many faults do the child's stores take?`,
        answer: minorFaults("child write s"),
        because:
          "Shared memory is not copied at fork: its frames are an object's, and the child finds them there with a fault. Stores cannot be served together with their neighbours as reads are.",
      };
    },
  ],
};
