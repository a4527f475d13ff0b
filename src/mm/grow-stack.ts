// Growth of VM_GROWSDOWN areas on a touch below them (Linux expand_stack, expand_downwards, acct_stack_growth).
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import { type AddressSpace, isAccessible, mayExpand } from "./address-space.ts";
import { mayLockMore } from "./mlock.ts";
import { STACK_GUARD_GAP_PAGES, VM_GROWSDOWN, VM_LOCKED, type Vma } from "./vma.ts";

/** The area, grown so that it holds `address`; null when there is none above, or a limit or neighbour forbids it. */
export function expandDown(space: AddressSpace, address: number): Vma | null {
  if (!(address >= space.mmapMinAddress && address < USER_END)) return null;
  const vpn = Math.floor(address / PAGE_SIZE);
  const area = space.areas.findPageOrAbove(vpn);
  if (area === null || (area.flags & VM_GROWSDOWN) === 0) return null;
  if (area.startVpn <= vpn) return area;
  const { prev } = area;
  const needsGap = prev !== null && (prev.flags & VM_GROWSDOWN) === 0 && isAccessible(prev.flags);
  if (needsGap && vpn - prev.endVpn < STACK_GUARD_GAP_PAGES) return null;
  const pages = area.startVpn - vpn;
  if (area.object === null && pages > area.pageOffset) return null;
  if (!mayExpand(space, area.flags, pages)) return null;
  if ((area.endVpn - vpn) * PAGE_SIZE > space.limits.stack) return null;
  if (!mayLockMore(space, area.flags, pages * PAGE_SIZE)) return null;
  if (space.mm.commit.charge(pages) < 0) return null;
  area.prepareAnonVma();
  area.pageOffset -= pages;
  space.areas.setRange(area, vpn, area.endVpn);
  space.accountPages(area.flags, pages);
  if (area.flags & VM_LOCKED) space.lockedPages += pages;
  return area;
}
