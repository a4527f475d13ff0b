// Which function an address lies in: the ELF symbol tables (.symtab, else .dynsym) of mapped files, read without touching the page
// cache and kept per object. A damaged or stripped file has no symbols; nothing here throws for its contents.
import { ELF_HEADER_BYTES, ELF_PHDR_BYTES, PT_LOAD } from "../../abi/elf.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import type { MemoryManager } from "../../mm/memory-manager.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import type { Vma } from "../../mm/vma.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import { objectName, peekObject } from "./objects.ts";

export interface SymbolAt {
  /** Function, or "" when the file has no symbol there. */
  name: string;
  /** Bytes from the function's start; without a name: from the file's first mapped byte. */
  offset: number;
  /** Path of the mapped file, or the area's name. */
  file: string;
}

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
/** Larger tables are damage, or not worth the memory. */
const MOST_SYMBOL_BYTES = 256 << 20;
/** A symbol without a size claims at most this much. */
const SIZELESS_REACH = 1 << 16;

interface Segment {
  offset: number;
  address: number;
  fileBytes: number;
}

/** Functions by ascending address. */
interface SymbolTable {
  segments: Segment[];
  addresses: Float64Array;
  sizes: Float64Array;
  names: string[];
}

const NONE: SymbolTable = { segments: [], addresses: new Float64Array(0), sizes: new Float64Array(0), names: [] };

export class Symbols {
  private readonly mm: MemoryManager;
  private readonly tables = new WeakMap<MemoryObject, SymbolTable>();

  constructor(mm: MemoryManager) {
    this.mm = mm;
  }

  /** What the address is in; null outside every area. */
  at(space: AddressSpace, address: number): SymbolAt | null {
    const area = space.areas.find(address);
    if (area === null) return null;
    const file = area.object === null ? (area.label ?? "") : objectName(area.object);
    if (area.object === null) return { name: "", offset: address - area.start, file };
    const table = this.tableOf(area.object);
    const linked = linkAddress(table, area, address);
    const i = linked < 0 ? -1 : lastAtOrBelow(table.addresses, linked);
    if (i >= 0 && linked < table.addresses[i] + (table.sizes[i] || SIZELESS_REACH)) {
      return { name: table.names[i], offset: linked - table.addresses[i], file };
    }
    return { name: "", offset: linked >= 0 ? linked : address - area.start, file };
  }

  /** Addresses in the space at which functions of this name begin: one per file that defines it and has it mapped. */
  find(space: AddressSpace, name: string): number[] {
    const found: number[] = [];
    for (const area of space.areas) {
      if (area.object === null || !("backing" in area.object)) continue;
      const table = this.tableOf(area.object);
      for (let i = 0; i < table.names.length; i++) {
        if (table.names[i] !== name) continue;
        const address = mappedAddress(table, area, table.addresses[i]);
        if (address !== null && !found.includes(address)) found.push(address);
      }
    }
    return found;
  }

  private tableOf(object: MemoryObject): SymbolTable {
    let table = this.tables.get(object);
    if (table === undefined) {
      table = readSymbols(this.mm, object) ?? NONE;
      this.tables.set(object, table);
    }
    return table;
  }
}

/** The address that the linker gave to the byte at `address`, or -1. */
function linkAddress(table: SymbolTable, area: Vma, address: number): number {
  const offset = area.pageOffset * PAGE_SIZE + (address - area.start);
  for (const s of table.segments)
    if (offset >= s.offset && offset < s.offset + s.fileBytes) return offset - s.offset + s.address;
  return -1;
}

function mappedAddress(table: SymbolTable, area: Vma, linked: number): number | null {
  for (const s of table.segments) {
    if (linked < s.address || linked >= s.address + s.fileBytes) continue;
    const address = area.start + (linked - s.address + s.offset) - area.pageOffset * PAGE_SIZE;
    if (address >= area.start && address < area.end) return address;
  }
  return null;
}

function lastAtOrBelow(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function peek(mm: MemoryManager, object: MemoryObject, offset: number, length: number): DataView | null {
  if (length < 0 || length > MOST_SYMBOL_BYTES || offset + length > object.sizeBytes) return null;
  const bytes = new Uint8Array(length);
  return peekObject(mm, object, offset, bytes) === length ? new DataView(bytes.buffer) : null;
}

function readSymbols(mm: MemoryManager, object: MemoryObject): SymbolTable | null {
  const head = peek(mm, object, 0, ELF_HEADER_BYTES);
  if (head === null || head.getUint32(0, false) !== 0x7f454c46) return null;
  const phnum = head.getUint16(56, true);
  const shnum = head.getUint16(60, true);
  const headers = peek(mm, object, u64(head, 32), phnum * ELF_PHDR_BYTES);
  const sections = peek(mm, object, u64(head, 40), shnum * SECTION_BYTES);
  if (headers === null || sections === null) return null;
  const segments: Segment[] = [];
  for (let at = 0; at < phnum * ELF_PHDR_BYTES; at += ELF_PHDR_BYTES) {
    if (headers.getUint32(at, true) !== PT_LOAD) continue;
    segments.push({ offset: u64(headers, at + 8), address: u64(headers, at + 16), fileBytes: u64(headers, at + 32) });
  }
  for (const wanted of [SHT_SYMTAB, SHT_DYNSYM]) {
    for (let i = 0; i < shnum; i++) {
      if (sections.getUint32(i * SECTION_BYTES + 4, true) !== wanted) continue;
      const table = readTable(mm, object, sections, shnum, i, segments);
      if (table !== null && table.names.length > 0) return table;
    }
  }
  return { ...NONE, segments };
}

function readTable(
  mm: MemoryManager,
  object: MemoryObject,
  sections: DataView,
  shnum: number,
  section: number,
  segments: Segment[],
): SymbolTable | null {
  const at = section * SECTION_BYTES;
  const link = sections.getUint32(at + 40, true);
  if (link >= shnum) return null;
  const symbols = peek(mm, object, u64(sections, at + 24), u64(sections, at + 32));
  const texts = peek(mm, object, u64(sections, link * SECTION_BYTES + 24), u64(sections, link * SECTION_BYTES + 32));
  if (symbols === null || texts === null) return null;
  const bytes = new Uint8Array(texts.buffer);
  const rows: { address: number; size: number; name: string }[] = [];
  for (let i = 0; i + SYMBOL_BYTES <= symbols.byteLength; i += SYMBOL_BYTES) {
    const type = symbols.getUint8(i + 4) & 15;
    const address = u64(symbols, i + 8);
    if ((type !== STT_FUNC && type !== STT_GNU_IFUNC) || address === 0 || symbols.getUint16(i + 6, true) === 0)
      continue;
    const start = symbols.getUint32(i, true);
    const end = bytes.indexOf(0, start);
    if (start >= bytes.length || end <= start) continue;
    rows.push({ address, size: u64(symbols, i + 16), name: decodeUtf8(bytes, start, end) });
  }
  rows.sort((a, b) => a.address - b.address);
  return {
    segments,
    addresses: Float64Array.from(rows, (row) => row.address),
    sizes: Float64Array.from(rows, (row) => row.size),
    names: rows.map((row) => row.name),
  };
}
