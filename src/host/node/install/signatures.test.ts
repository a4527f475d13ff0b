// Checks OpenPGP verification against keys and messages made by GnuPG 2.2 (test/install/fixtures; all dated 2025-01-01).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ArchiveKey } from "../../../../test/install/debian-archive.ts";
import { ImageError } from "../../../image/errors.ts";
import { dearmor, readClearSigned, readPackets } from "../../../image/openpgp.ts";
import { Keyring, verifyMessage } from "../../../image/signatures.ts";
import { Prng } from "../../../util/prng.ts";
import { nodeSignatureCrypto } from "./pgp-crypto.ts";

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../../test/install/fixtures/${name}`, import.meta.url));

const NOW = Date.UTC(2025, 5, 1) / 1000;
const SIGNED_AT = Date.UTC(2025, 0, 1) / 1000;

const ring = new Keyring();
ring.add(fixture("ring.asc"), nodeSignatureCrypto);

function verify(message: Uint8Array, keyring = ring, now = NOW): string[] {
  const { signed, signatures } = readClearSigned(message);
  return verifyMessage(signed, signatures, keyring, nodeSignatureCrypto, now, "m").map((by) => by.owner);
}

const ED = "Ed Archive <ed@example.org>";
const RSA = "Rsa Archive <rsa@example.org>";

describe("messages signed by GnuPG", () => {
  it("accepts Ed25519 and RSA signatures (of a signing subkey)", () => {
    expect(verify(fixture("ed.asc"))).toEqual([ED]);
    expect(verify(fixture("rsa.asc"))).toEqual([RSA]);
    expect(verify(fixture("both.asc")).sort()).toEqual([ED, RSA]);
  });

  it("gives back the text without dash escapes", () => {
    const text = Buffer.from(readClearSigned(fixture("ed.asc")).text).toString();
    expect(text).toBe(`${fixture("message.txt").toString()}\n`);
  });

  it("ignores unknown signers beside a known one, but needs a known one", () => {
    expect(verify(fixture("ed-strange.asc"))).toEqual([ED]);
    expect(() => verify(fixture("strange.asc"))).toThrow("which is not in the keyring");
  });

  it("knows expired and revoked keys, and signatures from the future", () => {
    expect(verify(fixture("short.asc"), ring, SIGNED_AT + 86400)).toEqual(["Short Archive <short@example.org>"]);
    expect(() => verify(fixture("short.asc"))).toThrow("whose key has expired");
    expect(() => verify(fixture("gone.asc"))).toThrow("whose key is revoked");
    expect(() => verify(fixture("ed.asc"), ring, SIGNED_AT - 2 * 86400)).toThrow("dated in the future");
  });

  it("refuses SHA-1", () => {
    expect(() => verify(fixture("sha1.asc"))).toThrow("hash that is no longer trusted");
  });

  it("checks detached signatures", () => {
    const data = fixture("message.txt");
    const signatures = dearmor(fixture("detached.asc"));
    const check = (bytes: Uint8Array) => verifyMessage(bytes, signatures, ring, nodeSignatureCrypto, NOW, "m");
    expect(check(data)[0].owner).toBe(ED);
    expect(() => check(Buffer.concat([data, Buffer.from(" ")]))).toThrow("WRONG signature");
  });

  it("reads keyrings in armor and in binary alike", () => {
    const binary = new Keyring();
    binary.add(dearmor(fixture("ring.asc")), nodeSignatureCrypto);
    expect(binary.keyCount).toBe(ring.keyCount);
    expect(ring.keyCount).toBe(5);
    expect(() => new Keyring().add(Buffer.from("no keys"), nodeSignatureCrypto)).toThrow(ImageError);
  });
});

describe("messages that were tampered with", () => {
  const original = fixture("ed.asc").toString("latin1");
  const edited = (from: string | RegExp, to: string) => {
    const text = original.replace(from, to);
    expect(text).not.toBe(original);
    return Buffer.from(text, "latin1");
  };

  it("accepts other line endings and blanks at line ends, which are not signed", () => {
    expect(verify(edited(/\n/g, "\r\n"))).toEqual([ED]);
    expect(verify(edited("Suite: stable  ", "Suite: stable"))).toEqual([ED]);
  });

  it.each([
    ["another word", "Test", "Fest"],
    ["a line more", "Origin: Test\n", "Origin: Test\nEvil: yes\n"],
    ["a line less", "Origin: Test\n", ""],
  ])("refuses %s", (_, from, to) => {
    expect(() => verify(edited(from, to))).toThrow("WRONG signature of Ed Archive");
  });

  it.each<[string, string | RegExp, string]>([
    ["text before the message", /^/, "Evil: yes\n"],
    ["text after the signature", /$/, "Evil: yes\n"],
    ["an unexpected armor header", "Hash: SHA256", "Hash: SHA256\nSuite: evil"],
    ["a second message inside", "last\n", "last\n-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"],
    ["no signature", /-----BEGIN PGP SIGNATURE-----[\s\S]*/, ""],
    ["a signature without end", "-----END PGP SIGNATURE-----", ""],
  ])("refuses %s", (_, from, to) => {
    expect(() => verify(edited(from, to))).toThrow(ImageError);
  });

  it("never accepts or crashes on a flipped bit in the signature", () => {
    const { signed, signatures } = readClearSigned(fixture("ed.asc"));
    const prng = new Prng(3);
    let accepted = 0;
    for (let round = 0; round < 400; round++) {
      const copy = Uint8Array.from(signatures);
      copy[prng.below(copy.length)] ^= 1 << prng.below(8);
      try {
        verifyMessage(signed, copy, ring, nodeSignatureCrypto, NOW, "m");
        accepted++;
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    }
    // Only bits that are not part of the signature proper may change: the packet's old/new spelling, unhashed subpackets.
    expect(accepted).toBeLessThan(60);
  });

  it("never crashes on a damaged keyring", () => {
    const bytes = dearmor(fixture("ring.asc"));
    const prng = new Prng(4);
    for (let round = 0; round < 200; round++) {
      const copy = Uint8Array.from(bytes);
      copy[prng.below(copy.length)] = prng.below(256);
      try {
        const keyring = new Keyring();
        keyring.add(copy, nodeSignatureCrypto);
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    }
  });

  it("believes a subkey only when the primary key says so", () => {
    const packets = readPackets(dearmor(fixture("ring.asc")));
    expect(packets.filter((packet) => packet.tag === 14).length).toBe(1);
    const other = new ArchiveKey("Other <o@example.org>");
    const keyring = new Keyring();
    // The subkey of one certificate, with its binding, behind another primary key.
    const at = packets.findIndex((packet) => packet.tag === 14);
    const moved = packets
      .slice(at, at + 2)
      .map(({ tag, body }) =>
        Buffer.concat([Buffer.of(0xc0 | tag, 0xff, 0, 0, body.length >> 8, body.length & 0xff), body]),
      );
    keyring.add(Buffer.concat([other.certificate(), ...moved]), nodeSignatureCrypto);
    expect(keyring.keyCount).toBe(1);
    expect(() => verify(fixture("rsa.asc"), keyring)).toThrow("not in the keyring");
  });
});
