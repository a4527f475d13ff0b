// Unpacks one package into the root and records it in the dpkg database; keeps configuration files the user changed.

import { type Deb, openDeb } from "../../../image/deb.ts";
import type { LockEntry } from "../../../image/lock-file.ts";
import { unpackTar } from "../../../image/rootfs.ts";
import { equalBytes } from "../../../util/equal-bytes.ts";
import { decodeUtf8 } from "../../../util/utf8.ts";
import { nodeDecompressors } from "../decompressors.ts";
import { InstallError } from "./install-error.ts";
import type { Session } from "./installer.ts";
import { md5 } from "./pgp-crypto.ts";

/** As dpkg names the new version of a configuration file it does not put in place. */
const ASIDE_SUFFIX = ".dpkg-dist";

/** `bytes` is the .deb, its hash checked. Returns the plain bytes written. */
export async function installPackage(entry: LockEntry, bytes: Uint8Array, session: Session): Promise<number> {
  const { tree, resolver, database, progress } = session;
  const what = `${entry.name} ${entry.version}`;
  const deb = await openDeb(bytes, nodeDecompressors, what);
  checkIdentity(deb, entry);
  const oldPaths = database.filesOf(entry.name);
  const conffiles = conffileNames(deb);
  const changed = changedConffiles(entry.name, conffiles, session);
  const unpacker = await unpackTar(
    tree,
    resolver,
    { name: what, bytes: deb.data },
    {
      decompressors: nodeDecompressors,
      redirect: (path) => (changed.has(`/${path}`) ? path + ASIDE_SUFFIX : path),
      note: (sentence) => progress.say(sentence),
    },
  );
  const hashes = new Map<string, string>();
  for (const path of conffiles) {
    const shipped = resolver.resolve(changed.has(path) ? path + ASIDE_SUFFIX : path);
    if (tree.stat(shipped)?.type === "file") hashes.set(path, md5(tree.readFile(shipped)));
  }
  settleConffiles(changed, what, session);
  database.record(deb, unpacker.paths, hashes);
  database.removeObsolete(entry.name, oldPaths, [...unpacker.paths, ...conffiles]);
  return unpacker.bytesWritten;
}

/** The hash says it is the file of the index; the control file must agree on what it is. */
function checkIdentity(deb: Deb, entry: LockEntry): void {
  const name = deb.fields.get("Package");
  const version = deb.fields.get("Version");
  const architecture = deb.fields.get("Architecture") ?? "all";
  if (name !== entry.name || version !== entry.version) {
    throw new InstallError(`${entry.poolPath} holds ${name} ${version}, not ${entry.name} ${entry.version}`, 1);
  }
  if (architecture !== "riscv64" && architecture !== "all") {
    throw new InstallError(`${entry.name} ${entry.version} is for ${architecture}, not for riscv64`, 1);
  }
}

function conffileNames(deb: Deb): Set<string> {
  const text = deb.controlFiles.get("conffiles");
  const lines = text ? decodeUtf8(text.bytes).split("\n") : [];
  // Lines with a flag ("remove-on-upgrade /path") name files that are not shipped.
  return new Set(lines.map((line) => line.trim()).filter((line) => line.startsWith("/")));
}

/** Those that are in the root and not as the installed version shipped them. */
function changedConffiles(name: string, conffiles: ReadonlySet<string>, session: Session): Set<string> {
  const { tree, resolver, database } = session;
  const shipped = database.conffilesOf(name);
  const changed = new Set<string>();
  for (const path of conffiles) {
    const real = resolver.resolve(path);
    if (tree.stat(real)?.type === "file" && md5(tree.readFile(real)) !== shipped.get(path)) changed.add(path);
  }
  return changed;
}

/** After an interrupted run the file "changed" only because it was written before the package was recorded. */
function settleConffiles(changed: ReadonlySet<string>, what: string, session: Session): void {
  const { tree, resolver, progress } = session;
  for (const path of changed) {
    const kept = resolver.resolve(path);
    const aside = resolver.resolveParent(path + ASIDE_SUFFIX);
    if (tree.stat(aside)?.type !== "file") continue;
    if (equalBytes(tree.readFile(kept), tree.readFile(aside))) tree.remove(aside);
    else progress.say(`${what}: kept your ${path}; the package's is ${path}${ASIDE_SUFFIX}`);
  }
}
