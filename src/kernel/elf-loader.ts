// Maps an ELF executable and its interpreter into a new address space (fs/binfmt_elf.c): segments become areas of the file, the
// rest of the last page is zeroed, memory beyond it is anonymous. Nothing is copied but that one page.
//
//   file    |  p_offset ........ p_filesz  |
//   memory  |  vaddr ........... file end  | zeroes in the page | anonymous pages ... p_memsz |

import { ET_DYN, ET_EXEC, PF_R, PF_W, PF_X } from "../abi/elf.ts";
import { EINVAL, ELIBBAD, ENOEXEC, ENOMEM } from "../abi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import type { AreaFile } from "../mm/contracts.ts";
import type { MemoryObject } from "../mm/memory-object.ts";
import { type ElfFile, loadSegments, type ProgramHeader } from "./elf-file.ts";

/** ELF_ET_DYN_BASE: position-independent programs with an interpreter lie in the upper third. */
export const DYN_BASE = Math.floor(USER_END / 3 / PAGE_SIZE) * 2 * PAGE_SIZE;
const ALL_PROT = PROT_READ | PROT_WRITE | PROT_EXEC;
const ZEROES = new Uint8Array(PAGE_SIZE);

export interface MappableFile {
  file: AreaFile;
  object: MemoryObject;
}

export interface LoadedElf {
  /** What was added to every address of the file. */
  bias: number;
  entry: number;
  phdrAddress: number;
  codeStart: number;
  codeEnd: number;
  dataStart: number;
  dataEnd: number;
  /** End of the highest segment: where the heap begins. */
  brk: number;
  /** Start of the lowest segment. */
  base: number;
}

function pageDown(address: number): number {
  return Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
}

function protOf(flags: number): number {
  return (
    ((flags & PF_R) !== 0 ? PROT_READ : 0) |
    ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
    ((flags & PF_X) !== 0 ? PROT_EXEC : 0)
  );
}

/** Address arithmetic on hostile headers stays exact: 0 or -EINVAL. */
function checkSegment(segment: ProgramHeader): number {
  const { vaddr, filesz, memsz, offset } = segment;
  if (vaddr >= USER_END || filesz > memsz || memsz > USER_END || USER_END - memsz < vaddr) return -EINVAL;
  return offset > 2 ** 52 ? -EINVAL : 0;
}

/** total_mapping_size(): from the first segment's page to the end of the last. */
function totalSize(segments: readonly ProgramHeader[]): number {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const { vaddr, memsz } of segments) {
    low = Math.min(low, pageDown(vaddr));
    high = Math.max(high, vaddr + memsz);
  }
  return high > low ? high - low : 0;
}

/** maximum_alignment(): the largest power of two among p_align. */
function maximumAlignment(segments: readonly ProgramHeader[]): number {
  let alignment = 0;
  for (const { align } of segments) {
    if (align > alignment && align < 2 ** 31 && (align & (align - 1)) === 0) alignment = align;
  }
  return pageUp(alignment);
}

/** elf_map(): the file part of one segment. `total` > 0: reserves the whole image's range first, then cuts it back. */
function mapFilePart(
  space: AddressSpace,
  source: MappableFile,
  segment: ProgramHeader,
  address: number,
  flags: number,
  total: number,
): number {
  const into = segment.vaddr % PAGE_SIZE;
  const length = pageUp(segment.filesz + into);
  const offset = segment.offset - into;
  if (offset < 0 || offset % PAGE_SIZE !== 0) return -EINVAL;
  const request = {
    address: pageDown(address),
    length: total > 0 ? pageUp(total) : length,
    prot: protOf(segment.flags),
    maxProt: ALL_PROT,
    flags: flags | MAP_PRIVATE,
    object: source.object,
    file: source.file,
    offset,
  };
  const at = space.mmap(request);
  if (at >= 0 && total > 0 && pageUp(total) > length) space.munmap(at + length, pageUp(total) - length);
  return at;
}

function mapAnonymous(space: AddressSpace, start: number, end: number, prot: number, flags = MAP_FIXED): number {
  if (end <= start) return start;
  return space.mmap({
    address: start,
    length: end - start,
    prot,
    maxProt: ALL_PROT,
    flags: flags | MAP_PRIVATE | MAP_ANONYMOUS,
    object: null,
    file: null,
    offset: 0,
  });
}

/** elf_load(): one segment, with its zeroes. The page address where it begins, or -errno. */
function mapSegment(
  space: AddressSpace,
  source: MappableFile,
  segment: ProgramHeader,
  address: number,
  flags: number,
  total: number,
): number {
  const into = segment.vaddr % PAGE_SIZE;
  let start: number;
  let zeroFrom: number;
  if (segment.filesz === 0) {
    start = pageDown(address);
    if (total > 0) {
      // Only the range is wanted: whatever comes first decides where everything lies.
      const length = pageUp(total);
      start = mapAnonymous(space, start, start + length, PROT_READ, flags);
      if (start < 0) return start;
      space.munmap(start, length);
    }
    zeroFrom = start;
  } else {
    start = mapFilePart(space, source, segment, address, flags, total);
    if (start < 0) return start;
    const fileEnd = start + into + segment.filesz;
    zeroFrom = pageUp(fileEnd);
    if (segment.memsz > segment.filesz && (segment.flags & PF_W) !== 0 && zeroFrom > fileEnd) {
      const count = zeroFrom - fileEnd;
      if (space.copyOut(fileEnd, ZEROES, 0, count) !== count) return -ENOMEM;
    }
  }
  const end = pageUp(start + into + segment.memsz);
  // vm_brk_flags(): readable and writable whatever the segment says, executable only if it says so.
  const prot = PROT_READ | PROT_WRITE | (segment.flags & PF_X ? PROT_EXEC : 0);
  const mapped = mapAnonymous(space, zeroFrom, end, prot);
  return mapped < 0 ? mapped : start;
}

/**
 * Maps every PT_LOAD. `where`: the bias wanted for ET_DYN (0: the space chooses), `isInterpreter` as Linux treats it.
 * The space holds rubbish after an error; the caller throws it away.
 */
export function mapElf(
  space: AddressSpace,
  source: MappableFile,
  elf: ElfFile,
  where: number,
  isInterpreter: boolean,
): LoadedElf | number {
  const segments = loadSegments(elf);
  if (segments.length === 0) return isInterpreter ? -ELIBBAD : -ENOEXEC;
  for (const segment of segments) {
    const refused = checkSegment(segment);
    if (refused < 0) return refused;
  }
  const total = totalSize(segments);
  if (total === 0) return -EINVAL;
  const result = emptyResult();
  let bias = 0;
  let placed = false;
  for (const segment of segments) {
    if (segment.memsz === 0 && segment.filesz === 0) continue;
    let flags = MAP_FIXED;
    let whole = 0;
    if (!placed) {
      if (elf.type === ET_EXEC) flags = isInterpreter ? MAP_FIXED : MAP_FIXED_NOREPLACE;
      else {
        const alignment = maximumAlignment(segments);
        flags = where !== 0 ? MAP_FIXED_NOREPLACE : 0;
        whole = total;
        bias = where === 0 ? 0 : pageDown((alignment > 0 ? where - (where % alignment) : where) - segment.vaddr);
        if (bias + segment.vaddr < 0 || bias + total > USER_END) return -EINVAL;
      }
    }
    const wanted = !placed && elf.type === ET_DYN && where === 0 ? 0 : bias + segment.vaddr;
    const start = mapSegment(space, source, segment, wanted, flags, whole);
    if (start < 0) return start;
    if (!placed) {
      if (elf.type === ET_DYN) bias = start - pageDown(segment.vaddr);
      result.base = start;
      placed = true;
    }
    note(result, elf, segment, bias);
  }
  if (!placed) return -EINVAL;
  result.bias = bias;
  result.entry = elf.entry + bias;
  if (result.entry >= USER_END) return -EINVAL;
  return result;
}

function emptyResult(): LoadedElf {
  return {
    bias: 0,
    entry: 0,
    phdrAddress: 0,
    codeStart: Number.POSITIVE_INFINITY,
    codeEnd: 0,
    dataStart: 0,
    dataEnd: 0,
    brk: 0,
    base: 0,
  };
}

/** Keeps the bounds of code, data and heap, and finds the program headers in memory. */
function note(result: LoadedElf, elf: ElfFile, segment: ProgramHeader, bias: number): void {
  const start = segment.vaddr + bias;
  if (segment.offset <= elf.phoff && elf.phoff < segment.offset + segment.filesz) {
    result.phdrAddress = elf.phoff - segment.offset + start;
  }
  if ((segment.flags & PF_X) !== 0 && start < result.codeStart) result.codeStart = start;
  result.dataStart = Math.max(result.dataStart, start);
  const fileEnd = start + segment.filesz;
  if ((segment.flags & PF_X) !== 0) result.codeEnd = Math.max(result.codeEnd, fileEnd);
  result.dataEnd = Math.max(result.dataEnd, fileEnd);
  result.brk = Math.max(result.brk, start + segment.memsz);
}
