// The dpkg database of a root (/var/lib/dpkg): which packages are completely there, their file lists and control files.
// It is also what lets an interrupted install go on: a package is in `status` only once all its files are written.
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { ControlParagraph, parseControl } from "./control.ts";
import type { Deb } from "./deb.ts";
import { type PackageRecord, packageFromControl } from "./package-record.ts";
import { ensureDirectory, type PathResolver, parentOf, type RootTree, writeFile } from "./root-tree.ts";

const STATUS = "var/lib/dpkg/status";
const INFO = "var/lib/dpkg/info";
const INSTALLED = "install ok installed";

export class DpkgDatabase {
  private readonly tree: RootTree;
  private readonly resolver: PathResolver;
  private readonly architecture: string;
  private readonly stanzas = new Map<string, { fields: ControlParagraph; text: string }>();

  constructor(tree: RootTree, resolver: PathResolver, architecture: string) {
    this.tree = tree;
    this.resolver = resolver;
    this.architecture = architecture;
    const path = resolver.resolve(STATUS);
    if (tree.stat(path)?.type !== "file") return;
    for (const fields of parseControl(decodeUtf8(tree.readFile(path)))) {
      const name = fields.get("Package");
      if (name) this.stanzas.set(this.key(name, fields), { fields, text: fields.toString() });
    }
  }

  /** Whether the root has a database at all. */
  static existsIn(tree: RootTree, resolver: PathResolver): boolean {
    return tree.stat(resolver.resolve(STATUS))?.type === "file";
  }

  /** An architecture in the database that is neither ours nor "all": the root is somebody else's. */
  foreignArchitecture(): string | null {
    for (const { fields } of this.stanzas.values()) {
      const own = fields.get("Architecture");
      if (own && own !== "all" && own !== this.architecture && fields.get("Status") === INSTALLED) return own;
    }
    return null;
  }

  /** Packages whose files are all there. */
  installed(): PackageRecord[] {
    const records: PackageRecord[] = [];
    for (const { fields } of this.stanzas.values()) {
      if (fields.get("Status") !== INSTALLED) continue;
      const record = packageFromControl(fields, this.architecture);
      if (record) records.push({ ...record, poolPath: "" });
    }
    return records;
  }

  /** The installed version of a package, or null. */
  versionOf(name: string): string | null {
    const fields = this.stanzas.get(name)?.fields;
    return fields?.get("Status") === INSTALLED ? (fields.get("Version") ?? null) : null;
  }

  /** Absolute path -> MD5 (hex) of the configuration files as the installed version shipped them. */
  conffilesOf(name: string): Map<string, string> {
    const hashes = new Map<string, string>();
    for (const line of (this.stanzas.get(name)?.fields.get("Conffiles") ?? "").split("\n")) {
      const match = /^\s*(\S.*?)\s+([0-9a-f]{32})(?:\s+\S+)*\s*$/.exec(line);
      if (match) hashes.set(match[1], match[2]);
    }
    return hashes;
  }

  /** Absolute paths a package installed, from its .list. */
  filesOf(name: string): string[] {
    const text = this.readInfo(name, "list");
    return text === null ? [] : text.split("\n").filter((line) => line !== "");
  }

  /** A control file kept from a package (postinst, ...), or null. */
  readInfo(name: string, suffix: string): string | null {
    const fields = this.stanzas.get(name)?.fields;
    if (!fields) return null;
    const path = this.resolver.resolve(`${INFO}/${this.infoName(name, fields)}.${suffix}`);
    return this.tree.stat(path)?.type === "file" ? decodeUtf8(this.tree.readFile(path)) : null;
  }

  names(): string[] {
    return [...this.stanzas.keys()].sort();
  }

  /**
   * A package's files are all written: records it, its list and control files. `conffiles` maps absolute paths to MD5s.
   */
  record(deb: Deb, paths: readonly string[], conffiles: ReadonlyMap<string, string>): void {
    const name = deb.fields.get("Package")!;
    const fields = new ControlParagraph();
    for (const [field, value] of deb.fields.entries()) {
      fields.set(field, value);
      if (field.toLowerCase() === "package") fields.set("Status", INSTALLED);
    }
    if (conffiles.size > 0) {
      fields.set("Conffiles", [...conffiles].map(([path, md5]) => `\n ${path} ${md5}`).join(""));
    }
    ensureDirectory(this.tree, this.resolver, INFO);
    const base = `${INFO}/${this.infoName(name, fields)}`;
    const unique = [...new Set(paths)];
    writeFile(this.tree, this.resolver, `${base}.list`, encodeUtf8(`${unique.join("\n")}\n`));
    for (const [file, { mode, bytes }] of deb.controlFiles) {
      if (file !== "control") writeFile(this.tree, this.resolver, `${base}.${file}`, bytes, mode & 0o755);
    }
    this.stanzas.set(this.key(name, fields), { fields, text: fields.toString() });
    this.writeStatus();
  }

  /** The empty parts that dpkg's own tools expect beside `status`. */
  complete(): void {
    for (const folder of ["info", "updates", "parts", "alternatives", "triggers"]) {
      ensureDirectory(this.tree, this.resolver, `var/lib/dpkg/${folder}`);
    }
    const seeds = { "info/format": "1\n", available: "", diversions: "", statoverride: "" };
    for (const [name, text] of Object.entries(seeds)) {
      const path = `var/lib/dpkg/${name}`;
      if (this.tree.stat(this.resolver.resolve(path)) === null) {
        writeFile(this.tree, this.resolver, path, encodeUtf8(text));
      }
    }
    if (this.stanzas.size === 0) this.writeStatus();
  }

  /** Removes what the old version of a package had and the new one has not, unless another package has it too. */
  removeObsolete(name: string, oldPaths: readonly string[], newPaths: readonly string[]): void {
    if (oldPaths.length === 0) return;
    const kept = new Set<string>(newPaths.map((path) => this.resolver.resolveParent(path)));
    const obsolete = oldPaths
      .filter((path) => path !== "/.")
      .map((path) => this.resolver.resolveParent(path))
      .filter((path) => path !== "" && !kept.has(path));
    if (obsolete.length === 0) return;
    for (const other of this.stanzas.keys()) {
      if (other !== name) for (const path of this.filesOf(other)) kept.add(this.resolver.resolveParent(path));
    }
    // Deepest first, so that a directory is empty when its turn comes.
    for (const path of [...new Set(obsolete)].sort((a, b) => b.length - a.length)) {
      if (kept.has(path)) continue;
      const stat = this.tree.stat(path);
      if (stat === null || parentOf(path) === "") continue;
      if (stat.type === "directory" && this.tree.readDirectory(path).length > 0) continue;
      this.tree.remove(path);
    }
    this.resolver.forget();
  }

  private writeStatus(): void {
    const text = [...this.stanzas.values()].map((stanza) => `${stanza.text}\n`).join("");
    writeFile(this.tree, this.resolver, STATUS, encodeUtf8(text));
  }

  /** Foreign packages of a multi-arch root keep their own entry. */
  private key(name: string, fields: ControlParagraph): string {
    const own = fields.get("Architecture") ?? "all";
    return own === "all" || own === this.architecture ? name : `${name}:${own}`;
  }

  /** dpkg adds the architecture to the info files of packages that can be there for several ones. */
  private infoName(name: string, fields: ControlParagraph): string {
    return fields.get("Multi-Arch") === "same" ? `${name}:${fields.get("Architecture")}` : name;
  }
}
