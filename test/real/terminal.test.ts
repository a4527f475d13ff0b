// Interactive programs on the real command line under a pseudo-terminal, judged by the screen of a terminal emulator: line editing,
// job control, sizes, full-screen programs, and that the terminal is given back as it was in every case.
import { execFileSync } from "node:child_process";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { debianRoot } from "../support/debian-root.ts";
import { announceSkip } from "../support/guest.ts";
import { hasPython, TerminalDriver } from "../support/terminal-driver.ts";

const root = debianRoot();
const skipped = announceSkip(root === null || !hasPython, "terminal: needs python3 and a Debian root");
const real = test.skipIf(skipped);

const UP = "\x1b[A";
const LEFT = "\x1b[D";
const LINE_START = "\x01";
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const KILL_LINE = "\x15";
const CTRL_X = "\x18";
const CTRL_Z = "\x1a";
/** What bash shows when it waits. */
const PROMPT = "ready>";

const SIGHUP = 1;
const SIGINT = 2;
const SIGQUIT = 3;
const SIGKILL = 9;
const SIGTERM = 15;
const SIGCONT = 18;
const SIGTSTP = 20;

const drivers: TerminalDriver[] = [];

beforeAll(() => {
  if (!skipped) execFileSync("npx", ["tsc", "-b"], { stdio: "inherit" });
}, 300_000);

afterEach(() => {
  for (const driver of drivers.splice(0)) driver.close();
});

function run(options: readonly string[], ...command: string[]): TerminalDriver {
  const cli = [process.execPath, "dist/cli/main.js", "run", "--root", root!, "--env", `PS1=${PROMPT} `, ...options];
  const driver = new TerminalDriver([...cli, "--", ...command]);
  drivers.push(driver);
  return driver;
}

const lastLine = (lines: string[]) => lines.findLast((line) => line !== "") ?? "";
const atPrompt = (lines: string[]) => lastLine(lines) === PROMPT;

async function shell(...options: string[]): Promise<TerminalDriver> {
  const driver = run(options, "/bin/bash", "--norc", "--noprofile");
  await driver.shows(atPrompt);
  return driver;
}

/** Types a command on a cleared screen and returns the lines it printed, up to the next prompt. */
async function command(driver: TerminalDriver, line: string): Promise<string[]> {
  driver.type("\f");
  await driver.shows((lines) => lines[0] === PROMPT && lines.every((shown, row) => row === 0 || shown === ""));
  driver.type(`${line}\r`);
  const lines = await driver.shows((now) => now[0].startsWith(`${PROMPT} `) && atPrompt(now));
  return lines.slice(1, lines.lastIndexOf(PROMPT));
}

async function leave(driver: TerminalDriver): Promise<void> {
  driver.type("exit\r");
  expect((await driver.ended()).signal).toBe(null);
}

real("bash: prompt, editing with cursor keys, history, exit status, terminal restored", async () => {
  const driver = await shell();
  const original = driver.attributes;
  expect(await driver.askAttributes()).not.toEqual(original);
  expect(await command(driver, "echo $((6*7))")).toEqual(["42"]);
  // The X goes in before the last two letters, the word "echo" in front of all.
  expect(await command(driver, `abcd${LEFT}${LEFT}X${LINE_START}echo `)).toEqual(["abXcd"]);
  expect(await command(driver, `${UP}${UP}`)).toEqual(["42"]);
  expect(await command(driver, `wrongg\x7f\x7f${KILL_LINE}echo kept`)).toEqual(["kept"]);
  expect(await command(driver, "echo /etc/debian_v\t")).toEqual(["/etc/debian_version"]);
  driver.type("exit 7\r");
  expect(await driver.ended()).toEqual({ code: 7, signal: null });
  expect(driver.attributes).toEqual(original);
});

real("bash: Ctrl-C, Ctrl-Z, jobs, bg, fg, Ctrl-D, a background reader", async () => {
  const driver = await shell();
  const screenEnds = (...tail: string[]) =>
    driver.shows(
      (lines) =>
        lines
          .filter((line) => line !== "")
          .slice(-tail.length)
          .join("\n") === tail.join("\n"),
    );
  /** The kernel echoes keys also while bash still starts the program: wait until that has the terminal. */
  const foreground = () => new Promise((resolve) => setTimeout(resolve, 500));
  driver.type("cat\r");
  await foreground();
  driver.type("one\r");
  await screenEnds("one", "one");
  driver.type(CTRL_C);
  await screenEnds("^C", PROMPT);
  expect(await command(driver, "echo status $?")).toEqual(["status 130"]);
  driver.type("cat\r");
  await foreground();
  driver.type("two\r");
  await screenEnds("two", "two");
  driver.type(CTRL_Z);
  await driver.shows((lines) => atPrompt(lines) && /\[1\]\+ +Stopped +cat/.test(lines.join("\n")));
  expect(await command(driver, "jobs")).toEqual([expect.stringMatching(/^\[1\]\+ +Stopped +cat$/)]);
  driver.type("fg\r");
  await screenEnds(`${PROMPT} fg`, "cat");
  await foreground();
  driver.type("three\r");
  await screenEnds("three", "three");
  driver.type(CTRL_D);
  await driver.shows(atPrompt);
  driver.type("sleep 1000\r");
  await foreground();
  driver.type(CTRL_Z);
  await driver.shows((lines) => atPrompt(lines) && /Stopped +sleep 1000/.test(lines.join("\n")));
  expect(await command(driver, "bg")).toEqual(["[1]+ sleep 1000 &"]);
  expect(await command(driver, "jobs")).toEqual([expect.stringMatching(/^\[1\]\+ +Running +sleep 1000 &$/)]);
  expect((await command(driver, "kill %1; wait %1; echo status $?")).at(-1)).toBe("status 143");
  // Nobody in the background reads the terminal (SIGTTIN).
  expect((await command(driver, "cat & sleep 0.5; jobs")).at(-1)).toMatch(/^\[1\]\+ +Stopped +cat/);
  await command(driver, "kill -9 %1; wait");
  driver.type(CTRL_D);
  expect((await driver.ended()).code).toBe(0);
});

real("size of the terminal, SIGWINCH, stty, standard error elsewhere", async () => {
  const driver = await shell();
  expect(await command(driver, "stty size")).toEqual(["24 80"]);
  await command(driver, "trap 'echo resized' WINCH");
  driver.resize(50, 132);
  await driver.shows((lines) => lines.includes(`${PROMPT} resized`));
  expect((await command(driver, "trap - WINCH; stty size")).at(-1)).toBe("50 132");
  expect(await command(driver, "tty; test -t 0 && test -t 1 && test -t 2 && echo yes")).toEqual([
    "/dev/console",
    "yes",
  ]);
  expect((await command(driver, "stty -a"))[0]).toBe("speed 38400 baud; rows 50; columns 132; line = 0;");
  await leave(driver);
  const elsewhere = new TerminalDriver([
    "/bin/sh",
    "-c",
    `exec "$@" 2>/dev/null`,
    "sh",
    ...[process.execPath, "dist/cli/main.js", "run", "--root", root!, "/bin/bash", "-c"],
    "test -t 2 || echo not a terminal; echo unseen >&2; echo seen",
  ]);
  drivers.push(elsewhere);
  expect(await elsewhere.ended()).toEqual({ code: 0, signal: null });
  expect(elsewhere.screen().filter((line) => line !== "")).toEqual(["not a terminal", "seen"]);
});

real("less: pages, search, a size that changes, the shell's screen comes back", async () => {
  const driver = await shell();
  driver.type("seq 1 500 | less\r");
  const page = (first: number, rows: number) => (lines: string[]) =>
    driver.onAlternateScreen && lines[0] === String(first) && lines[rows - 2] === String(first + rows - 2);
  await driver.shows(page(1, 24));
  driver.type(" ");
  await driver.shows(page(24, 24));
  driver.type("/277\r");
  await driver.shows(page(277, 24));
  expect(driver.styleAt(0, 0).inverse).toBe(true);
  driver.resize(12, 40);
  await driver.shows((lines) => lines.length === 12 && page(277, 12)(lines) && lines[11].startsWith(":"));
  driver.type("G");
  await driver.shows((lines) => lines[10] === "500");
  driver.type("q");
  await driver.shows(atPrompt);
  expect(driver.onAlternateScreen).toBe(false);
  await leave(driver);
});

real("vi: insert, write, a change after Ctrl-Z and fg, resize, undo", async () => {
  const driver = await shell();
  await command(driver, "cd /tmp");
  driver.type("vi text\r");
  await driver.shows((lines) => driver.onAlternateScreen && /"text" \[New File\]/.test(lastLine(lines)));
  driver.type("ifirst line\rsecond line\x1b");
  await driver.shows((lines) => lines[0] === "first line" && lines[1] === "second line" && lines[2] === "~");
  driver.type(":w\r");
  await driver.shows(/"text" \[New File\] 2 lines, 23 bytes written/);
  driver.type(CTRL_Z);
  await driver.shows((lines) => atPrompt(lines) && /Stopped +vi text/.test(lines.join("\n")));
  expect(await command(driver, "cat text")).toEqual(["first line", "second line"]);
  driver.type("fg\r");
  await driver.shows((lines) => driver.onAlternateScreen && lines[1] === "second line");
  driver.resize(10, 60);
  await driver.shows((lines) => lines.length === 10 && lines[1] === "second line" && lines[8] === "~");
  driver.type("ggdd");
  await driver.shows((lines) => lines[0] === "second line" && lines[1] === "~");
  driver.type("u");
  await driver.shows((lines) => lines[0] === "first line" && lines[1] === "second line");
  driver.type(":%s/line/row/g\r:wq\r");
  await driver.shows((lines) => !driver.onAlternateScreen && atPrompt(lines));
  expect(await command(driver, "cat text")).toEqual(["first row", "second row"]);
  await leave(driver);
});

real("nano: type, search, save", async () => {
  const driver = await shell();
  driver.type("nano /tmp/note\r");
  await driver.shows((lines) => /^ +GNU nano \d.*\/tmp\/note/.test(lines[0]) && lines[22].startsWith("^G Help"));
  driver.type("hello from nano");
  await driver.shows((lines) => lines[1] === "hello from nano" && / \*$/.test(lines[0]));
  expect(driver.cursor).toEqual({ row: 1, column: 15 });
  driver.type(`${CTRL_X}y`);
  await driver.shows("Write to File: /tmp/note");
  driver.type("\r");
  await driver.shows((lines) => !driver.onAlternateScreen && atPrompt(lines));
  expect(await command(driver, "cat /tmp/note")).toEqual(["hello from nano"]);
  await leave(driver);
});

real("tmux: two panes side by side, each with a terminal of its own; detach and attach; resize", async () => {
  const driver = await shell("--env", "SHELL=/bin/bash");
  /** What a shell in tmux shows: it gets no PS1. */
  const inner = (line: string | undefined) => /^bash-[\d.]+#$/.test(line ?? "");
  await command(driver, "printf 'set -g default-command \"/bin/bash --norc --noprofile\"\\n' > /tmp/tmux.conf");
  driver.type("tmux -f /tmp/tmux.conf\r");
  await driver.shows((lines) => inner(lines[0]) && /^\[0\] 0:bash\*/.test(lines[23]));
  driver.type("tty\r");
  await driver.shows((lines) => lines[1] === "/dev/pts/0" && inner(lines[2]));
  driver.type("\x02%");
  await driver.shows((lines) => lines.slice(0, 23).every((line) => line[40] === "│") && inner(lines[0].slice(41)));
  driver.type("tty; stty size\r");
  await driver.shows((lines) => lines[1].endsWith("│/dev/pts/1") && lines[2].endsWith("│23 39"));
  driver.type("\x02d");
  await driver.shows(/\[detached \(from session 0\)\]\nready>/);
  driver.resize(30, 100);
  driver.type("tmux attach\r");
  await driver.shows((lines) => /^\[0\] 0:bash\*/.test(lines[29] ?? "") && lines[1].endsWith("/dev/pts/1"));
  driver.type("exit\r");
  await driver.shows((lines) => lines[1] === "/dev/pts/0" && !lines.join("").includes("│"));
  driver.type("exit\r");
  await driver.shows((lines) => lines.includes("[exited]") && atPrompt(lines));
  await leave(driver);
});

real(
  "top and htop show what runs: a busy program has the processor, memory adds up; resize, kill from htop",
  async () => {
    const driver = await shell("--memory", "128M");
    await command(driver, "(while :; do :; done) & top_of=$!");
    driver.type("top -d 0.5\r");
    const row = (lines: string[]) =>
      lines.map((line) => line.trim().split(/\s+/)).find((words) => words[11] === "bash");
    const user = (now: string[]) => Number(/([\d.]+) us/.exec(now[2] ?? "")?.[1]);
    const lines = await driver.shows((now) => Number(row(now)?.[8]) > 70 && row(now)?.[7] === "R" && user(now) > 50);
    expect(lines[1]).toMatch(/^Tasks: +3 total, +[12] running, +[12] sleeping, +0 stopped, +0 zombie/);
    const [total, free, , cache] = lines[3].match(/\d+\.\d/g)!.map(Number);
    expect(total).toBe(128);
    expect(free + cache).toBeGreaterThan(100);
    expect(free + cache).toBeLessThanOrEqual(128);
    driver.type("q");
    await driver.shows(atPrompt);
    driver.type("htop -d 5\r");
    const busy = (now: string[]) => now.find((line) => / R +\d+\.\d .*\/bin\/bash/.test(line));
    await driver.shows((now) => driver.onAlternateScreen && Number(/ R +(\d+\.\d)/.exec(busy(now) ?? "")?.[1]) > 50);
    driver.resize(30, 100);
    const tall = await driver.shows(
      (now) => now.length === 30 && now[29].startsWith("F1Help") && busy(now) !== undefined,
    );
    expect(tall.join("\n")).toMatch(/Mem\[.*\/128M\]/);
    expect(tall.join("\n")).toMatch(/Load average: [01]\.\d\d/);
    // The busiest is selected: F9 offers signals, SIGTERM first.
    driver.type("\x1b[20~");
    await driver.shows(/Send signal:[\s\S]*SIGTERM/);
    driver.type("\r");
    await driver.shows((now) => busy(now) === undefined && now[29].startsWith("F1Help"));
    driver.type("q");
    await driver.shows((now) => !driver.onAlternateScreen && atPrompt(now));
    expect(await command(driver, "wait $top_of; echo status $?")).toContain("status 143");
    await leave(driver);
  },
);

real("watch and script: a command again and again; a session on a terminal of its own, written down", async () => {
  const driver = await shell("--env", "SHELL=/bin/dash");
  driver.type("watch -n 0.5 'cat /proc/uptime'\r");
  const seconds = (lines: string[]) => Number(/^\d+\.\d+/.exec(lines[2] ?? "")?.[0]);
  const first = seconds(await driver.shows((lines) => /^Every 0\.5s/.test(lines[0]) && seconds(lines) > 0));
  await driver.shows((lines) => seconds(lines) > first + 0.9);
  driver.type(CTRL_C);
  await driver.shows((lines) => !driver.onAlternateScreen && atPrompt(lines));
  driver.type("\fenv -u PS1 script -q /tmp/written\r");
  await driver.shows((lines) => lastLine(lines) === "#");
  driver.type("tty\r");
  await driver.shows((lines) => lines.includes("/dev/pts/0") && lastLine(lines) === "#");
  driver.type("exit\r");
  await driver.shows(atPrompt);
  expect((await command(driver, "cat /tmp/written")).join("\n")).toMatch(/# tty\n\/dev\/pts\/0\n# exit/);
  await leave(driver);
});

real("the terminal is restored when faultline is told to end, or its window is closed", async () => {
  for (const signal of [SIGTERM, SIGHUP]) {
    const driver = await shell();
    const original = driver.attributes;
    driver.type("trap 'echo saved' HUP; sleep 1000\r");
    await driver.shows("sleep 1000");
    driver.signal(signal);
    // Who loses the terminal dies of it.
    const ending = signal === SIGHUP ? { code: null, signal } : { code: 128 + signal, signal: null };
    expect(await driver.ended()).toEqual(ending);
    expect(driver.attributes).toEqual(original);
  }
  const deaf = run([], "/bin/bash", "-c", "trap '' HUP; echo started; while :; do sleep 1; done");
  await deaf.shows("started");
  const original = deaf.attributes;
  deaf.signal(SIGTERM);
  expect(await deaf.ended()).toEqual({ code: 128 + SIGTERM, signal: null });
  expect(deaf.attributes).toEqual(original);
  const closed = await shell();
  closed.hangUp();
  expect(await closed.ended()).toEqual({ code: null, signal: SIGHUP });
});

real("the terminal is restored when the program is killed, the time is up, or there was nothing to start", async () => {
  const killed = await shell();
  const original = killed.attributes;
  killed.type("kill -9 $$\r");
  expect(await killed.ended()).toEqual({ code: 128 + SIGKILL, signal: null });
  expect(killed.attributes).toEqual(original);
  const late = run(["--timeout", "1"], "/bin/bash", "--norc");
  expect(await late.ended()).toEqual({ code: 124, signal: null });
  expect(late.attributes).toEqual(original);
  const missing = run([], "/bin/nothing");
  expect(await missing.ended()).toEqual({ code: 127, signal: null });
  expect(missing.attributes).toEqual(original);
});

real(
  "SIGINT and SIGQUIT from outside reach the foreground, SIGTSTP gives the terminal back until SIGCONT",
  async () => {
    const driver = await shell();
    const original = driver.attributes;
    for (const [signal, status] of [
      [SIGINT, 130],
      [SIGQUIT, 131],
    ]) {
      driver.type("sleep 1000\r");
      await driver.shows((lines) => lastLine(lines) === `${PROMPT} sleep 1000`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      driver.signal(signal);
      await driver.shows(atPrompt);
      expect(await command(driver, "echo status $?")).toEqual([`status ${status}`]);
    }
    driver.type("seq 100 | less\r");
    await driver.shows((lines) => driver.onAlternateScreen && lines[22] === "23");
    const raw = await driver.askAttributes();
    driver.signal(SIGTSTP);
    await driver.stopped();
    expect(await driver.askAttributes()).toEqual(original);
    driver.signal(SIGCONT);
    await driver.continued();
    driver.type(" ");
    await driver.shows((lines) => lines[0] === "24" && lines[22] === "46");
    expect(await driver.askAttributes()).toEqual(raw);
    driver.type("q");
    await driver.shows(atPrompt);
    await leave(driver);
  },
);

/** A line of the host's bash on the terminal, in which FAULTLINE stands for the command. */
function hostLine(line: string): TerminalDriver {
  const cli = `'${process.execPath}' dist/cli/main.js run --root '${root}'`;
  const driver = new TerminalDriver(["bash", "-c", line.replaceAll("FAULTLINE", () => cli)]);
  drivers.push(driver);
  return driver;
}

real("standard input is a pipe: less shows it and has its keys from /dev/tty; the terminal is restored", async () => {
  const driver = hostLine("seq 100 | FAULTLINE /usr/bin/less; echo left $?");
  await driver.shows((lines) => lines[0] === "1" && lines[22] === "23" && driver.onAlternateScreen);
  const original = driver.attributes;
  expect(await driver.askAttributes()).not.toEqual(original);
  driver.type(" ");
  await driver.shows((lines) => lines[0] === "24" && lines[22] === "46");
  driver.resize(12, 80);
  await driver.shows((lines) => lines[0] === "24" && lines[10] === "34");
  driver.type("q");
  await driver.shows("left 0");
  expect((await driver.ended()).code).toBe(0);
  expect(driver.attributes).toEqual(original);
});

real("standard output is a pipe: what asks on /dev/tty is answered there, its output goes into the pipe", async () => {
  const script = 'test -t 0 && test ! -t 1 && test -t 2 && read -p "name? " a </dev/tty && echo "got $a"';
  const driver = hostLine(`x=$(FAULTLINE /bin/bash -c '${script}'); echo "<$x>"`);
  await driver.shows("name?");
  const original = driver.attributes;
  // Until the program asks for input, the host's terminal echoes what is typed.
  await vi.waitFor(async () => expect(await driver.askAttributes()).not.toEqual(original), 10_000);
  driver.type("Ada\r");
  expect((await driver.shows("<")).slice(0, 2)).toEqual(["name? Ada", "<got Ada>"]);
  expect((await driver.ended()).code).toBe(0);
});

real("a program in a pipeline that reads nothing leaves the keyboard to the others", async () => {
  const driver = hostLine('FAULTLINE /bin/sh -c "echo on; sleep 1" | cat; read x; echo "for the shell: $x"');
  await driver.shows("on");
  driver.type("typed ahead\r");
  await driver.shows("for the shell: typed ahead");
  expect((await driver.ended()).code).toBe(0);
});
