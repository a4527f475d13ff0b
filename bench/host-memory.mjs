// Section (e): resident set of the Node process against the physical memory that the guest really used.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { faultline, interleave, row, time } from "./measure.mjs";
import { median, show } from "./statistics.mjs";

const hook = new URL("./print-peak-memory.mjs", import.meta.url).href;

export function hostMemory({ scratch, runs, quick }) {
  const folder = join(scratch, "truths");
  mkdirSync(join(folder, "bin"), { recursive: true });
  copyFileSync("guest/root/bin/truths", join(folder, "bin/truths"));
  console.log("\nHost memory: peak resident MiB of the process (median) for a guest that fills so much of 1 GiB");
  row("guest fills", "resident", "above use");
  return (quick ? [8] : [8, 64, 256, 768]).map((mebibytes) => {
    const [command, args] = faultline(folder, "--memory", "1G", "/bin/truths", "fill", String(mebibytes));
    const once = () =>
      Number(time(command, ["--import", hook, ...args]).stderr.match(/peak-resident-kib (\d+)/)[1]) / 1024;
    const resident = median(interleave([once], runs)[0]);
    row(`${mebibytes} MiB`, show(resident, 0), show(resident - mebibytes, 0));
    return { mebibytes, resident };
  });
}
