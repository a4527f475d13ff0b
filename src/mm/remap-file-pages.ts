// remap_file_pages as Linux emulates it since 4.0: the range becomes an ordinary mapping of another offset.
import { EINVAL } from "../abi/errno.ts";
import { MAP_FIXED, MAP_LOCKED, MAP_NONBLOCK, MAP_POPULATE, MAP_SHARED } from "../abi/mman.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { mmap } from "./mmap.ts";
import { VM_LOCKED, VM_SHARED } from "./vma.ts";

/** 0 or -errno. `pageOffset` is in pages; only shared areas, and only prot 0. */
export function remapFilePages(
  space: AddressSpace,
  address: number,
  length: number,
  prot: number,
  pageOffset: number,
  flags: number,
): number {
  if (prot !== 0) return -EINVAL;
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  const bytes = Math.floor(length / PAGE_SIZE) * PAGE_SIZE;
  if (bytes <= 0 || start < 0 || start + bytes > USER_END || pageOffset < 0) return -EINVAL;
  const area = space.areas.find(start);
  if (area === null || (area.flags & VM_SHARED) === 0) return -EINVAL;
  const endVpn = (start + bytes) / PAGE_SIZE;
  for (let last = area; last.endVpn < endVpn; ) {
    const { next } = last;
    if (next === null || next.startVpn !== last.endVpn) return -EINVAL;
    if (next.file !== area.file || next.object !== area.object || next.flags !== area.flags) return -EINVAL;
    last = next;
  }
  const { object, file } = area;
  let mapFlags = (flags & MAP_NONBLOCK) | MAP_SHARED | MAP_FIXED | MAP_POPULATE;
  if (area.flags & VM_LOCKED) mapFlags |= MAP_LOCKED;
  // The range's areas may hold the last references.
  object?.acquire();
  file?.acquire();
  const result = mmap(space, {
    address: start,
    length: bytes,
    prot: area.prot,
    flags: mapFlags,
    object,
    file,
    offset: pageOffset * PAGE_SIZE,
    maxProt: area.maxProt,
  });
  file?.release();
  object?.release();
  return Math.min(result, 0);
}
