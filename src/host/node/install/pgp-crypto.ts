// Hashes and signature arithmetic of node:crypto behind the interface that image/ checks OpenPGP signatures with.
import { createHash, createPublicKey, verify } from "node:crypto";
import type { SignatureCrypto } from "../../../image/openpgp.ts";

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

export const nodeSignatureCrypto: SignatureCrypto = {
  digest: (hash, data) => createHash(hash).update(data).digest(),
  verifyRsa(hash, key, data, signature) {
    const jwk = { kty: "RSA", n: base64url(key.modulus), e: base64url(key.exponent) };
    return verify(hash, data, createPublicKey({ key: jwk, format: "jwk" }), signature);
  },
  verifyEd25519(point, message, signature) {
    const jwk = { kty: "OKP", crv: "Ed25519", x: base64url(point) };
    return verify(null, message, createPublicKey({ key: jwk, format: "jwk" }), signature);
  },
};

export const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
