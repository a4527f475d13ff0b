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

const CHAINS = 8;
const TIMES = 4;

/** (k, rounds) -> i32: in each round some operations on so many locals, which do not wait for one another; as machine code, not as the engine guesses. */
const independent = (() => {
  const [I32, GET, SET, ADD, XOR] = [0x7f, 0x20, 0x21, 0x6a, 0x73];
  const section = (id, ...bytes) => [id, ...leb(bytes.length), ...bytes];
  const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
  const locals = Array.from({ length: CHAINS }, (_, i) => 2 + i);
  const step = (operation) => locals.flatMap((local) => [GET, local, GET, 0, operation, SET, local]);
  const round = Array.from({ length: TIMES / 2 }, () => [...step(ADD), ...step(XOR)]).flat();
  const next = [GET, 1, 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0];
  const sum = [GET, 1, ...locals.flatMap((local) => [GET, local, ADD])];
  const body = [1, CHAINS, I32, 0x03, 0x40, ...round, ...next, 0x0b, ...sum, 0x0b];
  const type = section(1, 1, 0x60, 2, I32, I32, 1, I32);
  const code = section(10, 1, ...leb(body.length), ...body);
  const exported = section(7, 1, 1, 0x66, 0, 0);
  const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...section(3, 1, 0), ...exported, ...code]);
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f;
})();

/** Nanoseconds per round of `independent`, now. */
function issueTime() {
  const start = performance.now();
  independent(12345, ROUNDS);
  return ((performance.now() - start) * 1e6) / ROUNDS;
}

/** Looks at the processor, for a millisecond. */
export function probe() {
  // Until the engine has optimised it.
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
