// The name cache (fs/dcache.c): finds, makes, moves and forgets dentries, so that a repeated lookup asks no file system. It
// holds names only; what they name belongs to the file systems.
import type { Task } from "../task.ts";
import type { Inode } from "./inode.ts";
import { Dentry } from "./path.ts";

/** Dentries kept before leaves that nobody holds are dropped. */
const DEFAULT_LIMIT = 200_000;

export class DentryCache {
  private count = 0;
  private readonly limit: number;
  private pruneAbove: number;
  /** For tests and statistics. */
  misses = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.limit = this.pruneAbove = limit;
  }

  get size(): number {
    return this.count;
  }

  /**
   * The dentry of `name` in the directory of `parent`: positive, or negative when there is no such name. The caller has
   * checked that parent is a directory and may be searched.
   */
  lookup(t: Task, parent: Dentry, name: string): Dentry {
    const dir = parent.inode as Inode;
    const cached = parent.children?.get(name);
    if (cached !== undefined && (!dir.fs.revalidates || dir.mayCache(t, name, cached.inode))) return cached;
    return this.lookupSlow(t, parent, dir, name, cached);
  }

  private lookupSlow(t: Task, parent: Dentry, dir: Inode, name: string, cached: Dentry | undefined): Dentry {
    this.misses++;
    const inode = dir.lookup(t, name);
    if (cached !== undefined) {
      if (cached.inode === inode) return cached;
      this.forget(cached);
    }
    const dentry = new Dentry(name, parent, inode);
    if (inode !== null || dir.cacheNegative) this.add(parent, dentry);
    return dentry;
  }

  private add(parent: Dentry, dentry: Dentry): void {
    parent.children ??= new Map();
    parent.children.set(dentry.name, dentry);
    if (++this.count <= this.pruneAbove) return;
    this.prune(parent);
    // What is held stays: do not search it again for every new name.
    this.pruneAbove = Math.max(this.limit, this.count * 1.5);
  }

  /** A new file got the place of a negative dentry (d_instantiate). */
  instantiate(dentry: Dentry, inode: Inode): void {
    dentry.inode = inode;
    const parent = dentry.parent as Dentry;
    if (parent.children?.get(dentry.name) !== dentry) this.add(parent, dentry);
  }

  /** The name is gone (d_delete): holders of the dentry see it as deleted. */
  removed(dentry: Dentry): void {
    dentry.deleted = true;
    this.unhash(dentry);
  }

  /** The cached answer is no longer true; the file may live on under another name. */
  forget(dentry: Dentry): void {
    if (dentry.inode !== null) dentry.deleted = true;
    this.unhash(dentry);
  }

  private unhash(dentry: Dentry): void {
    const siblings = dentry.parent?.children;
    if (siblings?.get(dentry.name) === dentry) {
      siblings.delete(dentry.name);
      this.count--;
    }
  }

  /** d_move(): `dentry` takes the name and parent of `target`, which is replaced. */
  move(dentry: Dentry, target: Dentry): void {
    this.unhash(dentry);
    this.unhash(target);
    if (target.inode !== null) target.deleted = true;
    dentry.name = target.name;
    dentry.parent = target.parent;
    this.add(dentry.parent as Dentry, dentry);
  }

  /** d_exchange(): the two swap names and parents. */
  exchange(a: Dentry, b: Dentry): void {
    this.unhash(a);
    this.unhash(b);
    const { name, parent } = a;
    a.name = b.name;
    a.parent = b.parent;
    b.name = name;
    b.parent = parent;
    this.add(a.parent as Dentry, a);
    this.add(b.parent as Dentry, b);
  }

  /** Drops leaves that nobody holds, everywhere (drop_caches 2, memory pressure). Returns how many. */
  prune(from: Dentry): number {
    let root = from;
    while (root.parent !== null) root = root.parent;
    const before = this.count;
    this.pruneBelow(root, from);
    return before - this.count;
  }

  /** True when `dentry` has no children left. `keep` and its ancestors are being walked: they stay. */
  private pruneBelow(dentry: Dentry, keep: Dentry): boolean {
    const { children } = dentry;
    if (children === null) return true;
    for (const [name, child] of children) {
      if (!this.pruneBelow(child, keep) || child.held || child.mountCount > 0 || child === keep) continue;
      children.delete(name);
      this.count--;
    }
    if (children.size > 0) return false;
    dentry.children = null;
    return true;
  }
}
