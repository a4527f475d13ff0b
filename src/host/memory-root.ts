// Makes a root archive loaded into memory (image/rootfs.ts) a host folder that the kernel can mount as the guest's root:
// what a web page does with a root tarball dropped on it. Copies no file contents.
import { S_IFDIR, S_IFLNK, S_IFREG } from "../abi/stat.ts";
import type { MemoryNode, MemoryTree } from "../image/memory-tree.ts";
import { type MemoryFile, MemoryHostFiles } from "../kernel/vfs/memory-host-files.ts";

/** The tree as HostFiles. The bytes of its files are shared with `tree`, which must not be changed any more. */
export function hostFilesOf(tree: MemoryTree): MemoryHostFiles {
  const files = new MemoryHostFiles();
  // Nodes are the tree's identity of a file: two names of one node are hard links.
  const known = new Map<MemoryNode, MemoryFile>();
  setAttributes(files.tree, tree.root);
  const visit = (path: string, node: MemoryNode): void => {
    if (node.type !== "directory") return;
    for (const [name, child] of node.children) {
      const at = `${path}/${name}`;
      const same = known.get(child);
      if (same) {
        parentNames(files, path).set(name, same);
        same.nlink++;
      } else {
        known.set(child, makeFile(files, at, child));
        visit(at, child);
      }
    }
  };
  visit("", tree.root);
  return files;
}

function makeFile(files: MemoryHostFiles, path: string, node: MemoryNode): MemoryFile {
  const kind = node.type === "file" ? S_IFREG : node.type === "symlink" ? S_IFLNK : S_IFDIR;
  const file = files.add(path, kind | node.mode, node.type === "symlink" ? node.target : "");
  if (node.type === "file") {
    file.bytes = node.bytes as Uint8Array<ArrayBuffer>;
    file.sizeBytes = node.bytes.length;
  }
  setAttributes(file, node);
  return file;
}

function setAttributes(file: MemoryFile, node: MemoryNode): void {
  file.uid = node.uid;
  file.gid = node.gid;
  file.mode = (file.mode & ~0o7777) | node.mode;
  file.mtime = file.atime = file.btime = { seconds: node.mtimeSeconds, nanoseconds: 0 };
}

function parentNames(files: MemoryHostFiles, path: string): Map<string, MemoryFile> {
  let at = files.tree;
  for (const name of path.split("/")) if (name !== "") at = at.names!.get(name)!;
  return at.names!;
}
