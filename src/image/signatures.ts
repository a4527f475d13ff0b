// Decides whether a message is signed by a key of a keyring: which keys may sign, which are expired or revoked, and what to
// say about it. The format is openpgp.ts's business.
import { concatBytes } from "./bytes.ts";
import { ImageError } from "./errors.ts";
import {
  dearmor,
  type KeyPacket,
  keyHashInput,
  PACKET_PUBLIC_KEY,
  PACKET_PUBLIC_SUBKEY,
  PACKET_SIGNATURE,
  PACKET_USER_ID,
  readKey,
  readPackets,
  readSignature,
  type SignatureCrypto,
  type SignaturePacket,
  verifies,
} from "./openpgp.ts";

const FLAG_SIGN_DATA = 0x02;
const SUBKEY_BINDING = 0x18;
const DIRECT_KEY = 0x1f;
const KEY_REVOCATION = 0x20;
const SUBKEY_REVOCATION = 0x28;

/** A key that may sign archives, with what its owner said about it. */
export interface SigningKey {
  packet: KeyPacket;
  /** First user id of its primary key. */
  owner: string;
  /** Seconds since 1970, or Infinity. */
  expiresSeconds: number;
  isRevoked: boolean;
  maySign: boolean;
}

export class Keyring {
  private readonly keys: SigningKey[] = [];

  get keyCount(): number {
    return this.keys.length;
  }

  /** Adds every key of a keyring or certificate file, binary or armored. Throws ImageError if it is neither. */
  add(file: Uint8Array, crypto: SignatureCrypto): void {
    let certificate: Certificate | null = null;
    for (const packet of readPackets(dearmor(file))) {
      if (packet.tag === PACKET_PUBLIC_KEY) {
        if (certificate) this.keys.push(...certificate.signingKeys(crypto));
        const key = readKey(packet, crypto);
        certificate = key && new Certificate(key);
      } else if (certificate === null) {
        // Parts of a certificate whose version is not supported.
      } else if (packet.tag === PACKET_PUBLIC_SUBKEY) {
        certificate.addSubkey(readKey(packet, crypto));
      } else if (packet.tag === PACKET_USER_ID) {
        certificate.addUserId(packet.body);
      } else if (packet.tag === PACKET_SIGNATURE) {
        const signature = readSignature(packet.body);
        if (signature) certificate.addSignature(signature);
      }
    }
    if (certificate) this.keys.push(...certificate.signingKeys(crypto));
  }

  find(signature: SignaturePacket): SigningKey | undefined {
    return this.keys.find(({ packet }) =>
      signature.issuerFingerprint !== ""
        ? packet.fingerprint === signature.issuerFingerprint
        : signature.issuerKeyId !== "" && packet.fingerprint.endsWith(signature.issuerKeyId),
    );
  }
}

interface Component {
  key: KeyPacket;
  signatures: SignaturePacket[];
}

/** One primary key with its user ids and subkeys, as it stands in a keyring. */
class Certificate {
  private readonly primary: Component;
  private readonly userIds: { bytes: Uint8Array; signatures: SignaturePacket[] }[] = [];
  private readonly subkeys: Component[] = [];
  private target: SignaturePacket[];

  constructor(key: KeyPacket) {
    this.primary = { key, signatures: [] };
    this.target = this.primary.signatures;
  }

  addSubkey(key: KeyPacket | null): void {
    const signatures: SignaturePacket[] = [];
    if (key) this.subkeys.push({ key, signatures });
    this.target = signatures;
  }

  addUserId(bytes: Uint8Array): void {
    const signatures: SignaturePacket[] = [];
    this.userIds.push({ bytes, signatures });
    this.target = signatures;
  }

  addSignature(signature: SignaturePacket): void {
    this.target.push(signature);
  }

  signingKeys(crypto: SignatureCrypto): SigningKey[] {
    const { key } = this.primary;
    const keyInput = keyHashInput(key.body);
    const own = (signature: SignaturePacket, data: Uint8Array) => verifies(crypto, key.key, signature, data);
    const isRevoked = this.primary.signatures.some((s) => s.type === KEY_REVOCATION && own(s, keyInput));
    const selfSignatures = this.primary.signatures.filter((s) => s.type === DIRECT_KEY && own(s, keyInput));
    for (const userId of this.userIds) {
      const input = concatBytes([keyInput, userIdHashInput(userId.bytes)]);
      selfSignatures.push(...userId.signatures.filter((s) => s.type >= 0x10 && s.type <= 0x13 && own(s, input)));
    }
    const owner = this.userIds.length > 0 ? String.fromCharCode(...this.userIds[0].bytes) : key.fingerprint;
    const primarySelf = latest(selfSignatures);
    // Without a valid self-signature nothing is known about the key but that the host's keyring trusts it.
    const primary: SigningKey = {
      packet: key,
      owner,
      expiresSeconds: expiry(key, primarySelf),
      isRevoked,
      maySign: primarySelf === null || primarySelf.keyFlags === -1 || (primarySelf.keyFlags & FLAG_SIGN_DATA) !== 0,
    };
    const keys = [primary];
    for (const subkey of this.subkeys) {
      const input = concatBytes([keyInput, keyHashInput(subkey.key.body)]);
      const binding = latest(subkey.signatures.filter((s) => s.type === SUBKEY_BINDING && own(s, input)));
      if (binding === null) continue; // anybody can append a subkey; only the primary key's word makes it one
      keys.push({
        packet: subkey.key,
        owner,
        expiresSeconds: Math.min(expiry(subkey.key, binding), primary.expiresSeconds),
        isRevoked: isRevoked || subkey.signatures.some((s) => s.type === SUBKEY_REVOCATION && own(s, input)),
        maySign: (binding.keyFlags & FLAG_SIGN_DATA) !== 0 && binding.keyFlags !== -1,
      });
    }
    return keys;
  }
}

function userIdHashInput(bytes: Uint8Array): Uint8Array {
  const n = bytes.length;
  return concatBytes([Uint8Array.of(0xb4, (n >>> 24) & 0xff, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff), bytes]);
}

function latest(signatures: readonly SignaturePacket[]): SignaturePacket | null {
  let best: SignaturePacket | null = null;
  for (const signature of signatures)
    if (best === null || signature.createdSeconds >= best.createdSeconds) best = signature;
  return best;
}

function expiry(key: KeyPacket, self: SignaturePacket | null): number {
  const after = self?.keyExpiresAfterSeconds ?? 0;
  return after === 0 ? Number.POSITIVE_INFINITY : key.createdSeconds + after;
}

export interface VerifiedBy {
  owner: string;
  fingerprint: string;
}

/**
 * Checks the signatures over `signed` as apt does: one good signature of a usable key of the keyring is needed, signatures
 * of unknown keys are ignored, a wrong signature of a known key spoils the message. Throws ImageError otherwise.
 */
export function verifyMessage(
  signed: Uint8Array,
  signatures: Uint8Array,
  keyring: Keyring,
  crypto: SignatureCrypto,
  nowSeconds: number,
  what: string,
): VerifiedBy[] {
  const good: VerifiedBy[] = [];
  const problems: string[] = [];
  for (const packet of readPackets(signatures)) {
    if (packet.tag !== PACKET_SIGNATURE) continue;
    const signature = readSignature(packet.body);
    if (signature === null || (signature.type !== 0 && signature.type !== 1)) continue;
    const key = keyring.find(signature);
    const id = signature.issuerFingerprint || signature.issuerKeyId || "unknown";
    if (!key) {
      problems.push(`made by key ${id.slice(-16).toUpperCase()}, which is not in the keyring`);
    } else if (key.packet.key.kind === "unsupported") {
      problems.push(`made by a key of unsupported type ${key.packet.key.algorithm}`);
    } else if (signature.hash === null) {
      problems.push(`uses a hash that is no longer trusted`);
    } else if (!verifies(crypto, key.packet.key, signature, signed)) {
      throw new ImageError(`${what}: WRONG signature of ${key.owner}: the text is not what was signed`);
    } else {
      const fault = keyFault(key, signature, nowSeconds);
      if (fault === null) good.push({ owner: key.owner, fingerprint: key.packet.fingerprint });
      else problems.push(`made by ${key.owner}, ${fault}`);
    }
  }
  if (good.length === 0) {
    throw new ImageError(
      `${what}: no valid signature (${problems.length > 0 ? problems.join("; ") : "there is none"})`,
    );
  }
  return good;
}

function keyFault(key: SigningKey, signature: SignaturePacket, nowSeconds: number): string | null {
  if (key.isRevoked) return "whose key is revoked";
  if (!key.maySign) return "whose key may not sign data";
  if (key.expiresSeconds <= nowSeconds) return "whose key has expired";
  if (signature.expiresAfterSeconds !== 0 && signature.createdSeconds + signature.expiresAfterSeconds <= nowSeconds) {
    return "which has expired";
  }
  // Clocks differ; a day ahead is not forged time.
  if (signature.createdSeconds > nowSeconds + 86400) return "but dated in the future";
  return null;
}
