// A process that translates and optimises what a run that has ended was seen to execute (code-store.ts starts it), with what
// the processors have left. Its argument is the profile, a file, which it removes when it is done.
import { readFileSync, unlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { dirname, join } from "node:path";
import { deserialize } from "node:v8";
import { type TranslatedRegion, translateAhead } from "../../cpu/jit/ahead.ts";
import type { CodeProfile } from "../../cpu/jit/survey.ts";
import { fileName, type OptimisedRegion, readRegions, removeOldest, writeRegions } from "./code-store.ts";
import { compileOptimised, machineCodeOf } from "./v8-code.ts";

/** Of all there is. */
const MOST_BYTES = 256 * 2 ** 20;
/** Of one page; the oldest go. */
const MOST_REGIONS = 48;

setPriority(constants.priority.PRIORITY_LOW);
const file = process.argv[2];
const folder = dirname(file);
const profile = deserialize(readFileSync(file)) as CodeProfile & { memoryPages: number };

const byPage = new Map<string, TranslatedRegion[]>();
for (const region of translateAhead(profile, profile.memoryPages)) {
  const name = fileName(region.rootHash);
  byPage.set(name, [...(byPage.get(name) ?? []), region]);
}
for (const [name, translated] of byPage) {
  const path = join(folder, name);
  const before = readRegions(path);
  const fresh = translated.flatMap((region): OptimisedRegion[] => {
    const same = before.find(({ bytes }) => Buffer.compare(bytes, region.bytes) === 0);
    const code = same?.code ?? machineCodeOf(compileOptimised(region.bytes));
    return code === null ? [] : [{ ...region, code: new Uint8Array(code) }];
  });
  const isNew = ({ rootOffset }: OptimisedRegion) => !fresh.some((region) => region.rootOffset === rootOffset);
  writeRegions(path, [...fresh, ...before.filter(isNew)].slice(0, MOST_REGIONS));
}
removeOldest(dirname(folder), MOST_BYTES);
unlinkSync(file);
