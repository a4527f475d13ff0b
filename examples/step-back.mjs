// Stops at a copy-on-write, explains it, looks at both sides of it, and goes back to the moment before: the library in one page.
//   node examples/step-back.mjs
import { Machine, storyText, tellFault } from "faultline";

// A seed makes the run repeatable: only then is there a way back.
const machine = await Machine.create({ memory: "16M", seed: 1 });
const control = machine.control(); // the machine stands still until it is told to run

const program = machine.spawn("/bin/truths", ["private"], { stdin: null });
const { fault, pid, instructions } = await control.runTo({ fault: "copy-on-write" });
console.log(storyText(tellFault(fault)));

const where = () => {
  const { levels } = machine.inspect.walk(pid, fault.address);
  const { pfn } = levels[levels.length - 1];
  const { kind, mappings } = machine.inspect.frame(pfn);
  return `${kind} frame ${pfn}, mapped by process ${mappings.map((m) => m.pid).join(" and ")}`;
};
console.log(`after ${instructions} instructions: ${where()}`);

await control.stepBack("fault"); // the fault before this one
console.log(`one fault earlier, after ${control.instructions} instructions: ${where()}`);

const end = await control.run(); // the same run again: nothing is printed twice
console.log(`${end.reason} after ${end.instructions} instructions`);
console.log((await program.wait()).stdout);
await machine.stop();
machine.close();
