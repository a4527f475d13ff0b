// A process that translates and optimises what a run that has ended was seen to execute (code-store.ts starts it), with what
// the processors have left. Its argument is the profile, a file, which it removes when it is done. What earlier runs of the program
// were seen to execute is added to it.
import { readFileSync, rmSync, unlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { dirname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { translateAhead } from "../../cpu/jit/ahead.ts";
import { addProfile } from "../../cpu/jit/profiles.ts";
import type { CodeProfile } from "../../cpu/jit/survey.ts";
import { fileOf, isLearned, readPages, removeOldest, writePages, writeProgram } from "./code-store.ts";
import { compileOptimised, machineCodeOf } from "./v8-code.ts";
import { readIfThere, writeAtOnce } from "./whole-file.ts";

/** Of all there is. */
const MOST_BYTES = 256 * 2 ** 20;

setPriority(constants.priority.PRIORITY_LOW);
const file = process.argv[2];
const folder = dirname(file);
const { program, memoryPages, ...fresh } = deserialize(readFileSync(file)) as CodeProfile & {
  program: number;
  memoryPages: number;
};
const seenFile = fileOf(folder, program, "seen");
const seen = readSeen(seenFile);
const profile = seen === null ? fresh : addProfile(seen, fresh);
const translated = translateAhead(profile, memoryPages, compileOptimised);
const code = translated && machineCodeOf(compileOptimised(translated.bytes));
if (code) {
  writeProgram(fileOf(folder, program, "program"), { ...translated, code: new Uint8Array(code) });
  const hashes = new Set(translated.regions.flatMap(({ pages }) => pages.map(({ hash }) => hash)));
  writePages(folder, { ...readPages(folder), [program]: [...hashes] });
}
if (isLearned(folder, program)) rmSync(seenFile, { force: true });
else writeAtOnce(seenFile, [serialize(profile)]);
removeOldest(dirname(folder), MOST_BYTES);
unlinkSync(file);

/** What earlier runs were seen to execute; null: nothing, or what is there is damaged. */
function readSeen(path: string): CodeProfile | null {
  const bytes = readIfThere(path);
  if (bytes === null) return null;
  try {
    return deserialize(bytes) as CodeProfile;
  } catch {
    return null;
  }
}
