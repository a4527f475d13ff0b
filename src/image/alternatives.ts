// update-alternatives(1) without running scripts: reads the literal `--install` commands out of maintainer scripts and makes
// the links they would make, with the administrative files that Debian's own tool understands.
import { encodeUtf8 } from "../util/utf8.ts";
import { cleanPath, ensureDirectory, type PathResolver, parentOf, type RootTree, writeFile } from "./root-tree.ts";

export interface AlternativeLink {
  /** Where the generic name lies, e.g. /usr/bin/awk. */
  link: string;
  name: string;
  /** What it stands for, e.g. /usr/bin/gawk. */
  path: string;
}

export interface Alternative extends AlternativeLink {
  priority: number;
  slaves: AlternativeLink[];
}

/**
 * The commands of a script that are written out. Variables count only when they were set to plain words before (`x=word`,
 * `for x in word ...`); a command with anything computed in it is left out, and slaves after something computed too.
 */
export function parseAlternatives(script: string): Alternative[] {
  const found: Alternative[] = [];
  const loops: { name: string; words: string[] }[] = [];
  const variables = new Map<string, string>();
  for (const line of script.replace(/\\\n/g, " ").split("\n")) {
    const assignment = /^\s*([A-Za-z_]\w*)=(?:(["'])([A-Za-z0-9_./+:@% -]*)\2|([A-Za-z0-9_./+:@%-]*))\s*$/.exec(line);
    if (assignment) variables.set(assignment[1], assignment[3] ?? assignment[4]);
    const loop = /^\s*for\s+([A-Za-z_]\w*)\s+in\s+([^;`]*?)\s*(?:;\s*do\b.*)?$/.exec(line);
    if (loop) loops.push({ name: loop[1], words: loopWords(loop[2], variables) });
    const at = line.search(/\bupdate-alternatives\s/);
    if (at !== -1 && !line.slice(0, at).includes("#") && line.includes("--install")) {
      for (const values of combinations(loops, variables)) {
        const alternative = parseCommand(line.slice(at), values);
        if (alternative) found.push(alternative);
      }
    }
    if (/^\s*done\b/.test(line)) loops.pop();
  }
  return found;
}

/** What a loop goes through: words, and lists in variables; none when anything is computed. */
function loopWords(text: string, variables: ReadonlyMap<string, string>): string[] {
  const expanded = text.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (whole, name: string) => variables.get(name) ?? whole);
  return expanded.includes("$") ? [] : expanded.split(/\s+/).filter(Boolean);
}

function* combinations(
  loops: readonly { name: string; words: string[] }[],
  variables: ReadonlyMap<string, string>,
): Generator<Map<string, string>> {
  if (loops.length === 0) {
    yield new Map(variables);
    return;
  }
  for (const rest of combinations(loops.slice(0, -1), variables)) {
    const { name, words } = loops[loops.length - 1];
    for (const word of words) yield new Map(rest).set(name, word);
  }
}

/** Words up to the end of the simple command; null stands for a word that cannot be known. */
function words(command: string, values: ReadonlyMap<string, string>): (string | null)[] {
  const out: (string | null)[] = [];
  for (const [raw] of command.matchAll(/"[^"]*"|'[^']*'|[;&|()#]|[^\s;&|()]+/g)) {
    if (/^[;&|()#]/.test(raw)) break;
    const isQuoted = raw[0] === "'";
    let isKnown = true;
    const text = raw
      .replace(/^["']|["']$/g, "")
      .replace(isQuoted ? /(?!)/ : /\$\{?([A-Za-z_]\w*)\}?/g, (_, name: string) => {
        const value = values.get(name);
        if (value === undefined) isKnown = false;
        return value ?? "";
      });
    out.push(isKnown && !/[`$*?]/.test(text) ? text : null);
  }
  return out;
}

const isPath = (word: string | null | undefined): word is string => typeof word === "string" && word.startsWith("/");

function parseCommand(command: string, values: ReadonlyMap<string, string>): Alternative | null {
  const list = words(command, values);
  const at = list.indexOf("--install");
  const [link, name, path, priority] = list.slice(at + 1, at + 5);
  if (at === -1 || !isPath(link) || !isPath(path) || !name || name.includes("/") || !/^-?\d+$/.test(priority ?? "")) {
    return null;
  }
  const slaves: AlternativeLink[] = [];
  for (let i = at + 5; list[i] === "--slave"; i += 4) {
    const [slaveLink, slaveName, slavePath] = list.slice(i + 1, i + 4);
    if (!isPath(slaveLink) || !isPath(slavePath) || !slaveName || slaveName.includes("/")) break;
    slaves.push({ link: slaveLink, name: slaveName, path: slavePath });
  }
  return { link, name, path, priority: Number(priority), slaves };
}

/** Makes the links of the best alternative of each name whose file is in the root. Returns how many names got one. */
export function applyAlternatives(
  tree: RootTree,
  resolver: PathResolver,
  all: readonly Alternative[],
  note: (sentence: string) => void,
): number {
  const groups = new Map<string, Alternative[]>();
  for (const alternative of all) {
    if (tree.stat(resolver.resolve(alternative.path)) === null) continue;
    const group = groups.get(alternative.name) ?? [];
    groups.set(alternative.name, [...group.filter((other) => other.path !== alternative.path), alternative]);
  }
  for (const [name, group] of groups) {
    const admin = `var/lib/dpkg/alternatives/${name}`;
    const adminPath = resolver.resolve(admin);
    const isManual =
      tree.stat(adminPath)?.type === "file" && String.fromCharCode(...tree.readFile(adminPath)).startsWith("manual");
    if (isManual) continue; // the user has chosen
    group.sort((a, b) => b.priority - a.priority || (a.path < b.path ? -1 : 1));
    const best = group[0];
    writeFile(tree, resolver, admin, encodeUtf8(adminText(group)));
    for (const link of [best, ...best.slaves]) pointLink(tree, resolver, link, note);
  }
  return groups.size;
}

function pointLink(
  tree: RootTree,
  resolver: PathResolver,
  link: AlternativeLink,
  note: (sentence: string) => void,
): void {
  if (tree.stat(resolver.resolve(link.path)) === null) return; // documentation that was left out
  const metadata = { mode: 0o777, uid: 0, gid: 0, mtimeSeconds: 0 };
  const generic = resolver.resolveParent(link.link);
  const existing = tree.stat(generic);
  if (existing && (existing.type !== "symlink" || !tree.readLink(generic).startsWith("/etc/alternatives/"))) {
    note(`kept /${generic}: it is no link of update-alternatives`);
    return;
  }
  ensureDirectory(tree, resolver, "etc/alternatives");
  ensureDirectory(tree, resolver, parentOf(cleanPath(link.link)));
  tree.makeSymlink(link.path, resolver.resolveParent(`etc/alternatives/${link.name}`), metadata);
  tree.makeSymlink(`/etc/alternatives/${link.name}`, generic, metadata);
  resolver.forget();
}

/** The file format of update-alternatives: mode, link, slaves; then each choice with its priority and slave paths. */
function adminText(group: readonly Alternative[]): string {
  const slaves = new Map<string, string>();
  for (const alternative of group) for (const slave of alternative.slaves) slaves.set(slave.name, slave.link);
  const names = [...slaves.keys()].sort();
  let text = `auto\n${group[0].link}\n`;
  for (const name of names) text += `${name}\n${slaves.get(name)}\n`;
  text += "\n";
  for (const alternative of [...group].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    text += `${alternative.path}\n${alternative.priority}\n`;
    for (const name of names) text += `${alternative.slaves.find((slave) => slave.name === name)?.path ?? ""}\n`;
  }
  return `${text}\n`;
}
