// What the processor gives at the moment, seen by two small loops that run before every measurement. Where two hardware threads
// share a core and the other one belongs to somebody else, code that fills the core's issue slots takes up to twice its time while
// code that waits for memory hardly changes: ratios between the two move, and only this tells why.
import { ModuleBuilder, VOID } from "../dist/cpu/wasm/builder.js";
import { I32 } from "../dist/cpu/wasm/opcodes.js";
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
  const m = new ModuleBuilder();
  const f = m.function([I32, I32], [I32]);
  const chains = Array.from({ length: CHAINS }, () => f.local(I32));
  f.loop(VOID, (again) => {
    for (let i = 0; i < TIMES; i++) {
      for (const chain of chains) {
        f.get(chain)
          .get(0)
          .op(i % 2 === 0 ? "i32_add" : "i32_xor")
          .set(chain);
      }
    }
    f.get(1).i32(1).op("i32_sub").tee(1).brIf(again);
  });
  f.get(1);
  for (const chain of chains) f.get(chain).op("i32_add");
  m.export("independent", f);
  return new WebAssembly.Instance(new WebAssembly.Module(m.encode())).exports.independent;
})();

/** Nanoseconds that each of so many parts of the work takes. */
function nanosecondsOf(parts, work) {
  const start = performance.now();
  work();
  return ((performance.now() - start) * 1e6) / parts;
}

const issueTime = () => nanosecondsOf(ROUNDS, () => independent(12345, ROUNDS));

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
  const fill = () => {
    for (let page = 0; page < PAGES; page++) memory.fill(0, page * PAGE, (page + 1) * PAGE);
  };
  const passes = Array.from({ length: 24 }, () => nanosecondsOf(PAGES, fill));
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
