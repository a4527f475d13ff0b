// Debian's own programs on a machine: shells, coreutils, python, perl, sqlite, gcc; sharing, pressure, and the memory bound.
import { expect, test } from "vitest";
import { Machine } from "../../src/host/node/index.ts";
import { debianRoot } from "../support/debian-root.ts";
import { runIn } from "../support/guest.ts";

const root = debianRoot();
const real = test.skipIf(root === null);

const bash = (script: string, options = {}) =>
  runIn(root!, "/bin/bash", ["-c", script], { memory: "256M", ...options });

real("busybox-static", async () => {
  const { code, stdout } = await runIn(root!, "/bin/busybox", [
    "sh",
    "-c",
    "busybox seq 1 1000 | busybox awk '{s+=$1}END{print s}'",
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "500500\n" });
});

real("bash: pipelines, here-documents, subshells, arithmetic", async () => {
  const { code, stdout, stderr } = await bash(`
    set -o pipefail
    seq 1 100 | grep 7 | wc -l
    cat <<EOF | tr a-z A-Z
hello $((6*7))
EOF
    (cd /tmp && pwd; exit 3); echo status $?
    x=$(for i in 3 1 2; do echo $i; done | sort -n | tr '\\n' ' '); echo "[$x]"
    true | false; echo pipe $?
  `);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toBe("19\nHELLO 42\n/tmp\nstatus 3\n[1 2 3 ]\npipe 1\n");
});

real("bash: job control in a script", async () => {
  const { stdout } = await bash(
    "set -m; sleep 30 & kill -STOP %1; sleep 0.05; jobs; kill -CONT %1; kill %1; wait %1; echo $?",
    { seed: 3 },
  );
  expect(stdout).toMatch(/Stopped/);
  expect(stdout).toMatch(/143\n$/);
});

real("python3", async () => {
  const { code, stdout } = await runIn(root!, "/usr/bin/python3", [
    "-c",
    "import json,hashlib,mmap;print(hashlib.md5(json.dumps(list(range(1000))).encode()).hexdigest())",
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "52a67e4dd3d129b5b15daab989ad7af9\n" });
});

real("python3's own test_mmap, all of it", async () => {
  const { code, stdout } = await runIn(root!, "/usr/bin/python3", ["-m", "test", "test_mmap"], {
    memory: "512M",
    seed: null,
  });
  expect(stdout).toMatch(/Result: SUCCESS/);
  expect(code).toBe(0);
});

real("python3 -m test test_mmap: all of its tests", async () => {
  const { code, stdout, stderr } = await runIn(
    root!,
    "/usr/bin/python3",
    ["-m", "test", "-u", "all", "-v", "test_mmap"],
    {
      memory: "256M",
    },
  );
  expect(stderr).not.toMatch(/FAIL|ERROR/);
  expect(code).toBe(0);
  const text = stdout + stderr;
  expect(text).toMatch(/Result: SUCCESS/);
  expect(Number(/Ran (\d+) tests/.exec(text)?.[1])).toBeGreaterThanOrEqual(50);
  // What is skipped is for Windows, and nothing else.
  const skipped = text.split("\n").filter((line) => / \.\.\. skipped /.test(line));
  expect(skipped.filter((line) => !/Windows/.test(line))).toEqual([]);
});

real("perl", async () => {
  const { stdout } = await runIn(root!, "/usr/bin/perl", [
    "-e",
    'my %h; $h{$_}=$_ for 1..10000; my $s=0; $s+=$_ for values %h; print "$s\\n"',
  ]);
  expect(stdout).toBe("50005000\n");
});

real("sqlite3", async () => {
  const sql =
    "create table t(a);with recursive c(x) as (select 1 union all select x+1 from c where x<1000) insert into t select x from c;select sum(a) from t;pragma integrity_check;";
  const { stdout } = await runIn(root!, "/usr/bin/sqlite3", ["/tmp/a.db", sql]);
  expect(stdout).toBe("500500\nok\n");
});

real("gcc compiles a program that then runs", async () => {
  const { code, stdout, stderr } = await bash(
    `cd /tmp && printf '#include <stdio.h>\\nint main(){printf("%%d\\\\n",6*7);return 5;}\\n' > hello.c && gcc -O2 hello.c && ./a.out`,
  );
  expect(stderr).toBe("");
  expect({ code, stdout }).toEqual({ code: 5, stdout: "42\n" });
});

real("ten bash processes: text of bash and libc resident once, PSS adds up to the frames used", async () => {
  const machine = await Machine.create({ root: root!, memory: "256M", seed: 1 });
  const shells = Array.from({ length: 10 }, () => machine.spawn("/bin/bash", ["-c", "echo ready; read line"]));
  while (!shells.every((shell) => shell.collectedOutput === "ready\n"))
    await new Promise((resolve) => setTimeout(resolve, 2));
  const spaces = shells.map((shell) => shell.process.leader.space);
  for (const name of [/\/bash$/, /\/libc\.so\.6$/]) {
    const frames = spaces.map((space) => {
      const area = [...space.areas].find((a) => a.file && name.test(a.file.name()) && (a.flags & 7) === 5)!;
      const found: number[] = [];
      for (let vpn = area.startVpn; vpn < area.endVpn; vpn++) {
        const at = space.table.find(vpn);
        found.push(at === 0 ? 0 : space.table.read(at) >>> 10);
      }
      return found;
    });
    let compared = 0;
    for (let page = 0; page < frames[0].length; page++) {
      const present = frames.map((list) => list[page]).filter((pfn) => pfn !== 0);
      if (present.length < 2) continue;
      compared++;
      expect(new Set(present).size).toBe(1);
    }
    expect(compared).toBeGreaterThan(10);
  }
  const { processes } = machine.report();
  const pss = processes.reduce((sum, p) => sum + p.areas.reduce((s, a) => s + a.pss, 0), 0);
  const used = new Set<number>();
  for (const space of spaces) {
    for (const area of space.areas) {
      for (let vpn = area.startVpn; vpn < area.endVpn; vpn++) {
        const at = space.table.find(vpn);
        const pte = at === 0 ? 0 : space.table.read(at);
        if ((pte & 1) !== 0 && (pte & 0x100) === 0) used.add(pte >>> 10);
      }
    }
  }
  // Each area's PSS is rounded down to a byte.
  expect(Math.abs(pss / 4096 - used.size)).toBeLessThan(1);
  for (const shell of shells) shell.write("\n");
  await Promise.all(shells.map((shell) => shell.wait()));
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
});

real("two runs with the same seed are the same, byte for byte", async () => {
  const once = async () => {
    const { stdout, machine } = await bash(
      "for i in 1 2 3; do (echo $RANDOM $i; date +%N) & done; wait; cat /proc/self/maps; python3 -c 'import os;print(os.urandom(8),hash(\"x\"))'",
      { seed: 7 },
    );
    return { stdout, instructions: machine.kernel.hart.instructions };
  };
  expect(await once()).toEqual(await once());
});

/** Collects what a terminal shows, and waits for words on it. */
class Screen {
  text = "";
  readonly host = {
    write: (bytes: Uint8Array) => {
      this.text += new TextDecoder().decode(bytes);
    },
  };

  /** Waits for `words` behind what was seen before, and returns all that came until then. */
  async until(words: string | RegExp, seconds = 60): Promise<string> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = typeof words === "string" ? this.text.indexOf(words) : this.text.search(words);
      if (found >= 0) {
        const seen = this.text;
        this.text = "";
        return seen;
      }
      if (Date.now() > end) throw new Error(`waited for ${words}, saw ${JSON.stringify(this.text)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

real("bash on a terminal: job control, pipelines, here-documents, subshells", async () => {
  const machine = await Machine.create({ root: root!, memory: "128M", seed: 1 });
  const screen = new Screen();
  const shell = machine.spawn("/bin/bash", ["--norc", "--noediting"], {
    terminal: { host: screen.host, size: { rows: 24, columns: 80 } },
    env: { PS1: "ready> ", TERM: "dumb", HISTFILE: "" },
  });
  const type = async (line: string) => {
    shell.write(`${line}\n`);
    return (await screen.until(/\nready> $/)).replaceAll("\r\n", "\n");
  };
  await screen.until(/ready> $/);
  expect(await type("tty; stty size; echo $-")).toMatch(/\n\/dev\/(console|tty|pts\/\d+)\n24 80\n\w*m\w*\n/);
  expect(await type("seq 1 50 | grep 7 | (read a; cat; echo first $a) | tail -n 2")).toMatch(/\n47\nfirst 7\n/);
  shell.write("cat <<END | tr a-z A-Z\nhello $((6*7))\nEND\n");
  expect(await screen.until(/\nready> $/)).toMatch(/HELLO 42/);
  // Ctrl-C ends the foreground job alone; Ctrl-Z stops it, fg brings it back, kill ends it in the background.
  shell.write("sleep 1000\n");
  await screen.until("sleep 1000\r\n");
  await until(() => foreground(machine) === "sleep");
  shell.write("\x03");
  await screen.until(/\nready> $/);
  expect(await type("echo status $?")).toMatch(/\nstatus 130\n/);
  shell.write("sleep 1000 | cat\n");
  await until(() => foreground(machine) === "sleep");
  shell.write("\x1a");
  expect(await screen.until(/\nready> $/)).toMatch(/\[1\]\+ {2}Stopped +sleep 1000 \| cat/);
  expect(await type("bg; jobs")).toMatch(/\[1\]\+ {2}Running +sleep 1000 \| cat &/);
  shell.write("fg\n");
  await until(() => foreground(machine) === "sleep");
  shell.write("\x1a");
  await screen.until(/\nready> $/);
  expect(await type("kill %1; bg >/dev/null; wait %1; echo status $?")).toMatch(/status (143|0)\n/);
  // A background reader is stopped by SIGTTIN.
  expect(await type("cat & sleep 0.1; jobs")).toMatch(/Stopped.* cat/);
  expect(await type("kill -9 %1; wait; trap 'echo resized' WINCH")).toBeDefined();
  shell.resize({ rows: 50, columns: 132 });
  expect(await type("stty size")).toMatch(/50 132\n/);
  shell.write("exit 7\n");
  expect((await shell.wait()).code).toBe(7);
  machine.kernel.mm.checkInvariants();
  await machine.stop();
  machine.close();
});

real("a pseudo-terminal inside the guest (pty.spawn of python3)", async () => {
  const script = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv("/bin/bash", ["bash", "--norc", "-ic", "tty; stty -a | head -1; read -p name? x; echo got $x; exit 3"])
out = b""
sent = False
while True:
    try:
        data = os.read(fd, 1000)
    except OSError:
        break
    if not data: break
    out += data
    if b"name?" in out and not sent:
        os.write(fd, b"faultline\n"); sent = True
print(out.decode().replace("\r", ""), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
  const { stdout, code } = await runIn(root!, "/usr/bin/python3", ["-c", script], { memory: "128M" });
  expect(stdout).toMatch(
    /^\/dev\/pts\/0\nspeed \d+ baud; rows 0; columns 0; line = 0;\nname\?faultline\ngot faultline\n 3\n$/,
  );
  expect(code).toBe(0);
});

/** Name of the process whose group the console's foreground is. */
function foreground(machine: Machine): string | undefined {
  return [...machine.kernel.processes.values()].find((p) => p.state === "alive" && p.leader.name === "sleep")?.leader
    .name;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 10_000) throw new Error("waited too long");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
