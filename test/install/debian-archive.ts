// Builds small Debian archives for tests: tar, ar, .deb, Packages, a Release signed with keys made on the spot, and an HTTP
// server on 127.0.0.1 that can misbehave on request. Written from the formats' documents, independent of the code under test.
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export interface TarItem {
  name: string;
  type?: "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "L" | "K" | "x" | "g" | "S" | "V";
  data?: string | Uint8Array;
  link?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  prefix?: string;
  magic?: string;
  /** Overrides the size field. */
  size?: number;
}

const bytesOf = (data: string | Uint8Array | undefined): Uint8Array =>
  data === undefined ? new Uint8Array(0) : typeof data === "string" ? Buffer.from(data) : data;

/** One header block and its padded data. */
export function tarItem(item: TarItem): Buffer {
  const data = bytesOf(item.data);
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(item.name, 0, 100, "utf8");
  octal(item.mode ?? (item.type === "5" ? 0o755 : 0o644), 100, 8);
  octal(item.uid ?? 0, 108, 8);
  octal(item.gid ?? 0, 116, 8);
  octal(item.size ?? data.length, 124, 12);
  octal(item.mtime ?? 1700000000, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(item.type ?? "0", 156, "latin1");
  block.write(item.link ?? "", 157, 100, "utf8");
  block.write(item.magic ?? "ustar\x0000", 257, "latin1");
  block.write("root", 265, "latin1");
  block.write("root", 297, "latin1");
  if (item.prefix) block.write(item.prefix, 345, 155, "utf8");
  fixSum(block);
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

export function fixSum(block: Buffer): void {
  block.write("        ", 148, "latin1");
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += block[i];
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

export function makeTar(items: readonly TarItem[]): Buffer {
  return Buffer.concat([...items.map(tarItem), Buffer.alloc(1024)]);
}

export function paxRecord(key: string, value: string): string {
  let length = key.length + Buffer.byteLength(value) + 3;
  while (String(length).length + Buffer.byteLength(` ${key}=${value}\n`) !== length) {
    length = String(length).length + Buffer.byteLength(` ${key}=${value}\n`);
  }
  return `${length} ${key}=${value}\n`;
}

export function makeAr(members: readonly { name: string; data: Uint8Array }[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const { name, data } of members) {
    const header = `${name.padEnd(16)}${"1700000000".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header, "latin1"), data);
    if (data.length & 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

export interface PackageSpec {
  name: string;
  version?: string;
  architecture?: string;
  /** Depends, Provides, ... */
  fields?: Record<string, string>;
  items?: TarItem[];
  /** postinst, conffiles, ... */
  control?: Record<string, string>;
  plainTar?: boolean;
}

export interface BuiltPackage {
  spec: PackageSpec;
  bytes: Buffer;
  sha256: string;
  poolPath: string;
  /** Its paragraph of Packages. */
  paragraph: string;
}

export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function makeDeb(spec: PackageSpec): BuiltPackage {
  const version = spec.version ?? "1.0-1";
  const architecture = spec.architecture ?? "riscv64";
  const extra = Object.entries(spec.fields ?? {}).map(([key, value]) => `${key}: ${value}\n`);
  const control = `Package: ${spec.name}\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: Nobody <nobody@example.org>\n${extra.join("")}Description: test package\n with a second line\n`;
  const pack = (tar: Buffer) => (spec.plainTar ? tar : gzipSync(tar));
  const suffix = spec.plainTar ? "" : ".gz";
  const controlItems: TarItem[] = [
    { name: "./", type: "5" },
    { name: "./control", data: control },
  ];
  for (const [name, data] of Object.entries(spec.control ?? {})) {
    controlItems.push({ name: `./${name}`, data, mode: name === "postinst" ? 0o755 : 0o644 });
  }
  const bytes = makeAr([
    { name: "debian-binary", data: Buffer.from("2.0\n") },
    { name: `control.tar${suffix}`, data: pack(makeTar(controlItems)) },
    { name: `data.tar${suffix}`, data: pack(makeTar([{ name: "./", type: "5" }, ...(spec.items ?? [])])) },
  ]);
  const sha256 = sha256Hex(bytes);
  const poolPath = `pool/main/${spec.name[0]}/${spec.name}/${spec.name}_${version.replace(/^\d+:/, "")}_${architecture}.deb`;
  const paragraph = control.replace(
    /Description:[\s\S]*/,
    `Filename: ${poolPath}\nSize: ${bytes.length}\nSHA256: ${sha256}\n`,
  );
  return { spec, bytes, sha256, poolPath, paragraph };
}

// ---- OpenPGP: just enough to sign -----------------------------------------------------------------------------------

const mpi = (bytes: Uint8Array): Buffer => {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  const body = Buffer.from(bytes.subarray(at));
  const bits = body.length * 8 - Math.clz32(body[0]) + 24;
  return Buffer.concat([Buffer.of(bits >> 8, bits & 0xff), body]);
};

const packet = (tag: number, body: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.of(0xc0 | tag, 0xff), length, body]);
};

const subpacket = (type: number, data: Uint8Array): Buffer => Buffer.concat([Buffer.of(data.length + 1, type), data]);

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const KEY_CREATED = 1700000000;

/** A signing key whose certificate and signatures are written by hand, Ed25519 (legacy encoding, as GnuPG 2.2 makes). */
export class ArchiveKey {
  readonly owner: string;
  private readonly privateKey: KeyObject;
  private readonly body: Buffer;

  constructor(owner: string) {
    this.owner = owner;
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.privateKey = privateKey;
    const point = Buffer.from((publicKey.export({ format: "jwk" }) as { x: string }).x, "base64url");
    const oid = Buffer.from("2b06010401da470f01", "hex");
    const created = uint32(KEY_CREATED);
    this.body = Buffer.concat([
      Buffer.of(4),
      created,
      Buffer.of(22, oid.length),
      oid,
      mpi(Buffer.concat([Buffer.of(0x40), point])),
    ]);
  }

  get fingerprint(): Buffer {
    return createHash("sha1").update(this.hashInput()).digest();
  }

  /** The binary certificate: key, user id, self-signature. */
  certificate(expiresAfterSeconds = 0): Buffer {
    const userId = Buffer.from(this.owner);
    const input = Buffer.concat([this.hashInput(), Buffer.of(0xb4), uint32(userId.length), userId]);
    const extra = [subpacket(27, Buffer.of(0x03))];
    if (expiresAfterSeconds > 0) extra.push(subpacket(9, uint32(expiresAfterSeconds)));
    return Buffer.concat([packet(6, this.body), packet(13, userId), this.signature(0x13, input, KEY_CREATED, extra)]);
  }

  /** A cleartext-signed message. */
  clearSign(text: string, created = KEY_CREATED + 1000): string {
    const lines = text.replace(/\n$/, "").split("\n");
    const signed = Buffer.from(lines.map((line) => line.replace(/[ \t]+$/, "")).join("\r\n"));
    const armor = this.signature(1, signed, created, []).toString("base64").replace(/.{64}/g, "$&\n");
    const escaped = lines.map((line) => (line.startsWith("-") ? `- ${line}` : line)).join("\n");
    return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${escaped}\n-----BEGIN PGP SIGNATURE-----\n\n${armor}\n-----END PGP SIGNATURE-----\n`;
  }

  /** A detached signature packet over bytes. */
  detachedSign(data: Uint8Array): Buffer {
    return this.signature(0, data, KEY_CREATED + 1000, []);
  }

  private hashInput(): Buffer {
    return Buffer.concat([Buffer.of(0x99, this.body.length >> 8, this.body.length & 0xff), this.body]);
  }

  private signature(type: number, data: Uint8Array, created: number, extra: readonly Buffer[]): Buffer {
    const issuer = subpacket(33, Buffer.concat([Buffer.of(4), this.fingerprint]));
    const hashed = Buffer.concat([subpacket(2, uint32(created)), issuer, ...extra]);
    const head = Buffer.concat([Buffer.of(4, type, 22, 10, hashed.length >> 8, hashed.length & 0xff), hashed]);
    const digest = createHash("sha512")
      .update(data)
      .update(head)
      .update(Buffer.of(4, 0xff))
      .update(uint32(head.length))
      .digest();
    const rs = sign(null, digest, this.privateKey);
    const tail = Buffer.concat([mpi(rs.subarray(0, 32)), mpi(rs.subarray(32))]);
    return packet(2, Buffer.concat([head, Buffer.of(0, 0), digest.subarray(0, 2), tail]));
  }
}

// ---- the archive ----------------------------------------------------------------------------------------------------

export interface SuiteSpec {
  suite?: string;
  codename?: string;
  byHash?: boolean;
  validUntil?: string;
  extraRelease?: string;
}

/** Files of an archive by path below the mirror. */
export type ArchiveFiles = Map<string, Uint8Array>;

/** A suite "trixie" with one Packages file (.gz and plain), signed. */
export function makeArchive(
  packages: readonly BuiltPackage[],
  key: ArchiveKey | null,
  spec: SuiteSpec = {},
): ArchiveFiles {
  const files: ArchiveFiles = new Map();
  for (const built of packages) files.set(built.poolPath, built.bytes);
  const codename = spec.codename ?? "trixie";
  const base = `dists/${codename}`;
  const index = Buffer.from(packages.map((built) => `${built.paragraph}\n`).join(""));
  const variants: [string, Buffer][] = [
    ["Packages", index],
    ["Packages.gz", gzipSync(index)],
  ];
  const folder = "main/binary-riscv64";
  const hashes: string[] = [];
  for (const [name, bytes] of variants) {
    const hash = sha256Hex(bytes);
    hashes.push(` ${hash} ${bytes.length} ${folder}/${name}`);
    files.set(`${base}/${folder}/${name}`, bytes);
    if (spec.byHash) files.set(`${base}/${folder}/by-hash/SHA256/${hash}`, bytes);
  }
  const release = [
    "Origin: Test",
    `Suite: ${spec.suite ?? "stable"}`,
    `Codename: ${codename}`,
    "Date: Tue, 14 Nov 2023 22:13:20 UTC",
    ...(spec.validUntil ? [`Valid-Until: ${spec.validUntil}`] : []),
    `Acquire-By-Hash: ${spec.byHash ? "yes" : "no"}`,
    "Components: main",
    "SHA256:",
    ...hashes,
  ].join("\n");
  const text = `${release}\n${spec.extraRelease ?? ""}`;
  const cleartext = key
    ? key.clearSign(text)
    : `-----BEGIN PGP SIGNED MESSAGE-----\n\n${text}-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n`;
  files.set(`${base}/InRelease`, Buffer.from(cleartext));
  files.set(`${base}/Release`, Buffer.from(text));
  return files;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** Serves files with byte ranges; `handler` may answer first. Counts requests by path. */
export class ArchiveServer {
  readonly requests: { path: string; range: string | undefined }[] = [];
  handler: Handler | null = null;
  private readonly server: Server;

  private constructor(files: ArchiveFiles) {
    this.server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname).slice(1);
      this.requests.push({ path, range: request.headers.range });
      if (this.handler?.(request, response, path)) return;
      const bytes = files.get(path);
      if (!bytes) {
        response.writeHead(404).end();
        return;
      }
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? -1);
      if (from >= 0) {
        response.writeHead(206, {
          "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
          "content-length": bytes.length - from,
        });
        response.end(bytes.subarray(from));
      } else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    });
  }

  static async start(files: ArchiveFiles): Promise<ArchiveServer> {
    const instance = new ArchiveServer(files);
    await new Promise<void>((resolve) => instance.server.listen(0, "127.0.0.1", resolve));
    return instance;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  count(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
