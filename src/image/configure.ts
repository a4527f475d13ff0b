// Makes an unpacked root usable without running maintainer scripts: accounts, alternatives, name lookup, directories and
// the defaults that the scripts would copy. Every step may be repeated; what is there already is never overwritten.
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { Accounts, applySysusers, KNOWN_ACCOUNTS, splitQuoted } from "./accounts.ts";
import { type Alternative, applyAlternatives, parseAlternatives } from "./alternatives.ts";
import { concatBytes } from "./bytes.ts";
import type { DpkgDatabase } from "./dpkg-database.ts";
import { commonPamFile, PAM_FILES } from "./pam.ts";
import { ensureDirectory, join, type Metadata, type PathResolver, type RootTree, writeFile } from "./root-tree.ts";

const ROOT_OWNED = { uid: 0, gid: 0, mtimeSeconds: 0 };

/** The tree with its resolver, so that steps read as what they do. All paths are guest paths, absolute. */
class Root {
  readonly tree: RootTree;
  readonly resolver: PathResolver;

  constructor(tree: RootTree, resolver: PathResolver) {
    this.tree = tree;
    this.resolver = resolver;
  }

  /** Follows links; a dangling link does not exist. */
  exists(path: string): boolean {
    return this.tree.stat(this.resolver.resolve(path)) !== null;
  }

  /** Something of that name is there, if only a dangling link. */
  isTaken(path: string): boolean {
    return this.tree.stat(this.resolver.resolveParent(path)) !== null;
  }

  text(path: string): string | null {
    const real = this.resolver.resolve(path);
    return this.tree.stat(real)?.type === "file" ? decodeUtf8(this.tree.readFile(real)) : null;
  }

  list(path: string): string[] {
    const real = this.resolver.resolve(path);
    return this.tree.stat(real)?.type === "directory" ? this.tree.readDirectory(real).sort() : [];
  }

  directory(path: string, mode: number, uid = 0, gid = 0): void {
    if (this.isTaken(path)) return;
    const metadata: Metadata = { mode, uid, gid, mtimeSeconds: 0 };
    const real = ensureDirectory(this.tree, this.resolver, path, metadata);
    this.tree.setMetadata(real, metadata); // past the umask
  }

  fileIfMissing(path: string, text: string, mode = 0o644): void {
    if (!this.isTaken(path)) writeFile(this.tree, this.resolver, path, encodeUtf8(text), mode);
  }

  copyIfMissing(from: string, to: string): void {
    const text = this.text(from);
    if (text !== null) this.fileIfMissing(to, text);
  }

  linkIfMissing(target: string, path: string): void {
    if (this.isTaken(path)) return;
    const folder = path.slice(0, path.lastIndexOf("/"));
    ensureDirectory(this.tree, this.resolver, folder);
    this.tree.makeSymlink(target, this.resolver.resolveParent(path), { mode: 0o777, ...ROOT_OWNED });
  }

  /** As base-files' migrate_directory: an empty directory gives way to a link. */
  linkOverEmptyDirectory(target: string, path: string): void {
    const real = this.resolver.resolveParent(path);
    if (this.tree.stat(real)?.type === "directory" && this.tree.readDirectory(real).length === 0) {
      this.tree.remove(real);
      this.resolver.forget();
    }
    this.linkIfMissing(target, path);
  }
}

/**
 * Before anything is unpacked into an empty root: the merged-/usr links (as base-files has them), so that packages that
 * say /bin and packages that say /usr/bin meet in the same place.
 */
export function prepareRoot(tree: RootTree, resolver: PathResolver): void {
  const root = new Root(tree, resolver);
  for (const name of ["bin", "lib", "sbin"]) {
    root.directory(`/usr/${name}`, 0o755);
    root.linkIfMissing(`usr/${name}`, `/${name}`);
  }
}

export interface ConfigureReport {
  alternatives: number;
  certificates: number;
}

/** After unpacking. `note` hears of what was kept against a package's wish. */
export function configureRoot(
  tree: RootTree,
  resolver: PathResolver,
  database: DpkgDatabase,
  note: (sentence: string) => void,
): ConfigureReport {
  const root = new Root(tree, resolver);
  database.complete();
  makeDirectories(root);
  makeAccounts(root, database);
  makeNames(root);
  makeDefaults(root);
  makePamFiles(root);
  makeShell(root, note);
  makeShells(root);
  const certificates = makeCertificates(root);
  const alternatives: Alternative[] = [];
  for (const name of database.names()) {
    const script = database.readInfo(name, "postinst");
    if (script?.includes("update-alternatives")) alternatives.push(...parseAlternatives(script));
  }
  return { alternatives: applyAlternatives(tree, resolver, alternatives, note), certificates };
}

/** Mount points and the directories that base-files' script makes. */
function makeDirectories(root: Root): void {
  for (const path of ["/dev", "/proc", "/sys", "/run", "/home", "/mnt", "/srv", "/opt", "/media", "/etc/opt"]) {
    root.directory(path, 0o755);
  }
  for (const path of ["/etc", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/var/opt"]) {
    root.directory(path, 0o755);
  }
  for (const path of ["/var/cache", "/var/lib", "/var/log", "/var/spool"]) root.directory(path, 0o755);
  root.directory("/root", 0o700);
  root.directory("/tmp", 0o1777);
  root.directory("/var/tmp", 0o1777);
  root.directory("/var/mail", 0o2775, 0, 8);
  root.directory("/run/lock", 0o1777);
  root.linkIfMissing("../mail", "/var/spool/mail");
  root.linkOverEmptyDirectory("/run", "/var/run");
  root.linkOverEmptyDirectory("/run/lock", "/var/lock");
}

function makeAccounts(root: Root, database: DpkgDatabase): void {
  const accounts = new Accounts(root.tree, root.resolver);
  const present = new Set(database.names());
  for (const account of KNOWN_ACCOUNTS) {
    if (!present.has(account.package)) continue;
    const { user, group } = account;
    if (user) {
      const isOwnGroup = group === user.name;
      accounts.ensureUser(user.name, { ...user, ...(isOwnGroup ? {} : { group }), ...numbers(account.uid) });
    } else accounts.ensureGroup(group, account.gid);
  }
  for (const { package: name, user, joins } of KNOWN_ACCOUNTS) {
    if (user && present.has(name)) for (const group of joins ?? []) accounts.join(user.name, group);
  }
  // Files of /etc override those of /usr/lib of the same name.
  const names = new Map<string, string>();
  for (const folder of ["/usr/lib/sysusers.d", "/etc/sysusers.d"]) {
    for (const name of root.list(folder)) if (name.endsWith(".conf")) names.set(name, folder);
  }
  for (const name of [...names.keys()].sort()) applySysusers(root.text(`${names.get(name)}/${name}`) ?? "", accounts);
  accounts.save();
  root.fileIfMissing("/etc/subuid", "");
  root.fileIfMissing("/etc/subgid", "");
  for (const account of KNOWN_ACCOUNTS) {
    if (present.has(account.package)) handOver(root, account, accounts);
  }
  makeTemporaryFiles(root, accounts);
}

const numbers = (uid: number | undefined) => (uid === undefined ? {} : { uid });

function handOver(root: Root, account: (typeof KNOWN_ACCOUNTS)[number], accounts: Accounts): void {
  const uid = account.user ? (accounts.uidOf(account.user.name) ?? 0) : 0;
  const gid = accounts.gidOf(account.group) ?? 0;
  for (const { path, mode } of account.owns ?? []) {
    ensureDirectory(root.tree, root.resolver, path);
    const real = root.resolver.resolve(path);
    if (root.tree.stat(real)?.type === "directory") root.tree.setMetadata(real, { mode, uid, gid, mtimeSeconds: 0 });
  }
}

/** tmpfiles.d(5): the directories, empty files and links that services expect. Lines with specifiers (%) are left out. */
function makeTemporaryFiles(root: Root, accounts: Accounts): void {
  for (const folder of ["/usr/lib/tmpfiles.d", "/etc/tmpfiles.d"]) {
    for (const name of root.list(folder)) {
      if (!name.endsWith(".conf")) continue;
      for (const line of (root.text(`${folder}/${name}`) ?? "").split("\n")) {
        if (/^\s*(#|$)/.test(line) || line.includes("%")) continue;
        makeTemporary(root, accounts, splitQuoted(line));
      }
    }
  }
}

function makeTemporary(root: Root, accounts: Accounts, words: readonly string[]): void {
  const [type, path, modeText = "-", user = "-", group = "-", , argument = ""] = words;
  if (!path?.startsWith("/") || path.includes("..")) return;
  const digits = modeText.replace(/^[~:]+/, "");
  const mode = /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : null;
  const uid = user === "-" ? 0 : (accounts.uidOf(user.replace(/^:/, "")) ?? 0);
  const gid = group === "-" ? 0 : (accounts.gidOf(group.replace(/^:/, "")) ?? 0);
  const kind = type.replace(/[!=^~$-]/g, "");
  if (/^[dDqQv]$/.test(kind)) root.directory(path, mode ?? 0o755, uid, gid);
  else if (/^f\+?$/.test(kind)) root.fileIfMissing(path, argument, mode ?? 0o644);
  else if (/^L[+?]*$/.test(kind) && argument !== "") root.linkIfMissing(argument, path);
}

/** What the C library's name lookups read. */
function makeNames(root: Root): void {
  root.copyIfMissing("/usr/share/libc-bin/nsswitch.conf", "/etc/nsswitch.conf");
  root.copyIfMissing("/usr/share/base-files/nsswitch.conf", "/etc/nsswitch.conf");
  root.fileIfMissing("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n");
  root.fileIfMissing("/etc/hostname", "faultline\n");
  root.fileIfMissing(
    "/etc/hosts",
    "127.0.0.1\tlocalhost\n127.0.1.1\tfaultline\n::1\tlocalhost ip6-localhost ip6-loopback\n",
  );
  root.fileIfMissing("/etc/resolv.conf", "# nameserver ADDRESS\n");
  root.linkIfMissing("../proc/self/mounts", "/etc/mtab");
}

/** Copies that the scripts of base-files, debianutils, tzdata and libc-bin make. */
function makeDefaults(root: Root): void {
  const base = "/usr/share/base-files";
  root.copyIfMissing(`${base}/dot.profile`, "/root/.profile");
  root.copyIfMissing(`${base}/dot.bashrc`, "/root/.bashrc");
  root.copyIfMissing(`${base}/profile`, "/etc/profile");
  root.copyIfMissing(`${base}/motd`, "/etc/motd");
  root.copyIfMissing(`${base}/info.dir`, "/usr/share/info/dir");
  root.copyIfMissing("/usr/lib/R/etc/Renviron.ucf", "/etc/R/Renviron");
  if (root.exists("/etc/dpkg/origins/debian")) root.linkIfMissing("debian", "/etc/dpkg/origins/default");
  if (root.exists("/usr/share/zoneinfo/Etc/UTC")) {
    root.linkIfMissing("/usr/share/zoneinfo/Etc/UTC", "/etc/localtime");
    root.fileIfMissing("/etc/timezone", "Etc/UTC\n");
  }
  // glibc's C.UTF-8 needs no files of its own to be chosen; without it Python and Perl fall back to ASCII.
  root.fileIfMissing("/etc/default/locale", "LANG=C.UTF-8\n");
  for (const name of ["wtmp", "btmp", "lastlog"]) root.fileIfMissing(`/var/log/${name}`, "", 0o664);
}

/** Without these files no service that asks PAM (su, chpasswd, passwd, cron, sshd) lets anybody in. */
function makePamFiles(root: Root): void {
  const folder = "/usr/share/pam-configs";
  const profiles = root.list(folder).map((name) => root.text(`${folder}/${name}`) ?? "");
  for (const file of PAM_FILES) {
    const template = root.text(`/usr/share/pam/common-${file}`);
    if (template !== null) root.fileIfMissing(`/etc/pam.d/common-${file}`, commonPamFile(file, template, profiles));
  }
}

/** Scripts begin with #!/bin/sh: when dash is not there, another shell that can stand in does. */
function makeShell(root: Root, note: (sentence: string) => void): void {
  if (root.exists("/bin/sh")) return;
  for (const shell of ["dash", "bash", "busybox"]) {
    if (!root.exists(`/usr/bin/${shell}`)) continue;
    root.linkIfMissing(shell, "/usr/bin/sh");
    if (shell !== "dash") note(`/bin/sh is ${shell}: dash is not in the root`);
    return;
  }
}

/** As update-shells(8): the stock list and what packages name in shells.d. */
function makeShells(root: Root): void {
  const lines = (root.text("/usr/share/debianutils/shells") ?? "# /etc/shells: valid login shells\n")
    .trimEnd()
    .split("\n");
  const folder = "/usr/share/debianutils/shells.d";
  for (const name of root.list(folder)) {
    for (const shell of (root.text(`${folder}/${name}`) ?? "").split("\n")) {
      if (!shell.startsWith("/")) continue;
      const name = shell.replace(/^(\/usr)?\/bin\//, "");
      const spellings = name === shell ? [shell] : [`/bin/${name}`, `/usr/bin/${name}`];
      for (const line of spellings) if (!lines.includes(line)) lines.push(line);
    }
  }
  root.fileIfMissing("/etc/shells", `${lines.join("\n")}\n`);
}

/** As update-ca-certificates(8), without the links named by subject hash: the bundle is what TLS libraries read first. */
function makeCertificates(root: Root): number {
  const folder = "/usr/share/ca-certificates";
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  const names: string[] = [];
  const visit = (path: string) => {
    for (const name of root.list(join(folder, path))) {
      const below = join(path, name);
      if (name.endsWith(".crt")) names.push(below);
      else if (root.tree.stat(root.resolver.resolve(`${folder}/${below}`))?.type === "directory") visit(below);
    }
  };
  visit("");
  if (names.length === 0) return 0;
  root.fileIfMissing("/etc/ca-certificates.conf", `${names.join("\n")}\n`);
  if (root.isTaken(bundle)) return names.length;
  const parts: Uint8Array[] = [];
  for (const name of names) {
    const text = (root.text(`${folder}/${name}`) ?? "").trimEnd();
    parts.push(encodeUtf8(`${text}\n`));
    const pem = name.slice(name.lastIndexOf("/") + 1).replace(/\.crt$/, ".pem");
    root.linkIfMissing(`${folder}/${name}`, `/etc/ssl/certs/${pem}`);
  }
  writeFile(root.tree, root.resolver, bundle, concatBytes(parts));
  return names.length;
}
