// Questions of chapter 9: how Sv39 translates an address, and what page tables cost.
import { LEVELS, PAGE_SIZE, tableIndex } from "../../arch/sv39.ts";
import { after, between, type Chapter, minorFaults, usage } from "../question.ts";

const addressIn = (lines: readonly string[]): number => Number.parseInt(after("where a")(lines), 16);

export const tlb: Chapter = {
  name: "tlb",
  title: "Page tables and the TLB",
  templates: [
    (random) => {
      const pages = between(random, 600, 3000);
      const page = between(random, 1, pages - 1);
      return {
        steps: [`map:a:${pages}`, "where:a", `write:a:${page}`],
        ask: (lines) =>
          `Page ${page} of an area that begins at 0x${addressIn(lines).toString(16)} is touched. Which entry of the root table, of the second table and of the leaf table does the walk read? Three numbers from 0 to 511.`,
        answer: (lines) => {
          const vpn = addressIn(lines) / PAGE_SIZE + page;
          return Array.from({ length: LEVELS }, (_, i) => tableIndex(vpn, LEVELS - 1 - i)).join(" ");
        },
        because: "A virtual page number of Sv39 is three indices of 9 bits, the highest for the root table.",
      };
    },
    (random) => {
      const regions = between(random, 2, 6);
      const pages = regions * 512;
      return {
        steps: [`map:a:${pages}`, "where:a", "usage", `write:a:0-${pages - 1}/512`, "usage"],
        ask: (lines) =>
          `Of an area of ${pages} pages at 0x${addressIn(lines).toString(16)} every 512th page is written, beginning with the first. By how many KiB do the page tables grow?`,
        answer: (lines) => {
          const [before, behind] = lines.filter((text) => text.startsWith("usage:"));
          return String(
            Number(usage("usage", "page tables")([behind])) - Number(usage("usage", "page tables")([before])),
          );
        },
        because:
          "A leaf table of 4 KiB maps 2 MiB. Each page lies in another one; a table that is there already for a neighbour costs nothing.",
      };
    },
    (random) => {
      const pages = between(random, 5, 20);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "protect:a:all:r", `write:a:${between(random, 0, pages - 1)}`],
        ask: () =>
          `${pages} pages were written a moment ago; the TLB holds their translations with write permission. mprotect makes them read-only, and a store follows. Which signal?`,
        answer: (lines) => /SIG\w+/.exec(lines[1])![0],
        because:
          "Whoever takes permission away from an entry must flush it from the TLB. A stale translation would let the store through.",
      };
    },
    (random) => {
      const pages = between(random, 5, 20);
      return {
        steps: [`map:a:${pages}`, "write:a:all", "fork", "end", "read:a:all"],
        ask: () =>
          `A process with ${pages} written pages forks, so all its entries lose their write permission and leave the TLB. How many page faults does reading all pages take afterwards?`,
        answer: minorFaults("read a"),
        because: "A TLB miss is not a page fault: the hardware walks the tables and finds the entry, readable.",
      };
    },
  ],
};
