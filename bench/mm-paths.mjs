// Times the paths of the memory core alone, in this JavaScript engine: no hart, no kernel, a TLB that holds nothing. Build first
// (npm run build), then: node bench/mm-paths.mjs. Prints the median of several rounds in nanoseconds of
// processor time, which other programs on the machine disturb little. Does not measure: the hart's
// exit and return (add them for a guest's fault), cache misses of a real program, devices.
import { BytesBacking, createMemory } from "../dist/mm/index.js";

const PAGE = 4096;
const PAGES = 4096;
const ROUNDS = 15;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const READ = 0;
const WRITE = 1;

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** `run` returns how many units its timed part did; `prepare` and `clean` are not timed. */
function measure(name, unit, prepare, run, clean) {
  const samples = [];
  for (let round = 0; round < ROUNDS + 5; round++) {
    const world = prepare();
    const start = process.cpuUsage();
    const units = run(world);
    const { user, system } = process.cpuUsage(start);
    const ns = ((user + system) * 1000) / units;
    clean(world);
    if (round >= 5) samples.push(ns);
  }
  console.log(
    `${name.padEnd(44)} ${median(samples).toFixed(1).padStart(9)} ns/${unit}   best ${Math.min(...samples).toFixed(1)}`,
  );
}

const mm = createMemory({ ramBytes: 256 << 20, swapDevice: null, overcommit: "always" });

function anonymous(space, pages, shared = false) {
  const flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS;
  return space.mmap({
    address: 0,
    length: pages * PAGE,
    prot: 3,
    flags,
    object: null,
    file: null,
    offset: 0,
    maxProt: 7,
  });
}

function touch(space, at, pages, access) {
  for (let i = 0; i < pages; i++) space.handleFault(at + i * PAGE, access);
  return pages;
}

function filled(pages = PAGES) {
  const space = mm.createSpace();
  const at = anonymous(space, pages);
  touch(space, at, pages, WRITE);
  return { space, at };
}

function forked(pages = PAGES) {
  const world = filled(pages);
  return { ...world, child: mm.forkSpace(world.space) };
}

const release = (world) => {
  world.child?.release();
  world.space?.release();
};

measure(
  "demand-zero fault",
  "page",
  () => {
    const space = mm.createSpace();
    return { space, at: anonymous(space, PAGES) };
  },
  ({ space, at }) => touch(space, at, PAGES, WRITE),
  release,
);

measure(
  "zero-page read fault",
  "page",
  () => {
    const space = mm.createSpace();
    return { space, at: anonymous(space, PAGES) };
  },
  ({ space, at }) => touch(space, at, PAGES, READ),
  release,
);

measure("copy-on-write fault (copy)", "page", forked, ({ child, at }) => touch(child, at, PAGES, WRITE), release);

measure(
  "copy-on-write fault (reuse)",
  "page",
  () => {
    const world = forked();
    world.child.release();
    return { space: world.space, at: world.at };
  },
  ({ space, at }) => touch(space, at, PAGES, WRITE),
  release,
);

measure(
  "fork",
  "page",
  filled,
  (world) => {
    world.child = mm.forkSpace(world.space);
    return PAGES;
  },
  release,
);

measure(
  "exit, pages shared with another",
  "page",
  forked,
  ({ child }) => {
    child.release();
    return PAGES;
  },
  ({ space }) => space.release(),
);

measure(
  "exit, pages of its own",
  "page",
  filled,
  ({ space }) => {
    space.release();
    return PAGES;
  },
  () => {},
);

const backing = new BytesBacking(new Uint8Array(PAGES * PAGE));
const file = mm.createFileObject(backing, PAGES * PAGE);
function fileMapping(flags) {
  const space = mm.createSpace();
  const at = space.mmap({
    address: 0,
    length: PAGES * PAGE,
    prot: 3,
    flags,
    object: file,
    file: null,
    offset: 0,
    maxProt: 7,
  });
  return { space, at };
}
measure(
  "file page-in (from bytes)",
  "page",
  () => {
    mm.writebackAll();
    mm.dropCaches();
    return fileMapping(MAP_SHARED);
  },
  ({ space, at }) => touch(space, at, PAGES, READ),
  release,
);
measure(
  "file read fault, cached, with fault-around",
  "page",
  () => fileMapping(MAP_SHARED),
  ({ space, at }) => {
    for (let i = 0; i < PAGES; i += 16) space.handleFault(at + i * PAGE, READ);
    return PAGES;
  },
  release,
);
measure(
  "file shared write fault, cached",
  "page",
  () => fileMapping(MAP_SHARED),
  ({ space, at }) => touch(space, at, PAGES, WRITE),
  release,
);
measure(
  "file private write fault (copy)",
  "page",
  () => fileMapping(MAP_PRIVATE),
  ({ space, at }) => touch(space, at, PAGES, WRITE),
  release,
);

measure(
  "stale TLB fault",
  "fault",
  filled,
  ({ space, at }) => {
    for (let i = 0; i < 20; i++) touch(space, at, PAGES, WRITE);
    return 20 * PAGES;
  },
  release,
);

measure(
  "mprotect r--, rw-, resident",
  "page",
  filled,
  ({ space, at }) => {
    space.mprotect(at, PAGES * PAGE, 1);
    space.mprotect(at, PAGES * PAGE, 3);
    return 2 * PAGES;
  },
  release,
);

measure(
  "mmap + munmap of one page",
  "pair",
  () => ({ space: mm.createSpace() }),
  ({ space }) => {
    for (let i = 0; i < 20000; i++) space.munmap(anonymous(space, 1), PAGE);
    return 20000;
  },
  release,
);

const small = createMemory({
  ramBytes: 8 << 20,
  swapDevice: {
    slotCount: 8192,
    pages: new Uint8Array(8192 * PAGE),
    read(slot, into) {
      into.set(this.pages.subarray(slot * PAGE, (slot + 1) * PAGE));
    },
    write(slot, from) {
      this.pages.set(from, slot * PAGE);
    },
  },
  overcommit: "always",
});
measure(
  "fault with eviction to swap (swap in bytes)",
  "page",
  () => {
    const space = small.createSpace();
    const at = anonymous(space, PAGES);
    touch(space, at, PAGES, WRITE);
    return { space, at };
  },
  ({ space, at }) => touch(space, at, PAGES, WRITE),
  release,
);
