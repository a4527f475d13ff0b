// Loads the modules of `faultline run` from one script with its compiled form (tools/bundle.mjs), when that was made from the
// modules as they are now: hundreds of small files take longer to load than many a program runs.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

type Bundle = typeof import("./bundle-entry.ts");

const DIST = new URL("../", import.meta.url);

/** The bundle, or null when there is none or it is older than what the compiler wrote last. */
export function loadBundle(): Bundle | null {
  try {
    const file = new URL("bundle/run.cache", DIST);
    const made = statSync(file).mtimeMs;
    for (const name of readdirSync(DIST)) {
      if (name.endsWith(".tsbuildinfo") && statSync(new URL(name, DIST)).mtimeMs > made) return null;
    }
    const { exports } = evaluateBundle(readFileSync(new URL("bundle/run.cjs", DIST), "latin1"), readFileSync(file));
    exports.useKeptInterpreters(fileURLToPath(new URL("bundle", DIST)));
    exports.useCodeStore(readFileSync(new URL("bundle/build", DIST), "latin1"));
    return exports;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** A compiled form that V8 made for another version of itself or with other flags is ignored by V8. */
export function evaluateBundle(source: string, cachedData: Buffer | undefined): { script: Script; exports: Bundle } {
  const script = new Script(`(function (exports, require, moduleUrl) {${source}\n})`, {
    filename: fileURLToPath(new URL("bundle/run.cjs", DIST)),
    cachedData,
  });
  const exports = {} as Bundle;
  const moduleUrl = (path: string) => new URL(path, DIST).href;
  script.runInThisContext()(exports, createRequire(import.meta.url), moduleUrl);
  return { script, exports };
}
