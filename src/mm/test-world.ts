// What tests of mm/ need around it: RAM, a swap device, files in bytes, and mmdiff's way of printing areas. Used by tests only.
import * as E from "../abi/errno.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { type AreaFile, type FileBacking, type MmConfig, READ, type SwapDevice, WRITE } from "./contracts.ts";
import { MemoryManager } from "./memory-manager.ts";
import type { MemoryObject } from "./memory-object.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "./vma.ts";

export const P = PAGE_SIZE;
export const RW = PROT_READ | PROT_WRITE;
const ALL = 7;

export class MemorySwap implements SwapDevice {
  readonly slotCount: number;
  private readonly pages = new Map<number, Uint8Array>();
  constructor(slotCount: number) {
    this.slotCount = slotCount;
  }
  read(slot: number, into: Uint8Array): void {
    into.set(this.pages.get(slot)!);
  }
  write(slot: number, from: Uint8Array): void {
    this.pages.set(slot, from.slice());
  }
}

/** A regular file whose bytes are `bytes`, growing as needed; page i is filled with the letter 'a' + i at first (mmdiff's tf). */
export class TestFile implements AreaFile, FileBacking {
  readonly dev = 0x801;
  readonly ino: number;
  bytes: Uint8Array;
  /** Areas that hold it. */
  references = 0;
  object!: MemoryObject;

  constructor(mm: MemoryManager, sizeBytes: number, ino = 7) {
    this.ino = ino;
    this.bytes = new Uint8Array(sizeBytes);
    for (let i = 0; i < sizeBytes; i++) this.bytes[i] = 97 + (Math.floor(i / P) % 26);
    this.object = mm.createFileObject(this, sizeBytes);
  }
  name(): string {
    return "/tmp/f";
  }
  acquire(): void {
    this.references++;
  }
  release(): void {
    this.references--;
  }
  readPage(index: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(index * P, Math.min(this.bytes.length, (index + 1) * P)));
  }
  writePage(index: number, from: Uint8Array, length: number): void {
    this.bytes.set(from.subarray(0, length), index * P);
  }
  setSize(sizeBytes: number): void {
    const resized = new Uint8Array(sizeBytes);
    resized.set(this.bytes.subarray(0, sizeBytes));
    this.bytes = resized;
  }
}

/** An mm over `frames` pages of RAM with `swapSlots` of swap. */
export function makeMm(frames = 1024, swapSlots = 0, more: Partial<MmConfig> = {}): MemoryManager {
  const config: MmConfig = {
    buffer: new ArrayBuffer(frames * P),
    byteOffset: 0,
    sizeBytes: frames * P,
    swapDevice: swapSlots > 0 ? new MemorySwap(swapSlots) : null,
    tlb: {
      flushPage() {},
      flushRange() {},
      flushSpace() {},
      releaseSpace() {},
      frameChanged() {},
      debugForEach() {},
    },
    outOfMemory: () => false,
    ...more,
  };
  return new MemoryManager(config);
}

export function makeSpace(mm: MemoryManager = makeMm()): AddressSpace {
  const space = mm.createSpace();
  if (space === null) throw new Error("no frame for a page table");
  space.limits.memlock = Number.POSITIVE_INFINITY;
  space.limits.mayMapLow = true;
  space.limits.mayLock = true;
  return space;
}

/** The result as mmdiff prints it: OK or the errno's name. */
export function en(result: number): string {
  if (result >= 0) return "OK";
  for (const [name, value] of Object.entries(E)) if (value === -result && name !== "EWOULDBLOCK") return name;
  return String(result);
}

export function map(
  space: AddressSpace,
  address: number,
  length: number,
  prot: number,
  flags: number,
  file: TestFile | null = null,
  offset = 0,
  maxProt = ALL,
): number {
  return space.mmap({ address, length, prot, flags, object: file?.object ?? null, file, offset, maxProt });
}

/** Private anonymous memory anywhere, which must work. */
export function anon(space: AddressSpace, length: number, prot = RW): number {
  const at = map(space, 0, length, prot, MAP_PRIVATE | MAP_ANONYMOUS);
  if (at < 0) throw new Error(`mmap: ${en(at)}`);
  return at;
}

export function anonShared(space: AddressSpace, length: number, prot = RW): number {
  return map(space, 0, length, prot, MAP_SHARED | MAP_ANONYMOUS);
}

export function anonFixed(space: AddressSpace, address: number, length: number, prot = RW, more = 0): number {
  return map(space, address, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | more);
}

/** Fills [address, address + length) with one byte value. */
export function fill(space: AddressSpace, address: number, length: number, value: number): void {
  const bytes = new Uint8Array(length).fill(value);
  const stored = space.copyOut(address, bytes);
  if (stored !== length) throw new Error(`only ${stored} of ${length} bytes stored`);
}

/** The areas of [base, base + length) as "+page*pages:perms:offset", as mmdiff prints them. */
export function vmas(space: AddressSpace, base: number, length: number): string {
  const parts: string[] = [];
  for (const area of space.areas) {
    if (area.end <= base || area.start >= base + length) continue;
    const from = Math.max(area.start, base);
    const to = Math.min(area.end, base + length);
    const { flags } = area;
    const perms =
      (flags & VM_READ ? "r" : "-") +
      (flags & VM_WRITE ? "w" : "-") +
      (flags & VM_EXEC ? "x" : "-") +
      (flags & VM_MAYSHARE ? "s" : "p");
    const offset = area.file === null ? 0 : area.pageOffset;
    parts.push(`+${(from - base) / P}*${(to - from) / P}:${perms}:${offset}`);
  }
  return `[${parts.join(" ")}]`;
}

/** The vector of mincore, as digits, or the error. */
export function inc(space: AddressSpace, address: number, pages: number): string {
  const vector = anon(space, P);
  fill(space, vector, pages, 9);
  const result = space.mincore(address, pages * P, vector);
  let text = "";
  for (let i = 0; i < pages; i++) text += space.readU8(vector + i) & 1;
  space.munmap(vector, P);
  return result < 0 ? en(result) : text;
}

/** Pagemap bits as mmdiff prints them. */
export function pm(space: AddressSpace, address: number): string {
  const entry = new Uint32Array(2);
  space.pagemapEntry(address / P, entry);
  const bit = (n: number, letter: string): string => ((entry[1] >>> n) & 1 ? letter : "-");
  return bit(31, "P") + bit(30, "S") + bit(29, "F") + bit(24, "X");
}

/** A touch as the hart would make it: the fault's answer, or 0 when the page is there. */
export function touch(space: AddressSpace, address: number, write: boolean): number {
  const vpn = Math.floor(address / P);
  if (space.table.frameFor(vpn, write) !== 0) return 0;
  return space.handleFault(address, write ? WRITE : READ);
}
