// Questions of chapter 1: areas, how they split and merge, and what an access outside them meets.
import { between, type Chapter, line } from "../question.ts";

const countAreas = (lines: readonly string[]): string =>
  String(lines.filter((text) => text.startsWith("area ")).length);

export const area: Chapter = {
  name: "area",
  title: "The area",
  templates: [
    (random) => {
      const pages = between(random, 12, 40);
      const first = between(random, 2, 5);
      const last = between(random, first, pages - 4);
      return {
        steps: [`map:a:${pages}`, `protect:a:${first}-${last}:r`, "areas:a"],
        ask: () =>
          `A program maps ${pages} private anonymous pages, readable and writable, and makes pages ${first} to ${last} read-only. How many areas are there now where one was?`,
        answer: countAreas,
        because: "All pages of an area have the same protection: mprotect of a part splits it.",
      };
    },
    (random) => {
      const pages = between(random, 12, 40);
      const first = between(random, 2, 5);
      const last = between(random, first, pages - 4);
      const atEnd = random.below(2) === 1;
      const back = `protect:a:${atEnd ? `${first}-${pages - 1}` : `${first}-${last}`}:rw`;
      return {
        steps: [
          `map:a:${pages}`,
          `protect:a:${first}-${last}:none`,
          back,
          `unmap:a:${atEnd ? 0 : last + 1}`,
          "areas:a",
        ],
        ask: () =>
          `Of ${pages} anonymous pages, ${first} to ${last} are set to PROT_NONE and then, untouched, back to read-write. Then page ${atEnd ? 0 : last + 1} is unmapped. How many areas are left?`,
        answer: countAreas,
        because:
          "Neighbouring areas that are alike merge again; unmapping a page in the middle leaves one on each side.",
      };
    },
    (random) => {
      const pages = between(random, 8, 20);
      const hole = between(random, 2, pages - 2);
      return {
        steps: [`map:a:${pages}`, `unmap:a:${hole}`, "write:a:all"],
        ask: () =>
          `Of ${pages} writable pages, page ${hole} is unmapped. A loop then stores into every page from 0 on. At which page is it stopped by SIGSEGV?`,
        answer: (lines) => /page (\d+)/.exec(line(lines, "write a"))![1],
        because: "A fault at an address in no area cannot be served: the kernel sends SIGSEGV.",
      };
    },
    (random) => {
      const pages = between(random, 100, 2000);
      const touched = between(random, 1, 20);
      return {
        steps: [`map:a:${pages}`, `write:a:0-${touched - 1}`, "usage:a"],
        ask: () =>
          `A program maps ${pages} anonymous pages and stores into the first ${touched}. How many KiB of the area are resident (RSS)?`,
        answer: (lines) => /RSS (\d+)/.exec(line(lines, "usage a"))![1],
        because: "An area is a promise. Frames are given at the first touch, 4 KiB each.",
      };
    },
  ],
};
