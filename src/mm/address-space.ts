// One process's address space (Linux mm_struct): its areas, page table, counters, limits and layout, and the public face of the
// operations on it. Each operation lives in a file of its own; nothing here looks into page tables.
//
// Results are numbers: >= 0 is a result, < 0 is -errno. Addresses are signed doubles of the guest's registers: anything
// negative is an address in the upper half.
import { holdsFrame, PAGE_SIZE, pteToPfn } from "../arch/sv39.ts";
import { assert } from "../util/assert.ts";
import type { Pfn } from "../util/brand.ts";
import { type AreaStatistics, areaStatistics, clearReferences, pagemapEntry } from "./accounting.ts";
import { madvise } from "./advise.ts";
import { brk } from "./brk.ts";
import type { Access, FaultResult } from "./contracts.ts";
import { handleFault } from "./fault.ts";
import { expandDown } from "./grow-stack.ts";
import type { MemoryManager } from "./memory-manager.ts";
import type { MemoryObject } from "./memory-object.ts";
import { mincore } from "./mincore.ts";
import { mlock, mlockall, munlock, munlockall } from "./mlock.ts";
import { type MmapRequest, mmap } from "./mmap.ts";
import { mprotect } from "./mprotect.ts";
import { mremap } from "./mremap.ts";
import { mseal } from "./mseal.ts";
import { msync } from "./msync.ts";
import { munmap, unmapAll } from "./munmap.ts";
import { PageTable } from "./page-table.ts";
import { remapFilePages } from "./remap-file-pages.ts";
import { setAreaName } from "./set-area-name.ts";
import * as user from "./user-access.ts";
import { VM_ACCESS_FLAGS, VM_EXEC, VM_GROWSDOWN, VM_SHARED, VM_WRITE, type Vma } from "./vma.ts";
import { VmaList } from "./vma-list.ts";

/** vm.max_map_count: areas one space may have. */
export const MAX_MAP_COUNT = 65530;

/** Bytes (Infinity: none), and the two capabilities mm asks about. The kernel keeps them up to date. */
export interface MemoryLimits {
  /** RLIMIT_AS */
  addressSpace: number;
  /** RLIMIT_DATA */
  data: number;
  /** RLIMIT_STACK */
  stack: number;
  /** RLIMIT_MEMLOCK */
  memlock: number;
  /** CAP_IPC_LOCK */
  mayLock: boolean;
  /** CAP_SYS_RAWIO: may map below mmapMinAddress */
  mayMapLow: boolean;
}

/** Resident pages by what backs them, and pages in swap (Linux mm rss_stat). Kept by whoever writes PTEs. */
export interface ResidentCounters {
  anonymous: number;
  file: number;
  shmem: number;
  swapped: number;
}

export interface SpaceLayout {
  /** Top of the top-down mmap region. */
  mmapBase: number;
  brkStart: number;
  brk: number;
  stackTop: number;
  codeStart: number;
  codeEnd: number;
  dataStart: number;
  dataEnd: number;
  argStart: number;
  argEnd: number;
  envStart: number;
  envEnd: number;
  /** The auxiliary vector as bytes, for /proc/PID/auxv. */
  auxv: Uint8Array | null;
}

export type FrameKey = { object: MemoryObject; index: number } | { space: AddressSpace; vpn: number };

const DEFAULT_MMAP_BASE = 0x3f_f7ff_f000;

export class AddressSpace {
  readonly mm: MemoryManager;
  readonly id: number;
  readonly table: PageTable;
  readonly areas = new VmaList();
  /** Users: tasks and observers. The last release() unmaps everything. */
  users = 1;
  readonly counters: ResidentCounters = { anonymous: 0, file: 0, shmem: 0, swapped: 0 };
  readonly faults = { minor: 0, major: 0, copies: 0 };
  readonly limits: MemoryLimits = {
    addressSpace: Number.POSITIVE_INFINITY,
    data: Number.POSITIVE_INFINITY,
    stack: 8 << 20,
    memlock: 8 << 20,
    mayLock: false,
    mayMapLow: false,
  };
  readonly layout: SpaceLayout = {
    mmapBase: DEFAULT_MMAP_BASE,
    brkStart: 0,
    brk: 0,
    stackTop: 0,
    codeStart: 0,
    codeEnd: 0,
    dataStart: 0,
    dataEnd: 0,
    argStart: 0,
    argEnd: 0,
    envStart: 0,
    envEnd: 0,
    auxv: null,
  };
  /** Pages mapped (VmSize), and by kind as vm_stat_account() sorts them. */
  totalPages = 0;
  peakTotalPages = 0;
  dataPages = 0;
  stackPages = 0;
  execPages = 0;
  lockedPages = 0;
  /** Of lockedPages: what mremap(MREMAP_DONTUNMAP) left in the count without an area that is locked. */
  miscountedLockedPages = 0;
  /** mlockall(MCL_FUTURE): VM_LOCKED and VM_LOCKONFAULT given to every new area (mm->def_flags). */
  defaultFlags = 0;
  /** vm.mmap_min_addr in bytes. */
  mmapMinAddress = 4096;
  /** vm.max_map_count. */
  maxMapCount: number;
  /** Some area was sealed: only then the areas are asked. */
  hasSealed = false;
  /** Some area was given to a userfaultfd. */
  hasUserfault = false;
  /** False once the space has been torn down. */
  alive = true;
  private lastAnonVma = 0;
  private residentPeak = 0;

  /** Precondition: one frame is reserved, for the root table. Made by MemoryManager.createSpace() and forkSpace(). */
  constructor(mm: MemoryManager, id: number) {
    this.mm = mm;
    this.maxMapCount = mm.maxMapCount;
    this.id = id;
    this.table = new PageTable(mm, this);
  }

  get rootPfn(): Pfn {
    return this.table.rootPfn;
  }
  get pageTableBytes(): number {
    return this.table.frameCount * PAGE_SIZE;
  }
  get residentPages(): number {
    const { anonymous, file, shmem } = this.counters;
    return anonymous + file + shmem;
  }

  acquire(): void {
    assert(this.users > 0, "the space is still in use");
    this.users++;
  }

  release(): void {
    assert(this.users > 0, "the space is still in use");
    if (--this.users > 0) return;
    unmapAll(this);
    this.alive = false;
    this.mm.teardownSpace(this);
  }

  /** What fork gives the child besides areas and pages (mm_init, dup_mmap): not mlockall's promise, not resident counters. */
  copySettingsFrom(parent: AddressSpace): void {
    Object.assign(this.layout, parent.layout);
    Object.assign(this.limits, parent.limits);
    this.mmapMinAddress = parent.mmapMinAddress;
    this.hasSealed = parent.hasSealed;
    this.maxMapCount = parent.maxMapCount;
    this.lastAnonVma = parent.lastAnonVma;
  }

  /** Grows the VM_GROWSDOWN area above `address` down to it (expand_stack); null: not possible, SEGV_MAPERR. */
  expandDown(address: number): Vma | null {
    return expandDown(this, address);
  }

  /** Identities for Vma.anonVma; compared only within this space. */
  newAnonVma(): number {
    return ++this.lastAnonVma;
  }

  /** update_hiwater_rss(): to be called before resident pages are taken away. */
  noteResidentPeak(): void {
    const now = this.residentPages;
    if (now > this.residentPeak) this.residentPeak = now;
  }

  /** The most pages that were ever resident at once (VmHWM). */
  get peakResidentPages(): number {
    this.noteResidentPeak();
    return this.residentPeak;
  }

  /** reset_mm_hiwater_rss(). */
  resetResidentPeak(): void {
    this.residentPeak = this.residentPages;
  }

  /** vm_stat_account(). `pages` may be negative. */
  accountPages(flags: number, pages: number): void {
    this.totalPages += pages;
    if (this.totalPages > this.peakTotalPages) this.peakTotalPages = this.totalPages;
    if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC) this.execPages += pages;
    else if (flags & VM_GROWSDOWN) this.stackPages += pages;
    else if ((flags & (VM_WRITE | VM_SHARED)) === VM_WRITE) this.dataPages += pages;
  }

  mmap(request: MmapRequest): number {
    return mmap(this, request);
  }
  munmap(address: number, length: number): number {
    return munmap(this, address, length);
  }
  mprotect(address: number, length: number, prot: number): number {
    return mprotect(this, address, length, prot);
  }
  mremap(address: number, oldLength: number, newLength: number, flags: number, newAddress: number): number {
    return mremap(this, address, oldLength, newLength, flags, newAddress);
  }
  /** The new break, or the old one when it could not be moved. */
  brk(address: number): number {
    return brk(this, address);
  }
  msync(address: number, length: number, flags: number): number {
    return msync(this, address, length, flags);
  }
  madvise(address: number, length: number, advice: number): number {
    return madvise(this, address, length, advice);
  }
  mincore(address: number, length: number, vector: number): number {
    return mincore(this, address, length, vector);
  }
  mlock(address: number, length: number, onFault = false): number {
    return mlock(this, address, length, onFault);
  }
  mseal(address: number, length: number, flags: number): number {
    return mseal(this, address, length, flags);
  }
  munlock(address: number, length: number): number {
    return munlock(this, address, length);
  }
  mlockall(flags: number): number {
    return mlockall(this, flags);
  }
  munlockall(): number {
    return munlockall(this);
  }
  remapFilePages(address: number, length: number, prot: number, pageOffset: number, flags: number): number {
    return remapFilePages(this, address, length, prot, pageOffset, flags);
  }
  /** prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME). `name` null: no name. */
  setAreaName(address: number, length: number, name: string | null): number {
    return setAreaName(this, address, length, name);
  }

  /** Counts minor, major and copies, and traces. */
  handleFault(address: number, access: Access): FaultResult {
    return handleFault(this.mm, this, address, access);
  }

  copyIn(address: number, into: Uint8Array, from = 0, to = into.length): number {
    return user.copyIn(this, address, into, from, to);
  }
  copyOut(address: number, source: Uint8Array, from = 0, to = source.length): number {
    return user.copyOut(this, address, source, from, to);
  }
  /** Zeroes [address, address + length) (clear_user); bytes zeroed. */
  clear(address: number, length: number): number {
    return user.clear(this, address, length);
  }
  readU8(address: number): number {
    return user.readU8(this, address);
  }
  readU16(address: number): number {
    return user.readU16(this, address);
  }
  /** As uint32; -1 on a fault. */
  readU32(address: number): number {
    return user.readU32(this, address);
  }
  /** Exact below 2^53; NaN on a fault. */
  readU64(address: number): number {
    return user.readU64(this, address);
  }
  writeU8(address: number, value: number): boolean {
    return user.writeU8(this, address, value);
  }
  writeU16(address: number, value: number): boolean {
    return user.writeU16(this, address, value);
  }
  writeU32(address: number, value: number): boolean {
    return user.writeU32(this, address, value);
  }
  /** `value` may be negative: its 64-bit two's complement is stored. */
  writeU64(address: number, value: number): boolean {
    return user.writeU64(this, address, value);
  }
  /** The bytes before the terminating zero, -EFAULT, or -ENAMETOOLONG when none of maxBytes bytes is zero. */
  readString(address: number, maxBytes: number): Uint8Array | number {
    return user.readString(this, address, maxBytes);
  }
  /** Bytes moved; writes go through read-only private pages by copying them, as ptrace does (FOLL_FORCE). */
  accessRemote(address: number, bytes: Uint8Array, write: boolean, force = true): number {
    return user.accessRemote(this, address, bytes, write, force);
  }
  /** The old value as uint32, or -1 on a fault. Stores `value` when it equals `expected` (both taken as uint32). */
  compareExchangeU32(address: number, expected: number, value: number): number {
    return user.compareExchangeU32(this, address, expected, value);
  }
  frameKey(address: number): FrameKey {
    return user.frameKey(this, address);
  }

  statistics(area: Vma): AreaStatistics {
    return areaStatistics(this, area);
  }
  /** The page is resident and no object's: anonymous, a private copy, or the zero page. */
  isPrivatePage(vpn: number): boolean {
    const word = this.table.read(this.table.find(vpn));
    return holdsFrame(word) && !this.mm.frames.isCache(pteToPfn(word));
  }
  /** /proc/PID/pagemap: out[0] low word, out[1] high word. */
  pagemapEntry(vpn: number, out: Uint32Array): void {
    pagemapEntry(this, vpn, out);
  }
  /** /proc/PID/clear_refs: kind 1..5; 0 or -EINVAL. */
  clearReferences(kind: number): number {
    return clearReferences(this, kind);
  }
}

/** may_expand_vm(): RLIMIT_AS, and RLIMIT_DATA for private writable memory that is no stack. */
export function mayExpand(space: AddressSpace, flags: number, pages: number): boolean {
  const { limits } = space;
  if ((space.totalPages + pages) * PAGE_SIZE > floorToPage(limits.addressSpace)) return false;
  if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) !== VM_WRITE) return true;
  return (space.dataPages + pages) * PAGE_SIZE <= floorToPage(limits.data);
}

function floorToPage(bytes: number): number {
  return bytes === Number.POSITIVE_INFINITY ? bytes : bytes - (bytes % PAGE_SIZE);
}

/** Any of read, write, execute is allowed (vma_is_accessible). */
export function isAccessible(flags: number): boolean {
  return (flags & VM_ACCESS_FLAGS) !== 0;
}
