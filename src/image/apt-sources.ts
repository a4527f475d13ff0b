// Reads apt's source lists (sources.list(5)): the one-line and the deb822 format. Pure text in, list of sources out.
import { parseControl } from "./control.ts";

export interface AptSource {
  uri: string;
  suites: string[];
  components: string[];
  signedBy: string[];
}

/** Enabled binary ("deb") sources of a one-line .list file, in order. */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/#.*/, "").trim();
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)(?:\s+(.*))?$/.exec(line);
    if (!match) continue;
    const [, options = "", uri, suite, components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1].split(",") ?? [];
    sources.push({ uri, suites: [suite], components: components.split(/\s+/).filter(Boolean), signedBy });
  }
  return sources;
}

/** Enabled binary sources of a deb822 .sources file, in order; one entry for each URI. */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of parseControl(text)) {
    const words = (name: string) => (paragraph.get(name) ?? "").split(/\s+/).filter(Boolean);
    if (/^(no|false|0|off|without|disable)$/i.test(paragraph.get("Enabled") ?? "yes")) continue;
    if (!words("Types").includes("deb")) continue;
    const inline = (paragraph.get("Signed-By") ?? "").includes("-----BEGIN");
    const signedBy = inline ? [] : words("Signed-By");
    for (const uri of words("URIs"))
      sources.push({ uri, suites: words("Suites"), components: words("Components"), signedBy });
  }
  return sources;
}

const SUPPORTED_URI = /^(https?|file|copy):/;

/**
 * The host's Debian mirror: the first source that is a Debian archive proper (its folder is called "debian", or it is
 * signed by Debian's archive keyring) and not one of the security or ports archives, whose pools are separate.
 */
export function debianMirror(sources: readonly AptSource[]): string | null {
  for (const source of sources) {
    if (!SUPPORTED_URI.test(source.uri)) continue;
    const uri = source.uri.replace(/\/+$/, "");
    const isDebian = /\/debian$/.test(uri) || source.signedBy.some((path) => path.includes("debian-archive-keyring"));
    const isSide =
      /security|backports|ports$|debug$/.test(uri.slice(uri.indexOf("//") + 2).replace(/^[^/]*/, "")) ||
      source.suites.every((suite) => /-security|\/updates/.test(suite));
    if (isDebian && !isSide) return uri;
  }
  return null;
}
