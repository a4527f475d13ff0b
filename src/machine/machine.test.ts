// Tests how a machine's loop starts and ends around the programs its user starts; what programs do is tested in test/guest.
import { readdirSync, readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { Machine } from "../host/node/index.ts";

test("programs started in one go all run", async () => {
  const machine = await Machine.create({ memory: "8M", seed: 1 });
  const all = [1, 2, 3].map((n) => machine.spawn("/bin/hello", [`number ${n}`], { stdin: null }));
  const ends = await Promise.all(all.map((one) => one.wait()));
  expect(ends.map((end) => end.stdout)).toEqual([
    "hello from number 1, process 2\n",
    "hello from number 2, process 3\n",
    "hello from number 3, process 4\n",
  ]);
  await machine.stop();
  machine.close();
});

test("a program can be started the moment another one ended", async () => {
  const machine = await Machine.create({ memory: "8M", seed: 1 });
  for (let i = 0; i < 5; i++) {
    const { code } = await machine.spawn("/bin/hello", [], { stdin: null }).wait();
    expect(code).toBe(0);
  }
  await machine.stop();
  machine.close();
});

test("a stopped machine can be stopped again", async () => {
  const machine = await Machine.create({ memory: "8M" });
  const reader = machine.spawn("/bin/truths", ["fill", "1"]);
  while (reader.collectedOutput === "") await new Promise((resolve) => setTimeout(resolve, 1));
  await machine.stop();
  await machine.stop();
  machine.close();
});

/** What this process has open below `folder` (Linux). */
function openBelow(folder: string): string[] {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // that of readdir itself
    }
  });
  return links.filter((link) => link.startsWith(folder));
}

test("a closed machine leaves no file of its folders open", async () => {
  const machine = await Machine.create({ memory: "8M", mounts: [{ host: import.meta.dirname, guest: "/mnt" }] });
  await machine.spawn("/bin/hello", [], { stdin: null }).wait();
  await machine.stop();
  expect(openBelow(import.meta.dirname)).not.toEqual([]);
  const { description } = machine.folders[0];
  machine.close();
  expect([...openBelow(import.meta.dirname), ...openBelow(description)]).toEqual([]);
});

/** A taker of output, and what it was given. */
function taker() {
  const seen = { text: "", wanted: 0 };
  const host = {
    write: (bytes: Uint8Array) => {
      seen.text += new TextDecoder().decode(bytes);
    },
    inputWanted: () => {
      seen.wanted++;
    },
  };
  return { host, seen };
}

const SIZE = { rows: 24, columns: 80 };

test("standard input is a pipe, output the terminal: the keyboard is not asked for", async () => {
  const machine = await Machine.create({ memory: "8M", seed: 1 });
  const { host, seen } = taker();
  const program = machine.spawn("/bin/pages", ["wait"], { terminal: { host, size: SIZE }, stdin: "\n" });
  expect((await program.wait()).code).toBe(0);
  expect(seen.text).toContain("Enter goes on");
  expect(seen.wanted).toBe(0);
  await machine.stop();
  machine.close();
});

test("standard output is a pipe, input the terminal: keys are asked for, and echoed on it", async () => {
  const machine = await Machine.create({ memory: "8M", seed: 1 });
  const { host, seen } = taker();
  const output = taker();
  const terminal = { host, size: SIZE };
  const program = machine.spawn("/bin/pages", ["wait"], { terminal, stdout: output.host });
  while (seen.wanted === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  program.type(new TextEncoder().encode("\n"));
  expect((await program.wait()).code).toBe(0);
  expect(output.seen.text).toContain("Enter goes on");
  expect(seen.text).toBe("\r\n");
  await machine.stop();
  machine.close();
});
