// Turns a root archive or packages (bytes, compressed or not) into a tree of files; runs in a browser as well as in Node.
// Downloads nothing and checks no signatures.
import { readAr } from "./ar.ts";
import { latin1 } from "./bytes.ts";
import { type Decompressors, decompress } from "./decompress.ts";
import { ImageError } from "./errors.ts";
import { MemoryTree } from "./memory-tree.ts";
import { PathResolver, type RootTree } from "./root-tree.ts";
import { TarParser } from "./tar.ts";
import { Unpacker } from "./unpack.ts";

export interface LoadOptions {
  decompressors: Decompressors;
  /** Called now and then with plain bytes written so far. */
  progress?: (bytesWritten: number) => void;
  /** What was left out or kept (device nodes, directories in the place of links). */
  note?: (sentence: string) => void;
}

export interface RootArchive {
  /** For messages: the file's name. */
  name: string;
  /** A tar (plain, gzip, xz, zstd) or a .deb. */
  bytes: Uint8Array;
}

/** A new tree in memory with the contents of all archives, later ones over earlier ones. Throws ImageError. */
export async function loadRoot(archives: readonly RootArchive[], options: LoadOptions): Promise<MemoryTree> {
  const tree = new MemoryTree();
  const resolver = new PathResolver(tree);
  for (const archive of archives) await unpackInto(tree, resolver, archive, options);
  return tree;
}

/** Unpacks one archive into any tree. */
export async function unpackInto(
  tree: RootTree,
  resolver: PathResolver,
  archive: RootArchive,
  options: LoadOptions,
): Promise<Unpacker> {
  return unpackTar(tree, resolver, { name: archive.name, bytes: tarOf(archive) }, options);
}

const isDeb = (bytes: Uint8Array): boolean => latin1(bytes, 0, Math.min(8, bytes.length)) === "!<arch>\n";

function tarOf(archive: RootArchive): Uint8Array {
  if (!isDeb(archive.bytes)) return archive.bytes;
  const data = readAr(archive.bytes).find((member) => member.name.startsWith("data.tar"));
  return data?.data ?? new Uint8Array(1024); // an empty archive: two zero blocks
}

/** As unpackInto, for a tar only; package installation adds where changed configuration files go instead. */
export async function unpackTar(
  tree: RootTree,
  resolver: PathResolver,
  archive: RootArchive,
  options: LoadOptions & { redirect?: (path: string) => string | null },
): Promise<Unpacker> {
  const unpacker = new Unpacker(tree, resolver, {
    what: archive.name,
    ...(options.redirect && { redirect: options.redirect }),
    ...(options.note && { note: options.note }),
  });
  const parser = new TarParser(unpacker);
  try {
    for await (const chunk of decompress(archive.bytes, options.decompressors, archive.name)) {
      parser.push(chunk);
      options.progress?.(unpacker.bytesWritten);
    }
    parser.finish();
    unpacker.finish();
  } catch (error) {
    unpacker.abort();
    if (error instanceof ImageError && !error.message.startsWith(archive.name)) {
      throw new ImageError(`${archive.name}: ${error.message}`);
    }
    throw error;
  }
  return unpacker;
}
