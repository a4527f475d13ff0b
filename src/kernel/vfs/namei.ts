// From a path name to a place: the walk of fs/namei.c. Follows symbolic links and mounts, keeps inside the caller's root and
// the RESOLVE_* limits of openat2, and checks search permission on every directory. Creates and opens nothing (vfs.ts).
import { EACCES, EAGAIN, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from "../../abi/errno.ts";
import {
  AT_FDCWD,
  MAXSYMLINKS,
  NAME_MAX,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../abi/fcntl.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { DentryCache } from "./dentry-cache.ts";
import type { Inode } from "./inode.ts";
import type { MountTable } from "./mounts.ts";
import type { Dentry, Mount, Path } from "./path.ts";
import { MAY_EXEC, requirePermission } from "./permissions.ts";

/** What the last component of a path is. */
export const LAST_NAME = 0;
export const LAST_DOT = 1;
export const LAST_DOTDOT = 2;
/** The path was "/" (or only slashes), or it ended in a magic link: there is no last component. */
export const LAST_NONE = 3;

export interface WalkOptions {
  /** Follow a symbolic link in the last component (default true). A trailing slash follows in any case. */
  followLast?: boolean;
  /** AT_EMPTY_PATH: "" means dirfd itself. */
  emptyPath?: boolean;
  /** ENOTDIR unless the result is a directory. */
  directory?: boolean;
  /** RESOLVE_* of openat2. */
  resolve?: number;
}

const SLASH = 47;
const DOT = 46;
const MS_NOSYMFOLLOW = 256;

/** struct nameidata: one walk. `mount` and `dentry` are where it stands. */
export class PathWalk implements Path {
  mount: Mount;
  dentry: Dentry;
  /** After toParent(): the last component, not looked up yet. */
  last = "";
  lastType = LAST_NONE;
  /** A slash follows the last component: it must be (or become) a directory. */
  trailingSlash = false;
  private readonly t: Task;
  private readonly cache: DentryCache;
  private readonly mounts: MountTable;
  private readonly resolve: number;
  /** What ".." cannot leave and absolute links start from. */
  private root: Path;
  private links = 0;
  /** The text being walked, and what is left to do after links in its middle. */
  private text: string;
  private at = 0;
  private readonly rest: string[] = [];

  constructor(t: Task, cache: DentryCache, mounts: MountTable, dirfd: number, text: string, options: WalkOptions) {
    this.t = t;
    this.cache = cache;
    this.mounts = mounts;
    this.resolve = options.resolve ?? 0;
    this.text = text;
    this.root = t.fs.root;
    if (text.length === 0 && options.emptyPath !== true) throw errno(ENOENT);
    const absolute = text.charCodeAt(0) === SLASH;
    if (absolute && (this.resolve & RESOLVE_BENEATH) !== 0) throw errno(EXDEV);
    if (absolute && (this.resolve & RESOLVE_IN_ROOT) === 0) {
      this.mount = this.root.mount;
      this.dentry = this.root.dentry;
      return;
    }
    const start = startOf(t, dirfd, text);
    this.mount = start.mount;
    this.dentry = start.dentry;
    if ((this.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0)
      this.root = { mount: this.mount, dentry: this.dentry };
  }

  get inode(): Inode | null {
    return this.dentry.inode;
  }

  /** Walks all but the last component (LOOKUP_PARENT); the result is in mount, dentry, last, lastType, trailingSlash. */
  toParent(): void {
    for (;;) {
      const { text } = this;
      let at = this.at;
      while (text.charCodeAt(at) === SLASH) at++;
      if (at === text.length) {
        const next = this.rest.pop();
        if (next === undefined) {
          // "/" alone, or a link that ended here: standing on the result already.
          this.lastType = LAST_NONE;
          this.last = "";
          return;
        }
        this.text = next;
        this.at = 0;
        continue;
      }
      this.requireSearchable();
      let end = text.indexOf("/", at);
      if (end < 0) end = text.length;
      let next = end;
      while (text.charCodeAt(next) === SLASH) next++;
      this.at = next;
      const type = componentType(text, at, end);
      const isLast = next === text.length && this.rest.length === 0;
      const name = at === 0 && end === text.length ? text : text.slice(at, end);
      if (type === LAST_NAME) requireNameFits(name);
      if (isLast) {
        this.last = name;
        this.lastType = type;
        if (end < next) this.trailingSlash = true;
        return;
      }
      if (type === LAST_NAME) this.stepInto(name, true);
      else if (type === LAST_DOTDOT) this.up();
    }
  }

  /** Walks everything; `follow`: also a symbolic link at the end. The result must exist. */
  toEnd(follow: boolean): void {
    for (;;) {
      this.toParent();
      if (this.lastType === LAST_NONE || this.lastType === LAST_DOT) break;
      if (this.lastType === LAST_DOTDOT) {
        this.up();
        break;
      }
      if (!this.stepInto(this.last, follow || this.trailingSlash)) break;
    }
    if (this.dentry.inode === null) throw errno(ENOENT);
    if (this.trailingSlash && !this.dentry.inode.isDirectory) throw errno(ENOTDIR);
  }

  /**
   * Looks up the last component that toParent() left; for creating calls. Returns its dentry, perhaps negative, and stays
   * at the parent, with mounts not followed. The name is a plain one (LAST_NAME).
   */
  lookupLast(): Dentry {
    return this.cache.lookup(this.t, this.dentry, this.last);
  }

  /**
   * After toParent(), with `child` = lookupLast(): goes onto it. True when it was a symbolic link that is to be followed:
   * then the caller calls toParent() again for the link's text.
   */
  enterLast(child: Dentry, follow: boolean): boolean {
    return this.enter(child, follow);
  }

  private requireSearchable(): void {
    const inode = this.dentry.inode;
    if (inode === null) throw errno(ENOENT);
    if (!inode.isDirectory) throw errno(ENOTDIR);
    requirePermission(this.t, inode, MAY_EXEC);
  }

  /** One step down. True when a symbolic link was met and its text is to be walked next. */
  private stepInto(name: string, follow: boolean): boolean {
    if ((this.resolve & RESOLVE_CACHED) !== 0 && this.dentry.children?.get(name) === undefined) throw errno(EAGAIN);
    const child = this.cache.lookup(this.t, this.dentry, name);
    if (child.inode === null) throw errno(ENOENT);
    return this.enter(child, follow);
  }

  private enter(child: Dentry, follow: boolean): boolean {
    if (child.mountCount > 0) {
      this.dentry = child;
      this.crossMounts();
      return false;
    }
    const inode = child.inode;
    if (inode === null || !follow || !inode.isSymlink) {
      this.dentry = child;
      return false;
    }
    return this.followLink(inode);
  }

  /** Goes to what is mounted on the place where we stand (traverse_mounts). */
  private crossMounts(): void {
    while (this.dentry.mountCount > 0) {
      const covering = this.mounts.findAt(this.mount, this.dentry);
      if (covering === null) return;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) throw errno(EXDEV);
      this.mount = covering;
      this.dentry = covering.root;
    }
  }

  /** pick_link() and trailing_symlink(): arranges for the text of the link to be walked. */
  private followLink(inode: Inode): boolean {
    if (++this.links > MAXSYMLINKS) throw errno(ELOOP);
    if ((this.resolve & RESOLVE_NO_SYMLINKS) !== 0 || (this.mount.flags & MS_NOSYMFOLLOW) !== 0) throw errno(ELOOP);
    const place = inode.followLink(this.t);
    if (place !== null) {
      if ((this.resolve & RESOLVE_NO_MAGICLINKS) !== 0) throw errno(ELOOP);
      if ((this.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) throw errno(EXDEV);
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && place.mount !== this.mount) throw errno(EXDEV);
      this.mount = place.mount;
      this.dentry = place.dentry;
    }
    if (this.at < this.text.length) this.rest.push(this.text.slice(this.at));
    if (place !== null) {
      this.text = "";
      this.at = 0;
      return true;
    }
    const target = inode.readLink(this.t);
    if (target.length === 0) throw errno(ENOENT);
    this.text = target;
    this.at = 0;
    if (target.charCodeAt(0) === SLASH) {
      if ((this.resolve & RESOLVE_BENEATH) !== 0) throw errno(EXDEV);
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && this.root.mount !== this.mount) throw errno(EXDEV);
      this.mount = this.root.mount;
      this.dentry = this.root.dentry;
    }
    return true;
  }

  /** "..": follow_dotdot(). Never above the root. */
  private up(): void {
    for (;;) {
      if (this.dentry === this.root.dentry && this.mount === this.root.mount) {
        if ((this.resolve & RESOLVE_BENEATH) !== 0) throw errno(EXDEV);
        break;
      }
      if (this.dentry !== this.mount.root) {
        this.dentry = this.dentry.parent ?? this.dentry;
        break;
      }
      if (this.mount.parent === null || this.mount.mountPoint === null) break;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) throw errno(EXDEV);
      this.dentry = this.mount.mountPoint;
      this.mount = this.mount.parent;
    }
    if (this.dentry.mountCount > 0) this.crossMounts();
  }
}

/** path_init(): the directory that a relative path starts from. */
function startOf(t: Task, dirfd: number, text: string): Path {
  if (dirfd === AT_FDCWD) return t.fs.cwd;
  const file = t.files.getAny(dirfd);
  if (file.path !== null) {
    if (text.length > 0 && !file.inode.isDirectory) throw errno(ENOTDIR);
    return file.path;
  }
  // A pipe or socket has no place; only AT_EMPTY_PATH callers get here, and they use the file itself.
  throw errno(text.length > 0 ? ENOTDIR : EACCES);
}

function componentType(text: string, from: number, to: number): number {
  if (text.charCodeAt(from) !== DOT) return LAST_NAME;
  if (to - from === 1) return LAST_DOT;
  return to - from === 2 && text.charCodeAt(from + 1) === DOT ? LAST_DOTDOT : LAST_NAME;
}

/** NAME_MAX counts bytes; a UTF-16 unit is at most three. */
function requireNameFits(name: string): void {
  if (name.length * 3 > NAME_MAX && utf8Length(name) > NAME_MAX) throw errno(ENAMETOOLONG);
}

/** Bytes of a lossless string (util/utf8.ts) without encoding it. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes++;
    else if (code < 0x800) bytes += 2;
    else if (code >= 0xd800 && code < 0xdc00 && i + 1 < text.length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 4;
      i++;
    } else bytes += code >= 0xdc80 && code < 0xdd00 ? 1 : 3;
  }
  return bytes;
}
