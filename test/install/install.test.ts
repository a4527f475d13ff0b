// `faultline install` from the command line down to the files, against archives made on the spot and served on 127.0.0.1.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommandLine } from "../../src/cli/command-line.ts";
import {
  type ArchiveFiles,
  ArchiveKey,
  ArchiveServer,
  type BuiltPackage,
  makeArchive,
  makeDeb,
  type PackageSpec,
  type SuiteSpec,
} from "./debian-archive.ts";

const NOW = Date.UTC(2024, 0, 1);
const folder = mkdtempSync(join(tmpdir(), "faultline-install-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = new ArchiveKey("Test Archive <archive@example.org>");
const keyring = join(folder, "keyring.gpg");
writeFileSync(keyring, key.certificate());

const dir = (name: string) => ({ name: `./${name}/`, type: "5" as const });
const SPECS: PackageSpec[] = [
  {
    name: "base-files",
    fields: { Essential: "yes", "Pre-Depends": "awk" },
    items: [
      dir("tmp"),
      { name: "./tmp/", type: "5", mode: 0o1777 },
      { name: "./bin", type: "2", link: "usr/bin" },
      { name: "./etc/debian_version", data: "13\n" },
    ],
    control: { conffiles: "/etc/debian_version\n" },
  },
  {
    name: "mawk",
    fields: { Provides: "awk", Priority: "required" },
    items: [{ name: "./usr/bin/mawk", data: "mawk elf", mode: 0o755 }],
    control: { postinst: "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n" },
  },
  {
    name: "libc6",
    version: "2.41-12",
    fields: { "Multi-Arch": "same" },
    items: [{ name: "./lib/riscv64/libc.so.6", data: "libc", mode: 0o755 }],
  },
  {
    name: "bash",
    version: "5.2-1",
    fields: { Depends: "base-files, libc6 (>= 2.40)" },
    items: [
      { name: "./bin/bash", data: "bash elf".repeat(5000), mode: 0o755 },
      { name: "./bin/rbash", type: "2", link: "bash" },
      { name: "./etc/bash.bashrc", data: "# bashrc 1\n" },
      { name: "./usr/bin/su", data: "su", mode: 0o4755 },
      { name: "./usr/share/old", data: "old" },
    ],
    control: { conffiles: "/etc/bash.bashrc\n" },
  },
  {
    name: "tool",
    architecture: "all",
    fields: { Depends: "bash | zsh", Recommends: "extra" },
    items: [{ name: "./usr/bin/tool", data: "#!/bin/sh\n", mode: 0o755 }],
  },
  { name: "extra", items: [{ name: "./usr/bin/extra", data: "x" }] },
];
const packages = SPECS.map(makeDeb);
const bash = packages[3];

let count = 0;
let root = "";
let cache = "";
let server: ArchiveServer | null = null;
beforeEach(() => {
  root = join(folder, `root${++count}`);
  cache = join(folder, `cache${count}`);
});
afterEach(async () => {
  await server?.stop();
  server = null;
});

async function serve(
  built: readonly BuiltPackage[] = packages,
  spec: SuiteSpec = {},
  signer: ArchiveKey | null = key,
): Promise<ArchiveFiles> {
  const files = makeArchive(built, signer, spec);
  server = await ArchiveServer.start(files);
  return files;
}

interface Result {
  status: number;
  out: string;
  err: string;
}

async function faultline(
  argv: readonly string[],
  env: Record<string, string> = {},
  etcApt = "/nonexistent",
): Promise<Result> {
  let out = "";
  let err = "";
  const status = await runCommandLine(argv, {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    installEnvironment: () => ({
      env: { XDG_CACHE_HOME: cache, ...env },
      etcApt,
      keyringFolder: "/nonexistent",
      stderr: {
        write: (text) => {
          err += text;
        },
        isTTY: false,
        columns: 80,
      },
      nowMs: () => NOW,
      retryDelayMs: 1,
    }),
    run: () => Promise.resolve(0),
    demo: () => Promise.resolve(0),
    curve: () => Promise.resolve(0),
    trace: () => Promise.resolve(0),
    quiz: () => Promise.resolve(0),
    ui: () => Promise.resolve(0),
  });
  return { status, out, err };
}

const install = (argv: readonly string[], env: Record<string, string> = {}) =>
  faultline(
    ["install", "--root", root, ...(server ? ["--mirror", server.address] : []), "--keyring", keyring, ...argv],
    env,
  );

const text = (path: string, below = root) => readFileSync(join(below, path), "utf8");
const last = (text: string) => text.trimEnd().split("\n").at(-1);

describe("faultline install from an index", () => {
  it("installs a package with what it depends on", async () => {
    await serve();
    const { status, out, err } = await install(["tool"]);
    expect(err).toContain("5 packages to unpack");
    expect(status).toBe(0);
    expect(out).toContain(`5 packages in ${root}`);
    expect(out).toContain(
      "checked: the index by its signature (Test Archive), each package by its SHA-256 in the index",
    );
    expect(text("usr/bin/tool")).toBe("#!/bin/sh\n");
    expect(text("usr/lib/riscv64/libc.so.6")).toBe("libc"); // ./lib through the merged-/usr link
    expect(readlinkSync(join(root, "bin"))).toBe("usr/bin");
    expect(readlinkSync(join(root, "usr/bin/awk"))).toBe("/etc/alternatives/awk");
    expect(readlinkSync(join(root, "usr/bin/sh"))).toBe("bash");
    expect(statSync(join(root, "usr/bin/su")).mode & 0o7777).toBe(0o4755);
    expect(statSync(join(root, "tmp")).mode & 0o7777).toBe(0o1777);
    expect(Math.floor(statSync(join(root, "usr/bin/tool")).mtimeMs / 1000)).toBe(1700000000);
    expect(existsSync(join(root, "usr/bin/extra"))).toBe(false);
    expect(text("var/lib/dpkg/status").match(/^Package: /gm)?.length).toBe(5);
    expect(readdirSync(root).sort()).toEqual([
      "bin",
      "dev",
      "etc",
      "home",
      "lib",
      "media",
      "mnt",
      "opt",
      "proc",
      "root",
      "run",
      "sbin",
      "srv",
      "sys",
      "tmp",
      "usr",
      "var",
    ]);
    expect(leftovers(root)).toEqual([]);
  });

  it("does nothing the second time, and uses the cache for a second root", async () => {
    await serve();
    await install(["bash"]);
    const again = await install(["bash"]);
    expect(again.out).toContain(`nothing new in ${root}, 4 already there`);
    root += "b";
    const requests = server!.requests.length;
    expect((await install(["bash"])).out).toContain("0 B downloaded");
    expect(server!.requests.slice(requests).some(({ path }) => path.endsWith(".deb"))).toBe(false);
  });

  it("says what it cannot find, status 2", async () => {
    await serve([...packages, makeDeb({ name: "needy", fields: { Depends: "no-such-thing (>= 1)" } })]);
    const ask = async (name: string) => {
      const { status, err } = await install([name]);
      expect([status, err.trimEnd().split("\n").length]).toEqual([2, 1]);
      return err;
    };
    expect(await ask("bahs")).toContain("there is no package bahs (did you mean bash?)");
    expect(await ask("bash=6")).toContain("package bash has no version 6 (there is 5.2-1)");
    expect(await ask("needy")).toContain("needy 1.0-1 depends on no-such-thing (>= 1), which no package provides");
    expect(await ask("Not/A/Name")).toContain("is no package name");
  });

  it("follows Recommends and essential packages on request", async () => {
    await serve();
    expect((await install(["--recommends", "tool"])).status).toBe(0);
    expect(existsSync(join(root, "usr/bin/extra"))).toBe(true);
    root += "b";
    expect((await install(["--essential"])).status).toBe(0);
    expect(existsSync(join(root, "etc/debian_version"))).toBe(true);
  });

  it("upgrades: new files in, old files out, changed configuration kept", async () => {
    await serve();
    await install(["bash"]);
    writeFileSync(join(root, "etc/bash.bashrc"), "# mine\n");
    await server!.stop();
    const items = SPECS[3].items!.filter(({ name }) => name !== "./usr/share/old");
    const newer = makeDeb({
      ...SPECS[3],
      version: "5.2-2",
      items: items.map((item) => (item.name === "./etc/bash.bashrc" ? { ...item, data: "# bashrc 2\n" } : item)),
    });
    await serve([...packages.filter((p) => p !== bash), newer]);
    const { status, err, out } = await install(["bash"]);
    expect(status).toBe(0);
    expect(out).toContain(`bash in ${root}, 3 already there`);
    expect(text("etc/bash.bashrc")).toBe("# mine\n");
    expect(text("etc/bash.bashrc.dpkg-dist")).toBe("# bashrc 2\n");
    expect(err).toContain("kept your /etc/bash.bashrc");
    expect(existsSync(join(root, "usr/share/old"))).toBe(false);
    expect(text("var/lib/dpkg/status")).toContain("Version: 5.2-2\n");
  });

  it("takes by-hash names first, and reads Release + Release.gpg where there is no InRelease", async () => {
    const files = await serve(packages, { byHash: true });
    files.delete("dists/trixie/main/binary-riscv64/Packages.gz");
    files.delete("dists/trixie/main/binary-riscv64/Packages");
    files.set("dists/trixie/Release.gpg", key.detachedSign(files.get("dists/trixie/Release")!));
    files.delete("dists/trixie/InRelease");
    const { status, out } = await install(["libc6"]);
    expect(status).toBe(0);
    expect(out).toContain("by its signature (Test Archive)");
  });
});

describe("an index that cannot be trusted or used", () => {
  it("says which is which", async () => {
    const files = await serve();
    const other = new ArchiveKey("Other <other@example.org>");
    const signedByOther = makeArchive(packages, other).get("dists/trixie/InRelease")!;
    const good = files.get("dists/trixie/InRelease")!;
    const set = (bytes: Uint8Array) => files.set("dists/trixie/InRelease", bytes);
    set(signedByOther);
    expect((await install(["bash"])).err).toContain("not in the keyring");
    set(Buffer.from(Buffer.from(good).toString().replace("Suite: stable", "Suite: frozen")));
    expect((await install(["bash"])).err).toContain("WRONG signature of Test Archive");
    set(makeArchive(packages, null).get("dists/trixie/InRelease")!);
    const unsigned = await install(["bash"]);
    expect([unsigned.status, unsigned.err.includes("no valid signature (there is none)")]).toEqual([1, true]);
    const expired = join(folder, "expired.gpg");
    writeFileSync(expired, key.certificate(86400));
    set(good);
    expect((await install(["--keyring", expired, "bash"])).err).toContain("whose key has expired");
    expect((await install(["bash"])).status).toBe(0);
  });

  it("says loudly when nothing checked the signature", async () => {
    await serve();
    const { status, out } = await faultline(["install", "--root", root, "--mirror", server!.address, "libc6"]);
    expect(status).toBe(0);
    expect(out).toContain("checksums only");
    expect(out).toContain("the signature of the index was NOT checked");
  });

  it("recognises a mirror in the middle of an update and names the ways out", async () => {
    const files = await serve(packages, { byHash: true });
    for (const path of [...files.keys()]) if (path.includes("by-hash")) files.delete(path);
    for (const name of ["Packages", "Packages.gz"])
      files.set(`dists/trixie/main/binary-riscv64/${name}`, Buffer.from("newer or older"));
    const { status, err } = await install(["bash"]);
    expect(status).toBe(1);
    expect(err.trimEnd().split("\n").length).toBe(1);
    expect(err).toMatch(/in the middle of an update.*try again later.*--mirror.*--lock/);
    expect(existsSync(join(root, "usr/bin/bash"))).toBe(false);
  });

  it("refuses stale and foreign indexes", async () => {
    await serve(packages, { validUntil: "Sun, 31 Dec 2023 00:00:00 UTC" });
    expect((await install(["bash"])).err).toContain("was valid until 2023-12-31");
    await server!.stop();
    const files = await serve(packages, { codename: "sid", suite: "unstable" });
    for (const [path, bytes] of [...files]) files.set(path.replace("dists/sid", "dists/trixie"), bytes);
    expect((await install(["bash"])).err).toContain("says it is unstable (sid)");
    const missing = await install(["--suite", "bookworm", "bash"]);
    expect([missing.status, missing.err.includes("has no suite bookworm")]).toEqual([2, true]);
  });

  it("refuses a package that is not the one of the index", async () => {
    const files = await serve();
    files.set(bash.poolPath, Buffer.alloc(bash.bytes.length, 1));
    const { status, err } = await install(["bash"]);
    expect(status).toBe(1);
    expect(last(err)).toContain("bash 5.2-1");
    expect(last(err)).toContain("wrong SHA-256");
    files.set(bash.poolPath, bash.bytes.subarray(0, 100));
    expect((await install(["bash"])).err).toContain("100 bytes");
    files.delete(bash.poolPath);
    expect((await install(["bash"])).err).toContain("404");
    files.set(bash.poolPath, bash.bytes);
    expect((await install(["bash"])).status).toBe(0);
  });

  it("refuses a package whose contents are not what the index calls it", async () => {
    const impostor = makeDeb({ name: "zsh", items: [{ name: "./usr/bin/evil", data: "x" }] });
    const paragraph = impostor.paragraph.replace("Package: zsh", "Package: bash");
    await serve([{ ...impostor, paragraph }]);
    expect((await install(["bash"])).err).toContain("holds zsh 1.0-1, not bash 1.0-1");
    expect(existsSync(join(root, "usr/bin/evil"))).toBe(false);
  });

  it("keeps hostile packages inside the root", async () => {
    const outside = join(folder, "outside");
    mkdirSync(outside, { recursive: true });
    const hostile: [string, PackageSpec["items"]][] = [
      ["dotdot", [{ name: "./../../outside/evil", data: "x" }]],
      [
        "climb",
        [
          { name: "./up", type: "2", link: "../.." },
          { name: "./up/outside/evil", data: "x" },
        ],
      ],
      [
        "absolute",
        [
          { name: "./abs", type: "2", link: outside },
          { name: "./abs/evil", data: "x" },
        ],
      ],
      [
        "hard",
        [
          { name: "./secret", type: "2", link: keyring },
          { name: "./copy", type: "1", link: "./secret" },
        ],
      ],
    ];
    for (const [name, items] of hostile) {
      await serve([makeDeb({ name, ...(items && { items }) })]);
      const { status } = await install([name]);
      expect(status, name).toBe(name === "absolute" ? 0 : 1);
      await server!.stop();
    }
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(join(root, outside, "evil"))).toBe(true); // absolute links mean the guest's root
    expect(existsSync(join(root, "copy"))).toBe(false);
  });
});

describe("lock files", () => {
  it("writes one that installs the same root without any index", async () => {
    const files = await serve();
    const lock = join(folder, `${count}.lock.tsv`);
    await install(["--write-lock", lock, "tool"]);
    const lines = readFileSync(lock, "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe("package\tversion\tpool path below the mirror\tsha256\tbytes");
    expect(lines.slice(1).map((line) => line.split("\t")[0])).toEqual(["base-files", "bash", "libc6", "mawk", "tool"]);
    expect(lines[2]).toBe(["bash", "5.2-1", bash.poolPath, bash.sha256, bash.bytes.length].join("\t"));
    for (const path of [...files.keys()]) if (path.startsWith("dists/")) files.delete(path);
    const first = root;
    root += "b";
    rmSync(cache, { recursive: true });
    const { status, out } = await install(["--lock", lock]);
    expect(status).toBe(0);
    expect(out).toContain(`checked: each package by its SHA-256 in ${lock}`);
    expect(listing(root)).toEqual(listing(first));
    expect(server!.requests.filter(({ path }) => path.startsWith("dists/")).length).toBe(2);

    // All in the cache: no mirror is needed at all.
    await server!.stop();
    server = null;
    root += "c";
    expect((await install(["--lock", lock])).status).toBe(0);
    rmSync(cache, { recursive: true });
    root += "d";
    const without = await install(["--lock", lock]);
    expect([without.status, without.err.includes("no mirror is known")]).toEqual([2, true]);
  });

  it("takes named packages of a lock with what their control files ask for", async () => {
    await serve();
    const lock = join(folder, `${count}.lock.tsv`);
    await install(["--write-lock", lock, "tool", "extra"]);
    root += "b";
    rmSync(cache, { recursive: true });
    const some = join(folder, `${count}.some.tsv`);
    const { status, err } = await install(["--lock", lock, "--write-lock", some, "bash"]);
    expect(status).toBe(0);
    expect(err).toContain("base-files needs awk, which the chosen packages of the lock do not provide");
    expect(existsSync(join(root, "usr/lib/riscv64/libc.so.6"))).toBe(true);
    expect(existsSync(join(root, "usr/bin/tool"))).toBe(false);
    const written = readFileSync(some, "utf8").trimEnd().split("\n").slice(1);
    expect(written.map((line) => line.split("\t")[0])).toEqual(["base-files", "bash", "libc6"]);
    // mawk in the cache makes the difference: its control file says that it is an awk.
    expect((await install(["--lock", lock, "mawk"])).status).toBe(0);
    root += "c";
    const provided = await install(["--lock", lock, "bash"]);
    expect(provided.err).not.toContain("needs awk");
    expect(readlinkSync(join(root, "usr/bin/awk"))).toBe("/etc/alternatives/awk");
    expect((await install(["--lock", lock, "zsh"])).err).toContain("has no package zsh");
    expect((await install(["--lock", lock, "bash=9"])).err).toContain("has bash 5.2-1, not 9");
  });

  it("refuses files that are no lock files", async () => {
    const bad = join(folder, "bad.tsv");
    writeFileSync(bad, "hello\n");
    expect(await install(["--lock", bad])).toMatchObject({
      status: 2,
      err: expect.stringContaining("not a lock file"),
    });
    expect(await install(["--lock", join(folder, "missing")])).toMatchObject({
      status: 2,
      err: expect.stringContaining("ENOENT"),
    });
    await serve();
    expect(await install(["--write-lock", join(folder, "no/such/folder"), "libc6"])).toMatchObject({ status: 2 });
  });
});

describe("interruptions and bad lines", () => {
  it("resumes a download where it was cut", async () => {
    await serve();
    let cuts = 0;
    server!.handler = (request, response, path) => {
      if (path !== bash.poolPath || cuts++ > 0) return false;
      expect(request.headers.range).toBeUndefined();
      response.writeHead(200, { "content-length": bash.bytes.length });
      response.write(bash.bytes.subarray(0, 300), () => response.destroy());
      return true;
    };
    expect((await install(["bash"])).status).toBe(0);
    const ranges = server!.requests.filter(({ path }) => path === bash.poolPath).map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=300-"]);
  });

  it("begins again when what an earlier run left is something else, or the server knows no ranges", async () => {
    await serve();
    mkdirSync(join(cache, "faultline/packages"), { recursive: true });
    const part = join(cache, "faultline/packages", `${bash.sha256}.deb.part`);
    writeFileSync(part, Buffer.alloc(200, 7));
    expect((await install(["bash"])).status).toBe(0);
    rmSync(cache, { recursive: true });
    mkdirSync(join(cache, "faultline/packages"), { recursive: true });
    writeFileSync(part, bash.bytes.subarray(0, 200));
    root += "b";
    server!.handler = (_, response, path) => {
      if (path !== bash.poolPath) return false;
      response.writeHead(200, { "content-length": bash.bytes.length }).end(bash.bytes);
      return true;
    };
    expect((await install(["bash"])).status).toBe(0);
    expect(leftovers(cache)).toEqual([]);
  });

  it("tries again after 503, not after 404; gives up in the end", async () => {
    await serve();
    let busy = 2;
    server!.handler = (_, response, path) => {
      if (!path.endsWith("InRelease") || busy-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    };
    expect((await install(["libc6"])).status).toBe(0);
    root += "b";
    server!.handler = (_, response, path) => {
      if (!path.endsWith(".deb")) return false;
      response.destroy();
      return true;
    };
    rmSync(cache, { recursive: true });
    const { status, err } = await install(["libc6"]);
    expect(status).toBe(1);
    expect(last(err)).toMatch(/libc6 2\.41-12: the download failed 5 times: /);
  });

  it("goes on after an interruption in the middle of unpacking", async () => {
    const files = await serve();
    // mawk's data is damaged for the first run: base-files has not been unpacked, libc6 is fetched but not reached.
    const broken = makeDeb({
      ...SPECS[2],
      items: [
        { name: "./lib/first", data: "1" },
        { name: "./lib/../../second", data: "2" },
      ],
    });
    const archive = makeArchive([...packages.filter((p) => p.spec.name !== "libc6"), broken], key);
    const saved = new Map(files);
    for (const [path, bytes] of archive) files.set(path, bytes);
    expect((await install(["bash"])).status).toBe(1);
    expect(text("var/lib/dpkg/status")).not.toContain("Package: bash");
    for (const [path, bytes] of saved) files.set(path, bytes);
    const installed = text("var/lib/dpkg/status").match(/^Package: (.*)$/gm)!.length;
    const { status, out } = await install(["bash"]);
    expect(status).toBe(0);
    expect(out).toContain(`${installed} already there`);
    expect(leftovers(root)).toEqual([]);
  });

  it("does not mistake its own half-done work for the user's changes", async () => {
    await serve();
    mkdirSync(join(root, "var/lib/dpkg"), { recursive: true });
    mkdirSync(join(root, "etc"));
    writeFileSync(join(root, "etc/bash.bashrc"), "# bashrc 1\n"); // written, then interrupted before the record
    writeFileSync(join(root, "var/lib/dpkg/lock-faultline"), "999999999\n"); // of a process that is gone
    const { status, err } = await install(["bash"]);
    expect(status).toBe(0);
    expect(err).not.toContain("kept");
    expect(existsSync(join(root, "etc/bash.bashrc.dpkg-dist"))).toBe(false);
  });

  it("repairs a damaged cache", async () => {
    await serve();
    await install(["libc6"]);
    const path = join(cache, "faultline/packages", readdirSync(join(cache, "faultline/packages"))[0]);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
    root += "b";
    expect((await install(["libc6"])).status).toBe(0);
  });
});

describe("mirrors and roots", () => {
  it("finds the mirror: option, environment, apt, or says so", async () => {
    await serve();
    const etcApt = join(folder, "apt");
    mkdirSync(join(etcApt, "sources.list.d"), { recursive: true });
    writeFileSync(
      join(etcApt, "sources.list.d/debian.sources"),
      `Types: deb\nURIs: ${server!.address}/debian\nSuites: x\nComponents: main\n`,
    );
    const seen: string[] = [];
    server!.handler = (_, response, path) => {
      seen.push(path.split("/dists")[0]);
      response.writeHead(404).end();
      return true;
    };
    const run = (argv: string[], env = {}) => faultline(["install", "--root", root, ...argv, "bash"], env, etcApt);
    await run([]);
    await run([], { FAULTLINE_MIRROR: `${server!.address}/env` });
    await run(["--mirror", `${server!.address}/option/`], { FAULTLINE_MIRROR: `${server!.address}/env` });
    expect([...new Set(seen)]).toEqual(["debian", "env", "option"]);
    const none = await faultline(["install", "--root", root, "bash"]);
    expect(none).toMatchObject({
      status: 2,
      err: expect.stringContaining("no mirror is known: give one with --mirror"),
    });
    expect(await run(["--mirror", "ftp://x/"])).toMatchObject({
      status: 2,
      err: expect.stringContaining("no mirror address"),
    });
  });

  it("follows redirects and goes through a proxy that the environment names", async () => {
    await serve();
    const target = server!.address;
    server!.handler = (request, response, path) => {
      if (request.url?.startsWith("/moved/")) {
        response.writeHead(302, { location: `${target}/${path.slice(6)}` }).end();
        return true;
      }
      return false;
    };
    expect((await install(["--mirror", `${target}/moved`, "libc6"])).status).toBe(0);
    root += "b";
    rmSync(cache, { recursive: true });
    // A proxy is asked for the whole address: the path here is what follows the (unresolvable) host.
    const proxied = await install(["--mirror", "http://mirror.invalid", "libc6"], { http_proxy: target });
    expect(proxied.status).toBe(0);
    const exempt = await install(["--mirror", "http://mirror.invalid", "bash"], {
      http_proxy: target,
      no_proxy: ".invalid",
    });
    expect(exempt).toMatchObject({ status: 1, err: expect.stringContaining("cannot be resolved") });
  });

  it("installs from a folder", async () => {
    const files = makeArchive(packages, key);
    const mirror = join(folder, "mirror of files");
    for (const [path, bytes] of files) {
      mkdirSync(join(mirror, path, ".."), { recursive: true });
      writeFileSync(join(mirror, path), bytes);
    }
    expect((await install(["--mirror", `file://${encodeURI(mirror)}`, "bash"])).status).toBe(0);
  });

  it("refuses folders that are no roots of its own", async () => {
    await serve();
    expect(await faultline(["install", "--root", "/", "--mirror", server!.address, "bash"])).toMatchObject({
      status: 2,
    });
    mkdirSync(root);
    writeFileSync(join(root, "thesis.tex"), "x");
    expect(await install(["bash"])).toMatchObject({
      status: 2,
      err: expect.stringContaining("is not empty and no Debian root"),
    });
    const file = join(folder, `file${count}`);
    writeFileSync(file, "");
    root = file;
    expect(await install(["bash"])).toMatchObject({ status: 2, err: expect.stringContaining("is not a directory") });
    root = join(folder, `foreign${count}`);
    mkdirSync(join(root, "var/lib/dpkg"), { recursive: true });
    writeFileSync(
      join(root, "var/lib/dpkg/status"),
      "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n",
    );
    expect(await install(["bash"])).toMatchObject({ status: 2, err: expect.stringContaining("is a root for amd64") });
  });

  it("does not write through links that the root had before", async () => {
    await serve();
    const outside = join(folder, `outside${count}`);
    mkdirSync(outside);
    mkdirSync(join(root, "var/lib/dpkg"), { recursive: true });
    symlinkSync(`../../${outside.slice(folder.length + 1)}/../..${outside}`, join(root, "usr"));
    const { status, err } = await install(["bash"]);
    expect([status, readdirSync(outside)]).toEqual([1, []]);
    expect(err).toContain("leads out of the root");
  });

  it("keeps two installs apart", async () => {
    await serve();
    mkdirSync(join(root, "var/lib/dpkg"), { recursive: true });
    writeFileSync(join(root, "var/lib/dpkg/lock-faultline"), `${process.ppid}\n`);
    expect(await install(["bash"])).toMatchObject({ status: 1, err: expect.stringContaining("another install") });
  });

  it("says what the disk says", async () => {
    await serve();
    if (process.getuid?.() === 0) return; // nothing is forbidden to root
    mkdirSync(root);
    chmodSync(root, 0o500);
    expect(await install(["bash"])).toMatchObject({ status: 1, err: expect.stringContaining("EACCES") });
  });
});

/** Files that only exist while something is being written. */
function leftovers(below: string): string[] {
  return listing(below).filter((path) => /\.dpkg-new|\.part|lock-faultline/.test(path));
}

function listing(below: string, path = ""): string[] {
  const out: string[] = [];
  for (const name of readdirSync(join(below, path)).sort()) {
    const at = join(path, name);
    const stat = lstatSync(join(below, at));
    out.push(`${at} ${(stat.mode & 0o7777).toString(8)}${stat.isFile() ? ` ${stat.size}` : ""}`);
    if (stat.isDirectory()) out.push(...listing(below, at));
  }
  return out;
}
