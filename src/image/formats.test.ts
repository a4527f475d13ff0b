// The file formats of packages and archives: ar, deb, control data, version numbers.
import { describe, expect, it } from "vitest";
import { makeAr, makeDeb } from "../../test/install/debian-archive.ts";
import { debianMirror, parseDeb822Sources, parseOneLineSources } from "./apt-sources.ts";
import { readAr } from "./ar.ts";
import { parseControl } from "./control.ts";
import { openDeb } from "./deb.ts";
import type { Decompressors } from "./decompress.ts";
import { ImageError } from "./errors.ts";
import { formatLock, isSafePoolPath, parseLock } from "./lock-file.ts";
import { parseRelations } from "./relations.ts";
import { parseRelease } from "./release.ts";
import { compareVersions, versionSatisfies } from "./version.ts";

const noCompression: Decompressors = {
  gzip: () => {
    throw new Error("no gzip here");
  },
  xz: () => {
    throw new Error("no xz here");
  },
};

describe("ar and deb", () => {
  it("reads members at odd and even offsets", () => {
    const archive = makeAr([
      { name: "odd", data: Buffer.from("abc") },
      { name: "even/", data: Buffer.from("wxyz") },
    ]);
    expect(readAr(archive).map(({ name, data }) => [name, Buffer.from(data).toString()])).toEqual([
      ["odd", "abc"],
      ["even", "wxyz"],
    ]);
  });

  it.each([
    ["no magic", Buffer.from("nothing")],
    ["half a header", Buffer.concat([makeAr([]), Buffer.from("name")])],
    ["a cut member", makeAr([{ name: "a", data: Buffer.alloc(100) }]).subarray(0, 120)],
    [
      "a bad size",
      Buffer.from(
        makeAr([{ name: "a", data: Buffer.alloc(4) }])
          .toString("latin1")
          .replace("4         `", "-4        `"),
      ),
    ],
  ])("refuses an archive with %s", (_, bytes) => {
    expect(() => readAr(bytes)).toThrow(ImageError);
  });

  it("opens a package", async () => {
    const built = makeDeb({
      name: "a",
      plainTar: true,
      fields: { Depends: "b" },
      control: { postinst: "#!/bin/sh\n" },
    });
    const deb = await openDeb(built.bytes, noCompression, "a.deb");
    expect(deb.fields.get("depends")).toBe("b");
    expect([...deb.controlFiles.keys()]).toEqual(["control", "postinst"]);
    await expect(openDeb(makeAr([]), noCompression, "x.deb")).rejects.toThrow("x.deb: not a Debian package");
    await expect(openDeb(makeDeb({ name: "a" }).bytes, noCompression, "x.deb")).rejects.toThrow(ImageError);
  });
});

describe("control data", () => {
  it("keeps continuation lines, ignores comments and case", () => {
    const [first, second] = parseControl("A: 1\nb:\n x\n .\n y\n# no\nC: 3\n\n\n  \nD:4\nnonsense\n");
    expect(first.get("B")).toBe("\n x\n .\n y");
    expect(first.toString()).toBe("A: 1\nb:\n x\n .\n y\nC: 3\n");
    expect([...second.entries()]).toEqual([["D", "4"]]);
  });

  it("parses relations", () => {
    const groups = parseRelations(
      "a (>= 1:2.0-1) | b:any, c [!riscv64], d [amd64 riscv64] <!nocheck>,e(<<3), f [linux-any], , g (< 1)",
      "riscv64",
    );
    expect(groups.map((group) => group.map((r) => `${r.name}${r.operator ?? ""}${r.version}`).join("|"))).toEqual([
      "a>=1:2.0-1|b",
      "d",
      "e<<3",
      "f",
      "g<=1",
    ]);
    expect(parseRelations(undefined, "riscv64")).toEqual([]);
  });
});

describe("versions", () => {
  // Each row is in strictly ascending order (Debian policy 5.6.12, dpkg's own test suite for the spirit of it).
  it.each([
    [["0~rc1", "0", "0-1", "0.1", "1", "1:0"]],
    [["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+b1", "1.0.1"]],
    [["1.2-3~deb13u1", "1.2-3", "1.2-3+b1", "1.2-3.1", "1.2-10"]],
    [["5.2.37-2", "5.2.37-2+b9", "5.2.37-2+b10", "5.3-1"]],
    [["1-2", "1-1-1", "1-1-2", "2"]],
    [["a", "aa", "ab", "b", "b1", "b+"]],
  ])("%j ascends", (versions) => {
    for (let i = 0; i < versions.length; i++) {
      for (let j = 0; j < versions.length; j++) {
        expect(Math.sign(compareVersions(versions[i], versions[j])), `${versions[i]} ? ${versions[j]}`).toBe(
          Math.sign(i - j),
        );
      }
    }
  });

  it("treats equal spellings as equal", () => {
    expect(compareVersions("1.0", "0:1.0")).toBe(0);
    expect(compareVersions("1.00-01", "1.0-1")).toBe(0);
    expect(compareVersions("1.0", "1.0-0")).toBe(0);
  });

  it("applies operators on both sides of the bound", () => {
    expect(["<<", "<=", "=", ">=", ">>"].map((op) => versionSatisfies("1.0", op as "=", "1.0"))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(versionSatisfies("1.0~", "<<", "1.0")).toBe(true);
    expect(versionSatisfies("1.0", ">>", "1.0~")).toBe(true);
  });
});

describe("lock files", () => {
  const hash = "a".repeat(64);
  const header = "package\tversion\tpool path below the mirror\tsha256\tbytes";
  const row = `bash\t5.2-1\tpool/main/b/bash/bash_5.2-1_riscv64.deb\t${hash}\t12`;

  it("reads back what it writes, sorted", () => {
    const text = `${header}\nadduser\t1\tpool/a.deb\t${hash}\t1\n${row}\n`;
    const entries = parseLock(text, "x.tsv");
    expect(entries[1]).toEqual({
      name: "bash",
      version: "5.2-1",
      poolPath: "pool/main/b/bash/bash_5.2-1_riscv64.deb",
      sha256: hash,
      sizeBytes: 12,
    });
    expect(formatLock([...entries].reverse())).toBe(text);
  });

  it.each([
    ["another header", `package\tversion\n${row}`, "line 1"],
    ["no package", `${header}\n`, "no package"],
    ["a missing field", `${header}\nbash\t1`, "x.tsv:2"],
    ["a bad name", `${header}\n${row.replace("bash\t", "Bash \t")}`, "package name"],
    ["a bad hash", `${header}\n${row.replace(hash, "abc")}`, "SHA-256"],
    ["a bad size", `${header}\n${row.replace(/12$/, "-1")}`, "size"],
    ["an escaping path", `${header}\n${row.replace("pool/", "../")}`, "pool path"],
    ["a package twice", `${header}\n${row}\n${row}`, "twice"],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseLock(text, "x.tsv")).toThrow(message);
  });

  it("knows safe pool paths", () => {
    expect(isSafePoolPath("pool/main/g/gcc-14/libstdc++6_14.2.0-19_riscv64.deb")).toBe(true);
    for (const path of ["/etc/passwd", "a/../b", "a//b", "", "./a", "a?b", "a b"])
      expect(isSafePoolPath(path)).toBe(false);
  });
});

describe("Release", () => {
  it("reads names, dates and hashes", () => {
    const hash = "0123456789abcdef".repeat(4);
    const text = `Suite: stable\nCodename: trixie\nDate: Sat, 06 Sep 2025 10:11:12 UTC\nAcquire-By-Hash: yes\nComponents: main updates/contrib\nMD5Sum:\n 0 1 x\nSHA256:\n ${hash} 12 main/a\n  ${hash}        3 b\n`;
    const release = parseRelease(text, "x");
    expect(release).toMatchObject({
      suite: "stable",
      codename: "trixie",
      byHash: true,
      components: ["main", "contrib"],
      validUntil: null,
    });
    expect(release.date).toBe(Date.UTC(2025, 8, 6, 10, 11, 12));
    expect([...release.files.keys()]).toEqual(["main/a", "b"]);
    expect(() => parseRelease("Suite: x\n", "x")).toThrow("SHA256");
  });
});

describe("apt sources", () => {
  it("finds Debian's own archive among others", () => {
    const sources = [
      ...parseOneLineSources(
        "# deb http://commented.example/debian trixie main\ndeb [arch=amd64 signed-by=/k.gpg] https://other.example/apt stable main\ndeb-src http://src.example/debian x main\ndeb http://security.example/debian-security trixie-security main # c\n",
      ),
      ...parseDeb822Sources(
        "Types: deb\nURIs: http://off.example/debian\nSuites: trixie\nEnabled: no\n\nTypes: deb deb-src\n# comment\nURIs: http://one.example/debian/ http://two.example/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
      ),
    ];
    expect(sources.map((source) => source.uri)).toEqual([
      "https://other.example/apt",
      "http://security.example/debian-security",
      "http://one.example/debian/",
      "http://two.example/debian",
    ]);
    expect(debianMirror(sources)).toBe("http://one.example/debian");
    expect(debianMirror(parseOneLineSources("deb http://mirror.example/ubuntu noble main"))).toBeNull();
    expect(debianMirror(parseOneLineSources("deb http://security.example/ trixie-security main"))).toBeNull();
    const own = parseOneLineSources(
      "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] file:/srv/mirror trixie main",
    );
    expect(debianMirror(own)).toBe("file:/srv/mirror");
  });
});
