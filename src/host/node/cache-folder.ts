// Where the user keeps what can be had again: downloads and translations.
import { join } from "node:path";

/** $XDG_CACHE_HOME/faultline, as the XDG base directory specification places it (relative values are ignored); null: nobody says where. */
export function cacheFolder(env: Record<string, string | undefined>): string | null {
  const { XDG_CACHE_HOME: caches, HOME: home } = env;
  if (caches?.startsWith("/")) return join(caches, "faultline");
  return home ? join(home, ".cache", "faultline") : null;
}
