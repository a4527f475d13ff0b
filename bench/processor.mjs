// What the processor gives at the moment, seen by two small loops that run before every measurement. Where two hardware threads
// share a core and the other one belongs to somebody else, code that fills the core's issue slots takes up to twice its time while
// code that waits for memory hardly changes: ratios between the two move, and only this tells why.

import { median, show } from "./statistics.mjs";

const ROUNDS = 100_000;
const PAGE = 4096;
const PAGES = 4096;
/** A probe above this many times the least one counts as slowed down. */
const SLOW = 1.3;

let samples = [];
let least = Number.POSITIVE_INFINITY;

/** Three chains of operations that do not wait for one another. */
function independent(rounds) {
  let [a, b, c, d, e, f] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < rounds; i = (i + 1) | 0) {
    a = (a + 1) | 0;
    b = (b ^ a) | 0;
    c = (c + 3) | 0;
    d = (d ^ c) | 0;
    e = (e + 5) | 0;
    f = (f ^ e) | 0;
    a = (a + 7) | 0;
    c = (c + 9) | 0;
    e = (e + 11) | 0;
  }
  return a ^ b ^ c ^ d ^ e ^ f;
}

/** Nanoseconds per round of `independent`, now. */
function issueTime() {
  const start = performance.now();
  const result = independent(ROUNDS);
  const ns = ((performance.now() - start) * 1e6) / ROUNDS;
  if (!Number.isInteger(result)) throw new Error("the additions came to nothing");
  return ns;
}

/** Looks at the processor, for a millisecond. */
export function probe() {
  if (least === Number.POSITIVE_INFINITY) for (let i = 0; i < 400; i++) issueTime();
  for (let i = 0; i < 5; i++) samples.push(issueTime());
  least = Math.min(least, ...samples);
}

/** Nanoseconds to fill a page of 16 MiB that were filled before, and again: some processors keep in their cache only what came back often. */
function fillTimes() {
  const memory = new Uint8Array(PAGES * PAGE);
  const passes = Array.from({ length: 24 }, () => {
    const start = performance.now();
    for (let page = 0; page < PAGES; page++) memory.fill(0, page * PAGE, (page + 1) * PAGE);
    return ((performance.now() - start) * 1e6) / PAGES;
  });
  return { secondNs: passes[1], laterNs: median(passes.slice(12)) };
}

/** Prints and returns what was seen since the last report; null if nothing was measured. */
export function reportProcessor() {
  const seen = samples;
  samples = [];
  if (seen.length === 0) return null;
  const slowed = seen.filter((ns) => ns > SLOW * least).length / seen.length;
  const report = { probes: seen.length, overLeast: median(seen) / least, slowed, fill: fillTimes() };
  console.log(
    `processor: issue slots ${show(report.overLeast)} of the least time (${show(100 * slowed, 0)} % of ${seen.length} probes above ${SLOW}); ` +
      `4 KiB of 16 MiB filled in ${show(report.fill.secondNs, 0)} ns the second time, ${show(report.fill.laterNs, 0)} later`,
  );
  return report;
}
