// userfaultfd, the memory side: areas whose missing pages are provided by whoever was told of the fault (Linux mm/userfaultfd.c).
// Messages, waiting and waking are the kernel's business.
import { EEXIST, EFAULT, ENOMEM } from "../abi/errno.ts";
import { PAGE_SIZE, PTE_A, PTE_D, PTE_W } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace } from "./address-space.ts";
import { newAnonymousFrame } from "./anonymous.ts";
import { modifyArea } from "./area-edit.ts";
import { type Access, WRITE } from "./contracts.ts";
import { mapObjectPage } from "./fault.ts";
import { lockFrame } from "./mlocked.ts";
import { leafBits } from "./page-table.ts";
import { VM_LOCKED, VM_MAYSHARE, VM_UFFD, VM_UFFD_MINOR, VM_UFFD_MISSING, VM_WRITE, Vma } from "./vma.ts";

/** An open userfaultfd as areas know it. */
export interface UserfaultContext {
  /** UFFD_FEATURE_SIGBUS: the fault is an error instead of a message. */
  readonly raisesSigbus: boolean;
  /** UFFD_USER_MODE_ONLY: accesses of system calls fail. */
  readonly isUserModeOnly: boolean;
}

/** Thrown where a system call touches such a page: the call waits, and is run again. */
export class UserfaultPending {
  readonly context: UserfaultContext;
  readonly address: number;
  readonly access: Access;
  readonly isMinor: boolean;

  constructor(context: UserfaultContext, address: number, access: Access, isMinor: boolean) {
    this.context = context;
    this.address = address;
    this.access = access;
    this.isMinor = isMinor;
  }
}

/** What a fault at `vpn`, where nothing is mapped, means for an area with VM_UFFD flags: null: nothing special. */
export function userfaultAt(area: Vma, vpn: number): "missing" | "minor" | null {
  const { object } = area;
  const isAbsent = object === null || object.pages.get(area.pageIndex(vpn)) === 0;
  if (isAbsent) return area.flags & VM_UFFD_MISSING ? "missing" : null;
  return area.flags & VM_UFFD_MINOR ? "minor" : null;
}

/** Throws for the first page of a buffer that a system call would have to wait for, before it has done anything. */
export function waitForPages(space: AddressSpace, address: number, length: number, access: Access): void {
  if (!space.mm.mayWaitForUserfault || !(address >= 0) || length <= 0) return;
  const last = Math.floor((address + length - 1) / PAGE_SIZE);
  for (let vpn = Math.floor(address / PAGE_SIZE); vpn <= last; vpn++) {
    const area = space.areas.findPage(vpn);
    if (area === null) return;
    const { userfault } = area;
    if (userfault === null || space.table.read(space.table.find(vpn)) !== 0) continue;
    const kind = userfaultAt(area, vpn);
    if (kind === null || userfault.isUserModeOnly || userfault.raisesSigbus) continue;
    throw new UserfaultPending(userfault, vpn * PAGE_SIZE, access, kind === "minor");
  }
}

/** Gives the pages [firstVpn, endVpn) of an area to a context, or (null) takes them away from it. 0 or -ENOMEM. */
export function setUserfault(
  area: Vma,
  firstVpn: number,
  endVpn: number,
  flags: number,
  context: UserfaultContext | null,
): number {
  const wanted = (area.flags & ~VM_UFFD) | flags;
  const changed = modifyArea(area, firstVpn, endVpn, wanted, area.anonName, context);
  return changed instanceof Vma ? 0 : changed;
}

/** UFFDIO_COPY and (bytes null) UFFDIO_ZEROPAGE of one page. 0, -EEXIST, -EFAULT (past the end), -ENOMEM. */
export function provideMissingPage(area: Vma, vpn: number, bytes: Uint8Array | null): number {
  const { space } = area;
  const { mm, table } = space;
  if (mm.reserveFor(space, 4) !== 0) return -ENOMEM;
  if (table.isShared(vpn)) table.unshareLeaf(vpn);
  if ((area.flags & VM_MAYSHARE) !== 0 && area.object !== null) return provideSharedPage(area, vpn, bytes);
  if (table.read(table.find(vpn)) !== 0) return -EEXIST;
  if (bytes === null) {
    table.mapZero(table.ensure(vpn), leafBits(area.flags) | PTE_A);
    return 0;
  }
  const pfn = newAnonymousFrame(mm, space.table, vpn);
  mm.memory.bytes.set(bytes, pfn * PAGE_SIZE);
  mm.tlb.frameChanged(pfn);
  area.prepareAnonVma();
  const bits = leafBits(area.flags) | PTE_A | PTE_D;
  table.map(table.ensure(vpn), vpn, pfn, area.flags & VM_WRITE ? bits | PTE_W : bits);
  if (area.flags & VM_LOCKED) lockFrame(mm, pfn);
  return 0;
}

function provideSharedPage(area: Vma, vpn: number, bytes: Uint8Array | null): number {
  const { space } = area;
  const { mm } = space;
  const object = area.object!;
  const index = area.pageIndex(vpn);
  if (index * PAGE_SIZE >= object.sizeBytes) return -EFAULT;
  if (object.pages.get(index) !== 0 || space.table.read(space.table.find(vpn)) !== 0) return -EEXIST;
  const pfn = object.load(index);
  if (pfn < 0) return -ENOMEM;
  if (bytes !== null) {
    mm.memory.bytes.set(bytes, pfn * PAGE_SIZE);
    mm.tlb.frameChanged(pfn as Pfn);
  }
  object.setDirty(pfn);
  mapObjectPage(mm, space, area, object, vpn, pfn, WRITE);
  return 0;
}

/** UFFDIO_CONTINUE of one page: the page of the object, which must be there. 0, -EEXIST, -EFAULT, -ENOMEM. */
export function continueWithPage(area: Vma, vpn: number): number {
  const { space, object } = area;
  const { mm } = space;
  if (mm.reserveFor(space, 4) !== 0) return -ENOMEM;
  if (object === null) return -EFAULT;
  const index = area.pageIndex(vpn);
  if (index * PAGE_SIZE >= object.sizeBytes || object.pages.get(index) === 0) return -EFAULT;
  if (space.table.read(space.table.find(vpn)) !== 0) return -EEXIST;
  if (space.table.isShared(vpn)) space.table.unshareLeaf(vpn);
  let pfn = object.pages.get(index);
  if (pfn < 0) pfn = object.load(index);
  if (pfn < 0) return -EFAULT;
  mapObjectPage(mm, space, area, object, vpn, pfn, area.flags & VM_WRITE ? WRITE : 0);
  return 0;
}
