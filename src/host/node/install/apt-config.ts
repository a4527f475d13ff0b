// Finds the host's Debian mirror and archive keys where apt would look for them. Reads files only.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AptSource, debianMirror, parseDeb822Sources, parseOneLineSources } from "../../../image/apt-sources.ts";

const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // not there or not readable: as if apt had no such file
  }
};

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** The Debian archive that the host's apt uses, or null. `etcApt` is /etc/apt. */
export function hostMirror(etcApt: string): string | null {
  const sources: AptSource[] = parseOneLineSources(readText(join(etcApt, "sources.list")));
  const parts = join(etcApt, "sources.list.d");
  for (const name of list(parts)) {
    if (name.endsWith(".sources")) sources.push(...parseDeb822Sources(readText(join(parts, name))));
    else if (name.endsWith(".list")) sources.push(...parseOneLineSources(readText(join(parts, name))));
  }
  return debianMirror(sources);
}

/** apt's own proxy for http or https (Acquire::http::Proxy "..."), or null. */
export function aptProxy(etcApt: string, scheme: "http" | "https"): string | null {
  const folder = join(etcApt, "apt.conf.d");
  const texts = [...list(folder).map((name) => readText(join(folder, name))), readText(join(etcApt, "apt.conf"))];
  let proxy: string | null = null;
  for (const text of texts) {
    const plain = text.replace(/^\s*(\/\/|#).*$/gm, "");
    const flat = new RegExp(`Acquire::${scheme}::Proxy\\s+"([^"]*)"`, "i").exec(plain);
    const nested = new RegExp(`Acquire\\s*\\{[\\s\\S]*?${scheme}\\s*\\{[^}]*?\\bProxy\\s+"([^"]*)"`, "i").exec(plain);
    proxy = flat?.[1] ?? nested?.[1] ?? proxy;
  }
  return proxy === null || proxy === "" || proxy.toUpperCase() === "DIRECT" ? null : proxy;
}

/** Debian's archive keys on the host, best first: the keyring package, then keys the administrator trusts. */
export function hostKeyrings(usrShareKeyrings: string, etcApt: string): string[] {
  const found = list(usrShareKeyrings);
  const names = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp", "debian-archive-keyring.asc"];
  const main = names.find((name) => found.includes(name));
  if (main) return [join(usrShareKeyrings, main)];
  const trusted = join(etcApt, "trusted.gpg.d");
  return list(trusted)
    .filter((name) => /^debian-archive.*\.(gpg|pgp|asc)$/.test(name))
    .map((name) => join(trusted, name));
}
