// Text of /proc/PID/limits (Linux fs/proc/base.c, proc_pid_limits).
import type { RLimits } from "../../rlimits.ts";

/** In the order of RLIMIT_*. */
const ROWS = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
] as const;

export function renderLimits(limits: RLimits): string {
  const show = (value: number) => (Number.isFinite(value) ? String(value) : "unlimited");
  let out = `${"Limit".padEnd(25)} ${"Soft Limit".padEnd(20)} ${"Hard Limit".padEnd(20)} ${"Units".padEnd(10)}\n`;
  ROWS.forEach(([name, unit], i) => {
    out += `${name.padEnd(25)} ${show(limits.soft[i]).padEnd(20)} ${show(limits.hard[i]).padEnd(20)} ${unit === "" ? "" : unit.padEnd(10)}\n`;
  });
  return out;
}
