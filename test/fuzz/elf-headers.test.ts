// Fuzzes what exec and the loader read of ELF files.
//
// Strategy: thousands of mutants of our own programs (static, dynamic, and the dynamic one's interpreter): fields of the ELF and
// program headers set to values at the edges, bytes flipped, tables swapped, files cut. Each is executed for a bounded number of
// instructions, in one machine with little memory, so that what one leaks the next ones miss.
//
// Invariants: exec answers with a Linux error or a process, never another exception; the machine steps on; after each mutant no
// process, page table, anonymous page or promised memory is left; checkInvariants(); an unharmed program still runs.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Machine } from "../../src/host/node/index.ts";
import { LinuxError } from "../../src/kernel/linux-error.ts";
import { Scratch } from "../support/guest.ts";

const SEED = Number(process.env.FAULTLINE_FUZZ_SEED ?? 20240611);
const MUTANTS = Number(process.env.FAULTLINE_FUZZ_RUNS ?? 4000);
const INSTRUCTIONS = 100_000;

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** xorshift32: the same mutants on every machine. */
class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2 + 1) | 0;
  }
  below(bound: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % bound;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 0xfffn, 0x1000n, 0x1001n, 0x10000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 32n],
  ...[(1n << 38n) - 4096n, 1n << 38n, (1n << 39n) - 1n, 1n << 47n, (1n << 52n) - 1n, 1n << 52n, 1n << 53n],
  ...[(1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 4096n, (1n << 64n) - 1n],
];

interface Field {
  at: number;
  bytes: 2 | 4 | 8;
}
const HEADER: readonly Field[] = [
  ...[16, 18, 52, 54, 56, 58, 60, 62].map((at) => ({ at, bytes: 2 }) as const),
  ...[20, 48].map((at) => ({ at, bytes: 4 }) as const),
  ...[24, 32, 40].map((at) => ({ at, bytes: 8 }) as const),
];
const PROGRAM_HEADER: readonly Field[] = [
  { at: 0, bytes: 4 },
  { at: 4, bytes: 4 },
  ...[8, 16, 24, 32, 40, 48].map((at) => ({ at, bytes: 8 }) as const),
];
const PHDR_BYTES = 56;

function setField(view: DataView, at: number, bytes: number, value: bigint): void {
  if (at + bytes > view.byteLength) return;
  if (bytes === 2) view.setUint16(at, Number(value & 0xffffn), true);
  else if (bytes === 4) view.setUint32(at, Number(value & 0xffffffffn), true);
  else view.setBigUint64(at, value & ((1n << 64n) - 1n), true);
}

/** What headers hold now, and a little more or less, is more telling than a random number. */
function anyValue(random: Random, view: DataView, at: number, bytes: number): bigint {
  if (random.below(3) > 0 || bytes !== 8 || at + 8 > view.byteLength) return random.of(EDGES);
  const old = view.getBigUint64(at, true);
  return old + random.of([-4097n, -4096n, -1n, 1n, 4095n, 4096n, 4097n, 1n << 20n, 1n << 30n]);
}

function mutate(random: Random, original: Uint8Array): Uint8Array {
  let bytes = original.slice();
  const view = new DataView(bytes.buffer);
  const count = view.getUint16(56, true);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const header = 64 + PHDR_BYTES * random.below(count);
    switch (random.below(8)) {
      case 0: {
        const { at, bytes: size } = random.of(HEADER);
        setField(view, at, size, anyValue(random, view, at, size));
        break;
      }
      case 1:
        bytes[random.below(64 + PHDR_BYTES * count)] ^= 1 << random.below(8);
        break;
      case 2: {
        const other = 64 + PHDR_BYTES * random.below(count);
        const kept = bytes.slice(header, header + PHDR_BYTES);
        bytes.copyWithin(header, other, other + PHDR_BYTES);
        if (random.below(2) === 0) bytes.set(kept, other);
        break;
      }
      case 3:
        setField(view, header, 4, BigInt(random.below(8)));
        break;
      case 4:
        bytes[random.below(bytes.length)] = random.below(256);
        break;
      default: {
        const { at, bytes: size } = random.of(PROGRAM_HEADER);
        setField(view, header + at, size, anyValue(random, view, header + at, size));
      }
    }
  }
  if (random.below(12) === 0) bytes = bytes.slice(0, random.below(bytes.length));
  return bytes;
}

/** sharer with another interpreter: its name has 18 characters, and so have ours. */
function withInterpreter(program: Uint8Array, name: string): Uint8Array {
  const at = Buffer.from(program).indexOf("/lib/ld-story.so.1");
  expect(at).toBeGreaterThan(0);
  expect(name).toHaveLength(18);
  const bytes = program.slice();
  bytes.set(new TextEncoder().encode(name), at);
  return bytes;
}

function makeMutants(root: string): string[] {
  const random = new Random(SEED);
  cpSync("guest/root", root, { recursive: true });
  mkdirSync(join(root, "m"));
  const read = (name: string) => new Uint8Array(readFileSync(join("guest/root", name)));
  const [hello, sharer, interpreter] = ["bin/hello", "bin/sharer", "lib/ld-story.so.1"].map(read);
  const paths: string[] = [];
  for (let i = 0; i < MUTANTS; i++) {
    const write = (name: string, bytes: Uint8Array) => writeFileSync(join(root, name), bytes, { mode: 0o755 });
    const path = `/m/${i}`;
    if (i % 3 === 0) write(path, mutate(random, hello));
    else if (i % 3 === 1) write(path, mutate(random, sharer));
    else {
      const name = `/m/interp${String(i).padStart(9, "0")}`;
      write(name, mutate(random, interpreter));
      write(path, withInterpreter(sharer, name));
    }
    paths.push(path);
  }
  return paths;
}

test(`${MUTANTS} mutated programs (seed ${SEED})`, async () => {
  const root = join(scratch.path, "root");
  const paths = makeMutants(root);
  const machine = await Machine.create({ root, memory: "4M", swap: "4M", seed: 1 });
  const { kernel } = machine;
  const { mm } = kernel;
  // The first program makes the vDSO, which stays.
  await machine.spawn("/bin/hello", [], { stdin: null }).wait();
  const empty = () => ({ ...mm.countByKind(), free: 0, file: 0, shmem: 0 });
  const before = { kinds: empty(), committed: mm.committedPages };
  const outcomes = new Map<string, number>();
  let done = 0;
  for (const path of paths) {
    let outcome: string;
    try {
      const handle = machine.spawn(path, [], { stdin: null });
      kernel.step(INSTRUCTIONS);
      outcome = handle.isRunning ? "ran on" : `status ${handle.process.shellStatus}`;
      if (handle.isRunning) {
        handle.kill(9);
        kernel.step(INSTRUCTIONS);
      }
      expect(handle.isRunning, path).toBe(false);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw new Error(`${path} (seed ${SEED})`, { cause: error });
      outcome = `refused ${error.errno}`;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    expect(kernel.processes.size, path).toBe(0);
    expect({ kinds: empty(), committed: mm.committedPages }, path).toEqual(before);
    if (++done % 16 === 0) mm.checkInvariants();
  }
  mm.checkInvariants();
  console.log(
    [...outcomes]
      .sort()
      .map(([name, n]) => `${name}: ${n}`)
      .join(", "),
  );
  // The mutants are worth something: many are refused, many run into their mistakes, many still work.
  expect(outcomes.get("status 0")).toBeGreaterThan(MUTANTS / 20);
  expect([...outcomes].filter(([name]) => name.startsWith("refused")).length).toBeGreaterThan(3);
  expect(outcomes.get("status 139")).toBeGreaterThan(MUTANTS / 50);
  const hello = await machine.spawn("/bin/hello", [], { stdin: null }).wait();
  expect(hello).toMatchObject({ code: 0, stdout: expect.stringContaining("hello from riscv64") });
  const sharer = await machine.spawn("/bin/sharer", [], { stdin: null }).wait();
  expect(sharer.code).toBe(0);
  mm.checkInvariants();
  await machine.stop();
  machine.close();
});
