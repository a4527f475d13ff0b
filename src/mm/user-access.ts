// The kernel's hands in user memory: copies, words, strings, atomic exchange and ptrace-style access, page by page straight in
// RAM (Linux copy_from_user, copy_to_user, get_user, access_process_vm). Faults are served by fault.ts.
//
//   per page:  PTE allows it? -> the frame (A and D set, as the hart's walk would)   no fault, no allocation
//              otherwise      -> handleFault(), and look again: the fault may have reclaimed anything
//
// A frame found this way is used before anything else runs, so it needs no pin. Kernel stores tell the hart (frameChanged), which
// may hold code made from the bytes.
import { EFAULT, ENAMETOOLONG } from "../abi/errno.ts";
import { holdsFrame, offsetInPage, PAGE_SIZE, PTE_A, PTE_D, pteToPfn, USER_END } from "../arch/sv39.ts";
import type { Pfn } from "../util/brand.ts";
import type { AddressSpace, FrameKey } from "./address-space.ts";
import { FAULT_MAJOR, FAULT_USERFAULT, READ, USE_ACCESSED, WRITE } from "./contracts.ts";
import { forceFault, handleFault, unsharePage } from "./fault.ts";
import { copyBytes } from "./io-cursor.ts";
import { markDirty } from "./range-operations.ts";
import { waitForPages } from "./userfault.ts";
import { VM_IO, VM_MAYREAD, VM_MAYWRITE, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from "./vma.ts";

/** The frame behind a user page after faulting it in, or 0 (no frame has number 0): the access fails. */
function faultIn(space: AddressSpace, vpn: number, write: boolean): number {
  for (;;) {
    const result = handleFault(space.mm, space, vpn * PAGE_SIZE, write ? WRITE : READ);
    if (result === FAULT_USERFAULT) waitForPages(space, vpn * PAGE_SIZE, 1, write ? WRITE : READ);
    if (result > FAULT_MAJOR) return 0;
    const pfn = space.table.frameFor(vpn, write);
    if (pfn !== 0) return pfn;
  }
}

/** Physical address of a user byte for reading, or -1. */
function readable(space: AddressSpace, address: number): number {
  if (!(address >= 0 && address < USER_END)) return -1;
  const vpn = Math.floor(address / PAGE_SIZE);
  const pfn = space.table.frameFor(vpn, false) || faultIn(space, vpn, false);
  if (pfn === 0) return -1;
  space.mm.lru.observer?.used(pfn, USE_ACCESSED);
  return pfn * PAGE_SIZE + (address - vpn * PAGE_SIZE);
}

/** Physical address of a user byte that is about to be stored to, or -1. */
function writable(space: AddressSpace, address: number): number {
  if (!(address >= 0 && address < USER_END)) return -1;
  const vpn = Math.floor(address / PAGE_SIZE);
  const pfn = space.table.frameFor(vpn, true) || faultIn(space, vpn, true);
  if (pfn === 0) return -1;
  space.mm.lru.observer?.used(pfn, USE_ACCESSED);
  space.mm.tlb.frameChanged(pfn as Pfn);
  return pfn * PAGE_SIZE + (address - vpn * PAGE_SIZE);
}

function bytesToPageEnd(address: number): number {
  return PAGE_SIZE - offsetInPage(address);
}

/** User -> into[from, to). Bytes copied; fewer: the next one faulted. */
export function copyIn(space: AddressSpace, address: number, into: Uint8Array, from: number, to: number): number {
  const { bytes } = space.mm.memory;
  let at = from;
  while (at < to) {
    const user = address + (at - from);
    const physical = readable(space, user);
    if (physical < 0) break;
    const count = Math.min(to - at, bytesToPageEnd(user));
    copyBytes(bytes, physical, into, at, count);
    at += count;
  }
  return at - from;
}

/** source[from, to) -> user. Bytes copied; fewer: the next one faulted. */
export function copyOut(space: AddressSpace, address: number, source: Uint8Array, from: number, to: number): number {
  const { bytes } = space.mm.memory;
  let at = from;
  while (at < to) {
    const user = address + (at - from);
    const physical = writable(space, user);
    if (physical < 0) break;
    const count = Math.min(to - at, bytesToPageEnd(user));
    copyBytes(source, at, bytes, physical, count);
    at += count;
  }
  return at - from;
}

/** clear_user(): zeroes; bytes zeroed. */
export function clear(space: AddressSpace, address: number, length: number): number {
  const { bytes } = space.mm.memory;
  let done = 0;
  while (done < length) {
    const physical = writable(space, address + done);
    if (physical < 0) break;
    const count = Math.min(length - done, bytesToPageEnd(address + done));
    bytes.fill(0, physical, physical + count);
    done += count;
  }
  return done;
}

export function readU8(space: AddressSpace, address: number): number {
  const physical = readable(space, address);
  return physical < 0 ? -1 : space.mm.memory.bytes[physical];
}

export function readU16(space: AddressSpace, address: number): number {
  const low = readU8(space, address);
  if (low < 0) return -1;
  const high = readU8(space, address + 1);
  return high < 0 ? -1 : low | (high << 8);
}

export function readU32(space: AddressSpace, address: number): number {
  const physical = readable(space, address);
  if (physical < 0) return -1;
  if ((physical & 3) === 0) return space.mm.memory.words[physical / 4];
  const low = readU16(space, address);
  const high = readU16(space, address + 2);
  return low < 0 || high < 0 ? -1 : high * 0x10000 + low;
}

export function readU64(space: AddressSpace, address: number): number {
  const low = readU32(space, address);
  if (low < 0) return Number.NaN;
  const high = readU32(space, address + 4);
  return high < 0 ? Number.NaN : high * 2 ** 32 + low;
}

export function writeU8(space: AddressSpace, address: number, value: number): boolean {
  const physical = writable(space, address);
  if (physical < 0) return false;
  space.mm.memory.bytes[physical] = value;
  return true;
}

const scratch = new Uint8Array(8);

/** Stores the low `count` bytes of a little-endian word pair. */
function writeBytes(space: AddressSpace, address: number, low: number, high: number, count: number): boolean {
  for (let i = 0; i < 4; i++) {
    scratch[i] = low >>> (8 * i);
    scratch[i + 4] = high >>> (8 * i);
  }
  return copyOut(space, address, scratch, 0, count) === count;
}

export function writeU16(space: AddressSpace, address: number, value: number): boolean {
  return writeBytes(space, address, value, 0, 2);
}

export function writeU32(space: AddressSpace, address: number, value: number): boolean {
  if (address % 4 !== 0) return writeBytes(space, address, value, 0, 4);
  const physical = writable(space, address);
  if (physical < 0) return false;
  space.mm.memory.words[physical / 4] = value;
  return true;
}

export function writeU64(space: AddressSpace, address: number, value: number): boolean {
  const high = Math.floor(value / 2 ** 32);
  const low = value - high * 2 ** 32;
  if (address % 8 !== 0) return writeBytes(space, address, low, high, 8);
  const physical = writable(space, address);
  if (physical < 0) return false;
  space.mm.memory.words[physical / 4] = low;
  space.mm.memory.words[physical / 4 + 1] = high;
  return true;
}

const NOTHING = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** strncpy_from_user(). */
export function readString(space: AddressSpace, address: number, maxBytes: number): Uint8Array | number {
  const { bytes } = space.mm.memory;
  let text: Uint8Array = NOTHING;
  let done = 0;
  while (done < maxBytes) {
    const physical = readable(space, address + done);
    if (physical < 0) return -EFAULT;
    const end = physical + Math.min(maxBytes - done, bytesToPageEnd(address + done));
    let at = physical;
    while (at < end && bytes[at] !== 0) at++;
    text = text.length === 0 ? bytes.slice(physical, at) : joined(text, bytes.subarray(physical, at));
    if (at < end) return text;
    done += end - physical;
  }
  return -ENAMETOOLONG;
}

/** Atomic because nothing else runs meanwhile. The word is aligned; an unaligned one answers as a fault. */
export function compareExchangeU32(space: AddressSpace, address: number, expected: number, value: number): number {
  if (address % 4 !== 0) return -1;
  const physical = writable(space, address);
  if (physical < 0) return -1;
  const { words } = space.mm.memory;
  const old = words[physical / 4];
  if (old === expected >>> 0) words[physical / 4] = value;
  return old;
}

/** Who else sees this page: futex keys match where frame keys match (get_futex_key). */
export function frameKey(space: AddressSpace, address: number): FrameKey {
  const vpn = Math.floor(address / PAGE_SIZE);
  const area = space.areas.find(address);
  if (area?.isShared && area.object !== null) return { object: area.object, index: area.pageIndex(vpn) };
  return { space, vpn };
}

/** access_remote_vm(): bytes moved. `force`: the target's own protection does not count where the area could allow it. */
export function accessRemote(
  space: AddressSpace,
  address: number,
  buffer: Uint8Array,
  write: boolean,
  force: boolean,
): number {
  const { bytes } = space.mm.memory;
  let done = 0;
  while (done < buffer.length) {
    const user = address + done;
    if (!(user >= 0 && user < USER_END)) break;
    const pfn = remoteFrame(space, user, write, force);
    if (pfn === 0) break;
    space.mm.lru.observer?.used(pfn, USE_ACCESSED);
    const count = Math.min(buffer.length - done, bytesToPageEnd(user));
    const physical = pfn * PAGE_SIZE + offsetInPage(user);
    if (write) {
      markDirty(space.mm, pfn);
      space.mm.tlb.frameChanged(pfn as Pfn);
      copyBytes(buffer, done, bytes, physical, count);
    } else {
      copyBytes(bytes, physical, buffer, done, count);
    }
    done += count;
  }
  return done;
}

/**
 * get_user_pages_remote() for one page: its frame, or 0. The checks are check_vma_flags(). Without force it is
 * pin_user_pages_remote(): a page shared copy-on-write is not pinned for reading, the space gets its own copy first.
 */
function remoteFrame(space: AddressSpace, address: number, write: boolean, force: boolean): number {
  // A stack grows for a debugger, not for process_vm_readv.
  const area = space.areas.find(address) ?? (force ? space.expandDown(address) : null);
  if (area === null) return 0;
  const vpn = Math.floor(address / PAGE_SIZE);
  const { flags } = area;
  if (flags & (VM_IO | VM_PFNMAP)) return 0;
  if (flags & (write ? VM_WRITE : VM_READ)) {
    if (!force && !write) unsharePage(space, vpn);
    return space.table.frameFor(vpn, write) || faultIn(space, vpn, write);
  }
  if (!force) return 0;
  if (write ? (flags & (VM_SHARED | VM_MAYWRITE)) !== VM_MAYWRITE : (flags & VM_MAYREAD) === 0) return 0;
  if (forceFault(space.mm, space, vpn * PAGE_SIZE, write ? WRITE : READ) > FAULT_MAJOR) return 0;
  const at = space.table.find(vpn);
  const pte = space.table.read(at);
  if (!holdsFrame(pte)) return 0;
  space.table.setBits(at, write ? PTE_A | PTE_D : PTE_A);
  return pteToPfn(pte);
}
