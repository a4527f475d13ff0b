// What a guest was told is durable on a writable mount is there after the host's process was killed at any moment: a database of our
// own (test/guest/durability), and SQLite in both journal modes. FAULTLINE_KILLS=N kills each N times instead of a few.
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Prng } from "../../src/util/prng.ts";
import { faultline } from "../support/built-cli.ts";
import { debianRoot } from "../support/debian-root.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const given = process.env.FAULTLINE_KILLS;
const kills = (usual: number) => (given === undefined ? usual : Number(given));
const timeout = (count: number) => 60_000 + count * 20_000;

/** Runs until `acknowledgements` lines were printed and `delayMs` more passed, then SIGKILL. All that was printed. */
async function killed(args: readonly string[], input: string, acknowledgements: number, delayMs: number) {
  const child: ChildProcess = spawn(process.execPath, ["dist/cli/main.js", "run", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let text = "";
  let errors = "";
  let armed = false;
  child.stdin!.on("error", () => {});
  child.stdin!.end(input);
  child.stderr!.setEncoding("utf8").on("data", (more: string) => (errors += more));
  child.stdout!.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    if (armed || text.split("\n").length <= acknowledgements) return;
    armed = true;
    setTimeout(() => child.kill("SIGKILL"), delayMs);
  });
  const giveUp = setTimeout(() => child.kill("SIGTERM"), 60_000);
  const signal = await new Promise((resolve) => child.on("close", (_code, by) => resolve(by)));
  clearTimeout(giveUp);
  // It must have been at work until we killed it.
  expect({ signal, errors }).toEqual({ signal: "SIGKILL", errors: "" });
  // A line that was cut off is no acknowledgement.
  return text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
}

function highest(lines: readonly string[], kind: string): number {
  return lines.reduce(
    (most, line) => (line.startsWith(`${kind} `) ? Math.max(most, Number(line.split(" ")[1])) : most),
    0,
  );
}

/** As fill() in durable.c makes it. */
function makeRecord(number: number, length: number): Buffer {
  const record = Buffer.alloc(length);
  record.writeUInt32LE(number, 0);
  record.writeUInt32LE(length, 4);
  for (let i = 8; i < length; i++) record[i] = (number * 31 + i * 7 + (number >>> 8)) & 0xff;
  return record;
}

/** How many whole records stand at the start of `bytes`. */
function wholeRecords(bytes: Buffer, lengthOf: (number: number) => number): number {
  let at = 0;
  for (let number = 1; ; number++) {
    const length = lengthOf(number);
    if (!bytes.subarray(at, at + length).equals(makeRecord(number, length))) return number - 1;
    at += length;
  }
}

describe.skipIf(announceSkip(!hasCompiler, "the crash test of fsync and msync needs riscv64-linux-gnu-gcc"))(
  "killed",
  () => {
    const count = kills(5);
    test(
      `${count} times: what fsync, msync and rename promised is there`,
      async () => {
        const root = join(scratch.path, "root");
        const data = join(scratch.path, "data");
        mkdirSync(root);
        mkdirSync(data);
        const elf = scratch.compile("durable", ["test/guest/durability/durable.c"], ["-O1", "-static", "-w"]);
        copyFileSync(elf, join(root, "prog"));
        const random = new Prng(20);
        const promised = { log: 0, table: 0, state: 0 };
        for (let i = 0; i < count; i++) {
          const args = [
            "--root",
            root,
            "--memory",
            "6M",
            "--swap",
            "32M",
            "--mount",
            `${data}:/data`,
            "--cwd",
            "/data",
            "/prog",
          ];
          const lines = await killed(args, "", 1 + random.below(60), random.below(40));
          for (const kind of ["log", "table", "state"] as const)
            promised[kind] = Math.max(promised[kind], highest(lines, kind));
          const read = (name: string) =>
            existsSync(join(data, name)) ? readFileSync(join(data, name)) : Buffer.alloc(0);
          const log = wholeRecords(read("log"), (n) => (n % 7 !== 0 ? 24 + (n % 97) : 6000 + (n % 9000)));
          const table = wholeRecords(read("table"), () => 320);
          const state = read("state");
          const number = state.length === 0 ? 0 : state.readUInt32LE(0);
          if (number > 0) expect(state.equals(makeRecord(number, 3000 + ((number * 37) % 9000)))).toBe(true);
          const kept = { log, table, state: number };
          for (const kind of ["log", "table", "state"] as const)
            expect(kept[kind], `kill ${i}: ${kind}`).toBeGreaterThanOrEqual(promised[kind]);
        }
        // All three were at it.
        expect(Math.min(promised.log, promised.table, promised.state)).toBeGreaterThan(0);
      },
      timeout(count),
    );
  },
);

const debian = debianRoot();

describe.skipIf(announceSkip(debian === null, "the crash test of SQLite needs a Debian root"))("SQLite killed", () => {
  const count = kills(3);
  const ROWS = 400;

  test.each(["wal", "delete"])(
    `${count} times, journal mode %s: every commit is there, and the database is whole`,
    async (mode) => {
      const data = join(scratch.path, `sqlite-${mode}`);
      mkdirSync(data);
      const random = new Prng(mode.length);
      const sqlite = ["--root", debian!, "--mount", `${data}:/data`, "--", "/usr/bin/sqlite3", "-bail", "/data/db"];
      const setUp = `pragma journal_mode=${mode}; create table t(id integer primary key, who int, b blob); create index i on t(b);`;
      expect(faultline(["run", ...sqlite], setUp).stdout).toBe(`${mode}\n`);
      let promised = 0;
      for (let i = 0; i < count; i++) {
        // Two rows a transaction; the larger half of the blobs does not fit one page.
        let script = "pragma synchronous=full; pragma wal_autocheckpoint=40;\n";
        for (let n = 0; n < ROWS; n++) {
          const size = n % 2 === 0 ? 100 : 9000;
          script += "begin; insert into t(who, b) values(1, randomblob(50));";
          script += ` insert into t(who, b) values(2, randomblob(${size})); commit;\nselect 'commit '||max(id) from t;\n`;
        }
        script += ".shell sleep 100\n";
        const lines = await killed(sqlite, script, 2 + random.below(30), random.below(40));
        promised = Math.max(promised, highest(lines, "commit"));
        expect(promised).toBeGreaterThan(0);
        const check = faultline(
          ["run", ...sqlite],
          "pragma integrity_check; select count(*), max(id), sum(who=1) from t;",
        );
        const [verdict, counts] = check.stdout.split("\n");
        expect([verdict, check.stderr]).toEqual(["ok", ""]);
        const [rows, last, firsts] = counts.split("|").map(Number);
        expect(last, `kill ${i}`).toBeGreaterThanOrEqual(promised);
        // Transactions are there as a whole, and none is missing in between.
        expect([rows, firsts * 2]).toEqual([last, last]);
      }
      rmSync(data, { recursive: true });
    },
    timeout(count),
  );
});
