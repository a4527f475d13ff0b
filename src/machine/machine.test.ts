// Tests how a machine's loop starts and ends around the programs its user starts; what programs do is tested in test/guest.
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
