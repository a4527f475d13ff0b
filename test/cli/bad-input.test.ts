// What a user gets for bad input, through the built command line: one clear line on stderr, the documented status (2 for wrong
// usage, 126/127 as a shell, 1 for failed work, 128+N for killed by signal N), no stack trace, and nothing lost.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliResult, faultline } from "../support/built-cli.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
const root = join(scratch.path, "root");
const HELLO = "guest/root/bin/hello";
const WARNS_WHEN_LOUD = "mounts of tiny file systems need root";

/** A tmpfs of `kib`, or null when this process may not mount. */
const mounted: string[] = [];
function tinyDisk(name: string, kib: number): string | null {
  const path = join(scratch.path, name);
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    return null;
  }
  mounted.push(path);
  return path;
}

let disk: string | null = null;

function put(name: string, bytes: Uint8Array | string, mode = 0o755): void {
  writeFileSync(join(root, "bin", name), bytes);
  chmodSync(join(root, "bin", name), mode);
}

beforeAll(() => {
  mkdirSync(join(root, "bin"), { recursive: true });
  disk = tinyDisk("disk", 256);
  announceSkip(disk === null, `the disk under swap, trace and files cannot be made full: ${WARNS_WHEN_LOUD}`);
});

afterAll(() => {
  for (const path of mounted) execFileSync("umount", [path]);
  scratch.remove();
});

/** One line that begins as all of ours do, and no more. */
function expectLine(result: CliResult, status: number, line: RegExp): void {
  expect({ status: result.status, stderr: result.stderr }).toEqual({ status, stderr: expect.stringMatching(line) });
  expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(result.stderr).toMatch(/^faultline: .+\n$/);
}

const run = (...args: string[]) => faultline(["run", ...args]);
const inRoot = (...args: string[]) => run("--root", root, ...args);

test("no such program", () => {
  expectLine(run("nosuch"), 127, /nosuch: no such program in the bundled root/);
  expectLine(run("/bin/nosuch"), 127, /\/bin\/nosuch: no such program/);
  expectLine(run("/bin/hello/x"), 127, /no such program/);
  expectLine(run("./nosuch"), 127, /no such program/);
  expectLine(inRoot("--", "--memory"), 127, /--memory: no such program/);
  expectLine(run("a".repeat(5000)), 126, /cannot be run|too long/);
});

test("not a program", () => {
  put("text", "hello\n");
  put("empty", "");
  put("not-executable", readFileSync(HELLO), 0o644);
  put("no-interpreter", "#!\n");
  mkdirSync(join(root, "bin/folder"), { recursive: true });
  expectLine(inRoot("/bin/text"), 126, /\/bin\/text: not a riscv64 Linux program/);
  expectLine(inRoot("/bin/empty"), 126, /not a riscv64 Linux program/);
  expectLine(inRoot("/bin/not-executable"), 126, /permission denied/);
  expectLine(inRoot("/bin/no-interpreter"), 126, /not a riscv64 Linux program/);
  expectLine(inRoot("/bin/folder"), 126, /permission denied: it is a folder/);
});

test("another architecture", () => {
  copyFileSync(process.execPath, join(root, "bin/native"));
  chmodSync(join(root, "bin/native"), 0o755);
  expectLine(inRoot("/bin/native"), 126, /not a riscv64 Linux program/);
  for (const [at, value] of [
    [4, 1], // 32 bit
    [18, 62], // x86-64
    [16, 1], // a relocatable object
  ]) {
    const bytes = readFileSync(HELLO);
    bytes[at] = value;
    put("other", bytes);
    expectLine(inRoot("/bin/other"), 126, /not a riscv64 Linux program/);
  }
});

test("interpreters that are not there", () => {
  put("script", "#!/no/such -x\n");
  copyFileSync("guest/root/bin/sharer", join(root, "bin/dynamic"));
  chmodSync(join(root, "bin/dynamic"), 0o755);
  expectLine(inRoot("/bin/script"), 127, /\/bin\/script needs the interpreter \/no\/such, which is not in/);
  expectLine(inRoot("/bin/dynamic"), 127, /needs the interpreter \/lib\/ld-story\.so\.1, which is not in/);
});

test("truncated programs", () => {
  const whole = readFileSync(HELLO);
  const ends: number[] = [];
  for (let length = 0; length < whole.length; length = length < 400 ? length + 57 : length * 2) {
    put("cut", whole.subarray(0, length));
    const result = inRoot("/bin/cut");
    ends.push(result.status);
    // Within its headers it is no program; behind them it is one that runs into what is missing.
    if (result.status === 126) expectLine(result, 126, /not a riscv64 Linux program/);
    else if (result.status !== 0)
      expectLine(result, result.status, /\/bin\/cut is cut off: \d+ bytes that its headers promise/);
    expect([0, 126, 132, 135, 139]).toContain(result.status);
  }
  expect(ends[0]).toBe(126);
  expect(ends).toContain(132);
});

/** Program headers begin at 64, 56 bytes each: type 0, flags 4, offset 8, vaddr 16, filesz 32, memsz 40, align 48. */
function hostile(edit: (view: DataView, load: number[]) => void): CliResult {
  const bytes = readFileSync(HELLO);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const load: number[] = [];
  const count = view.getUint16(56, true);
  for (let i = 0; i < count; i++) if (view.getUint32(64 + 56 * i, true) === 1) load.push(64 + 56 * i);
  edit(view, load);
  put("hostile", bytes);
  return inRoot("/bin/hostile");
}

test("hostile headers", () => {
  const big = (view: DataView, at: number, value: bigint) => view.setBigUint64(at, value, true);
  const cases: Record<string, (view: DataView, load: number[]) => void> = {
    "address in the kernel's half": (view, [first]) => big(view, first + 16, 1n << 63n),
    "address beyond user memory": (view, [first]) => big(view, first + 16, 1n << 38n),
    "address 0": (view, [first]) => big(view, first + 16, 0n),
    "size wraps around": (view, [first]) => big(view, first + 40, 2n ** 64n - 4096n),
    "file size beyond memory size": (view, [first]) => big(view, first + 32, 2n ** 63n),
    "huge memory size": (view, [first]) => big(view, first + 40, 1n << 40n),
    "memory size up to the end": (view, [first]) => big(view, first + 40, (1n << 38n) - (1n << 20n)),
    "file offset not of the address's place in its page": (view, [first]) => big(view, first + 8, 3n),
    "file offset beyond the file": (view, [first]) => big(view, first + 8, 1n << 40n),
    "file offset wraps": (view, [first]) => big(view, first + 8, 2n ** 64n - 4096n),
    "headers beyond the file": (view) => big(view, 32, 1n << 50n),
    "headers at the end of numbers": (view) => big(view, 32, 2n ** 64n - 56n),
    "no headers": (view) => view.setUint16(56, 0, true),
    "very many headers": (view) => view.setUint16(56, 65535, true),
    "headers of another size": (view) => view.setUint16(54, 57, true),
    "entry in the kernel's half": (view) => big(view, 24, 2n ** 64n - 2n),
    "entry at odd address": (view) => big(view, 24, 0x10001n),
    "nothing to load": (view, load) => {
      for (const at of load) view.setUint32(at, 4, true);
    },
    "no permission": (view, load) => {
      for (const at of load) view.setUint32(at + 4, 0, true);
    },
    "all segments at one place": (view, load) => {
      for (const at of load) big(view, at + 16, view.getBigUint64(load[0] + 16, true));
    },
    "interpreter with a huge name": (view, load) => {
      view.setUint32(load.at(-1)!, 3, true);
      big(view, load.at(-1)! + 32, 1n << 40n);
    },
    "alignment not a power of two": (view, [first]) => big(view, first + 48, 12345n),
  };
  for (const [name, edit] of Object.entries(cases)) {
    const { status, stderr } = hostile(edit);
    // Refused by exec, or run into a fault; or harmless after all. Never a trace of ours.
    expect([0, 126, 127, 132, 135, 139], `${name}: ${stderr}`).toContain(status);
    if (status === 126) expect(stderr, name).toMatch(/^faultline: [^\n]+\n$/);
    else if (status > 127) expect(stderr, name).toMatch(/^(faultline: [^\n]+\n)?$/);
    expect(stderr, name).not.toMatch(/\.js:\d+|Error:/);
  }
});

test("roots that cannot be used", () => {
  expectLine(
    run("--root", join(scratch.path, "missing"), "/bin/hello"),
    2,
    /cannot use folder .*missing: no such file/,
  );
  expectLine(run("--root", HELLO, "/bin/hello"), 2, /cannot use folder .*: it is not a folder/);
  symlinkSync("loop", join(scratch.path, "loop"));
  expectLine(run("--root", join(scratch.path, "loop"), "/bin/hello"), 2, /cannot use folder/);
  expectLine(run("--mount", "/no/such/folder:/mnt", "/bin/hello"), 2, /cannot use folder \/no\/such\/folder/);
});

/** Root may read everything: then the command runs as nobody, if nobody can reach the repository. */
const NOBODY = 65534;
const asNobody = process.getuid?.() === 0 ? NOBODY : undefined;
const unreachable = asNobody !== undefined && faultline(["--version"], "", 10_000, asNobody).status !== 0;

test.skipIf(
  announceSkip(unreachable, "a root without permission: this is root, and nobody else can reach the repository"),
)("a root without permission", () => {
  const closed = join(scratch.path, "closed");
  mkdirSync(closed);
  chmodSync(scratch.path, 0o755);
  chmodSync(closed, 0);
  const result = faultline(["run", "--root", closed, "/bin/hello"], "", 10_000, asNobody);
  expectLine(result, 2, /cannot use folder .*closed: permission denied/);
  chmodSync(closed, 0o700);
});

test("bad options", () => {
  const cases: [string[], RegExp][] = [
    [["--memory", "12X"], /--memory "12X": a size is digits with K, M or G/],
    [["--memory", ""], /--memory "": a size/],
    [["--memory", "-1M"], /--memory/],
    [["--memory", "1K"], /--memory "1K": at least 1M/],
    [["--memory", "900G"], /--memory "900G": at most 3G/],
    [["--memory", "9".repeat(400)], /--memory/],
    [["--swap", "1.0001"], /--swap "1.0001": not a whole number of bytes/],
    [["--swap", "1T"], /--swap "1T": a size/],
    [["--swap", "900G"], /--swap "900G": at most/],
    [["--swap-file", "/tmp/x"], /--swap-file needs --swap/],
    [["--swap", "1M", "--swap-file", "/no/such/file"], /cannot make the swap file \/no\/such\/file: no such/],
    [["--swap", "1M", "--swap-file", "/dev/null"], /not a regular file/],
    [["--swap", "1M", "--swap-file", "/tmp"], /it is a folder/],
    [["--policy", "guess"], /--policy "guess": one of/],
    [["--overcommit", "sometimes"], /--overcommit "sometimes": one of/],
    [["--overcommit-ratio", "x"], /--overcommit-ratio "x": a whole number/],
    [["--seed", "-5"], /--seed "-5"/],
    [["--timeout", "0"], /--timeout "0": seconds above 0/],
    [["--env", "X"], /--env "X": NAME=VALUE/],
    [["--cwd", "relative"], /--cwd "relative"/],
    [["--cwd", "/no/such"], /--cwd \/no\/such: no such folder/],
    [["--mount", "x"], /--mount "x": HOST:GUEST/],
    [["--writable"], /--writable needs --root/],
    [["--trace", "/no/such/file"], /cannot write the trace \/no\/such\/file/],
    [["--report=/no/such/file"], /cannot write the report \/no\/such\/file/],
    [["--no-such-option"], /unknown option '--no-such-option'/],
  ];
  for (const [options, line] of cases) {
    const result = run(...options, "/bin/hello");
    expectLine(result, 2, line);
    expect(result.stdout).toBe("");
  }
  expectLine(run(), 2, /missing required argument 'program'/);
  expectLine(faultline(["no-such-command"]), 2, /unknown command 'no-such-command'/);
});

test("killed after --timeout", () => {
  const { status, stderr } = faultline([
    "run",
    "--timeout",
    "0.5",
    "--memory",
    "3M",
    "--swap",
    "1G",
    "/bin/truths",
    "fill",
    "900",
  ]);
  expect({ status, stderr }).toEqual({ status: 124, stderr: "faultline: killed after 0.5 s (--timeout)\n" });
});

const onDisk = (name: string, body: (disk: string) => void) =>
  test(name, ({ skip }) => {
    if (disk === null) skip(WARNS_WHEN_LOUD);
    for (const file of readdirSync(disk!)) execFileSync("rm", ["-rf", join(disk!, file)]);
    body(disk!);
  });

onDisk("disk full under the swap file: the out-of-memory killer, and why", (disk) => {
  const swap = ["--memory", "4M", "--swap", "32M", "--swap-file", join(disk, "swap")];
  const { status, stderr } = run(...swap, "/bin/truths", "fill", "16");
  expect(status).toBe(137);
  expect(stderr).toMatch(/^faultline: Write-error on swap-device, page \d+: swap file write: ENOSPC$/m);
  expect(stderr).toMatch(/^faultline: Out of memory: Killed process/m);
  expect(stderr.split("\n").filter((line) => line !== "" && !line.startsWith("faultline: "))).toEqual([]);
  // What fits goes through.
  expect(run(...swap, "/bin/truths", "fill", "3").status).toBe(0);
});

onDisk("disk full under trace and report: the program's work is done, one line says what is missing", (disk) => {
  const pressure = ["--memory", "4M", "--swap", "32M"];
  for (const name of ["trace.json", "trace.bin"]) {
    const result = run(...pressure, "--trace", join(disk, name), "/bin/truths", "fill", "24");
    expect(result.stdout).toContain("24 MiB filled and checked");
    expectLine(result, 1, /the trace .* is cut off: ENOSPC/);
    execFileSync("rm", [join(disk, name)]);
  }
  const result = run("--report=/dev/full", "/bin/hello");
  expect(result.stdout).toMatch(/^hello/);
  expectLine(result, 1, /cannot write the report \/dev\/full: ENOSPC/);
});

test("standard output on a full disk, or closed", () => {
  const full = execFileSync(
    "sh",
    ["-c", `"${process.execPath}" dist/cli/main.js run /bin/hello 2>&1 >/dev/full; echo $?`],
    { encoding: "utf8" },
  );
  expect(full).toMatch(/^faultline: cannot write the program's output: ENOSPC[^\n]*\n1\n$/);
});

const writer = announceSkip(!hasCompiler, "write-back to a full disk needs riscv64-linux-gnu-gcc")
  ? null
  : scratch.compile("write-back", ["test/guest/behaviours/write-back.c"]);

onDisk("disk full under write-back: msync and fsync say so, the exit says so, what fits is there", (disk) => {
  if (writer === null) return;
  copyFileSync(writer, join(root, "bin/write-back"));
  // 512 KiB into 256 KiB, with memory for all of it and with hardly any.
  for (const memory of ["16M", "2M"]) {
    const result = inRoot("--mount", `${disk}:/disk`, "--memory", memory, "/bin/write-back", "/disk/file", "512");
    expect(result.stdout).toBe("msync: No space left on device\nfsync: No space left on device\ncontents right\n");
    expectLine(result, 1, /not everything could be written back to the host \(error 28\)/);
    const written = readFileSync(join(disk, "file"));
    expect(written.length).toBe(512 << 10);
    let pages = 0;
    for (let page = 0; page < 128; page++) {
      const bytes = written.subarray(page * 4096, page * 4096 + 4096);
      if (bytes.every((byte) => byte === 0)) continue;
      pages++;
      // Whole pages with the right contents, or none.
      expect(bytes.every((byte) => byte === 97 + (page % 26))).toBe(true);
    }
    expect(pages).toBeGreaterThan(40);
    execFileSync("rm", [join(disk, "file")]);
  }
  const fits = inRoot("--mount", `${disk}:/disk`, "/bin/write-back", "/disk/file", "128");
  expect(fits).toMatchObject({ status: 0, stderr: "", stdout: "msync: ok\nfsync: ok\ncontents right\n" });
  expect(statSync(join(disk, "file")).size).toBe(128 << 10);
});
