// Loaded before a program by the host-memory section: says at its end how much memory the process had at most.
import { writeSync } from "node:fs";

process.on("exit", () => writeSync(2, `\npeak-resident-kib ${process.resourceUsage().maxRSS}\n`));
