// Obtains the package index of a suite from a mirror and checks it: the signature of its Release text, then the hash of the
// Packages file. Says what was checked and what was not.
import { readFileSync } from "node:fs";
import { collect } from "../../../image/bytes.ts";
import { type Decompressors, decompress } from "../../../image/decompress.ts";
import { ImageError } from "../../../image/errors.ts";
import { dearmor, readClearSigned } from "../../../image/openpgp.ts";
import { PackageIndex } from "../../../image/package-index.ts";
import { parseRelease, type Release, type ReleaseFile } from "../../../image/release.ts";
import { Keyring, type VerifiedBy, verifyMessage } from "../../../image/signatures.ts";
import { decodeUtf8 } from "../../../util/utf8.ts";
import { type Downloader, MismatchError, type Wanted } from "./download.ts";
import { HttpError } from "./http.ts";
import { InstallError } from "./install-error.ts";
import { nodeSignatureCrypto } from "./pgp-crypto.ts";

const MAX_RELEASE_BYTES = 16 * 1024 * 1024;
const MAX_PACKAGES_BYTES = 1024 * 1024 * 1024;

export interface SuiteRequest {
  mirror: string;
  suite: string;
  architecture: string;
  component: string;
  /** Key files; empty: the signature cannot be checked. */
  keyrings: readonly string[];
  nowMs: number;
}

export interface Suite {
  release: Release;
  index: PackageIndex;
  /** Who signed the index; null: nobody was asked. */
  verifiedBy: VerifiedBy[] | null;
}

export async function fetchSuite(
  request: SuiteRequest,
  downloader: Downloader,
  decompressors: Decompressors,
): Promise<Suite> {
  const keyring = loadKeyrings(request.keyrings);
  const signed = await fetchRelease(request, downloader, keyring);
  const release = parseRelease(decodeUtf8(signed.text), `the Release file of ${request.suite}`);
  checkRelease(release, request);
  const index = await fetchIndex(release, request, downloader, decompressors);
  return { release, index, verifiedBy: signed.verifiedBy };
}

function loadKeyrings(paths: readonly string[]): Keyring | null {
  if (paths.length === 0) return null;
  const keyring = new Keyring();
  for (const path of paths) {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw new InstallError(`cannot read keyring ${path}: ${(error as NodeJS.ErrnoException).code}`, 2);
    }
    try {
      keyring.add(bytes, nodeSignatureCrypto);
    } catch (error) {
      if (error instanceof ImageError) throw new InstallError(`keyring ${path}: ${error.message}`, 2);
      throw error;
    }
  }
  if (keyring.keyCount === 0) throw new InstallError(`keyring ${paths.join(", ")} holds no usable key`, 2);
  return keyring;
}

interface SignedText {
  text: Uint8Array;
  verifiedBy: VerifiedBy[] | null;
}

/** InRelease (signed in place), or Release with Release.gpg beside it on archives that have only those. */
async function fetchRelease(
  request: SuiteRequest,
  downloader: Downloader,
  keyring: Keyring | null,
): Promise<SignedText> {
  const base = `${request.mirror}/dists/${request.suite}`;
  const get = async (name: string): Promise<Uint8Array | null> => {
    try {
      return await downloader.small(`${base}/${name}`, MAX_RELEASE_BYTES, `${base}/${name}`);
    } catch (error) {
      if (error instanceof HttpError && isAbsent(error)) return null;
      if (error instanceof HttpError) throw new InstallError(`${base}/${name}: the mirror answers ${error.message}`, 1);
      throw error;
    }
  };
  const now = request.nowMs / 1000;
  const inRelease = await get("InRelease");
  if (inRelease !== null) {
    const message = readClearSigned(inRelease);
    const what = `${base}/InRelease`;
    const by = keyring && verifyMessage(message.signed, message.signatures, keyring, nodeSignatureCrypto, now, what);
    return { text: message.text, verifiedBy: by };
  }
  const text = await get("Release");
  if (text === null) {
    throw new InstallError(`${request.mirror} has no suite ${request.suite}: check --mirror and --suite`, 2);
  }
  if (keyring === null) return { text, verifiedBy: null };
  const detached = await get("Release.gpg");
  if (detached === null) throw new InstallError(`suite ${request.suite} of ${request.mirror} is not signed`, 1);
  const what = `${base}/Release`;
  return { text, verifiedBy: verifyMessage(text, dearmor(detached), keyring, nodeSignatureCrypto, now, what) };
}

/** 403 is how object stores say that there is no such file. */
const isAbsent = (error: HttpError): boolean => [403, 404, 410].includes(error.statusCode);

function checkRelease(release: Release, request: SuiteRequest): void {
  const { suite } = request;
  // A correctly signed index of another suite (an old one, say) is not what was asked for.
  const names = [release.suite, release.codename, `${release.codename}-${release.suite.split("-").slice(1).join("-")}`];
  if (!names.includes(suite) && !names.includes(suite.split("/")[0])) {
    throw new InstallError(`the mirror's index of ${suite} says it is ${release.suite} (${release.codename})`, 1);
  }
  if (release.validUntil !== null && release.validUntil < request.nowMs) {
    const day = new Date(release.validUntil).toISOString().slice(0, 10);
    throw new InstallError(
      `the mirror's index of ${suite} was valid until ${day}: the mirror or the clock is stale`,
      1,
    );
  }
}

const SUFFIXES = [".xz", ".gz", ".zst", ""];

async function fetchIndex(
  release: Release,
  request: SuiteRequest,
  downloader: Downloader,
  decompressors: Decompressors,
): Promise<PackageIndex> {
  const { mirror, suite, architecture, component } = request;
  const path = `${component}/binary-${architecture}/Packages`;
  const files = SUFFIXES.map((suffix) => release.files.get(path + suffix)).filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new InstallError(
      `suite ${suite} of ${mirror} has no ${architecture} packages (${component}); name another with --suite`,
      2,
    );
  }
  const what = `the package index of ${suite}`;
  for (const wanted of places(files, release, request, what)) {
    try {
      const bytes = await downloader.read(wanted);
      const plain = await collect(decompress(bytes, decompressors, what), MAX_PACKAGES_BYTES, what);
      return new PackageIndex(plain, architecture);
    } catch (error) {
      const isElsewhere = error instanceof MismatchError || (error instanceof HttpError && isAbsent(error));
      if (error instanceof HttpError && !isElsewhere)
        throw new InstallError(`${what}: the mirror answers ${error.message}`, 1);
      if (!isElsewhere) throw error;
    }
  }
  const version = release.date === null ? "" : ` of ${new Date(release.date).toISOString().slice(0, 10)}`;
  throw new InstallError(
    `the mirror ${mirror} is in the middle of an update: its signed index${version} does not match its Packages files ` +
      `(nor does it serve them by hash); try again later, use another mirror (--mirror), or install from a lock file (--lock), which needs no index`,
    1,
  );
}

/** By hash first: such a name cannot stand for another version of the file. Then the plain names. */
function places(files: readonly ReleaseFile[], release: Release, request: SuiteRequest, what: string): Wanted[] {
  const base = `${request.mirror}/dists/${request.suite}`;
  const wanted = (file: ReleaseFile, path: string): Wanted => ({
    address: () => `${base}/${path}`,
    sha256: file.sha256,
    sizeBytes: file.sizeBytes,
    what,
    cacheName: `indexes/${file.sha256}`,
  });
  const byHash = files.map((file) =>
    wanted(file, `${file.path.slice(0, file.path.lastIndexOf("/"))}/by-hash/SHA256/${file.sha256}`),
  );
  const plain = files.map((file) => wanted(file, file.path));
  return release.byHash ? [...byHash, ...plain] : plain;
}
