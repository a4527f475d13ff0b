// mmap: checks, placement, and the new area (Linux do_mmap, generic_get_unmapped_area_topdown, mmap_region). Descriptors, file
// modes and seals are the kernel's business: it hands in the object and what the open file permits.
import { EACCES, EAGAIN, EEXIST, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM } from "../abi/errno.ts";
import * as M from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { type AddressSpace, mayExpand } from "./address-space.ts";
import { addArea } from "./area-edit.ts";
import type { AreaFile } from "./contracts.ts";
import type { MemoryObject } from "./memory-object.ts";
import { mayLockMore, mayLockSome } from "./mlock.ts";
import { maySplitFor, pageAlign, unmapPages } from "./munmap.ts";
import { populatePages } from "./populate.ts";
import { TRACE_MAP } from "./tracer.ts";
import * as V from "./vma.ts";

export interface MmapRequest {
  /** Byte address or hint; negative: upper half. */
  address: number;
  /** Bytes; rounded up to pages. */
  length: number;
  /** PROT_* */
  prot: number;
  /** MAP_* */
  flags: number;
  /** What to map; null: anonymous memory. null and MAP_SHARED: a new ShmemObject, shown as "/dev/zero (deleted)". */
  object: MemoryObject | null;
  /** The open file behind it: named in maps, one reference per area. */
  file: AreaFile | null;
  /** Byte offset into the object; a multiple of PAGE_SIZE. */
  offset: number;
  /**
   * PROT_* that the open file permits: PROT_READ if open for reading, PROT_WRITE if open for writing (and not sealed),
   * PROT_EXEC if the mount allows it. A private area may be written whatever this says. All three for anonymous memory.
   */
  maxProt: number;
  /** A shared mapping that may never become writable because of a seal: unlike one of a file opened for reading it stays VM_SHARED. */
  isSealed?: boolean;
  /** "[stack]", "[vdso]", ... for maps. "[vdso]" and "[vvar]" areas cannot grow or merge. */
  label?: string;
}

/** The file name and identity that shared anonymous memory shows in maps. */
class SharedAnonymousFile implements AreaFile {
  readonly dev = 1;
  readonly ino: number;
  constructor(ino: number) {
    this.ino = ino;
  }
  name(): string {
    return "/dev/zero (deleted)";
  }
  acquire(): void {}
  release(): void {}
}

/** Flags known before MAP_SHARED_VALIDATE; MAP_SHARED ignores all others, SHARED_VALIDATE refuses them (LEGACY_MAP_MASK). */
const LEGACY_MAP_MASK =
  M.MAP_SHARED |
  M.MAP_PRIVATE |
  M.MAP_FIXED |
  M.MAP_ANONYMOUS |
  M.MAP_DENYWRITE |
  M.MAP_EXECUTABLE |
  M.MAP_UNINITIALIZED |
  M.MAP_GROWSDOWN |
  M.MAP_LOCKED |
  M.MAP_NORESERVE |
  M.MAP_POPULATE |
  M.MAP_NONBLOCK |
  M.MAP_STACK |
  M.MAP_HUGETLB |
  M.MAP_HUGE_SIZES;

/** Largest object offset: what fits an exact double. Linux: MAX_LFS_FILESIZE of the file system. */
const MAX_OBJECT_BYTES = Number.MAX_SAFE_INTEGER;

/** TASK_UNMAPPED_BASE: where the bottom-up search of a full address space begins. */
const BOTTOM_UP_BASE = Math.ceil(USER_END / 3 / PAGE_SIZE);

/** calc_vm_flag_bits(): the area flags that MAP_* flags ask for. */
function flagsOfMap(flags: number): number {
  let result = 0;
  if (flags & M.MAP_GROWSDOWN) result |= V.VM_GROWSDOWN;
  if (flags & M.MAP_LOCKED) result |= V.VM_LOCKED;
  if (flags & M.MAP_STACK) result |= V.VM_NOHUGEPAGE;
  return result;
}

/** The address of the new mapping, or -errno. The old state is intact on failure. */
export function mmap(space: AddressSpace, request: MmapRequest): number {
  const { object, prot, offset } = request;
  let { flags } = request;
  const isFile = object !== null || (request.file !== null && (flags & M.MAP_ANONYMOUS) === 0);
  if (offset % PAGE_SIZE !== 0 || request.length === 0) return -EINVAL;
  if (flags & M.MAP_HUGETLB) return isFile ? -EINVAL : -ENOMEM;
  if (flags & M.MAP_FIXED_NOREPLACE) flags |= M.MAP_FIXED;
  const length = pageAlign(request.length);
  if (length <= 0) return -ENOMEM;
  if (space.areas.length > space.maxMapCount) return -ENOMEM;
  let vmFlags =
    (prot & V.VM_ACCESS_FLAGS) | flagsOfMap(flags) | space.defaultFlags | V.VM_MAYREAD | V.VM_MAYWRITE | V.VM_MAYEXEC;
  const address = findUnmapped(space, request.address, length, (flags & M.MAP_FIXED) !== 0);
  if (address < 0) return address;
  const firstVpn = address / PAGE_SIZE;
  const endVpn = firstVpn + length / PAGE_SIZE;
  if (flags & M.MAP_FIXED_NOREPLACE && space.areas.findOverlap(firstVpn, endVpn) !== null) return -EEXIST;
  if (flags & M.MAP_LOCKED && !mayLockSome(space)) return -EPERM;
  if (!mayLockMore(space, vmFlags, length)) return -EAGAIN;
  const typed = isFile ? fileFlags(request, flags, vmFlags, length) : anonymousFlags(flags, vmFlags);
  if (typed < 0) return typed;
  vmFlags |= typed;
  if (vmFlags & V.VM_DROPPABLE) vmFlags &= ~V.VM_LOCKED_MASK;
  if ((vmFlags & V.VM_MAYSHARE) !== 0 && isFile && (request.maxProt & M.PROT_WRITE) === 0) {
    vmFlags &= request.isSealed === true ? ~V.VM_MAYWRITE : ~(V.VM_MAYWRITE | V.VM_SHARED);
  }
  if (isFile && (request.maxProt & M.PROT_EXEC) === 0) vmFlags &= ~V.VM_MAYEXEC;
  if (request.label === "[vdso]") vmFlags |= V.VM_DONTEXPAND;
  if (request.label === "[vvar]") {
    vmFlags = (vmFlags | V.VM_DONTEXPAND | V.VM_PFNMAP) & ~(V.VM_MAYWRITE | V.VM_MAYEXEC | V.VM_LOCKED_MASK);
  }
  if (flags & M.MAP_NORESERVE && space.mm.commit.mode !== "never") vmFlags |= V.VM_NORESERVE;
  const result = mapRegion(space, request, firstVpn, endVpn, vmFlags);
  if (result < 0) return result;
  if (vmFlags & V.VM_LOCKED || (flags & (M.MAP_POPULATE | M.MAP_NONBLOCK)) === M.MAP_POPULATE) {
    populatePages(space, firstVpn, endVpn, true);
  }
  return address;
}

/** do_mmap()'s checks of MAP_TYPE for a file: VM_SHARED | VM_MAYSHARE, 0 for a private mapping, or -errno. */
function fileFlags(request: MmapRequest, flags: number, vmFlags: number, length: number): number {
  const { prot, maxProt, offset } = request;
  if (offset < 0 || offset + length > MAX_OBJECT_BYTES) return -EOVERFLOW;
  const type = flags & M.MAP_TYPE;
  let shared = 0;
  if (type === M.MAP_SHARED || type === M.MAP_SHARED_VALIDATE) {
    const known = LEGACY_MAP_MASK | M.MAP_TYPE | M.MAP_FIXED_NOREPLACE;
    if (type === M.MAP_SHARED_VALIDATE && (flags & ~known) !== 0) return -EOPNOTSUPP;
    if (prot & M.PROT_WRITE && (maxProt & M.PROT_WRITE) === 0) return -EACCES;
    shared = V.VM_SHARED | V.VM_MAYSHARE;
  } else if (type !== M.MAP_PRIVATE) {
    return -EINVAL;
  }
  if ((maxProt & M.PROT_READ) === 0) return -EACCES;
  if (prot & M.PROT_EXEC && (maxProt & M.PROT_EXEC) === 0) return -EPERM;
  if (vmFlags & V.VM_GROWSDOWN) return -EINVAL;
  return shared;
}

function anonymousFlags(flags: number, vmFlags: number): number {
  const type = flags & M.MAP_TYPE;
  if (type === M.MAP_PRIVATE) return 0;
  if (type === M.MAP_DROPPABLE) {
    // Pages that may vanish at any time are neither locked nor promised, and no child or dump gets them.
    if (flags & M.MAP_LOCKED || vmFlags & V.VM_GROWSDOWN) return -EINVAL;
    return V.VM_DROPPABLE | V.VM_NORESERVE | V.VM_WIPEONFORK | V.VM_DONTDUMP;
  }
  if (type !== M.MAP_SHARED || vmFlags & V.VM_GROWSDOWN) return -EINVAL;
  return V.VM_SHARED | V.VM_MAYSHARE;
}

/** __get_unmapped_area(): where `length` bytes may go, as a byte address, or -errno. `hint` 0: anywhere. */
export function findUnmapped(space: AddressSpace, hint: number, length: number, fixed: boolean): number {
  if (length > USER_END) return -ENOMEM;
  const { areas, mmapMinAddress } = space;
  if (length > USER_END - mmapMinAddress) return -ENOMEM;
  const pages = length / PAGE_SIZE;
  if (fixed) {
    if (hint < 0 || hint > USER_END - length) return -ENOMEM;
    if (hint % PAGE_SIZE !== 0) return -EINVAL;
    return hint < mmapMinAddress && !space.limits.mayMapLow ? -EPERM : hint;
  }
  const lowVpn = Math.ceil(mmapMinAddress / PAGE_SIZE);
  if (hint >= PAGE_SIZE && hint <= USER_END - length) {
    const vpn = Math.max(Math.floor(hint / PAGE_SIZE), lowVpn);
    const next = areas.findPageOrAbove(vpn);
    const end = next === null ? USER_END / PAGE_SIZE : next.guardedStartVpn;
    if (vpn + pages <= end) return vpn * PAGE_SIZE;
  }
  let vpn = areas.gapTopDown(pages, lowVpn, Math.floor(space.layout.mmapBase / PAGE_SIZE));
  if (vpn < 0) vpn = areas.gapBottomUp(pages, BOTTOM_UP_BASE, USER_END / PAGE_SIZE);
  return vpn < 0 ? -ENOMEM : vpn * PAGE_SIZE;
}

/** What is mapped in a range that is about to be replaced; `first`: the lowest area there. */
function countMapped(
  first: V.Vma | null,
  firstVpn: number,
  endVpn: number,
): { readonly pages: number; readonly accounted: number } {
  if (first === null) return NOTHING;
  let pages = 0;
  let accounted = 0;
  for (let area: V.Vma | null = first; area !== null && area.startVpn < endVpn; area = area.next) {
    const count = Math.min(area.endVpn, endVpn) - Math.max(area.startVpn, firstVpn);
    pages += count;
    if (area.flags & V.VM_ACCOUNT) accounted += count;
  }
  return { pages, accounted };
}

const NOTHING = { pages: 0, accounted: 0 };

/** mmap_region(): limits, removal of what was there, the new area. 0 or -errno. */
function mapRegion(
  space: AddressSpace,
  request: MmapRequest,
  firstVpn: number,
  endVpn: number,
  vmFlags: number,
): number {
  const { commit } = space.mm;
  const pages = endVpn - firstVpn;
  const first = space.areas.findOverlap(firstVpn, endVpn);
  const replaced = countMapped(first, firstVpn, endVpn);
  if (first !== null && !maySplitFor(space, firstVpn, endVpn)) return -ENOMEM;
  if (!mayExpand(space, vmFlags, pages - replaced.pages)) return -ENOMEM;
  const accounted = (vmFlags & (V.VM_NORESERVE | V.VM_SHARED | V.VM_WRITE)) === V.VM_WRITE;
  if (accounted) {
    if (pages > replaced.accounted && !commit.allows(pages - replaced.accounted)) return -ENOMEM;
    vmFlags |= V.VM_ACCOUNT;
  }
  let { object, file } = request;
  let pageOffset = request.offset / PAGE_SIZE;
  let created: MemoryObject | null = null;
  if (object === null && vmFlags & V.VM_MAYSHARE) {
    const reserved = (vmFlags & V.VM_NORESERVE) === 0;
    if (reserved && !commit.allows(pages)) return -ENOMEM;
    const shared = space.mm.createShmemObject(pages * PAGE_SIZE, reserved ? pages : 0);
    file = new SharedAnonymousFile(shared.id);
    object = created = shared;
    pageOffset = 0;
  } else if (object === null && file === null) {
    pageOffset = firstVpn;
  }
  const failed = first === null ? 0 : unmapPages(space, firstVpn, endVpn);
  if (failed === 0) {
    if (accounted) commit.add(pages);
    const label = request.label ?? null;
    addArea(space, firstVpn, endVpn, pageOffset, { flags: vmFlags, object, file, label, anonName: null, anonVma: 0 });
    space.accountPages(vmFlags, pages);
    if (vmFlags & V.VM_LOCKED) space.lockedPages += pages;
    space.mm.tracer?.event(TRACE_MAP, space.id, firstVpn, 0, pages);
  }
  // The area holds its own reference now.
  created?.release();
  return failed;
}
