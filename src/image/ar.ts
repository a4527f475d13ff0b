// Reads the Unix `ar` container of Debian packages (deb(5)); only the common format, no symbol tables, no GNU long names.
import { latin1 } from "./bytes.ts";
import { ImageError } from "./errors.ts";

/*
 *  "!<arch>\n"
 *  name[16] mtime[12] uid[6] gid[6] mode[8] size[10] "`\n"    60 bytes
 *  data[size], padded with "\n" to an even offset              ... repeated
 */
const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;

export interface ArMember {
  name: string;
  /** A view into the archive, not a copy. */
  data: Uint8Array;
}

/** Every member in order. Throws ImageError on anything that is not a well-formed archive. */
export function readAr(archive: Uint8Array): ArMember[] {
  if (latin1(archive, 0, Math.min(archive.length, MAGIC.length)) !== MAGIC) {
    throw new ImageError("not an ar archive: the magic bytes are missing");
  }
  const members: ArMember[] = [];
  let at = MAGIC.length;
  while (at < archive.length) {
    if (at + HEADER_BYTES > archive.length) throw new ImageError(`ar archive cut short in a header at byte ${at}`);
    const header = latin1(archive, at, at + HEADER_BYTES);
    if (header.slice(58) !== "`\n") throw new ImageError(`ar archive damaged: bad member header at byte ${at}`);
    const sizeField = header.slice(48, 58).trimEnd();
    if (!/^\d+$/.test(sizeField)) throw new ImageError(`ar archive damaged: bad member size at byte ${at}`);
    const size = Number(sizeField);
    const start = at + HEADER_BYTES;
    if (start + size > archive.length) throw new ImageError(`ar archive cut short in member at byte ${at}`);
    // GNU ar ends names with "/", dpkg-deb pads with spaces.
    const name = header.slice(0, 16).trimEnd().replace(/\/$/, "");
    members.push({ name, data: archive.subarray(start, start + size) });
    at = start + size + (size & 1);
  }
  return members;
}
