// Our committed guest programs must be what their source says: rebuilds them with the cross compiler and compares bytes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const compiler = "riscv64-linux-gnu-gcc";
/** The compiler whose output is committed; another one makes other bytes from the same source. */
const recordedVersion = "12.2.0";

function compilerVersion(): string | null {
  try {
    return execFileSync(compiler, ["-dumpfullversion"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
}

const version = compilerVersion();
if (version !== recordedVersion) {
  console.warn(
    `SKIPPED: guest programs are not rebuilt: needs ${compiler} ${recordedVersion}, found ${version ?? "none"}`,
  );
}

test.skipIf(version !== recordedVersion)("committed guest programs equal a fresh build of their source", () => {
  const out = mkdtempSync(join(tmpdir(), "faultline-guest-"));
  try {
    execFileSync("sh", ["guest/build.sh", out]);
    for (const folder of ["bin", "lib"]) {
      const names = readdirSync(join(out, folder)).sort();
      expect(readdirSync(join("guest/root", folder)).sort()).toEqual(names);
      for (const name of names) {
        const same = readFileSync(join(out, folder, name)).equals(readFileSync(join("guest/root", folder, name)));
        expect(same, `${folder}/${name}`).toBe(true);
      }
    }
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
