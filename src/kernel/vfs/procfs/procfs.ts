// The proc file system: its root directory with the processes, and the machine-wide tree. Not responsible for contents.
import { DT_DIR, PROC_SUPER_MAGIC } from "../../../abi/stat.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../task.ts";
import { type DirectoryEntry, FileSystem, type Inode } from "../inode.ts";
import { ProcDirectory } from "./nodes.ts";
import { ProcessDirectory } from "./process-directory.ts";
import { systemEntries } from "./system-tree.ts";

export class ProcFileSystem extends FileSystem {
  readonly type = "proc";
  readonly magic = PROC_SUPER_MAGIC;
  readonly root: ProcRoot;

  constructor(kernel: Kernel) {
    super(kernel.vfs, "proc");
    this.revalidates = true;
    this.root = new ProcRoot(this, kernel);
  }
}

class ProcRoot extends ProcDirectory {
  private readonly kernel: Kernel;
  /** Directories of living tasks, so that their inode numbers stay the same. */
  private readonly directories = new Map<number, ProcessDirectory>();

  constructor(fs: FileSystem, kernel: Kernel) {
    super(fs, systemEntries(kernel));
    this.kernel = kernel;
  }
  override lookup(t: Task, name: string): Inode | null {
    if (!/^[1-9][0-9]*$/.test(name)) return super.lookup(t, name);
    const tid = Number(name);
    const task = this.kernel.tasks.get(tid) ?? this.kernel.processes.get(tid)?.leader;
    if (task === undefined) {
      this.directories.delete(tid);
      return null;
    }
    let found = this.directories.get(tid);
    if (found === undefined || found.task !== task) {
      found = new ProcessDirectory(this.fs, task, true);
      this.directories.set(tid, found);
    }
    return found;
  }
  override mayCache(_t: Task, name: string, child: Inode | null): boolean {
    if (!/^[1-9]/.test(name)) return true;
    const tid = Number(name);
    const task = this.kernel.tasks.get(tid) ?? this.kernel.processes.get(tid)?.leader;
    return child instanceof ProcessDirectory && child.task === task;
  }
  override get cacheNegative(): boolean {
    return false;
  }
  protected override extraEntries(t: Task): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    for (const pid of this.kernel.processes.keys()) {
      const child = this.lookup(t, String(pid));
      if (child !== null) entries.push({ name: String(pid), ino: child.ino, type: DT_DIR });
    }
    return entries;
  }
}
