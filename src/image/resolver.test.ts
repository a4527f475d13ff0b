// Which packages a request needs, and in which order.
import { describe, expect, it } from "vitest";
import { ControlParagraph } from "./control.ts";
import { PackageIndex, RecordSource } from "./package-index.ts";
import { type PackageRecord, packageFromControl } from "./package-record.ts";
import { order, type ResolveOptions, resolve } from "./resolver.ts";

/** "name version" and fields; sizes and hashes are made up. */
function pkg(head: string, fields: Record<string, string> = {}): PackageRecord {
  const [name, version = "1"] = head.split(" ");
  const paragraph = new ControlParagraph();
  const all = {
    Package: name,
    Version: version,
    Architecture: "riscv64",
    Filename: `pool/${name}.deb`,
    SHA256: "0",
    Size: "1",
  };
  for (const [key, value] of Object.entries({ ...all, ...fields })) paragraph.set(key, value);
  return packageFromControl(paragraph, "riscv64")!;
}

function names(wanted: string, records: readonly PackageRecord[], options: Partial<ResolveOptions> = {}): string {
  const requests = wanted.split(" ").map((word) => {
    const [name, version] = word.split("=");
    return version === undefined ? { name } : { name, version };
  });
  const { install } = resolve(requests, { source: new RecordSource(records), ...options });
  return install.map((record) => (record.version === "1" ? record.name : `${record.name}=${record.version}`)).join(" ");
}

describe("resolve", () => {
  it("follows Depends and Pre-Depends, dependencies first", () => {
    const records = [
      pkg("a", { Depends: "b, c" }),
      pkg("b", { "Pre-Depends": "d" }),
      pkg("c"),
      pkg("d"),
      pkg("unused"),
    ];
    expect(names("a", records)).toBe("d b c a");
  });

  it("survives cycles and puts base-files first", () => {
    const records = [
      pkg("a", { Depends: "b" }),
      pkg("b", { Depends: "a, base-files" }),
      pkg("base-files", { "Pre-Depends": "awk" }),
      pkg("mawk", { Provides: "awk" }),
    ];
    expect(names("a", records)).toBe("base-files mawk b a");
  });

  it("takes the first alternative that exists and fits", () => {
    const records = [pkg("a", { Depends: "gone | old (>= 2) | fits | other" }), pkg("old"), pkg("fits"), pkg("other")];
    expect(names("a", records)).toBe("fits a");
  });

  it("is content with an alternative that was chosen anyway", () => {
    const records = [pkg("a", { Depends: "x | y" }), pkg("x"), pkg("y")];
    expect(names("a y", records)).toBe("y a");
    expect(names("a", records, { installed: [pkg("y")] })).toBe("a");
  });

  it("chooses providers by priority, then by name", () => {
    const records = [
      pkg("a", { Depends: "virtual" }),
      pkg("aardvark", { Provides: "virtual" }),
      pkg("zebra", { Provides: "virtual", Priority: "required" }),
    ];
    expect(names("a", records)).toBe("zebra a");
    expect(names("a", records.slice(0, 2))).toBe("aardvark a");
  });

  it("respects versions of provided names", () => {
    const needs = pkg("a", { Depends: "api (>= 2)" });
    expect(names("a", [needs, pkg("p", { Provides: "api (= 2.1)" })])).toBe("p a");
    expect(() => names("a", [needs, pkg("p", { Provides: "api (= 1.9)" })])).toThrow("no package provides");
    expect(() => names("a", [needs, pkg("p", { Provides: "api" })])).toThrow("no package provides");
  });

  it("refuses conflicts and breaks, in both directions, unless of the package with itself", () => {
    const a = pkg("a", { Conflicts: "mta", Provides: "mta" });
    expect(names("a", [a])).toBe("a");
    expect(() => names("a b", [a, pkg("b", { Provides: "mta" })])).toThrow("a conflicts with b 1, which provides mta");
    expect(() => names("c d", [pkg("c"), pkg("d", { Breaks: "c (<< 2)" })])).toThrow("d breaks c 1");
    expect(names("c d", [pkg("c 2"), pkg("d", { Breaks: "c (<< 2)" })])).toBe("c=2 d");
    expect(() => names("a", [a], { installed: [pkg("b", { Provides: "mta" })] })).toThrow("the root already holds b");
  });

  it("goes on to an alternative when the first one conflicts", () => {
    const records = [pkg("a", { Depends: "x | y" }), pkg("b", { Conflicts: "x" }), pkg("x"), pkg("y")];
    expect(names("b a", records)).toBe("y a b");
  });

  it("says what is missing and for whom", () => {
    expect(() => names("a", [pkg("a", { Depends: "b (>= 2) | c" }), pkg("b")])).toThrow(
      "a 1 depends on b (>= 2) | c, which no package provides",
    );
    expect(() => names("nope", [])).toThrow("there is no package nope");
    expect(() => names("nope", [], { similarNames: () => ["rope"] })).toThrow("did you mean rope?");
    expect(() => names("v", [pkg("p", { Provides: "v" }), pkg("q", { Provides: "v" })])).toThrow("name one of: p, q");
    expect(() => names("a=3", [pkg("a 2")])).toThrow("a has no version 3 (there is 2)");
  });

  it("prefers the newest version, takes an exact one on request", () => {
    const records = [pkg("a 1.9"), pkg("a 1.10"), pkg("a 1.10~rc1")];
    expect(names("a", records)).toBe("a=1.10");
    expect(names("a=1.9", records)).toBe("a=1.9");
  });

  it("keeps what the root has and upgrades what has to be newer", () => {
    const installed = [pkg("lib 1"), pkg("user-of-lib 1", { Depends: "lib (= 1)" })];
    const records = [
      pkg("lib 2"),
      pkg("user-of-lib 2", { Depends: "lib (= 2)" }),
      pkg("a", { Depends: "lib (>= 2)" }),
      pkg("b", { Depends: "lib" }),
    ];
    expect(names("b", records, { installed })).toBe("b");
    expect(names("a", records, { installed })).toBe("lib=2 a user-of-lib=2");
  });

  it("reports the closure for a lock file, with pool paths of installed packages", () => {
    const records = [pkg("a", { Depends: "b" }), pkg("b")];
    const installed = [{ ...pkg("b"), poolPath: "" }];
    const { closure, install } = resolve([{ name: "a" }], { source: new RecordSource(records), installed });
    expect(install.map((r) => r.name)).toEqual(["a"]);
    expect(closure.map((r) => [r.name, r.poolPath])).toEqual([
      ["a", "pool/a.deb"],
      ["b", "pool/b.deb"],
    ]);
  });

  it("adds Recommends and essential packages only when asked", () => {
    const records = [
      pkg("a", { Recommends: "r, missing" }),
      pkg("r"),
      pkg("e", { Essential: "yes", Depends: "ee" }),
      pkg("ee"),
    ];
    expect(names("a", records)).toBe("a");
    expect(names("a", records, { recommends: true })).toBe("a r");
    expect(names("a", records, { essential: true })).toBe("a ee e");
  });

  it("collects what is unmet when it is lenient", () => {
    const { install, unmet } = resolve([{ name: "a" }], {
      source: new RecordSource([pkg("a", { Depends: "b" })]),
      lenient: true,
    });
    expect(install.length).toBe(1);
    expect(unmet).toEqual(["a 1 depends on b"]);
  });

  it("orders the same set the same way", () => {
    const records = [pkg("c"), pkg("a", { Depends: "c" }), pkg("b")];
    expect(order(records)).toEqual(order([...records].reverse()));
  });
});

describe("PackageIndex", () => {
  const text = `Package: a
Version: 1
Architecture: riscv64
Provides: v (= 2), w
Filename: pool/a.deb
Size: 7
SHA256: ABCDEF

Package: a
Version: 2
Architecture: all
Essential: yes

Package: other-arch
Version: 1
Architecture: amd64

Package: last
Architecture: riscv64
Version: 1
Description: Package: not-a-package
 Provides: nothing`;

  it.each([text, `${text}\n`, `\n\n${text}\n\n\n`])("finds names, providers and essentials", (variant) => {
    const index = new PackageIndex(Buffer.from(variant), "riscv64");
    expect(index.byName("a").map((record) => record.version)).toEqual(["2", "1"]);
    expect(index.byName("a")[1]).toMatchObject({ sha256: "abcdef", sizeBytes: 7, poolPath: "pool/a.deb" });
    expect(index.providersOf("w").map((record) => record.name)).toEqual(["a"]);
    expect(index.providersOf("v")[0].provides[0]).toMatchObject({ name: "v", operator: "=", version: "2" });
    expect(index.essentials().map((record) => record.version)).toEqual(["2"]);
    expect(index.byName("other-arch")).toEqual([]);
    expect(index.byName("last").length).toBe(1);
    expect(index.byName("not-a-package")).toEqual([]);
    expect(index.packageCount).toBe(3);
  });

  it("finds similar names", () => {
    const index = new PackageIndex(
      Buffer.from("Package: python3\n\nPackage: python3.13\n\nPackage: perl\n"),
      "riscv64",
    );
    expect(index.similarNames("pyton3")).toEqual(["python3"]);
    expect(index.similarNames("xxxxxxxx")).toEqual([]);
  });
});
