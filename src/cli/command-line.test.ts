// The command line: sizes, options, help texts and errors, without running anything.
import { describe, expect, it } from "vitest";
import { exactSize } from "../machine/sizes.ts";
import { CliError } from "./cli-error.ts";
import { type CliContext, runCommandLine } from "./command-line.ts";
import type { CurveOptions } from "./commands/curve.ts";
import type { QuizOptions } from "./commands/quiz.ts";
import { defaultRunOptions, RUN_OPTIONS, type RunOptions } from "./commands/run-options.ts";
import type { TraceOptions } from "./commands/trace.ts";
import type { UiOptions } from "./commands/ui.ts";
import { parseSize } from "./sizes.ts";

interface Result {
  status: number;
  out: string;
  err: string;
  options: RunOptions | null;
  curve?: CurveOptions;
  trace?: TraceOptions;
  quiz?: QuizOptions;
  ui?: UiOptions;
}

async function faultline(...argv: string[]): Promise<Result> {
  const result: Result = { status: -1, out: "", err: "", options: null };
  const context: CliContext = {
    stdout: (text) => {
      result.out += text;
    },
    stderr: (text) => {
      result.err += text;
    },
    installEnvironment: () => {
      throw new Error("no install here");
    },
    run: async (options) => {
      result.options = options;
      if (options.program === "missing") throw new CliError("missing: no such program", 127);
      return options.program === "seven" ? 7 : 0;
    },
    demo: async () => 3,
    curve: async (options, curve) => {
      result.options = options;
      result.curve = curve;
      return 0;
    },
    trace: async (options) => {
      result.trace = options;
      return 0;
    },
    quiz: async (options) => {
      result.quiz = options;
      return 0;
    },
    ui: async (options, ui) => {
      result.options = options;
      result.ui = ui;
      return 0;
    },
  };
  result.status = await runCommandLine(argv, context);
  return result;
}

const MiB = 2 ** 20;

describe("sizes", () => {
  it.each([
    ["0", 0],
    ["4096", 4096],
    ["64K", 64 * 1024],
    ["64k", 64 * 1024],
    ["256M", 256 * MiB],
    ["1.5G", 1536 * MiB],
    ["16MiB", 16 * MiB],
    ["16MB", 16 * MiB],
  ])("%s is %d bytes", (text, bytes) => expect(parseSize(text, "--memory")).toBe(bytes));

  it.each(["", "M", "-1", "1T", "1 M", "1e6", "0x10", "1.2.3K", "0.3", "9".repeat(20), "∞"])("refuses %j", (text) => {
    expect(() => parseSize(text, "--memory")).toThrow(/^--memory "/);
  });

  it("prints what it reads", () => {
    for (const bytes of [0, 1, 1023, 1024, 4096, MiB, 3 * MiB, 2 ** 30, 2 ** 30 + 1024]) {
      expect(parseSize(exactSize(bytes), "x")).toBe(bytes);
    }
  });
});

describe("help", () => {
  it.each([
    ["--help"],
    ["run", "--help"],
    ["install", "--help"],
    ["demo", "--help"],
    ["curve", "--help"],
    ["trace", "--help"],
    ["quiz", "--help"],
    ["ui", "--help"],
  ])("%s %s", async (...argv) => {
    const { status, out, err } = await faultline(...argv.filter(Boolean));
    expect([status, err]).toEqual([0, ""]);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
    const name = argv.length === 1 ? "faultline" : argv[0];
    await expect(out).toMatchFileSnapshot(`../../test/golden/help-${name}.txt`);
  });

  it("names every option of the table", async () => {
    const { out } = await faultline("run", "--help");
    for (const row of RUN_OPTIONS) expect(out).toContain(`--${row.name}`);
  });

  it("prints the version", async () => {
    expect((await faultline("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("curve and trace", () => {
  it("curve reads its own options and those of run, up to PROGRAM", async () => {
    const { options, curve, status } = await faultline(
      ...[
        "curve",
        "--sizes",
        "40,8",
        "--policies",
        "lru,opt",
        "--svg",
        "a.svg",
        "--check",
        "--memory",
        "64M",
        "/bin/x",
      ],
      ...["--svg", "b"],
    );
    expect(status).toBe(0);
    expect(curve).toMatchObject({ sizes: [8, 40], policies: ["lru", "opt"], svg: "a.svg", check: true, png: null });
    expect(options).toMatchObject({ memoryBytes: 64 * MiB, program: "/bin/x", args: ["--svg", "b"] });
  });

  it.each([
    ["--policies", "lru,best", 'faultline: --policies "best": '],
    ["--sizes", "0", 'faultline: --sizes "0": '],
    ["--json", "", "faultline: --json needs a file name"],
  ])("curve %s %s is refused in one line", async (option, value, message) => {
    const { status, err } = await faultline("curve", option, value, "/bin/x");
    expect(status).toBe(2);
    expect(err.startsWith(message)).toBe(true);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });

  it("trace takes a file and options behind it", async () => {
    const { trace } = await faultline("trace", "t.json", "--csv", "t.csv", "--top", "3");
    expect(trace).toEqual({ file: "t.json", csv: "t.csv", json: false, png: null, top: 3 });
  });
});

describe("run", () => {
  it("has the defaults of the documentation", async () => {
    const { options, status } = await faultline("run", "/bin/true");
    expect(status).toBe(0);
    expect(options).toEqual(defaultRunOptions("/bin/true", []));
    expect(options).toMatchObject({
      memoryBytes: 256 * MiB,
      swapBytes: 0,
      policy: "two-list",
      overcommit: "heuristic",
    });
  });

  it("reads every option", async () => {
    const { options } = await faultline(
      ...["run", "--root", "r", "--writable", "--mount", "/a:/b", "--mount", "c:/d:ro", "--memory=16M", "--swap", "1G"],
      ...[
        "--swap-file",
        "s",
        "--policy",
        "clock",
        "--overcommit",
        "never",
        "--overcommit-ratio",
        "80",
        "--report=r.json",
      ],
      ...[
        "--trace",
        "t.txt",
        "--strace",
        "--env",
        "A=1",
        "--env",
        "B==",
        "--cwd",
        "/tmp",
        "--seed",
        "7",
        "--timeout",
        "1.5",
      ],
      ...["--", "prog", "-x"],
    );
    expect(options).toEqual({
      root: "r",
      writable: true,
      mounts: [
        { host: "/a", guest: "/b", readOnly: false },
        { host: "c", guest: "/d", readOnly: true },
      ],
      memoryBytes: 16 * MiB,
      swapBytes: 1024 * MiB,
      swapFile: "s",
      policy: "clock",
      overcommit: "never",
      overcommitRatio: 80,
      report: { path: "r.json", json: true },
      trace: { path: "t.txt", json: false },
      strace: true,
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "=" },
      ],
      cwd: "/tmp",
      seed: 7,
      timeoutSeconds: 1.5,
      program: "prog",
      args: ["-x"],
    });
  });

  it("leaves everything after PROGRAM to the program", async () => {
    const { options } = await faultline("run", "ls", "--memory", "1", "--help", "--", "--report", "-la");
    expect(options).toMatchObject({ program: "ls", args: ["--memory", "1", "--help", "--", "--report", "-la"] });
    expect((await faultline("run", "--", "--odd-name", "x")).options).toMatchObject({
      program: "--odd-name",
      args: ["x"],
    });
  });

  it("takes a report's file only behind '='", async () => {
    expect((await faultline("run", "--report", "ls", "x")).options).toMatchObject({
      report: "stderr",
      program: "ls",
      args: ["x"],
    });
    expect((await faultline("run", "--memory", "8M", "--report", "--", "ls")).options).toMatchObject({
      report: "stderr",
    });
    expect((await faultline("run", "--report=f", "ls")).options?.report).toEqual({ path: "f", json: false });
    expect((await faultline("run", "ls", "--report")).options).toMatchObject({ report: null, args: ["--report"] });
  });

  it("lets the last of several values win", async () => {
    expect((await faultline("run", "--memory", "8M", "--memory", "9M", "x")).options?.memoryBytes).toBe(9 * MiB);
  });

  it("rounds sizes down to whole pages", async () => {
    expect((await faultline("run", "--memory", String(2 * MiB + 4097), "x")).options?.memoryBytes).toBe(2 * MiB + 4096);
  });

  it("passes the program's status on", async () => {
    expect((await faultline("run", "seven")).status).toBe(7);
    expect(await faultline("run", "missing")).toMatchObject({
      status: 127,
      err: "faultline: missing: no such program\n",
    });
    expect((await faultline("demo")).status).toBe(3);
  });
});

describe("bad lines", () => {
  it.each([
    [["frob"], "unknown command 'frob'"],
    [["rnu", "x"], "unknown command 'rnu' (Did you mean run?)"],
    [["--bogus"], "unknown option '--bogus'"],
    [["run"], "missing required argument 'program'"],
    [["run", "--memry", "1M", "x"], "unknown option '--memry' (Did you mean --memory?)"],
    [["run", "--memory"], "option '--memory <SIZE>' argument missing"],
    [["run", "--memory", "64Q", "x"], '--memory "64Q": a size is digits with K, M or G, as in 64M'],
    [["run", "--memory", "64K", "x"], '--memory "64K": at least 1M is needed'],
    [["run", "--memory", "5G", "x"], '--memory "5G": at most 3G is possible'],
    [["run", "--swap", "9G", "x"], '--swap "9G": at most'],
    [["run", "--swap-file", "s", "x"], "--swap-file needs --swap SIZE above 0"],
    [["run", "--writable", "x"], "--writable needs --root DIR"],
    [["run", "--policy", "best", "x"], '--policy "best": one of two-list, clock, fifo, lru,'],
    [["run", "--overcommit", "2", "x"], '--overcommit "2": one of heuristic, always, never is needed'],
    [["run", "--overcommit-ratio", "-5", "x"], '--overcommit-ratio "-5": a whole number from 0 to 1000'],
    [["run", "--mount", "a", "x"], '--mount "a": HOST:GUEST'],
    [["run", "--mount", "a:b", "x"], '--mount "a:b": HOST:GUEST'],
    [["run", "--env", "A", "x"], '--env "A": NAME=VALUE is needed'],
    [["run", "--env", "=A", "x"], '--env "=A": NAME=VALUE is needed'],
    [["run", "--cwd", "tmp", "x"], '--cwd "tmp": a guest directory is needed'],
    [["run", "--seed", "1.5", "x"], '--seed "1.5": a whole number'],
    [["run", "--timeout", "0", "x"], '--timeout "0": seconds above 0'],
    [["run", "--root", "", "x"], "--root needs a value"],
    [["run", "--trace=", "x"], "--trace needs a value"],
    [["install", "--suite", "../x", "a"], '--suite "../x" is no suite name'],
    [["install", "--lock", "l", "--essential", "a"], "--essential and --recommends need an index"],
    [["install", "--root", "", "a"], "--root needs a value"],
    [["install", "--bogus"], "unknown option '--bogus'"],
    [["demo", "x"], "too many arguments"],
  ])("%j: one line, status 2", async (argv, message) => {
    const { status, out, err, options } = await faultline(...argv);
    expect(err).toContain(message);
    expect(err).toMatch(/^faultline: [^\n]+\n$/);
    expect([status, out, options]).toEqual([2, "", null]);
  });

  it("shows the help when no command is given", async () => {
    const { status, err } = await faultline();
    expect(status).toBe(2);
    expect(err).toContain("Usage: faultline COMMAND");
  });
});
