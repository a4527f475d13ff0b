// Where a task stands in the file tree (struct fs_struct): root, working directory, umask. Shared under CLONE_FS.
import type { Path } from "./path.ts";

export class FsContext {
  root: Path;
  cwd: Path;
  umask: number;
  private users = 1;

  constructor(root: Path, cwd: Path, umask = 0o022) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
  }

  clone(): FsContext {
    return new FsContext(this.root, this.cwd, this.umask);
  }

  acquire(): FsContext {
    this.users++;
    return this;
  }

  release(): void {
    this.users--;
  }

  get shared(): boolean {
    return this.users > 1;
  }
}
