// The Debian root that tests of real programs run in: installed once from a lock file into the cache, then reused.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const LOCK = "test/real/packages.lock.tsv";
/** Longer than any installation takes. */
const STALE_LOCK_MS = 600_000;

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
  const lock = `${root}.lock`;
  if (!lockOrWait(lock, () => existsSync(join(root, ".complete")))) return root;
  try {
    return install(root);
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Test files run side by side: one installs, the others wait. True: the lock is ours; false: it is `done`. */
function lockOrWait(lock: string, done: () => boolean): boolean {
  for (;;) {
    if (done()) return false;
    try {
      writeFileSync(lock, "", { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_LOCK_MS) rmSync(lock, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
}

function install(root: string): string | null {
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
