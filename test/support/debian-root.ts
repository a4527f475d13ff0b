// The Debian root that tests of real programs run in: installed once from a lock file into the cache, then reused.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const LOCK = "test/real/packages.lock.tsv";

/**
 * Path of the root, installing it when needed (a mirror must be reachable: FAULTLINE_MIRROR or the host's apt). null, and a
 * loud line, when it cannot be had. FAULTLINE_TEST_ROOT names a root that is there already.
 */
export function debianRoot(): string | null {
  const given = process.env.FAULTLINE_TEST_ROOT;
  if (given !== undefined) return given;
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "faultline");
  const identity = createHash("sha256").update(readFileSync(LOCK)).digest("hex").slice(0, 16);
  const root = join(cache, `test-root-${identity}`);
  if (existsSync(join(root, ".complete"))) return root;
  mkdirSync(cache, { recursive: true });
  const building = `${root}.${process.pid}`;
  execFileSync("npx", ["tsc", "-b"], { stdio: "inherit" });
  const result = spawnSync(process.execPath, ["dist/cli/main.js", "install", "--root", building, "--lock", LOCK], {
    encoding: "utf8",
  });
  if (result.status !== 0) {
    rmSync(building, { recursive: true, force: true });
    console.warn(`SKIPPED: real programs: no Debian root: ${result.stderr.trim().split("\n").pop()}`);
    return null;
  }
  writeFileSync(join(building, ".complete"), "");
  renameSync(building, root);
  return root;
}
