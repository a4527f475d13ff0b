// Reads and checks ELF headers of an executable: bytes to records, Linux's errors for bad ones. Maps nothing (elf-loader.ts).

import {
  ELF_HEADER_BYTES,
  ELF_PHDR_BYTES,
  ELFCLASS64,
  EM_RISCV,
  ET_DYN,
  ET_EXEC,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
} from "../abi/elf.ts";
import { EIO, ENOEXEC } from "../abi/errno.ts";
import { BytesCursor } from "../mm/io-cursor.ts";
import type { MemoryObject } from "../mm/memory-object.ts";

/** ELF_MIN_ALIGN-independent limit of load_elf_phdrs(): all program headers in 64 KiB. */
const MAX_PHDRS = Math.floor(65536 / ELF_PHDR_BYTES);
const PATH_MAX = 4096;

export interface ProgramHeader {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

export interface ElfFile {
  type: number;
  entry: number;
  /** File offset, size and number of the program header table. */
  phoff: number;
  phnum: number;
  segments: readonly ProgramHeader[];
  /** Path of PT_INTERP as bytes, or null. */
  interpreter: Uint8Array | null;
  /** PT_GNU_STACK asks for an executable stack. */
  executableStack: boolean;
}

/** Reads up to bytes.length bytes at `offset`; the count read, or -errno. */
export function readAt(object: MemoryObject, bytes: Uint8Array, offset: number): number {
  let total = 0;
  while (total < bytes.length) {
    const count = object.read(new BytesCursor(bytes, total, bytes.length), offset + total);
    if (count < 0) return total > 0 ? total : count;
    if (count === 0) break;
    total += count;
  }
  return total;
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** The checks at the head of load_elf_binary(), and its reading of the program headers. An ElfFile or -errno. */
export function readElf(object: MemoryObject): ElfFile | number {
  const head = new Uint8Array(ELF_HEADER_BYTES);
  const got = readAt(object, head, 0);
  if (got < 0) return got;
  if (got < ELF_HEADER_BYTES || !isElf(head)) return -ENOEXEC;
  const view = new DataView(head.buffer);
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) return -ENOEXEC;
  if (view.getUint16(18, true) !== EM_RISCV || head[4] !== ELFCLASS64) return -ENOEXEC;
  const phnum = view.getUint16(56, true);
  if (view.getUint16(54, true) !== ELF_PHDR_BYTES || phnum === 0 || phnum > MAX_PHDRS) return -ENOEXEC;
  const phoff = u64(view, 32);
  const table = new Uint8Array(phnum * ELF_PHDR_BYTES);
  if (phoff > 2 ** 52 || readAt(object, table, phoff) !== table.length) return -ENOEXEC;
  const segments = readSegments(table, phnum);
  const interpreter = readInterpreter(object, segments);
  if (typeof interpreter === "number") return interpreter;
  const stack = segments.find((segment) => segment.type === PT_GNU_STACK);
  return {
    type,
    entry: u64(view, 24),
    phoff,
    phnum,
    segments,
    interpreter,
    executableStack: stack !== undefined && (stack.flags & 1) !== 0,
  };
}

function readSegments(table: Uint8Array, count: number): ProgramHeader[] {
  const view = new DataView(table.buffer);
  const segments: ProgramHeader[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * ELF_PHDR_BYTES;
    segments.push({
      type: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      offset: u64(view, at + 8),
      vaddr: u64(view, at + 16),
      filesz: u64(view, at + 32),
      memsz: u64(view, at + 40),
      align: u64(view, at + 48),
    });
  }
  return segments;
}

/** PT_INTERP: at most PATH_MAX bytes, ended by NUL. null: none. */
function readInterpreter(object: MemoryObject, segments: readonly ProgramHeader[]): Uint8Array | null | number {
  const segment = segments.find((candidate) => candidate.type === PT_INTERP);
  if (segment === undefined) return null;
  if (segment.filesz > PATH_MAX || segment.filesz < 2) return -ENOEXEC;
  const bytes = new Uint8Array(segment.filesz);
  if (segment.offset > 2 ** 52) return -EIO;
  const got = readAt(object, bytes, segment.offset);
  if (got !== bytes.length) return got < 0 ? got : -EIO;
  if (bytes[bytes.length - 1] !== 0) return -ENOEXEC;
  return bytes.subarray(0, bytes.indexOf(0));
}

export function loadSegments(elf: ElfFile): ProgramHeader[] {
  return elf.segments.filter((segment) => segment.type === PT_LOAD);
}
