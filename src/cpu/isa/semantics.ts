// What every instruction means, by name: the union of the extensions.
import type { Semantics } from "./emitter.ts";
import { FLOAT_SEMANTICS } from "./semantics-float.ts";
import { INTEGER_SEMANTICS } from "./semantics-integer.ts";
import { MEMORY_SEMANTICS } from "./semantics-memory.ts";
import { SYSTEM_SEMANTICS } from "./semantics-system.ts";

export const SEMANTICS: Semantics = {
  ...INTEGER_SEMANTICS,
  ...MEMORY_SEMANTICS,
  ...FLOAT_SEMANTICS,
  ...SYSTEM_SEMANTICS,
};
