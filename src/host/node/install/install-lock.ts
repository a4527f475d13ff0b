// Keeps two installs from working on the same root at once: a file with the process number, given up when that one is gone.
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { InstallError } from "./install-error.ts";

/** `path` is where the lock file goes, its folder exists. Returns the function that gives `root` free. */
export function lockRoot(path: string, root: string): () => void {
  for (let attempt = 0; ; attempt++) {
    try {
      const fd = openSync(path, "wx", 0o600);
      writeSync(fd, `${process.pid}\n`);
      closeSync(fd);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt === 1) throw error;
      const owner = Number(readFileSync(path, "utf8"));
      if (owner !== process.pid && isAlive(owner)) {
        throw new InstallError(`another install (process ${owner}) is working on ${root}`, 1);
      }
      rmSync(path, { force: true }); // its owner was interrupted
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
