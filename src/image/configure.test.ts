// What maintainer scripts would have done, read from their text.
import { describe, expect, it } from "vitest";
import { makeDeb } from "../../test/install/debian-archive.ts";
import { Accounts, applySysusers } from "./accounts.ts";
import { parseAlternatives } from "./alternatives.ts";
import { configureRoot, prepareRoot } from "./configure.ts";
import { openDeb } from "./deb.ts";
import { DpkgDatabase } from "./dpkg-database.ts";
import { MemoryTree } from "./memory-tree.ts";
import { ensureDirectory, PathResolver, writeFile } from "./root-tree.ts";

const decompressors = {
  gzip: () => {
    throw new Error("none");
  },
  xz: () => {
    throw new Error("none");
  },
};

function makeRoot(files: Record<string, string> = {}) {
  const tree = new MemoryTree();
  const resolver = new PathResolver(tree);
  prepareRoot(tree, resolver);
  for (const [path, text] of Object.entries(files)) writeFile(tree, resolver, path, Buffer.from(text));
  const database = new DpkgDatabase(tree, resolver, "riscv64");
  const read = (path: string) => Buffer.from(tree.readFile(resolver.resolve(path))).toString();
  const notes: string[] = [];
  const configure = () => configureRoot(tree, resolver, database, (text) => notes.push(text));
  const record = async (name: string, control: Record<string, string> = {}, fields: Record<string, string> = {}) => {
    const built = makeDeb({ name, control, fields, plainTar: true });
    database.record(await openDeb(built.bytes, decompressors, name), ["/.", `/usr/share/doc/${name}`], new Map());
  };
  return { tree, resolver, database, read, notes, configure, record };
}

describe("parseAlternatives", () => {
  const awk = { link: "/usr/bin/awk", name: "awk", path: "/usr/bin/mawk", priority: 5 };

  it("reads literal commands, continued lines and slaves", () => {
    const script =
      "update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n  --slave /usr/bin/nawk nawk /usr/bin/mawk \\\n --slave /man/awk.1.gz awk.1.gz /man/mawk.1.gz || true\n";
    expect(parseAlternatives(script)).toEqual([
      {
        ...awk,
        slaves: [
          { link: "/usr/bin/nawk", name: "nawk", path: "/usr/bin/mawk" },
          { link: "/man/awk.1.gz", name: "awk.1.gz", path: "/man/mawk.1.gz" },
        ],
      },
    ]);
  });

  it("expands variables and loops over plain words", () => {
    const script =
      'DIR=/usr/bin\nfor name in vi view; do\n  update-alternatives --install "$DIR/$name" $name $DIR/vim.basic 30\ndone\nupdate-alternatives --install /usr/bin/after after $DIR/x 1\n';
    expect(parseAlternatives(script).map((a) => [a.link, a.name, a.path])).toEqual([
      ["/usr/bin/vi", "vi", "/usr/bin/vim.basic"],
      ["/usr/bin/view", "view", "/usr/bin/vim.basic"],
      ["/usr/bin/after", "after", "/usr/bin/x"],
    ]);
  });

  it("goes through lists in variables, as openjdk's script does", () => {
    const script =
      "basedir=/usr/lib/jvm\npriority=2111\ntools='java keytool'\nfor i in $tools; do\n  update-alternatives \\\n    --install /usr/bin/$i $i $basedir/bin/$i $priority $slave1 $slave2\ndone\nfor i in $unknown; do\n  update-alternatives --install /usr/bin/$i $i /x 1\ndone\n";
    const plain = { priority: 2111, slaves: [] };
    expect(parseAlternatives(script)).toEqual([
      { link: "/usr/bin/java", name: "java", path: "/usr/lib/jvm/bin/java", ...plain },
      { link: "/usr/bin/keytool", name: "keytool", path: "/usr/lib/jvm/bin/keytool", ...plain },
    ]);
  });

  it("leaves out what is computed, commented out or no installation", () => {
    const script =
      "# update-alternatives --install /a a /b 1\nupdate-alternatives --install /a a $(which b) 1\nupdate-alternatives --install $link a /b 1\nupdate-alternatives --remove a /b\nupdate-alternatives --install /usr/bin/lzma lzma /usr/bin/xz 20 $(\n slave x)\n";
    expect(parseAlternatives(script).map((a) => a.name)).toEqual(["lzma"]);
    expect(
      parseAlternatives("if true; then update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5; fi"),
    ).toEqual([{ ...awk, slaves: [] }]);
  });
});

describe("accounts", () => {
  it("gives numbers as adduser does and knows sysusers.d", () => {
    const { tree, resolver, read } = makeRoot({
      "usr/share/base-passwd/passwd.master":
        "root:*:0:0:root:/root:/bin/bash\n_apt:*:100:65534::/nonexistent:/usr/sbin/nologin\n",
      "usr/share/base-passwd/group.master": "root:*:0:\nusers:*:100:\nshadow:*:42:\nnogroup:*:65534:\n",
    });
    const accounts = new Accounts(tree, resolver);
    applySysusers(
      '# c\nu messagebus - "System Message Bus" /run/dbus -\ng render 200\nu sshd 105:nogroup - /run/sshd\nm messagebus render\nu! locked -\n',
      accounts,
    );
    accounts.save();
    expect(read("etc/passwd")).toBe(
      "root:x:0:0:root:/root:/bin/bash\n_apt:x:100:65534::/nonexistent:/usr/sbin/nologin\n" +
        "messagebus:x:101:101:System Message Bus:/run/dbus:/usr/sbin/nologin\n" +
        "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\nlocked:x:102:102::/nonexistent:/usr/sbin/nologin\n",
    );
    expect(read("etc/group")).toContain("render:x:200:messagebus\n");
    expect(read("etc/shadow")).toContain("root:*:20000:0:99999:7:::\n");
    expect(tree.find("etc/shadow")).toMatchObject({ mode: 0o640, gid: 42 });
  });

  it("takes in base-passwd's accounts when it comes later", () => {
    const { tree, resolver, read } = makeRoot();
    new Accounts(tree, resolver).save();
    const before = read("etc/passwd");
    writeFile(
      tree,
      resolver,
      "usr/share/base-passwd/passwd.master",
      Buffer.from("root:*:0:0:other:/:/x\ngames:*:5:60::/:/x\n"),
    );
    new Accounts(tree, resolver).save();
    expect(read("etc/passwd")).toBe(`${before}games:x:5:60::/:/x\n`);
    expect(read("etc/shadow")).toContain("games:*:");
  });

  it("adds to accounts that are there, and nothing twice", () => {
    const { tree, resolver, read } = makeRoot({ "etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/group": "root:x:0:\n" });
    for (let i = 0; i < 2; i++) {
      const accounts = new Accounts(tree, resolver);
      accounts.ensureUser("db", { home: "/var/db" });
      accounts.save();
    }
    expect(read("etc/passwd").split("\n").length).toBe(3);
  });
});

describe("configureRoot", () => {
  it("makes a bare root usable, twice the same", async () => {
    const { tree, resolver, read, configure, notes, record } = makeRoot({
      "usr/bin/bash": "elf",
      "usr/bin/mawk": "elf",
      "usr/bin/gawk": "elf",
      "usr/share/zoneinfo/Etc/UTC": "tz",
      "usr/share/ca-certificates/mozilla/B.crt": "BBB\n",
      "usr/share/ca-certificates/mozilla/A.crt": "AAA",
      "usr/share/base-files/dot.bashrc": "# bashrc\n",
      "usr/share/debianutils/shells": "# shells\n/bin/sh\n",
      "usr/share/debianutils/shells.d/bash": "/bin/bash\n",
      "usr/lib/tmpfiles.d/x.conf":
        "d /run/postgresql 2775 root root - -\nL /etc/linked - - - - ../target\nd /var/%u 0755\n",
    });
    await record("mawk", { postinst: "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n" });
    await record("gawk", {
      postinst:
        "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 --slave /usr/bin/nawk nawk /usr/bin/gawk\n",
    });
    await record("postgresql-common");
    expect(configure()).toEqual({ alternatives: 1, certificates: 2 });
    expect(tree.readLink("usr/bin/awk")).toBe("/etc/alternatives/awk");
    expect(resolver.resolve("bin/nawk")).toBe("usr/bin/gawk");
    expect(read("var/lib/dpkg/alternatives/awk")).toBe(
      "auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/gawk\n10\n/usr/bin/gawk\n/usr/bin/mawk\n5\n\n\n",
    );
    expect(tree.readLink("usr/bin/sh")).toBe("bash");
    expect(notes).toEqual(["/bin/sh is bash: dash is not in the root"]);
    expect(tree.stat("tmp")).toMatchObject({ type: "directory", mode: 0o1777 });
    expect(tree.stat("run/postgresql")).toMatchObject({ mode: 0o2775 });
    expect(tree.readLink("etc/linked")).toBe("../target");
    expect(read("etc/ssl/certs/ca-certificates.crt")).toBe("AAA\nBBB\n");
    expect(read("etc/shells")).toBe("# shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n");
    expect(read("root/.bashrc")).toBe("# bashrc\n");
    expect(tree.readLink("etc/localtime")).toBe("/usr/share/zoneinfo/Etc/UTC");
    expect(tree.readLink("var/run")).toBe("/run");
    expect(read("etc/passwd")).toContain("postgres:");
    for (const path of [
      "dev",
      "proc",
      "sys",
      "root",
      "home",
      "etc/nsswitch.conf",
      "etc/hosts",
      "var/lib/dpkg/info/format",
    ]) {
      expect(tree.stat(path), path).not.toBeNull();
    }
    writeFile(tree, resolver, "etc/hostname", Buffer.from("mine\n"));
    const before = snapshot(tree);
    configure();
    expect(snapshot(tree)).toEqual(before);
  });

  it("keeps a real file where an alternative's link would go, and a manual choice", async () => {
    const { tree, notes, configure, record, resolver } = makeRoot({
      "usr/bin/dash": "elf",
      "usr/bin/awk": "my own",
      "usr/bin/gawk": "elf",
      "usr/bin/ed1": "elf",
      "var/lib/dpkg/alternatives/editor": "manual\n/usr/bin/editor\n\n/usr/bin/ed0\n1\n\n",
    });
    await record("p", {
      postinst:
        "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\nupdate-alternatives --install /usr/bin/editor editor /usr/bin/ed1 1\n",
    });
    configure();
    expect(tree.stat("usr/bin/awk")?.type).toBe("file");
    expect(tree.stat("usr/bin/editor")).toBeNull();
    expect(notes).toEqual(["kept /usr/bin/awk: it is no link of update-alternatives"]);
    expect(resolver.resolve("bin/sh")).toBe("usr/bin/dash");
  });
});

describe("DpkgDatabase", () => {
  it("records packages so that dpkg and a later run can read them", async () => {
    const { tree, resolver, database, read, record } = makeRoot();
    await record("plain", { postinst: "#!/bin/sh\n" });
    await record("lib", {}, { "Multi-Arch": "same" });
    expect(read("var/lib/dpkg/status")).toContain("Package: plain\nStatus: install ok installed\nVersion: 1.0-1\n");
    expect(read("var/lib/dpkg/info/plain.list")).toBe("/.\n/usr/share/doc/plain\n");
    expect(tree.stat("var/lib/dpkg/info/plain.postinst")).toMatchObject({ mode: 0o755 });
    expect(tree.stat("var/lib/dpkg/info/lib:riscv64.list")).not.toBeNull();
    const again = new DpkgDatabase(tree, resolver, "riscv64");
    expect(again.installed().map((r) => [r.name, r.version])).toEqual([
      ["plain", "1.0-1"],
      ["lib", "1.0-1"],
    ]);
    expect(again.filesOf("lib")).toEqual(["/.", "/usr/share/doc/lib"]);
    expect(again.foreignArchitecture()).toBeNull();
    expect(new DpkgDatabase(tree, resolver, "amd64").foreignArchitecture()).toBe("riscv64");
    expect(database.versionOf("absent")).toBeNull();
  });

  it("removes what a new version no longer has, and nothing that others own", async () => {
    const { tree, resolver, database } = makeRoot({
      "usr/lib/a/old": "1",
      "usr/lib/a/kept": "1",
      "usr/lib/a/shared": "1",
      "usr/lib/b/gone": "1",
    });
    const built = makeDeb({ name: "other", plainTar: true });
    database.record(await openDeb(built.bytes, decompressors, "other"), ["/.", "/lib/a/shared"], new Map());
    const old = [
      "/.",
      "/usr",
      "/usr/lib",
      "/lib/a",
      "/lib/a/old",
      "/usr/lib/a/kept",
      "/lib/a/shared",
      "/usr/lib/b",
      "/usr/lib/b/gone",
      "/usr/lib/never-was",
    ];
    database.removeObsolete("p", old, ["/.", "/usr", "/usr/lib", "/usr/lib/a", "/lib/a/kept"]);
    expect(tree.readDirectory("usr/lib/a").sort()).toEqual(["kept", "shared"]);
    expect(tree.stat("usr/lib/b")).toBeNull();
    ensureDirectory(tree, resolver, "usr/lib/b");
  });
});

function snapshot(tree: MemoryTree, path = ""): string[] {
  const lines: string[] = [];
  for (const name of tree.readDirectory(path).sort()) {
    const below = path === "" ? name : `${path}/${name}`;
    const node = tree.find(below)!;
    const value =
      node.type === "file" ? Buffer.from(node.bytes).toString() : node.type === "symlink" ? node.target : "";
    lines.push(`${below} ${node.type} ${node.mode.toString(8)} ${node.uid}:${node.gid} ${JSON.stringify(value)}`);
    if (node.type === "directory") lines.push(...snapshot(tree, below));
  }
  return lines;
}
