// The hart's TLB as data: what it holds of an address space. Reads, changes nothing.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { AddressSpace } from "../../mm/address-space.ts";

export interface TlbEntry {
  address: number;
  pfn: number;
  access: "read" | "write" | "execute";
}

const ACCESS = ["read", "write", "execute"] as const;

/** Valid entries of the space's bank; none when it has no bank (it did not run lately). */
export function tlbEntries(space: AddressSpace): TlbEntry[] {
  const entries: TlbEntry[] = [];
  space.mm.tlb.debugForEach(space, (vpn, pfn, access) => {
    entries.push({ address: vpn * PAGE_SIZE, pfn, access: ACCESS[access] });
  });
  return entries;
}
