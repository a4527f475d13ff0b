// Opens a Debian binary package (deb(5), format 2.0): its control files in memory, its data archive as a stream of chunks.
// Does not write anything and resolves nothing.

import { decodeUtf8 } from "../util/utf8.ts";
import { readAr } from "./ar.ts";
import { concatBytes } from "./bytes.ts";
import { type ControlParagraph, parseControl } from "./control.ts";
import { type Decompressors, decompress } from "./decompress.ts";
import { ImageError } from "./errors.ts";
import { type TarEntry, TarParser } from "./tar.ts";

/** Control archives hold scripts and lists; the largest in Debian are md5sums of a few MiB. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024;

export interface Deb {
  /** The fields of the `control` file. */
  readonly fields: ControlParagraph;
  /** Every control file by name: control, md5sums, conffiles, postinst, triggers, ... */
  readonly controlFiles: ReadonlyMap<string, { mode: number; bytes: Uint8Array }>;
  /** The data.tar as it is in the package: still compressed. */
  readonly data: Uint8Array;
}

/** Throws ImageError (naming `what`) if the bytes are not a package. */
export async function openDeb(bytes: Uint8Array, decompressors: Decompressors, what: string): Promise<Deb> {
  const members = readNamed(bytes, what);
  // deb(5): debian-binary first, then control.tar*, then data.tar*; members whose names begin with "_" may stand anywhere.
  if (members[0]?.name !== "debian-binary" || !decodeUtf8(members[0].data).startsWith("2.")) {
    throw new ImageError(`${what}: not a Debian package (no debian-binary 2.x member)`);
  }
  const control = members.find((member) => member.name.startsWith("control.tar"));
  const data = members.find((member) => member.name.startsWith("data.tar"));
  if (!control || !data) throw new ImageError(`${what}: not a Debian package (control.tar or data.tar is missing)`);
  const controlFiles = await readControlArchive(control.data, decompressors, what);
  const text = controlFiles.get("control");
  if (!text) throw new ImageError(`${what}: the package has no control file`);
  const fields = parseControl(decodeUtf8(text.bytes))[0];
  if (!fields?.has("Package") || !fields.has("Version")) {
    throw new ImageError(`${what}: the control file lacks Package or Version`);
  }
  return { fields, controlFiles, data: data.data };
}

function readNamed(bytes: Uint8Array, what: string) {
  try {
    return readAr(bytes);
  } catch (error) {
    if (error instanceof ImageError) throw new ImageError(`${what}: ${error.message}`);
    throw error;
  }
}

async function readControlArchive(bytes: Uint8Array, decompressors: Decompressors, what: string) {
  const files = new Map<string, { mode: number; bytes: Uint8Array }>();
  let current: TarEntry | null = null;
  let parts: Uint8Array[] = [];
  let total = 0;
  const parser = new TarParser({
    entry(entry) {
      current = entry;
      parts = [];
    },
    data(piece) {
      total += piece.length;
      if (total > MAX_CONTROL_BYTES) throw new ImageError(`${what}: control archive is too large`);
      parts.push(piece.slice());
    },
    end() {
      if (current?.type !== "file") return;
      const name = current.name.replace(/^(\.?\/)+/, "");
      // Only plain names: they become file names in the dpkg database.
      if (/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name))
        files.set(name, { mode: current.mode, bytes: concatBytes(parts) });
    },
  });
  for await (const chunk of decompress(bytes, decompressors, `${what} (control.tar)`)) parser.push(chunk);
  parser.finish();
  return files;
}
