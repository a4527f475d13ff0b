// The area record (Linux struct vm_area_struct), its VM_ flags and the rules by which two areas may become one. It knows no
// list and no page table.
//
// Areas are kept in pages (startVpn, endVpn: small integers); `start` and `end` give the same in bytes.
//
//   maps shows   r w x        from VM_READ VM_WRITE VM_EXEC
//                s / p        from VM_MAYSHARE (MAP_SHARED; VM_SHARED is clear when the file was opened read-only)
//   copy-on-write area        !(flags & VM_MAYSHARE)
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import type { AreaFile } from "./contracts.ts";
import type { MemoryObject } from "./memory-object.ts";
import type { UserfaultContext } from "./userfault.ts";

// Bit values of include/linux/mm.h, so that VM_READ..VM_EXEC equal PROT_READ..PROT_EXEC and VM_MAY* is VM_* << 4.
export const VM_NONE = 0;
export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
export const VM_UFFD_MISSING = 0x200;
export const VM_PFNMAP = 0x400;
/** Bit 38 in Linux. */
export const VM_UFFD_MINOR = 0x800;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000;
export const VM_RAND_READ = 0x10000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_LOCKONFAULT = 0x80000;
export const VM_ACCOUNT = 0x100000;
export const VM_NORESERVE = 0x200000;
/** Bits 22 and 23 mean HUGETLB and SYNC in Linux, which are not here; its own for these two lie above 32. */
export const VM_DROPPABLE = 0x400000;
export const VM_SEALED = 0x800000;
export const VM_WIPEONFORK = 0x2000000;
export const VM_DONTDUMP = 0x4000000;
export const VM_HUGEPAGE = 0x20000000;
export const VM_NOHUGEPAGE = 0x40000000;
export const VM_MERGEABLE = 0x80000000 | 0;

export const VM_UFFD = VM_UFFD_MISSING | VM_UFFD_MINOR;
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;
export const VM_LOCKED_MASK = VM_LOCKED | VM_LOCKONFAULT;
/** Areas that never merge, are never locked and never grow. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP;

/** The gap kept below a VM_GROWSDOWN area (stack_guard_gap): 256 pages. */
export const STACK_GUARD_GAP_PAGES = 256;

/** smaps' two-letter names in the order Linux prints them (show_smap_vma_flags: by bit). */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [VM_READ, "rd"],
  [VM_WRITE, "wr"],
  [VM_EXEC, "ex"],
  [VM_SHARED, "sh"],
  [VM_MAYREAD, "mr"],
  [VM_MAYWRITE, "mw"],
  [VM_MAYEXEC, "me"],
  [VM_MAYSHARE, "ms"],
  [VM_GROWSDOWN, "gd"],
  [VM_UFFD_MISSING, "um"],
  [VM_PFNMAP, "pf"],
  [VM_LOCKED, "lo"],
  [VM_IO, "io"],
  [VM_SEQ_READ, "sr"],
  [VM_RAND_READ, "rr"],
  [VM_DONTCOPY, "dc"],
  [VM_DONTEXPAND, "de"],
  [VM_LOCKONFAULT, "lf"],
  [VM_ACCOUNT, "ac"],
  [VM_NORESERVE, "nr"],
  [VM_WIPEONFORK, "wf"],
  [VM_DONTDUMP, "dd"],
  [VM_HUGEPAGE, "hg"],
  [VM_NOHUGEPAGE, "nh"],
  [VM_MERGEABLE, "mg"],
  [VM_UFFD_MINOR, "ui"],
  [VM_DROPPABLE, "dp"],
  [VM_SEALED, "sl"],
];

/** The VmFlags words of smaps. */
export function vmFlagNames(flags: number): string[] {
  const names: string[] = [];
  for (const [bit, name] of FLAG_NAMES) if (flags & bit) names.push(name);
  return names;
}

export class Vma {
  /** First page and the page after the last. Changed only by VmaList.setRange(). */
  startVpn: number;
  endVpn: number;
  /** VM_* as one int32. */
  flags: number;
  /** What the pages come from; null: private anonymous memory. */
  object: MemoryObject | null;
  /** The open file, for names and lifetime; null for anonymous memory, also shared. */
  file: AreaFile | null;
  /**
   * Page of `object` at startVpn. For private anonymous areas the page number they were created at (Linux vm_pgoff): it
   * only decides whether two areas may merge.
   */
  pageOffset: number;
  readonly space: AddressSpace;
  /** "[stack]", "[vdso]", ... or null. */
  label: string | null;
  /** PR_SET_VMA_ANON_NAME, or null. Areas with different names never merge. */
  anonName: string | null = null;
  /**
   * Identity of the area's private pages (Linux anon_vma); 0 until the first private page appears, see prepareAnonVma().
   * Areas with different identities never merge.
   */
  anonVma = 0;
  /** anon_vma_chain has exactly one link: true unless the area came through a fork with private pages. */
  anonVmaSole = true;
  /** Who is told of missing pages (vm_userfaultfd_ctx). */
  userfault: UserfaultContext | null = null;
  /** Neighbours in address order, kept by VmaList. */
  next: Vma | null = null;
  prev: Vma | null = null;
  /** False once it was unmapped or merged away. */
  attached = false;

  constructor(
    space: AddressSpace,
    startVpn: number,
    endVpn: number,
    flags: number,
    object: MemoryObject | null,
    file: AreaFile | null,
    pageOffset: number,
    label: string | null,
  ) {
    this.space = space;
    this.startVpn = startVpn;
    this.endVpn = endVpn;
    this.flags = flags;
    this.object = object;
    this.file = file;
    this.pageOffset = pageOffset;
    this.label = label;
  }

  /** Bytes. */
  get start(): number {
    return this.startVpn * PAGE_SIZE;
  }
  get end(): number {
    return this.endVpn * PAGE_SIZE;
  }
  get pageCount(): number {
    return this.endVpn - this.startVpn;
  }
  /** PROT_READ | PROT_WRITE | PROT_EXEC as now in force. */
  get prot(): number {
    return this.flags & VM_ACCESS_FLAGS;
  }
  /** What mprotect may still grant. */
  get maxProt(): number {
    return (this.flags >> 4) & VM_ACCESS_FLAGS;
  }
  /** Made by the kernel for the vDSO (special_mapping_vmops): never split. */
  get isSpecialMapping(): boolean {
    return this.label === "[vdso]" || this.label === "[vvar]";
  }
  /** MAP_SHARED: stores reach the object, never copy-on-write. */
  get isShared(): boolean {
    return (this.flags & VM_MAYSHARE) !== 0;
  }
  /** Private memory without an object (vma_is_anonymous). */
  get isAnonymous(): boolean {
    return this.object === null;
  }
  /** Page of the object (or the merge position) that `vpn` shows. */
  pageIndex(vpn: number): number {
    return this.pageOffset + (vpn - this.startVpn);
  }
  /** Where the space kept free below the area begins (vm_start_gap). */
  get guardedStartVpn(): number {
    if ((this.flags & VM_GROWSDOWN) === 0) return this.startVpn;
    return this.startVpn > STACK_GUARD_GAP_PAGES ? this.startVpn - STACK_GUARD_GAP_PAGES : 0;
  }
  /**
   * anon_vma_prepare(): to be called before the first private page enters the area. Reuses a neighbour's identity where the
   * two could become one area later, so that mprotect back and forth merges again.
   */
  prepareAnonVma(): void {
    if (this.anonVma !== 0) return;
    const { next, prev } = this;
    this.anonVmaSole = true;
    if (next !== null && next.anonVma !== 0 && next.anonVmaSole && identityMayBeShared(this, next)) {
      this.anonVma = next.anonVma;
    } else if (prev !== null && prev.anonVma !== 0 && prev.anonVmaSole && identityMayBeShared(prev, this)) {
      this.anonVma = prev.anonVma;
    } else {
      this.anonVma = this.space.newAnonVma();
    }
  }

  /** vm_area_dup() and anon_vma_fork(): the area as a forked child has it, linked to object and file, not yet in a list. */
  copyFor(child: AddressSpace): Vma {
    const flags = this.flags & ~(VM_LOCKED_MASK | VM_UFFD);
    const copy = new Vma(child, this.startVpn, this.endVpn, flags, this.object, this.file, this.pageOffset, this.label);
    copy.anonName = this.anonName;
    if (this.anonVma !== 0 && (flags & VM_WIPEONFORK) === 0) {
      copy.anonVma = child.newAnonVma();
      copy.anonVmaSole = false;
    }
    linkArea(copy);
    return copy;
  }
}

/** Enters an area into its object's books and takes the references it owns. To be called when it joins a list. */
export function linkArea(area: Vma): void {
  const { object } = area;
  if (object !== null) {
    object.acquire();
    object.mappers.add(area);
    if ((area.flags & (VM_SHARED | VM_MAYWRITE)) === (VM_SHARED | VM_MAYWRITE)) object.writableMappings++;
  }
  if (area.file !== null) area.file.acquire();
}

/** The reverse of linkArea(); may destroy the object. The area's pages must be gone. */
export function unlinkArea(area: Vma): void {
  const { object, file } = area;
  if (object !== null) {
    object.mappers.delete(area);
    if ((area.flags & (VM_SHARED | VM_MAYWRITE)) === (VM_SHARED | VM_MAYWRITE)) object.writableMappings--;
  }
  if (file !== null) file.release();
  if (object !== null) object.release();
}

/** What a new or changed range would look like; compared against its neighbours. */
export interface AreaShape {
  flags: number;
  object: MemoryObject | null;
  file: AreaFile | null;
  label: string | null;
  anonName: string | null;
  anonVma: number;
  userfault?: UserfaultContext | null;
}

/** is_mergeable_vma(): everything but position and private pages agrees. */
function sameKind(shape: AreaShape, area: Vma): boolean {
  return (
    area.flags === shape.flags &&
    area.file === shape.file &&
    area.object === shape.object &&
    area.anonName === shape.anonName &&
    area.label === shape.label &&
    area.userfault === (shape.userfault ?? null)
  );
}

/**
 * is_mergeable_anon_vma() of Linux 6.12: a range that already owns private pages does not merge into a neighbour that has
 * none yet (its chain is empty), which is why a written page and its untouched neighbour stay apart after mprotect.
 */
function anonVmaMerges(anonVma: number, neighbour: Vma): boolean {
  if (anonVma === neighbour.anonVma) return true;
  return anonVma === 0 && neighbour.anonVmaSole;
}

/** can_vma_merge_after(): may a range that starts at `startVpn` with `pageOffset` be appended to `prev`? */
export function mergesAfter(prev: Vma | null, startVpn: number, pageOffset: number, shape: AreaShape): boolean {
  return (
    prev !== null &&
    prev.endVpn === startVpn &&
    sameKind(shape, prev) &&
    anonVmaMerges(shape.anonVma, prev) &&
    prev.pageOffset + prev.pageCount === pageOffset
  );
}

/** can_vma_merge_before(): may a range that ends at `endVpn`, where `pageOffsetAtEnd` follows, be put in front of `next`? */
export function mergesBefore(next: Vma | null, endVpn: number, pageOffsetAtEnd: number, shape: AreaShape): boolean {
  return (
    next !== null &&
    next.startVpn === endVpn &&
    sameKind(shape, next) &&
    anonVmaMerges(shape.anonVma, next) &&
    next.pageOffset === pageOffsetAtEnd
  );
}

/** The private pages of two neighbours may live in one area. */
export function anonVmasAgree(a: Vma, b: Vma): boolean {
  return a.anonVma === 0 || b.anonVma === 0 || a.anonVma === b.anonVma;
}

/** anon_vma_compatible(): `b` follows `a` and only protection differs. */
function identityMayBeShared(a: Vma, b: Vma): boolean {
  return (
    a.endVpn === b.startVpn &&
    a.file === b.file &&
    a.object === b.object &&
    ((a.flags ^ b.flags) & ~VM_ACCESS_FLAGS) === 0 &&
    b.pageOffset === a.pageOffset + a.pageCount
  );
}
