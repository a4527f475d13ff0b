// Standard streams and signals of `faultline run` as one program among others of the host: readers that stop early or are slow,
// every kind of stdin, signals from outside, and what a writable mount has after them.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { debianRoot } from "../support/debian-root.ts";
import { announceSkip } from "../support/guest.ts";

const root = debianRoot();
const skipped = announceSkip(root === null, "standard streams: needs a Debian root");
const real = test.skipIf(skipped);

beforeAll(() => {
  if (!skipped) execFileSync("npx", ["tsc", "-b"], { stdio: "inherit" });
}, 300_000);

const cli = (...args: string[]) => [process.execPath, "dist/cli/main.js", "run", "--root", root!, ...args];
const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a line of the host's bash in which FAULTLINE stands for the command; its output without the last newline. */
function host(line: string, guest: readonly string[]): string {
  const command = cli(...guest)
    .map(quote)
    .join(" ");
  const bash = ["-c", line.replaceAll("FAULTLINE", () => command)];
  return execFileSync("bash", bash, { encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 28 }).trimEnd();
}

function start(args: readonly string[]): ChildProcess {
  const [command, ...rest] = cli(...args);
  return spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

const shown = (child: ChildProcess) => {
  const all = { text: "" };
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (all.text += text));
  return all;
};

async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error("it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const ended = (child: ChildProcess) =>
  new Promise<number | NodeJS.Signals>((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal!)));

real("a reader that stops early: the writer gets SIGPIPE, or EPIPE if it ignores that; others go on", () => {
  const status = (line: string, ...guest: string[]) => host(`set -o pipefail; ${line}`, guest);
  expect(status("FAULTLINE | head -1; echo $PIPESTATUS", "/usr/bin/yes")).toBe("y\n141");
  expect(status("FAULTLINE 2>&1 >/dev/null | cat", "/bin/bash", "-c", "seq 1 9999999 | head -1 >&2; echo $? >&2")).toBe(
    "1\n0",
  );
  expect(
    status("(FAULTLINE | head -1 >/dev/null) 2>&1", "/bin/bash", "-c", "seq 1 9999999; echo seq $? >&2; exit 0"),
  ).toBe("seq 141");
  const deaf = [
    "/usr/bin/perl",
    "-e",
    '$SIG{PIPE} = "IGNORE"; 1 while syswrite STDOUT, "x" x 9999; warn "$!\n"; exit 3',
  ];
  expect(status("(FAULTLINE | head -c 1 >/dev/null; echo $PIPESTATUS) 2>&1", ...deaf)).toBe("Broken pipe\n3");
});

real("a reader that never reads: bounded memory, and timeouts and signals still work", async () => {
  const child = start(["/usr/bin/yes"]);
  child.stdout!.pause();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1]) / 1024;
  const before = resident();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(resident() - before).toBeLessThan(8);
  const end = ended(child);
  child.kill("SIGTERM");
  expect(await end).toBe(128 + 15);
  expect(
    host("FAULTLINE 2>/dev/null | (sleep 3; wc -c >/dev/null); echo $PIPESTATUS", ["--timeout", "1", "/usr/bin/yes"]),
  ).toBe("124");
});

real("a slow reader and a slow writer get every byte", () => {
  expect(host("FAULTLINE | (sleep 1; md5sum)", ["/usr/bin/head", "-c", "50000000", "/dev/zero"])).toBe(
    host("head -c 50000000 /dev/zero | md5sum", []),
  );
  const sleepy = ["/bin/bash", "-c", "sleep 1; md5sum"];
  expect(host("head -c 50000000 /dev/zero | FAULTLINE", sleepy)).toBe(host("head -c 50000000 /dev/zero | md5sum", []));
});

real("stdin from a file, /dev/null, a pipe, closed; stdout and stderr closed", () => {
  const count = ["/bin/bash", "-c", "wc -c; exit 5"];
  const size = readFileSync("package.json").length;
  expect(host("FAULTLINE < package.json; echo $?", count)).toBe(`${size}\n5`);
  expect(host("FAULTLINE < /dev/null; echo $?", count)).toBe("0\n5");
  expect(host("printf 12345 | FAULTLINE; echo $?", count)).toBe("5\n5");
  expect(host("FAULTLINE <&-; echo $?", count)).toBe("0\n5");
  expect(host("FAULTLINE </dev/null >&- 2>&-; echo $?", count)).toBe("5");
});

real("signals from outside: to the program, or as from a terminal's keys to its group", async () => {
  const traps = start([
    "/bin/bash",
    "-c",
    'for s in TERM USR1 USR2 HUP INT QUIT; do trap "echo $s" $s; done; echo ready; while :; do read -t 0.1 || :; done',
  ]);
  const output = shown(traps);
  await until(() => output.text === "ready\n");
  for (const name of ["TERM", "USR1", "USR2", "HUP", "INT", "QUIT"] as const) {
    traps.kill(`SIG${name}`);
    await until(() => output.text.endsWith(`${name}\n`));
  }
  traps.kill("SIGKILL");
  // Without a terminal of its own the guest's group stands for the foreground: the shell's child gets it too.
  const waiting = start(["/bin/bash", "-c", "echo ready; sleep 1000; echo went on"]);
  const said = shown(waiting);
  await until(() => said.text === "ready\n");
  const end = ended(waiting);
  waiting.kill("SIGINT");
  expect(await end).toBe(130);
  expect(said.text).toBe("ready\n");
});

real("what was written to a writable mount is on the host after SIGTERM, SIGINT and a timeout", async () => {
  const folder = mkdtempSync(join(tmpdir(), "faultline-streams-"));
  const script = "echo saved > /data/$0; echo ready; sleep 1000";
  const guest = (name: string) => ["--mount", `${folder}:/data`, "/bin/bash", "-c", script, name];
  try {
    for (const [name, status] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const child = start(guest(name));
      const output = shown(child);
      await until(() => output.text === "ready\n");
      const end = ended(child);
      child.kill(name);
      expect(await end).toBe(status);
      expect(readFileSync(join(folder, name), "latin1")).toBe("saved\n");
    }
    host("FAULTLINE 2>/dev/null || :", ["--timeout", "2", ...guest("timeout")]);
    expect(readFileSync(join(folder, "timeout"), "latin1")).toBe("saved\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
