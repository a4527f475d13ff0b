// The built command line (dist/cli/main.js) as a child process, for tests of what a user types and sees.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const MAIN = "dist/cli/main.js";

export interface CliResult {
  /** Exit status; -1 when a signal ended it. */
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs `faultline ARGS`, as user `uid` if given. `npm test` builds first; here it is built only when it is missing altogether. */
export function faultline(
  args: readonly string[],
  input: string | Uint8Array = "",
  timeoutMs = 60_000,
  uid?: number,
): CliResult {
  if (!existsSync(MAIN)) execFileSync("npx", ["tsc", "-b"], { stdio: "inherit" });
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: "utf8",
    timeout: timeoutMs,
    uid,
    gid: uid,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 28,
  });
  if (error && status === null && (error as NodeJS.ErrnoException).code !== "ETIMEDOUT") throw error;
  return { status: status ?? -1, stdout, stderr };
}
