// Users and groups of a root: /etc/passwd, group, shadow, gshadow; the ones packages would add in their scripts, from
// sysusers.d files and a table. Numbers are given as adduser does, in the order of asking.
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { type PathResolver, type RootTree, writeFile } from "./root-tree.ts";

/** First number of dynamic system accounts (adduser.conf FIRST_SYSTEM_UID). */
const FIRST_SYSTEM_ID = 100;
const LAST_SYSTEM_ID = 999;

export interface Account {
  /** The package whose script would make it. */
  package: string;
  user?: { name: string; home: string; shell: string; gecos: string };
  /** The user's own group, or a group alone. */
  group: string;
  /** Groups the user joins if they exist. */
  joins?: readonly string[];
  uid?: number;
  gid?: number;
  /** Directories the script hands over to the account. */
  owns?: readonly { path: string; mode: number }[];
}

const NOLOGIN = "/usr/sbin/nologin";

/** What Debian 13's maintainer scripts do with adduser and addgroup; packages with sysusers.d files need no row. */
export const KNOWN_ACCOUNTS: readonly Account[] = [
  {
    package: "postgresql-common",
    user: { name: "postgres", home: "/var/lib/postgresql", shell: "/bin/bash", gecos: "PostgreSQL administrator" },
    group: "postgres",
    // The first number that a sysusers allocation (from 999 down) gives; scripts outside packages count on it.
    uid: 999,
    gid: 999,
    joins: ["ssl-cert"],
    owns: [
      { path: "/var/lib/postgresql", mode: 0o755 },
      { path: "/var/log/postgresql", mode: 0o1775 },
      { path: "/run/postgresql", mode: 0o2775 },
    ],
  },
  {
    package: "redis-tools",
    user: { name: "redis", home: "/var/lib/redis", shell: NOLOGIN, gecos: "" },
    group: "redis",
    owns: [
      { path: "/var/lib/redis", mode: 0o750 },
      { path: "/var/log/redis", mode: 0o2750 },
    ],
  },
  {
    package: "memcached",
    user: { name: "memcache", home: "/nonexistent", shell: "/bin/false", gecos: "Memcached" },
    group: "memcache",
  },
  {
    package: "mariadb-server",
    user: { name: "mysql", home: "/nonexistent", shell: "/bin/false", gecos: "MariaDB Server" },
    group: "mysql",
    owns: [
      { path: "/var/lib/mysql", mode: 0o755 },
      { path: "/run/mysqld", mode: 0o755 },
    ],
  },
  {
    package: "apt",
    user: { name: "_apt", home: "/nonexistent", shell: NOLOGIN, gecos: "" },
    group: "nogroup",
    uid: 42,
  },
  { package: "openssh-client", group: "_ssh" },
  { package: "ssl-cert", group: "ssl-cert" },
  { package: "libibverbs1", group: "rdma" },
  { package: "passwd", group: "shadow", gid: 42 },
];

interface Row {
  name: string;
  fields: string[];
}

/** Edits the four files in memory; save() writes those that changed. */
export class Accounts {
  private readonly tree: RootTree;
  private readonly resolver: PathResolver;
  private readonly users: Row[];
  private readonly groups: Row[];
  private readonly shadow: Row[];
  private readonly groupShadow: Row[];
  private changed = false;

  constructor(tree: RootTree, resolver: PathResolver) {
    this.tree = tree;
    this.resolver = resolver;
    this.users = this.load("etc/passwd", "usr/share/base-passwd/passwd.master", DEFAULT_PASSWD);
    this.groups = this.load("etc/group", "usr/share/base-passwd/group.master", DEFAULT_GROUP);
    this.shadow = this.load("etc/shadow", "", "");
    this.groupShadow = this.load("etc/gshadow", "", "");
    this.addMissing(this.users, "usr/share/base-passwd/passwd.master");
    this.addMissing(this.groups, "usr/share/base-passwd/group.master");
    for (const user of this.users) {
      if (user.fields[1] === "*") user.fields[1] = "x"; // as shadowconfig: the password moves to shadow
      this.ensureShadow(user.name);
    }
    for (const group of this.groups) {
      if (group.fields[1] === "*") group.fields[1] = "x";
      this.ensureGroupShadow(group.name);
    }
  }

  uidOf(name: string): number | null {
    const row = this.users.find((user) => user.name === name);
    return row ? Number(row.fields[2]) : /^\d+$/.test(name) ? Number(name) : null;
  }

  gidOf(name: string): number | null {
    const row = this.groups.find((group) => group.name === name);
    return row ? Number(row.fields[2]) : /^\d+$/.test(name) ? Number(name) : null;
  }

  ensureGroup(name: string, wanted?: number): number {
    const existing = this.gidOf(name);
    if (existing !== null) return existing;
    const gid = wanted !== undefined && !this.hasGid(wanted) ? wanted : this.freeId();
    this.groups.push({ name, fields: [name, "x", String(gid), ""] });
    this.ensureGroupShadow(name);
    this.changed = true;
    return gid;
  }

  /** Adds the user (and the group named like it, unless `group` is given) if it is not there. */
  ensureUser(
    name: string,
    about: { uid?: number; group?: string; gecos?: string; home?: string; shell?: string },
  ): number {
    const existing = this.uidOf(name);
    if (existing !== null) return existing;
    const known = about.group !== undefined ? this.gidOf(about.group) : this.gidOf(name);
    let uid = about.uid;
    if (uid === undefined || this.hasUid(uid)) {
      uid = known !== null && about.group === undefined && !this.hasUid(known) ? known : this.freeId();
    }
    const gid = known ?? this.ensureGroup(about.group ?? name, uid);
    const home = about.home || "/nonexistent";
    this.users.push({
      name,
      fields: [name, "x", String(uid), String(gid), about.gecos ?? "", home, about.shell || NOLOGIN],
    });
    this.ensureShadow(name);
    this.changed = true;
    return uid;
  }

  join(user: string, group: string): void {
    const row = this.groups.find((candidate) => candidate.name === group);
    if (!row || row.fields[3].split(",").includes(user)) return;
    row.fields[3] = row.fields[3] === "" ? user : `${row.fields[3]},${user}`;
    this.changed = true;
  }

  save(): void {
    const files: [string, readonly Row[], number][] = [
      ["etc/passwd", this.users, 0o644],
      ["etc/group", this.groups, 0o644],
      ["etc/shadow", this.shadow, 0o640],
      ["etc/gshadow", this.groupShadow, 0o640],
    ];
    for (const [path, rows, mode] of files) {
      if (!this.changed && this.tree.stat(this.resolver.resolve(path)) !== null) continue;
      const text = rows.map((row) => `${row.fields.join(":")}\n`).join("");
      writeFile(this.tree, this.resolver, path, encodeUtf8(text), mode);
      const gid = mode === 0o640 ? this.gidOf("shadow") : null;
      if (gid !== null) {
        this.tree.setMetadata(this.resolver.resolve(path), { mode, uid: 0, gid, mtimeSeconds: 0 });
      }
    }
  }

  private load(path: string, master: string, fallback: string): Row[] {
    for (const candidate of [path, master]) {
      const real = candidate === "" ? "" : this.resolver.resolve(candidate);
      if (real !== "" && this.tree.stat(real)?.type === "file") return parseRows(decodeUtf8(this.tree.readFile(real)));
    }
    return parseRows(fallback);
  }

  /** base-passwd may come into a root that was begun without it: what it knows and the root does not is added. */
  private addMissing(rows: Row[], master: string): void {
    const real = this.resolver.resolve(master);
    if (this.tree.stat(real)?.type !== "file") return;
    for (const row of parseRows(decodeUtf8(this.tree.readFile(real)))) {
      if (rows.some((own) => own.name === row.name || own.fields[2] === row.fields[2])) continue;
      rows.push(row);
      this.changed = true;
    }
  }

  /** No password, no aging: nobody can log in by password, `su` of root works. The change date is a fixed day. */
  private ensureShadow(name: string): void {
    if (this.shadow.some((row) => row.name === name)) return;
    this.shadow.push({ name, fields: [name, "*", "20000", "0", "99999", "7", "", "", ""] });
    this.changed = true;
  }

  private ensureGroupShadow(name: string): void {
    if (this.groupShadow.some((row) => row.name === name)) return;
    this.groupShadow.push({ name, fields: [name, "*", "", ""] });
    this.changed = true;
  }

  private hasUid(uid: number): boolean {
    return this.users.some((row) => Number(row.fields[2]) === uid);
  }

  private hasGid(gid: number): boolean {
    return this.groups.some((row) => Number(row.fields[2]) === gid);
  }

  /** The first number that is free as user and as group. */
  private freeId(): number {
    for (let id = FIRST_SYSTEM_ID; id <= LAST_SYSTEM_ID; id++) if (!this.hasUid(id) && !this.hasGid(id)) return id;
    throw new Error("no system account number is free");
  }
}

function parseRows(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const fields = line.split(":");
    rows.push({ name: fields[0], fields });
  }
  return rows;
}

/** For roots without base-passwd: the accounts with fixed numbers that programs ask for by name (Debian policy 9.2.2). */
const DEFAULT_PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:${NOLOGIN}
bin:x:2:2:bin:/bin:${NOLOGIN}
sys:x:3:3:sys:/dev:${NOLOGIN}
mail:x:8:8:mail:/var/mail:${NOLOGIN}
www-data:x:33:33:www-data:/var/www:${NOLOGIN}
nobody:x:65534:65534:nobody:/nonexistent:${NOLOGIN}
`;
const DEFAULT_GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
www-data:x:33:
utmp:x:43:
staff:x:50:
users:x:100:
nogroup:x:65534:
`;

/** Applies one sysusers.d(5) file: u (user), g (group), m (membership) lines; ranges and other types are left alone. */
export function applySysusers(text: string, accounts: Accounts): void {
  for (const line of text.split("\n")) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [type, name, id = "-", gecos = "-", home = "-", shell = "-"] = splitQuoted(line);
    const value = (word: string) => (word === "-" ? undefined : word);
    if (!name || name.includes("%")) continue;
    const [idText, groupText] = id.split(":");
    const number = /^\d+$/.test(idText) ? Number(idText) : undefined;
    const plainType = type.replace(/!$/, "");
    if (plainType === "g") accounts.ensureGroup(name, number);
    else if (plainType === "u") {
      const groupName = groupText && !/^\d+$/.test(groupText) ? groupText : undefined;
      accounts.ensureUser(name, {
        ...(number !== undefined && { uid: number }),
        ...(groupName && { group: groupName }),
        gecos: value(gecos) ?? "",
        ...(value(home) && { home }),
        ...(value(shell) && { shell }),
      });
    } else if (plainType === "m" && id !== "-") {
      accounts.ensureGroup(id);
      accounts.join(name, id);
    }
  }
}

/** Words separated by blanks; double or single quotes keep blanks together (sysusers.d, tmpfiles.d). */
export function splitQuoted(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]);
}
