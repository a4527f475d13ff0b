// prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME): names anonymous areas (Linux madvise_set_anon_name).
import { EAGAIN, EBADF, EINVAL, ENOMEM } from "../abi/errno.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "./address-space.ts";
import { modifyArea } from "./area-edit.ts";
import { pageAlign } from "./munmap.ts";
import { VM_MAYSHARE, Vma } from "./vma.ts";

/** ANON_VMA_NAME_MAX_LEN, with the terminating zero. */
const MAX_NAME_BYTES = 80;

/** is_valid_name_char(): printable ASCII except what maps and shells give meaning to. */
function isValidName(name: string): boolean {
  return name.length < MAX_NAME_BYTES && /^[ -~]*$/.test(name) && !/[\\`$[\]]/.test(name);
}

/** 0, -EINVAL (unaligned, bad name), -EBADF (a file is mapped there), -ENOMEM (hole; the rest is named), -EAGAIN. */
export function setAreaName(space: AddressSpace, address: number, length: number, name: string | null): number {
  if (name !== null && !isValidName(name)) return -EINVAL;
  if (address % PAGE_SIZE !== 0 || (length < 0 && length > -PAGE_SIZE)) return -EINVAL;
  if (length === 0) return 0;
  if (address < 0 || length < 0 || address + length > USER_END) return -ENOMEM;
  let at = address / PAGE_SIZE;
  const endVpn = at + pageAlign(length) / PAGE_SIZE;
  let result = 0;
  while (at < endVpn) {
    const area = space.areas.findPageOrAbove(at);
    if (area === null) return -ENOMEM;
    if (at < area.startVpn) {
      result = -ENOMEM;
      at = area.startVpn;
      if (at >= endVpn) break;
    }
    if (area.object !== null ? !isAnonymousShared(area) : area.file !== null) return -EBADF;
    const to = Math.min(area.endVpn, endVpn);
    if (area.anonName !== name && !(modifyArea(area, at, to, area.flags, name) instanceof Vma)) return -EAGAIN;
    at = to;
  }
  return result;
}

function isAnonymousShared(area: Vma): boolean {
  return (area.flags & VM_MAYSHARE) !== 0 && area.file !== null && area.file.name() === "/dev/zero (deleted)";
}
