// The root of a machine in a page: the bundled one, the bundled one with a dropped program in it, or a dropped archive.
import { S_IFDIR, S_IFREG } from "../../abi/stat.ts";
import { loadRoot } from "../../image/rootfs.ts";
import type { HostFiles } from "../../kernel/vfs/host-files.ts";
import { MemoryHostFiles } from "../../kernel/vfs/memory-host-files.ts";
import type { DroppedFile } from "../../session/protocol.ts";
import { hostFilesOf } from "../memory-root.ts";
import { browserDecompressors } from "./decompressors.ts";

/** The files of guest/root as data: addresses, by path. */
const BUNDLED = import.meta.glob(["../../../guest/root/**/*", "!**/.keep"], {
  query: "?url",
  import: "default",
  eager: true,
}) as Record<string, string>;
const PREFIX = "../../../guest/root";
const FOLDERS = ["/bin", "/lib", "/etc", "/tmp"];

export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Throws ImageError when a dropped archive is damaged. */
export async function makeRoot(file: DroppedFile | null): Promise<HostFiles> {
  if (file !== null && !isElf(file.bytes)) {
    return hostFilesOf(await loadRoot([file], { decompressors: browserDecompressors }));
  }
  const files = new MemoryHostFiles();
  for (const folder of FOLDERS) files.add(folder, S_IFDIR | (folder === "/tmp" ? 0o1777 : 0o755));
  const contents = await Promise.all(
    Object.entries(BUNDLED).map(async ([path, url]) => ({
      path: path.slice(PREFIX.length),
      bytes: new Uint8Array(await (await fetch(url)).arrayBuffer()),
    })),
  );
  for (const { path, bytes } of contents) files.add(path, S_IFREG | 0o755, bytes);
  if (file !== null) files.add(`/${file.name}`, S_IFREG | 0o755, file.bytes);
  return files;
}
